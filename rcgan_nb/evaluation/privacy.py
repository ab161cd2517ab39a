"""Does a synthetic set give anyone away? Attacks, each beside the same attack by or on series that give nobody away.

A person is the unit: with groups, whole groups are members or not, and intervals resample groups.
"""

import numpy as np

from rcgan_nb.evaluation import baselines, similarity
from rcgan_nb.evaluation.view import View, check_alike

DRAWS = 500
AT_MOST = 2000  # members, and as many others
FEWEST = 20  # persons on each side
MEANING = {
    "membership_distance": "AUC of 'who lies near a synthetic series was trained on'; 0.5 gives nobody away",
    "membership_density": "AUC of the same by the density of synthetic against that of other real series",
    "membership_score": "AUC of the same by a score in hand, such as a discriminator's",
    "nearest_ratio": "share of synthetic series nearer to a training series than to any held-out one; 0.5 is chance",
    "identifiability": "share of members with a synthetic series nearer than any other person's; 0.5 is chance",
    "attribute": "accuracy of guessing a member's label from the nearest synthetic series, less that for others",
}


def privacy(data, synthetic, *, score=None, seed=0, progress=print) -> list[dict]:
    """Attacks on the persons of the training part, with the held-out parts as those who are no members.

    Args:
        data: SeriesSet with its split; synthetic: SeriesSet in the same units.
        score: a function from a SeriesSet to float `(n,)`, high where it takes series for members; None without.
    Returns: rows of (measure, set, judge, value, low, high), see MEANING, with 95 % over resampled persons. Beside the
        synthetic set stand `real` (a third of the held-out persons in its place: nothing of the training part is in
        it), `gaussian`, and `jitter` (noisy copies, which every attack must see through).
    Raises: ValueError: the sets cannot be compared, too few persons, or persons both trained on and held out.
    Source: Chen et al. 2020, arXiv:1909.03935 (distance); van Breugel et al. 2023, arXiv:2302.12580 (density, here by
        the distance to the nearest neighbour); Yoon et al. 2020, doi:10.1109/JBHI.2020.2980262 (identifiability).
    """
    check_alike(data, synthetic)
    random = np.random.default_rng(seed)
    train = data.part("train")
    heldout = data.take(np.isin(data.split, (1, 2)))
    _check_persons(train, heldout)
    others, fresh, reference = _thirds(heldout, random)
    count = min(len(train), len(others), AT_MOST)
    members = train.take(random.permutation(len(train))[:count])
    others = others.take(random.permutation(len(others))[:count])
    sets = {
        "synthetic": synthetic,
        "real": fresh,
        "gaussian": baselines.gaussian(train, seed=seed),
        "jitter": baselines.jitter(train, seed=seed),
    }
    view, rows = View.fit(train), []
    seen = {
        "members": _flat(view.see(members)),
        "others": _flat(view.see(others)),
        "reference": _flat(view.see(reference)),
    }
    persons = [_persons(members), _persons(others)]
    order = random.permutation(len(train))
    trained, who = _flat(view.see(train))[order], _persons(train)[order]
    for which, s in sets.items():
        progress(f"privacy: attacks on {which}")
        made = _flat(view.see(s))
        attacks = {
            "membership_distance": [-_nearest(seen[side], made) for side in ("members", "others")],
            "membership_density": [_density(seen[side], made, seen["reference"]) for side in ("members", "others")],
        }
        if score is not None and which == "synthetic":
            attacks["membership_score"] = [np.asarray(score(side), float) for side in (members, others)]
        for measure, (inside, outside) in attacks.items():
            rows.append(_row(measure, which, _auc_interval(inside, outside, persons, random)))
        rows.append(_row("nearest_ratio", which, _nearest_ratio(made, seen, random)))
        rows.append(_row("identifiability", which, _identifiability(made, trained, who, random)))
        if data.y is not None:
            found = _attribute(made, s.y, seen, (members.y, others.y))
            rows.append(_row("attribute", which, _difference(*found, persons, random)))
    order = list(MEANING)
    return sorted(rows, key=lambda row: order.index(row["measure"]))


