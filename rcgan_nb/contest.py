"""Many runs and baselines judged alike, in one table that marks differences which are none."""

import hashlib
from pathlib import Path

import numpy as np

from rcgan_nb import archive
from rcgan_nb.config import did_you_mean
from rcgan_nb.evaluation import likeness, rivals, verdict
from rcgan_nb.evaluation.tasks import parse
from rcgan_nb.evaluation.whole import judge
from rcgan_nb.generation import generate, training_data
from rcgan_nb.series import read

ALWAYS = ("gaussian", "jitter")  # stand in every judgement
NO_DIFFERENCE = "≈"


def contest(config, progress=print) -> tuple[object, list[dict]]:
    """Judge runs and rivals on one data set's test part.

    Each is judged as in evaluate.ipynb. What was judged before with the same settings, data and checkpoint is read from
    contest.json in the run's folder, of rivals from contest-NAME.json in the first run's. TimeVAE gets the training
    time of the run that took longest.

    Args:
        config: a ContestConfig.
    Returns: the data set, and rows of (measure, set, judge, value, low, high) in which sets are the names of the runs
        and rivals beside `real` and the worst cases.
    Raises: ValueError: runs trained on different data, no run, or a rival that is not known.
    """
    runs, rival_names = [archive.find(name) for name in _listed(config.runs)], _listed(config.rivals)
    _check(runs, rival_names, _listed(config.sets))
    data = training_data(runs[0])
    questions = parse(config.tasks, data.info.get("static_names", ()))
    train, seconds = data.part("train"), max(run.metrics()["seconds"][-1] for run in runs)
    makers = {
        "autoregression": lambda: rivals.autoregression(train, seed=config.seed),
        "time_vae": lambda: rivals.time_vae(train, seconds=seconds, seed=config.seed, progress=progress),
    }
    rows = []
    for run in runs:
        progress(f"== run {run.name}")
        made = lambda run=run: generate(run, seed=config.seed, which=config.checkpoint)  # noqa: E731
        checkpoint = hashlib.sha256(run.checkpoint(config.checkpoint).read_bytes()).hexdigest()[:16]
        _add(rows, run.name, _judged(run, "contest.json", checkpoint, made, data, questions, config, progress))
    for path in map(Path, _listed(config.sets)):
        progress(f"== {path}")
        of, file = hashlib.sha256(path.read_bytes()).hexdigest()[:16], f"contest-{path.stem}.json"
        made = lambda path=path: _whole_or_training(read(path))  # noqa: E731
        _add(rows, path.stem, _judged(runs[0], file, of, made, data, questions, config, progress))
    for name in rival_names:
        progress(f"== {name}")
        of, file = f"{name} {seconds:.0f}", f"contest-{name}.json"
        _add(rows, name, _judged(runs[0], file, of, makers[name], data, questions, config, progress))
    return data, rows


def _listed(text) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _whole_or_training(s):
    """A set that was made from all parts, as deidentify.ipynb does, is judged by its training part."""
    return s.part("train") if s.split is not None else s


def _check(runs, rival_names, sets):
    known = ("autoregression", "time_vae")
    for path in sets:
        if not Path(path).is_file() or Path(path).suffix != ".npz":
            raise ValueError(f"sets names {path!r}, which is no .npz file of series; give paths, separated by commas.")
    for name in rival_names:
        if name not in known:
            raise ValueError(f"rival {name!r} is not known; {did_you_mean(name, known)}Known: {', '.join(known)}.")
    if not runs:
        raise ValueError("runs names no run; give one or more, separated by commas, as in 'latest' or 'a,b'.")
    names = [*(run.name for run in runs), *(Path(path).stem for path in sets), *rival_names]
    for name in names:
        if names.count(name) > 1 or name in (*ALWAYS, *verdict.SCALE, verdict.CHANCE):
            raise ValueError(f"{name!r} would stand for two sets in the table; give files and runs names of their own.")
    for run in runs[1:]:
        if run.data["fingerprint"] != runs[0].data["fingerprint"]:
            raise ValueError(f"runs {runs[0].name} and {run.name} were trained on different data; compare those alike.")


