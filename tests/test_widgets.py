"""The views, driven from Python: what each control changes, and what is shown where there is no page."""

import base64
import dataclasses
import re

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from rcgan_nb import load, plots, train
from rcgan_nb.archive import checkpoint
from rcgan_nb.series import SeriesSet, split
from rcgan_nb.widgets import base, explorer, panel
from rcgan_nb.widgets.panel import Panel

TINY = {"dataset": "digits", "hidden_units": 8, "batch_size": 16, "r1_weight": 0.0, "r2_weight": 0.0}


def shown(view):
    """The bytes of the picture that a view shows now."""
    return base64.b64decode(re.search(r"base64,([^\"]+)", view.value).group(1))


@pytest.fixture(scope="module")
def digits():
    return explorer("digits")


@pytest.fixture(autouse=True)
def as_begun(request):
    """The shared view, put back to what it shows at first."""
    yield
    if "digits" in request.fixturenames:
        view = request.getfixturevalue("digits")
        for name, value in {"label": "all", "feature": "all", "scaler": "original units", "hide": ""}.items():
            getattr(view, name).value = value
        view.part.value, view.downsample.value, view.kind.value, view.page.value = "train", 1, "pictures", 0


def test_the_explorer_says_what_it_shows(digits):
    count = len(load("digits").part("train"))
    assert (
        f"digits, train part: series 0 to 23 of {count}; 8 steps, 8 features; one scale from 0 to 16"
        in digits.said.value
    )
    assert digits.grid.alt == "24 series as pictures on one scale, 6 in a row"
    assert digits.cells.buttons[0].tooltip.startswith("series 0, class ")


@pytest.mark.parametrize(
    ("control", "value", "said"),
    [
        ("label", "3", "series 0 to 23 of 128"),
        ("part", "validation", "validation part: series 0 to 23 of 2"),
        ("feature", "column 4", "8 steps, 1 features; one scale from 0 to 16; one feature makes no picture, so curves"),
        ("scaler", "standard", "one scale from -1 to 1"),
        ("downsample", 3, "3 steps, 8 features"),
        ("page", 2, "series 48 to 71 of"),
    ],
)
def test_each_control_changes_what_is_shown(digits, control, value, said):
    before = shown(digits.grid)
    getattr(digits, control).value = value
    assert said in digits.said.value
    assert shown(digits.grid) != before


def test_hidden_parts_are_their_mean(digits):
    digits.hide.value = "*:0-3"
    train = load("digits").part("train")
    assert np.allclose(digits.shown.x[:, :4], train.x[:, :4].mean(0), atol=1e-5)
    assert np.allclose(digits.shown.x[:, 4:], train.x[:, 4:])
    digits.hide.value = "nose"
    assert "there is no feature &#x27;nose&#x27;" in digits.said.value


def test_a_chosen_class_holds_no_other_and_begins_on_its_first_page(digits):
    digits.page.value = 3
    digits.label.value = "7"
    assert digits.page.value == 0
    assert set(digits.shown.y) == {7} and len(digits.shown) == (load("digits").part("train").y == 7).sum()


def test_a_click_shows_the_series_large(digits):
    digits.page.value = 1
    digits.cells.buttons[2].click()
    name = digits.large.alt.split(" as a picture")[0]
    assert name.startswith("series 26, class ")
    before = shown(digits.large)
    digits.cells.buttons[3].click()
    assert digits.large.alt.startswith("series 27") and shown(digits.large) != before
    digits.label.value = "7"
    assert not digits.large.value


def test_another_set_fills_the_menus(digits):
    digits.dataset.value = "sines"
    assert digits.label.options == ("all",) and "one feature makes no picture" in digits.said.value
    digits.dataset.value = "digits"
    assert len(digits.label.options) == 11


def test_a_set_that_is_not_here_says_why_and_leaves_all_as_it_was(digits, monkeypatch, tmp_path):
    monkeypatch.setenv("RCGAN_DATA", str(tmp_path))
    digits.page.value = 2
    before = shown(digits.grid)
    digits.dataset.value = "eicu"
    assert "eicu cannot be shown: " in digits.said.value and "holds no patient.csv" in digits.said.value
    assert digits.said.value.endswith("digits stays.") and "\n" not in digits.said.value
    assert (digits.dataset.value, digits.page.value, shown(digits.grid)) == ("digits", 2, before)
    (tmp_path / "lfw_home").mkdir()
    (tmp_path / "lfw_home" / "lfw-funneled.tgz").write_bytes(b"torn")
    digits.dataset.value = "lfw"
    assert "lfw cannot be shown: " in digits.said.value and digits.dataset.value == "digits"
    digits.cells.buttons[0].click()
    assert digits.large.alt.startswith("series 48,")
    digits.label.value = "7"
    assert digits.said.value.startswith("digits, train part: series 0 to 23 of ")


