"""What keeps the two players in balance. Each is a switch of its own in `TrainConfig`."""

import tensorflow as tf


def gradient_penalty(logits, series, tape):
    """Mean squared norm of the discriminator's gradient at real series (R1) or at fake ones (R2).

    Args:
        logits: what the discriminator said of `series`, any shape with the batch first.
        series: float32 `(batch, seq_len, num_features)`, watched by `tape` (persistent or not yet used).
    Source: Mescheder et al. 2018, arXiv:1801.04406, equations 9 and 10 (which weigh it by gamma / 2); both together
        with the relativistic loss: Huang et al. 2024, arXiv:2501.05441.
    """
    return tf.reduce_mean(squared_norms(tape.gradient(logits, series)))


def squared_norms(gradient):
    """Squared norm of each series' gradient: `(batch, seq_len, num_features)` to `(batch,)`."""
    return tf.reduce_sum(tf.square(gradient), axis=(1, 2))


def one_norm_penalty(logits, series, tape):
    """Mean squared distance from 1 of the norm of the discriminator's gradient, at mixtures of real and fake series.

    Args: as `gradient_penalty`.
    Source: Gulrajani et al. 2017, arXiv:1704.00028, equation 3 (which weighs it by 10).
    """
    norms = tf.sqrt(squared_norms(tape.gradient(logits, series)) + 1e-12)
    return tf.reduce_mean(tf.square(norms - 1.0))


def targets(config, normal):
    """What the discriminator should call real and fake series: (1.0, 0.0), or softer.

    One-sided smoothing lowers real targets by label_smoothing, two-sided raises fake ones, too; with
    label_smoothing_std each series' target is drawn anew in every batch, and never passes 1 or 0.

    Args:
        normal: function of a number that gives standard normal values `(batch,)`.
    Source: Salimans et al. 2016, arXiv:1606.03498, section 3.4 (one-sided); Szegedy et al. 2016, arXiv:1512.00567
        (two-sided).
    """
    if not config.label_smoothing and not config.label_smoothing_std:
        return 1.0, 0.0
    shift = [config.label_smoothing, config.label_smoothing if config.label_smoothing_sides == "two" else 0.0]
    if config.label_smoothing_std:
        drawn = [tf.clip_by_value(shift[k] + config.label_smoothing_std * normal(k), 0.0, 1.0) for k in (0, 1)]
        return 1.0 - drawn[0], drawn[1] if config.label_smoothing_sides == "two" else 0.0
    return 1.0 - shift[0], shift[1]


def noise_level(config, step):
    """Standard deviation of the instance noise at a step: constant, or falling linearly to 0 at instance_noise_until.

    Source: Sonderby et al. 2017, arXiv:1610.04490, section 3 (annealing).
    """
    if not config.instance_noise_until:
        return config.instance_noise
    left = 1.0 - tf.cast(step, tf.float32) / config.instance_noise_until
    return config.instance_noise * tf.maximum(left, 0.0)


def pyramid(series, levels):
    """Series with themselves at coarser resolutions of time beside them: averaged over 2, 4 ... steps, then repeated.

    Args:
        series: float32 `(batch, seq_len, num_features)`.
    Returns: float32 `(batch, seq_len, num_features * (1 + levels))`.
    Source: Karnewar and Wang 2020, arXiv:1903.06048.
    """
    parts, seq_len = [series], series.shape[1]
    for k in range(1, levels + 1):
        coarse = tf.nn.avg_pool1d(series, 2**k, 2**k, "SAME")
        parts.append(tf.repeat(coarse, 2**k, axis=1)[:, :seq_len])
    return tf.concat(parts, axis=-1) if levels else series


def follow(averages, variables, decay, step):
    """Move averaged weights towards the current ones: average = decay * average + (1 - decay) * variable.

    The decay grows from 0.1 with the first steps, so that the random start is soon forgotten.
    Source: Yazici et al. 2019, arXiv:1806.04498.
    """
    count = tf.cast(step, tf.float32)
    decay = tf.minimum(decay, (1.0 + count) / (10.0 + count))
    for average, variable in zip(averages, variables, strict=True):
        if tf.as_dtype(average.dtype).is_floating:  # not the counters of dropout
            average.assign(decay * average + (1.0 - decay) * variable)


