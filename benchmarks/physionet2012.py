"""Vitals of intensive care: who dies, and whether a vital sign passes a threshold in the last twelve hours.

`python -m benchmarks.physionet2012` (about 2 hours; needs the files, fetched or under RCGAN_DATA). Judges see 48 hours
for the label and 36 for the thresholds, age, sex and type of unit beside them. Esteban et al. 2017 on eICU, AUROC of
a random forest trained on real and on synthetic series: HR<70 0.991 and 0.96, HR>100 0.992 and 0.95, MAP<70 0.972 and
0.875, MAP>110 0.960 and 0.87.
"""

import dataclasses

from benchmarks.common import keep, trained, verdict
from benchmarks.rivals import PARTS, SEEDS, ahead, beside, merged, numbered
from rcgan_nb import generate, load
from rcgan_nb.config import RECIPES
from rcgan_nb.evaluation.tasks import evaluate_tasks, parse
from rcgan_nb.evaluation.timegan import timegan_scores

SETTINGS = {"variables": "vitals"} | RECIPES["clinical"]
TASKS = "label, HR<70, HR>100, MAP<70, MAP>110"
JUDGES = ("logistic", "forest")
MINUTES = 45
CLINICAL = (*PARTS, *(f"data/{name}.py" for name in ("clinical", "physionet")))
CLINICAL += tuple(f"evaluation/{name}.py" for name in ("persons", "tasks"))


def without_static(s):
    """As a set that knows nothing of a patient but the series, which is all that the peers can make."""
    return dataclasses.replace(s, static=None)


def main():
    data = load("physionet2012", variables=SETTINGS["variables"])
    train, tasks = data.part("train"), parse(TASKS)
    runs = [trained("physionet2012", f"physionet2012-{seed}", seed=seed, **SETTINGS) for seed in SEEDS]
    seconds = [round(spent) for _, spent in runs]
    ours = [
        generate(run, count=len(train), seed=seed, which="best") for seed, (run, _) in zip(SEEDS, runs, strict=True)
    ]
    others = beside(train, seconds=seconds[0])
    alike = {name: s for name, s in others.items() if s.static is not None}
    rows = evaluate_tasks(data, numbered(ours) | alike, tasks, judges=JUDGES)
    plain = {name: without_static(s) for name, s in (numbered(ours) | others).items()}
    alone = evaluate_tasks(without_static(data), plain, tasks[:1], judges=JUDGES)
    rows += [row | {"measure": row["measure"] + ", series alone"} for row in alone]
    rows += timegan_scores(without_static(data), plain)
    rows = merged(rows)
    bars = {f"training seconds {seconds}, together <= {60 * MINUTES}": sum(seconds) <= 60 * MINUTES}
    bars |= reached(rows, tasks) | ahead(rows, "ds@timegan.1", least=True)
    for judge in JUDGES:
        bars |= ahead(rows, "auroc label, series alone", least=False, judge=judge)
    facts = {"met": verdict(bars), "bars": bars, "seconds": seconds, "rows": rows}
    keep(
        "physionet2012",
        "python -m benchmarks.physionet2012",
        facts | {"settings": runs[0][0].config.to_dict()},
        CLINICAL,
    )


def reached(rows, tasks) -> dict:
    """Bars of TSTR against TRTR by task and judge."""
    areas = {(row["measure"], row["set"], row["judge"]): row["value"] for row in rows}
    bars = {}
    for judge in JUDGES:
        real = areas["auroc label", "real", judge]
        bars[f"label {judge}: trtr {real:.3f} >= 0.80"] = real >= 0.80
        for task in tasks:
            share = areas[f"auroc {task}", "synthetic", judge] / areas[f"auroc {task}", "real", judge]
            bars[f"{task} {judge}: tstr / trtr {share:.3f} >= 0.95"] = share >= 0.95
    return bars


if __name__ == "__main__":
    main()
