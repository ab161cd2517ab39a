"""Do synthetic series lie where real ones do, all over? Neighbours, a Gaussian in an embedding, and warped time.

All take arrays as a View sees them, `(n, steps, features)`, the test part first.
"""

import numpy as np

NEIGHBOURS = 5
AT_MOST = 2000  # series of a set
DRAWS = 200
COMPONENTS = 32
WARPED_AT_MOST = 200  # series of a set for time warping
MEANING = {
    "precision": "share of the set's series within the reach of a test series (precision@k5.1)",
    "recall": "share of test series within the reach of a series of the set (recall@k5.1)",
    "density": "test series whose reach a series of the set lies in, of 5; about 1 (density@k5.1)",
    "frechet": "distance of Gaussians fitted to 32 principal components, in shares of the variance (frechet@pca32.1)",
    "warped": "distance to the nearest test series by dynamic time warping, per value (dtw@band10.1)",
}


def neighbourhood(test, x, *, seed=0) -> dict[str, tuple[float, float, float]]:
    """All measures of MEANING, each with 95 % over resampled series of the set (recall: of the test part).

    Args:
        test, x: float `(n, steps, features)` and `(m, steps, features)`; of each 2,000 are looked at, equally many.
    """
    random = np.random.default_rng(seed)
    count = min(len(test), len(x), AT_MOST)
    test, x = (v[random.permutation(len(v))[:count]] for v in (test, x))
    found = {name: _mean(values, random) for name, values in reach(_flat(test), _flat(x)).items()}
    found["frechet"] = _frechet_interval(_flat(test), _flat(x), random)
    found["warped"] = _mean(warped(test[:WARPED_AT_MOST], x[:WARPED_AT_MOST]), random)
    return found


def reach(test, x, *, k=NEIGHBOURS) -> dict[str, np.ndarray]:
    """Precision and density of each series of x, recall of each test series.

    The reach of a series is the distance to its k-th nearest neighbour within its own set; no more than all others.
    Args:
        test, x: float `(n, values)` and `(m, values)`.
    Source: Kynkaanniemi et al. 2019, arXiv:1904.06991 (precision, recall); Naeem et al. 2020, arXiv:2002.09797
        (density).
    """
    between = _distances(test, x)
    of_test, of_x = (_kth(v, k)[:, None] for v in (test, x))
    inside = between <= of_test
    return {
        "precision": inside.any(0).astype(float),
        "recall": (between <= of_x.T).any(1).astype(float),
        "density": inside.sum(0) / min(k, len(test) - 1),
    }


def frechet(test, x) -> float:
    """Squared Frechet distance between Gaussians fitted to both, over the variance of the test series.

    Args:
        test, x: float `(n, values)` and `(m, values)`, here COMPONENTS principal components.
    Source: Heusel et al. 2017, arXiv:1706.08500, equation 6, with another embedding.
    """
    means, covariances = zip(*((v.mean(0), np.atleast_2d(np.cov(v.T))) for v in (test, x)), strict=True)
    mixed = np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).real.clip(0)).sum()
    traces = [np.trace(c) for c in covariances]
    return float((((means[0] - means[1]) ** 2).sum() + sum(traces) - 2 * mixed) / max(traces[0], 1e-12))


def _frechet_interval(test, x, random):
    from sklearn.decomposition import PCA

    size = min(COMPONENTS, len(test) - 1, test.shape[1])
    embedding = PCA(size, random_state=0).fit(test)
    pair = [embedding.transform(v) for v in (test, x)]
    drawn = [frechet(*(v[random.integers(0, len(v), len(v))] for v in pair)) for _ in range(DRAWS // 4)]
    return frechet(*pair), *map(float, np.quantile(drawn, (0.025, 0.975)))


def warped(test, x) -> np.ndarray:
    """Root mean squared difference of each series of x to the test series nearest by dynamic time warping.

    Steps are paired a tenth of the length apart at most; squared differences are summed along the path and divided by
    steps times features.
    Args:
        test, x: float `(n, steps, features)` and `(m, steps, features)`.
    Source: Sakoe and Chiba 1978, doi:10.1109/TASSP.1978.1163055.
    """
    steps, features = test.shape[1:]
    band = max(1, steps // 10)
    above = np.full((steps + 1, len(x), len(test)), np.inf, np.float32)
    above[0] = 0.0
    for i in range(steps):
        row = np.full_like(above, np.inf)
        for j in range(max(0, i - band), min(steps, i + band + 1)):
            cost = _distances(x[:, i], test[:, j], squared=True)
            row[j + 1] = cost + np.minimum(np.minimum(above[j], above[j + 1]), row[j])
        above = row
    return np.sqrt(above[steps].min(1) / (steps * features))


def _flat(x):
    return np.asarray(x, np.float64).reshape(len(x), -1)


def _distances(a, b, squared=False):
    found = np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0.0)
    return found if squared else np.sqrt(found)


def _kth(x, k):
    """Distance of each series to its k-th nearest other one."""
    distances = _distances(x, x)
    np.fill_diagonal(distances, np.inf)
    k = min(k, len(x) - 1)
    return np.partition(distances, k - 1, axis=1)[:, k - 1]


def _mean(values, random):
    drawn = values[random.integers(0, len(values), (DRAWS, len(values)))].mean(1)
    return float(values.mean()), *map(float, np.quantile(drawn, (0.025, 0.975)))
