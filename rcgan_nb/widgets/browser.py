"""Browse runs: a table to filter and sort; of those chosen their samples over time, figures, and what differs."""

import csv
import html
import io

import ipywidgets

from rcgan_nb import plots
from rcgan_nb.archive import finder, lineage
from rcgan_nb.plots.overlaid import overlaid
from rcgan_nb.widgets import base

SHOWN = {"name": 34, "dataset": 14, "status": 12, "step": 8, "use": 8, "began": 17, "mmd2": 10}  # columns and widths
MOST = 8  # runs whose figures are drawn over each other
TABLES = ("metrics.csv", "watch.csv")
STYLE = "<style>.rcgan-runs select, .rcgan-runs label { font-family: monospace; white-space: pre; }</style>"


def browser(runs):
    """A view of runs that were found; see Browser.

    Args:
        runs: of `archive.survey(...)`: `finder.Found`, wherever they lie.
    """
    return Browser(runs)


class Browser(base.View):
    """A line for each run; what is chosen among them is shown below.

    Attributes: controls by name: filter, state, sort, down, chosen, figure, step; metrics, samples and lines, pictures;
        differences and place, text.
    """

    def __init__(self, runs):
        table = finder.table(runs)
        table["mmd2"] = [f"{best:.5f}" if (best := _best(run)) is not None else "" for run in runs]
        self.table, self.runs, self.read = table, runs, {}
        self.filter = ipywidgets.Text(description="filter", placeholder="in name, data set, settings")
        self.state = _menu("status", ["all", *sorted(set(table["status"]))])
        self.sort = _menu("sort by", list(SHOWN))
        self.down = ipywidgets.ToggleButton(description="downwards", value=False)
        self.chosen = ipywidgets.SelectMultiple(rows=10, layout={"width": "100%"})
        self.figure = _menu("figure", [])
        self.step = ipywidgets.SelectionSlider(options=[("no samples", "")], description="samples")
        self.samples, self.lines = base.Picture(), base.Picture()
        self.differences, self.place = ipywidgets.HTML(), ipywidgets.HTML()
        controls = [ipywidgets.HTML(STYLE), self.filter, self.state, self.sort, self.down]
        metrics = base.Picture()
        super().__init__(controls, metrics)
        tabs = ipywidgets.Tab(
            [
                ipywidgets.VBox([self.figure, metrics]),
                ipywidgets.VBox([self.step, self.samples]),
                self.differences,
                self.lines,
                self.place,
            ],
            titles=["figures", "samples", "settings that differ", "lineage", "where"],
        )
        head = ipywidgets.HTML(f"<pre style='margin: 0 0 0 5px'>{_line(dict(zip(SHOWN, SHOWN, strict=True)))}</pre>")
        self.children = [*self.children[:2], head, self.chosen, tabs]
        self.add_class("rcgan-runs")
        self.chosen.observe(self._choose, "value")
        self._fill()
        for control in (self.filter, self.state, self.sort, self.down):
            control.observe(self._fill, "value")
        self.figure.observe(self._draw, "value")
        self.step.observe(self._sheet, "value")

    def _fill(self, _=None):
        """The lines that the filter leaves, in order; the first of them is chosen."""
        table = self.table
        if self.state.value != "all":
            table = table[table["status"] == self.state.value]
        wanted = self.filter.value.lower().split()
        table = table.loc[[k for k in table.index if all(word in self._words(k) for word in wanted)]]
        table = table.sort_values(self.sort.value, ascending=not self.down.value, key=_comparable, kind="stable")
        lines = [(_line(row), k) for k, row in table.iterrows()]
        broken = (self.table["use"] == "nothing").sum()
        left_out = f"; {broken} serve nobody any more (see their problems below)" if broken else ""
        self.told = f"{len(table)} of {len(self.table)} runs{left_out}"
        with self.chosen.hold_sync():  # the page must not be told of a choice among lines that it has no more
            self.chosen.options = lines
            self.chosen.value = lines[0][1:] if lines else ()
        if not len(table):
            self._choose()

    def _words(self, k) -> str:
        """All that a filter may ask of a run."""
        row, config = self.table.loc[k], self.runs[k].facts["config"]
        settings = " ".join(f"{name}={value}" for name, value in config.items())
        return f"{row['name']} {row['dataset']} {row['status']} {settings}".lower()

    def _choose(self, _=None):
        """Everything below the table, for the runs that are chosen now."""
        runs = [self.runs[k] for k in self.chosen.value]
        self.say(self.told + (f"; figures of the first {MOST} chosen" if len(runs) > MOST else ""))
        columns = list(dict.fromkeys(column for run in runs for column in self._figures(run)))
        before = self.figure.value
        self.figure.options = columns
        self.figure.value = before if before in columns else next(iter(columns), None)
        self._draw()
        sheets = [name for name in sorted(runs[0].sizes) if _is_sheet(name)] if runs else []
        self.step.options = [(_step(name), name) for name in sheets] or [("no samples", "")]
        self.step.value = self.step.options[-1][1]
        self._sheet()
        self.differences.value = _differences(runs)
        self.lines.show(plots.lineage(lineage.rows(self._family(runs))))
        self.place.value = "".join(map(_place, runs)) or "no run is chosen"

    def _figures(self, run) -> dict:
        """Columns of the run's tables; without those that cannot be read."""
        if run.path not in self.read:
            found = {}
            for name in TABLES:
                found |= {f"{name.removesuffix('.csv')} {column}": v for column, v in _table(run, name).items()}
            self.read[run.path] = found
        return self.read[run.path]

    def _draw(self, _=None):
        runs, column = [self.runs[k] for k in self.chosen.value], self.figure.value
        told = {run.name: self._figures(run)[column] for run in runs[:MOST] if column in self._figures(run)}
        self.picture.show(overlaid(told, column or "no figures"))

    def _sheet(self, _=None):
        if not self.step.value:
            self.samples.value = "no samples"
            return
        run = self.runs[self.chosen.value[0]]
        try:
            self.samples.show_bytes(run.read(self.step.value), f"samples of {run.name} at {_step(self.step.value)}")
        except (OSError, ValueError) as reason:  # it was replaced while we looked
            self.samples.value = html.escape(f"{self.step.value} cannot be read: {reason}")

    def _family(self, runs):
        """The chosen runs and all that are bound to them by who worked on them, or by where they began."""
        names = {run.name for run in runs}
        ids = {i for run in runs for i in run.segments}
        begun = {lineage.started_from(run).get("run") for run in runs}
        return [
            run
            for run in self.runs
            if run.name in names | begun or ids & set(run.segments) or lineage.started_from(run).get("run") in names
        ]


