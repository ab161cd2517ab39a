"""Judgement of synthetic series: arrays in, named results out. Knows nothing of how the series were made."""

from rcgan_nb.evaluation.classes import evaluate_classes
from rcgan_nb.evaluation.report import MEANING, Report
from rcgan_nb.evaluation.whole import evaluate

__all__ = ["MEANING", "Report", "evaluate", "evaluate_classes"]
