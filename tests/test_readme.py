"""What the README says is so: its script runs, its numbers are those that were kept."""

import os
import re
import runpy
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks import table
from rcgan_nb import data, losses, networks

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"


def test_script_runs(tmp_path, monkeypatch, capsys):
    script = re.search(r"```python\n(.*?)```", README.read_text(), re.S).group(1)
    assert len([line for line in script.splitlines() if line]) == 7
    monkeypatch.chdir(tmp_path)
    shorter = script.replace("steps=1800", "steps=4, hidden_units=8")
    assert shorter != script
    (tmp_path / "script.py").write_text(shorter)
    runpy.run_path(str(tmp_path / "script.py"))  # the project's own text, in a folder of the test's own
    assert (tmp_path / "synthetic.npz").exists()
    assert "distance_ratio" in capsys.readouterr().out


def table_of(section):
    """A long table of 40 persons' two stays each, with the columns that README shows; one stay fills no window."""
    columns, *_ = re.search(r"```\n(series,time,.*?)```", section, re.S).group(1).splitlines()
    random, rows = np.random.default_rng(0), [columns]
    for k in range(80):
        for hour in range(24 if k else 20):
            values = [90 + 10 * np.sin(hour / 4 + k), 20 + random.normal(), 97 + random.normal()]
            cells = ["" if random.random() < 0.1 else f"{value:.1f}" for value in values]
            rows.append(",".join([f"{200_000 + k}", f"2107-03-{4 + k % 20:02} {hour:02}:00", *cells, f"{k // 2}"]))
    return "\n".join(rows) + "\n"


def test_own_table_goes_from_the_clone_to_a_picture(tmp_path):
    """README's lines as they stand, but for few steps and one seed of judges; what they say is added to a log."""
    if subprocess.run(["make", "--question", ".venv/complete"], cwd=ROOT).returncode:
        pytest.skip("runs where make env has made the environment")
    section = README.read_text().split("## Your own table")[1].split("\n## ")[0]
    (tmp_path / "icu.csv").write_text(table_of(section))
    log = tmp_path / "log"
    log.write_text("before\n")
    # Without what a make that runs these tests hands on.
    surroundings = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"}
    surroundings |= {"HOME": str(tmp_path), "RCGAN_RUNS": str(tmp_path / "runs")}

    def typed(line, folder=ROOT):
        with log.open("a") as out:
            subprocess.run(line, shell=True, cwd=folder, env=surroundings, stdout=out, check=True, timeout=600)
        return log.read_text()

    _, train, evaluate, _ = [line.split("  #")[0].strip() for line in section.split("```\n")[3].splitlines()]
    said = typed(train.replace("steps 300", "steps 6 -p hidden_units 8 -p batch_size 16"))
    assert said.startswith("before\n") and "step 6/6" in said and said.endswith("Judge it with: make evaluate\n")
    assert "20 of 1916 rows fill no window of 24 steps and are left out, among them 1 whole series" in said  # a warning
    page = typed(f'{evaluate} ARGS="-p judge_seeds 1 -p epochs 1"').splitlines()[-1].split(": ")[1]
    assert "<img" in Path(page).read_text() and Path(page).name == "report.html"
    books = re.findall(r"`(\w+)\.ipynb`", section)
    assert books == ["plot_series", "runs", "generate"] and 'dataset = "/home/you/icu.csv"`, `seq_len = 24' in section
    for book in books:
        given = f"-p dataset {tmp_path}/icu.csv -p seq_len 24" if book == "plot_series" else ""
        typed(f"{ROOT}/.venv/bin/papermill {book}.ipynb {tmp_path}/{book}.ipynb {given}", ROOT / "notebooks")
        assert "image/png" in (tmp_path / f"{book}.ipynb").read_text()


def test_results_are_those_kept():
    text = README.read_text()
    assert table.rewritten(text) == text, "run python -m benchmarks.table"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "notebooks/README.md", "runs/README.md"])
def test_links_lead_somewhere(name):
    page = ROOT / name
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    for target in re.findall(r"\]\((?!http)([^)]+)\)", text):
        assert (page.parent / target).exists(), target


def test_what_is_added_as_contributing_says_is_there(tmp_path, monkeypatch, capsys):
    for table_ in (data.SETS, networks.GENERATORS, losses.LOSSES):
        for name in ("saws", "shallow", "absolute"):
            monkeypatch.setitem(table_, name, None)  # put back afterwards
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S)
    assert len(blocks) == 4
    (tmp_path / "added.py").write_text("\n".join(blocks))
    runpy.run_path(str(tmp_path / "added.py"))
    summary, shape, loss, *table_ = capsys.readouterr().out.splitlines()
    assert "'series': 600, 'steps': 20, 'features': 1, 'classes': 2" in summary
    assert (shape, loss) == ("(None, 20, 1)", "0.75")
    assert re.search(r"roughness\s+0\.\d+ \[0\.\d+, 0\.\d+\]", "\n".join(table_))


def test_versions_and_licences_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])
    assert re.search(r"^## (\S+?)[, ]", (ROOT / "CHANGELOG.md").read_text(), re.M).group(1) == project["version"]
