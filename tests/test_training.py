"""Whole runs on real data, small: what lies in the folder, what a crash leaves, what is refused."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from servers import until

from rcgan_nb import archive, evaluate, load, train
from rcgan_nb.archive import checkpoint
from rcgan_nb.archive.run import Run
from rcgan_nb.config import GenerateConfig, train_config
from rcgan_nb.data.batches import batches
from rcgan_nb.generation import export, generate, training_data

TINY = {
    "steps": 6,
    "hidden_units": 8,
    "batch_size": 32,
    "log_every": 2,
    "sample_every": 3,
    "checkpoint_every": 2,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One small run on digits, shared by the tests that only read it."""
    folder = tmp_path_factory.mktemp("shared")
    os.environ["RCGAN_RUNS"] = str(folder)
    try:
        yield train(dataset="digits", run_name="small", **TINY)
    finally:
        del os.environ["RCGAN_RUNS"]


def test_run_folder_is_complete(trained):
    names = {p.name for p in trained.path.iterdir()}
    assert names >= {"config.json", "versions.json", "data.json", "metrics.csv", "heartbeat.json"}
    assert sorted(p.name for p in trained.path.glob("checkpoints/*")) == [
        "best.npz",
        "step-0000004.npz",
        "step-0000006.npz",
    ]
    assert len(list(trained.path.glob("samples/*.png"))) == len(list(trained.path.glob("samples/*.npz"))) == 2
    assert {p.name for p in trained.path.glob("figures/*")} == {"losses.pdf", "losses.png", "samples.gif"}
    assert trained.metrics()["step"] == [2, 4, 6]
    assert trained.status() == "finished"
    assert trained.config.model == "rcgan"
    assert trained.data["fingerprint"] == load("digits").fingerprint()


def test_equal_seeds_make_equal_runs(trained):
    again = train(dataset="digits", run_name="again", **TINY)
    one, other = (checkpoint.read(run.checkpoint())[0] for run in (trained, again))
    assert all((one[name] == other[name]).all() for name in one)
    assert trained.metrics()["d_loss"] == again.metrics()["d_loss"]


def test_generated_series_are_in_original_units(trained):
    made = generate(trained, count=25, seed=3)
    assert made.x.shape == (25, 8, 8)
    assert 0 <= made.x.min() < made.x.max() <= 16
    assert (generate(trained, count=25, seed=3).x == made.x).all()
    assert (generate(trained, count=25, seed=4).x != made.x).any()
    assert generate(trained, labels=["7", "0"]).y.tolist() == [7, 0]


def test_label_mix_is_that_of_training(trained):
    counts = np.bincount(load("digits").part("train").y)
    assert (np.bincount(generate(trained, count=1258).y) == counts).all()
    mix = np.bincount(generate(trained, count=2000).y)
    assert mix.sum() == 2000 and (mix >= counts).all()


@pytest.mark.parametrize("file_format", ["npz", "csv", "parquet"])
def test_export_with_provenance(trained, tmp_path, file_format):
    import json

    output = tmp_path / f"out.{file_format}"
    path = export(
        GenerateConfig(run=str(trained.path), count=20, label="3", file_format=file_format, output=str(output))
    )
    back = load(str(path))
    assert back.x.shape == (20, 8, 8) and set(np.asarray(back.classes)[back.y]) == {"3"}
    expected = generate(trained, labels=["3"] * 20).x
    assert back.x == pytest.approx(expected, rel=1e-6)
    provenance = json.loads((tmp_path / f"out.{file_format}.provenance.json").read_text())
    assert provenance["run"] == "small" and provenance["data"]["fingerprint"] == trained.data["fingerprint"]


def test_export_refuses(trained, tmp_path):
    run = str(trained.path)
    with pytest.raises(ValueError, match="label '12' is not known to this run; known: 0, 1"):
        export(GenerateConfig(run=run, label="12"))
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        export(GenerateConfig(run=run, output=str(tmp_path / "no" / "x.npz")))
    with pytest.raises(ValueError, match="output x.csv and file_format 'npz' differ"):
        export(GenerateConfig(run=run, output=str(tmp_path / "x.csv")))
    with pytest.raises(ValueError, match="labels must be some of 0, 1"):
        generate(trained, labels=[99])


def test_best_checkpoint_is_the_one_nearest_to_validation(trained):
    best = checkpoint.read(trained.checkpoint("best"))[1]
    kept = [checkpoint.read(p)[1]["validation_mmd2"] for p in trained.path.glob("checkpoints/step-*.npz")]
    assert best["validation_mmd2"] <= min(kept)


