"""What lies in a folder of Drive and in one here, as tables from paths to facts."""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from drive_sync import names

FOLDER = "application/vnd.google-apps.folder"
SHORTCUT = "application/vnd.google-apps.shortcut"
UNFINISHED = ".partial"  # how names end of what is being written
GOOGLE = "application/vnd.google-apps."
OFFICE = "application/vnd.openxmlformats-officedocument."
# Google's own documents have no bytes of their own; what each becomes here.
EXPORTS = {
    f"{GOOGLE}document": (".docx", f"{OFFICE}wordprocessingml.document"),
    f"{GOOGLE}spreadsheet": (".xlsx", f"{OFFICE}spreadsheetml.sheet"),
    f"{GOOGLE}presentation": (".pptx", f"{OFFICE}presentationml.presentation"),
    f"{GOOGLE}drawing": (".svg", "image/svg+xml"),
    f"{GOOGLE}script": (".json", f"{GOOGLE}script+json"),
}


@dataclass(frozen=True)
class Remote:
    """A file in Drive.

    Attributes:
        title: as it is called there, with the suffix of its export.
        stamp: changes whenever the content does: its md5, or the time of the last change where Drive tells none.
        export: type in which to ask for it; "" for bytes as they are.
        handle: id of what lies in the folder: the shortcut, where the file is reached by one.
    """

    id: str
    title: str
    stamp: str
    md5: str = ""
    size: int | None = None
    modified: str = ""
    export: str = ""
    handle: str = ""


@dataclass(frozen=True)
class Local:
    """A file here: bytes, time of its last change in nanoseconds, md5."""

    size: int
    mtime: int
    md5: str


@dataclass(frozen=True)
class Known:
    """A file as it was on both sides when they were last alike."""

    id: str
    title: str
    stamp: str
    size: int
    mtime: int
    md5: str


@dataclass
class Tree:
    """A folder of Drive: files and the ids of folders by the path they have here; what was left out, and why."""

    files: dict[str, Remote] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def arrange(children, root, known=None, here=()) -> Tree:
    """Give everything in a folder of Drive its path here.

    Args:
        children: id of a folder -> the items in it, as Drive gives them; a shortcut is its target's item, with its own
            id and title as `shortcut` and `title`, or keeps its type where nothing is behind it.
        root: id of the folder that becomes "".
        known: path -> Known; a file whose title has not changed keeps the name it had.
        here: paths of the files here; a title that is a name here already is that name, safe elsewhere or not.
    """
    before = {one.id: (one.title, path.rpartition("/")[2]) for path, one in (known or {}).items()}
    there_is = {path[:k] for path in here for k, c in enumerate(f"{path}/") if c == "/"}
    tree = Tree(folders={"": root})
    _arrange(tree, children, root, "", (before, there_is), (root,))
    return tree


def _arrange(tree, children, folder, path, given, above):
    items = {_handle(item): item for item in children.get(folder, [])}
    titles = [(key, _title(item), item.get("createdDate", "")) for key, item in items.items()]
    before, there_is = given
    for key, name in names.name_all(titles, _as_here(titles, path, there_is, before) | before).items():
        item, inside = items[key], _join(path, name)
        if item["mimeType"] != FOLDER:
            _add_file(tree, inside, item)
        elif item["id"] in above:
            tree.left_out[inside] = "a shortcut to a folder that it lies in"
        else:
            tree.folders[inside] = item["id"]
            _arrange(tree, children, item["id"], inside, given, (*above, item["id"]))


def _as_here(titles, path, there_is, before):
    """Names of titles that no other machine may have as names, and this one has."""
    used = {before[key][1] for key, _, _ in titles if key in before}
    odd = [(key, t) for key, t, _ in titles if names.encode(t) != t and "/" not in t and t not in used]
    return {key: (title, title) for key, title in odd if _join(path, title) in there_is}


def _join(path, name):
    return f"{path}/{name}" if path else name


def _handle(item):
    return item.get("shortcut", item["id"])


def _title(item):
    return item["title"] + EXPORTS.get(item["mimeType"], ("",))[0]


def _add_file(tree, path, item):
    _, export = EXPORTS.get(item["mimeType"], ("", ""))
    md5 = item.get("md5Checksum", "")
    if item["mimeType"] == SHORTCUT:
        tree.left_out[path] = "a shortcut, and what it leads to is not there"
    elif path.endswith(UNFINISHED):
        tree.left_out[path] = "being written"
    elif not export and not md5:
        tree.left_out[path] = f"of type {item['mimeType']}, which cannot be downloaded"
    else:
        size = int(item["fileSize"]) if md5 else None
        stamp, modified = md5 or item["modifiedDate"], item["modifiedDate"]
        tree.files[path] = Remote(item["id"], _title(item), stamp, md5, size, modified, export, _handle(item))


def look(folder, known=None, *, checksum=False) -> tuple[dict[str, Local], dict[str, str]]:
    """Files of a folder here by their paths, and what was left out, and why.

    Hidden files, links, and what is being written (`.partial`) stay out.

    Args:
        known: path -> Known; a file of the same size and time as then is taken to be the same.
        checksum: read every file all the same.
    """
    folder, found, left_out = Path(folder), {}, {}
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in [*folders, *sorted(files)]:
            path = Path(place, name)
            inside = path.relative_to(folder).as_posix()
            if path.is_symlink():
                left_out[inside] = "a link"
            elif path.is_file() and not name.startswith(".") and not name.endswith(UNFINISHED):
                before = None if checksum else (known or {}).get(inside)
                found[inside] = measure(path, before)
    return {path: one for path, one in found.items() if one}, left_out


def measure(path, before=None) -> Local | None:
    """Facts of a file; None where it went away meanwhile."""
    try:
        facts = os.stat(path)
        if before and (facts.st_size, facts.st_mtime_ns) == (before.size, before.mtime):
            return Local(before.size, before.mtime, before.md5)
        return Local(facts.st_size, facts.st_mtime_ns, md5_of(path))
    except FileNotFoundError:
        return None


def md5_of(path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
