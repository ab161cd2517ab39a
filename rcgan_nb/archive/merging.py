"""A chain of continuations joined into one continuous run.

What is joined where follows from the steps that the runs recorded: each process did the steps after its first one, up
to that of the process that came next. All copies that hold those steps are read, the one named first.
"""

import csv
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from rcgan_nb import paths
from rcgan_nb.archive import aside, events, finder, kept, lineage
from rcgan_nb.archive.finder import Found, Survey
from rcgan_nb.archive.run import Run, draw

TABLES = {"metrics.csv": "log_every", "watch.csv": "watch_every"}


@dataclass(frozen=True)
class Piece:
    """The steps that one process did: after `start`, up to `end`, and the copies of the run that hold them, or those of
    them after which another process went on there."""

    segment: dict
    start: int
    end: int
    sources: tuple[Found, ...]
    family: int  # 0 for the run that was begun first; another number for each run that was started from one

    def holds(self, step, source) -> bool:
        """Whether a step is of this piece, and what a copy has of it, too."""
        return self.start < step <= self.until(source) or (step == 0 == self.start and not self.family)

    def until(self, source) -> int:
        """The last of these steps that a copy can have: what comes after may be of another process."""
        after = source.facts["segments"][source.segments.index(self.segment["id"]) + 1 :]
        return min([self.end, *(segment["step"] for segment in after)])


@dataclass(frozen=True)
class Plan:
    """What merging would do; nothing has been written.

    Attributes:
        tip: the copy of the last state that is read first.
        pieces: in order of their steps.
        missing, overlaps, branches: in words; the first two have to be accepted before anything is done.
        moved: folders in the runs folder that go aside, as all they hold is in the merged run.
    """

    name: str
    tip: Found
    pieces: tuple[Piece, ...]
    missing: tuple[str, ...]
    overlaps: tuple[str, ...]
    branches: tuple[str, ...]
    moved: tuple[Path, ...]

    def __str__(self):
        lines = [f"{self.name}: {len(self.pieces)} pieces, {self.pieces[-1].end:,} steps"]
        lines += [f"  steps {p.start + 1:,} to {p.end:,}: {p.sources[0].path}" for p in self.pieces]
        marked = {"missing": self.missing, "overlap": self.overlaps, "branch": self.branches}
        lines += [f"  {what}: {text}" for what, texts in marked.items() for text in texts]
        lines += [f"  goes to {paths.MOVED}/: {path}" for path in self.moved]
        return "\n".join(lines)


def plan(survey: Survey, run: str, *, name="") -> Plan:
    """How a run and all it came from would become one.

    Args:
        run: name or path of the last one of the chain; a name takes the latest state of that run, wherever it lies.
        name: of the merged run; that of the first of the chain by default.
    Raises: FileNotFoundError: no such run. ValueError: it went on in two ways, and the name does not say which is
        meant; or there is nothing to join, or what there is cannot be used.
    """
    all_states = lineage.states(survey.runs)
    tip = _tip(survey, all_states, run)
    families = _families(tip)
    pieces = _pieces(families, survey.runs)
    used = list(dict.fromkeys(source for piece in pieces for source in piece.sources))
    others = [s for s in all_states if not set(s.copies) & set(used) or _parted(s, pieces)]
    name = name or families[0].last.run.name
    moved, stays = _aside([run for run in used if not any(run in s.copies for s in others)], others)
    target = paths.inside(paths.runs(), name)
    if target.exists() and target not in moved:
        raise ValueError(f"there is a run {name!r} already, and it stays{stays}; give the merged run another name.")
    if len(used) == 1 and len(families) == 1:
        raise ValueError(f"{tip.run.name} is one run already, and nothing else was found that belongs to it.")
    kin = [s for s in others if s.parent and set(s.parent.copies) & set(used)]
    branches = tuple(f"{s.run.path} {s.how} from step {s.step:,} and is no part of this" for s in kin)
    return Plan(name, tip.run, pieces, _missing(families[0].root, pieces), _overlaps(pieces), branches, moved)


@dataclass(frozen=True)
class _Family:
    """A run of the chain: the state that says where it came from, the last state of it in the chain, and its end."""

    root: lineage.State
    last: lineage.State
    end: int
    segment: str = ""  # the process of it from which the next run was started; "" for the last of all


def _families(tip) -> list[_Family]:
    """The runs of the chain, the one begun first at its head."""
    found = [_Family(_root(tip), tip, tip.run.step)]
    while (root := found[0].root).how == "started from" and root.parent:
        begun = lineage.started_from(root.run)
        found.insert(0, _Family(_root(root.parent), root.parent, root.step, begun.get("segment", "")))
    return found


