"""Runs on disk: their folders and checkpoints, finding, joining, pruning and checking them."""

from rcgan_nb.archive.convergence import convergence
from rcgan_nb.archive.finder import survey
from rcgan_nb.archive.run import Run, find
from rcgan_nb.archive.verifying import verify

__all__ = ["Run", "convergence", "find", "survey", "verify"]
