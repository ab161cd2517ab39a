"""Numbers from answers: strengths from comparisons, agreement between those who answered."""

import numpy as np


def bradley_terry(wins, deviation=3.0):
    """Log-strengths of those who were compared: a beats b with odds exp(strength a - strength b).

    Strengths have a normal prior, which keeps them finite where one always wins, and mean 0; their uncertainty is the
    inverse of the Hessian (Laplace's approximation), as if all answers were independent.

    Args:
        wins: `(n, n)`, how often the row won against the column.
        deviation: of the prior; 3 means that odds of 20 to 1 are nothing strange.
    Returns: strengths `(n,)`, their covariance `(n, n)`.
    Source: Bradley and Terry 1952, doi:10.2307/2334029; by Newton's method.
    """
    wins = np.asarray(wins, float)
    games, strengths = wins + wins.T, np.zeros(len(wins))
    for _ in range(200):
        won = 1 / (1 + np.exp(strengths - strengths[:, None]))
        weights = games * won * (1 - won)
        hessian = np.diag(weights.sum(1) + deviation**-2) - weights
        step = np.linalg.solve(hessian, (wins - games * won).sum(1) - strengths / deviation**2)
        strengths += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    return strengths, np.linalg.inv(hessian)


def contrasts(strengths, covariance, against=None):
    """Strengths less that of number `against` (None: less their mean), with 95 % intervals: three `(n,)`."""
    n = len(strengths)
    weights = np.eye(n) - (1 / n if against is None else np.eye(n)[against])
    values = weights @ strengths
    half = 1.96 * np.sqrt(np.clip(np.einsum("ij,jk,ik->i", weights, covariance, weights), 0, None))
    return values, values - half, values + half


def krippendorff(answers, ordered=False) -> float:
    """Krippendorff's alpha: 1 when reviewers agree, 0 when as often as by chance; NaN with nothing to agree on.

    Args:
        answers: `(reviewers, items)`, NaN where somebody did not answer.
        ordered: whether answers are ranks (the ordinal metric) or names (nominal).
    Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability".
    """
    answers = np.asarray(answers, float)
    answers = answers[:, (~np.isnan(answers)).sum(0) > 1]  # an answer alone agrees with nobody
    values = np.unique(answers[~np.isnan(answers)])
    counts = (answers[:, :, None] == values).sum(0)  # (items, values)
    weights = 1 / np.clip(counts.sum(1) - 1, 1, None)
    pairs = np.einsum("i,ij,ik->jk", weights, counts, counts) - np.diag(weights @ counts)
    totals = pairs.sum(1)
    distance = _ordinal(totals) if ordered else 1 - np.eye(len(values))
    expected = (np.outer(totals, totals) * distance).sum()
    return 1 - (totals.sum() - 1) * (pairs * distance).sum() / expected if expected else float("nan")


def _ordinal(totals):
    """Squared distances between ranks: how many answers lie from the one to the other, both counted half."""
    middles = np.cumsum(totals) - totals / 2
    return (middles[:, None] - middles) ** 2
