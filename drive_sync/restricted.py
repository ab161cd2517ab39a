"""Artefacts of restricted data (a run, a prepared set, drawn series, an archive of them) stay on this machine.

What was made from such data says so itself: `"restricted"` stands in the JSON of a run's data.json, of a provenance
file, of an executed notebook that showed it, or inside an .npz. A folder whose data.json says so stays as a whole.
"""

import io
import re
import tarfile
import zipfile
from functools import lru_cache
from pathlib import Path, PurePosixPath

MARK = re.compile(rb"""\\?["']restricted\\?["']\s*:\s*(?!\s|false|False|null|None|\\?["']\\?["'])""")
TEXTS = (".json", ".ipynb", ".html", ".yaml", ".yml")
ZIPS, TARS = (".npz", ".zip"), (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MOST = 1 << 28  # bytes of a member that is looked into
WHY = "made from restricted data; it stays here unless named: --allow-restricted {}"


def held_back(folder, paths, allowed=()) -> dict[str, str]:
    """Which of these paths stay here, and why.

    Args:
        folder: the mirror. paths: of files in it.
        allowed: names or paths of runs, folders or files that may go all the same.
    """
    look = lru_cache(None)(lambda path: says_restricted(Path(folder, path)))  # each once for the files below it
    held = {}
    for path in paths:
        what = _restricted(Path(folder), path, look)
        if what and not any(_is_named(path, name) for name in allowed):
            held[path] = WHY.format(what)
    return held


def _restricted(folder, path, look):
    """The folder or file that is restricted, for one that is or lies in one; else None."""
    for above in list(PurePosixPath(path).parents)[:-1]:
        if (folder / above / "data.json").is_file() and look(f"{above}/data.json"):
            return str(above)
    provenance = f"{path}.provenance.json"
    if look(path) or ((folder / provenance).is_file() and look(provenance)):
        return path
    return None


def _is_named(path, name):
    name = name.strip("/")
    return bool(name) and (path == name or path.startswith(f"{name}/") or name in PurePosixPath(path).parts)


def says_restricted(path) -> bool:
    """Whether a file says that it comes from restricted data, or cannot be looked into though it may."""
    name = path.name.lower()
    try:
        with open(path, "rb") as file:
            return _says(name, file)
    except FileNotFoundError:
        return False
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, tarfile.TarError, RuntimeError, NotImplementedError):
        return name == "data.json" or name.endswith(ZIPS + TARS)


def _says(name, file) -> bool:
    if name.endswith(TEXTS):
        return bool(MARK.search(file.read()))
    if name.endswith(ZIPS):
        with zipfile.ZipFile(file) as archive:
            members = [m for m in archive.infolist() if _telling(m.filename) and m.file_size < MOST]
            return any(_member(m.filename, archive.read(m)) for m in members)
    if name.endswith(TARS):
        with tarfile.open(fileobj=file) as archive:
            members = (m for m in archive if m.isfile() and _telling(m.name) and m.size < MOST)
            return any(_member(m.name, archive.extractfile(m).read()) for m in members)
    return False


def _telling(name):
    """Whether a member may tell: `meta.npy` of an .npz holds JSON as text of four bytes a character."""
    return name == "meta.npy" or name.lower().endswith((".json", ".ipynb", ".npz"))


def _member(name, content):
    if name == "meta.npy":
        return bool(MARK.search(content.replace(b"\x00", b"")))
    return _says(name.lower(), io.BytesIO(content))