def _root(state):
    """The state of the same run that says where it came from."""
    while state.how in ("went on", "went on otherwise"):
        state = state.parent
    return state


def _parted(state, pieces) -> bool:
    """Whether a state did steps that are not of the chain."""
    return bool(set(state.run.segments) - {piece.segment["id"] for piece in pieces})


def _tip(survey, all_states, run):
    named = survey.named(run)
    if not named:
        known = ", ".join(sorted({r.name for r in survey.runs}))
        raise FileNotFoundError(f"no run {run!r} was found; found: {known or 'none'}.")
    named = [r for r in named if r.segments and r.facts["config"] and r.facts["data"]]
    if not named:
        reasons = "; ".join(p for r in survey.named(run) for p in r.problems)
        raise ValueError(f"{run!r} cannot be merged: {reasons}.")
    own = [s for s in all_states if set(s.copies) & set(named)]
    at_path = not any(r.name == run for r in named)
    later = own if at_path else [s for s in all_states if any(_is_state(s, n) for n in own)]
    ends = [s for s in later if not any(_is_state(o, s) and o is not s for o in later)]
    if len(ends) > 1:
        ways = "; ".join(f"{s.run.path} ({s.run.step:,} steps)" for s in ends)
        raise ValueError(f"{run!r} went on in {len(ends)} ways; say which is meant by its path: {ways}.")
    return ends[0]


def _is_state(later, of) -> bool:
    """Whether one is the same run as the other, later or as late."""
    return later is of or lineage.line(of.run).precedes(lineage.line(later.run))


def _pieces(families, found) -> tuple[Piece, ...]:
    """The steps of each process of the chain, with the copies in which they are."""
    pieces = []
    for k, family in enumerate(families):
        segments = family.last.run.facts["segments"]
        if family.segment:
            segments = segments[: [s["id"] for s in segments].index(family.segment) + 1]
        for segment, after in zip(segments, [*(s["step"] for s in segments[1:]), family.end], strict=True):
            sources = [f for f in found if segment["id"] in f.segments]
            sources.sort(key=lambda f: (f in family.last.copies, lineage.fullness(f)), reverse=True)
            pieces.append(Piece(segment, segment["step"], after, tuple(sources), k))
    return tuple(pieces)


def _aside(used, others):
    """Folders of ours that go aside, and why others stay: what else came from them would lose its beginning."""
    moved, stays = [], ""
    for run in used:
        if run.tree.packed or not run.path.is_relative_to(paths.runs()) or run.path == paths.runs():
            continue
        if run.status == "running":
            raise ValueError(f"{run.name} is being trained at this moment; stop it first, or wait for its end.")
        child = next((s for s in others if s.parent and run in s.parent.copies), None)
        if child:
            stays = f", because {child.run.name} came from it, too"
        else:
            moved.append(run.path)
    return tuple(moved), stays


def _missing(first, pieces):
    """Rows that no copy has, and the run before the first one, where it was not found."""
    words = []
    if first.how == "started from":
        words.append(f"steps 1 to {first.step:,} were done by {first.name!r}, which was not found")
    for piece in pieces:
        every = piece.segment.get("config", {}).get("log_every")
        rows = [(int(row["step"]), source) for source in piece.sources for row in _table(source, "metrics.csv")]
        steps = {step for step, source in rows if piece.holds(step, source)}
        wanted = range(piece.start + 1, piece.end + 1) if every else ()
        lacking = [s for s in wanted if s % every == 0 and s not in steps]
        if lacking:
            words.append(f"figures of {len(lacking)} steps from {lacking[0]:,} to {lacking[-1]:,}")
    return tuple(words)


def _overlaps(pieces):
    """What was done after the step from which the next run was started, or another process went on: it is in no
    continuous run."""
    words = []
    for one, after in zip(pieces, pieces[1:], strict=False):
        if one.family != after.family:
            reached, what = {f: f.step for f in one.sources}, "the next run was started"
        else:  # what came after its last checkpoint was done again
            ends = [f for f in one.sources if f.segments[-1] == one.segment["id"]]
            reached, what = {f: lineage.line(f).reach for f in ends}, "another process went on"
        further = max(reached, key=reached.get, default=None)
        if further and reached[further] > one.end:
            steps = f"steps {one.end + 1:,} to {reached[further]:,}"
            words.append(f"{further.name} did {steps}, before which {what}; they are left out")
    return tuple(words)


