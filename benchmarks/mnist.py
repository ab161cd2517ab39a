"""All ten digits, and fashion, at 28 x 28: `python -m benchmarks.mnist` (about 3 hours; one of them: append its name).

Needs the files, fetched or under RCGAN_DATA.
"""

import sys

from benchmarks.common import PICTURES, conditions, keep, train_and_judge, verdict

SETTINGS = PICTURES | {"steps": 24000}
MINUTES = 60


def measure(dataset):
    run, seconds, report = train_and_judge(dataset, dataset, judges=("cnn",), judge_seeds=2, **SETTINGS)
    ceiling, reached = report.value("trtr", "real", "cnn"), report.value("tstr", "synthetic", "cnn")
    bars = {f"training seconds {seconds:.0f} <= {60 * MINUTES}": seconds <= 60 * MINUTES}
    if dataset == "mnist":
        bars |= {f"tstr {reached:.3f} >= 0.96": reached >= 0.96, f"trtr {ceiling:.3f} >= 0.99": ceiling >= 0.99}
    else:
        bars[f"tstr / trtr {reached / ceiling:.3f} >= 0.93"] = reached / ceiling >= 0.93
    bars |= conditions(dataset, report)
    facts = {"settings": run.config.to_dict(), "seconds": seconds, "rows": report.rows}
    keep(dataset, f"python -m benchmarks.mnist {dataset}", {"met": verdict(bars), "bars": bars} | facts)


if __name__ == "__main__":
    for name in sys.argv[1:] or ("mnist", "fashion"):
        measure(name)
