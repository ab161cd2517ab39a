"""Batches: every end of a job is told from every other, finished work is not done twice, killed work goes on."""

import dataclasses
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

import nbformat
import psutil
import pytest
from nbformat import v4
from rich.console import Console
from servers import free_port, until

from rcgan_nb import archive, cli
from rcgan_nb.runtimes import batch, jobs, link, task

RCGAN = "import sys; from rcgan_nb.cli import main; sys.exit(main())"
DIGITS = {"dataset": "digits", "hidden_units": 8, "batch_size": 8, "r1_weight": 0, "r2_weight": 0}


def make(path, *cells, text="About nothing."):
    """A notebook of these code cells, the first of them its parameters, with a text above."""
    path.parent.mkdir(parents=True, exist_ok=True)
    code = [v4.new_code_cell(source) for source in cells]
    code[0].metadata["tags"] = ["parameters"]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(v4.new_notebook(cells=[v4.new_markdown_cell(text), *code], metadata=kernel), path)
    return path


@pytest.fixture
def writer(tmp_path):
    """A notebook that adds its word to ran.txt, then does what it is told."""
    add = f"with open({str(tmp_path / 'ran.txt')!r}, 'a') as file:\n    print(word, file=file)"
    first = "word: str = 'a'  # to write\nthen: str = ''  # to do"
    return make(tmp_path / "writer.ipynb", first, add, "import os, sys, time", "exec(then)", "'the end'")


def ran(tmp_path):
    return (tmp_path / "ran.txt").read_text().split() if (tmp_path / "ran.txt").exists() else []


def begin(*words):
    """`rcgan batch` as a process of its own."""
    command = [sys.executable, "-c", RCGAN, "batch", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(t):
    """Whether a task's process has ended, after a look at it."""
    if t.process:
        t.poll()
    return not t.process


def listed(tmp_path, text):
    path = tmp_path / "jobs.yaml"
    path.write_text(text)
    return path


def test_a_grid_is_every_combination_with_text_as_numbers(tmp_path):
    path = listed(
        tmp_path,
        "- notebook: train.ipynb\n  parameters: {steps: 3, run_name: '2024_11'}\n  limit: 90s\n"
        "- notebook: train.ipynb\n  grid: {learning_rate: [1e-3, 2e-3], dataset: [digits, sines]}\n  runtime: colab\n",
    )
    found = jobs.read(path, limit="2h")
    assert [job.parameters for job in found] == [
        {"steps": 3, "run_name": "2024_11"},
        {"learning_rate": 0.001, "dataset": "digits"},
        {"learning_rate": 0.001, "dataset": "sines"},
        {"learning_rate": 0.002, "dataset": "digits"},
        {"learning_rate": 0.002, "dataset": "sines"},
    ]
    assert [(job.runtime, job.limit) for job in found] == [("local", 90), *[("colab", 7200)] * 4]
    assert all(job.makes_run for job in found)
    assert batch.labels(batch.tasks(found[1:], "b"))[2] == "train learning_rate=0.002 dataset=digits"
    (long,) = jobs.grid("train.ipynb", {"dataset": ["one\n  two " + 50 * "x"]})
    assert batch.labels(batch.tasks([long], "b")) == ["train dataset=one two " + 32 * "x"]


def test_a_job_is_its_code_and_parameters(tmp_path):
    one = make(tmp_path / "a.ipynb", "n: int = 1", "n + 1")
    ids = [jobs.grid(path, {"n": ["3"]})[0].id for path in (one, make(tmp_path / "b/a.ipynb", "n: int = 1", "n + 1"))]
    (other_text,) = jobs.grid(make(tmp_path / "c/a.ipynb", "n: int = 1", "n + 1", text="Else."), {"n": ["3"]})
    (other_code,) = jobs.grid(make(tmp_path / "d/a.ipynb", "n: int = 1", "n + 2"), {"n": ["3"]})
    assert ids[0] == ids[1] == other_text.id and other_code.id != ids[0]
    assert jobs.grid(one, {"n": ["4"]})[0].id != ids[0] and not other_code.makes_run


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jobs: [", "jobs.yaml is not YAML: while parsing"),
        ("notebook: train.ipynb", "jobs.yaml must be a list of jobs, each beginning with '- notebook: train.ipynb'"),
        ("- steps: 3", "a job needs a notebook, as in {notebook: train.ipynb}, but {'steps': 3} came"),
        ("- {notebook: trian.ipynb}", "there is no notebook 'trian.ipynb'; did you mean 'train.ipynb'"),
        ("- {notebook: train.ipynb, limt: 2h}", "'limt' is not known of a job; did you mean 'limit'"),
        ("- {notebook: train.ipynb, limit: 2 hours}", "a limit is a number with s, m, h or d behind it, as in 90s or"),
        ("- {notebook: train.ipynb, runtime: colba}", "runtime 'colba' is not known; did you mean 'colab'"),
        (
            "- {notebook: train.ipynb, parameters: [3]}",
            "parameters must be names with values, as in {seed: 0}, but [3]",
        ),
        ("- {notebook: train.ipynb, grid: {seed: 3}}", "grid: seed must be a list of values, as in [0, 1], but 3 came"),
        ("- {notebook: train.ipynb, parameters: {steps: '{[1]: 2}'}}", "steps must be int, but '{[1]: 2}' is str"),
        ("- {notebook: train.ipynb, parameters: {step: 3}}", "has no parameter 'step'; did you mean 'steps'"),
        ("- {notebook: train.ipynb, parameters: {steps: -3}}", "steps must be at least 1, but -3 came"),
        (
            "- {notebook: evaluate.ipynb, parameters: {checkpoint: lats}}",
            "checkpoint 'lats' is not known; did you mean 'last'",
        ),
        ("- {notebook: train.ipynb, grid: {seed: [0, 0]}}", "two jobs are the same or name the same run: train.ipynb"),
        ("- {notebook: train.ipynb, parameters: {run_name: a}, grid: {seed: [0, 1]}}", "or name the same run"),
        ("- {notebook: jobs.yaml}", "jobs.yaml is not a notebook"),
    ],
)
def test_what_could_not_run_is_refused_before_anything_starts(tmp_path, runs, capsys, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["batch", str(listed(tmp_path, text))]) == 1
    assert message in capsys.readouterr().err and not runs.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give a file of jobs, or --grid with a notebook"),
        (["jobs.yaml", "-p", "seed", "0"], "-p goes with --grid"),
        (["--grid", "train.ipynb", "-p", "seed"], "give -p seed once, with its values behind it"),
        (["--grid", "train.ipynb", "--at-once", "0"], "--at-once must be at least 1, but 0 came"),
        (["--grid", "train.ipynb", "--name", "batches"], "'batches' has a meaning of its own"),
    ],
)
def test_words_that_make_no_batch_are_refused(runs, capsys, words, message):
    assert cli.main(["batch", *words]) == 1
    assert message in capsys.readouterr().err and not runs.exists()


