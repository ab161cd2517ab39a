"""Runs with odd names, files and facts: brought in, listed, put back."""

import shutil
import threading
import time

import pytest
from runs_made import run_at

from rcgan_nb import archive, cli
from rcgan_nb.archive import aside
from rcgan_nb.archive.bring import bring


def test_a_run_that_writes_its_heartbeat_meanwhile_is_found(tmp_path):
    run = run_at(tmp_path / "faces", 100)
    for k in range(300):
        (run.path / f"samples/{k}.txt").write_text("so that looking takes a while")
    until, done = time.monotonic() + 3, threading.Event()

    def beats():
        while not done.is_set():
            run.beat("running", 100)

    beating = threading.Thread(target=beats)
    beating.start()
    try:
        while time.monotonic() < until:
            assert [found.name for found in archive.survey(tmp_path).runs] == ["faces"]
    finally:
        done.set()
        beating.join()


@pytest.mark.parametrize("steps", [None, "many", [100], 1.5])
def test_a_run_whose_config_says_no_number_of_steps_is_listed_as_broken(runs, capsys, steps):
    run = run_at(runs / "odd", 100)
    run_at(runs / "faces", 200)
    run.write_json("config.json", run.read_json("config.json") | {"steps": steps})
    assert cli.main(["runs", "list"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "200/200" in said and f"figures: config.json says steps: {steps!r}, which is no whole number" in said


def test_brackets_in_names_are_listed(runs, capsys):
    run_at(runs / "exp[lr=0.1]", 100)
    assert cli.main(["runs", "list"]) == 0
    assert "exp[lr=0.1]" in capsys.readouterr().out


def test_what_was_added_to_what_went_aside_stays_there(runs):
    for name in ("one", "two"):
        run_at(runs / name, 100)
    went = aside.move([runs / "one", runs / "two/metrics.csv", runs / "two/samples/step-0000050.png"], "test")
    (went / "notes.txt").write_text("mine")
    (went / "two/samples/mine.txt").write_text("mine, too")
    assert len(aside.restore(went.name)) == 3 and (runs / "one/config.json").exists()
    left = {p.relative_to(went).as_posix() for p in went.rglob("*")}
    assert left == {"notes.txt", "two", "two/samples", "two/samples/mine.txt"} and aside.kept() == []


def test_a_packed_run_whose_state_is_no_word_is_listed(runs, capsys):
    run = run_at(runs / "odd", 100)
    run.write_json("heartbeat.json", {"state": 5, "step": 100})
    shutil.make_archive(runs / "packed", "zip", runs / "odd")
    assert cli.main(["runs", "list", str(runs / "packed.zip")]) == 0
    assert "packed 5" in " ".join(capsys.readouterr().out.split())


def test_a_numbered_double_that_serves_gets_the_plain_name(runs, tmp_path):
    run = run_at(tmp_path / "faces", 100).path
    told = (run / "config.json").read_bytes()
    (run / "config.json").rename(run / "config (1).json")
    (run / "data (1).json").write_bytes((run / "data.json").read_bytes())
    (run / "data.json").write_text('{"cod')
    (run / "heartbeat (1).json").write_text("{}")  # one that is not needed stays what it is
    came = bring(archive.survey(tmp_path).runs[0]).path
    assert archive.find("faces").config.steps == 100 and archive.find("faces").data["fingerprint"] == "f"
    assert (came / "config.json").read_bytes() == told
    assert sorted(p.name for p in came.glob("* (1)*")) == ["heartbeat (1).json"]
    assert archive.find("faces").status() == "finished"
