"""What watches training: figures of every step, signs of a collapse, early stops, a full disk, TensorBoard, time."""

import errno
import math
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from rcgan_nb import archive, monitors, train
from rcgan_nb.archive import checkpoint
from rcgan_nb.archive import events as event_files
from rcgan_nb.archive.convergence import reached
from rcgan_nb.archive.run import Run
from rcgan_nb.config import train_config
from rcgan_nb.monitors import records, similarity, stopping

SETTINGS = {
    "hidden_units": 8,
    "r1_weight": 0.0,  # without penalties the first step comes sooner
    "r2_weight": 0.0,
    "batch_size": 4,
    "log_every": 2,
    "sample_every": 6,
    "checkpoint_every": 4,
    "watch_every": 3,
}


@pytest.fixture
def settings(small, tmp_path):
    """Settings of a run on the 60 small series."""
    return SETTINGS | {"dataset": str(small.save(tmp_path / "small.npz"))}


def kept(run):
    """What has to be equal in equal runs: weights, tables without the clock, alarms, names of samples."""
    arrays = {which: checkpoint.read(run.checkpoint(which)) for which in ("last", "best")}
    weights = {w: ({k: v.tobytes() for k, v in found.items()}, meta) for w, (found, meta) in arrays.items()}
    tables = [{k: v for k, v in table.items() if k != "seconds"} for table in (run.metrics(), run.watch())]
    return weights, tables, run.alarms(), sorted(p.name for p in run.path.glob("samples/*"))


def test_figures_of_every_player_and_block_are_kept(settings):
    columns = train(steps=4, run_name="a", **settings).metrics()
    for player, blocks in (("d", ("recurrent_0", "logit")), ("g", ("recurrent_0", "series"))):
        assert all(f"{player}_{figure}/{block}" in columns for figure in ("grad", "update") for block in blocks)
        norms = [columns[name] for name in columns if name.startswith(f"{player}_grad/")]
        assert np.sqrt(np.square(norms).sum(0)) == pytest.approx(columns[f"{player}_grad"], rel=1e-4)
    ratios = np.divide(columns["d_loss"], columns["g_loss"])
    assert columns["loss_ratio"] == pytest.approx(ratios) and columns["step"] == [2, 4]
    assert list(train(steps=2, run_name="b", **settings).metrics()) == list(columns)  # names do not count on


def test_loss_ratio_of_a_generator_without_loss_is_infinite():
    found = records.host({"d_loss": np.float32(2), "g_loss": np.float32(0), "r1": np.float32(3)})
    assert found == {"d_loss": 2.0, "g_loss": 0.0, "r1": 3.0, "loss_ratio": math.inf}


def test_table_of_an_older_version_keeps_its_columns(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,d_loss,old\n2,0.5,7\n")
    records.append(path, {"step": 4, "d_loss": 0.25, "d_grad": 3.0})
    assert Run(tmp_path).metrics() == {
        "step": [2, 4],
        "d_loss": [0.5, 0.25],
        "old": [7, pytest.approx(math.nan, nan_ok=True)],
    }


# --- figures that are not finite


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"d_grad": math.nan, "d_grad/lstm": math.inf}, "step 17: the gradient of discriminator block 'lstm' is not"),
        ({"g_update": math.nan, "g_update/dense_1": math.nan}, "a weight of generator block 'dense_1' is not finite"),
        ({"g_loss": math.nan}, r"the value of g_loss is not finite \(d_loss 0.5, g_loss nan\)"),
        ({"d_grad": math.inf}, "the gradient of the discriminator is not finite"),
    ],
)
def test_says_what_is_not_finite(tmp_path, wrong, message):
    found = {"d_loss": 0.5, "g_loss": 0.7, "d_grad": 1.0, "d_grad/lstm": 1.0, "loss_ratio": math.inf} | wrong
    loop = SimpleNamespace(found=found, step=17, run=Run(tmp_path))
    with pytest.raises(FloatingPointError, match=f"{message}.*no checkpoint was written yet; begin anew with a lower"):
        monitors.require_finite(loop)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "step-0000012.npz").touch()
    with pytest.raises(
        FloatingPointError, match=f"the checkpoint of step 12 stays.*start_from='{tmp_path.name}', with"
    ):
        monitors.require_finite(loop)


