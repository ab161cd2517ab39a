"""What is searched: fields of TrainConfig with values or ranges, checked before anything starts."""

import contextlib
import itertools
from dataclasses import dataclass, fields

import optuna
import yaml

from rcgan_nb.config import TrainConfig, did_you_mean, train_config
from rcgan_nb.settings import checked

NOT_SEARCHED = ("run_name", "resume")  # each trial has a run of its own
RANGE = ("low", "high", "log")
TRIES = 100  # draws for each random trial, of which most may be impossible or doubled


@dataclass(frozen=True)
class Space:
    """Fields to search, and settings that all trials share.

    Attributes:
        axes: for each field a list of values, or a dict of low, high and log.
        shared: settings, as given.
    """

    axes: dict
    shared: dict

    @classmethod
    def read(cls, config):
        """The space of a SweepConfig.

        Raises: ValueError: empty, contradictory, or with fields or values that training does not know.
        """
        axes, shared = mapping("space", config.space), mapping("settings", config.settings)
        if not axes:
            raise ValueError("space is empty; give fields and their values, as in {learning_rate: [0.001, 0.002]}.")
        for name in (*axes, *shared):
            _require_field(name)
        if both := sorted(axes.keys() & shared.keys()):
            raise ValueError(f"{both[0]} stands in space and in settings; leave it out of one.")
        shared = {name: value_of(name, value) for name, value in shared.items()}
        return cls({name: _axis(name, given, config.search) for name, given in axes.items()}, shared)

    def complete(self, values) -> dict:
        """All settings of a trial with these values.

        Raises: ValueError: training would refuse them.
        """
        given = self.shared | values
        train_config(**given)
        return given

    def cells(self) -> tuple[list[dict], list[str]]:
        """Values of every combination that can be trained, and why each of the others cannot."""
        possible, refused = [], []
        for values in itertools.product(*self.axes.values()):
            cell = dict(zip(self.axes, values, strict=True))
            try:
                self.complete(cell)
                possible.append(cell)
            except ValueError as error:
                refused.append(f"{cell}: {error}")
        if not possible:
            raise ValueError(f"no combination of space can be trained: {refused[0]}")
        return possible, refused

    def drawn(self, count, seed) -> list[dict]:
        """So many different random combinations that can be trained; more of them begin with the same ones."""
        study, found = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed)), []
        for _ in range(TRIES * count):
            values = study.ask(self.distributions()).params
            if values not in found and self._possible(values):
                found.append(values)
            if len(found) == count:
                return found
        raise ValueError(
            f"{count} trials were asked for, but only {len(found)} different combinations that can be trained were "
            "found; lower trials, or widen space."
        )

    def _possible(self, values) -> bool:
        try:
            self.complete(values)
        except ValueError:
            return False
        return True

    def suggested(self, trial) -> dict:
        """What Optuna's trial proposes; values that it has already stay."""
        found = {}
        for name, axis in self.axes.items():
            if isinstance(axis, list):
                found[name] = trial.suggest_categorical(name, axis)
            else:
                whole = type(axis["low"]) is int
                found[name] = (trial.suggest_int if whole else trial.suggest_float)(name, **axis)
        return found

    def distributions(self) -> dict:
        """The same in Optuna's words."""
        of, found = optuna.distributions, {}
        for name, axis in self.axes.items():
            if isinstance(axis, list):
                found[name] = of.CategoricalDistribution(axis)
            else:
                kind = of.IntDistribution if type(axis["low"]) is int else of.FloatDistribution
                found[name] = kind(**axis)
        return found


def mapping(what, text) -> dict:
    """The names and values that a YAML text gives."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{what} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found or {}, dict):
        raise ValueError(f"{what} must be names with values, as in {{learning_rate: [0.001]}}, but {text!r} came.")
    return found or {}


def _require_field(name):
    known = [n for n in TrainConfig.names() if n not in NOT_SEARCHED]
    if name in NOT_SEARCHED:
        raise ValueError(f"{name} cannot be given in a sweep; each trial has a run of its own, named by the sweep.")
    if name not in known:
        raise ValueError(f"setting {name!r} is not known; {did_you_mean(name, known)}Known: {', '.join(known)}.")


def value_of(name, value):
    """The value in the type of its field (YAML reads 1e-3 as text).

    Raises: ValueError: of another type, or out of the field's range.
    """
    field = next(f for f in fields(TrainConfig) if f.name == name)
    if isinstance(value, str) and type(field.default) in (int, float):
        with contextlib.suppress(ValueError):  # the check below says what is expected
            value = float(value)
    return checked(field, value)


def _axis(name, given, search):
    if isinstance(given, dict):
        return _range(name, given, search)
    if not isinstance(given, list) or not given:
        raise ValueError(f"space: {name} must be a list of values or a range with low and high, but {given!r} came.")
    values = [value_of(name, value) for value in given]
    twice = [value for value in values if values.count(value) > 1]
    if twice:
        raise ValueError(f"space: {name} has the value {twice[0]!r} twice.")
    return values


def _range(name, given, search) -> dict:
    for key in given:
        if key not in RANGE:
            raise ValueError(
                f"space: {key!r} is not known of a range; {did_you_mean(key, RANGE)}Known: low, high, log."
            )
    if search == "grid":
        raise ValueError(f"space: a grid needs values, and {name} has a range; list them, or set search to random.")
    if not {"low", "high"} <= given.keys():
        raise ValueError(f"space: {name} needs low and high, but {given!r} came.")
    low, high = (value_of(name, given[key]) for key in ("low", "high"))
    if type(low) not in (int, float):
        raise ValueError(f"space: {name} is no number and has no range; list its values.")
    log = given.get("log", False)
    if type(log) is not bool:
        raise ValueError(f"space: {name}: log must be true or false, but {log!r} came.")
    if low >= high or (log and low <= 0):
        raise ValueError(
            f"space: {name} goes from {low} to {high}{', with log' * log}; low must be less than high"
            f"{', and more than 0' * log}."
        )
    return {"low": low, "high": high, "log": log}
