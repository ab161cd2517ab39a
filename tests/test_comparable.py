"""Bad input to a judgement: an error or a count in plain words, never a silent figure."""

import dataclasses
import os
import re
from pathlib import Path

import numpy as np
import pytest

from rcgan_nb import evaluate, load
from rcgan_nb.data import preparation, scaling
from rcgan_nb.evaluation import likeness, mmd, tasks, timegan, together, whole
from rcgan_nb.evaluation.comparable import check_comparable
from rcgan_nb.evaluation.privacy import privacy
from rcgan_nb.series import SeriesSet, split

REAL = Path(os.environ.get("RCGAN_DATA", ""))
DOORS = {
    "evaluate": evaluate,
    "likeness": likeness.likeness,
    "privacy": privacy,
    "together": together.evaluate_together,
    "timegan": lambda data, s: timegan.timegan_scores(data, {"synthetic": s}),
    "tasks": lambda data, s: tasks.evaluate_tasks(data, {"synthetic": s}, [tasks.Label()]),
}


def pulses(n=60, **changes):
    random = np.random.default_rng(0)
    x = random.normal(80, 10, (n, 6, 2)).astype(np.float32)
    y = np.arange(n, dtype=np.int32) % 2
    s = SeriesSet(x=x, y=y, classes=("a", "b"), features=("HR", "MAP"), split=split(n, labels=y))
    return dataclasses.replace(s, **changes)


def without(s, k, where=slice(None)):
    observed = np.ones(s.x.shape, bool)
    observed[where, :, k] = False
    return dataclasses.replace(s, observed=observed, x=np.where(observed, s.x, 0))


@pytest.mark.parametrize("door", DOORS)
def test_another_scale_is_refused_at_every_door(door):
    s = pulses()
    with pytest.raises(ValueError, match=re.escape("lie far outside of the real ones")):
        DOORS[door](s, dataclasses.replace(s.part("train"), x=100 * s.x[s.split == 0]))


def test_scales_in_words():
    s = pulses()
    with pytest.raises(ValueError) as error:
        check_comparable(s, dataclasses.replace(s, x=100 * s.x))
    low, high = (f(s.part("train").x[:, :, 0]) for f in (np.min, np.max))
    assert str(error.value).startswith("feature 'HR': 100% of the synthetic values, ")
    assert str(error.value).endswith(
        f"lie far outside of the real ones, {low:.3g} to {high:.3g}; the sets are on different scales. "
        "Give both in original units."
    )
    unit = (s.x - s.x.min()) / (s.x.max() - s.x.min())
    with pytest.warns(UserWarning) as said:
        check_comparable(s, dataclasses.replace(s, x=unit))
    assert re.fullmatch(
        r"feature '(HR|MAP)': synthetic values vary 0\.01\d times as much as real ones\. Their generator has "
        r"collapsed, or the set is on another scale; if so, give both in original units\.",
        str(said[0].message),
    )


@pytest.mark.filterwarnings("error")
def test_pictures_on_other_scales_and_sets_that_are_well():
    s = load("digits")
    train = s.part("train")
    check_comparable(s, train)
    check_comparable(pulses(), pulses(30, split=None))
    with pytest.raises(ValueError, match=r"pixels: 51% of the synthetic values, 0 to 4.08e\+03, lie far outside"):
        check_comparable(s, dataclasses.replace(train, x=train.x * 255))
    with pytest.raises(UserWarning, match="pixels: synthetic values vary 0.12 times as much as real ones"):
        check_comparable(s, dataclasses.replace(train, x=train.x / 8 - 1))


@pytest.mark.parametrize("door", DOORS)
def test_too_few_series_say_how_many_are_needed(door):
    s, few = pulses(), pulses(24)
    with pytest.raises(
        ValueError, match="the synthetic set has 5 series; figures need 6 at least. Give more, or split"
    ):
        DOORS[door](s, s.take(slice(5)))
    with pytest.raises(ValueError, match="the validation part has 4 series; figures need 6 at least"):
        DOORS[door](few, s)


def test_one_class_teaches_no_judge():
    s = pulses()
    with pytest.raises(
        ValueError, match="all synthetic series have the class 'b', and judges of use need two at least"
    ):
        evaluate(s, s.take(np.flatnonzero(s.y == 1)))
    with pytest.raises(ValueError, match="all training series have the class 'a'"):
        evaluate(dataclasses.replace(s, y=np.zeros(60, np.int32)), s)


def test_misspelt_tasks_and_judges_are_told_before_anything_is_measured(monkeypatch):
    s = pulses()
    monkeypatch.setattr(whole, "evaluate", lambda *_, **__: pytest.fail("it was measured"))
    with pytest.raises(ValueError, match="feature 'Hr' is not known; did you mean 'HR'"):
        whole.judge(s, s, tasks=tasks.parse("label, Hr<70"))
    with pytest.raises(ValueError, match="judge 'forrest' of tasks is not known; did you mean 'forest'"):
        whole.judge(s, s, tasks=tasks.parse("label"), task_judges=("logistic", "forrest"))


