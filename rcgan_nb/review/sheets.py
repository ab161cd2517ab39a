"""What reviewers see: sheets of series of runs and real ones, drawn alike, with no word on them or in their files."""

import io

import numpy as np

from rcgan_nb import data, plots, series

PER_CLASS = 5  # of the 8 series that a run keeps of each class: each sheet shows others, as each real one does


class Artist:
    """Draws sheets of runs, which share a data set, and of its validation part.

    Args:
        files: name of each run -> the samples to show.
        arguments: of `load` for the data set.
        control: whether real series may be shown.
    """

    def __init__(self, files, arguments, control):
        self.random = np.random.default_rng()
        self.sets = {name: series.read(path) for name, path in files.items()}
        if control:
            self.sets[""] = data.load(**arguments).part("validation")
        self.limits = plots.frame(*([self.sets[""]] if control else self.sets.values()))
        labels = [set(s.y.tolist()) for s in self.sets.values() if s.y is not None]
        self.classes = set.intersection(*labels) if len(labels) == len(self.sets) else None

    def draw(self, run) -> bytes:
        """A PNG file of some series of a run ('' for real ones): size, pixels, and nothing else."""
        from PIL import Image

        s = self.sets[run]
        figure = plots.sheet(s.take(self._some(s)), per_class=PER_CLASS, limits=self.limits)
        figure.subplots_adjust(0.02, 0.01, 0.98, 0.97)  # and no tight box: all sheets have one size
        drawn, bare = io.BytesIO(), io.BytesIO()
        figure.savefig(drawn, dpi=80, format="png", metadata={"Software": None})
        pixels = Image.open(drawn).convert("RGB")
        Image.frombytes("RGB", pixels.size, pixels.tobytes()).quantize(64).save(bare, "png", optimize=True)
        return bare.getvalue()

    def _some(self, s):
        """Indices of PER_CLASS series of each class, or of three rows; from the first again where there are few."""
        if self.classes is None:
            return np.resize(self.random.permutation(len(s)), 3 * PER_CLASS)
        rows = [self.random.permutation(np.flatnonzero(s.y == k)) for k in sorted(self.classes)]
        return np.concatenate([np.resize(row, PER_CLASS) for row in rows])
