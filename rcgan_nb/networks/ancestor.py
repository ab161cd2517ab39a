"""RCGAN_v4 and, without labels, RGAN_v5: two-dimensional convolutions around an LSTM that runs over single values.

Layers, sizes and activations are those of the project that this one grew out of; there they fitted 28 x 28 pixels only.
Its spectral norms are the setting spectral_norm="both", its Gaussian labels label_smoothing_std.
"""

import keras
from keras import constraints, layers, ops

from rcgan_nb.networks.blocks import inputs


def generator(shape, config):
    """One noise vector (that of the first step), times an embedding of the label, becomes a picture of time x features.

    Its last activation is a leaky ReLU: series are not bounded.
    """
    given = inputs(shape, "noise", config.latent_dim)
    vector = given["noise"][:, 0]
    if "label" in given:
        vector = vector * layers.Embedding(shape.num_classes, config.latent_dim, name="label_embedding")(given["label"])
    height, width = -(-shape.seq_len // 4), -(-shape.num_features // 4)
    hidden = layers.LeakyReLU(0.2)(layers.Dense(height * width * 128, name="seed")(vector))
    picture = layers.Reshape((height, width, 128))(hidden)
    for k, (filters, size) in enumerate(((256, 3), (128, 3), (64, 4))):
        picture = _block(picture, filters, size, f"before_{k}")
        picture = layers.UpSampling2D(2)(picture) if k < 2 else picture
    picture = picture[:, : shape.seq_len, : shape.num_features]
    picture = _over_values(picture, 32, shape)
    for k, filters in enumerate((32, 32)):
        picture = _block(picture, filters, 3, f"after_{k}", active=False)
    return keras.Model(given, ops.squeeze(_block(picture, 1, 3, "series"), -1), name="generator")


def discriminator(shape, config):
    """Its own reading of the label is an auxiliary classifier; it never sees the label.

    Without one it is RGAN_v5's, whose last state has 8 units each way and goes to the logit at once.
    """
    classifies = config.d_condition == "classifier"
    given = inputs(shape, "series", shape.num_features)
    picture = _block(given["series"][..., None], 1, 3, "before", drop=True)
    picture = _over_values(picture, 1, shape)
    for k, (filters, strides) in enumerate(((256, 2), (128, 2), (64, 1))):
        picture = _block(picture, filters, 3, f"after_{k}", strides=strides, drop=True)
    sequence = layers.Reshape((picture.shape[1] * picture.shape[2], picture.shape[3]))(picture)
    lstm = layers.LSTM(32 if classifies else 8, use_cudnn=False, **_short())
    state = layers.Bidirectional(lstm, name="recurrent")(sequence)
    found, hidden = {}, state
    if classifies:
        found["classes"] = layers.Dense(shape.num_classes, name="classes")(state)
        hidden = _norm("hidden_norm")(layers.Dense(16, name="hidden")(state))
        hidden = layers.Dropout(0.25)(layers.LeakyReLU(0.2)(hidden))
    found["logits"] = ops.squeeze(layers.Dense(1, name="logit")(hidden), -1)
    return keras.Model(given, found, name="discriminator")


def _block(picture, filters, size, name, *, strides=1, active=True, drop=False):
    """Convolution, batch normalisation and, where asked for, leaky ReLU and dropout."""
    # Strided ones are unpadded as long as there are pixels enough.
    unpadded = name.startswith("after") and drop and min(picture.shape[1:3]) >= size
    padding = "valid" if unpadded else "same"
    picture = layers.Conv2D(filters, size, strides=strides, padding=padding, name=name)(picture)
    picture = _norm(f"{name}_norm")(picture)
    picture = layers.LeakyReLU(0.2)(picture) if active else picture
    return layers.Dropout(0.25)(picture) if drop else picture


def _over_values(picture, units, shape):
    """An LSTM with weights of norm 3 at most over all values of a picture, row by row."""
    channels = picture.shape[-1]
    sequence = layers.Reshape((shape.seq_len * shape.num_features, channels))(picture)
    sequence = layers.LSTM(units, return_sequences=True, use_cudnn=False, name="values", **_short())(sequence)
    return layers.Reshape((shape.seq_len, shape.num_features, units))(sequence)


def _short() -> dict:
    return {f"{part}_constraint": constraints.MaxNorm(3) for part in ("kernel", "recurrent", "bias")}


def _norm(name):
    return layers.BatchNormalization(momentum=0.8, name=name)