def test_what_preparation_hid_is_judged_by_nobody():
    """The training part as a perfect generator gives it: what was hidden comes back as its mean."""
    random = np.random.default_rng(0)
    s = pulses(120, x=random.normal(80, 10, (120, 6, 2)).astype(np.float32))
    chain = preparation.fitted(s.part("train"), "minmax", hide="MAP")
    prepared = dataclasses.replace(s, scaling=scaling.to_json(chain))
    made = s.part("train")
    made = dataclasses.replace(made, x=np.stack([made.x[:, :, 0], np.full_like(made.x[:, :, 1], 80)], axis=2))
    told = {}
    for name, pair in {"hidden": whole.without_hidden(prepared, made), "all": (s, made)}.items():
        rows = likeness.likeness(*pair, progress=str)
        told[name] = {r["measure"]: r["value"] for r in rows if r["set"] == "synthetic"}
    assert told["all"]["marginal"] > 0.3 > 0.2 > told["hidden"]["marginal"]
    assert whole.without_hidden(s, made) == (s, made)


def test_tests_say_how_many_they_need():
    said, s = [], pulses(80)
    likeness.likeness(s, s.part("train"), progress=said.append)
    assert said[-1] == "likeness: a part has 12 series; tests of the laws need 20, and are left out"
    with pytest.raises(ValueError, match="x has 19 series; the test needs 20 at least"):
        mmd.two_sample(np.zeros((19, 2)), np.zeros((30, 2)))
    with pytest.raises(ValueError, match="there are 18 held-out persons; attacks need 20 at least"):
        privacy(pulses(60), s, progress=print)


def test_values_missing_without_a_mask_are_refused():
    x = pulses().x.copy()
    x[3, 2, 1] = np.nan
    message = (
        "x holds 1 NaN or infinite values (the first in series 3, step 2, feature 1), and no mask says that they are "
        "missing. Give `observed` (False there) beside x, or fill them."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        pulses(x=x)


def test_features_without_a_value_are_counted_or_refused():
    s = pulses()
    nowhere = "1 of 2 features (MAP) has no value in any set; no figure says anything of them."
    with pytest.warns(UserWarning, match=re.escape(nowhere)):
        check_comparable(without(s, 1), without(s, 1))
    made = "1 of 2 features (MAP) has no value in the synthetic set, but some in the real one."
    with pytest.warns(UserWarning, match=re.escape(made)):
        check_comparable(s, without(s, 1))
    untrained = (
        "1 of 2 features (MAP) has no value in the training part, but some elsewhere, which nothing can be measured "
        "by. Leave such features out (-p variables), or split otherwise."
    )
    with pytest.raises(ValueError, match=re.escape(untrained)):
        check_comparable(without(s, 1, s.split == 0), s)
    with pytest.raises(ValueError, match="no value in the training part, but some elsewhere"):
        check_comparable(without(s, 1), s)


def test_figures_without_a_feature_are_numbers():
    s = without(pulses(200), 1)
    with pytest.warns(UserWarning, match="no value in any set"):
        rows = likeness.likeness(s, s.part("train"), progress=print) + privacy(s, s.part("train"), progress=print)
    assert np.isfinite([[row["value"], row["low"], row["high"]] for row in rows]).all()


@pytest.mark.filterwarnings("error")
def test_persons_on_both_sides_are_counted():
    s = pulses(groups=(np.arange(60) // 2).astype(str))
    mixed = dataclasses.replace(s, split=np.arange(60).astype(np.int8) % 3)
    with pytest.raises(UserWarning) as error:
        check_comparable(mixed, s)
    assert str(error.value) == (
        "20 of 30 persons, as '0', are in the training and in a held-out part: figures flatter what remembers them. "
        "Split by person."
    )
    names = np.arange(60) % 2
    check_comparable(pulses(groups=names.astype(str)), s)  # each label is a person: to be told on both sides


def test_a_task_without_two_answers_is_said():
    s, said = pulses(200), []
    one = dataclasses.replace(s, y=np.zeros(200, np.int32))
    tasks.evaluate_tasks(s, {"one": one}, [tasks.Label()], judges=("logistic",), seeds=1, progress=said.append)
    assert "task label: one has no two answers among 200 series, and counts as chance" in said


@pytest.mark.skipif(not (REAL / "mimic3-demo").is_dir(), reason="runs where RCGAN_DATA has mimic3-demo/")
@pytest.mark.filterwarnings("ignore:.*no value in")
def test_the_demo_is_too_small_for_tests_and_says_so():
    """47 patients: statistics are found and finite, what needs more says how many."""
    s, said = load("mimic3-demo"), []
    rows = likeness.likeness(s, s.part("train"), progress=said.append)
    assert re.search(r"a part has \d series; tests of the laws need 20, and are left out", said[-1])
    assert rows and np.isfinite([[row["value"], row["low"], row["high"]] for row in rows]).all()
    with pytest.raises(ValueError, match=r"there are \d+ held-out persons; attacks need 20 at least"):
        privacy(s, s.part("train"), progress=print)


@pytest.mark.skipif(not (REAL / "physionet2012").is_dir(), reason="runs where RCGAN_DATA has physionet2012/")
def test_physionet_in_other_units_is_refused():
    s = load("physionet2012", variables="HR,MAP").take(slice(400))
    train = s.part("train")
    check_comparable(s, train)
    with pytest.raises(ValueError, match="feature 'HR': 100% of the synthetic values, .* on different scales"):
        check_comparable(s, dataclasses.replace(train, x=train.x * 100))
    with pytest.warns(UserWarning, match=r"1 of 2 features \(MAP\) has no value in the synthetic set"):
        check_comparable(s, without(train, 1))
