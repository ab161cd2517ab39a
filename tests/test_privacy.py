"""Attacks on sets of which is known whom they give away: copies give all away, fresh series nobody."""

import dataclasses

import numpy as np
import pytest

from rcgan_nb import notebook
from rcgan_nb.evaluation import privacy as attacks
from rcgan_nb.series import SeriesSet, split


def persons(n, seed, each=1):
    """Series about a level of each person's own; labels tell whether it is high."""
    random = np.random.default_rng(seed)
    level = np.repeat(random.normal(size=(n, 6, 2)), each, axis=0)
    x = level + 0.3 * random.normal(size=level.shape)
    y = (level.mean((1, 2)) > 0).astype(np.int32)
    groups = np.repeat(np.arange(n), each).astype(str)
    parts = split(n * each, groups=groups, shares=(0.5, 0.2, 0.3))
    return SeriesSet(x=x.astype(np.float32), y=y, classes=("low", "high"), groups=groups, split=parts)


def by(rows):
    return {(row["measure"], row["set"]): row for row in rows}


@pytest.fixture(scope="module")
def rows():
    data = persons(400, 0, each=2)
    fresh = dataclasses.replace(persons(200, 1), split=None, groups=None)
    return by(attacks.privacy(data, fresh, progress=lambda text: None))


def test_copies_are_seen_through_by_every_attack(rows):
    assert rows["membership_distance", "jitter"]["value"] > 0.9
    assert rows["membership_density", "jitter"]["value"] > 0.9
    assert rows["nearest_ratio", "jitter"]["low"] > 0.6  # a third of the copied persons is looked at
    assert rows["identifiability", "jitter"]["low"] > 0.9


@pytest.mark.parametrize("which", ["real", "synthetic"])
def test_fresh_series_give_nobody_away(rows, which):
    for measure in ("membership_distance", "membership_density"):
        assert rows[measure, which]["low"] < 0.5 < rows[measure, which]["high"], measure
    assert rows["attribute", which]["low"] < 0 < rows["attribute", which]["high"]
    assert abs(rows["nearest_ratio", which]["value"] - 0.5) < 0.15
    assert abs(rows["identifiability", which]["value"] - 0.5) < 0.15


def test_a_score_in_hand_is_an_attack():
    data = persons(120, 2)
    known = {series.tobytes() for series in data.part("train").x}
    tell = by(
        attacks.privacy(data, data.part("test"), score=lambda s: [v.tobytes() in known for v in s.x], progress=print)
    )
    assert tell["membership_score", "synthetic"]["value"] == 1
    assert ("membership_score", "real") not in tell


def test_auc_by_hand():
    random = np.random.default_rng(0)
    each = [np.arange(3), np.arange(2)]
    value, low, high = attacks._auc_interval(np.array([3.0, 1.0, 2.0]), np.array([2.0, 0.0]), each, random)
    assert value == pytest.approx((2 + 1 + 1.5) / 6) and low <= value <= high


def test_whole_persons_are_resampled():
    who = np.array([0, 1, 1, 2, 1])
    for seed in range(20):
        rows = attacks._resampled(who, np.random.default_rng(seed))
        counts = np.bincount(rows, minlength=5)
        assert counts[1] == counts[2] == counts[4] and counts[0] + counts[1] + counts[3] == 3


def test_persons_on_both_sides_and_too_few_are_refused():
    data = persons(60, 3, each=2)
    mixed = dataclasses.replace(data, split=np.arange(120).astype(np.int8) % 2 * 2, y=None, classes=())
    with pytest.raises(ValueError, match="60 persons, as '0', are in the training and in a held-out part"):
        attacks.privacy(mixed, dataclasses.replace(mixed, split=None), progress=print)
    few = persons(30, 4)
    with pytest.raises(ValueError, match="there are 15 training persons; attacks need 20 at least"):
        attacks.privacy(few, few.part("test"), progress=print)


def test_a_notebook_says_why_a_question_is_left_out(capsys):
    few = persons(30, 4)
    assert notebook.or_why_not(attacks.privacy, few, few.part("test"), progress=print) == []
    assert capsys.readouterr().out == "left out: there are 15 training persons; attacks need 20 at least.\n"
