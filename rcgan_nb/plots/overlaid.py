"""One figure of several runs over each other, and of several series on one scale."""

import numpy as np
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


def on_one_scale(arrays, limits):
    """Series `(seq_len, num_features)` beside each other, name -> array: pictures, or curves where one feature is."""
    low, high = limits
    figure, axes = subplots(1, len(arrays), figsize=(3 * len(arrays), 2.6), squeeze=False, layout="constrained")
    shown = None
    for (name, values), axis in zip(arrays.items(), axes[0], strict=True):
        if values.shape[1] == 1:
            axis.plot(values[:, 0], lw=1, marker="." if np.isnan(values).any() else "", ms=3)
            axis.set(ylim=(low, high), xlabel="step")
        else:
            shown = axis.imshow(values, aspect="auto", vmin=low, vmax=high, cmap="gray", interpolation="nearest")
            axis.set(xlabel="feature", xticks=[])
        axis.set_title(name, fontsize="small")
    axes[0, 0].set_ylabel("step" if shown else "value")
    if shown:
        figure.colorbar(shown, ax=axes, label="value")
    return done(figure, f"On one scale, over {len(values)} steps: {', '.join(arrays)}")
