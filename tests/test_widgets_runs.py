"""The run browser and the latent explorer, driven from Python: what is chosen is what is shown."""

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from runs_made import picture, process, run_at
from test_widgets import shown

from rcgan_nb import archive, generate, load, paths
from rcgan_nb.archive.run import Run
from rcgan_nb.series import SeriesSet
from rcgan_nb.widgets import browser, latent
from rcgan_nb.widgets.browser import _short, names_apart
from rcgan_nb.widgets.latent import between


@pytest.fixture
def made(runs):
    """Two runs with other settings, the second begun from the first, and two that are broken."""
    runs.mkdir()
    first = run_at(runs / "first", 100, [process("a", loss="hinge")], marker=2.0)
    begun = {"run": "first", "step": 100, "segment": first.segment}
    run_at(runs / "second", 200, [process("b", 100, loss="logistic", seed=3)], started_from=begun, state="interrupted")
    run_at(runs / "torn", 100, [process("c")])
    (runs / "torn" / "metrics.csv").write_text("step,seconds,d_loss\n10,1")
    (runs / "torn" / "config.json").write_text("{half")
    shutil.rmtree(runs / "torn" / "checkpoints")
    (runs / "empty").mkdir()
    return runs


def view(*places):
    return browser(archive.survey(*(places or [paths.runs()])).runs)


def names(b):
    return [b.table.loc[k, "name"] for _, k in b.chosen.options]


def test_the_table_is_filtered_and_sorted(made):
    b = view()
    assert names(b) == ["first", "second", "torn"] and b.said.value == "3 of 3 runs"
    b.sort.value = "step"
    b.down.value = True
    assert names(b)[0] == "second"
    b.filter.value = "loss=hinge"
    assert names(b) == ["first"] and b.said.value == "1 of 3 runs"
    b.filter.value, b.state.value = "", "interrupted"
    assert names(b) == ["second"]
    b.filter.value = "no such"
    assert names(b) == [] and b.said.value == "0 of 3 runs" and b.place.value == "no run is chosen"


def test_several_runs_are_laid_over_each_other_and_their_settings_compared(made):
    b = view()
    assert b.figure.options == ("metrics d_loss", "metrics g_loss", "watch mmd2", "watch spread")
    assert b.picture.alt == "metrics d_loss over training, at last first 2 at step 100"
    assert b.differences.value == "choose two or more runs"
    b.chosen.value = (0, 1)
    b.figure.value = "watch mmd2"
    assert b.picture.alt == "watch mmd2 over training, at last first 2 at step 100; second 1 at step 200"
    assert "<th>loss</th><td>hinge</td><td>logistic</td>" in b.differences.value
    assert "<th>seed</th><td>0</td><td>3</td>" in b.differences.value and "run_name" not in b.differences.value
    assert "second" in b.lines.alt and "first" in b.lines.alt


def test_samples_over_time(made):
    b = view()
    b.chosen.value = (1,)
    assert [label for label, _ in b.step.options] == ["step 150", "step 200"] and b.samples.alt.endswith("step 200")
    b.step.index = 0
    assert b.samples.alt == "samples of second at step 150" and shown(b.samples) == picture(150)
    (made / "second" / "samples" / "step-0000200.png").unlink()
    b.step.index = 1
    assert "cannot be read" in b.samples.value


def test_what_is_broken_says_so(made):
    b = view()
    b.chosen.value = (2,)
    assert b.picture.alt.startswith("watch mmd2 over training") or b.picture.alt.startswith("metrics")
    assert "problem: config.json cannot be read" in b.place.value and "no whole checkpoint" in b.place.value
    assert "not judged yet" in b.place.value


def test_the_same_run_found_twice_is_told_apart_everywhere(made, tmp_path):
    shutil.copytree(made / "first", tmp_path / "copies" / "first")
    (tmp_path / "copies" / "first" / "metrics.csv").write_text("step,seconds,d_loss\n10,1,7.0\n")
    shutil.make_archive(str(made / "first"), "zip", made / "first")
    b = view(made, tmp_path / "copies")
    folder, copy, packed = (f"first ({name})" for name in ("runs/first", "copies/first", "runs/first.zip"))
    assert sorted(names(b)) == sorted([folder, copy, packed, "second", "torn"])
    b.filter.value = "first"
    b.chosen.value = tuple(k for _, k in b.chosen.options)
    for name, last in ((folder, "2 at step 100"), (copy, "7 at step 10"), (packed, "2 at step 100")):
        assert f"{name} {last}" in b.picture.alt and f"<b>{name}</b>" in b.place.value
    b.filter.value = "copies"
    assert names(b) == [copy] and b.samples.alt == f"samples of {copy} at step 100"
    assert names_apart(archive.survey(made).named("first")) == [folder, packed]


