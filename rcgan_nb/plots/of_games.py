"""Figures of two players: their paths, the eigenvalues of their game, and the laws they play with."""

import numpy as np
import seaborn

from rcgan_nb.plots.base import done, subplots

COLUMNS = 5  # panels beside each other


def trajectories(found, *, names=("theta (generator)", "psi (discriminator)"), frame=1.6, center=(0.0, 0.0)):
    """Paths of two players, a panel for each, all on one scale: a ring where it begins, a square where it ends.

    Args:
        found: name -> states `(steps + 1, 2)`, or a list of such.
        names: of the two numbers.
        frame: how far the panels reach from the center; of a path that goes further, its title says how much is cut.
    """
    columns = min(COLUMNS, len(found))
    rows = -(-len(found) // columns)
    size = {"figsize": (2.5 * columns + 0.7, 2.6 * rows + 0.5), "layout": "constrained"}
    figure, axes = subplots(rows, columns, squeeze=False, sharex=True, sharey=True, **size)
    for axis in axes.flat[len(found) :]:
        axis.remove()
    paths = {name: [lines] if isinstance(lines, np.ndarray) else lines for name, lines in found.items()}
    cut = {name: _cut(lines, frame, center) for name, lines in paths.items()}
    for axis, (name, lines) in zip(axes.flat, paths.items(), strict=False):
        for line in lines:
            axis.plot(line[:, 0], line[:, 1], lw=0.8)
            axis.plot(*line[0], "o", mfc="white", mec="k", ms=6)
            axis.plot(*line[-1], "s", color="k", ms=5)
        axis.plot(*center, "+", color="0.3", ms=9)
        axis.set_title(f"{name}\n{cut[name]}".strip(), fontsize="small")
        axis.set_aspect("equal")
    axes[0, 0].set(xlim=(center[0] - frame, center[0] + frame), ylim=(center[1] - frame, center[1] + frame))
    figure.supxlabel(names[0], fontsize="small")
    figure.supylabel(names[1], fontsize="small")
    seaborn.despine(figure)
    said = "; ".join(
        f"{name} ends at {' and '.join(f'({x:.2g}, {y:.2g})' for x, y in (line[-1] for line in lines))}"
        + (f" ({cut[name]})" if cut[name] else "")
        for name, lines in paths.items()
    )
    return done(figure, f"Paths of two players: {said}")


def _cut(lines, frame, center) -> str:
    """How many states of all paths lie outside the panel, in words; "" where there is none."""
    outside = sum(int((~(abs(line - center) <= frame).all(1)).sum()) for line in lines)  # one that is NaN, too
    return f"{outside} of {sum(map(len, lines))} states outside" if outside else ""


def spectra(found):
    """Eigenvalues in the complex plane, a colour for each name; right of the line at 0 they lead away.

    Args:
        found: name -> complex array. Axes are linear from -1 to 1, and logarithmic beyond where anything is there.
    """
    figure, axis = subplots(figsize=(7, 4), layout="constrained")
    for (name, values), marker in zip(found.items(), "osD^vP*X", strict=False):
        axis.plot(values.real, values.imag, marker, ms=6, mfc="none", mew=1.3, label=f"{name} (n = {len(values)})")
    axis.axvline(0, color="0.6", lw=0.8, zorder=0)
    values = np.concatenate([*found.values()])
    if (abs(values.real) > 1).any():
        axis.set_xscale("symlog", linthresh=1)
    if (abs(values.imag) > 1).any():
        axis.set_yscale("symlog", linthresh=1)
    axis.set(xlabel="real part (per unit of learning rate)", ylabel="imaginary part")
    axis.legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    seaborn.despine(figure)
    parts = {name: values.real for name, values in found.items()}
    said = (f"{name} from {p.min():.3g} to {p.max():.3g}" if len(p) else f"{name} none" for name, p in parts.items())
    return done(figure, f"Eigenvalues in the complex plane, real parts: {'; '.join(said)}")


def against(x, lines, *, xlabel, ylabel, level=0.0, log=False):
    """Lines over one setting, and a level that decides.

    Args:
        x: `(n,)`; lines: name -> `(n,)`; level: where a thin line is drawn.
        log: whether the setting's axis is logarithmic.
    """
    figure, axis = subplots(figsize=(7, 3.6), layout="constrained")
    styles = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))  # lines that lie upon each other stay visible
    for k, (name, values) in enumerate(lines.items()):
        axis.plot(x, values, marker="o", ms=3, ls=styles[k % len(styles)], label=name)
    axis.axhline(level, color="0.6", lw=0.8, zorder=0)
    axis.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log else "linear")
    axis.legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    seaborn.despine(figure)
    said = "; ".join(f"{name} from {values[0]:.3g} to {values[-1]:.3g}" for name, values in lines.items())
    return done(figure, f"{ylabel} over {xlabel} from {x[0]:.3g} to {x[-1]:.3g}: {said}")


def laws(p, q, said):
    """Two laws on few points, and how likely a discriminator calls a series at each point real.

    Args:
        p, q, said: `(n,)` each; what would be best, p / (p + q), is drawn beside it.
    """
    figure, axes = subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    points = np.arange(len(p))
    axes[0].bar(points - 0.2, p, 0.4, label="p (real)")
    axes[0].bar(points + 0.2, q, 0.4, label="q (fake)")
    axes[0].set(xlabel="point", ylabel="probability", xticks=points)
    axes[1].plot(points, said, "o", ms=9, mfc="none", mew=1.5, label="found")
    axes[1].plot(points, p / (p + q), "x", color="k", label="p / (p + q)")
    axes[1].set(xlabel="point", ylabel="sigmoid of the logit", xticks=points, ylim=(0, 1))
    for axis in axes:
        axis.legend(fontsize="small", frameon=False)
    seaborn.despine(figure)
    values = ", ".join(f"{a:.3f} for {b:.3f}" for a, b in zip(said, p / (p + q), strict=True))
    return done(figure, f"Two laws on {len(p)} points and the best discriminator, found for p / (p + q): {values}")
