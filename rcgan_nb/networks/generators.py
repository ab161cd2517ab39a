"""Generators: noise at every step (and a label) to series in [-1, 1]."""

import keras
from keras import layers

from rcgan_nb.networks.blocks import beside_each_step, label_input, lstm

LABEL_SIZE = 32


def lstm_dense(seq_len, num_features, num_classes, config):
    """LSTM over noise and label embedding, then a dense layer with leaky ReLU and one with tanh at every step."""
    noise = layers.Input((seq_len, config.latent_dim), name="noise")
    label = label_input(num_classes)
    sequence = beside_each_step(noise, label, layers.Embedding(num_classes or 1, LABEL_SIZE), seq_len)
    sequence = lstm(config.hidden_units, seq_len)(sequence)
    sequence = layers.LeakyReLU(0.2)(layers.Dense(config.hidden_units)(sequence))
    return _model(noise, label, sequence, num_features)


def lstm_plain(seq_len, num_features, num_classes, config):
    """LSTM over noise and one-hot label, then a dense layer with tanh, at every step (Esteban et al. 2017)."""
    noise = layers.Input((seq_len, config.latent_dim), name="noise")
    label = label_input(num_classes)
    one_hot = layers.CategoryEncoding(num_classes or 1, output_mode="one_hot")
    sequence = beside_each_step(noise, label, one_hot, seq_len)
    return _model(noise, label, lstm(config.hidden_units, seq_len)(sequence), num_features)


def _model(noise, label, sequence, num_features):
    series = layers.Dense(num_features, activation="tanh", name="series")(sequence)
    return keras.Model([noise] if label is None else [noise, label], series, name="generator")
