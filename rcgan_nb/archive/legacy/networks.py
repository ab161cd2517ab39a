"""Networks and optimisers of an old archive in ours: the network rcgan_v4, which without labels is RGAN_v5.

Ours are built from settings, and only weights come from the file. Theirs divided dense and convolutional kernels by
their spectral norm whenever they were used, and no others; our setting spectral_norm would take all. So each kernel is
divided once, here, by what its norm was when the old generator drew last, and the setting is off. A gradient at the
divided kernel is the old one times that norm, but for its part along the kernel's first singular vectors: the moments
of Adam are multiplied by it and its square.

What else differs when training goes on from here: our real targets are drawn in every batch (theirs once an epoch) and
the generator's are 1; batches are permutations, not drawn with replacement; one update of the discriminator sees real
and fake series, theirs took two steps; the limit of norm 3 on weights of an LSTM acted on the layout of the GPU's
kernels, where there was one, and the bias of such a layer takes half the step.
"""

import numpy as np

from rcgan_nb.archive.legacy import logs, pickles, weights
from rcgan_nb.config import TrainConfig, train_config

SIDE = 28  # pixels; the old networks were written for it
DEFAULTS = {"latent_dim": 100, "im_dim": SIDE, "batch_size": 256, "learning_rate": 0.0004, "g_factor": 0.25}
DEFAULTS |= {"droprate": 0.25, "momentum": 0.8, "alpha": 0.2, "saving_rate": 10, "epochs": 100, "num_classes": 10}
WITHOUT_NORM = ("logit",)  # of the layers with kernel and bias alone, which else had a spectral norm
BUILT_IN = {"im_dim": SIDE, "droprate": 0.25, "momentum": 0.8, "alpha": 0.2}  # what our networks have no setting for


def value(row, name):
    """A setting of an init.csv's row, or the old program's default."""
    return logs.number(row, name, DEFAULTS[name])


def settings(row, *, conditional, **known) -> TrainConfig:
    """The settings of ours that stand for a row of init.csv; `known` are those that no row says.

    Raises: ValueError: a value that no training can have had.
    """
    return train_config(
        model="rcgan" if conditional else "rgan",
        generator="rcgan_v4",
        discriminator="rcgan_v4",
        d_condition="classifier" if conditional else TrainConfig.d_condition,
        latent_dim=value(row, "latent_dim"),
        batch_size=value(row, "batch_size"),
        learning_rate=value(row, "learning_rate"),
        g_factor=value(row, "g_factor"),
        beta_1=0.5 if conditional else 0.9,
        beta_2=0.999,
        loss="logistic",
        label_smoothing=0.1,
        label_smoothing_std=0.005,
        scaler="minmax",
        r1_weight=0.0,
        r2_weight=0.0,
        instance_noise=0.0,
        average_decay=0.0,
        **known,
    )


def require_latest(folder, conditional):
    """Refuse what older versions left, which had other networks, before ours are built.

    Raises: ValueError, FileNotFoundError: says what shows it.
    """
    latest = "RCGAN_v4" if conditional else "RGAN_v5"
    if "d_acc" in folder.log.header:
        raise ValueError(f"log.csv has accuracies, which versions before {latest} wrote; only {latest} is rebuilt.")
    if conditional and folder.log.header and "d_a_loss" not in folder.log.header:
        raise ValueError("log.csv has no d_a_loss, which RCGAN v3 and v4 write; only RCGAN_v4 is rebuilt.")
    if (folder.path / "comb_weights.h5").exists():
        raise ValueError(f"there is a comb_weights.h5, which versions before {latest} wrote; only {latest} is rebuilt.")
    row = folder.rows[-1] if folder.rows else {}
    for name in ("im_dim", "alpha"):
        if value(row, name) != BUILT_IN[name]:
            raise ValueError(f"{name} was {value(row, name)}, and the network rcgan_v4 is built for {BUILT_IN[name]}.")
    weights.read(folder.path / "gen_weights.h5")


def built(config, num_classes):
    """Our networks for these settings, at 28 x 28 pixels."""
    from rcgan_nb.gan import RCGAN
    from rcgan_nb.networks import Shape

    return RCGAN(config, Shape(SIDE, SIDE, num_classes))


