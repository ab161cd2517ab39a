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
    """x times a weight per step and feature, after scaling; where the weight is 0 the inverse gives `fill`.

    Attributes: weights and fill, each (seq_len, features).
    """

    weights: np.ndarray
    fill: np.ndarray

    def forward(self, x):
        return x * self.weights, None

    def inverse(self, x, attributes=None):
        shown = self.weights > 0
        return np.where(shown, x / np.where(shown, self.weights, 1.0), self.fill)


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


def fit(name: str, x, valid) -> list:
    """Fit the transforms that `name` stands for, ending in [-1, 1].

    Args:
        name: minmax (over all), feature (minmax per feature), standard, local, cumulative, integral.
        x: float `(n, steps, features)` of the training part, 0 where not valid.
        valid: bool as x.
    """
    chains = {
        "minmax": lambda: [],
        "feature": lambda: [],
        "standard": lambda: [_standard(x, valid)],
        "local": lambda: [PerSeries("local")],
        "cumulative": lambda: [Cumulative()],
        "integral": lambda: [PerSeries("integral")],
    }
    chain = chains[name]()
    for transform in chain:
        x, _ = transform.forward(x)
    return [*chain, minmax(x, valid, (0, 1) if name == "feature" else (0, 1, 2))]


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
