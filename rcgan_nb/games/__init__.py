"""Training as a game of two players: what is proved on its convergence, in numbers one can change.

Both losses are minimised. A state holds the generator's numbers first, the discriminator's after them. The field is
what both gradients say, v = (-g_factor * dL_G/dtheta, -dL_D/dpsi); a step moves by learning_rate times it.
"""

from rcgan_nb.games.config import TheoryConfig
from rcgan_nb.games.examples import bilinear, dirac, dirac_eigenvalues, dirac_settings, polynomial, quadratic
from rcgan_nb.games.field import Game, eigenvalues, verdict
from rcgan_nb.games.networks import TrainedGame, inspect
from rcgan_nb.games.optimal import best_discriminator, jensen_shannon

__all__ = [
    "Game",
    "TheoryConfig",
    "TrainedGame",
    "best_discriminator",
    "bilinear",
    "dirac",
    "dirac_eigenvalues",
    "dirac_settings",
    "eigenvalues",
    "inspect",
    "jensen_shannon",
    "polynomial",
    "quadratic",
    "verdict",
]
