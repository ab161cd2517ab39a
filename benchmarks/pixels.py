"""All ten digits read pixel by pixel, 784 steps, by a recurrence that is computed in parallel over time.

`python -m benchmarks.pixels` (about 1 hour; needs mnist, fetched or under RCGAN_DATA).
"""

from benchmarks.common import keep, train_and_judge, verdict

# Convolutions leave the recurrence every fourth step; its second layer goes from row to row (7 steps of 4 pixels). With
# noise at every pixel, a label by projection or classifier, or penalties of 0.3 the classes collapsed to one picture.
SETTINGS = {
    "image_order": "pixels",
    "generator": "encoder_decoder",
    "discriminator": "encoder",
    "g_cell": "mingru",
    "d_cell": "mingru",
    "d_bidirectional": False,
    "d_condition": "embedding",
    "num_layers": 2,
    "dilation": 7,
    "hidden_units": 64,
    "latent_dim": 16,
    "noise_hold": 0,
    "batch_size": 32,
    "r1_weight": 3.0,
    "r2_weight": 3.0,
    "penalty_every": 2,
    "steps": 8000,
}
MINUTES = 60


def main():
    run, seconds, report = train_and_judge("mnist", "pixels", judges=("cnn",), judge_seeds=2, **SETTINGS)
    reached = report.value("tstr", "synthetic", "cnn")
    bars = {
        f"training seconds {seconds:.0f} <= {60 * MINUTES}": seconds <= 60 * MINUTES,
        f"tstr {reached:.3f} >= 0.80": reached >= 0.80,
    }
    facts = {"settings": run.config.to_dict(), "seconds": seconds, "rows": report.rows}
    keep("pixels", "python -m benchmarks.pixels", {"met": verdict(bars), "bars": bars} | facts)


if __name__ == "__main__":
    main()
