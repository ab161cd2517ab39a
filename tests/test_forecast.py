"""Forecasts, on series of which is known what can be foreseen, and errors worked out by hand."""

import dataclasses

import numpy as np
import pytest

from rcgan_nb.evaluation import forecast, temporal, verdict
from rcgan_nb.evaluation.view import View
from rcgan_nb.series import SeriesSet, split


def recurring(n, seed, features=2, steps=12, **more):
    """x[t] = 2 cos(0.9) x[t - 1] - x[t - 2], from a start of its own: what follows is known from two steps."""
    random = np.random.default_rng(seed)
    phase, size = random.uniform(0, 6.3, (n, 1, features)), random.uniform(0.5, 1.5, (n, 1, features))
    x = size * np.sin(0.9 * np.arange(steps)[:, None] + phase)
    return SeriesSet(x=x.astype(np.float32), split=split(n), **more)


def fresh(n, seed, **more):
    return dataclasses.replace(recurring(n, seed, **more), split=None)


def quiet(text):
    pass


def found(data, synthetic, *, judges=("ridge",), **options):
    rows = forecast.forecasts(data, synthetic, judges=judges, progress=quiet, **options)
    return {(row["measure"], row["set"], row["judge"]): row for row in rows}


@pytest.fixture(scope="module")
def rows():
    data = recurring(600, 0)
    both = forecast.JUDGES
    return {
        name: found(data, s, judges=both)
        for name, s in {"alike": fresh(400, 1), "shuffled": temporal.shuffled(fresh(400, 1))}.items()
    }


def test_a_recurrence_is_foreseen_by_who_learned_from_its_own_kind(rows):
    for which in ("real", "synthetic"):
        assert rows["alike"]["forecast", which, "ridge"]["high"] < 0.02
        assert rows["alike"]["forecast", which, "boosting"]["high"] < 0.15
    assert rows["alike"]["forecast_tr+s", "synthetic", "ridge"]["high"] < 0.02
    for judge in forecast.JUDGES:
        assert rows["shuffled"]["forecast", "synthetic", judge]["low"] > 0.5
        assert rows["alike"]["forecast", "noise", judge]["low"] > 0.6


def test_it_is_an_indicator_of_use(rows):
    scores = {name: verdict.profile(list(found.values())) for name, found in rows.items()}
    scores = {n: [r["score"] for r in p if (r["judge"], r["set"]) == ("ridge", "synthetic")] for n, p in scores.items()}
    assert scores["alike"][0] > 0.98 and scores["shuffled"][0] < 0.3 and len(scores["alike"]) == 1


def test_the_last_value_as_forecast_gives_one(monkeypatch):
    monkeypatch.setitem(forecast.JUDGES, "naive", lambda told, asked, seed: asked.last[:, None].repeat(3, 1))
    rows = found(recurring(60, 0), fresh(60, 1), judges=("naive",))
    assert {(row["value"], row["low"], row["high"]) for row in rows.values()} == {(1.0, 1.0, 1.0)}


@pytest.fixture
def few():
    """Four series, six times each: four steps, of which the last is to be foreseen; the training part's mean is 3."""
    x = np.array([[2, 4, 2, 4], [1, 5, 3, 3], [0, 0, 2, 4], [0, 9, 5, 4]], np.float32)[:, :, None]
    return SeriesSet(x=x, split=np.array([0, 1, 2, 2], np.int8)).take(np.repeat(range(4), 6))


def test_error_by_hand(few, monkeypatch):
    """Said is the mean, 3, where 4 comes twice; the last values are off by 2 and 1."""
    monkeypatch.setitem(forecast.JUDGES, "mean", lambda told, asked, seed: np.zeros(asked.ahead.shape))
    rows = found(few, few.part("train"), judges=("mean",))
    assert rows["forecast", "real", "mean"]["value"] == pytest.approx((1 + 1) / (2 + 1), abs=1e-4)
    assert 0.5 < rows["forecast", "real", "mean"]["low"] < 0.66 and 0.67 < rows["forecast", "real", "mean"]["high"] < 1


def test_boosting_takes_one_thread_and_gives_the_others_back(few, monkeypatch):
    from sklearn.ensemble import HistGradientBoostingRegressor as Boosted
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads():
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "openmp"}

    seen, fit = [], Boosted.fit
    monkeypatch.setattr(Boosted, "fit", lambda self, *given: seen.append(threads()) or fit(self, *given))
    with threadpool_limits(2, user_api="openmp"):
        found(few, few.part("train"), judges=("boosting",))
        assert threads() == {2}
    assert len(seen) > 3 and all(one == {1} for one in seen)


