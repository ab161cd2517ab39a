"""What `stabilise.ipynb` compares by default, and a shared forward pass, on digits: `python -m benchmarks.stabilise`.

About 40 minutes.
"""

from benchmarks.common import JUDGED, code_hash, keep, verdict
from rcgan_nb import comparison
from rcgan_nb.config import CompareConfig


def main():
    variants = CompareConfig().variants + "; shared: shared_forward True"
    rows = comparison.compare(CompareConfig(variants=variants, name=f"stabilise-{code_hash(JUDGED)}"))
    print(comparison.table(rows))
    found = comparison.intervals(rows)
    tstr = {row["set"]: row for row in found if row["measure"] == "tstr"}
    stable, plain = tstr["stable"], tstr["plain"]
    text = f"stable from {stable['low']:.3f}, plain up to {plain['high']:.3f}"
    bars = {f"tstr on validation, intervals: {text}": stable["low"] > plain["high"]}
    facts = {"met": verdict(bars), "bars": bars, "rows": found, "runs": rows}
    keep("stabilise", "python -m benchmarks.stabilise", facts)


if __name__ == "__main__":
    main()
