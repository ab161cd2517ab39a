"""Statistics of series in time: small examples worked out, gaps and ends, and what they have to tell apart."""

import dataclasses

import numpy as np
import pytest

from rcgan_nb.evaluation import temporal
from rcgan_nb.series import SeriesSet


def arrays(x, valid=None):
    x = np.asarray(x, float)
    return x, np.ones(x.shape, bool) if valid is None else valid


def waves(n, seed, period=10.0, length=40):
    random = np.random.default_rng(seed)
    phase = random.uniform(0, 2 * np.pi, (n, 1, 1))
    angle = 2 * np.pi * np.arange(length)[:, None] / period + phase
    x = np.concatenate([np.sin(angle), np.cos(angle) + 0.1 * random.normal(size=angle.shape)], axis=2)
    return SeriesSet(x=x.astype(np.float32))


def test_marginal_is_the_distance_of_sorted_values():
    a, b = arrays([[[0.0], [1.0]]]), arrays([[[3.0], [1.0]]])
    assert temporal.marginal(a, b) == pytest.approx(1.5)  # 0 to 1 and 1 to 3


def test_autocorrelation_by_hand():
    up_and_down = arrays([[[1.0], [-1.0], [1.0], [-1.0]]])
    constant_pairs = arrays([[[1.0], [1.0], [-1.0], [-1.0]]])
    assert temporal._lagged(*up_and_down)[:, 0] == pytest.approx([-1, 1])
    assert temporal._lagged(*constant_pairs)[:, 0] == pytest.approx([1 / 3, -1])
    assert temporal.autocorrelation(up_and_down, constant_pairs) == pytest.approx((4 / 3 + 2) / 2)


def test_gaps_do_not_count():
    valid = np.array([[[True], [True], [True], [False]]])
    gap = arrays([[[1.0], [-1.0], [0.0], [0.0]]], valid)
    assert temporal._lagged(*gap)[:, 0] == pytest.approx([-1 / 2 / (2 / 3), 0])
    more = arrays([[[1.0], [-1.0], [0.0], [0.0]]] * 2, np.concatenate([valid, np.zeros_like(valid)]))
    assert temporal.autocorrelation(gap, more) == pytest.approx(0)


def test_cross_correlation_by_hand():
    alike, opposed = arrays([[[1.0, 1.0], [-1.0, -1.0]]]), arrays([[[1.0, -1.0], [-1.0, 1.0]]])
    assert temporal.cross_correlation(alike, opposed) == pytest.approx(2)
    assert np.isnan(temporal.cross_correlation(*[arrays([[[1.0], [2.0]]])] * 2))


def test_correlation_is_that_of_steps_observed_together():
    x = np.array([[[0.0, 0.0], [1.0, 1.0], [9.0, 0.0], [0.0, 7.0]]])
    valid = np.array([[[True, True], [True, True], [True, False], [False, True]]])
    assert temporal._correlations(x * valid, valid)[0, 1] == pytest.approx(1)


def test_what_is_never_observed_is_the_worst_there_is():
    real = arrays(np.random.default_rng(0).normal(size=(5, 8, 2)))
    seen = np.ones((5, 8, 2), bool)
    seen[:, :, 1] = False
    none = arrays(real[0] * seen, seen)
    assert temporal.autocorrelation(real, none) == pytest.approx(1)  # 0 for one feature, 2 for the other
    assert temporal.cross_correlation(real, none) == 2 and temporal.observed(real, none) == 0.5


def test_constant_features_are_left_out():
    s = waves(60, 0)
    flat = dataclasses.replace(s, x=np.concatenate([s.x, np.ones_like(s.x[:, :, :1])], 2), features=())
    off = dataclasses.replace(flat, x=flat.x + np.float32(1e-5) * (np.arange(3) == 2) * (np.arange(40)[:, None] % 2))
    assert temporal.differences(flat, off)["kurtosis"][0] == pytest.approx(0, abs=1e-6)


def test_spectrum_by_hand():
    slow = arrays(np.sin(2 * np.pi * np.arange(8) / 8)[None, :, None])
    fast = arrays(np.sin(2 * np.pi * 2 * np.arange(8) / 8)[None, :, None])
    assert temporal.spectrum(slow, fast) == pytest.approx(1) and temporal.spectrum(slow, slow) == 0


def test_moments_by_hand():
    lopsided, even = arrays([[[0.0], [0.0], [3.0]]]), arrays([[[-1.0], [0.0], [1.0]]])
    assert temporal.skewness(lopsided, even) == pytest.approx(2**-0.5)
    assert temporal.kurtosis(lopsided, even) == pytest.approx(0)  # 3 / 2 both


def test_real_series_differ_less_than_worst_cases():
    real, other = waves(200, 0), waves(200, 1)
    best = temporal.differences(real, other)
    assert set(best) == set(temporal.MEASURES) - {"observed"}
    for name, measures in {
        "shuffled": ("autocorrelation", "spectrum"),
        "marginals": ("autocorrelation", "spectrum"),
        "noise": ("autocorrelation", "spectrum", "kurtosis"),
    }.items():
        worst = temporal.differences(real, temporal.WORST[name](other))
        for measure in measures:
            assert best[measure][2] < worst[measure][1], (name, measure)
    slower = temporal.differences(real, waves(200, 1, period=13))
    assert best["autocorrelation"][2] < slower["autocorrelation"][1]


def test_worst_cases_keep_what_they_should():
    s = waves(30, 2)
    lengths = np.arange(30, dtype=np.int32) + 5
    s = dataclasses.replace(s, lengths=lengths, x=np.where(np.arange(40)[:, None] < lengths[:, None, None], s.x, 0))
    mixed = temporal.shuffled(s)
    assert (np.sort(mixed.x[3, :8], 0) == np.sort(s.x[3, :8], 0)).all() and (mixed.x[3, 8:] == 0).all()
    assert (mixed.x[3, :8] != s.x[3, :8]).any()
    pairs = {tuple(v) for v in s.x[3, :8].tolist()}
    assert {tuple(v) for v in mixed.x[3, :8].tolist()} == pairs  # features stay together
    whole = waves(30, 2)
    spread = temporal.marginals(whole)
    assert (np.sort(spread.x, 0) == np.sort(whole.x, 0)).all()
    assert abs(np.corrcoef(spread.x[:, 0, 0], spread.x[:, 1, 0])[0, 1]) < 0.5


def test_marginals_take_no_value_from_after_an_end():
    lengths = np.array([2, 6] * 20, np.int32)
    x = np.where(np.arange(6)[:, None] < lengths[:, None, None], 5.0, 0.0).astype(np.float32)
    mixed = temporal.marginals(SeriesSet(x=x, lengths=lengths))
    assert (mixed.x[mixed.valid] == 5).all() and mixed.valid.sum() > 80
