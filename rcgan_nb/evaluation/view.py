"""How judges see series: complete arrays on a common scale, fitted on the real training part."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class View:
    """(x - mean) / deviation, over all pixels of pictures and per feature otherwise; gaps become 0, the mean.

    Where the real set has a mask or lengths, whether a value is there is seen as further features of 0 and 1.
    """

    mean: np.ndarray
    deviation: np.ndarray
    gaps: bool
    shown: np.ndarray  # bool (seq_len, features): what preparation hid, no judge sees

    @classmethod
    def fit(cls, train) -> "View":
        axes = (0, 1, 2) if train.image else (0, 1)
        count = train.valid.sum(axes).clip(1)
        mean = np.where(train.valid, train.x, 0.0).sum(axes, dtype=np.float64) / count
        deviation = np.sqrt((np.where(train.valid, train.x - mean, 0.0) ** 2).sum(axes) / count)
        gaps = train.observed is not None or train.lengths is not None
        shown = np.ones(train.x.shape[1:], bool)
        for transform in train.scaling or ():
            if "weights" in transform:
                shown = np.asarray(transform["weights"]) > 0
        return cls(mean, np.where(deviation > 0, deviation, 1.0), gaps, shown)

    def see(self, s) -> np.ndarray:
        """float32 `(n, seq_len, features)`, or twice the features where there are gaps."""
        valid = s.valid
        x = np.where(valid & self.shown, (s.x - self.mean) / self.deviation, 0.0)
        return (np.concatenate([x, valid], axis=2) if self.gaps else x).astype(np.float32)


def check_alike(real, synthetic):
    """Refuse sets that cannot be compared.

    Raises: ValueError: other steps, features or classes, or labels on one side only.
    """
    if real.x.shape[1:] != synthetic.x.shape[1:]:
        raise ValueError(
            f"real series have (steps, features) {real.x.shape[1:]}, synthetic ones {synthetic.x.shape[1:]}; "
            "load the set with the settings the model was trained with."
        )
    if (real.y is None) != (synthetic.y is None):
        raise ValueError("one of the two sets has labels and the other has none; give both or drop both.")
    if real.y is not None and real.classes != synthetic.classes:
        raise ValueError(f"real series have the classes {real.classes}, synthetic ones {synthetic.classes}.")
