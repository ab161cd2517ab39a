"""Sets of settings against each other: what the text means, what is refused, how intervals are computed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rcgan_nb import comparison, train
from rcgan_nb.config import CompareConfig
from rcgan_nb.data import load
from rcgan_nb.series import without_labels


def test_variants_are_settings_by_name():
    text = (
        "stable; no r1: r1_weight 0, r2_weight 0.5; wide: hidden_units 512, minibatch_deviation True; l: loss logistic"
    )
    assert comparison.variants(CompareConfig(variants=text)) == {
        "stable": {},
        "no r1": {"r1_weight": 0.0, "r2_weight": 0.5},
        "wide": {"hidden_units": 512.0, "minibatch_deviation": True},
        "l": {"loss": "logistic"},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stable", "names 1; two at least can be compared"),
        ("a; a: loss hinge", "variant 'a' is given twice"),
        ("a; b: r1_weight", "'r1_weight' is no setting and value, as in 'r1_weight 0'"),
        ("a; b: r1_wieght 0", "setting 'r1_wieght' is not known; did you mean 'r1_weight'"),
        ("a; b: r1_weight much", "r1_weight must be float, but 'much' is str"),
        ("a; b: minibatch_deviation yes", "minibatch_deviation must be bool, but 'yes' is str"),
        ("a; b: loss wasserstein", "no bound by itself"),
        ("a; b: seed 3", "each is trained with every seed, and named by itself; leave out seed"),
        ("a; b: run_name x", "leave out run_name"),
        ("a; b: stride 2", "all are judged on the same series; give stride to all, as in -p stride"),
    ],
)
def test_refuses(text, message):
    with pytest.raises(ValueError, match=message):
        comparison.variants(CompareConfig(variants=text))


def test_intervals_by_hand():
    """Three seeds: mean 0.8, deviation 0.1, Student's t for two degrees of freedom 4.303."""
    rows = [{"variant": "real", "tstr": 1.0, "coverage": 0.9}]
    rows += [{"variant": "a", "tstr": v, "coverage": 0.5} for v in (0.7, 0.8, 0.9)]
    found = {(row["measure"], row["set"]): row for row in comparison.intervals(rows)}
    half = 4.30265 * 0.1 / np.sqrt(3)
    assert found["tstr", "a"]["value"] == pytest.approx(0.8)
    assert (found["tstr", "a"]["low"], found["tstr", "a"]["high"]) == pytest.approx((0.8 - half, 0.8 + half), rel=1e-4)
    assert found["coverage", "a"]["low"] == found["coverage", "a"]["high"] == 0.5
    assert found["tstr", "real"]["low"] == 1.0


def test_judged_on_the_validation_part():
    """Real series of the validation part itself reach all there is; shuffled labels reach chance."""
    data = load("digits")
    own = comparison.judged(data, data.part("validation"), "svm")
    assert own["tstr"] > 0.99 and own["coverage"] == 1.0
    other = data.part("train")
    mixed = np.random.default_rng(0).permutation(other.y)
    assert comparison.judged(data, replace(other, y=mixed), "svm")["tstr"] < 0.3


def test_a_run_with_other_settings_is_not_taken_for_a_variant():
    small = {"dataset": "digits", "hidden_units": 4, "batch_size": 8}
    train(**small, steps=2, run_name="stabilise-a-0", seed=0)
    config = CompareConfig(variants="a: hidden_units 4, batch_size 9; b", steps=2, seeds=1)
    with pytest.raises(ValueError, match=r"run stabilise-a-0 exists with other settings \(batch_size\); give another"):
        comparison.compare(config, progress=lambda line: None)


def quiet(line):
    pass


def waves(tmp_path, factor=1.0):
    """A table of 40 series of 12 steps, cut into windows of 4."""
    time = np.tile(np.arange(12), 40)
    value = factor * np.sin(time + np.repeat(np.arange(40), 12))
    table = pd.DataFrame({"series": np.repeat(np.arange(40), 12), "time": time, "a": value, "b": value**2})
    table.to_csv(tmp_path / "waves.csv", index=False)
    return str(tmp_path / "waves.csv")


def test_finished_runs_of_an_own_file_are_taken_while_it_and_its_windows_are_the_same(tmp_path, monkeypatch):
    """Without labels; both variants are the same here."""
    given = {"steps": 2, "seeds": 1, "seq_len": 4, "dataset": waves(tmp_path)}
    text = "a: hidden_units 4, batch_size 4; b: hidden_units 4, batch_size 4"
    config = CompareConfig(variants=text, **given)
    rows = comparison.compare(config, progress=quiet)
    assert [row["run"] for row in rows] == ["", "stabilise-a-0", "stabilise-b-0"] and "tstr" not in rows[0]
    assert {row["measure"] for row in comparison.intervals(rows)} == {"coverage"}
    monkeypatch.setattr(comparison, "train", None)
    assert comparison.compare(config, progress=quiet) == rows
    with pytest.raises(ValueError, match=r"run stabilise-a-0 exists with other settings \(stride\); give another"):
        comparison.compare(replace(config, stride=2), progress=quiet)
    waves(tmp_path, factor=2.0)
    with pytest.raises(ValueError, match="run stabilise-a-0 was trained on other contents of '.*waves.csv'"):
        comparison.compare(config, progress=quiet)


def test_a_variant_without_labels_has_no_tstr_and_others_have():
    data = load("digits")
    rows = [{"variant": "real"} | comparison.judged(data, data.part("train"), "svm")]
    rows.append({"variant": "rgan"} | comparison.judged(data, without_labels(data.part("train")), "svm"))
    found = {(row["measure"], row["set"]) for row in comparison.intervals(rows)}
    assert found == {("tstr", "real"), ("coverage", "real"), ("coverage", "rgan")}
