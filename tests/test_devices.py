"""Two logical CPU devices train as one does; this needs a process of its own, for TensorFlow fixes its devices once."""

import subprocess
import sys

import pytest

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
