"""SIGKILL a training process at 30 random moments, resume it each time, compare with a run that never stopped.

`python -m benchmarks.kills` (about 8 minutes). Checkpoints are written every second step, so that many kills fall into
their writing; each comes up to three seconds after the first step that a process took.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common import TRAINED, keep, verdict

KILLS = 30
SETTINGS = {"dataset": "digits", "hidden_units": 8, "log_every": 2, "sample_every": 200, "checkpoint_every": 2}
STEPS = 4000


def main():
    from rcgan_nb import archive, train
    from rcgan_nb.archive import checkpoint

    moments = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RCGAN_RUNS"] = folder
        values = SETTINGS | {"steps": STEPS, "run_name": "killed"}
        begin = f"train({', '.join(f'{k}={v!r}' for k, v in values.items())})"
        metrics, kills, partials = Path(folder) / "killed" / "metrics.csv", 0, 0
        while kills < KILLS:
            call = "train(resume='killed')" if metrics.exists() else begin
            program = [sys.executable, "-u", "-c", f"from rcgan_nb import train; {call}"]
            process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
            assert any("first step" in line for line in process.stdout), "it ended before its first step"
            time.sleep(moments.uniform(0, 3))
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL, "the run ended before it was killed; raise STEPS"
            kills += 1
            partials += any((Path(folder) / "killed" / "checkpoints").glob("*.partial"))
            print(f"kill {kills} of {KILLS}: {len(metrics.read_text().splitlines())} rows", flush=True)
        train(resume="killed")
        train(run_name="unbroken", steps=STEPS, **SETTINGS)
        runs = [archive.find(name) for name in ("killed", "unbroken")]
        same = all(
            np.array_equal(a, b)
            for which in ("last", "best")
            for a, b in zip(*(checkpoint.read(run.checkpoint(which))[0].values() for run in runs), strict=True)
        )
        rows = [{k: v for k, v in run.metrics().items() if k != "seconds"} for run in runs]
        segments = len(runs[0].read_json("segments.json"))
    bars = {
        f"after {kills} kills ({partials} of them while a checkpoint was written) the weights are those of an unbroken "
        f"run, {segments} segments": same,
        "so are the metrics": rows[0] == rows[1],
    }
    keep(
        "kills",
        "python -m benchmarks.kills",
        {"met": verdict(bars), "bars": bars, "settings": SETTINGS},
        (*TRAINED, "archive/checkpoint.py", "archive/run.py", "monitors", "training.py"),
    )


if __name__ == "__main__":
    main()
