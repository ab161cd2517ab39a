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
    one group (with less than three series: of one block of time); what fills no window is left out, with a warning.
    Without it each series is kept whole, with its length in `lengths`. Empty cells become values that were not
    observed, True and False 1 and 0.
    Raises: ValueError: there is no row, a column is missing or not a number, two rows stand for one series and time,
        labels change within a series, no series is as long as a window.
    """
    path = Path(path)
    table = _table(path)
    features = _features(table, path)
    _check_windows(table, path, seq_len, stride)
    table = table.sort_values([SERIES, TIME], kind="stable")
    twice = table.duplicated([SERIES, TIME])
    if twice.any():
        row = table[twice][[SERIES, TIME]].astype(str).iloc[0]
        raise ValueError(
            f"{path}: {int(twice.sum())} rows repeat a series and time, the first series {row[SERIES]} at time "
            f"{row[TIME]}. Keep one row for each, or average them."
        )
    few = GROUP not in table and table[SERIES].nunique() < 3
    pieces, owners, groups, skipped, short = [], [], [], 0, 0
    for owner, rows in table.groupby(SERIES, sort=True):
        values = rows[features].to_numpy(float)
        starts, blocks, left_out = _windows(len(values), seq_len, stride, few)
        skipped += left_out
        short += not starts
        pieces += [values[s : s + seq_len] if seq_len else values for s in starts]
        owners += [owner] * len(starts)
        groups += [f"{owner}, block {block}" if few and seq_len else str(owner) for block in blocks]
    if skipped:
        text = f"{path}: {skipped} of {len(table)} rows fill no window of {seq_len} steps and are left out"
        warnings.warn(f"{text}, among them {short} whole series." if short else f"{text}.", stacklevel=2)
    return _padded(pieces, _per_series(table, owners, groups, path), features, path)


def _raw(path):
    """The table with text column names."""
    import pandas as pd

    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, low_memory=False)
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
    if not len(table):
        raise ValueError(f"{path} has headings but no row; it needs one for each series and time.")
    for name in features:
        _check_numbers(table[name], path)
    for name in (SERIES, TIME):
        if table[name].isna().any():
            raise ValueError(f"{path}: the column {name!r} has {int(table[name].isna().sum())} empty cells.")
    return features


def _check_numbers(column, path):
    """Refuse what is no number, by its first cell; True and False with gaps come as objects, and are numbers."""
    import pandas as pd

    if column.dtype.kind not in "fiub" and not column.dropna().map(type).eq(bool).all():
        cells = column.dropna().astype(object)
        words = cells[pd.to_numeric(cells.astype(str), errors="coerce").isna()]
        first = (words if len(words) else cells).iloc[0]
        raise ValueError(f"{path}: column {column.name!r} holds {first!r}, no number; code it as numbers or drop it.")


def _check_windows(table, path, seq_len, stride):
    if seq_len < 0 or stride < 0:
        raise ValueError(f"seq_len and stride are steps, 0 or more, but {seq_len} and {stride} came.")
    if stride and not seq_len:
        raise ValueError(f"stride {stride} came without seq_len; say how many steps a window has, too.")
    longest = int(table[SERIES].value_counts().max())
    if seq_len > longest:
        raise ValueError(f"{path}: no series fills a window of {seq_len} steps; give a seq_len of at most {longest}.")


def _windows(length, seq_len, stride, few) -> tuple[list[int], list[int], int]:
    """First steps of a series' windows, the block of time that each lies in, and how many last steps are in none.

    Where there are too few series to split by series, each is first cut into up to 20 blocks of time, and no window
    reaches over two of them, so that blocks can be split instead.
    """
    if not seq_len:
        return [0], [0], 0
    blocks = max(min(20, length // seq_len), 1) if few else 1
    edges = np.linspace(0, length, blocks + 1).astype(int)
    found, left_out = [], 0
    for block, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
        starts = range(low, high - seq_len + 1, stride or seq_len)
        found += [(start, block) for start in starts]
        left_out += int(high) - (starts[-1] + seq_len if starts else int(low))
    return [start for start, _ in found], [block for _, block in found], left_out


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


def splittable(s: SeriesSet) -> SeriesSet:
    """A set as `read` gives it, refused where it has too few series or groups for a split."""
    count = len(np.unique(s.groups))
    if count < 3:
        raise ValueError(
            f"{s.info['source']}: {count} groups cannot be split into three parts to train, choose and judge. A table "
            "needs 3 series or groups at least; or cut one or two long series by seq_len, at most a third of their "
            "steps. An .npz may bring a `split` of its own."
        )
    return s


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

    own = (SERIES, TIME, LABEL, GROUP)
    for name in s.features:
        if name in own or s.features.count(name) > 1:
            raise ValueError(
                f"a feature is called {name!r}, and a table has one column of each name beside {', '.join(own)}; "
                "write an .npz, or rename the feature."
            )
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
