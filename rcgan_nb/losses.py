"""Losses in pairs, by name: (discriminator loss, generator loss), both of logits of any shape."""

import tensorflow as tf


def _logistic_d(real_logits, fake_logits):
    return tf.reduce_mean(tf.nn.softplus(-real_logits)) + tf.reduce_mean(tf.nn.softplus(fake_logits))


def _logistic_g(fake_logits):
    return tf.reduce_mean(tf.nn.softplus(-fake_logits))


# logistic: Goodfellow et al. 2014, arXiv:1406.2661, with the non-saturating generator loss of its section 3.
LOSSES = {"logistic": (_logistic_d, _logistic_g)}
