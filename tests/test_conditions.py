"""Conditions beside the label: static vectors and condition series, from the file to the networks and back."""

import dataclasses
import json

import numpy as np
import pytest

from rcgan_nb import generate, generation, load, series
from rcgan_nb.archive.run import Run
from rcgan_nb.config import PrepareConfig
from rcgan_nb.data import as_series
from rcgan_nb.data.codec import Codec
from rcgan_nb.data.preparation import downsample_image, downsample_time, prepare
from rcgan_nb.evaluation import baselines


def test_sets_without_conditions_keep_their_fingerprint():
    known = "c5d0d9b682bf9b5a7d148441f4876f8827b96bf8cf46fe5ef581110f464077af"  # before there were any
    assert load("digits").fingerprint() == known


def test_conditions_count_in_the_fingerprint(conditioned):
    prints = [conditioned.fingerprint()]
    for name in ("static", "conditions"):
        moved = getattr(conditioned, name).copy()
        moved[59, -1] += 1
        prints.append(dataclasses.replace(conditioned, **{name: moved}).fingerprint())
        prints.append(dataclasses.replace(conditioned, **{name: None}).fingerprint())
    assert len(set(prints)) == 5


def test_conditions_survive_saving(conditioned, tmp_path):
    back = series.read(conditioned.save(tmp_path / "a.npz"))
    assert (back.static == conditioned.static).all() and (back.conditions == conditioned.conditions).all()
    assert back.fingerprint() == conditioned.fingerprint()


def test_foreign_file_with_conditions(tmp_path):
    arrays = {"static": np.array([[1, 2], [3, 4], [5, 6]]), "conditions": np.arange(12.0).reshape(3, 4, 1)}
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 4, 2)), **arrays)
    back = series.read(tmp_path / "a.npz")
    assert back.static.tolist() == [[1, 2], [3, 4], [5, 6]] and back.conditions[2, 1, 0] == 9


def test_rows_stay_together(conditioned):
    taken = conditioned.take([8, 3])
    assert taken.static.tolist() == [[8, -16, 7], [3, -6, 7]]
    assert taken.conditions[:, 2, 5].tolist() == [825, 325]
    rows = np.flatnonzero(conditioned.split == 1)
    assert conditioned.part("validation").static[:, 0].tolist() == rows.tolist()


def test_summary_mentions_them(conditioned, small):
    assert conditioned.summary() == small.summary() | {"static": 3, "conditions": 6}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"static": np.zeros(3)},
            r"static must be \(series, values\), here \(3, 1 or more\), but its shape is \(3,\)",
        ),
        ({"static": np.zeros((4, 2))}, r"static must be .* but its shape is \(4, 2\)"),
        ({"static": np.zeros((3, 0))}, r"static must be .* but its shape is \(3, 0\)"),
        ({"static": np.array([["a"], ["b"], ["c"]])}, "static must hold numbers, but its type is <U1; code it"),
        ({"static": np.array([[0], [np.nan], [np.inf]])}, r"static holds 2 NaN .*the first in series 1\).* fill them"),
        (
            {"conditions": np.zeros((3, 4, 6))},
            r"conditions must be \(series, steps, values\), here \(3, 5, 1 or more\), but its shape is \(3, 4, 6\)",
        ),
        ({"conditions": np.zeros((3, 5))}, r"conditions must be .* but its shape is \(3, 5\)"),
        ({"conditions": np.full((3, 5, 6), np.nan)}, r"conditions holds 90 NaN or infinite values"),
    ],
)
def test_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        series.SeriesSet(x=np.zeros((3, 5, 2)), **change)


def test_conditions_may_end_with_their_series():
    conditions = np.zeros((3, 5, 1))
    conditions[0, 2:] = conditions[2, 4] = np.nan
    values = {"x": np.zeros((3, 5, 2)), "conditions": conditions}
    series.SeriesSet(**values, lengths=np.array([2, 5, 4]))
    with pytest.raises(ValueError, match=r"conditions holds 1 NaN .* in series 2\)"):
        series.SeriesSet(**values, lengths=np.array([2, 5, 5]))


