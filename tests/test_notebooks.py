"""Every notebook: clean, one parameters cell that agrees with its configuration, and run to the end by papermill.

Runs are judged by the files they leave, never by papermill's own status.
"""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from mail_servers import PASSWORD, Delivers, Dovecot, needs_dovecot, smtp_server
from nbconvert import HTMLExporter
from review_made import PEOPLE, links, people, reply
from runs_made import process, run_at

from rcgan_nb import archive, config, load, train
from rcgan_nb.evaluation import Report
from rcgan_nb.games import TheoryConfig
from rcgan_nb.review import ReviewConfig
from rcgan_nb.series import SeriesSet

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
PAPERMILL = [sys.executable, "-m", "papermill", "--no-progress-bar"]
CONFIGS = {
    "train": config.TrainConfig,
    "colab": config.TrainConfig,
    "compare": config.ContestConfig,
    "deidentify": config.DeidentifyConfig,
    "esteban2017": config.ProtocolConfig,
    "evaluate": config.EvaluateConfig,
    "generate": config.GenerateConfig,
    "review": ReviewConfig,
    "runs": config.RunsConfig,
    "prepare": config.PrepareConfig,
    "plot_series": config.PlotConfig,
    "stabilise": config.CompareConfig,
    "sync": config.SyncConfig,
    "sweep": config.SweepConfig,
    "theory": TheoryConfig,
}


def names():
    return sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


def test_every_notebook_has_a_configuration_here_and_stands_on_the_map():
    assert names() == sorted(CONFIGS)
    text = (NOTEBOOKS / "README.md").read_text()
    assert all(f"{name}.ipynb" in text for name in names())


@pytest.mark.parametrize("name", names())
def test_notebook_is_clean_and_small(name):
    book = nbformat.read(NOTEBOOKS / f"{name}.ipynb", 4)
    nbformat.validate(book)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in cells) == 1
    assert book.cells[0].source.startswith("# ")
    for cell in cells:
        tree = ast.parse(cell.source)
        parameters = "parameters" in cell.metadata.get("tags", [])
        assert parameters or len(cell.source.splitlines()) <= 10
        forbidden = ast.FunctionDef | ast.ClassDef | ast.For | ast.While | ast.Try
        assert not any(isinstance(node, forbidden) for node in ast.walk(tree))


@pytest.mark.parametrize("name", names())
def test_parameters_are_fields_with_equal_defaults_and_help(name):
    book = nbformat.read(NOTEBOOKS / f"{name}.ipynb", 4)
    source = next(c.source for c in book.cells if "parameters" in c.metadata.get("tags", []))
    defaults = CONFIGS[name]()
    for line in source.splitlines():
        assert line.count("=") == 1 and "|" not in line and "  # " in line, line  # papermill's help needs it so
        node = ast.parse(line).body[0]
        value = getattr(defaults, node.target.id)
        assert ast.literal_eval(node.value) == value and node.annotation.id == type(value).__name__, line


def papermill(name, output, *parameters, folder=NOTEBOOKS, check=True):
    """Run a notebook as a user does; returns the finished process."""
    command = [*PAPERMILL, f"{name}.ipynb" if folder == NOTEBOOKS else str(NOTEBOOKS / f"{name}.ipynb"), str(output)]
    done = subprocess.run([*command, *parameters], cwd=folder, capture_output=True, text=True, timeout=600)
    assert not check or done.returncode == 0, done.stderr[-3000:]
    return done


