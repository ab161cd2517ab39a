"""RCGAN: two networks, two optimisers, one training step. Without classes it is an RGAN."""

import contextlib

import keras
import numpy as np
import tensorflow as tf

from rcgan_nb import devices, stabilisers
from rcgan_nb.losses import LOSSES
from rcgan_nb.networks import DISCRIMINATORS, GENERATORS

GENERATE_AT_ONCE = 1024


class RCGAN:
    """A recurrent (conditional) GAN.

    Conditions are a dict of arrays, batch first: "label" int32 `(batch,)`, "static" `(batch, num_static)`, "condition"
    `(batch, seq_len, num_conditions)`, those that `shape` names.

    Attributes:
        generator, discriminator: Keras models (see `networks`).
        averaged: the generator with averaged weights, which makes all samples; the generator itself when
            average_decay is 0.
    Source: Esteban et al. 2017, arXiv:1706.02633; the defaults leave the paper where `TrainConfig` says so.
    """

    def __init__(self, config, shape):
        self.config, self.shape, self.strategy = config, shape, devices.strategy(config.num_devices)
        with self.strategy.scope() if self.strategy else contextlib.nullcontext():
            self._build()
        self._predict = tf.function(lambda inputs: self._run(self.averaged, inputs))

    def _build(self):
        config, shape = self.config, self.shape
        keras.utils.set_random_seed(config.seed)  # first weights only; all later randomness is stateless
        self.generator = GENERATORS[config.generator](shape, config)
        self.discriminator = DISCRIMINATORS[config.discriminator](shape, config)
        self.averaged = self.generator
        if config.average_decay:
            self.averaged = GENERATORS[config.generator](shape, config)
            self.averaged.set_weights(self.generator.get_weights())
        rate = config.learning_rate
        self.g_optimizer = keras.optimizers.Adam(rate * config.g_factor, config.beta_1, config.beta_2, name="g_adam")
        self.d_optimizer = {
            "adam": lambda: keras.optimizers.Adam(rate, config.beta_1, config.beta_2, name="d_adam"),
            "sgd": lambda: keras.optimizers.SGD(rate, name="d_sgd"),
        }[config.d_optimizer]()
        self.g_optimizer.build(self.generator.trainable_variables)
        self.d_optimizer.build(self.discriminator.trainable_variables)
        self.loss = LOSSES[config.loss]
        self.balance = None
        if config.balance:
            self.balance = stabilisers.Balance(config.balance, rate * config.g_factor, self.loss.balanced)
        normalised = {"": [], "discriminator": ["d"], "both": ["d", "g"]}[config.spectral_norm]
        models = {"d": self.discriminator, "g": self.generator}
        self.norms = {p: stabilisers.SpectralNorm(models[p].trainable_variables, config.seed) for p in normalised}

    def variables(self) -> dict:
        """Every variable that a later step depends on, by a name that is the same in every process."""
        owners = {
            "generator": self.generator.variables,
            "discriminator": self.discriminator.variables,
            "averaged": self.averaged.variables,
            "g_optimizer": self.g_optimizer.variables,
            "d_optimizer": self.d_optimizer.variables,
        }
        if self.balance:
            owners["balance"] = [self.balance.imbalance, self.balance.factor]
        owners |= {f"{player}_norm": list(norm.vectors.values()) for player, norm in self.norms.items()}
        return {f"{owner}/{i:03d}": v for owner, found in owners.items() for i, v in enumerate(found)}

    def train_step(self, x, conditions, step) -> dict:
        """d_steps discriminator updates, then one generator update.

        Args:
            x: float32 `(d_steps, batch, seq_len, num_features)`, real series.
            conditions: arrays `(d_steps, batch, ...)` by name.
            step: int32 scalar, number of this generator update; with the seed it decides all noise.
        Returns: dict of scalars: d_loss and g_loss without penalties, r1, r2, penalty (those in use); for both players,
            and for each block of theirs as g_grad/BLOCK, the gradient's norm (g_grad) and the norm of the weights'
            change over that of the weights (g_update).
        """
        penalised = bool(step % self.config.penalty_every == 0)  # not a tensor: two graphs, not one with both
        x, conditions, step = tf.nest.map_structure(tf.convert_to_tensor, (x, conditions, step))
        return self._train_step(x, conditions, step, penalised)

    @tf.function
    def _train_step(self, x, conditions, step, penalised):
        for norm in self.norms.values():
            norm.improve()
        if self.strategy:
            found = self.strategy.run(self._updates, (x, conditions, step, penalised))
            metrics = {name: self.strategy.reduce("MEAN", value, axis=None) for name, value in found.items()}
        else:
            metrics = self._updates(x, conditions, step, penalised)
        if self.config.average_decay:
            pairs = self.averaged.variables, self.generator.variables
            stabilisers.follow(*pairs, self.config.average_decay, step)
        if self.balance:
            self.balance.turn(metrics, self.g_optimizer)
            metrics["g_factor"] = self.config.g_factor * self.balance.factor
        return metrics

    def _updates(self, x, conditions, step, penalised):
        """All updates of one step, on each device with its part of every batch."""
        metrics, last = {}, self.config.d_steps - 1
        for i in range(self.config.d_steps):
            batch = self._batch(x[i], {name: v[i] for name, v in conditions.items()}, step, 10 * i)
            if self.config.shared_forward and i == last:
                metrics |= self._update(self._shared_gradients, "dg", batch, penalised)
            else:
                metrics |= self._update(self._d_gradients, "d", batch, penalised)
        if not self.config.shared_forward:
            batch = self._batch(x[-1], {name: v[-1] for name, v in conditions.items()}, step, 5)
            metrics |= self._update(self._g_gradients, "g", batch)
        return metrics

    def _batch(self, x, conditions, step, use):
        """All that one update takes, batch first: blurred real series, noise, the fakes' blur, targets, conditions."""
        x = stabilisers.pyramid(x, self.config.multi_scale)
        batch = {"conditions": conditions, "noise": self._noise(tf.shape(x)[0], step, use)}
        batch["real"] = self._blur(x, self._normal(tf.shape(x), step, use + 1), step)
        batch["blur"] = self._blur(tf.zeros_like(x), self._normal(tf.shape(x), step, use + 2), step)
        batch["targets"] = stabilisers.targets(self.config, lambda k: self._normal(tf.shape(x)[:1], step, use + 3 + k))
        if self.config.gradient_penalty:
            batch["mixture"] = self._uniform((tf.shape(x)[0], 1, 1), step, use + 8)
        return batch

    def _update(self, gradients, players, batch, *arguments):
        """Apply the mean of the gradients over all shards of the batch; returns metrics."""
        found = [gradients(shard, *arguments) for shard in self._shards(batch)]
        metrics = {name: tf.reduce_mean(tf.stack([m[name] for _, m in found])) for name in found[0][1]}
        for k, player in enumerate(players):
            mean = _mean([g[k] for g, _ in found])
            if self.strategy:
                mean = tf.distribute.get_replica_context().all_reduce("MEAN", [tf.convert_to_tensor(g) for g in mean])
            metrics |= self._apply(player, mean)
        return metrics

    def _shards(self, batch):
        """This device's part of the batch, in shards that do not depend on each other, to be computed side by side."""
        count, first = self.config.shards, 0
        if self.strategy:
            first = count * tf.distribute.get_replica_context().replica_id_in_sync_group
            count *= self.config.num_devices
        if count == 1:
            return [batch]
        size = tf.shape(batch["noise"])[0] // count

        def part(i):
            cut = slice(i * size, (i + 1) * size)
            return tf.nest.map_structure(lambda v: v if isinstance(v, float) else v[cut], batch)

        return [part(first + i) for i in range(self.config.shards)]

    def _d_gradients(self, batch, penalised):
        fake = self._fake(batch, training=False)
        with tf.GradientTape() as tape:
            total, metrics = self._d_total(batch, *self._judged_both(fake, batch, penalised))
            if self.config.gradient_penalty and penalised:
                mixture = batch["real"] + batch["mixture"] * (fake - batch["real"])
                metrics["penalty"] = self._one_norm(mixture, batch)
                total += self.config.penalty_every * self.config.gradient_penalty * metrics["penalty"]
            elif self.config.gradient_penalty:
                metrics["penalty"] = tf.constant(0.0)
        return [tape.gradient(total, self.discriminator.trainable_variables)], metrics

    def _d_total(self, batch, real_said, fake_said, r1, r2):
        """The discriminator's loss with its penalties, and its metrics."""
        logits = real_said["logits"], fake_said["logits"]
        loss = self.loss.discriminator(*logits, self._soft(batch, logits[0]), _weights(real_said, fake_said))
        every = self.config.penalty_every
        total = loss + every * self.config.r1_weight / 2 * r1 + every * self.config.r2_weight / 2 * r2
        metrics = {"d_loss": loss, "r1": r1, "r2": r2}
        if "classes" in real_said:
            metrics["d_classes"] = _class_loss(real_said, batch) + _class_loss(fake_said, batch)
            total += metrics["d_classes"]
        return total, metrics

    def _judged_both(self, fake, batch, penalised):
        """Verdicts on real and fake series and the penalties on their gradients: real, fake, r1, r2.

        In one pass, which saves time, unless series of a batch see each other.
        """
        config, real = self.config, batch["real"]
        see_each_other = config.minibatch_deviation or config.discriminator == "rcgan_v4"  # batch normalisation
        if see_each_other or bool(config.r1_weight) != bool(config.r2_weight):
            real_said, r1 = self._judged(real, batch, config.r1_weight, penalised)
            fake_said, r2 = self._judged(fake, batch, config.r2_weight, penalised)
            return real_said, fake_said, r1, r2
        twice = {"conditions": {name: tf.concat([v, v], 0) for name, v in batch["conditions"].items()}}
        series, size = tf.concat([real, fake], 0), tf.shape(real)[0]
        with tf.GradientTape() as tape:
            tape.watch(series)
            said = self._judge(series, twice)
        r1 = r2 = tf.constant(0.0)
        if config.r1_weight and penalised:
            squares = stabilisers.squared_norms(tape.gradient(said["logits"], series))
            r1, r2 = tf.reduce_mean(squares[:size]), tf.reduce_mean(squares[size:])
        return {n: v[:size] for n, v in said.items()}, {n: v[size:] for n, v in said.items()}, r1, r2

    def _judged(self, series, batch, weight, penalised):
        """The discriminator's verdict and, where it has a weight, the penalty on its gradient."""
        if not weight or not penalised:
            return self._judge(series, batch), tf.constant(0.0)
        with tf.GradientTape() as tape:
            tape.watch(series)
            said = self._judge(series, batch)
        return said, stabilisers.gradient_penalty(said["logits"], series, tape)

    def _one_norm(self, series, batch):
        with tf.GradientTape() as tape:
            tape.watch(series)
            logits = self._judge(series, batch)["logits"]
        return stabilisers.one_norm_penalty(logits, series, tape)

    def _g_gradients(self, batch):
        real_said = self._judge(batch["real"], batch)
        with tf.GradientTape() as tape:
            fake_said = self._judge(self._fake(batch, training=True), batch)
            loss = self.loss.generator(real_said["logits"], fake_said["logits"], _weights(real_said, fake_said))
            total, metrics = loss, {"g_loss": loss}
            if "classes" in fake_said:
                metrics["g_classes"] = _class_loss(fake_said, batch)
                total += metrics["g_classes"]
        return [tape.gradient(total, self.generator.trainable_variables)], metrics

    def _shared_gradients(self, batch, penalised):
        """Gradients of both players from one pass of the fakes through both networks, before either has moved.

        The generator's loss reaches a fake series through its logit alone. So its gradient there is that of the
        discriminator's loss, times the ratio of both losses' slopes at that logit; with R2, the logit's own is known.
        Where a series has a logit at every step, both losses are followed back through the discriminator.
        Source: Shen et al. 2021, arXiv:2103.00430, section 3.
        """
        r2_weight = self.config.r2_weight if penalised else 0
        with tf.GradientTape() as g_tape:
            fake = self._fake(batch, training=True)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(fake)
            real_said, r1 = self._judged(batch["real"], batch, self.config.r1_weight, penalised)
            with tf.GradientTape() as inner:
                inner.watch(fake)
                fake_said = self._judge(fake, batch)
            slope = inner.gradient(fake_said["logits"], fake) if r2_weight else None
            r2 = tf.reduce_mean(stabilisers.squared_norms(slope)) if r2_weight else tf.constant(0.0)
            total, metrics = self._d_total(batch, real_said, fake_said, r1, r2)
            logits = real_said["logits"], fake_said["logits"]
            metrics["g_loss"] = self.loss.generator(*logits, _weights(real_said, fake_said))
        weights = self.discriminator.trainable_variables
        if len(logits[1].shape) > 1:
            d_gradients, at_fake = tape.gradient(total, weights), tape.gradient(metrics["g_loss"], fake)
        elif r2_weight:
            _, of_g = self._pulls(batch, *logits)
            d_gradients, at_fake = tape.gradient(total, weights), of_g[:, None, None] * slope
        else:
            of_d, of_g = self._pulls(batch, *logits)
            *d_gradients, slope = tape.gradient(total, [*weights, fake])
            at_fake = (of_g / of_d)[:, None, None] * slope
        return [d_gradients, g_tape.gradient(fake, self.generator.trainable_variables, at_fake)], metrics

    def _pulls(self, batch, real_logits, fake_logits):
        """How both losses change with each fake series' logit, `(batch,)` each."""
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(fake_logits)
            d_loss = self.loss.discriminator(real_logits, fake_logits, self._soft(batch, real_logits))
            g_loss = self.loss.generator(real_logits, fake_logits)
        return tape.gradient(d_loss, fake_logits), tape.gradient(g_loss, fake_logits)

    def _apply(self, player, gradients):
        """One optimiser's step; returns how large gradients and steps were, in all and per block."""
        model, optimizer = {
            "d": (self.discriminator, self.d_optimizer),
            "g": (self.generator, self.g_optimizer),
        }[player]
        weights = model.trainable_variables
        dense = [tf.convert_to_tensor(g) for g in gradients]
        before = [tf.identity(w) for w in weights]
        if self.config.clip_norm:
            gradients = stabilisers.clipped(dense, self.config.clip_norm)
        if self.strategy:  # the optimiser adds up what comes from all devices
            gradients = [g / self.config.num_devices for g in gradients]
        optimizer.apply(gradients, weights)
        changes = [tf.convert_to_tensor(w) - b for w, b in zip(weights, before, strict=True)]
        metrics = {}
        for block, chosen in {"": range(len(weights)), **_blocks(weights)}.items():
            size = stabilisers.norm([before[i] for i in chosen])
            metrics[f"{player}_grad{block}"] = stabilisers.norm([dense[i] for i in chosen])
            metrics[f"{player}_update{block}"] = stabilisers.norm([changes[i] for i in chosen]) / (size + 1e-12)
        return metrics

    def _fake(self, batch, training):
        return self._run(self.generator, {"noise": batch["noise"], **batch["conditions"]}, training) + batch["blur"]

    def _judge(self, series, batch):
        return self._run(self.discriminator, {"series": series, **batch["conditions"]}, training=True)

    def _run(self, model, inputs, training=False):
        """Call a model, with its spectral norm where it has one."""
        norm = self.norms.get("d" if model is self.discriminator else "g")
        if norm is None:
            return model(inputs, training=training)
        own = [tf.convert_to_tensor(v) for v in model.non_trainable_variables]
        outputs, changed = model.stateless_call(norm.weights(model.trainable_variables), own, inputs, training=training)
        for variable, value in zip(model.non_trainable_variables, changed, strict=True):
            variable.assign(value)
        return outputs

    def _soft(self, batch, logits):
        """Targets in the shape of the logits."""
        return tuple(t if isinstance(t, float) or len(logits.shape) == 1 else t[:, None] for t in batch["targets"])

    def _seed(self, step, use):
        """A seed that depends on (seed, step, use) alone."""
        seed = tf.stack([tf.constant(self.config.seed, tf.int32), tf.cast(step, tf.int32)])
        return tf.random.experimental.stateless_fold_in(seed, use)

    def _normal(self, shape, step, use):
        return tf.random.stateless_normal(shape, self._seed(step, use))

    def _uniform(self, shape, step, use):
        return tf.random.stateless_uniform(shape, self._seed(step, use))

    def _noise(self, batch, step, use):
        return self._normal((batch, self.shape.seq_len, self.config.latent_dim), step, use)

    def _blur(self, series, noise, step):
        """Instance noise (Sonderby et al. 2017, arXiv:1610.04490) on all that the discriminator sees."""
        return series + stabilisers.noise_level(self.config, step) * noise if self.config.instance_noise else series

    def noise(self, count, seed) -> np.ndarray:
        """Noise for `count` series, float32 `(count, seq_len, latent_dim)`; a function of the seed alone."""
        random = np.random.default_rng([seed, 7])
        return random.standard_normal((count, self.shape.seq_len, self.config.latent_dim), dtype=np.float32)

    def generate(self, noise, conditions) -> np.ndarray:
        """Series in [-1, 1] for given noise (see `noise`) and conditions, by the averaged generator."""
        made = []
        for i in range(0, len(noise), GENERATE_AT_ONCE):
            inputs = {"noise": noise, **conditions}
            block = self._predict({name: tf.constant(v[i : i + GENERATE_AT_ONCE]) for name, v in inputs.items()})
            made.append(block.numpy()[:, :, : self.shape.num_features])  # without coarser resolutions
        return np.concatenate(made)


def _mean(gradients):
    """Mean over shards of lists of gradients."""
    if len(gradients) == 1:
        return gradients[0]
    return [sum(map(tf.convert_to_tensor, same)) / len(gradients) for same in zip(*gradients, strict=True)]


def _weights(real_said, fake_said):
    """Which logits count, for series that end early and have a logit per step."""
    return (real_said["steps"], fake_said["steps"]) if "steps" in real_said else (None, None)


def _class_loss(said, batch):
    """Cross-entropy of the auxiliary classifier (Odena et al. 2017, arXiv:1610.09585)."""
    label = batch["conditions"]["label"]
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(label, said["classes"]))


def _blocks(weights) -> dict:
    """Indices of the weights of each layer: '/recurrent_0' -> [0, 1, 2]."""
    blocks = {}
    for i, weight in enumerate(weights):
        blocks.setdefault("/" + weight.path.split("/")[0], []).append(i)
    return blocks
