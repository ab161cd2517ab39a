"""Weights of old archives: what Keras 2 computed, our networks compute; hostile and damaged files are refused."""

import dataclasses
import os
import pickle
import shutil
import subprocess
import sys

import h5py
import keras
import legacy_made as made
import numpy as np
import pytest

from rcgan_nb import generate, load, train
from rcgan_nb.archive import checkpoint
from rcgan_nb.archive.legacy import import_archive, networks, pickles, plan, sheet, weights
from rcgan_nb.series import SeriesSet, split
from rcgan_nb.training import Loop

keras2 = pytest.importorskip("tf_keras", reason="runs where tf_keras, which is Keras 2, is installed")

RUNS = {"RGAN": ("2019_12_04_10_00_00_RGAN_fashion", 0), "RCGAN": ("2020_01_02_03_04_05_RCGAN_mnist", 10)}


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """RGAN_v5 (its LSTMs in the layout of a GPU) and RCGAN_v4: folder, what its networks say, optimisers' states."""
    found = {}
    for model, (name, classes) in RUNS.items():
        gpu, seen = model == "RGAN", {}
        folder = made.run(tmp_path_factory.mktemp(model), name, schema=f"{model}_v{4 if classes else 5}", latent_dim=7)
        generator, discriminator = (made.stirred(network, k) for k, network in enumerate(made.keras2(7, classes)))
        seen["sheet"] = generator.predict(made.noise(7, classes), verbose=0)
        seen["said"] = discriminator.predict(seen["sheet"], verbose=0)
        made.sheet(folder / "img/epoch4.png", seen["sheet"], classes)
        for file, state, network in (("gen", "comb", generator), ("dis", "dis", discriminator)):
            made.save_weights(network, folder / f"{file}_weights.h5", gpu=gpu)
            seen[state] = made.optimizer_state(network, {"gen": 240, "dis": 480}[file], seed=len(state))
            made.save_optimizer(seen[state], folder / f"{state}_opt_weights.pickle", gpu=gpu)
        found[model] = folder, seen
    return found


@pytest.fixture(scope="module")
def imported(archives, tmp_path_factory):
    """Both archives as runs, with the networks that their checkpoints fill."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RCGAN_RUNS", str(tmp_path_factory.mktemp("imported")))
        for model, (folder, _) in archives.items():
            run = import_archive(folder, f"old-{model}")
            gan = networks.built(run.config, run.data["num_classes"])
            checkpoint.assign(gan.variables(), checkpoint.read(run.checkpoint())[0])
            found[model] = run, gan
    return found


@pytest.fixture
def archive(archives, tmp_path):
    """A copy of the RGAN's archive, to be spoilt."""
    folder, _ = archives["RGAN"]
    return shutil.copytree(folder, tmp_path / "pickles" / folder.name)


# What is computed -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gpu", [False, True], ids=["plain", "gpu"])
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
@pytest.mark.parametrize("both_ways", [False, True], ids=["forward", "bidirectional"])
def test_recurrent_layers_compute_what_keras_2_did(tmp_path, cell, gpu, both_ways):
    def model(library):
        layer = getattr(library.layers, cell)(4)
        given = library.layers.Input((5, 3))
        return library.Model(given, (library.layers.Bidirectional(layer) if both_ways else layer)(given))

    old, ours = made.stirred(model(keras2), 1), model(keras)
    x = np.random.default_rng(2).normal(size=(6, 5, 3)).astype("f4")
    path = tmp_path / "w.h5"
    made.save_weights(old, path, gpu=gpu)
    (layer,) = weights.read(path).layers
    arrays = weights.plain(layer.arrays)
    assert weights.read(path).cudnn == gpu and weights.read(path).keras_version == "2.3.1"
    for variable in ours.variables:
        if "seed" not in variable.path:
            variable.assign(arrays[weights.kind(variable.path)])
    expected = old.predict(x, verbose=0)
    np.testing.assert_allclose(ours(x), expected, atol=1e-6)
    again = model(keras2)
    again.load_weights(path)  # Keras 2's own reading of that layout
    np.testing.assert_allclose(again.predict(x, verbose=0), expected, atol=1e-6)


def test_reads_what_keras_2_itself_writes(tmp_path):
    old = keras2.Sequential([keras2.layers.LSTM(4, input_shape=(5, 3)), keras2.layers.Dense(2)])
    old.save_weights(tmp_path / "w.h5")
    found = weights.read(tmp_path / "w.h5")
    values = [array for layer in found.layers for array in layer.arrays.values()]
    assert [list(layer.arrays) for layer in found.layers] == [
        ["kernel", "recurrent_kernel", "bias"],
        ["kernel", "bias"],
    ]
    assert all(np.array_equal(a, b) for a, b in zip(values, old.get_weights(), strict=True))


