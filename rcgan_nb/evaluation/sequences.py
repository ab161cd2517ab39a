"""Judges of tasks that read a series step by step, where those in `tasks` read its summaries."""

from functools import cache

import numpy as np

from rcgan_nb.data.codec import filled, means
from rcgan_nb.evaluation.fresh import begun_anew

BATCH_SIZE = {"gru": 64, "cnn": 64, "lstm@harutyunyan": 8}
EPOCHS, PATIENCE = 30, 4
HELD_OUT = 5  # every so many-th series says when to stop


def chances(kind, series, answers, test, static, seed) -> np.ndarray:
    """Train a network on series with answers; the chance of a 1 that it gives each series of `test`.

    It reads, step by step, values standardised by what was observed in the set it is trained on, gaps filled by the
    last one observed and before that by the mean, beside them which were observed; static values beside its last layer.
    It stops when the loss on a fifth of the set does not fall for PATIENCE epochs, and keeps the best.

    Args:
        kind: gru, cnn, or lstm@harutyunyan, the standard LSTM for in-hospital mortality of the MIMIC-III benchmarks:
            two layers of 16 units, the first in both directions, dropout 0.3, batches of 8.
        series, test: SeriesSets; answers: 0 or 1 `(n,)`, of which both are there.
        static: float `(n, values)` for `series` and for `test`; no values where none are to be read.
    Source: Harutyunyan et al. 2019, doi:10.1038/s41597-019-0103-9.
    """
    import keras

    mean, deviation = _scale(series)
    centre, spread = static[0].mean(0), static[0].std(0).clip(1e-6)
    given, asked = (
        {"steps": _steps(s, mean, deviation), "static": ((v - centre) / spread).astype(np.float32)}
        for s, v in zip((series, test), static, strict=True)
    )
    model = begun_anew(_compiled(kind, given["steps"].shape[1:], static[0].shape[1]), seed)
    out = np.random.default_rng([seed, 31]).permutation(len(series)) % HELD_OUT == 0
    parts = [({name: v[rows] for name, v in given.items()}, answers[rows].astype(np.float32)) for rows in (~out, out)]
    stop = keras.callbacks.EarlyStopping(patience=PATIENCE, restore_best_weights=True)
    how = {"batch_size": BATCH_SIZE[kind], "epochs": EPOCHS, "callbacks": [stop], "verbose": 0}
    model.fit(*parts[0], validation_data=parts[1], **how)
    return model.predict(asked, batch_size=1024, verbose=0)[:, 0]


def _scale(s):
    """Mean and deviation of what was observed of each feature."""
    mean = means(s)
    squares = np.where(s.valid, s.x - mean, 0.0) ** 2
    return mean, np.sqrt(squares.sum((0, 1)) / s.valid.sum((0, 1)).clip(1)).clip(1e-6)


def _steps(s, mean, deviation):
    """float32 `(n, seq_len, 2 * features)`: standardised values, and which were observed; 0 after the end."""
    x = np.where(s.inside, (filled(s, mean) - mean) / deviation, 0.0)
    return np.concatenate([x, s.valid], axis=2).astype(np.float32)


@cache
def _compiled(kind, shape, num_static):
    import keras
    from keras import layers

    steps, static = keras.Input(shape, name="steps"), keras.Input((num_static,), name="static")
    if kind == "gru":
        h = layers.GRU(32)(steps)
    elif kind == "cnn":
        h = steps
        for _ in range(2):
            h = layers.Conv1D(32, 5, padding="same", activation="relu")(h)
        h = layers.Concatenate()([layers.GlobalAveragePooling1D()(h), layers.GlobalMaxPooling1D()(h)])
    else:
        h = layers.Bidirectional(layers.LSTM(8, return_sequences=True, dropout=0.3))(steps)
        h = layers.LSTM(16, dropout=0.3)(h)
    h = layers.Dropout(0.3)(layers.Concatenate()([h, static]) if num_static else h)
    model = keras.Model({"steps": steps, "static": static}, layers.Dense(1, activation="sigmoid")(h))
    model.compile(keras.optimizers.Adam(), keras.losses.BinaryCrossentropy())
    return model
