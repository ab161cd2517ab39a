"""Metrics by small worked examples, and judgements whose answer is known."""

import dataclasses

import numpy as np
import pytest

from rcgan_nb import evaluate, load
from rcgan_nb.evaluation import Report, baselines, classes, judges, similarity, utility
from rcgan_nb.evaluation.view import View
from rcgan_nb.series import SeriesSet


def test_mmd2_by_hand():
    """Points 0, 2 against 1, 5 on a line; the median distance^2 among x is 4."""
    x, y = np.array([0.0, 2.0]).reshape(2, 1, 1), np.array([1.0, 5.0]).reshape(2, 1, 1)

    def k(d2):
        return np.mean([np.exp(-d2 / (2 * 4 * s**2)) for s in (0.5, 1, 2)])

    across = (k(1) + k(25) + k(1) + k(9)) / 4
    assert similarity.mmd2(x, y) == pytest.approx(k(4) + k(16) - 2 * across)


def test_mmd2_is_zero_for_equal_laws_and_sees_ignored_labels():
    random = np.random.default_rng(0)
    labels = np.arange(400) % 2
    x, y = (random.normal(size=(400, 5, 2)) + 3 * labels[:, None, None] for _ in range(2))
    assert abs(similarity.mmd2(x, y, labels, labels)) < 0.005
    assert similarity.mmd2(x, y, labels, 1 - labels) > 0.1
    assert abs(similarity.mmd2(x, y)) < 0.005


def test_coverage_by_hand():
    real = np.array([0.0, 1, 2, 10]).reshape(4, 1, 1)  # distance to the nearest other: 1, 1, 1, 8
    fake = np.array([0.5, 3.0]).reshape(2, 1, 1)  # covers 0, 1 and 2 at distances .5, .5, 1, and 10 at 7
    assert similarity.coverage(real, fake, k=1) == 1
    assert similarity.coverage(real, np.array([30.0, 1.1]).reshape(2, 1, 1), k=1) == 0.5


def test_interval_by_hand():
    correct = [np.array([True, True, False, True]), np.array([True, False, False, True])]
    assert utility.interval(correct)[0] == 0.625
    assert utility.interval([np.ones(10, bool)]) == (1, 1, 1)


def test_interval_has_its_size():
    """Of 100 test series with 80 right, the interval is that of the binomial law: about 0.8 +- 1.96 * 0.04."""
    correct = np.arange(100) < 80
    _, low, high = utility.interval([correct])
    assert (low, high) == pytest.approx((0.722, 0.878), abs=0.02)


def test_confusion_by_hand():
    counts = utility.confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0]), 3)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


@pytest.fixture(scope="module")
def digits():
    s = load("digits")
    view = View.fit(s.part("train"))
    return s, {part: view.see(s.part(part)) for part in ("train", "validation", "test")}


def test_distance_ratio_tells_copies_from_fresh_series(digits):
    _, x = digits
    heldout = np.concatenate([x["validation"], x["test"]])
    replay = similarity.distance_ratio(x["train"], x["train"], heldout)
    fresh = similarity.distance_ratio(x["validation"], x["train"], x["test"])
    assert replay[2] < 0.9
    assert fresh[1] < 1 < fresh[2] + 0.01 and 0.94 < fresh[0] < 1.06


def test_discriminative_score(digits):
    """Nothing to tell between halves of one set; a shuffle of time is told at once."""
    _, x = digits
    one, other = np.array_split(np.random.default_rng(0).permutation(x["train"]), 2)
    value, low, _ = similarity.discriminative_score(one, other, seeds=1, epochs=3)
    assert value < 0.1 and low == 0
    shuffled = np.random.default_rng(0).permuted(other, axis=1)
    assert similarity.discriminative_score(one, shuffled, seeds=1, epochs=30)[1] > 0.2


@pytest.mark.parametrize("judge", judges.JUDGES)
def test_a_copy_of_the_real_data_is_as_useful_as_they(digits, judge):
    s, x = digits
    train_y, test_y = s.part("train").y, s.part("test").y
    pair = x["train"], train_y
    one, other = (utility.trained_on(judges.JUDGES[judge], pair, [x["test"]], seeds=1, epochs=10) for _ in range(2))
    assert (one[0][0] == other[0][0]).all()
    assert (one[0][0] == test_y).mean() > 0.9


def test_tstr_of_a_copy_is_trtr(digits):
    s, _ = digits
    report = evaluate(s, s.part("train"), judges=("svm",), judge_seeds=1, epochs=1, progress=str)
    assert report.value("tstr", "synthetic", "svm") == report.value("trtr", "real", "svm")


def test_judges_start_anew(digits):
    """A judge trained before does not carry anything over: scrambled labels then leave it at chance."""
    s, x = digits
    train_y, test_y = s.part("train").y, s.part("test").y
    judges.cnn(x["train"], train_y, [x["test"]], epochs=5)
    scrambled = np.random.default_rng(0).permutation(train_y)
    assert (judges.cnn(x["train"], scrambled, [x["test"]], epochs=1)[0] == test_y).mean() < 0.3


