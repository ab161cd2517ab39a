"""Long tables (CSV, Parquet) cut into series: one row per series and time, one column per feature."""

import warnings
from pathlib import Path

import numpy as np

from rcgan_nb.series import SeriesSet, encode

SERIES, TIME, LABEL, GROUP = "series", "time", "label", "group"


def read(path, *, seq_len=0, stride=0) -> SeriesSet:
    """Read a long table with the columns series, time, features..., and optionally label and group.

    Rows are ordered by time within a series; a row is a step, whatever time lies between. With seq_len each series is
    cut into windows of so many steps, one every `stride` steps (default: seq_len), and windows of one series stay in
    one group (with less than three series: of one block of time); without it each series is kept whole. Shorter series
    keep their length in `lengths`, empty cells become values that were not observed. Remainders of cut series shorter
    than seq_len are left out, with a warning.
    Raises: ValueError: a column is missing or not a number, two rows stand for one series and time, labels change
        within a series.
    """
    path = Path(path)
    table = _table(path)
    features = _features(table, path)
    table = table.sort_values([SERIES, TIME], kind="stable")
    twice = table.duplicated([SERIES, TIME])
    if twice.any():
        row = table[twice][[SERIES, TIME]].astype(str).iloc[0]
        raise ValueError(
            f"{path}: {int(twice.sum())} rows repeat a series and time, the first series {row[SERIES]} at time "
            f"{row[TIME]}. Keep one row for each, or average them."
        )
    few = GROUP not in table and table[SERIES].nunique() < 3
    pieces, owners, groups, skipped = [], [], [], 0
    for owner, rows in table.groupby(SERIES, sort=True):
        values = rows[features].to_numpy(float)
        starts, blocks = _windows(len(values), seq_len, stride, few)
        skipped += max(len(values) - starts[-1] - (seq_len or len(values)), 0)
        pieces += [values[s : s + seq_len] if seq_len else values for s in starts]
        owners += [owner] * len(starts)
        groups += [f"{owner}, block {block}" if few and seq_len else str(owner) for block in blocks]
    if skipped:
        warnings.warn(f"{path}: {skipped} last steps do not fill a window of {seq_len} and are left out.", stacklevel=2)
    return _padded(pieces, _per_series(table, owners, groups, path), features, path)


def _raw(path):
    """The table with text column names."""
    import pandas as pd

    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (ValueError, OSError, UnicodeError, pd.errors.ParserError) as error:
        raise ValueError(f"{path} cannot be read as a table ({error}); write it again, one row per time.") from error
    table.columns = [str(name) for name in table.columns]
    return table


def _table(path):
    """The same with a time that can be ordered."""
    import pandas as pd

    table = _raw(path)
    if TIME in table and not pd.api.types.is_any_real_numeric_dtype(table[TIME]):
        try:
            table[TIME] = pd.to_datetime(table[TIME])
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: the column 'time' holds neither numbers nor dates ({error}).") from error
    return table


def _features(table, path) -> list[str]:
    """The names of the feature columns, after a check that the table has what it needs."""
    missing = [name for name in (SERIES, TIME) if name not in table]
    features = [str(name) for name in table.columns if name not in (SERIES, TIME, LABEL, GROUP)]
    if missing or not features:
        raise ValueError(
            f"{path} has the columns {list(table.columns)}; expected 'series', 'time', one or more features, and "
            "optionally 'label' and 'group'. Rename its columns."
        )
    for name in features:
        if table[name].dtype.kind not in "fiub":
            first = next(value for value in table[name] if not isinstance(value, int | float))
            raise ValueError(f"{path}: column {name!r} holds {first!r}, no number; code it as numbers or drop it.")
    for name in (SERIES, TIME):
        if table[name].isna().any():
            raise ValueError(f"{path}: the column {name!r} has {int(table[name].isna().sum())} empty cells.")
    return features