@pytest.mark.parametrize("column", ["name", "dataset", "status", "step", "use", "began", "mmd2"])
def test_the_table_is_sorted_by_each_column_and_filtered_by_it(made, column):
    run_at(made / "7", 1000, [process("d", dataset="sines")], state="failed", marker=0.5)
    (made / "torn" / "watch.csv").unlink()
    (made / "torn" / "segments.json").unlink()
    b = view()
    b.sort.value = column
    cells = [b.table.loc[k, column] for _, k in b.chosen.options]
    filled = [cell for cell in cells if cell != ""]
    assert filled == sorted(filled, key=float if column in ("step", "mmd2") else str) and len(set(filled)) > 1
    b.down.value = True
    assert b.table.loc[b.chosen.options[0][1], column] == filled[-1]
    b.filter.value = f"{column}={filled[0]}"
    assert names(b) and all(str(b.table.loc[k, column]).startswith(str(filled[0])) for _, k in b.chosen.options)


def test_a_run_that_is_written_or_deleted_meanwhile_is_a_line(made):
    with open(made / "second" / "metrics.csv", "a") as file:
        file.write("210,21.0,0.12")  # the next row, half written
    Run(made / "second").beat("running", 210)
    b = view()
    assert "1 running, shown as found" in b.said.value
    b.chosen.value = (0, 1)
    assert b.picture.alt.endswith("first 2 at step 100; second 1 at step 200")
    b.chosen.value = (1,)
    shutil.rmtree(made / "first")
    b.chosen.value = (0,)
    assert b.said.value.endswith("; gone since: first") and "which is not there any more" in b.place.value
    assert "cannot be read" in b.samples.value
    shutil.rmtree(made)
    b.chosen.value = (0, 1, 2)
    b.down.value = True
    assert b.said.value.startswith("3 of 3 runs")


def test_copies_of_a_sheet_are_not_steps(made):
    sheet = made / "first/samples/step-0000100.png"
    for name in ("step-0000100-1a2b3c4d.png", "step-0000100 (1).png"):  # as syncs keep what changed on both sides
        shutil.copy(sheet, sheet.with_name(name))
    b = view()
    assert [label for label, _ in b.step.options] == ["step 50", "step 100"]


def test_of_runs_without_a_figure_it_is_said(made):
    for name in ("metrics.csv", "watch.csv"):
        (made / "torn" / name).write_bytes(b"step\xff")
    b = view()
    b.chosen.value = (0, 2)
    assert b.said.value == "3 of 3 runs; torn: no metrics d_loss to draw"
    b.chosen.value = (2,)
    assert b.said.value == "3 of 3 runs; torn: no figures to draw"


def test_a_long_name_keeps_both_its_ends():
    assert _short("2026-11-30_of-a-long-name_digits", 20) == "2026-11-3…ame_digits" and _short("short", 20) == "short"


def test_of_steps_and_times_that_cannot_be_nothing_is_told(made):
    for name, began in (("torn", 1e20), ("second", float("nan")), ("first", 10**400)):
        Run(made / name).write_json("segments.json", [process("c") | {"time": began}])
    Run(made / "torn").write_json("heartbeat.json", {"state": "finished", "step": 10**400})
    b = view()
    b.chosen.value = (0, 1, 2)
    assert list(b.table["began"]) == ["", "", ""] and list(b.table["step"]) == [100, 200, 0]


def test_a_report_opens_wherever_it_lies_and_nothing_in_it_runs(runs):
    run_at(runs / "judged", 100, [process("a")])
    run_at(runs / "plain", 100, [process("b")])
    (runs / "judged" / "report.html").write_text('<p class="x">Useful?</p><script>alert(1)</script>')
    b = view()
    for k, name in enumerate(names(b)):
        b.chosen.value = (b.chosen.options[k][1],)
        assert b.show_report.disabled == (name == "plain") and b.report.value == ""
        assert "<br>config.json, " in b.place.value
    b.chosen.value = (b.chosen.options[names(b).index("judged")][1],)
    b.show_report.click()
    assert "<iframe sandbox srcdoc=" in b.report.value and "&lt;p class=&quot;x&quot;&gt;Useful?" in b.report.value
    (runs / "judged" / "report.html").unlink()
    b.show_report.click()
    assert b.report.value.startswith("report.html cannot be read: ")