def test_finite_figures_and_an_infinite_ratio_pass():
    monitors.require_finite(SimpleNamespace(found={"d_loss": 1.0, "loss_ratio": math.inf}, step=1, run=None))


def test_a_weight_that_breaks_between_logged_steps_stops_at_once(settings, monkeypatch):
    """In step 7 of a run that logs every 20 and keeps every 3: seen in step 7, the checkpoint of 6 is whole."""
    from rcgan_nb.training import Loop

    def advance(loop, step, whole=Loop.advance):
        if step == 7:
            weight = loop.gan.generator.trainable_variables[-1]
            weight.assign(weight * np.nan)
        whole(loop, step)

    monkeypatch.setattr(Loop, "advance", advance)
    often = settings | {"log_every": 20, "checkpoint_every": 3}
    with pytest.raises(FloatingPointError, match="step 7: .* the checkpoint of step 6 stays"):
        train(steps=40, run_name="broken", **often)
    run = archive.find("broken")
    assert run.status() == "failed" and "step 7" in run.read_json("heartbeat.json")["error"]
    arrays, meta = checkpoint.read(run.checkpoint())
    assert meta["step"] == 6 and all(np.isfinite(a).all() for a in arrays.values())
    monkeypatch.undo()


# --- nearness and collapse


def test_samples_are_measured_once_where_watching_and_checkpoint_meet(settings, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(similarity, "mmd2", lambda *_: calls.append(1) or len(calls) / 8)
    run = train(steps=12, run_name="once", **settings)
    assert len(calls) == 6 and run.watch()["step"] == [3, 6, 9, 12]  # and the checkpoints of 4 and 8
    assert run.watch()["mmd2"] == [0.125, 0.375, 0.625, 0.75]
    assert checkpoint.read(run.checkpoint())[1] == {"format": 1, "step": 12, "validation_mmd2": 0.75}
    alarms, printed = run.alarms(), capsys.readouterr().out
    assert alarms and all(f"step {a['step']}: {a['what']}" in printed for a in alarms)


# --- stopping early


def columns(steps, **figures):
    return {"step": steps, **figures}


@pytest.mark.parametrize(
    ("rule", "figures", "expected"),
    [
        ("mmd2", {"mmd2": [5, 3, 4, 4]}, "mmd2 did not fall for 20 steps (stop_patience 20)"),
        ("mmd2", {"mmd2": [5, 4, 3, 4]}, ""),
        ("gradient", {"d_grad": [1, 9, 11, 12], "g_grad": [1] * 4}, "for 20 steps"),
        ("gradient", {"d_grad": [1] * 4, "g_grad": [1, 1, 1e-7, 0]}, "d_grad or g_grad lay outside 1e-06 to 10"),
        ("gradient", {"d_grad": [1, 11, 1, 11], "g_grad": [1] * 4}, ""),
        ("gradient", {"d_grad": [11] * 4, "g_grad": [1] * 4}, "for 30 steps"),
        ("loss_ratio", {"loss_ratio": [1, 1, 0.09, 0.01]}, "loss_ratio lay outside 0.1 to 10 for 20 steps"),
        ("loss_ratio", {"loss_ratio": [1, 1, 11, math.inf]}, "loss_ratio lay outside"),
        ("loss_ratio", {"loss_ratio": [0.1, 10, 10, 11]}, ""),
        ("mmd2", {"mmd2": []}, ""),
    ],
)
def test_reasons_to_stop(rule, figures, expected):
    config = train_config(stop_on=rule, stop_patience=20, stop_limit=10.0)
    steps = [10, 20, 30, 40][: len(next(iter(figures.values())))]
    found = stopping.reason(config, columns(steps, **figures))
    assert expected in found and bool(found) == bool(expected)


@pytest.fixture
def figures(monkeypatch):
    """Figures that are well up to step 6 and not after it, whatever the weights."""
    from rcgan_nb.training import Loop

    def advance(loop, step, whole=Loop.advance):
        whole(loop, step)
        loop.found |= dict.fromkeys(("d_grad", "loss_ratio"), 1.0 if step <= 6 else 1000.0)

    monkeypatch.setattr(Loop, "advance", advance)
    found = {"spread": 1.0, "spread_class": 0}
    monkeypatch.setattr(monitors.Similarity, "at", lambda self, loop: {"mmd2": abs(loop.step - 6) / 8, **found})


@pytest.mark.parametrize(("rule", "patience", "end"), [("gradient", 7, 14), ("loss_ratio", 6, 12), ("mmd2", 7, 15)])
def test_early_stop_ends_alike_when_the_run_was_broken(settings, figures, capsys, rule, patience, end):
    settings |= {"stop_on": rule, "stop_patience": patience}
    whole = train(steps=40, run_name="whole", **settings)
    assert whole.status() == "finished" and whole.metrics()["step"][-1] == end
    assert checkpoint.read(whole.checkpoint())[1]["step"] == end and (whole.path / "figures" / "samples.gif").exists()
    why = whole.read_json("heartbeat.json")["reason"]
    assert f"stopped early at step {end}: {why}" in capsys.readouterr().out and f"stop_patience {patience}" in why
    train(steps=7, run_name="broken", **settings)
    assert kept(train(steps=40, resume="broken")) == kept(whole)
    with pytest.raises(ValueError, match=f"run broken stopped early at step {end}: .* to go on give other stop_"):
        train(resume="broken")
    assert kept(archive.find("broken")) == kept(whole)


def test_a_run_that_stopped_early_goes_on_without_the_rule(settings, figures):
    train(steps=40, run_name="early", stop_on="loss_ratio", stop_patience=1, **settings)
    run = train(resume="early", stop_on="", steps=11)
    assert run.metrics()["step"] == [2, 4, 6, 8, 10, 11] and run.status() == "finished"


def test_stop_on_figures_that_an_older_run_lacks_is_refused(settings):
    run = train(steps=4, run_name="older", **settings)
    rows = (run.path / "metrics.csv").read_text().splitlines()
    (run.path / "metrics.csv").write_text("\n".join(",".join(row.split(",")[:5]) for row in rows) + "\n")
    with pytest.raises(ValueError, match=r"needs the figures \['d_grad', 'g_grad'\].*start_from='older'"):
        train(resume="older", steps=8, stop_on="gradient")


def test_watching_may_change_when_a_run_goes_on_and_changes_no_weight(settings):
    whole = train(steps=8, run_name="whole", **settings)
    train(steps=4, run_name="other", **settings)
    run = train(resume="other", steps=8, watch_every=2, stop_on="mmd2", stop_patience=100, stop_limit=7.0)
    assert kept(run)[0]["last"][0] == kept(whole)[0]["last"][0]
    assert run.watch()["step"] == [3, 6, 8] and run.config.watch_every == 2


# --- how long until a figure was near its best


def test_reached_by_hand():
    values = [10, 4, 0.9, 5, 1, 0, 0.5]  # within a tenth of the way from 10 to 0: at most 1
    assert reached(values, 0.1) == {"first near its best": 2, "best": 5, "near its best to the end from": 4}
    assert reached([3, 1, 3], 0.1) == {"first near its best": 1, "best": 1}  # it did not stay
    assert reached([1, 2], 0.1) == {"first near its best": 0, "best": 0}  # it never got better


def test_convergence_in_steps_epochs_and_seconds(settings):
    run = train(steps=2, run_name="near", **settings)
    assert run.data["summary"]["train"] == 44  # 11 batches of 4 are an epoch
    (run.path / "watch.csv").write_text("step,seconds,mmd2\n11,2,0.5\n22,4,-0.01\n33,6,0.0\n")
    first, best, stays = archive.convergence(run)
    assert first == {"what": "mmd2 first near its best", "value": -0.01, "step": 22, "epochs": 2.0, "seconds": 4.0}
    assert best["step"] == 22 and stays["step"] == 22
    assert archive.convergence(run, "d_loss", within=0.5)[0]["step"] == 2
    with pytest.raises(ValueError, match="run near has no figure 'mmd'; known: d_grad"):
        archive.convergence(run, "mmd")
    (run.path / "metrics.csv").unlink()
    (run.path / "watch.csv").unlink()
    with pytest.raises(ValueError, match="known: none yet"):
        archive.convergence(run)


# --- a full disk


@pytest.fixture
def small_disk(runs):
    """runs/ on a file system of 3 MB of its own."""
    runs.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(runs)], capture_output=True)
    if done.returncode:
        pytest.skip("runs where a tmpfs may be mounted: as root on Linux")
    yield runs
    subprocess.run(["umount", "-l", str(runs)], check=True)


