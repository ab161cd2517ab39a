"""TimeGAN's scores, on sets of which is known what a judge can see."""

import dataclasses

import numpy as np
import pytest

from rcgan_nb.evaluation import timegan
from rcgan_nb.series import SeriesSet, split


@pytest.fixture(autouse=True)
def fewer_updates(monkeypatch):
    monkeypatch.setattr(timegan, "UPDATES", {"discriminative": 1000, "predictive": 600})
    monkeypatch.setattr(timegan, "AT_ONCE", 50)


def waves(n, features, seed, length=8):
    """Features that follow one another by a step, so that the last can be told from the one before it."""
    random = np.random.default_rng(seed)
    x = np.sin(random.uniform(0, 6.3, (n, 1, 1)) + np.arange(length)[:, None] - np.arange(features))
    return SeriesSet(x=x.astype(np.float32), split=split(n))


def scores(data, sets):
    rows = timegan.timegan_scores(data, sets, seeds=1, progress=lambda text: None)
    return {(row["measure"], row["set"]): row for row in rows}


def test_fresh_series_score_as_real_ones_and_noise_does_not():
    data, fresh = waves(1000, 6, 0), dataclasses.replace(waves(700, 6, 1), split=None)
    noise = dataclasses.replace(fresh, x=np.random.default_rng(2).uniform(-1, 1, fresh.x.shape).astype(np.float32))
    found = scores(data, {"synthetic": fresh, "noise": noise})
    apart, ahead = ({s: found[m, s] for s in ("real", "synthetic", "noise")} for m in timegan.MEANING)
    assert apart["real"]["low"] == 0 and apart["synthetic"]["value"] < 0.15 < 0.25 < apart["noise"]["low"]
    assert apart["real"]["judge"] == "on 60"  # a fifth of 150 of each
    assert ahead["synthetic"]["value"] == pytest.approx(ahead["real"]["value"], abs=0.05)
    assert ahead["synthetic"]["high"] < ahead["noise"]["low"]


def test_one_feature_is_predicted_from_its_own_past_and_has_a_unit():
    x, target, steps = timegan._ahead(np.arange(6.0).reshape(1, 3, 2), np.ones((1, 3), bool))
    assert (x.tolist(), target.tolist(), steps.shape) == ([[[0], [2]]], [[3, 5]], (1, 2))
    x, target, _ = timegan._ahead(np.arange(3.0).reshape(1, 3, 1), np.ones((1, 3), bool))
    assert (x.tolist(), target.tolist()) == ([[[0], [1]]], [[1, 2]])
    found = scores(waves(200, 1, 0), {})
    assert 0 < found["ps@timegan.1", "real"]["value"] < 0.5


def test_steps_after_the_end_are_not_seen():
    """Values after the end differ in the two sets, and only there."""
    data = waves(1000, 2, 0)
    data = dataclasses.replace(data, lengths=np.full(1000, 5, np.int32))
    other = dataclasses.replace(data.take(slice(500)), split=None)
    x = other.x.copy()
    x[:, 5:] = 1
    assert scores(data, {"synthetic": dataclasses.replace(other, x=x)})["ds@timegan.1", "synthetic"]["low"] == 0


def test_labelled_sets_have_no_predictive_score():
    data = waves(200, 2, 0)
    data = dataclasses.replace(data, y=np.zeros(200, np.int32), classes=("a",))
    assert {row["measure"] for row in timegan.timegan_scores(data, {}, seeds=1, progress=print)} == {"ds@timegan.1"}
