"""A machine reached by ssh: profiles, what is sent there, jobs without Slurm, and what must not happen on the way."""

import argparse
import os
import shutil
import subprocess
import sys

import psutil
import pytest
from cluster_servers import CODE, profile
from servers import until
from test_batch import make

from rcgan_nb import cli, paths
from rcgan_nb.cli import batch
from rcgan_nb.cli import cluster as cli_cluster
from rcgan_nb.config import ClusterConfig
from rcgan_nb.machine import cluster, slurm
from rcgan_nb.runtimes import jobs


@pytest.fixture(scope="module")
def pushed(sshd, tmp_path_factory):
    """A folder there that has the project."""
    home = tmp_path_factory.mktemp("pushed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RCGAN_CONFIG", str(home / "personal"))
        _write(profile(sshd, "there", home / "there", scheduler="none"))
        assert cli.main(["cluster", "push", "there"]) == 0
    return home / "there"


def _write(text):
    cluster.profiles().parent.mkdir(parents=True, exist_ok=True)
    cluster.profiles().write_text(text)


@pytest.fixture
def there(sshd, pushed):
    """The folder behind the profile `there`, which has no Slurm."""
    _write(profile(sshd, "there", pushed, scheduler="none"))
    return pushed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            None,
            'there are no profiles yet; write one into .*clusters.toml, such as:\n\n.hpc.\nhost = "login.example.org"',
        ),
        ("[there", "clusters.toml is not TOML: "),
        ("[their]\nhost = 'x'", "there is no profile 'there' in .*; did you mean 'their'. known: their"),
        ("there = 3", "there is no profile 'there'"),
        (
            "[there]\nhost = 'x'\npassword = 'y'",
            "'password' does not belong in a file, and is not used: ssh keys or an",
        ),
        ("[there]\nhots = 'x'", "profile 'there' of .*: setting 'hots' is not known; did you mean 'host'"),
        ("[there]\nuser = 'x'", "profile 'there' of .*: it needs a host"),
        ("[there]\nhost = '-oProxyCommand=reboot'", "host must be plain, without spaces or quotes, but '-oProxy"),
        ("[there]\nhost = 'x'\nfolder = 'a b'", "folder must be plain, without spaces or quotes, but 'a b' came"),
        ("[there]\nhost = 'x'\nscheduler = 'slrum'", "scheduler 'slrum' is not known; did you mean 'slurm'"),
        ("[there]\nhost = 'x'\nport = 'ssh'", "port must be int, but 'ssh' is str"),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused(text, message):
    if text:
        _write(text)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        cluster.profile("there")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--workers", "0"], "--workers must be at least 1, but 0 came"),
        (["--time", "2h"], "a time is written as in 30, 04:00:00 or 1-12:00:00, but '2h' came"),
        (
            ["--time", "00:02:00"],
            "time 00:02:00 is too short: 120 seconds of it are for the checkpoint (signal), and the",
        ),
        (["--gres", "gpu 1"], "gres must be a word as Slurm knows it, but 'gpu 1' came"),
        (["--cpus", "-1"], "cpus must be at least 0, but -1 came"),
    ],
)
def test_a_bad_option_is_refused_before_anybody_is_asked(words, message, capsys):
    _write("[there]\nhost = 'nowhere.invalid'")
    assert cli.main(["cluster", "submit", "there", *words, "batch", "--grid", "train.ipynb"]) == 1
    assert message in capsys.readouterr().err


