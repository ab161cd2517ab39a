"""The guard: who outgrows a limit ends with a checkpoint that goes on exactly; who is not a run of ours lives on."""

import email
import json
import os
import subprocess
import sys
import time
from email import policy

import numpy as np
import psutil
import pytest
from mail_servers import PASSWORD, Keeps, smtp_server
from servers import until

from rcgan_nb import archive, cli, train
from rcgan_nb.archive import checkpoint
from rcgan_nb.archive.run import Run
from rcgan_nb.config import GuardConfig
from rcgan_nb.machine import gpus, guard, news
from rcgan_nb.machine.guard import Guard

SETTINGS = {"dataset": "digits", "hidden_units": 8, "checkpoint_every": 20, "watch_every": 20, "sample_every": 100}
SETTINGS |= {"log_every": 2}


@pytest.fixture
def told(monkeypatch):
    """What would be mailed; mail itself is tested in test_mail.py, and with the guard in the last test here."""
    found = []
    monkeypatch.setattr(news, "tell", lambda run, what, also="", progress=print: found.append((run.name, what, also)))
    return found


def begun(steps, name="grows", before=""):
    """A training in another process, past its first step."""
    values = SETTINGS | {"steps": steps, "run_name": name}
    program = f"{before}\nfrom rcgan_nb import train; train(**{values!r})"
    process = subprocess.Popen([sys.executable, "-u", "-c", program], stdout=subprocess.PIPE, text=True)
    assert any("first step" in line for line in process.stdout)
    return process


def as_run(runs, name, process, **facts):
    """A folder whose heartbeat says that this process trains it."""
    folder = runs / name
    folder.mkdir(parents=True)
    run = Run(folder)
    beat = {"state": "running", "step": 5, "time": time.time(), "host": os.uname().nodename, "error": ""}
    run.write_json("heartbeat.json", beat | {"pid": process.pid, "started": process.create_time()} | facts)
    run.write_json("segments.json", [{"id": name.ljust(32, "0"), "step": 0}])
    return run


@pytest.fixture
def sleeper():
    program = "import time; print('up', flush=True); time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    yield psutil.Process(process.pid)
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_run_over_its_memory_ends_with_a_checkpoint_that_goes_on_exactly(runs, told, sleeper):
    process, lines = begun(4000), []
    stranger = as_run(runs, "reused", sleeper, started=sleeper.create_time() - 1000)
    watch = Guard(GuardConfig(run_memory=0.2, mail="a@b.c", disk_left=0.0, memory_left=0.0), lines.append)
    watch.look()
    assert "grows holds" in lines[0] and "of memory, limit 0.2: it is asked to end with a checkpoint" in lines[0]
    process.stdout.read()
    assert process.wait(60) != 0
    watch.look()
    ((name, what, also),) = told
    assert (name, also) == ("grows", "a@b.c") and what.startswith("was ended with a checkpoint: it holds")
    run = archive.find("grows")
    assert run.status() == "interrupted" and sleeper.is_running() and stranger.status() == "killed"
    step = checkpoint.read(run.checkpoint())[1]["step"]
    assert 0 < step < 4000
    end = step + 30
    one, other = train(resume="grows", steps=end), train(run_name="unbroken", **SETTINGS, steps=end)
    a, b = (checkpoint.read(r.checkpoint())[0] for r in (one, other))
    assert all(np.array_equal(a[key], b[key]) for key in b)


