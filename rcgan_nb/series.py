"""SeriesSet: the one shape in which series travel between loading, training and judgement."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

PARTS = ("train", "validation", "test")
_OPTIONAL = ("y", "lengths", "observed", "groups", "split", "static", "conditions")


@dataclass(frozen=True)
class SeriesSet:
    """Series in original units, with all that belongs to them.

    Attributes:
        x: float `(n, seq_len, num_features)`; 0 where nothing was observed or a series has ended.
        y: int32 `(n,)`, index into `classes`; None without labels.
        lengths: int32 `(n,)`, steps of each series; None when all have seq_len.
        observed: bool as `x`; None when every value was observed.
        groups: text `(n,)`, to whom a series belongs (a person, a patient); None when each stands for itself.
        split: int8 `(n,)`, 0 train, 1 validation, 2 test; None for a set that is one part.
        static: float `(n, num_static)`, further conditions of a whole series (age, site); None without.
        conditions: float `(n, seq_len, num_conditions)`, a condition known at every step (hour, dose); None without.
        classes, features: names.
        image: height and width when a series is a picture, else ().
        order: how a picture was read (rows, columns, pixels).
        scaling: fitted transforms chosen in preparation (see `data.scaling`), else None.
        info: free text: name, source, licence, units, and what each part is.
    """

    x: np.ndarray
    y: np.ndarray | None = None
    lengths: np.ndarray | None = None
    observed: np.ndarray | None = None
    groups: np.ndarray | None = None
    split: np.ndarray | None = None
    static: np.ndarray | None = None
    conditions: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    image: tuple[int, ...] = ()
    order: str = "rows"
    scaling: list | None = None
    info: dict = field(default_factory=dict)

    def __post_init__(self):
        if self.observed is not None and self.observed.dtype != bool:  # others write masks as 0 and 1
            if not np.isin(self.observed, (0, 1)).all():
                raise ValueError("observed must hold True and False, or 1 and 0, and nothing else.")
            object.__setattr__(self, "observed", self.observed.astype(bool))
        _check(self)
        if not self.features:
            object.__setattr__(self, "features", tuple(f"feature {i}" for i in range(self.x.shape[2])))

    def __len__(self):
        return len(self.x)

    @property
    def num_classes(self) -> int:
        return len(self.classes) if self.y is not None else 0

    @property
    def inside(self) -> np.ndarray:
        """bool as `x`: before the end of its series, observed or not."""
        ends = np.full(len(self), self.x.shape[1]) if self.lengths is None else self.lengths
        return np.broadcast_to((np.arange(self.x.shape[1]) < ends[:, None])[:, :, None], self.x.shape)

    @property
    def valid(self) -> np.ndarray:
        """bool as `x`: where a value was observed, before the end of its series."""
        return self.inside if self.observed is None else self.inside & self.observed

    def take(self, index) -> "SeriesSet":
        """The series at `index` (integers or booleans)."""
        chosen = {name: getattr(self, name)[index] for name in _OPTIONAL if getattr(self, name) is not None}
        return dataclasses.replace(self, x=self.x[index], **chosen)

    def part(self, name: str) -> "SeriesSet":
        """The train, validation or test part."""
        if self.split is None:
            raise ValueError("this set has no split; make one with series.split(...) before asking for a part.")
        chosen = self.split == PARTS.index(name)
        if not chosen.any():
            raise ValueError(f"the set has no {name} part; give it a split with all three, or more series.")
        return self.take(chosen)

    def images(self) -> np.ndarray:
        """float `(n, height, width)`: the series put together into pictures again."""
        if not self.image:
            raise ValueError(f"the set {self.info.get('name', '')!r} holds no pictures.")
        height, width = self.image
        if self.order == "columns":
            return self.x.transpose(0, 2, 1)
        return self.x.reshape(len(self), height, width)

    def fingerprint(self) -> str:
        """SHA-256 of all that a model can learn from: values, conditions, split, names, scaling."""
        digest = hashlib.sha256()
        for name in ("x", *_OPTIONAL):
            value = getattr(self, name)
            if value is not None:
                digest.update(f"{name} {value.shape} {value.dtype.str}".encode())
                digest.update(np.ascontiguousarray(value).tobytes())
        digest.update(json.dumps([self.classes, self.features, self.scaling]).encode())
        return digest.hexdigest()

    def summary(self) -> dict:
        """What a reader wants to know first, as plain values."""
        n, seq_len, num_features = self.x.shape
        counts = {} if self.split is None else {p: int((self.split == i).sum()) for i, p in enumerate(PARTS)}
        labels = {} if self.y is None else {"classes": self.num_classes}
        further = {name: getattr(self, name) for name in ("static", "conditions")}
        widths = {name: value.shape[-1] for name, value in further.items() if value is not None}
        return {**self.info, "series": n, "steps": seq_len, "features": num_features, **labels, **widths, **counts}

    def save(self, path) -> Path:
        """Write as .npz (no pickles inside), by way of a temporary name."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {name: getattr(self, name) for name in ("x", *_OPTIONAL) if getattr(self, name) is not None}
        names = ("classes", "features", "image", "order", "scaling", "info")
        meta = json.dumps({name: getattr(self, name) for name in names})
        partial = path.with_name(path.name + ".partial")
        with open(partial, "wb") as file:
            np.savez_compressed(file, meta=np.array(meta), **arrays)
        partial.replace(path)
        return path


