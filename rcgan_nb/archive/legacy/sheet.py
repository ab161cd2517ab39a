"""The old program's sheet of samples from fixed noise, made again: it proves that an imported generator is the old one.

After every epoch it drew the same noise, `np.random.seed(42)` and `np.random.normal`, and plotted it with matplotlib:
without classes 16 vectors, 4 x 4 panels; else 5 vectors for every class, a column per class. Each panel has its own
range of grey.
"""

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

SEED, SIDE = 42, 28
AGREES = 0.95  # correlation of pixels, mean over panels


def fixed_noise(latent_dim, num_classes, steps):
    """Noise `(n, steps, latent_dim)` as our generators take it, the vector at every step, and its conditions."""
    random = np.random.RandomState(SEED)
    vectors = random.normal(size=(5 if num_classes else 16, latent_dim)).astype(np.float32)
    conditions = {}
    if num_classes:
        conditions["label"] = np.repeat(np.arange(num_classes, dtype=np.int32), len(vectors))
        vectors = np.tile(vectors, (num_classes, 1))
    return np.repeat(vectors[:, None], steps, axis=1), conditions


def drawn(pictures, num_classes) -> Figure:
    """The sheet, panels in the old order and place: class by class downwards, or row by row."""
    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        figure = Figure()
        rows, columns = (5, num_classes) if num_classes else (4, 4)
        axes = figure.subplots(rows, columns, squeeze=False)
        for k, picture in enumerate(pictures):
            axis = axes[k % rows, k // rows] if num_classes else axes[k // columns, k % columns]
            axis.imshow(picture, cmap="gray")
            if not num_classes or k % rows == 0:
                axis.set_title(str(k // rows if num_classes else k + 1))
            axis.set_axis_off()
        figure.tight_layout()
        figure.canvas.draw()  # panels take their places
    return figure


def agreement(path, pictures, num_classes) -> float:
    """How much the panels of a picture file look like these pictures: mean correlation of pixels, 1 at most.

    Raises: ValueError: the file is no whole picture.
    """
    panels = _panels(path, drawn(pictures, num_classes))
    return float(np.mean([_correlation(a, b) for a, b in zip(panels, _in_order(pictures, num_classes), strict=True)]))


def _in_order(pictures, num_classes):
    """The pictures as matplotlib counts panels: row by row."""
    if not num_classes:
        return pictures
    return pictures.reshape(num_classes, -1, *pictures.shape[1:]).swapaxes(0, 1).reshape(pictures.shape)


def _panels(path, figure) -> np.ndarray:
    """What the file shows where this figure has its panels, `(n, 28, 28)`."""
    try:
        with Image.open(path) as image:
            grey = image.convert("L")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is not a whole picture ({error}).") from error
    found = []
    for axis in figure.axes:
        left, bottom, right, top = axis.get_position().extents
        box = (left * grey.width, (1 - top) * grey.height, right * grey.width, (1 - bottom) * grey.height)
        found.append(np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX, box=box), np.float64))
    return np.stack(found)


def _correlation(a, b) -> float:
    a, b = a - a.mean(), b - b.mean()
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return float((a * b).sum() / norms) if norms else float(np.allclose(a, b))
