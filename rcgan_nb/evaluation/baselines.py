"""What any model must beat, made from the same training part: as many series with the same labels."""

import dataclasses

import numpy as np


def gaussian(train, *, seed=0):
    """One Gaussian per class over all steps and features, cut to the range seen in training.

    Masks and lengths are those of the real series that stands at the same place.
    """
    random = np.random.default_rng([seed, 21])
    flat = np.where(train.valid, train.x, 0.0).reshape(len(train), -1).astype(np.float64)
    made = np.empty_like(flat)
    labels = np.zeros(len(train), int) if train.y is None else train.y
    for label in np.unique(labels):
        of_class = labels == label
        centred = flat[of_class] - flat[of_class].mean(0)
        # X^T w with w standard normal has the covariance X^T X: no decomposition is needed.
        weights = random.standard_normal((of_class.sum(), of_class.sum())) / np.sqrt(max(of_class.sum() - 1, 1))
        made[of_class] = flat[of_class].mean(0) + weights @ centred
    made = np.clip(made, flat.min(0), flat.max(0)).reshape(train.x.shape)
    return dataclasses.replace(train, x=np.where(train.valid, made, 0.0).astype(np.float32), groups=None)


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