@pytest.mark.parametrize("model", RUNS)
def test_imported_networks_compute_what_the_old_ones_did(archives, imported, model):
    _, seen = archives[model]
    run, gan = imported[model]
    classes = run.data["num_classes"]
    noise, conditions = sheet.fixed_noise(7, classes, 28)
    samples = gan.generate(noise, conditions)
    np.testing.assert_allclose(samples, seen["sheet"], atol=1e-4 * np.abs(seen["sheet"]).max())
    assert np.ptp(samples, axis=0).max() > 0.1  # they do differ
    said = gan._run(gan.discriminator, {"series": seen["sheet"], **conditions})
    logits = [seen["said"]] if not classes else seen["said"]
    np.testing.assert_allclose(keras.ops.sigmoid(said["logits"])[:, None], logits[0], atol=1e-3)
    if classes:
        np.testing.assert_allclose(keras.ops.softmax(said["classes"]), logits[1], atol=1e-3)


@pytest.mark.parametrize("model", RUNS)
def test_optimisers_go_on_with_the_moments_of_their_weights(archives, imported, model):
    _, seen = archives[model]
    _, gan = imported[model]
    players = {"comb": (gan.g_optimizer, gan.generator, 240), "dis": (gan.d_optimizer, gan.discriminator, 480)}
    for state, (optimizer, network, steps) in players.items():
        iterations, layers, (first, second) = seen[state]
        assert int(optimizer.iterations) == iterations == steps
        ours = [np.array(variable) for variable in network.trainable_variables]
        theirs = [(layer, weight) for layer in layers for weight in layer.trainable_weights]
        norms = [made.norm(layer, weight) for layer, weight in theirs]
        places = [alike(weight.numpy() / norm, ours) for (_, weight), norm in zip(theirs, norms, strict=True)]
        assert sorted(places) == list(range(len(ours)))
        assert len(ours) == {"RGAN": {"comb": 29, "dis": 27}, "RCGAN": {"comb": 30, "dis": 33}}[model][state]
        for kind, moments in (("_momentum", first), ("_velocity", second)):
            slots = [np.array(variable) for variable in optimizer.variables if variable.path.endswith(kind)]
            flat = [moment for layer in moments for moment in layer]
            for place, moment, norm in zip(places, flat, norms, strict=True):
                scale = norm if kind == "_momentum" else norm**2
                np.testing.assert_allclose(slots[place], moment * scale, rtol=1e-4)


def alike(weight, others):
    """The place of the one array that has the same values, as far as sums of two halves and quotients keep them."""
    (place,) = (k for k, o in enumerate(others) if o.shape == weight.shape and np.allclose(o, weight, atol=1e-5))
    return place


def test_the_sheet_proves_them(imported, archive):
    for run, _ in imported.values():
        assert run.data["imported"]["agreement"] > 0.98
        assert "verified: pixels" in run.data["imported"]["networks"] and (run.path / "figures/sheet.png").exists()
    made.sheet(archive / "img/epoch4.png", np.random.default_rng(0).normal(size=(16, 28, 28)), 0)
    assert "NOT VERIFIED" in str(plan(archive)) and plan(archive).rebuilt.agreement < 0.3
    (archive / "img/epoch4.png").write_bytes((archive / "img/epoch4.png").read_bytes()[:500])
    assert "not verified, as the archive has no whole picture" in str(plan(archive))


def test_panels_of_classes_are_told_apart(tmp_path):
    pictures = np.random.default_rng(1).uniform(-1, 1, (15, 28, 28))
    made.sheet(tmp_path / "s.png", pictures, 3)
    assert sheet.agreement(tmp_path / "s.png", pictures, 3) > 0.97
    assert sheet.agreement(tmp_path / "s.png", pictures[::-1], 3) < 0.3
    flat = np.zeros((15, 28, 28))
    made.sheet(tmp_path / "flat.png", flat, 3)
    assert sheet.agreement(tmp_path / "flat.png", flat, 3) == 1.0


