"""Sweeps without training: spaces, storages and folders that are refused, rules by hand, rankings, and what is left."""

import json
import math
import os
import shlex
import sqlite3
from urllib.parse import quote

import pytest
from database_server import PASSWORD, needs_postgres, postgres
from runs_made import run_at
from sweeps_made import GRID, OFF, ended, sweep_of

from rcgan_nb import archive, cli
from rcgan_nb.config import SweepConfig
from rcgan_nb.runtimes.task import OVER_LIMIT
from rcgan_nb.sweep import Sweep, results, rules, workers
from rcgan_nb.sweep.space import Space
from rcgan_nb.sweep.sweeps import Plan
from rcgan_nb.sweep.trials import FAILED, KILLED


def test_a_grid_is_every_combination_that_can_be_trained():
    space = {"loss": ["logistic", "hinge"], "label_smoothing": [0, "1e-1"], "steps": [10.0]}
    plan = Plan.of(SweepConfig.make(space=space, settings="{hidden_units: 8}"))
    assert plan.values == [
        {"loss": "logistic", "label_smoothing": 0.0, "steps": 10},
        {"loss": "logistic", "label_smoothing": 0.1, "steps": 10},
        {"loss": "hinge", "label_smoothing": 0.0, "steps": 10},
    ]
    assert len(plan.left_out) == 1 and "and the hinge loss has none" in plan.left_out[0]
    assert plan.space.complete(plan.values[1])["hidden_units"] == 8


def test_random_trials_differ_are_seeded_and_more_of_them_begin_with_the_same():
    space = {"learning_rate": {"low": "1e-4", "high": 1e-2, "log": True}, "num_layers": {"low": 1, "high": 3}}
    space |= {"loss": ["hinge", "logistic"], "label_smoothing": [0.0, 0.1]}
    config = SweepConfig.make(space=space, search="random", trials=20, seed=3)
    found = Plan.of(config).values
    assert len({json.dumps(values) for values in found}) == 20
    assert all(1e-4 <= values["learning_rate"] <= 1e-2 and values["num_layers"] in (1, 2, 3) for values in found)
    assert min(v["learning_rate"] for v in found) < 1e-3 < max(v["learning_rate"] for v in found)
    assert not any(v["loss"] == "hinge" and v["label_smoothing"] for v in found)
    assert Space.read(config).drawn(25, 3)[:20] == found != Space.read(config).drawn(20, 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"space": ""}, "space is empty; give fields and their values"),
        ({"space": {}}, "space is empty"),
        ({"space": "{learning_rate: ["}, "space is not YAML: while parsing"),
        ({"space": "[1, 2]"}, "space must be names with values, as in {learning_rate: [0.001]}, but '[1, 2]' came"),
        ({"space": {"learning_rat": [1]}}, "setting 'learning_rat' is not known; did you mean 'learning_rate'"),
        ({"settings": "{step: 3}"}, "setting 'step' is not known; did you mean 'steps'"),
        ({"space": {"run_name": ["a"]}}, "run_name cannot be given in a sweep; each trial has a run of its own"),
        ({"settings": {"steps": 3}, "space": {"steps": [3]}}, "steps stands in space and in settings"),
        ({"space": {"steps": 3}}, "space: steps must be a list of values or a range with low and high, but 3 came"),
        ({"space": {"steps": []}}, "space: steps must be a list of values or a range"),
        ({"space": {"steps": [3, 3]}}, "space: steps has the value 3 twice"),
        ({"space": {"steps": [3, -3]}}, "steps must be at least 1, but -3 came"),
        ({"space": {"steps": {"low": 1, "high": 2}}}, "a grid needs values, and steps has a range"),
        ({"search": "tpe", "space": {"steps": {"low": 2, "high": 2}}}, "steps goes from 2 to 2; low must be less"),
        (
            {"search": "tpe", "space": {"r1_weight": {"low": 0, "high": 2, "log": True}}},
            "r1_weight goes from 0.0 to 2.0, with log; low must be less than high, and more than 0",
        ),
        ({"search": "tpe", "space": {"steps": {"low": 2}}}, "steps needs low and high, but {'low': 2} came"),
        ({"search": "tpe", "space": {"steps": {"lo": 2}}}, "'lo' is not known of a range; did you mean 'low'"),
        ({"search": "tpe", "space": {"loss": {"low": "a", "high": "b"}}}, "loss 'a' is not known"),
        ({"search": "tpe", "space": {"d_bidirectional": {"low": False, "high": True}}}, "is no number and has no rang"),
        ({"search": "tpe", "space": {"steps": {"low": 1, "high": 2, "log": 1}}}, "log must be true or false, but 1"),
        ({"space": {"loss": ["hinge"], "label_smoothing": [0.1]}}, "no combination of space can be trained: {'loss'"),
        ({"search": "tpe", "space": {"loss": ["hinge"], "label_smoothing": [0.1]}}, "only 0 different combinations"),
        ({"search": "random", "trials": 5}, "5 trials were asked for, but only 4 different combinations"),
        ({"space": {"loss": ["wasserstein"], "gradient_penalty": [10]}}, "set max_loss_ratio to 0"),
        ({"settings": {"dataset": "digtis"}}, "dataset 'digtis' is not known; did you mean 'digits'"),
        ({"settings": {"dataset": "sines"}, "goal": "tstr"}, "goal tstr needs labels, and a model that takes them"),
        ({"settings": {"model": "rgan"}, "goal": "tstr"}, "goal tstr needs labels"),
        ({"limit": "2 hours"}, "a limit is a number with s, m, h or d behind it"),
        ({"search": "greedy"}, "search 'greedy' is not known; did you mean"),
        ({"trails": 3}, "setting 'trails' is not known; did you mean 'trials'"),
        ({"name": "sweeps"}, "'sweeps' has a meaning of its own"),
        ({"storage": "nonsense"}, "'nonsense' is no URL of a database"),
        ({"storage": "sqlite:////no/such/folder/s.db"}, "the database sqlite:////no/such/folder/s.db cannot be used"),
        ({"storage": "mysql+no_such_driver://a@h/d"}, "'mysql+no_such_driver://...@h/d' is no URL of a database"),
        ({"storage": "oracle://a@h/d"}, "oracle://...@h/d: its driver is missing (No module named"),
        ({"storage": "postgresql+pg8001://a@h/d"}, "is no URL of a database"),
    ],
)
def test_what_could_not_be_searched_is_refused_and_nothing_is_written(tmp_path, runs, capsys, settings, message):
    path = tmp_path / "s.yaml"
    path.write_text(json.dumps(GRID | settings))
    assert cli.main(["sweep", "start", str(path)]) == 1
    assert message in capsys.readouterr().err and not runs.exists()