def read(path) -> SeriesSet:
    """Read an .npz: one of ours, or any that holds `x` and perhaps others of SeriesSet's arrays, by their names.

    A foreign file with pictures `x (n, height, width)` says so by `image=(height, width)`.
    """
    import zipfile
    import zlib

    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise
    except (ValueError, TypeError, EOFError, OSError, zlib.error, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} cannot be read as .npz ({error}); it may be cut short or hold pickled objects. Write it again "
            "with numpy.savez(path, x=..., y=...), plain numbers and text only."
        ) from error
    if "x" not in arrays:
        raise ValueError(f"{path} holds {sorted(arrays)}, but no array 'x' (series, steps, features).")
    meta = json.loads(str(arrays.pop("meta"))) if "meta" in arrays else {"info": {"name": Path(path).stem}}
    if "image" in arrays:
        meta["image"] = [int(side) for side in arrays["image"]]
    for name in ("classes", "features", "image"):
        meta[name] = tuple(meta.get(name, ()))
    known = {name: arrays[name] for name in _OPTIONAL if name in arrays}
    if "y" in known and not meta["classes"]:
        known["y"], meta["classes"] = encode(known["y"])
    x = arrays["x"]
    return SeriesSet(x=x if x.ndim == 3 else x[:, :, None] if x.ndim == 2 else x, **known, **meta)


def without_labels(s: SeriesSet) -> SeriesSet:
    """The same series as a model without classes sees them."""
    return dataclasses.replace(s, y=None, classes=())


