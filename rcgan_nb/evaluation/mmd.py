"""Maximum mean discrepancy as a test: do two sets differ, and is a third nearer to the one than to the other?"""

from dataclasses import dataclass

import numpy as np

BLOCK = 1024  # rows of the kernel matrix that are in memory at a time
PERMUTATIONS = 200
SCALES = 2.0 ** np.arange(-3, 3)  # bandwidths tried, in median distances
TUNE_AT_MOST = 500  # series of each set that choose the bandwidths
FEWEST = 20
AT_MOST = 10_000  # series of a set, for who draws them


@dataclass(frozen=True)
class Test:
    """value: the statistic; p: its permutation p-value; low, high: 95 % of its values where nothing differs."""

    value: float
    p: float
    low: float
    high: float


def two_sample(x, y, *, tune_on=None, permutations=PERMUTATIONS, seed=0) -> Test:
    """Unbiased MMD^2 between two sets of series, and whether it is more than chance: p is small where they differ.

    The kernel is the mean of two RBF kernels, whose bandwidths are those of SCALES with the greatest MMD^2 over its
    standard deviation on a fifth of both sets; that fifth is not tested. Equal laws give 0 in expectation.
    Args:
        x, y: `(n, ...)` and `(m, ...)`.
        tune_on: `(k, ...)`, other series of y's law, which choose the bandwidths in place of a fifth of y.
    Raises: ValueError: fewer than 20 series on a side.
    Source: Gretton et al. 2012, JMLR 13, equation 3; Sutherland et al. 2017, arXiv:1611.04488, section 3.
    """
    random = np.random.default_rng(seed)
    x, y, *apart = _flat(x=x, y=y) if tune_on is None else _flat(x=x, y=y, tune_on=tune_on)
    x_tune, x = _fifth(x, random)
    y_tune, y = (random.permutation(apart[0]), y) if apart else _fifth(y, random)
    bandwidths = tuned(x_tune, y_tune)
    joint, first = np.concatenate([x, y]), np.zeros(len(x) + len(y), bool)
    first[: len(x)] = True
    chosen = _permuted(first, permutations, random)
    within, row_sums = _quadratic(joint, chosen, bandwidths)
    return _test(_unbiased(within, chosen.T @ row_sums, row_sums.sum(), len(x), len(y)))


def three_sample(synthetic, train, heldout, *, permutations=PERMUTATIONS, seed=0) -> Test:
    """MMD^2(synthetic, heldout) - MMD^2(synthetic, train): more than chance where training series were copied.

    Training and held-out series are exchangeable for a generator that has learned the law and not the series: p is the
    share of exchanges with as great a difference, small for copies. Bandwidths are those that tell the synthetic series
    best from both others together, so that they, too, know of no difference between these.
    Source: Bounliphone et al. 2016, arXiv:1511.04581, with exchanges in place of its normal approximation.
    """
    random = np.random.default_rng(seed)
    s, train, heldout = _flat(synthetic=synthetic, train=train, heldout=heldout)
    count = min(len(train), len(heldout))  # a larger set has nearer neighbours
    train, heldout = (v[random.permutation(len(v))[:count]] for v in (train, heldout))
    joint, first = np.concatenate([train, heldout]), np.arange(2 * count) < count
    bandwidths = tuned(*(v[random.permutation(len(v))[:TUNE_AT_MOST]] for v in (s, joint)))
    chosen = _permuted(first, permutations, random)
    within, row_sums = _quadratic(joint, chosen, bandwidths)
    to_synthetic = sum(_kernel(joint, s[i : i + BLOCK], bandwidths).sum(1) for i in range(0, len(s), BLOCK)) / len(s)
    pairs = count * (count - 1)
    outside = row_sums.sum() - 2 * chosen.T @ row_sums + within
    towards = chosen.T @ to_synthetic
    away = to_synthetic.sum() - towards
    return _test((outside / pairs - 2 * away / count) - (within / pairs - 2 * towards / count))


def tuned(x, y) -> tuple[float, float]:
    """The two bandwidths (variances) of SCALES, in medians of the squared distance, that tell x from y best."""
    n = min(len(x), len(y), TUNE_AT_MOST)
    x, y = x[:n], y[:n]
    between = [_squared(x, x), _squared(y, y), _squared(x, y)]
    median = float(np.median(between[2])) or 1.0
    found = {}
    for scale in SCALES:
        xx, yy, xy = (np.exp(-d / (2 * median * scale**2)) for d in between)
        h = xx + yy - xy - xy.T
        found[scale] = h - np.diag(np.diag(h))

    def power(pair):
        h = (found[pair[0]] + found[pair[1]]) / 2
        spread = (4 * (h.sum(1) / (n - 1)).var() / n) ** 0.5
        return h.sum() / (n * (n - 1)) / (spread + 1e-8)

    pairs = [(a, b) for a in SCALES for b in SCALES if a <= b]
    best = max(pairs, key=power)
    return tuple(float(median * scale**2) for scale in best)


def _flat(**sets):
    """Sets as float32 `(n, values)`, about their common mean: distances of large numbers lose their digits."""
    flat = [np.asarray(x, np.float32).reshape(len(x), -1) for x in sets.values()]
    for name, x in zip(sets, flat, strict=True):
        if len(x) < FEWEST:
            raise ValueError(f"{name} has {len(x)} series; the test needs {FEWEST} at least.")
    mean = np.mean([x.mean(0, dtype=np.float64) for x in flat], axis=0).astype(np.float32)
    return [x - mean for x in flat]


def _fifth(x, random):
    """A fifth of x, TUNE_AT_MOST at most, and the rest."""
    order = random.permutation(len(x))
    cut = min(len(x) // 5, TUNE_AT_MOST)
    return x[order[:cut]], x[order[cut:]]


def _permuted(first, permutations, random):
    """float32 `(n, 1 + permutations)`: 1 for the members of the first set, in the first column as they are."""
    columns = [first, *(random.permutation(first) for _ in range(permutations))]
    return np.stack(columns, axis=1).astype(np.float32)


def _squared(a, b):
    return np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0.0)


def _kernel(a, b, bandwidths):
    distance = _squared(a, b)
    return sum(np.exp(distance * np.float32(-0.5 / bandwidth)) for bandwidth in bandwidths) / len(bandwidths)


def _quadratic(x, chosen, bandwidths):
    """Sums of the kernel matrix over pairs of different series that are chosen, one per column; and its row sums."""
    within, row_sums = np.zeros(chosen.shape[1]), np.empty(len(x))
    for i in range(0, len(x), BLOCK):
        rows = slice(i, i + BLOCK)
        kernel = _kernel(x[rows], x, bandwidths)
        kernel[np.arange(len(kernel)), np.arange(i, i + len(kernel))] = 0.0
        row_sums[rows] = kernel.sum(1, dtype=np.float64)
        within += (chosen[rows] * (kernel @ chosen)).sum(0, dtype=np.float64)
    return within, row_sums


def _unbiased(within, chosen_sums, total, n, m):
    """MMD^2 of every permutation from sums within the first set, of its rows, and of all."""
    outside = total - 2 * chosen_sums + within
    across = chosen_sums - within
    return within / (n * (n - 1)) + outside / (m * (m - 1)) - 2 * across / (n * m)


def _test(statistics) -> Test:
    value, others = statistics[0], statistics[1:]
    low, high = np.quantile(others, (0.025, 0.975))
    p = (1 + (others >= value).sum()) / (1 + len(others))
    return Test(float(value), float(p), float(low), float(high))