def _check_persons(train, heldout):
    if train.groups is not None:
        both = np.intersect1d(train.groups, heldout.groups)
        if len(both):
            raise ValueError(
                f"{len(both)} persons, as {str(both[0])!r}, are in the training and in a held-out part; nobody is "
                "a member or not. Split by person, for lfw without min_faces_per_person."
            )
    for name, s in (("training", train), ("held-out", heldout)):
        persons = len(np.unique(_persons(s)))
        if persons < FEWEST:
            raise ValueError(f"there are {persons} {name} persons; attacks need {FEWEST} at least.")


def _persons(s) -> np.ndarray:
    """Who each series belongs to, as numbers; each its own without groups."""
    return np.arange(len(s)) if s.groups is None else np.unique(s.groups, return_inverse=True)[1]


def _thirds(s, random):
    """Three sets of different persons."""
    persons = _persons(s)
    third = random.permutation(np.arange(persons.max() + 1) % 3)[persons]
    return [s.take(third == k) for k in range(3)]


def _flat(x):
    return np.asarray(x, np.float32).reshape(len(x), -1)


def _nearest(x, reference):
    """Distance of each series to the nearest of `reference`."""
    return similarity.nearest(x, reference)[0]


def _density(x, made, reference):
    """How much denser synthetic series lie about x than other real ones do, as a logarithm."""
    own, usual = (_nearest(x, s) for s in (made, reference))
    return np.log((usual + 1e-12) / (own + 1e-12))


def _nearest_ratio(made, seen, random):
    """Share of synthetic series nearer to a member than to one of the equally many others, ties counted half."""
    made = made[random.permutation(len(made))[:AT_MOST]]
    to_members, to_others = (_nearest(made, seen[side]) for side in ("members", "others"))
    nearer = (to_members < to_others) + 0.5 * (to_members == to_others)
    return _mean_interval(nearer, np.arange(len(nearer)), random)


def _identifiability(made, trained, who, random):
    """Share of training series nearer to a synthetic one than to any of another person; as many synthetic as real."""
    count = min(len(made), len(trained))
    made, trained, who = made[random.permutation(len(made))[:count]], trained[:count], who[:count]
    asked = slice(None, AT_MOST)
    identified = _nearest(trained[asked], made) < _nearest_other(trained, who, asked)
    return _mean_interval(identified, who[asked], random)


def _nearest_other(x, who, asked):
    """Distance of each series asked for to the nearest of x that is another person's."""
    from sklearn.metrics import pairwise_distances_chunked

    def other(distances, start):
        distances[who[start : start + len(distances), None] == who] = np.inf
        return distances.min(1)

    return np.concatenate(list(pairwise_distances_chunked(x[asked], x, reduce_func=other, working_memory=256)))


def _attribute(made, labels, seen, truths):
    """Whether the nearest synthetic series has the label of each member, and of each other."""
    from sklearn.neighbors import KNeighborsClassifier

    guess = KNeighborsClassifier(1, algorithm="brute").fit(made, labels)
    return [guess.predict(seen[side]) == truth for side, truth in zip(("members", "others"), truths, strict=True)]


def _auc_interval(inside, outside, persons, random):
    def auc(a, b):
        from scipy.stats import rankdata

        ranks = rankdata(np.concatenate([a, b]))[: len(a)]
        return (ranks.sum() - len(a) * (len(a) + 1) / 2) / (len(a) * len(b))

    return _interval(auc, inside, outside, persons, random)


def _difference(inside, outside, persons, random):
    return _interval(lambda a, b: a.mean() - b.mean(), inside, outside, persons, random)


def _interval(statistic, inside, outside, persons, random):
    drawn = [
        statistic(*(v[_resampled(who, random)] for v, who in zip((inside, outside), persons, strict=True)))
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return statistic(inside, outside), low, high


def _mean_interval(values, persons, random):
    drawn = [values[_resampled(persons, random)].mean() for _ in range(DRAWS)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return values.mean(), low, high


def _resampled(persons, random):
    """Rows of as many persons as there are, drawn with replacement, each with all of theirs."""
    order = np.argsort(persons, kind="stable")
    _, starts, counts = np.unique(persons[order], return_index=True, return_counts=True)
    drawn = random.integers(0, len(starts), len(starts))
    lengths = counts[drawn]
    offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return order[np.repeat(starts[drawn], lengths) + offsets]


def _row(measure, which, triple):
    value, low, high = (round(float(v), 4) for v in triple)
    return {"measure": measure, "set": which, "judge": "", "value": value, "low": low, "high": high}
