"""Losses by name. Logits may have any shape with the batch first.

A discriminator's loss takes (real_logits, fake_logits, targets, weights), a generator's (real_logits, fake_logits,
weights). `targets`: what real and fake series should be called, 1.0 and 0.0 without label smoothing. `weights`: two
arrays like the logits, 0 where a series has ended, or None for all ones; losses are means over what there is.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

HARD = (1.0, 0.0)
ALL = (None, None)


class Loss(NamedTuple):
    """A pair of losses, and the value of the discriminator's where neither player can gain."""

    discriminator: Callable
    generator: Callable
    balanced: float


def mean(values, weights=None):
    """Mean of the values that have weight: a scalar."""
    if weights is None:
        return tf.reduce_mean(values)
    return tf.reduce_sum(values * weights) / tf.maximum(tf.reduce_sum(weights), 1.0)


def cross_entropy(logits, target):
    """Elementwise, between sigmoid(logits) and a target in [0, 1]."""
    if isinstance(target, float) and target in HARD:
        return tf.nn.softplus(-logits if target else logits)
    return target * tf.nn.softplus(-logits) + (1 - target) * tf.nn.softplus(logits)


def _logistic_d(real, fake, targets=HARD, weights=ALL):
    return mean(cross_entropy(real, targets[0]), weights[0]) + mean(cross_entropy(fake, targets[1]), weights[1])


def _logistic_g(real, fake, weights=ALL):
    return mean(cross_entropy(fake, 1.0), weights[1])


def _both(weights):
    """Where both series of a pair have a step."""
    return None if weights[0] is None else weights[0] * weights[1]


def _relativistic_d(real, fake, targets=HARD, weights=ALL):
    return mean(cross_entropy(real - fake, targets[0]), _both(weights))


def _relativistic_g(real, fake, weights=ALL):
    return mean(cross_entropy(fake - real, 1.0), _both(weights))


def _least_squares_d(real, fake, targets=HARD, weights=ALL):
    return mean(tf.square(real - targets[0]), weights[0]) + mean(tf.square(fake - targets[1]), weights[1])


def _least_squares_g(real, fake, weights=ALL):
    return mean(tf.square(fake - 1.0), weights[1])


def _hinge_d(real, fake, targets=HARD, weights=ALL):
    return mean(tf.nn.relu(1.0 - real), weights[0]) + mean(tf.nn.relu(1.0 + fake), weights[1])


def _wasserstein_d(real, fake, targets=HARD, weights=ALL):
    return mean(fake, weights[1]) - mean(real, weights[0])


def _minus_fake(real, fake, weights=ALL):
    return -mean(fake, weights[1])


LOSSES = {
    # Each fake against a real one, here of the same class: Jolicoeur-Martineau 2019, arXiv:1807.00734. Dropping a mode
    # is no local minimum of it: Sun et al. 2020, arXiv:2011.04926.
    "relativistic": Loss(_relativistic_d, _relativistic_g, math.log(2)),
    # Goodfellow et al. 2014, arXiv:1406.2661, with the non-saturating generator loss of its section 3.
    "logistic": Loss(_logistic_d, _logistic_g, 2 * math.log(2)),
    # Mao et al. 2017, arXiv:1611.04076, with targets 1 and 0.
    "least_squares": Loss(_least_squares_d, _least_squares_g, 0.5),
    # Lim and Ye 2017, arXiv:1705.02894; Miyato et al. 2018, arXiv:1802.05957, equations 16 and 17.
    "hinge": Loss(_hinge_d, _minus_fake, 2.0),
    # Arjovsky et al. 2017, arXiv:1701.07875; needs a bound on the discriminator: gradient_penalty or spectral_norm.
    "wasserstein": Loss(_wasserstein_d, _minus_fake, 0.0),
}
