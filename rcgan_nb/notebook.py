"""The door between a notebook's plain variables and a configuration."""

import ast
import dataclasses
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor

from rcgan_nb.archive.run import continued
from rcgan_nb.config import TrainConfig, did_you_mean, train_config

INJECTED = "# Parameters"  # how the cell begins that papermill adds for -p


def collect(kind, namespace):
    """Make a configuration of `kind` from a notebook's variables.

    Every variable named like a field is taken. A name that is no field is refused where it is set in the cell that
    papermill adds or in the parameters cell as it last ran: papermill would only warn, train the default and report
    success.

    Args:
        kind: a class of `config`.
        namespace: the notebook's globals().
    Raises: ValueError: unknown name, wrong type, value out of range.
    """
    known = kind.names()
    cells = [source for source in namespace.get("In", []) if _settings(source)]
    injected = [name for source in cells if source.startswith(INJECTED) for name in _settings(source)]
    own = [source for source in cells if ":" in source.splitlines()[0].split("=")[0]][-1:]
    for name in [*injected, *(name for source in own for name in _settings(source))]:
        if name not in known:
            raise ValueError(
                f"parameter {name!r} is not known here; {did_you_mean(name, known)}Known: {', '.join(known)}."
            )
    values = {name: namespace[name] for name in known if name in namespace}
    if kind is not TrainConfig:
        return kind.make(**values)
    # A recipe stands in for settings that nobody touched: left at their default, and not given to papermill.
    defaults = {f.name: f.default for f in dataclasses.fields(kind)}
    touched = {name: value for name, value in values.items() if value != defaults[name] or name in injected}
    return continued(touched) if touched.get("resume") else train_config(**touched)


def _settings(source) -> list[str]:
    """Names that a cell sets, when it does nothing else than set names to plain values; else none."""
    try:
        lines = ast.parse(source).body
    except SyntaxError:  # a cell with magics
        return []
    names = []
    for line in lines:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            names.append(line.targets[0].id)
        elif isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            names.append(line.target.id)
        else:
            return []
        try:
            ast.literal_eval(line.value)  # a plain value? Nothing is run: it takes literals only
        except (ValueError, TypeError):
            return []
    return names


def beside() -> ProcessPoolExecutor:
    """A second process, for what takes long while this one does other things.

    `submit(function, *arguments)` returns at once; `.result()` of that waits, and raises what the function raised. It
    computes on the processor alone: two processes with TensorFlow do not share a GPU. Stopping a cell does not stop it,
    and it ends when this process does.
    """
    context = multiprocessing.get_context("spawn")  # TensorFlow does not live through a fork
    return ProcessPoolExecutor(1, mp_context=context, initializer=_settle)


def _settle():
    """What a second process does first. A kernel's interrupt goes to the whole group of its processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)


def or_why_not(ask, *given, **options) -> list:
    """What `ask` finds; where the data do not allow the question, the reason is printed and nothing found."""
    try:
        return ask(*given, **options)
    except ValueError as reason:
        print(f"left out: {reason}")
        return []
