"""What all views share: a picture that controls redraw, and that picture alone where no page can show controls."""

import base64
import html
import sys

import ipywidgets
from IPython import get_ipython

from rcgan_nb import plots
from rcgan_nb.plots.base import in_page

MADE = "application/vnd.jupyter.widget-view+json"
CELL = 108  # pixels of a cell of `plots.tiles`


def live() -> bool:
    """Whether a page waits for this cell. Pages send a cell with its id, papermill and nbconvert send it without."""
    shell = get_ipython()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return "cellId" in parent.get("metadata", {}) or "google.colab" in sys.modules


def menu(description, options):
    return ipywidgets.Dropdown(description=description, options=options)


class Picture(ipywidgets.HTML):
    """A figure on the page."""

    def show(self, figure, *, exact=False):
        self.show_bytes(plots.png(figure, exact=exact), figure.alt)

    def show_bytes(self, data, alt):
        """Show a picture that is there already, with what it shows in words."""
        self.data, self.alt = data, alt
        self.value = in_page(data, alt)


class Cells:
    """Transparent buttons that lie exactly over the cells of a picture of `plots.tiles`.

    Attributes:
        buttons: row by row.
    """

    def __init__(self, rows, columns, act):
        """act(place) is called for a click."""
        self.rows, self.columns = rows, columns
        self.buttons = [self._button(place, act) for place in range(rows * columns)]

    def _button(self, place, act):
        row, column = divmod(place, self.columns)
        area = f"{row + 1} / {column + 1} / {row + 2} / {column + 2}"
        button = ipywidgets.Button(layout={"grid_area": area, "width": "auto", "height": "auto"})
        button.style.button_color = "transparent"
        button.on_click(lambda _: act(place))
        return button

    def over(self, picture):
        """The picture with the buttons over it."""
        picture.layout.grid_area = "1 / 1 / -1 / -1"
        sides = {"columns": self.columns, "rows": self.rows}
        layout = {f"grid_template_{name}": f"repeat({count}, {CELL}px)" for name, count in sides.items()}
        return ipywidgets.GridBox([picture, *self.buttons], layout=layout)

    def name(self, names):
        """Say what lies in the first cells; there is nothing in the others."""
        for place, button in enumerate(self.buttons):
            button.disabled = place >= len(names)
            button.tooltip = "" if button.disabled else names[place]


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
        data["text/html"] = self.picture.value  # as pages made by nbconvert drop the words of a bare picture
        data["image/png"] = base64.b64encode(self.picture.data).decode()
        return data, {"image/png": {"alt": self.picture.alt}}
