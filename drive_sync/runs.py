"""Runs among the files: which run there is which one here, and whether one of them went on.

A run is a folder with `segments.json`, the list of the processes that worked on it. Of two lists, one that begins with
the other is a later state of the same run; lists that part are two runs, which both stay.
"""

import json
import re

SEGMENTS, HEARTBEAT = "segments.json", "heartbeat.json"
TAG = re.compile(r"-[0-9a-f]{8}\Z")
SAME, HERE, THERE, PARTED = "same", "went on here", "went on there", "parted"


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


def ids(text) -> list[str]:
    """Ids of the processes in a segments.json; none where it cannot be read."""
    try:
        return [str(segment["id"]) for segment in json.loads(text)]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def relation(here, there) -> str:
    """What two lists of ids say of the runs: same, went on here, went on there, or parted."""
    if here == there:
        return SAME
    if not here or not there:
        return PARTED
    if here == there[: len(here)]:
        return THERE
    return HERE if there == here[: len(there)] else PARTED


def family(run) -> str:
    """What the names of a run and of those kept beside it have in common."""
    return TAG.sub("", run)


def beside(run, segments, taken) -> str:
    """A free name beside a run's for one that went on otherwise: NAME-SEGMENT8, as results from elsewhere get it."""
    last = re.sub(r"[^0-9a-f]", "", segments[-1]) if segments else ""
    names = (f"{run}-{last[:length] or 'drive'}" for length in (8, 16, 32))
    return next((name for name in names if name not in taken), f"{run}-{last}-2")


def pair(here, there) -> dict[str, str]:
    """For each run there the one here that is the same, by its path; or the path that it gets here.

    Args:
        here, there: path of each run -> ids of its processes.
    """
    pairs = {run: run for run in there if run in here and relation(here[run], there[run]) != PARTED}
    for run in sorted(there.keys() - pairs.keys()):
        taken = set(pairs.values())
        kin = [k for k in here if family(k) == family(run) and relation(here[k], there[run]) != PARTED]
        kin = [k for k in kin if k not in taken]
        if kin:
            pairs[run] = max(kin, key=lambda k: len(here[k]))
        else:
            pairs[run] = beside(run, there[run], {*here, *taken}) if run in here or run in taken else run
    return pairs
