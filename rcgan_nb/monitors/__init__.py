"""What watches the training loop. A monitor is called with the loop after every step; it may write into the run.

The loop shows: run, gan, codec, config, step, found (its figures), metrics (these on logged steps, else empty), real
(the training and validation parts as the networks see them), classes (their names), limits (least and greatest training
value), begun (the step before the first of this process), clock (its times), ended (why it ends early), last (whether
it ends here) and keep_asked (who shows it sets this for a checkpoint after the step).
"""

from rcgan_nb.monitors.checkpoints import Checkpoints
from rcgan_nb.monitors.clock import Clock
from rcgan_nb.monitors.records import Metrics, Progress, host, require_finite
from rcgan_nb.monitors.samples import Samples
from rcgan_nb.monitors.similarity import Similarity
from rcgan_nb.monitors.stopping import EarlyStop, require_going_on
from rcgan_nb.monitors.tensorboard import TensorBoard

__all__ = [
    "Checkpoints",
    "Clock",
    "EarlyStop",
    "Metrics",
    "Progress",
    "Samples",
    "Similarity",
    "TensorBoard",
    "host",
    "require_finite",
    "require_going_on",
]