def test_imported_runs_generate_and_start_new_ones(imported, tmp_path, monkeypatch):
    run, gan = imported["RGAN"]
    monkeypatch.setenv("RCGAN_RUNS", str(run.path.parent))
    drawn = generate(run, count=3, seed=4)
    np.testing.assert_allclose(drawn.x, gan.generate(gan.noise(3, 4), {}) * 127.5 + 127.5, atol=1e-2)
    with pytest.raises(ValueError, match="was imported from an old archive.*Begin a new run with its settings"):
        train(resume="old-RGAN")
    with pytest.raises(FileNotFoundError, match="holds no whole checkpoint 'best'"):
        generate(run, count=3, which="best")
    x = np.random.default_rng(1).uniform(0, 255, (24, 28, 28)).astype("f4")
    data = SeriesSet(x=x, image=(28, 28), split=split(24, shares=(0.4, 0.3, 0.3))).save(tmp_path / "few.npz")
    settings = {"dataset": str(data), "start_from": "old-RGAN", "run_name": "more", "steps": 241, "batch_size": 2}
    loop = Loop(dataclasses.replace(run.config, **settings), load(str(data)))  # a step would take half a minute
    before, _ = checkpoint.read(run.checkpoint())
    assert all(np.array_equal(before[name], variable) for name, variable in loop.gan.variables().items())
    expected = {"run": "old-RGAN", "step": 240, "segment": run.segment}
    assert loop.step == 240 and loop.run.data["started_from"] == expected


# What is refused ------------------------------------------------------------------------------------------------------


class Hostile:
    def __init__(self, function, *arguments):
        self.asks = function, arguments

    def __reduce__(self):
        return self.asks


@pytest.mark.parametrize(
    "asked", [(os.system, "touch {}"), (eval, "open('{}', 'w')"), (shutil.copyfile, __file__, "{}")]
)
def test_a_hostile_pickle_runs_nothing(archive, tmp_path, asked):
    ran = tmp_path / "ran"
    function, *arguments = asked
    arguments = [a.format(ran) for a in arguments]
    (archive / "comb_opt_weights.pickle").write_bytes(pickle.dumps([Hostile(function, *arguments)]))
    name = f"{function.__module__}.{function.__name__}"
    with pytest.raises(ValueError, match=f"asks for {name}, which no optimiser's state needs; it was refused"):
        pickles.read(archive / "comb_opt_weights.pickle")
    planned = plan(archive)
    assert any(f"An optimiser starts anew: {archive}" in r and name in r for r in planned.remarks)
    assert planned.rebuilt.agreement > 0.99 and not ran.exists()


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_a_pickle_gives_numpy_no_pointers(tmp_path, protocol):
    kinds = np.dtype("O"), np.dtype("f8"), np.dtype([("a", "O")])
    for hostile in (Hostile(np.ndarray, (1,), kind, b"A" * 8) for kind in kinds):  # addresses, as the file chose them
        (tmp_path / "p").write_bytes(pickle.dumps([[hostile]], protocol=protocol))
        program = f"from rcgan_nb.archive.legacy import pickles; pickles.read({str(tmp_path / 'p')!r})"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.returncode == 1 and "ValueError: " in done.stderr


class Flagged:
    """An array of numbers whose dtype says that they are pointers."""

    def __reduce__(self):
        function, (_, shape, _), (version, _, _, order, data) = np.zeros(1).__reduce__()
        return function, (np.ndarray, (0,), b"b"), (version, (1,), FlaggedKind(), order, data)


class FlaggedKind:
    def __reduce__(self):
        return np.dtype, ("f8", False, True), (3, "<", None, None, None, -1, -1, 63)


def test_of_a_dtypes_state_only_the_order_of_bytes_counts(tmp_path):
    (tmp_path / "p").write_bytes(pickle.dumps([Flagged()], protocol=3))
    (found,) = pickles.read(tmp_path / "p")
    assert found.dtype == np.dtype("f8") and not found.dtype.hasobject and found.tolist() == [0.0]
    values = [np.arange(6, dtype=">f4").reshape(2, 3).T, np.zeros((0, 3)), np.array(7, "u1"), np.int64(240)]
    (tmp_path / "p").write_bytes(pickle.dumps(values, protocol=3))
    for one, expected in zip(pickles.read(tmp_path / "p"), values, strict=True):
        assert one.shape == expected.shape and one.dtype == expected.dtype and np.array_equal(one, expected)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (b"\x80\x03]r\xff\xff\xff\x7f.", "it stores under 2147483647, beyond its own"),  # 16 GB of memo
        (b"\x80\x03]q\x00(", "not a whole pickle"),
        (b"", "not a whole pickle"),
        (pickle.dumps({"a": 1}), "holds no list of arrays of numbers"),
        (pickle.dumps([]), "holds no list of arrays of numbers"),
        (pickle.dumps(["text"]), "holds no list of arrays of numbers"),
        (pickle.dumps([np.array([1, None])]), "asks for an array of 'O8'"),
        (pickle.dumps([[np.zeros(3)]]), "holds no list of arrays of numbers"),
    ],
)
def test_a_damaged_or_other_pickle_is_refused(tmp_path, written, words):
    (tmp_path / "p").write_bytes(written)
    with pytest.raises(ValueError, match=words):
        pickles.read(tmp_path / "p")


