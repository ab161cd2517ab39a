"""Which run came from which: by the ids of the processes that worked on them, never by their names.

A run is known by the process that began it. Where the run went on, its list of processes grew: of two lists, one that
begins with the other is a later state of the same run, equal ones are copies, and lists that part went on otherwise. So
did two of which the shorter holds a checkpoint beyond the step from which the longer went on.
"""

import json
import socket
from dataclasses import dataclass, replace
from pathlib import Path

from rcgan_nb import paths
from rcgan_nb.archive import finder
from rcgan_nb.archive.finder import Found
from rcgan_nb.archive.run import Run


@dataclass(frozen=True)
class Line:
    """What tells which of two states of a run is the later one.

    Attributes:
        ids: of the processes that worked on it, in order.
        begun: the step after which each of them began; () where that is not told, and the ids alone decide.
        reach: the step from which it can be gone on with: of its last whole checkpoint; without one, the last known.
    """

    ids: tuple[str, ...]
    begun: tuple[int, ...] = ()
    reach: int = 0

    def precedes(self, later) -> bool:
        """Whether the other went on from this, and not from a step before what was done here: then they parted."""
        n = len(self.ids)
        grew = 0 < n < len(later.ids) and later.ids[:n] == self.ids
        return grew and all(self.reach <= step for step in later.begun[n : n + 1])


def line(run: Found) -> Line:
    """That of a run that was found."""
    begun = tuple(s["step"] for s in run.facts["segments"])
    return Line(tuple(run.segments), begun, run.last if run.last >= 0 else run.step)


@dataclass(frozen=True)
class State:
    """One state of a run, with all copies of it that were found, the fullest first.

    Attributes:
        parent: the state that it came from: of which it is a later state, or from which it was started.
        how: "began", "went on", "went on otherwise" or "started from"; with `name` and `step` of that.
    """

    copies: tuple[Found, ...]
    parent: "State | None" = None
    how: str = "began"
    name: str = ""
    step: int = 0

    @property
    def run(self) -> Found:
        return self.copies[0]


def states(found: list[Found]) -> list[State]:
    """All states among these runs, every parent before what came from it. Runs that do not say who worked on them are
    states of their own."""
    copies = {}
    for run in found:
        copies.setdefault(tuple(run.segments) or (str(run.path),), []).append(run)
    ordered = {key: tuple(sorted(runs, key=fullness, reverse=True)) for key, runs in copies.items()}
    made = {}
    for key in sorted(ordered, key=lambda key: (_began(ordered[key][0]), len(key), key)):
        _make(key, ordered, made, set())
    return list(made.values())


def fullness(run):
    """What makes one copy of a run better than another: a whole checkpoint, the later the better, steps, no faults,
    files, a place here, a short name."""
    whole = run.last, bool(run.checkpoints)
    return *whole, run.step, -len(run.problems), len(run.sizes), not run.tree.packed, -len(run.name), run.name


def _began(run):
    times = [s.get("time") for s in run.facts["segments"]]
    return min((t for t in times if isinstance(t, int | float)), default=0.0)


def _make(key, ordered, made, open_now):
    """The state with this list of processes, after the one it came from."""
    if key in made or key in open_now:  # a chain that bites its own tail has no beginning
        return made.get(key)
    open_now.add(key)
    run = ordered[key][0]
    before = [k for k in ordered if len(k) < len(key) and key[: len(k)] == k]
    if before:
        parent = max(before, key=len)
        how = "went on" if line(ordered[parent][0]).precedes(line(run)) else "went on otherwise"
        step = run.facts["segments"][len(parent)]["step"]
    else:
        parent, how, step = _other(key, ordered, run)
    came = _make(parent, ordered, made, open_now) if parent else None
    name = came.run.name if came else started_from(run).get("run", "")
    made[key] = State(ordered[key], came, how, str(name), step)
    return made[key]


