"""The three data sets of the old program, and what a run of ours keeps of them.

It trained on the publisher's whole training part (60,000 pictures of mnist and fashion, of which ours keeps 15 % for
validation), so that an imported run has seen our validation part; the test part it has not. It recorded no fingerprint.
"""

from dataclasses import dataclass

import numpy as np

from rcgan_nb.data import images, scaling
from rcgan_nb.data.codec import Codec
from rcgan_nb.series import SeriesSet

SIDE = 28
GREY = 127.5  # pixels x became (x - 127.5) / 127.5


@dataclass(frozen=True)
class Known:
    """A data set: our name for it, its number of series, and of series in each class."""

    dataset: str
    series: int
    classes: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()


SETS = {
    "mnist": Known("mnist", 60000, tuple("0123456789"), (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)),
    "fashion": Known("fashion", 60000, images.CLOTHES, (6000,) * 10),
    "faces": Known("lfw", 13233),
}


def facts(data, num_classes) -> dict:
    """The data.json of a run on one of SETS; of another set only the number of classes is known.

    Args:
        num_classes: 0 for an RGAN, which sees no labels.
    """
    known = SETS.get(data, Known(data, 0))
    classes = known.classes if len(known.classes) == num_classes else tuple(map(str, range(num_classes)))
    counts = known.counts if len(known.counts) == num_classes else (1,) * num_classes
    features = tuple(f"column {i}" for i in range(SIDE))
    blank = SeriesSet(np.zeros((1, SIDE, SIDE), np.float32), classes=classes, features=features, image=(SIDE, SIDE))
    grey = np.full((1, 1, 1), GREY)
    codec = Codec([scaling.Affine(grey, grey)], None, False, False, np.zeros(SIDE), None, None, blank)
    parts = {"train": known.series, "validation": 0, "test": 0}
    labels = {"classes": num_classes} if num_classes else {}
    return {
        "summary": {"name": known.dataset, "series": known.series, "steps": SIDE, "features": SIDE, **labels, **parts},
        "shape": [SIDE, SIDE],
        "classes": list(classes),
        "num_classes": num_classes,
        "num_static": 0,
        "num_conditions": 0,
        "label_counts": list(counts),
        "features": list(features),
        "image": [SIDE, SIDE],
        "order": "rows",
        "codec": codec.to_json(),
        "fingerprint": "",
    }
