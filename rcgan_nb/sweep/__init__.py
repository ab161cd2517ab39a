"""Search for settings: a space of trials, workers that train them, rules that cut them, and what came of it."""

import optuna

from rcgan_nb.sweep.sweeps import Sweep

optuna.logging.set_verbosity(optuna.logging.WARNING)  # it tells of every trial, and so do we

__all__ = ["Sweep"]
