"""Old archives, written in their own formats: folders, tables, pictures, HDF5 by tf_keras, pickles.

The networks are built with Keras 2 from their description, not with ours; the layout of GPU layers is written from
what its arrays mean.
"""

import csv
import pickle
from pathlib import Path

import h5py
import matplotlib
import numpy as np
from matplotlib.figure import Figure

SCHEMAS = {
    "RGAN_v5": ("epoch", "batch", "d_loss", "g_loss"),
    "RGAN_v4": ("epoch", "batch", "d_loss", "d_acc", "g_loss", "g_acc"),
    "RCGAN_v4": ("epoch", "batch", "d_loss", "d_a_loss", "g_loss", "g_a_loss"),
}
ROW = {"latent_dim": 100, "im_dim": 28, "epochs": 4, "batch_size": 1000, "learning_rate": 0.0004, "g_factor": 0.25}
ROW |= {"droprate": 0.25, "momentum": 0.8, "alpha": 0.2, "saving_rate": 2}  # 1000 of 60,000: an epoch has 60 batches


def run(pickles, name, *, done=4, schema="RGAN_v5", rows=None, pictures=True, value=0.0, **settings) -> Path:
    """A run's folder: `done` epochs of 60 batches, whose losses are epoch + batch / 1000 + value for d, and 2 for g."""
    folder = Path(pickles) / name
    (folder / "img").mkdir(parents=True)
    model, data = ("RCGAN" if "RCGAN" in name else "RGAN"), name.rsplit("_", 1)[-1]
    classes = {"num_classes": 10} if model == "RCGAN" else {}
    table(folder / "init.csv", rows or [{"data": data} | classes | ROW | settings])
    header = SCHEMAS[schema]
    lines = []
    for epoch in range(1, done + 1):
        for batch in (20, 40, 60):
            d = epoch + batch / 1000 + value
            known = {"epoch": epoch, "batch": batch, "d_loss": d, "g_loss": 2.0, "d_acc": 0.75, "g_acc": 0.5}
            known |= {"d_a_loss": d / 4, "g_a_loss": 0.5}
            lines.append({column: known[column] for column in header})
    table(folder / "log.csv", lines, header)
    for epoch in range(1, done + 1) if pictures else ():
        grey_sheet(folder / f"img/epoch{epoch}.png", epoch)
    return folder


def table(path, rows, header=None):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, header or list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def grey_sheet(path, shade):
    from PIL import Image

    Image.new("L", (40, 30), 10 * shade).save(path)


