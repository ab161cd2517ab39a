"""The comparison of laws and times, on sets of which is known how they differ."""

import dataclasses

import numpy as np
import pytest

from rcgan_nb.evaluation import baselines, likeness, verdict
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
    assert list(table.index) == [name for name in likeness.MEANING if name != "observed"]
    assert list(table.columns) == ["real", "synthetic", "shuffled", "marginals", "noise", "jitter"]
    assert table.loc["mmd2", "noise"] == pytest.approx(value(found, "mmd2", "noise"), abs=1e-4)
    assert table.loc["marginal", "jitter"] == ""


def test_a_shifted_law_is_told_apart():
    data = walks(800, 0)
    rows = likeness.likeness(data, baselines.jitter(walks(300, 1), share=1.0), progress=lambda text: None)
    assert value(rows, "mmd2_p", "synthetic") < 0.01
    told = verdict.said(rows)
    assert told[1] == "synthetic series differ from the test part (mmd2_p, corrected: 0.020)"
    assert told[0].startswith("real series show no difference to the test part that this test sees (mmd2_p, corrected")
    assert len(told) == 4 and told[3].startswith("synthetic series do not copy the training part")


def test_a_test_that_real_series_fail_says_nothing():
    p = {"measure": "mmd2_p", "judge": "", "low": 0, "high": 0}
    told = verdict.said([p | {"set": "real", "value": 0.001}, p | {"set": "synthetic", "value": 0.001}])
    assert told[1].startswith("synthetic series cannot be judged by this test, which real series of this set fail")


def test_persons_with_many_series_are_no_difference():
    """48 and 36 persons with ten series each: taken for 840 persons, the parts would differ."""
    random = np.random.default_rng(1)
    level = np.repeat(random.normal(size=(120, 1, 2)), 10, axis=0)
    x = (level + 0.1 * random.normal(size=(1200, 12, 2))).astype(np.float32)
    groups = np.repeat(np.arange(120), 10).astype(str)
    data = SeriesSet(x=x, groups=groups, split=split(1200, groups=groups, shares=(0.4, 0.3, 0.3)))
    rows = likeness.likeness(data, data.part("validation"), progress=lambda text: None)
    assert value(rows, "mmd2_p", "real") > 0.02 and value(rows, "nearer_to_training_p", "synthetic") > 0.02


def test_sorted_labels_do_not_matter():
    """More series than are looked at, sorted by class: a cut would leave one class, and the sets would differ."""
    y = np.repeat(np.arange(2, dtype=np.int32), 3000)
    x = np.random.default_rng(0).normal(size=(6000, 4, 1)) + 4 * y[:, None, None]
    whole = SeriesSet(x=x.astype(np.float32), y=y, classes=("a", "b"), split=split(6000, labels=y))
    sorted_set = dataclasses.replace(whole, split=None, x=whole.x + np.float32(0.001))
    rows = likeness.likeness(whole, sorted_set, progress=lambda text: None)
    assert value(rows, "mmd2_p", "synthetic") > 0.01 and value(rows, "nearer_to_training_p", "synthetic") > 0.01
    assert value(rows, "marginal", "synthetic") < 0.1


def test_small_sets_say_what_is_left_out():
    said = []
    data = walks(40, 0)
    rows = likeness.likeness(data, data.part("train"), progress=said.append)
    assert "likeness: a part has 10 series; tests of the laws need 20, and are left out" in said
    assert {row["measure"] for row in rows} >= {"marginal", "spectrum"} and "mmd2" not in {r["measure"] for r in rows}


def test_holm_by_hand():
    assert likeness.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert likeness.holm([0.6, 0.9]) == pytest.approx([1, 1])
