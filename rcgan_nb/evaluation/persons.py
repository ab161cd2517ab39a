"""Series of one person are not independent: where a test takes them to be, each person counts once."""

import numpy as np


def one_each(s, random):
    """A series of each person, in random order; all of them where each stands for itself."""
    s = s.take(random.permutation(len(s)))
    return s if s.groups is None else s.take(np.sort(np.unique(s.groups, return_index=True)[1]))
