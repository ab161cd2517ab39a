"""Default settings on digits, three seeds, against two baselines: `python -m benchmarks.digits` (about 20 minutes)."""

from benchmarks.common import keep, over_seeds, train_and_judge, verdict
from rcgan_nb.evaluation import Report

SEEDS = (0, 1, 2)


def main():
    runs = [train_and_judge("digits", f"digits-{seed}", seed=seed) for seed in SEEDS]
    seconds = [round(s, 1) for s, _ in runs]
    rows = over_seeds([report.rows for _, report in runs])
    mean = Report(rows)
    bars = {}
    for judge in ("svm", "cnn"):
        ceiling, reached = mean.value("trtr", "real", judge), mean.value("tstr", "synthetic", judge)
        bars[f"trtr {judge} {ceiling:.3f} >= 0.98"] = ceiling >= 0.98
        bars[f"tstr / trtr {judge} {reached / ceiling:.3f} >= 0.97"] = reached / ceiling >= 0.97
    for seed, (_, report) in zip(SEEDS, runs, strict=True):
        scores = {row["set"]: row for row in report.rows if row["measure"] == "discriminative"}
        ours, theirs = scores["synthetic"], scores["gaussian"]
        text = (
            f"seed {seed}: discriminative {ours['value']:.3f}, interval up to {ours['high']:.3f}, below the Gaussian's"
        )
        bars[f"{text} from {theirs['low']:.3f}"] = ours["high"] < theirs["low"]
        ratio = report.value("distance_ratio")
        bars[f"seed {seed}: distance ratio {ratio:.3f} within 0.95 and 1.05"] = 0.95 <= ratio <= 1.05
    share = mean.value("coverage") / mean.value("coverage", "real")
    bars[f"coverage / that of real series {share:.3f} >= 0.9"] = share >= 0.9
    bars[f"a near replay fails the distance ratio: {mean.value('distance_ratio', 'jitter'):.3f} < 0.95"] = (
        mean.value("distance_ratio", "jitter") < 0.95
    )
    bars[f"training seconds {seconds} <= 240"] = max(seconds) <= 240
    met = verdict(bars)
    per_seed = [{"seed": s, "seconds": t, "rows": r.rows} for s, (t, r) in zip(SEEDS, runs, strict=True)]
    keep("digits", "python -m benchmarks.digits", {"met": met, "bars": bars, "rows": rows, "seeds": per_seed})


if __name__ == "__main__":
    main()
