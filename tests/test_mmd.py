"""MMD as a test, against sums written out, and on sets that differ, do not differ, or are copies."""

import numpy as np
import pytest

from rcgan_nb.evaluation import mmd


def normal(n, seed, shift=0.0):
    return (np.random.default_rng(seed).normal(size=(n, 4, 2)) + shift).astype(np.float32)


def by_hand(x, y, bandwidths):
    def k(a, b):
        d = ((a - b) ** 2).sum()
        return np.mean([np.exp(-d / (2 * bandwidth)) for bandwidth in bandwidths])

    n, m = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j)
    yy = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j)
    xy = sum(k(a, b) for a in x for b in y)
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)


def test_statistic_is_the_unbiased_one(monkeypatch):
    monkeypatch.setattr(mmd, "BLOCK", 7)
    x, y = normal(30, 0), normal(25, 1, 0.5)
    monkeypatch.setattr(mmd, "_fifth", lambda v, random: (v[:5], v[5:]))
    test = mmd.two_sample(x, y, permutations=3)
    flat = [v.reshape(len(v), -1) for v in (x, y)]
    bandwidths = mmd.tuned(*(v[:5] for v in flat))
    assert test.value == pytest.approx(by_hand(*(v[5:] for v in flat), bandwidths), abs=1e-6)


def test_difference_of_three_is_that_of_two_statistics():
    s, train, heldout = normal(21, 0), normal(24, 1), normal(24, 2, 1.0)
    test = mmd.three_sample(s, train, heldout, permutations=3)
    flat = [v.reshape(len(v), -1) for v in (s, train, heldout)]
    random = np.random.default_rng(0)
    order = [random.permutation(24), random.permutation(24)]
    joint = np.concatenate([v[o] for v, o in zip(flat[1:], order, strict=True)])
    bandwidths = mmd.tuned(flat[0][random.permutation(21)], joint[random.permutation(48)])
    expected = by_hand(flat[0], flat[2], bandwidths) - by_hand(flat[0], flat[1], bandwidths)
    assert test.value == pytest.approx(expected, abs=1e-6)


def test_equal_laws_are_not_told_apart_and_others_are():
    p = [mmd.two_sample(normal(120, 2 * k), normal(100, 2 * k + 1), seed=k).p for k in range(20)]
    assert 0.2 < np.mean(p) < 0.8 and np.mean(np.array(p) < 0.05) <= 0.2
    assert mmd.two_sample(normal(120, 0), normal(100, 1, 0.5)).p < 0.01
    wider = 1.5 * normal(300, 1)
    assert mmd.two_sample(normal(300, 0), wider).p < 0.01


def test_copies_lie_nearer_to_what_was_trained_on():
    train, heldout = normal(200, 0), normal(200, 1)
    copies = train[:150] + 0.01 * normal(150, 2)
    assert mmd.three_sample(copies, train, heldout).p < 0.05
    p = [mmd.three_sample(normal(150, 3 + k), train, heldout, seed=k).p for k in range(10)]
    assert np.mean(np.array(p) < 0.05) <= 0.3


def test_large_numbers_do_not_matter():
    x, y = normal(120, 0), normal(100, 1, 0.5)
    near, far = (mmd.two_sample(x + shift, y + shift) for shift in (0.0, 1e4))
    assert far.value == pytest.approx(near.value, rel=0.05) and far.p == near.p < 0.01


def test_too_few_series_are_refused():
    with pytest.raises(ValueError, match="y has 12 series; the test needs 20 at least"):
        mmd.two_sample(normal(30, 0), normal(12, 1))


def test_mmd_takes_bandwidths_from_series_apart(monkeypatch):
    random = np.random.default_rng(0)
    synthetic, validation, test = (random.normal(shift, 1, (n, 3, 2)) for n, shift in ((200, 0), (60, 0), (80, 1)))
    asked = []

    def tuned(x, y):
        asked.append((len(x), len(y)))
        return 4.0, 9.0

    monkeypatch.setattr(mmd, "tuned", tuned)
    found = mmd.two_sample(synthetic, test, tune_on=validation)
    assert asked == [(40, 60)] and found.p < 0.01 and found.value > found.high
    assert mmd.two_sample(synthetic, random.normal(0, 1, (80, 3, 2)), tune_on=validation).p > 0.05
