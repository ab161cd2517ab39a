"""Runs with odd names, files and facts: brought in, listed, put back."""

import threading
import time

from runs_made import run_at

from rcgan_nb import archive
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
