import numpy as np
import pandas as pd
import pytest

from rcgan_nb import data
from rcgan_nb.data import tables
from rcgan_nb.series import SeriesSet


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
    s = tables.read(write(table().sample(frac=1, random_state=0), tmp_path, name))
    assert s.x.shape == (3, 6, 2) and s.features == ("a", "b")
    assert s.lengths.tolist() == [6, 6, 4] and s.observed is None
    assert s.x[1, :, 0].tolist() == [100, 101, 102, 103, 104, 105]
    assert s.x[2, 4:].tolist() == [[0, 0], [0, 0]]


def test_windows_and_stride(tmp_path):
    path = write(table((6, 4, 4)), tmp_path)
    s = tables.read(path, seq_len=4, stride=1)
    assert s.x[:, :, 0].tolist() == [
        [0, 1, 2, 3],
        [1, 2, 3, 4],
        [2, 3, 4, 5],
        [100, 101, 102, 103],
        [200, 201, 202, 203],
    ]
    assert s.lengths is None
    assert s.groups.tolist() == ["0", "0", "0", "1", "2"]  # windows of one series stay together
    with pytest.warns(UserWarning, match=r"2 of 14 rows fill no window of 4 steps and are left out\.$"):
        assert len(tables.read(path, seq_len=4)) == 3


def test_series_shorter_than_a_window_are_left_out(tmp_path):
    with pytest.warns(UserWarning, match="9 of 19 rows fill no window .* among them 2 whole series"):
        s = tables.read(write(table((6, 4, 5, 4)), tmp_path), seq_len=5)
    assert s.x.shape == (2, 5, 2) and s.lengths is None and s.groups.tolist() == ["0", "2"]


def test_steps_that_end_a_block_of_time_in_no_window_are_counted(tmp_path):
    with pytest.warns(UserWarning, match="20 of 120 rows"):  # 20 blocks of 6 steps, each a window of 5
        assert len(tables.read(write(table((120,)), tmp_path), seq_len=5, stride=3)) == 20


@pytest.mark.parametrize(
    ("seq_len", "stride", "message"),
    [
        (7, 0, "no series fills a window of 7 steps; give a seq_len of at most 6"),
        (3, -1, "0 or more, but 3 and -1 came"),
        (0, 2, "stride 2 came without seq_len"),
    ],
)
def test_windows_that_there_are_not(tmp_path, seq_len, stride, message):
    with pytest.raises(ValueError, match=message):
        tables.read(write(table(), tmp_path), seq_len=seq_len, stride=stride)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_true_and_false_are_numbers(tmp_path, name):
    frame = table((2, 2), on=[True, False, True, True])
    assert tables.read(write(frame, tmp_path, name)).x[:, :, 2].tolist() == [[1, 0], [1, 1]]
    s = tables.read(write(frame.assign(on=[True, None, False, True]), tmp_path, name))
    assert s.x[:, :, 2].tolist() == [[1, 0], [0, 1]] and s.observed[:, :, 2].tolist() == [[True, False], [True, True]]


def test_empty_cells_become_unobserved(tmp_path):
    frame = table((3, 3))
    frame.loc[1, "b"] = np.nan
    s = tables.read(write(frame, tmp_path))
    assert s.observed.sum() == 11 and not s.observed[0, 1, 1] and s.x[0, 1, 1] == 0