def test_a_dry_run_says_what_would_be_run_and_writes_nothing(writer, runs, capsys):
    assert cli.main(["batch", "--grid", str(writer), "-p", "word", "a", "b", "--dry-run"]) == 0
    assert capsys.readouterr().out == "writer word=a: would be run\nwriter word=b: would be run\n"
    assert not runs.exists()


ENDS = {
    "fine": ("finished", ""),
    "raise ValueError('first\\nno good')": ("failed", "In [5]: ValueError: no good"),
    "os._exit(1)": ("failed", "its kernel died"),
    "sys.exit(0)": ("failed", "In [5]: SystemExit: 0"),
    "time.sleep(600)": ("interrupted", "it ran over its limit"),
}


def test_every_end_is_told_from_every_other_and_only_what_lacks_is_run_again(writer, tmp_path, capsys):
    entries = [{"notebook": str(writer), "parameters": {"word": "fine"}}]
    for k, then in enumerate(list(ENDS)[1:]):
        entry = {"notebook": str(writer), "parameters": {"word": f"w{k}", "then": then}}
        entries.append(entry | ({"limit": "10s"} if "600" in then else {}))
    path = listed(tmp_path, json.dumps(entries))
    assert cli.main(["batch", str(path), "--at-once", "5"]) == 1
    out = capsys.readouterr().out
    queue = batch.tasks(jobs.read(path), "jobs")
    for t, (state, reason) in zip(queue, ENDS.values(), strict=True):
        assert t.state["state"] == state and reason in t.state["reason"], t.state
        assert not t.owner() and t.state["attempt"] == 1
    assert "1 of 5 jobs are finished." in out and f"see {queue[1].folder}" in out
    assert "writer word=w0" in out and "failed: In [5]: ValueError: no good" in out
    assert sorted(set(ran(tmp_path)) - {"w3"}) == ["fine", "w0", "w1", "w2"]  # w3 may have had no time to begin

    assert cli.main(["batch", str(listed(tmp_path, json.dumps(entries[:2]))), "--at-once", "2"]) == 1
    assert [ran(tmp_path).count(word) for word in ("fine", "w0", "w1")] == [1, 2, 1]
    table = io.StringIO()
    Console(file=table, width=120).print(batch._table(batch.rows(queue[:3])))
    assert "1 finished, 2 failed" in table.getvalue() and "SystemExit" not in table.getvalue()