@pytest.mark.parametrize("content", [None, b"", b"series,time\n\xff\xfe\n", b"PK\x03\x04torn"])
@pytest.mark.parametrize("suffix", [".csv", ".npz", ".parquet"])
def test_a_view_that_begins_with_no_set_waits_for_one(content, suffix, tmp_path):
    path = tmp_path / f"mine{suffix}"
    if content is not None:
        path.write_bytes(content)
    view = explorer(str(path))
    assert "cannot be shown: " in view.said.value and view.picture.alt == "no data set is shown"
    assert all(button.disabled for button in view.cells.buttons) and "image/png" in view._repr_mimebundle_()[0]
    view.kind.value, view.part.value = "curves", "validation"  # nothing to change yet
    view.dataset.value = "digits"
    assert "digits, validation part: series 0 to 23" in view.said.value


def made(tmp_path, n, steps, features, classes):
    random = np.random.default_rng(0)
    y = np.arange(n, dtype=np.int32) % classes if classes else None
    s = SeriesSet(
        x=random.normal(size=(n, steps, features)).astype(np.float32),
        y=y,
        classes=tuple(f"class {k}" for k in range(classes)),
        split=split(n, labels=y),
    )
    return str(s.save(tmp_path / "made.npz"))


def test_forty_classes_and_a_thousand_steps(tmp_path):
    view = explorer(made(tmp_path, 400, 1000, 1, 40))
    assert len(view.label.options) == 41 and "1000 steps, 1 features" in view.said.value
    view.label.value = "class 39"
    assert "series 0 to 6 of 7" in view.said.value
    assert view.cells.buttons[6].disabled is False and view.cells.buttons[7].disabled is True
    view.cells.buttons[6].click()
    assert view.large.alt == "series 6, class class 39 as a picture and as curves over 1000 steps"


@pytest.mark.parametrize(("count", "last"), [(1, 0), (24, 0), (25, 1), (48, 1), (49, 2)])
def test_there_are_as_many_pages_as_are_needed(count, last, tmp_path):
    x = np.random.default_rng(0).normal(size=(count + 2, 5, 3)).astype(np.float32)
    parts = np.array([0] * count + [1, 2], np.int8)
    view = explorer(str(SeriesSet(x=x, split=parts).save(tmp_path / "made.npz")))
    assert view.page.max == last
    view.page.value = last
    assert f"series {24 * last} to {count - 1} of {count};" in view.said.value
    view.part.value = "validation"
    assert (view.page.value, view.page.max) == (0, 0) and "series 0 to 0 of 1;" in view.said.value


def test_a_set_of_one_class_and_one_too_small_to_be_split(tmp_path):
    x, y = np.zeros((4, 5, 3), np.float32), np.array([0, 0, 1, 0], np.int32)
    s = SeriesSet(x=x, y=y, classes=("a", "b"), split=np.array([0, 0, 1, 2], np.int8))
    view = explorer(str(s.save(tmp_path / "made.npz")))
    view.label.value = "b"
    assert view.said.value == "the train part holds no series of class b. What was shown stays."
    assert view.picture.alt.startswith("2 series")
    dataclasses.replace(s, split=np.array([0, 0, 0, 2], np.int8)).save(tmp_path / "made.npz")
    view = explorer(str(tmp_path / "made.npz"))
    view.part.value = "validation"
    assert "has no validation part" in view.said.value and view.said.value.endswith("What was shown stays.")
    view.page.value, view.kind.value = 0, "curves"
    assert view.picture.alt.startswith("3 series") and ", train part: series 0 to 2 of 3" in view.said.value


def test_without_a_page_a_view_is_its_picture(digits, monkeypatch):
    assert not base.live()
    data, metadata = digits._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html", "image/png"} and data["text/html"] == digits.grid.value
    assert metadata["image/png"]["alt"] == digits.grid.alt
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    monkeypatch.setattr(base, "live", lambda: True)
    assert base.MADE in digits._repr_mimebundle_()[0]


def test_tiles_lie_exactly_in_their_cells():
    x = np.zeros((3, 4, 4), np.float32)
    x[1] = 1
    figure = plots.tiles(SeriesSet(x=x, image=(4, 4)), rows=1, columns=3, limits=(0, 1))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    seen = np.asarray(canvas.buffer_rgba())[:, :, 0]
    width = seen.shape[1] // 3
    assert (seen[5:-40, width + 3 : 2 * width - 35] == 255).all() and (seen[5:-40, 3 : width - 35] == 0).all()


