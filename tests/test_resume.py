"""A run that goes on equals one that never stopped, bit for bit; whatever else is refused."""

import csv
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from servers import until

from rcgan_nb import archive, train
from rcgan_nb.archive import checkpoint
from rcgan_nb.config import RECIPES

SETTINGS = {
    "dataset": "digits",
    "hidden_units": 8,
    "batch_size": 32,
    "log_every": 2,
    "sample_every": 4,
    "checkpoint_every": 4,
}


def state(run):
    """Everything that has to be equal: weights, optimisers and averages, best and last, metrics without the clock."""
    found = {which: checkpoint.read(run.checkpoint(which)) for which in ("last", "best")}
    with open(run.path / "metrics.csv", newline="") as file:
        rows = [[value for name, value in row.items() if name != "seconds"] for row in csv.DictReader(file)]
    samples = sorted(path.name for path in run.path.glob("samples/*"))
    return found, rows, samples


def assert_same(one, other):
    (arrays, rows, samples), (arrays2, rows2, samples2) = state(one), state(other)
    assert rows == rows2 and samples == samples2
    for which in ("last", "best"):
        (a, meta), (b, meta2) = arrays[which], arrays2[which]
        assert meta == meta2
        assert a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Twelve steps in one go, for every recipe."""
    os.environ["RCGAN_RUNS"] = str(tmp_path_factory.mktemp("unbroken"))
    try:
        yield {r: train(recipe=r, run_name=r, steps=12, **SETTINGS) for r in RECIPES}
    finally:
        del os.environ["RCGAN_RUNS"]


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("half", [4, 7])  # at an interval and between two
def test_twice_is_once(unbroken, recipe, half):
    train(recipe=recipe, run_name="halves", steps=half, **SETTINGS)
    run = train(resume="halves", steps=12)
    assert_same(run, unbroken[recipe])
    segments = run.read_json("segments.json")
    assert [s["step"] for s in segments] == [0, half] and segments[0]["id"] != segments[1]["id"]
    assert run.config.steps == 12 and run.status() == "finished"


def test_a_damaged_checkpoint_gives_way_and_the_end_is_the_same(unbroken, capsys):
    run = train(recipe="stable", run_name="damaged", steps=8, **SETTINGS)
    last = run.checkpoint()
    raw = bytearray(last.read_bytes())
    raw[len(raw) // 2] ^= 1
    last.write_bytes(raw)
    assert_same(train(resume="damaged", steps=12), unbroken["stable"])
    assert "is not a whole checkpoint" in capsys.readouterr().out


def test_a_row_cut_short_and_rows_beyond_the_checkpoint_are_forgotten(unbroken):
    run = train(recipe="stable", run_name="cut", steps=8, **SETTINGS)
    with open(run.path / "metrics.csv", "a") as file:
        file.write("10,1.0,9,9,9,9\n12,1.0,0.5")
    (run.path / "samples" / "step-0000010.png").touch()
    assert_same(train(resume="cut", steps=12), unbroken["stable"])


def logged(folder):
    """The last step of a run's metrics, 0 as long as it has no checkpoint to go on from."""
    if not any(folder.glob("checkpoints/step-*.npz")) or not (folder / "metrics.csv").exists():
        return 0
    rows = (folder / "metrics.csv").read_text().splitlines()
    return int(rows[-1].split(",")[0] or 0) if len(rows) > 1 else 0


def test_kills_at_any_moment_change_nothing(unbroken, runs):
    """SIGKILL three times, later each time; the last attempt runs to the end. Thirty times: benchmarks/kills.py."""
    values = ", ".join(f"{k}={v!r}" for k, v in (SETTINGS | {"run_name": "killed"}).items())
    for attempt, moment in enumerate((3, 6, 9)):
        call = f"train(steps=12, {values})" if attempt == 0 else "train(resume='killed')"
        process = subprocess.Popen([sys.executable, "-c", f"from rcgan_nb import train; {call}"], env=os.environ)
        until(lambda process=process, moment=moment: process.poll() is not None or logged(runs / "killed") >= moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
    run = archive.find("killed")
    assert len(run.read_json("segments.json")) > 1  # one was killed at least
    if run.status() != "finished":
        assert run.status() == "killed"
        train(resume="killed")
    assert_same(run, unbroken["stable"])


def test_branch_says_where_it_comes_from(unbroken, monkeypatch):
    parent = unbroken["stable"]
    child = train(start_from=str(parent.path), run_name="child", steps=14, learning_rate=1e-4, **SETTINGS)
    assert child.data["started_from"] == {"run": "stable", "step": 12, "segment": parent.segment}
    assert child.metrics()["step"] == [14]
    assert child.config.learning_rate == 1e-4


def test_refuses(runs):
    run = train(recipe="stable", run_name="done", steps=4, **SETTINGS)
    before = {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
    cases = [
        ({"resume": "done"}, "4 steps are done already; say how many there shall be in all, as in steps=8"),
        ({"resume": "done", "steps": 8, "seed": 3}, "seed was 0 in run done and is 3 now; .* start_from='done'"),
        ({"resume": "done", "steps": 8, "hidden_units": 9}, "hidden_units was 8 in run done and is 9 now"),
        ({"resume": "done", "step": 8}, "setting 'step' is not known; did you mean 'steps'"),
        ({"start_from": "done", "steps": 8, "hidden_units": 9, "run_name": "x"}, "belongs to other networks"),
    ]
    for settings, message in cases:
        with pytest.raises(ValueError, match=message):
            train(**settings)
    with pytest.raises(FileNotFoundError, match="there is no run 'dnoe' .* known: done"):
        train(resume="dnoe")
    run.write_json("heartbeat.json", run.read_json("heartbeat.json") | {"state": "running"})
    with pytest.raises(ValueError, match="run done is being trained by process"):
        train(resume="done", steps=8)
    after = {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file() and p.name != "heartbeat.json"}
    assert all(before[p] == raw for p, raw in after.items()) and [p.name for p in runs.iterdir()] == ["done"]


def test_notebook_goes_on_with_the_runs_own_settings():
    from rcgan_nb import notebook
    from rcgan_nb.config import TrainConfig

    train(recipe="esteban", run_name="first", steps=4, **SETTINGS)
    cells = ["steps: int = 5000\nseed: int = 0", "# Parameters\nresume = 'first'\nsteps = 6"]
    made = notebook.collect(TrainConfig, {"In": cells, "resume": "first", "steps": 6, "seed": 0})
    assert (made.steps, made.recipe, made.hidden_units, made.learning_rate) == (6, "esteban", 8, 0.1)
