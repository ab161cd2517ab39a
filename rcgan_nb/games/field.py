"""The vector field of two players' gradients, its Jacobian, and the steps that follow it."""

import numpy as np
import tensorflow as tf

NONE = tf.UnconnectedGradients.ZERO  # a loss may leave out what its player holds


class Game:
    """Two players on one state, each with a loss that it wants low.

    Args:
        losses: function of a float64 tensor `(n,)` that gives the generator's and the discriminator's loss, scalars.
        size: how many of the n numbers are the generator's; they come first.
        g_factor: generator rate / discriminator rate.
    """

    def __init__(self, losses, size=1, g_factor=1.0):
        self.losses, self.size, self.g_factor = losses, size, g_factor

    def _field(self, state):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(state)
            values = self.losses(state)
        of_g, of_d = (tape.gradient(value, state, unconnected_gradients=NONE) for value in values)
        return -tf.concat([self.g_factor * of_g[: self.size], of_d[self.size :]], 0)

    def field(self, state) -> np.ndarray:
        """The direction in which both players move, `(n,)`: dx/dt in the limit of many small steps."""
        return self._field(tf.constant(state, tf.float64)).numpy()

    def jacobian(self, state) -> np.ndarray:
        """Derivative of the field, `(n, n)`: row i has those of the field's i-th number."""
        state = tf.constant(state, tf.float64)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(state)
            rows = tf.unstack(self._field(state))
        return np.stack([tape.gradient(row, state, unconnected_gradients=NONE).numpy() for row in rows])

    def _moves(self, n, d_steps, simultaneous):
        """Who moves, one after the other within a step: a mask `(n,)` for each update."""
        of_g = (np.arange(n) < self.size).astype(float)
        if simultaneous:  # as with shared_forward: the last update is that of both
            return [1.0 - of_g] * (d_steps - 1) + [np.ones(n)]
        return [1.0 - of_g] * d_steps + [of_g]

    def trajectory(self, state, rate, steps, *, d_steps=1, simultaneous=False) -> np.ndarray:
        """All states of so many steps, the first among them: `(steps + 1, n)`.

        A step is d_steps updates of the discriminator and then one of the generator, by plain gradient descent.

        Args:
            simultaneous: the generator moves with the discriminator's last update, and not after it.
        """
        first = tf.constant(state, tf.float64)
        masks = [tf.constant(rate * mask) for mask in self._moves(len(first), d_steps, simultaneous)]

        def step(state, _):
            for mask in masks:
                state = state + mask * self._field(state)
            return state

        # By its graph: a function made anew for every game would warn of that.
        states = tf.function(lambda: tf.scan(step, tf.range(steps), first)).get_concrete_function()()
        return np.concatenate([first[None], states])

    def step_jacobian(self, state, rate, *, d_steps=1, simultaneous=False) -> np.ndarray:
        """Derivative of a step (see `trajectory`), `(n, n)`.

        Steps that begin near a fixed point lead to it where all its eigenvalues are below 1 in absolute value.
        """
        whole = np.eye(len(state))
        for mask in self._moves(len(state), d_steps, simultaneous):
            whole = (np.eye(len(state)) + rate * mask[:, None] * self.jacobian(state)) @ whole
            state = state + rate * mask * self.field(state)
        return whole

    def growth(self, state, rate, *, d_steps=1, simultaneous=False) -> float:
        """By how much a step stretches what is near a fixed point: its Jacobian's largest absolute eigenvalue."""
        whole = self.step_jacobian(state, rate, d_steps=d_steps, simultaneous=simultaneous)
        return float(abs(np.linalg.eigvals(whole)).max())


def eigenvalues(matrix) -> np.ndarray:
    """Complex `(n,)`, that with the largest real part first."""
    found = np.linalg.eigvals(matrix)
    return found[np.lexsort((-found.imag, -found.real))]


def verdict(game, state) -> dict:
    """What first and second derivatives say of a point.

    Returns: field, its norm; real_part, the largest of the Jacobian's eigenvalues; stable, whether that is below 0;
        g_curvature and d_curvature, the least eigenvalue of each player's second derivative of its own loss; nash,
        whether both are above 0. Where the field vanishes, the latter is sufficient for a (strict) local Nash
        equilibrium, and neither of them below 0 is necessary.
    """
    matrix = game.jacobian(state)
    own = -matrix[: game.size, : game.size] / game.g_factor, -matrix[game.size :, game.size :]
    g, d = (float(np.linalg.eigvalsh((block + block.T) / 2).min()) for block in own)
    real = float(eigenvalues(matrix)[0].real)
    found = {"field": float(np.linalg.norm(game.field(state))), "real_part": real, "stable": real < 0}
    return found | {"g_curvature": g, "d_curvature": d, "nash": g > 0 and d > 0}
