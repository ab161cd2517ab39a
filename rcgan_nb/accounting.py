"""What differential privacy costs the training series: how batches are drawn for it, and epsilon (see `private`)."""

import functools
import importlib.util

import numpy as np

# Orders of the Renyi divergence. Fractions between them gain one part in a hundred and take ten times as long.
ORDERS = (*range(2, 65), 128, 256, 512, 1024)


def drawn(n, config, step):
    """Which series a step's discriminator updates see: each of n by itself, with probability batch_size / n (Poisson).

    Returns: indices `(d_steps, size)`, int32 `(d_steps,)` how many of each row count; what follows in it fills it up to
        a multiple of 2 * batch_size, since every new size would build a new graph.
    """
    updates = range((step - 1) * config.d_steps, step * config.d_steps)
    chances = [np.random.default_rng([config.seed, 13, k]).random(n) for k in updates]
    rows = [np.flatnonzero(chance < config.batch_size / n) for chance in chances]
    counts = np.array([len(row) for row in rows], np.int32)
    size = 2 * config.batch_size * max(1, -(-counts.max() // (2 * config.batch_size)))
    return np.stack([np.pad(row, (0, size - len(row))) for row in rows]), counts


def delta(n) -> float:
    """The largest power of ten below 1 / n."""
    return 10.0 ** -len(str(n))


@functools.lru_cache
def epsilon(config, n, steps) -> float:
    """What so many steps cost each of n training series, at `delta(n)`: an upper bound by Renyi divergences.

    For series added or left out, and batches drawn as in `drawn`: other ways to draw them would cost more.
    Source: Mironov et al. 2019, arXiv:1908.10530, by the library dp_accounting.
    """
    import dp_accounting
    from dp_accounting import rdp

    event = dp_accounting.GaussianDpEvent(config.dp_noise)
    event = dp_accounting.PoissonSampledDpEvent(config.batch_size / n, event)
    return float(rdp.RdpAccountant(ORDERS).compose(event, steps * config.d_steps).get_epsilon(delta(n)))


def require(train):
    """Refuse a training part that cannot be protected.

    Raises: ValueError: says why, and what to do.
    """
    if not importlib.util.find_spec("dp_accounting"):
        raise ValueError("dp_noise needs the package dp-accounting; pip install 'dp-accounting>=0.4'.")
    if train.static is not None or train.conditions is not None:
        raise ValueError(
            "dp_noise cannot protect static vectors and conditions per step: series are drawn for those of training "
            "persons as they are. Leave them out of the data set."
        )
    most = 1 if train.groups is None else np.unique(train.groups, return_counts=True)[1].max()
    if most > 1:
        raise ValueError(
            f"dp_noise protects single series, and up to {most} of the training part are of one person or group, who "
            "would be protected far less; keep one series of each."
        )
