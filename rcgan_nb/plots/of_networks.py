"""A network as rows over time, from its inputs (top) to what it gives (bottom)."""

import numpy as np
from matplotlib.patches import Rectangle

from rcgan_nb.plots.base import done, subplots

COLOURS = {"recurrent": "C0", "convolution": "C2", "": "0.85"}
MOST = 64  # steps that are drawn one by one


def network(layers, *, title=""):
    """Layers as rows over time: a cell for each of their steps, an arrow for a recurrence, a block where time is gone.

    Args:
        layers: dicts with name, kind, steps, channels, parameters, over (see `networks.outline`).
    """
    longest = max([layer["steps"] or 1 for layer in layers])
    figure, axis = subplots(figsize=(9, 0.34 * len(layers) + 1.1), layout="constrained")
    for row, layer in enumerate(layers):
        _row(axis, row, layer, longest)
    total = sum(layer["parameters"] for layer in layers)
    axis.set(xlim=(0, longest), ylim=(len(layers), 0), xlabel="time (steps)", yticks=np.arange(len(layers)) + 0.5)
    axis.set_yticklabels([f"{layer['name']} ({layer['kind']})" for layer in layers], fontsize="x-small")
    axis.set_title(f"{title}: {total:,} parameters", fontsize="medium")
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    said = "; ".join(f"{layer['name']} {_size(layer)}" for layer in layers)
    return done(figure, f"{title}, {total:,} parameters, layer by layer: {said}")


def _row(axis, row, layer, longest):
    steps = layer["steps"]
    left, width = (0, longest) if steps else (longest / 2 - longest / 40, longest / 20)
    box = {"height": 0.72, "facecolor": COLOURS[layer["over"]], "edgecolor": "0.4", "lw": 0.6}
    axis.add_patch(Rectangle((left, row + 0.14), width, **box))
    if steps and steps <= MOST:
        axis.vlines(np.arange(1, steps) * longest / steps, row + 0.14, row + 0.86, color="0.4", lw=0.3)
    if layer["over"] == "recurrent" and steps:
        arrow = {"arrowstyle": "<->" if layer["kind"] == "Bidirectional" else "->", "color": "white", "lw": 1.5}
        axis.annotate("", (0.98 * longest, row + 0.5), (0.02 * longest, row + 0.5), arrowprops=arrow)
    counted = f", {layer['parameters']:,} parameters" if layer["parameters"] else ""
    axis.text(longest * 1.01, row + 0.5, _size(layer) + counted, fontsize="x-small", va="center")


def _size(layer) -> str:
    return f"{layer['steps']} x {layer['channels']}" if layer["steps"] else f"{layer['channels']}"