def test_fewer_steps_average_conditions_before_the_end():
    conditions = np.array([[1.0, 3, 5, 7, 9], [2, 4, np.nan, np.nan, np.nan], [1, 1, 4, np.nan, np.nan]])[:, :, None]
    s = series.SeriesSet(x=np.zeros((3, 5, 2)), conditions=conditions, lengths=np.array([5, 2, 3], np.int32))
    fewer = downsample_time(s, 2)
    assert fewer.conditions[:, :, 0].tolist() == [[2, 6, 9], [3, 0, 0], [1, 4, 0]]
    assert fewer.lengths.tolist() == [3, 1, 2]


def test_smaller_pictures_average_conditions_of_their_rows():
    conditions = np.array([[1.0, 3, 5, 9], [2, 2, 0, 1]])[:, :, None]
    s = series.SeriesSet(x=np.zeros((2, 4, 6)), conditions=conditions, static=np.ones((2, 1)), image=(4, 6))
    smaller = downsample_image(s, 2)
    assert smaller.conditions[:, :, 0].tolist() == [[2, 7], [2, 0.5]]
    assert smaller.static.tolist() == [[1], [1]]


def test_prepared_sets_keep_them(conditioned, tmp_path):
    path = conditioned.save(tmp_path / "data.npz")
    prepare(PrepareConfig(dataset=str(path), name="halved", downsample_time=2))
    back = load("halved")
    assert (back.static == conditioned.static).all()
    assert back.conditions[4].tolist() == [[m + i for i in range(6)] for m in (405, 425, 440)]


@pytest.mark.parametrize("order", ["columns", "pixels"])
def test_other_readings_of_pictures_refuse_conditions(order):
    s = series.SeriesSet(x=np.zeros((2, 4, 4)), static=np.ones((2, 1)), image=(4, 4))
    assert as_series(s, order).static.tolist() == [[1], [1]]
    with pytest.raises(ValueError, match=f"image_order '{order}' changes what a step is, but the set has conditions"):
        as_series(dataclasses.replace(s, conditions=np.zeros((2, 4, 1))), order)


def test_networks_see_what_by_hand_they_should():
    static = np.array([[10.0, 5], [20, 5], [14, 5], [30, 6]])
    conditions = np.array([[[0.0, 7], [8, 7]], [[2, 7], [4, 7]], [[6, 7], [1, 7]], [[-8, 9], [16, 7]]])
    s = series.SeriesSet(
        x=np.zeros((4, 2, 3)) + np.arange(3),
        y=np.array([1, 0, 1, 0]),
        static=static,
        conditions=conditions,
        classes=("a", "b"),
        split=np.array([0, 0, 0, 1], np.int8),
    )
    seen = Codec.fit(s.part("train"), "minmax").conditions(s)
    assert {name: value.dtype for name, value in seen.items()} == {
        "label": np.int32,
        "static": np.float32,
        "condition": np.float32,
    }
    assert seen["label"].tolist() == [1, 0, 1, 0]
    assert seen["static"] == pytest.approx(np.array([[-1, 0], [1, 0], [-0.2, 0], [3, 0]]))  # the last: not in training
    assert seen["condition"][:, :, 0].tolist() == [[-1, 1], [-0.5, 0], [0.5, -0.75], [-3, 3]]
    assert (seen["condition"][:, :, 1] == 0).all()  # constant in training


def test_after_its_end_a_series_keeps_its_last_condition():
    conditions = np.array([[0.0, 4, 100], [2, 1, 3], [1, np.nan, np.nan]])[:, :, None]
    lengths = np.array([2, 3, 1], np.int32)
    s = series.SeriesSet(x=np.random.default_rng(0).random((3, 3, 2)), conditions=conditions, lengths=lengths)
    seen = Codec.fit(s, "minmax").conditions(s)
    assert list(seen) == ["condition"]
    assert seen["condition"][:, :, 0].tolist() == [[-1, 1, 1], [0, -0.5, 0.5], [-0.5, -0.5, -0.5]]


def test_without_conditions_there_is_nothing_to_see(small):
    assert Codec.fit(small, "minmax").conditions(series.without_labels(small)) == {}
    assert list(Codec.fit(small, "minmax").conditions(small)) == ["label"]


def test_codec_comes_back_from_json(conditioned):
    door = Codec.fit(conditioned.part("train"), "minmax")
    again = Codec.from_json(json.loads(json.dumps(door.to_json())), door.blank)
    for name, value in door.conditions(conditioned).items():
        assert (again.conditions(conditioned)[name] == value).all()