def sheet(path, pictures, num_classes):
    """The picture of an epoch: 4 x 4 panels, or five rows and a column per class; default style, tight layout."""
    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        figure = Figure()
        if num_classes:
            axes = figure.subplots(5, num_classes)
            for k, picture in enumerate(pictures):
                axes[k % 5, k // 5].imshow(0.5 * picture + 0.5, cmap="gray")
                axes[k % 5, k // 5].axis("off")
            for k in range(num_classes):
                axes[0, k].set_title(f"{k}")
        else:
            for k, axis in enumerate(figure.subplots(4, 4).ravel()):
                axis.imshow(0.5 * pictures[k] + 0.5, cmap="gray")
                axis.set_title(str(k + 1))
                axis.set_axis_off()
        figure.tight_layout()
        figure.savefig(path, dpi=100)


def noise(latent_dim, num_classes):
    """What the generator drew its sheet from."""
    random = np.random.RandomState(42)
    vectors = random.normal(size=(5 if num_classes else 16, latent_dim))
    if not num_classes:
        return [vectors]
    return [np.concatenate([vectors] * num_classes), np.repeat(np.arange(num_classes), 5)[:, None]]


# Networks -------------------------------------------------------------------------------------------------------------


def spectral(kind):
    """A Keras 2 layer whose kernel is divided by its norm, with its power iteration at every call."""
    import tensorflow as tf

    class Normalised(kind):
        def build(self, shape):
            super().build(shape)
            width = (1, self.kernel.shape[-1])
            self.vector = self.add_weight(name="sn", shape=width, initializer="random_normal", trainable=False)

        def call(self, inputs):
            raw, matrix = self.kernel, tf.reshape(self.kernel, (-1, self.kernel.shape[-1]))
            left = tf.math.l2_normalize(self.vector @ tf.transpose(matrix))
            right = tf.math.l2_normalize(left @ matrix)
            self.vector.assign(right)
            self.kernel = raw / (left @ matrix @ tf.transpose(right))
            try:
                return super().call(inputs)
            finally:
                self.kernel = raw

    return Normalised


def keras2(latent_dim, num_classes):
    """Generator and discriminator of RGAN_v5, or with classes of RCGAN_v4, as Keras 2 models."""
    import tf_keras
    from tf_keras import layers

    tf_keras.utils.set_random_seed(8)
    dense, conv = spectral(layers.Dense), spectral(layers.Conv2D)
    short = {f"{part}_constraint": tf_keras.constraints.MaxNorm(3) for part in ("kernel", "recurrent", "bias")}

    def block(x, filters, size, *, active=True, drop=False, **options):
        x = layers.BatchNormalization(momentum=0.8)(conv(filters, size, **options)(x))
        x = layers.LeakyReLU(0.2)(x) if active else x
        return layers.Dropout(0.25)(x) if drop else x

    given = [layers.Input((latent_dim,))]
    x = given[0]
    if num_classes:
        given.append(layers.Input((1,), dtype="int32"))
        x = layers.Multiply()([x, layers.Flatten()(layers.Embedding(num_classes, latent_dim)(given[1]))])
    x = layers.Reshape((7, 7, 128))(layers.LeakyReLU(0.2)(dense(128 * 49)(x)))
    x = layers.UpSampling2D()(block(x, 256, 3, padding="same"))
    x = layers.UpSampling2D()(block(x, 128, 3, padding="same"))
    x = layers.Reshape((784, 64))(block(x, 64, 4, padding="same"))
    x = layers.Reshape((28, 28, 32))(layers.LSTM(32, return_sequences=True, **short)(x))
    x = block(x, 32, 3, active=False, padding="same")
    x = block(x, 32, 3, active=False, padding="same")
    generator = tf_keras.Model(given, layers.Reshape((28, 28))(block(x, 1, 3, padding="same")))

    seen = layers.Input((28, 28))
    x = block(layers.Reshape((28, 28, 1))(seen), 1, 3, drop=True, padding="same")
    x = layers.LSTM(1, return_sequences=True, **short)(layers.Reshape((784, 1))(x))
    x = block(layers.Reshape((28, 28, 1))(x), 256, 3, drop=True, strides=2)
    x = block(block(x, 128, 3, drop=True, strides=2), 64, 3, drop=True)
    last = layers.LSTM(32 if num_classes else 8, **short)
    x = layers.Bidirectional(last)(layers.Reshape((16, 64))(x))
    if not num_classes:
        return generator, tf_keras.Model(seen, layers.Activation("sigmoid")(layers.Dense(1)(x)))
    valid = layers.LeakyReLU(0.2)(layers.BatchNormalization(momentum=0.8)(dense(16)(x)))
    valid = layers.Activation("sigmoid")(layers.Dense(1)(layers.Dropout(0.25)(valid)))
    label = layers.Activation("softmax")(dense(num_classes)(x))
    return generator, tf_keras.Model(seen, [valid, label])


def stirred(model, seed):
    """What training leaves: biases, running figures, and vectors at which the power iteration has come to rest."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        for variable in layer.weights:
            value = variable.numpy()
            if "moving_variance" in variable.name:
                value = random.uniform(0.05, 0.1, value.shape)  # of activations as small as a normalised kernel's
            elif value.ndim == 1 or "bias" in variable.name:
                value = value + random.uniform(-0.1, 0.1, value.shape)
            elif "sn:" in variable.name:
                matrix = layer.kernel.numpy().reshape(-1, value.shape[1])
                value = np.linalg.svd(matrix, full_matrices=False)[2][:1]
            variable.assign(value)
    return model


def norm(layer, weight) -> float:
    """What a layer divides a weight by: the largest singular value of the kernels that it normalises."""
    normalised = hasattr(layer, "vector") and weight is layer.kernel
    return float(np.linalg.norm(weight.numpy().reshape(-1, weight.shape[-1]), 2)) if normalised else 1.0


# Files ----------------------------------------------------------------------------------------------------------------


def recurrent_triples(layer):
    """Places of kernel, recurrent kernel and bias among a layer's arrays, for each direction."""
    names = [variable.name.split("/")[-1] for variable in layer.weights]
    return [range(i - 1, i + 2) for i, name in enumerate(names) if name.startswith("recurrent_kernel")]


def gpu_layout(kernel, recurrent, bias, *, moments=False):
    """A GPU's: each gate's matrices are stored output by input, row by row; inputs and states have a bias each."""
    gates = recurrent.shape[1] // len(recurrent)

    def stored(matrix):
        parts = np.split(matrix, gates, axis=1)
        return np.concatenate([np.ascontiguousarray(part.T).ravel().reshape(part.shape) for part in parts], axis=1)

    if gates == 3:
        halves = bias  # those of GRU with reset_after, one after the other
    elif moments:
        halves = np.stack([bias, bias])
    else:
        share = np.random.default_rng(3).uniform(-1, 1, bias.shape).astype(bias.dtype)
        halves = np.stack([share, bias - share])
    return [stored(kernel), stored(recurrent), halves.ravel()]


def arrays_of(layer, values, *, gpu, moments=False):
    values = list(values)
    for places in recurrent_triples(layer) if gpu else ():
        for place, value in zip(places, gpu_layout(*(values[i] for i in places), moments=moments), strict=True):
            values[place] = value
    return values


def save_weights(model, path, *, gpu=False, keras_version=b"2.3.1"):
    """As Keras 2.3.1 wrote: names as bytes, no cell between layer and array, GPU layers in their own layout."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", keras_version
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = [v.name.replace("lstm_cell/", "").replace("gru_cell/", "") for v in layer.weights]
            group.attrs["weight_names"] = np.array([name.encode() for name in names], "S")
            values = arrays_of(layer, [v.numpy() for v in layer.weights], gpu=gpu)
            for name, value in zip(names, values, strict=True):
                group.create_dataset(name, data=value)


def optimizer_state(model, iterations, seed):
    """Iterations, and both moments of each trainable weight, of a layer's arrays at a time."""
    random = np.random.default_rng(seed)
    layers = [layer for layer in model.layers if layer.trainable_weights]
    draws = random.normal, random.exponential  # a second moment is positive
    moments = [[[draw(size=v.shape).astype("f4") for v in x.trainable_weights] for x in layers] for draw in draws]
    return iterations, layers, moments


def save_optimizer(state, path, *, gpu=False):
    """pickle.dump(optimizer.get_weights()) of Keras 2.3.1, by Python 3.7 and NumPy 1.18."""
    iterations, layers, moments = state
    flat = [np.int64(iterations)]
    for kind in moments:
        for layer, values in zip(layers, kind, strict=True):
            flat += arrays_of(layer, values, gpu=gpu, moments=True)
    flat += [np.zeros(1, "f4")] * ((len(flat) - 1) // 2)
    written = pickle.dumps(flat, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    Path(path).write_bytes(written)
