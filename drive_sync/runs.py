"""Runs among the files: which run there is which one here, and whether one of them went on.

A run is a folder with `segments.json`, the list of the processes that worked on it. Of two lists, one that begins with
the other is a later state of the same run; lists that part are two runs, which both stay. So do two of which the
shorter has a checkpoint beyond the step from which the longer went on.
"""

import json
import re
from dataclasses import dataclass

SEGMENTS, HEARTBEAT = "segments.json", "heartbeat.json"
CHECKPOINT = re.compile(r"(.+)/checkpoints/step-(\d+)\.npz")
TAG = re.compile(r"-[0-9a-f]{8}\Z")
SAME, HERE, THERE, PARTED = "same", "went on here", "went on there", "parted"


@dataclass(frozen=True)
class Line:
    """What tells which of two states of a run is the later one.

    Attributes:
        ids: of the processes that worked on it, in order; () where that is not known.
        begun: the step after which each of them began; () where that is not told.
        last: step of its last checkpoint.
    """

    ids: tuple[str, ...] = ()
    begun: tuple[int, ...] = ()
    last: int = 0

    def precedes(self, later) -> bool:
        """Whether the other went on from this, and not from a step before its last checkpoint."""
        n = len(self.ids)
        grew = 0 < n < len(later.ids) and later.ids[:n] == self.ids
        return grew and all(self.last <= step for step in later.begun[n : n + 1])


def folders(files) -> list[str]:
    """Paths of the runs' folders among these paths of files."""
    return sorted(path.rpartition("/")[0] for path in files if path.endswith(f"/{SEGMENTS}"))


def of(path, runs) -> str | None:
    """The run that a file belongs to: the nearest folder above it that is one."""
    while "/" in path:
        path = path.rpartition("/")[0]
        if path in runs:
            return path
    return None


def lines(texts, files) -> dict[str, Line]:
    """The Line of each run, by its path: of the text of its segments.json, and its checkpoints among these files."""
    last = {}
    for run, step in (found.groups() for path in files if (found := CHECKPOINT.fullmatch(path))):
        last[run] = max(last.get(run, 0), int(step))
    return {run: line(text, last.get(run, 0)) for run, text in texts.items()}


def line(text, last) -> Line:
    """The Line of a run with this segments.json; empty where that cannot be read."""
    try:
        processes = [(str(segment["id"]), segment.get("step")) for segment in json.loads(text)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        processes = []
    begun = tuple(step for _, step in processes if isinstance(step, int))
    return Line(tuple(i for i, _ in processes), begun if len(begun) == len(processes) else (), last)


def relation(here: Line, there: Line) -> str:
    """What two Lines say of the runs: same, went on here, went on there, or parted."""
    if here.ids == there.ids:
        return SAME
    if here.precedes(there):
        return THERE
    return HERE if there.precedes(here) else PARTED


def family(run) -> str:
    """What the names of a run and of those kept beside it have in common."""
    return TAG.sub("", run)


def beside(run, line: Line, taken) -> str:
    """A free name beside a run's for one that went on otherwise: NAME-SEGMENT8, as results from elsewhere get it."""
    last = re.sub(r"[^0-9a-f]", "", line.ids[-1]) if line.ids else ""
    names = (f"{run}-{last[:length] or 'drive'}" for length in (8, 16, 32))
    return next((name for name in names if name not in taken), f"{run}-{last}-2")


def pair(here, there) -> dict[str, str]:
    """For each run there the one here that is the same, by its path; or the path that it gets here.

    Args:
        here, there: path of each run -> its Line.
    """
    pairs = {run: run for run in there if run in here and relation(here[run], there[run]) != PARTED}
    for run in sorted(there.keys() - pairs.keys()):
        taken = set(pairs.values())
        kin = [k for k in here if family(k) == family(run) and relation(here[k], there[run]) != PARTED]
        kin = [k for k in kin if k not in taken]
        if kin:
            pairs[run] = max(kin, key=lambda k: len(here[k].ids))
        else:
            pairs[run] = beside(run, there[run], {*here, *taken}) if run in here or run in taken else run
    return pairs