def test_no_runs_at_all(runs):
    b = browser([])
    assert b.said.value == "0 of 0 runs" and b.picture.alt == "no figures over training, at last of no run"
    assert b.lines.alt == "No runs yet" and b.samples.value == "no samples"
    assert "image/png" in b._repr_mimebundle_()[0]


def test_500_runs_open_in_two_seconds(runs):
    runs.mkdir()
    run_at(runs / "run-000", 100, [process("a")])
    for k in range(1, 500):
        shutil.copytree(runs / "run-000", runs / f"run-{k:03}")
    view()  # what is imported at first
    begun = time.process_time()  # of the processor: other tests run beside this one
    b = view()
    seconds = time.process_time() - begun
    assert len(b.chosen.options) == 500
    b.chosen.value = tuple(range(9))
    assert b.said.value == "500 of 500 runs; figures of the first 8 chosen" and "run-008" not in b.picture.alt
    print(f"500 runs in {seconds:.2f} s")
    assert seconds < 2


def test_between_two_draws_noise_keeps_its_size():
    random = np.random.default_rng(0)
    begin, end = random.standard_normal((2, 5, 40), dtype=np.float32)
    path = between(begin, end, 9)
    assert np.allclose(path[0], begin, atol=1e-6) and np.allclose(path[-1], end, atol=1e-6)
    sizes = np.linalg.norm(path, axis=(1, 2))
    assert abs(sizes[4] / sizes[[0, -1]].mean() - 1) < 0.02  # half way on a straight line it is 0.7
    half = [path[4] / sizes[4], begin / sizes[0], end / sizes[-1]]
    assert np.isclose((half[0] * half[1]).sum(), (half[0] * half[2]).sum(), atol=1e-5)  # equal angles to both
    assert np.allclose(between(begin, begin, 3), begin)


def test_rows_share_a_label_and_columns_the_noise(runs_with, small):
    run = runs_with(small, "seen")
    view = latent(run)
    assert view.made.y.tolist() == np.repeat(np.arange(4), 8).tolist() and len(view.made) == 32
    assert "from left to right noise of draw 0 to 1, down the classes a, b, c, d" in view.said.value
    view.classes.value = ("b",)
    first = generate(run, labels=["b"], seed=0)
    assert np.allclose(view.made.x[0], first.x[0], atol=1e-6)  # the first column is the first draw
    before = view.made.x
    view.second.value = 5
    assert np.allclose(view.made.x[0], before[0]) and not np.allclose(view.made.x[-1], before[-1])
    assert np.allclose(view.made.x[-1], generate(run, labels=["b"], seed=5).x[0], atol=1e-6)
    view.classes.value = ()
    assert view.said.value == "choose a class" and view.picture.alt == "no series are drawn"
    view.export.click()  # not the series that were shown before
    assert view.said.value.startswith("there is nothing to export") and not list(run.path.glob("**/latent-*"))


def test_a_click_finds_the_nearest_training_series(runs_with, small):
    view = latent(runs_with(small, "seen"))
    view.buttons.buttons[3].click()
    train, one = small.part("train"), view.made.x[3]
    deviation = train.x.std((0, 1))
    found = (((train.x - one) / deviation) ** 2).sum((1, 2)).argmin()
    name = f"nearest training series {found}, class {'abcd'[train.y[found]]}"
    assert view.pair.alt == f"On one scale, over 5 steps: series 3, class a, {name}"
    assert view.buttons.buttons[31].tooltip == "series 31, class d" and view.buttons.buttons[32].disabled
    view.second.value = 3
    assert not view.pair.value


def test_what_is_shown_is_written(runs_with, small):
    run = runs_with(small, "seen")
    view = latent(run)
    view.export.click()
    name = "latent-last-noise-0-to-1-classes-0-1-2-3"
    assert {p.name for p in (run.path / "figures").glob("latent-*")} == {f"{name}.png", f"{name}.pdf"}
    for form in ("npz", "csv", "parquet"):
        view.form.value = form
        view.export.click()
        path = run.path / f"{name}.{form}"
        assert f"written: {path}" in view.said.value
        assert np.allclose(load(str(path)).x, view.made.x, atol=1e-5)
        assert (path.parent / f"{path.name}.provenance.json").exists()
    for control, value in ((view.classes, ("b", "d")), (view.first, 2)):  # another grid takes nothing away
        control.value = value
        view.export.click()
    assert {p.stem for p in run.path.glob("latent-*.parquet")} == {
        name,
        "latent-last-noise-0-to-1-classes-1-3",
        "latent-last-noise-2-to-1-classes-1-3",
    }


