"""Sets of settings against each other: several seeds each, judged on the validation part."""

import dataclasses
from pathlib import Path

import numpy as np

from rcgan_nb import archive
from rcgan_nb.config import CompareConfig, DataConfig, train_config
from rcgan_nb.data import load, tails
from rcgan_nb.evaluation import similarity, utility
from rcgan_nb.evaluation.judges import JUDGES
from rcgan_nb.evaluation.view import View
from rcgan_nb.generation import generate
from rcgan_nb.training import train


def variants(config: CompareConfig) -> dict[str, dict]:
    """Settings by name, out of text such as 'stable; plain: recipe esteban, steps 500', all checked.

    Raises: ValueError: a setting that is not known, has no value or says which series or run, a name given twice.
    """
    found = {}
    for text in filter(None, map(str.strip, config.variants.split(";"))):
        name, _, given = text.partition(":")
        settings = dict(_setting(item, text) for item in filter(None, map(str.strip, given.split(","))))
        if name.strip() in found:
            raise ValueError(f"variant {name.strip()!r} is given twice; give each a name of its own.")
        for own in settings.keys() & set(DataConfig.names()):
            raise ValueError(f"variant {text!r}: all are judged on the same series; give {own} to all, as in -p {own}.")
        for own in settings.keys() & {"seed", "run_name", "resume", "start_from"}:
            raise ValueError(
                f"variant {text!r}: each is trained with every seed, and named by itself; leave out {own}."
            )
        found[name.strip()] = settings
        train_config(**_run_settings(config, settings))
    if len(found) < 2:
        raise ValueError(f"variants {config.variants!r} names {len(found)}; two at least can be compared.")
    return found


def _setting(item, text):
    """('r1_weight', 0.0) from 'r1_weight 0': the value in the field's own type."""
    name, _, value = item.partition(" ")
    if not value.strip():
        raise ValueError(f"variant {text!r}: {item!r} is no setting and value, as in 'r1_weight 0'.")
    kinds = {field: type(default) for field, default in train_config().to_dict().items()}
    value = value.strip()
    if kinds.get(name) is bool:
        return name, {"True": True, "False": False}.get(value, value)
    if kinds.get(name) in (int, float):
        try:
            number = float(value)
            return name, int(number) if kinds[name] is int and number.is_integer() else number
        except ValueError:
            pass  # TrainConfig says what it expects
    return name, value


def _run_settings(config, settings):
    return config.load_arguments() | {"steps": config.steps} | settings


def compare(config: CompareConfig, progress=print) -> list[dict]:
    """Train every variant with every seed, but for finished runs, and judge its series against the validation part.

    Returns: a row for each variant and seed: variant, seed, run, tstr (accuracy of a judge trained on synthetic series,
        on validation series; labelled sets), coverage, d_grad, g_grad (medians of the gradient norms) and seconds of
        training; the real training part as the first row.
    """
    named, data = variants(config), load(**config.load_arguments())
    rows = [{"variant": "real", "seed": 0, "run": ""} | judged(data, data.part("train"), config.judge)]
    runs = [(name, seed) for name in named for seed in range(config.seeds)]
    for k, (name, seed) in enumerate(runs):
        progress(f"run {k + 1} of {len(runs)}: {name}, seed {seed}")
        run = trained(config, name, named[name], seed, data)
        synthetic = generate(run, seed=seed)
        metrics = run.metrics()
        norms = {n: float(np.median(metrics[n])) for n in ("d_grad", "g_grad")}
        row = {"variant": name, "seed": seed, "run": run.name} | judged(data, synthetic, config.judge) | norms
        rows.append(row | {"seconds": float(metrics["seconds"][-1])})
    return rows


def trained(config: CompareConfig, name, settings, seed, data) -> archive.Run:
    """The finished run of a variant on `data`, the set that config names: found, gone on with, or trained.

    Raises: ValueError: a run of that name was made with other settings, or of other series.
    """
    given = _run_settings(config, settings) | {"seed": seed}
    wanted = train_config(**given)
    run_name = f"{config.name}-{'-'.join(name.split())}-{seed}"
    try:
        run = archive.find(run_name)
    except FileNotFoundError:
        return train(**given, run_name=run_name)
    found = run.config
    wanted = dataclasses.replace(wanted, scaler=tails.chosen(wanted.scaler, data))
    same_file = found.dataset == str(Path(wanted.dataset).expanduser().resolve())
    same = {"run_name", "model", "dataset"} if same_file else {"run_name", "model"}
    differs = [n for n in wanted.names() if n not in same and getattr(found, n) != getattr(wanted, n)]
    if differs:
        raise ValueError(f"run {run_name} exists with other settings ({', '.join(differs)}); give another name.")
    if run.data["fingerprint"] != data.fingerprint():
        raise ValueError(f"run {run_name} was trained on other contents of {config.dataset!r}; give another name.")
    if run.status() == "finished":
        return run
    return train(resume=run_name)


def judged(data, synthetic, judge) -> dict:
    """tstr (where both have labels) and coverage of series against the validation part of `data`."""
    train_part, validation = data.part("train"), data.part("validation")
    view = View.fit(train_part)
    seen, real = view.see(synthetic), view.see(validation)
    found = {"coverage": similarity.coverage(real, seen)}
    if data.y is None or synthetic.y is None:
        return found
    predicted = utility.trained_on(JUDGES[judge], (seen, synthetic.y), [real], seeds=1)[0][0]
    return {"tstr": float((predicted == validation.y).mean())} | found


def intervals(rows, measures=("tstr", "coverage")) -> list[dict]:
    """Mean over seeds of each measure with the 95 % interval of that mean (Student's t), a row per variant."""
    from scipy.stats import t

    found = []
    for measure in [name for name in measures if name in rows[0]]:
        measured = [row for row in rows if measure in row]  # a variant without labels has no tstr
        for name in dict.fromkeys(row["variant"] for row in measured):
            values = np.array([row[measure] for row in measured if row["variant"] == name])
            half = 0.0
            if len(values) > 1:
                half = float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
            mean = float(values.mean())
            found.append(
                {"measure": measure, "judge": "", "set": name, "value": mean, "low": mean - half, "high": mean + half}
            )
    return found


def table(rows):
    """The rows as a pandas DataFrame."""
    import pandas as pd

    return pd.DataFrame(rows).round(3)


def histories(rows) -> dict[str, dict]:
    """Columns of metrics.csv of every run."""
    return {row["run"]: archive.find(row["run"]).metrics() for row in rows if row["run"]}
