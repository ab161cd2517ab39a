"""What can be told of a person from series alone, and what of it survives in a synthetic set: age, sex, the label."""

import dataclasses
import re

import numpy as np

from rcgan_nb.config import did_you_mean
from rcgan_nb.evaluation import baselines
from rcgan_nb.evaluation.identity import flat_series, reduced, stands_for
from rcgan_nb.evaluation.persons import one_each
from rcgan_nb.evaluation.report import Report
from rcgan_nb.evaluation.resampling import auc, resampled
from rcgan_nb.evaluation.tasks import SUMMARY_JUDGES, summaries
from rcgan_nb.evaluation.view import check_alike

MEANING = {
    "told": "a trait told from series by a judge trained on real ones; auroc 0.5 is chance, r2 0 tells nothing",
    "within": "the same by a judge trained on the set itself: an attacker who knows the method",
    "tstr": "the same by a judge trained on the set and tested on real series: use",
}


@dataclasses.dataclass(frozen=True)
class Trait:
    """The label or a static value. kind: auroc of two answers, accuracy of more classes, r2 of any value."""

    name: str
    column: int | None  # of static; None for the label
    kind: str
    limit: float | None = None  # a static value above it is answer 1

    def __str__(self):
        return self.name

    def answers(self, s) -> np.ndarray:
        """int32 `(n,)`, or float `(n,)` for r2."""
        if self.column is None:
            return s.y
        value = s.static[:, self.column]
        return value if self.limit is None else (value > self.limit).astype(np.int32)


def parse(text, s) -> list[Trait]:
    """Traits from text such as 'label, male, age>65'; empty takes the label and every static value that varies.

    A static value may be named by the beginning of its name; one that takes two values is a question of either.
    Raises: ValueError: a trait that is not known.
    """
    given = [item.strip() for item in text.split(",") if item.strip()]
    if not given:
        varies = [] if s.static is None else np.flatnonzero(np.ptp(s.static, axis=0) > 0)
        label = [] if s.y is None else ["label"]
        return [_trait(item, s) for item in (*label, *(_static_names(s)[k] for k in varies))]
    return [_trait(item, s) for item in given]


def _static_names(s):
    count = 0 if s.static is None else s.static.shape[1]
    return list(s.info.get("static_names", [f"static {k}" for k in range(count)]))


def _trait(item, s):
    if item == "label" and s.y is not None:
        return Trait("label", None, "auroc" if s.num_classes == 2 else "accuracy")
    names = _static_names(s)
    parts = re.fullmatch(r"(.+?)\s*>\s*(-?\d+(?:\.\d+)?)", item)
    name, limit = (parts[1], float(parts[2])) if parts else (item, None)
    found = [k for k, known in enumerate(names) if known == name] or [
        k for k, known in enumerate(names) if known.startswith(name)
    ]
    if len(found) != 1:
        known = ["label", *names] if s.y is not None else names
        wrong = "is not known" if not found else f"begins {len(found)} names"
        hint = f"{did_you_mean(name, known)}Known: {', '.join(known) or 'none'}."
        raise ValueError(f"trait {item!r} {wrong}; {hint}")
    values = np.unique(s.static[:, found[0]])
    if limit is None and len(values) == 2:
        limit = float(values.mean())
    return Trait(item, found[0], "r2" if limit is None else "auroc", limit)


def traits(data, sets, *, ask="", seed=0, progress=print) -> list[dict]:
    """Can static values and the label be told from the series alone? Which of them survive in other sets?

    Args:
        data: SeriesSet with its split; sets: name -> SeriesSet in the same units, with labels and static values of
            their own; those without static values are asked about the label alone.
        ask: see `parse`.
    Returns: rows of (measure, set, judge, value, low, high): measure is 'told', 'within' or 'tstr' (see MEANING), then
        'auroc', 'accuracy' (of more than two classes) or 'r2', then the trait; with 95 % over resampled persons of the
        test part, for a set without groups over its series. The set `real` is the test part, judged by what was trained
        on the training part (the ceiling), `jitter` the same with a little noise, `chance` a guess. A trait of which
        the training part, the test part or a set has one answer only is left out there, and `progress` is told.
    Raises: ValueError: the sets cannot be compared, or a trait is not known.
    """
    for s in sets.values():
        check_alike(data, s)
    jitter = dataclasses.replace(baselines.jitter(data, seed=seed), groups=data.groups)
    sides = {name: _sides_of(data, s, seed) for name, s in {"real": data, "jitter": jitter, **sets}.items()}
    looks = {"series": flat_series(sides["real"].learned), "summaries": summaries}
    report = Report()
    for trait in parse(ask, data):
        progress(f"traits: {trait}")
        able = {name: side for name, side in sides.items() if side.varies(trait)}
        for name in [name for name in sides if name not in able]:
            progress(f"trait {trait}: left out for {name}, whose series all have the same or none")
        for judge, (look, make) in _judges(trait.kind, seed).items() if "real" in able else ():
            _told(report, _Judge(judge, trait, looks[look], make, seed), able)
    return sorted(report.rows, key=lambda row: list(MEANING).index(row["measure"].split(" ")[0]))


