"""Generators: noise at every step (and conditions) to series in [-1, 1].

The recurrent ones give their whole sequence ("return sequences") to layers that work at every step, except `state`,
which gives its last state alone ("return neurons") to a decoder.
"""

import keras
from keras import layers, ops

from rcgan_nb.networks.blocks import (
    beside_each_step,
    causal_convolutions,
    convolutions,
    hidden_layer,
    inputs,
    recurrent,
)
from rcgan_nb.networks.recurrence import last


def dense(shape, config):
    """Recurrent layers over noise and conditions, then at every step a dense layer with leaky ReLU, one with tanh."""
    given, sequence = _given(shape, config)
    return _model(given, hidden_layer(recurrent(sequence, config, player="g"), config.hidden_units), shape, config)


def plain(shape, config):
    """Recurrent layers over noise and one-hot label, then a dense layer with tanh per step (Esteban et al. 2017)."""
    given, sequence = _given(shape, config, one_hot=True)
    return _model(given, recurrent(sequence, config, player="g"), shape, config)


def state(shape, config):
    """The last state of the recurrent layers alone goes on: a dense decoder makes the whole series from it."""
    given, sequence = _given(shape, config)
    sequence = recurrent(sequence, config, player="g")
    hidden = hidden_layer(last(sequence, config.hidden_units, config.g_bidirectional), config.hidden_units)
    size = max(1, config.hidden_units // 4)
    decoded = hidden_layer(hidden, shape.seq_len * size, name="decoder")
    return _model(given, layers.Reshape((shape.seq_len, size))(decoded), shape, config)


def conv(shape, config):
    """As `dense`, with two convolutions over five steps: neighbouring steps are made to fit each other."""
    given, sequence = _given(shape, config)
    sequence = recurrent(sequence, config, player="g")
    return _model(given, convolutions(sequence, config.hidden_units), shape, config)


def encoder_decoder(shape, config):
    """Convolutions compact the sequence to a quarter, recurrent layers cover that, convolutions bring it back."""
    given, sequence = _given(shape, config)
    sequence = convolutions(sequence, config.hidden_units, strides=2, name="encoder")
    sequence = recurrent(sequence, config, player="g")
    for k in range(2):
        sequence = layers.UpSampling1D(2)(sequence)
        sequence = layers.Conv1D(config.hidden_units, 5, padding="same", name=f"decoder_{k}")(sequence)
        sequence = layers.LeakyReLU(0.2)(sequence)
    return _model(given, sequence[:, : shape.seq_len], shape, config)


def causal(shape, config):
    """Dilated causal convolutions over noise and conditions; no recurrence."""
    given, sequence = _given(shape, config)
    return _model(given, causal_convolutions(sequence, config.hidden_units), shape, config)


def _given(shape, config, one_hot=False):
    given = inputs(shape, "noise", config.latent_dim)
    return given, beside_each_step(_held(given["noise"], config.noise_hold), given, shape, one_hot=one_hot)


def _held(noise, hold):
    """The first of every `hold` noise vectors, for all of them; over many steps a recurrence averages noise away."""
    seq_len = noise.shape[1]
    hold = min(hold, seq_len) or seq_len
    return noise if hold == 1 else layers.UpSampling1D(hold)(noise[:, ::hold])[:, :seq_len]


def _model(given, sequence, shape, config):
    """Series from the last sequence, and beside it, with multi_scale, the same at coarser resolutions of time.

    A coarse series is made from the sequence averaged over 2, 4 ... steps and repeated to full length.
    Source: Karnewar and Wang 2020, arXiv:1903.06048.
    """
    made = [layers.Dense(shape.num_features, activation="tanh", name="series")(sequence)]
    for k in range(1, config.multi_scale + 1):
        coarse = layers.AveragePooling1D(2**k, padding="same")(sequence)
        coarse = layers.Dense(shape.num_features, activation="tanh", name=f"series_{k}")(coarse)
        made.append(layers.UpSampling1D(2**k)(coarse)[:, : shape.seq_len])
    return keras.Model(given, ops.concatenate(made, axis=-1) if len(made) > 1 else made[0], name="generator")
