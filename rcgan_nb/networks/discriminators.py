"""Discriminators: series (and a label) to logits; real is 1."""

import keras
from keras import layers, ops

from rcgan_nb.networks.blocks import beside_each_step, label_input, lstm, projection


def bilstm_pool(seq_len, num_features, num_classes, config):
    """Bidirectional LSTM, mean and maximum over time, a dense layer, one logit with projection of the label."""
    series = layers.Input((seq_len, num_features), name="series")
    label = label_input(num_classes)
    sequence = layers.Bidirectional(lstm(config.hidden_units // 2, seq_len))(series)
    pooled = [layers.GlobalAveragePooling1D()(sequence), layers.GlobalMaxPooling1D()(sequence)]
    hidden = layers.LeakyReLU(0.2)(layers.Dense(config.hidden_units)(layers.Concatenate()(pooled)))
    return _model(series, label, projection(hidden, label, num_classes))


def lstm_per_step(seq_len, num_features, num_classes, config):
    """LSTM over series and one-hot label with a logit per step (Esteban et al. 2017, section 3)."""
    series = layers.Input((seq_len, num_features), name="series")
    label = label_input(num_classes)
    one_hot = layers.CategoryEncoding(num_classes or 1, output_mode="one_hot")
    sequence = lstm(config.hidden_units, seq_len)(beside_each_step(series, label, one_hot, seq_len))
    return _model(series, label, ops.squeeze(layers.Dense(1, name="logit")(sequence), -1))


def _model(series, label, logits):
    return keras.Model([series] if label is None else [series, label], logits, name="discriminator")
