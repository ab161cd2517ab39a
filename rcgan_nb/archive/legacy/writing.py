"""A planned import, written as a run's folder that is whole or not there."""

import dataclasses
import shutil
import socket
import time
import uuid
from datetime import datetime
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from rcgan_nb import paths, plots
from rcgan_nb.archive import checkpoint
from rcgan_nb.archive.legacy import logs, networks, sheet, weights
from rcgan_nb.archive.legacy.sets import facts
from rcgan_nb.archive.run import Run
from rcgan_nb.data.codec import Codec
from rcgan_nb.series import SeriesSet

FRAMES = 24  # of the animation, evenly spaced: the pictures are large


def num_classes(segment) -> int:
    return networks.value(segment.row, "num_classes") if segment.folder.model == "RCGAN" else 0


def write(planned) -> Run:
    """Write the run that a `Plan` stands for, under another name until all of it is there."""
    target = paths.inside(paths.runs(), planned.name)
    making = Run(target.with_name(f".{planned.name}.importing"))
    shutil.rmtree(making.path, ignore_errors=True)  # of an import that was killed
    making.path.mkdir(parents=True)
    try:
        _fill(making, planned)
        making.path.rename(target)
    finally:
        shutil.rmtree(making.path, ignore_errors=True)
    return Run(target)


def _fill(run, planned):
    segments = planned.segments
    run.write_json(
        "data.json", facts(segments[-1].folder.data, num_classes(segments[-1])) | {"imported": _origin(planned)}
    )
    run.write_json("versions.json", _versions(segments[-1].folder.path))
    run.write_json("segments.json", [_start(segment) for segment in segments])
    logs.write(run.path / "metrics.csv", [row for segment in segments for row in _rows(segment)])
    _keep_originals(run, planned.chain.folders)
    pictures = _copy_pictures(run, segments)
    if planned.rebuilt.arrays:
        _write_networks(run, planned)
    _draw(run, pictures)
    state = "finished" if segments[-1].finished else "interrupted"
    run.beat(state, planned.config.steps, reason=f"imported from {planned.chain}")
    planned.config.save(run.path / "config.json")
    run.seal()


def _origin(planned) -> dict:
    """What data.json says of where a run came from."""
    return {
        "from": [folder.path.name for folder in planned.chain.folders],
        "model": planned.chain.folders[-1].model,
        "networks": planned.networks,
        "without_networks": planned.rebuilt.without,
        "agreement": planned.rebuilt.agreement,
        "remarks": list(planned.remarks),
        "time": time.time(),
        "host": socket.gethostname(),
    }


def _versions(folder) -> dict:
    try:
        return {"keras": weights.read(folder / "gen_weights.h5").keras_version or "unknown"}
    except (ValueError, FileNotFoundError):
        return {"keras": "unknown"}


def _start(segment) -> dict:
    """A start of training as segments.json keeps it; its id is that of every import of it."""
    folder = segment.folder
    began = datetime.strptime(folder.began, "%Y_%m_%d_%H_%M_%S").timestamp() if folder.began else None
    name = f"mv-temporal-rgan/{folder.model}/{folder.data}/{folder.began or folder.path.name}/{segment.before}"
    return {
        "id": uuid.uuid5(uuid.NAMESPACE_URL, name).hex,
        "step": segment.first_step,
        "time": began,
        "host": "unknown",
        "config": segment.config.to_dict(),
        "versions": {},
        "imported": {"folder": folder.path.name, "goes on with": folder.parent, "epochs": segment.epochs},
        "settings": segment.row,
    }


def _rows(segment):
    """The rows of metrics.csv that a start of training wrote."""
    log = segment.folder.log
    for row in log.rows if log.header else logs.gap(segment.folder.epochs):
        if segment.holds(row["epoch"]):
            batch = row["batch"] if row["batch"] == row["batch"] else None
            yield {"step": segment.step(row["epoch"], batch), **logs.ours(row)}


def _keep_originals(run, folders):
    """The tables as they were, and pictures that were set aside."""
    for folder in folders:
        into = run.path / "ancestor" / folder.path.name
        into.mkdir(parents=True)
        for path in (folder.path / "init.csv", folder.path / "log.csv", *folder.path.glob("img/*.bak")):
            if path.is_file() and not path.is_symlink():
                shutil.copyfile(path, into / path.name)


def _copy_pictures(run, segments) -> list[Path]:
    """The sheets of samples, by step. Those that cannot be opened, or from whose epochs nothing goes on, stay apart."""
    folders = dict.fromkeys(segment.folder for segment in segments)
    found = [(folder, *picture) for folder in folders for picture in folder.pictures.items()]
    copied = []
    for folder, epoch, path in tqdm(found, desc="pictures", disable=len(found) < 50):
        segment = next((s for s in segments if s.folder is folder and s.holds(epoch)), None)
        if segment and _whole(path):
            copied.append(run.folder("samples") / f"step-{segment.step(epoch):07d}.png")
            shutil.copyfile(path, copied[-1])
        else:
            shutil.copyfile(path, run.path / "ancestor" / folder.path.name / path.name)
    return copied


def _whole(path) -> bool:
    try:
        with Image.open(path) as image:
            image.verify()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
    return True


def _write_networks(run, planned):
    """The checkpoint, and the sheet made again: as numbers in samples/, as a picture in figures/."""
    step, rebuilt = planned.step, planned.rebuilt
    arrays = run.folder("checkpoints") / f"step-{step:07d}.npz"
    checkpoint.write(arrays, rebuilt.arrays, step=step, validation_mmd2=None)
    known = run.data
    classes = tuple(known["classes"])
    blank = SeriesSet(np.zeros((1, *known["shape"]), np.float32), classes=classes, image=tuple(known["image"]))
    labels = sheet.fixed_noise(1, len(classes), 1)[1].get("label")
    made = Codec.from_json(known["codec"], blank).decode(rebuilt.samples, labels)
    dataclasses.replace(made, features=tuple(known["features"])).save(run.folder("samples") / f"step-{step:07d}.npz")
    plots.save(sheet.drawn(rebuilt.samples, len(classes)), run.folder("figures") / "sheet.png", dpi=200, vector=False)


def _draw(run, pictures):
    """Loss curves, and how the samples came to be."""
    figures = run.folder("figures")
    if run.metrics().get("step"):
        plots.save(plots.losses(run.metrics()), figures / "losses.png")
    if pictures:
        chosen = sorted(pictures)
        some = np.unique(np.linspace(0, len(chosen) - 1, FRAMES).round().astype(int))
        plots.gif([chosen[i] for i in some], figures / "samples.gif")
