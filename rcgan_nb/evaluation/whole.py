"""Every question at once, for who judges several sets: what evaluate.ipynb asks one by one."""

from rcgan_nb.evaluation import report, temporal
from rcgan_nb.evaluation.classes import evaluate_classes
from rcgan_nb.evaluation.comparable import check_comparable
from rcgan_nb.evaluation.forecast import forecasts
from rcgan_nb.evaluation.likeness import likeness
from rcgan_nb.evaluation.privacy import privacy
from rcgan_nb.evaluation.tasks import evaluate_tasks
from rcgan_nb.evaluation.timegan import timegan_scores


def evaluate(data, synthetic, **options) -> report.Report:
    """As `report.evaluate`, of sets that were found comparable (see `comparable`)."""
    check_comparable(data, synthetic)
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
        out where series are too short for them, attacks where there are too few persons, and `progress` is told.
    Raises: ValueError: the sets cannot be compared.
    """
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
