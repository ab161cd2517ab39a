"""A sweep whose workers are killed, what a worker costs, and how much two are quicker than one; an example.

`python -m benchmarks.sweep kills` (about 10 minutes), `overhead` (4), `speed` (8; these two need a machine that does
nothing else), `example` (10, kept as sweep_example). Each keeps what the others found.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import psutil
import yaml

from benchmarks.common import RESULTS, TRAINED, code_hash, keep, verdict

DECIDES = ("sweep", "runtimes/batch.py", "runtimes/task.py", "training.py", "archive/run.py")
TINY = {"dataset": "digits", "hidden_units": 8, "batch_size": 16, "r1_weight": 0.0, "r2_weight": 0.0}
NO_CUTS = {"max_loss_ratio": 0.0, "max_gradient": 0.0, "min_spread": 0.0, "median_of": 0}
CELLS = {"learning_rate": [k * 1e-3 for k in range(1, 9)], "latent_dim": [4, 8, 16, 32, 64]}
KILLS = 20
MINUTE = 3500  # steps of a trial of about 60 seconds
NEVER_BROKEN = {"max_loss_ratio": 1e9, "max_gradient": 1e9, "min_spread": 1e-9, "min_share": 0.0, "median_of": 2}
ALIKE = 16  # trials of equal length
EXAMPLE = {
    "name": "example",
    "space": {
        "learning_rate": [5e-4, 1e-3, 2e-3, 4e-3],
        "loss": ["relativistic", "logistic"],
        "r1_weight": [0.0, 0.1, 1.0],
    },
    "settings": {"dataset": "digits", "steps": 400, "hidden_units": 64, "watch_every": 100, "checkpoint_every": 100},
    "cut_after": 150,
    "cut_patience": 0,
    "min_spread": 0.5,
    "min_share": 0.2,
    "finalists": 2,
    "final_seeds": 2,
}


def kills():
    """40 cells, 4 workers; 20 cells are struck at random moments: the worker, the training process, or both."""
    from rcgan_nb import archive, generate
    from rcgan_nb.config import SweepConfig
    from rcgan_nb.sweep import Sweep, results

    settings = TINY | {"steps": 500, "watch_every": 50, "checkpoint_every": 25, "sample_every": 500}
    given = NO_CUTS | {"name": "kills", "space": CELLS, "settings": settings, "workers": 4}
    sweep = Sweep.begin(SweepConfig.make(**given))
    struck = _strike(sweep, _started(sweep.folder.parent.parent, given))
    trials = sweep.trials()
    runs = [archive.find(trial.user_attrs["run"]) for trial in trials]
    wanted = sorted(Sweep.open("kills").space.cells()[0], key=str)
    steps = list(range(20, 501, 20))
    made = generate(archive.find(results.ranked(sweep)[0].user_attrs["run"]), count=100, which="best")
    finished = [p.parent for p in sweep.folder.parents[1].glob("*/heartbeat.json") if "finished" in p.read_text()]
    went_on = sum(len(run.read_json("segments.json")) > 1 for run in runs)
    return {
        f"{len(trials)} cells, 4 workers, {len(struck)} struck at random moments ({_counted(struck.values())}): every "
        f"cell finished": len(trials) == 40 and all(trial.state.name == "COMPLETE" for trial in trials),
        f"each exactly once: {len(finished)} finished runs, every step of each once, {went_on} went on from a "
        f"checkpoint": went_on > 0
        and len(finished) == len({run.name for run in runs}) == 40
        and all(run.metrics()["step"] == steps for run in runs),
        "none lost: the cells are those of the grid, and their runs were trained with their values": wanted
        == sorted((trial.params for trial in trials), key=str)
        and all(
            getattr(run.config, name) == value
            for trial, run in zip(trials, runs, strict=True)
            for name, value in trial.params.items()
        ),
        "the best model is loaded and draws": bool(np.isfinite(made.x).all()) and len(made) == 100,
    }


def _started(runs, given):
    """`rcgan sweep start` as a process of its own."""
    path = runs / f"{given['name']}.yaml"
    path.write_text(yaml.safe_dump(given))
    return subprocess.Popen([sys.executable, "-m", "rcgan_nb.cli", "sweep", "start", str(path)])


def _strike(sweep, process):
    """Strike so many trials, each once, at a random moment of its training. Returns what was struck, by trial."""
    moments, struck, begun = random.Random(0), {}, {}
    while process.poll() is None:
        time.sleep(0.2)
        now = time.time()
        for task in sweep.tasks() if len(struck) < KILLS else ():
            if task.told or task.job.id in struck:
                continue
            owner, state = task.owner(), task.state
            if not owner or state["state"] != "running":
                continue
            # Half of them from the start of the process, the others while it trains.
            trains = (task.archived.path / "metrics.csv").exists()
            early, wait = begun.setdefault(task.job.id, (moments.random() < 0.5, moments.uniform(0, 5)))
            since = begun.setdefault((task.job.id, trains), now)
            if (early or trains) and now > since + wait and len(struck) < KILLS:
                struck[task.job.id] = what = moments.choice(["worker", "training", "both"])
                _kill(owner["pid"], state["pid"], what)
                print(f"struck {len(struck)}: {what} of {task.job.id}", flush=True)
    assert process.wait() == 0, f"rcgan sweep ended with {process.returncode}"
    return struck


def _kill(worker, training, what):
    with contextlib.suppress(ProcessLookupError):
        if what != "training":
            os.kill(worker, signal.SIGKILL)
        if what != "worker":
            os.killpg(training, signal.SIGKILL)


def _counted(names):
    names = list(names)
    return ", ".join(f"{names.count(name)} {name}" for name in sorted(set(names)))


def overhead():
    """Two trials of about a minute, one after the other, by one worker: its own processor time, and the gap between."""
    from rcgan_nb.config import SweepConfig
    from rcgan_nb.sweep import Sweep

    given = {"name": "overhead", "space": {"seed": [0, 1]}, "settings": TINY | {"steps": MINUTE, "watch_every": 100}}
    sweep = Sweep.begin(SweepConfig.make(**given | NEVER_BROKEN))
    process = psutil.Popen([sys.executable, "-m", "rcgan_nb.cli", "sweep", "work", "overhead"])
    first, second = sweep.tasks()
    while first.state["state"] == "waiting":
        time.sleep(0.01)
    spent, latest = _own(process), 0.0
    start = spent
    while process.poll() is None and second.state["state"] != "finished":
        latest = _own(process)
        time.sleep(0.05)
    process.wait()
    ends = [(task.folder / "exit").stat().st_mtime for task in (first, second)]
    seconds = [end - task.state["begun"] for end, task in zip(ends, (first, second), strict=True)]
    gap, own = second.state["begun"] - ends[0], (latest - start) / 2
    share = (own + gap) / (sum(seconds) / 2)
    text = (
        f"a worker's bookkeeping {share:.2%} of trials of {seconds[0]:.0f} and {seconds[1]:.0f} s < 2 % ({own:.2f} s "
    )
    text += f"of processor time each, {gap:.2f} s from one to the next; {start:.1f} s to come up, once)"
    return {text: share < 0.02 and min(seconds) > 40}


def _own(process):
    times = process.cpu_times()
    return times.user + times.system


def speed():
    """16 trials by one worker on one core, then 16 by two on one core each."""
    from rcgan_nb.config import SweepConfig
    from rcgan_nb.sweep import Sweep, workers

    cores = workers.cores()
    assert len(cores) > 1, "this needs two cores"
    seconds = {}
    for count in (1, 2):
        given = {"name": f"speed-{count}", "space": {"seed": list(range(ALIKE))}, "settings": TINY | {"steps": 600}}
        sweep = Sweep.begin(SweepConfig.make(**NO_CUTS | given))
        os.sched_setaffinity(0, cores[:count])
        begun = time.time()
        sweep.train(count)
        seconds[count] = time.time() - begun
        assert len(sweep.completed()) == ALIKE
    ratio = seconds[1] / seconds[2]
    text = f"{ALIKE} trials: 2 workers pinned to a core each {ratio:.2f} times as fast as 1 ({seconds[1]:.0f} s, "
    return {f"{text}{seconds[2]:.0f} s) >= 1.8": ratio >= 1.8}


def example():
    """A grid of 24 cells on digits, small enough for a few minutes; two finalists with two new seeds each."""
    from rcgan_nb.config import SweepConfig
    from rcgan_nb.sweep import Sweep, results

    begun = time.time()
    sweep = Sweep.begin(SweepConfig.make(**EXAMPLE))
    sweep.train()
    results.call_finals(sweep)
    sweep.train()
    found = results.table(sweep).drop(columns=["state"]).astype(object).round(4)
    found = found.where(found.notna(), "").to_dict("records")
    best, means = results.best(sweep), results.means(sweep)
    said = "; ".join(f"{m['set']} {m['value']:.4f} ({m['low']:.4f} to {m['high']:.4f})" for m in means)
    bars = {
        f"24 trials and {len(sweep.finals())} finals in {(time.time() - begun) / 60:.0f} minutes": len(found) == 24,
        f"best: trial {best['trial']}, of new seeds mmd2 {said}": True,
    }
    return bars, found


def main(part):
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RCGAN_RUNS"] = folder
        if part == "example":
            bars, found = example()
            command = "python -m benchmarks.sweep example"
            keep("sweep_example", command, {"bars": bars, "trials": found}, (*TRAINED, *DECIDES))
        else:
            bars = {"kills": kills, "overhead": overhead, "speed": speed}[part]()
            keep("sweep", "python -m benchmarks.sweep kills (overhead, speed)", _joined(part, bars), DECIDES)
        verdict(bars)


def _joined(part, bars):
    """What all parts found, of those of the same code."""
    path = RESULTS / "sweep.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    by_part = before.get("by_part", {}) if before.get("code") == code_hash(DECIDES) else {}
    by_part = by_part | {part: bars}
    return {"bars": {text: met for found in by_part.values() for text, met in found.items()}, "by_part": by_part}


if __name__ == "__main__":
    main(sys.argv[1])
