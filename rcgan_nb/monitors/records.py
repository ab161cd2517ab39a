"""Figures of every step: brought to the host, checked, written and shown."""

import csv
import math
import time

import numpy as np

PLAYERS = {"d": "discriminator", "g": "generator"}
SHOWN = ("d_loss", "g_loss", "r1", "r2")  # on the living line; the others stand in metrics.csv


def host(found) -> dict[str, float]:
    """The step's scalars as floats, by one read: reading them one by one would wait for the device each time."""
    from keras import ops

    values = np.asarray(ops.stack(list(found.values()))).tolist()
    metrics = dict(zip(found, values, strict=True))
    d_loss, g_loss = metrics["d_loss"], metrics["g_loss"]
    return metrics | {"loss_ratio": d_loss / g_loss if g_loss else math.inf}


def require_finite(loop):
    """Stop where losses, gradients or weights are not finite any more. A change is not finite when a weight is not.

    Raises: FloatingPointError: says the step, the first block (`d_grad/lstm` and the like), and what to do.
    """
    wrong = [name for name, value in loop.found.items() if name != "loss_ratio" and not math.isfinite(value)]
    if not wrong:
        return
    first = next((name for name in wrong if "/" in name), wrong[0])
    losses = ", ".join(f"{name} {loop.found[name]:.4g}" for name in ("d_loss", "g_loss"))
    raise FloatingPointError(f"step {loop.step}: {_what(first)} is not finite ({losses}); {_way_on(loop.run)}")


def _what(name) -> str:
    kind, _, block = name.partition("/")
    player, _, figure = kind.partition("_")
    if figure not in ("grad", "update"):
        return f"the value of {name}"
    of = f"{PLAYERS[player]} block {block!r}" if block else f"the {PLAYERS[player]}"
    return {"grad": f"the gradient of {of}", "update": f"a weight of {of}"}[figure]


def _way_on(run) -> str:
    remedy = "with a lower learning_rate or a higher r1_weight"
    kept = sorted(run.path.glob("checkpoints/step-*.npz"))
    if not kept:
        return f"no checkpoint was written yet; begin anew {remedy}."
    step = int(kept[-1].stem.removeprefix("step-"))
    return (
        f"the checkpoint of step {step} stays. Begin a new run from it, start_from={run.name!r}, {remedy}; "
        "resume would come to the same step with the same numbers."
    )


def append(path, row):
    """Add a row to a table. A table begun by an older version keeps its columns, so that all its rows are alike."""
    header = path.open().readline().strip().split(",") if path.exists() and path.stat().st_size else list(row)
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, header, restval="nan", extrasaction="ignore")
        if not file.tell():
            writer.writeheader()
        writer.writerow(row)


class Metrics:
    """Write a row of metrics.csv at each logged step, and the heartbeat at most every second."""

    def __init__(self):
        self.beaten = 0.0

    def __call__(self, loop):
        if loop.metrics:
            seconds = round(loop.clock.before + loop.clock.seconds, 3)
            append(loop.run.path / "metrics.csv", {"step": loop.step, "seconds": seconds, **loop.metrics})
        if time.time() - self.beaten > 1:
            loop.run.beat("running", loop.step, **loop.clock.figures())
            self.beaten = time.time()


class Progress:
    """Print one living line: step, losses, steps per second, time left. A line a log can show, too."""

    def __init__(self, every_seconds=2.0):
        self.every, self.printed = every_seconds, 0.0

    def __call__(self, loop):
        now = time.time()
        if loop.step == loop.begun + 1:
            self.printed = now  # the first step builds the graph and says nothing of the speed
        if not loop.last and now - self.printed < self.every:
            return
        self.printed = now
        print(f"{self.line(loop):<100}", end="\n" if loop.last else "\r", flush=True)

    def line(self, loop) -> str:
        """What there is to say after this step."""
        seconds = max(loop.clock.seconds, 1e-9)
        rate = max(loop.step - loop.begun - 1, 1) / seconds
        losses = "  ".join(f"{name} {loop.found[name]:.3f}" for name in SHOWN if name in loop.found)
        left = f"{_clock((loop.config.steps - loop.step) / rate)} left"
        end = f"{loop.clock.watching / seconds:.1%} of {_clock(seconds)} spent on watching"
        return f"step {loop.step}/{loop.config.steps}  {losses}  {rate:.1f} steps/s  {end if loop.last else left}"


def _clock(seconds) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
