"""Are synthetic series like real ones, in law and in time? Each measure beside its best and its worst cases."""

import numpy as np

from rcgan_nb.evaluation import baselines, mmd, neighbourhood, temporal
from rcgan_nb.evaluation.comparable import check_comparable
from rcgan_nb.evaluation.persons import one_each
from rcgan_nb.evaluation.view import View

# Version 1 of each; a change that moves figures makes a new one.
MEANING = {
    "mmd2": "distance of the laws, unbiased (profile mmd2@rbf2-tuned.1); 95 % of chance where nothing differs",
    "mmd2_p": "share of permutations as far apart: below 0.05 after Holm's correction, the sets differ",
    "nearer_to_training_p": "share of exchanges of training and held-out series as much nearer: small for copies",
    "marginal": "Wasserstein distance of all values, in standard deviations (marginal@w1.1)",
    "autocorrelation": "mean difference of the autocorrelation over lags (acf@24.1)",
    "cross_correlation": "mean difference of the correlation between features (xcorr@step.1)",
    "spectrum": "share of the power at other frequencies (spectrum@tv.1)",
    "observed": "mean difference of the share of values that were observed",
    "skewness": "mean difference of the third standardised moment",
    "kurtosis": "mean difference of the fourth standardised moment",
} | neighbourhood.MEANING
CLAIMS = {
    "mmd2_p": ("differ from the test part", "show no difference to the test part that this test sees"),
    "nearer_to_training_p": ("copy the training part", "do not copy the training part as far as this test sees"),
}


def likeness(data, synthetic, *, seed=0, progress=print) -> list[dict]:
    """Compare synthetic series with the test part, beside the training part (best) and what has lost its time (worst).

    Tests and intervals take series for independent: of a person (group) with several series one is drawn.
    Args:
        data: SeriesSet with its split; synthetic: SeriesSet in the same units.
    Returns: rows of (measure, set, judge, value, low, high): for differences 95 % over resampled series, for mmd2 95 %
        of chance; p-values as they are, corrected ones by `verdict.said`. Sets are real, synthetic, and as worst cases
        shuffled (steps in another order), marginals (each value from another series), noise; for copies jitter. Where
        a part has too few series for a test, its rows are left out and `progress` is told.
    Raises: ValueError: the sets cannot be compared.
    """
    check_comparable(data, synthetic)
    random = np.random.default_rng(seed)
    train, validation, test = (one_each(data.part(part), random) for part in ("train", "validation", "test"))
    synthetic = one_each(synthetic, random)
    count = min(len(train), len(synthetic), temporal.AT_MOST)  # a smaller set differs more by chance
    some = train.take(slice(count))
    sets = {"real": some, "synthetic": synthetic.take(slice(count))}
    sets |= {name: worst(some, seed=seed) for name, worst in temporal.WORST.items()}
    view, rows = View.fit(data.part("train")), []
    progress("likeness: statistics in time, neighbours")
    for name, s in sets.items():
        found = temporal.differences(test, s, seed=seed)
        found |= neighbourhood.neighbourhood(view.see(test), view.see(s), seed=seed)
        rows += [_row(measure, name, triple) for measure, triple in found.items()]
    least = min(map(len, (synthetic, train, validation, test)))
    if least < mmd.FEWEST:
        progress(f"likeness: a part has {least} series; tests of the laws need {mmd.FEWEST}, and are left out")
        return rows
    progress("likeness: maximum mean discrepancy, with permutations")
    last = view.see(test.take(slice(mmd.AT_MOST)))
    for name, s in sets.items():
        found = mmd.two_sample(view.see(s), last, seed=seed)
        rows += [_row("mmd2", name, (found.value, found.low, found.high)), _row("mmd2_p", name, (found.p,) * 3)]
    rows += _copies(view, train, validation, last, synthetic, seed)
    order = list(MEANING)
    return sorted(rows, key=lambda row: order.index(row["measure"]))


def _copies(view, train, validation, last, synthetic, seed):
    """Rows of the three-sample test, for fresh real series, the synthetic ones, and near copies."""
    train = train.take(slice(mmd.AT_MOST))
    trained, fresh = view.see(train), view.see(validation.take(slice(mmd.AT_MOST)))
    heldout = np.concatenate([fresh, last])[: mmd.AT_MOST]
    few = slice(temporal.AT_MOST)
    trials = {
        "real": (fresh[few], last),
        "synthetic": (view.see(synthetic.take(few)), heldout),
        "jitter": (view.see(baselines.jitter(train, seed=seed).take(few)), heldout),
    }
    found = {name: mmd.three_sample(s, trained, others, seed=seed) for name, (s, others) in trials.items()}
    return [_row("nearer_to_training_p", name, (test.p,) * 3) for name, test in found.items()]


def table(rows):
    """The values as a pandas table: measures down, sets across."""
    import pandas as pd

    found = pd.DataFrame(rows).pivot(index="measure", columns="set", values="value")
    sets = dict.fromkeys(row["set"] for row in rows)
    return found.loc[list(dict.fromkeys(row["measure"] for row in rows)), list(sets)].round(4).fillna("")


def holm(p) -> np.ndarray:
    """p-values corrected for their number: those below 0.05 hold together. Source: Holm 1979, Scand. J. Stat. 6:65."""
    p = np.asarray(p, float)
    order = np.argsort(p)
    corrected = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    return corrected[np.argsort(order)]


def _row(measure, which, triple):
    """As `Report.add`, with six digits: MMD^2 of like sets is small."""
    value, low, high = (round(float(v), 6) for v in triple)
    return {"measure": measure, "set": which, "judge": "", "value": value, "low": low, "high": high}
