"""The experiments of Esteban, Hyland and Raetsch 2017 over again, with the figures they published beside ours.

A run's checkpoint is the one with the least MMD² to the validation part. The test part is looked at once, by the
functions that give figures, and chooses nothing.
"""

from dataclasses import dataclass, replace

import numpy as np

from rcgan_nb import comparison
from rcgan_nb.config import CompareConfig, ProtocolConfig, did_you_mean
from rcgan_nb.data import load
from rcgan_nb.evaluation import mmd, published, utility
from rcgan_nb.evaluation.judges import JUDGES
from rcgan_nb.evaluation.report import Report
from rcgan_nb.evaluation.resampling import wide
from rcgan_nb.evaluation.tasks import evaluate_tasks, parse
from rcgan_nb.evaluation.view import View
from rcgan_nb.generation import generate
from rcgan_nb.series import SeriesSet

EXPERIMENTS = ("sines", "smooth", "mnist3", "clinical")
OURS = {"clinical": "clinical"}  # the recipe that stands for ours where it is not stable
STEPS = {"sines": 3000, "smooth": 3000, "mnist3": 6000, "physionet2012": 4000, "eicu": 4000}
VARIABLES = {"physionet2012": "vitals"}
TASKS = "label, HR<70, HR>100, MAP<70, MAP>110"  # of physionet2012; eicu brings the paper's own as static values


@dataclass(frozen=True)
class Drawn:
    """A data set, and synthetic series of each run by its name ('stable, seed 0')."""

    data: SeriesSet
    sets: dict


def planned(config: ProtocolConfig):
    """The runs that are wanted, a pandas table of data set, recipe, seed and steps.

    Raises: ValueError: an experiment that is not known.
    """
    import pandas as pd

    return pd.DataFrame(_planned(config, EXPERIMENTS))


def _planned(config, experiments):
    asked = [name.strip() for name in config.experiments.split(",") if name.strip()]
    for name in asked:
        if name not in EXPERIMENTS:
            raise ValueError(
                f"experiment {name!r} is not known; {did_you_mean(name, EXPERIMENTS)}Known: {', '.join(EXPERIMENTS)}."
            )
    recipes = ("esteban", "stable") if config.recipe == "both" else (config.recipe,)
    return [
        {
            "data": dataset,
            "recipe": OURS.get(name, recipe) if recipe == "stable" else recipe,
            "seed": config.seed + k,
            "steps": config.steps or STEPS[dataset],
        }
        for name in experiments
        if name in asked
        for dataset in [config.clinical if name == "clinical" else name]
        for recipe in recipes
        for k in range(config.seeds)
    ]


def drawn(config: ProtocolConfig, *experiments, progress=print) -> dict[str, Drawn]:
    """Train the runs of these experiments, but for finished ones, and draw as many series as there are training series.

    Returns: data set -> Drawn. A data set whose files are not there is left out, and `progress` is told.
    """
    found, runs = {}, _planned(config, experiments)
    for k, row in enumerate(runs):
        dataset, recipe, seed, steps = row.values()
        settings = CompareConfig(
            dataset=dataset, variables=VARIABLES.get(dataset, ""), steps=steps, name=f"{config.name}-{dataset}"
        )
        if dataset not in found:
            found[dataset] = _loaded(settings, progress)
        if found[dataset]:
            progress(f"run {k + 1} of {len(runs)}: {dataset}, {recipe}, seed {seed}, {steps} steps")
            run = comparison.trained(settings, recipe, {"recipe": recipe}, seed, found[dataset].data)
            found[dataset].sets[f"{recipe}, seed {seed}"] = generate(run, seed=config.seed, which="best")
    return {dataset: those for dataset, those in found.items() if those}


def _loaded(settings, progress):
    try:
        return Drawn(load(**settings.load_arguments()), {})
    except FileNotFoundError as reason:
        progress(f"{settings.dataset} left out: {reason}")
        return None


def sets(found) -> dict[str, SeriesSet]:
    """The training part and the synthetic sets of each data set, by what a figure calls them."""
    return {
        f"{dataset}: {name}": s
        for dataset, those in found.items()
        for name, s in {"real, training part": those.data.part("train"), **those.sets}.items()
    }


def sheet(found, *, count=8, seed=0) -> SeriesSet:
    """Some series of each of `sets`, all of equal steps and features, for `plots.sheet`; the names are its classes."""
    named, random = sets(found), np.random.default_rng(seed)
    some = [s.take(random.permutation(len(s))[:count]) for s in named.values()]
    first = SeriesSet(
        x=np.concatenate([s.x for s in some]),
        y=np.repeat(np.arange(len(some), dtype=np.int32), [len(s) for s in some]),
        observed=np.concatenate([s.valid for s in some]),
        classes=tuple(named),
    )
    return replace(first, image=some[0].image, order=some[0].order)