def fill(gan, folder) -> list[str]:
    """Give networks and optimisers what a folder holds; returns what could not be had, in words.

    Raises: ValueError, FileNotFoundError: the generator's weights are missing or belong to another network.
    """
    order = _fill_network(gan.generator, folder / "gen_weights.h5")
    remarks = _fill_optimizer(gan.g_optimizer, gan.generator, order, folder / "comb_opt_weights.pickle")
    try:
        order = _fill_network(gan.discriminator, folder / "dis_weights.h5")
    except (ValueError, FileNotFoundError) as error:
        return [*remarks, f"The discriminator starts anew: {error}"]
    return remarks + _fill_optimizer(gan.d_optimizer, gan.discriminator, order, folder / "dis_opt_weights.pickle")


def _fill_network(model, path):
    """Assign a file's weights. Returns its layers, each with the variables that took them, in the file's order."""
    found = weights.read(path)
    if not found.cudnn and found.keras_version.startswith(("2.0", "2.1", "2.2")):
        raise ValueError(f"{path} is of Keras {found.keras_version}, whose LSTM had another sigmoid (hard_sigmoid).")
    order = _matched(found, model, path)
    for layer, variables in order:
        arrays = weights.plain(layer.arrays)
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise ValueError(f"{path}: weights of {layer.name} are not finite; training had broken down.")
        for name, variable in variables.items():
            variable.assign(arrays[name] / (weights.spectral_norm(layer.arrays) if name == "kernel" else 1.0))
    return order


def _matched(found, model, path):
    """Each layer of a file with our variables by name: the first unused layer with the same arrays takes them.

    Both lists are in order of depth; where two layers have one depth, they differ in shape.
    """
    free = {layer.name: variables for layer in model.layers if (variables := _variables(layer))}
    order = []
    for layer in found.layers:
        shapes = {name: array.shape for name, array in weights.plain(layer.arrays).items()}
        fitting = [name for name, own in free.items() if _shapes(name, own) == shapes]
        if not fitting:
            raise ValueError(f"{path}: layer {layer.name} {shapes} is none of this {model.name}'s; another version?")
        order.append((layer, free.pop(fitting[0])))
    if free:
        raise ValueError(f"{path} has nothing for {', '.join(free)}; another version?")
    return order


def _variables(layer) -> dict:
    """A layer's variables by the names of `weights.Layer`."""
    return {weights.kind(v.path): v for v in layer.weights}


def _shapes(name, variables) -> dict:
    """The arrays that a file holds for a layer of ours: its own, and the vector of a spectral norm."""
    found = {kind: tuple(variable.shape) for kind, variable in variables.items()}
    if set(found) == {"kernel", "bias"} and name not in WITHOUT_NORM:
        found["sn"] = (1, found["kernel"][-1])
    return found


def _fill_optimizer(optimizer, model, order, path) -> list[str]:
    """Assign iterations and moments of Adam; without them it starts anew, and that is said."""
    try:
        iterations, *moments = _moments(pickles.read(path), order, path)
    except FileNotFoundError:
        return [f"{path.name} is missing: its optimiser starts anew."]
    except ValueError as error:
        return [f"An optimiser starts anew: {error}"]
    for kind, values in zip(("_momentum", "_velocity"), moments, strict=True):
        slots = [v for v in optimizer.variables if v.path.endswith(kind)]
        for slot, variable in zip(slots, model.trainable_variables, strict=True):
            slot.assign(values[variable.path])
    optimizer.iterations.assign(iterations)
    return []


def _moments(arrays, order, path):
    """Iterations, first and second moments, the latter by the paths of our variables.

    The file holds iterations, first moments, second moments, and perhaps placeholders, each in order of the layers.
    """
    names = [[n for n in layer.arrays if n not in ("sn", "moving_mean", "moving_variance")] for layer, _ in order]
    count = sum(map(len, names))
    if len(arrays) not in (1 + 2 * count, 1 + 3 * count):
        raise ValueError(f"{path} has {len(arrays)} arrays, and these weights need {1 + 3 * count}.")
    found = [int(arrays[0])]
    for power, first in ((1, 1), (2, 1 + count)):
        values, by_path = iter(arrays[first : first + count]), {}
        for (layer, variables), own in zip(order, names, strict=True):
            moments = {name: next(values) for name in own}
            if any(moments[name].shape != layer.arrays[name].shape for name in own):
                raise ValueError(f"{path}: the moments of {layer.name} do not have the shapes of its weights.")
            if "sn" in layer.arrays:
                moments["kernel"] = moments["kernel"] * weights.spectral_norm(layer.arrays) ** power
            by_path |= {variables[n].path: v for n, v in weights.plain(moments, moments=True).items()}
        found.append(by_path)
    return found