def test_a_pickle_too_large_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "p").write_bytes(pickle.dumps([np.zeros(3)]))
    assert np.array_equal(pickles.read(tmp_path / "p")[0], np.zeros(3))
    monkeypatch.setattr(pickles, "LARGEST", 10)
    with pytest.raises(ValueError, match="an optimiser's state has 10 at most"):
        pickles.read(tmp_path / "p")


def test_states_of_other_weights_are_refused(archive):
    path = archive / "comb_opt_weights.pickle"
    state = pickles.read(path)
    for wrong, words in (
        (state[:-1], "has 87 arrays, and these weights need 88"),
        ([*state[:1], *state[2:4]], "need 88"),
    ):
        path.write_bytes(pickle.dumps(wrong))
        assert any(words in remark for remark in plan(archive).remarks)
    state[1], state[2] = state[2], state[1]
    path.write_bytes(pickle.dumps(state))
    assert any("do not have the shapes of its weights" in remark for remark in plan(archive).remarks)
    path.unlink()
    assert any("comb_opt_weights.pickle is missing" in remark for remark in plan(archive).remarks)


def spoil(path, how):
    if how == "missing":
        path.unlink()
    elif how == "short":
        path.write_bytes(path.read_bytes()[:4000])
    elif how == "text":
        path.write_text("no HDF5")
    else:
        with h5py.File(path, "r+") as file:
            names = list(file.attrs["layer_names"])
            first = next(name for name in names if len(file[name].attrs["weight_names"]))
            group = file[first]
            kernel = str(np.char.decode(group.attrs["weight_names"][0]))
            values = group[kernel][()]
            if how == "unlike":
                file.attrs["layer_names"] = [name for name in names if name != first]
            else:
                del group[kernel]
            if how == "link":
                group[kernel] = h5py.ExternalLink("/etc/other.h5", "/x")
            elif how == "elsewhere":
                group.create_dataset(kernel, values.shape, "f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])
            elif how == "nan":
                group.create_dataset(kernel, data=np.full_like(values, np.nan))
            elif how == "shape":
                group.create_dataset(kernel, data=values[:-1])
            elif how == "kind":
                group.create_dataset(kernel, data=values.astype("i4"))


WORDS = {
    "missing": "gen_weights.h5 is missing",
    "short": "is not a whole weight file of Keras 2",
    "text": "is not a whole weight file of Keras 2",
    "gone": "is missing or leads elsewhere",
    "link": "is missing or leads elsewhere",
    "elsewhere": "points at another file",
    "kind": "floats are the limit",
    "nan": "are not finite; training had broken down",
    "shape": "is none of this generator's; another version",
    "unlike": "has nothing for seed; another version",
}


@pytest.mark.parametrize("how", WORDS)
def test_without_the_generators_weights_there_are_no_networks(archive, how, runs):
    spoil(archive / "gen_weights.h5", how)
    planned = plan(archive)
    assert WORDS[how] in planned.rebuilt.without and not planned.rebuilt.arrays
    assert "networks: none, logs and pictures only" in str(planned)


def test_without_the_discriminators_weights_the_generator_still_draws(archive):
    spoil(archive / "dis_weights.h5", "short")
    planned = plan(archive)
    assert any("The discriminator starts anew" in r and "not a whole weight file" in r for r in planned.remarks)
    assert planned.rebuilt.agreement > 0.98 and planned.rebuilt.arrays


def test_an_lstm_of_before_keras_2_3_is_another(archives, archive):
    generator, _ = made.keras2(7, 0)
    made.save_weights(generator, archive / "gen_weights.h5", keras_version=b"2.2.4")
    assert "of Keras 2.2.4, whose LSTM had another sigmoid" in plan(archive).rebuilt.without
    made.save_weights(generator, archive / "gen_weights.h5", keras_version=b"2.2.4", gpu=True)
    assert not plan(archive).rebuilt.without
