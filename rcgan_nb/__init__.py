"""Recurrent (conditional) GANs for time series: load, train, generate, evaluate.

The four functions are the library's face. They are imported when first used, so that `import rcgan_nb`
costs next to nothing and does not load TensorFlow.
"""

import os
from importlib import import_module

# TensorFlow's remarks on missing GPUs frighten and help nobody; they go to the terminal before it reads its own flags.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.1.0"
__all__ = ["evaluate", "generate", "load", "train"]

_FACE = {
    "load": "rcgan_nb.data",
    "train": "rcgan_nb.training",
    "generate": "rcgan_nb.generation",
    "evaluate": "rcgan_nb.evaluation",
}


def __getattr__(name):
    if name not in _FACE:
        raise AttributeError(f"module 'rcgan_nb' has no attribute {name!r}")
    return getattr(import_module(_FACE[name]), name)
