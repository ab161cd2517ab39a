"""Series as points in a plane, for the eye: near each other where the series are alike."""

import numpy as np

AT_MOST = 500  # series of a set


def planes(sets, *, seed=0) -> dict[str, dict[str, np.ndarray]]:
    """Both projections of all sets together: PCA, fitted on the first set, and t-SNE.

    Args:
        sets: name -> float `(n, steps, features)` as a View sees it, the real one first; of each 500 are taken.
    Returns: projection -> set -> `(n, 2)`.
    Raises: ValueError: fewer than four series in all.
    Source: van der Maaten and Hinton 2008, JMLR 9 (t-SNE, perplexity 30 or a third of the series).
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    random = np.random.default_rng(seed)
    flat = {name: x.reshape(len(x), -1)[random.permutation(len(x))[:AT_MOST]] for name, x in sets.items()}
    joint = np.concatenate(list(flat.values()))
    if len(joint) < 4:
        raise ValueError(f"there are {len(joint)} series in all; a projection needs 4 at least.")
    size = min(2, joint.shape[1])
    linear = PCA(size, random_state=seed).fit(next(iter(flat.values()))).transform(joint)
    linear = np.pad(linear, ((0, 0), (0, 2 - size)))
    near = TSNE(perplexity=min(30, len(joint) / 3), random_state=seed, init="pca" if size == 2 else "random")
    cuts = np.cumsum([len(x) for x in flat.values()])[:-1]
    found = {"PCA": linear, "t-SNE": near.fit_transform(joint)}
    return {name: dict(zip(flat, np.split(v, cuts), strict=True)) for name, v in found.items()}
