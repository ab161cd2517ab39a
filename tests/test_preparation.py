import dataclasses

import numpy as np
import pytest

from rcgan_nb import data
from rcgan_nb.config import SCALERS, PrepareConfig
from rcgan_nb.data import masking, preparation, scaling, tails
from rcgan_nb.data.codec import Codec
from rcgan_nb.series import SeriesSet


@pytest.fixture
def shifted(small):
    """Features of different size, one series of zeros."""
    x = small.x * [1.0, 1000.0]
    x[3] = 0
    return dataclasses.replace(small, x=x)


@pytest.mark.parametrize("name", SCALERS)
def test_every_scaler_is_bounded_and_comes_back(shifted, name):
    valid = np.ones(shifted.x.shape, bool)
    chain = scaling.from_json(scaling.to_json(scaling.fit(name, shifted.x, valid)))
    scaled, attributes = scaling.forward(chain, shifted.x)
    assert scaled.min() >= -1 - 1e-9 and scaled.max() <= 1 + 1e-9
    back = scaling.inverse(chain, scaled, attributes)
    assert np.abs(back - shifted.x).max() < 1e-9 * np.abs(shifted.x).max()


def test_scalers_by_hand():
    x = np.array([[[1.0], [3.0], [-4.0]], [[0.0], [2.0], [2.0]]])
    valid = np.ones(x.shape, bool)

    def first(name):
        return scaling.forward(scaling.fit(name, x, valid)[:1], x)[0][:, :, 0].tolist()

    assert scaling.forward(scaling.fit("minmax", x, valid), x)[0][0, :, 0].tolist() == pytest.approx([3 / 7, 1, -1])
    assert first("cumulative") == [[1, 4, 0], [0, 2, 4]]
    assert first("local") == [[0.25, 0.75, -1], [0, 1, 1]]
    assert first("integral") == [[0.125, 0.375, -0.5], [0, 0.5, 0.5]]
    assert np.mean(first("standard")) == pytest.approx(0)
    assert np.std(first("standard")) == pytest.approx(1)
    two, _ = scaling.forward(scaling.fit("arcsinh", x, valid)[:2], x)
    np.testing.assert_allclose(np.sinh(two[:, :, 0]), first("standard"), atol=1e-12)


def test_a_value_far_out_leaves_room_for_the_others():
    x = np.random.default_rng(0).normal(0, 1, (1000, 1, 1))
    x[0] = 100
    valid = np.ones(x.shape, bool)
    spread = {name: np.std(scaling.forward(scaling.fit(name, x, valid), x)[0][1:]) for name in ("feature", "arcsinh")}
    assert spread["feature"] < 0.03 < 0.1 < spread["arcsinh"]


def test_per_feature_differs_from_over_all(shifted):
    valid = np.ones(shifted.x.shape, bool)
    over_all, _ = scaling.forward(scaling.fit("minmax", shifted.x, valid), shifted.x)
    per_feature, _ = scaling.forward(scaling.fit("feature", shifted.x, valid), shifted.x)
    assert np.ptp(over_all[:, :, 0]) < 0.01
    assert np.ptp(per_feature[:, :, 0]) == pytest.approx(2)


def test_scaler_is_fitted_on_the_training_part_only(shifted):
    x = shifted.x.copy()
    x[shifted.split == 2] *= 100
    wild = dataclasses.replace(shifted, x=x)
    one, other = (Codec.fit(s.part("train"), "minmax").to_json() for s in (shifted, wild))
    assert one == other


def test_auto_suits_the_series(small):
    gaps = np.ones(small.x.shape, bool)
    assert tails.chosen("auto", small) == "feature" and tails.chosen("local", small) == "local"
    assert tails.chosen("auto", dataclasses.replace(small, observed=gaps)) == "arcsinh"
    assert tails.chosen("auto", dataclasses.replace(small, image=small.x.shape[1:])) == "minmax"


