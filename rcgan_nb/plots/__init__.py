"""Arrays in, Figure out. Only `save` and `gif` write, where they are told; none shows a figure."""

import numpy as np
import seaborn
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from rcgan_nb.plots.base import done, subplots
from rcgan_nb.plots.base import gif as gif
from rcgan_nb.plots.base import png as png
from rcgan_nb.plots.base import save as save
from rcgan_nb.plots.of_networks import network as network
from rcgan_nb.plots.of_runs import gallery as gallery
from rcgan_nb.plots.of_runs import gradients as gradients
from rcgan_nb.plots.of_runs import lineage as lineage
from rcgan_nb.plots.of_runs import overlaid as overlaid
from rcgan_nb.plots.of_runs import parallel as parallel

GREY = {"cmap": "gray", "interpolation": "nearest"}


def frame(*sets) -> tuple[float, float]:
    """One colour range, least to greatest value, for all sets that are to be compared."""
    values = np.concatenate([s.x[s.valid] for s in sets])
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    return low, high if high > low else low + 1.0


def pictures(s):
    """Series as pictures `(n, height, width)`: image sets put together again, others time (down) x feature (across)."""
    return s.images() if s.image else np.where(s.valid, s.x, np.nan)


def sheet(s, *, title="", per_class=8, limits=None):
    """A row of series per class; series with one feature as curves, others as 2-D pictures on one colour scale.

    All lie in one panel: a panel for each takes seconds to draw, and training draws sheets as it goes.
    """
    rows = _rows(s, per_class)
    width = max(len(indices) for _, indices in rows)
    figure, axis = subplots(figsize=(0.9 * width + 1, 0.9 * len(rows) + 0.4))
    low, high = limits or frame(s)
    # A curve is laid in its row as if it were a picture one pixel high.
    values = np.where(s.valid, s.x, np.nan).transpose(0, 2, 1) if _curves(s) else pictures(s)
    laid = np.stack([_in_a_row(values[list(indices)], width) for _, indices in rows])
    if _curves(s):
        tops = -1.3 * (high - low) * np.arange(len(rows))
        axis.plot((laid[:, 0] - high + tops[:, None]).T, lw=1, color="C0")
    else:
        gap = -(-laid.shape[1] // 4)
        laid = np.pad(laid, ((0, 0), (gap, 0), (0, 0)), constant_values=np.nan)  # above each row, for its name
        tops = laid.shape[1] * np.arange(len(rows)) + gap - 0.7
        stacked = laid.reshape(-1, laid.shape[2])
        axis.imshow(stacked, vmin=low, vmax=high, aspect="equal" if s.image else "auto", **GREY)
    for (name, _), top in zip(rows, tops, strict=True):
        axis.text(0, top, name, fontsize="small", va="bottom")
    names = ", ".join(name for name, _ in rows if name)
    shown = sum(len(indices) for _, indices in rows)
    axis.set_axis_off()
    axis.set_title(f"{title} (n = {shown})" if title else "")
    return done(figure, f"{title or 'Series'}: {shown} of {len(s)} series, a row for each class{names and ': '}{names}")


def tiles(s, *, rows, columns, limits, curves=False):
    """Series in a grid without margins, so that every cell is as large as every other: as pictures or as curves.

    Args:
        s: at most rows x columns series. limits: least and greatest value of the scale that all share.
    """
    figure = Figure(figsize=(1.2 * columns, 1.2 * rows))
    axis = figure.add_axes((0, 0, 1, 1))
    values, (low, high) = np.where(s.valid, s.x, np.nan), limits
    if curves:
        steps = np.linspace(0.05, 0.95, s.x.shape[1])
        for k, one in enumerate((values - low) / (high - low)):
            axis.plot(steps + k % columns, 0.1 + 0.8 * one + rows - 1 - k // columns, lw=0.8, **_points(s))
        axis.set(xlim=(0, columns), ylim=(0, rows))
    else:
        shown = pictures(s)
        empty = np.full((rows * columns, *shown.shape[1:]), np.nan)
        empty[: len(s)] = shown
        height, width = shown.shape[1:]
        gaps = ((0, 0), (0, -(-height // 12)), (0, -(-width // 12)))
        padded = np.pad(empty, gaps, constant_values=np.nan)
        laid = padded.reshape(rows, columns, *padded.shape[1:]).transpose(0, 2, 1, 3)
        axis.imshow(laid.reshape(rows * padded.shape[1], -1), vmin=low, vmax=high, aspect="auto", **GREY)
    axis.set_axis_off()
    return done(figure, f"{len(s)} series as {'curves' if curves else 'pictures'} on one scale, {columns} in a row")


def large(s, *, title="", max_features=8):
    """The first series of a set: as a picture over time and feature, and as curves."""
    values = np.where(s.valid, s.x, np.nan)[0]
    figure, axes = subplots(1, 2, figsize=(9, 3.6), width_ratios=(1, 1.6), layout="constrained")
    shown = axes[0].imshow(pictures(s)[0], aspect="equal" if s.image else "auto", **GREY)
    axes[0].set(title=title, **({"xticks": [], "yticks": []} if s.image else {"xlabel": "feature", "ylabel": "step"}))
    figure.colorbar(shown, ax=axes[0], label="value", shrink=0.8)
    lines = axes[1].plot(values[:, :max_features], lw=1, **_points(s))
    axes[1].set(xlabel="step", ylabel="value", title=f"{len(lines)} of {values.shape[1]} features")
    axes[1].legend(lines, _named(s), fontsize="x-small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    seaborn.despine(ax=axes[1])
    return done(figure, f"{title or 'A series'} as a picture and as curves over {len(values)} steps")


def _in_a_row(values, count):
    """Pictures `(n, height, width)` beside each other as one `(height, count * (width + gap))`; NaN between."""
    n, height, width = values.shape
    row = np.full((height, count, width + -(-width // 10)), np.nan)
    row[:, :n, :width] = values.transpose(1, 0, 2)
    return row.reshape(height, -1)


def _curves(s) -> bool:
    return not s.image and s.x.shape[2] == 1


def _rows(s, per_class):
    """(class name, indices of its first series) per row; without labels one unnamed row after the other."""
    if s.y is None:
        count = min(len(s), 3 * per_class)
        return [("", range(i, min(i + per_class, count))) for i in range(0, count, per_class)]
    present = [k for k in range(s.num_classes) if (s.y == k).any()][:20]
    return [(s.classes[k], np.flatnonzero(s.y == k)[:per_class]) for k in present]


def side_by_side(left, right, *, names=("left", "right"), count=8):
    """Series of two sets as normalised 2-D pictures (time x feature) on one common colour frame."""
    low, high = frame(left, right)
    columns = max(count, 2)  # over one alone its name would not find room
    figure, axes = subplots(2, columns, figsize=(1.2 * columns + 1, 3.2), squeeze=False)
    shown = None
    for s, name, line in zip((left, right), names, axes, strict=True):
        values = pictures(s)
        spread = _spread(s, count)
        for i, axis in enumerate(line):
            axis.set(xticks=[], yticks=[])
            if i < len(spread):
                shown = axis.imshow(
                    values[spread[i]], vmin=low, vmax=high, aspect="equal" if s.image else "auto", **GREY
                )
            else:
                axis.set_axis_off()
        line[0].set_title(f"{name} (n = {len(s)})", fontsize="small", loc="left")
        line[0].set_ylabel("time" if not s.image else "")
    axes[1, 0].set_xlabel("feature" if not left.image else "")
    figure.colorbar(shown, ax=axes, label="value, one scale for both", shrink=0.8)
    above, below = (f"{min(count, len(s))} series of {name}" for s, name in zip((left, right), names, strict=True))
    return done(figure, f"{above} above {below}, as pictures on one scale from {low:.4g} to {high:.4g}")


def _spread(s, count):
    """Indices of `count` series from all over a set: sets are often sorted by class."""
    return np.linspace(0, len(s) - 1, min(count, len(s))).astype(int)


def curves(*sets, names=(), count=20, max_features=6):
    """Series as ordinary curves over time, a row per set and a column per feature."""
    features = min(sets[0].x.shape[2], max_features)
    size = (3 * features + 1, 2.4 * len(sets))
    figure, axes = subplots(len(sets), features, figsize=size, sharex=True, sharey="col", squeeze=False)
    for s, name, line in zip(sets, names or [""] * len(sets), axes, strict=True):
        values = np.where(s.valid, s.x, np.nan)[_spread(s, count)]
        for k, axis in enumerate(line):
            axis.plot(values[:, :, k].T, lw=0.8, alpha=0.6, color=f"C{k % 10}", **_points(s))
            axis.set_title(f"{name} {_named(s)[k]} (n = {len(values)})".strip(), fontsize="small")
    for axis in axes[-1]:
        axis.set_xlabel("step")
    for line in axes:
        line[0].set_ylabel("value")
    figure.tight_layout()
    shown = ", ".join(sets[0].features[:features])
    rows = f"{' and '.join(names) or 'series'}, {min(count, *map(len, sets))} of each"
    return done(figure, f"Curves over {sets[0].x.shape[1]} steps: {rows}, a column for each of {shown}")


def _points(s):
    """Where values are missing, one between two gaps is no line, and a point shows it."""
    return {} if s.observed is None else {"marker": ".", "ms": 3}


def _named(s):
    """Names of the features with their units, where the set knows them."""
    units = s.info.get("units") or {}
    return [f"{name} ({units[name]})" if name in units else name for name in s.features]


def losses(metrics):
    """Losses of both players over generator updates, coloured by their gradient norms, and the penalty below.

    Args:
        metrics: columns of metrics.csv; without d_grad and g_grad (older runs) the curves have one colour, and without
            r1 and r2 (runs of other programs) there is no panel for them.
    """
    penalties = {n: label for n, label in (("r1", "at real series"), ("r2", "at fake series")) if n in metrics}
    heights = (3, 3, 2) if penalties else (3, 3)
    size = {"figsize": (8, sum(heights) - 1), "height_ratios": heights, "layout": "constrained"}
    figure, axes = subplots(len(heights), 1, sharex=True, **size)
    for axis, player, name in zip(axes, ("d", "g"), ("discriminator", "generator"), strict=False):
        _loss(axis, metrics["step"], metrics[f"{player}_loss"], metrics.get(f"{player}_grad"))
        axis.set_ylabel(f"{name}'s\nloss (nats)")
    for name, label in penalties.items():
        axes[2].plot(metrics["step"], metrics[name], lw=1, label=label)
    if penalties:
        axes[2].legend(fontsize="small", frameon=False)
        axes[2].set_ylabel("penalty: squared\ngradient norm")
    axes[-1].set_xlabel("step (generator updates)")
    seaborn.despine(figure)
    last = ", ".join(f"{name} {metrics[name][-1]:.3g}" for name in ("d_loss", "g_loss", *penalties))
    return done(figure, f"Losses of both players up to step {metrics['step'][-1]:.0f}, the last of them {last}")


def _loss(axis, steps, values, norms):
    """A loss as a curve whose colour is the norm of its gradient on a logarithmic scale, where it is known."""
    if norms is None:
        axis.plot(steps, values, lw=1)
        return
    points = np.column_stack([steps, values])
    norms = np.clip(norms, 1e-12, None)  # 0 has no logarithm
    dots = axis.scatter(steps, values, c=norms, norm=LogNorm(), cmap="viridis", s=6)
    # A piece of curve takes the colour of the step at its end.
    pieces = np.stack([points[:-1], points[1:]], 1)
    axis.add_collection(LineCollection(pieces, array=norms[1:], norm=dots.norm, cmap="viridis", lw=2))
    axis.autoscale_view()
    axis.figure.colorbar(dots, ax=axis, label="gradient norm")


def confusions(matrices, classes):
    """Confusion matrices, rows true and columns predicted, as shares of each row; a note where there are none.

    Args:
        matrices: name -> counts `(classes, classes)`.
    """
    if not matrices:
        figure = Figure(figsize=(4, 0.6))
        figure.text(0, 0.4, "The series have no labels: there is nothing to confuse.")
        return done(figure, "The series have no labels: there is nothing to confuse")
    size = 1.5 + 0.35 * len(classes)
    figure, axes = subplots(1, len(matrices), figsize=(size * len(matrices), size + 0.3), squeeze=False)
    for (name, counts), axis in zip(matrices.items(), axes[0], strict=True):
        axis.imshow(counts / counts.sum(1, keepdims=True).clip(1), vmin=0, vmax=1, cmap="viridis")
        for true, predicted in np.argwhere(counts > 0) if len(classes) <= 12 else ():
            count = counts[true, predicted]
            colour = "black" if count > counts[true].sum() / 2 else "white"
            axis.text(predicted, true, count, ha="center", va="center", fontsize=6, color=colour)
        axis.set(title=f"{name} (n = {counts.sum()})", xlabel="predicted", ylabel="true")
        axis.set_xticks(range(len(classes)), classes, fontsize="x-small", rotation=90)
        axis.set_yticks(range(len(classes)), classes, fontsize="x-small")
    figure.tight_layout()
    right = "; ".join(f"{name} {np.trace(counts) / max(counts.sum(), 1):.3f}" for name, counts in matrices.items())
    return done(figure, f"True against predicted classes; share that is right: {right}")


def panels(arrays, limits=None):
    """Series `(seq_len, num_features)` beside each other, name -> array: pictures, or curves where one feature is.

    limits: one scale (low, high) for all; without it each has its own.
    """
    low, high = limits or (None, None)
    figure, axes = subplots(1, len(arrays), figsize=(3 * len(arrays), 2.6), squeeze=False, layout="constrained")
    for (name, values), axis in zip(arrays.items(), axes[0], strict=True):
        if values.shape[1] == 1:
            axis.plot(values[:, 0], lw=1, marker="." if np.isnan(values).any() else "", ms=3)
            axis.set(ylim=(low, high), xlabel="step")
        else:
            shown = axis.imshow(values, aspect="auto", vmin=low, vmax=high, **GREY)
            axis.set(xlabel="feature", xticks=[])
            if not limits or axis is axes[0, -1]:
                figure.colorbar(shown, ax=axis if not limits else axes, label="value")
        axis.set_title(name, fontsize="small")
    axes[0, 0].set_ylabel("value" if values.shape[1] == 1 else "step")
    scale = "On one scale" if limits else "Each on its own scale"
    return done(figure, f"{scale}, over {len(values)} steps: {', '.join(arrays)}")


def neighbours(synthetic, train, nearest, *, count=8):
    """Synthetic series above the training series nearest to each.

    Args:
        nearest: index into train of each synthetic series' neighbour.
    """
    count = min(count, len(synthetic))
    pair = synthetic.take(np.arange(count)), train.take(nearest[:count])
    return side_by_side(*pair, names=("synthetic", "nearest training series"), count=count)


def scores(table):
    """Named scores with their intervals as points with bars, a panel per measure.

    Args:
        table: list of dicts with measure, judge, set, value, low, high.
    """
    measures = list(dict.fromkeys(row["measure"] for row in table))
    columns = min(4, len(measures))
    lines = -(-len(measures) // columns)
    figure, axes = subplots(lines, columns, figsize=(3.6 * columns, 3.2 * lines), squeeze=False)
    for axis in axes.flat[len(measures) :]:
        axis.set_axis_off()
    for axis, measure in zip(axes.flat, measures, strict=False):
        rows = [row for row in table if row["measure"] == measure][::-1]
        names = [f"{row['set']} {row['judge']}".strip() for row in rows]
        values = np.array([[row["value"], row["low"], row["high"]] for row in rows])
        axis.hlines(names, values[:, 1], values[:, 2], color="C0", lw=3, alpha=0.5)
        axis.plot(values[:, 0], names, "o", color="C0")
        axis.set_title(measure, fontsize="medium")
        axis.tick_params(axis="y", labelsize="small")
    seaborn.despine(figure)
    figure.tight_layout()
    return done(figure, f"Scores with their intervals, a panel for each of {', '.join(measures)}")


def planes(projections):
    """Sets as points, a panel per projection: name -> set -> `(n, 2)` (see `evaluation.projection`)."""
    figure, axes = subplots(1, len(projections), figsize=(5 * len(projections), 4.4), squeeze=False)
    for axis, (name, sets) in zip(axes[0], projections.items(), strict=True):
        for k, (which, points) in enumerate(sets.items()):
            axis.plot(*points.T, "o", ms=3, alpha=0.5, mew=0, color=f"C{k % 10}", label=f"{which} (n = {len(points)})")
        axis.set(title=name, xticks=[], yticks=[])
    axes[0, -1].legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    figure.tight_layout()
    which = ", ".join(f"{len(points)} {which}" for which, points in next(iter(projections.values()), {}).items())
    return done(figure, f"Series as points in two dimensions by {' and by '.join(projections)}: {which}")


def trade_off(points, *, utility, privacy, chance):
    """Use (higher is better) against what an attack finds (lower is better), each with its 95 % interval.

    Args:
        points: list of (name, use, attack), use and attack as (value, low, high).
        utility, privacy: names of the axes; chance: the value of an attack that guesses.
    """
    figure, axis = subplots(figsize=(6.4, 4.4), layout="constrained")
    for k, (name, use, attack) in enumerate(points):
        (x, *across), (y, *along) = use, attack
        axis.plot(across, [y, y], color=f"C{k % 10}", lw=3, alpha=0.5)
        axis.plot([x, x], along, color=f"C{k % 10}", lw=3, alpha=0.5)
        axis.plot(x, y, "o", color=f"C{k % 10}", label=name)
    axis.axhline(chance, color="grey", lw=1, ls="--", label="a guess")
    axis.set(xlabel=f"use: {utility}", ylabel=f"attack: {privacy}")
    axis.legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    seaborn.despine(figure)
    said = "; ".join(f"{name} {use[0]:.3f} and {attack[0]:.3f}" for name, use, attack in points)
    return done(figure, f"{utility} against {privacy}: {said}; an attack that guesses has {chance:.3g}")
