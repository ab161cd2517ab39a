"""What a batch is to run: notebooks with their parameters, read from a file or spread over a grid, all checked."""

import ast
import hashlib
import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path

from rcgan_nb import config, paths

RUNTIMES = ("local", "jupyter", "colab")
KEYS = ("notebook", "parameters", "grid", "runtime", "limit")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Job:
    """A notebook with its parameters, where it runs and how long it may.

    Attributes:
        id: stands for the notebook's code and the parameters, wherever the notebook lies and whatever is written in
            its text; equal ids are the same work.
        limit: seconds of wall-clock time; 0 is none.
        makes_run: whether the notebook trains: it takes run_name and resume.
    """

    id: str
    notebook: Path
    parameters: dict
    runtime: str
    limit: float
    makes_run: bool


def read(path, *, runtime="local", limit="") -> list[Job]:
    """The jobs of a YAML file: a list of `notebook`, `parameters`, `grid` (lists of values), `runtime` and `limit`.

    Args:
        runtime, limit: of jobs that do not say.
    Raises: ValueError: not such a list, or a job that could not run. OSError: there is no such file.
    """
    import yaml

    try:
        entries = yaml.safe_load(Path(path).read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path} must be a list of jobs, each beginning with '- notebook: train.ipynb'.")
    usual = {"runtime": runtime, "limit": limit}
    return distinct([job for entry in entries for job in _expanded(entry, usual)])


def grid(notebook, values: dict, *, runtime="local", limit="") -> list[Job]:
    """A job for each combination of values.

    Args:
        values: a list of values for each parameter's name; text in the place of a number is read as one.
    Raises: ValueError: a job that could not run.
    """
    return distinct(list(_expanded({"notebook": notebook, "grid": values}, {"runtime": runtime, "limit": limit})))


def distinct(jobs) -> list[Job]:
    """The jobs, none of which may be given twice or share a run's name with another."""
    seen = {}
    for job in jobs:
        run = job.makes_run and (job.parameters.get("resume") or job.parameters.get("run_name"))
        for what in filter(None, (job.id, run and f"run {run}")):
            if what in seen:
                raise ValueError(
                    f"two jobs are the same or name the same run: {job.notebook.name} with {seen[what] or 'defaults'} "
                    f"and with {job.parameters or 'defaults'}; leave one out, or leave run_name out of both."
                )
            seen[what] = job.parameters
    return jobs


def _expanded(entry, usual):
    """The jobs of one entry: one, or one for each combination of its grid."""
    if not isinstance(entry, dict) or "notebook" not in entry:
        raise ValueError(f"a job needs a notebook, as in {{notebook: train.ipynb}}, but {entry!r} came.")
    for key in entry:
        if key not in KEYS:
            raise ValueError(
                f"{key!r} is not known of a job; {config.did_you_mean(key, KEYS)}Known: {', '.join(KEYS)}."
            )
    for key in ("parameters", "grid"):
        if not isinstance(entry.get(key) or {}, dict):
            raise ValueError(f"{key} must be names with values, as in {{seed: 0}}, but {entry[key]!r} came.")
    runtime = entry.get("runtime", usual["runtime"])
    if runtime not in RUNTIMES:
        raise ValueError(
            f"runtime {runtime!r} is not known; {config.did_you_mean(runtime, RUNTIMES)}Known: {', '.join(RUNTIMES)}."
        )
    limit = seconds(entry.get("limit", usual["limit"]))
    spread = entry.get("grid") or {}
    for name, values in spread.items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"grid: {name} must be a list of values, as in [0, 1], but {values!r} came.")
    notebook = _found(str(entry["notebook"]))
    known = _Known(notebook)
    for values in itertools.product(*spread.values()):
        parameters = (entry.get("parameters") or {}) | dict(zip(spread, values, strict=True))
        parameters = known.checked(parameters)
        yield Job(known.id(parameters), notebook, parameters, runtime, limit, known.makes_run)


def seconds(text) -> float:
    """Seconds in '90s', '30m', '2h' or '1d'; 0 in ''."""
    if not text:
        return 0.0
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", str(text))
    if not found:
        raise ValueError(f"a limit is a number with s, m, h or d behind it, as in 90s or 2h, but {text!r} came.")
    return float(found[1]) * SECONDS[found[2]]


def _found(name) -> Path:
    """A notebook by its path, or one of the project's own by its name."""
    for path in (Path(name).expanduser(), paths.notebooks() / name):
        if path.is_file():
            return path.resolve()
    own = sorted(path.name for path in paths.notebooks().glob("*.ipynb"))
    raise ValueError(f"there is no notebook {name!r}; {config.did_you_mean(name, own)}Ours: {', '.join(own)}.")


class _Known:
    """What a notebook takes: the names of its parameters cell, and every field of the configuration that it collects.

    Attributes:
        kind: the class of `config` that it collects; None where it does not.
        defaults: of its parameters, by name.
    """

    def __init__(self, notebook):
        import nbformat
        from papermill import inspect_notebook

        self.notebook = notebook
        try:
            cells = nbformat.read(notebook, 4).cells
        except ValueError as error:  # NotJSONError is one, too
            raise ValueError(f"{notebook} is not a notebook ({error}).") from error
        self.code = [cell.source for cell in cells if cell.cell_type == "code"]
        collected = re.search(r"collect\(\s*(?:config\.)?(\w+)\s*,", "\n".join(self.code))
        self.kind = getattr(config, collected[1], None) if collected else None
        own = {name: _literal(facts["default"]) for name, facts in inspect_notebook(notebook).items()}
        self.defaults = own | (self.kind().to_dict() if self.kind else {})

    @property
    def makes_run(self) -> bool:
        return {"run_name", "resume"} <= self.defaults.keys()

    def id(self, parameters) -> str:
        text = json.dumps([self.code, parameters], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    def checked(self, parameters) -> dict:
        """The parameters in their fields' types, refused where the notebook would refuse them an hour later."""
        for name in parameters:
            if name not in self.defaults:
                raise ValueError(
                    f"{self.notebook.name} has no parameter {name!r}; {config.did_you_mean(name, self.defaults)}"
                    f"Known: {', '.join(self.defaults) or 'none, there is no cell tagged parameters'}."
                )
        parameters = {name: self._typed(name, value) for name, value in parameters.items()}
        if self.kind is config.TrainConfig:
            config.train_config(**parameters)
        elif self.kind:
            self.kind.make(**parameters)
        return parameters

    def _typed(self, name, value):
        """Text that stands for a number as one (YAML reads 1e-3 as text), unless the parameter is text."""
        return _literal(value) if isinstance(value, str) and not isinstance(self.defaults[name], str) else value


def _literal(text):
    """The number, list or the like that a text writes out; else the text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # of a text, all that it can raise
        return text
