"""Two logical CPU devices, or two machines, train as one does.

This needs processes of their own, for TensorFlow fixes its devices once.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from rcgan_nb.archive import checkpoint
from rcgan_nb.archive.run import Run

PROGRAM = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from rcgan_nb.config import train_config
from rcgan_nb.gan import RCGAN
from rcgan_nb.networks import Shape

def losses(num_devices, **settings):
    config = train_config(hidden_units=6, latent_dim=3, batch_size=8, num_devices=num_devices, **settings)
    gan = RCGAN(config, Shape(5, 2, 3))
    random = np.random.default_rng(0)
    found = []
    for step in range(1, 6):
        x = random.uniform(-1, 1, (1, 8, 5, 2)).astype(np.float32)
        label = random.integers(0, 3, (1, 8)).astype(np.int32)
        metrics = gan.train_step(x, {"label": label}, np.int32(step))
        found.append([float(metrics[k]) for k in ("d_loss", "g_loss", "r1", "d_grad", "g_grad", "g_update")])
    made = gan.generate(gan.noise(3, 0), {"label": np.arange(3, dtype=np.int32)})
    return np.array(found), made

for settings in ({}, {"spectral_norm": "both", "clip_norm": 0.1, "balance": "gradient", "shared_forward": True}):
    (one, made), (two, made_by_two) = losses(1, **settings), losses(2, **settings)
    np.testing.assert_allclose(two[0, :-1], one[0, :-1], rtol=1e-3)  # Adam makes much of the last bits: g_update
    np.testing.assert_allclose(two[:, :2], one[:, :2], rtol=1e-3)
    np.testing.assert_allclose(made_by_two, made, atol=1e-2)
    assert np.abs(one[1:] - one[:-1]).min() > 1e-6
print("alike")
"""


def test_two_devices_train_as_one():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=400)
    assert done.stdout.endswith("alike\n"), done.stderr[-3000:]


def test_devices_that_are_not_there_are_refused():
    from rcgan_nb import train

    with pytest.raises(ValueError, match=r"num_devices is 4, but TensorFlow sees 1: .*CPU:0\. Lower it"):
        train(dataset="digits", num_devices=4, steps=2)


MACHINE = "import json, sys; from rcgan_nb import train; train(**json.loads(sys.argv[1]))"


def on_machines(folders, **settings):
    """Train in one process for each folder, several as machines that know of each other; what each said at last."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in folders]
        machines = [f"127.0.0.1:{server.getsockname()[1]}" for server in found]
    processes = []
    for i, folder in enumerate(folders):
        task = {"cluster": {"worker": machines}, "task": {"type": "worker", "index": i}}
        environment = os.environ | {"RCGAN_RUNS": str(folder), "TF_CONFIG": json.dumps(task)}
        command = [sys.executable, "-c", MACHINE, json.dumps({"num_devices": len(folders), **settings})]
        processes.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    return [process.communicate(timeout=400)[0][-2000:] for process in processes]


def weights(folder):
    arrays, meta = checkpoint.read(Run(folder / "run").checkpoint())
    return meta["step"], {name: v for name, v in arrays.items() if name.startswith(("generator", "discriminator"))}


def test_two_machines_train_as_one_and_go_on_from_the_same_step_only(tmp_path):
    small = {"dataset": "digits", "run_name": "run", "hidden_units": 6, "batch_size": 16, "checkpoint_every": 2}
    small |= {"steps": 4, "log_every": 1, "watch_every": 4, "sample_every": 4}
    two, alone = [tmp_path / "a", tmp_path / "b"], [tmp_path / "alone"]
    said = on_machines(two, **small), on_machines(alone, **small)
    (step, first), (_, second) = map(weights, two)
    assert step == 4, said
    for name in first:
        assert np.array_equal(first[name], second[name]), name
    together, single = (Run(folder / "run").metrics() for folder in (two[0], alone[0]))
    for figure in ("d_loss", "g_loss", "d_grad", "g_grad"):
        np.testing.assert_allclose(together[figure], single[figure], rtol=2e-2, err_msg=figure)
    Run(two[1] / "run").checkpoint().unlink()
    for text in on_machines(two, resume="run", steps=6):
        assert "the machines stand at the steps [4, 2]; give each a copy of the same run's folder." in text
