"""The door between series in original units and the arrays that networks see."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from rcgan_nb.data import scaling
from rcgan_nb.series import SeriesSet


@dataclass(frozen=True)
class Codec:
    """Turns a SeriesSet into float32 `(n, seq_len, channels)` in [-1, 1], and back.

    The channels are the scaled features and, where the set has them, further ones that the generator produces along:
    the attributes of a scaling per series (constant over time), an observed mask per feature, and one for the length.
    """

    chain: list
    attributes: scaling.Affine | None
    observed: bool
    lengths: bool
    mean: np.ndarray  # of each feature in the training part, for values before the first observed one
    static: np.ndarray | None  # (2, num_static), least and greatest of each in the training part
    condition: np.ndarray | None  # (2, num_conditions), likewise
    blank: SeriesSet  # one series of the set, for its names and classes

    @classmethod
    def fit(cls, train: SeriesSet, scaler: str) -> "Codec":
        """Fit on the training part only; a set that brings its own scaling keeps it."""
        mean = means(train)
        x = filled(train, mean)
        chain = scaling.from_json(train.scaling) if train.scaling else scaling.fit(scaler, x, train.inside)
        _, found = scaling.forward(chain, x)
        everywhere = np.ones((*found.shape[:1], 1, found.shape[1]), bool)
        attributes = scaling.minmax(found[:, None], everywhere, (0, 1)) if found.shape[1] else None
        blank = dataclasses.replace(train.take([0]), x=np.zeros_like(train.x[:1]))
        static = None if train.static is None else _limits(train.static)
        condition = None if train.conditions is None else _limits(train.conditions[train.inside[:, :, 0]])
        gaps = train.observed is not None, train.lengths is not None
        return cls(chain, attributes, *gaps, mean, static, condition, blank)

    @property
    def channels(self) -> int:
        features = self.blank.x.shape[2]
        per_series = features if self.attributes else 0
        return features + per_series + (features if self.observed else 0) + bool(self.lengths)

    def sizes(self, num_classes) -> dict:
        """What networks have to know of the arrays (see `networks.Shape`)."""
        return {
            "seq_len": self.blank.x.shape[1],
            "num_features": self.channels,
            "num_classes": num_classes,
            "num_static": 0 if self.static is None else self.static.shape[1],
            "num_conditions": 0 if self.condition is None else self.condition.shape[1],
            "observed": self.blank.x.shape[2] if self.observed else 0,
            "lengths": self.lengths,
        }

    def encode(self, s: SeriesSet) -> np.ndarray:
        x, attributes = scaling.forward(self.chain, filled(s, self.mean))
        if self.lengths:  # the length's channel says where the end is
            x = held(x, s.lengths)
        parts = [x]
        if self.attributes:
            scaled, _ = self.attributes.forward(attributes[:, None])
            parts.append(np.broadcast_to(scaled, (*x.shape[:2], scaled.shape[2])))
        if self.observed:
            parts.append(2.0 * s.valid - 1)
        if self.lengths:
            parts.append(2.0 * s.inside[:, :, :1] - 1)
        return np.concatenate(parts, axis=2).astype(np.float32)

    def conditions(self, s: SeriesSet) -> dict[str, np.ndarray]:
        """What the networks take beside noise or series, as far as there is any, a row for each series of s.

        Returns: "label" int32 `(n,)`; "static" float32 `(n, num_static)` and "condition" float32
            `(n, seq_len, num_conditions)`, every value scaled into [-1, 1] by its range in the training part.
        Raises: ValueError: s has other static vectors or condition series than the training part.
        """
        self._check_conditions(s)
        found = {} if s.y is None else {"label": s.y.astype(np.int32)}
        if self.static is not None:
            found["static"] = _scaled(s.static, self.static)
        if self.condition is not None:
            found["condition"] = _scaled(held(s.conditions, s.lengths), self.condition)
        return found

    def _check_conditions(self, s):
        steps = self.blank.x.shape[1]
        known = (("static", self.static, ()), ("conditions", self.condition, (steps,)))
        for name, limits, before in known:
            expected = None if limits is None else (*before, limits.shape[1])
            came = None if getattr(s, name) is None else getattr(s, name).shape[1:]
            if came != expected:
                raise ValueError(
                    f"{name} of each series must have shape {expected}, as in the training part, but has {came} (None: "
                    "there are none); give the same kinds of condition."
                )

    def decode(self, array, y=None) -> SeriesSet:
        """Series in original units from what the generator made."""
        array = np.asarray(array, np.float64)
        features = self.blank.x.shape[2]
        x, rest = array[:, :, :features], array[:, :, features:]
        attributes = observed = lengths = None
        if self.attributes:
            mean = rest[:, :, :features].mean(1, keepdims=True)
            attributes = self.attributes.inverse(mean)[:, 0]
            rest = rest[:, :, features:]
        x = scaling.inverse(self.chain, x, attributes)
        if self.observed:
            observed, rest = rest[:, :, :features] > 0, rest[:, :, features:]
        if self.lengths:
            inside = rest[:, :, 0] > 0
            lengths = np.where(inside.all(1), array.shape[1], inside.argmin(1)).clip(1).astype(np.int32)
        others = dict.fromkeys(("groups", "split", "static", "conditions"))  # those of the blank series
        made = dataclasses.replace(
            self.blank, x=x.astype(np.float32), y=y, lengths=lengths, observed=observed, **others
        )
        return dataclasses.replace(made, x=np.where(made.valid, made.x, 0.0).astype(np.float32))

    def to_json(self) -> dict:
        return {
            "chain": scaling.to_json(self.chain),
            "attributes": scaling.to_json([self.attributes]) if self.attributes else None,
            "observed": self.observed,
            "lengths": self.lengths,
            "mean": self.mean.tolist(),
            "static": None if self.static is None else self.static.tolist(),
            "condition": None if self.condition is None else self.condition.tolist(),
        }

    @classmethod
    def from_json(cls, items, blank) -> "Codec":
        attributes = scaling.from_json(items["attributes"])[0] if items["attributes"] else None
        limits = [items.get(name) for name in ("static", "condition")]  # older runs do not know them
        return cls(
            scaling.from_json(items["chain"]),
            attributes,
            items["observed"],
            items["lengths"],
            np.array(items["mean"]),
            *(None if values is None else np.array(values) for values in limits),
            blank,
        )


def means(s: SeriesSet) -> np.ndarray:
    """Mean of what was observed of each feature, `(num_features,)`."""
    return np.where(s.valid, s.x, 0.0).sum((0, 1)) / s.valid.sum((0, 1)).clip(1)


def filled(s: SeriesSet, mean) -> np.ndarray:
    """Values with gaps filled by the last one observed, before that by `mean`, the feature's in the training part.

    0 after the end of a series, where nothing may add to its integral.
    """
    if s.observed is None and s.lengths is None:
        return s.x.astype(np.float64)
    last = np.maximum.accumulate(np.where(s.valid, np.arange(s.x.shape[1])[:, None], -1), axis=1)
    carried = np.take_along_axis(s.x, last.clip(0), axis=1)
    return np.where(s.inside, np.where(last >= 0, carried, mean), 0.0).astype(np.float64)


def held(x, lengths) -> np.ndarray:
    """x `(n, seq_len, features)`, which after the end of a series stays where it was; lengths may be None."""
    if lengths is None:
        return x
    last = np.minimum(np.arange(x.shape[1]), lengths[:, None] - 1)
    return np.take_along_axis(x, last[:, :, None], axis=1)


def _limits(values) -> np.ndarray:
    """Least and greatest of each column, `(2, columns)`."""
    return np.stack([values.min(0), values.max(0)]).astype(np.float64)


def _scaled(x, limits) -> np.ndarray:
    """x with its last axis brought into [-1, 1]; what was constant says nothing and is 0."""
    low, high = limits
    half = (high - low) / 2
    return np.where(half > 0, (x - (low + high) / 2) / np.where(half > 0, half, 1.0), 0.0).astype(np.float32)
