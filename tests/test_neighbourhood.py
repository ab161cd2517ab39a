"""Precision, recall, density, Frechet distance and time warping, by values that one can work out."""

import numpy as np
import pytest

from rcgan_nb.evaluation import neighbourhood as near


def line(*places):
    return np.array(places, float)[:, None]


def test_reach_on_a_line():
    """With one neighbour the test series at 0, 1, 10 reach 1, 1, 9; those at 0.5, 30 and 31 reach 29.5, 1 and 1."""
    found = near.reach(line(0, 1, 10), line(0.5, 30, 31), k=1)
    assert found["precision"].tolist() == [1, 0, 0]
    assert found["density"].tolist() == [2, 0, 0]
    assert found["recall"].tolist() == [1, 1, 1]  # within 29.5 of the one at 0.5


def test_dropped_mode_costs_recall_and_noise_costs_precision():
    random = np.random.default_rng(0)
    two = np.concatenate([random.normal(-5, 1, (200, 3)), random.normal(5, 1, (200, 3))])
    again = np.concatenate([random.normal(-5, 1, (200, 3)), random.normal(5, 1, (200, 3))])
    whole, one, wide = (near.reach(two, x) for x in (again, again[:200], 4 * again))
    assert whole["recall"].mean() > 0.9 and one["recall"].mean() == pytest.approx(0.5, abs=0.05)
    assert whole["precision"].mean() > 0.9 and wide["precision"].mean() < 0.3


def test_frechet_of_moved_and_widened_values():
    """Moved by 3 with variance 1: 9. Twice as wide: (1 - 2)^2."""
    x = np.random.default_rng(1).normal(size=(5000, 1))
    x = (x - x.mean()) / x.std(ddof=1)
    assert near.frechet(x, x + 3) == pytest.approx(9)
    assert near.frechet(x, 2 * x) == pytest.approx(1)
    assert near.frechet(x, x[::-1]) == pytest.approx(0, abs=1e-9)


def test_warping_forgives_a_delay_of_a_tenth():
    steps = np.arange(40)
    bump = np.exp(-(((steps - 20) / 3) ** 2))[None, :, None]
    late, later = np.roll(bump, 4, axis=1), np.roll(bump, 12, axis=1)
    assert near.warped(bump, bump).item() == 0
    assert near.warped(bump, late).item() < 0.02 < 0.1 < near.warped(bump, later).item()
    assert near.warped(bump, late).item() < np.sqrt(((bump - late) ** 2).mean())


def test_warped_by_hand():
    """0 1 1 against 0 0 1: all can be paired at no cost; 0 2 0 against 0 0 0 costs 4 over 3 values."""
    a, b = (np.array(v, float)[None, :, None] for v in ((0, 1, 1), (0, 0, 1)))
    assert near.warped(a, b).item() == 0
    a, b = (np.array(v, float)[None, :, None] for v in ((0, 2, 0), (0, 0, 0)))
    assert near.warped(a, b).item() == pytest.approx((4 / 3) ** 0.5)


def test_real_against_real_is_the_best_there_is():
    random = np.random.default_rng(2)
    test, fresh = random.normal(size=(2, 300, 6, 2))
    found, worse = near.neighbourhood(test, fresh), near.neighbourhood(test, fresh + 1)
    for name in ("frechet", "warped"):
        assert found[name][2] < worse[name][1]
    for value, low, high in found.values():
        assert low <= value <= high or value < low  # resampling adds to a distance
    assert found["precision"][0] > worse["precision"][0] and found["density"][0] > worse["density"][0]