def test_a_job_that_will_not_stop_is_killed_with_its_kernel(writer, tmp_path, monkeypatch):
    monkeypatch.setattr(task, "GRACE", 5)
    heard, ready = tmp_path / "heard", tmp_path / "ready"
    deaf = f"while True:\n    try: open({str(ready)!r}, 'w'); time.sleep(600)\n"
    deaf += "    except KeyboardInterrupt: print('heard', file=open(word, 'w'))"
    (one,) = batch.tasks(jobs.grid(writer, {"word": [str(heard)], "then": [deaf]}), "d")
    assert one.claim()
    one.start()
    until(ready.exists)
    tree = [psutil.Process(one.process.pid), *psutil.Process(one.process.pid).children(recursive=True)]
    one.job = dataclasses.replace(one.job, limit=0.1)
    until(lambda: ended(one))
    until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in tree))
    assert heard.exists()  # it was asked first
    assert (one.state["state"], one.state["reason"]) == ("interrupted", "it ran over its limit")


def test_on_a_jupyter_server_jobs_end_and_stop_alike(writer, tmp_path, monkeypatch):
    with link.server(free_port()) as (address, _):
        url, token = address.split("/?token=")
        monkeypatch.setenv("RCGAN_JUPYTER_URL", url)
        monkeypatch.setenv("RCGAN_JUPYTER_TOKEN", token)
        words = {"word": ["a"], "then": ["", "raise ValueError('far away')", "time.sleep(600)"]}
        queue = batch.tasks(jobs.grid(writer, words, runtime="jupyter"), "far")
        for t in queue:
            assert t.claim()
            t.start()
        until(lambda: all([ended(t) for t in queue[:2]]) and len(ran(tmp_path)) == 3)
        time.sleep(0.5)
        queue[2].stop("it was stopped")
        until(lambda: ended(queue[2]))
        ends = [(t.state["state"], t.state["reason"]) for t in queue]
        assert ends == [
            ("finished", ""),
            ("failed", "In [5]: ValueError: far away"),
            ("interrupted", "it was stopped"),
        ]
        with urllib.request.urlopen(f"{url}/api/kernels?token={token}") as answer:
            assert json.load(answer) == []


def test_a_killed_batch_goes_on_where_it_was(writer, tmp_path, capsys):
    """SIGKILL while the second of three jobs runs: that one is watched to its end, the third run, none run twice."""
    words = ["--grid", str(writer), "-p", "word", "a", "b", "c", "-p", "then", "time.sleep(2)"]
    process = begin(*words)
    until(lambda: ran(tmp_path) == ["a", "b"])
    process.kill()
    process.communicate()
    assert cli.main(["batch", *words]) == 0
    assert ran(tmp_path) == ["a", "b", "c"]
    assert "3 of 3 jobs are finished." in capsys.readouterr().out


def test_two_batches_at_once_share_the_work(writer, tmp_path):
    both = [begin("--grid", writer, "-p", "word", *"abc") for _ in range(2)]
    outs = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outs
    assert sorted(ran(tmp_path)) == ["a", "b", "c"]
    assert all("3 of 3 jobs are finished." in out for out in outs)


def test_interrupted_training_goes_on_from_its_checkpoint(tmp_path, runs, capsys):
    words = ["--grid", "train.ipynb", "--name", "t", "-p", "steps", "1500"]
    words += [word for name, value in DIGITS.items() for word in ("-p", name, str(value))]
    process = begin(*words)
    until(lambda: any(re.search(r'"step": [1-9]', p.read_text()) for p in runs.glob("t-*/heartbeat.json")))
    process.send_signal(signal.SIGINT)
    out = process.communicate(timeout=120)[0]
    assert process.returncode == 130 and "Give the same command to go on." in out, out
    (run,) = [archive.Run(path) for path in runs.glob("t-*")]
    step = run.read_json("heartbeat.json")["step"]
    assert run.status() == "interrupted" and 0 < step < 1500
    assert f"interrupted: it was stopped; run {run.name} is at step {step}" in out
    cli.main(["batch", *words, "--dry-run"])
    assert f"would go on with run {run.name} from step-{step:07}" in capsys.readouterr().out
    assert cli.main(["batch", *words]) == 0
    assert run.status() == "finished" and [s["step"] for s in run.read_json("segments.json")] == [0, step]
    assert list(runs.glob("t-*")) == [run.path]


