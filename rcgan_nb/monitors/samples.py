"""Sheets of samples from fixed noise."""

import numpy as np

from rcgan_nb import plots

SHEET_ROWS = 8


class Samples:
    """At intervals draw series from the same noise and labels, keep them as numbers and as a sheet."""

    def __init__(self, loop):
        classes = loop.gan.shape.num_classes
        count = SHEET_ROWS * (classes or 3)
        # Rows of the validation part bring the conditions, those of a class together.
        _, conditions = loop.real["validation"]
        self.conditions = {name: v[_rows(conditions, classes, count)] for name, v in conditions.items()}
        if classes:  # one of which the validation part has none is shown, too
            self.conditions["label"] = np.repeat(np.arange(classes), SHEET_ROWS).astype(np.int32)
        self.noise = loop.gan.noise(count, seed=loop.config.seed)

    def __call__(self, loop):
        if loop.step % loop.config.sample_every and not loop.last:
            return
        made = loop.codec.decode(loop.gan.generate(self.noise, self.conditions), self.conditions.get("label"))
        folder = loop.run.folder("samples")
        made.save(folder / f"step-{loop.step:07d}.npz")
        plots.save(
            plots.sheet(made, title=f"step {loop.step}", limits=loop.limits),
            folder / f"step-{loop.step:07d}.png",
            dpi=80,
            vector=False,
        )


def _rows(conditions, classes, count):
    """Indices of series whose conditions the sheet shows: as many of each class, from the first again if few."""
    if not classes:
        return np.arange(count) % max(len(next(iter(conditions.values()), [0])), 1)
    return np.concatenate([np.resize(np.flatnonzero(conditions["label"] == k), SHEET_ROWS) for k in range(classes)])
