"""Rival models: what they have to learn from series whose law is known."""

import dataclasses
import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from rcgan_nb import load
from rcgan_nb.data import scaling
from rcgan_nb.evaluation import rivals
from rcgan_nb.series import SeriesSet

TURN = np.array([[0.8, 0.3], [-0.4, 0.5]])


def autoregressive(n, steps, *matrices, seed=0):
    """Series x[t] = matrices[0] x[t-1] + matrices[1] x[t-2] ... + noise, long after their start."""
    random = np.random.default_rng(seed)
    features = len(matrices[0])
    mix = np.linalg.cholesky(0.3 + 0.7 * np.eye(features))
    x = np.zeros((n, 50 + steps, features))
    for t in range(len(matrices), x.shape[1]):
        known = sum(x[:, t - 1 - k] @ matrix.T for k, matrix in enumerate(matrices))
        x[:, t] = known + random.normal(size=(n, features)) @ mix.T
    return x[:, 50:]


def correlations(x, lag):
    """Of each feature (rows) with each feature `lag` steps later (columns)."""
    before, after = (v.reshape(-1, x.shape[2]) for v in (x[:, : x.shape[1] - lag], x[:, lag:]))
    return np.corrcoef(before.T, after.T)[: x.shape[2], x.shape[2] :]


@pytest.fixture(scope="module")
def digits():
    return load("digits").part("train")


def quiet(text):
    pass


def test_autoregression_has_the_correlations_of_the_process_it_was_fitted_on():
    x = autoregressive(1500, 11, TURN) * (1, 50) + (10, -300)
    made = rivals.autoregression(SeriesSet(x=x)).x
    for lag in (0, 1, 3):
        assert correlations(made, lag) == pytest.approx(correlations(x, lag), abs=0.05)
    for t in (0, 1, 10):
        assert made[:, t].mean(0) == pytest.approx(x[:, t].mean(0), abs=0.1 * 50)
        assert made[:, t, 0].mean() == pytest.approx(10, abs=0.2)
        assert made[:, t].std(0) == pytest.approx(x[:, t].std(0), rel=0.08)


def test_order_is_as_long_as_the_process_remembers():
    x = autoregressive(1000, 20, np.array([[1.2]]), np.array([[-0.8]]))
    made = [rivals.autoregression(SeriesSet(x=x), order=order).x for order in (None, 1)]
    assert correlations(made[0], 2) == pytest.approx(correlations(x, 2), abs=0.05)
    assert abs(correlations(made[1], 2) - correlations(x, 2)) > 0.3


def test_order_is_chosen_on_series_that_were_not_fitted():
    """On the fitted ones the longest is always the best, and of few series it learns noise."""
    x = autoregressive(25, 6, np.kron(np.eye(4), TURN))
    inside, labels = np.ones(x.shape[:2], bool), np.zeros(25, int)
    assert rivals._best_order(x, inside, labels, np.random.default_rng(0)) == 1


def test_each_class_has_a_process_of_its_own():
    y = np.tile(np.array([1, 0, 2], np.int32), 200)
    x = np.concatenate([autoregressive(200, 9, np.array([[a]]), seed=2) + 4 * a for a in (0.9, -0.9, 0.0)])
    x = x.reshape(3, 200, 9, 1).swapaxes(0, 1).reshape(600, 9, 1)
    made = rivals.autoregression(SeriesSet(x=x, y=y, classes=tuple("abc"), groups=np.arange(600).astype(str)))
    assert (made.y == y).all() and made.groups is None
    for label, persistence in ((1, 0.9), (0, -0.9), (2, 0.0)):
        assert correlations(made.x[y == label], 1) == pytest.approx(persistence, abs=0.1)
        assert made.x[y == label].mean() == pytest.approx(4 * persistence, abs=0.4)


