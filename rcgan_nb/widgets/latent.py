"""What lies between two draws of a generator: noise from one to the other, and what a label does with it."""

import ipywidgets
import numpy as np

from rcgan_nb import generation, plots
from rcgan_nb.evaluation.similarity import nearest
from rcgan_nb.evaluation.view import View
from rcgan_nb.widgets import base

ROWS, COLUMNS = 6, 8
FORMATS = ("png and pdf", "npz", "csv", "parquet")


def latent(run, which="last"):
    """A view of a run's generator; see Latent.

    Args:
        run: an `archive.Run`. which: 'last' or 'best' checkpoint.
    """
    return Latent(run, which)


class Latent(base.View):
    """A grid of series: along a row the noise goes from one draw to another, down a column only the label changes.

    Without labels the rows go to further draws, and down a column only the target changes. A click shows a series
    beside the training series nearest to it.

    Attributes: controls by name: first, second (seeds of the noise), classes, kind, form, export; picture and
        pair; made, the series that are shown; buttons, the cells over them.
    """

    def __init__(self, run, which):
        self.run, self.which, self.gan, self.train = run, which, generation.networks(run, which), None
        classes = run.data["classes"] if run.data["num_classes"] else []
        self.first, self.second = _number(0, "from draw"), _number(1, "to draw")
        self.classes = ipywidgets.SelectMultiple(options=classes, value=classes[:ROWS], rows=4, description="classes")
        self.classes.disabled = not classes
        self.kind = ipywidgets.ToggleButtons(options=["pictures", "curves"])
        self.form = ipywidgets.Dropdown(options=FORMATS, description="as")
        self.export = ipywidgets.Button(description="Export what is shown", icon="download", layout={"width": "auto"})
        self.pair = base.Picture()
        grid = base.Picture()
        super().__init__([self.first, self.second, self.classes, self.kind, self.form, self.export], grid)
        self.buttons = base.Cells(ROWS, COLUMNS, self._enlarge)
        below = [self.buttons.over(grid), self.pair]
        self.children = [*self.children[:2], ipywidgets.Box(below, layout={"flex_flow": "row wrap"})]
        self._draw()
        for control in (self.first, self.second, self.classes, self.kind):
            control.observe(self._draw, "value")
        self.export.on_click(self._export)

    def _draw(self, _=None):
        chosen = list(self.classes.value)[:ROWS]
        rows = len(chosen) if self.classes.options else 4
        if not rows:
            return self.say("choose a class")
        whom = generation.whom(self.run, labels=chosen) if chosen else generation.whom(self.run, count=1)
        wanted = whom.take(np.repeat(np.arange(rows) if chosen else np.zeros(rows, int), COLUMNS))
        self.made = generation.drawn(self.run, self.gan, self._noise(rows, bool(chosen)), wanted)
        limits = plots.frame(self.made)
        curves = self.kind.value == "curves" or (self.made.x.shape[2] == 1 and not self.made.image)
        self.figure = plots.tiles(self.made, rows=ROWS, columns=COLUMNS, limits=limits, curves=curves)
        self.picture.show(self.figure, exact=True)
        self.buttons.name([f"series {k}" for k in range(len(self.made))])
        self._tell(chosen, limits)

    def _noise(self, rows, labelled):
        """Noise for every cell, row by row."""
        begin = self.gan.noise(1, self.first.value)[0]
        ends = [self.gan.noise(1, self.second.value + (0 if labelled else row))[0] for row in range(rows)]
        return np.concatenate([between(begin, end, COLUMNS) for end in ends])

    def _tell(self, chosen, limits):
        down = f"down the classes {', '.join(chosen)}" if chosen else "down the next draws"
        left_out = [name for name in self.classes.value if name not in chosen]
        words = f"{self.run.name}: from left to right noise of draw {self.first.value} to {self.second.value}, {down}; "
        words += f"one scale from {limits[0]:.4g} to {limits[1]:.4g}"
        words += f"; left out, more than {ROWS}: {', '.join(left_out)}" if left_out else ""
        if self.made.static is not None:
            words += "; static values are those of a training series for each row"
        self.say(words)

    def _enlarge(self, k):
        """Show a series beside the training series nearest to it, as judges see them."""
        try:
            self.train = self.train or generation.training_data(self.run).part("train")
        except (ValueError, OSError) as reason:
            return self.say(f"the nearest training series cannot be found: {reason}")
        seen, one = View.fit(self.train), self.made.take([k])
        (found,) = nearest(seen.see(one), seen.see(self.train))[1]
        both = {f"series {k}": one, "nearest training series": self.train.take([found])}
        self.pair.show(plots.panels({name: np.where(s.valid, s.x, np.nan)[0] for name, s in both.items()}))

    def _export(self, _):
        """Write what is shown into the run's folder, series with their provenance."""
        name = f"latent-{self.first.value}-to-{self.second.value}"
        if self.form.value == FORMATS[0]:
            path = self.run.folder("figures") / f"{name}.png"
            plots.save(self.figure, path)
        else:
            path = self.run.path / f"{name}.{self.form.value}"
            generation.write(self.made, path)
            settings = {"from": self.first.value, "to": self.second.value, "classes": list(self.classes.value)}
            generation.write_provenance(self.run, path, self.which, settings)
        self.say(f"written: {path}")


def _number(value, description):
    return ipywidgets.BoundedIntText(value, min=0, max=2**31, description=description)


def between(begin, end, count) -> np.ndarray:
    """Noise from `begin` to `end`, both `(seq_len, latent_dim)`, in equal angles: `(count, seq_len, latent_dim)`.

    Gaussian noise of many dimensions lies near a sphere; the middle of a straight line is far inside, where the
    generator was never trained. Source: White 2016, arXiv:1609.04468, section 2.
    """
    sizes = np.linalg.norm(begin), np.linalg.norm(end)
    begin, end = begin / sizes[0], end / sizes[1]
    angle = np.arccos(np.clip((begin * end).sum(), -1, 1))
    share = np.linspace(0, 1, count)[:, None, None]
    weights = (1 - share, share) if angle < 1e-3 else (np.sin((1 - share) * angle), np.sin(share * angle))
    path = weights[0] * begin + weights[1] * end
    path *= ((1 - share) * sizes[0] + share * sizes[1]) / np.linalg.norm(path, axis=(1, 2), keepdims=True)
    return path.astype(np.float32)
