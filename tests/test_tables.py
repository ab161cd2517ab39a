import numpy as np
import pandas as pd
import pytest

from rcgan_nb import data
from rcgan_nb.data import tables


def table(lengths=(6, 6, 4), **columns):
    which = np.repeat(np.arange(len(lengths)), lengths)
    time = np.concatenate([np.arange(n) for n in lengths])
    return pd.DataFrame({"series": which, "time": time, "a": which * 100.0 + time, "b": -time * 1.0} | columns)


def write(frame, tmp_path, name="t.csv"):
    path = tmp_path / name
    frame.to_parquet(path) if name.endswith("parquet") else frame.to_csv(path, index=False)
    return str(path)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_whole_series_keep_their_lengths(tmp_path, name):
    s = data.load(write(table().sample(frac=1, random_state=0), tmp_path, name))
    assert s.x.shape == (3, 6, 2) and s.features == ("a", "b")
    assert s.lengths.tolist() == [6, 6, 4] and s.observed is None
    assert s.x[1, :, 0].tolist() == [100, 101, 102, 103, 104, 105]
    assert s.x[2, 4:].tolist() == [[0, 0], [0, 0]]


def test_windows_and_stride(tmp_path):
    path = write(table((6, 4)), tmp_path)
    s = data.load(path, seq_len=4, stride=1)
    assert s.x[:, :, 0].tolist() == [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [100, 101, 102, 103]]
    assert s.lengths is None
    assert s.groups.tolist() == ["0", "0", "0", "1"]  # windows of one series stay together
    with pytest.warns(UserWarning, match="2 last steps do not fill a window of 4"):
        assert len(data.load(path, seq_len=4)) == 2


def test_empty_cells_become_unobserved(tmp_path):
    frame = table((3, 3))
    frame.loc[1, "b"] = np.nan
    s = data.load(write(frame, tmp_path))
    assert s.observed.sum() == 11 and not s.observed[0, 1, 1] and s.x[0, 1, 1] == 0


def test_labels_and_groups(tmp_path):
    s = data.load(write(table((2, 2, 2), label=list("uuvvuu"), group=[7, 7, 7, 7, 8, 8]), tmp_path))
    assert (s.classes, s.y.tolist(), s.groups.tolist()) == (("u", "v"), [0, 1, 0], ["7", "7", "8"])


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (table().rename(columns={"time": "t"}), r"expected 'series', 'time', one or more features.*Rename"),
        (pd.concat([table(), table((1,))]), "1 rows repeat a series and time, the first series 0 at time 0"),
        (table(note="x"), r"the columns \['note'\] do not hold numbers"),
        (table((2, 2), label=list("uvvv")), "label changes within series 0"),
        (table((2, 2), label=["u", "u", None, "v"]), "the column 'label' has empty cells"),
        (table((2, 2), series=[0, 0, np.nan, 1]), "the column 'series' has 1 empty cells"),
    ],
)
def test_refuses(tmp_path, frame, message):
    with pytest.raises(ValueError, match=message):
        data.load(write(frame, tmp_path))


def test_there_and_back(tmp_path):
    frame = table((3, 2), label=list("uuuvv"), group=list("ggghh"))
    frame.loc[0, "a"] = np.nan
    s = data.load(write(frame, tmp_path))
    back = tables.to_frame(s)
    pd.testing.assert_frame_equal(back, frame, check_dtype=False)
