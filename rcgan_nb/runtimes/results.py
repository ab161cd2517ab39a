"""Results that a notebook left in the runs folder of a server, brought home into ours.

The server is not trusted: what it names lands in our runs folder or nowhere, whole or not at all, and never in the
place of something that came from elsewhere.
"""

import base64
import contextlib
import hashlib
import inspect
import logging
import os
import re
import shutil
from pathlib import Path, PurePosixPath

from rcgan_nb.archive import lineage
from rcgan_nb.runtimes import shelf
from rcgan_nb.runtimes.client import RemoteKernelClient

PIECE = 1 << 22  # bytes asked for at once
ORDER = {"segments.json": 0, "heartbeat.json": 2}  # which run it is comes first, that it is finished last
ID = re.compile(r"[0-9a-f]{8,64}")

logger = logging.getLogger("papermill")


@contextlib.asynccontextmanager
async def courier(server, kernel_name):
    """A kernel beside the notebook's; gives ask(function of shelf, *arguments)."""
    kernel = await server.start_kernel(kernel_name, timeout=60)
    client = RemoteKernelClient(server, kernel)

    async def ask(function, *arguments):
        call = f"{function}({', '.join(map(repr, arguments))})"
        return await client.evaluate(f"__import__('json').dumps({call})")

    try:
        await client.start_channels(30)
        await client.execute(inspect.getsource(shelf), silent=True, store_history=False)
        yield ask
    finally:
        client.stop_channels()
        await server.end_kernel(kernel)


def parts(path) -> tuple[str, ...]:
    """The parts of a path that a server gave, relative to the runs folder.

    Raises: ValueError: it leads elsewhere, or no file can be called so.
    """
    pieces = PurePosixPath(path).parts if isinstance(path, str) else ()
    odd = [
        p
        for p in pieces
        if p.startswith((".", "~")) or re.search(r'[\x00-\x1f\x7f\\/:*?"<>|]', p) or len(p.encode()) > 200
    ]
    if not pieces or odd or len(pieces) > 20 or "/".join(pieces) != path:
        raise ValueError(f"the server gives {path!r} as a result's name, which leads out of the runs folder or is odd.")
    return pieces


class Home:
    """Our runs folder, as it is filled by the results of one notebook."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.taken = {}  # path there -> (facts there, place here) of what this object wrote
        self.runs = {}  # first part of the path of a run's files there -> name here
        self.count = self.size = 0

    async def fetch(self, ask, begun, process, stopped=lambda: False):
        """Copy what changed; a file copied before is copied again when it changed since.

        Raises: ValueError: the server names or sends what it should not. OSError: no room, or no right to write.
        """
        listed = {parts(path): (int(size), int(time)) for path, size, time in await ask("changed", begun, process)}
        new = {path: facts for path, facts in listed.items() if self._was(path) != facts}
        self._require_room(sum(size for size, _ in new.values()))
        for path in listed:
            if path[1:] == ("config.json",) and path[0] not in self.runs:
                self.runs[path[0]] = self._name(path[0], _line(await ask("line", path[0])))
        missed = []
        for path in sorted(new, key=lambda path: (path[0], ORDER.get(path[-1], 1), new[path])):
            if stopped():
                return
            if not await self._take(ask, path, new[path]):
                missed.append("/".join(path))
        if missed:
            raise ValueError(f"{', '.join(missed)} changed while it was read, or is not what the server says it is.")
        self._forget(set(listed))

    def _was(self, path):
        return self.taken.get(path, (None,))[0]

    def _require_room(self, size):
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if size > free:
            raise OSError(
                f"results of {size:,} bytes do not fit on the disk of {self.folder}, which has {free:,} left."
            )

    async def _take(self, ask, path, facts) -> bool:
        """Copy one file; one that changes while it is read is tried again."""
        for _ in range(3):
            size, sha = await ask("digest", "/".join(path))
            target = self._place(path, sha)
            here = target.is_file() and _digest(target) == sha
            if here or await self._write(ask, "/".join(path), target, int(size), sha):
                self.taken[path] = (facts, target)
                self.count, self.size = self.count + (not here), self.size + (not here) * int(size)
                return True
        return False

    async def _write(self, ask, there, target, size, sha) -> bool:
        """Write a file under a temporary name and, if it is what it should be, give it its own."""
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
        try:
            with open(partial, "wb") as file:
                while file.tell() < size:
                    piece = base64.b64decode(await ask("chunk", there, file.tell(), PIECE))
                    if not piece or file.tell() + len(piece) > size:
                        return False
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            if _digest(partial) != sha:
                return False
            os.replace(partial, target)
            return True
        finally:
            partial.unlink(missing_ok=True)

    def _place(self, path, sha) -> Path:
        """Where a file goes: its own name, or one beside it where that holds what came from elsewhere."""
        if path in self.taken:
            return self.taken[path][1]
        target = self.folder.joinpath(self.runs.get(path[0], path[0]), *path[1:])
        if path[0] not in self.runs and target.exists() and _digest(target) != sha:
            target = target.with_name(f"{target.stem}-{sha[:8]}{target.suffix}")
            logger.warning("%s is another one here and stays; the server's is %s.", "/".join(path), target.name)
        if not target.parent.resolve().is_relative_to(self.folder.resolve()):
            raise ValueError(
                f"{target.parent} leads out of {self.folder} by a link; a server's results stay inside it."
            )
        return target

    def _name(self, run, theirs) -> str:
        """The name here of the run there with this Line: its own if it is new or ours gone on with."""
        home, new = lineage.beside(self.folder, run, theirs)
        name = home.name if new else f"{run}-{theirs.ids[-1][:8]}"  # what was written there meanwhile comes, too
        if name != run:
            logger.warning("Run %s went on otherwise here and stays; the server's is %s.", run, name)
        return name

    def _forget(self, listed):
        """Remove what we wrote and the server has replaced, such as a checkpoint before the last two."""
        folders = {path[:-1] for path in listed}
        for path in self.taken.keys() - listed:
            if path[:-1] in folders:  # a folder that went as a whole is what we are here to keep
                self.taken.pop(path)[1].unlink(missing_ok=True)


def _line(told) -> lineage.Line:
    """The Line of a run there, of what can be one in what the server says (see `shelf.line`)."""
    processes, last = told if isinstance(told, list) and len(told) == 2 and isinstance(told[0], list) else ([], 0)
    pairs = [one for one in processes if isinstance(one, list) and len(one) == 2]
    pairs = [(i, step) for i, step in pairs if isinstance(i, str) and ID.fullmatch(i)]
    begun = tuple(step for _, step in pairs if isinstance(step, int))
    ids = tuple(i for i, _ in pairs)
    return lineage.Line(ids, begun if len(begun) == len(ids) else (), last if isinstance(last, int) else 0)


def _digest(path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
