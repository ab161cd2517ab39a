"""What lies between two draws of a generator: noise from one to the other, and what a label does with it."""

import dataclasses

import ipywidgets
import numpy as np

from rcgan_nb import generation, plots
from rcgan_nb.data.codec import held
from rcgan_nb.evaluation.similarity import nearest
from rcgan_nb.evaluation.view import View
from rcgan_nb.plots.base import blank
from rcgan_nb.widgets import base

ROWS, COLUMNS = 6, 8
UNLABELLED = 4  # rows where there are no classes
FORMATS = ("png and pdf", "npz", "csv", "parquet")


def latent(run, which="last"):
    """A view of a run's generator; see Latent.

    Args:
        run: an `archive.Run`. which: 'last' or 'best' checkpoint.
    """
    try:
        return Latent(run, which, generation.networks(run, which))
    except (OSError, ValueError, KeyError) as reason:
        view = base.View([], base.Picture())
        view.say(f"{run.name} draws nothing: {reason}")
        view.picture.show(blank(f"{run.name} draws nothing"))
        return view


class Latent(base.View):
    """A grid of series: along a row the noise goes from one draw to another, down a column only the label changes.

    Without labels the rows go to further draws, and down a column only the target changes. Where a run takes static
    values or conditions per step, these can go from those of one training series to those of another instead, and the
    noise stays. A click shows a series beside the training series nearest to it.

    Attributes: controls by name: first, second (seeds), across (where a run takes conditions), classes, kind, form,
        export; picture and pair; made, the series that are shown; buttons, the cells over them.
    """

    def __init__(self, run, which, gan):
        self.run, self.which, self.gan, self.train, self.made = run, which, gan, None, None
        classes = run.data["classes"] if run.data["num_classes"] else []
        conditioned = run.data.get("num_static", 0) or run.data.get("num_conditions", 0)
        self.first, self.second = _number(0, "from draw"), _number(1, "to draw")
        self.across = ipywidgets.Dropdown(options=["noise", "condition"], description="across")
        self.classes = ipywidgets.SelectMultiple(options=classes, value=classes[:ROWS], rows=4, description="classes")
        self.classes.disabled = not classes
        self.kind = ipywidgets.ToggleButtons(options=["pictures", "curves"])
        self.form = ipywidgets.Dropdown(options=FORMATS, description="as")
        self.export = ipywidgets.Button(description="Export what is shown", icon="download", layout={"width": "auto"})
        self.pair = base.Picture()
        grid = base.Picture()
        chosen = [self.first, self.second, *([self.across] if conditioned else []), self.classes, self.kind]
        super().__init__([*chosen, self.form, self.export], grid)
        self.buttons = base.Cells(ROWS, COLUMNS, self._enlarge)
        below = [self.buttons.over(grid), self.pair]
        self.children = [*self.children[:2], ipywidgets.Box(below, layout={"flex_flow": "row wrap"})]
        self._draw()
        for control in chosen:
            control.observe(self._draw, "value")
        self.export.on_click(self._export)

    def _draw(self, _=None):
        chosen = list(self.classes.value)[:ROWS]
        if self.classes.options and not chosen:
            return self._refuse("choose a class")
        try:
            self.made = self._drawn(chosen)
        except (OSError, ValueError) as reason:  # conditions are those of training series, which may be gone
            return self._refuse(f"no series can be drawn: {reason}")
        limits = plots.frame(self.made)
        self.curves = self.kind.value == "curves" or (self.made.x.shape[2] == 1 and not self.made.image)
        self.figure = plots.tiles(self.made, rows=ROWS, columns=COLUMNS, limits=limits, curves=self.curves)
        for row, name in enumerate(chosen):
            back = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1}
            self.figure.text(0.002, 1 - row / ROWS - 0.004, name, va="top", fontsize="x-small", bbox=back)
        self.picture.show(self.figure, exact=True)
        self.pair.value = ""  # it was of another grid
        self.buttons.name([_name(k, self.made.take([k])) for k in range(len(self.made))])
        self._tell(chosen, limits)

    def _refuse(self, reason):
        """Show and keep nothing, and say why."""
        self.made, self.pair.value = None, ""
        self.say(reason)
        self.picture.show(blank("no series are drawn"))
        self.buttons.name([])

    def _drawn(self, chosen):
        """The series of all cells, row by row."""
        rows = len(chosen) or UNLABELLED
        same = np.repeat(np.arange(rows) if chosen else np.zeros(rows, int), COLUMNS)
        wanted = self._whom(chosen, self.first.value, 1).take(same)
        if self.across.value == "noise":
            return generation.drawn(self.run, self.gan, self._noise(rows, bool(chosen)), wanted)
        ends = self._whom(chosen, self.second.value, rows).take(np.repeat(np.arange(rows), COLUMNS))
        noise = np.repeat(self.gan.noise(1, self.first.value), len(same), 0)
        return generation.drawn(self.run, self.gan, noise, conditions_between(wanted, ends, COLUMNS))

    def _whom(self, chosen, draw, count):
        """A series for each class, or so many without, with conditions of training series."""
        given = {"labels": chosen} if chosen else {"count": count}
        return generation.whom(self.run, seed=draw, **given)

    def _noise(self, rows, labelled):
        """Noise for every cell, row by row."""
        begin = self.gan.noise(1, self.first.value)[0]
        ends = [self.gan.noise(1, self.second.value + (0 if labelled else row))[0] for row in range(rows)]
        return np.concatenate([between(begin, end, COLUMNS) for end in ends])

    def _tell(self, chosen, limits):
        down = f"down the classes {', '.join(chosen)}" if chosen else "down the next draws"
        left_out = [name for name in self.classes.options if name not in chosen]
        words = f"{self.run.name}: from left to right {self.across.value} of draw {self.first.value} to "
        words += f"{self.second.value}, {down}; one scale from {limits[0]:.4g} to {limits[1]:.4g}"
        if self.curves and self.kind.value == "pictures":
            words += "; one feature makes no picture, so curves"
        if left_out:
            words += f"; classes left out ({ROWS} are shown at most): {', '.join(left_out)}"
        if self.made.static is not None:
            words += "; static values are those of a training series for each row"
            words += "" if self.across.value == "noise" else ", on the way to those of another"
        self.told = words
        self.say(words)

    def _enlarge(self, k):
        """Show a series beside the training series nearest to it, as judges see them, on one scale."""
        try:
            self.train = self.train or generation.training_data(self.run).part("train")
        except (ValueError, OSError) as reason:
            return self.say(f"{self.told}; the nearest training series cannot be found: {reason}")
        seen, one = View.fit(self.train), self.made.take([k])
        (found,) = nearest(seen.see(one), seen.see(self.train))[1]
        near = self.train.take([found])
        both = {_name(k, one): one, f"nearest training {_name(found, near)}": near}
        values = {name: np.where(s.valid, s.x, np.nan)[0] for name, s in both.items()}
        self.pair.show(plots.panels(values, plots.frame(one, near)))

    def _export(self, _):
        """Write what is shown into the run's folder, series with their provenance."""
        if self.made is None:
            return self.say("there is nothing to export, as no series are drawn")
        try:
            self.say(f"{self.told}; written: {self._written()}")
        except OSError as reason:
            self.say(f"{self.told}; it cannot be written: {reason}")

    def _written(self) -> str:
        chosen = list(self.classes.value)[:ROWS]
        name = f"latent-{self.which}-{self.across.value}-{self.first.value}-to-{self.second.value}"
        if chosen:  # by number, as a class may have any name
            name += "-".join(["-classes", *(str(self.classes.options.index(label)) for label in chosen)])
        if self.form.value == FORMATS[0]:
            path = self.run.folder("figures") / f"{name}{'-curves' if self.curves else ''}.png"
            plots.save(self.figure, path)
            return f"{path} and {path.with_suffix('.pdf').name}"
        path = self.run.path / f"{name}.{self.form.value}"
        generation.write(self.made, path)
        settings = {"across": self.across.value, "from": self.first.value, "to": self.second.value}
        settings |= {"classes": chosen}
        generation.write_provenance(self.run, path, self.which, settings)
        return str(path)


def _name(k, one):
    """What the k-th series, a set of one, is called."""
    return f"series {k}" + ("" if one.y is None else f", class {one.classes[one.y[0]]}")


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


def conditions_between(begin, end, count):
    """Series of `begin` whose static values and conditions go, in rows of `count`, to those of `end`."""
    share = np.resize(np.linspace(0, 1, count), len(begin))
    new = {"lengths": None}
    if begin.static is not None:
        new["static"] = begin.static + share[:, None] * (end.static - begin.static)
    if begin.conditions is not None:
        a, b = held(begin.conditions, begin.lengths), held(end.conditions, end.lengths)
        new["conditions"] = a + share[:, None, None] * (b - a)
    return dataclasses.replace(begin, **new)
