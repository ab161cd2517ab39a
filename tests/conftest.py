"""Every test gets a runs folder of its own; the data folder stays the user's (RCGAN_DATA)."""

import os

import numpy as np
import pytest

from rcgan_nb.series import SeriesSet, split

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")  # as op_threads, in whatever order tests run


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("RCGAN_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def small():
    """60 series of 5 steps, 2 features and 4 classes: sizes all different, so that swapped axes cannot pass."""
    random = np.random.default_rng(5)
    x = random.normal(size=(60, 5, 2)).astype(np.float32)
    y = np.arange(60, dtype=np.int32) % 4
    x += 3 * y[:, None, None]
    return SeriesSet(x=x, y=y, classes=tuple("abcd"), split=split(60, labels=y), info={"name": "small"})
