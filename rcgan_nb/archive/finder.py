"""Runs found wherever they lie: in a folder tree, a zip or tar, a mirror of Drive; partial or doubled as they may be.

A run is known by its files, never by its name. What cannot be used is listed with the reason.
"""

import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from rcgan_nb import paths
from rcgan_nb.archive import trees
from rcgan_nb.archive.run import Run

MARKS = ("config.json", "data.json", "segments.json", "heartbeat.json", "metrics.csv", "watch.csv")
LONGEST = 1 << 26  # bytes of a table of facts; a run's have some thousand
MOST_STEPS, LATEST = 1 << 53, 9e9  # what a broken file says beyond these no table and no calendar can hold
ANCESTOR = {"init.csv", "log.csv"}  # what lies in a run of mv-temporal-rgan (see archive/legacy)
CHECKPOINT = re.compile(r"checkpoints/(step-\d+|best)\.npz")
DOUBLE = re.compile(r" ?\(\d+\)(?=\.\w+$)")  # what Drive and browsers add to the name of a second download


ANCESTORS = "an archive of mv-temporal-rgan; make it a run: rcgan runs import"
ANCESTORS_PACKED = "an archive of mv-temporal-rgan; unpack it, then: rcgan runs import"
COLUMNS = ["name", "status", "dataset", "model", "step", "steps", "began", "segments", "mib", "use", "restricted"]
COLUMNS += ["problems", "path"]


@dataclass(frozen=True, eq=False)
class Found:
    """A run as it was found: its facts are read from the files when they are first asked for.

    Attributes:
        tree: what it lies in.
        inside: its folder there, "" or ending in "/".
        sizes: bytes of its files, by their names relative to that folder.
    """

    tree: trees.Tree = field(repr=False)
    inside: str
    sizes: dict[str, int] = field(repr=False)

    @property
    def path(self) -> Path:
        """Where it lies; below an archive file for one that is packed."""
        return self.tree.place / self.inside

    @property
    def name(self) -> str:
        name = PurePosixPath(self.inside).name or self.tree.place.name
        suffix = next((s for s in sorted(trees.PACKED, key=len, reverse=True) if name.endswith(s)), "")
        return name.removesuffix(suffix if self.tree.packed else "")

    @property
    def size(self) -> int:
        return sum(self.sizes.values())

    def read(self, name) -> bytes:
        return self.tree.read(self.inside + name)

    def _json(self, name):
        """What a JSON file holds or, where it is missing or broken, one that Drive or a browser numbered; why that is
        nothing; and the file that was read."""
        reason = f"{name} is missing"
        for double in (name, *sorted(n for n in self.sizes if n != name and DOUBLE.sub("", n) == name)):
            if double not in self.sizes:
                continue
            if self.sizes[double] > LONGEST:
                reason = f"{double} is too long to be a run's"
                continue
            try:
                return json.loads(self.read(double)), "", double
            except (OSError, ValueError, RecursionError) as error:
                reason = f"{double} cannot be read ({error})"
        return None, reason, name

    @cached_property
    def facts(self) -> dict:
        """config, data, heartbeat: dicts, empty where unreadable. segments: a list. problems: why, in words. read: the
        file that each was read from."""
        kinds = {"config": dict, "data": dict, "heartbeat": dict, "segments": list}
        found, problems, read = {}, [], {}
        for what, kind in kinds.items():
            value, reason, read[what] = self._json(f"{what}.json")
            if not reason and not isinstance(value, kind):
                value, reason = None, f"{what}.json holds no {kind.__name__}"
            found[what] = value if value is not None else kind()
            problems += [reason] if reason else []
        if not all(map(_segment, found["segments"])):
            found["segments"] = []
            problems.append("segments.json does not say who worked on the run")
        steps = found["config"].get("steps", 0)
        if not isinstance(steps, int):
            found["config"] = {}
            problems.append(f"config.json says steps: {steps!r}, which is no whole number")
        return found | {"problems": problems, "read": read}

    @property
    def segments(self) -> list[str]:
        """Ids of the processes that worked on it, in order."""
        return [s["id"] for s in self.facts["segments"]]

    @cached_property
    def checkpoints(self) -> list[str]:
        """Names of the checkpoint files that are not cut short, in order of their steps, best.npz last."""
        return [n for n in sorted(self.sizes, key=_order) if CHECKPOINT.fullmatch(n) and self._ends(n)]

    def _ends(self, name) -> bool:
        """Whether the end of a .npz is there; `verify` looks at all of it."""
        try:
            if self.tree.packed:
                return zipfile.is_zipfile(io.BytesIO(self.read(name)))
            return zipfile.is_zipfile(self.path / name)
        except (OSError, ValueError):
            return False

    @cached_property
    def step(self) -> int:
        """The last step known of it: from its heartbeat, tables and checkpoints."""
        steps = [0, self.facts["heartbeat"].get("step"), self.last]
        return max(s for s in steps if isinstance(s, int) and s <= MOST_STEPS)

    @property
    def last(self) -> int:
        """Step of the last whole checkpoint that training goes on from; -1 without."""
        return last_step(self.checkpoints)

    @property
    def status(self) -> str:
        """As Run.status; a copy that was made while it ran is lost, whatever its heartbeat says."""
        if not self.tree.packed:
            return Run(self.path).status()
        state = str(self.facts["heartbeat"].get("state", "never started"))
        return "lost" if state == "running" else state

    @property
    def problems(self) -> list[str]:
        """What is wrong with it, in words."""
        cut = [n for n in sorted(self.sizes) if CHECKPOINT.fullmatch(n) and n not in self.checkpoints]
        found = [*self.facts["problems"], *(f"{name} is cut short" for name in cut)]
        return found if self.checkpoints else [*found, "no whole checkpoint"]

    @property
    def use(self) -> str:
        """What it can still serve for: "all", "figures" (it draws no series any more), or "nothing"."""
        if self.facts["config"] and self.facts["data"] and self.checkpoints:
            return "all"
        seen = any(name in ("metrics.csv", "watch.csv") or name.startswith("samples/") for name in self.sizes)
        return "figures" if seen else "nothing"


