"""Series made by other people's systems from the same training part and in the same time as ours."""

import dataclasses
import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.peers import driver
from benchmarks.step import PEERS
from rcgan_nb.data.codec import filled, held, means

MODELS = {"tsgm_cgan": "cgan", "tsgm_timegan": "timegan"}


def made(peer, train, *, seconds, seed=0):
    """As many series as `train` has, with its labels, masks and lengths, by a peer trained on it.

    The peers know no masks: they learn from series whose gaps are filled. They know no static values or conditions
    either; the set that comes back has none.

    Args:
        peer: tsgm_cgan or tsgm_timegan.
        train: SeriesSet.
        seconds: budget of training; neither building and compiling nor drawing is charged.
    Returns: SeriesSet, each feature within its range in `train`.
    Raises: ValueError: the peer is not known. NotRun: it cannot be installed, it failed, or it drew NaN.
    """
    if peer not in MODELS:
        raise ValueError(f"peer {peer!r} is not known; known: {', '.join(MODELS)}.")
    name, _, requirements = PEERS["tsgm"]
    interpreter = driver.python(name, requirements)
    x = held(filled(train, means(train)), train.lengths).astype(np.float32)
    low, high = x.min((0, 1)), x.max((0, 1))
    labels = {} if train.y is None else {"y": train.y, "wanted": train.y}
    with tempfile.TemporaryDirectory() as folder:
        given, drawn = (str(Path(folder) / name) for name in ("given.npz", "drawn.npz"))
        np.savez(given, x=scaled(x, low, high), **labels)
        settings = {"model": MODELS[peer], "input": given, "output": drawn, "seconds": seconds, "seed": seed}
        _run(interpreter, settings | {"count": len(train)})
        with np.load(drawn, allow_pickle=False) as file:
            values, y = file["x"], None if train.y is None else file["y"].astype(np.int32)
    if not np.isfinite(values).all():
        raise driver.NotRun(f"{peer} drew {int((~np.isfinite(values)).sum())} values that are no numbers")
    values = np.where(train.valid, unscaled(values, low, high), 0).astype(np.float32)
    apart = {"groups": None, "split": None, "static": None, "conditions": None}
    return dataclasses.replace(train, x=values, y=y, **apart)


def _run(interpreter, settings):
    """Run the peer; its lines of progress are ours. Raises: NotRun: it ended with an error."""
    quiet = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    command = [interpreter, "-m", "benchmarks.peers.tsgm_made", json.dumps(settings)]
    with tempfile.TemporaryFile("w+") as log:
        done = subprocess.run(command, stderr=log, cwd=driver.ROOT, env=os.environ | quiet)
        log.seek(0)
        if done.returncode:
            raise driver.NotRun(driver._reason(log.read()))


def scaled(x, low, high) -> np.ndarray:
    """x `(..., features)` in [0, 1] for `low` and `high` `(features,)`; a constant feature is 0."""
    return ((x - low) / np.where(high > low, high - low, 1)).astype(np.float32)


def unscaled(x, low, high) -> np.ndarray:
    """The inverse of `scaled`."""
    return low + x * (high - low)
