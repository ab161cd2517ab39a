"""Views for a page: controls over the library's figures, which are plain figures where no page is there."""

from rcgan_nb.widgets.browser import browser
from rcgan_nb.widgets.explorer import explorer
from rcgan_nb.widgets.latent import latent
from rcgan_nb.widgets.panel import panel

__all__ = ["browser", "explorer", "latent", "panel"]
