"""tsgm's GANs trained on the series of a file for so many seconds, and series drawn from them into another.

`python -m benchmarks.peers.tsgm_made JSON`, in the peer's own environment. The JSON holds
    model: cgan or timegan, with networks and settings of tsgm's tutorials (RCGAN, cGAN, TimeGAN);
    input: an .npz with x float32 `(n, seq_len, features)` in [0, 1]; of labelled series also y int `(n,)` and
        wanted int `(count,)`, the labels to draw;
    output: the .npz to write: x float32 `(count, seq_len, features)` in [0, 1] and, of labelled series, y;
    seconds: of training; building, compiling (half a minute and more) and drawing are not charged;
    seed; count: how many to draw, of series without labels.
"""

import contextlib
import io
import json
import os
import sys
import time

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
import tsgm

LATENT, BATCH = 64, 128  # of the cGAN


class Clock:
    """Seconds of training, from `start` on, and a word on them now and then."""

    def __init__(self, seconds):
        self.seconds, self.built = seconds, time.perf_counter()

    def start(self):
        self.started = self.said = time.perf_counter()
        print(f"built and compiled in {self.started - self.built:.0f} s", flush=True)

    def spent(self) -> float:
        return time.perf_counter() - self.started

    def say(self, text, last=False):
        if last or time.perf_counter() - self.said >= 10:
            self.said = time.perf_counter()
            print(f"{self.spent():.0f} of {self.seconds:g} s: {text}", flush=True)


class UntilOver(keras.callbacks.Callback):
    """Stops `fit` after the batch in which the time is up; the first batch compiles, so the clock starts after it."""

    def __init__(self, clock):
        super().__init__()
        self.clock, self.epoch, self.batches = clock, 0, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch + 1

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        if self.batches == 1:
            self.clock.start()
        self.model.stop_training = over = self.clock.spent() >= self.clock.seconds
        self.clock.say(f"cgan, epoch {self.epoch}, {self.batches} batches", last=over)


def cgan(x, y, wanted, count, clock):
    """Series `(count, seq_len, features)` by the recurrent conditional GAN, or without labels by the GAN likewise.

    Its train_step tells the discriminator a label by the steps at which ones stand in place of zeros, and never turns
    dropout on; that is left as it is.
    """
    classes = 0 if y is None else int(max(y.max(), wanted.max())) + 1
    kind = tsgm.models.cgan.ConditionalGAN if classes else tsgm.models.cgan.GAN
    networks = tsgm.models.architectures.cGAN_LSTMnArchitecture(*x.shape[1:], latent_dim=LATENT, output_dim=classes)
    gan = kind(networks.discriminator, networks.generator, latent_dim=LATENT)
    gan.compile(*(keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2)), keras.losses.BinaryCrossentropy())
    one_hot = np.eye(classes, dtype=np.float32)
    x = 2 * x - 1  # the generator ends in tanh
    data = tf.data.Dataset.from_tensor_slices((x, one_hot[y]) if classes else x)
    gan.fit(data.shuffle(len(x)).batch(BATCH), epochs=sys.maxsize, verbose=0, callbacks=[UntilOver(clock)])
    asked = [one_hot[wanted[i : i + 1000]] if classes else min(1000, count - i) for i in range(0, count, 1000)]
    return (np.concatenate([gan.generate(some) for some in asked]) + 1) / 2


def phases(model):
    """An epoch (in tsgm a batch, or three) of each phase of `TimeGAN.fit`, each a function of an iterator of batches.

    `fit` makes a data set of a Python generator for every batch of noise and computes the discriminator's loss outside
    a graph, which takes two thirds of its time and changes nothing in the arithmetic: here neither is done.
    """
    loss = tf.function(model._check_discriminator_loss)

    def noise():
        return tf.random.uniform((model.batch_size, model.seq_len, model.dim))

    def embed(batches):
        model._train_autoencoder(next(batches), model.autoencoder_opt)

    def supervise(batches):
        model._train_supervisor(next(batches), model.adversarialsup_opt)

    def join(batches):
        for _ in range(2):
            x = next(batches)
            model._train_generator(x, noise(), model.generator_opt)
            model._train_embedder(x, model.embedder_opt)
        x, z = next(batches), noise()
        if loss(x, z) > 0.15:
            model._train_discriminator(x, z, model.discriminator_opt)

    return embed, supervise, join


