"""What cuts a trial: limits on the figures of its run, and the median of others, by hand."""

import math

import pytest
from runs_made import run_at

from rcgan_nb import archive
from rcgan_nb.config import SweepConfig
from rcgan_nb.sweep import rules


def columns(**figures):
    return {"step": [10.0, 20.0, 30.0, 40.0, 50.0], **figures}


METRICS = columns(loss_ratio=[500, 2, 120, 130, 1], d_grad=[1, 1, 1, 2, 3], g_grad=[1, 1, 1, 1, 0])
WATCH = columns(mmd2=[5, 4, 3, 3.5, 1], spread=[0.1, 0.5, 0.2, 0.1, 0.9], least_share=[0, 0, 0, 0, math.nan])
OFF = {"max_loss_ratio": 0, "max_gradient": 0, "min_spread": 0, "median_of": 0, "cut_after": 0, "cut_patience": 0}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, None),
        ({"max_loss_ratio": 100}, ("loss_ratio", 10, 500, 100)),
        ({"max_loss_ratio": 100, "cut_after": 10}, ("loss_ratio", 30, 120, 100)),
        ({"max_loss_ratio": 100, "cut_after": 10, "cut_patience": 20}, ("loss_ratio", 40, 130, 100)),
        ({"max_loss_ratio": 100, "cut_patience": 30}, None),
        ({"max_loss_ratio": 1.5, "cut_after": 40}, None),
        ({"max_gradient": 2.5}, ("gradient", 50, 3, 2.5)),
        ({"max_gradient": 10}, ("gradient", 50, 0, 1e-6)),
        ({"min_spread": 0.3}, ("spread", 10, 0.1, 0.3)),
        ({"min_spread": 0.3, "cut_after": 15}, ("spread", 30, 0.2, 0.3)),
        ({"min_share": 0.1, "cut_after": 20}, ("least_share", 30, 0, 0.1)),
        ({"min_spread": 0.3, "max_loss_ratio": 125, "cut_after": 10, "cut_patience": 10}, ("spread", 30, 0.2, 0.3)),
    ],
)
def test_limits_cut_at_the_row_that_breaks_them(tmp_path, settings, expected):
    class Made(archive.Run):
        metrics, watch = (lambda self: METRICS), (lambda self: WATCH)

    run = Made(run_at(tmp_path / "made", 50).path)
    cut = rules.broken(SweepConfig.make(**OFF | settings), run)
    assert cut == (expected and rules.Cut(*expected))
    if cut:
        assert str(cut).startswith(f"at step {expected[1]} by {expected[0]}: ")


def test_a_value_that_is_no_number_is_out_of_bounds(tmp_path):
    class Made(archive.Run):
        metrics, watch = (lambda self: {}), (lambda self: WATCH)

    run = Made(run_at(tmp_path / "made", 50).path)
    cut = rules.broken(SweepConfig.make(**OFF | {"min_share": 0.1, "cut_after": 40}), run)
    assert cut.step == 50 and math.isnan(cut.value)


def test_a_run_that_ended_itself_counts_as_cut(tmp_path):
    run = run_at(tmp_path / "made", 50)
    run.write_json("config.json", run.read_json("config.json") | {"stop_on": "loss_ratio", "stop_limit": 7.0})
    (run.path / "metrics.csv").write_text("step,seconds,loss_ratio\n10,1,2\n50,5,0.01\n")
    config = SweepConfig.make(**OFF)
    assert rules.broken(config, run) is None
    run.beat("finished", 50, reason="loss_ratio lay outside")
    assert rules.broken(config, run) == rules.Cut("stop_on loss_ratio", 50, 0.01, 7.0)
    run.write_json("config.json", run.read_json("config.json") | {"stop_on": "mmd2"})  # it gets no better: an end
    assert rules.broken(config, run) is None


def test_the_median_of_finished_trials_cuts_what_is_behind():
    config = SweepConfig.make(**OFF | {"median_of": 3, "cut_after": 10})
    others = [{10: 1.0, 20: v, 30: v, 40: v, 50: v} for v in (2.0, 3.5, 9.0)]
    assert rules.behind(config, WATCH, others) == rules.Cut("median", 20, 4, 3.5)
    assert rules.behind(config, WATCH, others[:2]) is None
    assert rules.behind(config, WATCH, [*others, {20: 9.0, 30: 9.0, 40: 2.0, 50: 0.1}]) == rules.Cut(
        "median", 40, 3, 2.75
    )
    assert rules.behind(config, {}, others) is None
