"""The game of a trained run: eigenvalues of its Jacobian without the Jacobian, by products with vectors."""

import dataclasses

import numpy as np
import tensorflow as tf

from rcgan_nb.archive import checkpoint
from rcgan_nb.data.codec import Codec
from rcgan_nb.generation import networks, training_data

NONE = tf.UnconnectedGradients.ZERO
DRAWN = 13  # beside the seed, so that no other use of it draws the same series
RESTARTS = 100  # of Arnoldi's and Lanczos' methods; a handful are usual


class TrainedGame:
    """The field of both players' gradients in a run's networks, on one fixed batch of training series and noise.

    Losses, penalties and instance noise are those that the run was trained with, and so are both players' gradients:
    `RCGAN` gives them, each player's with respect to its own weights. Penalties that come every few steps count as
    their mean over steps. The batch stands for the law: with other series and noise the field differs a little.

    Args:
        run: a finished Run.
        which: last or best, the checkpoint.
        batch_size: series in the batch.
        seed: chooses them.
    Attributes:
        sizes: numbers of weights, the generator's and the discriminator's, which is also their order.
        gradient: both players' gradients as they stand, `(n,)`; zero at a stationary point only.
    Raises: ValueError: networks with dropout, which differ from call to call.
    """

    def __init__(self, run, which="last", *, batch_size=128, seed=0):
        if "rcgan_v4" in (run.config.generator, run.config.discriminator):
            raise ValueError(f"run {run.name} has dropout (rcgan_v4), so that its field is drawn anew at every call.")
        self.gan = networks(run, which)
        self.gan.config = dataclasses.replace(self.gan.config, penalty_every=1)
        self.step = checkpoint.read(run.checkpoint(which))[1]["step"]
        self._batch = self._fixed(run, batch_size, seed)
        players = self.gan.generator, self.gan.discriminator
        self._variables = [[variable.value for variable in player.trainable_variables] for player in players]
        self._shapes = [variable.shape for owned in self._variables for variable in owned]
        self.sizes = [sum(int(np.prod(variable.shape)) for variable in owned) for owned in self._variables]
        self.gradient = _flat(self._gradients()).numpy().astype(float)
        self._product = tf.function(self._directional, autograph=False)

    def _fixed(self, run, batch_size, seed):
        data = training_data(run).part("train")
        data = data.take(np.random.default_rng([seed, DRAWN]).permutation(len(data))[:batch_size])
        codec = Codec.from_json(run.data["codec"], data)
        conditions = {name: tf.constant(values) for name, values in codec.conditions(data).items()}
        return self.gan._batch(tf.constant(codec.encode(data)), conditions, tf.constant(self.step), 0)

    def _gradients(self):
        (of_d,), _ = self.gan._d_gradients(self._batch, True)
        (of_g,), _ = self.gan._g_gradients(self._batch)
        return [tf.convert_to_tensor(gradient) for gradient in (*of_g, *of_d)]

    def _directional(self, vector):
        """Forward over reverse: how both players' gradients change when all weights move along a vector."""
        weights = [variable for owned in self._variables for variable in owned]
        parts = tf.split(vector, [int(np.prod(shape)) for shape in self._shapes])
        tangents = [tf.reshape(part, shape) for part, shape in zip(parts, self._shapes, strict=True)]
        with tf.autodiff.ForwardAccumulator(weights, tangents) as forward:
            gradients = self._gradients()
        return -_flat([forward.jvp(gradient, unconnected_gradients=NONE) for gradient in gradients])

    def product(self, vector) -> np.ndarray:
        """The Jacobian of v = (-dL_G/dtheta, -dL_D/dpsi) times a vector, `(n,)`, in single precision."""
        return self._product(tf.constant(np.ravel(vector), tf.float32)).numpy().astype(float)

    def rates(self, g_factor=1.0) -> np.ndarray:
        """`(n,)`: 1 for the discriminator's weights and g_factor for the generator's."""
        return np.repeat([g_factor, 1.0], self.sizes)

    def optimiser_rates(self) -> np.ndarray:
        """`(n,)`: what the run's optimisers multiply each weight's gradient by in a step.

        Adam divides by the root of its mean squared gradient, which is taken as it stands; its momentum, which is off
        by default, is left out.
        """
        optimisers = self.gan.g_optimizer, self.gan.d_optimizer
        return np.concatenate([_rates(optimiser) for optimiser in optimisers])

    def leading(self, count=8, which="LR", rates=None, shift=0.0) -> np.ndarray:
        """Leading eigenvalues of shift + diag(rates) J, complex; by Arnoldi's method (scipy's eigs).

        Args:
            which: LR for the largest real parts, LM for the largest absolute values.
            rates: `(n,)`, by default 1 for all.
        """
        from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

        rates = self.rates() if rates is None else rates
        n = len(rates)
        operator = LinearOperator((n, n), matvec=lambda v: shift * np.ravel(v) + rates * self.product(v), dtype=float)
        options = {"k": min(count, n - 2), "which": which, "tol": 1e-4, "v0": np.ones(n), "maxiter": RESTARTS}
        options |= {"ncv": min(n, 4 * count + 20)}
        try:
            found = eigs(operator, return_eigenvectors=False, **options)
        except ArpackNoConvergence as error:
            found = error.eigenvalues
            print(f"{len(found)} of {count} eigenvalues ({which}) have converged; the others are left out")
        order = -found.real if which == "LR" else -abs(found)
        return found[np.lexsort((-found.imag, order))]

    def growth(self, g_factor=1.0) -> float:
        """Largest absolute eigenvalue of one step of the run's own optimisers, 1 + diag(rates) J.

        What is above 1 leads away from a point where the field vanishes; both players move at once here, and not one
        after the other as in training.

        Args:
            g_factor: turns the generator's rates; 1 leaves them at what the run's own g_factor has made of them.
        Returns: NaN where Arnoldi's method does not come to an end.
        """
        rates = self.optimiser_rates() * self.rates(g_factor)
        return float(max(abs(self.leading(1, "LM", rates, shift=1.0)), default=np.nan))

    def least_curvature(self, player) -> float:
        """Least eigenvalue of a player's second derivative of its own loss; below 0 it could gain alone.

        Args:
            player: 0 for the generator, 1 for the discriminator.
        Returns: NaN where Lanczos' method does not come to an end.
        """
        from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

        own = np.repeat([player == 0, player == 1], self.sizes)

        def product(vector):
            whole = np.zeros(len(own))
            whole[own] = np.ravel(vector)
            return -self.product(whole)[own]

        n = self.sizes[player]
        operator = LinearOperator((n, n), matvec=product, dtype=float)
        options = {"k": 1, "which": "SA", "tol": 1e-3, "v0": np.ones(n), "ncv": min(n, 40), "maxiter": RESTARTS}
        try:
            return float(eigsh(operator, return_eigenvectors=False, **options)[0])
        except ArpackNoConvergence:
            return np.nan


