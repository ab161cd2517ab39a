"""The line of runs that wait for room: who came first is served first, and nobody is overtaken by smaller ones."""

import contextlib
import fcntl
import json
import time
from dataclasses import replace
from pathlib import Path

from rcgan_nb.archive.run import alive, this_process
from rcgan_nb.machine import gpus, preflight
from rcgan_nb.machine.room import room

EVERY = 5.0  # seconds between two looks
SETTLED = 120.0  # seconds after which what a run takes shows in what is free, and its claim counts no more


def folder() -> Path:
    """This user's line on this machine."""
    import pooch

    place = Path(pooch.os_cache("rcgan_nb")) / "line"
    place.mkdir(parents=True, exist_ok=True)
    return place


def wait(need: preflight.Estimate, wanted="auto", *, progress=print) -> str:
    """Wait until a run fits, and claim its room; returns the devices it may take, as in the setting `devices`.

    Args:
        wanted: the setting `devices`: which GPUs come into question.
    Raises: MemoryError: this machine will never have so much.
    """
    _require_possible(need, wanted)
    ticket = _write(folder() / f"{time.time_ns():020d}.waiting", need)
    said = ""
    try:
        while True:
            with _locked():
                first = _living("*.waiting")[0] == ticket
                against, devices = _against(need, wanted) if first else (["others came before"], wanted)
                if not against:
                    _write(ticket.with_suffix(".claim"), need, devices)
                    return devices
            if "; ".join(against) != said:
                said = "; ".join(against)
                progress(f"waiting: {said}")
            time.sleep(EVERY)
    finally:
        ticket.unlink(missing_ok=True)


def _require_possible(need, wanted):
    whole, found = room(), _in_question(wanted)
    if need.memory > whole.memory:
        raise MemoryError(f"it needs {need.memory:.1f} GiB of memory, and this machine has {whole.memory:.1f} in all.")
    if not need.fitting(gpu.total for gpu in found):
        raise MemoryError(f"it needs {need.on_gpus()}, more than there is: {gpus.told(found)}")


def _in_question(wanted) -> list[gpus.Gpu]:
    """The GPUs that the setting `devices` leaves to choose from."""
    found = gpus.gpus()
    if wanted in ("auto", "cpu") or gpus.ANY.fullmatch(wanted):
        return found
    numbers = [number.strip() for number in wanted.split(",")]
    return [gpu for gpu in found if str(gpu.index) in numbers]


@contextlib.contextmanager
def _locked():
    with open(folder() / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _write(path, need, devices="") -> Path:
    facts = {"memory": need.memory, "gpu_memory": need.gpu_memory, "devices": devices, "time": time.time()}
    path.write_text(json.dumps(facts | this_process()))
    return path


def _living(pattern) -> list[Path]:
    """Tickets or claims, the oldest first, of processes that live; those of others go."""
    found = []
    for path in sorted(folder().glob(pattern)):
        try:
            if alive(json.loads(path.read_text())):
                found.append(path)
                continue
        except (OSError, ValueError, KeyError):  # half written, or just gone
            if path.exists() and time.time() - path.stat().st_mtime < EVERY:
                found.append(path)
                continue
        path.unlink(missing_ok=True)
    return found


def _against(need, wanted):
    """Why a run does not fit beside those that were let in just now; and which devices it may take if it does."""
    left, found = room(), _in_question(wanted)
    for path in _living("*.claim"):
        claim = json.loads(path.read_text())
        if time.time() - claim["time"] < SETTLED:
            left = replace(left, memory_free=left.memory_free - claim["memory"])
            taken = dict.fromkeys(claim["devices"].split(","), claim["gpu_memory"])
            found = [replace(gpu, free=gpu.free - taken.get(str(gpu.index), 0.0)) for gpu in found]
    against = preflight.reasons(need, left, found)
    if against or not need.gpu_memory:
        return against, wanted
    return [], gpus.most_free(found, need.num_devices)
