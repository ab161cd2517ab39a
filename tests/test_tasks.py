"""Tasks on series: labels by hand, summaries by hand, and judges on sets of which is known what can be told."""

import dataclasses

import numpy as np
import pytest

from rcgan_nb.evaluation import tasks
from rcgan_nb.series import SeriesSet, split


def heartbeats(x, observed=None, **more):
    x = np.asarray(x, np.float32)
    return SeriesSet(x=x, observed=observed, features=("HR", "Temp")[: x.shape[2]], **more)


def test_threshold_looks_at_the_window_alone():
    x = [[[60], [80], [80], [80]], [[80], [80], [60], [80]], [[80], [80], [80], [60]]]
    observed = np.ones((3, 4, 1), bool)
    observed[2, 2:] = False
    task = tasks.Threshold("HR", "<", 70, window=2)
    seen, answers = tasks._answered(task, heartbeats(np.where(observed, x, 0), observed))
    assert answers.tolist() == [0, 1] and seen.x.shape == (2, 2, 1) and seen.x[0, :, 0].tolist() == [60, 80]
    assert seen.observed.shape == (2, 2, 1)
    _, answers = tasks._answered(tasks.Threshold("HR", ">", 70, window=2), heartbeats(x))
    assert answers.tolist() == [1, 1, 1]


def test_summaries_by_hand():
    observed = np.array([[[False], [True], [True], [True], [False]], [[False]] * 5])
    x = np.where(observed, [[[0], [4], [2], [3], [0]]], 0)
    found = tasks.summaries(heartbeats(x, observed))
    assert found[0] == pytest.approx([3, 2, 4, 4, 3, 0.6])
    assert np.isnan(found[1, :5]).all() and found[1, 5] == 0


def test_tasks_from_text():
    assert tasks.parse(" label, HR<70,Temp > 38.5 ") == [
        tasks.Label(),
        tasks.Threshold("HR", "<", 70),
        tasks.Threshold("Temp", ">", 38.5),
    ]
    with pytest.raises(ValueError, match="task 'HR=70' is not known; give label, or a feature with its limit"):
        tasks.parse("HR=70")


def test_any_class_against_all_others():
    """Of three classes by level, the highest can be told, and so can each by its name alone."""
    s = trending(300, 6)
    three = dataclasses.replace(s, y=np.digitize(s.x.mean((1, 2)), (75, 85)).astype(np.int32), classes=tuple("abc"))
    asked = tasks.parse("label=a, label = c")
    assert asked == [tasks.Label("a"), tasks.Label("c")]
    assert asked[1].answers(three)[1].tolist() == (three.y == 2).astype(int).tolist()
    rows = tasks.evaluate_tasks(three, {"synthetic": three}, asked, judges=("logistic",), seeds=1, progress=print)
    assert value(rows, "auroc label=a", "synthetic", "logistic")["value"] > 0.95
    assert value(rows, "auprc label=c", "real", "logistic")["value"] > 0.95
    with pytest.raises(ValueError, match="class 'A' is not known; .*Known: a, b, c"):
        tasks.evaluate_tasks(three, {}, tasks.parse("label=A"))
    with pytest.raises(ValueError, match="a task needs two classes, but the set has 3; name one, as in 'label=NAME'"):
        tasks.evaluate_tasks(three, {}, tasks.parse("label"))


def test_static_values_are_seen_where_all_sets_have_them():
    s = trending(200, 4, told=False)
    told = dataclasses.replace(s, static=s.y[:, None] + np.float32(0.5))
    for sets, seen in (({"same": told}, True), ({"without": s}, False)):
        found = tasks.evaluate_tasks(told, sets, [tasks.Label()], judges=("logistic",), progress=lambda text: None)
        assert (value(found, "auroc label", "real", "logistic")["value"] == 1) == seen
        alone = [r["value"] for r in found if r["set"] == "static alone" and r["measure"] == "auroc label"]
        assert alone == [1.0] * seen


