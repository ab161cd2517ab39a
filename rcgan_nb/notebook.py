"""The door between a notebook's plain variables and a configuration."""

import ast
import dataclasses

from rcgan_nb.config import TrainConfig, did_you_mean, train_config


def collect(kind, namespace):
    """Make a configuration of `kind` from a notebook's variables.

    Every variable named like a field is taken. A name that is set in a cell of nothing but plain settings (the
    parameters cell, or the one that papermill adds) and is no field is refused: papermill would only warn, train the
    default and report success.

    Args:
        kind: a class of `config`.
        namespace: the notebook's globals().
    Raises: ValueError: unknown name, wrong type, value out of range.
    """
    known = kind.names()
    given = {}
    for source in namespace.get("In", []):
        for name in _settings(source):
            if name not in known:
                raise ValueError(
                    f"parameter {name!r} is not known here; {did_you_mean(name, known)}Known: {', '.join(known)}."
                )
            given[name] = given.get(name, 0) + 1
    values = {name: namespace[name] for name in known if name in namespace}
    if kind is not TrainConfig:
        return kind.make(**values)
    # A recipe stands in for settings nobody touched: set once (in the parameters cell), to the default.
    defaults = {f.name: f.default for f in dataclasses.fields(kind)}
    touched = {name: v for name, v in values.items() if v != defaults[name] or given.get(name, 0) > 1}
    return train_config(**touched)


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
            ast.literal_eval(line.value)
        except (ValueError, TypeError):
            return []
    return names