def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1024))
        except OSError as error:
            assert error.errno == errno.ENOSPC


@pytest.mark.parametrize("full_at", [5, 7])  # before sheet and checkpoint are to be written
def test_full_disk_leaves_the_last_checkpoint_and_a_run_to_go_on_with(settings, small_disk, monkeypatch, full_at):
    from rcgan_nb.training import Loop

    whole = kept(train(steps=12, run_name="whole", **settings))

    def advance(loop, step, whole=Loop.advance):
        if step == full_at:
            fill(small_disk / "ballast")
        whole(loop, step)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "advance", advance)
        with pytest.raises(OSError, match="there is no room left for .*the last checkpoint stays.*resume='full'"):
            train(steps=12, run_name="full", **settings)
    run = archive.find("full")
    assert run.status() == "failed" and "no room left" in run.read_json("heartbeat.json")["error"]
    assert checkpoint.read(run.checkpoint())[1]["step"] == 4 and not list(run.path.rglob("*.partial"))
    (small_disk / "ballast").unlink()
    assert kept(train(resume="full")) == whole


def test_other_errors_of_the_system_keep_their_words(settings, monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError(errno.ENOENT, "gone")

    monkeypatch.setattr(checkpoint, "write", missing)
    with pytest.raises(FileNotFoundError, match="gone"):
        train(steps=4, run_name="gone", **settings)


# --- TensorBoard


def events(run):
    """Tag -> (steps, values) of scalars, tag -> steps of all others."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    found = EventAccumulator(str(run.path / "tensorboard"), size_guidance={"tensors": 0}).Reload()
    read = {tag: found.Tensors(tag) for tag in found.Tags()["tensors"]}
    steps = {tag: [e.step for e in read[tag]] for tag in read}
    values = {
        tag: [float(tensor_util.make_ndarray(e.tensor_proto)) for e in read[tag]]
        for tag in run.metrics()
        if tag in read
    }
    return steps, values, read


def test_tensorboard_shows_what_the_tables_hold_and_goes_on(settings):
    whole = train(steps=12, run_name="whole", tensorboard=True, **settings)
    train(steps=8, run_name="broken", tensorboard=True, **settings)
    with open(next((archive.find("broken").path / "tensorboard").iterdir()), "ab") as file:
        file.write(b"cut short")
    broken = train(resume="broken", steps=12)
    for run in (whole, broken):
        steps, values, read = events(run)
        metrics = run.metrics()
        for name in metrics.keys() - {"step", "seconds"}:
            assert steps[name] == metrics["step"] == [2, 4, 6, 8, 10, 12]
            assert values[name] == pytest.approx(metrics[name], rel=1e-6)
        assert steps["samples"] == sorted({6, 12, *([8] if run is broken else [])})  # 8: the end of its first half
        assert b"| hidden_units | 8 |" in read["settings"][0].tensor_proto.string_val[0] and steps["settings"] == [0]
        assert steps["weights/generator/series/kernel"][-2:] == [9, 12]
        assert steps["changes/generator/series/kernel"][-1] == 12


def test_events_after_the_checkpoint_are_left_out(tmp_path):
    import tensorflow as tf

    with tf.summary.create_file_writer(str(tmp_path)).as_default():
        for step in (3, 4, 5):
            tf.summary.write("x", float(step), step=step)
    event_files.rewind(tmp_path, 4)
    (path,) = tmp_path.iterdir()
    assert [tf.compat.v1.Event.FromString(r).step for r in event_files.records(path)][1:] == [3, 4]


def test_tensorboard_without_its_package_is_refused(settings, runs, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="tensorboard=True needs the package of that name; pip install tensorboard"):
        train(steps=2, tensorboard=True, **settings)
    assert not runs.exists()


# --- time


def test_time_of_watching_is_kept_and_shown(settings, capsys):
    beat = train(steps=4, run_name="timed", **settings).read_json("heartbeat.json")
    assert 0 < beat["seconds_watching"] < beat["seconds_training"] and beat["seconds_first_step"] > 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("step 4/4  d_loss") and "spent on watching" in last and "_grad" not in last


def test_clock_counts_watching_apart(monkeypatch):
    times = iter([0.0, 3.0, 3.0, 10.0, 12.0, 20.0, 20.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    clock = monitors.Clock()
    clock.first_step_is_done()
    with clock.watch():
        assert clock.watching == 0.0  # counted when it is over
    assert clock.figures() == {"seconds_first_step": 3.0, "seconds_training": 17.0, "seconds_watching": 2.0}
