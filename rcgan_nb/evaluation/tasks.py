"""Tasks on clinical series: who dies, and whether a vital sign passes a threshold in the hours that follow.

A judge is trained on summaries of synthetic series and tested on real ones (TSTR), beside one trained on real series
(TRTR), by the areas under the ROC and the precision-recall curve.
"""

import dataclasses
import re
import warnings

import numpy as np

from rcgan_nb.config import did_you_mean
from rcgan_nb.evaluation import sequences
from rcgan_nb.evaluation.comparable import check_comparable
from rcgan_nb.evaluation.persons import one_each
from rcgan_nb.evaluation.report import Report

MEANING = {
    "auroc": "area under the ROC curve of a task's judge on real test series; 0.5 is chance (tasks@summaries.1)",
    "auprc": "area under the precision-recall curve of the same; chance is the share of the rarer answer",
}
STATISTICS = ("mean", "least", "greatest", "first", "last", "share observed")
DRAWS = 300


@dataclasses.dataclass(frozen=True)
class Threshold:
    """Will `feature` pass `limit` in one of the last `window` steps? The steps before are what a judge sees.

    sign: '<' or '>'. A series without a value in the window has no answer and is left out.
    """

    feature: str
    sign: str
    limit: float
    window: int = 12

    def __str__(self):
        return f"{self.feature}{self.sign}{self.limit:g}"

    def answers(self, s):
        """The series as a judge sees them, their answers (0 or 1), and which have one."""
        if self.feature not in s.features:
            known = f"{did_you_mean(self.feature, s.features)}Known: {', '.join(s.features)}."
            raise ValueError(f"feature {self.feature!r} is not known; {known}")
        if not 0 < self.window < s.x.shape[1]:
            raise ValueError(f"window must leave steps to see, 1 to {s.x.shape[1] - 1}, but {self.window} came.")
        k = s.features.index(self.feature)
        x, valid = s.x[:, -self.window :, k], s.valid[:, -self.window :, k]
        passed = (x < self.limit if self.sign == "<" else x > self.limit) & valid
        return _first(s, s.x.shape[1] - self.window), passed.any(1).astype(np.int32), valid.any(1)


@dataclasses.dataclass(frozen=True)
class Label:
    """A class against all others, by its name; without a name the second of two classes."""

    name: str = ""

    def __str__(self):
        return f"label={self.name}" if self.name else "label"

    def answers(self, s):
        if not self.name and s.num_classes != 2:
            raise ValueError(
                f"a task needs two classes, but the set has {s.num_classes}; name one, as in 'label=NAME'."
            )
        if self.name and (not s.num_classes or self.name not in s.classes):
            known = f"{did_you_mean(self.name, s.classes)}Known: {', '.join(s.classes)}."
            raise ValueError(f"class {self.name!r} is not known; {known}")
        k = s.classes.index(self.name) if self.name else 1
        return s, (s.y == k).astype(np.int32), np.ones(len(s), bool)


@dataclasses.dataclass(frozen=True)
class Given:
    """A static value of 0 or 1, by its name: what a data set asks of a series beside its label."""

    name: str

    def __str__(self):
        return self.name

    def answers(self, s):
        return s, s.static[:, s.info["static_names"].index(self.name)].astype(np.int32), np.ones(len(s), bool)


def parse(text: str, static_names=()) -> list:
    """Tasks from text such as 'label, HR<70, MAP>110', 'label=CLASS', or static values by their names.

    Raises: ValueError: a task that is neither a label nor a feature, < or >, and a number.
    """
    found = []
    for item in filter(None, map(str.strip, text.split(","))):
        if item in static_names:
            found.append(Given(item))
            continue
        parts = re.fullmatch(r"(.+?)\s*([<>])\s*(-?\d+(?:\.\d+)?)", item)
        label = re.fullmatch(r"label(?:\s*=\s*(.+))?", item)
        if not label and not parts:
            raise ValueError(f"task {item!r} is not known; give label, or a feature with its limit, as in 'HR<70'.")
        found.append(Label(label[1] or "") if label else Threshold(parts[1], parts[2], float(parts[3])))
    return found


def _first(s, steps):
    """The series up to a step; those that end before keep their end."""
    arrays = {name: getattr(s, name) for name in ("x", "observed", "conditions")}
    changed = {name: array[:, :steps] for name, array in arrays.items() if array is not None}
    lengths = None if s.lengths is None else s.lengths.clip(max=steps)
    return dataclasses.replace(s, **changed, lengths=lengths, image=())