def waves(found, *, seed=0):
    """Do series differ from those of the test part, and do they lie nearer to the training part?

    Returns: a pandas table with a row for each run, and one for real series in its place: `mmd2` to the test part with
        bandwidths that tell the set best from the validation part, `chance` (97.5 % of permutations stay below), the
        permutation `p`, and `nearer_to_training_p`, small for copies (see `mmd.three_sample`).
    Source: Esteban et al. 2017, arXiv:1706.02633; the three-sample test there is that of Bounliphone et al. 2016.
    """
    import pandas as pd

    rows = []
    for dataset, those in found.items():
        parts = {name: those.data.part(name) for name in ("train", "validation", "test")}
        view = View.fit(parts["train"])
        train, validation, test = (view.see(s) for s in parts.values())
        for name, s in {"real": None, **those.sets}.items():
            # In its place stand training series for the first test and validation series for the second.
            made, other = (train, validation) if s is None else (view.see(s),) * 2
            made, other, nearby, last = (v[: mmd.AT_MOST] for v in (made, other, train, test))
            two = mmd.two_sample(made, last, tune_on=validation, seed=seed)
            three = mmd.three_sample(other, nearby, last, seed=seed)
            rows.append(
                {"data": dataset, "set": name, "mmd2": two.value, "chance": two.high, "p": two.p}
                | {"nearer_to_training_p": three.p}
            )
    return pd.DataFrame(rows).round(6)


def digits(found, config: ProtocolConfig, progress=print) -> list[dict]:
    """TRTR, TSTR and TRTS of labelled sets by a convolutional network: rows as of `Report`, 95 % over its seeds and
    test series.
    """
    report, options = Report(), {"seeds": config.judge_seeds}
    for those in found.values():
        train, test = (those.data.part(name) for name in ("train", "test"))
        view = View.fit(train)
        seen = {name: view.see(s) for name, s in those.sets.items()}
        tests = [view.see(test), *seen.values()]
        progress("convolutional network trained on real series")
        on_real = utility.trained_on(JUDGES["cnn"], (view.see(train), train.y), tests, **options)
        report.add("trtr", "real", utility.interval([p == test.y for p in on_real[0]]))
        for (name, s), predictions in zip(those.sets.items(), on_real[1:], strict=True):
            progress(f"convolutional network trained on {name}")
            by_it = utility.trained_on(JUDGES["cnn"], (seen[name], s.y), tests[:1], **options)[0]
            report.add("tstr", name, utility.interval([p == test.y for p in by_it]))
            report.add("trts", name, utility.interval([p == s.y for p in predictions]))
    return report.rows


def digits_table(rows):
    """A pandas table of those rows, which may be none, with the paper's figures of mnist3 beside."""
    found = _wide(rows).reindex(list(published.MNIST3))
    theirs = [f"{value:.3f} ± {deviation:.3f}" for value, deviation in published.MNIST3.values()]
    return found.assign(**{"Esteban et al.": theirs}).fillna("")


def clinical(found, config: ProtocolConfig, progress=print) -> list[dict]:
    """Areas under the curves of a random forest trained on real and on synthetic series, tested on the test part.

    Returns: rows of (measure, set, judge, value, low, high) as of `evaluate_tasks`, with the set `chance`: one half for
        auroc, for auprc the share of test series whose answer is yes.
    """
    rows = []
    for those in found.values():
        answers = those.data.info.get("answers", ())
        tasks = parse(", ".join(answers) or TASKS, those.data.info.get("static_names", ()))
        options = {"judges": ("forest",), "seeds": config.judge_seeds, "progress": progress}
        rows += evaluate_tasks(those.data, those.sets, tasks, **options)
        for task in tasks:
            _, found_answers, known = task.answers(those.data.part("test"))
            shares = {"auroc": 0.5, "auprc": round(float(found_answers[known].mean()), 4)}
            for measure, value in shares.items():
                row = {"measure": f"{measure} {task}", "set": "chance", "judge": "forest"}
                rows.append(row | dict.fromkeys(("value", "low", "high"), value))
    return rows


def clinical_table(rows):
    """A pandas table of those rows, measures and tasks down, with what the authors report on eICU beside."""
    found = _wide(rows)
    lines = [line.split(" ", 1) for line in found.index]
    for which in ("trtr", "tstr", "chance"):
        theirs = [published.eicu(measure, which, task) for measure, task in lines]
        found[f"Esteban et al., {which}"] = ["" if value is None else f"{value:.3f}" for value in theirs]
    return found.sort_index(kind="stable", key=lambda lines: lines.str.split(" ").str[0] != "auroc").fillna("")


def over_seeds(rows) -> list[dict]:
    """A row for all runs of a recipe: with several seeds their mean, least and greatest, with one its own interval."""
    groups = {}
    for row in rows:
        groups.setdefault((row["measure"], row["set"].split(", seed ")[0]), []).append(row)
    found = []
    for (measure, which), those in groups.items():
        values = [row["value"] for row in those]
        low, high = (those[0]["low"], those[0]["high"]) if len(those) == 1 else (min(values), max(values))
        found.append({"measure": measure, "set": which, "value": float(np.mean(values)), "low": low, "high": high})
    return found


def _wide(rows):
    """Measures down, sets across, runs of one recipe together."""
    return wide(over_seeds(rows)).droplevel("judge")
