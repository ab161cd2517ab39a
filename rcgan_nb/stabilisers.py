"""What keeps the two players in balance."""

import tensorflow as tf


def gradient_penalty(logits, series, tape):
    """Mean squared norm of the discriminator's gradient at real series (R1) or at fake ones (R2).

    Args:
        logits: what the discriminator said of `series`, any shape with the batch first.
        series: float32 `(batch, seq_len, num_features)`, watched by `tape` (persistent or not yet used).
    Source: Mescheder et al. 2018, arXiv:1801.04406, equations 9 and 10 (which weigh it by gamma / 2); both together
        with the relativistic loss: Huang et al. 2024, arXiv:2501.05441.
    """
    gradient = tape.gradient(logits, series)
    return tf.reduce_mean(tf.reduce_sum(tf.square(gradient), axis=(1, 2)))


def follow(averages, variables, decay, step):
    """Move averaged weights towards the current ones: average = decay * average + (1 - decay) * variable.

    The decay grows from 0.1 with the first steps, so that the random start is soon forgotten.
    Source: Yazici et al. 2019, arXiv:1806.04498.
    """
    count = tf.cast(step, tf.float32)
    decay = tf.minimum(decay, (1.0 + count) / (10.0 + count))
    for average, variable in zip(averages, variables, strict=True):
        average.assign(decay * average + (1.0 - decay) * variable)
