"""Parts of a run in files of their own: the generator, all weights, or series."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np

from rcgan_nb.archive.run import Run
from rcgan_nb.generation import generate, networks, write, write_provenance

FORMS = {
    ".keras": "the generator, for keras.saving.load_model where rcgan_nb is installed",
    "": "the generator as TensorFlow SavedModel (a folder), for any TensorFlow",
    ".npz": "weights of both networks and their optimisers, or with a count series",
    ".h5": "the same weights for HDF5",
    ".csv": "series, with a count",
    ".parquet": "series, with a count",
}  # suffix -> what is written


def extract(run: Run, output, *, which="last", count=0, seed=0) -> Path:
    """Write a part of a run, and its provenance beside it; the suffix of `output` says which (see FORMS).

    Args:
        which: 'last' or 'best' checkpoint.
        count: for series, how many; with it `.npz` are series, too.
        seed: of the series.
    Returns: the file or folder, whole or not there.
    Raises: ValueError: the suffix is not known, or does not go with the count. FileExistsError: it is there already.
        FileNotFoundError: the folder it goes to is not there, or the run has no whole checkpoint.
    """
    output = Path(output).expanduser()
    kind = output.suffix.lower()
    if kind not in FORMS:
        raise ValueError(f"{output.name}: {kind!r} is not written; known: {', '.join(map(repr, FORMS))}.")
    if (kind in (".csv", ".parquet")) > bool(count):
        raise ValueError(f"{output.name} holds series; say how many by a count.")
    if count and kind in (".keras", "", ".h5"):
        raise ValueError(f"{output.name} holds no series; leave the count out, or write .npz, .csv or .parquet.")
    if output.exists():
        raise FileExistsError(f"{output} is there already; choose another name, or remove it.")
    if not output.absolute().parent.is_dir():
        raise FileNotFoundError(f"there is no folder {output.absolute().parent}; make it first.")
    partial = output.with_name(f".partial-{output.name}")
    try:
        if count:
            write(generate(run, count=count, seed=seed, which=which), partial)
        else:
            _write_networks(run, partial, which)
        os.replace(partial, output)
        write_provenance(run, output, which, {"count": count, "seed": seed})
    finally:
        shutil.rmtree(partial) if partial.is_dir() else partial.unlink(missing_ok=True)
    return output


def _write_networks(run, path, which):
    gan = networks(run, which)
    if path.suffix == ".keras":
        gan.averaged.save(path)
    elif not path.suffix:
        gan.averaged.export(path, verbose=False)
    elif path.suffix == ".npz":
        np.savez(path, **_named(gan), config=np.array(json.dumps(run.config.to_dict())))
    else:
        _write_hdf5(path, _named(gan), run.config)


def _named(gan) -> dict[str, np.ndarray]:
    """Every weight and moment by owner and path, as in `generator/lstm/lstm_cell/kernel`."""
    owners = {
        "generator": gan.generator,
        "averaged": gan.averaged,
        "discriminator": gan.discriminator,
        "g_optimizer": gan.g_optimizer,
        "d_optimizer": gan.d_optimizer,
    }
    if gan.averaged is gan.generator:
        del owners["averaged"]
    found = {owner: list(of.variables) for owner, of in owners.items()}
    names = {owner: stable_names([v.path for v in variables]) for owner, variables in found.items()}
    return {f"{o}/{n}": np.asarray(v) for o in found for n, v in zip(names[o], found[o], strict=True)}


def stable_names(paths) -> list[str]:
    """Paths of variables with every part numbered anew below its parent: Keras counts layers over a whole process."""
    known, names = {}, []
    for path in paths:
        name = ""
        for part in path.split("/"):
            base = re.sub(r"_\d+$", "", part)
            of_parent = known.setdefault((name, base), {})
            k = of_parent.setdefault(part, len(of_parent))
            name = f"{name}/{base}{f'_{k}' if k else ''}"
        names.append(name[1:])
    return names


def _write_hdf5(path, arrays, config):
    import h5py

    with h5py.File(path, "w") as file:
        for name, value in arrays.items():
            file[name] = value
        file.attrs["config"] = json.dumps(config.to_dict())
