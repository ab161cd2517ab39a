"""How series come into [-1, 1] and back: a chain of fitted transforms, each with its exact inverse.

A transform is a small frozen class with `fit`, `forward` and `inverse`. Those that scale each series by itself give
the scale away as attributes, which the generator then produces too, so that synthetic series return in original units.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Affine:
    """(x - offset) / scale, both of shape (1, 1, features) or (1, 1, 1)."""

    offset: np.ndarray
    scale: np.ndarray

    def forward(self, x):
        return (x - self.offset) / self.scale, None

    def inverse(self, x, attributes=None):
        return x * self.scale + self.offset


@dataclass(frozen=True)
class PerSeries:
    """x / its own scale: the largest absolute value ('local') or the integral of |x| over time ('integral').

    The attribute is the logarithm of the scale, `(n, features)`. Series of zeros have scale 1.
    """

    kind: str

    def forward(self, x):
        size = np.abs(x)
        scale = size.max(1) if self.kind == "local" else size.sum(1)
        scale = np.where(scale > 0, scale, 1.0)
        return x / scale[:, None], np.log(scale)

    def inverse(self, x, attributes):
        return x * np.exp(attributes)[:, None]


@dataclass(frozen=True)
class Cumulative:
    """Sum over time up to each step; the inverse is the difference between steps."""

    def forward(self, x):
        return np.cumsum(x, axis=1), None

    def inverse(self, x, attributes=None):
        return np.diff(x, axis=1, prepend=0.0)


@dataclass(frozen=True)
class Weights:
    """Draw values towards the training part's mean: mean + weight (x - mean), before any scaling.

    Weight 1 keeps, 0 hides: what is hidden is the mean for the networks and comes back as the mean.
    Attributes: weights and mean, each (seq_len, features).
    """

    weights: np.ndarray
    mean: np.ndarray

    def forward(self, x):
        return self.mean + self.weights * (x - self.mean), None

    def inverse(self, x, attributes=None):
        shown = self.weights > 0
        return np.where(shown, self.mean + (x - self.mean) / np.where(shown, self.weights, 1.0), self.mean)


def minmax(x, valid, axes) -> Affine:
    """The affine map that takes the valid values into [-1, 1], along `axes`."""
    low = np.where(valid, x, np.inf).min(axes, keepdims=True)
    high = np.where(valid, x, -np.inf).max(axes, keepdims=True)
    seen = np.isfinite(low)
    low, high = np.where(seen, low, 0.0), np.where(seen, high, 0.0)
    half = (high - low) / 2
    return Affine((high + low) / 2, np.where(half > 0, half, 1.0))


def _standard(x, valid):
    count = valid.sum((0, 1), keepdims=True).clip(1)
    mean = np.where(valid, x, 0.0).sum((0, 1), keepdims=True) / count
    deviation = np.sqrt((np.where(valid, x - mean, 0.0) ** 2).sum((0, 1), keepdims=True) / count)
    return Affine(mean, np.where(deviation > 0, deviation, 1.0))


# What comes before the last step, which is always minmax: per feature for 'feature', over all for the others.
SCALERS = {
    "minmax": lambda x, valid: [],
    "feature": lambda x, valid: [],
    "standard": lambda x, valid: [_standard(x, valid)],
    "local": lambda x, valid: [PerSeries("local")],
    "cumulative": lambda x, valid: [Cumulative()],
    "integral": lambda x, valid: [PerSeries("integral")],
}


def fit(name: str, x, valid, first=()) -> list:
    """Fit the transforms that `name` stands for, ending in [-1, 1].

    Args:
        name: a key of SCALERS.
        x: float `(n, steps, features)` of the training part, 0 after the end of a series.
        valid: bool as x.
        first: transforms that come before.
    """
    for transform in first:
        x, _ = transform.forward(x)
    chain = SCALERS[name](x, valid)
    for transform in chain:
        x, _ = transform.forward(x)
    return [*first, *chain, minmax(x, valid, (0, 1) if name == "feature" else (0, 1, 2))]


def forward(chain, x):
    """Apply a chain. Returns the scaled series and their attributes, `(n, 0)` where there are none."""
    attributes = np.zeros((len(x), 0))
    for transform in chain:
        x, found = transform.forward(x)
        attributes = attributes if found is None else found
    return x, attributes


def inverse(chain, x, attributes=None):
    """Undo `forward`."""
    for transform in reversed(chain):
        x = transform.inverse(x, attributes)
    return x


_TRANSFORMS = {kind.__name__: kind for kind in (Affine, PerSeries, Cumulative, Weights)}


def to_json(chain) -> list[dict]:
    """The chain as plain values."""

    def plain(value):
        return value.tolist() if isinstance(value, np.ndarray) else value

    return [{"transform": type(t).__name__, **{k: plain(v) for k, v in vars(t).items()}} for t in chain]


def from_json(items) -> list:
    """The chain that `to_json` wrote."""
    return [
        _TRANSFORMS[item["transform"]](
            **{k: np.asarray(v) if isinstance(v, list) else v for k, v in item.items() if k != "transform"}
        )
        for item in items
    ]
