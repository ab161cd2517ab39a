"""Series out of a trained run."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from rcgan_nb import plots, series
from rcgan_nb.archive import checkpoint
from rcgan_nb.archive import run as archive
from rcgan_nb.config import GenerateConfig
from rcgan_nb.data import load, tables
from rcgan_nb.data.codec import Codec, held
from rcgan_nb.series import SeriesSet, without_labels


def generate(run="latest", *, count=None, labels=None, like=None, seed=0, which="last") -> SeriesSet:
    """Draw synthetic series in original units.

    Args:
        run: a Run, its name or path, or 'latest'.
        count: number of series, with the label mix of the training part; by default as many as there were, with
            exactly their labels.
        labels: instead of count, the classes to draw, names or indices, one per series.
        like: instead of both, a SeriesSet whose labels, static vectors and conditions are used, one series for each.
        seed: equal seeds give equal series.
        which: 'last' or 'best' checkpoint.
    Returns: series with the labels, static vectors and conditions that each was made for. Where `like` does not give
        them, static vectors and conditions are those of training series with the label, together.
    Raises: FileNotFoundError: no such run, or no whole checkpoint; ValueError: conditions that the run does not know,
        or its data are not the same any more.
    """
    run = run if isinstance(run, archive.Run) else archive.find(run)
    wanted = whom(run, count=count, labels=labels, seed=seed) if like is None else _alike(run.data, like, count, labels)
    _codec(run).conditions(wanted)  # wrong ones are told before the networks are built
    gan = networks(run, which)
    return drawn(run, gan, gan.noise(len(wanted), seed), wanted)


def drawn(run, gan, noise, wanted) -> SeriesSet:
    """Series in original units that a run's networks make of given noise.

    Args:
        gan: of `networks`. noise: float32 `(n, seq_len, latent_dim)`.
        wanted: n series, whose labels, static vectors and conditions are used (see `whom`).
    """
    facts, codec = run.data, _codec(run)
    made = codec.decode(gan.generate(noise, codec.conditions(wanted)), wanted.y)
    per_step = None if wanted.conditions is None else held(wanted.conditions, wanted.lengths)  # as the networks saw it
    info = {**facts["summary"], "name": f"synthetic {facts['summary'].get('name', 'series')}", "run": run.name}
    return replace(made, static=wanted.static, conditions=per_step, info=info)


def pictures_of_networks(run) -> list:
    """Figures of a run's generator and discriminator, layer by layer over time, also written into its `figures/`."""
    from rcgan_nb.networks.outline import outline

    gan, figures = networks(run), []
    for player in ("generator", "discriminator"):
        figure = plots.network(outline(getattr(gan, player)), title=f"{player} {getattr(run.config, player)}")
        figures.append(plots.save(figure, run.folder("figures") / f"{player}.png"))
    return figures


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


def conditions(run, path) -> SeriesSet:
    """What `generate` takes as `like`, from a table with a row for each series to draw.

    Its columns are `label`, for a run with classes, and one for each static value, by the names that its data set gave
    them (else `static 0`, `static 1` ...).
    Raises: ValueError: the run takes no such conditions, or a series of them; a column is missing or a cell not usable.
    """
    facts = run.data
    if facts.get("num_conditions", 0):
        raise ValueError("this run takes a condition for every step, which no table holds; give `like` from an .npz.")
    count = facts.get("num_static", 0)
    static = facts["summary"].get("static_names") or [f"static {i}" for i in range(count)]
    if not count and not facts["num_classes"]:
        raise ValueError("this run was trained without labels and static values; ask for a count instead.")
    classes = facts["classes"] if facts["num_classes"] else ()
    return tables.wanted(path, facts["shape"], classes=classes, static=static if count else ())


def export(config: GenerateConfig) -> Path:
    """Draw series and write them as npz, CSV or Parquet, with a provenance file beside them. Returns the file."""
    run = archive.find(config.run)
    if config.conditions and config.label:
        raise ValueError("conditions name the label of each series; leave label empty.")
    chosen = f"like-{Path(config.conditions).stem}" if config.conditions else f"{config.label or 'all'}"
    which = f"{chosen}-{config.checkpoint}{'' if config.conditions else f'-{config.count}'}-seed{config.seed}"
    default = run.path / f"synthetic-{which.replace('/', '_')}.{config.file_format}"
    path = Path(config.output).expanduser() if config.output else default
    if path.suffix != f".{config.file_format}":
        raise ValueError(f"output {path.name} and file_format {config.file_format!r} differ; let them agree.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} into; make it first.")
    if config.conditions:
        whom = {"like": conditions(run, config.conditions)}
    else:
        whom = {"count": config.count, "labels": [config.label] * config.count if config.label else None}
    made = generate(run, **whom, seed=config.seed, which=config.checkpoint)
    write(made, path)
    write_provenance(run, path, config.checkpoint, config.to_dict())
    return path


