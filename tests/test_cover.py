"""2N steps equal N and N, bit for bit, for every network and remedy: each setting's values, and each pair of them.

Here state goes from one network object to a fresh one by `variables()`, as by a checkpoint; test_resume.py does it by
files and processes.
"""

import itertools
from types import SimpleNamespace

import numpy as np
import tensorflow as tf

from rcgan_nb import config as settings
from rcgan_nb import sense
from rcgan_nb.archive import checkpoint
from rcgan_nb.config import train_config
from rcgan_nb.gan import RCGAN
from rcgan_nb.networks import Shape

FACTORS = {
    "generator": settings.GENERATOR_NAMES,
    "discriminator": settings.DISCRIMINATOR_NAMES,
    "g_cell": settings.CELL_NAMES,
    "d_cell": settings.CELL_NAMES,
    "d_bidirectional": (True, False),
    "num_layers": (1, 2),
    "dilation": (1, 2),
    "noise_hold": (1, 0),
    "d_condition": ("projection", "embedding", "classifier"),
    "multi_scale": (0, 1),
    "minibatch_deviation": (False, True),
    "shards": (1, 2),
    "d_steps": (1, 2),
    "shared_forward": (False, True),
    "loss": settings.LOSS_NAMES,
    "d_optimizer": ("adam", "sgd"),
    "balance": ("", "loss", "gradient"),
    "clip_norm": (0.0, 0.1),
    "r1_weight": (0.0, 1.0),
    "r2_weight": (0.0, 1.0),
    "gradient_penalty": (0.0, 10.0),
    "penalty_every": (1, 2),
    "spectral_norm": settings.SPECTRAL,
    "label_smoothing": (0.0, 0.1),
    "label_smoothing_std": (0.0, 0.05),
    "label_smoothing_sides": ("one", "two"),
    "instance_noise_until": (0, 3),
    "average_decay": (0.9, 0.0),
}
TINY = {"hidden_units": 4, "latent_dim": 2, "batch_size": 4, "seed": 3}


DEFAULTS = train_config(**TINY).to_dict()


def valid(row) -> bool:
    if any(found for found, _ in sense.senseless(SimpleNamespace(**(DEFAULTS | row)))):
        return False
    return row["discriminator"] != "rcgan_v4" or row["d_condition"] == "classifier"


def pairs(row):
    return set(itertools.combinations(row.items(), 2))


def cover(seed=0, tries=20):
    """Rows of settings in which every pair of values that can go together does: greedily, from random valid rows."""
    random = np.random.default_rng(seed)

    def draw(fixed):
        for _ in range(500):
            row = {name: values[random.integers(len(values))] for name, values in FACTORS.items()} | dict(fixed)
            if valid(row):
                return row
        return None  # these two never go together

    wanted = set()
    for (a, first), (b, second) in itertools.combinations(FACTORS.items(), 2):
        wanted |= {((a, x), (b, y)) for x in first for y in second}
    rows = []
    while wanted:
        pair = min(wanted, key=str)
        found = [draw(pair) for _ in range(tries if len(rows) < 30 else 5)]
        if found[0] is None:
            wanted.discard(pair)
            continue
        best = max(filter(None, found), key=lambda row: len(pairs(row) & wanted))
        rows.append(best)
        wanted -= pairs(best)
    return rows


def states(gan):
    return {name: np.array(v) for name, v in gan.variables().items()}


def batch(step, d_steps):
    random = np.random.default_rng(step)
    x = random.uniform(-1, 1, (d_steps, 4, 3, 2)).astype(np.float32)
    return x, {"label": random.integers(0, 3, (d_steps, 4)).astype(np.int32)}


def test_every_pair_of_settings_goes_on_exactly():
    rows = cover()
    assert 40 < len(rows) < 120
    tf.config.run_functions_eagerly(True)  # tracing takes longer than a few tiny steps
    try:
        for row in rows:
            made = train_config(**TINY, **row)

            def run(gan, step, config=made):
                metrics = gan.train_step(*batch(step, config.d_steps), np.int32(step))
                return {name: float(v) for name, v in metrics.items()}

            whole, rest = (RCGAN(made, Shape(3, 2, 3)) for _ in range(2))
            run(whole, 1)
            half = states(whole)
            expected = run(whole, 2)
            checkpoint.assign(rest.variables(), half)
            assert run(rest, 2) == expected, row
            assert np.isfinite(list(expected.values())).all(), row
            one, other = states(whole), states(rest)
            assert all(np.array_equal(one[name], other[name]) for name in one), row
    finally:
        tf.config.run_functions_eagerly(False)
