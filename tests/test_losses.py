"""Losses against numbers worked out by hand, and which way they pull."""

import numpy as np
import pytest
import tensorflow as tf

from rcgan_nb.losses import LOSSES

REAL, FAKE = np.array([1.0, -2.0]), np.array([0.5, 3.0])


def soft(v):
    return np.log1p(np.exp(v))


BY_HAND = {
    "logistic": ((soft(-1) + soft(2)) / 2 + (soft(0.5) + soft(3)) / 2, (soft(-0.5) + soft(-3)) / 2),
    "relativistic": ((soft(0.5 - 1) + soft(2 + 3)) / 2, (soft(1 - 0.5) + soft(-2 - 3)) / 2),
    "least_squares": ((0 + 9) / 2 + (0.25 + 9) / 2, (0.25 + 4) / 2),
    "hinge": ((0 + 3) / 2 + (1.5 + 4) / 2, -3.5 / 2),
    "wasserstein": (3.5 / 2 - (-1.0) / 2, -3.5 / 2),
}


@pytest.mark.parametrize("name", LOSSES)
def test_by_hand(name):
    real, fake = tf.constant(REAL), tf.constant(FAKE)
    d, g = BY_HAND[name]
    assert float(LOSSES[name].discriminator(real, fake)) == pytest.approx(d)
    assert float(LOSSES[name].generator(real, fake)) == pytest.approx(g)


@pytest.mark.parametrize("name", LOSSES)
def test_pulls_the_right_way(name):
    """The discriminator's loss falls with real and rises with fake logits, the generator's falls with fake ones."""
    real, fake = tf.Variable([0.3, -0.1]), tf.Variable([0.2, 0.4])
    for loss, signs in zip(LOSSES[name][:2], ((-1, 1), (None, -1)), strict=True):
        with tf.GradientTape() as tape:
            value = loss(real, fake)
        for gradient, sign in zip(tape.gradient(value, [real, fake]), signs, strict=True):
            if sign:
                assert gradient is not None and (np.sign(gradient) == sign).all()


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.balanced])
def test_balanced_is_the_loss_where_nobody_can_tell(name):
    """At equal logits for real and fake, the best logit gives that loss."""
    logits = np.linspace(-2, 2, 401)
    values = [float(LOSSES[name].discriminator(tf.constant([v]), tf.constant([v]))) for v in logits]
    assert min(values) == pytest.approx(LOSSES[name].balanced, abs=1e-4)


def test_soft_targets_by_hand():
    real, fake = tf.constant(REAL), tf.constant(FAKE)
    d = LOSSES["logistic"].discriminator(real, fake, (0.9, 0.2))
    expected = np.mean(0.9 * soft(-REAL) + 0.1 * soft(REAL)) + np.mean(0.2 * soft(-FAKE) + 0.8 * soft(FAKE))
    assert float(d) == pytest.approx(expected)
    d = LOSSES["least_squares"].discriminator(real, fake, (0.9, 0.2))
    assert float(d) == pytest.approx(np.mean((REAL - 0.9) ** 2) + np.mean((FAKE - 0.2) ** 2))
    d = LOSSES["relativistic"].discriminator(real, fake, (0.9, 0.0))
    assert float(d) == pytest.approx(np.mean(0.9 * soft(FAKE - REAL) + 0.1 * soft(REAL - FAKE)))
    own = tf.constant([0.8, 1.0], tf.float64)  # a target per series
    d = LOSSES["logistic"].discriminator(real, fake, (own, 0.0))
    assert float(d) == pytest.approx((0.8 * soft(-1) + 0.2 * soft(1) + soft(2)) / 2 + np.mean(soft(FAKE)))


@pytest.mark.parametrize("name", LOSSES)
def test_logits_after_the_end_count_nothing(name):
    """A loss per step with weights is that of the steps that there are."""
    random = np.random.default_rng(0)
    real, fake = (random.normal(size=(2, 3)) for _ in range(2))
    there = np.array([[1, 1, 0], [1, 0, 0]], np.float64)
    loss = LOSSES[name]
    for compute in (
        lambda r, f, w: loss.discriminator(r, f, (1.0, 0.0), w),
        lambda r, f, w: loss.generator(r, f, w),
    ):
        whole = compute(tf.constant(real), tf.constant(fake), (tf.constant(there), tf.constant(there)))
        odd = compute(tf.constant(real + 9 * (1 - there)), tf.constant(fake - 9 * (1 - there)), (there, there))
        kept = compute(tf.constant(real[there > 0]), tf.constant(fake[there > 0]), (None, None))
        assert float(whole) == pytest.approx(float(odd)) == pytest.approx(float(kept))
