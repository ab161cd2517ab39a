"""What the tests of drive_sync look at and put there, on both sides."""

import hashlib
import json
from pathlib import Path

from drive_sync.mirror import HIDDEN


def mirrored(folder):
    """path -> content of all that a user sees in the mirror."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files if HIDDEN not in p.parts}


def replaced(folder):
    """path -> content of all that lies in the backups of a mirror."""
    kept = Path(folder, HIDDEN, "backup")
    return {p.relative_to(kept).as_posix().partition("/")[2]: p.read_bytes() for p in kept.rglob("*") if p.is_file()}


def write(folder, path, content):
    target = Path(folder, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content if isinstance(content, bytes) else content.encode())


def segments(*ids, each=1):
    """A segments.json; `each` is how many steps a process did before the next began."""
    return json.dumps([{"id": one * 32, "step": k * each} for k, one in enumerate(ids)]).encode()


def ids(drive, folder="runs"):
    return {item["title"]: item["id"] for item in drive.inside(folder)}


def run_in_drive(drive, name, files, parent="runs"):
    folder = drive.add(name, parent=parent)
    return {path: drive.add(path, content, folder) for path, content in files.items()}


def digest(content):
    """What tells a file in Drive from ours in its name."""
    return hashlib.md5(content).hexdigest()[:8]
