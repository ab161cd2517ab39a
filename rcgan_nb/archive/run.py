"""A run's folder under runs/: what it holds and how its parts are found.

Facts about a run are read from its files, never from its name: config.json, versions.json, data.json, metrics.csv,
watch.csv, alarms.json, segments.json, heartbeat.json, checksums.json, checkpoints/, samples/, figures/,
evaluation.json and the executed notebooks.
"""

import csv
import dataclasses
import hashlib
import json
import os
import platform
import socket
import time
import uuid
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path

from rcgan_nb import paths
from rcgan_nb.archive import checkpoint
from rcgan_nb.config import TrainConfig

SUMS = "checksums.json"
SILENT_AFTER = 600  # seconds without a heartbeat after which a run on another machine counts as lost
VERSIONS_OF = ("rcgan-nb", "tensorflow", "keras", "numpy", "scikit-learn")


@dataclass(frozen=True)
class Run:
    """A run's folder."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def config(self) -> TrainConfig:
        return TrainConfig.read(self.path / "config.json")

    @property
    def data(self) -> dict:
        """What data the run was made from: fingerprint, shape, classes, fitted scaling."""
        return self.read_json("data.json")

    def read_json(self, name) -> dict:
        return json.loads((self.path / name).read_text())

    def write_json(self, name, values):
        write_json(self.path / name, values)

    def folder(self, name) -> Path:
        (self.path / name).mkdir(exist_ok=True)
        return self.path / name

    def beat(self, state, step, **facts):
        """Write the heartbeat: who works on this run, and how far it is."""
        beat = {"state": state, "step": int(step), "time": time.time(), "host": socket.gethostname(), "error": ""}
        beat |= facts | this_process()
        try:
            self.write_json("heartbeat.json", beat)
        except OSError:  # a full disk still has room in the old one's place
            (self.path / "heartbeat.json.partial").unlink(missing_ok=True)
            (self.path / "heartbeat.json").write_text(json.dumps(beat, indent=1) + "\n")

    def status(self) -> str:
        """finished, failed, interrupted, running; killed or lost when it should be running and nobody is there."""
        try:
            beat = self.read_json("heartbeat.json")
            if beat["state"] != "running":
                return str(beat["state"])
            if beat["host"] == socket.gethostname():
                return "running" if alive(beat) else "killed"
            return "running" if time.time() - beat["time"] < SILENT_AFTER else "lost"
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return "never started"

    def begin_segment(self, step, config):
        """Record that a process goes on from `step`, under an id of its own: two machines can be told apart."""
        (self.path / SUMS).unlink(missing_ok=True)
        path = self.path / "segments.json"
        before = json.loads(path.read_text()) if path.exists() else []
        facts = {"id": uuid.uuid4().hex, "step": step, "time": time.time(), "host": socket.gethostname()}
        self.write_json("segments.json", [*before, facts | {"config": config.to_dict(), "versions": _versions()}])

    @property
    def segment(self) -> str:
        """Id of the last process that worked on the run; "" where the file is missing."""
        path = self.path / "segments.json"
        return json.loads(path.read_text())[-1]["id"] if path.exists() else ""

    def seal(self):
        """Write the SHA-256 of every file, so that `archive.verify` can tell whether one has changed since."""
        names = sorted(p.relative_to(self.path).as_posix() for p in self.path.rglob("*") if p.is_file())
        unsealed = (SUMS, "heartbeat.json")  # the heartbeat says that all is done, and so comes later
        kept = [n for n in names if n not in unsealed and not n.endswith((".partial", ".ipynb"))]
        self.write_json(SUMS, {name: sha256((self.path / name).read_bytes()) for name in kept})

    def rewind(self, step):
        """Forget figures, samples and alarms after `step`, which the last checkpoint does not know of; they come again.

        Those of an end between the intervals go, too: a run that never stopped would not have them.
        """
        every = self.config
        self._rewind_table("metrics.csv", step, every.log_every)
        self._rewind_table("watch.csv", step, every.watch_every)
        alarms = [a for a in self.alarms() if a["step"] <= step and a["step"] % every.watch_every == 0]
        if alarms != self.alarms():
            self.write_json("alarms.json", alarms)
        for sample in self.path.glob("samples/step-*"):
            number = int(sample.name[len("step-") :].split(".")[0])
            if number > step or number % every.sample_every:
                sample.unlink()

    def _rewind_table(self, name, step, every):
        if not (self.path / name).exists():
            return
        header, *rows = self._rows(name)
        kept = [row for row in rows if int(row[0]) <= step and int(row[0]) % every == 0]
        partial = self.path / f"{name}.partial"
        with open(partial, "w", newline="") as file:
            csv.writer(file).writerows([header, *kept])
        os.replace(partial, self.path / name)

    def _rows(self, name):
        """Header and rows of a table; a last line cut short by a crash is left out."""
        with open(self.path / name, newline="") as file:
            header, *rows = list(csv.reader(file)) or [[]]
        return [header, *(row for row in rows if len(row) == len(header) and all(row))]

    def _columns(self, name) -> dict[str, list[float]]:
        if not (self.path / name).exists():
            return {}
        header, *rows = self._rows(name)
        return {name: [float(row[i]) for row in rows] for i, name in enumerate(header)}

    def metrics(self) -> dict[str, list[float]]:
        """Columns of metrics.csv; empty before the first row."""
        return self._columns("metrics.csv")

    def watch(self) -> dict[str, list[float]]:
        """Columns of watch.csv: nearness to the validation part and the signs of a collapse, at intervals."""
        return self._columns("watch.csv")

    def privacy(self) -> str:
        """What the training series were promised (see private.py), in words."""
        facts = self.data.get("privacy")
        if not facts:
            return "not differentially private"
        return (
            "differentially private for each training series: after {steps:,} steps epsilon {epsilon:.3g} at delta "
            "{delta:g}".format(**facts)
        )

    def alarms(self) -> list[dict]:
        """What training warned of: step, what, value, limit."""
        return self.read_json("alarms.json") if (self.path / "alarms.json").exists() else []

    def checkpoint(self, which="last"):
        """Path of the last or best whole checkpoint.

        Raises: FileNotFoundError: there is none.
        """
        pattern = "best.npz" if which == "best" else "step-*.npz"
        for path in sorted(self.path.glob(f"checkpoints/{pattern}"), reverse=True):
            try:
                checkpoint.read(path)
                return path
            except ValueError as error:
                print(f"{error} The one before it is used.")
        facts = self.data if (self.path / "data.json").exists() else {}
        reason = facts.get("imported", {}).get("without_networks")
        why = f" It was imported without networks: {reason}" if reason else ""
        raise FileNotFoundError(f"run {self.name} ({self.status()}) holds no whole checkpoint {which!r}.{why}")


def draw(run):
    """The figures of a finished run: loss curves, and how the samples came to be."""
    from rcgan_nb import plots  # matplotlib takes a second, and listing runs draws nothing

    figures = run.folder("figures")
    plots.save(plots.losses(run.metrics()), figures / "losses.png")
    plots.gif(sorted(run.path.glob("samples/*.png")), figures / "samples.gif")


def write_json(path, values):
    """Write plain values as JSON, whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(values, indent=1) + "\n")
    os.replace(partial, path)


