"""What several networks are made of: their inputs, conditions, masks, and the discriminators' verdict."""

import math
from dataclasses import dataclass

import keras
from keras import layers, ops

from rcgan_nb.networks.recurrence import CELLS, stack

__all__ = ["CELLS", "Shape"]
LABEL_SIZE = 32


@dataclass(frozen=True)
class Shape:
    """Sizes of the arrays that networks see.

    Attributes:
        num_features: all channels of a series, masks among them.
        observed: number of mask channels, one for each of the first channels; 0 without.
        lengths: whether the last channel says where a series has not ended.
    """

    seq_len: int
    num_features: int
    num_classes: int = 0
    num_static: int = 0
    num_conditions: int = 0
    observed: int = 0
    lengths: bool = False


def inputs(shape, name, size) -> dict:
    """The model's inputs: its own, `name` with `size` channels per step, and every condition."""
    found = {name: layers.Input((shape.seq_len, size), name=name)}
    if shape.num_classes:
        found["label"] = layers.Input((), dtype="int32", name="label")
    if shape.num_static:
        found["static"] = layers.Input((shape.num_static,), name="static")
    if shape.num_conditions:
        found["condition"] = layers.Input((shape.seq_len, shape.num_conditions), name="condition")
    return found


def beside_each_step(sequence, given, shape, *, one_hot=False, vectors=True):
    """Concatenate the conditions to every step of `(batch, seq_len, features)`.

    Args:
        given: inputs by name, as `inputs` returns them.
        one_hot: the label as it is, as in the first RCGAN; else embedded.
        vectors: False leaves out what belongs to a whole series.
    """
    parts = [sequence]
    if vectors and "label" in given:
        encode = (
            layers.CategoryEncoding(shape.num_classes, output_mode="one_hot")
            if one_hot
            else layers.Embedding(shape.num_classes, LABEL_SIZE, name="label_embedding")
        )
        parts.append(layers.RepeatVector(sequence.shape[1])(encode(given["label"])))
    if vectors and "static" in given:
        parts.append(layers.RepeatVector(sequence.shape[1])(given["static"]))
    if "condition" in given:
        parts.append(given["condition"])
    return layers.Concatenate()(parts) if len(parts) > 1 else sequence


@keras.saving.register_keras_serializable("rcgan_nb")
class ReadMasks(layers.Layer):
    """Let a discriminator see no value that was not observed or lies after the end of its series.

    Mask channels become 0 or 1; backwards the gradient passes as if they were (mask + 1) / 2, so that a generator
    learns to make masks, too (straight-through: Bengio et al. 2013, arXiv:1308.3432).
    """

    def __init__(self, num_features, observed, lengths, **options):
        super().__init__(**options)
        self.num_features, self.observed, self.lengths = num_features, observed, lengths

    def call(self, series):
        """`(batch, seq_len, features)` to the same and bool `(batch, seq_len)`, True before the end."""
        series, coarse = series[:, :, : self.num_features], series[:, :, self.num_features :]
        inside = ops.ones_like(series[:, :, :1])
        if self.lengths:
            series, inside = series[:, :, :-1], ops.cumprod(_hard(series[:, :, -1:]), axis=1)
        if self.observed:
            values, rest, mask = ops.split(series, [self.observed, series.shape[-1] - self.observed], axis=-1)
            mask = _hard(mask)
            series = ops.concatenate([values * mask, rest, mask], axis=-1)
        first = ops.arange(series.shape[1])[None] == 0  # a series has one step at least
        series = ops.concatenate([series * inside, inside, coarse * inside], axis=-1)
        return series, (inside[:, :, 0] > 0) | first

    def get_config(self):
        names = ("num_features", "observed", "lengths")
        return super().get_config() | {name: getattr(self, name) for name in names}


def _hard(channel):
    soft = (channel + 1) / 2
    return soft + ops.stop_gradient(ops.cast(channel > 0, soft.dtype) - soft)


def read_masks(series, shape):
    """The series as a discriminator may see it, and which steps there are: bool `(batch, seq_len)`, None for all."""
    if not shape.observed and not shape.lengths:
        return series, None
    series, steps = ReadMasks(shape.num_features, shape.observed, shape.lengths, name="masks")(series)
    return series, steps if shape.lengths else None


