"""RCGAN: two networks, two optimisers, one training step. Without classes it is an RGAN."""

import keras
import numpy as np
import tensorflow as tf

from rcgan_nb import stabilisers
from rcgan_nb.losses import LOSSES
from rcgan_nb.networks import DISCRIMINATORS, GENERATORS

GENERATE_AT_ONCE = 1024


class RCGAN:
    """A recurrent (conditional) GAN.

    Attributes:
        generator, discriminator: Keras models (see `networks`).
        averaged: the generator with averaged weights, which makes all samples; the generator itself when
            average_decay is 0.
    Source: Esteban et al. 2017, arXiv:1706.02633; the defaults leave the paper where `TrainConfig` says so.
    """

    def __init__(self, config, seq_len, num_features, num_classes):
        self.config, self.seq_len, self.num_classes = config, seq_len, num_classes
        keras.utils.set_random_seed(config.seed)  # first weights only; all later randomness is stateless
        shape = (seq_len, num_features, num_classes, config)
        self.generator = GENERATORS[config.generator](*shape)
        self.discriminator = DISCRIMINATORS[config.discriminator](*shape)
        self.averaged = self.generator
        if config.average_decay:
            self.averaged = GENERATORS[config.generator](*shape)
            self.averaged.set_weights(self.generator.get_weights())
        rate = config.learning_rate
        self.g_optimizer = keras.optimizers.Adam(rate * config.g_factor, config.beta_1, config.beta_2, name="g_adam")
        self.d_optimizer = {
            "adam": lambda: keras.optimizers.Adam(rate, config.beta_1, config.beta_2, name="d_adam"),
            "sgd": lambda: keras.optimizers.SGD(rate, name="d_sgd"),
        }[config.d_optimizer]()
        self.g_optimizer.build(self.generator.trainable_variables)
        self.d_optimizer.build(self.discriminator.trainable_variables)
        self._predict = tf.function(lambda noise, label: self.averaged(self._inputs(noise, label)))

    def variables(self) -> dict:
        """Every variable that a later step depends on, by a name that is the same in every process."""
        owners = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "averaged": self.averaged,
            "g_optimizer": self.g_optimizer,
            "d_optimizer": self.d_optimizer,
        }
        return {f"{owner}/{i:03d}": v for owner, it in owners.items() for i, v in enumerate(it.variables)}

    @tf.function
    def train_step(self, x, y, step):
        """d_steps discriminator updates, then one generator update.

        Args:
            x: float32 `(d_steps, batch, seq_len, num_features)`, real series; y: int32 `(d_steps, batch)`.
            step: int32 scalar, number of this generator update; with the seed it decides all noise.
        Returns: dict of scalars: d_loss and g_loss without penalties, r1, r2.
        """
        metrics = {}
        for i in range(self.config.d_steps):
            metrics |= self._d_update(x[i], y[i], step, 10 * i)
        metrics |= self._g_update(x[-1], y[-1], step)
        if self.config.average_decay:
            pairs = self.averaged.variables, self.generator.variables
            stabilisers.follow(*pairs, self.config.average_decay, step)
        return metrics

    def _d_update(self, x, y, step, use):
        noise = self._noise(tf.shape(y)[0], step, use)
        real = self._blur(x, step, use + 1)
        fake = self._blur(self.generator(self._inputs(noise, y)), step, use + 2)
        with tf.GradientTape() as tape:
            real_logits, r1 = self._judged(real, y, self.config.r1_weight)
            fake_logits, r2 = self._judged(fake, y, self.config.r2_weight)
            loss = LOSSES[self.config.loss][0](real_logits, fake_logits)
            total = loss + self.config.r1_weight / 2 * r1 + self.config.r2_weight / 2 * r2
        weights = self.discriminator.trainable_variables
        self.d_optimizer.apply(tape.gradient(total, weights), weights)
        return {"d_loss": loss, "r1": r1, "r2": r2}

    def _judged(self, series, y, weight):
        """The discriminator's logits and, where it has a weight, the penalty on their gradient."""
        if not weight:
            return self.discriminator(self._inputs(series, y), training=True), tf.constant(0.0)
        with tf.GradientTape() as tape:
            tape.watch(series)
            logits = self.discriminator(self._inputs(series, y), training=True)
        return logits, stabilisers.gradient_penalty(logits, series, tape)

    def _g_update(self, x, y, step):
        noise = self._noise(tf.shape(y)[0], step, 5)
        real_logits = self.discriminator(self._inputs(self._blur(x, step, 6), y), training=True)
        with tf.GradientTape() as tape:
            fake = self._blur(self.generator(self._inputs(noise, y), training=True), step, 7)
            fake_logits = self.discriminator(self._inputs(fake, y), training=True)
            loss = LOSSES[self.config.loss][1](real_logits, fake_logits)
        weights = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(loss, weights), weights)
        return {"g_loss": loss}

    def _inputs(self, first, label):
        return [first, label] if self.num_classes else [first]

    def _normal(self, shape, step, use):
        """Standard normal numbers that depend on (seed, step, use) alone."""
        seed = tf.stack([tf.constant(self.config.seed, tf.int32), tf.cast(step, tf.int32)])
        return tf.random.stateless_normal(shape, tf.random.experimental.stateless_fold_in(seed, use))

    def _noise(self, batch, step, use):
        return self._normal((batch, self.seq_len, self.config.latent_dim), step, use)

    def _blur(self, series, step, use):
        """Instance noise (Sonderby et al. 2017, arXiv:1610.04490) on all that the discriminator sees."""
        if not self.config.instance_noise:
            return series
        return series + self.config.instance_noise * self._normal(tf.shape(series), step, use)

    def noise(self, count, seed) -> np.ndarray:
        """Noise for `count` series, float32 `(count, seq_len, latent_dim)`; a function of the seed alone."""
        random = np.random.default_rng([seed, 7])
        return random.standard_normal((count, self.seq_len, self.config.latent_dim), dtype=np.float32)

    def generate(self, noise, labels=None) -> np.ndarray:
        """Series in [-1, 1] for given noise (see `noise`) and labels, int `(count,)`, by the averaged generator."""
        labels = np.zeros(len(noise), np.int32) if labels is None else np.asarray(labels, np.int32)
        made = []
        for i in range(0, len(noise), GENERATE_AT_ONCE):
            block = slice(i, i + GENERATE_AT_ONCE)
            made.append(self._predict(tf.constant(noise[block]), tf.constant(labels[block])).numpy())
        return np.concatenate(made)