def test_one_that_does_not_end_is_killed_after_its_grace_even_by_a_guard_started_anew(runs, told, monkeypatch):
    program = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: None); print('deaf', flush=True)\n"
    program += "time.sleep(900)"
    deaf = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    deaf.stdout.readline()
    as_run(runs, "deaf", psutil.Process(deaf.pid))
    limits, lines = GuardConfig(hours=1e-9, grace=600.0, disk_left=0.0, memory_left=0.0), []
    Guard(limits, lines.append).look()
    assert deaf.poll() is None and "deaf has taken" in lines[0]
    Guard(limits, lines.append).look()  # the grace is not over
    assert deaf.poll() is None and len(lines) == 1
    asked = json.loads((runs / "guard.json").read_text())
    for facts in asked.values():
        facts["asked"] -= 600
    (runs / "guard.json").write_text(json.dumps(asked))
    Guard(limits, lines.append).look()
    assert deaf.wait(60) == -9 and "did not end within 600 seconds: it is killed" in lines[1]
    deaf.stdout.close()
    Guard(limits, lines.append).look()
    Guard(limits, lines.append).look()
    assert [what.split(":")[0] for _, what, _ in told] == ["was killed"]  # told once


def test_near_a_limit_it_warns_once(runs, told, sleeper, monkeypatch):
    as_run(runs, "near", sleeper)
    lines = []
    watch = Guard(GuardConfig(run_memory=1.0, disk_left=0.0, memory_left=0.0), lines.append)
    monkeypatch.setattr(guard, "GIB", sleeper.memory_info().rss / 0.95)
    for _ in range(3):
        watch.look()
    assert lines == ["warning: run near holds 0.95 GiB of memory, limit 1"] and sleeper.is_running()


def test_a_limit_that_comes_nearer_is_told_once_and_each_of_two_is(runs, told, sleeper, monkeypatch):
    as_run(runs, "near", sleeper)
    now, lines = [sleeper.create_time() + 3300], []
    monkeypatch.setattr(guard.time, "time", lambda: now[0])
    monkeypatch.setattr(Guard, "_held", lambda self: {sleeper.pid: 0.95})
    watch = Guard(GuardConfig(hours=1.0, gpu_memory=1.0, stalled=0.0, disk_left=0.0, memory_left=0.0), lines.append)
    for _ in range(3):
        watch.look()
        now[0] += 60
    assert [line.split(",")[0] for line in lines] == [
        "warning: run near holds 0.95 GiB of GPU memory",
        "warning: run near has taken 0.92 hours",
    ]


def test_memory_on_several_gpus_counts_together(runs, told, sleeper, monkeypatch):
    as_run(runs, "wide", sleeper)
    two = [gpus.Gpu(k, "T4", 16.0, 10.0, 50, ((sleeper.pid, 6.0),)) for k in (0, 1)]
    monkeypatch.setattr(guard.gpus, "gpus", lambda: two)
    lines = []
    Guard(GuardConfig(gpu_memory=10.0, disk_left=0.0, memory_left=0.0), lines.append).look()
    assert "run wide holds 12.00 GiB of GPU memory, limit 10: it is asked to end" in lines[0]


def test_where_nvidia_smi_fails_the_guard_stands_on(runs, told, sleeper, tmp_path, monkeypatch):
    as_run(runs, "long", sleeper)
    tool = tmp_path / "bin/nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho Unable to determine the device handle; exit 15\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=os.pathsep)
    lines = []
    watch = Guard(GuardConfig(hours=1e6, disk_left=0.0, memory_left=0.0), lines.append)
    watch.look()
    watch.look()
    assert len(lines) == 1 and "memory of GPUs is not watched while this lasts: nvidia-smi failed (Unable" in lines[0]
    tool.write_text("#!/bin/sh\nexec sleep 600\n")
    run = subprocess.run
    monkeypatch.setattr(gpus.subprocess, "run", lambda *a, **options: run(*a, **options | {"timeout": 0.2}))
    watch = Guard(GuardConfig(hours=1e-9, disk_left=0.0, memory_left=0.0), lines.append)
    watch.look()
    assert "timed out" in lines[1] and "long has taken" in lines[2]
    sleeper.wait(10)