def test_codec_of_an_older_run_loads(small):
    door = Codec.fit(small, "minmax")
    items = {name: value for name, value in door.to_json().items() if name not in ("static", "condition")}
    again = Codec.from_json(items, door.blank)
    assert list(again.conditions(small)) == ["label"]
    assert (again.encode(small) == door.encode(small)).all()


def test_decoded_series_have_no_conditions_of_others(conditioned):
    door = Codec.fit(conditioned, "minmax")
    back = door.decode(door.encode(conditioned), conditioned.y)
    assert back.static is None and back.conditions is None
    assert back.x == pytest.approx(conditioned.x, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"static": None}, r"static of each series must have shape \(3,\), .* but has None"),
        ({"static": np.ones((60, 4))}, r"static of each series must have shape \(3,\), .* but has \(4,\)"),
        ({"conditions": None}, r"conditions of each series must have shape \(5, 6\), .* but has None"),
        (
            {"conditions": np.ones((60, 4, 6)), "x": np.ones((60, 4, 2))},
            r"conditions of each series must have shape \(5, 6\), .* but has \(4, 6\)",
        ),
    ],
)
def test_codec_refuses_other_conditions(conditioned, change, message):
    door = Codec.fit(conditioned, "minmax")
    with pytest.raises(ValueError, match=message):
        door.conditions(dataclasses.replace(conditioned, **change))


def test_codec_refuses_conditions_that_it_does_not_know(small, conditioned):
    with pytest.raises(
        ValueError, match=r"static of each series must have shape None, .* but has \(3,\) \(None: there"
    ):
        Codec.fit(small, "minmax").conditions(conditioned)


@pytest.fixture
def given(monkeypatch):
    """What the networks are called with, noise and conditions, newest last."""
    from rcgan_nb.gan import RCGAN

    seen, generate_as_ever = [], RCGAN.generate

    def noted(gan, noise, conditions):
        seen.append((noise, conditions))
        return generate_as_ever(gan, noise, conditions)

    monkeypatch.setattr(RCGAN, "generate", noted)
    return seen


def together(s):
    """Each series' label, static vector and conditions as one row of text, to compare sets of them."""
    return [f"{y} {a.tolist()} {c.tolist()}" for y, a, c in zip(s.y, s.static, s.conditions, strict=True)]


def test_drawn_conditions_are_those_of_training_series(runs_with, conditioned, given):
    run = runs_with(conditioned, "all")
    training = conditioned.part("train")
    made = generate(run, seed=3)
    assert sorted(together(made)) == sorted(together(training))  # as many as there were: each once
    assert made.y.tolist() == sorted(training.y)
    noise, conditions = given[-1]
    assert len(noise) == 44 and list(conditions) == ["label", "static", "condition"]
    expected = Codec.fit(training, "minmax").conditions(made)
    assert all((conditions[name] == expected[name]).all() for name in expected)
    assert together(generate(run, seed=3)) == together(made) != together(generate(run, seed=4))


def test_count_and_labels_draw_rows_of_the_label(runs_with, conditioned):
    run = runs_with(conditioned, "all")
    training = together(conditioned.part("train"))
    few, many = generate(run, count=7), generate(run, count=100)
    assert len(set(together(few))) == 7 and set(together(few)) <= set(training)
    counts = [together(many).count(row) for row in training]
    assert sum(counts) == 100 and set(counts) == {2, 3}
    chosen = generate(run, labels=["c", "a"] * 12)
    assert chosen.y.tolist() == [2, 0] * 12
    assert len(set(together(chosen))) == 22 and set(together(chosen)) <= set(training)  # 11 of each there are


def test_like_is_followed_one_to_one(runs_with, conditioned, given):
    run = runs_with(conditioned, "all")
    like = conditioned.part("test").take([5, 2, 0])
    made = generate(run, like=like)
    assert together(made) == together(like) and made.x.shape == (3, 5, 2) and made.split is None
    expected = Codec.fit(conditioned.part("train"), "minmax").conditions(like)
    assert all((given[-1][1][name] == expected[name]).all() for name in expected)


