"""TensorFlow's import without the remarks that it writes whatever one sets.

Since 2.18 its C++ side logs before it reads TF_CPP_MIN_LOG_LEVEL (tensorflow/tensorflow#100442), and kernels show what
a process writes to its standard error as red boxes. What comes after the import, warnings of GPUs among it, is shown,
but for one: that functions are traced again. Judges and networks of several sizes in one process are meant to be.
"""

import contextlib
import importlib.util
import logging
import os
import sys


class Finder:
    """Stands first among Python's finders until TensorFlow is imported, and lets all others do their work."""

    def find_spec(self, name, path=None, target=None):
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        logging.getLogger("tensorflow").addFilter(_not_retracing)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            execute = spec.loader.exec_module
            spec.loader.exec_module = lambda module: _quietly(execute, module)
        return spec


def _not_retracing(record):
    return "triggered tf.function retracing" not in record.getMessage()


def _quietly(execute, module):
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a process without standard error
            kept = os.dup(2)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, 2)
        execute(module)
