"""Browse runs: a table to filter and sort; of those chosen their samples over time, figures, and what differs."""

import csv
import html
import io
import math
import os
import re
from pathlib import Path

import ipywidgets

from rcgan_nb import plots
from rcgan_nb.archive import finder, lineage
from rcgan_nb.widgets import base

SHOWN = {"name": 34, "dataset": 14, "status": 12, "step": 8, "use": 8, "began": 17, "mmd2": 10}  # columns and widths
MOST = 8  # runs whose figures are drawn over each other
TABLES = ("metrics.csv", "watch.csv")
REPORT = "report.html"
FRAME = 'style="width: 100%; height: 800px; border: 0"'
STYLE = "<style>.rcgan-runs select, .rcgan-runs label { font-family: monospace; white-space: pre; }</style>"


def browser(runs):
    """A view of runs that were found; see Browser.

    Args:
        runs: of `archive.survey(...)`: `finder.Found`, wherever they lie.
    """
    return Browser(runs)


class Browser(base.View):
    """A line for each run; what is chosen among them is shown below.

    Attributes: controls by name: filter, state, sort, down, chosen, figure, step, show_report; metrics, samples and
        lines, pictures; differences, place and report, text.
    """

    def __init__(self, runs):
        table = finder.table(runs)
        table["name"], table["began"] = names_apart(runs), table["began"].fillna("")
        table["mmd2"] = [f"{best:.5f}" if (best := _best(run)) is not None else "" for run in runs]
        self.table, self.runs, self.read = table, runs, {}
        self.filter = ipywidgets.Text(description="filter", placeholder="words, or column=value")
        self.state = base.menu("status", ["all", *sorted(set(table["status"]))])
        self.sort = base.menu("sort by", list(SHOWN))
        self.down = ipywidgets.ToggleButton(description="downwards", value=False)
        self.chosen = ipywidgets.SelectMultiple(rows=10, layout={"width": "100%"})
        self.figure = base.menu("figure", [])
        self.step = ipywidgets.SelectionSlider(options=[("no samples", "")], description="samples")
        self.samples, self.lines = base.Picture(), base.Picture()
        self.differences, self.place, self.report = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        self.show_report = ipywidgets.Button(description="Open the report", icon="file-text-o")
        controls = [ipywidgets.HTML(STYLE), self.filter, self.state, self.sort, self.down]
        metrics = base.Picture()
        super().__init__(controls, metrics)
        tabs = ipywidgets.Tab(
            [
                ipywidgets.VBox([self.figure, metrics]),
                ipywidgets.VBox([self.step, self.samples]),
                self.differences,
                self.lines,
                ipywidgets.VBox([self.place, self.show_report, self.report]),
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
        self.show_report.on_click(self._report)

    def _fill(self, _=None):
        """The lines that the filter leaves, in order; the first of them is chosen."""
        table = self.table
        if self.state.value != "all":
            table = table[table["status"] == self.state.value]
        wanted = self.filter.value.lower().split()
        table = table.loc[[k for k in table.index if all(word in self._words(k) for word in wanted)]]
        table = table.sort_values(self.sort.value, ascending=not self.down.value, key=_comparable, kind="stable")
        lines = [(_line(row), k) for k, row in table.iterrows()]
        self.told = f"{len(table)} of {len(self.table)} runs" + _aside(self.table)
        with self.chosen.hold_sync():  # the page must not be told of a choice among lines that it has no more
            self.chosen.options = lines
            self.chosen.value = lines[0][1:] if lines else ()
        if not len(table):
            self._choose()

    def _words(self, k) -> str:
        """All that a filter may ask of a run: what the table says, and its settings."""
        said = self.table.loc[k].drop("path").to_dict() | self.runs[k].facts["config"]
        return " ".join(f"{name}={value}" for name, value in said.items()).lower()

    def _runs(self) -> dict:
        """The chosen runs by the names that tell them apart."""
        return {self.table.loc[k, "name"]: self.runs[k] for k in self.chosen.value}

    def _choose(self, _=None):
        """Everything below the table, for the runs that are chosen now."""
        named = self._runs()
        runs = list(named.values())
        columns = list(dict.fromkeys(column for run in runs for column in self._figures(run)))
        before = self.figure.value
        self.figure.options = columns
        self.figure.value = before if before in columns else next(iter(columns), None)
        self._draw()
        sheets = [name for name in sorted(runs[0].sizes) if _is_sheet(name)] if runs else []
        self.step.options = [(_step(name), name) for name in sheets] or [("no samples", "")]
        self.step.value = self.step.options[-1][1]
        self._sheet()
        self.differences.value = _differences(named)
        self.lines.show(plots.lineage(lineage.rows(self._family(runs))))
        self.place.value = "".join(_place(*item) for item in named.items()) or "no run is chosen"
        self.report.value, self.show_report.disabled = "", not runs or REPORT not in runs[0].sizes

    def _figures(self, run) -> dict:
        """Columns of the run's tables; without those that cannot be read."""
        if run.path not in self.read:
            found = {}
            for name in TABLES:
                found |= {f"{name.removesuffix('.csv')} {column}": v for column, v in _table(run, name).items()}
            self.read[run.path] = found
        return self.read[run.path]

    def _draw(self, _=None):
        named, column = self._runs(), self.figure.value
        first = dict(list(named.items())[:MOST])
        told = {name: self._figures(run)[column] for name, run in first.items() if column in self._figures(run)}
        self.picture.show(plots.overlaid(told, column or "no figures"))
        gone = [name for name, run in named.items() if not _is_there(run)]
        without = [name for name in first if name not in told and name not in gone]
        self.say(
            self.told
            + (f"; figures of the first {MOST} chosen" if len(named) > MOST else "")
            + (f"; {', '.join(without)}: no {column or 'figures'} to draw" if without else "")
            + (f"; gone since: {', '.join(gone)}" if gone else "")
        )

    def _sheet(self, _=None):
        if not self.step.value:
            self.samples.value = "no samples"
            return
        name, run = next(iter(self._runs().items()))
        said = f"samples of {name} at {_step(self.step.value)}"
        try:
            self.samples.show_bytes(run.read(self.step.value), said)
            self.samples.value += f"<br>{html.escape(said)}"
        except (OSError, ValueError) as reason:  # it was replaced while we looked
            self.samples.value = html.escape(f"{self.step.value} cannot be read: {reason}")

    def _report(self, _):
        """The first chosen run's report, wherever it lies. It may come from others: nothing in it is run."""
        try:
            page = html.escape(next(iter(self._runs().values())).read(REPORT).decode(), quote=True)
            self.report.value = f'<iframe sandbox srcdoc="{page}" title="{REPORT}" {FRAME}></iframe>'
        except (OSError, ValueError) as reason:
            self.report.value = html.escape(f"{REPORT} cannot be read: {reason}")

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


def names_apart(runs) -> list[str]:
    """A name for each run; where several have one, with the folder or archive in which each lies."""
    of_name = {}
    for run in runs:
        of_name.setdefault(run.name, []).append(run.path)
    return [f"{run.name}{_within(run.path, of_name[run.name])}" for run in runs]


def _within(path, others) -> str:
    """The end of a path that tells it from the others."""
    if len(others) == 1:
        return ""
    start = Path(os.path.commonpath(others))
    if any(start in (other, other.parent) for other in others):  # a zip beside its folder: both are in that
        start = start.parent
    return f" ({path.relative_to(start)})"


def _aside(table) -> str:
    """How many runs are of no use, and how many go on, which are shown as they were when they were found."""
    broken, running = (table["use"] == "nothing").sum(), (table["status"] == "running").sum()
    said = f"; {broken} serve nobody any more (see their problems below)" if broken else ""
    return said + (f"; {running} running, shown as found: run this cell again for more" if running else "")


def _line(row) -> str:
    """A row of the table as text of equal width."""
    return " ".join(_short(str(row[name]), width).ljust(width) for name, width in SHOWN.items())


def _short(text, width) -> str:
    """A text without its middle, where it is too long."""
    half = width // 2
    return text if len(text) <= width else f"{text[: half - 1]}…{text[len(text) - width + half :]}"


def _is_there(run) -> bool:
    return (run.tree.place if run.tree.packed else run.path).exists()


def _comparable(column):
    """Numbers by size, where all that is there are some; else words."""
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce")
    return numbers if numbers[column != ""].notna().all() else column.astype(str)


def _table(run, name) -> dict:
    """A table of the run as (steps, values) for each column; none where it cannot be read."""
    try:
        text = run.read(name).decode() if name in run.sizes else ""
        rows = list(csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1])))  # the last line may be half written
        steps = [float(row["step"]) for row in rows]
        columns = [column for column in (rows[0] if rows else {}) if column not in ("step", "seconds")]
        return {column: (steps, [float(row[column]) for row in rows]) for column in columns}
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return {}


