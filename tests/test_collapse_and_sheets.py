"""Signs of a collapse by hand-made samples, and the pictures that training draws."""

import dataclasses

import numpy as np
import pytest

from rcgan_nb import plots
from rcgan_nb.monitors import similarity


def spots(*centres):
    """Five series of 3 steps and 2 channels around each centre, distance 1 or 0 in the first number."""
    x = np.zeros((5 * len(centres), 3, 2))
    x[:, 0, 0] = np.repeat(centres, 5) + np.tile([0, 0.1, 0.2, 0.3, 0.4], len(centres))
    return x


LABELS = np.repeat([0, 1, 2, 3], 5)


def test_real_series_show_no_collapse():
    found = similarity.collapse(spots(0, 10, 20, 30), spots(0, 10, 20, 30), LABELS)
    assert found["spread"] == pytest.approx(1) and found["own_class"] == found["least_share"] == 1
    assert similarity.alarms(found, "abcd") == []


def test_a_class_of_equal_samples_is_seen():
    fake = spots(0, 10, 20, 30)
    fake[10:15, 0, 0] = 20 + np.array([0, 0.1, 0.1, 0.1, 0.1])  # mean distance 0.04 against 0.2
    found = similarity.collapse(spots(0, 10, 20, 30), fake, LABELS)
    assert found["spread"] == pytest.approx(0.2) and found["spread_class"] == 2 and found["own_class"] == 1
    (alarm,) = similarity.alarms(found, "abcd")
    assert "samples of class 'c' lie 0.20 times as far apart" in alarm["what"] and alarm["limit"] == 0.5


def test_a_class_that_is_dropped_is_seen():
    found = similarity.collapse(spots(0, 10, 20, 30), spots(0, 10, 20, 10), LABELS)
    assert (found["own_class"], found["least_share"], found["least_class"]) == (0.75, 0.0, 3)
    (alarm,) = similarity.alarms(found, "abcd")
    assert "class 'd' gets 0.00 of its share" in alarm["what"] and alarm["limit"] == 0.2


def test_without_classes_all_series_are_one():
    found = similarity.collapse(spots(0, 10), spots(0, 0), np.zeros(10, int))
    real, fake = (np.abs(np.subtract.outer(x[:, 0, 0], x[:, 0, 0])).sum() for x in (spots(0, 10), spots(0, 0)))
    assert found == {"spread": pytest.approx(fake / real), "spread_class": 0}
    (alarm,) = similarity.alarms(found, ())
    assert alarm["what"].startswith("samples lie 0.0")


def test_few_of_a_class_say_nothing_of_its_spread():
    labels = np.array([0] * 6 + [1] * 4)
    fake = spots(0, 10)
    fake[6:] = 10  # all equal, but only four
    assert similarity.collapse(spots(0, 10), fake, labels)["spread_class"] == 0
    assert similarity.collapse(spots(0)[:4], spots(0)[:4], labels[2:6] * 0 + [0, 0, 1, 1])["spread"] == pytest.approx(1)


def test_losses_are_coloured_by_gradient_norms():
    metrics = {"step": [2, 4, 6], "d_loss": [1, 2, 3], "g_loss": [1, 1, 1], "r1": [0] * 3, "r2": [0] * 3}
    plain = plots.losses(metrics)
    assert len(plain.axes) == 3 and not plain.axes[0].collections
    figure = plots.losses(metrics | {"d_grad": [1, 10, 100], "g_grad": [0, 1, 2]})
    assert len(figure.axes) == 5  # a colour bar for each player
    dots, curve = figure.axes[0].collections
    assert curve.get_array().tolist() == [10, 100] and dots.norm.vmin == 1 and dots.norm.vmax == 100
    assert curve.get_segments()[1].tolist() == [[4, 2], [6, 3]] and curve.norm is dots.norm
    plots.losses({name: values[:1] for name, values in metrics.items()} | {"d_grad": [3], "g_grad": [0]})


def test_sheet_lays_series_in_rows_of_their_class(small):
    chosen = np.flatnonzero(small.y <= 1)[:9]  # a, b, a, b ...: five of class a, four of class b
    figure = plots.sheet(small.take(chosen), per_class=8)
    shown = figure.axes[0].images[0].get_array()
    assert shown.shape == (2 * (2 + 5), 5 * 3)  # a gap of 2 and 5 steps down; 5 series of 2 features and a gap across
    assert shown[2:7, 6:8].tolist() == small.x[chosen[4]].tolist()  # the third of class a
    assert shown[9:14, 3:5].tolist() == small.x[chosen[3]].tolist()  # the second of class b
    empty = np.ma.getmaskarray(shown)
    assert empty[7:, 12:].all() and empty[:, 2::3].all() and empty[:2].all() and not empty[2:7, 12:14].any()
    assert [t.get_text() for t in figure.axes[0].texts] == ["a", "b"]


def test_sheet_of_curves_lays_them_below_each_other(small):
    one = dataclasses.replace(small, x=small.x[:, :, :1], features=())
    lines = plots.sheet(one.take(np.arange(4)), limits=(-1.0, 9.0)).axes[0].lines  # one of each class
    assert [line.get_ydata()[:5].tolist() for line in lines] == [
        pytest.approx(one.x[k, :, 0] - 9 - 13 * k, abs=1e-5) for k in range(4)
    ]
