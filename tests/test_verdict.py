"""The profile of a judgement, by values that one can work out, and the page that shows it."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from rcgan_nb.evaluation import together, verdict
from rcgan_nb.series import SeriesSet


def row(measure, which, value, low=None, high=None, judge=""):
    low, high = (value if v is None else v for v in (low, high))
    return {"measure": measure, "set": which, "judge": judge, "value": value, "low": low, "high": high}


ROWS = [
    row("trtr", "real", 0.9, judge="svm"),
    row("tstr", "synthetic", 0.5, 0.4, 0.6, "svm"),
    row("tstr", "gaussian", 0.8, 0.7, 0.85, "svm"),
    row("trts", "synthetic", 0.9, judge="svm"),
    row("coverage", "real", 0.8),
    row("coverage", "synthetic", 0.4),
    row("spectrum", "real", 0.1),
    row("spectrum", "synthetic", 0.3, 0.2, 0.4),
    row("spectrum", "shuffled", 0.5),
    row("membership_distance", "synthetic", 0.45, 0.4, 0.6),
    row("membership_distance", "jitter", 0.9),
]


def found(rows, measure, which="synthetic"):
    return next(r for r in rows if (r["measure"], r["set"]) == (measure, which))


def test_scores_lie_between_the_worst_case_and_the_best():
    rows = verdict.profile(ROWS, guessed=0.1)
    tstr = found(rows, "tstr")
    assert (tstr["best"], tstr["worst"]) == (0.9, 0.1)
    assert (tstr["score"], tstr["low"], tstr["high"]) == pytest.approx((0.5, 0.375, 0.625))
    spectrum = found(rows, "spectrum")
    assert (spectrum["score"], spectrum["low"], spectrum["high"]) == pytest.approx((0.5, 0.25, 0.75))
    assert found(rows, "membership_distance")["score"] == 1.0  # below chance gives nobody away either
    assert found(rows, "membership_distance", "jitter")["score"] == pytest.approx(0.2)
    assert not [r for r in rows if r["set"] in ("real", "shuffled")]


def test_a_best_and_a_worst_case_that_do_not_differ_span_no_scale():
    others = [r for r in ROWS if r["measure"] != "spectrum"]
    spectrum = [row("spectrum", "real", 0.3, 0.1, 0.5), row("spectrum", "synthetic", 0.2)]
    apart, alike = ([*others, *spectrum, row("spectrum", "shuffled", 0.6, low, 0.7)] for low in (0.51, 0.49))
    assert found(verdict.profile(apart, guessed=0.1), "spectrum")
    assert not [r for r in verdict.profile(alike, guessed=0.1) if r["measure"] == "spectrum"]


def test_each_question_has_a_mean_of_its_own():
    means = verdict.summary(verdict.profile(ROWS, guessed=0.1))
    assert found(means, "useful")["value"] == pytest.approx((2 * 0.5 + 1 * 1.0) / 3)
    assert found(means, "varied")["value"] == pytest.approx(0.5)
    assert found(means, "useful", "gaussian")["value"] == pytest.approx(0.875)


def test_judges_of_one_measure_share_its_weight():
    more = [*ROWS, row("trtr", "real", 0.9, judge="cnn"), row("tstr", "synthetic", 0.1, judge="cnn")]
    means = verdict.summary(verdict.profile(more, guessed=0.1))
    assert found(means, "useful")["value"] == pytest.approx((2 * 0.25 + 1 * 1.0) / 3)


def test_tasks_share_the_weight_of_one_measure():
    tasks = [
        row(f"auroc HR<{k}", which, value) for k in range(5) for which, value in (("real", 0.9), ("synthetic", 0.5))
    ]
    means = verdict.summary(verdict.profile([*ROWS, *tasks], guessed=0.1))
    assert found(means, "useful")["value"] == pytest.approx((2 * 0.5 + 1 * 1.0 + 2 * 0.0) / 5)


def test_the_worst_use_is_the_commonest_answer():
    y = np.repeat([0, 0, 0, 1], 30)
    s = SeriesSet(x=np.zeros((120, 3, 1)), y=y, classes=("a", "b"), split=np.tile([0, 1, 2], 40))
    assert verdict.guess(s) == 0.75 and verdict.guess(SeriesSet(x=s.x, split=s.split)) == 0.0
    rows = [row("trtr", "real", 0.8, 0.76, 0.84), row("tstr", "synthetic", 0.75, 0.7, 0.8)]
    assert found(verdict.profile(rows, verdict.guess(s)), "tstr")["score"] == pytest.approx(0.0)
    rows[0]["low"] = 0.74  # real series teach no more than guessing: no scale
    assert not verdict.profile(rows, verdict.guess(s))


def test_a_set_as_near_to_those_trained_on_as_copies_is_not_private():
    rows = [row("nearest_ratio", "synthetic", 0.56), row("nearest_ratio", "jitter", 0.56, 0.54, 0.58)]
    assert found(verdict.profile(rows), "nearest_ratio")["score"] == pytest.approx(0.0)


def test_a_baseline_that_does_better_is_named():
    told = verdict.baselines_ahead(verdict.profile(ROWS, guessed=0.1))
    assert told == ["gaussian does better at tstr svm: 0.800 against 0.500"]


def test_page_and_json_hold_what_was_found(tmp_path):
    picture = tmp_path / "scores.png"
    Image.new("L", (4, 4)).save(picture)
    facts = {"run": "a <run>", "data set": "digits"}
    page = verdict.save(tmp_path, facts, ROWS, guessed=0.1, told=["real & synthetic differ"], figures=[picture])
    kept = json.loads((tmp_path / "evaluation.json").read_text())
    assert kept["facts"] == facts and kept["rows"] == ROWS and set(kept["meaning"]) >= {"tstr", "coverage"}
    assert found(kept["questions"], "varied")["value"] == pytest.approx(0.5)
    text = page.read_text()
    assert "a &lt;run&gt;" in text and "real &amp; synthetic differ" in text and "gaussian does better" in text
    assert text.count("data:image/png;base64,") == 1 and "http" not in re.sub(r"base64,[^\"]*", "", text)
    assert re.search(r"Is it useful\?</h2><p>Weighted mean 0.67", text)
    assert "Nothing was measured" in verdict._question("private", kept | {"profile": []})


def test_every_indicator_has_a_meaning():
    for indicators in verdict.QUESTIONS.values():
        for indicator in indicators:
            assert indicator.measure in verdict.MEANING or indicator.measure == "auroc "


def blobs(n, seed, away=4.0):
    random = np.random.default_rng(seed)
    y = np.arange(n, dtype=np.int32) % 2
    x = random.normal(size=(n, 3, 2)) + away * y[:, None, None]
    return SeriesSet(x=x.astype(np.float32), y=y, classes=("a", "b"))


def test_joined_sets_keep_labels_and_what_is_missing():
    a, b = blobs(4, 0), blobs(6, 1)
    observed = np.zeros(a.x.shape, bool)
    both = together.joined(SeriesSet(x=a.x, y=a.y, classes=a.classes, observed=observed), b)
    assert len(both) == 10 and both.y.tolist() == [*a.y, *b.y]
    assert not both.observed[:4].any() and both.observed[4:].all()


def test_synthetic_series_help_where_real_ones_are_few():
    """A training part of 6 series in 6 dimensions, a test part of 400."""
    real = blobs(406, 0, away=0.8)
    split = np.where(np.arange(406) < 6, 0, 2).astype(np.int8)
    data = SeriesSet(x=real.x, y=real.y, classes=real.classes, split=split)
    helped, spoiled = blobs(500, 1, away=0.8), blobs(500, 1, away=-0.8)
    rows = [together.evaluate_together(data, s, judges=("svm",), progress=print)[0] for s in (helped, spoiled)]
    assert rows[0]["value"] > 0.75 and rows[1]["value"] < 0.6 and rows[0]["measure"] == "tr+s"
