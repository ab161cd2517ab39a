"""What a review came to: a score for each run, how far reviewers agree, how often real sheets deceived them."""

import json
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rcgan_nb.review import store
from rcgan_nb.review.scores import bradley_terry, contrasts, krippendorff


class Score(NamedTuple):
    """A score with its 95 % interval, and from how many answers."""

    value: float
    low: float
    high: float
    answers: int


@dataclass(frozen=True)
class Report:
    """See `report`."""

    name: str
    question: str
    scores: dict
    agreement: float
    deceived: Score | None
    asked: int
    answered: int
    aside: dict

    def rows(self) -> list[dict]:
        """For `plots.scores`: a row for each run, the best first."""
        best = sorted(self.scores.items(), key=lambda pair: -pair[1].value)
        name = "human score" if self.question == "pair" else "human rating, 1 to 5"
        return [
            {"measure": name, "judge": "", "set": run, "value": s.value, "low": s.low, "high": s.high}
            for run, s in best
        ]

    def __str__(self):
        lines = [f"review {self.name}: {self.answered} answers to {self.asked} questions that were asked"]
        for row in self.rows():
            count = self.scores[row["set"]].answers
            lines.append(f"  {row['set']}  {row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}], {count} answers")
        if self.agreement == self.agreement:
            lines.append(f"  agreement between reviewers (Krippendorff's alpha): {self.agreement:.2f}")
        if self.deceived:
            value, low, high, count = self.deceived
            lines.append(f"  real sheets taken for synthetic: {value:.0%} [{low:.0%}, {high:.0%}] of {count}")
        lines += [f"  kept aside: {count} x {reason}" for reason, count in self.aside.items()]
        return "\n".join(lines)


def scores(name) -> dict[str, Score]:
    """The score of each run of a review that somebody judged; greater is more real.

    Of pairs: log-odds that its sheet is taken for real before a real one (0: as often as not), by Bradley and Terry
    with intervals from the Hessian; where no real sheets were shown, before that of an average run. Of ratings: their
    mean, with an interval by Student's t. Answers count as independent of each other.
    Raises: ValueError: no such review.
    """
    with store.opened() as db:
        return _scores(store.known(db, name), _answers(db, name))


def report(name) -> Report:
    """All that a review came to. Raises: ValueError: no such review."""
    with store.opened() as db:
        review, rows = store.known(db, name), _answers(db, name)
        ratings = review.question == "rate"
        words = "SELECT count(*) FROM task WHERE review = ? AND (sent IS NOT NULL OR answer IS NOT NULL)"
        asked = db.execute(words, (name,)).fetchone()[0]
        aside = {}
        for row in db.execute("SELECT reason FROM aside WHERE review IN (?, '') ORDER BY reason", (name,)):
            reason = row["reason"].split(":")[0]
            aside[reason] = aside.get(reason, 0) + 1
        agreement = krippendorff(_table(rows, ratings), ordered=ratings)
        return Report(
            name, review.question, _scores(review, rows), agreement, _deceived(ratings, rows), asked, len(rows), aside
        )


def _answers(db, name) -> list:
    """Answers with the runs whose sheets they judge: item, reviewer, answer, first, second ('' real, None no sheet)."""
    return db.execute(
        "SELECT task.item, reviewer, answer, a.run AS first, b.run AS second FROM task "
        "JOIN item ON item.review = task.review AND item.id = task.item "
        "JOIN sheet a ON a.id = item.first LEFT JOIN sheet b ON b.id = item.second "
        "WHERE task.review = ? AND answer IS NOT NULL",
        (name,),
    ).fetchall()


def _table(rows, ratings):
    """Answers as `(reviewers, items)`, NaN where there is none.

    A pair stands in it in both orders: which sheet came first was chance, and agreement must not hang on that.
    """
    reviewers, items = (sorted({row[key] for row in rows}) for key in ("reviewer", "item"))
    table = np.full((len(reviewers), len(items)), np.nan)
    for row in rows:
        table[reviewers.index(row["reviewer"]), items.index(row["item"])] = row["answer"]
    return table if ratings else np.hstack([table, 3 - table])


def _scores(review, rows) -> dict[str, Score]:
    return _ratings(rows) if review.question == "rate" else _strengths(json.loads(review.runs), rows)


def _strengths(runs, rows) -> dict[str, Score]:
    control = any("" in (row["first"], row["second"]) for row in rows)
    players = [*runs, *([""] if control else [])]
    wins = np.zeros((len(players), len(players)))
    for row in rows:
        won, lost = (row["first"], row["second"])[:: 1 if row["answer"] == 1 else -1]
        wins[players.index(won), players.index(lost)] += 1
    against = len(players) - 1 if control else None
    found = zip(players, *contrasts(*bradley_terry(wins), against), (wins + wins.T).sum(1).astype(int), strict=True)
    return {run: Score(float(v), float(a), float(b), int(n)) for run, v, a, b, n in found if run and n}


def _ratings(rows) -> dict[str, Score]:
    found = {}
    for row in rows:
        found.setdefault(row["first"], []).append(row["answer"])
    return {run: _mean(given) for run, given in found.items() if run}


def _mean(given) -> Score:
    from scipy.stats import t

    value, n = float(np.mean(given)), len(given)
    half = float(t.ppf(0.975, n - 1) * np.std(given, ddof=1) / n**0.5) if n > 1 else 4.0  # one says next to nothing
    return Score(value, max(1.0, value - half), min(5.0, value + half), n)


def _deceived(ratings, rows) -> Score | None:
    """How often a real sheet was taken for synthetic: the other one preferred, or rated 1 or 2; Wilson's interval."""
    from scipy.stats import binomtest

    if ratings:
        fooled = [row["answer"] <= 2 for row in rows if row["first"] == ""]
    else:
        fooled = [
            (row["first"], row["second"])[row["answer"] - 1] != ""
            for row in rows
            if "" in (row["first"], row["second"])
        ]
    if not fooled:
        return None
    interval = binomtest(sum(fooled), len(fooled)).proportion_ci(method="wilson")
    return Score(sum(fooled) / len(fooled), float(interval.low), float(interval.high), len(fooled))
