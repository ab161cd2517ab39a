"""Folders of an old archive, and which of them goes on with which.

A folder is named `T0_MODEL_DATA`, or `PARENT_MODEL_OWN_DATA` where it goes on with another: T0, PARENT and OWN are
times, MODEL is RGAN or RCGAN. So each names its parent's time and its own, a linked list. The archive's own tool joined
such lists into `LAST_MODEL_DATA` and moved the sources to `archive/`; from the third link on it took any run of the
same data set for the next one. Here a run goes on with that of the parent's time, model and data set, or with nothing.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from rcgan_nb.archive.legacy import logs

TIME = r"\d{4}(?:_\d\d){5}"
NAME = re.compile(rf"({TIME})_(RC?GAN)_(?:({TIME})_)?(.+?)(?: \(\d+\))?", re.IGNORECASE)
# Where a run's relatives may be, from the folder that holds runs; the second pickles/ is a slip of the old tool.
PLACES = (".", "archive", "pickles", "pickles/archive")
SAME = ("latent_dim", "im_dim", "num_classes")  # what a continuation cannot change


@dataclass(frozen=True)
class Folder:
    """A folder of an old archive: one start of training, or several that the old tool joined.

    Attributes:
        began, parent: times as in names, such as 2019_12_04_10_00_00; parent is "" for a run that goes on with none.
        rows: of init.csv, one for each start of training.
    """

    path: Path
    began: str
    parent: str
    model: str
    data: str
    rows: list[dict] = field(hash=False, compare=False)

    @property
    def key(self):
        return self.model, self.data, self.began

    @property
    def joined(self) -> bool:
        return len(self.rows) > 1

    @property
    def never_began(self) -> bool:
        """Only the one step on one series is there by which the old program made room for its optimisers' state."""
        row = self.rows[0] if self.rows else {}
        return len(self.rows) == 1 and logs.number(row, "epochs", 0) == 1 == logs.number(row, "batch_size", 0)

    @cached_property
    def log(self) -> logs.Log:
        return logs.read(self.path / "log.csv")

    @cached_property
    def pictures(self) -> dict[int, Path]:
        """The sheets of samples by epoch, without those that were set aside as .bak."""
        found = {}
        for path in self.path.glob("img/epoch*.png"):
            number = path.stem.removeprefix("epoch")
            if number.isdecimal() and int(number) <= logs.MOST and path.is_file() and not path.is_symlink():
                found[int(number)] = path
        return dict(sorted(found.items()))

    @property
    def epochs(self) -> int:
        """Whole epochs: a picture is drawn after each; without pictures, those that the log shows to their end."""
        return max(self.pictures, default=0) or self.log.whole_epochs()


@dataclass(frozen=True)
class Chain:
    """Folders in the order in which each goes on with the one before, and what there is to say of them."""

    folders: tuple[Folder, ...]
    remarks: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.folders[-1].path.name

    def __str__(self):
        return " -> ".join(folder.path.name for folder in self.folders)


def find_chains(folder) -> list[Chain]:
    """The chain of every run in an archive that no other goes on with.

    Args:
        folder: the archive's `pickles/`, or a folder of runs in it.
    """
    folders = _folders(Path(folder))
    best = _best(folders)
    parents = [_parent(folder, best) for folder in best.values()]
    return [chain_of(folder, folders) for _, folder in sorted(best.items()) if folder not in parents]


def chain_of(folder, folders=None) -> Chain:
    """The chain that ends in a folder; a path or a Folder.

    Raises: ValueError: it is no run of an old archive.
    """
    if not isinstance(folder, Folder):
        path = Path(folder)
        folder = read(path)
        if folder is None:
            raise ValueError(f"{path} holds no run of an old archive (init.csv, log.csv, img/, gen_weights.h5).")
        if folder.never_began:
            raise ValueError(f"{path} holds nothing but the step by which the old program made room; take its parent.")
        home = path.resolve().parent
        folders = _folders(home.parent if home.name == "archive" else home)
    best = _best(folders)
    found = [best.get(folder.key, folder)]
    while (parent := _parent(found[0], best)) is not None:
        found.insert(0, parent)
    return Chain(tuple(found), tuple(_remarks(found, folders, best)))


