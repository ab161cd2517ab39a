"""What a peer is given and gives back: scaling by hand; and one peer, where it is installed."""

import re
import sys
from pathlib import Path

import numpy as np
import pooch
import pytest

from benchmarks.peers import driver, made
from benchmarks.step import PEERS
from rcgan_nb.series import SeriesSet

NAME, _, REQUIREMENTS = PEERS["tsgm"]
COMPLETE = Path(pooch.os_cache("rcgan_nb")) / "peers" / NAME / "complete"
INSTALLED = COMPLETE.exists() and COMPLETE.read_text() == "\n".join(REQUIREMENTS)


def test_every_feature_is_scaled_by_itself_and_back():
    x, low, high = np.array([[[2.0, -1.0, 7.0], [6.0, 1.0, 7.0]]]), np.array([2, -3, 7]), np.array([6, 1, 7])
    assert made.scaled(x, low, high).tolist() == [[[0, 0.5, 0], [1, 1, 0]]]
    np.testing.assert_array_equal(made.unscaled(made.scaled(x, low, high), low, high), x)


def test_an_unknown_peer_is_refused(small):
    with pytest.raises(ValueError, match="peer 'tsgm_gan' is not known; known: tsgm_cgan, tsgm_timegan"):
        made.made("tsgm_gan", small, seconds=1)


def test_a_peer_that_fails_says_why():
    with pytest.raises(driver.NotRun, match="ModuleNotFoundError: No module named 'tsgm'"):
        made._run(sys.executable, {})


@pytest.mark.skipif(
    not INSTALLED, reason="runs where the cache folder holds tsgm's environment, as benchmarks.step makes it"
)
def test_a_peer_learns_and_draws_in_our_units(capfd):
    random = np.random.default_rng(0)
    y = np.repeat(np.arange(2, dtype=np.int32), [30, 20])
    phase = random.uniform(0, 2 * np.pi, (50, 1, 3))
    x = (np.sin(np.arange(6)[:, None] + phase) * [1, 10, 0.1] + [0, 100, 0]).astype(np.float32)
    observed = random.uniform(size=x.shape) < 0.8
    groups = np.array([f"person {i}" for i in range(50)])
    train = SeriesSet(x=x, y=y, observed=observed, groups=groups, classes=("a", "b"), features=("u", "v", "w"))
    drawn = made.made("tsgm_cgan", train, seconds=20)
    assert (drawn.y.tolist(), drawn.classes, drawn.features) == (y.tolist(), train.classes, train.features)
    assert drawn.groups is None and (drawn.x[~observed] == 0).all()
    for f in range(3):
        seen, real = drawn.x[:, :, f][observed[:, :, f]], x[:, :, f][observed[:, :, f]]
        assert real.min() - 1e-4 <= seen.min() < seen.max() <= real.max() + 1e-4
    epochs = [int(epoch) for epoch in re.findall(r"epoch (\d+)", capfd.readouterr().out)]
    assert len(epochs) >= 2 and epochs == sorted(epochs)
