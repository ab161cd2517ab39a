"""Default settings on digits, three seeds, against two baselines: `python -m benchmarks.digits` (about 15 minutes)."""

from benchmarks.common import conditions, keep, over_seeds, train_and_judge, verdict
from rcgan_nb.evaluation import Report

SEEDS = (0, 1, 2)


def main():
    runs = [train_and_judge("digits", f"digits-{seed}", judge_seeds=2, seed=seed) for seed in SEEDS]
    seconds = [round(s, 1) for _, s, _ in runs]
    rows = over_seeds([report.rows for *_, report in runs])
    mean = Report(rows)
    bars = {f"training seconds {seconds} <= 240": max(seconds) <= 240}
    for judge in ("svm", "cnn"):
        ceiling, reached = mean.value("trtr", "real", judge), mean.value("tstr", "synthetic", judge)
        bars[f"trtr {judge} {ceiling:.3f} >= 0.98"] = ceiling >= 0.98
        bars[f"tstr / trtr {judge} {reached / ceiling:.3f} >= 0.97"] = reached / ceiling >= 0.97
    for seed, (*_, report) in zip(SEEDS, runs, strict=True):
        bars |= conditions(f"seed {seed}", report)
    met = verdict(bars)
    each = [{"seconds": s, "settings": run.config.to_dict(), "rows": report.rows} for run, s, report in runs]
    keep("digits", "python -m benchmarks.digits", {"met": met, "bars": bars, "rows": rows, "runs": each})


if __name__ == "__main__":
    main()
