"""What the README says is so: its script runs, its numbers are those that were kept."""

import re
import runpy
import tomllib
from pathlib import Path

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
