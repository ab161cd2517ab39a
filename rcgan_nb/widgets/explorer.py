"""Look at a data set: its classes and features, as pictures and as curves, scaled, masked or shortened."""

import dataclasses

import ipywidgets

from rcgan_nb import data, paths, plots
from rcgan_nb.archive import trees
from rcgan_nb.config import SCALERS
from rcgan_nb.data import codec, preparation
from rcgan_nb.plots.base import blank
from rcgan_nb.widgets import base

ROWS, COLUMNS = 4, 6
CELLS = ROWS * COLUMNS
ALL, ORIGINAL = "all", "original units"
PARTS = ("train", "validation")  # the test part is seen once, when a run is judged


def explorer(dataset="digits", **options):
    """A view of a data set; see Explorer.

    Args:
        dataset: a name of `data.SETS`, a prepared set or a file's path, as `data.load` takes it.
        options: further arguments of `data.load` for this set.
    """
    return Explorer(dataset, options)


class Explorer(base.View):
    """Series of a set in a grid; a click shows one large.

    Attributes: controls by name: dataset, part, label, feature, scaler, hide, downsample, kind, page; cells, the
        buttons over the grid; large, the picture of the one that was clicked.
    """

    def __init__(self, dataset, options):
        known = [*data.SETS, *sorted(p.stem for p in (paths.runs() / "prepared").glob("*.npz"))]
        self.first, self.options, self.loaded, self.shown, self.name = dataset, options, None, None, ""
        self.dataset = base.menu("data set", [*dict.fromkeys([dataset, *known])])
        self.part, self.label = base.menu("part", PARTS), base.menu("class", [ALL])
        self.feature, self.scaler = base.menu("feature", [ALL]), base.menu("scaler", [ORIGINAL, *SCALERS])
        self.hide = ipywidgets.Text(description="hide", placeholder="feature:first-last", continuous_update=False)
        self.downsample = ipywidgets.BoundedIntText(1, min=1, description="steps in 1")
        self.kind = ipywidgets.ToggleButtons(options=["pictures", "curves"])
        self.page = ipywidgets.IntSlider(0, max=0, description="page", continuous_update=False)
        self.large = base.Picture()
        self.grid = base.Picture()
        chosen = [self.part, self.label, self.feature, self.scaler, self.hide, self.downsample, self.kind, self.page]
        super().__init__([self.dataset, *chosen], self.grid)
        self.cells = base.Cells(ROWS, COLUMNS, self._enlarge)
        below = [self.cells.over(self.grid), self.large]
        self.children = [*self.children[:2], ipywidgets.Box(below, layout={"flex_flow": "row wrap"})]
        self._load()
        self.dataset.observe(self._load, "value")
        for control in chosen[:-2]:
            control.observe(self._choose, "value")
        for control in (self.kind, self.page):
            control.observe(self._draw, "value")

    def _load(self, _=None):
        """Another data set: its classes and features fill the menus. One that is not to be had leaves all as it was."""
        name = self.dataset.value
        if name == self.name:
            return
        try:
            s = data.load(name, **(self.options if name == self.first else {}))
            s.part("train")  # one that is too small to be split has none
        except (ValueError, *trees.BROKEN) as reason:
            return self._refuse(name, " ".join(str(reason).split()))
        self.loaded, self.name = None, name
        self.label.options = [ALL, *s.classes] if s.y is not None else [ALL]
        self.feature.options = [ALL, *s.features]
        self.downsample.max = s.x.shape[1]
        self.loaded = s
        self._choose()

    def _refuse(self, name, reason):
        """Say why a set is not shown, and go back to the one that is."""
        self.say(f"{name} cannot be shown: {reason}" + (f" {self.name} stays." if self.name else ""))
        if self.name:
            self.dataset.value = self.name
        else:
            self.grid.show(blank("no data set is shown"))
            self.cells.name([])

    def _choose(self, _=None):
        """The series that the controls stand for, from their first page on; what cannot be leaves all as it was."""
        if self.loaded is None:  # menus are being filled
            return
        try:
            self.shown, self.whose = self._chosen(), f"{self.name}, {self.part.value} part"
        except ValueError as reason:
            return self.say(f"{reason} What was shown stays.")
        self.large.value = ""  # it was one of others
        if self.page.value:
            self.page.value = 0  # which draws
        else:
            self._draw()
        self.page.max = (len(self.shown) - 1) // CELLS

    def _draw(self, _=None):
        """A page of the chosen series."""
        if self.shown is None:
            return
        begin = self.page.value * CELLS
        few = self.shown.take(slice(begin, begin + CELLS))
        limits = plots.frame(self.shown)
        curves = self.kind.value == "curves" or (few.x.shape[2] == 1 and not few.image)
        self.grid.show(plots.tiles(few, rows=ROWS, columns=COLUMNS, limits=limits, curves=curves), exact=True)
        self.cells.name([self._name(begin + place) for place in range(len(few))])
        self._tell(begin, len(few), limits, curves)

    def _chosen(self):
        """The series that the controls stand for.

        Raises: ValueError: there are none, or what is to be hidden is not there.
        """
        s = preparation.downsample_time(self.loaded, self.downsample.value)
        train, part = s.part("train"), s.part(self.part.value)
        if self.scaler.value != ORIGINAL or self.hide.value:
            part = preparation.scaled(part, self._chain(train), codec.means(train))
        if self.label.value != ALL:
            of_class = part.y == part.classes.index(self.label.value)
            if not of_class.any():
                raise ValueError(f"the {self.part.value} part holds no series of class {self.label.value}.")
            part = part.take(of_class)
        return part if self.feature.value == ALL else _only(part, part.features.index(self.feature.value))

    def _chain(self, train):
        """What shows series as the networks see them; in original units only what hides."""
        if self.scaler.value == ORIGINAL:
            return preparation.fitted(train, "minmax", hide=self.hide.value)[:1]
        return preparation.fitted(train, self.scaler.value, hide=self.hide.value)

    def _name(self, k):
        """What a series is called: its number among those shown, and its class."""
        return f"series {k}" + ("" if self.shown.y is None else f", class {self.shown.classes[self.shown.y[k]]}")

    def _tell(self, begin, count, limits, curves):
        _, steps, features = self.shown.x.shape
        words = f"{self.whose}: series {begin} to {begin + count - 1} of {len(self.shown)}"
        words += f"; {steps} steps, {features} features; one scale from {limits[0]:.4g} to {limits[1]:.4g}"
        if curves and self.kind.value == "pictures":
            words += "; one feature makes no picture, so curves"
        self.say(f"{words}; the test part is left out")

    def _enlarge(self, place):
        """Show one series large, as a picture and as curves."""
        k = self.page.value * CELLS + place
        self.large.show(plots.large(self.shown.take([k]), title=self._name(k)))


def _only(s, k):
    """One feature of a set. It is no picture any more."""
    observed = None if s.observed is None else s.observed[:, :, [k]]
    return dataclasses.replace(s, x=s.x[:, :, [k]], observed=observed, features=s.features[k : k + 1], image=())
