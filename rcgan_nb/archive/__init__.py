"""Runs on disk: their folders and checkpoints."""

from rcgan_nb.archive.convergence import convergence
from rcgan_nb.archive.run import Run, find

__all__ = ["Run", "convergence", "find"]
