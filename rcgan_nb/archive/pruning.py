"""What nobody needs any more, taken out of the way: half-written files, runs without results, copies, most samples."""

from dataclasses import dataclass
from pathlib import Path

from rcgan_nb import paths
from rcgan_nb.archive import aside, lineage
from rcgan_nb.archive.finder import Found, Survey
from rcgan_nb.archive.run import Run


@dataclass(frozen=True)
class Plan:
    """What pruning would move aside: files and folders, each with the reason; nothing has been moved."""

    what: tuple[tuple[Path, str], ...]

    def __str__(self):
        return "\n".join(f"{path.relative_to(paths.runs())}: {reason}" for path, reason in self.what) or "nothing"

    @property
    def size(self) -> int:
        files = [f for path, _ in self.what for f in (path.rglob("*") if path.is_dir() else [path])]
        return sum(f.stat().st_size for f in files if f.is_file())


def plan(survey: Survey, runs=(), *, samples=0) -> Plan:
    """What can go from these runs, or from all in the runs folder.

    Args:
        runs: names; of other runs nothing goes.
        samples: how many sheets of samples each run keeps, spread over its steps; 0 keeps all.
    Raises: FileNotFoundError: no such run. ValueError: fewer than two sheets, which show no change.
    """
    if samples and samples < 2:
        raise ValueError(f"of the samples at least the first and last sheet stay; give 2 or more, not {samples}.")
    ours = [f for f in survey.runs if not f.tree.packed and f.path.is_relative_to(paths.runs())]
    unknown = [name for name in runs if not any(f.name == name for f in ours)]
    if unknown:
        raise FileNotFoundError(f"there is no run {unknown[0]!r} in {paths.runs()}; known: {_names(ours)}.")
    chosen = [f for f in ours if (not runs or f.name in runs) and f.status != "running"]
    doubles = _doubles(chosen, ours)
    what = [(run.path, reason) for run in chosen if (reason := doubles.get(run) or _empty(run))]
    gone = {path for path, _ in what}
    for run in chosen:
        if run.path not in gone:
            what += [(run.path / name, "half written") for name in sorted(run.sizes) if name.endswith(".partial")]
            what += [(run.path / name, f"one of {samples} sheets is nearby") for name in _sheets(run, samples)]
    return Plan(tuple(what))


def prune(plan: Plan) -> Path | None:
    """Move aside what the plan names; returns the folder it lies in now (None if there was nothing)."""
    if not plan.what:
        return None
    went = aside.move([path for path, _ in plan.what], "prune")
    for folder in {path.parent for path, _ in plan.what} | {path.parent.parent for path, _ in plan.what}:
        if (folder / "checksums.json").exists():
            Run(folder).seal()
    return went


def _names(found):
    return ", ".join(sorted({f.name for f in found})) or "none"


def _doubles(chosen, ours) -> dict[Found, str]:
    """Copies of what another run, which stays in the runs folder, holds as well or better."""
    reasons = {}
    for state in reversed(lineage.states(ours)):  # the latest first: what goes itself passes its reason on
        best = state.run
        if best.last < 0:
            continue
        reason = reasons.get(best) if best in chosen else None
        for run in state.copies[1:]:
            reasons.setdefault(run, reason or f"{best.name} is the same run, as far or further")
        if state.how == "went on" and best.problems == []:
            for run in state.parent.copies:
                reasons.setdefault(run, reason or f"{best.name} is the same run, gone on with")
    return {run: reason for run, reason in reasons.items() if run in chosen}


def _empty(run) -> str:
    dead = run.status not in ("running", "finished")
    return "" if run.checkpoints or not dead else f"it is {run.status} and kept no checkpoint"


def _sheets(run, keep):
    """Files of the sheets that are not among the `keep` spread evenly."""
    sheets = sorted({name.rpartition(".")[0] for name in run.sizes if name.startswith("samples/step-")})
    if not keep or len(sheets) <= keep:
        return []
    stay = {sheets[round(i * (len(sheets) - 1) / (keep - 1))] for i in range(keep)}
    return sorted(
        name for name in run.sizes if name.startswith("samples/step-") and name.rpartition(".")[0] not in stay
    )
