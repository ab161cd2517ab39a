"""What merging and pruning take out of the way: moved to `archive/` in the runs folder, and put back by name."""

import json
import os
from datetime import datetime
from pathlib import Path

from rcgan_nb import paths


def folder() -> Path:
    return paths.runs() / paths.MOVED


def move(what: list[Path], why: str) -> Path:
    """Move files and folders of the runs folder aside, together; returns the folder they lie in now.

    Its `moved.json` says where each was, and is written first, so that a crash between two moves loses nothing.
    Raises: ValueError: one does not lie in the runs folder.
    """
    runs = paths.runs()
    names = [_name(path, runs) for path in what]
    aside = _new(f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{why}")
    (aside / "moved.json").write_text(json.dumps(names, indent=1) + "\n")
    for name in names:
        (aside / name).parent.mkdir(parents=True, exist_ok=True)
        os.rename(runs / name, aside / name)
    return aside


def _name(path, runs) -> str:
    path = Path(path)
    if not path.parent.resolve().is_relative_to(runs) or path.resolve() == runs:
        raise ValueError(f"{path} does not lie in {runs}; only what lies there is moved.")
    return (path.parent.resolve() / path.name).relative_to(runs).as_posix()


def _new(name) -> Path:
    folder().mkdir(parents=True, exist_ok=True)
    for k in range(1000):
        aside = folder() / (f"{name}-{k + 1}" if k else name)
        if not aside.exists():
            aside.mkdir()
            return aside
    raise FileExistsError(f"there are a thousand folders {name} in {folder()} already.")


def kept() -> list[str]:
    """Names of what was moved aside, the newest last."""
    return sorted(path.parent.name for path in folder().glob("*/moved.json"))


def restore(name) -> list[Path]:
    """Put everything back that was moved aside under this name; returns the places.

    What was added to its folder since stays there.
    Raises: FileNotFoundError: no such name. FileExistsError: something lies in one of the places now; nothing is moved.
    """
    aside = folder() / name
    if name not in kept():
        raise FileNotFoundError(f"nothing was moved aside as {name!r}; known: {', '.join(kept()) or 'none'}.")
    names = json.loads((aside / "moved.json").read_text())
    names = [n for n in names if paths.below(aside, n).exists()]  # the others were never moved
    taken = [n for n in names if (paths.runs() / n).exists()]
    if taken:
        raise FileExistsError(f"{taken[0]} is there again in {paths.runs()}; rename it or move it away first.")
    for n in names:
        (paths.runs() / n).parent.mkdir(parents=True, exist_ok=True)
        os.rename(aside / n, paths.runs() / n)
    (aside / "moved.json").unlink()
    for empty in [*sorted((p for p in aside.rglob("*") if p.is_dir()), reverse=True), aside]:
        if not any(empty.iterdir()):
            empty.rmdir()
    return [paths.runs() / n for n in names]
