import numpy as np
import pytest

from rcgan_nb import series
from rcgan_nb.series import SeriesSet, split


def test_survives_saving(small, tmp_path):
    back = series.read(small.save(tmp_path / "small.npz"))
    assert back.fingerprint() == small.fingerprint()
    assert (back.classes, back.features, back.info) == (small.classes, small.features, small.info)
    assert not list(tmp_path.glob("*.partial"))


def test_split_is_stratified_fixed_and_seventy_fifteen_fifteen():
    labels = np.repeat([0, 1], [200, 60])
    parts = split(260, labels=labels)
    assert [int((parts[labels == 0] == p).sum()) for p in range(3)] == [140, 30, 30]
    assert [int((parts[labels == 1] == p).sum()) for p in range(3)] == [42, 9, 9]
    assert (parts == split(260, labels=labels)).all()
    assert (parts != split(260, labels=labels, seed=1)).any()


def test_groups_never_straddle():
    groups = np.repeat(np.arange(40).astype(str), np.arange(40) % 7 + 1)
    parts = split(len(groups), groups=groups)
    assert all(len(set(parts[groups == g])) == 1 for g in set(groups))
    assert abs((parts == 0).mean() - 0.7) < 0.05


def test_labels_that_are_persons_split_within_persons():
    persons = np.repeat([0, 1, 2], 20)
    parts = split(60, labels=persons, groups=persons.astype(str))
    assert all(set(parts[persons == p]) == {0, 1, 2} for p in range(3))


def test_parts_keep_what_belongs_together(small):
    for part in ("train", "validation", "test"):
        s = small.part(part)
        assert np.abs(s.x.mean((1, 2)) / 3 - s.y).max() < 1


def test_pictures_come_back_from_every_reading():
    picture = np.arange(12.0).reshape(1, 3, 4)
    rows = SeriesSet(x=picture, image=(3, 4))
    columns = SeriesSet(x=picture.transpose(0, 2, 1), image=(3, 4), order="columns")
    pixels = SeriesSet(x=picture.reshape(1, 12, 1), image=(3, 4), order="pixels")
    for s in (rows, columns, pixels):
        assert (s.images() == picture).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((3, 5))}, r"x must be \(series, steps, features\), none of them 0, but its shape is \(3, 5\)"),
        ({"x": np.full((3, 5, 2), np.nan)}, "30 NaN or infinite values .*no mask says that they are missing"),
        ({"y": np.zeros(2, int)}, r"y must have one entry per series, shape \(3,\), but its shape is \(2,\)"),
        ({"y": np.array([0, 1, 4])}, "y must index the 4 classes, but runs from 0 to 4"),
        ({"lengths": np.array([0, 1, 2])}, "lengths must lie between 1 and 5"),
        ({"observed": np.ones((3, 5, 1), bool)}, "observed must have the shape of x"),
        ({"features": ("a",)}, "1 feature names came for 2 features"),
        ({"split": np.array([0, 1, 3])}, "split must hold 0"),
        ({"image": (2, 5)}, "image says"),
    ],
)
def test_refuses(change, message):
    values = {"x": np.zeros((3, 5, 2)), "classes": tuple("abcd")} | change
    with pytest.raises(ValueError, match=message):
        SeriesSet(**values)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (100, 1, 1), (1, 1, 100), (5, 5, 5, 5), (1, 50, 1, 50)])
def test_few_or_unequal_groups_still_fill_every_part(sizes):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    for seed in range(5):
        assert set(split(len(groups), groups=groups, seed=seed)) == {0, 1, 2}


def test_masks_of_zeros_and_ones_are_masks():
    x = np.arange(30.0).reshape(3, 5, 2)
    s = SeriesSet(x=x, observed=(x % 3 > 0).astype(float))
    assert s.valid.dtype == bool and s.x[s.valid].tolist() == [v for v in range(30) if v % 3]
    with pytest.raises(ValueError, match="observed must hold True and False"):
        SeriesSet(x=x, observed=np.full(x.shape, 0.5))


def test_nan_is_fine_where_the_mask_says_missing():
    x = np.zeros((3, 5, 2))
    x[1, 2, 0] = np.nan
    SeriesSet(x=x, observed=~np.isnan(x))


@pytest.mark.parametrize("damage", ["cut", "pickle", "no x"])
def test_damaged_files_are_refused(tmp_path, damage):
    path = tmp_path / "a.npz"
    if damage == "pickle":
        np.savez(path, x=np.array([{"a": 1}], object))
    else:
        np.savez(path, **{"z" if damage == "no x" else "x": np.random.default_rng(0).normal(size=(50, 5, 2))})
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="no array 'x'" if damage == "no x" else "cannot be read as .npz"):
        series.read(path)


def test_foreign_npz_with_text_labels(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 5)) + np.arange(4)[:, None], y=np.array(["b", "a", "b", "a"]))
    s = series.read(tmp_path / "a.npz")
    assert s.x.shape == (4, 5, 1)
    assert (s.classes, s.y.tolist()) == (("a", "b"), [1, 0, 1, 0])
