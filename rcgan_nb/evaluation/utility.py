"""Are the synthetic series useful? Train on synthetic, test on real, and the reverse (Esteban et al. 2017)."""

import numpy as np


def interval(correct, *, draws=1000, seed=0) -> tuple[float, float, float]:
    """Mean accuracy with its 95 % interval over judge seeds and test series (both resampled).

    Args:
        correct: list with one bool array per judge seed, each as long as the test.
    """
    table = np.stack([np.asarray(c, np.float64) for c in correct])
    random = np.random.default_rng(seed)
    seeds, n = table.shape
    means = np.empty(draws)
    for i in range(draws):
        drawn = table[random.integers(0, seeds, seeds)].mean(0)
        means[i] = drawn[random.integers(0, n, n)].mean()
    low, high = np.quantile(means, (0.025, 0.975))
    return float(table.mean()), float(low), float(high)


def confusion(truth, predicted, classes) -> np.ndarray:
    """Counts `(classes, classes)`, rows true, columns predicted."""
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def trained_on(judge, train, tests, *, seeds, epochs=0) -> list[list[np.ndarray]]:
    """Predictions of a judge trained once per seed: result[test][seed].

    Args:
        train: (x, y); tests: list of x.
    """
    by_seed = [judge(*train, tests, seed=seed, epochs=epochs) for seed in range(seeds)]
    return [list(predictions) for predictions in zip(*by_seed, strict=True)]
