"""Games small enough to be solved by hand: the Dirac-GAN with every loss and penalty, and games of two numbers."""

import numpy as np
import tensorflow as tf

from rcgan_nb import stabilisers
from rcgan_nb.games.field import Game, eigenvalues
from rcgan_nb.losses import HARD, LOSSES

# Where the discriminator's constant stands: its best logit where real and fake are alike. Targets 1 and 0 want 1/2.
BIAS = {"least_squares": 0.5}
POINTS = 9  # of the Gauss-Hermite rule, which is exact for polynomials up to degree 17


def dirac(
    loss, *, r1_weight=0.0, r2_weight=0.0, gradient_penalty=0.0, instance_noise=0.0, g_factor=1.0, bias=None
) -> Game:
    """The Dirac-GAN: the real series is 0, the fake one theta, and D(x) = psi x + bias says what it thinks of both.

    The state is (theta, psi), its equilibrium (0, 0). The loss and the penalties are those of the library, weighted as
    in training. With instance_noise both series are normally distributed around where they lie, and the losses are
    means over that; it is also the game of real series of that deviation and a generator that looks for their mean.
    Source: Mescheder et al. 2018, arXiv:1801.04406, section 2. There the constant is 0 and the generator's loss minus
        the discriminator's; ours are those that `losses` pairs.
    """
    pair, bias = LOSSES[loss], BIAS.get(loss, 0.0) if bias is None else bias
    nodes, weights = np.polynomial.hermite_e.hermegauss(POINTS) if instance_noise else (np.zeros(1), np.ones(1))
    noise, law = tf.constant(instance_noise * nodes), tf.constant(weights / weights.sum())

    def penalty(kind, series, psi):
        with tf.GradientTape() as tape:
            tape.watch(series)
            logits = psi * series[:, 0, 0] + bias
        return kind(logits, series, tape)

    def losses(state):
        theta, psi = state[0], state[1]
        fakes = theta + noise
        logits, weights = over_pairs(psi * noise + bias, psi * fakes + bias, law, law)
        total = pair.discriminator(*logits, HARD, weights)
        for weight, kind, series in (
            (r1_weight / 2, stabilisers.gradient_penalty, noise),
            (r2_weight / 2, stabilisers.gradient_penalty, fakes),
            (gradient_penalty, stabilisers.one_norm_penalty, fakes / 2),
        ):
            total += weight * penalty(kind, series[:, None, None], psi) if weight else 0.0
        return pair.generator(*logits, weights), total

    return Game(losses, 1, g_factor)


def over_pairs(real, fake, p, q):
    """Logits and weights of every pair of a real and a fake series, whose laws p and q lie on few points.

    Returns: ((real, fake), (weights of real, of fake)), `(n * m,)` each, as a loss takes them.
    """
    n, m = real.shape[0], fake.shape[0]
    return (tf.repeat(real, m), tf.tile(fake, [n])), (tf.repeat(p, m), tf.tile(q, [n]))


def dirac_settings(config) -> dict:
    """The arguments of `dirac` that a `TheoryConfig` or a `TrainConfig` stands for."""
    names = ("loss", "r1_weight", "r2_weight", "gradient_penalty", "instance_noise", "g_factor")
    return {name: getattr(config, name) for name in names}


def dirac_eigenvalues(loss, **penalties) -> np.ndarray:
    """The two eigenvalues at the Dirac-GAN's equilibrium, by automatic differentiation; arguments as of `dirac`.

    By hand, with c = 1/2 (relativistic, logistic) or 1 (the others) and gamma the sum of r1_weight, r2_weight and of
    instance_noise^2 times 1/2 (relativistic, logistic), 4 (least_squares) or 0 (hinge, wasserstein):
    -gamma / 2 +- sqrt(gamma^2 / 4 - g_factor c^2). There is none with gradient_penalty, whose pull jumps at psi = 0.
    """
    return eigenvalues(dirac(loss, **penalties).jacobian([0.0, 0.0]))


def quadratic(g_curvature, d_curvature, g_pull, d_pull, g_factor=1.0) -> Game:
    """L_G = g_curvature x^2 / 2 + g_pull x y and L_D = d_curvature y^2 / 2 + d_pull x y, the generator holding x.

    Its Jacobian is -[[g_factor g_curvature, g_factor g_pull], [d_pull, d_curvature]] everywhere. A zero-sum game has
    d_pull = -g_pull (what a player's loss owes to the other's number alone moves nobody).
    """

    def losses(state):
        x, y = state[0], state[1]
        return g_curvature * x**2 / 2 + g_pull * x * y, d_curvature * y**2 / 2 + d_pull * x * y

    return Game(losses, 1, g_factor)


def bilinear(g_factor=1.0) -> Game:
    """L_G = x y = -L_D: the Dirac-GAN with the Wasserstein loss, but for the sign of y."""
    return quadratic(0.0, 0.0, 1.0, -1.0, g_factor)


def polynomial(g_factor=1.0) -> Game:
    """The zero-sum game L_G = 2 x^2 + 4 x y + y^2 + 4/3 y^3 - y^4 / 4 = -L_D, with three stationary points (-y, y).

    y = 0 is stable and no local Nash equilibrium, y = 2 + sqrt(2) is both, y = 2 - sqrt(2) neither.
    Source: in the manner of Adolphs et al. 2019, arXiv:1805.05751, section 3.
    """

    def losses(state):
        x, y = state[0], state[1]
        value = 2 * x**2 + 4 * x * y + y**2 + 4 / 3 * y**3 - y**4 / 4
        return value, -value

    return Game(losses, 1, g_factor)
