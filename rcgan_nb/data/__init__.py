"""Data sets by name: `load(name) -> SeriesSet`. A new set is a function and a line in SETS."""

import dataclasses
import inspect
from pathlib import Path

from rcgan_nb import paths, series
from rcgan_nb.config import ORDERS, did_you_mean
from rcgan_nb.data import eicu, images, lfw, mimic, physionet, synthetic, tables
from rcgan_nb.data import tails as _  # noqa: F401  its scaling stands among the others wherever a set is read
from rcgan_nb.series import SeriesSet

SETS = {
    "digits": images.digits,
    "eicu": eicu.eicu,
    "fashion": images.fashion,
    "lfw": lfw.lfw,
    "mimic3": mimic.mimic3,
    "mimic3-demo": mimic.mimic3_demo,
    "mnist": images.mnist,
    "mnist3": images.mnist3,
    "physionet2012": physionet.physionet2012,
    "sines": synthetic.sines,
    "sines5": synthetic.sines5,
    "smooth": synthetic.smooth,
}
FILES = (".npz", ".csv", ".parquet")


def load(
    dataset: str, *, image_size=0, image_order="rows", min_faces_per_person=0, seq_len=0, stride=0, variables=""
) -> SeriesSet:
    """Load a data set with its fixed split into train, validation and test parts.

    Args:
        dataset: a name of SETS, the name of a prepared set, or the path of an .npz, .csv or .parquet file.
        image_size: side in pixels to which pictures are reduced; 0 keeps their own.
        image_order: whether a step is a row, a column or a pixel.
        min_faces_per_person: lfw only; label by person, keeping persons with so many pictures.
        seq_len, stride: tables only; window length and the distance between windows, in steps.
        variables: clinical sets only; names separated by commas, or that of a group; empty takes all.
    Raises:
        ValueError: unknown name, altered file, values that are not usable.
        FileNotFoundError: the files are not there and cannot be fetched.
    """
    if image_order not in ORDERS:
        raise ValueError(f"image_order {image_order!r} is not known; Known: {', '.join(ORDERS)}.")
    options = {"image_size": image_size, "min_faces_per_person": min_faces_per_person}
    options |= {"seq_len": seq_len, "stride": stride, "variables": variables}
    path = Path(dataset).expanduser()
    if dataset in SETS:
        s = SETS[dataset](**_taken(dataset, options, inspect.signature(SETS[dataset]).parameters))
    elif path.suffix in FILES:
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}; paths are taken from the folder where you started.")
        if path.suffix == ".npz":
            _taken(dataset, options, ())
            s = _with_split(series.read(path))
        else:
            s = _with_split(tables.splittable(tables.read(path, **_taken(dataset, options, ("seq_len", "stride")))))
    elif dataset and path.name == dataset and paths.prepared(dataset).exists():
        _taken(dataset, options, ())
        s = series.read(paths.prepared(dataset))
    else:
        raise ValueError(_unknown(dataset))
    return as_series(s, image_order)


def _taken(dataset, options, takes) -> dict:
    """Those options that the data set takes; others must not have been set."""
    for option, value in options.items():
        if value and option not in takes:
            raise ValueError(f"{option} means nothing to the data set {dataset!r}; leave it out.")
    return {option: value for option, value in options.items() if option in takes}


def _unknown(dataset) -> str:
    prepared = sorted(path.stem for path in (paths.runs() / "prepared").glob("*.npz"))
    known = [*SETS, *prepared]
    return (
        f"dataset {dataset!r} is not known; {did_you_mean(dataset, known)}Known: {', '.join(known)}. "
        "Your own: give a path to an .npz, .csv or .parquet file."
    )


def _with_split(s: SeriesSet) -> SeriesSet:
    """Give a user's set the standard split: by group where groups are given, else by label."""
    if s.split is not None:
        return s
    labels = None if s.groups is not None else s.y
    return dataclasses.replace(s, split=series.split(len(s), labels=labels, groups=s.groups))


def pair(s: SeriesSet, other: str, **options) -> tuple[SeriesSet, SeriesSet]:
    """Two sets to compare: s and the set named `other`, or, where that is empty, s's training and validation parts.

    Args:
        options: as `load` takes them; for files and prepared sets, which stay as they are, none is used.
    Raises: ValueError: the two have other steps or features.
    """
    if not other:
        return s.part("train"), s.part("validation")
    second = load(other, **options) if other in SETS else load(other)
    if second.x.shape[1:] != s.x.shape[1:]:
        raise ValueError(f"the sets have (steps, features) {s.x.shape[1:]} and {second.x.shape[1:]}; they must agree.")
    return s, second


def as_series(pictures: SeriesSet, order: str) -> SeriesSet:
    """Read pictures, loaded by rows, by columns or pixel by pixel instead."""
    if order == "rows":
        return pictures
    if not pictures.image or pictures.scaling or pictures.order != "rows":
        raise ValueError(f"image_order {order!r} needs a set of pictures read by rows; leave it at 'rows'.")
    if pictures.conditions is not None:
        raise ValueError(
            f"image_order {order!r} changes what a step is, but the set has conditions for each; use 'rows'."
        )
    n, height, width = pictures.x.shape
    x = pictures.x.transpose(0, 2, 1) if order == "columns" else pictures.x.reshape(n, height * width, 1)
    return dataclasses.replace(pictures, x=x, order=order, features=())
