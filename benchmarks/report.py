"""How long the whole report on digits takes, and what watching takes of training: `python -m benchmarks.report`.

About 8 minutes: a run with default settings, then evaluate.ipynb by papermill, as its user would call it.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import keep, loaded_by, trained, verdict

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "evaluate.ipynb"
LOADED = tuple(f"rcgan_nb.{name}" for name in ("training", "gan", "comparison", "notebook", "evaluation.whole"))
LOADED += tuple(f"rcgan_nb.evaluation.{name}" for name in ("projection", "verdict", "identity", "traits", "judges"))
SECONDS, WATCH_SECONDS, SHARE = 180, 2, 0.05


def report_seconds(run):
    """Seconds of evaluate.ipynb on a run, kernel's start and TensorFlow's import included."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "papermill", "--no-progress-bar", str(NOTEBOOK), f"{folder}/out.ipynb"]
        begun = time.time()
        subprocess.run([*command, "-p", "run", str(run.path)], check=True, capture_output=True)
        return time.time() - begun


def main():
    run, _ = trained("digits", "digits-0", seed=0)
    beat = run.read_json("heartbeat.json")
    each = beat["seconds_watching"] / (run.config.steps // run.config.watch_every)  # all monitors' time, not only ours
    share = beat["seconds_watching"] / beat["seconds_training"]
    seconds = report_seconds(run)
    bars = {
        f"evaluate.ipynb on digits {seconds:.0f} s < {SECONDS} s": seconds < SECONDS,
        f"monitors at each comparison with the validation part {each:.2f} s < {WATCH_SECONDS} s": each < WATCH_SECONDS,
        f"monitors {share:.1%} of the loop's time < {SHARE:.0%}": share < SHARE,
    }
    keep("report", "python -m benchmarks.report", {"met": verdict(bars), "bars": bars}, loaded_by(*LOADED))


if __name__ == "__main__":
    main()
