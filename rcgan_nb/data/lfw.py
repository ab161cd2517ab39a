"""Labelled Faces in the Wild, read by scikit-learn."""

import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rcgan_nb import paths
from rcgan_nb.data.download import fetch
from rcgan_nb.series import SeriesSet, encode, split

URL = "https://ndownloader.figshare.com/files/5976015"
SHA256 = "b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a"
SIDE = 125  # of the square cut from the middle of a 250 x 250 picture


def lfw(*, image_size=0, min_faces_per_person=0) -> SeriesSet:
    """13,233 faces of 5,749 persons, grey, 28 x 28 pixels of 0 to 255 unless image_size says otherwise.

    Without min_faces_per_person there are no labels and whole persons go to one part. With it, the persons who have so
    many pictures are the classes, and each person's own pictures are split. The person is the group either way.
    Source: Huang et al. 2007, University of Massachusetts technical report 07-49. No open licence: research only.
    """
    from sklearn.datasets import fetch_lfw_people

    size = image_size or 28
    middle = slice(125 - SIDE // 2 - 1, 125 + SIDE // 2)
    with _home_for_reader(_pictures()) as home:
        bunch = fetch_lfw_people(
            data_home=home,
            slice_=(slice(70, 70 + SIDE), middle),
            resize=(size + 0.01) / SIDE,  # scikit-learn cuts the product to an integer
            min_faces_per_person=min_faces_per_person,
            download_if_missing=False,
        )
    persons = bunch.target_names[bunch.target]
    y, classes = encode(persons) if min_faces_per_person else (None, ())
    return SeriesSet(
        x=(bunch.images * 255).astype(np.float32),
        y=y,
        groups=persons,
        split=split(len(persons), labels=y, groups=persons),
        classes=classes,
        image=bunch.images.shape[1:],
        features=tuple(f"column {i}" for i in range(size)),
        info={"name": "lfw", "source": "Labelled Faces in the Wild, Huang et al. 2007", "licence": "research only"},
    )


def _pictures() -> Path:
    """The folder of pictures, a folder per person, fetched and unpacked if it is not there."""
    home = paths.data() / "lfw_home"
    if not (home / "lfw_funneled").is_dir():
        packed = fetch(home / "lfw-funneled.tgz", URL, f"sha256:{SHA256}")
        # Unpacked elsewhere first, so that an extraction cut short is not taken for the whole.
        with tempfile.TemporaryDirectory(dir=home) as partial, tarfile.open(packed) as archive:
            archive.extractall(partial, filter="data")
            (Path(partial) / "lfw_funneled").rename(home / "lfw_funneled")
    return home / "lfw_funneled"


@contextmanager
def _home_for_reader(pictures):
    """A folder as scikit-learn wants it, pointing at the pictures.

    Its reader also asks for lists of pairs that it does not use for people, and keeps a cache beside the pictures that
    does not notice new ones: here both lie in a folder that goes away, and the user's own may be read-only.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "lfw_home"
        home.mkdir()
        (home / "lfw_funneled").symlink_to(pictures.resolve(), target_is_directory=True)
        for name in ("pairs.txt", "pairsDevTrain.txt", "pairsDevTest.txt"):
            (home / name).touch()
        yield folder
