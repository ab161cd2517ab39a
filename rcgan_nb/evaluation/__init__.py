"""Judgement of synthetic series: arrays in, named results out. Knows nothing of how the series were made."""

from rcgan_nb.evaluation.report import Report, evaluate

__all__ = ["Report", "evaluate"]
