"""Weights of Keras 2 (`save_weights`, HDF5), read with h5py alone: no layer is deserialised, no link is followed.

The file's attribute layer_names lists layers in order of depth, each group's weight_names its arrays: trainable ones
first. Recurrent layers that ran on a GPU (CuDNNLSTM, CuDNNGRU) have a layout of their own, known by its bias of two
halves, which `plain` turns into that of LSTM and of GRU with reset_after. Gates come in the same order: i, f, c, o and
z, r, h.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

LARGEST = 50_000_000  # values of one array; the largest known has 627,200


@dataclass(frozen=True)
class Layer:
    """A layer's arrays by name: kernel, bias ...; those of a bidirectional layer begin with forward_ and backward_."""

    name: str
    arrays: dict[str, np.ndarray]


@dataclass(frozen=True)
class Weights:
    keras_version: str
    layers: tuple[Layer, ...]  # those that have weights, in the file's order, in the file's own layout

    @property
    def cudnn(self) -> bool:
        return any(_cudnn(part) for layer in self.layers for part in _recurrent_parts(layer.arrays).values())


def read(path) -> Weights:
    """All weights of a file.

    Raises: FileNotFoundError; ValueError: it is cut short, is no such file, or points at other files.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing.")
    try:
        with h5py.File(path, "r") as file:
            layers = tuple(_layer(file, _text(name)) for name in file.attrs["layer_names"])
            return Weights(_text(file.attrs.get("keras_version", "")), tuple(x for x in layers if x.arrays))
    except (OSError, KeyError, TypeError, RuntimeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is not a whole weight file of Keras 2 ({error}).") from error


def plain(arrays, *, moments=False) -> dict[str, np.ndarray]:
    """A layer's arrays with recurrent ones in the layout of LSTM and GRU.

    Args:
        moments: arrays are an optimiser's moments. Those of a bias's two halves, which have equal gradients, are not
            added; the merged bias then takes one step where its halves took two.
    Source: Keras 2.3.1, `engine/saving.py`, for what each array means.
    """
    found = dict(arrays)
    for prefix, part in _recurrent_parts(arrays).items():
        if _cudnn(part):
            found |= {prefix + name: value for name, value in _from_cudnn(part, moments).items()}
    return found


def spectral_norm(arrays) -> float:
    """By what a layer divided its kernel: one step of power iteration from its vector `sn`; 1 without one."""
    if "sn" not in arrays:
        return 1.0
    matrix = arrays["kernel"].reshape(-1, arrays["kernel"].shape[-1])
    left = arrays["sn"] @ matrix.T
    return float(np.linalg.norm(left @ matrix) / max(np.linalg.norm(left), 1e-12))


def kind(path) -> str:
    """The name of an array in its layer, of Keras 2 or 3: bidirectional_1/forward_lstm_1/kernel:0 is forward_kernel."""
    *before, last = path.split("/")
    directions = [d for d in ("forward_", "backward_") if any(part.startswith(d) for part in before)]
    return "".join(directions) + last.split(":")[0]


def _recurrent_parts(arrays) -> dict[str, dict]:
    """The kernel, recurrent_kernel and bias of each direction, by the prefix of their names."""
    names = ("kernel", "recurrent_kernel", "bias")
    directions = [p for p in ("", "forward_", "backward_") if all(p + name in arrays for name in names)]
    return {prefix: {name: arrays[prefix + name] for name in names} for prefix in directions}


def _cudnn(part) -> bool:
    return part["bias"].shape == (2 * part["recurrent_kernel"].shape[1],)


def _from_cudnn(part, moments) -> dict[str, np.ndarray]:
    units, width = part["recurrent_kernel"].shape
    gates = width // units
    kernels = np.split(part["kernel"], gates, axis=1)
    recurrent = np.split(part["recurrent_kernel"], gates, axis=1)
    halves = part["bias"].reshape(2, width)
    if gates == 4:
        halves = halves[0] if moments else halves.sum(0)
    return {
        "kernel": np.concatenate([k.T.reshape(k.shape, order="F") for k in kernels], axis=1),
        "recurrent_kernel": np.concatenate([k.T for k in recurrent], axis=1),
        "bias": halves,
    }


def _layer(file, name) -> Layer:
    group = _inside(file, name)
    return Layer(name, {kind(path): _array(group, path) for path in map(_text, group.attrs["weight_names"])})


def _inside(group, path):
    """What lies under a path, refusing links, which may lead out of the file."""
    for part in path.split("/"):
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise ValueError(f"{path!r} is missing or leads elsewhere")
        group = group[part]
    return group


def _array(group, path) -> np.ndarray:
    found = _inside(group, path)
    if found.external or found.is_virtual:
        raise ValueError(f"{path!r} points at another file")
    if found.dtype.kind != "f" or found.size > LARGEST:
        raise ValueError(f"{path!r} has {found.size:,} values of type {found.dtype}; {LARGEST:,} floats are the limit")
    return found[()].astype(np.float32)


def _text(value) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
