"""Hide, keep or weigh features and blocks of time, so that differences between series can be made or ignored."""

import re

import numpy as np

from rcgan_nb.series import SeriesSet

_PART = re.compile(r"^(?P<feature>[^:=]+)(:(?P<first>\d+)(-(?P<last>\d+))?)?(=(?P<weight>\d*\.?\d+))?$")


def weights(s: SeriesSet, *, hide="", keep="", weigh="") -> np.ndarray:
    """A weight per step and feature, `(seq_len, features)`: 0 hides, 1 keeps.

    Args:
        hide, keep, weigh: parts separated by commas, each `feature`, `feature:step` or `feature:first-last` (both
            included) and, for weigh alone, `=weight` behind it; a feature is a name or a number, '*' is every one.
            keep hides all else; hidden parts stay hidden whatever weigh says.
            Examples: hide='temperature', keep='*:0-11', weigh='3:5-9=0.2'.
    Raises: ValueError: no such feature or step, or nothing would be left.
    """
    table = np.full(s.x.shape[1:], 0.0 if keep else 1.0)
    for text, value in ((keep, 1.0), (hide, 0.0)):
        for part in _parts(text):
            steps, features, weight = _parse(part, s)
            if weight is not None:
                raise ValueError(f"{part!r} carries a weight; weights belong to weigh.")
            table[steps, features] = value
    for part in _parts(weigh):
        steps, features, weight = _parse(part, s)
        if weight is None:
            raise ValueError(f"{part!r} carries no weight; write it behind, as in {part + '=0.5'!r}.")
        table[steps, features] *= weight
    if not table.any():
        raise ValueError(f"hide={hide!r}, keep={keep!r}, weigh={weigh!r} leave nothing; keep at least one part.")
    return table


def _parts(text):
    return [part.strip() for part in text.split(",") if part.strip()]


def _parse(part, s):
    match = _PART.match(part)
    if not match:
        raise ValueError(f"{part!r} is not understood; write feature, feature:step or feature:first-last.")
    name, first, last, weight = match.group("feature", "first", "last", "weight")
    name = name.strip()
    seq_len = s.x.shape[1]
    last = first if last is None else last
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
    return steps, features, None if weight is None else float(weight)
