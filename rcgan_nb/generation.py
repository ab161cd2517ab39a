"""Series out of a trained run."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from rcgan_nb.archive import checkpoint
from rcgan_nb.archive import run as archive
from rcgan_nb.config import GenerateConfig
from rcgan_nb.data import load, tables
from rcgan_nb.data.codec import Codec
from rcgan_nb.series import SeriesSet, without_labels


def generate(run="latest", *, count=None, labels=None, seed=0, which="last") -> SeriesSet:
    """Draw synthetic series in original units.

    Args:
        run: a Run, its name or path, or 'latest'.
        count: number of series, with the label mix of the training part; by default as many as there were, with
            exactly their labels.
        labels: instead of count, the classes to draw, names or indices, one per series.
        seed: equal seeds give equal series.
        which: 'last' or 'best' checkpoint.
    Raises: FileNotFoundError: no such run, or no whole checkpoint; ValueError: a class that the run does not know.
    """
    from rcgan_nb.gan import RCGAN
    from rcgan_nb.networks import Shape

    run = run if isinstance(run, archive.Run) else archive.find(run)
    facts = run.data
    codec = Codec.from_json(facts["codec"], _blank(facts))
    y = _labels(facts, count, labels, seed)
    gan = RCGAN(run.config, Shape(**codec.sizes(facts["shape"][0], facts["num_classes"])))
    arrays, _ = checkpoint.read(run.checkpoint(which))
    checkpoint.assign(gan.variables(), arrays)
    made = codec.decode(
        gan.generate(gan.noise(len(y), seed), {"label": y} if facts["num_classes"] else {}),
        y if facts["num_classes"] else None,
    )
    return replace(
        made, info={**facts["summary"], "name": f"synthetic {facts['summary'].get('name', 'series')}", "run": run.name}
    )


def training_data(run) -> SeriesSet:
    """The data set a run was trained on, loaded again.

    Raises: ValueError: it is not the same data any more.
    """
    data = load(**run.config.load_arguments())
    if data.fingerprint() != run.data["fingerprint"]:
        raise ValueError(
            f"the data set {run.config.dataset!r} is not what run {run.name} was trained on (its fingerprint differs); "
            "judge the run with the data it saw, or train anew."
        )
    return data if run.data["num_classes"] else without_labels(data)


def export(config: GenerateConfig) -> Path:
    """Draw series and write them as npz, CSV or Parquet, with a provenance file beside them. Returns the file."""
    run = archive.find(config.run)
    which = f"{config.label or 'all'}-{config.checkpoint}-{config.count}-seed{config.seed}"
    default = run.path / f"synthetic-{which.replace('/', '_')}.{config.file_format}"
    path = Path(config.output).expanduser() if config.output else default
    if path.suffix != f".{config.file_format}":
        raise ValueError(f"output {path.name} and file_format {config.file_format!r} differ; let them agree.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} into; make it first.")
    label = [config.label] * config.count if config.label else None
    made = generate(run, count=config.count, labels=label, seed=config.seed, which=config.checkpoint)
    if config.file_format == "npz":
        made.save(path)
    elif config.file_format == "csv":
        tables.to_frame(made).to_csv(path, index=False)
    else:
        tables.to_frame(made).to_parquet(path, index=False)
    used = run.checkpoint(config.checkpoint)
    provenance = {
        "file": path.name,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": config.to_dict(),
        "run": run.name,
        "checkpoint": used.name,
        "training": run.config.to_dict(),
        "data": run.data["summary"] | {"fingerprint": run.data["fingerprint"]},
        "versions": run.read_json("versions.json"),
    }
    path.with_name(path.name + ".provenance.json").write_text(json.dumps(provenance, indent=1) + "\n")
    return path


def _blank(facts) -> SeriesSet:
    """One empty series with the names of the training data."""
    return SeriesSet(
        x=np.zeros((1, *facts["shape"]), np.float32),
        classes=tuple(facts["classes"]),
        features=tuple(facts["features"]),
        image=tuple(facts["image"]),
        order=facts["order"],
    )


def _labels(facts, count, labels, seed) -> np.ndarray:
    """A label index for each series to draw."""
    classes, counts = facts["classes"], np.array(facts["label_counts"])
    if labels is not None:
        if not facts["num_classes"]:
            raise ValueError("this run was trained without labels; ask for a count instead.")
        unknown = sorted({str(v) for v in labels if not isinstance(v, (int, np.integer)) and v not in classes})
        if unknown:
            raise ValueError(f"label {unknown[0]!r} is not known to this run; known: {', '.join(classes)}.")
        y = np.array([v if isinstance(v, (int, np.integer)) else classes.index(v) for v in labels], np.int32)
        if not len(y) or y.min() < 0 or y.max() >= len(classes):
            raise ValueError(f"labels must be some of {', '.join(classes)} or 0 to {len(classes) - 1}; got {labels}.")
        return y
    count = facts["summary"]["train"] if count is None else count
    if count < 1:
        raise ValueError(f"count must be at least 1, but {count!r} came.")
    if not facts["num_classes"]:
        return np.zeros(count, np.int32)
    whole, rest = divmod(count, counts.sum())
    rows = np.repeat(np.arange(len(counts)), counts)
    extra = np.random.default_rng([seed, 11]).choice(rows, rest, replace=False)
    return np.sort(np.concatenate([np.tile(rows, whole), extra])).astype(np.int32)
