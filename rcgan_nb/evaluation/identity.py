"""Can persons be recognised by their series? Recognisers trained on real series and asked about others.

A set may stand for the real set, series by series: with the same groups and split, as a method makes it that alters
series. It is asked only where a recogniser did not learn from the real ones, and there by one, too, that knows the
method: trained on series of the set itself.
"""

import dataclasses

import numpy as np

from rcgan_nb.evaluation import baselines, similarity
from rcgan_nb.evaluation.persons import one_each
from rcgan_nb.evaluation.privacy import AT_MOST
from rcgan_nb.evaluation.report import Report
from rcgan_nb.evaluation.resampling import resampled
from rcgan_nb.evaluation.tasks import summaries
from rcgan_nb.evaluation.view import View, check_alike

FEWEST = 10  # persons with two or more series, and persons never seen on each of two sides
COMPONENTS = 100
MEANING = {
    "recognised": "share of a person's series that a recogniser trained on real ones gives to that person",
    "within recognised": "the same, trained on series of the set itself: an attacker who knows the method",
    "taken_for_known": "share of series nearer to a person that was trained on than to a stranger; 0.5 is chance",
}


def several(groups) -> np.ndarray:
    """The persons with two or more series.

    Raises: ValueError: there are no groups, or fewer than FEWEST such persons.
    """
    if groups is None:
        raise ValueError("nobody can be recognised: the set has no groups that say to whom a series belongs.")
    names, count = np.unique(groups, return_counts=True)
    if (count > 1).sum() < FEWEST:
        raise ValueError(
            f"{(count > 1).sum()} persons have two or more series, but a recogniser needs {FEWEST} at least, to learn "
            "from some series of each and be asked about others."
        )
    return names[count > 1]


@dataclasses.dataclass(frozen=True)
class Recogniser:
    """Names the person to whom a series lies nearest. look: what it sees of a set; project: into what space."""

    look: object
    project: object
    reference: np.ndarray
    names: np.ndarray

    def ask(self, s):
        """The names it gives, `(n,)`."""
        return self.names[similarity.nearest(self.see(s), self.reference)[1]]

    def see(self, s):
        """The series as points of its space, `(n, d)`."""
        return self.project(self.look(s))


def _nearest(gallery):
    """The nearest series in principal components."""
    look = flat_series(gallery)
    x = look(gallery)
    space = reduced(x).fit(x)
    return Recogniser(look, space.transform, space.transform(x), gallery.groups)


def _discriminant(gallery):
    """The nearest mean in linear discriminants of principal components (Fisherfaces)."""
    return _nearest_mean(gallery, flat_series(gallery))


def _of_summaries(gallery):
    """As `_discriminant`, of summaries of what was observed, standardised."""
    return _nearest_mean(gallery, summaries)


RECOGNISERS = {"nearest": _nearest, "discriminant": _discriminant, "summaries": _of_summaries}


def _nearest_mean(gallery, look):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.pipeline import make_pipeline

    x, (names, person) = look(gallery), np.unique(gallery.groups, return_inverse=True)
    space = reduced(x)
    if len(names) < len(x):  # with one series of each nothing says how much a person's differ
        space = make_pipeline(space, LinearDiscriminantAnalysis())
    space.fit(x, gallery.groups)
    projected = space.transform(x)
    means = np.stack([projected[person == k].mean(0) for k in range(len(names))])
    return Recogniser(look, space.transform, means, names)


def flat_series(train):
    """A function from a set to its flat series as judges see them, `(n, d)`."""
    view = View.fit(train)
    return lambda s: view.see(s).reshape(len(s), -1)


