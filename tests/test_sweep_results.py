"""What came of a sweep: how trials ended, rankings, importance, finals."""

import json
import math

import pytest
from runs_made import run_at
from sweeps_made import OFF, ended, sweep_of

from rcgan_nb import cli
from rcgan_nb.review.results import Score
from rcgan_nb.runtimes.task import OVER_LIMIT
from rcgan_nb.sweep import results


def test_survivors_are_ranked_with_what_was_cut_below():
    sweep = sweep_of(**OFF)
    ended(sweep, 0, mmd2=0.3, tstr=0.9)
    with pytest.raises(ValueError, match="3 of 4 trials of sweep 's' are not finished; go on with rcgan sweep work s"):
        results.ranked(sweep)
    ended(sweep, 1, mmd2=0.1, tstr=0.8)
    ended(sweep, 2, cut=["spread", 40, 0.1, 0.3])
    ended(sweep, 3)
    assert [trial.number for trial in results.ranked(sweep)] == [1, 0]
    assert [trial.number for trial in results.ranked(sweep, "tstr")] == [0, 1]
    found = results.table(sweep)
    assert list(found["trial"]) == [1, 0, 2, 3] and list(found["state"]) == ["finished", "finished", "cut", "failed"]
    assert list(found["learning_rate"]) == [0.001, 0.001, 0.002, 0.002] and list(found["mmd2"])[:2] == [0.1, 0.3]
    assert list(found["why"])[2:] == ["at step 40 by spread: 0.1 against 0.3", "FloatingPointError: step 3"]
    assert results.cuts(sweep) == {"spread": 1, "failed": 1} and results.importance(sweep) == {}
    with pytest.raises(ValueError, match="'humna' ranks nothing; known: mmd2, tstr, coverage, people"):
        results.table(sweep, "humna")
    pictures = results.sheets(sweep, 1)
    assert [path.name for path in pictures.values()] == ["step-0000050.png"]
    assert list(pictures) == ["s-0001: learning_rate 0.001, hidden_units 8"]


def test_people_may_rank_and_choose_finalists(monkeypatch):
    sweep = sweep_of(**OFF, finalists=1, final_seeds=1)
    for number, mmd2 in enumerate([0.1, 0.2, 0.3, 0.4]):
        ended(sweep, number, mmd2=mmd2)
    with pytest.raises(ValueError, match="none of 4 trials survived"):
        results.ranked(sweep, "people")  # nobody was asked
    said = {
        "s-0002": Score(1.5, 1.0, 2.0, 9),
        "s-0000": Score(-0.5, -1.0, 0.0, 9),
        "other-0001": Score(9.0, 8.0, 9.5, 9),
    }
    monkeypatch.setattr(results.review, "scores", lambda name: {"s": said}[name])
    assert [trial.number for trial in results.ranked(sweep, "people")] == [2, 0]
    assert list(results.table(sweep, "people")["people"])[:2] == [1.5, -0.5]
    assert [task.trial for task in results.call_finals(sweep, "people")] == [2]


def test_without_survivors_it_says_which_rule_cut_how_many(capsys):
    sweep = sweep_of()
    for number, rule in enumerate(["spread", "median", "spread"]):
        ended(sweep, number, cut=[rule, 40, 0.1, 0.3])
    ended(sweep, 3)
    assert cli.main(["sweep", "best", "s"]) == 1
    assert "none of 4 trials survived: spread 2, median 1, failed 1. Widen the limits" in capsys.readouterr().err
    assert cli.main(["sweep", "status", "s"]) == 0
    assert "cut or failed: spread 2, median 1, failed 1" in capsys.readouterr().out


def test_a_trial_over_its_limit_is_cut_by_that():
    sweep = sweep_of(limit="2s")
    ended(sweep, 0, cut=[], state="interrupted", stopped=OVER_LIMIT, begun=100.0, ended=103.5)
    assert sweep.trials()[0].user_attrs["cut"] == ["limit", 50, 3.5, 2.0]
    assert sweep.trials()[0].user_attrs["reason"] == "at step 50 by limit: 3.5 against 2"


def test_a_short_run_that_broke_a_limit_before_anybody_looked_is_cut():
    sweep = sweep_of(**OFF | {"min_spread": 0.95, "cut_after": 20})
    ended(sweep, 0, mmd2=0.1)
    assert sweep.trials()[0].user_attrs["cut"] == ["spread", 40, 0.9, 0.95]
    assert results.cuts(sweep) == {"spread": 1}


def test_a_goal_that_is_no_number_has_failed():
    sweep = sweep_of(**OFF)
    ended(sweep, 0, mmd2=math.nan)
    assert sweep.trials()[0].state.name == "FAIL" and sweep.trials()[0].user_attrs["reason"] == "mmd2 is nan"


def test_the_best_is_the_one_with_the_best_mean_over_new_seeds():
    sweep = sweep_of(**OFF, finalists=2, final_seeds=2, goal="tstr")
    for number, tstr in enumerate([0.7, 0.9, 0.8, 0.1]):
        ended(sweep, number, mmd2=0.1, tstr=tstr)
    with pytest.raises(ValueError, match=r"finals of sweep 's' are lacking \(all\); train them with rcgan"):
        results.best(sweep)
    finals = results.call_finals(sweep)
    assert [(task.run, task.job.parameters["seed"]) for task in finals] == [
        ("s-0001-seed-1", 1),
        ("s-0001-seed-2", 2),
        ("s-0002-seed-1", 1),
        ("s-0002-seed-2", 2),
    ]
    assert finals[0].job.parameters["hidden_units"] == 8 and len(sweep.tasks()) == 8
    for task, tstr in zip(finals, [0.6, 0.8, 0.7, 0.9], strict=True):
        run_at(task.archived.path, 50).write_json("validation.json", {"mmd2": 1.0, "tstr": tstr, "coverage": 1.0})
    found = results.best(sweep)
    assert found["trial"] == 2 and found["runs"] == ["s-0002-seed-2", "s-0002-seed-1"]
    assert found["settings"] == {"dataset": "digits", "learning_rate": 0.002, "hidden_units": 4}
    assert found["value"] == pytest.approx(0.8) and found["low"] < 0 < 1 < found["high"]  # two seeds say little
    assert json.loads((sweep.folder / "best.json").read_text()) == found
    (finals[3].archived.path / "validation.json").unlink()
    with pytest.raises(ValueError, match=r"finals of sweep 's' are lacking \(0002-seed-2\)"):
        results.best(sweep)


def test_importance_is_that_of_the_field_that_decides():
    sweep = sweep_of(**OFF, space={"learning_rate": [0.001, 0.002, 0.003, 0.004], "hidden_units": [4, 8, 12]})
    for trial in sweep.trials():
        ended(sweep, trial.number, mmd2=trial.params["learning_rate"] + 1e-9 * trial.number)
    found = results.importance(sweep)
    assert sum(found.values()) == pytest.approx(1) and found["learning_rate"] > 0.6
