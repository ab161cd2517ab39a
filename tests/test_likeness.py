"""The comparison of laws and times, on sets of which is known how they differ."""

import dataclasses

import numpy as np
import pytest

from rcgan_nb.evaluation import baselines, likeness
from rcgan_nb.series import SeriesSet, split


def walks(n, seed):
    x = np.random.default_rng(seed).normal(size=(n, 12, 2)).cumsum(1)
    return SeriesSet(x=x.astype(np.float32), split=split(n, shares=(0.5, 0.25, 0.25)))


@pytest.fixture(scope="module")
def found():
    return likeness.likeness(walks(800, 0), dataclasses.replace(walks(300, 1), split=None), progress=lambda text: None)


def value(rows, measure, which):
    return next(row["value"] for row in rows if (row["measure"], row["set"]) == (measure, which))


def test_fresh_series_of_the_law_pass_and_worst_cases_do_not(found):
    for which in ("real", "synthetic"):
        assert value(found, "mmd2_p", which) > 0.01 and value(found, "nearer_to_training_p", which) > 0.01
    for which in ("shuffled", "marginals", "noise"):
        assert value(found, "mmd2_p", which) < 0.01
        for measure in ("autocorrelation", "spectrum"):
            assert value(found, measure, which) > 3 * value(found, measure, "real")
    assert value(found, "marginal", "shuffled") == pytest.approx(value(found, "marginal", "real"))


def test_table_has_measures_down_and_sets_across(found):
    table = likeness.table(found)
    assert list(table.index) == list(likeness.MEANING)
    assert list(table.columns) == ["real", "synthetic", "shuffled", "marginals", "noise", "jitter"]
    assert table.loc["mmd2", "noise"] == pytest.approx(value(found, "mmd2", "noise"), abs=1e-4)
    assert table.loc["marginal", "jitter"] == ""


def test_a_shifted_law_is_told_apart():
    data = walks(800, 0)
    rows = likeness.likeness(data, baselines.jitter(walks(300, 1), share=1.0), progress=lambda text: None)
    assert value(rows, "mmd2_p", "synthetic") < 0.01
    told = likeness.said(rows)
    assert told[1].startswith("synthetic series differ from the test part (p 0.005, corrected 0.020)")
    assert told[0].startswith("real series show no difference to the test part that this test sees (p ")
    assert len(told) == 4 and "do not copy the training part" in told[3]


def test_small_sets_say_what_is_left_out():
    said = []
    data = walks(40, 0)
    rows = likeness.likeness(data, data.part("train"), progress=said.append)
    assert "likeness: a part has 10 series; tests of the laws need 20, and are left out" in said
    assert {row["measure"] for row in rows} >= {"marginal", "spectrum"} and "mmd2" not in {r["measure"] for r in rows}


def test_holm_by_hand():
    assert likeness.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert likeness.holm([0.6, 0.9]) == pytest.approx([1, 1])