def reduced(x):
    """Standardised columns to principal components: no more than a quarter of the rows, COMPONENTS, or what varies."""
    from sklearn.decomposition import PCA
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    prepared = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
    rank = int(np.linalg.matrix_rank(prepared.fit_transform(x)))
    return make_pipeline(prepared, PCA(max(1, min(len(x) // 4, COMPONENTS, rank)), svd_solver="full"))


def identity(data, sets, *, seed=0, progress=print) -> list[dict]:
    """Can recognisers trained on series of known persons name these, or say that they know them, in other sets?

    Where the split runs within persons, known are those with series on both sides: the training part trains, the others
    test. Else they are the persons of the training part with two or more series, half of which train. Strangers are
    the persons of whom the training part has nothing.

    Args:
        data: SeriesSet with groups and split; sets: name -> SeriesSet in the same units. With groups their series stand
            for persons of the same names; without, only `taken_for_known` is asked.
    Returns: rows of (measure, set, judge, value, low, high), see MEANING, judge one of RECOGNISERS, with 95 % over
        resampled persons: those of the set, or those its series lie near. In `recognised` each counts once; `real` is
        held-out real series of known persons (the ceiling) and `chance` a guess. `taken_for_known` is asked of sets
        without groups, in the recogniser's space and of as many strangers as known persons, a series of each; `real`
        is other strangers there. `jitter` is real series with a little noise, from which nothing was removed.
    Raises: ValueError: the sets cannot be compared, or fewer than FEWEST persons with several series.
    Source: Belhumeur et al. 1997, doi:10.1109/34.598228 (discriminants of principal components).
    """
    for s in sets.values():
        check_alike(data, s)
    random = np.random.default_rng(seed)
    gallery, probes, strangers = _sides(data, random)
    trained_on, report = data.take(gallery), Report()
    sets = {"jitter": dataclasses.replace(baselines.jitter(data, seed=seed), groups=data.groups), **sets}
    strangers = one_each(data.take(strangers), random) if strangers.any() else ()
    if len(strangers) < 2 * FEWEST:
        progress(f"taken_for_known: left out, it needs {2 * FEWEST} persons never seen, and there are {len(strangers)}")
    for judge, fit in RECOGNISERS.items():
        progress(f"identity: recogniser {judge}")
        recogniser = fit(trained_on)
        report.add("recognised", "real", _recognised(recogniser, data.take(probes), random), judge)
        for which, s in sets.items():
            together = stands_for(data, s)
            asked = s.take(probes) if together else s
            if asked.groups is not None and (named := np.isin(asked.groups, recogniser.names)).any():
                report.add("recognised", which, _recognised(recogniser, asked.take(named), random), judge)
            if together:
                report.add("within recognised", which, _recognised(fit(s.take(gallery)), asked, random), judge)
        report.add("recognised", "chance", (1 / len(np.unique(trained_on.groups)),) * 3, judge)
        if len(strangers) >= 2 * FEWEST:
            nameless = {which: s for which, s in sets.items() if s.groups is None}
            nameless["jitter"] = sets["jitter"].take(probes)
            _taken(report, judge, recogniser, (one_each(trained_on, random), strangers), nameless, random)
    return sorted(report.rows, key=lambda row: list(MEANING).index(row["measure"]))


def stands_for(data, s) -> bool:
    """Do the series of s stand for those of data, one by one?"""
    same = (np.array_equal(getattr(data, name), getattr(s, name)) for name in ("split", "groups"))
    return s.split is not None and all(same)


def _sides(data, random):
    """Which series recognisers learn from, which of the same persons they are asked about, and those of strangers."""
    several(data.groups)
    if data.split is None:
        raise ValueError("this set has no split; make one with series.split(...) before asking who is recognised.")
    trained, persons = data.split == 0, data.groups
    strangers = ~np.isin(persons, persons[trained])
    both = np.isin(persons, np.intersect1d(persons[trained], persons[~trained]))
    if both.any():
        several(persons[both])
        return both & trained, both & ~trained, strangers
    known = trained & np.isin(persons, several(persons[trained]))
    gallery = np.zeros(len(data), bool)
    for person in np.unique(persons[known]):
        own = random.permutation(np.flatnonzero(known & (persons == person)))
        gallery[own[: -(-len(own) // 2)]] = True
    return gallery, known & ~gallery, strangers


def _recognised(recogniser, s, random):
    """Mean over persons of the share of their series that are given to them."""
    person = np.unique(s.groups, return_inverse=True)[1]
    right = recogniser.ask(s) == s.groups
    return resampled(np.mean, np.bincount(person, right) / np.bincount(person), random=random)


def _taken(report, judge, recogniser, sides, sets, random):
    """Add the share of series nearer to a known person than to a stranger, as many of each, with one series of each."""
    known, strangers = sides
    fresh, others = strangers.take(slice(0, None, 2)), strangers.take(slice(1, None, 2))
    count = min(len(known), len(others))
    reference = np.concatenate([recogniser.see(s.take(slice(count))) for s in (known, others)])
    for which, s in {"real": fresh, **sets}.items():
        series = one_each(s, random).take(slice(AT_MOST))
        near = np.bincount(similarity.nearest(recogniser.see(series), reference)[1], minlength=2 * count)
        to_known = near * (np.arange(2 * count) < count)
        persons = np.stack([to_known, near], axis=1)[near > 0]  # those who are nearest to some series
        share = resampled(lambda rows: np.divide(*rows.sum(0)), persons, random=random)
        report.add("taken_for_known", which, share, judge)
