"""What all figures share: their style, and how they are shown and kept."""

import base64
import html
import io
from functools import partial
from pathlib import Path

import seaborn
from matplotlib.figure import Figure

seaborn.set_theme(style="ticks", context="notebook", palette="colorblind", rc={"pdf.fonttype": 42})


def subplots(rows=1, columns=1, *, figsize, layout=None, **options):
    """As pyplot's, but of a figure that nobody keeps: threads may draw at once, and nothing has to be closed."""
    figure = Figure(figsize=figsize, layout=layout)
    return figure, figure.subplots(rows, columns, **options)


def done(figure, alt):
    """The figure, which a notebook shows as the value of its cell, and tells in words to who cannot see it."""
    figure.alt = alt
    figure._repr_mimebundle_ = partial(_shown, figure)
    return figure


def blank(text):
    """A figure of words alone, where there is nothing to draw."""
    figure = Figure(figsize=(0.09 * len(text) + 0.3, 0.5))
    figure.text(0.02, 0.4, text, fontsize="small")
    return done(figure, text)


def _shown(figure, **_):
    """As a picture, and as HTML, which JupyterLab prefers: of a picture it leaves the words out."""
    data, alt = png(figure), figure.alt
    shown = {"text/html": in_page(data, alt), "image/png": base64.b64encode(data).decode(), "text/plain": alt}
    return shown, {"image/png": {"alt": alt}}


def in_page(data, alt, kind="png") -> str:
    """The bytes of a picture as HTML, with words in its place for who cannot see it."""
    address = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return f'<img alt="{html.escape(alt, quote=True)}" style="max-width: 100%" src="{address}">'


def png(figure, *, exact=False) -> bytes:
    """A figure as the bytes of a picture, without its empty border unless `exact`."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=90, bbox_inches=None if exact else "tight")
    return file.getvalue()


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
