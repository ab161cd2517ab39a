"""Networks, losses and one training step, by values."""

import numpy as np
import pytest

from rcgan_nb.config import train_config

tf = pytest.importorskip("tensorflow")

from rcgan_nb import stabilisers  # noqa: E402
from rcgan_nb.gan import RCGAN  # noqa: E402
from rcgan_nb.losses import LOSSES  # noqa: E402
from rcgan_nb.networks import DISCRIMINATORS, GENERATORS  # noqa: E402

TINY = {"hidden_units": 6, "latent_dim": 3, "batch_size": 3}


def tiny(**settings):
    return RCGAN(train_config(**(TINY | settings)), seq_len=5, num_features=2, num_classes=4)


def test_losses_by_hand():
    real, fake = tf.constant([1.0, -2.0]), tf.constant([0.5, 3.0])

    def soft(v):
        return np.log1p(np.exp(v))

    d, g = (float(loss(real, fake)) for loss in LOSSES["logistic"])
    assert d == pytest.approx((soft(-1) + soft(2)) / 2 + (soft(0.5) + soft(3)) / 2)
    assert g == pytest.approx((soft(-0.5) + soft(-3)) / 2)
    d, g = (float(loss(real, fake)) for loss in LOSSES["relativistic"])
    assert d == pytest.approx((soft(0.5 - 1) + soft(3 + 2)) / 2)
    assert g == pytest.approx((soft(1 - 0.5) + soft(-2 - 3)) / 2)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_pull_the_right_way(name):
    """The discriminator's loss falls with real and rises with fake logits, the generator's falls with fake ones."""
    real, fake = tf.Variable([0.3, -0.1]), tf.Variable([0.2, 0.4])
    for loss, signs in zip(LOSSES[name], ((-1, 1), (None, -1)), strict=True):
        with tf.GradientTape() as tape:
            value = loss(real, fake)
        for gradient, sign in zip(tape.gradient(value, [real, fake]), signs, strict=True):
            if sign:
                assert gradient is not None and (np.sign(gradient) == sign).all()


def test_gradient_penalty_of_a_known_function():
    x = tf.constant(np.arange(30.0).reshape(3, 5, 2), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = tf.reduce_sum(x**2, axis=(1, 2))  # gradient 2x
    expected = np.mean((4 * x.numpy() ** 2).sum((1, 2)))
    assert float(stabilisers.gradient_penalty(logits, x, tape)) == pytest.approx(expected)


def test_average_follows():
    average, variable = tf.Variable([0.0]), tf.Variable([1.0])
    stabilisers.follow([average], [variable], 0.9, tf.constant(1000))
    assert average.numpy() == pytest.approx([0.1])
    stabilisers.follow([average], [variable], 0.999, tf.constant(0))  # at first quickly: decay (1 + 0) / (10 + 0)
    assert average.numpy() == pytest.approx([0.1 * 0.1 + 0.9])


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("discriminator", DISCRIMINATORS)
def test_each_series_keeps_its_own_condition(generator, discriminator):
    """Permuting labels permutes what is made and judged; changing one label changes that series and no other."""
    gan = tiny(generator=generator, discriminator=discriminator)
    noise = np.repeat(gan.noise(1, seed=1), 3, axis=0)
    made = gan.generate(noise, [0, 1, 3])
    again = gan.generate(noise, [3, 1, 0])
    assert made == pytest.approx(again[::-1], abs=1e-6)
    assert np.abs(made[0] - made[1]).max() > 1e-4
    judged = gan.discriminator([np.repeat(made[:1], 3, axis=0), np.array([0, 1, 3])]).numpy().reshape(3, -1)
    other = gan.discriminator([np.repeat(made[:1], 3, axis=0), np.array([0, 2, 3])]).numpy().reshape(3, -1)
    assert (judged[[0, 2]] == other[[0, 2]]).all() and np.abs(judged[1] - other[1]).max() > 1e-6


def test_noise_at_a_step_moves_no_earlier_step():
    gan = tiny()
    noise = gan.noise(1, seed=2)
    moved = noise.copy()
    moved[:, 3] += 1
    difference = np.abs(gan.generate(noise, [1]) - gan.generate(moved, [1]))[0].max(1)
    assert (difference[:3] == 0).all() and (difference[3:] > 0).all()


def test_generation_in_blocks_is_generation_at_once(monkeypatch):
    gan = tiny()
    noise, labels = gan.noise(7, seed=0), np.arange(7) % 4
    whole = gan.generate(noise, labels)
    monkeypatch.setattr("rcgan_nb.gan.GENERATE_AT_ONCE", 3)
    assert gan.generate(noise, labels) == pytest.approx(whole, abs=1e-6)


def batch(seed=0, d_steps=1):
    random = np.random.default_rng(seed)
    x = random.uniform(-1, 1, (d_steps, 3, 5, 2)).astype(np.float32)
    return x, random.integers(0, 4, (d_steps, 3)).astype(np.int32)


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
    x, y = batch()
    losses = [float(gan.train_step(x, y, np.int32(step))["d_loss"]) for step in range(1, 60)]
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.05


def test_d_steps_updates_the_discriminator_so_often():
    gan = tiny(d_steps=3)
    gan.train_step(*batch(d_steps=3), np.int32(1))
    assert int(gan.d_optimizer.iterations) == 3 and int(gan.g_optimizer.iterations) == 1


def test_a_penalty_that_is_off_is_off():
    gans = [tiny(r2_weight=weight) for weight in (1.0, 0.0)]
    on, off = (float(gan.train_step(*batch(), np.int32(1))["r2"]) for gan in gans)
    assert on > 0 and off == 0


def test_unconditional_has_no_label():
    gan = RCGAN(train_config(**TINY), seq_len=5, num_features=2, num_classes=0)
    assert len(gan.generator.inputs) == len(gan.discriminator.inputs) == 1
    x, y = batch()
    gan.train_step(x, y, np.int32(1))
    assert gan.generate(gan.noise(4, seed=0)).shape == (4, 5, 2)
