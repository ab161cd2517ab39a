"""A scaling for measurements whose rare values lie far out, as clinical ones do, and the choice among all of them."""

from dataclasses import dataclass

import numpy as np

from rcgan_nb.data import scaling


@dataclass(frozen=True)
class Arcsinh:
    """The inverse hyperbolic sine: x where it is small, its logarithm far out."""

    def forward(self, x):
        return np.arcsinh(x), None

    def inverse(self, x, attributes=None):
        return np.sinh(x)


def chosen(name, s) -> str:
    """The scaler that `auto` stands for in a SeriesSet; any other name stands for itself, and so does auto where the
    set brings its own scaling.

    Features of several units need a range each, and where values are missing they are measurements: a single one far
    out would leave all others no room.
    """
    if name != "auto" or s.scaling:
        return name
    return "minmax" if s.image else "arcsinh" if s.observed is not None else "feature"


scaling.SCALERS["arcsinh"] = lambda x, valid: [scaling._standard(x, valid), Arcsinh()]
scaling._TRANSFORMS[Arcsinh.__name__] = Arcsinh