def duration(step, batches) -> float:
    """Seconds of an epoch of a phase: the first compiles, the least of three more counts."""
    times = [time.perf_counter()]
    for _ in range(4):
        step(batches)
        times.append(time.perf_counter())
    return np.diff(times)[1:].min()


def forget(model, beginning):
    """Set networks and optimizers back to where they began; a new TimeGAN would have to be compiled again."""
    for network, values in beginning:
        network.set_weights(values)
    for name in ("autoencoder", "adversarialsup", "generator", "embedder", "discriminator"):
        optimizer = getattr(model, f"{name}_opt")
        rate = float(optimizer.learning_rate)
        for variable in optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        optimizer.learning_rate = rate


def trained(steps, seconds_each, batches, clock, end, name):
    """Go through the three phases by the time `end`, with as many epochs in each, as `fit` does."""

    def run(step, until, most=sys.maxsize):
        done = 0
        while not done or (done < most and clock.spent() < until):
            step(batches)
            done += 1
            clock.say(f"{name}, {step.__name__}, epoch {done}")
        return done

    embed, supervise, join = steps
    first = run(embed, clock.spent() + (end - clock.spent()) * seconds_each[0] / sum(seconds_each))
    clock.say(f"{name}, epochs per phase {[first, run(supervise, end, first), run(join, end)]}", last=True)


def timegan(x, y, wanted, count, clock):
    """Series `(count, seq_len, features)`. It knows no labels: one TimeGAN per class, the time shared by class size."""
    y, wanted = (np.zeros(len(x), int), np.zeros(count, int)) if y is None else (y, wanted)
    model = tsgm.models.timeGAN.TimeGAN(seq_len=x.shape[1], n_features=x.shape[2])  # the tutorial's are the defaults
    model.compile()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        model.fit(x, epochs=0)  # makes the networks and prints them
    networks = (model.embedder, model.recovery, model.supervisor, model.discriminator, model.generator_aux)
    beginning = [(network, network.get_weights()) for network in networks]

    def batches(x):
        data = tf.data.Dataset.from_tensor_slices(x).shuffle(len(x)).repeat()
        return iter(data.batch(model.batch_size, drop_remainder=True))  # another size would be compiled apart

    steps = phases(model)
    seconds_each = [duration(step, batches(x)) for step in steps]
    labels, sizes = np.unique(y[np.isin(y, wanted)], return_counts=True)
    made = np.empty((count, *x.shape[1:]), np.float32)
    clock.start()
    ends = clock.seconds * np.cumsum(sizes) / sizes.sum()
    for label, end in zip(labels, ends, strict=True):
        forget(model, beginning)
        trained(steps, seconds_each, batches(x[y == label]), clock, end, f"timegan {label}")
        pause = time.perf_counter()
        made[wanted == label] = drawn(model, int((wanted == label).sum()))
        clock.started += time.perf_counter() - pause
    return made


def drawn(model, count):
    """As `TimeGAN.generate`, in a graph; it takes full batches only."""
    full = -(-count // model.batch_size) * model.batch_size
    noise = np.random.uniform(size=(full, model.seq_len, model.dim)).astype(np.float32)
    return model.generator.predict(noise, batch_size=model.batch_size, verbose=0)[:count]


def main(model, input, output, seconds, seed, count=None):
    keras.utils.set_random_seed(seed)
    with np.load(input, allow_pickle=False) as file:
        x, y, wanted = file["x"], *(file.get(name) for name in ("y", "wanted"))
    if y is not None and not np.isin(wanted, y).all():
        raise ValueError("wanted holds labels that no series in y has; ask for labels that can be learnt.")
    draw = {"cgan": cgan, "timegan": timegan}[model]
    made = draw(x, y, wanted, count if y is None else len(wanted), Clock(seconds))
    np.savez(output, x=made.astype(np.float32), **({} if y is None else {"y": wanted}))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