def last_step(checkpoints) -> int:
    """The highest step in such names of files; -1 without."""
    return max(map(step_in, filter(CHECKPOINT.fullmatch, checkpoints)), default=-1)


def step_in(name) -> int:
    """The step in the name of a checkpoint or sample; -1 without."""
    number = PurePosixPath(name).name.removeprefix("step-").partition(".")[0]
    return int(number) if number.isdecimal() else -1


def at(folder) -> Found:
    """The run that lies in this folder."""
    tree = trees.opened(folder)
    return Found(tree, "", tree.sizes)


def _segment(s) -> bool:
    return isinstance(s, dict) and isinstance(s.get("id"), str) and isinstance(s.get("step"), int)


def _order(name):
    return name.startswith("checkpoints/best"), name


@dataclass(frozen=True)
class Survey:
    """What lies in some places: runs, and files and folders that cannot be used, with the reason."""

    runs: list[Found]
    refused: list[tuple[Path, str]]

    def named(self, name) -> list[Found]:
        """The runs with a name, or that lie at a path."""
        at = Path(name).expanduser().resolve()
        return [found for found in self.runs if found.name == name or found.path.resolve() == at]


def survey(*places) -> Survey:
    """Look for runs in folders and archive files, and in archive files within those folders.

    Args:
        places: by default the runs folder, without what was moved out of the way there.
    Raises: FileNotFoundError: a place is not there.
    """
    found, refused, seen = [], [], set()
    for place in places or [paths.runs()]:
        place = Path(place).expanduser().resolve()
        if place == paths.runs() and not place.exists():
            continue  # nothing was trained yet
        for tree in _trees(place, refused):
            within = list(_within(tree, refused))
            if tree.packed and not within:  # also what is left of one that was cut short behind a checkpoint
                refused.append((tree.place, "no run's files are in it, or it is cut short"))
            new = [run for run in within if run.path not in seen]
            seen |= {run.path for run in new}
            found += new
    return Survey(sorted(found, key=lambda run: (run.name, str(run.path))), refused)