def test_labels_and_groups(tmp_path):
    s = tables.read(write(table((2, 2, 2), label=list("uuvvuu"), group=[7, 7, 7, 7, 8, 8]), tmp_path))
    assert (s.classes, s.y.tolist(), s.groups.tolist()) == (("u", "v"), [0, 1, 0], ["7", "7", "8"])


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (table().rename(columns={"time": "t"}), r"expected 'series', 'time', one or more features.*Rename"),
        (pd.concat([table(), table((1,))]), "1 rows repeat a series and time, the first series 0 at time 0"),
        (table(note="x"), "column 'note' holds 'x', no number"),
        (table((2, 2), note=["1.5", "", "much", "2"]), "column 'note' holds 'much', no number"),
        (table().head(0), "t.csv has headings but no row; it needs one"),
        (table((2, 2), label=list("uvvv")), "label changes within series 0"),
        (table((2, 2), label=["u", "u", None, "v"]), "the column 'label' has empty cells"),
        (table((2, 2), series=[0, 0, np.nan, 1]), "the column 'series' has 1 empty cells"),
    ],
)
def test_refuses(tmp_path, frame, message):
    with pytest.raises(ValueError, match=message):
        data.load(write(frame, tmp_path))


def test_two_series_need_a_split_or_windows(tmp_path):
    message = "2 groups cannot be split into three parts.* needs 3 series or groups at least; or cut"
    with pytest.raises(ValueError, match=message):
        data.load(write(table((6, 6)), tmp_path))
    drawn = tables.to_frame(tables.read(write(table((6, 6)), tmp_path)))
    with pytest.raises(ValueError, match=message):
        data.load(write(drawn, tmp_path))


def test_one_long_series_is_split_by_blocks_of_time(tmp_path):
    s = data.load(write(table((500,)), tmp_path), seq_len=5, stride=2)
    parts = [s.part(name) for name in ("train", "validation", "test")]
    seen = [set(part.x[:, :, 0].ravel()) for part in parts]
    assert all(len(part) >= 6 for part in parts)
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])  # no step in two parts


def test_dates_are_ordered_as_dates(tmp_path):
    frame = table((3, 3, 3)).assign(time=["12/30/2023", "9/1/2024", "1/2/2024"] * 3)
    s = tables.read(write(frame, tmp_path))
    assert s.x[0, :, 0].tolist() == [0, 2, 1]
    with pytest.raises(ValueError, match="the column 'time' holds neither numbers nor dates"):
        tables.read(write(table((3,), time=["a", "b", "c"]), tmp_path))


@pytest.mark.parametrize("text", ["", "a,b\n1,2,3\n4", "\x00\x01\xff"])
def test_unreadable_tables(tmp_path, text):
    (tmp_path / "bad.csv").write_bytes(text.encode("latin1"))
    with pytest.raises(ValueError, match="bad.csv"):
        data.load(str(tmp_path / "bad.csv"))
    (tmp_path / "bad.parquet").write_bytes(b"PAR1" + text.encode("latin1"))
    with pytest.raises(ValueError, match="bad.parquet cannot be read as a table"):
        data.load(str(tmp_path / "bad.parquet"))


def test_series_of_a_large_table_stay_whole_where_their_names_change_kind(tmp_path):
    """A column's kind is not guessed anew for every part of a file: 1 of one part is 1 of the next."""
    numbers = np.repeat(np.arange(40_000), 10)
    names = [*numbers.astype(str), *["A0"] * 10, *["A1"] * 10]
    text = "series,time,a\n" + "".join(f"{name},{k % 10},{k}.5\n" for k, name in enumerate(names))
    (tmp_path / "large.csv").write_text(text)
    s = tables.read(str(tmp_path / "large.csv"))
    assert s.x.shape == (40_002, 10, 1) and s.lengths is None


@pytest.mark.parametrize(("features", "name"), [(("a", "time"), "time"), (("b", "b"), "b")])
def test_names_that_a_table_has_already_are_refused(features, name):
    s = SeriesSet(x=np.zeros((4, 3, 2)), features=features)
    with pytest.raises(ValueError, match=f"a feature is called '{name}', and a table has one column of each name"):
        tables.to_frame(s)


def test_there_and_back(tmp_path):
    frame = table((3, 2), label=list("uuuvv"), group=list("ggghh"))
    frame.loc[0, "a"] = np.nan
    s = tables.read(write(frame, tmp_path))
    back = tables.to_frame(s)
    pd.testing.assert_frame_equal(back, frame, check_dtype=False)
