"""The best discriminator between two known laws, and what its loss says of their distance."""

import numpy as np
import tensorflow as tf

from rcgan_nb.games.examples import over_pairs
from rcgan_nb.losses import HARD, LOSSES


def best_discriminator(loss, p, q) -> tuple[np.ndarray, float]:
    """The logits that make the discriminator's loss least between laws p (real) and q (fake), and that loss.

    Found by search from 0, with a free logit for each of the n points on which the laws lie.

    Args:
        p, q: probabilities, `(n,)` each, none of them 0.
    Raises: ValueError: a probability is 0 or they do not add up to 1; wasserstein, whose loss has no least value.
    """
    from scipy.optimize import minimize

    if loss == "wasserstein":
        raise ValueError("the wasserstein loss has no least value without a bound on the discriminator; take another.")
    p, q = np.asarray(p, float), np.asarray(q, float)
    for law in (p, q):
        if law.min() <= 0 or abs(law.sum() - 1) > 1e-9:
            raise ValueError(f"probabilities must be above 0 and add up to 1, but {law.tolist()} came.")

    def objective(logits):
        pairs, weights = over_pairs(tf.constant(logits), tf.constant(logits), tf.constant(p), tf.constant(q))
        return float(LOSSES[loss].discriminator(*pairs, HARD, weights))

    # Powell's method goes along one logit after the other, so that the bends of the hinge do not stop it.
    found = minimize(objective, np.zeros(len(p)), method="Powell", options={"xtol": 1e-8, "ftol": 1e-14})
    return found.x, float(found.fun)


def jensen_shannon(p, q) -> float:
    """Jensen-Shannon divergence in nats, from 0 (equal laws) to log 2 (laws that share no point)."""
    p, q = np.ravel(p), np.ravel(q)
    middle = (p + q) / 2
    return float((np.sum(p * np.log(p / middle)) + np.sum(q * np.log(q / middle))) / 2)
