"""Does a synthetic set give anyone away? Attacks, each beside the same attack by or on series that give nobody away.

A person is the unit: with groups, whole groups are members or not, and each counts once.
"""

import numpy as np

from rcgan_nb.evaluation import baselines, similarity
from rcgan_nb.evaluation.comparable import check_comparable
from rcgan_nb.evaluation.persons import astride, one_each
from rcgan_nb.evaluation.report import Report
from rcgan_nb.evaluation.resampling import auc, resampled
from rcgan_nb.evaluation.view import View

AT_MOST = 2000  # members, and as many others
FEWEST = 20  # persons on each side
MEANING = {
    "membership_distance": "AUC of 'who lies near a synthetic series was trained on'; 0.5 gives nobody away",
    "membership_density": "AUC of the same by the density of synthetic against that of other real series",
    "membership_score": "AUC of the same by a score in hand, such as a discriminator's",
    "nearest_ratio": "share of synthetic series nearer to a training series than to any held-out one; 0.5 is chance",
    "identifiability": "share of training series with a synthetic one nearer than any other person's; 0.5 is chance",
    "static_again": "share of training persons with static values and label of their own that stand in the set as such",
    "attribute": "accuracy of guessing a member's label from the nearest synthetic series, less that for others",
}


def privacy(data, synthetic, *, score=None, seed=0, progress=print) -> list[dict]:
    """Attacks on the persons of the training part, with the held-out parts as those who are no members.

    Of each person one series is attacked, so that a person with many counts no more than another.
    Args:
        data: SeriesSet with its split; synthetic: SeriesSet in the same units.
        score: a function from a SeriesSet to float `(n,)`, high where it takes series for members; None without.
    Returns: rows of (measure, set, judge, value, low, high), see MEANING, with 95 % over resampled persons, for
        nearest_ratio over synthetic series. Beside the synthetic set stand `real` (a third of the held-out persons in
        its place: nothing of the training part is in it), `gaussian`, and `jitter` (noisy copies of those attacked,
        which every attack must see through).
    Raises: ValueError: the sets cannot be compared, too few persons, or persons both trained on and held out.
    Source: Chen et al. 2020, arXiv:1909.03935 (distance); van Breugel et al. 2023, arXiv:2302.12580 (density, here by
        the distance to the nearest neighbour); Yoon et al. 2020, doi:10.1109/JBHI.2020.2980262 (identifiability).
    """
    _check_split(data)
    check_comparable(data, synthetic)
    random = np.random.default_rng(seed)
    train, heldout = (one_each(s, random) for s in (data.part("train"), data.take(np.isin(data.split, (1, 2)))))
    _check_count(train, heldout)
    others, fresh, reference = (heldout.take(slice(k, None, 3)) for k in range(3))
    count = min(len(train), len(others), AT_MOST)
    members, others = train.take(slice(count)), others.take(slice(count))
    sets = {
        "synthetic": synthetic,
        "real": fresh,
        "gaussian": baselines.gaussian(train, seed=seed),
        "jitter": baselines.jitter(train, seed=seed),
    }
    view, report = View.fit(data.part("train")), Report()
    real = {"members": members, "others": others, "reference": reference, "train": train}
    seen = {name: _flat(view.see(s)) for name, s in real.items()}
    for which, s in sets.items():
        progress(f"privacy: attacks on {which}")
        made = _flat(view.see(s))
        attacks = {
            "membership_distance": [-_nearest(seen[side], made) for side in ("members", "others")],
            "membership_density": [_density(seen[side], made, seen["reference"]) for side in ("members", "others")],
        }
        if score is not None and which == "synthetic":
            attacks["membership_score"] = [np.asarray(score(side), float) for side in (members, others)]
        for measure, pair in attacks.items():
            report.add(measure, which, resampled(auc, *pair, random=random))
        report.add("nearest_ratio", which, _nearest_ratio(made, seen, random))
        report.add("identifiability", which, _identifiability(made, seen["train"], random))
        if data.y is not None:
            right = _attribute(made, s.y, seen, (members.y, others.y))
            report.add("attribute", which, resampled(lambda a, b: a.mean() - b.mean(), *right, random=random))
        if s.static is not None:
            found = _static_again(train, s)
            report.add("static_again", which, resampled(np.mean, found, random=random))
    order = list(MEANING)
    return sorted(report.rows, key=lambda row: order.index(row["measure"]))


def _check_split(data):
    both = astride(data)
    if len(both):
        raise ValueError(
            f"{len(both)} persons, as {str(both[0])!r}, are in the training and in a held-out part; nobody is "
            "a member or not. Split by person, for lfw without min_faces_per_person."
        )


def _check_count(train, heldout):
    for name, s in (("training", train), ("held-out", heldout)):
        if len(s) < FEWEST:
            raise ValueError(f"there are {len(s)} {name} persons; attacks need {FEWEST} at least.")


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
    return resampled(np.mean, (to_members < to_others) + 0.5 * (to_members == to_others), random=random)


def _identifiability(made, train, random):
    """Share of training series nearer to a synthetic one than to any other real one; as many synthetic as real."""
    count = min(len(made), len(train))
    made, train = made[random.permutation(len(made))[:count]], train[:count]
    asked = train[:AT_MOST]
    return resampled(np.mean, _nearest(asked, made) < _nearest_other(asked, train), random=random)


def _nearest_other(asked, x):
    """Distance of each series asked for, which are the first of x, to the nearest other one."""
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=2, algorithm="brute").fit(x).kneighbors(asked)[0][:, 1]


def _attribute(made, labels, seen, truths):
    """Whether the nearest synthetic series has the label of each member, and of each other."""
    from sklearn.neighbors import KNeighborsClassifier

    guess = KNeighborsClassifier(1, algorithm="brute").fit(made, labels)
    return [guess.predict(seen[side]) == truth for side, truth in zip(("members", "others"), truths, strict=True)]


def _static_again(train, s):
    """Of the training series whose static vector and label no other has: does the set hold these very values?"""
    rows, count = np.unique(_whole(train), axis=0, return_counts=True)
    alone = rows[count == 1]
    held = {row.tobytes() for row in _whole(s)}
    return np.array([row.tobytes() in held for row in alone]) if len(alone) else np.zeros(1)


def _whole(s):
    label = np.zeros(len(s)) if s.y is None else s.y
    return np.column_stack([s.static, label]).astype(np.float32)
