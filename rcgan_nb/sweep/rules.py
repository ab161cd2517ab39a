"""What cuts a trial: limits on the figures of its run, and the median of others. Tables in, a reason out."""

import math
from typing import NamedTuple

import numpy as np

from rcgan_nb.monitors.stopping import NEEDS, STALLED, outside


class Cut(NamedTuple):
    """Why a trial was cut: by which rule, at which step, the value there and the limit it broke."""

    rule: str
    step: int
    value: float
    limit: float

    def __str__(self):
        return f"at step {self.step} by {self.rule}: {self.value:.4g} against {self.limit:.4g}"


def limits(config) -> dict[str, tuple]:
    """For each rule of a SweepConfig that is on: its columns, and between what they have to lie."""
    on = {
        "loss_ratio": (config.max_loss_ratio, NEEDS["loss_ratio"], 1 / (config.max_loss_ratio or 1)),
        "gradient": (config.max_gradient, NEEDS["gradient"], STALLED),
    }
    found = {rule: (columns, low, high) for rule, (high, columns, low) in on.items() if high}
    least = {"spread": config.min_spread, "least_share": config.min_share}
    return found | {column: ((column,), low, math.inf) for column, low in least.items() if low}


def broken(config, run) -> Cut | None:
    """The first limit that a run has been outside of for `cut_patience` steps, by its tables so far.

    A run that has ended itself by stop_on, because its losses or gradients left their bounds, counts as well.
    """
    cuts = []
    for rule, (columns, low, high) in limits(config).items():
        table = run.watch() if rule in ("spread", "least_share") else run.metrics()
        if all(name in table for name in columns):
            cuts.append(_first(rule, table["step"], [table[name] for name in columns], low, high, config))
    return min(filter(None, [*cuts, _ended_itself(run)]), key=lambda cut: cut.step, default=None)


def _first(rule, steps, figures, low, high, config) -> Cut | None:
    """The first row at which the figures have been out of bounds for long enough."""
    late = [k for k, step in enumerate(steps) if step > config.cut_after]
    if not late:
        return None
    steps, figures = np.array(steps)[late], np.array(figures)[:, late]
    out = ~((figures >= low) & (figures <= high)).all(0)  # a figure that is no number lies outside, too
    rows = np.flatnonzero(out & (outside(steps, figures, low, high) >= config.cut_patience))
    if not len(rows):
        return None
    row = rows[0]
    value = next(v for v in figures[:, row] if not low <= v <= high)
    return Cut(rule, int(steps[row]), float(value), high if value > high else low)


def _ended_itself(run) -> Cut | None:
    config = run.config
    beat = run.read_json("heartbeat.json")
    if config.stop_on not in ("loss_ratio", "gradient") or not beat.get("reason"):
        return None
    values = [run.metrics()[name][-1] for name in NEEDS[config.stop_on]]
    worst = max(values, key=lambda v: abs(math.log(v)) if v > 0 else math.inf)
    return Cut(f"stop_on {config.stop_on}", beat["step"], worst, config.stop_limit)


def behind(config, watch, others) -> Cut | None:
    """The first row at which a run's least mmd2 so far is greater than the median that finished trials had there.

    Args:
        watch: columns of watch.csv.
        others: mmd2 by step, of each finished trial.
    Source: the median rule as Optuna's MedianPruner has it; Golovin et al. 2017, Google Vizier, section 3.2.1.
    """
    if not config.median_of or len(others) < config.median_of:
        return None
    least = math.inf
    for step, value in zip(watch.get("step", []), watch.get("mmd2", []), strict=True):
        least = min(least, value)
        there = [other[int(step)] for other in others if int(step) in other]
        if step > config.cut_after and len(there) >= config.median_of and least > np.median(there):
            return Cut("median", int(step), least, float(np.median(there)))
    return None