def test_no_panel_without_a_page():
    assert panel() is None


def test_the_panel_shows_training_and_keeps_on_demand():
    shows = Panel()

    class Asks:
        """Presses the button after the third step, when a checkpoint is far."""

        def __call__(self, loop):
            shows(loop)
            if loop.step == 3:
                shows.keep.click()

    run = train(show=Asks(), steps=6, sample_every=3, checkpoint_every=6, log_every=1, **TINY)
    assert shows.bar.value == shows.bar.max == 6 and shows.bar.bar_style == "success"
    assert re.search(r"step 6/6  d_loss [\d.]+ .* steps/s .*; this panel took [\d.]+%", shows.line.value)
    assert re.match(
        r"balance: loss ratio [\d.]+, gradient norms .*; (no alarm so far|\d+ alarms, the last at step 6: )",
        shows.signs.value,
    )
    assert shows.losses.alt.startswith("Losses of both players up to step 6")
    assert shows.samples.alt == "samples of each class at step-0000006"
    assert shown(shows.samples) == (run.path / "samples" / "step-0000006.png").read_bytes()
    kept = [checkpoint.read(p)[1]["step"] for p in sorted(run.path.glob("checkpoints/step-*.npz"))]
    assert kept == [4, 6]
    assert shows.stop.disabled and shows.keep.disabled


def test_the_stop_button_ends_training_with_a_checkpoint():
    shows = Panel()

    class Asks:
        def __call__(self, loop):
            shows(loop)
            if loop.step == 2:
                shows.stop.click()

    with pytest.raises(KeyboardInterrupt, match="stopped after step"):
        train(show=Asks(), steps=500, run_name="stopped", checkpoint_every=500, **TINY)
    assert shows.run.status() == "interrupted" and len(list(shows.run.path.glob("checkpoints/step-*.npz"))) == 1
    for button in (shows.stop, shows.keep):
        shows.stop.disabled = shows.keep.disabled = False
        button.click()  # once more does nothing: the run is over
        assert shows.line.value == "this run is over: interrupted" and shows.stop.disabled and shows.keep.disabled


def test_the_panel_draws_as_often_as_its_share_allows(monkeypatch):
    times = iter([100.0, 104.0])
    shows = Panel()
    monkeypatch.setattr("time.perf_counter", lambda: next(times, 104.0))
    monkeypatch.setattr(shows, "_draw", lambda loop: None)
    shows.run, shows.due = object(), 0.0

    class Loop:
        last, step = False, 5

    shows(Loop)  # took 4 s of a drawing
    assert shows.due - 104.0 == pytest.approx(4 / 0.02)


def test_a_network_is_drawn_layer_by_layer_over_time():
    from rcgan_nb.config import train_config
    from rcgan_nb.networks import DISCRIMINATORS, GENERATORS, Shape
    from rcgan_nb.networks.outline import outline

    config = train_config(dataset="digits", generator="encoder_decoder", hidden_units=16, latent_dim=6)
    shape = Shape(seq_len=12, num_features=5, num_classes=3)
    model = GENERATORS["encoder_decoder"](shape, config)
    layers = outline(model)
    assert sum(layer["parameters"] for layer in layers) == model.count_params()
    by_name = {layer["name"]: layer for layer in layers}
    assert (by_name["noise"]["steps"], by_name["noise"]["channels"]) == (12, 6)
    assert (by_name["encoder_1"]["steps"], by_name["encoder_1"]["over"]) == (3, "convolution")
    assert (by_name["recurrent_0"]["steps"], by_name["recurrent_0"]["over"]) == (3, "recurrent")
    assert (by_name["series"]["steps"], by_name["series"]["channels"]) == (12, 5)
    figure = plots.network(layers, title="generator")
    assert f"generator, {model.count_params():,} parameters" in figure.alt and "recurrent_0 3 x 16" in figure.alt
    ends = outline(DISCRIMINATORS["pool"](shape, config))[-1]
    assert ends["steps"] is None and ends["channels"] == 1


def test_a_value_between_two_gaps_is_seen_and_units_are_named():
    x, observed = np.zeros((2, 5, 1), np.float32), np.zeros((2, 5, 1), bool)
    x[0, 2], observed[0, 2] = 7, True
    s = SeriesSet(x=x, observed=observed, features=("HR",), info={"units": {"HR": "per minute"}})
    axis = plots.curves(s, names=["real"]).axes[0]
    assert axis.lines[0].get_marker() == "." and axis.get_title() == "real HR (per minute) (n = 2)"
    assert plots.large(s).axes[1].get_legend().get_texts()[0].get_text() == "HR (per minute)"
