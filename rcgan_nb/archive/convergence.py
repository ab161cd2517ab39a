"""How long a run took until a figure was near its best."""

import numpy as np


def convergence(run, name="mmd2", *, within=0.1) -> list[dict]:
    """When a figure first came near its best, when it came to stay, and when it was best, from the run's tables.

    Args:
        name: a column of watch.csv or metrics.csv; the least value counts as the best.
        within: near is within this share of the way from the first value to the best. A share of the best itself
            would mean nothing for mmd2, which is about 0 at its best.
    Returns: rows with what, value, step, epochs, seconds (in training, all processes together).
    Raises: ValueError: the run has no such column, or no row yet.
    """
    columns = run.watch() if name in run.watch() else run.metrics()
    if not columns.get(name) or name in ("step", "seconds"):
        known = sorted({*run.watch(), *run.metrics()} - {"step", "seconds"})
        raise ValueError(f"run {run.name} has no figure {name!r}; known: {', '.join(known) or 'none yet'}.")
    places = reached(columns[name], within)
    per_epoch = run.data["summary"]["train"] // run.config.batch_size / run.config.d_steps  # steps, as in data.batches
    return [
        {
            "what": f"{name} {what}",
            "value": columns[name][i],
            "step": int(columns["step"][i]),
            "epochs": round(columns["step"][i] / per_epoch, 2),
            "seconds": columns["seconds"][i],
        }
        for what, i in places.items()
    ]


def reached(values, within) -> dict[str, int]:
    """Index of the value that first came near the least one, of that since which all are near, and of the least."""
    values = np.asarray(values)
    best = int(values.argmin())
    near = values <= values[best] + within * (values[0] - values[best])
    away = np.flatnonzero(~near)
    last_away = int(away[-1]) if len(away) else -1
    places = {"first near its best": int(near.argmax()), "best": best}
    return places | ({"near its best to the end from": last_away + 1} if last_away + 1 < len(values) else {})
