"""What the README says is so: its script runs, its numbers are those that were kept."""

import re
import runpy
from pathlib import Path

from benchmarks import table

README = Path(__file__).resolve().parents[1] / "README.md"


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


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README.read_text()):
        assert (README.parent / target).exists(), target
