"""Persons made by hand, each an offset added to series: recognised where it stands in them, and nowhere else."""

import dataclasses

import numpy as np
import pytest

from rcgan_nb.evaluation import identity as recognition
from rcgan_nb.evaluation import traits as told
from rcgan_nb.evaluation.identity import identity
from rcgan_nb.series import SeriesSet


def by(rows):
    return {(row["measure"], row["set"], row["judge"]): row for row in rows}


def quiet(text):
    pass


def plain(s):
    """The series as a generator makes them: of nobody, and without a split."""
    return dataclasses.replace(s, groups=None, split=None)


@pytest.fixture(scope="module")
def rows(made_persons):
    data = made_persons(0)
    replayed = data.x + 0.05 * np.random.default_rng(1).normal(size=data.x.shape)
    sets = {
        "replay": dataclasses.replace(data, x=replayed),
        "nameless replay": plain(dataclasses.replace(data, x=replayed).part("train")),
        "no offset": made_persons(2, deviation=0.0),
        "strangers": plain(made_persons(3, who=1)),
    }
    return by(identity(data, sets, progress=quiet))


@pytest.mark.parametrize("judge", recognition.RECOGNISERS)
def test_persons_are_recognised_in_real_series_and_in_a_replay(rows, judge):
    for which in ("real", "jitter", "replay"):
        assert rows["recognised", which, judge]["value"] > 0.9, which
    assert rows["within recognised", "replay", judge]["value"] > 0.9
    assert rows["recognised", "chance", judge]["value"] == pytest.approx(1 / 12, abs=1e-4)


@pytest.mark.parametrize("judge", recognition.RECOGNISERS)
def test_nobody_is_recognised_where_the_offset_is_gone(rows, judge):
    for measure in ("recognised", "within recognised"):
        row = rows[measure, "no offset", judge]
        assert row["low"] <= 1 / 12 <= row["high"], measure


@pytest.mark.parametrize("judge", recognition.RECOGNISERS)
def test_without_names_copies_lie_nearer_to_the_known_than_to_strangers(rows, judge):
    for which in ("jitter", "nameless replay"):
        assert rows["taken_for_known", which, judge]["value"] > 0.85, which
    for which in ("real", "strangers"):
        row = rows["taken_for_known", which, judge]
        assert row["low"] - 0.03 < 0.5 < row["high"] + 0.03, which  # one in twenty misses chance by chance
    assert ("recognised", "nameless replay", judge) not in rows


def test_split_by_person_half_of_each_teaches_and_strangers_are_those_held_out(made_persons):
    data = made_persons(0)
    parts = np.where(np.char.startswith(data.groups, "known"), 0, 2).astype(np.int8)
    by_person = dataclasses.replace(data, split=parts)
    gallery, probes, strangers = recognition._sides(by_person, np.random.default_rng(0))
    assert all((data.groups[gallery] == name).sum() == 6 for name in np.unique(data.groups[probes]))
    assert not (gallery & probes).any() and (gallery | probes | strangers).all()
    found = by(identity(by_person, {}, progress=quiet))
    assert found["recognised", "real", "discriminant"]["value"] > 0.9


def test_each_person_counts_once():
    class Names:
        def ask(self, s):
            return np.array(["a", "b", "b", "b"])

    s = SeriesSet(x=np.zeros((4, 2, 1)), groups=np.array(["a", "b", "b", "a"]))
    assert recognition._recognised(Names(), s, np.random.default_rng(0))[0] == pytest.approx((1 / 2 + 1) / 2)


def test_too_few_persons_or_strangers_are_said(made_persons):
    data = made_persons(0)
    with pytest.raises(ValueError, match="has no groups that say to whom a series belongs"):
        identity(dataclasses.replace(data, groups=None), {}, progress=quiet)
    alone = data.take(np.sort(np.unique(data.groups, return_index=True)[1]))
    with pytest.raises(ValueError, match="0 persons have two or more series, but a recogniser needs 10 at least"):
        identity(alone, {}, progress=quiet)
    with pytest.raises(ValueError, match="this set has no split"):
        identity(dataclasses.replace(data, split=None), {}, progress=quiet)
    lines = []
    known = data.take(np.char.startswith(data.groups, "known"))
    assert not any(row["measure"] == "taken_for_known" for row in identity(known, {}, progress=lines.append))
    assert "taken_for_known: left out, it needs 20 persons never seen, and there are 0" in lines


@pytest.fixture(scope="module")
def patients():
    """Three static values: the level of a series, whether it rises, and one that the series tell nothing of."""
    random = np.random.default_rng(4)
    level, rises, noise = random.normal(size=300), random.integers(0, 2, 300), random.normal(size=300)
    x = level[:, None] + np.where(rises, 1, -1)[:, None] * np.linspace(-1, 1, 6) + 0.1 * random.normal(size=(300, 6))
    static = np.stack([40 + 10 * level, rises, noise], axis=1)
    y = (level + rises > 0.5).astype(np.int32) + (level > 1)
    return SeriesSet(
        x=x[:, :, None].astype(np.float32),
        y=y.astype(np.int32),
        classes=("a", "b", "c"),
        static=static,
        split=np.arange(300).astype(np.int8) % 3,
        info={"static_names": ["age (years)", "male", "noise"]},
    )


@pytest.fixture(scope="module")
def report(patients):
    flat = dataclasses.replace(patients, x=patients.x - patients.x.mean(1, keepdims=True))
    mixed = plain(patients.take(np.random.default_rng(5).permutation(300)))
    return by(told.traits(patients, {"no level": flat, "drawn": mixed}, progress=quiet))


def test_what_series_tell_is_told_and_what_they_do_not_is_not(report):
    assert report["told r2 age (years)", "real", "ridge"]["value"] > 0.9
    assert report["told auroc male", "real", "logistic"]["value"] > 0.95
    assert report["told accuracy label", "real", "forest"]["value"] > 0.8
    assert report["told r2 noise", "real", "ridge"]["value"] < 0.1


def test_the_report_says_which_traits_survive(report):
    for prefix in ("told", "within"):
        assert report[f"{prefix} r2 age (years)", "no level", "forest"]["value"] < 0.1
        assert report[f"{prefix} auroc male", "no level", "discriminant"]["value"] > 0.95
    assert report["tstr auroc male", "drawn", "logistic"]["value"] > 0.95
    assert ("within auroc male", "drawn", "logistic") not in report
    assert report["told accuracy label", "chance", "logistic"]["value"] < 0.8


def test_traits_are_parsed(patients):
    age, male, label = told.parse("age>50, male, label", patients)
    assert age.answers(patients).tolist() == (patients.static[:, 0] > 50).astype(int).tolist() and age.kind == "auroc"
    assert male.answers(patients).tolist() == patients.static[:, 1].tolist() and male.kind == "auroc"
    assert label.kind == "accuracy" and told.parse("age", patients)[0].kind == "r2"
    assert [str(t) for t in told.parse("", patients)] == ["label", "age (years)", "male", "noise"]
    with pytest.raises(ValueError, match="trait 'mael' is not known; did you mean 'male'"):
        told.parse("mael", patients)


def test_a_trait_without_two_answers_is_left_out_and_said(patients):
    lines = []
    old = dataclasses.replace(patients, static=np.column_stack([np.full(300, 70.0), patients.static[:, 1:]]))
    found = told.traits(patients, {"old": plain(old)}, ask="age>50", progress=lines.append)
    assert not any(row["set"] == "old" for row in found) and any(row["set"] == "real" for row in found)
    assert "trait age>50: left out for old, whose series all have the same or none" in lines
