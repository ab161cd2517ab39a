"""Results of a machine of cluster.py, brought home into our runs folder, while they are made, too.

A run is known by who worked on it (segments.json). What went on there from ours takes its place; what went on here
stays; what went on in both places is kept twice. A file is copied beside its place and put there when all of it has
come; what a run says of itself, that it is finished above all, comes after what it speaks of.
"""

import contextlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from rcgan_nb import paths
from rcgan_nb.archive import finder, lineage
from rcgan_nb.machine.cluster import Host

MARK = ".pulled"  # in a folder that is no run: from where it came
SAID = ("heartbeat.json", "checksums.json")  # read before the files are copied, written after
FILTER = ["--exclude=*.partial", "--exclude=.*"]  # what is half written, and what is nobody else's business
ROTATED = ("checkpoints/step-*.npz", "samples/step-*")  # what training replaces or takes back as it goes on
LIST = r"""cd {folder} 2>/dev/null || say "there is no folder {folder}; rcgan cluster push makes it"
text() {{ printf '%s\t%s\n' "$1" "$(cat "$2" 2>/dev/null | tr -d '\n')"; }}
mkdir -p jobs runs
cd runs
for config in */config.json; do
  run=${{config%/config.json}}
  [ -f "$config" ] && [ ! -L "$run" ] || continue
  printf 'run\t%s\n' "$run"
  for name in segments heartbeat checksums; do text $name.json "$run/$name.json"; done
  (cd "$run" && find checkpoints samples -type f -name 'step-*' 2>/dev/null || :) | while read -r file; do
    printf 'file\t%s\n' "$file"
  done
done
for folder in batches/* sweeps/*; do [ ! -d "$folder" ] || printf 'folder\t%s\n' "$folder"; done
"""


@dataclass
class There:
    """A run as it was there at one moment: texts of its JSON files, and names of what training may take back."""

    name: str
    said: dict = field(default_factory=dict)
    files: set = field(default_factory=set)

    @property
    def segments(self) -> list[str]:
        """Ids of the processes that worked on it, in order; none where that cannot be read."""
        return lineage.ids(self.said.get("segments.json", ""))

    @property
    def step(self) -> int:
        """The last step known of it."""
        told = self.beat.get("step")
        return max(finder.last_step(self.files), told if isinstance(told, int) else 0)

    @property
    def line(self) -> lineage.Line:
        last, begun = finder.last_step(self.files), lineage.begun(self.said.get("segments.json", ""))
        return lineage.Line(tuple(self.segments), tuple(begun), last if last >= 0 else self.step)

    @property
    def beat(self) -> dict:
        try:
            return dict(json.loads(self.said.get("heartbeat.json", "")))
        except (ValueError, TypeError):
            return {}


def pull(host: Host, progress=print):
    """Bring home all runs, batches and sweeps, and the logs of jobs; what is here already is not copied again.

    Args:
        progress: called with a line for each run that is new, has changed or stays away.
    Raises: OSError: the machine cannot be reached, or not all came; what was good here is as good as before.
    """
    runs, folders = _listed(host)
    coming = [(run, home) for run in runs if (home := _home(run, progress))]
    before = {home: _rotated(home) for _, home in coming}
    for run, home in coming:  # which run it is comes first
        if not home.exists():
            home.mkdir(parents=True)
            _write(home / "segments.json", run.said["segments.json"])
    whole = _fetch(host, [(f"runs/{run.name}", home) for run, home in coming], [f"--exclude={name}" for name in SAID])
    for run, home in coming:
        for old in before[home] if whole else ():
            if _replaced(old, run.files):
                (home / old).unlink(missing_ok=True)
        _conclude(run, home, progress)
    _fetch(host, [(f"runs/{name}", _folder(host, name)) for name in folders])
    host.fetch(["jobs/"], paths.runs() / "cluster" / host.name, *FILTER)


def _listed(host) -> tuple[list[There], list[str]]:
    """The runs there, and the folders of batches and sweeps."""
    runs, folders = [], []
    for line in host.run(LIST.format(folder=host.folder)).splitlines():
        kind, _, text = line.partition("\t")
        if kind == "run":
            runs.append(There(text))
        elif kind == "folder":
            folders.append(text)
        elif kind == "file" and runs:
            runs[-1].files.add(text)
        elif runs:
            runs[-1].said[kind] = text
    return runs, folders


def _home(run, progress) -> Path | None:
    """The folder here of a run there; None where it is not to come."""
    if not run.segments:
        return None  # nobody has worked on it yet
    try:
        home, new = lineage.beside(paths.runs(), run.name, run.line)
    except ValueError as error:
        progress(f"not fetched: {error}")
        return None
    if new and lineage.processes(home) == run.segments and finder.at(home).step > run.step:
        progress(f"run {run.name} is a copy of an earlier step there; that of here stays")
        return None
    if new and home.name != run.name:
        progress(f"run {run.name} went on otherwise here and stays; that of there is {home.name}")
    return home if new else None


def _rotated(home) -> set[str]:
    return {path.relative_to(home).as_posix() for pattern in ROTATED for path in home.glob(pattern)}


def _replaced(old, files) -> bool:
    """Whether a file went there because later ones came; what was cleared away there stays here."""
    beside = [name for name in files if name.partition("/")[0] == old.partition("/")[0]]
    return old not in files and any(finder.step_in(name) > finder.step_in(old) for name in beside)


def _conclude(run, home, progress):
    """Write what the run said of itself, now that what it speaks of is here."""
    changed = False
    for name in SAID:
        with contextlib.suppress(ValueError):  # it was being written when it was read
            changed |= _write(home / name, json.dumps(json.loads(run.said[name]), indent=1) + "\n")
    if changed:
        progress(f"run {home.name}: {run.beat.get('state')} at step {run.beat.get('step')}")


def _write(path, text) -> bool:
    """Write a file whole or not at all; returns whether it was another before."""
    if path.exists() and path.read_text() == text:
        return False
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text)
    os.replace(partial, path)
    return True


def _folder(host, name) -> Path:
    """The folder here of a batch or sweep: its own name, unless that is one of ours or of another machine."""
    kind, own = name.split("/", 1)
    home = paths.inside(paths.runs() / kind, own)
    if home.exists() and not _from(home, host):
        home = home.with_name(f"{own}-{host.name}")
    home.mkdir(parents=True, exist_ok=True)
    _write(home / MARK, host.origin + "\n")
    return home


def _from(home, host) -> bool:
    mark = home / MARK
    return mark.exists() and mark.read_text().strip() == host.origin


def _fetch(host, pairs, options=()) -> bool:
    """Copy folders from there to here, in one go those that keep their names; returns whether all of it came."""
    whole, alike = True, {}
    for there, home in pairs:
        if Path(there).name == home.name:
            alike.setdefault(home.parent, []).append(there)
        else:
            whole &= host.fetch([f"{there}/"], home, *FILTER, *options)
    for parent, theirs in alike.items():
        whole &= host.fetch(theirs, parent, *FILTER, *options)
    return whole