@pytest.mark.parametrize(("count", "alone"), [(2, False), (rivals.FEWEST - 1, False), (rivals.FEWEST, True)])
def test_a_class_of_few_series_takes_the_process_of_all(count, alone):
    """A class whose values are all 0.5 is that exactly when fitted by itself, and varies as all series do if not."""
    y = np.repeat(np.array([0, 1], np.int32), [60, count])
    x = np.random.default_rng(0).normal(size=(60 + count, 5, 3))
    x[y == 1] = 0.5
    made = rivals.autoregression(SeriesSet(x=x, y=y, classes=("many", "few"))).x
    assert made[y == 0].std() == pytest.approx(1, abs=0.15)
    assert made[y == 1].std() == (pytest.approx(0, abs=1e-6) if alone else pytest.approx(0.95, abs=0.35))


def test_gaps_and_ends_are_those_of_the_real_series_and_do_not_count():
    """Unseen values are stored as 0, far from the level of 10 that was observed."""
    random = np.random.default_rng(0)
    lengths = random.integers(1, 8, 800).astype(np.int32)
    observed = random.random((800, 7, 2)) < 0.6
    level = random.normal(10, 1, (800, 1, 2))  # of a series, the same at all steps
    train = SeriesSet(x=level + 0.1 * random.normal(size=observed.shape), lengths=lengths, observed=observed)
    train = dataclasses.replace(train, x=np.where(train.valid, train.x, 0), static=level[:, 0])
    for order in (None, 3):
        made = rivals.autoregression(train, order=order)
        assert (
            (made.valid == train.valid).all() and (made.lengths == lengths).all() and (made.static == level[:, 0]).all()
        )
        assert (made.x[~train.valid] == 0).all()
        for t in (0, 3, 6):
            values = made.x[:, t][train.valid[:, t]]
            assert values.mean() == pytest.approx(10, abs=0.25) and 0.5 < values.std() < 1.3


def test_what_stands_after_the_end_is_not_fitted():
    """Series of white noise, most of them short: if the last value held on to the end, steps would seem alike."""
    random = np.random.default_rng(0)
    lengths = np.where(np.arange(600) % 4, 3, 9).astype(np.int32)
    train = SeriesSet(x=random.normal(size=(600, 9, 1)), lengths=lengths)
    made = rivals.autoregression(train, order=1).x[lengths == 9]
    assert correlations(made, 1) == pytest.approx(0, abs=0.1) and made.std() == pytest.approx(1, abs=0.1)


def test_values_stay_in_the_range_of_their_feature():
    """Doubling at every step, drawn values would leave the range soon."""
    start = np.random.default_rng(0).uniform(1, 2, (100, 1, 1))
    x = np.concatenate(
        [start * 2.0 ** np.arange(12)[:, None], 5 + 0.01 * start * 2.0 ** np.arange(12)[:, None]], axis=2
    )
    made = rivals.autoregression(SeriesSet(x=x.astype(np.float32)), order=1).x
    for k in (0, 1):
        assert made[:, :, k].min() >= x[:, :, k].min() - 1e-6 and made[:, :, k].max() <= x[:, :, k].max() * (1 + 1e-6)
        assert (made[:, :, k] > x[:, :, k].max() / 3).any()


@pytest.mark.parametrize("order", [None, 3])
@pytest.mark.parametrize("steps", [1, 2])
def test_few_steps_come_from_the_gaussian_of_the_start(steps, order):
    x = autoregressive(2000, steps, TURN)
    made = rivals.autoregression(SeriesSet(x=x), order=order).x.reshape(2000, -1)
    assert made.mean(0) == pytest.approx(x.reshape(2000, -1).mean(0), abs=0.2)
    assert np.corrcoef(made.T) == pytest.approx(np.corrcoef(x.reshape(2000, -1).T), abs=0.08)


def test_autoregression_is_a_function_of_the_seed():
    train = SeriesSet(x=autoregressive(40, 6, TURN))
    made = [rivals.autoregression(train, seed=seed).x for seed in (3, 3, 4)]
    assert (made[0] == made[1]).all() and np.abs(made[0] - made[2]).mean() > 0.5


