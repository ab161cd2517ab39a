"""Judges that read step by step: what only the order of steps tells, static values, equal seeds, gaps."""

import dataclasses

import numpy as np
import pytest

from rcgan_nb.evaluation import sequences, tasks
from rcgan_nb.series import SeriesSet, split


def bumps(n, seed):
    """A bump early in some series and late in the others: mean, extremes, first and last value are the same."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, n).astype(np.int32)
    place = np.where(y, 14, 6)[:, None] + random.integers(-2, 3, (n, 1))
    x = np.exp(-((np.arange(20) - place) ** 2) / 4) + random.normal(0, 0.05, (n, 20))
    parts = split(n, labels=y, shares=(0.6, 0.1, 0.3))
    return SeriesSet(x=x[:, :, None].astype(np.float32), y=y, classes=("early", "late"), split=parts)


def areas(s, judges):
    rows = tasks.evaluate_tasks(s, {}, [tasks.Label()], judges=judges, seeds=1, progress=lambda text: None)
    return {(r["set"], r["judge"]): r["value"] for r in rows if r["measure"] == "auroc label"}


def test_order_is_told_by_those_who_read_steps_alone():
    found = areas(bumps(500, 0), ("logistic", *sequences.BATCH_SIZE))
    assert found["real", "logistic"] < 0.7
    assert min(found["real", kind] for kind in sequences.BATCH_SIZE) > 0.95


def test_static_values_are_read():
    s = bumps(300, 1)
    hidden = np.random.default_rng(2).permutation(s.y).astype(np.int32)
    s = dataclasses.replace(s, y=hidden, static=hidden[:, None] * np.float32(10))
    found = areas(s, ("gru",))
    assert found["real", "gru"] > 0.95 and ("static alone", "gru") not in found


def test_equal_seeds_judge_alike_and_what_was_not_observed_is_not_read():
    s = bumps(200, 3)
    gaps = np.arange(20)[:, None] * np.ones((200, 20, 1)) % 3 > 0
    given = dataclasses.replace(s, observed=gaps)
    other = dataclasses.replace(given, x=np.where(gaps, s.x, 99).astype(np.float32))
    static = [np.zeros((200, 0))] * 2
    first, again, elsewhere = (sequences.chances("cnn", one, s.y, one, static, seed=4) for one in (given, given, other))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, elsewhere)
    assert first[s.y == 1].mean() > 0.7 > 0.3 > first[s.y == 0].mean()


def test_an_unknown_judge_is_refused():
    with pytest.raises(ValueError, match="judge 'rnn' is not known; .*Known: logistic, forest, gru, cnn, lstm@harut"):
        areas(bumps(60, 0), ("rnn",))