@dataclasses.dataclass(frozen=True)
class _Sides:
    """The series of a set that a judge learns from, and those it is asked about; apart, or all of the set for both."""

    learned: object
    asked: object
    apart: bool

    def varies(self, trait) -> bool:
        given = trait.column is None or self.learned.static is not None
        return given and all(len(np.unique(trait.answers(s))) > 1 for s in (self.learned, self.asked))


def _sides_of(data, s, seed):
    apart = s is data or stands_for(data, s)
    learned, asked = (s.part("train"), s.part("test")) if apart else (s, s)
    return _Sides(learned, one_each(asked, np.random.default_rng(seed)), apart)


@dataclasses.dataclass(frozen=True)
class _Judge:
    """A model of what `look` shows of series, which answers for a trait; make: a new one for an array of that."""

    name: str
    trait: Trait
    look: object
    make: object
    seed: int

    def learn(self, s):
        x = self.look(s)
        return self.make(x).fit(x, self.trait.answers(s))

    def score(self, model, s):
        """Value, low and high of what a model says of series."""
        from sklearn.metrics import r2_score

        x, truth, random = self.look(s), self.trait.answers(s), np.random.default_rng(self.seed)
        if self.trait.kind == "auroc":
            chance = model.predict_proba(x)[:, 1]
            return resampled(auc, chance[truth == 1], chance[truth == 0], random=random)
        said = model.predict(x)
        if self.trait.kind == "accuracy":
            return resampled(np.mean, said == truth, random=random)
        return resampled(lambda rows: r2_score(truth[rows], said[rows]), np.arange(len(truth)), random=random)

    def guess(self, s) -> float:
        """What naming the commonest answer, or the mean, is worth."""
        if self.trait.kind == "accuracy":
            return np.bincount(self.trait.answers(s)).max() / len(s)
        return {"auroc": 0.5, "r2": 0.0}[self.trait.kind]


def _told(report, judge, sides):
    """Add the rows of one judge and trait for all sets."""
    measure, test = f"{judge.trait.kind} {judge.trait}", sides["real"].asked
    on_real = judge.learn(sides["real"].learned)
    for which, side in sides.items():
        own = on_real if which == "real" else judge.learn(side.learned)
        report.add(f"told {measure}", which, judge.score(on_real, side.asked), judge.name)
        report.add(f"tstr {measure}", which, judge.score(own, test), judge.name)
        if side.apart and which != "real":
            report.add(f"within {measure}", which, judge.score(own, side.asked), judge.name)
    report.add(f"told {measure}", "chance", (judge.guess(test),) * 3, judge.name)


def _judges(kind, seed) -> dict:
    """Judge -> what it sees, and a function that makes it for an array of that."""
    if kind == "r2":
        return {"ridge": ("summaries", lambda x: _ridge()), "forest": ("summaries", lambda x: _forest_of_values(seed))}
    of_summaries = {name: ("summaries", lambda x, make=make: make(seed)) for name, make in SUMMARY_JUDGES.items()}
    return of_summaries | {"discriminant": ("series", _discriminant)}


def _discriminant(x):
    """Linear discriminants of principal components."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.pipeline import make_pipeline

    return make_pipeline(reduced(x), LinearDiscriminantAnalysis())


def _ridge():
    """Ridge regression on standardised summaries; what is missing counts as the mean."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), RidgeCV(np.logspace(-1, 4, 6)))


def _forest_of_values(seed):
    """As `tasks.forest`, for values in place of classes."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    trees = RandomForestRegressor(300, min_samples_leaf=5, n_jobs=-1, random_state=seed)
    return make_pipeline(SimpleImputer(keep_empty_features=True), trees)
