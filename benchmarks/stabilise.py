"""What `stabilise.ipynb` compares by default, on digits: `python -m benchmarks.stabilise` (about 40 minutes)."""

from benchmarks.common import JUDGED, code_hash, keep, verdict
from rcgan_nb import comparison
from rcgan_nb.config import CompareConfig


def main():
    rows = comparison.compare(CompareConfig(name=f"stabilise-{code_hash(JUDGED)}"))
    print(comparison.table(rows))
    found = comparison.intervals(rows)
    tstr = {row["set"]: row for row in found if row["measure"] == "tstr"}
    stable, plain = tstr["stable"], tstr["plain"]
    text = (
        f"stable {stable['value']:.3f} (from {stable['low']:.3f}), plain {plain['value']:.3f} (to {plain['high']:.3f})"
    )
    bars = {f"tstr on validation: {text}": stable["low"] > plain["high"]}
    keep(
        "stabilise", "python -m benchmarks.stabilise", {"met": verdict(bars), "bars": bars, "rows": found, "runs": rows}
    )


if __name__ == "__main__":
    main()
