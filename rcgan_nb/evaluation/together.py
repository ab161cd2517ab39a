"""Do synthetic series help beside real ones? Judges trained on both together, tested on real series."""

import dataclasses

import numpy as np

from rcgan_nb.evaluation import utility
from rcgan_nb.evaluation.comparable import check_comparable
from rcgan_nb.evaluation.judges import JUDGES
from rcgan_nb.evaluation.report import Report
from rcgan_nb.evaluation.view import View

MEANING = {"tr+s": "trained on real and synthetic series together, tested on held-out real: above trtr if they help"}


def joined(real, synthetic):
    """One SeriesSet of both, without groups and split; arrays that one of them lacks are left out.

    Args:
        real, synthetic: SeriesSets of equal steps, features and classes. With a mask on one side the other is observed
            throughout, and likewise for lengths.
    """
    arrays = {name: [getattr(s, name) for s in (real, synthetic)] for name in ("y", "static", "conditions")}
    arrays = {name: pair for name, pair in arrays.items() if all(v is not None for v in pair)}
    arrays["x"] = [real.x, synthetic.x]
    if real.observed is not None or synthetic.observed is not None:
        arrays["observed"] = [np.ones(s.x.shape, bool) if s.observed is None else s.observed for s in (real, synthetic)]
    if real.lengths is not None or synthetic.lengths is not None:
        full = [np.full(len(s), s.x.shape[1], np.int32) if s.lengths is None else s.lengths for s in (real, synthetic)]
        arrays["lengths"] = full
    fresh = {name: None for name in ("y", "static", "conditions", "observed", "lengths", "groups", "split")}
    return dataclasses.replace(real, **fresh | {name: np.concatenate(pair) for name, pair in arrays.items()})


def evaluate_together(data, synthetic, *, judges=("svm", "cnn"), seeds=3, epochs=0, progress=print) -> list[dict]:
    """Accuracy of judges trained on the training part and the synthetic series, on the test part.

    Args: as `report.evaluate`. Returns: rows of (measure, set, judge, value, low, high), 95 % as there; none without
        labels.
    """
    check_comparable(data, synthetic)
    if data.y is None:
        return []
    train, test = data.part("train"), data.part("test")
    view, report, both = View.fit(train), Report(), joined(train, synthetic)
    for judge in judges:
        progress(f"utility: judge {judge}, trained on real and synthetic series together")
        times = 1 if judge == "svm" else seeds  # the support vector machine has no chance in it
        pair = view.see(both), both.y
        predictions = utility.trained_on(JUDGES[judge], pair, [view.see(test)], seeds=times, epochs=epochs)[0]
        report.add("tr+s", "synthetic", utility.interval([p == test.y for p in predictions]), judge)
    return report.rows
