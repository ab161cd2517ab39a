"""drive_sync while all goes wrong that can: faults of Drive, kills, refusals. What is good stays good."""

import io
import json
import os
import random
import signal
import stat
import subprocess
import sys
import tarfile
import threading
import time
import zipfile

import numpy as np
import pytest
from drive_mirror import ids, mirrored, run_in_drive, segments, write
from drive_server import FAULTS

from drive_sync import faults
from drive_sync.__main__ import main
from drive_sync.drive import Drive
from drive_sync.listing import Remote
from drive_sync.mirror import HIDDEN
from drive_sync.signin import load
from rcgan_nb.series import SeriesSet

SYNC = [sys.executable, "-m", "drive_sync"]


class Watcher(threading.Thread):
    """Reads the files of a mirror all the time, and notes what is no whole old or new file, or goes back."""

    def __init__(self, folder, old, new):
        super().__init__(daemon=True)
        self.folder, self.old, self.new = folder, old, new
        self.wrong, self.rounds, self.done = [], 0, threading.Event()

    def run(self):
        renewed = set()
        while not self.done.wait(0.02):
            self.rounds += 1
            for path, content in self.new.items():
                try:
                    found = (self.folder / path).read_bytes()
                except FileNotFoundError:
                    found = None
                good = found == content or (path not in renewed and found == self.old.get(path))
                self.wrong += [] if good else [(path, found)]
                renewed |= {path} if found == content else set()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()


def killed_at_random(words, drive, chance):
    """Start a sync and kill it after some requests; returns whether it was alive until then."""
    process = subprocess.Popen([*SYNC, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    enough = len(drive.asked) + chance.randrange(60, 350)
    while len(drive.asked) < enough and process.poll() is None:
        time.sleep(0.001)
    time.sleep(chance.random() / 50)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def until_done(words, drive):
    """Sync again and again, as a user told by exit code 5 does, and until every fault has come."""
    for _ in range(20):
        done = subprocess.run([*SYNC, *words], capture_output=True, text=True, timeout=120)
        assert done.returncode in (0, 5), done.stderr[-2000:]
        if done.returncode == 0 and not drive.faults:
            return
    raise AssertionError(done.stderr)


def test_500_files_1000_faults_and_kills(drive, here):
    """The mirror ends equal byte for byte; on the way every file is the old or the new one, whole."""
    chance, drive.page = random.Random(11), 10
    old, new, keys = {}, {}, {}
    for run in range(20):
        names = [f"f{k}.bin" for k in range(23)] + ["segments.json", "heartbeat.json"]
        files = {name: chance.randbytes(chance.randrange(3000)) for name in names} | {"segments.json": segments("a")}
        half = {name: content for k, (name, content) in enumerate(files.items()) if k % 2}
        keys |= {f"r{run}/{name}": key for name, key in run_in_drive(drive, f"r{run}", half).items()}
        old |= {f"r{run}/{name}": content for name, content in half.items()}
    assert main(["pull"]) == 0 and mirrored(here) == old
    for run in range(20):
        folder = ids(drive)[f"r{run}"]
        for name in names:
            path, content = f"r{run}/{name}", chance.randbytes(chance.randrange(3000))
            new[path] = segments("a", "b") if name == "segments.json" else content
            drive.write(keys[path], new[path]) if path in keys else drive.add(name, new[path], folder)
    assert len(new) == 500
    drive.inject(1000, seed=12)
    drive.chance = 0.5
    with Watcher(here, old, new) as watcher:
        kills = sum(killed_at_random(["pull", "--transfers", "6"], drive, chance) for _ in range(4))
        until_done(["pull", "--transfers", "6"], drive)
    assert mirrored(here) == new == drive.tree("runs")
    assert not watcher.wrong and watcher.rounds > 100 and kills >= 3
    assert drive.faults == 0 and all(drive.counts[kind] > 5 for kind in FAULTS), drive.counts
    assert not (here / HIDDEN / "partial").exists()


def test_push_with_faults_and_kills_makes_every_file_once(drive, here):
    chance = random.Random(21)
    for k in range(60):
        write(here, f"d{k % 6}/f{k}.bin", chance.randbytes(chance.randrange(4000)))
    drive.inject(150, seed=22)
    drive.chance = 0.4
    kills = sum(killed_at_random(["push"], drive, chance) for _ in range(2))
    until_done(["push"], drive)
    assert drive.tree("runs") == mirrored(here) and kills  # tree() would find a file that is there twice
    assert main(["push"]) == 0 and drive.tree("runs") == mirrored(here)
