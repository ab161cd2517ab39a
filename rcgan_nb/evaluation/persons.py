"""Series of one person are not independent: where a test takes them to be, each person counts once."""

import numpy as np


def one_each(s, random):
    """A series of each person, in random order; all of them where each stands for itself."""
    s = s.take(random.permutation(len(s)))
    return s if s.groups is None else s.take(np.sort(np.unique(s.groups, return_index=True)[1]))


def astride(data) -> np.ndarray:
    """Names of those who have series in the training part and in a held-out one; none without groups."""
    if data.groups is None:
        return np.array([], str)
    trained = data.split == 0
    return np.intersect1d(data.groups[trained], data.groups[~trained])