def test_a_password_in_the_storage_is_refused_and_not_shown(runs):
    told = "written down; leave it out, and give it by RCGAN_STORAGE_PASSWORD or the keyring: keyring set rcgan_nb "
    for url, message in {
        "postgresql://me:s3cret@h/d": told + "postgresql://me@h/d",
        "mysql://me@h/d?password=s3cret": told + "mysql://me@h/d",
        "postgresql://me:s3cret@h:port/d": "'postgresql://...@h:port/d' is no URL of a database",
    }.items():
        with pytest.raises(ValueError) as refused:
            sweep_of(storage=url)
        assert message in str(refused.value) and "s3cret" not in str(refused.value) and not runs.exists()


def test_a_dry_run_lists_the_trials_and_writes_nothing(tmp_path, runs, capsys):
    path = tmp_path / "two.yaml"
    path.write_text("space: {learning_rate: [1e-3, 2e-3]}")
    assert cli.main(["sweep", "start", str(path), "--dry-run"]) == 0
    assert capsys.readouterr().out == "two-0000: {'learning_rate': 0.001}\ntwo-0001: {'learning_rate': 0.002}\n"
    path.write_text("{space: {learning_rate: [1e-3, 2e-3]}, search: tpe, trials: 1}")
    assert cli.main(["sweep", "start", str(path), "--dry-run"]) == 0
    assert capsys.readouterr().out == "two-0000: decided by the search\n" and not runs.exists()


