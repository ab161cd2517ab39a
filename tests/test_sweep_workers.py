"""Sweeps with real workers: killed, stopped and cut trials are gone on with, told, and never trained twice."""

import contextlib
import os
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest
import yaml
from servers import until

from rcgan_nb import archive, cli, generate
from rcgan_nb.sweep import Sweep, results, workers

TINY = {"dataset": "digits", "hidden_units": 8, "batch_size": 16, "r1_weight": 0, "r2_weight": 0, "log_every": 5}
TINY |= {"watch_every": 50, "checkpoint_every": 50, "sample_every": 5000}
OFF = {"max_loss_ratio": 0, "max_gradient": 0, "min_spread": 0, "median_of": 0}


def written(tmp_path, **settings):
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(OFF | settings))
    return path


def begin(*words):
    command = [sys.executable, "-m", "rcgan_nb.cli", "sweep", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def step_of(run):
    with contextlib.suppress(OSError, ValueError):
        return run.read_json("heartbeat.json")["step"]
    return 0


def test_killed_workers_and_trials_are_gone_on_with_and_the_best_is_trained_again(tmp_path, runs, capfd):
    path = written(
        tmp_path,
        space={"learning_rate": [0.001, 0.002]},
        settings=TINY | {"steps": 1000},
        goal="tstr",
        finalists=1,
        final_seeds=1,
    )
    process = begin("start", path, "--workers", 2)
    first, second = (archive.Run(runs / name) for name in ("s-0000", "s-0001"))
    tasks = {}
    for run in (first, second):  # the first waits until the second is as far
        until(lambda run=run: step_of(run) > 50)
        tasks = {task.run: task for task in Sweep.open("s").tasks()}
        if run is first:
            os.killpg(tasks["s-0000"].state["pid"], signal.SIGSTOP)
    os.killpg(tasks["s-0000"].state["pid"], signal.SIGCONT)
    os.kill(tasks["s-0000"].owner()["pid"], signal.SIGKILL)  # its training lives on, and is watched by the next worker
    os.kill(tasks["s-0001"].owner()["pid"], signal.SIGKILL)
    os.killpg(tasks["s-0001"].state["pid"], signal.SIGKILL)
    out = process.communicate(timeout=300)[0]
    assert process.returncode == 0 and "2 finished" in out, out
    sweep = Sweep.open("s")
    assert [trial.state.name for trial in sweep.trials()] == ["COMPLETE"] * 2
    assert [run.status() for run in (first, second)] == ["finished"] * 2 and len(list(runs.glob("s-*"))) == 2
    begun = [[segment["step"] for segment in run.read_json("segments.json")] for run in (first, second)]
    assert begun[0] == [0] and begun[1][0] == 0 and begun[1][1] >= 50 and len(begun[1]) == 2
    assert [len(tasks[run.name].attempts()) for run in (first, second)] == [2, 2]
    for trial, run in zip(sweep.trials(), (first, second), strict=True):
        assert run.config.learning_rate == trial.params["learning_rate"] and run.config.steps == 1000
        found = run.read_json("validation.json")
        assert trial.value == found["tstr"] > 0 and found["mmd2"] == min(run.watch()["mmd2"])
        assert [round(v, 9) for v in trial.intermediate_values.values()] == [round(-v, 9) for v in run.watch()["mmd2"]]

    assert cli.main(["sweep", "best", "s", "--workers", "1"]) == 0
    said, winner = capfd.readouterr().out, results.best(sweep)
    assert winner["trial"] == results.ranked(sweep)[0].number and f"best: trial {winner['trial']}" in said
    made = generate(winner["runs"][0], count=10, which="best")
    assert archive.find(winner["runs"][0]).config.seed == 1 and np.isfinite(made.x).all()

    before = {run.name: run.read_json("heartbeat.json")["time"] for run in (first, second)}
    assert cli.main(["sweep", "start", str(path)]) == 0 and "2 finished" in capfd.readouterr().out
    assert before == {run.name: run.read_json("heartbeat.json")["time"] for run in (first, second)}


def test_a_stopped_trial_goes_on_is_cut_and_nothing_survives(tmp_path, runs, capfd):
    cut = {"min_spread": 5.0, "cut_after": 300, "cut_patience": 40}
    search = {"search": "tpe", "trials": 1, "space": {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}}
    path = written(tmp_path, **search, settings=TINY | {"steps": 100_000}, **cut)
    assert cli.main(["sweep", "start", str(path), "--workers", "0"]) == 0
    run = archive.Run(runs / "s-0000")
    process = begin("work", "s", "--cores", workers.cores()[0])
    until(lambda: step_of(run) > 0)
    (training,) = [p for p in psutil.Process(process.pid).children(recursive=True) if "python" in p.name()]
    if hasattr(os, "sched_getaffinity"):
        assert training.cpu_affinity() == [workers.cores()[0]] and training.environ()["OMP_NUM_THREADS"] == "1"
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    stopped = step_of(run)
    assert run.status() == "interrupted" and Sweep.open("s").tasks()[0].state["reason"].startswith("its worker was sto")

    workers.work(Sweep.open("s"))
    (trial,) = Sweep.open("s").trials()
    rule, step, value, limit = trial.user_attrs["cut"]
    assert (rule, step, limit) == ("spread", 400, 5.0) or stopped > 300  # of rows at 350 and 400
    assert 0 < value < 5 and trial.state.name == "PRUNED" and 400 <= step_of(run) < 100_000
    assert run.config.learning_rate == trial.params["learning_rate"]
    assert [segment["step"] for segment in run.read_json("segments.json")] == [0, stopped]
    assert cli.main(["sweep", "best", "s"]) == 1
    assert "none of 1 trials survived: spread 1" in capfd.readouterr().err


def test_an_error_is_tried_twice_and_then_told(tmp_path, runs, small):
    data = small.save(tmp_path / "small.npz")
    path = written(tmp_path, space={"learning_rate": [0.001]}, settings=TINY | {"dataset": str(data)})
    assert cli.main(["sweep", "start", str(path), "--workers", "0"]) == 0
    data.unlink()
    workers.work(Sweep.open("s"))
    (trial,) = Sweep.open("s").trials()
    assert trial.state.name == "FAIL" and "FileNotFoundError" in trial.user_attrs["reason"]
    assert len(Sweep.open("s").tasks()[0].attempts()) == 2 and results.cuts(Sweep.open("s")) == {"failed": 1}


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="runs where processes can be pinned to cores (Linux)")
def test_a_worker_that_cannot_live_is_not_begun_for_ever(tmp_path, runs, monkeypatch):
    path = written(tmp_path, space={"learning_rate": [0.001]}, settings=TINY)
    assert cli.main(["sweep", "start", str(path), "--workers", "0"]) == 0
    killed = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    begun = []
    original = workers.Worker.start

    def start(self):
        self.command = killed
        begun.append(self)
        original(self)

    monkeypatch.setattr(workers.Worker, "start", start)
    monkeypatch.setattr(workers, "POLL", 0.2)
    with pytest.raises(ValueError, match=r"the workers ended before all trials were done; see .*worker-0.txt"):
        workers.run(Sweep.open("s"), 1)
    assert len(begun) == workers.OFTEN
