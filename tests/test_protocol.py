"""Esteban's protocol: what is planned and left out, the paper's figures beside ours, MMD by validated bandwidths."""

import numpy as np
import pytest

from rcgan_nb import data, protocol
from rcgan_nb.config import ProtocolConfig
from rcgan_nb.evaluation import published
from rcgan_nb.series import SeriesSet, split


def row(measure, which, value, low=None, high=None):
    low, high = (value if v is None else v for v in (low, high))
    return {"measure": measure, "set": which, "judge": "", "value": value, "low": low, "high": high}


def test_digits_stand_beside_the_paper():
    rows = [row("trtr", "real", 0.998, 0.996, 1.0)]
    rows += [row("tstr", f"stable, seed {k}", value, 0.9, 1.0) for k, value in enumerate((0.99, 0.98))]
    found = protocol.digits_table(rows)
    assert list(found.index) == ["trtr", "tstr", "trts"]
    assert found["real"].tolist() == ["0.998 [0.996, 1.000]", "", ""]
    assert found["stable"].tolist() == ["", "0.985 [0.980, 0.990]", ""]  # two seeds: mean, least and greatest
    assert found["Esteban et al."].tolist() == ["0.991 ± 0.001", "0.975 ± 0.002", "0.988 ± 0.005"]
    assert list(protocol.digits_table([]).columns) == ["Esteban et al."] and protocol.clinical_table([]).empty


def test_clinical_tasks_stand_beside_the_paper():
    rows = [row(f"{measure} {task}", "real", 0.9) for task in ("label", "HR<70") for measure in ("auroc", "auprc")]
    rows += [row("auroc HR<70", "stable, seed 0", 0.8, 0.7, 0.9), row("auprc HR<70", "chance", 0.3)]
    found = protocol.clinical_table(rows)
    assert list(found.index) == ["auroc label", "auroc HR<70", "auprc label", "auprc HR<70"]
    assert found.loc["auroc HR<70", "stable"] == "0.800 [0.700, 0.900]"
    theirs = found[[f"Esteban et al., {which}" for which in ("trtr", "tstr", "chance")]]
    assert theirs.loc["auprc HR<70"].tolist() == ["0.986", "0.900", "0.260"]
    assert theirs.loc["auroc HR<70"].tolist() == ["0.991", "0.960", ""]
    assert (theirs.loc[["auroc label", "auprc label"]] == "").all(axis=None)  # they asked nothing of the kind


def test_published_figures_of_a_task_by_either_name():
    assert published.eicu("auroc", "tstr", "MAP<70") == 0.875
    assert published.eicu("auprc", "trtr", "next hour systemicmean > 110") == 0.8629
    assert published.eicu("auprc", "chance", "next hour sao2 < 95") == 0.16
    assert all(len(figures) == 7 for figures in published.EICU.values())


def test_plan():
    plan = protocol.planned(ProtocolConfig(experiments="clinical, sines", seeds=2, seed=3, clinical="eicu"))
    assert plan.shape == (8, 4) and plan["data"].tolist() == ["sines"] * 4 + ["eicu"] * 4
    assert plan["recipe"].tolist() == [*["esteban"] * 2, *["stable"] * 2, *["esteban"] * 2, *["clinical"] * 2]
    assert plan["seed"].tolist() == [3, 4] * 4 and plan["steps"].tolist() == [3000] * 4 + [4000] * 4
    with pytest.raises(ValueError, match="experiment 'sine' is not known; did you mean 'sines'"):
        protocol.planned(ProtocolConfig(experiments="sine"))


def test_absent_data_are_left_out_in_words(tmp_path, monkeypatch):
    monkeypatch.setenv("RCGAN_DATA", str(tmp_path))
    said = []
    config = ProtocolConfig(clinical="eicu", recipe="stable")
    assert protocol.drawn(config, "clinical", progress=said.append) == {}
    assert len(said) == 1 and "eicu left out" in said[0] and "holds no patient.csv" in said[0]
    assert protocol.waves({}).empty and protocol.digits({}, config) == protocol.clinical({}, config) == []


@pytest.fixture
def small_sets(monkeypatch):
    """sines of 200 series, so that a run takes seconds."""
    some = data.SETS["sines"]().take(slice(200))
    some = SeriesSet(x=some.x, split=split(200), info={"name": "sines"})
    monkeypatch.setitem(data.SETS, "sines", lambda: some)
    return some


def test_runs_are_drawn_from_once_trained(small_sets, runs):
    config, said = ProtocolConfig(experiments="sines", recipe="esteban", steps=2), []
    found = protocol.drawn(config, "sines", "smooth", progress=said.append)
    assert said == ["run 1 of 1: sines, esteban, seed 0, 2 steps"]
    assert [len(s) for s in found["sines"].sets.values()] == [140]
    again = protocol.drawn(config, "sines", progress=said.append)
    assert (again["sines"].sets["esteban, seed 0"].x == found["sines"].sets["esteban, seed 0"].x).all()
    sheet = protocol.sheet(found, count=3)
    assert sheet.classes == ("sines: real, training part", "sines: esteban, seed 0")
    assert sheet.y.tolist() == [0, 0, 0, 1, 1, 1]
    table = protocol.waves(found)
    assert table["set"].tolist() == ["real", "esteban, seed 0"]
    assert table["p"][1] < 0.01 < table["p"][0] and table["mmd2"][1] > table["chance"][1] > table["mmd2"][0]


def test_forest_on_tasks_that_series_tell(monkeypatch):
    """The pulse rises in who has the label: real series tell, and so do series like them."""
    monkeypatch.setattr(protocol, "TASKS", "label, HR>100")
    random = np.random.default_rng(1)
    y = np.arange(200, dtype=np.int32) % 2
    x = 80 + 8 * y[:, None] * np.linspace(-1, 3, 24) + random.normal(0, 3, (200, 24))
    features = {"features": ("HR", "MAP"), "classes": ("survived", "died")}
    s = SeriesSet(x=np.stack([x, x], 2), y=y, split=split(200, labels=y), **features)
    found = {"physionet2012": protocol.Drawn(s, {"stable, seed 0": s.part("train")})}
    rows = protocol.clinical(found, ProtocolConfig(judge_seeds=1), progress=lambda text: None)
    values = {(r["measure"], r["set"]): r["value"] for r in rows}
    assert values["auroc label", "stable, seed 0"] == values["auroc label", "real"] > 0.95
    assert values["auroc label", "chance"] == 0.5 and values["auprc label", "chance"] == 0.5
    above = (s.part("test").x[:, -12:, 0] > 100).any(1).mean()
    assert values["auprc HR>100", "chance"] == pytest.approx(above, abs=1e-4)