@pytest.mark.parametrize("database", [False, True])
def test_a_sweep_is_made_once_grows_and_is_opened_again(tmp_path, database):
    storage = f"sqlite:///{tmp_path / 's.db'}" if database else ""
    for _ in range(2):
        sweep = sweep_of(storage=storage)
        assert [trial.params for trial in sweep.trials()] == Plan.of(sweep.config).values
    assert [task.run for task in Sweep.open("s").tasks()] == ["s-0000", "s-0001", "s-0002", "s-0003"]
    text = "{hidden_units: ['4', 8], learning_rate: [1e-3, 2e-3]}"  # the same, written otherwise
    assert sweep_of(storage=storage, space=text).config == sweep.config
    for trials in (2, 3):
        sweep = sweep_of(name="r", search="random", trials=trials, storage=storage)
        assert len(sweep.trials()) == trials
    assert [trial.params for trial in sweep.trials()] == sweep.space.drawn(3, 0)
    with pytest.raises(ValueError, match="sweep 'r' has 3 trials; there can be more, but not 2"):
        sweep_of(name="r", search="random", trials=2, storage=storage)
    with pytest.raises(ValueError, match=r"'s' was begun with other settings \(goal, min_spread\); give another name"):
        sweep_of(storage=storage, goal="tstr", min_spread=0.1)


def test_a_folder_or_storage_of_another_version_is_refused(tmp_path, runs):
    with pytest.raises(FileNotFoundError, match="there is no sweep 's' in .*known: none. Workers elsewhere need"):
        Sweep.open("s")
    folder = sweep_of().folder
    with pytest.raises(FileNotFoundError, match="there is no sweep 't' in .*known: s"):
        Sweep.open("t")
    text = (folder / "sweep.json").read_text()
    (folder / "sweep.json").write_text(text.replace('"version": 1', '"version": 2'))
    with pytest.raises(ValueError, match="is of version 2, and this library reads version 1"):
        Sweep.open("s")
    (folder / "sweep.json").write_text(text[:-9])
    with pytest.raises(ValueError, match=r"sweep.json cannot be read \(.*restore it"):
        sweep_of()
    (folder / "sweep.json").write_text(text)
    journal = (folder / "journal.log").read_text()
    (folder / "journal.log").write_text("{no journal\n" + journal)
    with pytest.raises(ValueError, match="journal.log is damaged, or was written by another version of Optuna"):
        Sweep.open("s")
    (folder / "journal.log").write_text(journal.replace('"op_code":0', '"op_code":99'))
    with pytest.raises(ValueError, match="journal.log is damaged, or was written by another version of Optuna"):
        Sweep.open("s")
    (folder / "journal.log").write_text("")
    with pytest.raises(ValueError, match="storage of sweep 's' .* holds no trials of it; was it moved or emptied"):
        Sweep.open("s")


def test_a_database_of_another_version_or_of_another_folder_is_refused(tmp_path, runs, monkeypatch):
    path = tmp_path / "s.db"
    sweep_of(storage=f"sqlite:///{path}")
    monkeypatch.setenv("RCGAN_RUNS", str(tmp_path / "other"))
    with pytest.raises(ValueError, match="the storage holds trials of a sweep 's' whose folder is not .*other"):
        sweep_of(storage=f"sqlite:///{path}")
    with sqlite3.connect(path) as database:
        database.execute("update alembic_version set version_num = 'v99.0.0.a'")
    with pytest.raises(ValueError, match="s.db was made by another version of Optuna"):
        sweep_of(name="t", storage=f"sqlite:///{path}")
    assert not (tmp_path / "other").exists()


@needs_postgres
def test_a_sweep_in_postgresql_takes_its_password_from_the_environment(runs, monkeypatch):
    with postgres() as url:
        with pytest.raises(ValueError, match="the database postgresql.* cannot be used: .*") as refused:
            sweep_of(storage=url)
        assert not runs.exists() and PASSWORD not in str(refused.value)
        monkeypatch.setenv("RCGAN_STORAGE_PASSWORD", PASSWORD)
        sweep = sweep_of(storage=url, **OFF)
        ended(sweep, 2, mmd2=0.5)
        ended(sweep, 3, cut=["spread", 40, 0.1, 0.3])
        again = Sweep.open("s")
        assert [trial.state.name for trial in again.trials()] == ["WAITING", "WAITING", "COMPLETE", "PRUNED"]
        assert again.trials()[2].value == 0.5 and results.cuts(again) == {"spread": 1}
        kept = [path.read_text() for path in runs.rglob("*.json")]
        assert kept and not any(PASSWORD in text or quote(PASSWORD, safe="") in text for text in kept)
    with pytest.raises(ValueError, match="the database postgresql.* cannot be used: .*refused"):
        Sweep.open("s").trials()


