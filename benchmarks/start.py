"""How long until something happens: import, papermill to the first training step, peak memory.

`python -m benchmarks.start` (about 5 minutes; mnist is left out where RCGAN_DATA does not hold it).
"""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from benchmarks.common import keep, loaded_by, verdict
from rcgan_nb import paths

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "train.ipynb"
ROUNDS = 3
LOADED = ("rcgan_nb.training", "rcgan_nb.notebook", "rcgan_nb.gan", "rcgan_nb.private")  # by the notebook


def import_seconds():
    """Median over rounds of importing the library, less that of an empty Python."""
    times = {"pass": [], "import rcgan_nb": []}
    for _ in range(7):
        for program, found in times.items():
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)
            found.append(time.perf_counter() - begun)
    empty, ours = (statistics.median(found) for found in times.values())
    return ours - empty


def papermill_run(dataset, *settings, runs=None):
    """Seconds from starting papermill to the first training step, and peak memory in GiB of it and its kernel.

    The run goes into the folder `runs`, or away.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "out.ipynb")
        command = [sys.executable, "-m", "papermill", "--no-progress-bar", "--stdout-file", "/dev/stdout"]
        command += [str(NOTEBOOK), output, "-p", "dataset", dataset, *settings]
        begun, first = time.time(), None
        environment = os.environ | {"RCGAN_RUNS": str(runs or folder)}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        peak = [0]
        threading.Thread(target=_watch, args=(process.pid, peak), daemon=True).start()
        for line in process.stdout:
            if "first step" in line:
                first = time.time() - begun
        assert process.wait() == 0 and first
    return first, peak[0] / 2**30


def _watch(pid, peak):
    """Note the peak of the proportional set size: pages shared with a process just forked count once, not twice."""
    parent = psutil.Process(pid)
    while parent.is_running():
        total = 0
        for member in [parent, *parent.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):  # it has just ended
                total += member.memory_full_info().pss
        peak[0] = max(peak[0], total)
        time.sleep(0.1)


def main():
    imported = import_seconds()
    digits = [papermill_run("digits", "-p", "steps", "300") for _ in range(ROUNDS)]
    first = statistics.median(f for f, _ in digits)
    _, memory = papermill_run("digits")  # the whole default run
    bars = {
        f"import rcgan_nb {imported:.3f} s < 0.3 s": imported < 0.3,
        f"digits: papermill to the first step {first:.1f} s <= 25 s": first <= 25,
        f"digits: peak memory of papermill and kernel {memory:.2f} GiB < 1.5 GiB": memory < 1.5,
    }
    if (paths.data() / "mnist").is_dir():
        mnist = statistics.median(papermill_run("mnist", "-p", "steps", "5")[0] for _ in range(ROUNDS))
        bars[f"mnist: papermill to the first step {mnist:.1f} s <= 35 s"] = mnist <= 35
    keep("start", "python -m benchmarks.start", {"met": verdict(bars), "bars": bars}, loaded_by(*LOADED))


if __name__ == "__main__":
    main()
