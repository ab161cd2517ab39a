"""Sines of TimeGAN's definition, discriminative and predictive score: `python -m benchmarks.sines5` (about 1 hour).

Published: discriminative score 0.011 (TimeGAN) and 0.022 (RCGAN); predictive 0.093 and 0.097, real series 0.094.
"""

from benchmarks.common import keep, trained, verdict
from benchmarks.rivals import PARTS, SEEDS, ahead, beside, merged, numbered
from rcgan_nb import generate, load
from rcgan_nb.config import RECIPES
from rcgan_nb.evaluation.timegan import timegan_scores

# Chosen on the validation part.
SETTINGS = RECIPES["clinical"] | {
    "steps": 2000,
    "batch_size": 128,
    "learning_rate": 1e-3,
    "r1_weight": 0.1,
    "r2_weight": 0.1,
    "instance_noise": 0.02,
}


def main():
    data = load("sines5")
    train = data.part("train")
    runs = [trained("sines5", f"sines5-{seed}", seed=seed, **SETTINGS) for seed in SEEDS]
    seconds = [round(spent) for _, spent in runs]
    ours = [generate(run, count=len(train), seed=seed) for seed, (run, _) in zip(SEEDS, runs, strict=True)]
    rows = merged(timegan_scores(data, numbered(ours) | beside(train, seconds=seconds[0])))
    reached = next(row["value"] for row in rows if row["set"] == "synthetic" and row["measure"] == "ds@timegan.1")
    bars = {f"ds@timegan.1 {reached:.3f} <= 0.02, mean of three seeds": reached <= 0.02}
    bars |= ahead(rows, "ds@timegan.1", least=True)
    facts = {"met": verdict(bars), "bars": bars, "seconds": seconds, "rows": rows}
    keep("sines5", "python -m benchmarks.sines5", facts | {"settings": runs[0][0].config.to_dict()}, PARTS)


if __name__ == "__main__":
    main()
