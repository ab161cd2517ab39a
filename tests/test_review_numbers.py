"""Scores and agreement against numbers worked out by hand or published."""

import dataclasses

import numpy as np
import pytest

from rcgan_nb.review import tokens
from rcgan_nb.review.design import pairs, single
from rcgan_nb.review.results import _table
from rcgan_nb.review.scores import bradley_terry, contrasts, krippendorff

# Games of the American League's eastern division in 1987, the row against the column.
BASEBALL = [
    [0, 7, 9, 7, 7, 9, 11],
    [6, 0, 7, 5, 11, 9, 9],
    [4, 6, 0, 7, 7, 8, 12],
    [6, 8, 6, 0, 6, 7, 10],
    [6, 2, 6, 7, 0, 7, 12],
    [4, 4, 5, 6, 6, 0, 6],
    [2, 4, 1, 3, 1, 7, 0],
]


def test_bradley_terry_as_published():
    """Agresti, Categorical Data Analysis, 2002, table 10.10: strengths less Baltimore's, and their standard errors."""
    values, low, high = contrasts(*bradley_terry(BASEBALL, deviation=1e4), against=6)
    assert values == pytest.approx([1.5814, 1.4364, 1.2945, 1.2476, 1.1077, 0.6839, 0], abs=1e-4)
    errors = (high - low) / 2 / 1.96
    assert errors == pytest.approx([0.3433, 0.3396, 0.3367, 0.3359, 0.3339, 0.3319, 0], abs=1e-4)


def test_bradley_terry_by_hand():
    """Of two, won 3 to 1: odds of 3, and a variance of the difference of 1 / (4 * 3/4 * 1/4)."""
    values, low, high = contrasts(*bradley_terry([[0, 3], [1, 0]], deviation=1e4), against=1)
    assert values[0] == pytest.approx(np.log(3), abs=1e-6)
    assert high[0] - values[0] == pytest.approx(1.96 * np.sqrt(4 / 3), abs=1e-4)


def test_one_who_always_wins_has_a_finite_score_and_one_never_met_a_wide_interval():
    wins = np.zeros((3, 3))
    wins[0, 1] = 12
    values, low, high = contrasts(*bradley_terry(wins))
    assert 2 < values[0] - values[1] < 12 and values[0] + values[1] + values[2] == pytest.approx(0, abs=1e-8)
    assert low[0] > low[2] and high[2] - low[2] > 7


N = np.nan
FOUR = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
    [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
]


def test_krippendorff_as_published():
    """Krippendorff 2011, section C: four observers, twelve units, values missing."""
    assert krippendorff(FOUR) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff(FOUR, ordered=True) == pytest.approx(0.815, abs=5e-4)


def test_krippendorff_by_hand():
    """Two who differ in one of four: observed 2 of 8 pairs, expected 2 * 3 * 5 of 8 * 7."""
    assert krippendorff([[1, 1, 2, 2], [1, 2, 2, 2]]) == pytest.approx(1 - (2 / 8) / (30 / 56))
    assert krippendorff([[1, 2, 1], [1, 2, 1]]) == 1
    assert np.isnan(krippendorff([[1, 1], [1, 1]])) and np.isnan(krippendorff(np.empty((0, 0))))


class Unmoved:
    """Chance that leaves everything where it is."""

    shuffle = staticmethod(lambda items: None)
    random = staticmethod(lambda: 0.0)


@pytest.mark.parametrize(("count", "rounds"), [(1, 2), (2, 2), (4, 2), (5, 1), (7, 3)])
def test_every_run_is_shown_as_often_and_reached_from_every_other(count, rounds):
    runs = [f"run {k}" for k in range(count)]
    found = pairs(runs, rounds, True, Unmoved)
    assert len({frozenset(pair) for pair in found}) == len(found)
    shown = [sum(run in pair for pair in found) for run in runs]
    assert set(shown) == {min(2 * rounds, count - 1) + 1} and sum("" in pair for pair in found) == count
    reached = {runs[0]}
    for _ in runs:
        reached |= {b for pair in pairs(runs, rounds, False, Unmoved) for b in pair if reached & set(pair)}
    assert reached == set(runs)


def test_a_real_sheet_for_every_two_that_are_rated():
    assert [run for (run,) in single(["a", "b", "c", "d"], True, Unmoved)] == ["a", "b", "c", "d", "", ""]
    assert single(["a"], False, Unmoved) == [("a",)]


@pytest.mark.parametrize("turned", [(), (1,), (1, 2, 3)])
def test_agreement_on_pairs_does_not_hang_on_which_sheet_came_first(turned):
    """Two who differ in one of three, by hand, in both orders: 2 of 6 against 2 * 6 * 6 of 12 * 11."""
    said = {"anna": (1, 1, 1), "bert": (1, 1, 2)}
    rows = [
        {"reviewer": who, "item": k, "answer": 3 - answer if k in turned else answer}
        for who, answers in said.items()
        for k, answer in enumerate(answers, 1)
    ]
    assert krippendorff(_table(rows, ratings=False)) == pytest.approx(1 - (2 / 6) / (72 / 132))


def test_a_token_speaks_for_its_task_answer_and_time_alone():
    task = {"number": 12, "review": "r", "item": 3, "reviewer": "anna"}
    token = tokens.sign(b"k" * 32, task, 1, 500000)
    assert tokens.found(f"RE: [{token}] the left one, {str(token).upper()}") == [token]
    assert tokens.holds(token, b"k" * 32, task) and not tokens.holds(token, b"l" * 32, task)
    for other in ({"slot": "2"}, {"hour": 500001}, {"signature": "a" * 26}):
        assert not tokens.holds(dataclasses.replace(token, **other), b"k" * 32, task)
    for other in ({"review": "s"}, {"item": 4}, {"reviewer": "bert"}):
        assert not tokens.holds(token, b"k" * 32, task | other)
    assert tokens.found(str(token)[:-1]) == tokens.found(f"{token}a") == []
