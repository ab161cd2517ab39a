"""All figures for one synthetic set, beside real series and two baselines."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rcgan_nb.config import did_you_mean
from rcgan_nb.evaluation import baselines, similarity, utility
from rcgan_nb.evaluation.judges import JUDGES
from rcgan_nb.evaluation.view import View, check_alike

MEANING = {
    "trtr": "trained on real, tested on held-out real: the ceiling",
    "tstr": "trained on synthetic, tested on held-out real: use",
    "trts": "trained on real, tested on synthetic: truth to class",
    "discriminative": "|accuracy - 1/2| of a GRU that tells real from synthetic: 0 is best",
    "coverage": "share of held-out real series with a synthetic one nearby: variety",
    "distance_ratio": "distance to training / to held-out series: about 1, less for copies",
}


@dataclass
class Report:
    """Rows of (measure, set, judge, value, low, high) with 95 % intervals, and what the figures need."""

    rows: list[dict] = field(default_factory=list)
    confusions: dict = field(default_factory=dict)

    def add(self, measure, which, triple, judge=""):
        value, low, high = (round(float(v), 4) for v in triple)
        self.rows.append({"measure": measure, "set": which, "judge": judge, "value": value, "low": low, "high": high})

    def value(self, measure, which="synthetic", judge="") -> float:
        """One figure.

        Raises: KeyError: it is not in the report.
        """
        for row in self.rows:
            if (row["measure"], row["set"], row["judge"]) == (measure, which, judge):
                return row["value"]
        raise KeyError(f"the report holds no {measure} of {which} {judge}".strip())

    def synthetic_confusions(self) -> dict:
        """Name -> counts `(classes, classes)` for the synthetic set: trained on it, and tested on it."""
        return {f"{m} {j}": counts for (m, which, j), counts in self.confusions.items() if which == "synthetic"}

    def frame(self):
        """The rows as a pandas table: sets across, measures down, 'value [low, high]' in the cells."""
        import pandas as pd

        table = pd.DataFrame(self.rows)
        table["shown"] = [f"{r['value']:.3f} [{r['low']:.3f}, {r['high']:.3f}]" for r in self.rows]
        order = list(dict.fromkeys(zip(table["measure"], table["judge"], strict=True)))
        wide = table.pivot(index=["measure", "judge"], columns="set", values="shown").loc[order]
        return wide[[name for name in ("real", "synthetic", "gaussian", "jitter") if name in wide]].fillna("")

    def __str__(self):
        return self.frame().to_string()

    @classmethod
    def read(cls, path) -> "Report":
        """The rows that `save` wrote; confusion matrices are not kept."""
        return cls(json.loads(Path(path).read_text())["rows"])

    def save(self, path):
        Path(path).write_text(json.dumps({"rows": self.rows, "meaning": MEANING}, indent=1) + "\n")


def evaluate(data, synthetic, *, judges=("svm", "cnn"), judge_seeds=3, epochs=0, seed=0, progress=print) -> Report:
    """Judge synthetic series against the held-out parts of a real set.

    Args:
        data: SeriesSet with its split; the test part is used for utility and coverage, validation and test parts
            together are the held-out series of the distance ratio.
        synthetic: SeriesSet in the same units, ideally as many as there are training series, with their label mix.
        judges: names of classifiers (svm, cnn); unlabelled sets get no TSTR, TRTS and TRTR.
        judge_seeds: how often each neural judge is trained anew; epochs: 0 chooses by the number of series.
        progress: called with a line of text before each part.
    Raises: ValueError: the sets cannot be compared, or a judge is not known.
    """
    for name in judges:
        if name not in JUDGES:
            raise ValueError(f"judge {name!r} is not known; {did_you_mean(name, JUDGES)}Known: {', '.join(JUDGES)}.")
    check_alike(data, synthetic)
    train, validation, test = (data.part(part) for part in ("train", "validation", "test"))
    others = {
        "synthetic": synthetic,
        "gaussian": baselines.gaussian(train, seed=seed),
        "jitter": baselines.jitter(train, seed=seed),
    }
    view = View.fit(train)
    seen = {name: view.see(s) for name, s in others.items()}
    real = {"train": view.see(train), "validation": view.see(validation), "test": view.see(test)}
    report = Report()
    if data.y is not None:
        labels = {name: s.y for name, s in others.items()}
        for judge in judges:
            progress(f"utility: judge {judge}, trained on real and on {len(others)} other sets")
            seeds = 1 if judge == "svm" else judge_seeds  # the support vector machine has no chance in it
            _utility(report, judge, seeds, epochs, real, (train.y, test.y), seen, labels)
    progress("similarity: telling real from synthetic")
    _discriminative(report, real, seen, judge_seeds, epochs)
    progress("similarity: coverage; privacy: distances")
    heldout = np.concatenate([real["validation"], real["test"]])
    report.add("coverage", "real", similarity.coverage_interval(real["test"], real["train"], seed=seed))
    for name, x in seen.items():
        report.add("coverage", name, similarity.coverage_interval(real["test"], x, seed=seed))
    fresh = similarity.distance_ratio(real["validation"], real["train"], real["test"], seed=seed)
    report.add("distance_ratio", "real", fresh)
    for name, x in seen.items():
        report.add("distance_ratio", name, similarity.distance_ratio(x, real["train"], heldout, seed=seed))
    return report


def _utility(report, judge, seeds, epochs, real, real_labels, seen, labels):
    train_y, test_y = real_labels
    classes = int(max(train_y.max(), test_y.max())) + 1
    names = list(seen)
    tests = [real["test"], *seen.values()]
    on_real = utility.trained_on(JUDGES[judge], (real["train"], train_y), tests, seeds=seeds, epochs=epochs)
    report.add("trtr", "real", utility.interval([p == test_y for p in on_real[0]]), judge)
    report.confusions["trtr", "real", judge] = utility.confusion(test_y, on_real[0][0], classes)
    for name in names:
        pair = seen[name], labels[name]
        predictions = utility.trained_on(JUDGES[judge], pair, [real["test"]], seeds=seeds, epochs=epochs)[0]
        report.add("tstr", name, utility.interval([p == test_y for p in predictions]), judge)
        report.confusions["tstr", name, judge] = utility.confusion(test_y, predictions[0], classes)
    for name, predictions in zip(names, on_real[1:], strict=True):
        report.add("trts", name, utility.interval([p == labels[name] for p in predictions]), judge)
        report.confusions["trts", name, judge] = utility.confusion(labels[name], predictions[0], classes)


def _discriminative(report, real, seen, seeds, epochs):
    """The control: one half of the training part against the other."""
    mixed = np.random.default_rng(0).permutation(real["train"])
    halves = np.array_split(mixed, 2)
    report.add("discriminative", "real", similarity.discriminative_score(*halves, seeds=seeds, epochs=epochs))
    for name, x in seen.items():
        score = similarity.discriminative_score(real["train"], x, seeds=seeds, epochs=epochs)
        report.add("discriminative", name, score)
