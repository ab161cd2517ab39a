"""Losses in pairs, by name: (discriminator loss, generator loss), both of (real_logits, fake_logits).

Logits may have any shape with the batch first; both losses are means.
"""

import tensorflow as tf


def _logistic_d(real_logits, fake_logits):
    return tf.reduce_mean(tf.nn.softplus(-real_logits)) + tf.reduce_mean(tf.nn.softplus(fake_logits))


def _logistic_g(real_logits, fake_logits):
    return tf.reduce_mean(tf.nn.softplus(-fake_logits))


def _relativistic_d(real_logits, fake_logits):
    return tf.reduce_mean(tf.nn.softplus(fake_logits - real_logits))


def _relativistic_g(real_logits, fake_logits):
    return tf.reduce_mean(tf.nn.softplus(real_logits - fake_logits))


LOSSES = {
    # Goodfellow et al. 2014, arXiv:1406.2661, with the non-saturating generator loss of its section 3.
    "logistic": (_logistic_d, _logistic_g),
    # Each fake against a real one, here of the same class: Jolicoeur-Martineau 2019, arXiv:1807.00734. Dropping a mode
    # is no local minimum of it: Sun et al. 2020, arXiv:2011.04926.
    "relativistic": (_relativistic_d, _relativistic_g),
}
