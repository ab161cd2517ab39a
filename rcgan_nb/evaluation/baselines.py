"""What any model must beat, made from the same training part: as many series with the same labels."""

import dataclasses

import numpy as np


def gaussian(train, *, seed=0):
    """One Gaussian per class over all steps and features, cut to the range of the training part.

    Masks and lengths are those of the real series that stands at the same place.
    """
    random = np.random.default_rng([seed, 21])
    values = np.where(train.valid, train.x, np.nan).reshape(len(train), -1).astype(np.float64)
    low, high = np.nanmin(values), np.nanmax(values)
    made = np.empty_like(values)
    labels = np.zeros(len(train), int) if train.y is None else train.y
    for label in np.unique(labels):
        of_class = labels == label
        made[of_class] = _normal(values[of_class], random)
    made = np.clip(made, low, high).reshape(train.x.shape)
    return dataclasses.replace(train, x=np.where(train.valid, made, 0.0).astype(np.float32), groups=None)


def _normal(values, random):
    """As many draws from one Gaussian as there are rows in values `(n, d)`; gaps (NaN) count as the column's mean."""
    seen = ~np.isnan(values)
    mean = np.where(seen, values, 0.0).sum(0) / seen.sum(0).clip(1)
    centred = np.where(seen, values - mean, 0.0)
    n, d = values.shape
    if n <= d:  # w X with w standard normal has the covariance X^T X: no decomposition is needed
        root = centred / np.sqrt(max(n - 1, 1))
    else:
        sizes, vectors = np.linalg.eigh(np.cov(centred.T).reshape(d, d))
        root = np.sqrt(sizes.clip(0))[:, None] * vectors.T
    return mean + random.standard_normal((n, len(root))) @ root


def jitter(train, *, seed=0, share=0.1):
    """The training series themselves with normal noise of `share` of the standard deviation of their feature.

    Useful and similar by construction, and a copy: the distance ratio has to say so.
    """
    random = np.random.default_rng([seed, 22])
    values = np.where(train.valid, train.x, np.nan)
    deviation = np.nanstd(values, axis=(0, 1, 2) if train.image else (0, 1))
    x = train.x + share * deviation * random.standard_normal(train.x.shape)
    low, high = np.nanmin(values), np.nanmax(values)
    return dataclasses.replace(train, x=np.where(train.valid, x.clip(low, high), 0.0).astype(np.float32), groups=None)
