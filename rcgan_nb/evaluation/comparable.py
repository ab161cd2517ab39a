"""Can two sets be compared, and of what do their figures say nothing? Asked before anything is measured."""

import warnings

import numpy as np

from rcgan_nb.evaluation.persons import astride
from rcgan_nb.evaluation.view import check_alike
from rcgan_nb.series import PARTS

FEWEST = 6  # series: coverage looks at five neighbours of each
FAR = 0.05  # share of values further outside of the real range than it is wide: other units
NARROW = 0.2  # deviation in those of the real set: a collapse, or other units


def check_comparable(data, synthetic):
    """Refuse sets whose figures would mean nothing, and warn, with counts, of what figures do not see or flatter.

    Args:
        data: SeriesSet with its split; synthetic: SeriesSet in the same units.
    Raises: ValueError: other steps, features or classes, labels on one side only, too few series, another scale, a
        feature without values in the training part that has some elsewhere.
    Warns: UserWarning: features without any value, or that hardly vary; persons on both sides of the split.
    """
    check_alike(data, synthetic)
    train = data.part("train")
    _check_count(data, synthetic)
    _check_values(train, data, synthetic)
    _check_scale(train, synthetic)
    _check_split(data)


def _check_count(data, synthetic):
    counts = [(f"the {part} part has", int((data.split == i).sum())) for i, part in enumerate(PARTS)]
    for text, count in [*counts, ("the synthetic set has", len(synthetic))]:
        if 0 < count < FEWEST:  # a part that is not there is missed by who asks for it
            raise ValueError(f"{text} {count} series; figures need {FEWEST} at least. Give more, or split otherwise.")


def _check_values(train, data, synthetic):
    """A feature without values in training has no unit: harmless where it has none anywhere."""
    known, elsewhere, made = (s.valid.any((0, 1)) for s in (train, data, synthetic))
    if (~known & (elsewhere | made)).any():
        raise ValueError(
            f"{_named(train, ~known & (elsewhere | made))} no value in the training part, but some elsewhere, which "
            "nothing can be measured by. Leave such features out (-p variables), or split otherwise."
        )
    if (~known).any():
        _warn(f"{_named(train, ~known)} no value in any set; no figure says anything of them.")
    if (known & ~made).any():
        _warn(f"{_named(train, known & ~made)} no value in the synthetic set, but some in the real one.")


def _check_scale(train, synthetic):
    axes = (0, 1, 2) if train.image else (0, 1)
    (low, high, deviation), (least, most, made_deviation) = (_spread(s, axes) for s in (train, synthetic))
    width = high - low
    far = synthetic.valid & ((synthetic.x < low - width) | (synthetic.x > high + width))
    share = np.where(width > 0, far.sum(axes) / synthetic.valid.sum(axes).clip(1), 0.0)
    narrow = np.where(deviation > 0, made_deviation / np.where(deviation > 0, deviation, 1.0), 1.0)
    k, n = int(np.argmax(share)), int(np.argmin(narrow))
    if share.flat[k] > FAR:
        raise ValueError(
            f"{_name(train, k)}: {share.flat[k]:.0%} of the synthetic values, {least.flat[k]:.3g} to "
            f"{most.flat[k]:.3g}, lie far outside of the real ones, {low.flat[k]:.3g} to {high.flat[k]:.3g}; the sets "
            "are on different scales. Give both in original units."
        )
    if narrow.flat[n] < NARROW and synthetic.valid.sum(axes).flat[n]:
        _warn(
            f"{_name(train, n)}: synthetic values vary {narrow.flat[n]:.2g} times as much as real ones. Their "
            "generator has collapsed, or the set is on another scale; if so, give both in original units."
        )


def _spread(s, axes):
    """Least and greatest value and standard deviation of each feature, of pictures of all pixels; 0 without values."""
    valid, count = s.valid, s.valid.sum(axes).clip(1)
    seen = s.valid.any(axes)
    mean = np.where(valid, s.x, 0.0).sum(axes, dtype=np.float64) / count
    deviation = np.sqrt((np.where(valid, s.x - mean, 0.0) ** 2).sum(axes) / count)
    low, high = np.where(valid, s.x, np.inf).min(axes), np.where(valid, s.x, -np.inf).max(axes)
    return np.where(seen, low, 0.0), np.where(seen, high, 0.0), deviation


def _check_split(data):
    """Persons on both sides are meant where they are what is to be told: each label is one of them."""
    both = astride(data)
    if len(both):
        persons = len(np.unique(data.groups))
        pairs = 0 if data.y is None else len(np.unique(np.stack([data.groups, data.y.astype(str)]), axis=1).T)
        if pairs != persons or persons != len(np.unique(data.y)):
            _warn(
                f"{len(both)} of {persons} persons, as {str(both[0])!r}, are in the training and in a held-out part: "
                "figures flatter what remembers them. Split by person."
            )


def _named(s, chosen):
    names = [name for name, wanted in zip(s.features, chosen, strict=True) if wanted]
    return f"{len(names)} of {len(s.features)} features ({', '.join(names)}) {'has' if len(names) == 1 else 'have'}"


def _name(s, k):
    return "pixels" if s.image else f"feature {s.features[k]!r}"


def _warn(text):
    warnings.warn(text, stacklevel=4)