def _windows(length, seq_len, stride, few) -> tuple[list[int], list[int]]:
    """First steps of a series' windows, and the block of time that each lies in.

    A series shorter than a window is one window. Where there are too few series to split by series, each is first cut
    into up to 20 blocks of time, and no window reaches over two of them, so that blocks can be split instead.
    """
    if not seq_len:
        return [0], [0]
    blocks = max(min(20, length // seq_len), 1) if few else 1
    edges = np.linspace(0, length, blocks + 1).astype(int)
    found = [
        (start, block)
        for block, (low, high) in enumerate(zip(edges, edges[1:], strict=False))
        for start in range(low, max(high - seq_len, low) + 1, stride or seq_len)
    ]
    return [start for start, _ in found], [block for _, block in found]


def _per_series(table, owners, groups, path) -> dict:
    """Labels and groups of the pieces whose series are `owners`."""
    found = {GROUP: np.asarray(groups)}
    for name in (LABEL, GROUP):
        if name not in table:
            continue
        if table[name].isna().any():
            raise ValueError(f"{path}: the column {name!r} has empty cells; every row of a series carries it.")
        values = table.groupby(SERIES)[name]
        changing = values.nunique()[lambda count: count > 1]
        if len(changing):
            raise ValueError(f"{path}: {name} changes within series {changing.index[0]}; it must be one per series.")
        found[name] = values.first().loc[owners].to_numpy()
    return found


def _padded(pieces, per_series, features, path) -> SeriesSet:
    """Pieces of several lengths as one array, with lengths and mask only where they say something."""
    lengths = np.array([len(piece) for piece in pieces], np.int32)
    x = np.full((len(pieces), lengths.max(), len(features)), np.nan)
    for i, piece in enumerate(pieces):
        x[i, : len(piece)] = piece
    inside = np.arange(x.shape[1]) < lengths[:, None]
    observed = ~np.isnan(x)
    y, classes = encode(per_series[LABEL]) if LABEL in per_series else (None, ())
    return SeriesSet(
        x=np.nan_to_num(x).astype(np.float32),
        y=y,
        lengths=lengths if (lengths != lengths[0]).any() else None,
        observed=None if observed[inside].all() else observed,
        groups=np.asarray(per_series[GROUP]).astype(str),
        classes=classes,
        features=tuple(features),
        info={"name": path.stem, "source": path.name, "licence": "the owner's"},
    )


def wanted(path, shape, *, classes=(), static=()) -> SeriesSet:
    """Series to be drawn, a row for each: column `label` where there are classes, and one for each static value.

    Args:
        path: a .csv or .parquet; further columns are not looked at.
        shape: (seq_len, num_features) of the series, which are left empty.
        classes, static: names, of classes and of static values.
    Raises: ValueError: a column is missing, a cell is empty, holds no number or no known class.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; paths are taken from the folder where you started.")
    table = _raw(path)
    if not len(table):
        raise ValueError(f"{path} has no row; give one for each series.")
    needed = [*([LABEL] if classes else []), *static]
    missing = [name for name in needed if name not in table]
    if missing:
        raise ValueError(f"{path} has no column {missing[0]!r}; this run needs {', '.join(map(repr, needed))}.")
    for name in needed:
        if table[name].isna().any():
            raise ValueError(f"{path}: the column {name!r} has {int(table[name].isna().sum())} empty cells.")
        if name != LABEL and table[name].dtype.kind not in "fiub":
            raise ValueError(f"{path}: column {name!r} holds {table[name].iloc[0]!r}, no number.")
    y = None
    if classes:
        found = table[LABEL].astype(str)
        unknown = sorted(set(found) - set(classes))
        if unknown:
            raise ValueError(f"{path}: label {unknown[0]!r} is not known to this run; known: {', '.join(classes)}.")
        y = found.map({name: k for k, name in enumerate(classes)}).to_numpy(np.int32)
    values = table[list(static)].to_numpy(np.float32) if len(static) else None
    return SeriesSet(x=np.zeros((len(table), *shape), np.float32), y=y, static=values, classes=tuple(classes))


def to_frame(s: SeriesSet):
    """The long table of a set: series, time, features (empty where not observed), label and group if it has them.

    Static vectors and conditions are left out: an .npz keeps them.
    """
    import pandas as pd

    inside = s.inside[:, :, 0]
    which, time = np.nonzero(inside)
    table = pd.DataFrame({SERIES: which, TIME: time})
    values = np.where(s.valid, s.x, np.nan)[inside]
    for i, name in enumerate(s.features):
        table[name] = values[:, i]
    if s.y is not None:
        table[LABEL] = np.asarray(s.classes)[s.y[which]]
    if s.groups is not None:
        table[GROUP] = s.groups[which]
    return table
