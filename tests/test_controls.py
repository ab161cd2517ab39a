"""Controls, end to end on digits: generators of which is known what they do, and real series in a generator's place."""

import dataclasses

import numpy as np
import pytest

from rcgan_nb import evaluate, load
from rcgan_nb.evaluation import Report, identity, tasks, timegan, together, traits, verdict, whole
from rcgan_nb.evaluation.classes import evaluate_classes
from rcgan_nb.evaluation.privacy import privacy
from rcgan_nb.evaluation.whole import judge
from rcgan_nb.series import SeriesSet, split

QUICK = {"judges": ("svm",), "epochs": 1, "progress": lambda text: None}
MEMBERSHIP = ("membership_distance", "membership_density")


@pytest.fixture(scope="module")
def sets():
    """Digits with half of the training series set aside, by label, which stand for what a perfect generator makes."""
    s = load("digits")
    trained = np.flatnonzero(s.split == 0)
    aside = trained[split(len(trained), labels=s.y[trained], shares=(0.5, 0.2, 0.3)) == 0]
    data = s.take(np.setdiff1d(np.arange(len(s)), aside))
    return data, dataclasses.replace(s.take(aside), split=None)


def by(rows):
    return {(row["measure"], row["set"]): row for row in rows}


def judged(data, synthetic):
    """The report and its classes; without the judge that tells real from synthetic, which no control here needs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rcgan_nb.evaluation.report._discriminative", lambda *given: None)
        report = evaluate(data, synthetic, judge_seeds=1, **QUICK)
    return by(report.rows + evaluate_classes(report, data, synthetic))


def below(rows, measure, best=None):
    """Is the synthetic set's interval below that of real series?"""
    return rows[measure, "synthetic"]["high"] < rows[best or measure, "real"]["low"]


def above(rows, measure):
    return rows[measure, "synthetic"]["low"] > rows[measure, "real"]["high"]


def test_a_dropped_class_is_caught(sets):
    """The training part without its threes, others drawn again in their place."""
    data, random = sets[0], np.random.default_rng(1)
    train = data.part("train")
    left = np.flatnonzero(train.y != 3)
    rows = judged(data, train.take(random.choice(left, len(train))))
    assert below(rows, "coverage") and below(rows, "class_coverage") and below(rows, "tstr", "trtr")
    assert above(rows, "class_histogram") and rows["class_histogram_p", "synthetic"]["value"] < 0.01
    assert rows["class_histogram", "synthetic"]["value"] == pytest.approx(0.1, abs=0.03)
    assert rows["tstr_class 3", "synthetic"]["value"] == 0 and rows["tstr_class 4", "synthetic"]["value"] > 0.9


def test_an_ignored_condition_is_caught(sets):
    """The training part with its labels permuted: the series are right, and each for another class."""
    train = sets[0].part("train")
    rows = judged(sets[0], dataclasses.replace(train, y=np.random.default_rng(2).permutation(train.y)))
    assert rows["tstr", "synthetic"]["high"] < 0.5 < rows["trtr", "real"]["low"]
    assert above(rows, "class_pairs") and rows["class_pairs", "synthetic"]["value"] > 0.8
    assert below(rows, "class_coverage") and rows["class_coverage", "synthetic"]["value"] < 0.7
    # These do not look at labels.
    assert not below(rows, "coverage") and rows["class_histogram", "synthetic"]["value"] < 0.03


def test_replayed_series_are_caught(sets):
    train = sets[0].part("train")
    assert judged(sets[0], train)["distance_ratio", "synthetic"]["high"] < 0.95
    known = {series.tobytes() for series in train.x}
    tell = {"score": lambda s: [series.tobytes() in known for series in s.x], "progress": lambda text: None}
    rows = by(privacy(sets[0], train, **tell))
    for measure in (*MEMBERSHIP, "membership_score"):
        assert rows[measure, "synthetic"]["low"] > 0.9, measure


