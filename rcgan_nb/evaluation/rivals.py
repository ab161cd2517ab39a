"""Two models that are quickly fitted and often hard to beat, from the same training part: a vector autoregression and
a small variational autoencoder. Each makes as many series with the same labels."""

import dataclasses
import itertools
import time
from dataclasses import dataclass

import numpy as np

from rcgan_nb.data import tails
from rcgan_nb.data.codec import Codec, filled, held, means

ORDERS = (1, 2, 3)  # of the autoregression, to choose from
FEWEST = 10  # series of a class that is fitted by itself
RIDGE = 1.0  # as if each coefficient had one more row that says it is 0

FILTERS, LATENT_DIM, BATCH_SIZE = (50, 100, 200), 8, 64
MISFIT = 10.0  # weight of squared errors on the scale 0 to 1; the paper takes 0.5 to 3.5, which blurs digits and sines5
EMBEDDING = 8  # values of a label, in encoder and decoder
AT_ONCE = 1024  # series that the decoder makes at a time


def autoregression(train, *, seed=0, order=None):
    """One vector autoregression per class: x[t] = A x[t - order .. t - 1] + b + normal noise, after a Gaussian start.

    A by ridge regression, the noise with the covariance of what is left over. All steps share A and b. A class of fewer
    than FEWEST series takes the process of all series together. Gaps are fitted as the last value observed, before
    that as the feature's mean. Values are cut to the range of their feature in the training part, at every step.
    Masks, lengths and conditions are those of the real series that stands at the same place.

    Args:
        train: SeriesSet `(n, seq_len, features)`.
        order: steps looked back; None takes that of ORDERS with the least squared error one step ahead, on a fifth of
            the series that was not fitted.
    Returns: SeriesSet of the same shape, labels and units.
    Raises: ValueError: order is less than 1.
    Source: Lütkepohl 2005, New introduction to multiple time series analysis, chapter 3.
    """
    if order is not None and order < 1:
        raise ValueError(f"order is {order}, but must be 1 or more steps; leave it out to have it chosen.")
    random = np.random.default_rng([seed, 23])
    z, mean, deviation = _standardised(train)
    inside = train.inside[:, :, 0]
    labels = np.zeros(len(train), int) if train.y is None else train.y
    order = min(order or _best_order(z, inside, labels, random), z.shape[1])
    low, high = z.min((0, 1)), z.max((0, 1))
    made = np.empty_like(z)
    for label, process in _processes(z, inside, labels, order).items():
        of_class = labels == label
        made[of_class] = process.draw(of_class.sum(), z.shape[1], low, high, random)
    x = np.where(train.valid, made * deviation + mean, 0.0)
    return dataclasses.replace(train, x=x.astype(np.float32), groups=None)


@dataclass(frozen=True)
class _Process:
    """An autoregression: `start` and `noise` are (mean, covariance); coefficients `(order * features, features)`."""

    start: tuple
    coefficients: np.ndarray
    constant: np.ndarray
    noise: tuple

    @classmethod
    def fit(cls, z, inside, order):
        """z `(n, steps, features)`, of which the steps that are inside `(n, steps)` count."""
        past, present = _pairs(z, inside, order)
        (before, _), (now, _) = _moments(past), _moments(present)
        centred = past - before
        square = centred.T @ centred + RIDGE * np.eye(past.shape[1])
        coefficients = np.linalg.solve(square, centred.T @ (present - now))
        constant = now - before @ coefficients
        left = present - past @ coefficients - constant
        return cls(_moments(z[:, :order].reshape(len(z), -1)), coefficients, constant, _moments(left))

    def ahead(self, past):
        return past @ self.coefficients + self.constant

    def draw(self, n, steps, low, high, random):
        """n new series `(n, steps, features)`."""
        order = len(self.coefficients) // len(self.constant)
        made = np.empty((n, steps, len(self.constant)))
        start = random.multivariate_normal(*self.start, n, method="eigh", check_valid="ignore")
        made[:, :order] = start.reshape(n, order, -1).clip(low, high)
        noise = random.multivariate_normal(*self.noise, (n, steps - order), method="eigh", check_valid="ignore")
        for t in range(order, steps):
            ahead = self.ahead(made[:, t - order : t].reshape(n, -1))
            made[:, t] = (ahead + noise[:, t - order]).clip(low, high)
        return made


