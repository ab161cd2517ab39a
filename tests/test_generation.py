"""Series for conditions that stand in a table, a row for each."""

import dataclasses

import pytest

from rcgan_nb import generate, generation, load
from rcgan_nb.config import GenerateConfig


@pytest.fixture
def named(runs_with, conditioned):
    """A run with labels and three named static values."""
    info = {**conditioned.info, "static_names": ["age", "male", "site"]}
    return runs_with(dataclasses.replace(conditioned, conditions=None, info=info), "named")


def test_a_table_says_whom_to_draw(named, tmp_path):
    table = tmp_path / "whom.csv"
    table.write_text("site,label,age,note,male\n3,c,50,x,1\n7,a,20,y,0\n2,d,1,z,1\n")
    path = generation.export(
        GenerateConfig(run=str(named.path), conditions=str(table), file_format="parquet", count=99)
    )
    assert path.name == "synthetic-like-whom-last-seed0.parquet"
    drawn = load(str(path))
    assert [drawn.classes[y] for y in drawn.y] == ["c", "a", "d"]
    made = generate(named, like=generation.conditions(named, table))
    assert made.static.tolist() == [[50, 1, 3], [20, 0, 7], [1, 1, 2]]
    assert drawn.x == pytest.approx(made.x, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,age,male\na,1,1\n", "no column 'site'; this run needs 'label', 'age', 'male', 'site'"),
        ("label,age,male,site\na,,1,2\n", "the column 'age' has 1 empty cells"),
        ("label,age,male,site\na,old,1,2\n", "column 'age' holds 'old', no number"),
        ("label,age,male,site\nz,1,1,2\n", "label 'z' is not known to this run; known: a, b, c, d"),
    ],
)
def test_tables_that_do_not_say_it(named, tmp_path, text, message):
    table = tmp_path / "whom.csv"
    table.write_text(text)
    with pytest.raises(ValueError, match=message):
        generation.conditions(named, table)


def test_no_table_for_conditions_of_every_step(runs_with, conditioned, tmp_path):
    with pytest.raises(ValueError, match="a condition for every step, which no table holds"):
        generation.conditions(runs_with(conditioned, "all"), tmp_path / "whom.csv")


@pytest.mark.parametrize("file_format", ["npz", "csv", "parquet"])
def test_a_single_series_is_written_and_read_again(named, file_format):
    path = generation.export(GenerateConfig(run=str(named.path), count=1, file_format=file_format))
    assert generation.written(path).x.shape == generate(named, count=1).x.shape
