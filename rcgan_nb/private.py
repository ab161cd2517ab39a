"""Differential privacy for the training series: DP-SGD in the discriminator. `accounting` says what it costs.

Each series' own gradient of the discriminator's whole loss, penalties among it, is cut to norm dp_clip; normal noise of
standard deviation dp_noise * dp_clip is added to their sum. The generator learns from the discriminator alone, with
labels drawn evenly, so that its weights and all that it makes follow from noisy sums (post-processing).

Covered, at (epsilon, delta): the weights of every step together, against whom may add or leave out one training series
with its label. Each person has one series, or the run is refused.
Not covered: what is fitted to or counted in the training part (ranges of the scaling, numbers of series and of each
label, with which series are drawn), the figures of metrics.csv, and the validation part, by which the best checkpoint
and early stops are chosen. The noise is a function of seed and step, so that a run can go on exactly: whoever knows
the seed (config.json, the provenance beside drawn series) can take it away again. Keep both, and choose a seed nobody
guesses. Every run counts by itself: what several cost the same series adds up.
Source: Abadi et al. 2016, arXiv:1607.00133, algorithm 1; for GANs Xie et al. 2018, arXiv:1802.06739.
"""

import tensorflow as tf

from rcgan_nb import stabilisers
from rcgan_nb.gan import RCGAN

# Numbers that are folded into the step's seed; `RCGAN` uses small ones.
NOISE, LABELS = 2_000_000, 1_000_000


class PrivateRCGAN(RCGAN):
    """An RCGAN whose discriminator takes clipped and noisy gradients. See `RCGAN`; its `variables` are the same."""

    def _updates(self, x, conditions, step, penalised):
        """All updates of one step. Beside the conditions stands "count", `(d_steps,)`: see `accounting.drawn`."""
        metrics, counts = {}, conditions["count"]
        conditions = {name: values for name, values in conditions.items() if name != "count"}
        for i in range(self.config.d_steps):
            batch = self._batch(x[i], {name: v[i] for name, v in conditions.items()}, step, 10 * i)
            sums, found = self._sums(batch, counts[i], penalised)
            metrics |= found | self._apply("d", self._noisy(sums, step, i))
        return metrics | self._update(self._g_gradients, "g", self._made_up(step))

    def _sums(self, batch, count, penalised):
        """Sums of the clipped gradients of the first `count` series of a batch, and the means of their figures.

        One series at a time: no other takes part in its gradient, whatever the networks and losses are.
        """
        weights, names = self.discriminator.trainable_variables, self._figures()

        def add(sums, k):
            one = tf.nest.map_structure(lambda v: v if isinstance(v, float) else v[k][None], batch)
            (gradients,), found = self._d_gradients(one, penalised)
            gradients = [tf.convert_to_tensor(g) for g in gradients]
            found["d_clipped"] = tf.cast(stabilisers.norm(gradients) > self.config.dp_clip, tf.float32)
            cut = stabilisers.clipped(gradients, self.config.dp_clip)
            return tf.nest.map_structure(tf.add, sums, (cut, {name: found[name] for name in names}))

        none = [tf.zeros(w.shape) for w in weights], dict.fromkeys(names, tf.constant(0.0))
        sums, found = tf.foldl(add, tf.range(count), none)
        return sums, {name: v / tf.cast(tf.maximum(count, 1), tf.float32) for name, v in found.items()}

    def _figures(self):
        """Names of the discriminator's figures; d_clipped is the share of series whose gradient was clipped."""
        names = ["d_loss", "r1", "r2", "d_clipped"]
        names += ["d_classes"] if self.config.d_condition == "classifier" else []
        return names + (["penalty"] if self.config.gradient_penalty else [])

    def _noisy(self, sums, step, update):
        """The gradient: sums with noise, over the size that a batch has on average (its own would tell of a series)."""
        first, deviation = NOISE + update * len(sums), self.config.dp_noise * self.config.dp_clip
        noisy = [s + deviation * self._normal(s.shape, step, first + k) for k, s in enumerate(sums)]
        return [s / self.config.batch_size for s in noisy]

    def _made_up(self, step):
        """A batch for the generator's update that holds nothing of the training part; its "real" series are empty."""
        size, labels = self.config.batch_size, {}
        if self.shape.num_classes:
            seed = self._seed(step, LABELS)
            labels["label"] = tf.random.stateless_uniform((size,), seed, 0, self.shape.num_classes, tf.int32)
        return self._batch(tf.zeros((size, self.shape.seq_len, self.shape.num_features)), labels, step, 5)
