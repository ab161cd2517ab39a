"""Does a forecaster that learned from synthetic series foresee real ones? Trained on each set, tested on real series.

A forecaster gets right what holds between steps: a set with the right values in the wrong order teaches it nothing.
"""

import dataclasses

import numpy as np

from rcgan_nb.config import did_you_mean
from rcgan_nb.data.codec import filled
from rcgan_nb.evaluation import baselines, temporal
from rcgan_nb.evaluation.comparable import check_comparable
from rcgan_nb.evaluation.persons import one_each
from rcgan_nb.evaluation.report import Report
from rcgan_nb.evaluation.resampling import resampled
from rcgan_nb.evaluation.tasks import summaries
from rcgan_nb.evaluation.together import joined
from rcgan_nb.evaluation.view import View
from rcgan_nb.series import SeriesSet

MEANING = {
    "forecast": "error of a forecaster trained on the set, in the test part, / that of taking the last value observed",
    "forecast_tr+s": "the same, trained on real and synthetic series together: below that of real ones if they help",
}
AT_MOST = 2000  # series of a set that a forecaster is trained on, or tested on
ROWS = 5000  # values that are foreseen, of each feature, that a boosted model is trained on
# Few, small and coarse trees: on digits a third of the time of 50 with the library's defaults, and as good.
TREES = {"loss": "absolute_error", "max_iter": 30, "learning_rate": 0.2, "max_bins": 63, "max_leaf_nodes": 15}


def forecasts(data, synthetic, *, horizon=0, judges=("ridge", "boosting"), seed=0, progress=print) -> list[dict]:
    """Forecast all features of the last steps of real series from the steps before, by what each set teaches.

    Series that end early are foreseen at their own end; those with no step before it are left out, and so is what was
    not observed. Of a person with several test series one is drawn.
    Args:
        data: SeriesSet with its split; synthetic: SeriesSet in the same units.
        horizon: steps that are foreseen; 0 takes a quarter of them, 1 at least. judges: names of JUDGES.
    Returns: rows of (measure, set, judge, value, low, high), 95 % over resampled persons of the test part. The value is
        the mean absolute error, in each feature's deviations, over that of the last value observed (of the training
        part's mean where there was none), so that 1 is no better than that. Sets are real (the training part, best),
        synthetic, noise (worst), gaussian and jitter.
    Raises: ValueError: the sets cannot be compared, a judge is not known, the series are too short, or nothing in the
        test part changes.
    Source: train on synthetic, test on real: Esteban et al. 2017, arXiv:1706.02633; errors scaled by the naive
        forecast's: Hyndman and Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001, here on the same steps.
    """
    for name in judges:
        if name not in JUDGES:
            raise ValueError(f"judge {name!r} is not known; {did_you_mean(name, JUDGES)}Known: {', '.join(JUDGES)}.")
    check_comparable(data, synthetic)
    random = np.random.default_rng(seed)
    train, horizon = data.part("train"), _horizon(data, horizon)
    some, made = (s.take(random.permutation(len(s))[:AT_MOST]) for s in (train, synthetic))
    sets = {
        ("forecast", "real"): some,
        ("forecast", "synthetic"): made,
        ("forecast_tr+s", "synthetic"): joined(some, made),
        ("forecast", "noise"): temporal.noise(some, seed=seed),
        ("forecast", "gaussian"): baselines.gaussian(some, seed=seed),
        ("forecast", "jitter"): baselines.jitter(some, seed=seed),
    }
    view, report = View.fit(train), Report()
    asked = _Asked.of(one_each(data.part("test"), random).take(slice(AT_MOST)), "test part", view, horizon)
    naive = asked.errors(np.broadcast_to(asked.last[:, None], asked.ahead.shape))
    if not naive.any():
        raise ValueError("in the test part nothing changes in the steps to foresee: no error to measure others by.")
    for (measure, which), s in sets.items():
        progress(f"{measure}: trained on {which}")
        told = _Asked.of(s, which, view, horizon)
        for judge in judges:
            errors = asked.errors(JUDGES[judge](told, asked, seed))
            triple = resampled(_ratio, np.stack([errors, naive], 1), random=random)
            report.add(measure, which, triple, judge)
    return report.rows