def encode(labels) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels of any kind as int32 indices, and the sorted names they stand for."""
    names, y = np.unique(np.asarray(labels), return_inverse=True)
    return y.astype(np.int32).reshape(-1), tuple(str(name) for name in names)


def split(n, *, labels=None, groups=None, seed=0, shares=(0.70, 0.15, 0.15)) -> np.ndarray:
    """Split n series into train, validation and test: int8 `(n,)`, 0, 1 and 2.

    Each label is split by itself, so that every part has the same mix. With groups (and no labels) a whole group goes
    to one part; with both, the label is taken to be the person and the split runs within persons.
    """
    random = np.random.default_rng(seed)
    parts = np.zeros(n, np.int8)
    cuts = np.cumsum(shares)[:2]
    if groups is not None and labels is None:
        names, member = np.unique(groups, return_inverse=True)
        if len(names) < 3:
            raise ValueError(
                f"{len(names)} groups cannot be split into three parts; give more groups, or a `split` of your own."
            )
        order = random.permutation(len(names))
        sizes = np.bincount(member)[order]
        place = (np.cumsum(sizes) - sizes / 2) / n  # where the middle of a group falls
        of_group = np.empty(len(names), np.int8)
        found = np.searchsorted(cuts, place)
        found[-1] = 2  # with few or unequal groups, too, each part gets one
        if not (found == 1).any():
            found[-2] = 1
        found[0] = 0
        of_group[order] = found
        return of_group[member]
    strata = np.zeros(n, np.int32) if labels is None else labels
    for label in np.unique(strata):
        where = random.permutation(np.flatnonzero(strata == label))
        parts[where] = np.searchsorted(cuts, (np.arange(len(where)) + 0.5) / len(where))
    return parts


def _check(s: SeriesSet):
    """Refuse what would train or judge wrongly, with what came, what was expected and what to do."""
    if s.x.ndim != 3 or 0 in s.x.shape:
        raise ValueError(f"x must be (series, steps, features), none of them 0, but its shape is {s.x.shape}.")
    if s.x.dtype.kind not in "fiu":
        raise ValueError(f"x must hold numbers, but its type is {s.x.dtype}.")
    n = len(s.x)
    for name in ("y", "lengths", "groups", "split"):
        value = getattr(s, name)
        if value is not None and value.shape != (n,):
            raise ValueError(f"{name} must have one entry per series, shape ({n},), but its shape is {value.shape}.")
    if s.observed is not None and s.observed.shape != s.x.shape:
        raise ValueError(f"observed must have the shape of x, {s.x.shape}, but its shape is {s.observed.shape}.")
    if s.features and len(s.features) != s.x.shape[2]:
        raise ValueError(f"{len(s.features)} feature names came for {s.x.shape[2]} features.")
    if s.lengths is not None and (s.lengths.min() < 1 or s.lengths.max() > s.x.shape[1]):
        raise ValueError(
            f"lengths must lie between 1 and {s.x.shape[1]}, but run from {s.lengths.min()} to {s.lengths.max()}."
        )
    if s.split is not None and not np.isin(s.split, (0, 1, 2)).all():
        raise ValueError("split must hold 0 (train), 1 (validation) and 2 (test), and nothing else.")
    if s.image and s.order == "rows" and tuple(s.image) != s.x.shape[1:]:
        raise ValueError(f"image says {tuple(s.image)} pixels, but the series are {s.x.shape[1:]}.")
    if s.y is not None and (s.y.min() < 0 or s.y.max() >= len(s.classes)):
        raise ValueError(f"y must index the {len(s.classes)} classes, but runs from {s.y.min()} to {s.y.max()}.")
    _check_further(s)
    bad = ~np.isfinite(s.x) & s.valid
    if bad.any():
        i, t, f = (int(k) for k in np.argwhere(bad)[0])
        raise ValueError(
            f"x holds {int(bad.sum())} NaN or infinite values (the first in series {i}, step {t}, feature {f}), "
            "and no mask says that they are missing. Give `observed` (False there) beside x, or fill them."
        )


def _check_further(s: SeriesSet):
    """As `_check`, for static vectors and condition series; these are complete, up to the end of their series."""
    n, seq_len, _ = s.x.shape
    expected = {"static": ("(series, values)", (n,)), "conditions": ("(series, steps, values)", (n, seq_len))}
    for name, (axes, shape) in expected.items():
        value = getattr(s, name)
        if value is None:
            continue
        if value.shape[:-1] != shape or not value.shape[-1]:
            wanted = ", ".join(map(str, (*shape, "1 or more")))
            raise ValueError(f"{name} must be {axes}, here ({wanted}), but its shape is {value.shape}.")
        if value.dtype.kind not in "fiu":
            raise ValueError(f"{name} must hold numbers, but its type is {value.dtype}; code it as numbers.")
        needed = s.inside[:, :, :1] if name == "conditions" else True
        bad = ~np.isfinite(value) & needed
        if bad.any():
            raise ValueError(
                f"{name} holds {int(bad.sum())} NaN or infinite values (the first in series {np.argwhere(bad)[0][0]}); "
                "a condition has to be known, so fill them, or leave such series out."
            )