@pytest.fixture(scope="module")
def fresh(sets):
    """The whole report on the series set aside."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timegan, "UPDATES", {"discriminative": 10, "predictive": 10})
        patch.setattr(timegan, "AT_ONCE", 10)
        return judge(*sets, seeds=1, **QUICK)


def test_fresh_series_give_nobody_away(fresh):
    rows = by(fresh)
    for measure in MEMBERSHIP:
        for which in ("real", "synthetic"):
            assert rows[measure, which]["low"] < 0.5 < rows[measure, which]["high"], (measure, which)
    assert rows["distance_ratio", "synthetic"]["value"] > 0.95
    assert rows["attribute", "synthetic"]["low"] < 0 < rows["attribute", "synthetic"]["high"]


def test_real_against_real_shows_no_difference(fresh):
    told = verdict.said(fresh)
    assert len(told) == 6 and sum("class_histogram_p svm" in sentence for sentence in told) == 2
    claims = [no for _, no in verdict.CLAIMS.values()]
    assert all(any(no in sentence for no in claims) for sentence in told), told
    rows = by(fresh)
    for measure, best in (
        ("coverage", ""),
        ("class_coverage", ""),
        ("tstr", "trtr"),
        ("recall", ""),
        ("precision", ""),
    ):
        assert not below(rows, measure, best), measure
    for measure in ("class_histogram", "class_pairs", "marginal", "autocorrelation", "frechet"):
        assert not above(rows, measure), measure


def test_holm_is_over_all_tests_of_the_report():
    """0.012 holds among four tests, and no longer among five."""
    p = {"judge": "", "low": 0, "high": 0}
    mmd, near = ({"measure": name, "value": 1.0} | p for name in ("mmd2_p", "nearer_to_training_p"))
    rows = [mmd | {"set": "real"}, mmd | {"set": "synthetic", "value": 0.012}, mmd | {"set": "noise", "value": 0.001}]
    rows += [near | {"set": "real"}, near | {"set": "synthetic"}]
    assert verdict.said(rows)[1] == "synthetic series differ from the test part (mmd2_p, corrected: 0.048)"
    rows.append({"measure": "class_histogram_p", "set": "synthetic", "value": 1.0} | p | {"judge": "svm"})
    told = verdict.said(rows)
    assert told[1].endswith("show no difference to the test part that this test sees (mmd2_p, corrected: 0.060)")
    assert told[4].startswith("synthetic series show the judge classes in the shares of the test part")


def clinical(n, seed):
    """Pulses with gaps, an age and a label."""
    random = np.random.default_rng(seed)
    level = random.normal(80, 10, n)
    observed = random.random((n, 16, 2)) < 0.8
    x = np.where(observed, level[:, None, None] + random.normal(size=observed.shape), 0).astype(np.float32)
    y = (level > 80).astype(np.int32)
    more = {"y": y, "classes": ("lived", "died"), "static": np.round(level)[:, None], "split": split(n, labels=y)}
    return SeriesSet(x=x, observed=observed, features=("HR", "MAP"), **more)


def test_every_figure_has_a_meaning_and_a_best_or_worst_case(sets, fresh, monkeypatch):
    monkeypatch.setattr(timegan, "_fitted", lambda *given: lambda x, steps: np.zeros(x.shape[:2]))
    data, other = clinical(200, 0), clinical(140, 1)
    quiet = {"progress": lambda text: None}
    plain, unlabelled = (dataclasses.replace(s, y=None, classes=(), static=None) for s in (data, other))
    monkeypatch.setattr(timegan, "discriminative", lambda *given, **options: ((0, 0, 0), 2))
    rows = fresh + together.evaluate_together(*sets, judges=("svm",), seeds=1, **quiet)
    rows += privacy(data, other, score=lambda s: s.x.mean((1, 2)), **quiet)
    rows += tasks.evaluate_tasks(data, {"synthetic": other}, tasks.parse("label, HR<80"), seeds=1, **quiet)
    rows += timegan.timegan_scores(plain, {"synthetic": unlabelled}, seeds=1, **quiet)
    rows += traits.traits(data, {"synthetic": other}, **quiet)
    assert {verdict.named(row["measure"]) for row in rows} >= set(verdict.MEANING) - {"observed", *identity.MEANING}
    of = {"tstr": "trtr", "trts": "trtr", "tr+s": "trtr", "forecast_tr+s": "forecast"}
    fixed = {i.measure for indicators in verdict.QUESTIONS.values() for i in indicators if not isinstance(i.best, str)}
    for measure in dict.fromkeys(row["measure"] for row in rows):
        assert len(verdict.MEANING[verdict.named(measure)]) > 20
        beside = {row["set"] for row in rows if row["measure"] == of.get(measure, measure)}
        assert beside & {"real", "jitter", *verdict.SCALE} or measure in fixed, measure


def test_a_set_without_the_names_of_static_values_or_without_these_is_judged():
    """As another tool writes it; `died` is an answer and is not to be seen by who is asked for it."""
    data, other = clinical(200, 0), clinical(140, 1)
    static = [np.stack([s.static[:, 0], s.y], axis=1) for s in (data, other)]
    info = {"static_names": ["age", "died"], "answers": ["died"]}
    data, nameless = (dataclasses.replace(s, static=v) for s, v in zip((data, other), static, strict=True))
    data = dataclasses.replace(data, info=info)
    asked, said = tasks.parse("died, HR<80", info["static_names"]), []
    for s, left in ((nameless, 2), (dataclasses.replace(nameless, static=None), 1)):
        s, few = whole.answerable(data, s, asked, said.append)
        rows = tasks.evaluate_tasks(data, {"synthetic": s}, few, judges=("logistic",), seeds=1, progress=str)
        assert len({row["measure"] for row in rows if row["set"] == "synthetic"}) == 2 * left
    assert said == ["task died: left out, the synthetic set has no static values"]
    with pytest.raises(ValueError, match=r"has 2 static values \['age', 'died'\], the synthetic one 1"):
        whole.answerable(data, other, asked)


def test_shares_of_classes_by_hand():
    """Ten test series of each of two classes, seen as they are; twelve of the set asked for a and four for b."""
    report, eye = Report(), np.eye(2, dtype=int)
    report.confusions |= {("trtr", "real", "svm"): 10 * eye, ("tstr", "synthetic", "svm"): np.array([[9, 1], [5, 5]])}
    report.confusions["trts", "synthetic", "svm"] = np.array([[9, 3], [0, 4]])
    y = np.arange(60, dtype=np.int32) % 2
    x = np.random.default_rng(0).normal(size=(60, 3, 2)) + 10 * y[:, None, None]
    data = SeriesSet(x=x, y=y, classes=("a", "b"), split=(np.arange(60) // 20).astype(np.int8))
    rows = by(evaluate_classes(report, data, data.take(data.split == 1)))
    assert rows["class_histogram", "synthetic"]["value"] == pytest.approx(1 / 16, abs=1e-4)  # 9 and 7 of 16
    assert rows["class_pairs", "synthetic"]["value"] == pytest.approx(1 / 4)  # 9, 3, 0, 4 of 16 against 8, 0, 0, 8
    assert rows["class_histogram", "real"]["value"] == 0 and rows["class_histogram", "one class"]["value"] == 0.5
    assert rows["class_pairs", "mislabelled"]["value"] == 0.5
    assert (rows["tstr_class a", "synthetic"]["value"], rows["tstr_class b", "synthetic"]["value"]) == (0.9, 0.5)
    assert rows["class_histogram_p", "synthetic"]["value"] > 0.5 and rows["class_histogram_p", "real"]["value"] == 1
    assert rows["class_histogram_p", "one class"]["value"] < 0.05
    said = []
    report.confusions["trtr", "real", "svm"] = np.array([[10, 0], [10, 0]])
    rows = by(evaluate_classes(report, data, data.take(data.split == 1), progress=said.append))
    assert said == ["classes: to judge svm one class alone looks like the test part; shares are left out"]
    assert ("class_histogram", "synthetic") not in rows and rows["tstr_class b", "real"]["value"] == 0
