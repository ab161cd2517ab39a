"""What several networks are made of."""

import math

from keras import layers, ops

# Unrolled, a recurrence over few steps runs a quarter faster than TensorFlow's while loop and its gradient can be
# differentiated again; over many steps building the graph takes longer than it saves.
UNROLL_UP_TO = 32


def lstm(units, seq_len):
    """An LSTM that returns its sequence. Fused GPU kernels have no second derivative, so none is used."""
    return layers.LSTM(units, return_sequences=True, unroll=seq_len <= UNROLL_UP_TO, use_cudnn=False)


def label_input(num_classes):
    """The label as an input `(batch,)`, or None without classes."""
    return layers.Input((), dtype="int32", name="label") if num_classes else None


def beside_each_step(sequence, label, vectors, seq_len):
    """Concatenate the label's vector to every step; without a label the sequence stays as it is.

    Args:
        sequence: `(batch, seq_len, features)`.
        vectors: layer that maps labels to `(batch, size)`.
    """
    if label is None:
        return sequence
    return layers.Concatenate()([sequence, layers.RepeatVector(seq_len)(vectors(label))])


def projection(hidden, label, num_classes):
    """One logit `(batch,)`: a linear one plus, with labels, the inner product with the label's vector.

    Source: Miyato and Koyama 2018, arXiv:1802.05637; divided by sqrt(size), so that its scale is that of the first.
    """
    logit = layers.Dense(1, name="logit")(hidden)
    if label is not None:
        size = hidden.shape[-1]
        vector = layers.Embedding(num_classes, size, name="projection")(label)
        logit = logit + ops.sum(hidden * vector, axis=-1, keepdims=True) / math.sqrt(size)
    return ops.squeeze(logit, -1)
