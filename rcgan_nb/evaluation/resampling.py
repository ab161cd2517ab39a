"""Statistics with intervals over those who were measured, and how they are shown."""

import numpy as np

DRAWS = 500


def resampled(statistic, *sides, random):
    """The statistic of the sides, with 95 % over resamples of each: value, low, high."""
    drawn = [statistic(*(side[random.integers(0, len(side), len(side))] for side in sides)) for _ in range(DRAWS)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return statistic(*sides), low, high


def auc(inside, outside):
    """Area under the ROC curve of scores that are to be higher inside; ties count half."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([inside, outside]))[: len(inside)]
    return (ranks.sum() - len(inside) * (len(inside) + 1) / 2) / (len(inside) * len(outside))


def wide(rows):
    """A pandas table of rows of (measure, set, judge, value, low, high): measures and judges down, sets across.

    Cells read 'value [low, high]', or the value alone where it has no interval; rows may lack a judge.
    """
    import pandas as pd

    cells, lines = {}, {}
    for row in rows:
        line = row["measure"], row.get("judge", "")
        text = f"{row['value']:.3f}"
        text += "" if row["low"] == row["high"] else f" [{row['low']:.3f}, {row['high']:.3f}]"
        cells.setdefault(row["set"], {})[line] = text
        lines[line] = None
    columns = [np.array([line[k] for line in lines], object) for k in (0, 1)]  # of text, even where there are none
    index = pd.MultiIndex.from_arrays(columns, names=["measure", "judge"])
    return pd.DataFrame(cells, index=index).fillna("")