def test_what_cannot_run_there_is_refused_before_anybody_is_asked(tmp_path, capsys):
    _write("[there]\nhost = 'nowhere.invalid'\nscheduler = 'none'")
    submit = ["cluster", "submit", "there"]
    assert cli.main([*submit, "--gres", "gpu:1", "batch", "--grid", "train.ipynb"]) == 1
    assert "without Slurm nobody would keep to gres; leave it out, or set scheduler to slurm" in capsys.readouterr().err
    assert cli.main([*submit, "batch", "--grid", "train.ipynb", "-p", "sped", "1"]) == 1
    assert "train.ipynb has no parameter 'sped'; did you mean 'seed'" in capsys.readouterr().err
    assert cli.main([*submit, "batch", "--grid", "train.ipynb", "--runtime", "colab"]) == 1
    assert "what is sent to a cluster runs there, so leave out runtime 'colab'" in capsys.readouterr().err
    for folder in "ab":
        make(tmp_path / folder / "own.ipynb", f"n: int = 1  # {folder}", "n + 1")
    both = tmp_path / "both.yaml"
    both.write_text("".join(f"- notebook: {tmp_path}/{folder}/own.ipynb\n" for folder in "ab"))
    assert cli.main([*submit, "batch", str(both)]) == 1
    assert "two notebooks are called own.ipynb; give one of them another name" in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["12d", "1234567.5s", "0.5s", "90s", ""])
def test_a_limit_arrives_as_it_was_given(tmp_path, limit):
    parser = argparse.ArgumentParser()
    batch.add(parser)
    _, work = cli_cluster._batch(parser.parse_args(["--grid", "train.ipynb", "--limit", limit]))
    (tmp_path / "jobs.yaml").write_bytes(work["files"]["jobs.yaml"])
    assert [job.limit for job in jobs.read(tmp_path / "jobs.yaml")] == [jobs.seconds(limit)]


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("30", 1800), ("1:30", 90), ("04:00:00", 14400), ("1-0", 86400), ("1-12:30", 131400), ("2-03:04:05", 183845)],
)
def test_times_of_slurm_are_read(time, seconds):
    assert slurm.seconds(time) == seconds


