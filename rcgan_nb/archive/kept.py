"""Checkpoints of a merged run: the last two of its last process, and the best; the copies of damaged ones are read."""

import io

from rcgan_nb.archive import checkpoint
from rcgan_nb.archive.finder import step_in

BEST = "checkpoints/best.npz"


def copy(plan, run):
    """Copy them from what the plan (see merging.py) joins.

    Raises: ValueError: no copy holds a whole one.
    """
    run.folder("checkpoints")
    kept = _copy_last(plan.pieces[-1], run)
    if not kept:
        raise ValueError(
            f"no copy of {plan.tip.name} holds a whole checkpoint; without one there is nothing to go on with."
        )
    best = _best(plan, _shapes(checkpoint.read(run.path / kept[-1])[0]))
    if best:
        (run.path / BEST).write_bytes(best)


def _copy_last(piece, run) -> list[str]:
    """Copy the last two that are whole; returns their names."""
    copies = {}
    for source in piece.sources:
        for name in source.checkpoints:
            if piece.start <= step_in(name) <= piece.until(source):
                copies.setdefault(name, []).append(source)
    whole = [name for name in sorted(copies, key=step_in) if _whole_copy(copies[name], name, run)]
    for name in whole[:-2]:
        (run.path / name).unlink()
    return whole[-2:]


def _whole_copy(sources, name, run) -> bool:
    for source in sources:
        (run.path / name).write_bytes(source.read(name))
        try:
            checkpoint.read(run.path / name)
            return True
        except ValueError:
            (run.path / name).unlink()
    return False


def _best(plan, shapes):
    """The best of all pieces, if its networks and the data they saw are those of the end; None where there is none."""
    alike = [piece for piece in plan.pieces if _data(piece.sources[0]) == _data(plan.tip)]
    best = {}
    for source in dict.fromkeys(s for piece in alike for s in piece.sources if BEST in s.checkpoints):
        content = source.read(BEST)
        found, meta = _content(content)
        if found == shapes and any(p.holds(meta["step"], source) for p in alike if source in p.sources):
            best[content] = meta["validation_mmd2"]
    return min(best, key=best.get, default=None)


def _data(found):
    """The data that a run saw, and how they were scaled: nearness is measured on what comes of both."""
    return [found.facts["data"].get(name) for name in ("fingerprint", "codec")]


def _shapes(arrays) -> dict:
    return {name: array.shape for name, array in arrays.items()}


def _content(content):
    """Shapes and plain values of a checkpoint; None twice of one that is not whole."""
    try:
        arrays, meta = checkpoint.read(io.BytesIO(content))
        return _shapes(arrays), meta
    except ValueError:
        return None, None
