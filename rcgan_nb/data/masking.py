"""Hide, keep or weigh features and blocks of time, so that differences between series can be made or ignored."""

import re

import numpy as np

from rcgan_nb.data import scaling
from rcgan_nb.series import SeriesSet

_PART = re.compile(r"^\s*(?P<feature>[^:]+?)\s*(:\s*(?P<first>\d+)-(?P<last>\d+))?\s*(:\s*(?P<weight>\d*\.?\d+))?\s*$")


def weights(s: SeriesSet, *, hide="", keep="", weigh="") -> np.ndarray:
    """A weight per step and feature, `(seq_len, features)`: 0 hides, 1 keeps.

    Args:
        hide, keep, weigh: parts separated by commas, each `feature`, `feature:first-last` (steps, both included) and,
            for weigh, `:weight` behind it; a feature is a name or a number, '*' is every one. 'keep' hides all else.
            Examples: hide='temperature', keep='*:0-11', weigh='3:5-9:0.2'.
    Raises: ValueError: no such feature or step, or nothing would be left.
    """
    table = np.full(s.x.shape[1:], 0.0 if keep else 1.0)
    for text, value in ((keep, 1.0), (hide, 0.0), (weigh, None)):
        for part in filter(None, (part.strip() for part in text.split(","))):
            steps, features, weight = _parse(part, s)
            table[steps, features] = weight if value is None else value
    if not table.any():
        raise ValueError(f"hide={hide!r}, keep={keep!r}, weigh={weigh!r} leave nothing; keep at least one part.")
    return table


def _parse(part, s):
    match = _PART.match(part)
    if not match:
        raise ValueError(f"{part!r} is not understood; write feature, feature:first-last or feature:first-last:weight.")
    name, first, last, weight = match.group("feature", "first", "last", "weight")
    seq_len = s.x.shape[1]
    steps = slice(None) if first is None else slice(int(first), int(last) + 1)
    if first is not None and not int(first) <= int(last) < seq_len:
        raise ValueError(f"{part!r}: steps must be ordered and between 0 and {seq_len - 1}.")
    if name == "*":
        features = slice(None)
    elif name in s.features:
        features = s.features.index(name)
    elif name.isdigit() and int(name) < len(s.features):
        features = int(name)
    else:
        raise ValueError(f"{part!r}: there is no feature {name!r}; known: {', '.join(s.features)}.")
    return steps, features, float(weight or 1)


def transform(chain, table, x) -> scaling.Weights:
    """The weights as the last transform of a chain; hidden values return as the training part's mean."""
    scaled, _ = scaling.forward(chain, x)
    return scaling.Weights(table, scaled.mean(0))