TINY = ["-p", "steps", "6", "-p", "hidden_units", "8", "-p", "sample_every", "3", "-p", "checkpoint_every", "3"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """train.ipynb run from another folder on digits; the runs folder that later notebooks share."""
    folder = tmp_path_factory.mktemp("notebooks")
    os.environ["RCGAN_RUNS"] = str(folder / "runs")
    try:
        done = papermill("train", folder / "train.ipynb", *TINY, "--log-output", folder=folder)
        yield folder, done
    finally:
        del os.environ["RCGAN_RUNS"]


@pytest.fixture
def shared(trained, monkeypatch):
    monkeypatch.setenv("RCGAN_RUNS", str(trained[0] / "runs"))
    return trained[0]


SMALL = "hidden_units 4, batch_size 8"
EVERY_SWITCH = "; ".join(
    f"{name}: {SMALL}, {settings}"
    for name, settings in {
        "smooth": "loss logistic, label_smoothing 0.1, label_smoothing_sides two, label_smoothing_std 0.01, d_cell gru",
        "spectral": "loss hinge, spectral_norm both, generator conv, discriminator conv, instance_noise_until 3",
        "wasserstein": "loss wasserstein, gradient_penalty 10, penalty_every 2, generator causal, discriminator causal",
        "scales": "multi_scale 2, loss least_squares, generator encoder_decoder, discriminator encoder, d_steps 2",
        "balance": "balance loss, clip_norm 1, minibatch_deviation True, generator state, discriminator state",
        "classes": "d_condition classifier, g_factor 0.5, num_layers 2, dilation 2, g_cell mingru, d_cell mingru, "
        "noise_hold 2",
        "shared": "shared_forward True, shards 2, g_bidirectional True, d_condition embedding, balance gradient",
        "ancestor": "generator rcgan_v4, discriminator rcgan_v4, d_condition classifier, loss logistic",
    }.items()
)


def figures(path):
    """How many figures a notebook shows; no cell failed, and in its page each says something to who cannot see it."""
    book = nbformat.read(path, 4)
    outputs = [o for cell in book.cells if cell.cell_type == "code" for o in cell.outputs]
    assert not any(o.output_type == "error" for o in outputs)
    shown = [o for o in outputs if "image/png" in o.get("data", {})]
    page, _ = HTMLExporter().from_filename(str(path))
    said = re.findall(r"""<img alt="([^"]+)"[^>]* src="data:""", page)
    assert len(shown) <= len(said) == page.count('src="data:image')  # a moving picture is no figure
    assert "No description has been provided" not in page
    return len(shown)


def test_train(trained, shared):
    folder, done = trained
    run = archive.find("latest")
    assert run.status() == "finished" and run.config.steps == 6
    assert "step 6/6" in done.stderr + done.stdout and "steps/s" in done.stderr + done.stdout
    assert figures(folder / "train.ipynb") == 5
    page, _ = HTMLExporter().from_filename(str(folder / "train.ipynb"))
    assert 'alt="Losses of both players up to step 6' in page


def test_evaluate(shared):
    papermill("evaluate", shared / "evaluate.ipynb", "-p", "judge_seeds", "1", "-p", "epochs", "1")
    report = Report.read(archive.find("latest").path / "evaluation.json")
    measures = {r["measure"] for r in report.rows}
    assert {"trtr", "tstr", "trts", "discriminative", "coverage", "distance_ratio"} < measures
    assert {"mmd2_p", "autocorrelation", "membership_distance", "nearest_ratio"} < measures
    assert {"real", "synthetic", "gaussian", "jitter", "shuffled"} < {r["set"] for r in report.rows}
    assert {"tr+s", "ds@timegan.1", "frechet", "recall"} < measures
    assert figures(shared / "evaluate.ipynb") == 9
    page = (archive.find("latest").path / "report.html").read_text()
    assert "Is it private?" in page and page.count("data:image/png;base64,") == 11  # no tasks were asked


def test_compare(shared):
    quick = ["-p", "judges", "svm", "-p", "judge_seeds", "1", "-p", "epochs", "1", "-p", "rivals", "autoregression"]
    papermill("compare", shared / "compare.ipynb", *quick)
    assert (archive.find("latest").path / "contest-autoregression.json").exists()
    assert figures(shared / "compare.ipynb") == 2


def test_evaluate_clinical_tasks(tmp_path):
    """Two classes, gaps and few series: tasks are asked, what the data do not allow is left out and said."""
    random = np.random.default_rng(0)
    level = random.normal(80, 10, 60)
    observed = random.random((60, 20, 1)) < 0.7
    y = (level > 80).astype(np.int32)
    x = np.where(observed, level[:, None, None] + random.normal(size=observed.shape), 0)
    pulse = SeriesSet(x=x, y=y, observed=observed, classes=("lived", "died"), features=("HR",))
    run = train(
        dataset=str(pulse.save(tmp_path / "pulse.npz")), run_name="pulse", steps=6, hidden_units=8, batch_size=8
    )
    judge = ["-p", "judges", "svm", "-p", "judge_seeds", "1", "-p", "epochs", "1", "-p", "tasks", "label, HR<80"]
    done = papermill("evaluate", tmp_path / "e.ipynb", "-p", "run", "pulse", *judge, "--log-output")
    measures = {r["measure"] for r in Report.read(run.path / "evaluation.json").rows}
    assert {"auroc label", "auprc label", "auroc HR<80", "auprc HR<80", "observed"} < measures
    assert "tests of the laws need 20, and are left out" in done.stdout + done.stderr
    assert "left out: there are 18 held-out persons" in done.stdout + done.stderr
    page = (run.path / "report.html").read_text()
    assert 'alt="generator dense, ' in page and 'alt="discriminator pool, ' in page


def test_deidentify(tmp_path, runs):
    """Few persons with several series each: recognised, removed, and a set that training takes."""
    random = np.random.default_rng(1)
    groups = np.repeat(np.arange(30), 4)
    y = np.arange(120, dtype=np.int32) % 2
    x = random.normal(size=(30, 1, 2))[groups] + y[:, None, None] + 0.1 * random.normal(size=(120, 6, 2))
    s = SeriesSet(x=x, y=y, classes=("a", "b"), groups=groups.astype(str))
    data = ["-p", "dataset", str(s.save(tmp_path / "persons.npz")), "-r", "variables", "", "-r", "hide", ""]
    papermill("deidentify", tmp_path / "d.ipynb", *data, "-p", "weights", "0,5", "-p", "steps", "5")
    assert figures(tmp_path / "d.ipynb") == 2
    made = load(str(runs / "deidentified.npz"))
    assert made.x.shape == (120, 6, 2) and made.groups is None and made.info["deidentified"]["weights"] == "0,5"


def test_generate(shared):
    output = shared / "series.csv"
    papermill(
        "generate", shared / "g.ipynb", "-p", "count", "12", "-p", "file_format", "csv", "-p", "output", str(output)
    )
    assert load(str(output)).x.shape == (12, 8, 8)
    assert json.loads((shared / "series.csv.provenance.json").read_text())["run"] == archive.find("latest").name
    assert figures(shared / "g.ipynb") == 3


def test_prepare_then_train_by_name(shared):
    settings = ["-p", "downsample_image", "2", "-p", "scaler", "local", "-p", "hide", "column 0", "-p", "name", "half"]
    papermill("prepare", shared / "prepare.ipynb", *settings)
    assert load("half").x.shape == (1797, 4, 4)
    assert figures(shared / "prepare.ipynb") == 4
    papermill("train", shared / "t.ipynb", *TINY, "-p", "dataset", "half", "-p", "run_name", "on-half")
    assert archive.find("on-half").status() == "finished"


def test_stabilise(shared):
    """Every switch in one run of a notebook; a second pass finds the runs and trains none."""
    settings = ["-p", "steps", "4", "-p", "seeds", "1", "-p", "variants", EVERY_SWITCH]
    papermill("stabilise", shared / "s.ipynb", *settings)
    assert figures(shared / "s.ipynb") == 2
    runs = sorted(path.parent.name for path in archive.find("latest").path.parent.glob("stabilise-*/config.json"))
    assert len(runs) == EVERY_SWITCH.count(";") + 1 and all(archive.find(n).status() == "finished" for n in runs)
    before = {n: archive.find(n).read_json("heartbeat.json")["time"] for n in runs}
    papermill("stabilise", shared / "s.ipynb", *settings)
    assert before == {n: archive.find(n).read_json("heartbeat.json")["time"] for n in runs}


def test_sweep(shared):
    """Two trials and one final; a second pass finds the runs and trains none."""
    tiny = "{dataset: digits, steps: 6, hidden_units: 8, batch_size: 16, r1_weight: 0, r2_weight: 0, watch_every: 3}"
    settings = ["-p", "space", "{learning_rate: [1e-3, 2e-3]}", "-p", "settings", tiny, "-p", "name", "tiny"]
    settings += ["-p", "finalists", "1", "-p", "final_seeds", "1", "-p", "workers", "2"]
    papermill("sweep", shared / "w.ipynb", *settings)
    assert figures(shared / "w.ipynb") == 3
    runs = sorted(path.parent.name for path in (shared / "runs").glob("tiny-*/validation.json"))
    assert len(runs) == 3 and {"tiny-0000", "tiny-0001"} < set(runs)
    before = {n: archive.find(n).read_json("heartbeat.json")["time"] for n in runs}
    papermill("sweep", shared / "w.ipynb", *settings)
    assert before == {n: archive.find(n).read_json("heartbeat.json")["time"] for n in runs}


def test_esteban2017(shared):
    """Sines only; a second pass finds the runs and trains none."""
    settings = ["-p", "steps", "3", "-p", "experiments", "sines"]
    papermill("esteban2017", shared / "p.ipynb", *settings)
    assert figures(shared / "p.ipynb") == 1  # the other experiments were not asked
    runs = [archive.find(f"esteban2017-sines-{recipe}-0") for recipe in ("esteban", "stable")]
    assert [run.config.recipe for run in runs] == ["esteban", "stable"]
    before = [run.read_json("heartbeat.json")["time"] for run in runs]
    papermill("esteban2017", shared / "p.ipynb", *settings, "-p", "recipe", "stable")
    assert before == [run.read_json("heartbeat.json")["time"] for run in runs]


def test_theory(shared):
    """Both small RCGANs trained for a few steps; what is foretold by hand is what test_games.py finds."""
    papermill("theory", shared / "th.ipynb", "-p", "steps", "3", "-p", "hidden_units", "4", "-p", "count", "2")
    assert figures(shared / "th.ipynb") == 11
    recipes = ("stable", "esteban")
    assert [archive.find(f"theory-{recipe}-0").config.recipe for recipe in recipes] == list(recipes)


def test_runs(shared):
    """The chain of two runs becomes one, and the notebook before that only says so."""
    folder = shared / "chain"
    first = run_at(folder / "first", 100, [process("a")])
    begun = {"run": "first", "step": 100, "segment": first.segment}
    run_at(folder / "second", 150, [process("b", 100)], started_from=begun)
    (folder / "broken.zip").write_text("no zip")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RCGAN_RUNS", str(folder))
        asked = ("-p", "join", "second", "-p", "check", "True", "-p", "prune", "True", "--log-output")
        said = papermill("runs", shared / "r.ipynb", *asked).stderr
        assert "goes to archive/" in said and sorted(p.name for p in folder.iterdir())[1:] == ["first", "second"]
        papermill("runs", shared / "r.ipynb", *asked, "-p", "do", "True", "-p", "name", "both")
        assert archive.find("both").metrics()["step"][-1] == 150 and not (folder / "second").exists()
        assert "it is no whole zip" in (shared / "r.ipynb").read_text() and figures(shared / "r.ipynb") == 2


@needs_dovecot
def test_review(shared, monkeypatch):
    """Mails go out to real servers, are answered by their links, and become a score the next time."""
    dovecot = Dovecot("rcgan", *PEOPLE)
    smtp = smtp_server(Delivers(dovecot))
    people()
    monkeypatch.setenv("RCGAN_SMTP_URL", f"smtp://rcgan@127.0.0.1:{smtp.port}")
    monkeypatch.setenv("RCGAN_IMAP_URL", f"imap://rcgan@127.0.0.1:{dovecot.port}")
    monkeypatch.setenv("RCGAN_MAIL_FROM", "rcgan@lab.example")
    for kind in ("SMTP", "IMAP"):
        monkeypatch.setenv(f"RCGAN_{kind}_PASSWORD", PASSWORD)
    try:
        said = papermill("review", shared / "v.ipynb", "-p", "send", "True", "--log-output").stderr
        assert (
            "to bert <bert@lab.example>: 1" in said
            and "3 mails went" in said
            and "click below; where there is none" in said
        )
        for who, address in PEOPLE.items():
            (mail,) = dovecot.mails(who)
            dovecot.append("rcgan", [reply(address, *links(mail)["the left one"])])
        said = papermill("review", shared / "v.ipynb", "-p", "collect", "True", "--log-output").stderr
        assert "3 answers to 3 questions" in said and figures(shared / "v.ipynb") == 1
    finally:
        smtp.stop()
        dovecot.stop()
    assert PASSWORD not in (shared / "v.ipynb").read_text() + said


def test_colab(shared):
    """Away from Colab: the same training, and what is skipped is said. As on Colab: tests/test_wheel.py."""
    done = papermill("colab", shared / "colab.ipynb", *TINY, "-p", "run_name", "away", "--log-output")
    assert archive.find("away").status() == "finished" and figures(shared / "colab.ipynb") == 1
    said = done.stdout + done.stderr + (shared / "colab.ipynb").read_text()
    assert "no Drive is mounted" in said and "nothing is installed" in said and "evaluate.ipynb" in said


def test_sync_without_credentials_says_what_to_do(tmp_path, runs, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("RCGAN_DRIVE_KEY", raising=False)
    papermill("sync", tmp_path / "s.ipynb")
    said = (tmp_path / "s.ipynb").read_text()
    assert "python -m drive_sync auth" in said and "Nothing was done: nobody is signed in." in said
    assert not runs.exists()


def test_sync(tmp_path, here, drive):
    """Against a Drive on loopback: a dry run, then the same in earnest; a failure stops the notebook."""
    key = drive.add("metrics.csv", b"step", drive.add("digits-1", parent="runs"))
    papermill("sync", tmp_path / "s.ipynb", "-p", "exclude", "*.png")
    said = (tmp_path / "s.ipynb").read_text()
    assert "digits-1/metrics.csv" in said and "this is a dry run" in said and not any(here.iterdir())
    papermill("sync", tmp_path / "s.ipynb", "-p", "dry_run", "False")
    assert (here / "digits-1/metrics.csv").read_bytes() == b"step"
    assert "pull: get 1; 4 bytes" in (tmp_path / "s.ipynb").read_text()
    drive.files[key]["md5Checksum"] = "0" * 32
    done = papermill("sync", tmp_path / "s.ipynb", "-p", "dry_run", "False", check=False)
    assert done.returncode != 0 and "1 failed" in done.stderr


@pytest.mark.parametrize("dataset", ["digits", "sines", "sines5"])
def test_plot_series(shared, dataset):
    papermill("plot_series", shared / "plot.ipynb", "-p", "dataset", dataset, "-p", "count", "3")
    assert figures(shared / "plot.ipynb") == 4


@pytest.mark.skipif(
    not (Path(os.environ.get("RCGAN_DATA", "")) / "mnist").is_dir(),
    reason="runs where RCGAN_DATA names a folder with mnist/",
)
def test_train_on_mnist(shared):
    papermill("train", shared / "mnist.ipynb", *TINY, "-p", "dataset", "mnist", "-p", "run_name", "mnist")
    run = archive.find("mnist")
    assert run.status() == "finished" and run.data["shape"] == [28, 28]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (["-p", "step", "3"], "parameter 'step' is not known here; did you mean 'steps'"),
        (["-p", "steps", "-3"], "steps must be at least 1, but -3 came"),
        (["-p", "dataset", "digtis"], "dataset 'digtis' is not known; did you mean 'digits'"),
        (["-p", "run_name", "2024_11"], "run_name must be str, but 202411 is int"),
    ],
)
def test_bad_parameters_stop_before_a_run_is_made(tmp_path, runs, parameters, message):
    done = papermill("train", tmp_path / "out.ipynb", *parameters, check=False)
    assert done.returncode != 0 and message in done.stderr
    assert not runs.exists()
