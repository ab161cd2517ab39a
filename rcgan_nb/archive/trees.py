"""Folders, zip and tar files read alike: names, sizes and bytes of what lies in them, and nothing is unpacked."""

import contextlib
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rcgan_nb import paths

PACKED = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MOST_FILES = 1_000_000
# What reading an archive raises that is broken, or packed in a way zipfile does not know (NotImplementedError).
BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError)
BOMB = 1 << 30, 200  # a file that says it holds more bytes than this, and so many times its own size, is a bomb
SKIPPED = {".git", ".venv", "__pycache__", ".ipynb_checkpoints"}


@dataclass(frozen=True)
class Tree:
    """The files of a folder or an archive.

    Attributes:
        place: the folder or the archive file.
        sizes: bytes of each file, by its name relative to the place, parts joined by "/".
        read: the bytes of the file with such a name. Raises OSError or ValueError.
        packed: whether the place is an archive file.
    """

    place: Path
    sizes: dict[str, int]
    read: Callable[[str], bytes] = field(repr=False)
    packed: bool = False


def is_packed(path) -> bool:
    """Whether a file's name says that it is a zip or tar."""
    return str(path).lower().endswith(PACKED)


def opened(path) -> Tree:
    """The files in a folder, a zip or a tar.

    Raises: FileNotFoundError: there is nothing. ValueError: no such archive, cut short, or not to be trusted: names
        that lead out of it, links, more than a million files, or a bomb.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no folder or file {path}.")
    try:
        if zipfile.is_zipfile(path):
            return _zip(path)
        if not path.name.lower().endswith(".zip"):
            return _tar(path)
    except BROKEN as error:
        raise ValueError(f"{path} cannot be read: it is no whole zip or tar ({error}).") from error
    raise ValueError(f"{path} cannot be read: it is no whole zip.")


def _folder(path) -> Tree:
    """Hidden folders, caches and links are left out; whoever wants what a link leads to gives that as a place."""
    sizes, waiting = {}, [("", path)]
    while waiting:
        before, folder = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:  # it went, or is not ours to read
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in SKIPPED and not entry.name.startswith("."):
                    waiting.append((f"{before}{entry.name}/", entry.path))
            elif entry.is_file(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):  # half written, it has got its own name meanwhile
                    sizes[before + entry.name] = entry.stat(follow_symlinks=False).st_size
    return Tree(path, sizes, lambda name: (path / name).read_bytes())


def _zip(path) -> Tree:
    with zipfile.ZipFile(path) as file:
        members = [m for m in file.infolist() if not m.is_dir()]
    for member in members:
        _require_safe(path, member.filename, stat.S_ISLNK(member.external_attr >> 16))
        if member.flag_bits & 1:
            raise ValueError(f"{path} is encrypted; unpack it yourself and give the folder.")
    sizes = {m.filename: m.file_size for m in members}
    _require_sound(path, [m.filename for m in members], sum(m.file_size for m in members))

    def read(name):
        try:
            with zipfile.ZipFile(path) as file:
                return file.read(name)
        except (*BROKEN, KeyError) as error:
            raise ValueError(f"{name} in {path} cannot be read ({error}).") from error

    return Tree(path, sizes, read, packed=True)


def _tar(path) -> Tree:
    names, sizes, total = [], {}, 0
    with tarfile.open(path) as file:
        for member in file:
            if member.isdir():
                continue
            name = member.name.removeprefix("./")
            _require_safe(path, name, not member.isreg())
            names.append(name)
            sizes[name], total = member.size, total + member.size
            _require_sound(path, names if len(names) > MOST_FILES else (), total)
    _require_sound(path, names, total)

    def read(name):
        try:
            with tarfile.open(path) as file:
                wanted = next(m for m in file if m.name.removeprefix("./") == name)
                return file.extractfile(wanted).read()
        except (*BROKEN, StopIteration) as error:
            raise ValueError(f"{name} in {path} cannot be read ({error}).") from error

    return Tree(path, sizes, read, packed=True)


def _require_safe(path, name, odd):
    if odd:
        raise ValueError(f"{path} is refused: {name!r} in it is a link or a device, not a file.")
    try:
        paths.below(path, name)
    except ValueError as error:
        raise ValueError(f"{path} is refused: {error}") from None


def _require_sound(path, names, total):
    if len(names) > MOST_FILES:
        raise ValueError(f"{path} is refused: it holds more than {MOST_FILES:,} files.")
    if len(set(names)) < len(names):
        raise ValueError(f"{path} is refused: it holds several files of one name.")
    least, times = BOMB
    if total > least and total > times * path.stat().st_size:
        raise ValueError(
            f"{path} is refused: {path.stat().st_size:,} bytes that say they hold {total:,} are a bomb, not results."
        )
