"""Parts of a run in files of their own: what is in them draws the same series."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from rcgan_nb import cli, generate
from rcgan_nb.extraction import FORMS, extract, stable_names
from rcgan_nb.generation import networks
from rcgan_nb.series import read


@pytest.fixture
def run(small, runs_with):
    return runs_with(small, "plain")


def inputs(gan):
    labels = np.array([3, 0, 2], np.int32)
    return {"noise": gan.noise(3, seed=5), "label": labels}


def test_the_generator_comes_back_as_keras_model_and_draws_the_same(run, tmp_path):
    import keras

    gan = networks(run)
    path = extract(run, tmp_path / "generator.keras")
    back = keras.saving.load_model(path)
    assert np.allclose(back(inputs(gan)), gan.averaged(inputs(gan)), atol=1e-6)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["generator.keras", "generator.keras.provenance.json"]
    assert json.loads((tmp_path / "generator.keras.provenance.json").read_text())["run"] == run.name


def test_the_saved_model_needs_nothing_of_ours(run, tmp_path):
    gan = networks(run)
    path = extract(run, tmp_path / "generator")
    given = inputs(gan)
    np.savez(tmp_path / "given.npz", **given)
    program = (
        "import sys, numpy as np, tensorflow as tf; f = dict(np.load('given.npz'))\n"
        "model = tf.saved_model.load('generator'); np.save('made.npy', model.serve(f))\n"
        "assert not any(m.startswith('rcgan_nb') for m in sys.modules)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, env=environment)
    assert path.is_dir() and np.allclose(np.load(tmp_path / "made.npy"), gan.averaged(given), atol=1e-6)


def test_weights_and_moments_have_names_and_both_forms_hold_the_same(run, tmp_path):
    import h5py

    gan = networks(run)
    with np.load(extract(run, tmp_path / "weights.npz")) as file:
        arrays = dict(file)
    assert json.loads(str(arrays.pop("config"))) == run.config.to_dict()
    assert len(arrays) == len(gan.variables())
    assert np.array_equal(
        arrays["generator/recurrent/lstm_cell/kernel"], gan.generator.get_layer("recurrent_0").cell.kernel
    )
    assert any(name.startswith("g_optimizer/") and "momentum" in name for name in arrays)
    with h5py.File(extract(run, tmp_path / "weights.h5")) as file:
        assert all(np.array_equal(file[name], value) for name, value in arrays.items())
        assert json.loads(file.attrs["config"])["seed"] == run.config.seed


def test_series_are_those_that_generate_draws(run, tmp_path):
    made = read(extract(run, tmp_path / "series.npz", count=7, seed=3))
    assert np.array_equal(made.x, generate(run, count=7, seed=3).x)
    assert cli.main(["runs", "extract", str(run.path), str(tmp_path / "s.csv"), "--count", "7", "--seed", "3"]) == 0
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 7 * 5 + 1


def test_names_do_not_depend_on_what_else_was_built():
    one = ["lstm_4/cell/kernel", "lstm_4/cell/bias", "lstm_7/cell/kernel", "b_2/forward_lstm_9/kernel"]
    assert stable_names(one) == ["lstm/cell/kernel", "lstm/cell/bias", "lstm_1/cell/kernel", "b/forward_lstm/kernel"]


@pytest.mark.parametrize(
    ("name", "count", "kind", "message"),
    [
        ("weights.pkl", 0, ValueError, "weights.pkl: '.pkl' is not written; known: '.keras', ''"),
        ("series.csv", 0, ValueError, "series.csv holds series; say how many by a count"),
        ("weights.h5", 3, ValueError, "weights.h5 holds no series; leave the count out"),
        ("there.npz", 0, FileExistsError, "there.npz is there already"),
        ("no/where.npz", 0, FileNotFoundError, "no; make it first"),
    ],
)
def test_what_cannot_be_written_is_refused(run, tmp_path, name, count, kind, message):
    (tmp_path / "there.npz").write_bytes(b"mine")
    with pytest.raises(kind, match=message):
        extract(run, tmp_path / name, count=count)
    assert (tmp_path / "there.npz").read_bytes() == b"mine" and list(tmp_path.glob("*.partial*")) == []
    assert set(FORMS) == {".keras", "", ".npz", ".h5", ".csv", ".parquet"}