def _trees(place, refused):
    """The place itself, and the archives in it."""
    try:
        tree = trees.opened(place)
    except ValueError as error:
        refused.append((place, str(error)))
        return
    aside = f"{paths.MOVED}/" if place == paths.runs() else None
    if aside:
        tree = trees.Tree(place, {n: s for n, s in tree.sizes.items() if not n.startswith(aside)}, tree.read)
    yield tree
    for name in tree.sizes:
        if trees.is_packed(name) and not tree.packed:
            try:
                yield trees.opened(place / name)
            except (OSError, ValueError) as error:
                refused.append((place / name, str(error)))


def _within(tree, refused):
    """Every folder of a tree that holds a run's files."""
    folders = {}
    for name in tree.sizes:
        folders.setdefault(name.rpartition("/")[0], []).append(name)
    plain = {f: {DOUBLE.sub("", name.rpartition("/")[2]) for name in names} for f, names in folders.items()}
    roots = {f for f, names in plain.items() if names & set(MARKS) and _ours(tree, f, names)}
    roots |= {f.rpartition("/")[0] for f in plain if f.rpartition("/")[2] == "checkpoints" and _saves(plain[f])}
    sizes = {root: {} for root in roots}
    for folder, names in folders.items():
        root = _owner(folder, roots)
        if root is not None:
            cut = len(root) + 1 if root else 0
            sizes[root] |= {name[cut:]: tree.sizes[name] for name in names}
    for root in sorted(roots):
        yield Found(tree, f"{root}/" if root else "", sizes[root])
    for folder in sorted(f for f, names in plain.items() if names >= ANCESTOR and f not in roots):
        refused.append((tree.place / folder, ANCESTORS_PACKED if tree.packed else ANCESTORS))


def _owner(folder, roots):
    """The run that a folder belongs to: itself or the nearest above it that is one."""
    while folder and folder not in roots:
        folder = folder.rpartition("/")[0]
    return folder if folder in roots else None


def _saves(names):
    return any(CHECKPOINT.fullmatch(f"checkpoints/{name}") for name in names)


def _ours(tree, folder, names) -> bool:
    """Whether the files are a run's: other programs have a config.json or a metrics.csv, too."""
    if {"segments.json", "heartbeat.json"} & names:
        return True
    before = f"{folder}/" if folder else ""
    telling = {
        "config.json": b'"hidden_units"',
        "data.json": b'"codec"',
        "metrics.csv": b"step,",
        "watch.csv": b"step,",
    }
    for name, text in telling.items():
        if before + name in tree.sizes:
            try:
                if text in tree.read(before + name)[: 1 << 16]:
                    return True
            except (OSError, ValueError):
                continue
    return False


def rows(found: list[Found]) -> list[dict]:
    """A row of facts for each run, as tables show them."""
    return [_row(run) for run in found]


def table(found: list[Found]):
    """The same as a data frame, dates in words."""
    import pandas as pd

    frame = pd.DataFrame(rows(found), columns=COLUMNS)
    frame["began"] = pd.to_datetime(frame["began"].astype(float), unit="s").dt.strftime("%Y-%m-%d %H:%M")
    frame["mib"] = frame["mib"].map("{:.1f}".format)
    return frame


def _row(run) -> dict:
    config, facts = run.facts["config"], run.facts
    times = [s["time"] for s in facts["segments"] if isinstance(s.get("time"), int | float)]
    began = min((time for time in times if 0 <= time < LATEST), default=None)
    summary = facts["data"].get("summary")
    return {
        "name": run.name,
        "status": run.status,
        "dataset": Path(str(config.get("dataset", "?"))).name,
        "model": config.get("model", "?"),
        "step": run.step,
        "steps": config.get("steps", 0),
        "began": began,
        "segments": len(facts["segments"]),
        "mib": run.size / 2**20,
        "use": run.use,
        "restricted": isinstance(summary, dict) and bool(summary.get("restricted")),
        "problems": "; ".join(run.problems),
        "path": str(run.path),
    }
