"""Removal of an offset that is the person, or of a static value: gone for a fresh attacker, while the label stays."""

import dataclasses

import numpy as np
import pytest

from rcgan_nb import config, plots, series
from rcgan_nb import deidentify as removal
from rcgan_nb.evaluation.identity import RECOGNISERS, identity
from rcgan_nb.evaluation.resampling import wide
from rcgan_nb.evaluation.traits import traits
from rcgan_nb.series import SeriesSet

STEPS = 800


def quiet(text):
    pass


@pytest.fixture(scope="module")
def data(made_persons):
    return made_persons(0)


@pytest.fixture(scope="module")
def sets(data):
    return {f"weight {w}": removal.removed(data, weight=w, steps=STEPS, progress=quiet) for w in (0, 10)}


@pytest.fixture(scope="module")
def rows(data, sets):
    found = identity(data, sets, progress=quiet) + traits(data, sets, ask="label", progress=quiet)
    return {(row["measure"], row["set"], row["judge"]): row for row in found}


@pytest.mark.parametrize("judge", RECOGNISERS)
def test_the_person_is_gone_for_a_recogniser_and_for_one_that_knows_the_method(rows, judge):
    for measure in ("recognised", "within recognised"):
        assert rows[measure, "weight 10", judge]["value"] < 0.2, measure  # 0.08 is a guess


@pytest.mark.parametrize("judge", RECOGNISERS)
def test_without_the_adversary_it_stays(rows, judge):
    assert rows["within recognised", "weight 0", judge]["value"] > 0.8


def test_the_label_stays(rows):
    measure, judge = "tstr auroc label", "discriminant"
    real = rows[measure, "real", judge]["value"]
    assert real > 0.95 and rows[measure, "weight 10", judge]["value"] > 0.9 * real


@pytest.fixture(scope="module")
def patients():
    """400 series with gaps and ends; their level tells the sex, their slope the label; age is not in them."""
    random = np.random.default_rng(7)
    male, rises, age = random.integers(0, 2, 400), random.integers(0, 2, 400), random.normal(65, 10, 400)
    slope = np.where(rises, 1, -1)[:, None] * np.linspace(-1, 1, 8)
    x = 2 * male[:, None] + slope + 0.3 * random.normal(size=(400, 8))
    s = SeriesSet(
        x=x[:, :, None].astype(np.float32),
        y=rises.astype(np.int32),
        classes=("falls", "rises"),
        observed=random.random((400, 8, 1)) < 0.8,
        lengths=random.integers(6, 9, 400).astype(np.int32),
        static=np.stack([age, male], axis=1),
        split=np.arange(400).astype(np.int8) % 3,
        info={"static_names": ["age (years)", "male"]},
    )
    return dataclasses.replace(s, x=np.where(s.valid, s.x, 0))


def test_a_static_value_is_gone_and_all_beside_the_values_stays(patients):
    made = removal.removed(patients, hide="male", steps=500, progress=quiet)
    for name in ("y", "observed", "lengths", "static", "split"):
        assert np.array_equal(getattr(made, name), getattr(patients, name)), name
    assert not made.x[~patients.valid].any() and made.features == patients.features
    rows = traits(patients, {"made": made}, ask="male, label", progress=quiet)
    found = {(row["measure"], row["set"], row["judge"]): row["value"] for row in rows}
    assert found["told auroc male", "real", "logistic"] > 0.95
    assert max(found["within auroc male", "made", judge] for judge in ("logistic", "forest", "discriminant")) < 0.75
    assert found["tstr auroc label", "made", "logistic"] > 0.9 * found["tstr auroc label", "real", "logistic"]


def test_equal_seeds_give_equal_series(patients):
    made = [removal.removed(patients, hide="male", steps=3, seed=1, progress=quiet).x for _ in range(2)]
    assert np.array_equal(*made)


@pytest.mark.parametrize(
    ("hide", "message"),
    [
        ("", "nobody can be recognised: .* Name traits to hide instead"),
        ("age", "trait 'age' takes many values; give a limit, as in 'age>6"),
        ("age>200", "trait 'age>200' is the same for all training series"),
        ("label", "hide holds label, which is what is to be kept"),
    ],
)
def test_what_cannot_be_hidden_is_refused(patients, hide, message):
    with pytest.raises(ValueError, match=message):
        removal.removed(patients, hide=hide)


