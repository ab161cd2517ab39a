"""One sync from end to end, for the command and the notebook alike: sign in, plan, do."""

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from drive_sync import listing, plan, restricted, runs, signin
from drive_sync.drive import ADDRESS, Drive
from drive_sync.mirror import Mirror, Summary, Work

FOLDER = "rcgan_nb/runs"  # in Drive; where notebooks in Colab keep their runs


@dataclass(frozen=True)
class Options:
    """How to sync; the command's --help says what each is."""

    checksum: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    backup_dir: str = ""
    max_delete: int = 100
    transfers: int = 4
    allow_restricted: tuple[str, ...] = ()

    def __post_init__(self):
        for name, low in (("max_delete", 0), ("transfers", 1)):
            if getattr(self, name) < low:
                flag = f"--{name.replace('_', '-')}"
                raise ValueError(f"{flag} must be at least {low}, but {getattr(self, name)} came.")


def runs_folder() -> Path:
    """Folder of all results: RCGAN_RUNS, else `runs/` of the checkout, else `runs/` where Python was started."""
    if os.environ.get("RCGAN_RUNS"):
        return Path(os.environ["RCGAN_RUNS"]).expanduser().resolve()
    checkout = Path(__file__).resolve().parents[1]
    return ((checkout if (checkout / "notebooks").is_dir() else Path.cwd()) / "runs").resolve()  # it may be a link


class Sync:
    """A folder in Drive and one here, and what a verb would do with them: `plan`. Nothing is written before `run`.

    Args:
        verb: pull, push or dedupe.
        where: the folder in Drive: a path, an address, or id:ID.
        folder: the one here.
        drive: a Drive; by default that of the user who is signed in.
    Raises: signin.NotSignedIn; FileNotFoundError: one of the folders is not there; faults.DriveError: Drive could not
        be listed; ValueError: options that cannot be.
    """

    def __init__(self, verb, where=FOLDER, folder=None, options=Options(), *, drive=None):
        self.verb, self.options = verb, options
        self.drive = drive or Drive(signin.load())
        folder = Path(folder or runs_folder())
        if verb == "push" and not folder.is_dir():
            raise FileNotFoundError(f"there is no folder {folder} here; nothing can be pushed.")
        self.where, root = where, self._root(where)
        self.mirror = Mirror(folder, root or "new", backup=options.backup_dir)
        self.plan, self.tree, self.run_folders = None, None, ()
        self._make_plan(root)

    def _root(self, where):
        """Id of the folder in Drive; "" where a push has to make it."""
        try:
            return self.drive.find(where)
        except FileNotFoundError:
            if self.verb != "push" or ADDRESS.match(where):
                raise
            return ""

    def _make_plan(self, root):
        children = self.drive.walk(root, at_once=self.options.transfers) if root else {}
        known = self.mirror.memory.known
        here, links = listing.look(self.mirror.folder, known, checksum=self.options.checksum)
        self.tree = listing.arrange(children, root, known, here)
        if self.verb == "dedupe":
            self.plan = plan.dedupe(children, self.tree)
            return
        self.tree, matched = plan.match_runs(here, self.tree, *self._lines(here))
        self.tree.left_out |= links
        self.run_folders = runs.folders({*here, *self.tree.files})
        chosen = plan.Filter(self.options.include, self.options.exclude)
        made = plan.make(self.verb, here, self.tree, known, matched=matched, chosen=chosen)
        if self.verb == "push":
            paths, allowed = [action.path for action in made.of("put")], self.options.allow_restricted
            held = restricted.held_back(self.mirror.folder, here, paths, allowed)
            made = plan.with_folders(plan.without(made, held), self.tree, matched)
        self.plan = made

    def _lines(self, here):
        """The Lines of all runs here, and of those in Drive that may be one of them."""
        texts = {run: self._read(f"{run}/{runs.SEGMENTS}") for run in runs.folders(here)}
        families, there = {runs.family(run) for run in texts}, {}
        with tempfile.TemporaryDirectory() as folder:
            for run in runs.folders(self.tree.files):
                path = f"{run}/{runs.SEGMENTS}"
                remote = self.tree.files[path]
                if run in texts and here[path].md5 == remote.md5:
                    there[run] = texts[run]
                elif runs.family(run) in families:
                    self.drive.get(remote, Path(folder, remote.md5))
                    there[run] = Path(folder, remote.md5).read_text(errors="replace")
        return runs.lines(texts, here), runs.lines(there, self.tree.files)

    def _read(self, path):
        try:
            return (self.mirror.folder / path).read_text()
        except (OSError, ValueError):
            return ""

    def run(self, **watch) -> Summary:
        """Do what was planned. `watch`: on_bytes and on_done, as of mirror.Work.

        Raises: BlockingIOError: another sync is or was at work. OSError: the disk has not room enough.
        """
        with self.mirror.lock():
            self.mirror.require_untouched()
            if not self.tree.folders[""]:
                root = self.drive.make(self.where)
                self.tree.folders[""] = root
                self.mirror = Mirror(self.mirror.folder, root, backup=self.options.backup_dir)
            self.mirror.memory.compact()
            work = Work(self.mirror, self.drive, self.plan, self.tree, **watch)
            try:
                return work.run(self.run_folders, transfers=self.options.transfers, max_delete=self.options.max_delete)
            finally:
                with contextlib.suppress(OSError):
                    self.mirror.memory.compact()
