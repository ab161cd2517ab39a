"""Runs and rivals in one table: what is marked as no difference, and what is refused."""

import dataclasses
import shutil

import numpy as np
import pytest

from rcgan_nb import archive, contest, train
from rcgan_nb.config import ContestConfig

TINY = {"steps": 4, "hidden_units": 8, "log_every": 2, "sample_every": 4, "checkpoint_every": 4}
QUICK = {"judges": "svm", "judge_seeds": 1, "epochs": 1}


def row(which, value, half, measure="coverage"):
    return {"measure": measure, "judge": "", "set": which, "value": value, "low": value - half, "high": value + half}


REAL = row("real", 1.0, 0.0)


def table(*rows):
    return contest.table([REAL, *rows]).loc["coverage", ""]


def test_differences_within_chance_are_marked_and_others_are_not():
    """Standard errors 0.01: 0.02 apart is 1.4 of the difference's, 0.2 apart is 14."""
    found = table(row("a", 0.9, 0.0196), row("b", 0.88, 0.0196), row("c", 0.7, 0.0196))
    assert found["a"] == "0.900 [0.880, 0.920] best"
    assert found["b"] == "0.880 [0.860, 0.900] ≈"
    assert found["c"] == "0.700 [0.680, 0.720]"
    assert list(found.index) == ["real", "a", "b", "c"]


def test_more_comparisons_ask_for_more():
    """0.03 apart is 2.1 standard errors: p = 0.034, enough for one comparison and too little for two."""
    two = row("a", 0.9, 0.0196), row("b", 0.87, 0.0196)
    assert not table(*two)["b"].endswith("≈")
    assert table(*two, row("c", 0.87, 0.0196))["b"].endswith("≈")


def test_scores_cut_at_the_best_case_keep_their_errors():
    """Both reach the best case, one of them by chance only: 1.1 and 0.98, give or take 0.2."""
    assert table(row("a", 1.1, 0.2), row("b", 0.98, 0.2))["b"].endswith("≈")


def test_copies_are_never_the_best():
    found = table(row("a", 0.7, 0.01), row("gaussian", 0.6, 0.01), row("jitter", 0.99, 0.01))
    assert found["a"].endswith("best") and found["jitter"] == "0.990 [0.980, 1.000]"


def test_trtr_stands_as_the_ceiling_of_tstr():
    rows = [row("real", 0.9, 0.01, "trtr"), row("a", 0.8, 0.01, "tstr"), row("b", 0.4, 0.01, "tstr")]
    assert contest.table(rows, guessed=0.1).loc["tstr", ""]["real"].startswith("0.900")


def test_runs_of_other_data_and_unknown_rivals_are_refused(runs):
    train(dataset="digits", run_name="a", **TINY)
    train(dataset="sines", run_name="b", **TINY)
    with pytest.raises(ValueError, match="runs a and b were trained on different data"):
        contest.contest(ContestConfig(runs="a,b", **QUICK))
    with pytest.raises(ValueError, match="rival 'timevae' is not known; did you mean 'time_vae'"):
        contest.contest(ContestConfig(runs="a", rivals="timevae", **QUICK))
    np.savez(runs / "synthetic.npz", x=np.zeros((3, 2, 1)))
    (runs / "other").mkdir()
    shutil.copy(runs / "synthetic.npz", runs / "other/synthetic.npz")
    shutil.copy(runs / "synthetic.npz", runs / "real.npz")
    for sets, name in (
        (f"{runs}/synthetic.npz, {runs}/other/synthetic.npz", "synthetic"),
        (f"{runs}/real.npz", "real"),
    ):
        with pytest.raises(ValueError, match=f"'{name}' would stand for two sets in the table"):
            contest.contest(ContestConfig(runs="a", sets=sets, **QUICK))
    with pytest.raises(ValueError, match="runs names no run"):
        contest.contest(ContestConfig(runs=" , ", **QUICK))


def test_what_was_judged_with_the_same_settings_is_read_again(runs, monkeypatch):
    train(dataset="digits", run_name="a", **TINY)
    calls = []

    def judge(data, synthetic, **options):
        calls.append(len(synthetic))
        return [row("real", 1.0, 0.0), row("synthetic", 0.5, 0.1), row("gaussian", 0.4, 0.1)]

    monkeypatch.setattr(contest, "judge", judge)
    said = []
    for seed in (0, 0, 1):
        rows = contest.contest(ContestConfig(runs="a", rivals="autoregression", seed=seed, **QUICK), said.append)[1]
        assert [r["set"] for r in rows] == ["a", "real", "gaussian", "autoregression"]
    assert len(calls) == 4 and sum("judged before" in text for text in said) == 2
    run = archive.find("a")
    assert run.read_json("contest.json")["settings"]["seed"] == 1
    train(resume="a", steps=8)
    contest.contest(ContestConfig(runs="a", rivals="", seed=1, **QUICK), said.append)
    assert len(calls) == 5  # it is another model now


def test_use_stands_against_the_most_able_attack():
    def judged(measure, which, value, judge=""):
        return {
            "measure": measure,
            "set": which,
            "judge": judge,
            "value": value,
            "low": value - 0.1,
            "high": value + 0.1,
        }

    rows = [judged("trtr", "real", 0.8, "svm"), judged("trtr", "real", 0.9, "cnn")]
    rows += [judged("tstr", "a", 0.7, "svm"), judged("tstr", "a", 0.6, "cnn"), judged("tstr", "jitter", 0.8, "cnn")]
    rows += [judged("membership_distance", "a", 0.5), judged("membership_density", "a", 0.55)]
    rows += [judged("membership_distance", "jitter", 1.0), judged("membership_distance", "real", 0.5)]
    rows.append(judged("tstr_class dog", "a", 0.9, "cnn"))  # of one class alone
    found = contest.trade_off(rows)
    assert [(name, use[0], attack[0]) for name, use, attack in found["points"]] == [
        ("a", 0.6, 0.55),
        ("jitter", 0.8, 1.0),
    ]
    assert (found["chance"], found["utility"]) == (0.5, "tstr cnn")
    with pytest.raises(ValueError, match="needs labels, and held-out persons enough"):
        contest.trade_off(rows[:5])


def test_a_set_of_another_tool_is_judged_beside_runs(runs, tmp_path, monkeypatch):
    from rcgan_nb import load

    train(dataset="digits", run_name="a", **TINY)
    data = load("digits")
    data.save(tmp_path / "everything.npz")  # brings its split: the training part is judged
    generate_only = data.part("test").take(range(7))
    dataclasses.replace(generate_only, split=None).save(tmp_path / "theirs.npz")
    judged = []
    monkeypatch.setattr(contest, "judge", lambda data, made, **_: judged.append(made) or [row("synthetic", 0.5, 0.1)])
    sets = f"{tmp_path / 'everything.npz'}, {tmp_path / 'theirs.npz'}"
    _, rows = contest.contest(ContestConfig(runs="a", rivals="", sets=sets, **QUICK), progress=str)
    assert [r["set"] for r in rows] == ["a", "everything", "theirs"]
    assert np.array_equal(judged[1].x, data.part("train").x) and np.array_equal(judged[2].x, generate_only.x)
    with pytest.raises(ValueError, match="sets names 'nothing.npz', which is no .npz file"):
        contest.contest(ContestConfig(runs="a", sets="nothing.npz", **QUICK))
