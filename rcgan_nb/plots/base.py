"""What all figures share: their style, and how they are kept."""

from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import seaborn

seaborn.set_theme(style="ticks", context="notebook", palette="colorblind", rc={"pdf.fonttype": 42})


def done(figure, alt):
    """Close the figure, so that a notebook shows it once: as the value of its cell, and `alt` to who cannot see it."""
    plt.close(figure)
    figure.alt = alt
    figure._repr_mimebundle_ = partial(_described, alt)
    return figure


def _described(alt, **_):
    """What IPython adds to the picture that it makes itself."""
    return {}, {"image/png": {"alt": alt}}


def save(figure, path, dpi=150, *, vector=True):
    """Write a figure as a picture that says in words what it shows, and as a PDF of lines beside it; return it.

    Args:
        path: of the .png. vector: whether there shall be a PDF; its letters stay text.
    """
    alt = getattr(figure, "alt", "")  # somebody's own figure has none
    figure.savefig(path, dpi=dpi, bbox_inches="tight", metadata={"Description": alt})
    if vector:
        figure.savefig(Path(path).with_suffix(".pdf"), bbox_inches="tight", metadata={"Title": alt})
    return figure


def gif(pictures, path, milliseconds=250):
    """Write picture files, in order, as an animation whose last picture stays for two seconds.

    Large ones are made smaller: an animation holds all of them in memory.
    """
    from PIL import Image

    frames = []
    for picture in pictures:
        with Image.open(picture) as image:
            image.thumbnail((1000, 1000))
            frames.append(image.convert("P", palette=Image.Palette.ADAPTIVE))
    times = [milliseconds] * (len(frames) - 1) + [2000]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=times, loop=0)
    return path