def test_gaussian_has_the_mean_and_covariance_of_each_class():
    random = np.random.default_rng(0)
    y = np.repeat([0, 1], [3000, 2000]).astype(np.int32)
    x = random.normal(size=(5000, 3, 2)) @ np.array([[1, 0.8], [0, 0.6]]) + 5 * y[:, None, None]
    train = SeriesSet(x=x, y=y, classes=("a", "b"))
    made = baselines.gaussian(train)
    for k in (0, 1):
        real, fake = (s.x[s.y == k].reshape(-1, 6) for s in (train, made))
        assert fake.mean(0) == pytest.approx(real.mean(0), abs=0.1)
        assert np.cov(fake.T) == pytest.approx(np.cov(real.T), abs=0.15)
    assert similarity.nearest(made.x, x)[0].min() > 1e-4


def test_gaussian_with_gaps_has_the_mean_of_what_was_observed():
    random = np.random.default_rng(0)
    observed = random.random((2000, 3, 2)) > 0.5
    x = np.where(observed, random.normal(10, 1, observed.shape), 0)
    made = baselines.gaussian(SeriesSet(x=x, observed=observed))
    assert made.x[observed].mean() == pytest.approx(10, abs=0.1) and (made.x[~observed] == 0).all()


def test_jitter_stays_near_and_in_range(digits):
    s, _ = digits
    train = s.part("train")
    made = baselines.jitter(train)
    assert np.abs(made.x - train.x).max() < 6 * 0.1 * train.x.std() and made.x.min() >= 0 and made.x.max() <= 16
    assert (made.y == train.y).all()


def test_report_on_a_generator_that_swaps_labels(digits, tmp_path):
    """TSTR and TRTS of a set with all labels off by one are near 0, of its correct twin near the ceiling."""
    s, _ = digits
    train = s.part("train")
    swapped = dataclasses.replace(train, y=(train.y + 1) % 10)
    lines = []
    report = evaluate(s, swapped, judges=("svm",), judge_seeds=1, epochs=1, progress=lines.append)
    assert report.value("tstr", "synthetic", "svm") < 0.05 and report.value("trts", "synthetic", "svm") < 0.05
    assert report.value("trtr", "real", "svm") > 0.98
    assert report.value("tstr", "jitter", "svm") > 0.98
    assert report.value("distance_ratio", "synthetic") < 0.9  # it is a replay
    assert report.value("coverage", "synthetic") > 0.9
    assert lines and "synthetic" in str(report)
    report.save(tmp_path / "r.json")
    assert Report.read(tmp_path / "r.json").rows == report.rows
    with pytest.raises(KeyError, match="the report holds no tstr of synthetic gru"):
        report.value("tstr", "synthetic", "gru")


def test_unlabelled_with_gaps_and_one_feature():
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 5, 1))
    observed = random.random(x.shape) > 0.2
    s = SeriesSet(x=np.where(observed, x, 0), observed=observed, split=np.arange(200, dtype=np.int8) % 3)
    report = evaluate(s, dataclasses.replace(s.part("train"), split=None), judge_seeds=1, epochs=1, progress=str)
    assert {row["measure"] for row in report.rows} == {"discriminative", "coverage", "distance_ratio"}


def test_refuses(digits):
    s, _ = digits
    with pytest.raises(ValueError, match="judge 'svn' is not known; did you mean 'svm'"):
        evaluate(s, s, judges=("svn",))
    with pytest.raises(ValueError, match=r"real series have \(steps, features\) \(8, 8\), synthetic ones \(4, 8\)"):
        evaluate(s, dataclasses.replace(s, x=s.x[:, :4], image=()))
    with pytest.raises(ValueError, match="one of the two sets has labels"):
        evaluate(s, dataclasses.replace(s, y=None))
    with pytest.raises(ValueError, match="real series have the classes"):
        evaluate(s, dataclasses.replace(s, classes=tuple("abcdefghij")))


def test_coverage_of_classes_is_known_better_than_that_of_one():
    """Four classes alike, each far from the others: the interval of their mean is half as wide as that of each."""
    random = np.random.default_rng(0)
    test, x = random.normal(size=(40, 3)), random.normal(size=(200, 3)) * 0.7
    labels, y = np.repeat(np.arange(4), 40), np.repeat(np.arange(4), 200)
    far = 1000.0 * np.arange(4)[:, None, None]
    found = Report()
    classes._coverage(found, (test + far).reshape(-1, 3), labels, {"drawn": ((x + far).reshape(-1, 3), y)}, 0)
    value, low, high = similarity.coverage_interval(test, x, seed=0)
    (row,) = found.rows
    assert row["value"] == pytest.approx(value) and low < value < high
    assert (row["low"], row["high"]) == pytest.approx(((value + low) / 2, (value + high) / 2), abs=1e-4)