def test_one_series_is_no_error_and_order_0_is():
    one = SeriesSet(x=np.arange(6.0).reshape(1, 6, 1))
    assert np.isfinite(rivals.autoregression(one).x).all()
    with pytest.raises(ValueError, match="order is 0, but must be 1 or more"):
        rivals.autoregression(one, order=0)


def test_time_vae_learns_the_classes_of_digits(digits):
    made = rivals.time_vae(digits, epochs=40, progress=quiet)
    assert (made.y == digits.y).all() and made.x.min() >= 0 and made.x.max() <= 16
    means = [np.stack([s.x[s.y == label].mean(0).ravel() for label in range(10)]) for s in (made, digits)]
    distances = np.linalg.norm(means[0][:, None] - means[1], axis=2)
    others = distances + 1e9 * np.eye(10)
    assert (np.diag(distances) < 0.8 * others.min(1)).all()
    within = [np.mean([s.x[s.y == label].std(0).mean() for label in range(10)]) for s in (made, digits)]
    assert 0.4 < within[0] / within[1] < 1.1  # a decoder's means vary less than what they are means of


def test_time_vae_learns_small_features_beside_large_ones():
    random = np.random.default_rng(0)
    y = np.arange(640, dtype=np.int32) % 2
    x = random.normal(size=(640, 7, 2)) * (0.2, 1000) + (2 * y - 1)[:, None, None] * (1, 3000)
    made = rivals.time_vae(SeriesSet(x=x, y=y, classes=("low", "high")), epochs=20, progress=quiet).x
    for label, sign in ((0, -1), (1, 1)):
        assert made[y == label].mean((0, 1)) / (1, 3000) == pytest.approx(sign, abs=0.2)


def test_time_vae_rebuilds_what_was_observed_and_not_what_was_carried_forward():
    """Each value is its step's number. Carried forward, 7 of 10 would be those of earlier steps."""
    random = np.random.default_rng(0)
    observed = random.random((640, 9, 2)) < 0.3
    lengths = random.integers(5, 10, 640).astype(np.int32)
    train = SeriesSet(x=np.arange(9.0)[:, None] * np.ones((640, 1, 2)), observed=observed, lengths=lengths)
    train = dataclasses.replace(train, x=np.where(train.valid, train.x, 0))
    made = rivals.time_vae(train, epochs=40, progress=quiet)
    assert (made.valid == train.valid).all() and (made.lengths == lengths).all() and (made.x[~train.valid] == 0).all()
    for t in (2, 5, 8):
        assert made.x[:, t][train.valid[:, t]].mean() == pytest.approx(t, abs=0.5)


def test_time_vae_returns_in_units_of_a_scale_per_series():
    random = np.random.default_rng(0)
    size = np.exp(random.normal(4, 1, (512, 1, 1)))
    x = size * np.sin(np.arange(6)[:, None] + random.uniform(0, 6, (512, 1, 1)))
    train = SeriesSet(x=x, scaling=scaling.to_json(scaling.fit("local", x, np.ones(x.shape, bool))))
    sizes = np.log([np.abs(s.x).max(1) for s in (train, rivals.time_vae(train, epochs=50, progress=quiet))])
    assert sizes[1].mean() == pytest.approx(sizes[0].mean(), abs=0.4) and sizes[1].std() > 0.5


def test_time_vae_is_a_function_of_seed_and_epochs():
    train = SeriesSet(x=autoregressive(70, 5, TURN))
    made = [rivals.time_vae(train, epochs=2, seed=seed, progress=quiet).x for seed in (3, 3, 4)]
    assert (made[0] == made[1]).all() and np.abs(made[0] - made[2]).mean() > 0.01


def test_time_vae_stops_when_its_time_is_over(monkeypatch):
    monkeypatch.setattr(rivals, "time", SimpleNamespace(monotonic=itertools.count().__next__))
    lines = []
    rivals.time_vae(SeriesSet(x=autoregressive(70, 5, TURN)), seconds=4, progress=lines.append)
    assert len(lines) == 1 and lines[0].startswith("TimeVAE: updates 4, seconds 5, loss ")