def _horizon(data, horizon):
    steps = data.x.shape[1]
    horizon = horizon or max(steps // 4, 1)
    if not 0 < horizon < steps:
        raise ValueError(
            f"the series have {steps} steps, and {horizon} of them are to be foreseen, which leaves none to see; a "
            f"forecast needs 2 steps at least and a horizon from 1 to {max(steps - 1, 1)}."
        )
    return horizon


def _ratio(pairs):
    """Total error over that of the naive forecast; pairs is `(n, 2)`, one row per series."""
    error, naive = pairs.sum(0)
    return error / naive if naive else 1.0


@dataclasses.dataclass(frozen=True)
class _Asked:
    """What a forecaster sees and is asked, in each feature's deviations from the mean of the real training part.

    past: SeriesSet `(n, steps - horizon, features)`; x: the same without gaps, which are filled by the last value
    observed, before that by the mean; last: its last step `(n, features)`; ahead, there: what is to be foreseen and
    which of it was observed, `(n, horizon, features)`; gaps: whether the data have any.
    """

    past: SeriesSet
    x: np.ndarray
    ahead: np.ndarray
    there: np.ndarray
    gaps: bool

    @classmethod
    def of(cls, s, which, view, horizon):
        x, valid, inside = _at_the_end(s, view)
        long = inside[:, -horizon - 1]
        if not long.any():
            raise ValueError(
                f"no series of the {which} has more than {horizon} steps, the number to be foreseen; take a smaller "
                "horizon or longer series."
            )
        x, valid = x[long], valid[long]
        past = SeriesSet(x=x[:, :-horizon], observed=valid[:, :-horizon])
        return cls(past, filled(past, 0.0), x[:, -horizon:], valid[:, -horizon:], view.gaps)

    @property
    def last(self):
        return self.x[:, -1]

    def errors(self, said):
        """Sum of the absolute errors of each series, `(n,)`."""
        return (np.abs(said - self.ahead) * self.there).sum((1, 2))

    def flat(self):
        """All steps of the past, and where there are gaps which of them were observed, `(n, values)`."""
        x = np.concatenate([self.x, self.past.valid], axis=2) if self.gaps else self.x
        return x.reshape(len(x), -1)


def _at_the_end(s, view):
    """Scaled values, which of them there are, and which steps `(n, steps)`, all moved so that series end together."""
    valid = s.valid & view.shown
    x, inside = np.where(valid, (s.x - view.mean) / view.deviation, 0.0), s.inside[:, :, 0]
    if s.lengths is not None:
        place = np.arange(s.x.shape[1]) - (s.x.shape[1] - s.lengths)[:, None]
        inside, place = place >= 0, place.clip(0)[:, :, None]
        x, valid = (np.take_along_axis(v, place, 1) * inside[:, :, None] for v in (x, valid))
    return x, valid, inside


def ridge(told, asked, seed):
    """Ridge regression on all of the past. Where a set never observed what is to be foreseen, it says the mean.

    As much is held against coefficients as there are inputs, so that as many series are needed to overcome it.
    Args:
        told, asked: _Asked to train on and to answer; Returns: `(n, horizon, features)`, n those of `asked`.
    """
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, test = told.flat(), asked.flat()
    targets, there = (v.reshape(len(x), -1) for v in (told.ahead, told.there))
    said = np.zeros((len(test), targets.shape[1]))
    patterns, which = np.unique(there, axis=1, return_inverse=True)
    for k, rows in enumerate(patterns.T):  # targets that were observed in the same series are fitted at once
        if rows.any():
            model = make_pipeline(StandardScaler(), Ridge(alpha=x.shape[1]))
            model.fit(x[rows], targets[np.ix_(rows, which.ravel() == k)])
            said[:, which.ravel() == k] = model.predict(test).reshape(len(test), -1)
    return said.reshape(len(test), *told.ahead.shape[1:])


def boosting(told, asked, seed):
    """Gradient boosting on summaries of the past (see `tasks.summaries`), a model for each feature, which is told how
    many steps ahead it looks and says the change since the last value. Arguments and result as `ridge`.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    random = np.random.default_rng([seed, 26])
    seen, test = summaries(told.past), summaries(asked.past)
    shape = len(test), *told.ahead.shape[1:]
    said = np.broadcast_to(asked.last[:, None], shape).copy()
    questions = np.column_stack([np.repeat(test, shape[1], axis=0), np.tile(np.arange(shape[1]), len(test))])
    for k in range(shape[2]):
        rows, lead = np.nonzero(told.there[:, :, k])
        some = random.permutation(len(rows))[:ROWS]
        rows, lead = rows[some], lead[some]
        if len(rows):
            model = HistGradientBoostingRegressor(**TREES, random_state=seed)
            change = told.ahead[rows, lead, k] - told.last[rows, k]
            with threadpool_limits(1, user_api="openmp"):  # more wait busily for each other where others compute
                model.fit(np.column_stack([seen[rows], lead]), change)
                said[:, :, k] += model.predict(questions).reshape(shape[:2])
    return said


JUDGES = {"ridge": ridge, "boosting": boosting}
