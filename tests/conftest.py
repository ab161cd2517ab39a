"""Every test gets a runs folder of its own; the data folder stays the user's (RCGAN_DATA)."""

import dataclasses
import os
import runpy
import signal
import socket
from pathlib import Path

import numpy as np
import pytest

from rcgan_nb.series import SeriesSet, split

# A shell lets what it runs in the background ignore Ctrl-C, and so would every process that a test stops by it.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")  # as op_threads, in whatever order tests run


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("RCGAN_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("RCGAN_CONFIG", str(tmp_path / "personal"))  # no test writes to the user's outbox
    return tmp_path / "runs"


@pytest.fixture
def small():
    """60 series of 5 steps, 2 features and 4 classes: sizes all different, so that swapped axes cannot pass."""
    random = np.random.default_rng(5)
    x = random.normal(size=(60, 5, 2)).astype(np.float32)
    y = np.arange(60, dtype=np.int32) % 4
    x += 3 * y[:, None, None]
    return SeriesSet(x=x, y=y, classes=tuple("abcd"), split=split(60, labels=y), info={"name": "small"})


@pytest.fixture
def conditioned(small):
    """The small set with 3 static values and 6 conditions per step; each row's values tell which row it is."""
    row = np.arange(60.0)
    static = np.stack([row, -2 * row, np.full(60, 7.0)], 1)
    conditions = 100 * row[:, None, None] + 10 * np.arange(5)[:, None] + np.arange(6)
    return dataclasses.replace(small, static=static, conditions=conditions)


@pytest.fixture(scope="session")
def made_persons():
    """A function that makes 12 known persons with 8 training and 4 test series each, 40 strangers with 2 test series.

    Series are sines or saws (the label) with noise, 10 steps of two features. A person is an offset, normal with this
    deviation and for equal `who` the same.
    """

    def persons(seed, *, who=0, deviation=3.0):
        people = np.random.default_rng([100, who]).normal(size=(52, 2))
        offsets = deviation * np.concatenate([np.repeat(people[:12], 12, axis=0), np.repeat(people[12:], 2, axis=0)])
        random = np.random.default_rng(seed)
        y = (np.arange(len(offsets)) % 2).astype(np.int32)
        time = np.linspace(0, 1, 10)
        shapes = np.stack([np.sin(2 * np.pi * time), 1 - 2 * time])[y]
        noise = 0.2 * random.normal(size=(len(y), 10, 2))
        names = [f"known {k // 12}" if k < 144 else f"stranger {(k - 144) // 2}" for k in range(len(y))]
        parts = np.where((np.arange(len(y)) % 12 < 8) & (np.arange(len(y)) < 144), 0, 2)
        return SeriesSet(
            x=(offsets[:, None] + shapes[:, :, None] + noise).astype(np.float32),
            y=y,
            classes=("sine", "saw"),
            groups=np.array(names),
            split=parts.astype(np.int8),
        )

    return persons


@pytest.fixture(scope="session")
def runs_with(tmp_path_factory):
    """A function that trains a short run on a set, once for each name."""
    from rcgan_nb import train

    folder, made = tmp_path_factory.mktemp("conditioned"), {}

    settings = {"steps": 2, "hidden_units": 8, "batch_size": 4, "r1_weight": 0, "r2_weight": 0}

    def run_with(s, name):
        if name not in made:
            path = s.save(folder / f"{name}.npz")
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("RCGAN_RUNS", str(folder / "runs"))
                made[name] = train(dataset=str(path), run_name=name, **settings)
        return made[name]

    return run_with


@pytest.fixture
def eagerly():
    """Tracing a training step takes longer than a few tiny steps."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def drive(tmp_path, monkeypatch):
    """A Drive on loopback with the folder rcgan_nb/runs, whose id is `runs`; a service account is signed in.

    No socket leads to another machine, in this process and in those it starts.
    """
    from drive_server import LocalDrive

    loopback, key = Path(__file__).parent / "loopback", tmp_path / "key.json"
    monkeypatch.setattr(socket.socket, "connect", socket.socket.connect)  # put back afterwards
    runpy.run_path(str(loopback / "sitecustomize.py"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(loopback), str(loopback.parents[1])]))
    server = LocalDrive()
    server.add("runs", parent=server.add("rcgan_nb"), id="runs")
    key.write_text(server.service_account())
    settings = {"RCGAN_DRIVE_URL": server.url, "RCGAN_DRIVE_KEY": str(key), "RCGAN_DRIVE_PAUSE": "0.001"}
    for name, value in (settings | {"XDG_CONFIG_HOME": str(tmp_path / "config")}).items():
        monkeypatch.setenv(name, value)
    yield server
    server.stop()


@pytest.fixture
def here(runs, drive):
    runs.mkdir()
    return runs


@pytest.fixture(scope="module")
def sshd():
    from cluster_servers import HAS_SSHD, Sshd

    if not HAS_SSHD:
        pytest.skip("runs where sshd and rsync are installed (Debian: openssh-server, rsync)")
    server = Sshd()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def slurm():
    from cluster_servers import HAS_SLURM, Slurm

    if not HAS_SLURM:
        pytest.skip("runs where Slurm is installed (Debian: slurm-wlm)")
    server = Slurm()
    yield server
    server.stop()