def _judged(run, file, of, make, data, questions, config, progress):
    """Rows of one entrant, from its file in a run's folder where that was written with these settings."""
    settings = {key: value for key, value in config.to_dict().items() if key not in ("runs", "rivals", "sets")}
    wanted = settings | {"of": of, "data": data.fingerprint()}
    kept = run.read_json(file) if (run.path / file).exists() else {}
    if kept.get("settings") == wanted:
        progress(f"judged before ({file}), with the same settings")
        return kept["rows"]
    asked = {"tasks": questions, "task_judges": config.task_arguments()["judges"]}
    rows = judge(data, make(), **asked, **config.judge_arguments(), seed=config.seed, progress=progress)
    run.write_json(file, {"settings": wanted, "rows": rows})
    return rows


def _add(rows, name, found):
    """Add an entrant's rows under its name; those of real series, baselines and worst cases once."""
    there = {_key(row) for row in rows}
    rows += [row | {"set": name} for row in found if row["set"] == "synthetic"]
    rows += [row for row in found if row["set"] != "synthetic" and _key(row) not in there]


def _key(row):
    return row["measure"], row["judge"], row["set"]


def table(rows, guessed=0.0):
    """Measures down, entrants and baselines across: value [low, high], `≈` where it is no worse than the best by more
    than chance (two-sided, 5 %, after Holm's correction over all cells), and nothing where it is.

    Args: rows, guessed: see `verdict.profile`.
    Returns: a pandas table; real series, the ceiling, come first. jitter is never the best: it copies.
    """
    import pandas as pd

    profiled = verdict.profile(rows, guessed)
    marks = marked(profiled)
    cells, shown = {}, {(row["measure"], row["judge"]): None for row in profiled}
    for row in rows:
        sets = {other["set"] for other in profiled} | {"real"}
        line = row["measure"], row["judge"]
        line = line if line in shown else _ceiling_of(line)
        if row["set"] in sets and line in shown:
            text = f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
            cells.setdefault(row["set"], {})[line] = f"{text} {marks.get((*line, row['set']), '')}".strip()
    order = ["real", *dict.fromkeys(row["set"] for row in profiled if row["set"] not in ALWAYS), *ALWAYS]
    found = pd.DataFrame({name: cells[name] for name in order if name in cells}, index=pd.MultiIndex.from_tuples(shown))
    return found.rename_axis(["measure", "judge"]).fillna("")


def trade_off(rows) -> dict:
    """What `plots.trade_off` takes: use against the most able attack that asks who was trained on.

    Use is TSTR by the judge that does best on real series (trtr).
    Raises: ValueError: no labels, or no attack was asked.
    """
    use = [row for row in rows if row["measure"] == "tstr" and row["set"] not in ("real", "chance")]
    attacks = [row for row in rows if row["measure"].startswith("membership")]
    if not use or not attacks:
        raise ValueError("use against privacy needs labels, and held-out persons enough for an attack.")
    real = {row["judge"]: row["value"] for row in rows if row["measure"] == "trtr"}
    judge = max((row["judge"] for row in use), key=lambda name: real.get(name, 0.0))
    points = []
    for row in (row for row in use if row["judge"] == judge):
        own = [other for other in attacks if other["set"] == row["set"]]
        worst = max(own, key=lambda other: other["value"], default=None)
        if worst:
            points.append((row["set"], *([r[name] for name in ("value", "low", "high")] for r in (row, worst))))
    return {"points": points, "chance": 0.5, "utility": f"{use[0]['measure']} {judge}", "privacy": "membership (AUC)"}


def _ceiling_of(line):
    """Where the value of real series stands that is the best of another measure: trtr beside tstr."""
    return ("tstr", line[1]) if line[0] == "trtr" else line


def marked(profiled) -> dict:
    """(measure, judge, set) -> 'best' or `≈` for what chance alone may keep from being it.

    Best is the highest score; differences are tested as if values were normal.
    """
    from scipy.stats import norm

    found, tests = {}, []
    for line in dict.fromkeys((row["measure"], row["judge"]) for row in profiled):
        own = [row for row in profiled if (row["measure"], row["judge"]) == line and row["set"] != "jitter"]
        if len(own) < 2:
            continue
        best = max(own, key=lambda row: row["score"])
        found[*line, best["set"]] = "best"
        for row in own:
            if row is not best:
                error = np.hypot(best["error"], row["error"])
                apart = best["score"] - row["score"]
                p = 2 * norm.sf(apart / error) if error > 0 else float(apart == 0)
                tests.append(((*line, row["set"]), p))
    corrected = likeness.holm([p for _, p in tests])
    return found | {key: NO_DIFFERENCE for (key, _), p in zip(tests, corrected, strict=True) if p >= 0.05}
