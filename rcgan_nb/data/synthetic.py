"""Series drawn from known processes; no labels, split 70/15/15, the same series every time."""

import numpy as np

from rcgan_nb.series import SeriesSet, split


def sines() -> SeriesSet:
    """14,000 sine waves of 30 steps: frequency 1 to 5 per series, amplitude 0.1 to 0.9, phase -pi to pi, all uniform.

    Source: Esteban et al. 2017, arXiv:1706.02633, section 4.1 and its code.
    """
    random = np.random.default_rng([0, 1])
    frequency, amplitude, phase = (random.uniform(a, b, (14_000, 1)) for a, b in ((1, 5), (0.1, 0.9), (-np.pi, np.pi)))
    x = amplitude * np.sin(2 * np.pi * frequency * np.arange(1, 31) / 30 + phase)
    return _set(x[:, :, None], "sines", "sine waves as in Esteban et al. 2017, section 4.1")


def smooth() -> SeriesSet:
    """14,000 draws of 30 steps from a Gaussian process with covariance 0.2 exp(-0.1 (s - t)^2) between steps s and t.

    Source: Esteban et al. 2017, section 4.2 and its code.
    """
    random = np.random.default_rng([0, 2])
    time = np.arange(30)
    covariance = 0.2 * np.exp(-0.1 * (time[:, None] - time) ** 2)
    # By Cholesky: eigenvectors have a sign of their own on every machine.
    x = random.standard_normal((14_000, 30)) @ np.linalg.cholesky(covariance + 1e-9 * np.eye(30)).T
    return _set(x[:, :, None], "smooth", "Gaussian process as in Esteban et al. 2017, section 4.2")


def sines5() -> SeriesSet:
    """10,000 series of 24 steps and 5 independent sines, frequency and phase uniform in 0 to 0.1, scaled to [0, 1].

    Source: Yoon et al. 2019 (TimeGAN), section 5.1, and its code.
    """
    random = np.random.default_rng([0, 3])
    frequency, phase = random.uniform(0, 0.1, (2, 10_000, 1, 5))
    x = (np.sin(frequency * np.arange(24)[:, None] + phase) + 1) / 2
    return _set(x, "sines5", "multivariate sines as in Yoon et al. 2019, section 5.1")


def _set(x, name, source) -> SeriesSet:
    info = {"name": name, "source": source, "licence": "none needed, drawn by this library"}
    return SeriesSet(x=x.astype(np.float32), split=split(len(x)), info=info)
