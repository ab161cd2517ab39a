"""What the speed benchmark computes itself: operations of a step, ratios and reasons. The peers need installing."""

import pytest

from benchmarks import step
from benchmarks.peers import driver, worker


def test_operations_of_a_step_are_those_counted_by_hand(monkeypatch):
    """One series of one step, 2 units, 1 noise, 3 features, 4 classes; a product of a x b costs 2 a b."""
    sizes = {"SEQ_LEN": 1, "FEATURES": 3, "CLASSES": 4, "NOISE": 1, "UNITS": 2, "BATCH": 1}
    for name, value in sizes.items():
        monkeypatch.setattr(worker, name, value)
    # Generator: kernel 5 x 8 (80), recurrent 2 x 8 (32), dense 2 x 3 (12). Discriminator: 7 x 8 (112), 32, 2 x 1 (4).
    d_update = 124 + 2 * (148 + 148 + 36)  # fake, then real and fake: forwards, to weights, to hidden states
    g_update = 124 + 148 + 148 + 124 + 44  # forwards through both, back through the discriminator to its inputs
    assert step.flops() == d_update + g_update
    assert step.flops(shared=True) == d_update + g_update - 124 - 148


def test_spread_is_the_median_with_least_and_greatest():
    assert step.said(step.spread([3.0, 1.0, 10.0])) == "3.00 (1.00 to 10.00)"


def test_a_worker_that_fails_says_why():
    with pytest.raises(driver.NotRun, match="TypeError: .*build.* unexpected keyword argument 'colour'"):
        one = driver.Worker("product", {"colour": 3})
        try:
            one.go(1)
        finally:
            one.close()


def test_the_reason_is_the_last_line_that_names_an_error():
    assert driver._reason("ERROR: no such package\nhint\n") == "ERROR: no such package"
    assert driver._reason("") == "it ended without a word"
