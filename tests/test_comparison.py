"""Sets of settings against each other: what the text means, what is refused, how intervals are computed."""

from dataclasses import replace

import numpy as np
import pytest

from rcgan_nb import comparison, train
from rcgan_nb.config import CompareConfig
from rcgan_nb.data import load


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
