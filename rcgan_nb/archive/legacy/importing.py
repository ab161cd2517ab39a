"""A chain of an old archive as one run of ours: what it would be (`plan`), and the run itself (`import_archive`)."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rcgan_nb import paths
from rcgan_nb.archive.legacy import chains, networks, sheet, writing
from rcgan_nb.archive.legacy.segments import Segment, of_chain
from rcgan_nb.archive.run import Run
from rcgan_nb.config import TrainConfig


@dataclass(frozen=True)
class Rebuilt:
    """What became of a chain's networks.

    Attributes:
        without: why there are none; "" where there are.
        arrays: the checkpoint.
        samples: the sheet's pictures `(n, 28, 28)` in [-1, 1], by the imported generator.
        agreement: with the archive's own (see `sheet`); None where that is not there.
    """

    without: str = ""
    arrays: dict = field(default_factory=dict)
    samples: np.ndarray | None = None
    agreement: float | None = None
    remarks: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """What the sheet proves, in words."""
        if self.agreement is None:
            return "not verified, as the archive has no whole picture of the epoch of its weights"
        found = f"pixels of the fixed-noise sheet correlate {self.agreement:.3f} with the archive's picture"
        return (
            f"verified: {found}" if self.agreement >= sheet.AGREES else f"NOT VERIFIED: {found}; see figures/sheet.png"
        )


@dataclass(frozen=True)
class Plan:
    """What an import would make; `str` tells it in some lines."""

    name: str
    chain: chains.Chain
    segments: tuple[Segment, ...]
    config: TrainConfig
    rebuilt: Rebuilt
    remarks: tuple[str, ...]

    @property
    def step(self) -> int:
        """Step of the checkpoint."""
        return self.segments[-1].step(self.segments[-1].saved)

    @property
    def networks(self) -> str:
        if self.rebuilt.without:
            return f"none, logs and pictures only: {self.rebuilt.without}"
        kernels = "kernels divided by their spectral norms, which are off from here on"
        return f"rebuilt, checkpoint of step {self.step}, {kernels}; {self.rebuilt.verdict}"

    def __str__(self):
        starts = [
            f"  {s.folder.path.name}: {s.epochs} epochs, steps {s.first_step + 1} to {s.last_step}"
            for s in self.segments
        ]
        notes = [f"  note: {remark}" for remark in self.remarks]
        head = f"{self.name}: {self.config.model} on {self.config.dataset}, {self.config.steps} steps"
        return "\n".join([head, *starts, f"  networks: {self.networks}", *notes])


def plan(path, name="") -> Plan:
    """What `import_archive` would make of a path. Reads everything and writes nothing; print it.

    Args, Raises: as `import_archive`.
    """
    chain = _one_chain(Path(path))
    segments, remarks = of_chain(chain)
    name = name or chain.name
    if paths.inside(paths.runs(), name).exists():
        raise FileExistsError(f"run {name!r} exists already in {paths.runs()}; choose another name.")
    config = dataclasses.replace(segments[-1].config, run_name=name, steps=max(1, segments[-1].last_step))
    rebuilt = _rebuilt(segments[-1])
    said = dict.fromkeys([*chain.remarks, *remarks, *rebuilt.remarks])
    return Plan(name, chain, tuple(segments), config, rebuilt, tuple(said))


def import_archive(path, name="") -> Run:
    """Make a run of ours from an archive of mv-temporal-rgan (RGAN v1 to v5, RCGAN v1 to v4), which stays as it is.

    The run has the joined losses of the whole chain in metrics.csv, its pictures in samples/, where each part comes
    from in segments.json and data.json ("imported"), and the original tables in ancestor/. Of RGAN_v5 and RCGAN_v4 it
    also has a checkpoint with both networks and optimisers, from which `generate` and `train(start_from=...)` work;
    `train(resume=...)` says why it cannot. Of older versions there are logs and pictures only. No code of the archive
    runs. An import that is interrupted leaves no run.

    Args:
        path: folder of a run in the archive (`pickles/<run>`), which is imported with all that it goes on with; or the
            archive's `pickles/`, if it holds one chain of runs only (`find_chains` lists them).
        name: of the new run under runs/; empty takes the folder's.
    Raises: FileNotFoundError: there is no such folder; ValueError: it holds no run, or several chains, which are named,
        or settings that no training can have had; FileExistsError: there is a run of that name.
    """
    planned = plan(path, name)
    print(planned, flush=True)
    return writing.write(planned)


def _one_chain(path) -> chains.Chain:
    if not path.is_dir():
        raise FileNotFoundError(f"there is no folder {path}; unpack an archive first, then name its pickles/<run>.")
    if chains.read(path) is not None:
        return chains.chain_of(path)
    found = chains.find_chains(path)
    if not found:
        raise ValueError(f"{path} holds no run of an old archive; name its pickles/ or a folder in it.")
    if len(found) > 1:
        names = "\n".join(f"  {chain.folders[-1].path}" for chain in found)
        raise ValueError(f"{path} holds {len(found)} chains of runs; import each by the folder it ends in:\n{names}")
    return found[0]


def _rebuilt(last: Segment) -> Rebuilt:
    """Networks with the weights of the chain's last folder, and what their sheet proves."""
    folder, classes = last.folder, writing.num_classes(last)
    try:
        networks.require_latest(folder, bool(classes))
        gan = networks.built(last.config, classes)
        remarks = networks.fill(gan, folder.path)
    except (ValueError, FileNotFoundError) as error:
        return Rebuilt(str(error))
    samples = gan.generate(*sheet.fixed_noise(last.config.latent_dim, classes, networks.SIDE))
    arrays = {name: np.array(variable) for name, variable in gan.variables().items()}
    agreement = None
    try:
        if last.saved in folder.pictures:
            agreement = sheet.agreement(folder.pictures[last.saved], samples, classes)
    except ValueError as error:
        remarks.append(str(error))
    return Rebuilt("", arrays, samples, agreement, tuple(remarks))
