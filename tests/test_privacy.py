"""Attacks on sets of which is known whom they give away: copies give all away, fresh series nobody."""

import dataclasses

import numpy as np
import pytest

from rcgan_nb import notebook
from rcgan_nb.evaluation import persons as persons_module
from rcgan_nb.evaluation import privacy as attacks
from rcgan_nb.evaluation.resampling import auc
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


@pytest.fixture(scope="module", params=[1, 20])
def rows(request):
    data = persons(400, 0, each=request.param)
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
        row = rows[measure, which]
        assert row["low"] - 0.03 < 0.5 < row["high"] + 0.03, measure  # one in twenty misses chance by chance
    assert rows["attribute", which]["low"] < 0 < rows["attribute", which]["high"]
    for measure in ("nearest_ratio", "identifiability"):
        assert abs(rows[measure, which]["value"] - 0.5) < 0.15, measure


def test_static_values_of_ones_own_are_found_again():
    data = persons(120, 5)
    static = np.arange(120, dtype=np.float32)[:, None] // 2 * 2 + (np.arange(120)[:, None] < 60)
    data = dataclasses.replace(data, static=static, y=None, classes=())  # two of each have the same below 60 and above
    train, test = data.part("train"), data.part("test")
    found = by(attacks.privacy(data, dataclasses.replace(test, static=train.static[:36]), progress=lambda text: None))
    alone = [v for v in train.static[:, 0] if (train.static[:, 0] == v).sum() == 1]
    expected = np.mean([v in train.static[:36, 0] for v in alone])
    assert 0 < expected < 1 and found["static_again", "synthetic"]["value"] == pytest.approx(expected, abs=1e-4)
    assert found["static_again", "jitter"]["value"] == 1


def test_a_score_in_hand_is_an_attack():
    data = persons(120, 2)
    known = {series.tobytes() for series in data.part("train").x}
    tell = by(
        attacks.privacy(data, data.part("test"), score=lambda s: [v.tobytes() in known for v in s.x], progress=print)
    )
    assert tell["membership_score", "synthetic"]["value"] == 1
    assert ("membership_score", "real") not in tell


def test_auc_by_hand():
    assert auc(np.array([3.0, 1.0, 2.0]), np.array([2.0, 0.0])) == pytest.approx((2 + 1 + 1.5) / 6)


def test_each_person_counts_once():
    s = persons(30, 6, each=4)
    drawn = persons_module.one_each(s, np.random.default_rng(0))
    assert len(drawn) == 30 and len(set(drawn.groups)) == 30
    assert drawn.groups.tolist() != sorted(drawn.groups.tolist())


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
