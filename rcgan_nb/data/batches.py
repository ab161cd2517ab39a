"""Which series a training step sees."""

import numpy as np


def batches(n, config, step) -> np.ndarray:
    """Indices `(d_steps, batch_size)` for a step: every epoch a new order, a function of seed and step alone."""
    per_epoch = n // config.batch_size
    orders = {}
    rows = []
    for k in range((step - 1) * config.d_steps, step * config.d_steps):
        epoch, place = divmod(k, per_epoch)
        if epoch not in orders:
            orders[epoch] = np.random.default_rng([config.seed, epoch]).permutation(n)
        rows.append(orders[epoch][place * config.batch_size : (place + 1) * config.batch_size])
    return np.stack(rows)
