"""Do synthetic series behave in time as real ones do? Differences of simple statistics, each 0 where nothing differs.

All take SeriesSets of equal steps and features, look at observed values before the end only, and measure in units in
which each feature of the real set has mean 0 and deviation 1.
"""

import dataclasses

import numpy as np

DRAWS = 30
AT_MOST = 2000  # series of a set that are looked at
VALUES_AT_MOST = 20_000  # of a feature, for its marginal


def marginal(real, synthetic) -> float:
    """Mean over features of the Wasserstein distance between all values (1: one standard deviation apart)."""
    from scipy.stats import wasserstein_distance

    pairs = zip(_values(*real), _values(*synthetic), strict=True)
    return float(np.mean([wasserstein_distance(a, b) for a, b in pairs]))


def autocorrelation(real, synthetic) -> float:
    """Mean over features and lags (up to half of the steps, 24 at most) of |difference| of the autocorrelation."""
    return _mean_difference(_lagged(*real), _lagged(*synthetic))


def cross_correlation(real, synthetic) -> float:
    """Mean over pairs of features of |difference| of their correlation at the same step; NaN with one feature."""
    pairs = np.triu_indices(real[0].shape[2], 1)
    return _mean_difference(_correlations(*real)[pairs], _correlations(*synthetic)[pairs])


def spectrum(real, synthetic) -> float:
    """Mean over features of the total variation distance between mean power spectra, without the mean; 1 at most.

    Gaps count as the feature's mean: of use between sets with like gaps.
    """
    a, b = _power(*real), _power(*synthetic)
    return float(np.abs(a - b).sum(0).mean() / 2)


def observed(real, synthetic) -> float:
    """Mean over features of |difference| of the share of values that were observed; NaN where all were."""
    a, b = (valid.mean((0, 1)) for _, valid in (real, synthetic))
    return float(np.abs(a - b).mean()) if (a < 1).any() or (b < 1).any() else float("nan")


def skewness(real, synthetic) -> float:
    """Mean over features of |difference| of the third standardised moment."""
    return _moment(real, synthetic, 3)


def kurtosis(real, synthetic) -> float:
    """Mean over features of |difference| of the fourth standardised moment."""
    return _moment(real, synthetic, 4)


MEASURES = {
    "marginal": marginal,
    "autocorrelation": autocorrelation,
    "cross_correlation": cross_correlation,
    "spectrum": spectrum,
    "observed": observed,
    "skewness": skewness,
    "kurtosis": kurtosis,
}


def differences(real, synthetic, *, seed=0) -> dict[str, tuple[float, float, float]]:
    """All MEASURES, each with the 2.5 and 97.5 percentiles over DRAWS resamplings of both sets' series.

    Resampled sets differ by chance, so that the interval lies above 0 even where nothing differs: read it beside that
    of two real sets of the same sizes.
    Args:
        real, synthetic: SeriesSets; of each AT_MOST series, drawn by `seed`.
    """
    random = np.random.default_rng(seed)
    scale = _scale(real)
    varies = _deviation(real) > 0  # what is constant has no unit to be measured in
    sets = [_arrays(s.take(random.permutation(len(s))[:AT_MOST]), scale) for s in (real, synthetic)]
    sets = [tuple(v[:, :, varies] for v in arrays) for arrays in sets]
    found = {name: [measure(*sets)] for name, measure in MEASURES.items()}
    for _ in range(DRAWS):
        rows = [random.integers(0, len(x), len(x)) for x, _ in sets]
        drawn = [tuple(v[r] for v in arrays) for arrays, r in zip(sets, rows, strict=True)]
        for name, measure in MEASURES.items():
            found[name].append(measure(*drawn))
    kept = {name: values for name, values in found.items() if not np.isnan(values[0])}
    return {name: (values[0], *map(float, np.quantile(values[1:], (0.025, 0.975)))) for name, values in kept.items()}


# Worst cases: what a measure of time has to tell from real series.


def shuffled(s, *, seed=0):
    """The same series, each with its own steps (up to its end) in a random order."""
    random = np.random.default_rng(seed)
    steps = s.x.shape[1]
    ends = np.full(len(s), steps) if s.lengths is None else s.lengths
    order = np.argsort(np.where(np.arange(steps) < ends[:, None], random.random((len(s), steps)), np.arange(steps) + 1))
    return _reordered(s, lambda v: np.take_along_axis(v, order[:, :, None], axis=1))


