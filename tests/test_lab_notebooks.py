"""Every notebook that test_lab.py does not open, in a real JupyterLab: run to its end and looked at."""

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
from drive_server import LocalDrive
from lab_page import CLONE, changed, control, lab  # noqa: F401  a fixture

from rcgan_nb import train
from rcgan_nb.series import SeriesSet

TINY = {"steps": 6, "hidden_units": 8, "batch_size": 16, "log_every": 1, "sample_every": 3, "checkpoint_every": 3}
QUICK = {"judges": "svm", "judge_seeds": 1, "epochs": 1}


def test_every_notebook_is_opened_in_a_page():
    texts = [(Path(__file__).parent / name).read_text() for name in ("test_lab.py", "test_lab_notebooks.py")]
    opened = set(re.findall(r'(?:lab\.opened|look)\(\s*"(\w+)"', "".join(texts)))
    assert opened == {path.stem for path in (CLONE / "notebooks").glob("*.ipynb")}


@pytest.fixture(scope="module", autouse=True)
def surroundings(tmp_path_factory):
    """What kernels inherit: credentials for a Drive on loopback, and a folder for settings that is not the user's."""
    drive, folder = LocalDrive(), tmp_path_factory.mktemp("surroundings")
    drive.add("runs", parent=drive.add("rcgan_nb"), id="runs")
    (folder / "key.json").write_text(drive.service_account())
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"DRIVE_URL": drive.url, "DRIVE_KEY": folder / "key.json", "CONFIG": folder / "own"}.items():
            patch.setenv(f"RCGAN_{name}", str(value))
        yield drive
    drive.stop()


@pytest.fixture(scope="module")
def look(lab):  # noqa: F811
    """A function that runs a notebook to its end on the page, where nothing may have failed, and gives its text.

    Its pictures are those whose words in their place begin so, in this order; `act` does what a user does then.
    """

    def look(name, *starts, act=lambda page: None, **parameters):
        begun = time.monotonic()
        with lab.opened(name, **parameters) as page:
            page.run_all()
            page.wait_for_end()
            act(page)
            print(f"{name}: {time.monotonic() - begun:.0f} s")
            page.keep_whole("whole")
            words, text = page.pictures(), page.page.locator(".jp-Notebook").inner_text()
        assert len(words) == len(starts) and all(map(str.startswith, words, starts)), words
        assert page.errors == [] and "WARNING" not in text
        return text

    look.runs = lab.server.runs
    return look


