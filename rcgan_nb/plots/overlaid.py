"""One figure of several runs over each other."""

import seaborn

from rcgan_nb.plots.base import done, subplots


def overlaid(told, name):
    """One figure of several runs over their steps: run -> (steps, values)."""
    figure, axis = subplots(figsize=(8, 3.6))
    for k, (run, (steps, values)) in enumerate(told.items()):
        axis.plot(steps, values, lw=1, color=f"C{k % 10}", label=run)
    axis.set(xlabel="step (generator updates)", ylabel=name)
    if told:
        axis.legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    seaborn.despine(figure)
    figure.tight_layout()
    last = "; ".join(
        f"{run} {values[-1]:.3g} at step {steps[-1]:.0f}" for run, (steps, values) in told.items() if values
    )
    return done(figure, f"{name} over training, at last {last or 'of no run'}")