def test_of_a_run_that_was_moved_the_guard_tells_nobody_and_stands_on(runs, sleeper):
    as_run(runs, "moved", sleeper)
    lines = []
    Guard(GuardConfig(hours=1e-9, disk_left=0.0, memory_left=0.0), lines.append).look()
    sleeper.wait(10)
    (runs / "moved").rename(runs / "elsewhere")
    for _ in range(2):
        Guard(GuardConfig(mail="guard@lab.example", disk_left=0.0, memory_left=0.0), lines.append).look()
    assert len(lines) == 2 and "no mail about run moved, which was ended with a checkpoint: it has taken" in lines[1]


def test_a_run_that_stands_still_is_ended_and_one_that_steps_is_not(runs, told, sleeper, monkeypatch):
    run = as_run(runs, "still", sleeper)
    now, lines = [time.time()], []
    monkeypatch.setattr(guard.time, "time", lambda: now[0])
    watch = Guard(GuardConfig(stalled=10.0, disk_left=0.0, memory_left=0.0), lines.append)
    for step in (5, 6, 7):
        run.write_json("heartbeat.json", run.read_json("heartbeat.json") | {"step": step, "time": now[0]})
        watch.look()
        now[0] += 8 * 60
    assert not lines
    now[0] += 3 * 60
    watch.look()
    assert "still has made no step for 11.0 minutes, limit 10" in lines[0]
    sleeper.wait(10)


@pytest.mark.parametrize(
    ("limit", "ended", "word"), [("memory_left", "big", "most memory"), ("disk_left", "late", "disk")]
)
def test_where_the_machine_runs_short_one_run_ends(runs, told, limit, ended, word):
    programs = {"big": "x = bytearray(120 << 20)", "late": "x = 0"}
    processes = {}
    for name, program in programs.items():
        command = [sys.executable, "-u", "-c", f"import time; {program}; print('up', flush=True); time.sleep(600)"]
        processes[name] = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes[name].stdout.readline()
        as_run(runs, name, psutil.Process(processes[name].pid))
    lines = []
    other = {"memory_left": "disk_left", "disk_left": "memory_left"}[limit]
    try:
        Guard(GuardConfig(**{limit: 1e9, other: 0.0}), lines.append).look()
        assert processes[ended].wait(10) == -15 and word in lines[0] and len(lines) == 1
        assert [p.poll() for name, p in processes.items() if name != ended] == [None]
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
            process.stdout.close()


def test_while_one_ends_no_other_is_asked_to_make_room(runs, told):
    program = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: None); print('up', flush=True)\n"
    program += "time.sleep(600)"  # as one that takes its time to write
    command, names = [sys.executable, "-c", program], ("one", "two", "three")
    processes = {name: subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for name in names}
    for name, process in processes.items():
        process.stdout.readline()
        as_run(runs, name, psutil.Process(process.pid))
    lines = []
    try:
        watch = Guard(GuardConfig(memory_left=1e9, disk_left=1e9), lines.append)
        for count in (1, 2):
            for _ in range(3):
                watch.look()
            assert len(watch.asked) == len(lines) == count
            ((_, facts),) = list(watch.asked.items())[count - 1 :]
            processes[facts["run"]].kill()
            processes[facts["run"]].wait()
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
            process.stdout.close()


def test_processes_of_the_same_name_and_runs_elsewhere_are_not_touched(runs, told, sleeper):
    as_run(runs, "elsewhere", sleeper, host="another-machine")
    as_run(runs, "ended", sleeper, state="finished")
    (runs / "broken").mkdir()
    (runs / "broken/heartbeat.json").write_text('{"state": "runn')
    lines = []
    watch = Guard(GuardConfig(hours=1e-9, disk_left=0.0, memory_left=0.0), lines.append)
    watch.look()
    watch.look()
    assert sleeper.is_running() and not lines and not told


