"""What this machine has left: processors, memory, disk. A container's or job's own limits count, not the machine's."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from rcgan_nb import paths

CGROUP = Path("/sys/fs/cgroup")
LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
GIB = 2**30


@dataclass(frozen=True)
class Room:
    """Processors this process may use, and their load; memory and disk in GiB, in all and free."""

    cpus: int
    load: float
    memory: float
    memory_free: float
    disk: float
    disk_free: float


def room(folder=None) -> Room:
    """What is left now. Args: folder: whose disk counts, by default that of the runs folder."""
    import psutil

    folder = Path(folder or paths.runs())
    while not folder.exists():
        folder = folder.parent
    disk, memory = shutil.disk_usage(folder), psutil.virtual_memory()
    total, free = memory.total, memory.available
    for limit, used in _limits():
        total, free = min(total, limit), min(free, max(limit - used, 0))
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Room(cpus, os.getloadavg()[0], total / GIB, free / GIB, disk.total / GIB, disk.free / GIB)


def _limits():
    """Limit and use of the memory of this process's group, where it has one, in bytes."""
    for limit, used in LIMITS:
        try:
            yield int((CGROUP / limit).read_text()), _without_caches(int((CGROUP / used).read_text()))
        except (OSError, ValueError):  # no such group, or its limit is "max"
            continue


def _without_caches(used) -> int:
    """What is in use without copies of files, which the kernel gives up when memory is wanted."""
    try:
        lines = (CGROUP / "memory.stat").read_text().splitlines()
        return max(used - int(next(line.split()[1] for line in lines if line.startswith("inactive_file"))), 0)
    except (OSError, StopIteration, ValueError):
        return used