def summaries(s) -> np.ndarray:
    """STATISTICS of every feature's observed values, `(n, features * 6)`; NaN where there are none."""
    valid = s.valid
    x = np.where(valid, s.x, np.nan)
    last_step = x.shape[1] - 1
    first = np.take_along_axis(x, valid.argmax(1)[:, None], 1)[:, 0]
    last = np.take_along_axis(x, last_step - valid[:, ::-1].argmax(1)[:, None], 1)[:, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of empty slices, which give NaN
        found = [np.nanmean(x, 1), np.nanmin(x, 1), np.nanmax(x, 1), first, last, valid.mean(1)]
    return np.concatenate(found, axis=1)


def given(s) -> np.ndarray:
    """Static values that are known beforehand (age, sex), `(n, values)`; those that answer a task are left out."""
    answers = s.info.get("answers", ())
    known = [k for k, name in enumerate(s.info.get("static_names", range(s.static.shape[1]))) if name not in answers]
    return s.static[:, known]


def logistic(seed):
    """Logistic regression on standardised summaries; what is missing counts as the mean."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fill = SimpleImputer(keep_empty_features=True)
    return make_pipeline(fill, StandardScaler(), LogisticRegression(C=0.1, max_iter=2000, random_state=seed))


def forest(seed):
    """Random forest of 300 trees; what is missing counts as the mean."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    trees = RandomForestClassifier(300, min_samples_leaf=5, n_jobs=-1, random_state=seed)
    return make_pipeline(SimpleImputer(keep_empty_features=True), trees)


def _by_summaries(make):
    """A judge of what `make(seed)` gives, a classifier of scikit-learn."""

    def judge(series, answers, test, parts, seed):
        seen, asked = (np.concatenate([PARTS[name](s) for name in parts], axis=1) for s in (series, test))
        return make(seed).fit(seen, answers).predict_proba(asked)[:, 1]

    return judge


def _by_steps(kind):
    """A judge that is a network, see `sequences.chances`."""

    def judge(series, answers, test, parts, seed):
        static = [given(s) if "static" in parts else np.zeros((len(s), 0)) for s in (series, test)]
        return sequences.chances(kind, series, answers, test, static, seed)

    return judge


# What a judge may see of a series; (series, answers, test, parts, seed) -> the chance of a 1 for each series of `test`.
PARTS = {"series": summaries, "static": given}
SUMMARY_JUDGES = {"logistic": logistic, "forest": forest}
JUDGES = {name: _by_summaries(make) for name, make in SUMMARY_JUDGES.items()}
JUDGES |= {kind: _by_steps(kind) for kind in sequences.BATCH_SIZE}


def evaluate_tasks(data, sets, tasks, *, judges=("logistic", "forest"), seeds=3, progress=print) -> list[dict]:
    """Areas under the curves of judges trained on each set and tested on the real test part.

    Args:
        data: SeriesSet with its split; sets: name -> SeriesSet that a judge is trained on, as synthetic ones.
        tasks: see `parse`; judges: names of JUDGES; seeds: how often each is trained anew. Where all sets have static
            values (see `given`), judges see them, too, and the set `static alone` says how far these go by themselves.
    Returns: rows of (measure, set, judge, value, low, high): measure is 'auroc TASK' or 'auprc TASK', the set 'real' is
        the training part (TRTR), others are TSTR; 95 % over resampled persons of the test part and over seeds. A set
        in which no series has an answer counts as chance; a task without two answers in the test part is left out, and
        `progress` is told.
    Raises: ValueError: a judge or feature that is not known, or sets that cannot be compared.
    """
    for name in judges:
        if name not in JUDGES:
            raise ValueError(f"judge {name!r} is not known; {did_you_mean(name, JUDGES)}Known: {', '.join(JUDGES)}.")
    for s in sets.values():
        check_comparable(data, s)
    sets = {"real": data.part("train"), **sets}
    static = all(s.static is not None for s in sets.values())
    asked = {name: (s, ("series", "static") if static else ("series",)) for name, s in sets.items()}
    if static:
        asked["static alone"] = (sets["real"], ("static",))
    report, random = Report(), np.random.default_rng(0)
    for task in tasks:
        test, truth = _answered(task, one_each(data.part("test"), random))
        if len(set(truth)) < 2:
            progress(f"task {task}: left out, the {len(truth)} test series with an answer do not have two")
            continue
        for which, (s, parts) in asked.items():
            progress(f"task {task}: judges trained on {which}")
            seen, answers = _answered(task, s)
            if len(set(answers)) < 2:
                progress(f"task {task}: {which} has no two answers among {len(answers)} series, and counts as chance")
            for judge in judges:
                if which == "static alone" and judge in sequences.BATCH_SIZE:
                    continue  # there are no steps to read
                chances = [_chances(judge, seen, answers, test, parts, k) for k in range(seeds)]
                for measure, triple in _areas(truth, chances).items():
                    report.add(f"{measure} {task}", which, triple, judge)
    return report.rows


def _answered(task, s):
    """The series that have an answer, as a judge sees them, and the answers; None where none has."""
    seen, answers, known = task.answers(s)
    return (seen.take(known) if known.any() else None), answers[known]


def _chances(judge, seen, answers, test, parts, seed):
    """The chance of a 1 that a judge gives each test series; the same for all where it saw no two answers."""
    if len(set(answers)) < 2:
        return np.full(len(test), 0.5)
    return JUDGES[judge](seen, answers, test, parts, seed)


def _areas(truth, chances) -> dict[str, tuple[float, float, float]]:
    """AUROC and AUPRC, means over seeds, with 95 % over resampled test series and seeds."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    random = np.random.default_rng(0)
    found = {}
    for name, area in {"auroc": roc_auc_score, "auprc": average_precision_score}.items():
        drawn = []
        while len(drawn) < DRAWS:
            rows = random.integers(0, len(truth), len(truth))
            if 0 < truth[rows].sum() < len(rows):
                drawn.append(area(truth[rows], chances[random.integers(len(chances))][rows]))
        low, high = np.quantile(drawn, (0.025, 0.975))
        found[name] = float(np.mean([area(truth, c) for c in chances])), float(low), float(high)
    return found