def _other(key, ordered, run):
    """Where a state came from that is no later one of another: the run it was started from, or where it parted."""
    parted = [k for k in ordered if k < key and k[0] == key[0] and run.segments]
    if parted:
        other = max(parted, key=lambda k: _common(k, key))
        shared = _common(other, key)
        return other, "went on otherwise", run.facts["segments"][shared]["step"]
    begun = started_from(run)
    if not begun:
        return None, "began", 0
    parents = [k for k in ordered if k != key and begun.get("segment") in k]
    if not begun.get("segment"):
        parents = [k for k in ordered if k != key and ordered[k][0].name == begun["run"]]
    return max(parents, key=len, default=None), "started from", begun["step"]


def _common(one, other) -> int:
    """How many processes two lists have in common at their beginning."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def beside(folder, name, theirs: Line) -> tuple[Path, bool]:
    """Where a run that came from elsewhere goes: its own name, or one beside it where that is another run here.

    Args:
        theirs: its Line, without ids where they are not known.
    Returns: its folder, and whether it may be written there: it is new here, or went on from what is here. Where not,
        what is here went on from it.
    Raises: ValueError: both names are those of others, or links; or what is here is at work.
    """
    own = paths.inside(folder, name)
    there = list(theirs.ids)
    shared = _common(processes(own) or [], there)
    apart = there[min(shared, len(there) - 1)][:8] if there else "server"  # stays the same as it goes on there
    other = paths.inside(folder, f"{name}-{apart}")
    for place in (own, other):
        if place.is_symlink():
            raise ValueError(f"{place} is a link; results stay inside {folder}.")
        here = processes(place)
        if here is None or (here and here == there):
            return place, True
        ours = replace(line(finder.at(place)), ids=tuple(here))
        if ours.precedes(theirs):
            _require_idle(place)
            return place, True
        if theirs.precedes(ours):
            return place, False
    raise ValueError(f"run {name} is another one here, and so is {other.name}: neither is touched.")


def _require_idle(place):
    """Raises: ValueError: a process of this machine works on the run; one of another does so on what came here."""
    run = Run(place)
    if run.status() == "running" and run.read_json("heartbeat.json")["host"] == socket.gethostname():
        raise ValueError(f"run {place.name} is being trained here, and went on elsewhere, too; stop it here first.")


def processes(place) -> list[str] | None:
    """Ids of the processes that worked on the run in this folder; None where there is nothing, [] where they are not
    told."""
    if not any(place.glob("[!.]*")):
        return None
    try:
        return ids((place / "segments.json").read_text())
    except (OSError, UnicodeError):
        return []


def ids(text) -> list[str]:
    """Ids of processes out of the text of a segments.json; none where it is not one."""
    try:
        return [segment["id"] for segment in json.loads(text) if isinstance(segment["id"], str)]
    except (ValueError, KeyError, TypeError):
        return []


def begun(text) -> list[int]:
    """The step after which each process of such a text began; none where one is not told."""
    try:
        return [int(segment["step"]) for segment in json.loads(text)]
    except (ValueError, KeyError, TypeError):
        return []


def started_from(run) -> dict:
    """What a run says of the one it was started from: run, step, and the id of its last process; {} if of none."""
    begun = run.facts["data"].get("started_from")
    return begun if isinstance(begun, dict) and isinstance(begun.get("step"), int) and begun.get("run") else {}


def _children(all_states, parent) -> list[State]:
    """What came from a state, each followed by what came from that."""
    own = [state for state in all_states if state.parent is parent]
    return [one for state in own for one in (state, *_children(all_states, state))]


def rows(found) -> list[dict]:
    """A row for each state, as `plots.lineage` draws it: name, first and last step, row of the parent, how it came."""
    all_states = _children(states(found), None)
    return [
        {
            "name": state.run.name,
            "start": state.step,
            "end": state.run.step,
            "parent": all_states.index(state.parent) if state.parent else None,
            "how": state.how,
            "from": state.name,
            "copies": len(state.copies),
            "status": state.run.status,
        }
        for state in all_states
    ]
