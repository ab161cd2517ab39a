"""What came of a sweep: a table, which rules cut how many, importance, finals, and the best.

All by the validation part; the test part is looked at by evaluate.ipynb, once, for what is called the best here.
"""

from collections import Counter

import optuna

from rcgan_nb import archive, comparison, review
from rcgan_nb.runtimes.task import write_json
from rcgan_nb.sweep.sweeps import GOALS, Sweep
from rcgan_nb.sweep.trials import Trial

# Columns that may decide the ranking, and what is better. `people` is the score of a review with the sweep's name,
# where there is one (`rcgan review send --name NAME --runs "NAME-*"`).
RANKS = GOALS | {"people": "maximize"}
FIRST = ("trial", "state", "run")


def rows(sweep: Sweep) -> list[dict]:
    """For each trial its state, run, values, figures on the validation part, and why it was cut or failed."""
    found, people = [], _people(sweep)
    for task in (Trial(sweep, frozen) for frozen in sweep.trials()):
        _, state, far, _, said = task.row()
        facts = {"trial": task.frozen.number, "state": state, "run": task.archived.name if state != "waiting" else ""}
        figures = task.figures() if state == "finished" else {}
        figures |= {"people": people[facts["run"]].value} if facts["run"] in people else {}
        why = said if state in ("cut", "failed") else far
        found.append(facts | task.frozen.params | dict.fromkeys(RANKS) | figures | {"why": why})
    return found


def _people(sweep):
    try:
        return review.scores(sweep.config.name)
    except ValueError:  # no such review
        return {}


def table(sweep: Sweep, by=""):
    """The rows as a pandas table: survivors first, from the best on. Columns without any figure are left out.

    Args:
        by: the column that ranks; empty takes the sweep's goal.
    """
    import pandas as pd

    by = _known(by or sweep.config.goal)
    found = pd.DataFrame(rows(sweep))
    found = found.dropna(axis="columns", how="all")
    if by in found:
        found = found.sort_values(by, ascending=RANKS[by] == "minimize", na_position="last", kind="stable")
    return found.reset_index(drop=True)


def _known(by):
    if by not in RANKS:
        raise ValueError(f"{by!r} ranks nothing; known: {', '.join(RANKS)}.")
    return by


def cuts(sweep: Sweep) -> dict[str, int]:
    """How many trials each rule has cut, and how many have failed."""
    ended = [trial for trial in sweep.trials() if trial.state.is_finished()]
    rules = Counter(trial.user_attrs["cut"][0] for trial in ended if trial.user_attrs.get("cut"))
    failed = sum(trial.state.name == "FAIL" for trial in ended)
    return dict(rules) | ({"failed": failed} if failed else {})


def ranked(sweep: Sweep, by="") -> list:
    """Trials that survived, the best first.

    Raises: ValueError: some have not been trained yet, or none survived; says which rule cut how many.
    """
    trials = sweep.trials()
    if waiting := sum(not trial.state.is_finished() for trial in trials):
        raise ValueError(
            f"{waiting} of {len(trials)} trials of sweep {sweep.config.name!r} are not finished; go on with "
            f"rcgan sweep work {sweep.config.name}."
        )
    by, found = _known(by or sweep.config.goal), {row["trial"]: row for row in rows(sweep)}
    alive = [trial for trial in sweep.completed() if found[trial.number].get(by) is not None]
    if not alive:
        said = ", ".join(f"{rule} {count}" for rule, count in cuts(sweep).items())
        raise ValueError(
            f"none of {len(trials)} trials survived: {said or 'none has a figure ' + by}. Widen the limits that cut "
            "most (max_..., min_..., cut_after), or search elsewhere, in a sweep of another name."
        )
    return sorted(alive, key=lambda t: found[t.number][by], reverse=RANKS[by] == "maximize")


def importance(sweep: Sweep) -> dict[str, float]:
    """How much each field decides whether a trial belongs to the better ones, in all 1; empty for fewer than four.

    Source: Watanabe et al. 2023, PED-ANOVA, arXiv:2304.10255, by Optuna.
    """
    if len(sweep.completed()) < 4:
        return {}
    return {name: float(v) for name, v in optuna.importance.get_param_importances(sweep.study()).items()}


def call_finals(sweep: Sweep, by="") -> list:
    """Put the best trials into the queue, each with several new seeds. Returns these jobs."""
    asked = []
    for trial in ranked(sweep, by)[: sweep.config.finalists]:
        own = (sweep.space.shared | trial.params).get("seed", 0)
        asked += [(trial.number, own + 1 + k) for k in range(sweep.config.final_seeds)]
    write_json(sweep.folder / "finals.json", asked)
    return sweep.finals()


def finals(sweep: Sweep) -> list[dict]:
    """A row for each finalist and seed that has been trained: variant (its trial), seed, run and figures."""
    return [
        {"variant": f"trial {task.trial}", **task.varied, "run": task.archived.name, **task.figures()}
        for task in sweep.finals()
        if task.figures()
    ]


def means(sweep: Sweep, by="") -> list[dict]:
    """Of each finalist, the mean over new seeds with its 95 % interval: rows as `plots.scores` takes them."""
    return comparison.intervals(finals(sweep), (_of_finals(sweep, by),))


def _of_finals(sweep, by):
    """What decides among finalists: people chose them at most, and have not seen their new runs."""
    by = _known(by or sweep.config.goal)
    return sweep.config.goal if by == "people" else by


def best(sweep: Sweep, by="") -> dict:
    """The finalist that is best on average over new seeds, with its settings, runs, and the 95 % interval of its mean.

    It is kept as best.json in the sweep's folder. The trial that ranked first was chosen for a value that chance helped
    to; its figures over new seeds were not.
    Raises: ValueError: the finals have not all been trained, or not to the end.
    """
    by = _of_finals(sweep, by)
    if lacking := [task.job.id for task in sweep.finals() if not task.figures()] or (not sweep.finals() and ["all"]):
        raise ValueError(
            f"finals of sweep {sweep.config.name!r} are lacking ({', '.join(lacking)}); train them with "
            f"rcgan sweep best {sweep.config.name}, or see their folders in {sweep.folder}."
        )
    sign = 1 if RANKS[by] == "minimize" else -1
    first = min(means(sweep, by), key=lambda row: sign * row["value"])
    runs = sorted((row for row in finals(sweep) if row["variant"] == first["set"]), key=lambda row: sign * row[by])
    number = int(first["set"].removeprefix("trial "))
    found = {"trial": number, "settings": sweep.space.shared | sweep.trials()[number].params, "by": by}
    found |= {name: first[name] for name in ("value", "low", "high")} | {"runs": [row["run"] for row in runs]}
    write_json(sweep.folder / "best.json", found)
    return found


def sheets(sweep: Sweep, count=3, by="") -> dict:
    """The last sheet of samples of each of the best trials: path of a picture by what it shows."""
    found, by = {}, _known(by or sweep.config.goal)
    for trial in ranked(sweep, by)[:count]:
        run = archive.find(trial.user_attrs["run"])
        values = ", ".join(f"{name} {value}" for name, value in trial.params.items())
        found[f"{run.name}: {values}"] = sorted(run.path.glob("samples/*.png"))[-1]
    return found
