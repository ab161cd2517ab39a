import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from rcgan_nb import config, notebook, paths
from rcgan_nb.config import RECIPES, GenerateConfig, TrainConfig, train_config


def test_survives_json(tmp_path):
    made = train_config(dataset="mnist", steps=7, recipe="esteban")
    made.save(tmp_path / "config.json")
    assert TrainConfig.read(tmp_path / "config.json") == made


def test_recipe_fills_what_was_not_given():
    made = train_config(recipe="esteban", batch_size=5)
    assert made.batch_size == 5
    assert made.learning_rate == RECIPES["esteban"]["learning_rate"] != TrainConfig().learning_rate


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"step": 3}, r"setting 'step' is not known; did you mean 'steps'\? Known: dataset"),
        ({"steps": "many"}, "steps must be int, but 'many' is str"),
        ({"steps": True}, "steps must be int, but True is bool"),
        ({"steps": 0}, "steps must be at least 1, but 0 came"),
        ({"steps": 1.5}, "steps must be int, but 1.5 is float"),
        ({"average_decay": 1.0}, "average_decay must be from 0.0 to 0.999999, but 1.0 came"),
        ({"learning_rate": float("nan")}, "learning_rate must be a finite number"),
        ({"model": "rcgn"}, r"model 'rcgn' is not known; did you mean 'rcgan'\? Known: auto, rgan, rcgan"),
        ({"recipe": "plain"}, "recipe 'plain' is not known; Known: stable, clinical, esteban"),
        ({"run_name": 202411}, "run_name must be str, but 202411 is int. Under papermill, `-r run_name ...`"),
    ],
)
def test_refuses(values, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace("`", "`")):
        train_config(**values)


def test_whole_floats_are_integers():
    assert train_config(steps=1e3).steps == 1000
    assert train_config(learning_rate=1).learning_rate == 1.0


def notebook_globals(parameters, injected=""):
    """What a notebook's globals look like after its parameter cells."""
    names = {"In": ["", parameters, injected and "# Parameters\n" + injected]}
    exec(parameters + "\n" + injected, names)  # texts of this file alone, run as a notebook runs its cells
    return names


def test_collect_takes_any_field_and_the_recipe():
    names = notebook_globals('recipe: str = "stable"  # help\nsteps: int = 5000', 'recipe = "esteban"\nd_steps = 3')
    made = notebook.collect(TrainConfig, names)
    assert (made.recipe, made.d_steps, made.steps) == ("esteban", 3, 5000)
    assert made.batch_size == RECIPES["esteban"]["batch_size"]


def test_collect_keeps_a_default_that_was_asked_for():
    """-p r1_weight 1.0 holds under the recipe that sets it to 0."""
    names = notebook_globals("r1_weight: float = 1.0", 'recipe = "esteban"\nr1_weight = 1.0')
    assert notebook.collect(TrainConfig, names).r1_weight == 1.0


def test_collect_refuses_a_misspelt_parameter():
    with pytest.raises(ValueError, match="parameter 'sede' is not known here; did you mean 'seed'"):
        notebook.collect(GenerateConfig, notebook_globals("seed: int = 0", "sede = 3"))


def test_a_cell_run_again_counts_as_it_last_ran():
    """In JupyterLab: a corrected typo is forgotten, a recipe chosen later still fills what was left alone."""
    first, second = "stpes: int = 3\nloss: str = 'relativistic'", "recipe: str = 'esteban'\nloss: str = 'relativistic'"
    names = {"In": ["", first, "k = 5", second]} | {"recipe": "esteban", "loss": "relativistic", "stpes": 3, "k": 5}
    assert notebook.collect(TrainConfig, names).loss == "logistic"
    with pytest.raises(ValueError, match="parameter 'stpes' is not known here; did you mean 'steps'"):
        notebook.collect(TrainConfig, names | {"In": ["", first]})


def test_collect_ignores_cells_that_compute():
    names = notebook_globals("count: int = 5", "total = len('abc')\nimport os")
    assert notebook.collect(GenerateConfig, names).count == 5


@pytest.mark.parametrize("name", ["../up", "a/b", "", "..", "a\\b"])
def test_no_name_leads_out_of_the_folder(name):
    with pytest.raises(ValueError, match="cannot name a file or folder"):
        paths.inside(paths.runs(), name)


def test_choices_are_those_that_exist():
    from rcgan_nb.data import scaling
    from rcgan_nb.losses import LOSSES
    from rcgan_nb.networks import DISCRIMINATORS, GENERATORS

    choices = {name: set(f.metadata["choices"] or ()) for name, f in TrainConfig.__dataclass_fields__.items()}
    assert choices["loss"] == LOSSES.keys() and choices["scaler"] == {"auto", *scaling.SCALERS}
    assert choices["generator"] == GENERATORS.keys() and choices["discriminator"] == DISCRIMINATORS.keys()
    assert choices["recipe"] == RECIPES.keys()


def test_every_setting_is_explained():
    for kind in (config.TrainConfig, config.GenerateConfig, config.EvaluateConfig, config.PrepareConfig):
        for name, f in kind.__dataclass_fields__.items():
            assert f.metadata["help"], name


@pytest.mark.parametrize(
    "given,message",
    [
        (
            {"loss": "hinge", "label_smoothing": 0.1},
            "the hinge loss has none; take loss logistic, or set label_smoothing",
        ),
        ({"loss": "relativistic", "label_smoothing": 0.1, "label_smoothing_sides": "two"}, "one target.*sides to one"),
        ({"loss": "wasserstein"}, "no bound by itself; set gradient_penalty .* or spectral_norm"),
        ({"loss": "wasserstein", "spectral_norm": "both", "balance": "loss"}, "set balance to gradient"),
        ({"batch_size": 9, "shards": 2}, "batch_size 9 cannot be cut into 2 equal parts"),
        ({"batch_size": 12, "shards": 2, "num_devices": 4}, "batch_size 12 cannot be cut into 8 equal parts"),
        ({"generator": "rcgan_v4", "multi_scale": 1}, "one resolution; set multi_scale to 0"),
        ({"generator": "rcgan_v4", "noise_hold": 0}, "one noise vector anyway; leave noise_hold at 1"),
        ({"shared_forward": True, "minibatch_deviation": True}, "shared_forward needs logits that depend on no other"),
        ({"shared_forward": True, "loss": "hinge"}, "shared_forward needs .* loss relativistic or logistic"),
        ({"learning_rate": -1e-3}, "learning_rate must be at least 0.0, but -0.001 came"),
        ({"d_cell": "lstn"}, "d_cell 'lstn' is not known; did you mean 'lstm'"),
    ],
)
def test_combinations_that_make_no_sense_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        train_config(**given)


def test_a_second_process_is_not_stopped_with_a_cell_and_computes_on_the_processor():
    with notebook.beside() as pool:
        child = pool.submit(os.getpid).result()
        work = pool.submit(time.sleep, 2)
        time.sleep(0.5)
        os.kill(child, signal.SIGINT)
        assert work.result() is None and pool.submit(os.getenv, "CUDA_VISIBLE_DEVICES").result() == "-1"


PARENT = """
import os, time
from rcgan_nb import notebook
if __name__ == "__main__":
    pool = notebook.beside()
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 600).result()
"""


def test_a_second_process_ends_with_a_kernel_that_is_killed(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen([sys.executable, tmp_path / "parent.py"], stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    try:
        psutil.wait_procs([child], timeout=20)
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE  # where nobody collects orphans
    finally:
        if child.is_running():
            child.kill()