def columns(**figures):
    return {"step": [10.0, 20.0, 30.0, 40.0, 50.0], **figures}


METRICS = columns(loss_ratio=[500, 2, 120, 130, 1], d_grad=[1, 1, 1, 2, 3], g_grad=[1, 1, 1, 1, 0])
WATCH = columns(mmd2=[5, 4, 3, 3.5, 1], spread=[0.1, 0.5, 0.2, 0.1, 0.9], least_share=[0, 0, 0, 0, math.nan])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, None),
        ({"max_loss_ratio": 100}, ("loss_ratio", 10, 500, 100)),
        ({"max_loss_ratio": 100, "cut_after": 10}, ("loss_ratio", 30, 120, 100)),
        ({"max_loss_ratio": 100, "cut_after": 10, "cut_patience": 20}, ("loss_ratio", 40, 130, 100)),
        ({"max_loss_ratio": 100, "cut_patience": 30}, None),
        ({"max_loss_ratio": 1.5, "cut_after": 40}, None),
        ({"max_gradient": 2.5}, ("gradient", 50, 3, 2.5)),
        ({"max_gradient": 10}, ("gradient", 50, 0, 1e-6)),
        ({"min_spread": 0.3}, ("spread", 10, 0.1, 0.3)),
        ({"min_spread": 0.3, "cut_after": 15}, ("spread", 30, 0.2, 0.3)),
        ({"min_share": 0.1, "cut_after": 20}, ("least_share", 30, 0, 0.1)),
        ({"min_spread": 0.3, "max_loss_ratio": 125, "cut_after": 10, "cut_patience": 10}, ("spread", 30, 0.2, 0.3)),
    ],
)
def test_limits_cut_at_the_row_that_breaks_them(tmp_path, settings, expected):
    class Made(archive.Run):
        metrics, watch = (lambda self: METRICS), (lambda self: WATCH)

    run = Made(run_at(tmp_path / "made", 50).path)
    cut = rules.broken(SweepConfig.make(**OFF | settings), run)
    assert cut == (expected and rules.Cut(*expected))
    if cut:
        assert str(cut).startswith(f"at step {expected[1]} by {expected[0]}: ")


def test_a_value_that_is_no_number_is_out_of_bounds(tmp_path):
    class Made(archive.Run):
        metrics, watch = (lambda self: {}), (lambda self: WATCH)

    run = Made(run_at(tmp_path / "made", 50).path)
    cut = rules.broken(SweepConfig.make(**OFF | {"min_share": 0.1, "cut_after": 40}), run)
    assert cut.step == 50 and math.isnan(cut.value)


def test_a_run_that_ended_itself_counts_as_cut(tmp_path):
    run = run_at(tmp_path / "made", 50)
    run.write_json("config.json", run.read_json("config.json") | {"stop_on": "loss_ratio", "stop_limit": 7.0})
    (run.path / "metrics.csv").write_text("step,seconds,loss_ratio\n10,1,2\n50,5,0.01\n")
    config = SweepConfig.make(**OFF)
    assert rules.broken(config, run) is None
    run.beat("finished", 50, reason="loss_ratio lay outside")
    assert rules.broken(config, run) == rules.Cut("stop_on loss_ratio", 50, 0.01, 7.0)
    run.write_json("config.json", run.read_json("config.json") | {"stop_on": "mmd2"})  # it gets no better: an end
    assert rules.broken(config, run) is None


def test_the_median_of_finished_trials_cuts_what_is_behind():
    config = SweepConfig.make(**OFF | {"median_of": 3, "cut_after": 10})
    others = [{10: 1.0, 20: v, 30: v, 40: v, 50: v} for v in (2.0, 3.5, 9.0)]
    assert rules.behind(config, WATCH, others) == rules.Cut("median", 20, 4, 3.5)
    assert rules.behind(config, WATCH, others[:2]) is None
    assert rules.behind(config, WATCH, [*others, {20: 9.0, 30: 9.0, 40: 2.0, 50: 0.1}]) == rules.Cut(
        "median", 40, 3, 2.75
    )
    assert rules.behind(config, {}, others) is None


