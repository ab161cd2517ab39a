"""A sweep on disk: runs/sweeps/NAME with its settings, its trials' values and a folder for each trial."""

import fcntl
import functools
import json
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
from optuna.trial import TrialState

from rcgan_nb import paths
from rcgan_nb.config import SweepConfig, train_config
from rcgan_nb.data import load
from rcgan_nb.runtimes.jobs import seconds
from rcgan_nb.runtimes.task import write_json
from rcgan_nb.settings import did_you_mean
from rcgan_nb.sweep import workers
from rcgan_nb.sweep.space import Space
from rcgan_nb.sweep.storage import open_storage
from rcgan_nb.sweep.trials import Final, Trial

VERSION = 1  # of what a sweep's folder holds
GOALS = {"mmd2": "minimize", "tstr": "maximize", "coverage": "maximize"}  # figures of the validation part
# What may be other when a sweep is started again: how much is tried and for how long, never what a trial would be.
MAY_CHANGE = ("trials", "limit", "workers", "finalists", "final_seeds")


@dataclass(frozen=True)
class Plan:
    """What a sweep would try, checked: nothing is written yet.

    Attributes:
        values: of each trial; empty where the search decides as it goes.
        left_out: combinations that cannot be trained, and why.
    """

    config: SweepConfig
    space: Space
    values: list
    left_out: list

    @classmethod
    def of(cls, config):
        """Raises: ValueError, FileNotFoundError: the space, the settings or the data cannot be used."""
        space, left_out = Space.read(config), []
        seconds(config.limit)
        _require_ratio(config, space)
        if config.search == "grid":
            values, left_out = space.cells()
        elif config.search == "random":
            values = space.drawn(config.trials, config.seed)
        else:
            values = [{}] * config.trials
            space.drawn(1, config.seed)  # or else nothing in it can be trained
        _require_data(config, space, values)
        return cls(config, space, values, left_out)


def _require_ratio(config, space):
    if config.max_loss_ratio and "wasserstein" in (space.shared.get("loss"), *space.axes.get("loss", ())):
        raise ValueError(
            "the wasserstein loss may have either sign, so that the ratio of two says nothing; set max_loss_ratio to 0."
        )


def _require_data(config, space, values):
    """Load every data set that is asked for: a missing file would be found by each trial, one after the other."""
    trials = [train_config(**space.shared | v) for v in values]
    for arguments in sorted({json.dumps(trial.load_arguments(), sort_keys=True) for trial in trials}):
        labelled = load(**json.loads(arguments)).y is not None
        if config.goal == "tstr" and not (labelled and all(trial.model != "rgan" for trial in trials)):
            raise ValueError("goal tstr needs labels, and a model that takes them; set goal to mmd2 or coverage.")


