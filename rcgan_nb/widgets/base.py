"""What all views share: a picture that controls redraw, and that picture alone where no page can show controls."""

import base64
import html
import sys

import ipywidgets
from IPython import get_ipython

from rcgan_nb import plots

MADE = "application/vnd.jupyter.widget-view+json"


def live() -> bool:
    """Whether a page waits for this cell. Pages send a cell with its id, papermill and nbconvert send it without."""
    shell = get_ipython()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return "cellId" in parent.get("metadata", {}) or "google.colab" in sys.modules


def image(data, alt) -> str:
    """A picture's bytes as HTML; nothing is fetched for it."""
    shown = base64.b64encode(data).decode()
    return f'<img alt="{html.escape(alt, quote=True)}" style="max-width: 100%" src="data:image/png;base64,{shown}">'


class Picture(ipywidgets.HTML):
    """A figure on the page."""

    def show(self, figure, *, exact=False):
        self._show(plots.png(figure, exact=exact), figure.alt)

    def show_file(self, path, alt):
        self._show(path.read_bytes(), alt)

    def _show(self, data, alt):
        self.data, self.alt = data, alt
        self.value = image(data, alt)


class View(ipywidgets.VBox):
    """Controls above what they change. Printed, converted or run by papermill it is its picture.

    Attributes:
        picture: a Picture, which stands for the view where there are no controls.
        said: one line on what is shown and what was left out.
    """

    def __init__(self, controls, picture, *below):
        self.picture, self.said = picture, ipywidgets.HTML()
        bar = ipywidgets.Box(controls, layout={"flex_flow": "row wrap", "align_items": "center"})
        super().__init__([bar, self.said, picture, *below])

    def say(self, text):
        self.said.value = html.escape(text)

    def _repr_mimebundle_(self, **options):
        data = super()._repr_mimebundle_(**options) if live() else {"text/plain": self.said.value}
        data["image/png"] = base64.b64encode(self.picture.data).decode()
        return data, {"image/png": {"alt": self.picture.alt}}
