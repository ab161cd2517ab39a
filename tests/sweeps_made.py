"""Sweeps whose trials end as a worker finds them, without training."""

from runs_made import run_at

from rcgan_nb.config import SweepConfig
from rcgan_nb.sweep import Sweep
from rcgan_nb.sweep.trials import Trial

GRID = {"space": {"learning_rate": [0.001, 0.002], "hidden_units": [4, 8]}, "settings": {"dataset": "digits"}}
OFF = {"max_loss_ratio": 0, "max_gradient": 0, "min_spread": 0, "median_of": 0, "cut_after": 0, "cut_patience": 0}


def sweep_of(**settings):
    return Sweep.begin(SweepConfig.make(**GRID | {"name": "s"} | settings))


def ended(sweep, number, *, mmd2=None, cut=None, tstr=0.5, **other):
    """End a trial by its files, as a worker finds them, and have it told."""
    task = Trial(sweep, sweep.trials()[number])
    assert task.claim()
    run = run_at(task.archived.path, 50)
    facts = {"run": run.name, "stopped": "", "reason": "", "attempt": 1, "state": "finished"}
    if cut:
        facts |= {"state": "interrupted", "cut": cut}
    elif mmd2 is None:
        facts |= {"state": "failed", "reason": "FloatingPointError: step 3"}
    else:
        run.write_json("validation.json", {"mmd2": mmd2, "tstr": tstr, "coverage": 0.9})
    task.note(**facts | other)
    task = Trial(sweep, sweep.trials()[number])
    assert task.done() and not task.told
    task.settle()
    task.settle()  # another worker may come to it, too
    return run