def test_a_run_without_labels_and_one_with_static_values(runs_with, small, conditioned):
    from rcgan_nb.series import without_labels

    view = latent(runs_with(without_labels(small), "seen-unlabelled"))
    assert view.classes.disabled and len(view.made) == 32 and "down the next draws" in view.said.value
    assert not np.allclose(view.made.x[7], view.made.x[15])
    view = latent(runs_with(conditioned, "seen-conditioned"))
    assert "static values are those of a training series for each row" in view.said.value
    assert len(np.unique(view.made.static[:8], axis=0)) == 1


def test_conditions_go_from_those_of_one_series_to_those_of_another(runs_with, conditioned):
    run = runs_with(conditioned, "seen-conditioned")
    view = latent(run)
    noisy = view.made
    view.across.value = "condition"
    rows = view.made.static[:, 0].reshape(4, 8)
    assert np.allclose(np.diff(rows), np.diff(rows)[:, :1]) and (rows[:, 0] != rows[:, -1]).all()
    for draw, column in ((0, 0), (1, -1)):
        one = generate(run, labels=list("abcd"), seed=draw)
        assert np.allclose(rows[:, column], one.static[:, 0])
        assert np.allclose(view.made.conditions[::8][1] if not column else view.made.conditions[15], one.conditions[1])
    assert np.allclose(view.made.x[0], noisy.x[0], atol=1e-6)  # both begin with the first draw
    assert "from left to right condition of draw 0 to 1" in view.said.value


def many(classes, steps, features):
    x = np.random.default_rng(0).normal(size=(12 * classes, steps, features)).astype(np.float32)
    y = np.arange(len(x), dtype=np.int32) % classes
    parts = (np.arange(len(x)) // classes // 3 - 1).clip(0)
    return SeriesSet(x=x, y=y, classes=tuple(f"k{k}" for k in range(classes)), split=parts.astype(np.int8))


def test_of_forty_classes_six_are_shown_and_the_others_named(runs_with):
    view = latent(runs_with(many(40, 4, 3), "forty"))
    others = ", ".join(f"k{k}" for k in range(6, 40))
    assert view.said.value.endswith(f"classes left out (6 are shown at most): {others}")
    view.classes.value = ("k39", "k7")
    assert view.made.y[[0, 8]].tolist() == [39, 7]
    assert "down the classes k" in view.said.value and "k39" in {text.get_text() for text in view.figure.texts}
    assert "k7," not in view.said.value.split("left out")[1] and "k0, k1" in view.said.value.split("left out")[1]


def test_a_thousand_steps_of_one_feature_are_curves(runs_with):
    view = latent(runs_with(many(2, 1000, 1), "long"))
    assert view.picture.alt == "16 series as curves on one scale, 8 in a row"
    assert "one feature makes no picture, so curves" in view.said.value
    view.buttons.buttons[9].click()
    assert view.pair.alt.startswith("On one scale, over 1000 steps: series 9, class k1, nearest training series")


def test_data_that_are_gone_are_a_line(runs_with, small, conditioned):
    plain, static = runs_with(small, "left"), runs_with(conditioned, "left-static")
    view, drawn = latent(plain), latent(static)
    for run in (plain, static):
        Path(run.config.dataset).unlink()
    view.buttons.buttons[0].click()
    assert "the nearest training series cannot be found: there is no file" in view.said.value
    drawn.second.value = 5
    for v in (drawn, latent(static)):
        assert v.said.value.startswith("no series can be drawn: there is no file")
        assert v.picture.alt == "no series are drawn" and v.buttons.buttons[0].disabled
        v.export.click()
        assert v.said.value.startswith("there is nothing to export") and "image/png" in v._repr_mimebundle_()[0]


def test_a_run_that_draws_nothing_and_one_that_went(runs_with, small, made):
    torn = Run(made / "torn")
    for view in (latent(torn), latent(Run(made / "first")), latent(Run(made / "nowhere"))):
        assert " draws nothing: " in view.said.value and "image/png" in view._repr_mimebundle_()[0]
    view = latent(runs_with(small, "went"))
    shutil.rmtree(view.run.path)
    for form in view.form.options:
        view.form.value = form
        view.export.click()
        assert "it cannot be written: " in view.said.value