@pytest.mark.parametrize("name", SCALERS)
def test_codec_with_gaps_and_lengths(shifted, name):
    lengths = np.arange(60, dtype=np.int32) % 5 + 1
    observed = np.random.default_rng(0).random(shifted.x.shape) > 0.3
    s = dataclasses.replace(shifted, lengths=lengths, observed=observed)
    s = dataclasses.replace(s, x=np.where(s.valid, s.x, 0))
    door = Codec.fit(s.part("train"), name)
    array = door.encode(s)
    assert array.shape == (60, 5, door.channels) == (60, 5, 2 + (2 if name in ("local", "integral") else 0) + 2 + 1)
    back = door.decode(array, s.y)
    assert (back.lengths == lengths).all()
    assert (back.valid == s.valid).all()
    inside = np.abs(array[s.split == 0]) <= 1 + 1e-6
    assert inside.all()
    assert np.abs(back.x - s.x).max() < 1e-3 * np.abs(s.x).max()
    again = Codec.from_json(door.to_json(), door.blank)
    assert (again.encode(s) == array).all()


def test_gaps_are_filled_with_the_last_value_then_the_mean():
    x = np.array([[[0.0], [5.0], [0.0]], [[1.0], [0.0], [3.0]]])
    s = SeriesSet(x=x, observed=np.array([[[False], [True], [False]], [[True], [False], [True]]]))
    from rcgan_nb.data.codec import filled, means

    assert filled(s, means(s))[:, :, 0].tolist() == [[3, 5, 5], [1, 1, 3]]


def test_weights_are_understood(small):
    def table(**parts):
        return masking.weights(small, **parts).tolist()

    assert table(hide="feature 0") == [[0, 1]] * 5
    assert table(hide="*:0-1") == [[0, 0]] * 2 + [[1, 1]] * 3
    assert table(keep="1:2-4") == [[0, 0]] * 2 + [[0, 1]] * 3
    assert table(hide="0:3") == [[1, 1]] * 3 + [[0, 1]] + [[1, 1]]
    assert table(weigh="0:1=0.5, 1=2") == [[1, 2], [0.5, 2], [1, 2], [1, 2], [1, 2]]
    assert table(hide="0", weigh="0=0.5") == [[0, 1]] * 5  # what is hidden stays hidden


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"hide": "humidity"}, "there is no feature 'humidity'; known: feature 0, feature 1"),
        ({"hide": "0:3-9"}, "steps must be ordered and between 0 and 4"),
        ({"hide": "0:a-b"}, "is not understood"),
        ({"hide": "*"}, "leave nothing"),
        ({"hide": "0=0.5"}, "carries a weight; weights belong to weigh"),
        ({"weigh": "0:3"}, "carries no weight; write it behind, as in '0:3=0.5'"),
    ],
)
def test_masks_refuse(small, parts, message):
    with pytest.raises(ValueError, match=message):
        masking.weights(small, **parts)


def test_a_step_that_was_never_observed_is_hidden_as_the_mean_of_its_feature():
    x = np.random.default_rng(0).normal(37, 0.5, (20, 4, 1))
    observed = np.ones(x.shape, bool)
    observed[:, 0] = False
    s = SeriesSet(x=np.where(observed, x, 0), observed=observed, features=("temp",))
    weights, *_ = preparation.fitted(s, "minmax", hide="temp:0-1")
    assert weights.mean[:, 0] == pytest.approx([x[:, 1:].mean(), *x[:, 1:, 0].mean(0)], rel=1e-6)


@pytest.mark.parametrize("scaler", SCALERS)
def test_hidden_parts_return_as_the_mean_and_others_exactly(scaler):
    settings = {"hide": "0, *:7", "weigh": "3:2-4=0.25", "scaler": scaler}
    made = preparation.prepare(PrepareConfig(name="masked", **settings))
    train = data.load("masked").part("train")
    door = Codec.fit(train, "minmax")
    array = door.encode(train)
    assert np.abs(array).max() <= 1 + 1e-6
    back = door.decode(array, train.y)
    assert back.x[:, :7, 1:] == pytest.approx(train.x[:, :7, 1:], abs=1e-4)
    assert back.x[:, 3, 0] == pytest.approx(np.full(len(train), train.x[:, 3, 0].mean()), abs=1e-4)
    assert preparation.roundtrip(door, train)["largest difference / range"] < 1e-5
    assert made.info["prepared from"] == "digits"