def _processes(z, inside, labels, order) -> dict:
    """The process of each label."""
    found, counts = np.unique(labels, return_counts=True)
    together = _Process.fit(z, inside, order) if counts.min() < FEWEST else None
    return {
        label: together if count < FEWEST else _Process.fit(z[labels == label], inside[labels == label], order)
        for label, count in zip(found, counts, strict=True)
    }


def _best_order(z, inside, labels, random):
    """The order with the least squared error one step ahead, on the same steps of the same series for all orders."""
    orders = [k for k in ORDERS if k < z.shape[1]] or [1]
    out = random.permutation(len(z)) % 5 == 4
    late = inside & (np.arange(z.shape[1]) >= orders[-1])
    errors = []
    for order in orders:
        processes = _processes(z[~out], inside[~out], labels[~out], order)
        error = 0.0
        for label, process in processes.items():
            chosen = out & (labels == label)
            past, present = _pairs(z[chosen], late[chosen], order)
            error += ((present - process.ahead(past)) ** 2).sum()
        errors.append(error)
    return orders[int(np.argmin(errors))]


def _pairs(z, counts, order):
    """What came before, `(rows, order * features)`, and what followed, `(rows, features)`, for the steps that count."""
    steps = z.shape[1]
    past = np.concatenate([z[:, k : steps - order + k] for k in range(order)], axis=2)
    return past[counts[:, order:]], z[:, order:][counts[:, order:]]


def _moments(rows):
    """Mean and covariance of rows `(n, d)`; 0 where there are none."""
    mean = rows.sum(0) / max(len(rows), 1)
    return mean, (rows - mean).T @ (rows - mean) / max(len(rows) - 1, 1)


def _standardised(train):
    """Values of mean 0 and deviation 1 per feature, without gaps, each held after its end; mean and deviation."""
    mean = means(train)
    squares = np.where(train.valid, train.x - mean, 0.0) ** 2
    deviation = np.sqrt(squares.sum((0, 1)) / train.valid.sum((0, 1)).clip(1))
    deviation = np.where(deviation > 0, deviation, 1.0)
    return held((filled(train, mean) - mean) / deviation, train.lengths), mean, deviation


def time_vae(train, *, seconds=60.0, epochs=0, seed=0, progress=print):
    """TimeVAE: a convolutional variational autoencoder, conditional on the label where there is one.

    The base version of the paper, without blocks for trend and season. It has what the paper has not: a label, whose
    embedding both networks take; gaps, of which only what was observed has to be rebuilt; and MISFIT. Values come
    into [-1, 1] as in training by default; what is made is cut to that.
    Static vectors and condition series are not used. Masks, lengths and conditions are those of the real series that
    stands at the same place.

    Args:
        train: SeriesSet `(n, seq_len, features)`.
        seconds: wall-clock time of building and training; one update is made in any case.
        epochs: train for so many instead, however long they take; equal seeds then give equal series.
        progress: called with a line of text after training.
    Returns: SeriesSet of the same shape, labels and units, decoded from the prior.
    Source: Desai et al. 2021, arXiv:2111.08095; sizes of layers and of the latent vector as in its code.
    """
    import keras

    begun = time.monotonic()
    codec = Codec.fit(train, tails.chosen("auto", train))
    series = codec.encode(train)
    rebuilt = train.x.shape[2] * (2 if codec.attributes else 1)  # channels that are not masks
    seen = np.ones((*series.shape[:2], rebuilt), np.float32)
    seen[:, :, : train.x.shape[2]] = train.valid
    labels = np.zeros(len(train), np.int32) if train.y is None else train.y
    keras.utils.set_random_seed(seed)  # first weights only
    encoder = _encoder(series.shape[1:], max(train.num_classes, 1))
    decoder = _decoder((series.shape[1], rebuilt), max(train.num_classes, 1))
    update = _update(encoder, decoder, series, seen, labels)
    losses = []
    for rows, noise in _batches(len(train), epochs, seed):
        losses.append(update(rows, noise))
        if not epochs and time.monotonic() - begun >= seconds:
            break
    progress(f"TimeVAE: updates {len(losses)}, seconds {time.monotonic() - begun:.0f}, loss {float(losses[-1]):.3f}")
    noise = np.random.default_rng([seed, 25]).standard_normal((len(train), LATENT_DIM), np.float32)
    made = decoder.predict([noise, labels], batch_size=AT_ONCE, verbose=0).clip(-1, 1)
    x = codec.decode(np.concatenate([made, series[:, :, rebuilt:]], axis=2), train.y).x
    return dataclasses.replace(train, x=x, groups=None)


