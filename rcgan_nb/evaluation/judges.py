"""Classifiers that judge: each is trained on labelled arrays and predicts the labels of others."""

from functools import cache

import numpy as np

SVM_AT_MOST = 10_000  # series; a kernel machine takes time with their square
UPDATES = 1000  # of a neural judge, or four epochs
RATES = {"cnn": 2e-3, "gru": 3e-3}  # Adam's in the first epoch, falling to nothing with the last


def svm(x, y, tests, *, seed=0, epochs=0):
    """Support vector machine with RBF kernel (C = 10). Trained on at most 10,000 series, drawn by seed.

    Args:
        x: `(n, seq_len, features)`, y: int `(n,)`, tests: list of arrays as x.
    Returns: list of predicted labels, one array per test.
    """
    from sklearn.svm import SVC

    chosen = np.random.default_rng([seed, 1]).permutation(len(x))[:SVM_AT_MOST]
    machine = SVC(C=10, gamma="scale").fit(x[chosen].reshape(len(chosen), -1), y[chosen])
    return [machine.predict(test.reshape(len(test), -1)) for test in tests]


def cnn(x, y, tests, *, seed=0, epochs=0):
    """Small convolutional network over (time, feature) as a picture. Arguments and result as `svm`."""
    return [scores.argmax(1) for scores in _scores("cnn", x, y, tests, int(y.max()) + 1, seed, epochs)]


def gru(x, y, tests, *, seed=0, epochs=0):
    """Two GRU layers and one logit, for two classes. Arguments and result as `svm`."""
    return [scores.argmax(1) for scores in _scores("gru", x, y, tests, 2, seed, epochs)]


JUDGES = {"svm": svm, "cnn": cnn}


def _scores(kind, x, y, tests, classes, seed, epochs):
    """Train anew from weights and an order that the seed decides; returns scores of the tests."""
    import keras

    model = _compiled(kind, x.shape[1:], classes)
    keras.utils.set_random_seed(seed)
    fresh = keras.models.clone_model(model)
    for variable, new in zip(model.variables, fresh.variables, strict=True):  # dropout's seeds included
        variable.assign(new)
    for variable in model.optimizer.variables:
        if "learning_rate" not in variable.path:
            variable.assign(np.zeros(variable.shape, variable.dtype))
    epochs = epochs or int(np.clip(UPDATES * 64 / len(x), 4, 60))
    slower = keras.callbacks.LearningRateScheduler(lambda epoch: RATES[kind] * (1 - epoch / epochs))
    model.fit(x, y, batch_size=64, epochs=epochs, verbose=0, callbacks=[slower])
    return [model.predict(test, batch_size=1024, verbose=0) for test in tests]


@cache
def _compiled(kind, shape, classes):
    """A compiled judge; compiling takes longer than training on a small set, so it is done once per shape."""
    import keras
    from keras import layers

    if kind == "gru":
        unroll = shape[0] <= 32
        parts = [layers.GRU(32, return_sequences=True, unroll=unroll), layers.GRU(32, unroll=unroll)]
    else:
        pool = [layers.MaxPooling2D(padding="same")] if min(shape) > 3 else []
        parts = [
            layers.Reshape((*shape, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            *pool,
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            *pool,
            layers.Flatten(),
            layers.Dropout(0.25),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
        ]
    model = keras.Sequential([layers.Input(shape), *parts, layers.Dense(classes)])
    model.compile(keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model
