"""What views cost in a real JupyterLab: the panel's share of training, and how soon a first figure is there.

`python -m benchmarks.pictures` (2 to 6 minutes; needs Chromium and the tests' environment).
"""

import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.common import keep, verdict

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from lab_page import CHROMIUM, QUIET, Lab  # the tests' own JupyterLab and browser

PARTS = ("widgets/base.py", "widgets/panel.py", "plots/base.py", "plots/__init__.py", "monitors", "training.py")
ROUNDS = 3
SHARE, FIRST = 0.03, 10


def panel_share(lab):
    """What the panel says it took of the loop's time in the default run on digits, and the notebook's seconds."""
    with lab.opened("train", run_name="panel") as page:
        begun = page.run_all()
        page.wait_for_end()
        line = page.page.locator(".widget-html:has-text('this panel took')").first.inner_text()
        assert not page.errors, page.errors
        return float(re.search(r"this panel took ([\d.]+)%", line)[1]) / 100, time.monotonic() - begun


def first_figure_seconds(lab):
    """From Run All to the first figure of plot_series.ipynb."""
    with lab.opened("plot_series") as page:
        begun = page.run_all()
        page.picture("24 series as pictures").wait_for(timeout=120_000)
        return time.monotonic() - begun


def main():
    with sync_playwright() as play, tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder), play.chromium.launch(executable_path=CHROMIUM, args=QUIET))
        try:
            seconds = [first_figure_seconds(lab) for _ in range(ROUNDS + 1)][1:]  # the first one warms the disk
            share, whole = panel_share(lab)
        finally:
            lab.server.stop()
    first = statistics.median(seconds)
    bars = {
        f"first figure {first:.1f} s after Run All < {FIRST} s": first < FIRST,
        f"the panel {share:.1%} of the loop's time < {SHARE:.0%}, in a notebook of {whole:.0f} s": share < SHARE,
    }
    keep("pictures", "python -m benchmarks.pictures", {"met": verdict(bars), "bars": bars}, PARTS)


if __name__ == "__main__":
    main()
