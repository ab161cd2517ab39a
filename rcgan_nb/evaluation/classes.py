"""Has each class its share, its variety and its use? Read off the counts of a report's judges, class by class."""

import numpy as np

from rcgan_nb.evaluation import similarity
from rcgan_nb.evaluation.report import Report
from rcgan_nb.evaluation.view import View, check_alike

DRAWS = 1000
MEANING = {
    "class_histogram": "total variation distance of the shares of classes that a judge trained on real series sees in "
    "the set and in the test part: 1 at most, great where a class is dropped (classes@told.1)",
    "class_pairs": "the same of pairs of the class asked for and the class seen: great where the condition is ignored, "
    "too (classes@asked.1)",
    "class_histogram_p": "share of draws from equal shares as far apart: below 0.05 after Holm's correction, not equal",
    "class_coverage": "share of test series with one of the set nearby that has the same label (coverage@class.1)",
    "tstr_class": "share of the test series of a class that a judge trained on the set knows (recall@class.1)",
}
CLAIMS = {
    "class_histogram_p": (
        "have classes in other shares than the test part",
        "have classes in the shares of the test part as far as this test sees",
    )
}


def evaluate_classes(report, data, synthetic, *, seed=0, progress=print) -> list[dict]:
    """What a report's confusion matrices, which are those of each judge's first seed, say of single classes.

    Best and worst cases stand beside: `real` (for the shares two draws of these sizes from the test part's own counts,
    for class_coverage the training part, for tstr_class a judge trained on real series), `one class` (the greatest
    alone), `mislabelled` (labels that say nothing of the series).
    Args:
        report: what `evaluate` found of these sets, data and synthetic.
    Returns: rows of (measure, set, judge, value, low, high), 95 % over resampled series, for class_coverage over draws
        of the set's; none without labels. tstr_class is followed by the name of its class. Where a judge sees but one
        class in the test part its shares are left out, and `progress` is told.
    Raises: ValueError: the sets cannot be compared.
    """
    check_alike(data, synthetic)
    if data.y is None:
        return []
    found, random = Report(), np.random.default_rng(seed)
    for judge in dict.fromkeys(judge for _, _, judge in report.confusions):
        test = report.confusions["trtr", "real", judge]
        if np.count_nonzero(test.sum(0)) > 1:
            _shares(found, judge, test, _counts(report, "trts", judge), random)
        else:
            progress(f"classes: judge {judge} sees one class in the test part; the shares it sees are left out")
    _coverage(found, data, synthetic, seed)
    for judge in dict.fromkeys(judge for _, _, judge in report.confusions):
        tables = {"real": report.confusions["trtr", "real", judge]} | _counts(report, "tstr", judge)
        for which, counts in tables.items():
            for k, name in enumerate(data.classes):
                if counts[k].any():
                    found.add(f"tstr_class {name}", which, _recall(counts[k], k, random), judge)
    return found.rows


def _counts(report, wanted, judge):
    """Set -> counts `(classes, classes)`, asked for down, seen across."""
    return {which: counts for (m, which, j), counts in report.confusions.items() if (m, j) == (wanted, judge)}


def _shares(found, judge, test, tables, random):
    looks = {"class_histogram": lambda counts: counts.sum(-2), "class_pairs": lambda counts: counts.reshape(-1)}
    greatest = np.zeros_like(test)
    greatest[test.sum(1).argmax()] = test[test.sum(1).argmax()]
    worst = {"one class": greatest, "mislabelled": np.outer(test.sum(1), test.sum(0))}
    for measure, look in looks.items():
        size = tables["synthetic"].sum()
        chance = _apart(look(test), look(test), (test.sum(), size), random)
        found.add(measure, "real", (chance.mean(), *_edges(chance)), judge)
        for which, counts in (tables | worst).items():
            pair, sizes = (look(test), look(counts)), (test.sum(), size if which in worst else counts.sum())
            found.add(measure, which, (_distance(*pair), *_edges(_apart(*pair, sizes, random))), judge)
    for which, counts in {"synthetic": tables["synthetic"], "one class": greatest}.items():
        p = _chance_of(test.sum(0), counts.sum(0), random)
        found.add("class_histogram_p", which, (p, p, p), judge)


def _distance(a, b):
    """Total variation distance between the shares of counts `(..., kinds)`."""
    a, b = (v / v.sum(-1, keepdims=True) for v in (a, b))
    return np.abs(a - b).sum(-1) / 2


def _apart(a, b, sizes, random):
    """Distances between DRAWS draws of so many series from the shares of each."""
    return _distance(*(random.multinomial(n, v / v.sum(), DRAWS) for n, v in zip(sizes, (a, b), strict=True)))


def _chance_of(a, b, random):
    """Share of draws from the shares of both together whose distance is as great as that of the counts a and b."""
    both, sizes = a + b, (a.sum(), b.sum())
    return (1 + (_apart(both, both, sizes, random) >= _distance(a, b) - 1e-12).sum()) / (1 + DRAWS)


def _edges(drawn):
    return np.quantile(drawn, (0.025, 0.975))


def _recall(counts, k, random):
    share = counts[k] / counts.sum()
    return share, *_edges(random.binomial(counts.sum(), share, DRAWS) / counts.sum())


def _coverage(found, data, synthetic, seed):
    """Coverage of each class by series of its label, weighted by its size; classes too small to measure it left out."""
    train, test = data.part("train"), data.part("test")
    view = View.fit(train)
    seen = [view.see(s) for s in (test, train, synthetic)]
    sizes = np.bincount(test.y, minlength=len(data.classes))
    classes = np.flatnonzero(sizes > 5)
    if not len(classes):
        return
    for which, x, y in (("real", seen[1], train.y), ("synthetic", seen[2], synthetic.y)):
        parts = [_covered(seen[0][test.y == k], x[y == k], seed) for k in classes]
        found.add("class_coverage", which, np.average(parts, axis=0, weights=sizes[classes]))


def _covered(real, x, seed):
    return similarity.coverage_interval(real, x, seed=seed) if len(x) else (0.0, 0.0, 0.0)
