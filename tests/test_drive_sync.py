"""drive_sync against a local Drive: the real clients, signed tokens, faults on demand; no other socket is allowed."""

import io
import os
import socket
import subprocess
import sys
import zipfile
from datetime import UTC, datetime

import numpy as np
import pytest
from drive_mirror import digest, ids, mirrored, replaced, run_in_drive, segments, write
from drive_server import DOCUMENT, SHORTCUT

from drive_sync.__main__ import main
from drive_sync.listing import EXPORTS
from drive_sync.mirror import HIDDEN
from drive_sync.sync import Sync


def test_no_other_machine_can_be_reached(drive, monkeypatch):
    with pytest.raises(AssertionError, match="a socket to"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "AssertionError: a socket to" in done.stderr


# Both ways.


def test_pull_push_and_what_is_remembered(drive, here, capsys):
    files = {"a.txt": b"one", "empty": b"", "big.npz": os.urandom(300_000)}
    keys = run_in_drive(drive, "digits-1", files)
    assert main(["pull"]) == 0
    assert mirrored(here) == {f"digits-1/{name}": content for name, content in files.items()}
    said = capsys.readouterr().out
    assert "get 3; 300,003 bytes" in said and "lies in" not in said
    modified = drive.files[keys["a.txt"]]["modifiedDate"]
    assert (here / "digits-1/a.txt").stat().st_mtime == pytest.approx(
        np.datetime64(modified[:-1], "ms").astype(int) / 1e3
    )

    write(here, "digits-1/a.txt", "changed here")
    write(here, "digits-1/samples/new.png", b"\x89PNG")
    (here / "digits-1/empty").unlink()
    assert main(["push"]) == 0
    assert drive.tree("runs") == mirrored(here)
    assert drive.files[keys["a.txt"]]["content"] == b"changed here"  # the same file, a new version
    assert drive.files[keys["empty"]]["labels"]["trashed"]

    drive.write(keys["a.txt"], b"changed there")
    drive.files[keys["big.npz"]]["labels"]["trashed"] = True
    assert main(["pull"]) == 0
    assert mirrored(here) == {"digits-1/a.txt": b"changed there", "digits-1/samples/new.png": b"\x89PNG"}
    assert replaced(here) == {"digits-1/a.txt": b"changed here", "digits-1/big.npz": files["big.npz"]}
    assert f"What was replaced or deleted here lies in {here / HIDDEN / 'backup'}" in capsys.readouterr().out
    assert main(["status"]) == 0 and capsys.readouterr().out.count("would do 0 things") == 2


def test_a_dry_run_and_status_touch_nothing(drive, here, capsys):
    run_in_drive(drive, "r", {"there.txt": b"1", "both.txt": b"2"})
    write(here, "r/both.txt", "other")
    write(here, "r/ours.txt", "3")
    before, asked = drive.tree("runs"), len(drive.asked)
    for words in (["pull", "--dry-run"], ["push", "-n"], ["dedupe", "-n"], ["status"]):
        assert main(words) == 0
    said = capsys.readouterr().out
    assert "get      r/there.txt  (new there)" in said and "put      r/ours.txt  (new here)" in said
    assert "changed on both sides" in said
    assert drive.tree("runs") == before and {m for m, path in drive.asked[asked:] if path != "/token"} == {"GET"}
    assert sorted(os.listdir(here)) == ["r"] and sorted(os.listdir(here / "r")) == ["both.txt", "ours.txt"]


def test_a_push_makes_the_folder_and_another_machine_gets_the_same(drive, here, tmp_path):
    odd = {"a%2Fb/x.txt": b"1", "100% é.csv": b"2", "d/e/f/g": b"3"}
    for path, content in odd.items():
        write(here, path, content)
    assert main(["push", "elsewhere/mine"]) == 0
    assert main(["pull", "elsewhere/mine", "--local", str(tmp_path / "other")]) == 0
    assert mirrored(tmp_path / "other") == odd == mirrored(here)
    assert "a/b" in ids(drive, ids(drive, ids(drive, "root")["elsewhere"])["mine"])


def test_odd_titles_get_safe_names_that_lead_back(drive, here):
    titles = ["a/b", "..", "CON", "x.", "e\u0301", "same", "same", "Same", "l" * 300, "\n", "%41"]
    keys = [drive.add(title, f"{k}".encode(), "runs") for k, title in enumerate(titles)]
    assert main(["pull"]) == 0
    assert sorted(mirrored(here).values()) == sorted(f"{k}".encode() for k in range(len(titles)))
    for path, content in mirrored(here).items():
        write(here, path, content + b" changed")
    assert main(["push"]) == 0
    assert [drive.files[key]["title"] for key in keys] == titles
    assert [drive.files[key]["content"] for key in keys] == [f"{k} changed".encode() for k in range(len(titles))]


def test_names_here_that_are_safe_here_alone_stay(drive, here, tmp_path):
    write(here, "2026-11-01 10:30/a:b.txt", "1")
    write(here, "e\u0301/CON", "2")
    assert main(["push"]) == 0 and set(drive.tree("runs")) == set(mirrored(here))
    for memory in ("with", "without"):
        if memory == "without":
            next((here / HIDDEN).glob("known-*")).unlink()
        for verb in ("pull", "push"):
            assert not Sync(verb).plan.of("get", "put", "delete", "trash", "mkdir")
    assert main(["pull", "--local", str(tmp_path / "other")]) == 0
    assert set(mirrored(tmp_path / "other")) == {"2026-11-01 10%3A30/a%3Ab.txt", "\u00e9/%43ON"}


def test_what_takes_no_part_on_one_side_does_so_on_the_other(drive, here, tmp_path):
    drive.add("metrics.csv.partial", b"half", "runs")
    key = drive.add("linked", b"there", "runs")
    assert main(["pull"]) == 0 and mirrored(here) == {"linked": b"there"}
    (tmp_path / "own").write_text("own")
    (here / "linked").unlink()
    (here / "linked").symlink_to(tmp_path / "own")
    drive.write(key, b"changed there")
    for verb in ("push", "pull"):
        made = Sync(verb).plan
        assert not made.actions and made.left == {"linked": "a link", "metrics.csv.partial": "being written"}


def test_exports_and_shortcuts(drive, here, capsys):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("word/document.xml", "text")
    elsewhere = drive.add("elsewhere")
    target = drive.add("target.bin", b"behind", elsewhere)
    drive.add("Notes", {EXPORTS[DOCUMENT][1]: stream.getvalue()}, "runs", DOCUMENT)
    drive.add("short.bin", None, "runs", SHORTCUT, shortcutDetails={"targetId": target})
    drive.add("folder", None, "runs", SHORTCUT, shortcutDetails={"targetId": elsewhere})
    drive.add("loop", None, elsewhere, SHORTCUT, shortcutDetails={"targetId": elsewhere})
    drive.add("nothing", None, "runs", SHORTCUT, shortcutDetails={"targetId": "gone"})
    assert main(["pull"]) == 0
    expected = {"Notes.docx": stream.getvalue(), "short.bin": b"behind", "folder/target.bin": b"behind"}
    assert mirrored(here) == expected
    said = capsys.readouterr().err
    assert "nothing  (a shortcut, and what it leads to is not there)" in said
    assert "folder/loop  (a shortcut to a folder that it lies in)" in said
    (here / "short.bin").unlink()
    (here / "Notes.docx").unlink()
    assert main(["push"]) == 0
    assert "short.bin" not in ids(drive) and not drive.files[target]["labels"]["trashed"]
    assert "Notes" in ids(drive)  # Google's own documents are not touched


# Conflicts.


def test_a_file_that_changed_on_both_sides_is_kept_twice_everywhere(drive, here, tmp_path):
    key = drive.add("notes.txt", b"old", "runs")
    other = tmp_path / "other"
    assert main(["pull"]) == 0 and main(["pull", "--local", str(other)]) == 0
    write(here, "notes.txt", "ours !")
    drive.write(key, b"theirs", "2026-11-03T00:00:00.000Z")
    os.utime(here / "notes.txt", (datetime(2026, 11, 3, tzinfo=UTC).timestamp(),) * 2)  # alike but for what is in it
    for verb in ("pull", "pull", "push"):
        assert main([verb]) == 0
    both = {"notes.txt": b"ours !", "notes-" + digest(b"theirs") + ".txt": b"theirs"}
    assert mirrored(here) == drive.tree("runs") == both
    write(other, "notes.txt", "third")
    assert main(["push", "--local", str(other)]) == 0  # a push alone keeps both, too
    assert set(drive.tree("runs").values()) == {b"ours !", b"theirs", b"third"}
    assert main(["pull", "--local", str(other)]) == 0 and main(["pull"]) == 0
    assert mirrored(other) == drive.tree("runs") == mirrored(here)


def test_two_machines_that_went_on_with_one_run_keep_both(drive, here, tmp_path):
    common = {"segments.json": segments("a"), "metrics.csv": b"step\n1\n", "config.json": b"{}"}
    run_in_drive(drive, "digits", common)
    other = tmp_path / "other"
    assert main(["pull"]) == 0 and main(["pull", "--local", str(other)]) == 0
    sides = {here: "b", other: "c"}
    runs_of = {}
    for folder, letter in sides.items():
        runs_of[letter] = {"segments.json": segments("a", letter), "metrics.csv": f"step\n1\n2{letter}\n".encode()}
        runs_of[letter] |= {"config.json": b"{}"}  # as it was: of both runs, and of neither deleted
        for name, content in runs_of[letter].items():
            write(folder, f"digits/{name}", content)
    whole = lambda name, letter: {f"{name}/{path}": content for path, content in runs_of[letter].items()}  # noqa: E731
    assert main(["push"]) == 0  # goes on with the run that both know
    assert drive.tree("runs") == whole("digits", "b")
    assert main(["pull", "--local", str(other)]) == 0
    assert mirrored(other) == whole("digits", "c") | whole("digits-bbbbbbbb", "b")
    assert main(["push", "--local", str(other)]) == 0
    assert drive.tree("runs") == whole("digits", "b") | whole("digits-cccccccc", "c")
    assert main(["pull"]) == 0
    assert mirrored(here) == whole("digits", "b") | whole("digits-cccccccc", "c")
    write(here, "digits/metrics.csv", b"went on\n")
    write(here, "digits/segments.json", segments("a", "b", "d"))
    assert main(["push"]) == 0 and main(["pull", "--local", str(other)]) == 0
    assert mirrored(other)["digits-bbbbbbbb/metrics.csv"] == b"went on\n"
    assert {path.split("/")[0] for path in mirrored(other)} == {"digits", "digits-bbbbbbbb"}
    assert main(["status", "--local", str(other)]) == 0


def test_a_run_that_is_further_here_than_where_the_other_went_on_stays(drive, here):
    other = {"segments.json": segments("a", "b", each=3000), "metrics.csv": b"to 3500"}
    keys = run_in_drive(drive, "r", other)
    ours = {"segments.json": segments("a"), "metrics.csv": b"to 5000", "checkpoints/step-0005000.npz": b"5000"}
    for name, content in ours.items():
        write(here, f"r/{name}", content)
    assert main(["pull"]) == 0 and main(["push"]) == 0
    expected = {f"r/{name}": content for name, content in ours.items()}
    assert mirrored(here) == expected | {f"r-{'b' * 8}/{name}": content for name, content in other.items()}
    assert drive.files[keys["metrics.csv"]]["content"] == b"to 3500"
    assert drive.tree("runs")[f"r-{'a' * 8}/metrics.csv"] == b"to 5000"


def test_a_run_that_went_on_there_is_taken_as_a_whole_in_an_order_that_tells(drive, here, monkeypatch):
    files = {name: name.encode() for name in ("checkpoint.npz", "config.json", "heartbeat.json", "metrics.csv")}
    keys = run_in_drive(drive, "r", files | {"segments.json": segments("a")})
    assert main(["pull"]) == 0
    write(here, "r/metrics.csv", "touched here as well")
    for name, key in keys.items():
        drive.write(key, segments("a", "b") if name == "segments.json" else name.encode() + b" 2")
    asked = len(drive.asked)
    assert main(["pull"]) == 0
    assert mirrored(here)["r/metrics.csv"] == b"metrics.csv 2" and len(mirrored(here)) == 5
    assert replaced(here)["r/metrics.csv"] == b"touched here as well"
    order = [path.split("?")[0].rpartition("/")[2] for _, path in drive.asked[asked:] if "alt=media" in path]
    assert order[1] == keys["segments.json"] and order[-1] == keys["heartbeat.json"]  # [0]: to plan it


def test_a_half_done_pull_of_a_run_is_recognisable(drive, here, capsys):
    keys = run_in_drive(drive, "r", {"segments.json": segments("a"), "m.csv": b"1", "heartbeat.json": b"{1}"})
    assert main(["pull"]) == 0
    for name, content in {"segments.json": segments("a", "b"), "m.csv": b"2", "heartbeat.json": b"{2}"}.items():
        drive.write(keys[name], content)
    drive.files[keys["m.csv"]]["content"] = b"not what is listed"
    assert main(["pull"]) == 5
    assert mirrored(here) == {"r/segments.json": segments("a", "b"), "r/m.csv": b"1", "r/heartbeat.json": b"{1}"}
    said = capsys.readouterr().err
    assert "r/m.csv  (what comes is not what Drive lists" in said
    assert "r/heartbeat.json  (waits for other files of its run, which failed)" in said


# Deletions.


def test_nothing_is_deleted_after_an_error(drive, here, capsys):
    keys = {name: drive.add(name, name.encode(), "runs") for name in ("gone", "bad")}
    assert main(["pull"]) == 0
    drive.files[keys["gone"]]["labels"]["trashed"] = True
    drive.write(keys["bad"], b"new")
    drive.files[keys["bad"]]["content"] = b"wrong"
    assert main(["pull"]) == 5
    assert mirrored(here) == {"gone": b"gone", "bad": b"bad"}
    assert "1 files are not deleted, because not everything went well" in capsys.readouterr().err
    drive.write(keys["bad"], b"new")
    assert main(["pull"]) == 0 and mirrored(here) == {"bad": b"new"}


def test_what_a_list_does_not_show_is_asked_for_before_it_is_deleted(drive, here, capsys):
    keys = run_in_drive(drive, "r", {"a": b"1", "b": b"2", "c": b"3"})
    assert main(["pull"]) == 0
    drive.unlisted.add(keys["a"])
    drive.files[keys["b"]]["parents"] = [{"id": "root"}]  # moved away
    del drive.files[keys["c"]]
    assert main(["pull"]) == 5 and mirrored(here) == {"r/a": b"1"}
    assert "r/a  (Drive did not list it, and yet it is there" in capsys.readouterr().err
    drive.unlisted.clear()
    assert main(["pull"]) == 0 and mirrored(here) == {"r/a": b"1"}


def test_no_more_is_deleted_than_allowed(drive, here, tmp_path, capsys):
    keys = [drive.add(f"f{k}", b"x", "runs") for k in range(5)]
    assert main(["pull"]) == 0
    for key in keys[:3]:
        drive.files[key]["labels"]["trashed"] = True
    write(here, "own", "kept in any case")
    assert main(["pull", "--max-delete", "2"]) == 7 and len(mirrored(here)) == 6
    assert "3 files would be deleted, more than --max-delete 2; none was" in capsys.readouterr().err
    assert main(["pull", "--max-delete", "3", "--backup-dir", str(tmp_path / "kept")]) == 0
    assert set(mirrored(here)) == {"f3", "f4", "own"} and sorted(os.listdir(tmp_path / "kept")) == ["f0", "f1", "f2"]
    (here / "f3").unlink()
    (here / "f4").unlink()
    assert main(["push", "--max-delete", "1"]) == 7 and set(ids(drive)) == {"f3", "f4", "own"}


def test_dedupe(drive, here, capsys):
    for name, content in (("a.txt", b"1"), ("a (1).txt", b"1"), ("a.txt", b"1"), ("a.txt", b"2")):
        drive.add(name, content, "runs")
    assert main(["dedupe", "--max-delete", "1"]) == 7
    assert main(["dedupe"]) == 0 and "trash 2" in capsys.readouterr().out
    assert sorted(drive.tree("runs").values()) == [b"1", b"2"] and drive.tree("runs")["a.txt"] == b"1"


def test_checksum_sees_what_size_and_time_do_not(drive, here):
    key = drive.add("a", b"one", "runs")
    assert main(["pull"]) == 0
    before = (here / "a").stat()
    write(here, "a", "two")
    os.utime(here / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert main(["push"]) == 0 and drive.files[key]["content"] == b"one"
    assert main(["push", "--checksum"]) == 0 and drive.files[key]["content"] == b"two"


def test_filters(drive, here):
    for name in ("a.csv", "b.npz", "c.csv"):
        drive.add(name, name.encode(), "runs")
    assert main(["pull", "--include", "*.csv", "--exclude", "c*"]) == 0
    assert set(mirrored(here)) == {"a.csv"}
