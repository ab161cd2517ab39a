"""Discriminators: series (and conditions) to a verdict (see `blocks.verdict`); real is 1."""

import keras

from rcgan_nb.networks.blocks import (
    beside_each_step,
    causal_convolutions,
    convolutions,
    hidden_layer,
    inputs,
    pooled,
    read_masks,
    recurrent,
    verdict,
)
from rcgan_nb.networks.recurrence import last


def pool(shape, config):
    """Recurrent layers, mean and maximum over time, a dense layer, one logit."""
    given, sequence, steps = _given(shape, config)
    return _pooled(given, recurrent(sequence, config, player="d", steps=steps), steps, shape, config)


def per_step(shape, config):
    """Recurrent layers with a logit per step (Esteban et al. 2017, section 3)."""
    given, sequence, steps = _given(shape, config, one_hot=True)
    sequence = recurrent(sequence, config, player="d", steps=steps)
    return _model(given, verdict(sequence, given, shape, config, steps))


def state(shape, config):
    """The last state of the recurrent layers alone is judged."""
    given, sequence, steps = _given(shape, config)
    sequence = recurrent(sequence, config, player="d", steps=steps)
    hidden = last(sequence, config.hidden_units, config.d_bidirectional)
    return _model(given, verdict(hidden_layer(hidden, config.hidden_units), given, shape, config))


def conv(shape, config):
    """As `pool`, after two convolutions over five steps that see what lies close together."""
    given, sequence, steps = _given(shape, config)
    sequence = convolutions(sequence, config.hidden_units)
    return _pooled(given, recurrent(sequence, config, player="d", steps=steps), steps, shape, config)


def encoder(shape, config):
    """As `pool`, after convolutions that compact the sequence to a quarter."""
    given, sequence, steps = _given(shape, config)
    sequence = convolutions(sequence, config.hidden_units, strides=2, name="encoder")
    steps = None if steps is None else steps[:, ::2][:, ::2]
    return _pooled(given, recurrent(sequence, config, player="d", steps=steps), steps, shape, config)


def causal(shape, config):
    """Dilated causal convolutions, then as `pool`; no recurrence."""
    given, sequence, steps = _given(shape, config)
    return _pooled(given, causal_convolutions(sequence, config.hidden_units), steps, shape, config)


def _given(shape, config, one_hot=False):
    """Inputs, the sequence with its conditions beside each step, and which steps there are."""
    given = inputs(shape, "series", shape.num_features * (1 + config.multi_scale))
    sequence, steps = read_masks(given["series"], shape)
    vectors = config.d_condition == "embedding"
    return given, beside_each_step(sequence, given, shape, one_hot=one_hot, vectors=vectors), steps


def _pooled(given, sequence, steps, shape, config):
    return _model(given, verdict(hidden_layer(pooled(sequence, steps), config.hidden_units), given, shape, config))


def _model(given, outputs):
    return keras.Model(given, outputs, name="discriminator")
