"""Kernels on servers that must not be left behind.

A note of every kernel lies in the runs folder while it is in use. Where this process dies or the network does, the
note stays, and the next notebook that runs from this machine on that server ends the kernel and brings its results
home.
"""

import contextlib
import json
import logging
import os
import socket
from dataclasses import asdict, dataclass

import psutil

from rcgan_nb import paths
from rcgan_nb.runtimes.server import ServerError

logger = logging.getLogger("papermill")


def folder():
    return paths.runs() / ".kernels"


@dataclass(frozen=True)
class Note:
    """A kernel on a server, and the process that uses it."""

    kernel: str
    url: str
    host: str  # machines may share a runs folder and a server
    pid: int
    started: float  # when that process was, which tells it from a later one of its number
    begun: int = 0  # the kernel's clock in ns, when its notebook began; 0 until it did
    process: int = 0  # the kernel's process

    @classmethod
    def of(cls, server, kernel):
        return cls(kernel, server.url, socket.gethostname(), os.getpid(), psutil.Process().create_time())

    def write(self):
        folder().mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(asdict(self)))

    @property
    def path(self):
        return paths.inside(folder(), f"{self.kernel}.json")

    @property
    def used(self) -> bool:
        """Whether its process lives; of another machine's nobody here can tell, and that machine ends what it left."""
        if self.host != socket.gethostname():
            return True
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started) < 1
        except psutil.NoSuchProcess:
            return False

    def remove(self):
        self.path.unlink(missing_ok=True)


async def end(server) -> list[Note]:
    """End the kernels that were left on this server; returns their notes."""
    ended = [note for note in _notes() if note.url == server.url and not note.used]
    for note in ended:
        logger.warning("Ending kernel %s, which an earlier notebook left on %s.", note.kernel, server.url)
        with contextlib.suppress(ServerError):  # gone
            await server.settle(note.kernel)
        await server.end_kernel(note.kernel)
        note.remove()
    return ended


def _notes():
    for path in folder().glob("*.json"):
        try:
            yield Note(**json.loads(path.read_text()))
        except (ValueError, TypeError):  # cut short as it was written
            path.unlink()
