"""Runs as training leaves them, made in a moment: tables, samples, checkpoints and facts, but no networks."""

import io
import json

import numpy as np

from rcgan_nb.archive import checkpoint
from rcgan_nb.archive.run import Run
from rcgan_nb.config import TrainConfig

EVERY = {"log_every": 10, "watch_every": 20, "sample_every": 50, "checkpoint_every": 50}


def process(name, step=0, **settings):
    """What segments.json says of a process that began after `step`."""
    config = TrainConfig(run_name="made", **EVERY | settings).to_dict()
    return {"id": f"{name:0<32}", "step": step, "time": 1_700_000_000.0 + step, "host": "there", "config": config}


def run_at(folder, steps, processes=None, *, state="finished", started_from=None, seconds=0.1, marker=1.0):
    """A run of so many steps in `folder`; `marker` is the loss of every row, `seconds` what a step took."""
    run = Run(folder)
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "samples").mkdir()
    processes = processes or [process(folder.name)]
    begun = started_from["step"] if started_from else 0
    data = {"codec": {}, "summary": {"name": "digits", "train": 70}, "fingerprint": "f", "shape": [8, 8], "classes": []}
    run.write_json("config.json", processes[-1]["config"] | {"steps": steps})
    run.write_json("data.json", data | ({"started_from": started_from} if started_from else {}))
    run.write_json("segments.json", processes)
    run.write_json("heartbeat.json", {"state": state, "step": steps, "time": 1.0, "host": "there", "error": ""})
    _table(folder / "metrics.csv", range(begun + 10, steps + 1, 10), begun, seconds, f"d_loss,g_loss,{marker},1.5")
    _table(folder / "watch.csv", range(begun + 20, steps + 1, 20), begun, seconds, f"mmd2,spread,{marker},0.9")
    for step in range(begun + 50, steps + 1, 50):
        np.savez(folder / f"samples/step-{step:07d}.npz", x=np.full(3, step))
        (folder / f"samples/step-{step:07d}.png").write_bytes(picture(step))
        arrays = {"generator/000": np.full(4, step + marker)}
        checkpoint.write(folder / f"checkpoints/step-{step:07d}.npz", arrays, step=step, validation_mmd2=1 / step)
        checkpoint.write(folder / "checkpoints/best.npz", arrays, step=step, validation_mmd2=1 / step)
    for old in sorted(folder.glob("checkpoints/step-*"))[:-2]:
        old.unlink()
    return run


def _table(path, steps, begun, seconds, columns):
    first, second, value, other = columns.split(",")
    rows = [f"{step},{(step - begun) * seconds:.3f},{value},{other}" for step in steps]
    path.write_text("\n".join([f"step,seconds,{first},{second}", *rows]) + "\n")


def picture(shade):
    from PIL import Image

    file = io.BytesIO()
    Image.new("L", (6, 4), shade % 256).save(file, "png")
    return file.getvalue()


def facts(run, name):
    return json.loads((run.path / name).read_text())