def recurrent(sequence, config, *, player, steps=None):
    """The recurrent layers that the settings name for player "g" or "d"."""
    return stack(
        sequence,
        config.hidden_units,
        cell=getattr(config, f"{player}_cell"),
        bidirectional=getattr(config, f"{player}_bidirectional"),
        num_layers=config.num_layers,
        dilation=config.dilation,
        steps=steps,
    )


def hidden_layer(sequence, units, name="hidden"):
    return layers.LeakyReLU(0.2)(layers.Dense(units, name=name)(sequence))


def causal_convolutions(sequence, units, steps=None):
    """Convolutions over time that see no later step, dilated by 1, 2, 4 ... until all earlier steps are seen.

    Source: Bai et al. 2018, arXiv:1803.01271, without its weight normalisation and dropout.
    """
    sequence = layers.Dense(units, name="causal_in")(sequence)
    for k in range(max(1, math.ceil(math.log2(sequence.shape[1])))):
        change = layers.Conv1D(units, 2, padding="causal", dilation_rate=2**k, name=f"causal_{k}")(sequence)
        sequence = sequence + layers.LeakyReLU(0.2)(change)
    return sequence


def convolutions(sequence, units, *, strides=1, name="conv"):
    """Two convolutions over five steps each; with strides 2 they leave a quarter of the steps."""
    for k in range(2):
        layer = layers.Conv1D(units, 5, strides=strides, padding="same", name=f"{name}_{k}")
        sequence = layers.LeakyReLU(0.2)(layer(sequence))
    return sequence


def pooled(sequence, steps=None):
    """Mean and maximum over time of `(batch, seq_len, units)`, over those steps only that there are."""
    if steps is None:
        parts = [layers.GlobalAveragePooling1D()(sequence), layers.GlobalMaxPooling1D()(sequence)]
        return layers.Concatenate()(parts)
    there = ops.cast(steps, sequence.dtype)[:, :, None]
    mean = ops.sum(sequence * there, axis=1) / ops.sum(there, axis=1)
    return ops.concatenate([mean, ops.max(ops.where(steps[:, :, None], sequence, -1e9), axis=1)], axis=-1)


def verdict(hidden, given, shape, config, steps=None) -> dict:
    """What a discriminator says of `hidden` `(batch, size)`, or `(batch, seq_len, size)` for a logit at every step.

    Returns: "logits" without the last axis; "steps" as given, where there are any; "classes", logits
        `(batch, num_classes)`, with an auxiliary classifier (Odena et al. 2017, arXiv:1610.09585).
    """
    if config.minibatch_deviation:
        hidden = deviation(hidden)
    logits = layers.Dense(1, name="logit")(hidden)
    if config.d_condition == "projection":
        logits = logits + projection(hidden, given, shape) if {"label", "static"} & set(given) else logits
    found = {"logits": ops.squeeze(logits, -1)}
    if config.d_condition == "classifier":
        over_time = pooled(hidden, steps) if len(hidden.shape) == 3 else hidden
        found["classes"] = layers.Dense(shape.num_classes, name="classes")(over_time)
    if steps is not None and len(hidden.shape) == 3:
        found["steps"] = ops.cast(steps, "float32")
    return found


def projection(hidden, given, shape):
    """Inner product of `hidden` with a vector of the label, and with one of the static values.

    Source: Miyato and Koyama 2018, arXiv:1802.05637; divided by sqrt(size), so that its scale is that of a dense layer.
    """
    size = hidden.shape[-1]
    vectors = []
    if "label" in given:
        vectors.append(layers.Embedding(shape.num_classes, size, name="projection")(given["label"]))
    if "static" in given:
        vectors.append(layers.Dense(size, use_bias=False, name="static_projection")(given["static"]))
    vector = sum(vectors[1:], vectors[0])
    vector = vector[:, None] if len(hidden.shape) == 3 else vector
    return ops.sum(hidden * vector, axis=-1, keepdims=True) / math.sqrt(size)


def deviation(hidden):
    """Append the standard deviation over the batch, averaged over all features: fakes without variety show by it.

    Source: Karras et al. 2018, arXiv:1710.10196, section 3.
    """
    spread = ops.mean(ops.sqrt(ops.var(hidden, axis=0, keepdims=True) + 1e-8), axis=-1, keepdims=True)
    return ops.concatenate([hidden, ops.zeros_like(hidden[..., :1]) + spread], axis=-1)