def test_answers_are_asked_and_not_shown():
    s = trending(200, 4, told=False)
    info = {"static_names": ["age", "next hour HR < 70"], "answers": ["next hour HR < 70"]}
    s = dataclasses.replace(s, static=np.column_stack([np.full(200, 50), s.y]).astype(np.float32), info=info)
    assert tasks.given(s).tolist() == [[50]] * 200
    asked = tasks.parse("label, next hour HR < 70", info["static_names"])
    assert asked == [tasks.Label(), tasks.Given("next hour HR < 70")]
    found = tasks.evaluate_tasks(s, {}, asked, judges=("logistic",), progress=lambda text: None)
    same = [r["value"] for r in found if r["measure"].startswith("auroc") and r["set"] == "real"]
    assert same[0] == same[1] < 0.9


def test_a_set_without_an_answer_is_chance():
    s, silent = trending(200, 4), trending(100, 5)
    silent = dataclasses.replace(silent, observed=np.arange(24)[:, None] * np.ones((100, 24, 1)) < 12)
    gaps = dataclasses.replace(s, observed=np.ones(s.x.shape, bool))
    task = [tasks.Threshold("HR", ">", 80)]
    found = tasks.evaluate_tasks(gaps, {"silent": silent}, task, judges=("logistic",), progress=lambda text: None)
    assert value(found, "auroc HR>80", "silent", "logistic")["value"] == 0.5


def test_other_classes_are_refused():
    s = trending(200, 4)
    with pytest.raises(ValueError, match="real series have the classes"):
        tasks.evaluate_tasks(s, {"other": dataclasses.replace(s, classes=("died", "survived"))}, [tasks.Label()])


def trending(n, seed, told=True):
    """Pulses that stay where they are; whoever has a high one dies, unless it is not told."""
    random = np.random.default_rng(seed)
    level = random.normal(80, 10, n)
    x = level[:, None, None] + random.normal(0, 2, (n, 24, 1))
    y = (level > 85).astype(np.int32)
    y = y if told else random.permutation(y)
    parts = split(n, labels=y, shares=(0.5, 0.2, 0.3))
    return heartbeats(x, y=y, classes=("survived", "died"), split=parts)


@pytest.fixture(scope="module")
def rows():
    chosen = [tasks.Threshold("HR", ">", 90), tasks.Label()]
    others = {"told": trending(200, 1), "random": trending(200, 2, told=False)}
    return tasks.evaluate_tasks(trending(400, 0), others, chosen, seeds=2, progress=lambda text: None)


def value(rows, measure, which, judge):
    return next(r for r in rows if (r["measure"], r["set"], r["judge"]) == (measure, which, judge))


@pytest.mark.parametrize("judge", ["logistic", "forest"])
def test_what_can_be_told_is_and_what_cannot_is_not(rows, judge):
    for which in ("real", "told"):
        assert value(rows, "auroc label", which, judge)["value"] > 0.95
        assert value(rows, "auroc HR>90", which, judge)["value"] > 0.95
    assert value(rows, "auroc label", "random", judge)["value"] < 0.9  # it follows chance, whichever way
    share = 0.31  # of those who die
    assert value(rows, "auprc label", "real", judge)["value"] > 2 * share


def test_areas_by_hand():
    truth = np.array([0, 0, 1, 1] * 25)
    found = tasks._areas(truth, [np.array([0.1, 0.4, 0.35, 0.8] * 25)])
    assert found["auroc"][0] == pytest.approx(0.75) and found["auroc"][1] < 0.75 < found["auroc"][2]
    assert found["auprc"][0] == pytest.approx((1 + 2 / 3) / 2)


def test_one_answer_only_and_other_senseless_questions():
    s = trending(60, 3)
    said = []
    assert tasks.evaluate_tasks(s, {}, [tasks.Threshold("HR", ">", 500)], progress=said.append) == []
    assert said == ["task HR>500: left out, the 18 test series with an answer do not have two"]
    with pytest.raises(ValueError, match="feature 'Hr' is not known; did you mean 'HR'. Known: HR"):
        tasks.Threshold("Hr", ">", 90).answers(s)
    with pytest.raises(ValueError, match="window must leave steps to see, 1 to 23, but 24 came"):
        tasks.Threshold("HR", ">", 90, window=24).answers(s)
    with pytest.raises(ValueError, match="judge 'tree' is not known"):
        tasks.evaluate_tasks(s, {}, [tasks.Label()], judges=("tree",))