def test_like_may_know_other_classes_by_the_same_names(runs_with, conditioned, given):
    like = dataclasses.replace(conditioned.take([0, 1, 2]), y=np.array([1, 0, 1]), classes=("b", "d"))
    made = generate(runs_with(conditioned, "all"), like=like)
    assert made.y.tolist() == given[-1][1]["label"].tolist() == [3, 1, 3]
    assert made.classes == tuple("abcd")


def test_runs_without_labels_draw_any_row(runs_with, conditioned, given):
    s = dataclasses.replace(conditioned, y=None, classes=(), conditions=None)
    made = generate(runs_with(s, "static"), count=9, seed=1)
    assert made.y is None and made.conditions is None and list(given[-1][1]) == ["static"]
    rows = made.static[:, 0].astype(int)
    assert len(set(rows)) == 9 and (s.split[rows] == 0).all()
    assert (made.static == s.static[rows]).all()


def test_short_series_hold_conditions_and_a_label_without_series_has_none(runs_with, conditioned):
    lengths = np.arange(60, dtype=np.int32) % 5 + 1
    conditions = np.where(np.arange(5)[:, None] < lengths[:, None, None], conditioned.conditions, np.nan)
    changed = {"static": None, "conditions": conditions, "lengths": lengths, "classes": tuple("abcde")}
    run = runs_with(dataclasses.replace(conditioned, **changed), "short")
    made = generate(run, count=44)
    rows = (made.conditions[:, 0, 0] // 100).astype(int)
    steps = np.minimum(np.arange(5), lengths[rows, None] - 1)
    assert (made.conditions[:, :, 0] == 100 * rows[:, None] + 10 * steps).all()
    with pytest.raises(ValueError, match="no training series has the label 'e', .* give them by `like`"):
        generate(run, labels=["a", "e"])


def test_labels_alone_load_no_data(runs_with, small, given, monkeypatch):
    run = runs_with(small, "labels")
    monkeypatch.setattr(generation, "load", None)
    made = generate(run, count=6)
    assert made.static is None and made.conditions is None
    assert list(given[-1][1]) == ["label"] and given[-1][1]["label"].tolist() == made.y.tolist()
    like = generate(run, like=small.take([3, 0, 2]))
    assert like.y.tolist() == [3, 0, 2]
    assert (like.x == generate(run, labels=[3, 0, 2]).x).all()


def test_generate_refuses(runs_with, conditioned, small, monkeypatch):
    run = runs_with(conditioned, "all")
    with pytest.raises(ValueError, match="give it without count and labels"):
        generate(run, like=conditioned, count=3)
    with pytest.raises(ValueError, match="give it without count and labels"):
        generate(run, like=conditioned, labels=["a"])
    with pytest.raises(ValueError, match="like comes without labels, but this run was trained with; give the same"):
        generate(run, like=series.without_labels(conditioned))
    with pytest.raises(ValueError, match="label 'z' is not known to this run; known: a, b, c, d"):
        generate(run, like=dataclasses.replace(conditioned, classes=tuple("abcz")))
    with pytest.raises(ValueError, match=r"static of each series must have shape \(3,\)"):
        generate(run, like=small)
    unlabelled = dataclasses.replace(conditioned, y=None, classes=(), conditions=None)
    with pytest.raises(ValueError, match="like comes with labels, but this run was trained without"):
        generate(runs_with(unlabelled, "static"), like=conditioned)
    none = run.data | {"num_classes": 0, "num_static": 0, "num_conditions": 0}
    monkeypatch.setattr(Run, "data", property(lambda self: none))
    with pytest.raises(ValueError, match="trained without labels, static vectors and conditions; ask for a count"):
        generate(run, like=small)


def test_changed_conditions_are_noticed(runs_with, conditioned, tmp_path):
    run = runs_with(conditioned, "all")
    before = conditioned.static.copy()
    before[7, 1] += 1
    path = run.config.dataset
    dataclasses.replace(conditioned, static=before).save(path)
    try:
        with pytest.raises(ValueError, match="is not what run all was trained on"):
            generate(run, count=3)
    finally:
        conditioned.save(path)


def test_baselines_keep_conditions_of_the_series_in_their_place(conditioned):
    training = conditioned.part("train")
    for made in (baselines.gaussian(training), baselines.jitter(training)):
        assert together(made) == together(training)
