"""Two machines and a Drive, changed and synced at random: nothing is lost, and in the end all agree."""

import random

import pytest
from drive_mirror import mirrored, write

from drive_sync.drive import Drive
from drive_sync.mirror import HIDDEN
from drive_sync.signin import load
from drive_sync.sync import Sync


class World:
    """Three places with files, each with a content of its own, and what became of them.

    Attributes:
        written: contents that a user wrote anywhere. given_up: those that a user replaced or deleted where they were.
        versions: contents that Drive keeps as older versions of a file.
    """

    def __init__(self, drive, folders, seed):
        self.drive, self.folders, self.random = drive, folders, random.Random(seed)
        self.client = Drive(load())
        self.written, self.given_up, self.versions = set(), set(), set()
        self.inner_write, drive.write = drive.write, self.write_in_drive

    def write_in_drive(self, key, content, modified=None):
        self.versions.add(self.drive.files[key].get("content"))
        self.inner_write(key, content, modified)

    def live(self):
        files = self.drive.files.items()
        return {key: item["content"] for key, item in files if "content" in item and not item["labels"]["trashed"]}

    def here(self):
        """A user changes or deletes a file on one of the machines."""
        folder = self.random.choice(self.folders)
        path = self.random.choice(["x.txt", "y.txt", "d/x.txt", "d/z.txt", "a:b"])
        self.given_up |= {mirrored(folder).get(path)}
        if self.random.random() < 0.7:
            write(folder, path, self.new())
        else:
            (folder / path).unlink(missing_ok=True)

    def there(self):
        """A user adds, changes or deletes a file in Drive."""
        keys, what = sorted(self.live()), self.random.random()
        if not keys or what < 0.3:
            self.drive.add(self.random.choice(["x.txt", "y.txt", "a/b"]), self.new(), "runs")
        elif what < 0.7:
            self.write_in_drive(self.random.choice(keys), self.new())
        else:
            self.drive.files[self.random.choice(keys)]["labels"]["trashed"] = True

    def forget(self):
        """A machine loses what it remembers."""
        (self.random.choice(self.folders) / HIDDEN / "known-runs.jsonl").unlink(missing_ok=True)

    def sync(self, verb="", folder=None):
        verb, folder = verb or self.random.choice(["pull", "push"]), folder or self.random.choice(self.folders)
        summary = Sync(verb, "id:runs", folder, drive=self.client).run()
        assert summary.code == 0, summary.failures

    def new(self):
        content = f"content {len(self.written)}".encode()
        self.written.add(content)
        return content

    def kept(self):
        """Contents that are somewhere: in a mirror or its backups, in Drive, its trash and its older versions."""
        files = [path for folder in self.folders for path in folder.rglob("*") if path.is_file()]
        in_drive = {item["content"] for item in self.drive.files.values() if "content" in item}
        return {path.read_bytes() for path in files} | in_drive | self.versions


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_nothing_is_lost_and_all_agree(drive, here, tmp_path, seed):
    (tmp_path / "other").mkdir()
    world = World(drive, [here, tmp_path / "other"], seed)
    steps = [world.here] * 4 + [world.there] * 3 + [world.sync] * 5 + [world.forget]
    for _ in range(25):
        world.random.choice(steps)()
        assert world.written <= world.kept() | world.given_up
    for _ in range(4):
        for folder in world.folders:
            world.sync("pull", folder)
            world.sync("push", folder)
    assert world.written <= world.kept() | world.given_up
    agreed = [sorted(mirrored(folder).values()) for folder in world.folders]
    assert agreed == [sorted(world.live().values())] * 2 and agreed[0]
