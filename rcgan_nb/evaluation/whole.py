"""Every question at once, for who judges several sets: what evaluate.ipynb asks one by one."""

import dataclasses

import numpy as np

from rcgan_nb.config import did_you_mean
from rcgan_nb.evaluation import report, temporal
from rcgan_nb.evaluation.classes import evaluate_classes
from rcgan_nb.evaluation.comparable import check_comparable
from rcgan_nb.evaluation.forecast import forecasts
from rcgan_nb.evaluation.likeness import likeness
from rcgan_nb.evaluation.privacy import privacy
from rcgan_nb.evaluation.tasks import JUDGES, Given, evaluate_tasks
from rcgan_nb.evaluation.timegan import timegan_scores
from rcgan_nb.evaluation.view import View


def without_hidden(data, synthetic) -> tuple:
    """Both sets without what preparation hid (see `View`): no network has seen it, and nothing can be asked of it."""
    shown = View.fit(data.part("train")).shown
    if shown.all():
        return data, synthetic
    return tuple(
        dataclasses.replace(s, observed=s.valid & shown, x=np.where(s.valid & shown, s.x, 0)) for s in (data, synthetic)
    )


def evaluate(data, synthetic, **options) -> report.Report:
    """As `report.evaluate`, of sets that were found comparable (see `comparable`) and are no single class."""
    data, synthetic = without_hidden(data, synthetic)
    check_comparable(data, synthetic)
    for text, s in (("training", data.part("train")), ("synthetic", synthetic)):
        if s.y is not None and len(np.unique(s.y)) < 2:
            raise ValueError(
                f"all {text} series have the class {s.classes[s.y[0]]!r}, and judges of use need two at least. Give "
                "more classes, or both sets without labels."
            )
    return report.evaluate(data, synthetic, **options)


def judge(
    data,
    synthetic,
    *,
    tasks=(),
    task_judges=("logistic", "forest"),
    judges=("svm", "cnn"),
    seeds=3,
    epochs=0,
    seed=0,
    progress=print,
) -> list[dict]:
    """Rows of (measure, set, judge, value, low, high) of `evaluate`, `evaluate_classes`, `timegan_scores`, `forecasts`,
    `likeness`, tasks and `privacy`.

    Args: as `report.evaluate`; tasks: see `tasks.parse`, judged by `task_judges` without baselines. Forecasts are left
        out where series are too short for them, attacks where there are too few persons, tasks on static values where
        the synthetic set has none, and `progress` is told.
    Raises: ValueError: the sets cannot be compared.
    """
    require_tasks(data, tasks, task_judges)
    data, synthetic = without_hidden(data, synthetic)
    synthetic, tasks = answerable(data, synthetic, tasks, progress)
    options = {"seed": seed, "progress": progress}
    found = evaluate(data, synthetic, judges=judges, judge_seeds=seeds, epochs=epochs, **options)
    rows = found.rows + evaluate_classes(found, data, synthetic, epochs=epochs, **options)
    sets = {"synthetic": synthetic, "noise": temporal.noise(data.part("train"), seed=seed)}
    rows += timegan_scores(data, sets, seeds=seeds, **options)
    rows += likeness(data, synthetic, **options)
    rows += evaluate_tasks(data, {"synthetic": synthetic}, tasks, judges=task_judges, seeds=seeds, progress=progress)
    for ask in (forecasts, privacy):
        try:
            rows += ask(data, synthetic, **options)
        except ValueError as reason:
            progress(f"{ask.__name__} left out: {reason}")
    return rows


def require_tasks(data, tasks, judges):
    """Refuse, before anything is measured, tasks that cannot be asked of a set, and judges that are not known.

    Raises: ValueError: says which are.
    """
    for task in tasks:
        task.answers(data.part("test"))
    for name in judges:
        if name not in JUDGES:
            known = f"{did_you_mean(name, JUDGES)}Known: {', '.join(JUDGES)}."
            raise ValueError(f"judge {name!r} of tasks is not known; {known}")


def answerable(data, synthetic, tasks, progress=print) -> tuple:
    """A set whose static values have the names that the real set's have, and those tasks that can be asked of it.

    Raises: ValueError: its static values are others.
    """
    if synthetic.static is None:
        for task in (task for task in tasks if isinstance(task, Given)):
            progress(f"task {task}: left out, the synthetic set has no static values")
        return synthetic, [task for task in tasks if not isinstance(task, Given)]
    if data.static is None:
        return synthetic, tasks
    info = {name: data.info[name] for name in ("static_names", "answers") if name in data.info} | synthetic.info
    widths = [s.static.shape[1] for s in (data, synthetic)]
    if widths[0] != widths[1] or info.get("static_names") != data.info.get("static_names"):
        raise ValueError(
            f"the real set has {widths[0]} static values {data.info.get('static_names', '')}, the synthetic one "
            f"{widths[1]} {info.get('static_names', '')}; give the same in the same order, or none."
        )
    return dataclasses.replace(synthetic, info=info), tasks