def _flat(tensors):
    return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], 0)


def _rates(optimiser) -> np.ndarray:
    """A rate for each weight of a Keras optimiser, SGD without momentum or Adam."""
    rate, weights = float(optimiser.learning_rate), optimiser._trainable_variables
    if not hasattr(optimiser, "_velocities"):
        return np.full(sum(int(np.prod(w.shape)) for w in weights), rate)
    velocities = np.concatenate([v.numpy().ravel() for v in optimiser._velocities]).astype(float)
    known = 1.0 - optimiser.beta_2 ** float(optimiser.iterations)  # Kingma and Ba 2015, arXiv:1412.6980: bias
    return rate / (np.sqrt(velocities / known) + optimiser.epsilon)


def inspect(game, values) -> dict:
    """What `verdict` says of a small game, for a trained one, as numbers for a table.

    Args:
        values: leading eigenvalues of the game (see `TrainedGame.leading`).
    Returns: g_grad and d_grad, norms of the players' gradients; real_part, the largest; turning, the share of
        eigenvalues whose imaginary part is larger than the real one; g_curvature and d_curvature, each player's least;
        growth (see `TrainedGame.growth`).
    """
    of_g, of_d = np.split(game.gradient, game.sizes[:1])
    return {
        "g_grad": float(np.linalg.norm(of_g)),
        "d_grad": float(np.linalg.norm(of_d)),
        "real_part": float(max(values.real, default=np.nan)),
        "turning": float((abs(values.imag) > abs(values.real)).mean()) if len(values) else np.nan,
        "g_curvature": game.least_curvature(0),
        "d_curvature": game.least_curvature(1),
        "growth": game.growth(),
    }