def marginals(s, *, seed=0):
    """At every step and feature the real values, each from another series: right marginals and nothing else."""
    random = np.random.default_rng(seed)
    order = random.permuted(np.broadcast_to(np.arange(len(s))[:, None, None], s.x.shape).copy(), axis=0)
    x, valid = (np.take_along_axis(v, order, axis=0) for v in (s.x, s.valid))
    gaps = s.observed is not None or s.lengths is not None
    mixed = dataclasses.replace(s, x=x, observed=valid if gaps else None)
    return dataclasses.replace(mixed, x=np.where(mixed.valid, mixed.x, 0).astype(np.float32))


def noise(s, *, seed=0):
    """Normal noise with each feature's mean and deviation, observed where s is."""
    mean, deviation = _scale(s)
    x = np.random.default_rng(seed).normal(size=s.x.shape) * deviation + mean
    return dataclasses.replace(s, x=np.where(s.valid, x, 0).astype(np.float32))


WORST = {"shuffled": shuffled, "marginals": marginals, "noise": noise}


def _reordered(s, change):
    observed = None if s.observed is None else change(s.observed)
    return dataclasses.replace(s, x=change(s.x), observed=observed)


def _scale(s):
    """Mean and deviation of each feature's observed values; 1 where these are all equal."""
    deviation = _deviation(s)
    return _mean(s), np.where(deviation > 0, deviation, 1.0)


def _mean(s):
    return np.where(s.valid, s.x, 0).sum((0, 1), dtype=np.float64) / s.valid.sum((0, 1)).clip(1)


def _deviation(s):
    squares = np.where(s.valid, s.x - _mean(s), 0) ** 2
    return np.sqrt(squares.sum((0, 1)) / s.valid.sum((0, 1)).clip(1))


def _mean_difference(real, synthetic):
    """Mean |difference| of correlations; 2, the greatest, where the real set has one and the synthetic set none."""
    difference = np.where(np.isnan(synthetic), 2.0, np.abs(real - synthetic))[~np.isnan(real)]
    return float(difference.mean()) if difference.size else float("nan")


def _arrays(s, scale):
    """Standardised values, 0 where there are none, and which there are, `(n, steps, features)` each."""
    mean, deviation = scale
    return np.where(s.valid, (s.x - mean) / deviation, 0.0), s.valid.copy()


def _values(x, valid):
    """Observed values of each feature, evenly from all series; a 0 where there is none."""
    found = [x[:, :, k][valid[:, :, k]] for k in range(x.shape[2])]
    return [v[:: -(-len(v) // VALUES_AT_MOST)] if len(v) else np.zeros(1) for v in found]


def _lagged(x, valid):
    """Autocorrelation about each set's own mean, `(lags, features)`; NaN where no two values are so far apart."""
    x, variance = _centred(x, valid)
    lags = range(1, 1 + min(24, max(1, x.shape[1] // 2))) if x.shape[1] > 1 else []
    found = []
    for lag in lags:
        both = valid[:, lag:] & valid[:, :-lag]
        count = both.sum((0, 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append((x[:, lag:] * x[:, :-lag] * both).sum((0, 1)) / count / variance)
    return np.array(found) if found else np.zeros((1, x.shape[2]))


def _correlations(x, valid):
    """Correlation of the features at the same step, where both were observed and vary, `(features, features)`."""
    x, seen = (v.reshape(-1, v.shape[2]) for v in (x, valid.astype(float)))
    x = x * seen
    with np.errstate(invalid="ignore", divide="ignore"):
        count = seen.T @ seen
        mean = x.T @ seen / count  # of the first where the second was observed, too
        variance = (x**2).T @ seen / count - mean**2
        both = variance * variance.T
        return ((x.T @ x) / count - mean * mean.T) / np.sqrt(np.where(both > 1e-12, both, np.nan))


def _power(x, valid):
    """Share of each frequency in the mean power of each feature, `(frequencies, features)`."""
    x, _ = _centred(x, valid)
    power = (np.abs(np.fft.rfft(x, axis=1)[:, 1:]) ** 2).mean(0)
    return power / np.maximum(power.sum(0), 1e-12)


def _moment(real, synthetic, order):
    return float(np.mean(np.abs(_standard_moment(*real, order) - _standard_moment(*synthetic, order))))


def _standard_moment(x, valid, order):
    x, variance = _centred(x, valid)
    return (x**order).sum((0, 1)) / valid.sum((0, 1)).clip(1) / variance ** (order / 2)


def _centred(x, valid):
    """x about its own mean, 0 where there is no value, and the variance of each feature."""
    count = valid.sum((0, 1)).clip(1)
    x = (x - x.sum((0, 1)) / count) * valid
    return x, np.maximum((x**2).sum((0, 1)) / count, 1e-12)
