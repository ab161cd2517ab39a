"""Many runs and baselines judged alike, in one table that marks differences which are none."""

import hashlib

import numpy as np

from rcgan_nb import archive
from rcgan_nb.config import did_you_mean
from rcgan_nb.evaluation import likeness, rivals, verdict
from rcgan_nb.evaluation.tasks import parse
from rcgan_nb.evaluation.whole import judge
from rcgan_nb.generation import generate, training_data

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
    runs = [archive.find(name.strip()) for name in config.runs.split(",") if name.strip()]
    rival_names = [name.strip() for name in config.rivals.split(",") if name.strip()]
    _check(runs, rival_names)
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
    for name in rival_names:
        progress(f"== {name}")
        of, file = f"{name} {seconds:.0f}", f"contest-{name}.json"
        _add(rows, name, _judged(runs[0], file, of, makers[name], data, questions, config, progress))
    return data, rows


def _check(runs, rival_names):
    known = ("autoregression", "time_vae")
    for name in rival_names:
        if name not in known:
            raise ValueError(f"rival {name!r} is not known; {did_you_mean(name, known)}Known: {', '.join(known)}.")
    if not runs:
        raise ValueError("runs names no run; give one or more, separated by commas, as in 'latest' or 'a,b'.")
    for run in runs[1:]:
        if run.data["fingerprint"] != runs[0].data["fingerprint"]:
            raise ValueError(f"runs {runs[0].name} and {run.name} were trained on different data; compare those alike.")


def _judged(run, file, of, make, data, questions, config, progress):
    """Rows of one entrant, from its file in a run's folder where that was written with these settings."""
    settings = {key: value for key, value in config.to_dict().items() if key not in ("runs", "rivals")}
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


def table(rows, classes=0):
    """Measures down, entrants and baselines across: value [low, high], `≈` where it is no worse than the best by more
    than chance (two-sided, 5 %, after Holm's correction over all cells), and nothing where it is.

    Returns: a pandas table; real series, the ceiling, come first. jitter is never the best: it copies.
    """
    import pandas as pd

    profiled = verdict.profile(rows, classes)
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