def sha256(content) -> str:
    return hashlib.sha256(content).hexdigest()


def create(config: TrainConfig, data: dict) -> Run:
    """Make the folder of a new run; config, versions and data are on disk before the first step."""
    name = config.run_name or f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{config.model}_{Path(config.dataset).stem}"
    run = Run(paths.inside(paths.runs(), name))
    if (run.path / "config.json").exists():
        raise FileExistsError(f"run {name!r} exists already at {run.path}; choose another run_name.")
    run.path.mkdir(parents=True, exist_ok=True)
    run.write_json("versions.json", _versions())
    run.write_json("data.json", data)
    config.save(run.path / "config.json")
    return run


def continued(given: dict) -> TrainConfig:
    """The settings of the run named by given["resume"], with the other given values in place of its own."""
    before = find(given["resume"]).config
    TrainConfig.make(**given)
    return dataclasses.replace(before, **given)


def find(name) -> Run:
    """A run by its name under runs/, by its path, or 'latest': the one begun last that has a checkpoint."""
    if name == "latest":
        found = [p.parent for p in paths.runs().glob("*/config.json") if any(p.parent.glob("checkpoints/*.npz"))]
        if not found:
            raise FileNotFoundError(f"there is no run with a checkpoint in {paths.runs()}; train one first.")
        return Run(max(found, key=lambda path: (path / "config.json").stat().st_mtime))
    for path in (paths.runs() / str(name), Path(name).expanduser()):
        if (path / "config.json").is_file():
            return Run(path.resolve())
    known = sorted(p.parent.name for p in paths.runs().glob("*/config.json"))
    raise FileNotFoundError(f"there is no run {str(name)!r} in {paths.runs()}; known: {', '.join(known) or 'none'}.")


def _versions() -> dict:
    found = {"python": platform.python_version(), "platform": platform.platform(), "cpus": os.cpu_count()}
    for name in VERSIONS_OF:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


def this_process() -> dict:
    """What `alive` knows a process by: its number and when it began."""
    import psutil

    return {"pid": os.getpid(), "started": psutil.Process().create_time()}


def alive(beat) -> bool:
    """Whether the very process that wrote these facts lives: its number alone may have been given away again."""
    import psutil

    try:
        return abs(psutil.Process(beat["pid"]).create_time() - beat["started"]) < 1
    except psutil.NoSuchProcess:
        return False