def write(made: SeriesSet, path):
    """Write series as .npz, or as a table in .csv or .parquet, by the suffix."""
    if path.suffix == ".npz":
        made.save(path)
    elif path.suffix == ".csv":
        tables.to_frame(made).to_csv(path, index=False)
    else:
        tables.to_frame(made).to_parquet(path, index=False)


def written(path) -> SeriesSet:
    """The series of a file that `write` made, however few: `data.load` would split them."""
    return series.read(path) if Path(path).suffix == ".npz" else tables.read(path)


def write_provenance(run, path, which, settings):
    """Beside a file, another that says from which run, checkpoint, settings and data it comes."""
    provenance = {
        "file": path.name,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": settings,
        "run": run.name,
        "checkpoint": run.checkpoint(which).name,
        "training": run.config.to_dict(),
        "data": run.data["summary"] | {"fingerprint": run.data["fingerprint"]},
        "versions": run.read_json("versions.json"),
    }
    path.with_name(path.name + ".provenance.json").write_text(json.dumps(provenance, indent=1) + "\n")


def _blank(facts) -> SeriesSet:
    """One empty series with the names of the training data."""
    return SeriesSet(
        x=np.zeros((1, *facts["shape"]), np.float32),
        classes=tuple(facts["classes"]),
        features=tuple(facts["features"]),
        image=tuple(facts["image"]),
        order=facts["order"],
    )


def _codec(run) -> Codec:
    return Codec.from_json(run.data["codec"], _blank(run.data))


def networks(run, which="last"):
    """The trained networks (an RCGAN), with the weights of a checkpoint, on one device."""
    from rcgan_nb.gan import RCGAN
    from rcgan_nb.networks import Shape

    facts, codec = run.data, _codec(run)
    alone = replace(run.config, num_devices=1)  # whatever machine it was trained on
    gan = RCGAN(alone, Shape(**codec.sizes(facts["num_classes"])))
    arrays, _ = checkpoint.read(run.checkpoint(which))
    checkpoint.assign(gan.variables(), arrays)
    return gan


def _alike(facts, like, count, labels) -> SeriesSet:
    """`like` with the run's own label indices; its static vectors and conditions are checked by the codec."""
    if count is not None or labels is not None:
        raise ValueError("like says which series to draw; give it without count and labels.")
    if not any(facts.get(name) for name in ("num_classes", "num_static", "num_conditions")):
        raise ValueError("this run was trained without labels, static vectors and conditions; ask for a count instead.")
    if (like.y is None) != (not facts["num_classes"]):
        came, known = ("without", "with") if like.y is None else ("with", "without")
        raise ValueError(
            f"like comes {came} labels, but this run was trained {known}; give the same kinds of condition."
        )
    if like.y is None:
        return like
    y = _labels(facts, None, [like.classes[label] for label in like.y], 0)
    return replace(like, y=y, classes=tuple(facts["classes"]))


def whom(run, *, count=None, labels=None, seed=0) -> SeriesSet:
    """A series for each to draw, with its label and, from the training part, its static vector and conditions.

    Args: as `generate`.
    """
    facts, blank = run.data, _codec(run).blank
    y = _labels(facts, count, labels, seed)
    if facts.get("num_static", 0) or facts.get("num_conditions", 0):
        train = training_data(run).part("train")
        return train.take(_rows(train, y, seed))
    x = np.broadcast_to(blank.x, (len(y), *blank.x.shape[1:]))
    return replace(blank, x=x, y=y if facts["num_classes"] else None)


def _rows(train, y, seed) -> np.ndarray:
    """A random training series for each label; none comes again before all others of its label have come."""
    random = np.random.default_rng([seed, 12])
    of_train = np.zeros(len(train), np.int32) if train.y is None else train.y
    rows = np.empty(len(y), np.int64)
    for label in np.unique(y):
        places, known = np.flatnonzero(y == label), np.flatnonzero(of_train == label)
        if not len(known):
            raise ValueError(
                f"no training series has the label {train.classes[label]!r}, so there are no conditions to draw; "
                "give them by `like`."
            )
        rounds = [random.permutation(known) for _ in range(-(-len(places) // len(known)))]
        rows[places] = np.concatenate(rounds)[: len(places)]
    return rows


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