def test_a_claim_holds_while_its_process_lives(writer, runs):
    (one,), (two,) = (batch.tasks(jobs.grid(writer, {}), "c") for _ in range(2))
    assert one.claim() and not two.claim()
    assert batch.outlook(two) == f"is run by process {os.getpid()} on {one.owner()['host']}"
    path = one.folder / "attempt-0001.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(facts | {"host": "elsewhere"}))
    assert not two.claim()  # nobody here can see whether that process lives
    assert "on elsewhere; it is free again when that machine has been silent for 10 minutes" in batch.outlook(two)
    os.utime(path, (time.time() - 601,) * 2)
    assert not two.owner()
    run = archive.Run(runs / "going-on")
    run.path.mkdir()
    (run.path / "config.json").write_text("{}")
    run.write_json("heartbeat.json", {"state": "running", "host": "elsewhere", "time": time.time()})
    one.note(run="going-on")
    assert two.owner()  # whoever began it is dead, but not what it began
    path.write_text(json.dumps(facts | {"started": facts["started"] - 100}))  # its number was given away again
    assert two.claim() and not one.claim() and len(list(one.folder.glob("attempt-*"))) == 2
    two.note(state="finished", attempt=2)
    assert not one.claim() and batch.outlook(one) == "finished"


def test_progress_is_read_from_what_the_notebook_prints(writer, tmp_path):
    (one,) = batch.tasks(jobs.grid(writer, {}), "p")
    one.folder.mkdir(parents=True)
    assert one.progress() == ("", "")
    (one.folder / "log.txt").write_text(
        "Executing:  0%| | 0/7 [00:00<?, ?cell/s]\rExecuting: 43%|# | 3/7 [00:05<00:06]"
    )
    assert one.progress() == ("cell 3/7", "00:06")
    (one.folder / "output.txt").write_text("step 20/300  d_loss 0.7  9.1 steps/s  0:31 left  \rstep 40/300  d_loss 1")
    assert one.progress() == ("step 40/300", "")


def test_a_long_table_shows_what_runs_or_went_wrong(writer, runs):
    queue = batch.tasks(jobs.grid(writer, {"word": [f"w{k}" for k in range(21)]}), "l")
    for t, state in zip(queue, ("finished", "failed"), strict=False):
        t.folder.mkdir(parents=True)
        t.note(state=state, reason="[no] markup")
    table = io.StringIO()
    Console(file=table, width=120).print(batch._table(batch.rows(queue)))
    assert "1 finished, 1 failed, 19 waiting" in table.getvalue() and "[no] markup" in table.getvalue()
    assert [word in table.getvalue() for word in ("w0 ", "w1 ", "w2 ")] == [False, True, False]


def test_a_second_ctrl_c_kills(writer, tmp_path):
    ready, heard = tmp_path / "ready", tmp_path / "heard"
    deaf = f"try: open({str(ready)!r}, 'w'); time.sleep(600)\n"
    deaf += f"except KeyboardInterrupt: open({str(heard)!r}, 'w'); time.sleep(600)"
    process = begin("--grid", writer, "-p", "then", deaf)
    until(ready.exists)
    begun = time.time()
    process.send_signal(signal.SIGINT)
    until(heard.exists)
    process.send_signal(signal.SIGINT)
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 130 and time.time() - begun < task.GRACE, out
    assert ": interrupted: it was stopped" in out and "stopping writer.ipynb; Ctrl-C again kills it" in out


def test_a_finished_run_counts_though_its_notebook_failed_later(tmp_path, runs):
    (one,) = batch.tasks(jobs.grid("train.ipynb", {"run_name": ["r"]}), "f")
    one.folder.mkdir(parents=True)
    one.note(state="running", run="r", beat=0, stopped="")
    run = archive.Run(runs / "r")
    run.path.mkdir()
    (run.path / "config.json").write_text("{}")
    make(one.book, "1").with_name("exit").write_text("138\n")
    assert one.verdict() == ("failed", "its kernel died (out of memory?)")
    run.beat("running", 7)
    assert one.verdict() == ("failed", "its kernel died (out of memory?); run r is at step 7")
    run.beat("finished", 9)
    assert one.verdict() == ("finished", "but after training: its kernel died (out of memory?)")
    one.note(beat=time.time())
    assert one.verdict()[0] == "failed"  # what was finished before is no proof of this attempt
