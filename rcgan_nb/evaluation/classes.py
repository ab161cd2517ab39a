"""Has each class its share, its variety and its use? Read off the counts of a report's judges, class by class."""

import numpy as np

from rcgan_nb.evaluation import similarity, utility
from rcgan_nb.evaluation.judges import JUDGES
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
LOOKS = {
    "class_histogram": lambda counts: counts.sum(-2),
    "class_pairs": lambda counts: counts.reshape(*counts.shape[:-2], -1),
}
CLAIMS = {
    "class_histogram_p": (
        "look to the judge as if classes had other shares than in the test part",
        "show the judge classes in the shares of the test part as far as this test sees",
    )
}


def evaluate_classes(report, data, synthetic, *, epochs=0, seed=0, progress=print) -> list[dict]:
    """What a report's confusion matrices, which are those of each judge's first seed, say of single classes.

    Best and worst cases stand beside: `real` (for the shares the validation part, by the same judge trained once more;
    for class_coverage the training part; for tstr_class a judge trained on real series), `one class` (the greatest
    alone, series seen as those of the test part are), `mislabelled` (labels that say nothing of the series).
    Args:
        report: what `evaluate` found of these sets, data and synthetic, with these epochs.
    Returns: rows of (measure, set, judge, value, low, high), 95 % over resampled series of each label, for
        class_coverage over draws of the set's; none without labels. tstr_class is followed by the name of its class.
        Where a judge cannot tell one class alone from the test part, its shares are left out, and `progress` is told.
    Raises: ValueError: the sets cannot be compared.
    """
    check_alike(data, synthetic)
    if data.y is None:
        return []
    found, random = Report(), np.random.default_rng(seed)
    train, validation, test = (data.part(part) for part in ("train", "validation", "test"))
    view = View.fit(train)
    seen = [view.see(s) for s in (train, validation, test, synthetic)]
    for judge in dict.fromkeys(judge for _, _, judge in report.confusions):
        last = report.confusions["trtr", "real", judge]
        worst = _worst(last, np.bincount(train.y, minlength=len(last)))
        if _chance_of(last.sum(0), worst["one class"].sum(0), random) >= 0.05:
            progress(f"classes: to judge {judge} one class alone looks like the test part; shares are left out")
            continue
        progress(f"classes: judge {judge}, trained on real series, looks at the validation part")
        told = utility.trained_on(JUDGES[judge], (seen[0], train.y), [seen[1]], seeds=1, epochs=epochs)[0][0]
        known = validation.y < len(last)  # classes that stand in the report's counts
        real = utility.confusion(validation.y[known], told[known], len(last))
        tables = {"real": real} | _counts(report, "trts", judge)
        _shares(found, judge, last, tables | worst, random)
    own = {"real": (seen[0], train.y), "synthetic": (seen[3], synthetic.y)}
    _coverage(found, seen[2], test.y, own, seed)
    for judge in dict.fromkeys(judge for _, _, judge in report.confusions):
        tables = {"real": report.confusions["trtr", "real", judge]} | _counts(report, "tstr", judge)
        for which, counts in tables.items():
            for k, name in enumerate(data.classes[: len(counts)]):
                if counts[k].any():
                    found.add(f"tstr_class {name}", which, _recall(counts[k], k, random), judge)
    return found.rows


def _counts(report, wanted, judge):
    """Set -> counts `(classes, classes)`, asked for down, seen across."""
    return {which: counts for (m, which, j), counts in report.confusions.items() if (m, j) == (wanted, judge)}


def _worst(test, labels):
    """What the judge would see; labels: how many training series each class has, which a generator is asked for."""
    rates = np.where(test.any(1)[:, None], test / test.sum(1, keepdims=True).clip(1), np.eye(len(test)))
    greatest = labels * (np.arange(len(labels)) == labels.argmax())
    cases = {"one class": greatest[:, None] * rates, "mislabelled": np.outer(labels, test.sum(0) / test.sum())}
    return {name: np.rint(counts).astype(int) for name, counts in cases.items()}


def _shares(found, judge, test, sets, random):
    drawn = {name: _drawn(counts, random) for name, counts in sets.items()}
    last = _drawn(test, random)
    for measure, look in LOOKS.items():
        for which, counts in sets.items():
            edges = _edges(_distance(look(last), look(drawn[which])))
            found.add(measure, which, (_distance(look(test), look(counts)), *edges), judge)
    for which in ("real", "synthetic", "one class"):
        p = _chance_of(test.sum(0), sets[which].sum(0), random)
        found.add("class_histogram_p", which, (p, p, p), judge)


def _distance(a, b):
    """Total variation distance between the shares of counts `(..., kinds)`."""
    a, b = (v / v.sum(-1, keepdims=True) for v in (a, b))
    return np.abs(a - b).sum(-1) / 2


def _drawn(counts, random):
    """DRAWS tables as `counts` with as many series asked for of each class, `(DRAWS, classes, classes)`."""
    return np.stack([random.multinomial(row.sum(), row / max(row.sum(), 1), DRAWS) for row in counts], axis=1)


def _chance_of(a, b, random):
    """Share of draws from the shares of both together that differ as much as the counts a and b, by chi-squared."""
    both = a + b
    draws = [random.multinomial(v.sum(), both / both.sum(), DRAWS) for v in (a, b)]
    return (1 + (_chi_squared(*draws, both) >= _chi_squared(a, b, both)).sum()) / (1 + DRAWS)


def _chi_squared(a, b, both):
    """Weighted so that a class that few series have counts as much as others; both: counts that give the weights."""
    shares = [v / v.sum(-1, keepdims=True) for v in (a, b)]
    return ((shares[0] - shares[1]) ** 2 / both.clip(1)).sum(-1)


def _edges(drawn):
    return np.quantile(drawn, (0.025, 0.975))


def _recall(counts, k, random):
    share = counts[k] / counts.sum()
    return share, *_edges(random.binomial(counts.sum(), share, DRAWS) / counts.sum())


def _coverage(found, test, labels, sets, seed):
    """Coverage of each class by series of its label, weighted by its size; classes too small to measure it left out."""
    sizes = np.bincount(labels)
    classes = np.flatnonzero(sizes > 5)
    for which, (x, y) in sets.items() if len(classes) else ():
        parts = np.array([_covered(test[labels == k], x[y == k], seed) for k in classes])
        value = np.average(parts[:, 0], weights=sizes[classes])
        # Classes are drawn by themselves, so that their deviations add up as squares do.
        share = sizes[classes] / sizes[classes].sum()
        below, above = (np.sqrt(((share * (parts[:, 0] - parts[:, k])) ** 2).sum()) for k in (1, 2))
        found.add("class_coverage", which, (value, value - below, value + above))


def _covered(real, x, seed):
    return similarity.coverage_interval(real, x, seed=seed) if len(x) else (0.0, 0.0, 0.0)
