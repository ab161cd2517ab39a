"""A real Slurm of one node: what it refuses, an array that shares a batch, and a job that meets its time limit."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
from cluster_servers import profile
from servers import until
from test_batch import make

from rcgan_nb import cli, train
from rcgan_nb.archive import checkpoint
from rcgan_nb.archive.run import Run
from rcgan_nb.machine import cluster
from rcgan_nb.machine.slurm import workers

SETTINGS = {"dataset": "digits", "hidden_units": 8, "batch_size": 8, "log_every": 10, "sample_every": 100}
SETTINGS |= {"checkpoint_every": 50, "watch_every": 50, "r1_weight": 0, "r2_weight": 0, "op_threads": 1, "steps": 600}


@pytest.fixture(scope="module")
def pushed(sshd, slurm, tmp_path_factory):
    """The text of the profile `hpc`, with a folder there that has the project."""
    home = tmp_path_factory.mktemp("hpc")
    text = profile(sshd, "hpc", home / "there", slurm=slurm, memory="1G")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RCGAN_CONFIG", str(home / "personal"))
        (home / "personal").mkdir()
        cluster.profiles().write_text(text)
        assert cli.main(["cluster", "push", "hpc"]) == 0
    return home / "there", text


@pytest.fixture
def there(pushed):
    """The folder behind the profile `hpc`."""
    folder, text = pushed
    cluster.profiles().parent.mkdir(parents=True)
    cluster.profiles().write_text(text)
    return folder


def submit(*words):
    return cli.main(["cluster", "submit", "hpc", *map(str, words)])


def test_what_slurm_refuses_is_said_in_its_words_and_leaves_nothing(there, capsys):
    words = ("batch", "--grid", "train.ipynb")
    for dry in ([], ["--dry-run"]):
        assert submit("--gres", "gpu:1", *dry, *words) == 1
        assert (
            "hpc: " in (error := capsys.readouterr().err) and "Requested node configuration is not available" in error
        )
        assert submit("--partition", "nowhere", *dry, *words) == 1
        assert "invalid partition specified: nowhere" in capsys.readouterr().err
    assert submit("--dry-run", *words) == 0
    out = capsys.readouterr().out
    assert "#SBATCH --mem=1G" in out and "sbatch: Job" in out and "using 1 processors" in out
    assert not list((there / "jobs").iterdir()) and not workers(cluster.profile("hpc"))


def test_options_of_several_words_arrive_whole(there, sshd, slurm):
    sbatch = """--hold --comment="two of 'our' words" --time 30"""
    cluster.profiles().write_text(profile(sshd, "hpc", there, slurm=slurm) + f"sbatch = {json.dumps(sbatch)}\n")
    assert submit("batch", "--grid", "train.ipynb") == 0
    (job,) = (there / "jobs").glob("train-*")
    number = (job / "id").read_text().strip()
    assert slurm.ask("squeue", "-h", "-j", number, "-o", "%k|%r|%l") == "two of 'our' words|JobHeldUser|30:00\n"
    assert cli.main(["cluster", "cancel", "hpc", job.name]) == 0
    shutil.rmtree(job)


def test_an_array_shares_a_batch_and_what_waits_can_be_cancelled(there, tmp_path, runs, capsys):
    note = tmp_path / "ran.txt"
    add = f"with open({str(note)!r}, 'a') as file:\n    print(n, file=file)"
    writer = make(tmp_path / "writer.ipynb", "n: int = 0  # what", add)
    assert submit("--workers", "2", "batch", "--grid", writer, "-p", "n", "0", "1") == 0
    assert submit("batch", "--grid", writer, "-p", "n", "7", "--name", "waits") == 0
    second, first = sorted((there / "jobs").iterdir())  # waits-..., writer-...
    host = cluster.profile("hpc")
    found = {(w["job"], w["worker"]): w for w in workers(host)}
    assert found[second.name, "1"]["state"] == "PENDING" and found[second.name, "1"]["why"] in (
        "Resources",
        "Priority",
        "None",
    )
    assert cli.main(["cluster", "cancel", "hpc", second.name]) == 0
    assert f"{second.name}: ends worker 1 (pending)" in capsys.readouterr().out
    until(lambda: {w["state"] for w in workers(host) if w["job"] == first.name} == {"COMPLETED"})
    assert [w["state"] for w in workers(host) if w["job"] == second.name] == ["CANCELLED"]
    assert sorted(note.read_text().split()) == ["0", "1"]
    assert cli.main(["cluster", "pull", "hpc"]) == 0
    assert "2 of 2 jobs are finished" in (runs / "cluster/hpc" / first.name / "log-1.txt").read_text()


def test_a_job_that_meets_its_time_limit_comes_back_and_ends_as_an_unbroken_one(there, slurm, runs, capsys):
    parameters = [word for name, value in (SETTINGS | {"run_name": "long"}).items() for word in ("-p", name, value)]
    assert submit("--time", "02:00:00", "batch", "--grid", "train.ipynb", *parameters) == 0
    host, far = cluster.profile("hpc"), Run(there / "runs/long")
    job = next((there / "jobs").glob("train-*"))
    number = (job / "id").read_text().strip()
    until(lambda: list(far.path.glob("checkpoints/step-*")))
    # Held until Slurm speaks, which looks at limits twice a minute: how fast this machine is must not matter.
    pid = far.read_json("heartbeat.json")["pid"]
    os.kill(pid, signal.SIGSTOP)
    assert cli.main(["cluster", "pull", "hpc"]) == 0 and Run(runs / "long").status() == "running"
    minutes = slurm.ask("squeue", "-h", "-r", "-j", number, "-o", "%M").split(":")[-2]
    slurm.ask("scontrol", "update", f"JobId={number}", f"TimeLimit={int(minutes) + 2}")
    unbroken = train(**SETTINGS | {"run_name": "unbroken"})
    until(lambda: "stopping train.ipynb" in (job / "log-1.txt").read_text())
    os.kill(pid, signal.SIGCONT)
    until(lambda: workers(host)[0]["state"] == "PENDING")
    assert far.status() == "interrupted" and 50 <= far.read_json("heartbeat.json")["step"] < SETTINGS["steps"]
    assert cli.main(["cluster", "status", "hpc"]) == 0
    assert "BeginTime" in (out := capsys.readouterr().out) and "interrupted" in out
    # Slurm lets what was requeued wait for two minutes; nobody here has to.
    slurm.ask("scontrol", "update", f"JobId={number}", "StartTime=now", "TimeLimit=60")
    until(lambda: workers(host)[0]["state"] == "COMPLETED")
    assert far.status() == "finished" and len(far.read_json("segments.json")) == 2
    assert cli.main(["cluster", "pull", "hpc"]) == 0
    here = Run(runs / "long")
    for which in ("last", "best"):
        (ours, meta), (other, of_other) = (checkpoint.read(run.checkpoint(which)) for run in (here, unbroken))
        assert ours.keys() == other.keys() and meta == of_other
        assert all(np.array_equal(ours[name], other[name]) for name in ours)
    figures = [{name: run.metrics()[name] for name in run.metrics() if name != "seconds"} for run in (here, unbroken)]
    assert figures[0] == figures[1] and figures[0]["step"] == list(range(10, 601, 10))
    assert "The time is nearly up" in next((runs / "cluster/hpc").glob("train-*/log-1.txt")).read_text()


def test_workers_of_a_sweep_share_its_trials(there, tmp_path, runs, capsys):
    space = tmp_path / "rates.yaml"
    space.write_text(
        "space: {learning_rate: [0.001, 0.002]}\n"
        "settings: {dataset: digits, steps: 20, hidden_units: 8, batch_size: 8, r1_weight: 0, r2_weight: 0}\n"
        "cut_after: 20\n"
    )
    assert submit("--gres", "gpu:1", "sweep", space) == 1 and not (there / "runs/sweeps").exists()
    assert submit("--workers", "2", "sweep", space) == 0
    host, job = cluster.profile("hpc"), next((there / "jobs").glob("rates-*")).name
    until(lambda: {w["state"] for w in workers(host) if w["job"] == job} == {"COMPLETED"})
    capsys.readouterr()
    assert cli.main(["cluster", "pull", "hpc"]) == 0 and (runs / "sweeps/rates/.pulled").exists()
    assert cli.main(["sweep", "status", "rates"]) == 0 and "2 finished" in capsys.readouterr().out
    logs = "".join(path.read_text() for path in (runs / "cluster/hpc" / job).glob("log-*"))
    assert sorted(line for line in logs.splitlines() if "finished" in line) == ["0000: finished ", "0001: finished "]