def test_hidden_parts_are_equal_and_weighed_ones_nearer_for_the_networks():
    preparation.prepare(PrepareConfig(name="masked", hide="0, *:7", weigh="3:2-4=0.25"))
    train = data.load("masked").part("train")
    array = Codec.fit(train, "minmax").encode(train)
    assert np.ptp(array[:, :, 0], axis=0).max() == 0 and np.ptp(array[:, 7], axis=0).max() == 0
    plain = Codec.fit(data.load("digits").part("train"), "minmax").encode(train)
    assert array[:, 2:5, 3].std(0) == pytest.approx(plain[:, 2:5, 3].std(0) / 4, rel=1e-4)


def test_judges_do_not_see_what_was_hidden():
    from rcgan_nb.evaluation.view import View

    preparation.prepare(PrepareConfig(name="masked", hide="0"))
    train = data.load("masked").part("train")
    seen = View.fit(train).see(train)
    assert (seen[:, :, 0] == 0).all() and (seen[:, :, 3].std(0) > 0).any()


def test_integral_does_not_count_what_follows_the_end():
    x = np.array([[[1.0], [2.0], [0.0], [0.0]], [[1.0], [1.0], [1.0], [1.0]]] * 3)
    s = SeriesSet(x=x, lengths=np.array([2, 4] * 3, np.int32))
    door = Codec.fit(s, "integral")
    _, attributes = scaling.forward(door.chain, np.where(s.inside, s.x, 0))
    assert np.exp(attributes[:2, 0]) == pytest.approx([3, 4])
    assert door.decode(door.encode(s)).x == pytest.approx(x, abs=1e-6)


def test_prepared_sets_are_not_lost():
    preparation.prepare(PrepareConfig(name="kept", hide="0"))
    before = data.load("kept").fingerprint()
    preparation.prepare(PrepareConfig(name="kept", hide="0"))  # a notebook run again
    assert data.load("kept").fingerprint() == before
    with pytest.raises(FileExistsError, match="another prepared set 'kept' exists already"):
        preparation.prepare(PrepareConfig(name="kept"))
    with pytest.raises(ValueError, match="'kept' is a prepared set; prepare its original"):
        preparation.prepare(PrepareConfig(dataset="kept", name="again"))
    preparation.prepare(PrepareConfig(name="kept", hide="1", overwrite=True))
    assert data.load("kept").fingerprint() != before


def test_downsampling_is_the_mean(small):
    halved = preparation.downsample_time(small, 2)
    assert halved.x.shape == (60, 3, 2)
    assert halved.x[:, 0] == pytest.approx(small.x[:, :2].mean(1), rel=1e-5)
    assert (halved.x[:, 2] == small.x[:, 4]).all()  # a last block of one step
    digits = data.load("digits")
    smaller = preparation.downsample_image(digits, 2)
    assert smaller.x[0, 1, 2] == digits.x[0, 2:4, 4:6].mean()


def test_downsampling_of_gaps_uses_what_was_observed():
    x = np.array([[[1.0], [0.0], [5.0], [0.0], [0.0]]])
    s = SeriesSet(x=x, observed=np.array([[[True], [False], [True], [False], [False]]]), lengths=np.array([4]))
    halved = preparation.downsample_time(s, 2)
    assert halved.x[0, :, 0].tolist() == [1, 5, 0]
    assert halved.observed[0, :, 0].tolist() == [True, True, False]
    assert halved.lengths.tolist() == [2]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"downsample_image": 3}, "downsample_image 3 does not divide a picture of 8 x 8"),
        ({"downsample_time": 9}, "downsample_time 9 is more than the 8 steps"),
        ({"dataset": "sines", "downsample_image": 2}, "downsample_image needs pictures"),
        ({"name": "mnist"}, "is a data set's own"),
        ({"name": "../out"}, "cannot name a file"),
    ],
)
def test_prepare_refuses(values, message, runs):
    with pytest.raises(ValueError, match=message):
        preparation.prepare(PrepareConfig(**values))
    assert not list(runs.glob("**/*.npz"))