def read(path) -> Folder | None:
    """A folder of an old archive by its files and, for its place in a chain, its name; None for another folder."""
    path = Path(path)
    if path.is_symlink() or not path.is_dir():
        return None
    named = NAME.fullmatch(path.name.removeprefix("Copy of "))
    files = ("init.csv", "log.csv", "gen_weights.h5", "img") if named else ("init.csv",)
    if not any((path / name).exists() for name in files) or (path / "config.json").exists():
        return None
    rows = logs.settings(path / "init.csv")
    if named is None:
        first = rows[0] if rows else {}
        return Folder(path, "", "", "RCGAN" if "num_classes" in first else "RGAN", first.get("data", ""), rows)
    first, model, own, data = named.groups()
    return Folder(path, own or first, first if own else "", model.upper(), data, rows)


def _folders(home) -> list[Folder]:
    """All runs in an archive that trained at all."""
    places = [place for name in PLACES if (place := home.resolve() / name).is_dir() and not place.is_symlink()]
    paths = sorted(path for place in places for path in place.iterdir())
    found = [folder for path in paths if (folder := read(path)) is not None]
    return [folder for folder in found if not folder.never_began]


def _best(folders) -> dict:
    """Of the folders that hold one and the same run, the one to take; folders without a time are all their own."""
    known = {folder.key for folder in folders if not folder.joined}

    def worth(folder):
        rooted = not folder.joined and _rooted(folder, known, folders)
        return rooted, folder.joined, (folder.path / "gen_weights.h5").exists(), folder.epochs

    best = {}
    for folder in folders:
        key = folder.key if folder.began else (*folder.key, folder.path.name)
        if key not in best or worth(folder) > worth(best[key]):
            best[key] = folder
    return best


def _rooted(folder, known, folders) -> bool:
    """Whether all that a folder goes on with is there, by itself and not joined."""
    while folder.parent:
        key = folder.model, folder.data, folder.parent
        if key not in known or folder.parent >= folder.began:
            return False
        folder = next(f for f in folders if f.key == key and not f.joined)
    return True


def _parent(folder, best) -> Folder | None:
    """The run it goes on with: that of the parent's time, if it began before."""
    found = best.get((folder.model, folder.data, folder.parent))
    return found if folder.parent and found is not None and found.began < folder.began else None


def _remarks(found, folders, best):
    first, paths = found[0], {f.path for f in found}
    if first.parent:
        yield f"{first.path.name} goes on with a run of {first.parent}, which is not there; its epochs count from 0."
    for folder in found:
        others = [f for f in best.values() if f.parent and (f.model, f.data, f.parent) == folder.key]
        if names := ", ".join(f.path.name for f in others if f.path not in paths):
            yield f"{folder.path.name} was continued otherwise, too: {names}, a branch of its own."
        doubles = [f for f in folders if f.began and f.key == folder.key and f.path != folder.path]
        yield from (_double(folder, f, found) for f in doubles)
        if folder.joined:
            yield from _suspicions(folder)


def _double(folder, other, found) -> str:
    where = other.path.relative_to(other.path.parents[1])
    if not other.joined:
        return f"{where} is the same run as {folder.path.name} and is left out."
    expected = found.index(folder) + 1
    if len(other.rows) == expected:
        return f"{where} joins the same runs and is left out."
    return (
        f"{where} joins {len(other.rows)} runs, but by their names {expected} belong together: the old tool confused "
        "others with them. The separate runs are taken."
    )


def _suspicions(folder):
    """A joined folder without its sources can only be judged by its settings."""
    changed = [name for name in SAME if len({logs.number(row, name, None) for row in folder.rows}) > 1]
    if changed:
        yield (
            f"{folder.path.name} joins runs that differ in {', '.join(changed)}, so that none can have gone on with "
            "another: the old tool confused them. Figures before the last of them are another run's."
        )
    elif len(folder.rows) > 2:
        yield (
            f"{folder.path.name} joins {len(folder.rows)} runs whose folders are not there; whether the old tool "
            "confused others with them cannot be seen."
        )
