"""How long training takes, and how much of it is watching."""

import contextlib
import time


class Clock:
    """Seconds of this process's training; the first step, which builds the graph, apart.

    Attributes:
        before: seconds of earlier processes.
        first_step: seconds until the first step was done; 0 before.
        watching: seconds spent in monitors since.
    """

    def __init__(self):
        self.before, self.first_step, self.watching, self.started = 0.0, 0.0, 0.0, time.perf_counter()

    def first_step_is_done(self):
        self.first_step, self.started = self.seconds, time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since the first step was done; while it runs, since it began."""
        return time.perf_counter() - self.started

    @contextlib.contextmanager
    def watch(self):
        """Count the time inside as watching."""
        begun = time.perf_counter()
        yield
        self.watching += time.perf_counter() - begun

    def figures(self) -> dict:
        times = {"first_step": self.first_step, "training": self.seconds, "watching": self.watching}
        return {f"seconds_{name}": round(value, 3) for name, value in times.items()}
