"""What clinical sets share: limits of what can be true, time cut into bins, the choice of variables, large tables."""

import warnings
from pathlib import Path

import numpy as np

from rcgan_nb.config import did_you_mean

ROWS_AT_ONCE = 1_000_000
WRONG_DATES = 0.01  # share of rows with dates that cannot be read, above which a table is refused
# Outside of these a value is an error of entry and counts as not observed. Least and greatest valid values of the
# MIMIC-III benchmarks (Harutyunyan et al. 2019, arXiv:1703.07771); that no living patient has a pulse, pressure or
# breath of 0 is ours.
LIMITS = {
    "heart rate": (1, 350),
    "systolic pressure": (1, 375),
    "diastolic pressure": (1, 375),
    "mean pressure": (14, 330),
    "respiratory rate": (1, 300),
    "temperature": (26, 45),
    "oxygen saturation": (1, 100),
    "glucose": (33, 2000),
    "inspired oxygen": (0.21, 1),
    "pH": (6.3, 8.4),
    "height": (1, 240),
    "weight": (1, 250),
}


def within(values, limits) -> np.ndarray:
    """bool: which values lie between the limits, both included."""
    low, high = limits
    return (values >= low) & (values <= high)


def binned(series, bins, variables, values, shape, *, sums=()) -> tuple[np.ndarray, np.ndarray]:
    """Events put into bins of time: values float32 and observed bool, both `shape` (series, bins, variables).

    Args:
        series, bins, variables: int `(events,)`, where each event belongs.
        values: float `(events,)`; a bin holds their mean, or for variables in `sums` their sum.
    """
    where = np.ravel_multi_index((series, bins, variables), shape)
    size = int(np.prod(shape))
    count = np.bincount(where, minlength=size).reshape(shape)
    x = np.bincount(where, weights=values, minlength=size).reshape(shape)
    means = np.setdiff1d(np.arange(shape[2]), sums)
    x[:, :, means] /= count[:, :, means].clip(1)
    return x.astype(np.float32), count > 0


def last_in_bin(series, bins, variables, values, shape) -> tuple[np.ndarray, np.ndarray]:
    """As `binned`, but a bin holds the last of its events, which come in the order of their times."""
    x, observed = np.zeros(shape, np.float32), np.zeros(shape, bool)
    x[series, bins, variables] = values
    observed[series, bins, variables] = True
    return x, observed


def chosen(variables: str, known, groups) -> list[str]:
    """Names of variables from text such as 'HR, Temp', groups among them; empty chooses all, in their order.

    Raises: ValueError: a name that is not known.
    """
    given = [name.strip() for name in variables.split(",") if name.strip()]
    names = [name for item in given for name in groups.get(item, [item])]
    for name in names:
        if name not in known:
            options = [*groups, *known]
            raise ValueError(
                f"variable {name!r} is not known; {did_you_mean(name, options)}Known: {', '.join(options)}."
            )
    return [name for name in known if name in names] if names else list(known)


class Tables:
    """Tables of one folder as .csv or .csv.gz, names and headers in any case, large ones read piece by piece.

    Args:
        columns: the columns that are needed of each table, by table.
        source: what to ask for where something is missing.
    """

    def __init__(self, folder: Path, columns, source):
        self.folder, self.columns, self.source = folder, columns, source

    def read(self, table, dates=()):
        """The whole table, lower-case columns, dates read."""
        import pandas as pd

        path, names = self._find(table)
        return _dated(pd.read_csv(path, usecols=list(names)).rename(columns=names), dates, {}, path)

    def pieces(self, table, dates=()):
        """The same in pieces of ROWS_AT_ONCE rows."""
        import pandas as pd

        (path, names), counts = self._find(table), {}
        with pd.read_csv(path, usecols=list(names), chunksize=ROWS_AT_ONCE, low_memory=False) as pieces:
            for piece in pieces:
                yield _dated(piece.rename(columns=names), dates, counts, path)

    def _find(self, table):
        """The table's file, and the file's own column names with our lower-case ones.

        Raises: FileNotFoundError: there is no such file; ValueError: a column is missing.
        """
        import pandas as pd

        found = [path for path in self.folder.glob("*.csv*") if path.name.split(".")[0].lower() == table.lower()]
        if not found:
            raise FileNotFoundError(
                f"{self.folder} holds no {table}.csv or {table}.csv.gz. Put the tables {', '.join(self.columns)} of "
                f"{self.source} there (physionet.org), or set RCGAN_DATA to the folder that holds {self.folder.name}/."
            )
        names = {name.lower(): name for name in pd.read_csv(found[0], nrows=0).columns}
        missing = [name for name in self.columns[table] if name not in names]
        if missing:
            raise ValueError(
                f"{found[0]} has no column {missing[0]!r}; it has {', '.join(names)}. Take the table of {self.source}."
            )
        return found[0], {names[name]: name for name in self.columns[table]}


def _dated(rows, dates, counts, path):
    """Rows with dates read; those that cannot be are counted over all pieces of a table, shown, and left empty."""
    import pandas as pd

    for name in dates:
        read = pd.to_datetime(rows[name], format="ISO8601", errors="coerce")
        wrong = rows[name][read.isna() & rows[name].notna()]
        counts["rows"] = counts.get("rows", 0) + len(rows)
        counts["wrong"] = counts.get("wrong", 0) + len(wrong)
        if len(wrong):
            said = f"{path}: {counts['wrong']} of {counts['rows']} rows have no date in {name}, but {wrong.iloc[0]!r}"
            if counts["wrong"] > WRONG_DATES * counts["rows"]:
                raise ValueError(f"{said}; more than {WRONG_DATES:.0%} are too many. Is the file whole?")
            warnings.warn(f"{said}; they are left out.", stacklevel=2)
        rows = rows.assign(**{name: read})
    return rows
