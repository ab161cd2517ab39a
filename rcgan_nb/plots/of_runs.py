"""Figures of many runs: where they came from, how settings and seeds compare, and their samples side by side."""

import numpy as np
import seaborn
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.image import imread
from matplotlib.lines import Line2D

from rcgan_nb.plots.base import blank, done, subplots


def gradients(variants, metrics):
    """Gradient norms of both players over training, a line per run and a colour per variant.

    Args:
        variants: run -> variant; metrics: run -> columns of its metrics.csv.
    """
    figure, axes = subplots(1, 2, figsize=(10, 3.6), sharey=True)
    names = list(dict.fromkeys(variants.values()))
    for axis, player, title in zip(axes, "dg", ("discriminator", "generator"), strict=True):
        shown = set()
        for run, variant in variants.items():
            label = None if variant in shown else variant
            colour = f"C{names.index(variant) % 10}"
            axis.semilogy(metrics[run]["step"], metrics[run][f"{player}_grad"], lw=1, color=colour, label=label)
            shown.add(variant)
        axis.set(title=title, xlabel="step (generator updates)")
    axes[0].set_ylabel("gradient norm")
    axes[1].legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    seaborn.despine(figure)
    figure.tight_layout()
    return done(figure, f"Gradient norms of both players over training, a colour for each of {', '.join(names)}")


def lineage(rows):
    """Runs as lines over their steps, each joined at its beginning to the one it came from.

    Args:
        rows: dicts with name, start, end, parent (index of a row before, or None), how, from, status, copies.
    """
    if not rows:
        return blank("No runs yet")
    figure, axis = subplots(figsize=(8, 0.45 * len(rows) + 1.2), layout="constrained")
    colours = dict(zip(sorted({row["status"] for row in rows}), seaborn.color_palette("colorblind"), strict=False))
    for i, row in enumerate(rows):
        colour = colours.get(row["status"], "grey")
        axis.plot([row["start"], max(row["end"], row["start"])], [i, i], lw=4, color=colour, solid_capstyle="butt")
        if row["parent"] is not None:
            axis.plot([row["start"]] * 2, [row["parent"], i], lw=1, color="grey", zorder=0)
            axis.plot(row["start"], row["parent"], "o", color="grey", ms=4)
        how = "" if row["how"] == "began" else f"{row['how']}{'' if row['parent'] is not None else ' ' + row['from']}"
        notes = [how, f"{row['copies']} copies" if row["copies"] > 1 else ""]
        text = "; ".join(filter(None, notes))
        axis.annotate(text, (row["start"], i), (4, 5), textcoords="offset points", fontsize="x-small")
    axis.set(yticks=range(len(rows)), yticklabels=[row["name"] for row in rows], xlabel="step (generator updates)")
    axis.invert_yaxis()
    axis.margins(y=0.5 / max(len(rows), 1))
    marks = [Line2D([], [], lw=4, color=colour, label=status) for status, colour in colours.items()]
    axis.legend(handles=marks, fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    seaborn.despine(figure)
    said = "; ".join(f"{row['name']} {row['how']} {row['start']:.0f} to {row['end']:.0f}" for row in rows)
    return done(figure, f"Runs over their steps: {said}")


def parallel(rows, axes, value):
    """Parallel coordinates: a line for each row over the axes, its colour by `value`; grey where there is none.

    Args:
        rows: dicts that hold the axes and `value`, which may be None. An axis of numbers that span more than a factor
            of 50 is logarithmic; one of anything else has its values in equal steps.
    """
    figure, axis = subplots(figsize=(2 + 1.8 * len(axes), 4.5))
    heights = np.transpose([_heights(axis, k, [row[name] for row in rows]) for k, name in enumerate(axes)])
    known = [row[value] for row in rows if row.get(value) is not None]
    norm = Normalize(min(known, default=0), max(known, default=1))
    for row, line in zip(rows, heights, strict=True):
        lost = row.get(value) is None
        colour = "0.8" if lost else colormaps["viridis"](norm(row[value]))
        width = 1.0 if lost else 2.0
        axis.plot(range(len(axes)), line, "o-", ms=2 * width, color=colour, zorder=1 if lost else 2, linewidth=width)
    axis.set_xticks(range(len(axes)), axes)
    axis.set(yticks=[], ylim=(-0.05, 1.05), xlim=(-0.3, len(axes) - 0.4))
    seaborn.despine(figure, left=True, bottom=True)
    figure.colorbar(ScalarMappable(norm, "viridis"), ax=axis, label=value)
    return done(figure, f"{len(rows)} sets of settings as lines over {', '.join(axes)}, their colour {value}")


def _heights(axis, place, values):
    """Where values lie on one of the parallel axes, from 0 to 1, which is drawn with their names."""
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    kinds = sorted(set(values), key=None if numbers else str)
    if numbers and len(kinds) > 1:
        scale = np.log if kinds[0] > 0 and kinds[-1] > 50 * kinds[0] else np.asarray
        low, high = scale(kinds[0]), scale(kinds[-1])
        found = [(scale(v) - low) / (high - low) for v in values]
    else:
        found = [kinds.index(v) / max(len(kinds) - 1, 1) for v in values]
    shown = dict(zip(values, found, strict=True))
    axis.axvline(place, color="0.6", linewidth=0.8, zorder=0)
    for kind in kinds if len(kinds) <= 8 else (kinds[0], kinds[-1]):
        text = f"{kind:.3g}" if isinstance(kind, float) else str(kind)
        back = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1}
        axis.text(place + 0.04, shown[kind], text, fontsize="x-small", va="center", zorder=3, bbox=back)
    return found


def gallery(pictures):
    """Picture files side by side, each under its name."""
    figure, axes = subplots(1, len(pictures), figsize=(6 * len(pictures), 6), squeeze=False)
    for axis, (name, path) in zip(axes[0], pictures.items(), strict=True):
        axis.imshow(imread(path))
        axis.set_title(name, fontsize="small", wrap=True)
        axis.axis("off")
    return done(figure, f"Sheets of samples: {'; '.join(pictures)}")


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