def _encoder(shape, num_classes):
    """Series `(steps, channels)` and label to mean and log variance of the latent vector."""
    import keras
    from keras import layers

    series, label = keras.Input(shape), keras.Input((), dtype="int32")
    condition = layers.RepeatVector(shape[0])(layers.Embedding(num_classes, EMBEDDING)(label))
    h = layers.Concatenate()([series, condition])
    for filters in FILTERS:
        h = layers.Conv1D(filters, 3, strides=2, padding="same", activation="relu")(h)
    h = layers.Flatten()(h)
    return keras.Model([series, label], [layers.Dense(LATENT_DIM)(h), layers.Dense(LATENT_DIM)(h)])


def _decoder(shape, num_classes):
    """Latent vector and label to series `(steps, channels)`."""
    import keras
    from keras import layers

    latent, label = keras.Input((LATENT_DIM,)), keras.Input((), dtype="int32")
    h = layers.Concatenate()([latent, layers.Embedding(num_classes, EMBEDDING)(label)])
    short = -(-shape[0] // 2 ** len(FILTERS))
    h = layers.Dense(short * FILTERS[-1], activation="relu")(h)
    h = layers.Reshape((short, FILTERS[-1]))(h)
    for filters in (*FILTERS[-2::-1], FILTERS[0]):
        h = layers.Conv1DTranspose(filters, 3, strides=2, padding="same", activation="relu")(h)
    return keras.Model([latent, label], layers.Dense(shape[1])(h[:, : shape[0]]))


def _batches(n, epochs, seed):
    """Row numbers and noise of each update, for so many epochs; 0 never ends."""
    size = min(n, BATCH_SIZE)
    for epoch in range(epochs) if epochs else itertools.count():
        random = np.random.default_rng([seed, 24, epoch])
        for rows in random.permutation(n)[: n // size * size].reshape(-1, size):
            yield rows, random.standard_normal((size, LATENT_DIM), np.float32)


def _update(encoder, decoder, series, seen, labels):
    """A function (rows, noise) -> loss that improves both networks on these rows."""
    import keras
    import tensorflow as tf

    weights = encoder.trainable_variables + decoder.trainable_variables
    optimizer = keras.optimizers.Adam()
    optimizer.build(weights)
    arrays = [tf.constant(v) for v in (series, seen, labels)]

    @tf.function(reduce_retracing=True)
    def update(rows, noise):
        x, counts, label = (tf.gather(v, rows) for v in arrays)
        with tf.GradientTape() as tape:
            mean, log_variance = encoder([x, label])
            made = decoder([mean + tf.exp(log_variance / 2) * noise, label])
            squares = counts * (made - x[:, :, : made.shape[2]]) ** 2 / 4  # 2 apart is 1 apart on the scale 0 to 1
            divergence = tf.reduce_sum(mean**2 + tf.exp(log_variance) - 1 - log_variance, 1) / 2
            loss = tf.reduce_mean(MISFIT * tf.reduce_sum(squares, (1, 2)) + divergence)
        optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    return lambda rows, noise: update(tf.constant(rows), tf.constant(noise))
