"""Memory that reading MIMIC-III takes: `python -m benchmarks.mimic` (about 6 minutes, 4 GB of disk for a while).

The open demo's tables many times over, each time as other patients, at two sizes; from these, by a straight line, the
peak at the 330,712,483 rows of the full CHARTEVENTS. Needs mimic3-demo under RCGAN_DATA.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from benchmarks.common import keep, verdict
from rcgan_nb import paths
from rcgan_nb.data.mimic import COLUMNS

TIMES = (8, 32)
FULL_ROWS, GIB = 330_712_483, 4
IDS = ("row_id", "subject_id", "hadm_id", "icustay_id")
READ = """
import resource
from rcgan_nb import load
print(len(load("mimic3")), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def written(folder, times) -> int:
    """Write the tables `times` over as plain .csv; the number of rows of CHARTEVENTS."""
    for name in COLUMNS:
        table = pd.read_csv(paths.data() / "mimic3-demo" / f"{name}.csv.gz", low_memory=False)
        ids = [column for column in table if column in IDS]
        for k in range(times):
            table.to_csv(folder / f"{name}.csv", mode="a", header=k == 0, index=False)
            table[ids] += 10_000_000
        if name == "CHARTEVENTS":
            rows = times * len(table)
    return rows


def measured(times) -> dict:
    with tempfile.TemporaryDirectory() as data:
        folder = Path(data) / "mimic3"
        folder.mkdir()
        rows, begun = written(folder, times), time.time()
        command = [sys.executable, "-c", READ]
        done = subprocess.run(
            command, check=True, text=True, stdout=subprocess.PIPE, env=os.environ | {"RCGAN_DATA": data}
        )
    series, peak = done.stdout.split()
    found = {"rows": rows, "series": int(series), "peak_gib": float(peak), "seconds": round(time.time() - begun, 1)}
    print(found, flush=True)
    return found


def main():
    few, many = (measured(times) for times in TIMES)
    slope = (many["peak_gib"] - few["peak_gib"]) / (many["rows"] - few["rows"])
    full = many["peak_gib"] + slope * (FULL_ROWS - many["rows"])
    text = f"peak {few['peak_gib']:.2f} GiB at {few['rows']:,} rows, {many['peak_gib']:.2f} at {many['rows']:,}"
    bars = {f"{text}: by a straight line {full:.2f} GiB at {FULL_ROWS:,}, < {GIB} GiB": full < GIB}
    parts = tuple(f"data/{name}.py" for name in ("clinical", "mimic"))
    keep("mimic", "python -m benchmarks.mimic", {"met": verdict(bars), "bars": bars, "sizes": [few, many]}, parts)


if __name__ == "__main__":
    main()
