"""Are the synthetic series like real ones, as varied as they, and not copies of them?"""

import numpy as np

from rcgan_nb.evaluation import judges
from rcgan_nb.evaluation.utility import interval

QUERIES, REFERENCES, DRAWS = 2000, 20_000, 20
DISCRIMINATE_AT_MOST = 5000


def _flat(x):
    return np.asarray(x, np.float64).reshape(len(x), -1)


def _squared_distances(a, b):
    a, b = _flat(a), _flat(b)
    return np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0.0)


def mmd2(x, y, x_labels=None, y_labels=None) -> float:
    """Unbiased squared maximum mean discrepancy between two sets of series; 0 in expectation for equal laws.

    The kernel is the mean of three RBF kernels at half, once and twice the median distance between the x; with labels
    it counts only pairs of one label, so that a generator that ignores its condition is seen.
    Args:
        x, y: `(n, seq_len, features)` and `(m, seq_len, features)`, n and m at least 2.
    Source: Gretton et al. 2012, JMLR 13, equation 3.
    """
    distances = [_squared_distances(x, x), _squared_distances(y, y), _squared_distances(x, y)]
    apart = distances[0][np.triu_indices(len(x), 1)]
    median = np.median(apart[apart > 0]) if (apart > 0).any() else 1.0
    kernels = [np.mean([np.exp(-d / (2 * median * s**2)) for s in (0.5, 1, 2)], axis=0) for d in distances]
    if x_labels is not None:
        pairs = (x_labels, x_labels), (y_labels, y_labels), (x_labels, y_labels)
        kernels = [k * np.equal.outer(a, b) for k, (a, b) in zip(kernels, pairs, strict=True)]
    within = sum((k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in kernels[:2])
    return float(within - 2 * kernels[2].mean())


def nearest(x, reference) -> tuple[np.ndarray, np.ndarray]:
    """Distance to, and index of, the nearest series of `reference` for each series of x."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(_flat(reference))
    distance, index = search.kneighbors(_flat(x))
    return distance[:, 0], index[:, 0]


def coverage(real, synthetic, *, k=5) -> float:
    """Share of real series with a synthetic one nearer than their k-th nearest real neighbour.

    Source: Naeem et al. 2020, arXiv:2002.09797, equation 5.
    """
    from sklearn.neighbors import NearestNeighbors

    radius = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(_flat(real)).kneighbors(_flat(real))[0][:, -1]
    return float((nearest(real, synthetic)[0] <= radius).mean())


def coverage_interval(real, synthetic, *, seed=0) -> tuple[float, float, float]:
    """Mean coverage of the real series by equally many synthetic ones, and its range over draws of these."""
    random = np.random.default_rng(seed)
    real = real[random.permutation(len(real))[:QUERIES]]
    count = min(len(real), len(synthetic))
    found = [coverage(real, synthetic[random.permutation(len(synthetic))[:count]]) for _ in range(DRAWS)]
    return _range(found)


def distance_ratio(synthetic, train, heldout, *, seed=0) -> tuple[float, float, float]:
    """Median distance to the nearest training series / to the nearest of equally many held-out ones, and its range.

    About 1 for fresh real series; below, the synthetic series lie closer to what was trained on than to what was not.
    The range is over draws of training, held-out and synthetic series.
    """
    random = np.random.default_rng(seed)
    count = min(len(train), len(heldout), REFERENCES)
    found = []
    for _ in range(DRAWS):
        chosen = synthetic[random.permutation(len(synthetic))[:QUERIES]]
        to_train = nearest(chosen, train[random.permutation(len(train))[:count]])[0]
        to_heldout = nearest(chosen, heldout[random.permutation(len(heldout))[:count]])[0]
        found.append(np.median(to_train) / max(np.median(to_heldout), 1e-12))
    return _range(found)


def discriminative_score(real, synthetic, *, seeds, epochs=0) -> tuple[float, float, float]:
    """|accuracy - 1/2| of a GRU that is to tell real from synthetic series, on 30 % it has not seen; 0 is best.

    Args:
        seeds: number of times, each with another 30 %, other weights; equally many series on both sides.
    Source: Yoon et al. 2019 (TimeGAN), section 5; here with 32 units whatever the number of features.
    """
    count = min(len(real), len(synthetic), DISCRIMINATE_AT_MOST)
    correct = []
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        sides = [side[random.permutation(len(side))[:count]] for side in (synthetic, real)]
        cut = int(0.7 * count)
        x, test = (np.concatenate([side[part] for side in sides]) for part in (slice(cut), slice(cut, None)))
        y, truth = (np.repeat([0, 1], n) for n in (cut, count - cut))
        correct.append(judges.gru(x, y, [test], seed=seed, epochs=epochs)[0] == truth)
    value, low, high = interval(correct)
    edges = sorted((abs(low - 0.5), abs(high - 0.5)))
    return abs(value - 0.5), 0.0 if low < 0.5 < high else edges[0], edges[1]


def _range(found):
    low, high = np.quantile(found, (0.025, 0.975))
    return float(np.mean(found)), float(low), float(high)