def test_esteban_and_unlabelled_data():
    run = train(dataset="sines", recipe="esteban", run_name="plain", **TINY)
    assert run.config.model == "rgan" and run.config.discriminator == "per_step"
    assert generate(run, count=5).x.shape == (5, 30, 1)
    with pytest.raises(ValueError, match="was trained without labels"):
        generate(run, labels=[1])


def test_rgan_on_labelled_data_can_be_judged():
    run = train(dataset="digits", model="rgan", run_name="unconditional", **TINY)
    synthetic = generate(run)
    assert synthetic.y is None and len(synthetic) == 1258
    report = evaluate(training_data(run), synthetic, judge_seeds=1, epochs=1, progress=str)
    assert report.value("coverage") <= 1


def test_relative_path_is_found_from_another_folder(small, tmp_path, monkeypatch):
    small.save(tmp_path / "mine.npz")
    monkeypatch.chdir(tmp_path)
    run = train(dataset="mine.npz", run_name="relative", **(TINY | {"batch_size": 4}))
    monkeypatch.chdir("/")
    assert training_data(run).fingerprint() == small.fingerprint()


def test_faces_of_64_pixels(tmp_path):
    """Series of 64 steps, beyond what is unrolled, with both penalties on."""
    x = np.random.default_rng(0).random((60, 64, 64)).astype(np.float32)
    np.savez(tmp_path / "faces.npz", x=x, image=(64, 64))
    run = train(dataset=str(tmp_path / "faces.npz"), run_name="faces", **(TINY | {"batch_size": 4, "steps": 2}))
    assert generate(run, count=2).images().shape == (2, 64, 64)


def test_gaps_and_lengths_are_generated(small, tmp_path):
    import dataclasses

    observed = np.random.default_rng(0).random(small.x.shape) > 0.9  # sparse: a young generator observes nothing
    s = dataclasses.replace(small, observed=observed, lengths=np.arange(60, dtype=np.int32) % 5 + 1)
    s.save(tmp_path / "gaps.npz")
    run = train(dataset=str(tmp_path / "gaps.npz"), run_name="gaps", scaler="local", **(TINY | {"batch_size": 4}))
    made = generate(run, count=9)
    assert made.observed.shape == (9, 5, 2) and made.lengths.shape == (9,)


def refused(tmp_path, small, **change):
    import dataclasses

    dataclasses.replace(small, **change).save(tmp_path / "data.npz")
    return str(tmp_path / "data.npz")


