"""What watches the training loop. A monitor is called with the loop after every step; it may write into the run.

The loop shows: run, gan, codec, config, step, metrics (dict of floats, on logged steps), real (the training and
validation parts as the networks see them), limits (least and greatest training value), begun (the
step before the first of this process), started (its clock) and seconds_before (of earlier processes).
"""

import csv
import time

import numpy as np

from rcgan_nb import plots
from rcgan_nb.archive import checkpoint
from rcgan_nb.evaluation.similarity import mmd2

SHEET_ROWS = 8
MMD_SERIES = 500


class Metrics:
    """Write a row of metrics.csv at each logged step, and the heartbeat at most every second."""

    def __init__(self):
        self.beaten = 0.0

    def __call__(self, loop):
        if loop.metrics:
            row = {
                "step": loop.step,
                "seconds": round(loop.seconds_before + time.time() - loop.started, 3),
                **loop.metrics,
            }
            path = loop.run.path / "metrics.csv"
            new = not path.exists() or not path.stat().st_size
            with open(path, "a", newline="") as file:
                writer = csv.DictWriter(file, row)
                if new:
                    writer.writeheader()
                writer.writerow(row)
        if time.time() - self.beaten > 1:
            loop.run.beat("running", loop.step)
            self.beaten = time.time()


class Progress:
    """Print one living line: step, losses, steps per second, time left. A line a log can show, too."""

    def __init__(self, every_seconds=2.0):
        self.every, self.printed, self.last = every_seconds, 0.0, {}

    def __call__(self, loop):
        self.last = loop.metrics or self.last
        now, done = time.time(), loop.step == loop.config.steps
        if loop.step == loop.begun + 1:
            self.printed = now  # the first step builds the graph and says nothing of the speed
        if not done and now - self.printed < self.every:
            return
        self.printed = now
        rate = max(loop.step - loop.begun - 1, 1) / max(now - loop.started, 1e-9)
        left = (loop.config.steps - loop.step) / rate
        losses = "  ".join(f"{name} {value:.3f}" for name, value in self.last.items())
        line = f"step {loop.step}/{loop.config.steps}  {losses}  {rate:.1f} steps/s  {_clock(left)} left"
        print(f"{line:<100}", end="\n" if done else "\r", flush=True)


def _clock(seconds) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class Samples:
    """At intervals draw series from the same noise and labels, keep them as numbers and as a sheet."""

    def __init__(self, loop):
        classes = loop.gan.shape.num_classes
        count = SHEET_ROWS * (classes or 3)
        # Rows of the validation part bring the conditions, those of a class together.
        _, conditions = loop.real["validation"]
        self.conditions = {name: v[_rows(conditions, classes, count)] for name, v in conditions.items()}
        self.noise = loop.gan.noise(count, seed=loop.config.seed)

    def __call__(self, loop):
        if loop.step % loop.config.sample_every and loop.step != loop.config.steps:
            return
        made = loop.codec.decode(loop.gan.generate(self.noise, self.conditions), self.conditions.get("label"))
        folder = loop.run.folder("samples")
        made.save(folder / f"step-{loop.step:07d}.npz")
        plots.save(
            plots.sheet(made, title=f"step {loop.step}", limits=loop.limits),
            folder / f"step-{loop.step:07d}.png",
            dpi=80,
        )


def _rows(conditions, classes, count):
    """Indices of series whose conditions the sheet shows: as many of each class, from the first again if few."""
    if not classes:
        return np.arange(count) % max(len(next(iter(conditions.values()), [0])), 1)
    return np.concatenate([np.resize(np.flatnonzero(conditions["label"] == k), SHEET_ROWS) for k in range(classes)])


class Checkpoints:
    """At intervals keep the whole state: the last two, and the best by MMD to the validation part."""

    def __init__(self, loop):
        real, conditions = loop.real["validation"]
        chosen = np.random.default_rng(loop.config.seed).permutation(len(real))[:MMD_SERIES]
        self.real, self.conditions = real[chosen], {name: v[chosen] for name, v in conditions.items()}
        self.noise = loop.gan.noise(len(chosen), seed=loop.config.seed + 1)
        self.best = self._best_so_far(loop)

    def _best_so_far(self, loop):
        """Least distance so far of a run that goes on; killed between two files, the last may have missed its turn."""
        best, last = (loop.run.path / "checkpoints" / name for name in ("best.npz", f"step-{loop.step:07d}.npz"))
        every = loop.config.checkpoint_every
        found = [checkpoint.read(path) for path in (best, last) if path.exists()]
        found = [(a, meta) for a, meta in found if meta["step"] <= loop.step and meta["step"] % every == 0]
        if not found:
            return np.inf
        arrays, meta = min(found, key=lambda pair: pair[1]["validation_mmd2"])
        checkpoint.write(best, arrays, step=meta["step"], validation_mmd2=meta["validation_mmd2"])
        return meta["validation_mmd2"]

    def __call__(self, loop):
        if loop.step % loop.config.checkpoint_every == 0 or loop.step == loop.config.steps:
            self.keep(loop)

    def keep(self, loop):
        """Write a checkpoint now. One between the intervals, at a stop, does not compete for the best."""
        fake = loop.gan.generate(self.noise, self.conditions)
        labels = self.conditions.get("label")
        distance = mmd2(self.real, fake, labels, labels)
        if not np.isfinite(distance):
            raise FloatingPointError(f"step {loop.step}: samples are not finite; the checkpoint before it stays.")
        arrays = {name: np.asarray(variable) for name, variable in loop.gan.variables().items()}
        folder = loop.run.folder("checkpoints")
        meta = {"step": loop.step, "validation_mmd2": distance}
        checkpoint.write(folder / f"step-{loop.step:07d}.npz", arrays, **meta)
        first_at_the_end = self.best == np.inf and loop.step == loop.config.steps
        if (loop.step % loop.config.checkpoint_every == 0 and distance < self.best) or first_at_the_end:
            self.best = distance
            checkpoint.write(folder / "best.npz", arrays, **meta)
        for old in sorted(folder.glob("step-*.npz"))[:-2]:
            old.unlink()