class Sweep:
    """A sweep that has been begun: its settings, Optuna's storage, and its folder."""

    def __init__(self, config, folder: Path):
        self.config, self.folder, self.space = config, folder, Space.read(config)
        self.storage = open_storage(config.storage, folder)

    @classmethod
    def begin(cls, config):
        """The sweep of this name, made where there is none; trials that it lacks are added.

        Raises: ValueError: there is one with other settings, or nothing could be tried. Nothing is written then.
        """
        folder = _folder(config.name)
        known = (folder / "sweep.json").exists()
        config = _same(_read(folder), config) if known else config
        plan = Plan.of(config)
        sweep = cls(config, folder)
        direction = GOALS[config.goal]
        optuna.create_study(study_name=config.name, storage=sweep.storage, direction=direction, load_if_exists=True)
        if not known and sweep.trials():
            raise ValueError(
                f"the storage holds trials of a sweep {config.name!r} whose folder is not {folder}; give another name, "
                "or set RCGAN_RUNS to the runs folder of that one."
            )
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "sweep.json", {"version": VERSION, "config": config.to_dict()})
        with open(folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            sweep._add(plan)
        return sweep

    def _add(self, plan):
        there = len(self.trials())
        for values in plan.values[there:]:
            axes = self.space.distributions() if values else {}
            waiting = optuna.trial.create_trial(state=TrialState.WAITING, params=values, distributions=axes)
            self.study().add_trial(waiting)

    @classmethod
    def open(cls, name):
        """The sweep of this name.

        Raises: FileNotFoundError: there is none. ValueError: it was written by another version.
        """
        folder = _folder(name)
        if not (folder / "sweep.json").exists():
            known = sorted(path.parent.name for path in folder.parent.glob("*/sweep.json"))
            raise FileNotFoundError(
                f"there is no sweep {name!r} in {folder.parent}; {did_you_mean(name, known)}"
                f"known: {', '.join(known) or 'none'}. Workers elsewhere need the same runs folder (RCGAN_RUNS)."
            )
        sweep = cls(_read(folder), folder)
        sweep.trials()
        return sweep

    def train(self, count=0, gpus=()):
        """Train what is left, with so many workers on this machine (see `workers.run`); 0 takes those of the config."""
        workers.run(self, count or self.config.workers, gpus)

    def study(self, number=0):
        """Optuna's study; its sampler is seeded for the trial of this number, whoever asks it."""
        sampler = optuna.samplers.TPESampler(seed=self.config.seed + number, constant_liar=True)
        return optuna.load_study(study_name=self.config.name, storage=self.storage, sampler=sampler)

    @functools.cached_property
    def _id(self):
        try:
            return self.storage.get_study_id_from_name(self.config.name)
        except KeyError:
            where = self.config.storage or self.folder / "journal.log"
            raise ValueError(
                f"the storage of sweep {self.config.name!r} ({where}) holds no trials of it; was it moved or emptied?"
            ) from None

    @property
    def sign(self) -> int:
        """What mmd2 has in the storage, where it is better when less, and all values go in the goal's direction."""
        return 1 if GOALS[self.config.goal] == "minimize" else -1

    def trials(self) -> list:
        """Optuna's trials, in order."""
        found = self.storage.get_all_trials(self._id, deepcopy=False)
        return sorted(found, key=lambda trial: trial.number)

    def completed(self) -> list:
        """Trials that came to their end and were not cut."""
        return [trial for trial in self.trials() if trial.state == TrialState.COMPLETE]

    def tasks(self) -> list:
        """A job for each trial, and for each of the finalists' seeds."""
        return [*(Trial(self, frozen) for frozen in self.trials()), *self.finals()]

    def finals(self) -> list:
        """Jobs of the finalists, once they are known."""
        path = self.folder / "finals.json"
        asked = json.loads(path.read_text()) if path.exists() else []
        trials = self.trials() if asked else []
        return [Final(self, trials[number], seed) for number, seed in asked]


def _folder(name) -> Path:
    return paths.inside(paths.runs() / "sweeps", name)


def _read(folder) -> SweepConfig:
    path = folder / "sweep.json"
    try:
        kept = json.loads(path.read_text())
        if kept["version"] == VERSION:
            return SweepConfig.make(**kept["config"])
        version = kept["version"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} cannot be read ({error}); restore it, or begin a sweep of another name.") from error
    raise ValueError(
        f"{path} is of version {version}, and this library reads version {VERSION}; use the library that wrote it, or "
        "begin a sweep of another name."
    )


def _same(before, now) -> SweepConfig:
    """The settings with which a sweep goes on; its space may be written otherwise, and keeps its order.

    Raises: ValueError: they are not those it was begun with.
    """
    same = replace(before, **{name: getattr(now, name) for name in MAY_CHANGE})
    if Space.read(before) == Space.read(now):
        now = replace(now, space=before.space, settings=before.settings)
    if differs := [name for name in now.names() if getattr(same, name) != getattr(now, name)]:
        raise ValueError(
            f"sweep {now.name!r} was begun with other settings ({', '.join(differs)}); give another name. "
            f"Only {', '.join(MAY_CHANGE)} may change."
        )
    if now.trials < before.trials:
        raise ValueError(f"sweep {now.name!r} has {before.trials} trials; there can be more, but not {now.trials}.")
    return same
