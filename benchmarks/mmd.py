"""MMD^2 with its permutation test, 10,000 against 10,000 series of 28 x 28: `python -m benchmarks.mmd`.

Pictures of mnist, training part against test part.
"""

import resource
import time

from benchmarks.common import keep, verdict
from rcgan_nb import load
from rcgan_nb.evaluation import mmd

COUNT, SECONDS, GIB = 10_000, 60, 2


def main():
    data = load("mnist")
    x, y = (data.part(part).x[:COUNT] / 255 for part in ("train", "test"))
    begun = time.time()
    test = mmd.two_sample(x, y)
    seconds = time.time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(test)
    bars = {
        f"{COUNT:,} against {COUNT:,} series of 28 x 28 with {mmd.PERMUTATIONS} permutations: {seconds:.1f} s < 60 s": (
            seconds < SECONDS
        ),
        f"peak memory of the process {peak:.2f} GiB < {GIB} GiB": peak < GIB,
    }
    keep("mmd", "python -m benchmarks.mmd", {"met": verdict(bars), "bars": bars, "p": test.p}, ("evaluation/mmd.py",))


if __name__ == "__main__":
    main()