def norm(tensors):
    """Euclidean norm of all values together."""
    # Stacked, not tf.add_n: that adds in an order that may differ from run to run.
    return tf.sqrt(tf.reduce_sum(tf.stack([tf.reduce_sum(tf.square(v)) for v in tensors])))


def clipped(gradients, limit):
    """Gradients scaled down together, so that their norm is `limit` at most.

    Source: Pascanu et al. 2013, arXiv:1211.5063, algorithm 1.
    """
    return tf.clip_by_global_norm(gradients, limit)[0]


class SpectralNorm:
    """Divide every kernel by its largest singular value in the forward pass; the stored kernels stay as they are.

    One power iteration per update keeps track of the singular vectors. A kernel of several axes counts as a matrix of
    its last axis and all others, as in the paper.
    Source: Miyato et al. 2018, arXiv:1802.05957, algorithm 1.
    """

    def __init__(self, variables, seed):
        self.variables = variables
        self.vectors = {}
        for i, variable in enumerate(variables):
            if len(variable.shape) > 1 and "bias" not in variable.name:  # that of a GRU is a matrix, too
                start = tf.random.stateless_normal((1, variable.shape[-1]), [seed, i])
                self.vectors[i] = tf.Variable(tf.math.l2_normalize(start), trainable=False)

    def improve(self):
        """One power iteration, with the kernels as they are."""
        for i, vector in self.vectors.items():
            kernel = _matrix(self.variables[i])
            across = tf.math.l2_normalize(tf.matmul(vector, kernel, transpose_b=True))
            vector.assign(tf.math.l2_normalize(tf.matmul(across, kernel)))

    def weights(self, variables) -> list:
        """Values of these variables or their averages, in order, kernels divided by their largest singular value."""
        values = [tf.convert_to_tensor(variable) for variable in variables]
        for i, vector in self.vectors.items():
            kernel = _matrix(values[i])
            across = tf.stop_gradient(tf.math.l2_normalize(tf.matmul(vector, kernel, transpose_b=True)))
            values[i] = values[i] / tf.reduce_sum(tf.matmul(across, kernel) * tf.stop_gradient(vector))
        return values


def _matrix(kernel):
    return tf.reshape(kernel, (-1, kernel.shape[-1]))


class Balance:
    """Turn the generator's learning rate up while it falls behind, and down while it leads: a dynamic g-factor.

    kind "loss": the discriminator's loss below its value at balance says that the generator falls behind (after
    Hazimeh and Ponomareva 2023, arXiv:2302.00089, who turn the discriminator's rate by that gap). kind "gradient": the
    discriminator's gradient norm above the generator's does. The factor follows the smoothed sign of imbalance
    proportionally, as the control of Berthelot et al. 2017, arXiv:1703.10717.
    """

    GAIN, MEMORY, LIMIT = 0.01, 0.95, 10.0  # per step; of the smoothed imbalance; of the factor, both ways

    def __init__(self, kind, rate, balanced):
        self.kind, self.rate, self.balanced = kind, rate, balanced
        self.imbalance = tf.Variable(0.0, trainable=False)
        self.factor = tf.Variable(1.0, trainable=False)

    def turn(self, metrics, optimizer):
        """Set the generator's learning rate for the next step."""
        if self.kind == "loss":
            now = tf.math.log(self.balanced / tf.maximum(metrics["d_loss"], 1e-6))
        else:
            now = tf.math.log(tf.maximum(metrics["d_grad"], 1e-12) / tf.maximum(metrics["g_grad"], 1e-12))
        smoothed = self.MEMORY * self.imbalance + (1 - self.MEMORY) * tf.clip_by_value(now, -3.0, 3.0)
        self.imbalance.assign(smoothed)
        self.factor.assign(tf.clip_by_value(self.factor * tf.exp(self.GAIN * smoothed), 1 / self.LIMIT, self.LIMIT))
        optimizer.learning_rate.assign(self.rate * self.factor)
