"""Recurrent (conditional) GANs for time series: load, train, generate, evaluate.

The four functions are the library's face. They are imported when first used, so that `import rcgan_nb`
costs next to nothing and does not load TensorFlow.
"""

import os
import sys
from importlib import import_module

from rcgan_nb import quiet

# TensorFlow's remarks on missing GPUs frighten and help nobody.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "tensorflow" not in sys.modules:
    sys.meta_path.insert(0, quiet.Finder())

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