def _menu(description, options):
    return ipywidgets.Dropdown(description=description, options=options)


def _line(row) -> str:
    """A row of the table as text of equal width."""
    return " ".join(str(row[name])[:width].ljust(width) for name, width in SHOWN.items())


def _comparable(column):
    """Numbers by size, where they are some; else words."""
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce")
    return numbers if numbers.notna().any() else column.astype(str)


def _table(run, name) -> dict:
    """A table of the run as (steps, values) for each column; none where it cannot be read."""
    try:
        rows = list(csv.DictReader(io.StringIO(run.read(name).decode()))) if name in run.sizes else []
        steps = [float(row["step"]) for row in rows]
        columns = [column for column in (rows[0] if rows else {}) if column not in ("step", "seconds")]
        return {column: (steps, [float(row[column]) for row in rows]) for column in columns}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _best(run):
    found = _table(run, "watch.csv").get("mmd2")
    return min(found[1]) if found and found[1] else None


def _is_sheet(name) -> bool:
    return name.startswith("samples/step-") and name.endswith(".png")


def _step(name) -> str:
    return f"step {int(name.removeprefix('samples/step-').removesuffix('.png'))}"


def _differences(runs) -> str:
    """Settings that are not the same in all runs, as a table."""
    configs = [run.facts["config"] for run in runs]
    names = dict.fromkeys(name for config in configs for name in config if name != "run_name")
    differ = [name for name in names if len({str(config.get(name)) for config in configs}) > 1]
    if len(runs) < 2:
        return "choose two or more runs"
    head = "".join(f"<th>{html.escape(run.name)}</th>" for run in runs)
    body = "".join(
        f"<tr><th>{html.escape(name)}</th>"
        + "".join(f"<td>{html.escape(str(config.get(name, '')))}</td>" for config in configs)
        + "</tr>"
        for name in differ
    )
    return f"<table><tr><th></th>{head}</tr>{body}</table>" if differ else "their settings are the same"


def _place(run) -> str:
    """Where a run lies, its report, what is wrong with it, and how TensorBoard shows it."""
    at = html.escape(str(run.path))
    lines = [f"<b>{html.escape(run.name)}</b>: {at}"]
    lines += [f"its report: {at}/report.html"] if "report.html" in run.sizes else ["not judged yet: evaluate.ipynb"]
    if any(name.startswith("tensorboard/") for name in run.sizes):
        lines.append(f"tensorboard --logdir {at}/tensorboard")
    lines += [f"problem: {html.escape(problem)}" for problem in run.problems]
    return f"<p>{'<br>'.join(lines)}</p>"
