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

    @classmethod
    def fit(cls, train) -> "View":
        values = np.where(train.valid, train.x.astype(np.float64), np.nan)
        axes = (0, 1, 2) if train.image else (0, 1)
        mean, deviation = np.nanmean(values, axis=axes), np.nanstd(values, axis=axes)
        gaps = train.observed is not None or train.lengths is not None
        return cls(mean, np.where(deviation > 0, deviation, 1.0), gaps)

    def see(self, s) -> np.ndarray:
        """float32 `(n, seq_len, features)`, or twice the features where there are gaps."""
        valid = s.valid
        x = np.where(valid, (s.x - self.mean) / self.deviation, 0.0)
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