def test_what_was_not_observed_is_no_error(few, monkeypatch):
    """Of the first test series nothing is left to foresee, of the second the last value is 9: 1 off, against 5."""
    monkeypatch.setitem(forecast.JUDGES, "mean", lambda told, asked, seed: np.zeros(asked.ahead.shape))
    observed = np.ones(few.x.shape, bool)
    observed[12:18, 3] = observed[18:, 2] = False
    rows = found(dataclasses.replace(few, observed=observed), few.part("train"), judges=("mean",))
    assert rows["forecast", "real", "mean"]["value"] == pytest.approx(1 / 5, abs=1e-4)


def test_series_end_together():
    x = np.array([[5, 6, 7, 0], [1, 0, 0, 0], [1, 2, 3, 4]], np.float32)[:, :, None]
    s = SeriesSet(x=x, lengths=np.array([3, 1, 4], np.int32))
    view = dataclasses.replace(View.fit(s), mean=0.0, deviation=1.0)
    moved, valid, inside = forecast._at_the_end(s, view)
    assert moved[:, :, 0].tolist() == [[0, 5, 6, 7], [0, 0, 0, 1], [1, 2, 3, 4]]
    assert valid[:, :, 0].tolist() == inside.tolist() == [[False, True, True, True], [False] * 3 + [True], [True] * 4]
    asked = forecast._Asked.of(s, "set", view, 1)
    assert asked.last[:, 0].tolist() == [6, 3] and asked.ahead[:, 0, 0].tolist() == [7, 4]  # one has nothing before
    assert asked.flat().tolist() == [[0, 0, 5, 1, 6, 1], [1, 1, 2, 1, 3, 1]]


def with_gaps(s, seed, rubbish=0.0):
    random = np.random.default_rng(seed)
    observed, lengths = random.random(s.x.shape) < 0.7, random.integers(1, 13, len(s)).astype(np.int32)
    gappy = dataclasses.replace(s, observed=observed, lengths=lengths)
    return dataclasses.replace(gappy, x=np.where(gappy.valid, s.x, np.float32(rubbish)))


def test_gaps_and_ends_leave_figures_and_are_not_looked_at():
    data, made = (lambda r=r: with_gaps(recurring(400, 0), 2, r) for r in (0, 1e6)), fresh(400, 1)
    one, other = (found(make(), with_gaps(made, 3), judges=forecast.JUDGES) for make in data)
    assert one == other
    assert all(np.isfinite([row[n] for n in ("value", "low", "high")]).all() for row in one.values())
    assert one["forecast", "real", "ridge"]["high"] < one["forecast", "noise", "ridge"]["low"]


def test_a_set_that_observed_nothing_teaches_the_mean_or_the_last_value():
    data, made = with_gaps(recurring(400, 0), 2), fresh(400, 1)
    never = dataclasses.replace(made, observed=np.zeros(made.x.shape, bool))
    rows = found(data, never, judges=forecast.JUDGES)
    assert rows["forecast", "synthetic", "boosting"]["value"] == 1.0
    assert rows["forecast", "synthetic", "ridge"]["value"] == pytest.approx(
        rows["forecast", "noise", "ridge"]["value"], abs=0.05
    )


def test_targets_that_were_not_observed_are_not_taken_for_the_mean():
    data = recurring(400, 0)
    observed = np.ones(data.x.shape, bool)
    observed[:, -3:] = np.random.default_rng(5).random((400, 3, 2)) < 0.4
    data = dataclasses.replace(data, observed=observed)
    assert found(data, data.part("train"))["forecast", "real", "ridge"]["high"] < 0.1


def test_synthetic_series_help_where_real_ones_are_few():
    data = recurring(406, 0, steps=12)
    random = np.random.default_rng(4)
    data = dataclasses.replace(data, split=np.where(np.arange(406) < 6, 0, 2).astype(np.int8))
    data = dataclasses.replace(data, x=data.x + random.normal(0, 0.1, data.x.shape).astype(np.float32))
    rows = found(data, fresh(500, 1))
    assert rows["forecast_tr+s", "synthetic", "ridge"]["high"] < rows["forecast", "real", "ridge"]["low"]


def test_refusals_in_words(few):
    train = few.part("train")
    one = SeriesSet(x=np.arange(60, dtype=np.float32).reshape(60, 1, 1), split=split(60))
    with pytest.raises(ValueError, match="the series have 1 steps, and 1 of them are .* 2 steps at least"):
        found(one, one)
    with pytest.raises(ValueError, match="the series have 4 steps, and 4 of them .* a horizon from 1 to 3"):
        found(few, train, horizon=4)
    short = dataclasses.replace(train, lengths=np.full(6, 2, np.int32), split=None)
    with pytest.raises(ValueError, match="no series of the synthetic has more than 2 steps"):
        found(few, short, horizon=2)
    still = dataclasses.replace(few, x=np.ones_like(few.x))
    with pytest.raises(ValueError, match="in the test part nothing changes"):
        found(still, train)
    with pytest.raises(ValueError, match="judge 'rigde' is not known; did you mean 'ridge'"):
        found(few, train, judges=("rigde",))
