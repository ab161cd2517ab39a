"""Networks, losses and one training step, by values."""

import numpy as np
import pytest

from rcgan_nb.config import train_config
from rcgan_nb.gan import RCGAN
from rcgan_nb.networks import Shape

TINY = {"hidden_units": 6, "latent_dim": 3, "batch_size": 3}


def tiny(**settings):
    return RCGAN(train_config(**(TINY | settings)), Shape(5, 2, 4))


def test_noise_at_a_step_moves_no_earlier_step():
    gan = tiny()
    noise = gan.noise(1, seed=2)
    moved = noise.copy()
    moved[:, 3] += 1
    one = {"label": np.array([1])}
    difference = np.abs(gan.generate(noise, one) - gan.generate(moved, one))[0].max(1)
    assert (difference[:3] == 0).all() and (difference[3:] > 0).all()


def test_generation_in_blocks_is_generation_at_once(monkeypatch):
    gan = tiny()
    noise, labels = gan.noise(7, seed=0), {"label": np.arange(7) % 4}
    whole = gan.generate(noise, labels)
    monkeypatch.setattr("rcgan_nb.gan.GENERATE_AT_ONCE", 3)
    assert gan.generate(noise, labels) == pytest.approx(whole, abs=1e-6)


def batch(seed=0, d_steps=1):
    random = np.random.default_rng(seed)
    x = random.uniform(-1, 1, (d_steps, 3, 5, 2)).astype(np.float32)
    return x, {"label": random.integers(0, 4, (d_steps, 3)).astype(np.int32)}


@pytest.mark.parametrize("recipe", ["stable", "esteban"])
def test_step_is_a_function_of_seed_and_step(recipe):
    results = []
    for _ in range(2):
        gan = tiny(recipe=recipe)
        for step in (1, 2):
            metrics = gan.train_step(*batch(step), np.int32(step))
        results.append([float(v) for v in metrics.values()] + [v.numpy() for v in gan.variables().values()])
    for one, other in zip(*results, strict=True):
        assert np.array_equal(one, other)
    other_seed = tiny(recipe=recipe, seed=1)
    assert float(other_seed.train_step(*batch(1), np.int32(1))["d_loss"]) != results[0][0]


def test_discriminator_learns_to_tell():
    """With the generator held still, the discriminator's loss falls."""
    gan = tiny(g_factor=0.0, learning_rate=0.01, instance_noise=0.0)
    losses = [float(gan.train_step(*batch(), np.int32(step))["d_loss"]) for step in range(1, 60)]
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.05


def test_d_steps_updates_the_discriminator_so_often(eagerly):
    gan = tiny(d_steps=3)
    gan.train_step(*batch(d_steps=3), np.int32(1))
    assert int(gan.d_optimizer.iterations) == 3 and int(gan.g_optimizer.iterations) == 1


def test_a_penalty_that_is_off_is_off(eagerly):
    gans = [tiny(r2_weight=weight) for weight in (1.0, 0.0)]
    on, off = (float(gan.train_step(*batch(), np.int32(1))["r2"]) for gan in gans)
    assert on > 0 and off == 0


def test_unconditional_has_no_label(eagerly):
    gan = RCGAN(train_config(**TINY), Shape(5, 2))
    assert len(gan.generator.inputs) == len(gan.discriminator.inputs) == 1
    gan.train_step(batch()[0], {}, np.int32(1))
    assert gan.generate(gan.noise(4, seed=0), {}).shape == (4, 5, 2)