@pytest.fixture(scope="module")
def persons(tmp_path_factory):
    """The file of 300 series of 150 persons: 8 steps, 2 features, 3 classes, and each person's sex and age."""
    random, who = np.random.default_rng(1), np.repeat(np.arange(150), 2)
    y = np.arange(300, dtype=np.int32) % 3
    time = np.linspace(0, 2 * np.pi, 8)[:, None]
    shapes = np.stack([np.sin(time), np.cos(time), 1 - time / 3])[y]
    x = random.normal(size=(150, 1, 2))[who] + shapes + 0.1 * random.normal(size=(300, 8, 2))
    static = np.stack([who % 2, 20 + who // 2], 1)
    info = {"name": "persons", "static_names": ("male", "age")}
    s = SeriesSet(x=x, y=y, classes=("sine", "cosine", "line"), groups=who.astype(str), static=static, info=info)
    return str(s.save(tmp_path_factory.mktemp("data") / "persons.npz"))


@pytest.fixture(scope="module")
def trained(look, persons):
    """Two short runs in the runs folder of the page's kernels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RCGAN_RUNS", str(look.runs))
        for k in (1, 2):
            train(dataset=persons, run_name=f"short-{k}", seed=k, r1_weight=0, r2_weight=0, **TINY)


SCORES = "Scores with their intervals, a panel for each of "


def test_stabilise(look, persons):
    settings = {"variants": "plain: recipe esteban; hinge: loss hinge", "steps": 4, "seeds": 1}
    look("stabilise", SCORES, "Gradient norms of both players", dataset=persons, **settings)


def test_theory(look, persons):
    paths, real_part, growth = "Paths of two players: ", "largest real part over ", "growth per step over "
    shown = ["Two laws on 4 points", paths, paths, real_part, paths, real_part, paths, growth, paths]
    shown += ["Eigenvalues in the complex plane", growth]
    look("theory", *shown, dataset=persons, steps=3, hidden_units=4, count=2, game_steps=50)


def test_prepare(look, persons):
    shown = [
        f"{what}: {n} of 210 series" for what, n in (("before", 18), ("prepared", 18), ("as the networks see it", 24))
    ]
    look("prepare", *shown, "Each on its own scale, over", dataset=persons, downsample_time=2, hide="*:0-1")
    assert (look.runs / "prepared/mine.npz").exists()


def test_colab(look, persons):
    """Away from Colab; the buttons of the panel are moved in test_lab.py."""
    shown = ["Losses of both players up to step 6", "samples of each class at step-0000006"]
    shown += ["Losses of both players up to step 6", "Samples from fixed noise as training went on"]
    text = look("colab", *shown, dataset=persons, run_name="away", **TINY)
    assert "no Drive is mounted" in text and "nothing is installed" in text and "this panel took" in text


def test_deidentify(look, persons):
    settings = {"variables": "", "hide": "", "weights": "0,5", "steps": 5}
    look("deidentify", "8 series of real above 8 series of weight 5", "tstr ", dataset=persons, **settings)
    assert (look.runs / "deidentified.npz").exists()


def test_sync(look, surroundings):
    surroundings.add("metrics.csv", b"step", surroundings.add("elsewhere-1", parent="runs"))
    assert "this is a dry run" in look("sync") and not (look.runs / "elsewhere-1").exists()
    text = look("sync", dry_run=False)
    assert "pull 1 of 1" in text and "pull: get 1; 4 bytes" in text
    assert (look.runs / "elsewhere-1/metrics.csv").read_bytes() == b"step"


def test_conditions_go_across(lab, trained):  # noqa: F811
    """What the latent explorer of test_lab.py has no menu for: its runs take labels only."""
    with lab.opened("generate", run="short-1", count=20) as page:
        page.run_all()
        grid = page.picture("24 series as pictures on one scale, 8 in a row")
        grid.wait_for()
        page.wait_for_end()
        changed(grid, lambda: control(page, "across", "select").select_option("condition"))
        page.page.wait_for_selector(".widget-html:has-text('from left to right condition of draw 0 to 1')")
        grid.scroll_into_view_if_needed()
        page.keep("conditions")
        assert page.errors == []


def test_review(look, trained):
    """Questions are answered by clicks; run again, the notebook counts and shows what was answered."""

    def rate(page):
        assert page.page.locator("text=no answers yet").count() == 2  # in the cell and below it
        for left, answer in ((3, "left"), (2, "left"), (1, "right")):
            page.page.wait_for_selector(f".widget-html:has-text('({left} left)')")
            assert page.page.locator(".jupyter-widgets img").count() == 2
            page.keep(f"{left}-left")
            page.page.click(f"button:has-text('the {answer} one')")
        page.page.wait_for_selector(".widget-html:has-text('Nothing is left to rate')")
        (kept,) = (look.runs / "reviews/review/answers").iterdir()
        lines = [json.loads(line) for line in kept.read_text().splitlines()]
        assert sorted(line["item"] for line in lines) == [1, 2, 3] and [line["answer"] for line in lines] == [1, 1, 2]
        page.run_all()
        page.picture(SCORES).wait_for()
        page.wait_for_end()

    text = look("review", SCORES, act=rate, runs="short-1,short-2")
    assert "3 answers to 3 questions" in text and "{'counted': 3}" in text


def test_evaluate(look, trained):
    shown = ["short-1, synthetic: ", "real, training part: ", f"{SCORES}trtr, tstr", f"{SCORES}mmd2"]
    shown += ["Series as points in two dimensions", f"{SCORES}auroc label=sine", "True against predicted classes"]
    shown += [f"{SCORES}membership_distance", "8 series of synthetic above 8 series of nearest", f"{SCORES}useful"]
    text = look("evaluate", *shown, run="short-1", tasks="label=sine", **QUICK)
    assert "told auroc male" in text and "report.html" in text
    assert "told" in json.loads((look.runs / "short-1/evaluation.json").read_text())["meaning"]


def test_compare(look, trained):
    look("compare", "tstr svm against membership", SCORES, runs="short-1", rivals="autoregression", **QUICK)


def test_sweep(look, persons):
    small = {"dataset": persons, "r1_weight": 0, "r2_weight": 0, "watch_every": 3, **TINY}
    options = {"finalists": 1, "final_seeds": 1, "workers": 2}
    shown = ["2 sets of settings as lines over learning_rate", "Sheets of samples: ", SCORES]
    look("sweep", *shown, space="{learning_rate: [1e-3, 2e-3]}", settings=str(small), **options)


def test_esteban2017(look):
    look("esteban2017", "Series: 16 of 16 series", steps=3, experiments="sines", recipe="esteban")