def test_the_guard_takes_less_than_a_hundredth_of_a_processor(runs, told, sleeper):
    for k in range(200):
        as_run(runs, f"old-{k}", sleeper, state="finished")
    as_run(runs, "one", sleeper)
    watch = Guard(GuardConfig(), lambda line: None)
    watch.look()
    begun = time.process_time()
    for _ in range(20):
        watch.look()
    assert (time.process_time() - begun) / 20 / GuardConfig().every < 0.01


def test_words_that_make_no_guard_are_refused(runs, capsys):
    assert cli.main(["guard", "--grace", "0"]) == 1
    assert "grace must be at least 1" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["guard", "--help"])
    assert "--run-memory" in capsys.readouterr().out


def test_the_mail_of_a_guard_and_of_a_run_arrives(runs, monkeypatch):
    server = smtp_server(kept := Keeps())
    monkeypatch.setenv("RCGAN_SMTP_URL", f"smtp://runs@127.0.0.1:{server.port}")
    monkeypatch.setenv("RCGAN_SMTP_PASSWORD", PASSWORD)
    monkeypatch.setenv("RCGAN_MAIL_FROM", "runs@lab.example")
    try:
        with pytest.raises(ValueError, match="'nobody' is no mail address"):
            train(**SETTINGS, steps=2, mail="nobody")
        assert not runs.exists()
        process = begun(4000, "mailed", before="import os; os.environ.pop('RCGAN_SMTP_URL')")
        until(lambda: archive.find("mailed").metrics().get("d_loss"))  # a letter about a run without figures has none
        Guard(GuardConfig(run_memory=0.2, mail="guard@lab.example", disk_left=0.0, memory_left=0.0)).look()
        process.stdout.read()
        process.wait(60)
        Guard(GuardConfig(mail="guard@lab.example")).look()
        train(
            resume="mailed",
            steps=archive.find("mailed").read_json("heartbeat.json")["step"] + 2,
            mail="anna@lab.example",
        )
    finally:
        server.stop()
    letters = [email.message_from_bytes(raw, policy=policy.default) for _, raw in kept.mails]
    assert [letter["To"] for letter in letters] == ["guard@lab.example", "anna@lab.example"]
    text = letters[0].get_body(("plain",)).get_content()
    assert "was ended with a checkpoint: it holds" in text and "-p resume mailed" in text and "d_loss" in text
    assert letters[1]["Subject"] == "rcgan_nb: run mailed finished"
    assert PASSWORD not in b"".join(raw for _, raw in kept.mails).decode()


@pytest.mark.parametrize("origin", ["", "runs@lab.example"])
def test_mail_is_not_asked_for_where_none_can_go(runs, monkeypatch, capsys, origin):
    monkeypatch.delenv("RCGAN_SMTP_URL", raising=False)
    monkeypatch.setenv("RCGAN_MAIL_FROM", origin)
    with pytest.raises(ValueError, match="RCGAN_SMTP_URL is ''; mail needs the server's address there"):
        train(**SETTINGS, steps=2, mail="anna@lab.example")
    assert cli.main(["guard", "--mail", "anna@lab.example"]) == 1
    assert "RCGAN_SMTP_URL is ''" in capsys.readouterr().err and not runs.exists()


def test_a_letter_has_the_last_figures_a_picture_and_the_way_on(runs):
    from runs_made import run_at

    run = run_at(runs / "faces", 100, state="interrupted")
    text = news.text(run, "was ended")
    assert "d_loss  1" in text and "mmd2" in text and "papermill train.ipynb more.ipynb -p resume faces" in text
    assert [p.name for p in news.pictures(run)] == ["step-0000100.png"]
    for file in ("metrics.csv", "watch.csv"):
        (run.path / file).unlink()
    assert "was ended.\n\nIt has no figures yet.\n\nIt goes on with:" in news.text(run, "was ended")
    facts = json.loads((run.path / "data.json").read_text())
    run.write_json("data.json", facts | {"summary": facts["summary"] | {"restricted": "licence"}})
    assert news.pictures(run) == []
