"""Discriminative and predictive score by TimeGAN's definitions: profiles ds@timegan.1 and ps@timegan.1.

A GRU with half as many units as there are features, Adam at 1e-3, batches of 128, 2,000 updates for the discriminative
and 5,000 for the predictive score, on features scaled to [0, 1]. Source: Yoon et al. 2019 (TimeGAN), section 5.

Its code has defects, mended here: a univariate set had no units (now one) and nothing to predict from (now its own
past); generated series had the lengths of real ones (now their own); the series judged by were those the generator was
trained on (now the test part); nothing was said of two real sets (now the training part stands in for the synthetic
one). Masks, which it does not know, are further features.
"""

from functools import cache

import numpy as np

from rcgan_nb.evaluation.comparable import check_comparable
from rcgan_nb.evaluation.fresh import begun_anew
from rcgan_nb.evaluation.utility import interval

MEANING = {
    "ds@timegan.1": "|accuracy - 1/2| of TimeGAN's GRU that tells test series from others: 0 is best",
    "ps@timegan.1": "mean absolute error of TimeGAN's GRU, trained on the set, at one step ahead in the test part",
}
BATCH, AT_ONCE = 128, 100
UPDATES = {"discriminative": 2000, "predictive": 5000}
DRAWS = 1000


def timegan_scores(data, sets, *, seeds=3, seed=0, progress=print) -> list[dict]:
    """The discriminative score of every set against the test part, and the predictive one where there are no labels.

    Args:
        data: SeriesSet with its split; sets: name -> SeriesSet in the same units; the training part is `real`.
        seeds: how often each judge is trained anew, on another division into 80 % and 20 %.
    Returns: rows of (measure, set, judge, value, low, high); judge says how many series the score was measured on.
        Values of ps@timegan.1 are in the range of the feature that is predicted. 95 % over seeds and test series.
    Raises: ValueError: the sets cannot be compared.
    """
    for s in sets.values():
        check_comparable(data, s)
    train, test = data.part("train"), data.part("test")
    scale = _Scale(train)
    last, rows = scale(test), []
    for name, s in {"real": train, **sets}.items():
        progress(f"TimeGAN's scores: {name}")
        other = scale(s)
        rows.append(_row("ds@timegan.1", name, *discriminative(last, other, seeds=seeds, seed=seed)))
        if data.y is None:
            rows.append(_row("ps@timegan.1", name, *predictive(other, last, seeds=seeds, seed=seed)))
    return rows


class _Scale:
    """To [0, 1] by the range of each feature in the training part; masks, where a set has them, as further features."""

    def __init__(self, train):
        values = np.where(train.valid, train.x, np.nan)
        self.low, self.high = np.nanmin(values, (0, 1)), np.nanmax(values, (0, 1))
        self.masked = train.observed is not None

    def __call__(self, s):
        """Values float32 `(n, steps, features)` and bool `(n, steps)`: which steps there are."""
        x = np.where(s.valid, (s.x - self.low) / np.maximum(self.high - self.low, 1e-12), 0.0)
        x = np.concatenate([s.valid, x], axis=2) if self.masked else x  # what is predicted stays last
        return x.astype(np.float32), s.inside[:, :, 0]


def discriminative(real, other, *, seeds=3, seed=0):
    """The score with its interval, and the number of series it was measured on.

    Args:
        real, other: (values `(n, steps, features)`, steps there are `(n, steps)`); equally many of each are used.
    """
    count = min(len(real[0]), len(other[0]))
    cut, correct = int(0.8 * count), []
    for k in range(seeds):
        random = np.random.default_rng([seed, k])
        sides = [[array[rows] for array in side] for side in (other, real) for rows in [_some(side, count, random)]]
        x, steps, held, held_steps = (
            np.concatenate([side[i][part] for side in sides])
            for part, i in ((slice(cut), 0), (slice(cut), 1), (slice(cut, None), 0), (slice(cut, None), 1))
        )
        truth = [np.repeat([0.0, 1.0], n).astype(np.float32) for n in (cut, count - cut)]
        score = _fitted("discriminative", x, steps, truth[0], [seed, k])
        correct.append((score(held, held_steps) > 0) == (truth[1] > 0))
    value, low, high = interval(correct)
    edges = sorted((abs(low - 0.5), abs(high - 0.5)))
    return (abs(value - 0.5), 0.0 if low < 0.5 < high else edges[0], edges[1]), 2 * (count - cut)


def predictive(train, test, *, seeds=3, seed=0):
    """The mean absolute error with its interval over seeds and test series, and the number of these.

    The last feature one step ahead is predicted from the others up to then (a single one from itself).
    """
    x, target, steps = _ahead(*train)
    held, truth, held_steps = _ahead(*test)
    errors = []
    for k in range(seeds):
        guess = _fitted("predictive", x, steps, target, [seed, k])(held, held_steps)
        missed = np.abs(guess - truth) * held_steps
        errors.append(missed.sum(1) / held_steps.sum(1).clip(1))
    table, random = np.stack(errors), np.random.default_rng(seed)
    drawn = [table[random.integers(seeds)][random.integers(0, len(truth), len(truth))].mean() for _ in range(DRAWS)]
    return (table.mean(), *np.quantile(drawn, (0.025, 0.975))), len(truth)


def _ahead(values, steps):
    known = values[:, :-1, :-1] if values.shape[2] > 1 else values[:, :-1]
    return known, values[:, 1:, -1], steps[:, 1:]


def _some(side, count, random):
    return random.permutation(len(side[0]))[:count]


def _fitted(kind, x, steps, target, seed):
    """Train a GRU anew; returns a function of values and steps that gives its scores, `(n,)` or `(n, steps)`."""
    model = begun_anew(_judge(kind, x.shape[1:]), 1000 * seed[0] + seed[1])
    random = np.random.default_rng(seed)
    rows = np.concatenate([random.permutation(len(x)) for _ in range(-(-UPDATES[kind] * BATCH // len(x)))])
    for some in rows[: UPDATES[kind] * BATCH].reshape(-1, AT_ONCE * BATCH):
        weight = steps[some].astype(np.float32) if kind == "predictive" else None
        given = {"x": x[some], "steps": steps[some]}
        model.fit(given, target[some][..., None], sample_weight=weight, batch_size=BATCH, shuffle=False, verbose=0)
    return lambda held, there: model.predict({"x": held, "steps": there}, batch_size=1024, verbose=0)[..., 0]


@cache
def _judge(kind, shape):
    """A compiled judge; built once per shape, since compiling takes as long as hundreds of updates."""
    import keras
    from keras import layers

    given = {"x": layers.Input(shape, name="x"), "steps": layers.Input(shape[:1], dtype="bool", name="steps")}
    ahead = kind == "predictive"
    units = max(1, (shape[1] + ahead) // 2)  # the predicted feature is not among those given
    hidden = layers.GRU(units, return_sequences=ahead, use_cudnn=False)(given["x"], mask=given["steps"])
    said = layers.Dense(1, activation="sigmoid" if ahead else None)(hidden)
    model = keras.Model(given, said)
    loss = keras.losses.MeanAbsoluteError() if ahead else keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(), loss, steps_per_execution=AT_ONCE, jit_compile=True)
    return model


def _row(measure, which, triple, count):
    value, low, high = (round(float(v), 4) for v in triple)
    return {"measure": measure, "set": which, "judge": f"on {count:,}", "value": value, "low": low, "high": high}
