"""What a configuration is made of: fields with explanation and limits, checked when made, kept as JSON."""

import dataclasses
import json
import math
from dataclasses import field
from difflib import get_close_matches
from pathlib import Path


def setting(default, help, *, low=None, high=None, choices=None):
    """A dataclass field with its explanation and the values it may take (`low` and `high` included)."""
    return field(default=default, metadata={"help": help, "low": low, "high": high, "choices": choices})


def did_you_mean(name, known) -> str:
    """'did you mean ...? ' for the nearest known name, whatever its capitals, or nothing."""
    names = {str(one).casefold(): one for one in known}
    near = get_close_matches(str(name).casefold(), list(names), n=1, cutoff=0.6)
    return f"did you mean {names[near[0]]!r}? " if near else ""


class Config:
    """What all configurations share: checks, copies, JSON."""

    def __post_init__(self):
        for f in dataclasses.fields(self):
            object.__setattr__(self, f.name, checked(f, getattr(self, f.name)))

    @classmethod
    def names(cls) -> list[str]:
        return [f.name for f in dataclasses.fields(cls)]

    @classmethod
    def make(cls, **values):
        """Build from keyword values, refusing unknown names with the nearest known one."""
        for name in values:
            if name not in cls.names():
                raise ValueError(
                    f"setting {name!r} is not known; {did_you_mean(name, cls.names())}Known: {', '.join(cls.names())}."
                )
        return cls(**values)

    def to_dict(self) -> dict:
        return dataclasses.asdict(self)

    def save(self, path):
        Path(path).write_text(json.dumps(self.to_dict(), indent=1) + "\n")

    @classmethod
    def read(cls, path):
        return cls.make(**json.loads(Path(path).read_text()))


def checked(f, value):
    """The value in the own type of a dataclass field, or a ValueError that says what came and what was expected."""
    kind = type(f.default)
    if kind is float and type(value) is int:
        value = float(value)
    if kind is int and type(value) is float and value.is_integer():  # papermill reads 1e4 as a float
        value = int(value)
    if type(value) is not kind:
        hint = f" Under papermill, `-r {f.name} ...` keeps text as it is." if kind is str else ""
        raise ValueError(f"{f.name} must be {kind.__name__}, but {value!r} is {type(value).__name__}.{hint}")
    low, high, choices = (f.metadata[key] for key in ("low", "high", "choices"))
    if kind is float and not math.isfinite(value):
        raise ValueError(f"{f.name} must be a finite number, but {value!r} came.")
    if (low is not None and value < low) or (high is not None and value > high):
        limits = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{f.name} must be {limits}, but {value!r} came.")
    if choices and value not in choices:
        raise ValueError(
            f"{f.name} {value!r} is not known; {did_you_mean(value, choices)}Known: {', '.join(map(str, choices))}."
        )
    return value
