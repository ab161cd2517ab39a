"""Ending a run early, when it gets no better or has left its bounds."""

import numpy as np

STALLED = 1e-6  # a gradient norm below moves nothing any more
NEEDS = {"mmd2": ("mmd2",), "gradient": ("d_grad", "g_grad"), "loss_ratio": ("loss_ratio",)}


class EarlyStop:
    """Say in loop.ended why the run is to end by the rule stop_on, if it is."""

    def __init__(self, loop, similarity):
        self.similarity = similarity
        self.columns = history(loop.run, loop.config.stop_on, loop.step) if loop.config.stop_on else {}

    def __call__(self, loop):
        row = self._row(loop) if self.columns else {}
        if row:
            for name, values in self.columns.items():
                values.append(row[name])
            loop.ended = reason(loop.config, self.columns)

    def _row(self, loop):
        """The figures of this step, on steps on which there is a row of the table that keeps them."""
        if loop.config.stop_on == "mmd2":
            return {} if loop.step % loop.config.watch_every else {"step": loop.step} | self.similarity.at(loop)
        return {} if loop.step % loop.config.log_every else {"step": loop.step} | loop.metrics


def require_going_on(run, config, step):
    """Refuse to go on with a run that has stopped early at `step`, by the rule it is to go on with.

    Raises: ValueError.
    """
    ended = reason(config, history(run, config.stop_on, step, between=False))
    if ended:
        raise ValueError(
            f"run {run.name} stopped early at step {step}: {ended}; to go on give other stop_... settings."
        )


def history(run, rule, step, *, between=True) -> dict[str, list[float]]:
    """The figures that a rule looks at, up to the checkpoint of `step`, from the run's tables.

    A run that goes on thus has the very state of one that never stopped.
    Args:
        between: take in an end's row between the intervals, which `Run.rewind` forgets.
    Raises: ValueError: the tables are those of an older version, which kept no such figures.
    """
    columns = run.watch() if rule == "mmd2" else run.metrics()
    every = 1 if between else run.config.watch_every if rule == "mmd2" else run.config.log_every
    names = ("step", *NEEDS[rule])
    missing = [name for name in names if columns and name not in columns]
    if missing:
        raise ValueError(
            f"stop_on {rule!r} needs the figures {missing}, which the tables of run {run.name} do not hold; "
            f"leave it empty, or begin a new run with start_from={run.name!r}."
        )
    kept = [i for i, at in enumerate(columns.get("step", [])) if at <= step and at % every == 0]
    return {name: [columns[name][i] for i in kept] for name in names if columns} or {name: [] for name in names}


def reason(config, columns) -> str:
    """Why the run should end after the last row, or nothing.

    Args:
        columns: step, and the figures that stop_on needs.
    """
    steps = columns["step"]
    if not steps:
        return ""
    if config.stop_on == "mmd2":
        idle, what = steps[-1] - steps[columns["mmd2"].index(min(columns["mmd2"]))], "mmd2 did not fall"
    else:
        low = STALLED if config.stop_on == "gradient" else 1 / config.stop_limit
        idle = outside(steps, [columns[name] for name in NEEDS[config.stop_on]], low, config.stop_limit)[-1]
        what = f"{' or '.join(NEEDS[config.stop_on])} lay outside {low:g} to {config.stop_limit:g}"
    if idle < config.stop_patience:
        return ""
    return f"{what} for {idle:.0f} steps (stop_patience {config.stop_patience})"


def outside(steps, figures, low, high) -> np.ndarray:
    """At each row, the steps since all figures last lay within low to high, or since the first row.

    Args:
        steps: `(rows,)`; figures: `(columns, rows)`.
    """
    well = [low <= min(row) and max(row) <= high for row in zip(*figures, strict=True)]
    return np.subtract(steps, np.maximum.accumulate(np.where(well, steps, steps[0])))
