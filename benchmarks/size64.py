"""Pictures of 64 x 64 beside the same ones of 28 x 28: `python -m benchmarks.size64` (fashion, about 2 hours)."""

import time

from benchmarks.common import PICTURES, judged_by_cnn, keep, verdict
from benchmarks.start import papermill_run
from rcgan_nb import archive, generate, load, paths

MINUTES = 60
STEPS = {28: 12000, 64: 8000}
AT_MOST = 10_000  # series that the judge is trained on, at both sizes


def trained(dataset, side, data_settings):
    """A run by papermill, as its user would make it: the run, seconds, seconds to the first step, peak GiB."""
    name = f"{dataset}{side}-{time.time_ns()}"
    settings = PICTURES | data_settings | {"image_size": side, "steps": STEPS[side], "run_name": name}
    given = [text for key, value in settings.items() for text in ("-p", key, str(value))]
    begun = time.time()
    first, peak = papermill_run(dataset, *given, runs=paths.runs())
    return archive.find(name), time.time() - begun, first, peak


def compare(dataset, name, **data_settings):
    """Train at both sizes, judge each against its own test part, keep the result as `name`."""
    rows, tstr, bars, settings, seconds = [], {}, {}, {}, {}
    for side in STEPS:
        run, seconds[side], first, peak = trained(dataset, side, data_settings)
        settings[side] = run.config.to_dict()
        data = load(dataset, image_size=side, **data_settings)
        found = judged_by_cnn(data, generate(run, count=AT_MOST), at_most=AT_MOST)
        tstr[side] = found[-1]["value"]
        rows += [row | {"measure": f"{row['measure']} at {side} x {side}"} for row in found]
    bars[f"first step at 64 x 64 after {first:.1f} s <= 75 s"] = first <= 75
    bars[f"peak memory at 64 x 64 {peak:.2f} GiB < 4 GiB"] = peak < 4
    bars[f"papermill at 64 x 64 took {seconds[64]:.0f} s <= {60 * MINUTES}"] = seconds[64] <= 60 * MINUTES
    bars[f"tstr at 64 x 64 {tstr[64]:.3f}, at 28 x 28 {tstr[28]:.3f}: 0.05 less at most"] = tstr[64] >= tstr[28] - 0.05
    facts = {"settings": settings, "seconds": seconds, "rows": rows}
    keep(name, f"python -m benchmarks.{name}", {"met": verdict(bars), "bars": bars} | facts)


if __name__ == "__main__":
    compare("fashion", "size64")
