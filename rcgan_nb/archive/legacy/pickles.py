"""States of Keras 2 optimisers, pickled by `pickle.dump(optimizer.get_weights(), file)`, read without running anything.

A pickle is a program. Here it may make lists, numbers and arrays of numbers, and nothing else: every name it asks for
is looked up in ALLOWED, and a name that is not there ends the reading. What it gets are stand-ins: NumPy's own classes
would take pointers, and flags of memory, from the file.
"""

import io
import pickle
import pickletools
import re
from pathlib import Path

import numpy as np

LARGEST = 2**28  # bytes; the largest known state has 17 million


class _Refused(Exception):
    pass


class _Kind:
    """In place of a NumPy dtype: of the state that the file gives it, only the order of bytes counts."""

    def __init__(self, code):
        if not re.fullmatch("[fiu][1248]", code):
            raise _Refused(f"an array of {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state):
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """In place of a NumPy array: its numbers are copied from the bytes in the file."""

    value = None

    def __setstate__(self, state):
        _, shape, kind, by_columns, data = state
        self.value = np.frombuffer(data, kind.dtype).reshape(shape, order="F" if by_columns else "C").copy()


# Functions and a text, no classes: a pickle may set the attributes of what it gets.
def _dtype(code, *_):
    return _Kind(code)


def _reconstruct(*_):
    return _Array()


def _scalar(kind, data):
    return np.frombuffer(data, kind.dtype)[0]


# The names that NumPy's pickles ask for, before and since NumPy 2.
ALLOWED = {
    (module, name): value
    for module in ("numpy.core.multiarray", "numpy._core.multiarray")
    for name, value in (("_reconstruct", _reconstruct), ("scalar", _scalar))
} | {("numpy", "ndarray"): "ndarray", ("numpy", "dtype"): _dtype}


def read(path) -> list[np.ndarray]:
    """The arrays of an optimiser's state.

    Raises: ValueError: the file asks for anything else than NumPy arrays (the message names it; nothing of it has run),
        is cut short, or holds something else.
    """
    path = Path(path)
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes; an optimiser's state has {LARGEST:,} at most.")
    data = path.read_bytes()
    try:
        _require_small_memo(data)
        found = _Reader(io.BytesIO(data)).load()
    except _Refused as error:
        raise ValueError(
            f"{path} asks for {error}, which no optimiser's state needs; it was refused and did not run. Do not open "
            "this file by other means; import without it, or take a copy from whom you trust."
        ) from None
    except Exception as error:  # a damaged program may fail in any way
        raise ValueError(f"{path} is not a whole pickle of an optimiser's state ({error}).") from error
    values = [getattr(value, "value", value) for value in found] if isinstance(found, list) else []
    arrays = [np.asarray(value) for value in values]
    if not arrays or any(array.dtype.kind not in "fiu" for array in arrays):
        raise ValueError(f"{path} holds no list of arrays of numbers, which is what an optimiser's state is.")
    return arrays


class _Reader(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in ALLOWED:
            raise _Refused(f"{module}.{name}")
        return ALLOWED[module, name]


def _require_small_memo(data):
    """Python makes room for the largest index that a pickle stores under: a few bytes could ask for gigabytes."""
    for operation, argument, _ in pickletools.genops(data):
        if "PUT" in operation.name and int(argument) > len(data):
            raise ValueError(f"it stores under {argument}, beyond its own {len(data)} bytes")