def test_bad_data_is_refused_before_anything_is_written(small, tmp_path, runs):
    constant = small.x.copy()
    constant[:, :, 1] = 7
    one_class = {"y": np.zeros(60, np.int32)}
    cases = [
        ({}, {"batch_size": 64}, "the training part has 44 series, fewer than batch_size 64; lower batch_size"),
        ({"x": constant}, {}, r"the features \['feature 1'\] are constant in the training part"),
        (
            {"split": np.where(np.arange(60) < 55, 0, 1 + np.arange(60) % 2).astype(np.int8)},
            {},
            "the validation part has 2 series; to choose and judge, give 6",
        ),
        (one_class, {}, "all training series have the class 'a'; a conditional model needs two or more"),
        ({"y": None, "classes": ()}, {"model": "rcgan"}, "model 'rcgan' needs labels"),
        ({"split": np.arange(60, dtype=np.int8) // 30 * 2}, {}, "the set has no validation part"),
    ]
    for change, settings, message in cases:
        with pytest.raises(ValueError, match=message):
            train(dataset=refused(tmp_path, small, **change), **(TINY | {"batch_size": 4} | settings))
    with pytest.raises(ValueError, match="dataset 'digtis' is not known; did you mean 'digits'"):
        train(dataset="digtis")
    assert not runs.exists()


def test_existing_run_is_not_overwritten(trained, monkeypatch):
    monkeypatch.setenv("RCGAN_RUNS", str(trained.path.parent))
    with pytest.raises(FileExistsError, match="run 'small' exists already"):
        train(dataset="digits", run_name="small", **TINY)
    assert trained.status() == "finished"


@pytest.mark.parametrize("name", ["latest", "prepared", "a/b"])
def test_names_that_a_run_cannot_have(name, runs):
    with pytest.raises(ValueError, match="cannot name"):
        train(dataset="digits", run_name=name, **TINY)
    assert not runs.exists()


def test_find(trained, monkeypatch, runs):
    with pytest.raises(FileNotFoundError, match="there is no run with a checkpoint"):
        archive.find("latest")
    with pytest.raises(FileNotFoundError, match="there is no run 'smal' .* known: none"):
        archive.find("smal")
    monkeypatch.setenv("RCGAN_RUNS", str(trained.path.parent))
    assert archive.find("latest").name in {p.name for p in trained.path.parent.iterdir()}
    assert archive.find("small").path == archive.find(trained.path).path


def test_changed_data_is_noticed(trained, monkeypatch):
    monkeypatch.setattr(Run, "data", property(lambda self: {"fingerprint": "another"}))
    with pytest.raises(ValueError, match="is not what run small was trained on"):
        training_data(trained)


def test_every_epoch_sees_every_series_once():
    config = train_config(batch_size=4, d_steps=2)
    seen = np.concatenate([batches(16, config, step).ravel() for step in (1, 2)])
    assert sorted(seen) == list(range(16))
    second = np.concatenate([batches(16, config, step).ravel() for step in (3, 4)])
    assert sorted(second) == list(range(16)) and (second != seen).any()


def test_divergence_stops_the_run():
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        train(dataset="digits", run_name="wild", **(TINY | {"learning_rate": 1e30, "log_every": 1, "steps": 50}))
    assert archive.find("wild").status() == "failed"


def begun(runs, *settings):
    """A training process of its own that has begun to step."""
    values = ", ".join([f"{k}={v!r}" for k, v in (TINY | {"steps": 10**6}).items()])
    code = f"from rcgan_nb import train; train(dataset='digits', run_name='victim', {values})"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    metrics = runs / "victim" / "metrics.csv"
    until(lambda: process.poll() is not None or (metrics.exists() and metrics.read_text().count("\n") > 3))
    assert process.poll() is None, process.communicate()[0]
    return process


def test_interrupt_keeps_a_checkpoint(runs):
    process = begun(runs)
    run = archive.find("victim")
    assert run.status() == "running"
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0].decode()
    assert process.returncode != 0 and "stopped after step" in output
    assert run.status() == "interrupted"
    step = run.read_json("heartbeat.json")["step"]
    assert checkpoint.read(run.checkpoint())[1]["step"] == step


def test_killed_run_says_so(runs):
    process = begun(runs)
    process.kill()
    process.wait()
    run = archive.find("victim")
    assert run.status() == "killed"
    run.checkpoint()
    beat = run.read_json("heartbeat.json")
    run.write_json("heartbeat.json", beat | {"pid": os.getpid()})  # the number given to another process
    assert run.status() == "killed"
    run.write_json("heartbeat.json", beat | {"host": "elsewhere"})
    assert run.status() == "running"
    run.write_json("heartbeat.json", beat | {"host": "elsewhere", "time": time.time() - 3600})
    assert run.status() == "lost"


def test_damaged_checkpoint_gives_way_to_the_one_before(trained, tmp_path, capsys):
    import shutil

    shutil.copytree(trained.path, tmp_path / "copy")
    run = Run(tmp_path / "copy")
    last = run.checkpoint()
    last.write_bytes(last.read_bytes()[:-2000])
    assert run.checkpoint().name == "step-0000004.npz"
    assert "is not a whole checkpoint" in capsys.readouterr().out


def test_checkpoint_of_other_networks_is_refused(trained):
    from rcgan_nb.gan import RCGAN
    from rcgan_nb.networks import Shape

    arrays, _ = checkpoint.read(trained.checkpoint())
    other = RCGAN(train_config(hidden_units=10), Shape(8, 8, 10))
    with pytest.raises(ValueError, match="belongs to other networks"):
        checkpoint.assign(other.variables(), arrays)


def test_newer_checkpoint_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    checkpoint.write(tmp_path / "c.npz", {"a": np.zeros(3)})
    monkeypatch.setattr(checkpoint, "FORMAT", 1)
    with pytest.raises(ValueError, match="has checkpoint format 2, this version reads up to 1"):
        checkpoint.read(tmp_path / "c.npz")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": "sines", "d_condition": "classifier"}, "reads labels, and there are none; take projection"),
        ({"dataset": "digits", "discriminator": "rcgan_v4"}, "reads labels as a classifier only; set d_condition"),
        ({"dataset": "digits", "multi_scale": 4}, "averages over 16 steps, and series have 8; lower it"),
    ],
)
def test_networks_that_cannot_take_the_data_are_refused_before_anything_is_written(runs, settings, message):
    with pytest.raises(ValueError, match=message):
        train(steps=2, **settings)
    assert not runs.exists()


def test_ancestor_takes_no_condition_per_step(runs, tmp_path):
    random = np.random.default_rng(0)
    x, conditions = random.normal(size=(60, 5, 2)), random.normal(size=(60, 5, 3))
    np.savez(tmp_path / "with.npz", x=x, conditions=conditions)
    with pytest.raises(ValueError, match="rcgan_v4 takes labels alone"):
        train(dataset=str(tmp_path / "with.npz"), generator="rcgan_v4", batch_size=8, steps=2)
    assert not runs.exists()
