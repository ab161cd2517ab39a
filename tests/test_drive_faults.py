"""drive_sync while all goes wrong that can: faults of Drive, kills, refusals. What is good stays good."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import httplib2
import pytest
from drive_mirror import ids, mirrored, run_in_drive, segments, write
from drive_server import FAULTS
from googleapiclient.errors import HttpError
from pydrive2.files import ApiRequestError
from servers import until

from drive_sync import faults
from drive_sync.__main__ import main
from drive_sync.drive import Drive
from drive_sync.listing import Remote
from drive_sync.mirror import HIDDEN
from drive_sync.signin import load
from drive_sync.sync import Sync

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
    until(lambda: len(drive.asked) >= enough or process.poll() is not None, every=0.001)
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
    print(f"{kills} kills, {drive.counts}, {watcher.rounds} looks")
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


def test_what_was_begun_is_gone_on_with(drive, here, tmp_path):
    content = os.urandom(100_000)
    key = drive.add("big", content, "runs")
    item = drive.files[key]
    remote = Remote(key, "big", item["md5Checksum"], item["md5Checksum"], len(content))
    (tmp_path / "part").write_bytes(content[:60_000])
    counts = []
    Drive(load()).get(remote, tmp_path / "part", counts.append)
    assert (tmp_path / "part").read_bytes() == content and counts == [40_000]
    (tmp_path / "part").write_bytes(b"x" * 60_000)  # what is wrong is thrown away and asked for anew
    Drive(load()).get(remote, tmp_path / "part", counts.append)
    assert (tmp_path / "part").read_bytes() == content and counts[1:] == [40_000, -100_000, 100_000]
    (tmp_path / "part").write_bytes(content + b"more")
    Drive(load()).get(remote, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == content


def test_an_upload_whose_answer_is_lost_makes_one_file(drive, here, monkeypatch):
    write(here, "a.txt", "once")
    answer, lost = drive.server.RequestHandlerClass._answer, []

    def lose(handler, status, content, headers=None):
        if handler.path.startswith("/session/") and status == 200 and not lost:
            lost.append(handler.path)
            handler.close_connection = True
            return None
        return answer(handler, status, content, headers)

    monkeypatch.setattr(drive.server.RequestHandlerClass, "_answer", lose)
    began = time.monotonic()
    assert main(["push"]) == 0 and lost
    assert time.monotonic() - began < 20  # and not after a minute without an answer
    assert drive.tree("runs") == {"a.txt": b"once"}


def test_a_token_that_ran_out_is_renewed_once(drive):
    one = Drive(load())
    assert one.about() == "robot@project.test"
    one.auth.credentials.token_expiry = one.auth.credentials.token_expiry.replace(year=2020)
    asked = len(drive.asked)
    one.walk("runs")
    assert [path for _, path in drive.asked[asked:]].count("/token") == 1


def failing(error):
    """A call that goes wrong, and counts how often it was made."""

    def do():
        do.calls += 1
        raise error

    do.calls = 0
    return do


def test_waits_grow_and_what_does_not_pass_is_told_at_once(monkeypatch):
    waits = []
    off = faults.BackOff(5, 1.0)
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    monkeypatch.setattr(off.stop, "wait", waits.append)
    broken, gone = failing(ConnectionResetError("gone")), failing(HttpError(httplib2.Response({"status": 404}), b""))
    with pytest.raises(faults.DriveError, match="ConnectionResetError: gone") as caught:
        off.call(broken)
    assert waits == [1, 2, 4, 8] and broken.calls == 5 and caught.value.temporary
    off.wait(30)
    assert waits.pop() == faults.LONGEST
    with pytest.raises(faults.DriveError, match="404") as caught:
        off.call(gone)
    assert len(waits) == 4 and gone.calls == 1 and not caught.value.temporary


def test_a_full_drive_stops_everything(drive, here, capsys):
    drive.full = True
    for k in range(20):
        write(here, f"f{k}", "x")
    assert main(["push"]) == 7
    said = capsys.readouterr().err
    assert "let it write into a shared drive" in said and "it was stopped before this one's turn" in said
    drive.full = False
    assert main(["push"]) == 0 and drive.tree("runs") == mirrored(here)


def test_what_changed_since_it_was_listed_is_left_alone(drive, here):
    keys = run_in_drive(drive, "r", {"a": b"old", "b": b"old", "c": b"old"})
    assert main(["pull"]) == 0
    for name in "abc":
        drive.write(keys[name], b"new there") if name != "c" else drive.item(keys[name])["labels"].update(trashed=True)
    pull = Sync("pull")
    write(here, "r/a", "new here, meanwhile")
    write(here, "r/c", "new here, meanwhile")
    drive.files[keys["b"]]["labels"]["trashed"] = False
    summary = pull.run()
    assert (
        summary.code == 1 and set(summary.failures) == {"r/a"} and "changed here since" in str(summary.failures["r/a"])
    )
    assert mirrored(here) == {"r/a": b"new here, meanwhile", "r/b": b"new there", "r/c": b"new here, meanwhile"}
    push = Sync("push")
    drive.write(keys["a"], b"newer there")
    summary = push.run()
    assert "changed in Drive since" in str(summary.failures["r/a"]) and summary.code == 5
    assert drive.files[keys["a"]]["content"] == b"newer there"


def test_a_file_that_appeared_meanwhile_or_lies_behind_a_link_is_not_replaced(drive, here, tmp_path):
    drive.add("a", b"there", "runs")
    run_in_drive(drive, "out", {"b": b"there"})
    pull = Sync("pull")
    write(here, "a", "here")
    (tmp_path / "outside").mkdir()
    (here / "out").symlink_to(tmp_path / "outside")
    failures = {path: str(error) for path, error in pull.run().failures.items()}
    assert "changed here since it was listed" in failures["a"] and "by a link" in failures["out/b"]
    assert (here / "a").read_bytes() == b"here" and not any((tmp_path / "outside").iterdir())


def test_one_sync_at_a_time(drive, here, capsys):
    drive.add("a", b"1", "runs")
    first, second = Sync("pull"), Sync("pull")
    with first.mirror.lock():
        assert main(["pull"]) == 1
    assert "is at work; wait until it ends" in capsys.readouterr().err
    assert first.run().code == 0
    with pytest.raises(BlockingIOError, match="was at work since this one was planned; plan it anew"):
        second.run()


def test_what_does_not_fit_is_not_begun(drive, here, capsys):
    drive.files[drive.add("a", b"1", "runs")]["fileSize"] = str(1 << 60)
    assert main(["pull"]) == 1 and "do not fit on the disk" in capsys.readouterr().err
    assert not mirrored(here)


def test_memory_that_was_cut_short_loses_nothing(drive, here):
    key = drive.add("a", b"1", "runs")
    drive.add("b", b"2", "runs")
    assert main(["pull"]) == 0
    (journal,) = (here / HIDDEN).glob("known-*")
    journal.write_bytes(journal.read_bytes()[:-20])
    drive.write(key, b"3")
    assert main(["pull"]) == 0 and main(["push"]) == 0
    assert mirrored(here) == drive.tree("runs") == {"a": b"3", "b": b"2"}
    assert len(journal.read_bytes().splitlines()) == 2


def test_ctrl_c_ends_soon_and_the_next_sync_goes_on(drive, here):
    files = {f"f{k}": os.urandom(100) for k in range(60)}
    run_in_drive(drive, "r", files)
    slowly = os.environ | {"RCGAN_DRIVE_PAUSE": "30"}
    process = subprocess.Popen([*SYNC, "pull"], stderr=subprocess.PIPE, env=slowly)
    until(lambda: sum("alt=media" in path for _, path in list(drive.asked)) >= 10, every=0.001)
    drive.faults, drive.chance = 10**6, 1.0  # from now on all of them wait
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and b"stopped; the same command goes on" in said
    drive.faults, kept = 0, mirrored(here)
    assert len(kept) >= 5 and main(["pull"]) == 0
    assert mirrored(here) == {f"r/{name}": content for name, content in files.items()}


@pytest.mark.parametrize(
    ("status", "content", "temporary", "told"),
    [
        (429, b"", True, "429: it gave no reason"),
        (502, b"<html>", True, "502: it gave no reason"),
        (400, b"<html>", False, "400: it gave no reason"),
        (403, b'{"error": {"message": "m", "errors": [{"reason": "userRateLimitExceeded"}]}}', True, "(userRate"),
        (403, b'{"error": {"message": "m", "errors": [{"reason": "forbidden"}]}}', False, "403 (forbidden): m."),
        (403, b'{"error": {"message": "m", "errors": [{"reason": "cannotDownloadAbusiveFile"}]}}', False, "harmful"),
        (404, b'{"error": {"message": "m"}}', False, "404: m."),
    ],
)
def test_what_answers_mean(status, content, temporary, told):
    error = HttpError(httplib2.Response({"status": status}), content)
    fault = faults.understood(error)
    assert (fault.temporary, fault.status) == (temporary, status) and told in str(fault)
    with pytest.raises((ApiRequestError, ValueError)) as caught:  # PyDrive2's wrapping of it
        try:
            raise error
        except HttpError as inner:
            raise ApiRequestError(inner) from inner
    assert faults.understood(caught.value).temporary is temporary


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError("x"),
        OSError(errno.ENETUNREACH, "x"),
        json.JSONDecodeError("x", "", 0),
        httplib2.ServerNotFoundError("x"),
    ],
)
def test_a_broken_way_is_tried_again(error):
    assert faults.understood(error).temporary


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyError("x"), ValueError("x")])
def test_what_is_no_fault_of_drive_is_not_tried_again(error):
    assert faults.understood(error) is None
