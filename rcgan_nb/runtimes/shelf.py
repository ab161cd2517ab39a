"""What is read from the runs folder on the far side.

The text of this file is sent to a kernel there, so that both sides speak alike whatever version is installed there.
"""

import base64
import hashlib
import json
import os
from pathlib import Path


def folder() -> Path:
    from rcgan_nb import paths

    return paths.runs()


def changed(begun, process) -> list:
    """[path, size, mtime_ns] of every file written since: all files of a run, of other folders the new ones.

    Runs on which another process has worked since are another notebook's.

    Args:
        begun: nanoseconds of this side's clock.
        process: number of the notebook's process.
    """
    found = []
    for top in sorted(folder().glob("[!.]*")):
        files = [[str(path.relative_to(folder())), *facts] for path, *facts in _files(top)]
        new = [file for file in files if file[2] >= begun]
        if new and not _anothers(top, begun, process):
            found += files if (top / "config.json").is_file() else new
    return found


def _files(top):
    """Path, size and mtime of the plain files at or below `top`; links, hidden and half-written ones are left out."""
    if top.is_symlink():
        return
    paths = [top] if not top.is_dir() else sorted(Path(at) / name for at, _, names in os.walk(top) for name in names)
    for path in paths:
        hidden = any(part.startswith(".") for part in path.relative_to(top.parent).parts)
        if path.is_file() and not path.is_symlink() and not hidden and path.suffix != ".partial":
            facts = path.stat()
            yield path, facts.st_size, facts.st_mtime_ns


def _anothers(top, begun, process) -> bool:
    beat = top / "heartbeat.json"
    try:
        return beat.stat().st_mtime_ns >= begun and json.loads(beat.read_text())["pid"] != process
    except (OSError, ValueError, KeyError):
        return False


def line(top) -> list:
    """[id, step after which it began] of the processes that worked on a run, none where it never began; and the step of
    its last checkpoint."""
    path = folder() / top / "segments.json"
    processes = [[s["id"], s.get("step")] for s in json.loads(path.read_text())] if path.exists() else []
    numbers = [file.stem.removeprefix("step-") for file in (path.parent / "checkpoints").glob("step-*.npz")]
    return [processes, max(map(int, filter(str.isdecimal, numbers)), default=0)]


def digest(path) -> list:
    """Size and SHA-256 of a file."""
    with open(folder() / path, "rb") as file:
        sha = hashlib.file_digest(file, "sha256").hexdigest()
        return [file.tell(), sha]


def chunk(path, offset, size) -> str:
    """Bytes of a file, in base64."""
    with open(folder() / path, "rb") as file:
        file.seek(offset)
        return base64.b64encode(file.read(size)).decode()
