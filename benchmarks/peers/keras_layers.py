"""The task's networks in plain Keras layers with their default arguments, for peers that are handed networks."""

from keras import layers, ops

from benchmarks.peers import worker


def beside(series, label):
    return ops.concatenate([series, ops.repeat(label[:, None], worker.SEQ_LEN, axis=1)], axis=-1)


def series(noise, label):
    """Symbolic series `(batch, SEQ_LEN, FEATURES)` of noise and one-hot label `(batch, CLASSES)`."""
    sequence = layers.LSTM(worker.UNITS, return_sequences=True)(beside(noise, label))
    return layers.Dense(worker.FEATURES, activation="tanh")(sequence)


def logits(series_and_label):
    """Symbolic logits `(batch, SEQ_LEN)` of series with the label at every step."""
    sequence = layers.LSTM(worker.UNITS, return_sequences=True)(series_and_label)
    return ops.squeeze(layers.Dense(1)(sequence), -1)
