"""Settings of the notebook on theory."""

from dataclasses import dataclass

from rcgan_nb import paths
from rcgan_nb.config import LOSS_NAMES, DataConfig
from rcgan_nb.settings import setting


@dataclass(frozen=True)
class TheoryConfig(DataConfig):
    """Which small game is played, and how long the small RCGANs beside it are trained."""

    loss: str = setting("relativistic", "pair of losses of the small games", choices=LOSS_NAMES)
    r1_weight: float = setting(0.2, "half of it weighs the squared gradient norm at the real series", low=0.0)
    r2_weight: float = setting(0.0, "the same at the fake series", low=0.0)
    gradient_penalty: float = setting(0.0, "weighs (gradient norm - 1) squared", low=0.0)
    instance_noise: float = setting(0.0, "standard deviation of noise on all that the discriminator sees", low=0.0)
    g_factor: float = setting(1.0, "generator rate / discriminator rate", low=0.0)
    d_steps: int = setting(1, "discriminator updates per generator update", low=1)
    learning_rate: float = setting(0.1, "rate of the discriminator in the small games", low=0.0)
    game_steps: int = setting(500, "steps of the small games", low=1)

    steps: int = setting(300, "generator updates of each small RCGAN", low=1)
    hidden_units: int = setting(16, "units of its recurrent layers", low=2)
    count: int = setting(8, "eigenvalues of its Jacobian at each end", low=1)
    run: str = setting("", "a finished run of yours that is looked at, too")
    seed: int = setting(0, "of training and of the batch on which the trained game is played", low=0, high=2**31 - 1)
    name: str = setting("theory", "how the runs' names begin; finished ones are used again")

    def __post_init__(self):
        super().__post_init__()
        paths.inside(paths.runs(), self.name)
