"""The whole state of a run, kept as it goes."""

import numpy as np

from rcgan_nb.archive import checkpoint


class Checkpoints:
    """At intervals keep the whole state: the last two, and the best by MMD to the validation part.

    Args:
        similarity: the monitor that measures it; where both fall on a step, it is measured once.
    """

    def __init__(self, loop, similarity):
        self.similarity = similarity
        self.best = self._best_so_far(loop)

    def _best_so_far(self, loop):
        """Least distance so far of a run that goes on; killed between two files, the last may have missed its turn."""
        best, last = (loop.run.path / "checkpoints" / name for name in ("best.npz", f"step-{loop.step:07d}.npz"))
        every = loop.config.checkpoint_every
        found = [checkpoint.read(path) for path in (best, last) if path.exists()]
        found = [(a, meta) for a, meta in found if meta["step"] <= loop.step and meta["step"] % every == 0]
        if not found:
            return np.inf
        arrays, meta = min(found, key=lambda pair: pair[1]["validation_mmd2"])
        checkpoint.write(best, arrays, step=meta["step"], validation_mmd2=meta["validation_mmd2"])
        return meta["validation_mmd2"]

    def __call__(self, loop):
        if loop.step % loop.config.checkpoint_every == 0 or loop.last or loop.keep_asked:
            loop.keep_asked = False
            self.keep(loop)

    def keep(self, loop):
        """Write a checkpoint now. One between the intervals, at a stop, does not compete for the best."""
        distance = self.similarity.at(loop)["mmd2"]
        if not np.isfinite(distance):
            raise FloatingPointError(f"step {loop.step}: samples are not finite; the checkpoint before it stays.")
        arrays = {name: np.asarray(variable) for name, variable in loop.gan.variables().items()}
        folder = loop.run.folder("checkpoints")
        meta = {"step": loop.step, "validation_mmd2": distance}
        checkpoint.write(folder / f"step-{loop.step:07d}.npz", arrays, **meta)
        first_at_the_end = self.best == np.inf and loop.last
        if (loop.step % loop.config.checkpoint_every == 0 and distance < self.best) or first_at_the_end:
            self.best = distance
            checkpoint.write(folder / "best.npz", arrays, **meta)
        for old in sorted(folder.glob("step-*.npz"))[:-2]:
            old.unlink()