def _best(run):
    _, values = _table(run, "watch.csv").get("mmd2", ((), ()))
    return min((value for value in values if math.isfinite(value)), default=None)


def _is_sheet(name) -> bool:
    """Copies that a sync kept beside a sheet, named after it and a tag, are none."""
    return bool(re.fullmatch(r"samples/step-\d+\.png", name))


def _step(name) -> str:
    return f"step {int(name.removeprefix('samples/step-').removesuffix('.png'))}"


def _differences(named) -> str:
    """Settings that are not the same in all runs, as a table."""
    configs = [run.facts["config"] for run in named.values()]
    settings = dict.fromkeys(setting for config in configs for setting in config if setting != "run_name")
    differ = [setting for setting in settings if len({str(config.get(setting)) for config in configs}) > 1]
    if len(named) < 2:
        return "choose two or more runs"
    head = "".join(f"<th>{html.escape(name)}</th>" for name in named)
    body = "".join(
        f"<tr><th>{html.escape(setting)}</th>"
        + "".join(f"<td>{html.escape(str(config.get(setting, '')))}</td>" for config in configs)
        + "</tr>"
        for setting in differ
    )
    return f"<table><tr><th></th>{head}</tr>{body}</table>" if differ else "their settings are the same"


def _place(name, run) -> str:
    """Where a run lies and what is in its folder, what is wrong with it, and how TensorBoard shows it."""
    at = html.escape(str(run.path))
    lines = [f"<b>{html.escape(name)}</b>: {at}" + ("" if _is_there(run) else ", which is not there any more")]
    lines += [f"its report: {at}/{REPORT}"] if REPORT in run.sizes else ["not judged yet: evaluate.ipynb"]
    if any(file.startswith("tensorboard/") for file in run.sizes):
        lines.append(f"tensorboard --logdir {at}/tensorboard")
    lines += [f"problem: {html.escape(problem)}" for problem in run.problems]
    files = "".join(f"<br>{html.escape(file)}, {size:,} bytes" for file, size in sorted(run.sizes.items()))
    return f"<p>{'<br>'.join(lines)}</p><details><summary>{len(run.sizes)} files</summary>{files}</details>"