ENDS = [
    ({"state": "waiting"}, "", False),
    ({"state": "running"}, "", False),
    ({"state": "finished"}, "0", True),
    ({"state": "interrupted", "stopped": "its worker was stopped"}, "130", False),
    ({"state": "interrupted", "stopped": OVER_LIMIT}, "130", True),
    ({"state": "interrupted", "stopped": "cut", "cut": ["spread", 1, 0.1, 0.3]}, "", True),
    ({"state": "failed", "attempt": FAILED - 1}, "1", False),
    ({"state": "failed", "attempt": FAILED}, "1", True),
    ({"state": "failed", "attempt": KILLED - 1}, "137", False),
    ({"state": "failed", "attempt": KILLED - 1}, "", False),
    ({"state": "failed", "attempt": KILLED}, "", True),
    ({"state": "failed", "reason": "FloatingPointError: step 3"}, "1", True),
    ({"state": "failed", "reason": "settings: no"}, "", True),
]


@pytest.mark.parametrize(("state", "code", "done"), ENDS)
def test_what_ended_for_good_is_told_from_what_goes_on(state, code, done):
    sweep = sweep_of()
    task = sweep.tasks()[0]
    task.folder.mkdir()
    task.note(**{"attempt": 1, "reason": "", "stopped": ""} | state)
    (task.folder / "exit").write_text(f"{code}\n")
    assert task.done() == done
    if state["state"] == "waiting":
        return
    for _ in range(task.state["attempt"]):
        (task.folder / f"attempt-{len(task.attempts()) + 1:04}.json").write_text('{"pid": 1, "started": 0, "host": ""}')
    os.utime(task.attempts()[-1], (0, 0))
    assert task.claim() == (not done)  # who is late by a moment does not run it again


def test_workers_share_the_cores():
    assert workers.shares(2, [0, 1, 4, 5]) == [[0, 1], [4, 5]]
    assert workers.shares(2, [3, 5, 7]) == [[3], [5]]
    assert workers.shares(3, [0, 1]) == [[0], [1], [0]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["work", "s", "--cores", "9999"], "--cores must be some of 0"),
        (["work", "s", "--cores", "one"], "--cores must be some of 0"),
        (["start", "{}", "--workers", "-1"], "--workers must be 0 or more, and with --gpus one for each, but -1 came"),
        (["start", "{}", "--gpus", "0,1", "--workers", "3"], "with --gpus one for each, but 3 came"),
        (["start", "none.yaml"], "No such file or directory: 'none.yaml'"),
    ],
)
def test_words_that_make_no_worker_are_refused(tmp_path, capsys, words, message):
    path = tmp_path / "s.yaml"
    path.write_text(json.dumps(GRID))
    assert cli.main(["sweep", *(word.format(path) for word in words)]) == 1
    assert message in capsys.readouterr().err


def test_with_no_worker_here_it_says_how_to_start_some_elsewhere(tmp_path, runs, capsys):
    path = tmp_path / "s.yaml"
    path.write_text(json.dumps(GRID))
    assert cli.main(["sweep", "start", str(path), "--workers", "0"]) == 0
    said = capsys.readouterr().out
    assert f"ssh HOST 'RCGAN_RUNS={runs} rcgan sweep work s'" in said
    assert f"sbatch --array=1-8 --wrap 'RCGAN_RUNS={runs} rcgan sweep work s'" in said
    assert "4 waiting" in said and len(Sweep.open("s").trials()) == 4


def test_the_command_that_is_printed_starts_a_sweep_of_any_name(tmp_path, runs, capsys):
    path = tmp_path / "anna's $HOME sweep.yaml"
    path.write_text(json.dumps(GRID))
    assert cli.main(["sweep", "start", str(path), "--workers", "0"]) == 0
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines() if "rcgan sweep work" in line]
    words = [f"RCGAN_RUNS={runs}", "rcgan", "sweep", "work", "anna's $HOME sweep"]
    assert [line if len(line) == 5 else shlex.split(line[-1]) for line in lines] == [words] * 3
