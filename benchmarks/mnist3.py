"""The TSTR task of Esteban et al. 2017 (digits 0 to 2 at 14 x 14), ours and their plain model, with baselines.

`python -m benchmarks.mnist3` (about 20 minutes; needs mnist, fetched or under RCGAN_DATA).
"""

from benchmarks.common import PICTURES, conditions, keep, train_and_judge, verdict

OURS = PICTURES | {"steps": 12000}
PLAIN = {"recipe": "esteban", "steps": 12000}  # with 100 units, as theirs
PAPER = {"tstr": 0.975, "trts": 0.988, "trtr": 0.991}


def main():
    run, seconds, ours = train_and_judge("mnist3", "mnist3", judges=("cnn",), judge_seeds=2, **OURS)
    plain_run, plain_seconds, plain = train_and_judge("mnist3", "plain", judges=("cnn",), judge_seeds=2, **PLAIN)
    tstr, trts = (ours.value(measure, "synthetic", "cnn") for measure in ("tstr", "trts"))
    bars = {
        f"tstr {tstr:.3f} >= 0.98": tstr >= 0.98,
        f"trts {trts:.3f} >= 0.988": trts >= 0.988,
        f"training seconds {seconds:.0f} <= 1200": seconds <= 1200,
    } | conditions("mnist3", ours)
    met = verdict(bars)
    rows = ours.rows + [row | {"set": "esteban"} for row in plain.rows if row["set"] == "synthetic"]
    settings = {"ours": run.config.to_dict(), "esteban": plain_run.config.to_dict()}
    facts = {"settings": settings, "seconds": {"ours": seconds, "esteban": plain_seconds}, "paper": PAPER}
    keep("mnist3", "python -m benchmarks.mnist3", facts | {"met": met, "bars": bars, "rows": rows})


if __name__ == "__main__":
    main()
