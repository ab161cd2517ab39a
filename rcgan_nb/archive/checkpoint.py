"""The whole state of a training run as one .npz without pickles, written so that it is whole or not there."""

import json
import os
import zipfile
from pathlib import Path

import numpy as np

FORMAT = 1


def write(path, arrays: dict, **meta) -> Path:
    """Write named arrays and plain values; a crash at any moment leaves the old file or the new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as file:
        np.savez(file, meta=np.array(json.dumps({"format": FORMAT, **meta})), **arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    return path


def read(path) -> tuple[dict, dict]:
    """Arrays and plain values of a checkpoint.

    Raises: ValueError: cut short, altered (every array carries a checksum), or written by a newer version.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(str(arrays.pop("meta")))
    except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a whole checkpoint ({error}).") from error
    if meta["format"] > FORMAT:
        raise ValueError(
            f"{path} has checkpoint format {meta['format']}, this version reads up to {FORMAT}; update rcgan_nb."
        )
    return arrays, meta


def assign(variables: dict, arrays: dict):
    """Give Keras variables the values of a checkpoint, refusing other names, shapes or types."""
    if variables.keys() != arrays.keys():
        odd = sorted(variables.keys() ^ arrays.keys())
        raise ValueError(f"the checkpoint belongs to other networks; only one side has {odd[:5]}.")
    for name, variable in variables.items():
        value = arrays[name]
        if tuple(variable.shape) != value.shape or variable.numpy().dtype != value.dtype:
            raise ValueError(
                f"the checkpoint belongs to other networks: {name} is {value.dtype} {value.shape} in the file, "
                f"{variable.numpy().dtype} {tuple(variable.shape)} in the network."
            )
        variable.assign(value)