def merge(plan: Plan, *, accept=()) -> tuple[Run, Path | None]:
    """Write the merged run, and move aside what it was made of; archive files and other folders stay as they are.

    Args:
        accept: of "missing" and "overlap" what may be.
    Returns: the run, and the folder of what went aside (None if nothing did).
    Raises: ValueError: something is missing or overlaps and was not accepted; a checkpoint is damaged in every copy.
    """
    for what, found in (("missing", plan.missing), ("overlap", plan.overlaps)):
        if found and what not in accept:
            raise ValueError(f"{what}: {'; '.join(found)}. Nothing was done; accept it with --accept {what}.")
    partial = paths.runs() / f".{plan.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _write(plan, Run(partial))
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    went = aside.move(list(plan.moved), f"merge_{plan.name}") if plan.moved else None
    target = paths.runs() / plan.name
    partial.rename(target)
    run = Run(target)
    return run, went


def _write(plan, run):
    _copy_the_rest(plan, run)
    offsets = _seconds_before(plan.pieces)
    for name in TABLES:
        _join_tables(plan.pieces, name, run.path / name, offsets)
    alarms = [a for p in plan.pieces for a in _alarms(p)]
    if alarms:
        run.write_json("alarms.json", alarms)
    for piece in plan.pieces:
        _copy_samples(piece, run)
    kept.copy(plan, run)
    for k in range(plan.pieces[-1].family + 1):
        events.join([p for p in plan.pieces if p.family == k], run.path / "tensorboard")
    facts = dict(plan.tip.facts["data"])
    facts.pop("started_from", None)
    begun = lineage.started_from(plan.pieces[0].sources[0])
    facts |= {"started_from": begun} if begun else {}
    facts["merged_from"] = [{"run": p.sources[0].name, "after": p.start, "to": p.end} for p in plan.pieces]
    run.write_json("data.json", facts)
    run.write_json("segments.json", [p.segment for p in plan.pieces])
    run.write_json("config.json", plan.tip.facts["config"])
    run.write_json("heartbeat.json", _beat(plan))
    if run.metrics() and list(run.path.glob("samples/*.png")):
        draw(run)
    run.seal()


def _seconds_before(pieces) -> dict[int, float]:
    """Seconds of training before each run of the chain began, by its number."""
    offsets, total = {0: 0.0}, 0.0
    for one, after in zip(pieces, pieces[1:], strict=False):
        if one.family != after.family:
            rows = [r for s in one.sources for r in _table(s, "metrics.csv") if int(r["step"]) <= one.until(s)]
            total += max((float(row["seconds"]) for row in rows), default=0.0)
            offsets[after.family] = total
    return offsets


def _beat(plan) -> dict:
    """The tip's heartbeat; where that was written while it ran, it runs no more."""
    state = plan.tip.status
    return plan.tip.facts["heartbeat"] | {"state": "interrupted" if state in ("lost", "killed") else state}


def _table(run, name) -> list[dict]:
    """Rows of a table, as text; one cut short, or whose step is no number, is left out."""
    if name not in run.sizes:
        return []
    try:
        header, *rows = csv.reader(io.StringIO(run.read(name).decode()))
    except (OSError, ValueError, csv.Error):
        return []
    if "step" not in header or "seconds" not in header:
        return []
    rows = [dict(zip(header, row, strict=True)) for row in rows if len(row) == len(header) and all(row)]
    return [row for row in rows if row["step"].isdigit()]


def _join_tables(pieces, name, path, offsets):
    rows, columns = {}, {}
    for piece in pieces:
        for source in piece.sources:
            for row in _table(source, name):
                step = int(row["step"])
                if piece.holds(step, source) and step not in rows:
                    seconds = round(float(row["seconds"]) + offsets[piece.family], 3)
                    rows[step] = row | {"seconds": seconds}
                    columns |= dict.fromkeys(row)
    if not rows:
        return
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(columns), restval="nan")
        writer.writeheader()
        writer.writerows(rows[step] for step in sorted(rows))


def _alarms(piece):
    for source in piece.sources:
        if "alarms.json" in source.sizes:
            try:
                return [a for a in json.loads(source.read("alarms.json")) if piece.holds(a["step"], source)]
            except (OSError, ValueError, KeyError, TypeError):
                continue
    return []


def _copy_samples(piece, run):
    for source in piece.sources:
        for name in source.sizes:
            place = run.path / name
            if name.startswith("samples/step-") and piece.holds(finder.step_in(name), source) and not place.exists():
                run.folder("samples")
                place.write_bytes(source.read(name))


def _copy_the_rest(plan, run):
    """All else of the tip: versions, judgement, notebooks, what was drawn from it."""
    made = {"metrics.csv", "watch.csv", "alarms.json", "checksums.json"}
    for name in plan.tip.sizes:
        if name not in made and name.split("/")[0] not in ("checkpoints", "samples", "tensorboard"):
            place = paths.below(run.path, name)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(plan.tip.read(name))