def test_what_the_test_part_cannot_tell_is_refused_before_anything_is_trained(patients, tmp_path, monkeypatch):
    static = patients.static.copy()
    static[patients.split == 2, 1] = 1
    path = dataclasses.replace(patients, static=static).save(tmp_path / "set.npz")
    monkeypatch.setattr(removal, "removed", lambda *_, **__: pytest.fail("it was trained"))
    with pytest.raises(ValueError, match="trait 'male' is the same for all 132 test series"):
        removal.tried(config.DeidentifyConfig(dataset=str(path), hide="male", variables=""))


def test_a_label_that_is_the_person_is_refused(data):
    names, y = np.unique(data.groups, return_inverse=True)
    with pytest.raises(ValueError, match="the label tells the person, and is to be kept; load the set without labels"):
        removal.removed(dataclasses.replace(data, y=y.astype(np.int32), classes=tuple(names)))


def test_what_is_released_does_not_say_what_was_hidden(patients, tmp_path):
    named = dataclasses.replace(patients, groups=np.arange(400).astype(str))
    settings = config.DeidentifyConfig(hide="male", output=str(tmp_path / "set.npz"))
    made = series.read(removal.write(settings, named))
    assert made.groups is None and made.info["static_names"] == ["age (years)"]
    assert made.info["deidentified"]["hide"] == "male"
    order = [int(np.flatnonzero(patients.static[:, 0] == age)[0]) for age in made.static[:, 0]]
    assert sorted(order) == list(range(400)) != order
    assert np.array_equal(made.x, patients.x[order]) and np.array_equal(made.y, patients.y[order])
    assert removal.released(named, hide="male, age>65").static is None
    guess = np.random.default_rng([settings.seed, 33]).permutation(400)  # an order that a seed gives is no secret
    again = [removal.released(named).x for _ in range(2)]
    assert not np.array_equal(*again) and not any(np.array_equal(x, patients.x[guess]) for x in (made.x, *again))
    with pytest.raises(FileNotFoundError, match="there is no folder .*; make it first"):
        removal.write(dataclasses.replace(settings, output=str(tmp_path / "no" / "set.npz")), named)
    with pytest.raises(ValueError, match=r"output set.csv must be an .npz"):
        removal.write(dataclasses.replace(settings, output=str(tmp_path / "set.csv")), named)


def row(measure, which, judge, value):
    return {"measure": measure, "set": which, "judge": judge, "value": value, "low": value - 0.1, "high": value + 0.1}


def test_the_most_able_attack_stands_against_the_use_by_the_best_judge():
    values = {
        "tstr auroc label": {"real": (0.8, 0.9), "weight 1": (0.7, 0.6)},
        "told auroc male": {"real": (0.7, 0.8), "weight 1": (0.5, 0.4), "chance": (0.5, 0.5)},
        "within auroc male": {"weight 1": (0.3, 0.6)},
    }
    rows = [
        row(measure, which, judge, value)
        for measure, sets in values.items()
        for which, pair in sets.items()
        for judge, value in zip(("logistic", "forest"), pair, strict=True)
    ]
    found = removal.trade_off(rows, hide="male")
    assert [(name, use[0], attack[0]) for name, use, attack in found["points"]] == [
        ("real", 0.9, 0.8),
        ("weight 1", 0.6, 0.6),
    ]
    assert found["utility"] == "tstr auroc label forest" and found["chance"] == 0.5
    axis = plots.trade_off(**found).axes[0]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["real", "weight 1", "a guess"]
    assert wide(rows).loc[("told auroc male", "forest"), "weight 1"] == "0.400 [0.300, 0.500]"


@pytest.mark.parametrize("weights", ["0, many", "-1", "nan", "inf", ""])
def test_weights_are_numbers(weights):
    with pytest.raises(ValueError, match="weights must be numbers of 0 or more, separated by commas"):
        config.DeidentifyConfig(weights=weights)
