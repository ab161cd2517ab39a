"""Labelled Faces in the Wild, read by scikit-learn."""

import tarfile

import numpy as np

from rcgan_nb import paths
from rcgan_nb.data.download import fetch
from rcgan_nb.series import SeriesSet, encode, split

_FIGSHARE = "https://ndownloader.figshare.com/files/"
ARCHIVE = (
    "lfw-funneled.tgz",
    "5976015",
    "b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a",
)
# scikit-learn's reader wants these beside the pictures, although it does not use them for people.
PAIRS = (
    ("pairsDevTrain.txt", "5976012", "1d454dada7dfeca0e7eab6f65dc4e97a6312d44cf142207be28d688be92aabfa"),
    ("pairsDevTest.txt", "5976009", "7cb06600ea8b2814ac26e946201cdb304296262aad67d046a16a7ec85d0ff87c"),
    ("pairs.txt", "5976006", "ea42330c62c92989f9d7c03237ed5d591365e89b3e649747777b70e692dc1592"),
)
SIDE = 125  # of the square cut from the middle of a 250 x 250 picture


def lfw(*, image_size=0, min_faces_per_person=0) -> SeriesSet:
    """13,233 faces of 5,749 persons, grey, 28 x 28 pixels of 0 to 255 unless image_size says otherwise.

    Without min_faces_per_person there are no labels and whole persons go to one part. With it, the persons who have so
    many pictures are the classes, and each person's own pictures are split. The person is the group either way.
    Source: Huang et al. 2007, University of Massachusetts technical report 07-49. No open licence: research only.
    """
    from sklearn.datasets import fetch_lfw_people

    _fetch(paths.data() / "lfw_home")
    size = image_size or 28
    middle = slice(125 - SIDE // 2 - 1, 125 + SIDE // 2)
    bunch = fetch_lfw_people(
        data_home=paths.data(),
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


def _fetch(home):
    for name, number, sha256 in PAIRS:
        fetch(home / name, _FIGSHARE + number, f"sha256:{sha256}")
    if not (home / "lfw_funneled").is_dir():
        name, number, sha256 = ARCHIVE
        packed = fetch(home / name, _FIGSHARE + number, f"sha256:{sha256}")
        with tarfile.open(packed) as archive:
            archive.extractall(home, filter="data")
        packed.unlink()
