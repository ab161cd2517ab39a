"""Artefacts of restricted data (a run, a prepared set, drawn series, an archive of them) stay on this machine.

What was made from such data says so itself: `"restricted"` stands in the JSON of a run's data.json, of a provenance
file, of an executed notebook that showed it, or inside an .npz. A folder whose data.json says so stays as a whole (a
run, or a review with sheets of one), and so do runs that were started from it, files elsewhere that bear its name, and
notebooks, reports and logs in which it stands: they may show what is in it.
"""

import io
import json
import re
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

MARK = re.compile(rb"""\\?["']restricted\\?["']\s*:\s*(?!\s|false|False|null|None|\\?["']\\?["'])""")
TEXTS = (".json", ".ipynb", ".html", ".txt", ".yaml", ".csv", ".md")
ZIPS, TARS = (".npz", ".zip"), (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
REVIEWS = "reviews/"  # their names say nothing of data: the first is called "review"
MOST = 1 << 28  # bytes of a member that is looked into
WHY = "made from restricted data, or cannot be read to tell; it stays here unless named: --allow-restricted {}"


def held_back(folder, here, paths, allowed=()) -> dict[str, str]:
    """Which of these paths stay here, and why.

    Args:
        folder: the mirror. here: paths of all files in it. paths: those that would be pushed.
        allowed: names or paths of runs, folders or files that may go all the same.
    """
    runs = _runs(Path(folder), [path for path in here if path.endswith("/data.json")])
    telling = [PurePosixPath(run).name for run, held in runs.items() if held and not run.startswith(REVIEWS)]
    names = "|".join(map(re.escape, telling))
    named = re.compile(rf"(?<![A-Za-z0-9])(?:{names})(?![A-Za-z0-9])".encode()) if names else None
    held = {}
    for path in paths:
        what = _restricted(Path(folder), path, runs, named)
        if what and not any(_is_named(path, name) for name in allowed):
            held[path] = WHY.format(what)
    return held


def _runs(folder, tables) -> dict[str, bool]:
    """For each folder with a data.json, whether it is restricted, or was started from a run that is."""
    held = {table.rpartition("/")[0]: says_restricted(folder / table) is not False for table in tables}
    begun = {run: _started_from(folder, run) for run in held if not held[run]}
    while more := [run for run, parent in begun.items() if not held[run] and held.get(parent)]:
        held |= dict.fromkeys(more, True)
    return held


def _started_from(folder, run):
    """Path of the run, beside it, that a run says it was started from."""
    facts = json.loads((folder / run / "data.json").read_bytes())
    begun = facts.get("started_from") if isinstance(facts, dict) else None
    above, slash, _ = run.rpartition("/")
    return f"{above}{slash}{begun.get('run')}" if isinstance(begun, dict) else ""


def _restricted(folder, path, runs, named):
    """The folder or file that is restricted, for one that is or lies in one; else None."""
    above = [str(parent) for parent in PurePosixPath(path).parents if str(parent) in runs]
    for run in above:
        if runs[run]:
            return run
    file = folder / path
    says = [says_restricted(file), says_restricted(file.with_name(f"{file.name}.provenance.json"))]
    if True in says or (None in says and not above):  # in a run of open data, what was cut short tells nothing
        return path
    if not named or above:
        return None
    text = file.read_bytes() if path.lower().endswith(TEXTS) and file.is_file() else b""
    return path if named.search(path.encode()) or named.search(text) else None


def _is_named(path, name):
    name = name.strip("/")
    return bool(name) and (path == name or path.startswith(f"{name}/") or name in PurePosixPath(path).parts)


def says_restricted(path) -> bool | None:
    """Whether a file says that it comes from restricted data; None where it may, and cannot be read."""
    try:
        with open(path, "rb") as file:
            if path.name == "data.json":
                json.load(file)
                file.seek(0)
            return _says(path.name.lower(), file)
    except FileNotFoundError:
        return False
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, tarfile.TarError, RuntimeError, NotImplementedError):
        return None  # broken, encrypted (RuntimeError), or packed in a way zipfile does not know (NotImplementedError)


def _says(name, file) -> bool:
    if name.endswith(TEXTS):
        return bool(MARK.search(file.read()))
    if name.endswith(ZIPS):
        with zipfile.ZipFile(file) as archive:
            members = [m for m in archive.infolist() if _telling(m.filename, m.file_size)]
            return any(_member(m.filename, archive.read(m)) for m in members)
    if name.endswith(TARS):
        with tarfile.open(fileobj=file) as archive:
            members = (m for m in archive if m.isfile() and _telling(m.name, m.size))
            return any(_member(m.name, archive.extractfile(m).read()) for m in members)
    return False


def _telling(name, size):
    """Whether a member may tell: `meta.npy` of an .npz holds JSON as text of four bytes a character.

    Raises: ValueError: it may, and is too large to be looked into.
    """
    telling = name == "meta.npy" or name.lower().endswith((".json", ".ipynb", ".npz"))
    if telling and size > MOST:
        raise ValueError(f"{name} has {size:,} bytes")
    return telling


def _member(name, content):
    if name == "meta.npy":
        return bool(MARK.search(content.replace(b"\x00", b"")))
    return _says(name.lower(), io.BytesIO(content))
