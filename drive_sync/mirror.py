"""Doing what was planned, so that whatever happens meanwhile, no good file is lost or replaced by a bad one."""

import contextlib
import fcntl
import os
import shutil
import threading
import time
from collections import Counter, deque
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from drive_sync import names, runs
from drive_sync.faults import DriveError, Stopped
from drive_sync.listing import Known, Local, Tree, measure
from drive_sync.memory import Memory
from drive_sync.plan import remembered

HIDDEN = ".drive_sync"  # in the mirror: what was begun, what was replaced, what is remembered
FIRST, LAST = runs.SEGMENTS, runs.HEARTBEAT  # which run it is comes first, that it is whole comes last


class Mirror:
    """A folder here that is kept like one in Drive."""

    def __init__(self, folder, drive_folder, *, backup=None):
        self.folder = Path(folder)
        self.hidden = self.folder / HIDDEN
        self.memory = Memory(self.hidden / f"known-{names.encode(drive_folder)}.jsonl")
        now = f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
        self.backup = Path(backup).expanduser() if backup else self.hidden / "backup" / now
        inside = self.backup.resolve().relative_to(self.folder.resolve()).parts if self._holds(self.backup) else (".",)
        if not any(part.startswith(".") for part in inside):
            raise ValueError(f"--backup-dir {backup} lies in the mirror, and would be synced; choose one outside.")

    def _holds(self, path):
        return path.resolve().is_relative_to(self.folder.resolve())

    @contextlib.contextmanager
    def lock(self):
        """Keep other syncs of this folder out; the lock goes with the process.

        Raises: BlockingIOError: one is at work.
        """
        self.hidden.mkdir(parents=True, exist_ok=True)
        with open(self.hidden / "lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BlockingIOError(f"another sync of {self.folder} is at work; wait until it ends.") from error
            yield

    def require_untouched(self):
        """Raises: BlockingIOError: another sync was at work since this one was planned."""
        if Memory(self.memory.journal).known != self.memory.known:
            raise BlockingIOError(
                f"another sync of {self.folder} was at work since this one was planned; plan it anew."
            )

    def partial(self, path, remote) -> Path:
        """Where a download lies until it is whole; its name stands for path and content."""
        folder = self.hidden / "partial"
        folder.mkdir(exist_ok=True)
        return folder / f"{names.digest(f'{path}/{remote.id}', 16)}-{names.digest(remote.stamp, 16)}"

    def forget_partials(self):
        shutil.rmtree(self.hidden / "partial", ignore_errors=True)

    def place(self, partial, path, expected: Local | None):
        """Give a whole download its name; what it replaces goes to the backup folder.

        Raises: OSError: what is there is not what was listed, or lies outside by a link.
        """
        target = self._target(path, expected)
        target.parent.mkdir(parents=True, exist_ok=True)
        if expected:
            self._keep(target, path)
        os.replace(partial, target)
        _sync_folder(target.parent)

    def remove(self, path, expected: Local):
        """Move a file to the backup folder, and remove the folders that are empty then."""
        target = self._target(path, expected)
        self._keep(target, path)
        target.unlink()
        for folder in target.parents[: path.count("/")]:
            if any(folder.iterdir()):
                break
            folder.rmdir()

    def _target(self, path, expected):
        target = self.folder / path
        if not self._holds(target.parent):
            raise OSError(f"it lies outside {self.folder} by a link")
        found = measure(target, expected and Known("", "", "", expected.size, expected.mtime, expected.md5))
        if (found and found.md5) != (expected and expected.md5):
            raise OSError("it changed here since it was listed, or differs in capitals only; sync again")
        return target

    def _keep(self, target, path):
        """A second name in the backup folder for the file at `target`, which is never missing meanwhile."""
        kept = self.backup / path
        kept.parent.mkdir(parents=True, exist_ok=True)
        if kept.exists():
            kept = kept.with_name(names.tagged(kept.name, names.digest(str(time.time_ns()))))
        try:
            os.link(target, kept)
        except OSError:  # another disk, or one without links
            shutil.copy2(target, kept)


def _sync_folder(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass
class Summary:
    """What was done: number of files by kind of action, bytes, failures by path, why nothing was deleted, and where
    what was replaced or deleted is kept."""

    done: Counter = field(default_factory=Counter)
    bytes: int = 0
    failures: dict[str, Exception] = field(default_factory=dict)
    undeleted: str = ""
    kept: str = ""
    too_many: bool = False
    seconds: float = 0.0

    @property
    def code(self) -> int:
        """The exit code, as rclone's."""
        faults = self.failures.values()
        if self.too_many or any(getattr(fault, "final", False) for fault in faults):
            return 7
        if faults:
            return 5 if all(getattr(fault, "temporary", False) for fault in faults) else 1
        return 0


class _Group:
    """Transfers in stages, each of which waits until all of the one before are done."""

    def __init__(self, stages):
        self.stages, self.left, self.failed = deque(stage for stage in stages if stage), 0, False


def groups(actions, run_folders) -> list[_Group]:
    """A run is one group, in the order that shows whether it is whole; every other file is one by itself."""
    by_run, alone = {}, []
    for action in actions:
        run = runs.of(action.path, run_folders)
        by_run.setdefault(run, []).append(action) if run else alone.append(_Group([[action]]))
    for run, some in by_run.items():
        ends = [[a for a in some if a.path == f"{run}/{name}"] for name in (FIRST, LAST)]
        between = [a for a in some if a.path not in (f"{run}/{FIRST}", f"{run}/{LAST}")]
        alone.append(_Group([ends[0], between, ends[1]]))
    return alone


class Work:
    """One sync at work.

    Args:
        mirror, drive, plan: of the sync.
        tree: the folder in Drive; gets the folders that are made.
        on_bytes: is told how many bytes came or went; on_done: each action that is done.
    """

    def __init__(self, mirror, drive, plan, tree: Tree, *, on_bytes=lambda count: None, on_done=lambda action: None):
        self.mirror, self.drive, self.plan, self.folders = mirror, drive, plan, tree.folders
        self.listed = {remote.id for remote in tree.files.values()}
        self.on_bytes, self.on_done = on_bytes, on_done
        self.summary, self._counting = Summary(), threading.Lock()
        self.do = {"get": self._get, "put": self._put, "mkdir": self._mkdir, "rename": self._rename}
        self.do |= {"delete": self._delete, "trash": self._trash, "same": self._same, "forget": self._same}

    def run(self, run_folders, *, transfers=4, max_delete=100) -> Summary:
        """Do it: transfers first; deletions after them, only if nothing went wrong and there are not too many.

        Raises: OSError: the disk has not room enough; nothing was done.
        """
        began = time.monotonic()
        self._require_room()
        self.summary.failures |= {path: DriveError(why) for path, why in self.plan.problems.items()}
        try:
            for action in self.plan.of("same", "forget", "mkdir", "rename"):
                self._one(action)
            self._transfer(groups(self.plan.of("get", "put"), run_folders), transfers)
            self._delete_all(max_delete)
            if not self.summary.failures:
                self.mirror.forget_partials()
        finally:
            self.summary.seconds = time.monotonic() - began
            self.summary.kept = str(self.mirror.backup) if self.mirror.backup.exists() else ""
        return self.summary

    def _require_room(self):
        size, free = sum(action.size for action in self.plan.of("get")), shutil.disk_usage(self.mirror.folder).free
        if size > free:
            raise OSError(f"{size:,} bytes do not fit on the disk of {self.mirror.folder}, which has {free:,} left.")

    def _transfer(self, waiting, transfers):
        waiting, pending = deque(waiting), {}
        with ThreadPoolExecutor(transfers) as pool:
            try:
                while waiting or pending:
                    while waiting and len(set(pending.values())) < transfers:
                        self._begin(pool, waiting.popleft(), pending)
                    for future in wait(pending, return_when=FIRST_COMPLETED).done:
                        group = pending.pop(future)
                        group.left, group.failed = group.left - 1, group.failed or not future.result()
                        if not group.left and group.stages:
                            self._begin(pool, group, pending)
            except BaseException:
                self.drive.back_off.stop.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _begin(self, pool, group, pending):
        """Start the next stage of a group; of one that failed, say that the rest waits."""
        stage = group.stages.popleft()
        if group.failed:
            error = DriveError("waits for other files of its run, which failed", temporary=True)
            self.summary.failures |= {action.path: error for some in (stage, *group.stages) for action in some}
            return
        group.left = len(stage)
        pending |= {pool.submit(self._one, action): group for action in stage}

    def _one(self, action) -> bool:
        """Do one action; False where it failed."""
        try:
            if self.drive.back_off.stop.is_set():
                raise Stopped
            self.do[action.kind](action)
        except (DriveError, OSError, Stopped) as error:
            self.summary.failures[action.path] = error
            if getattr(error, "final", False):
                self.drive.back_off.stop.set()
            return False
        with self._counting:
            self.summary.done[action.kind] += 1
        self.on_done(action)
        return True

    def _count(self, count):
        with self._counting:
            self.summary.bytes += count
        self.on_bytes(count)

    def _get(self, action):
        mirror, remote, path = self.mirror, action.remote, action.to or action.path
        here = measure(mirror.folder / path) if action.to else action.local
        if here is None or here.md5 != remote.md5:  # else one before was interrupted between this and the memory
            partial = mirror.partial(path, remote)
            self.drive.get(remote, partial, self._count)
            _set_time(partial, remote.modified)
            mirror.place(partial, path, None if action.to else action.local)
            here = measure(mirror.folder / path)
        # Where another one stayed, it counts as changed here from now on, and Drive's as seen.
        seen = Known(remote.id, remote.title, remote.stamp, 0, 0, here.md5)
        mirror.memory.note(action.path, seen if action.to else remembered(here, remote))

    def _put(self, action):
        path, remote = self.mirror.folder / action.path, action.remote
        parent, title = self._parent(action.path), names.decode(action.path.rpartition("/")[2])
        if remote:
            self.drive.require_unchanged(remote)
        if action.to:
            self.drive.rename(remote.handle, action.to)
            remote = None
        for _ in range(3):
            here = measure(path)
            if here is None:
                raise OSError("it went away meanwhile")
            remote = self.drive.put(path, here.mtime, title=title, parent=parent, remote=remote, on_bytes=self._count)
            if remote.md5 == here.md5:
                self.mirror.memory.note(action.path, remembered(here, remote))
                return
        raise DriveError("it changes faster than it can be read, or Drive stores something else", temporary=True)

    def _mkdir(self, action):
        self.folders[action.path] = self.drive.mkdir(action.to, self._parent(action.path))

    def _parent(self, path):
        """Id of the folder in Drive that a path lies in."""
        folder = path.rpartition("/")[0]
        if folder not in self.folders:
            raise DriveError("the folder it goes to could not be made", temporary=True)
        return self.folders[folder]

    def _rename(self, action):
        self.drive.rename(action.remote.handle, action.to)

    def _delete(self, action):
        key = self.mirror.memory.known[action.path].id
        if key not in self.listed:  # under another name; a list may also be behind
            self.drive.require_gone(key, self.folders.get(action.path.rpartition("/")[0]))
        self.mirror.remove(action.path, action.local)
        self.mirror.memory.note(action.path, None)

    def _trash(self, action):
        self.drive.require_unchanged(action.remote)
        self.drive.trash(action.remote.handle)
        if self.plan.verb != "dedupe":
            self.mirror.memory.note(action.path, None)

    def _same(self, action):
        known = remembered(action.local, action.remote) if action.kind == "same" else None
        self.mirror.memory.note(action.path, known)

    def _delete_all(self, max_delete):
        doomed = self.plan.of("delete", "trash")
        if doomed and self.summary.failures:
            self.summary.undeleted = f"{len(doomed)} files are not deleted, because not everything went well."
        elif len(doomed) > max_delete:
            self.summary.too_many = True
            self.summary.undeleted = (
                f"{len(doomed)} files would be deleted, more than --max-delete {max_delete}; none was. If that is "
                f"meant, say --max-delete {len(doomed)}."
            )
        else:
            for action in doomed:
                self._one(action)


def _set_time(path, modified):
    """The time of Drive's last change, which it tells in UTC."""
    seconds = datetime.fromisoformat(modified).timestamp()
    os.utime(path, (seconds, seconds))
