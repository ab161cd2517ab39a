"""A real JupyterLab in a real browser: notebooks opened, run to their end and looked at as a user does."""

import contextlib
import json
import os
import shutil
import time
from pathlib import Path

import nbformat
import pytest
from runtime_servers import CLONE, TOKEN, JupyterServer
from servers import until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SIZE = {"width": 1300, "height": 1200}
PATIENCE = 300_000  # milliseconds that a page may take for anything
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
# All cells are on the page at once, and no news are asked for.
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


class Lab:
    """JupyterLab and a browser before it. Pictures of pages go to RCGAN_SCREENSHOTS, where that is set."""

    def __init__(self, folder, browser):
        settings = folder / "settings"
        for name, values in SETTINGS.items():
            path = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        self.server = JupyterServer(folder, f"--LabApp.user_settings_dir={settings}", program="jupyterlab")
        self.browser, self.pictures = browser, Path(os.environ.get("RCGAN_SCREENSHOTS") or folder / "pictures")
        self.pictures.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def opened(self, name, /, **parameters):
        """A notebook of ours on the page, with these values in its parameters cell."""
        book = nbformat.read(CLONE / "notebooks" / f"{name}.ipynb", 4)
        cell = next(cell for cell in book.cells if "parameters" in cell.metadata.get("tags", []))
        cell.source += "".join(f"\n{key} = {value!r}" for key, value in parameters.items())
        nbformat.write(book, self.server.root / f"{name}.ipynb")
        page = self.browser.new_page(viewport=SIZE)
        page.set_default_timeout(PATIENCE)
        try:
            yield Page(page, self, name)
        finally:
            page.close()
            for kernel in self.server.kernels():
                self.server.get(f"/api/kernels/{kernel}", "DELETE")


class Page:
    """A notebook in JupyterLab.

    Attributes:
        page: Playwright's. errors: what the browser's console called an error.
    """

    def __init__(self, page, lab, name):
        self.page, self.lab, self.name, self.errors = page, lab, name, []
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        page.goto(f"{lab.server.url}/lab/tree/{name}.ipynb?reset&token={TOKEN}")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.wait_for_selector("text=/Python 3.*Idle/")

    def run_all(self):
        """Choose Run All Cells in the menu; returns when that was."""
        self.page.click(".lm-MenuBar-item:has-text('Run')")
        self.page.click(".lm-Menu-item[data-command='runmenu:run-all']")
        return time.monotonic()

    def wait_for_end(self):
        """Until no cell waits or runs; none may have failed."""
        prompts = "[...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(e => e.textContent)"
        self.page.wait_for_function(f"{prompts}.every(t => /\\d/.test(t)) || {FAILED}.length", timeout=2 * PATIENCE)
        failed = self.page.evaluate(FAILED)
        assert not failed, failed[0]

    def picture(self, start):
        """The picture on the page whose words in its place begin so."""
        return self.page.locator(f".jp-OutputArea img[alt^={json.dumps(start)}]").first

    def pictures(self):
        """The words in place of each picture among the outputs, in order; one without any is an empty text."""
        return self.page.eval_on_selector_all(".jp-OutputArea-output img", "all => all.map(e => e.alt)")

    def keep(self, what):
        self.page.screenshot(path=self.lab.pictures / f"{self.name}-{what}.png")

    def keep_whole(self, what):
        """A picture of all cells, for which the window grows as high as they are together."""
        first, last = (self.page.locator(".jp-Notebook .jp-Cell").nth(k).bounding_box() for k in (0, -1))
        high = last["y"] + last["height"] - first["y"] + 150
        self.page.set_viewport_size({"width": 1300, "height": min(int(high), 16_000)})  # Chromium draws no higher one
        self.page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0")
        self.keep(what)
        self.page.set_viewport_size(SIZE)


def control(page, name, kind):
    """A control by what is written before it."""
    label = page.page.locator(f".jupyter-widgets:has(> label:text-is('{name}')) {kind}")
    return label.first


def changed(picture, act):
    """What a picture was, and that another is there after `act`."""
    before = picture.get_attribute("src")
    act()
    until(lambda: picture.get_attribute("src") != before)


# JupyterLab shows a cell's error as it shows what the cell wrote to standard error.
STDERR = "[...document.querySelectorAll('.jp-OutputArea [data-mime-type$=stderr]')].map(e => e.textContent)"
FAILED = f"{STDERR}.filter(text => text.includes('Traceback (most recent call last)'))"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """One JupyterLab and one browser for all tests of a file."""
    if not CHROMIUM:
        pytest.skip("runs where Chromium is installed (Debian: chromium)")
    api = pytest.importorskip("playwright.sync_api", reason="runs where playwright is installed")
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        found = Lab(tmp_path_factory.mktemp("lab"), browser)
        try:
            yield found
        finally:
            browser.close()
            found.server.stop()
