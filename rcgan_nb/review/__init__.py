"""People judge sheets of samples: blinded, by mail or in a notebook; what they say becomes a score for each run."""

from rcgan_nb.review.asking import plan, prepare, send
from rcgan_nb.review.config import ReviewConfig
from rcgan_nb.review.counting import collect
from rcgan_nb.review.rating import rate
from rcgan_nb.review.results import report, scores

__all__ = ["ReviewConfig", "collect", "plan", "prepare", "rate", "report", "scores", "send"]
