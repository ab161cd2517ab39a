"""Bars against rivals: who is ahead, what was not measured, and training seeds put together."""

from benchmarks.rivals import ahead, merged


def row(which, value, low=0.0, high=1.0, judge=""):
    return {"measure": "score", "set": which, "judge": judge, "value": value, "low": low, "high": high}


def test_ahead_is_less_or_more_and_missed_where_a_peer_did_not_run():
    rows = [row("synthetic", 0.1), row("near", 0.2), row("better", 0.05)]
    names = ("near", "better", "absent")
    assert list(ahead(rows, "score", least=True, others=names).values()) == [True, False, False]
    assert list(ahead(rows, "score", least=False, others=names).values()) == [False, True, False]
    assert "score: ours 0.100, absent not measured" in ahead(rows, "score", least=True, others=names)


def test_one_judge_of_several():
    rows = [row("synthetic", 0.9, judge="a"), row("peer", 0.8, judge="a")]
    rows += [row("synthetic", 0.1, judge="b"), row("peer", 0.8, judge="b")]
    found = {judge: ahead(rows, "score", least=False, judge=judge, others=("peer",)) for judge in "ab"}
    assert list(found["a"].values()) == [True] and list(found["b"].values()) == [False]


def test_training_seeds_are_one_row_with_the_widest_interval():
    rows = [row(f"synthetic, seed {k}", value, value - 0.1 * k, value + 0.1) for k, value in enumerate((0.2, 0.4, 0.6))]
    ours, real = merged([*rows, row("real", 1.0)])
    assert ours["set"] == "synthetic" and round(ours["value"], 6) == 0.4
    assert round(ours["low"], 6) == 0.2 and round(ours["high"], 6) == 0.7
    assert real == row("real", 1.0)