def test_options_of_a_job_are_those_of_the_profile():
    config = ClusterConfig(gres="gpu:a100:1", time="1-00:00:00", cpus=4, sbatch="--account=abc --qos 'very long'")
    lines = slurm.script(config, "faces", ["batch", "jobs.yaml", "--name", "a b"], 3).splitlines()
    options = {line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH ")}
    assert {"--array=1-3", "--gres=gpu:a100:1", "--time=1-00:00:00", "--cpus-per-task=4", "--requeue"} <= options
    assert {"--signal=B:USR1@120", "--account=abc --qos 'very long'"} <= options
    assert not [option for option in options if option.startswith(("--mem", "--partition"))]
    assert "python3 -m rcgan_nb.cli batch jobs.yaml --name 'a b' </dev/null &" in lines


def test_hosts_that_are_not_known_or_do_not_answer(sshd, tmp_path, capsys):
    settings = (sshd.folder / "config").read_text()
    other = subprocess.run(["ssh-keygen", "-y", "-f", sshd.folder / "id"], capture_output=True, text=True).stdout
    (sshd.folder / "changed").write_text(f"[127.0.0.1]:{sshd.port} {' '.join(other.split()[:2])}\n")
    for name in ("nobody", "changed"):
        (sshd.folder / f"config-{name}").write_text(settings.replace("known_hosts", name))
    (sshd.folder / "config-no-key").write_text(settings.replace(f"{sshd.folder}/id", f"{sshd.folder}/host"))
    cases = {
        "nobody": f"the key of [127.0.0.1]:{sshd.port} is not known, so that it may be another machine. Compare what "
        f"`ssh-keyscan -p {sshd.port} 127.0.0.1` prints",
        "changed": "shows another key than before. Ask who runs it whether that is so",
        "no-key": "does not let us in without a password. Give it your key: ssh-copy-id",
    }
    for name, message in cases.items():
        # Nor does a config that would take any key open the door.
        with open(sshd.folder / f"config-{name}", "a") as file:
            file.write("StrictHostKeyChecking no\n")
        text = profile(sshd, "there", tmp_path / "far", ssh_config=str(sshd.folder / f"config-{name}"))
        _write(text)
        for words in (["push"], ["pull"], ["status"], ["submit", "batch", "--grid", "train.ipynb"], ["cancel", "x"]):
            assert cli.main(["cluster", words[0], "there", *words[1:]]) == 1
            assert message in capsys.readouterr().err
    _write(text.replace(f"port = {sshd.port}", "port = 1"))
    assert cli.main(["cluster", "push", "there"]) == 1
    assert "there: [127.0.0.1]:1 cannot be reached by ssh. It said: ssh: connect to host" in capsys.readouterr().err
    assert not (tmp_path / "far").exists() and not paths.runs().exists()


def test_push_sends_the_project_and_named_data_alone(sshd, runs, tmp_path, monkeypatch, capsys):
    far = tmp_path / "far"
    _write(profile(sshd, "there", far))
    for path in ("data/known/a.csv", "data/other/b.csv"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("1\n")
    monkeypatch.setenv("RCGAN_DATA", str(tmp_path / "data"))
    (runs / "prepared").mkdir(parents=True)
    paths.prepared("mine").write_bytes(b"x")
    assert cli.main(["cluster", "push", "there", "--dry-run"]) == 0 and not far.exists()
    assert f"send {CODE / 'rcgan_nb'}" in capsys.readouterr().out
    assert cli.main(["cluster", "push", "there", "--data", "knwon"]) == 1 and not far.exists()
    assert "there are no data 'knwon': neither" in capsys.readouterr().err
    assert cli.main(["cluster", "push", "there", "--data", "known", "mine"]) == 0
    assert (far / "code/rcgan_nb/paths.py").read_bytes() == (CODE / "rcgan_nb/paths.py").read_bytes()
    assert (far / "code/notebooks/train.ipynb").exists() and not (far / "code/runs").exists()
    assert not list(far.rglob("__pycache__")) and not list(far.rglob(".git"))
    sent = sorted(p.relative_to(far).as_posix() for top in ("data", "runs") for p in (far / top).rglob("*.*"))
    assert sent == ["data/known/a.csv", "runs/prepared/mine.npz"] and far.stat().st_mode & 0o77 == 0
    for name in ("code/rcgan_nb/gone.py", "code/venv/keep.py", "data/known/c.csv"):
        (far / name).parent.mkdir(exist_ok=True)
        (far / name).write_text("")
    capsys.readouterr()
    assert cli.main(["cluster", "push", "there", "--dry-run"]) == 0
    assert capsys.readouterr().out.split() == ["del.", "rcgan_nb/gone.py"]
    assert cli.main(["cluster", "push", "there", "--data", "known"]) == 0
    left = [(far / name).exists() for name in ("code/rcgan_nb/gone.py", "code/venv/keep.py", "data/known/c.csv")]
    assert left == [False, True, True]


def test_a_machine_that_is_not_ready_says_what_it_lacks(sshd, there, tmp_path, capsys):
    words = ["cluster", "submit", "there", "batch", "--grid", "train.ipynb"]
    bare = profile(sshd, "there", tmp_path / "far", scheduler="none")
    _write(bare)
    assert cli.main(words) == 1
    assert f"there is no project in {tmp_path}/far on 127.0.0.1: rcgan cluster push there" in capsys.readouterr().err
    assert cli.main(["cluster", "pull", "there"]) == 1
    assert f"there is no folder {tmp_path}/far; rcgan cluster push makes it" in capsys.readouterr().err
    python = f"{sys.executable} -S -E"  # has none of the packages
    _write(bare.replace(f"{tmp_path}/far", str(there)).replace(repr(sys.executable), repr(python)))
    assert cli.main(words) == 1
    assert "python there lacks tensorflow papermill" in (error := capsys.readouterr().err)
    assert f"install them with: cd {there} && {python} -m pip install ./code" in error
    _write(profile(sshd, "there", there, scheduler="slurm", enter="sbatch() { :; }; unset -f sbatch; PATH=/nowhere"))
    assert cli.main(words) == 1
    assert not list((there / "jobs").iterdir())


def test_jobs_without_slurm_start_at_once_and_end_with_a_word(there, tmp_path, runs, capsys):
    note = tmp_path / "began.txt"
    first = "n: int = 0  # of the job"
    add = f"with open({str(note)!r}, 'a') as file:\n    print(n, file=file)"
    sleeper = make(tmp_path / "sleeper.ipynb", first, add, "import time; time.sleep(0 if n < 2 else 900)")
    words = ["submit", "there", "--workers", "2", "batch", "--grid", str(sleeper), "-p", "n", "1", "2"]
    assert cli.main(["cluster", *words[:4], "--dry-run", *words[4:]]) == 0
    assert "would start 2 at once" in capsys.readouterr().out and not list((there / "jobs").iterdir())
    assert cli.main(["cluster", *words]) == 0
    job = next((there / "jobs").iterdir()).name
    assert f"job {job}" in capsys.readouterr().out
    until(lambda: note.exists() and len(note.read_text().split()) == 2)
    states = there.glob  # of the jobs, as they stand there
    until(lambda: any('"finished"' in path.read_text() for path in states("**/batches/sleeper/*/state.json")))
    host = cluster.profile("there")
    assert [(w["job"], w["worker"], w["state"]) for w in slurm.workers(host)] == [(job, k, "RUNNING") for k in "12"]
    # A stranger whose process has a worker's number now: it began at another time.
    stranger = subprocess.Popen(["sleep", "900"])
    with open(there / "jobs" / job / "pids", "a") as file:
        file.write(f"3 {stranger.pid} Thu Jan  1 00:00:00 1970\n")
    assert cli.main(["cluster", "cancel", "there", job, "--dry-run"]) == 0
    assert f"{job}: would end worker 1 (running), 2 (running)" in capsys.readouterr().out
    assert cli.main(["cluster", "cancel", "there", job]) == 0
    until(lambda: [w["state"] for w in slurm.workers(host)] == ["over"] * 3)
    assert psutil.Process(stranger.pid).status() == "sleeping"
    stranger.kill()
    stranger.wait()
    assert sorted(note.read_text().split()) == ["1", "2"]
    assert cli.main(["cluster", "pull", "there"]) == 0
    logs = "".join(path.read_text() for path in (runs / "cluster/there" / job).glob("log-*"))
    assert "sleeper n=2: interrupted" in logs
    states = [path.read_text() for path in (runs / "batches/sleeper").glob("*/state.json")]
    assert sorted('"finished"' in state for state in states) == [False, True]
    assert cli.main(["cluster", "cancel", "there", "nix"]) == 1
    assert "there is no job 'nix'; rcgan cluster status there lists them" in capsys.readouterr().err
    assert cli.main(["cluster", "status", "there"]) == 0
    assert "There are no runs yet." in capsys.readouterr().out


def test_a_job_that_lives_is_seen_and_ended_however_many_came_after_it(there, capsys):
    process = subprocess.Popen(["sleep", "600"])
    began = subprocess.run(["ps", "-o", "lstart=", "-p", str(process.pid)], capture_output=True, text=True).stdout
    for k in range(25):
        folder = there / f"jobs/job-{k:02}"
        folder.mkdir(parents=True)
        (folder / "pids").write_text(f"1 {process.pid} {'Thu Jan  1 00:00:00 1970' if k else began.strip()}\n")
        os.utime(folder, (1000 + k, 1000 + k))
    host = cluster.profile("there")
    states = {w["job"]: w["state"] for w in slurm.workers(host)}
    assert states.pop("job-00") == "RUNNING" and set(states.values()) == {"over"}
    assert sum(job.startswith("job-") for job in states) < 25 and "job-24" in states and "job-01" not in states
    assert cli.main(["cluster", "cancel", "there", "job-01"]) == 0
    assert "job-01: all of it is over" in capsys.readouterr().out
    for name in ("job-0", "job-.*", "..", "-v"):
        with pytest.raises(ValueError, match="there is no job"):
            slurm.cancel(host, name)
    assert process.poll() is None
    assert slurm.cancel(host, "job-00") == "job-00: ends worker 1 (running)"
    assert process.wait(60) == -15
    for path in there.glob("jobs/job-*"):
        shutil.rmtree(path)
