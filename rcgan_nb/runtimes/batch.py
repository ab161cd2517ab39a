"""Many notebooks in a row or side by side, without a browser: the one queue.

A batch is a folder, runs/batches/NAME, with a folder for each job (see task.py). What is finished is not run again;
several processes may work on one batch, and no job is run by two of them at once.
"""

import contextlib
import socket
import sys
import time
from collections import Counter

from rcgan_nb import archive, paths
from rcgan_nb.archive.run import SILENT_AFTER
from rcgan_nb.runtimes.task import ENDED, Task
from rcgan_nb.training import Stop

POLL = 0.5  # seconds between looks at the processes
MOST = 20  # jobs that a table shows; of more, those that run or did not go well
TOLD = 60  # seconds between lines of progress where no terminal shows a table


def tasks(jobs, name) -> list[Task]:
    """The folders of these jobs in the batch `name`; nothing is written yet."""
    folder = paths.inside(paths.runs() / "batches", name)
    return [Task(folder, job) for job in jobs]


def run(jobs, name, *, at_once=1) -> list[Task]:
    """Run what is not finished of these jobs, so many at once, and show how far each is.

    A job that failed before is tried once more; training that was interrupted goes on.

    Raises: KeyboardInterrupt: stopped by Ctrl-C or SIGTERM, after every job has ended its step; a second one kills.
    """
    begun, queue = time.time(), tasks(jobs, name)
    with Stop() as stop, shown(lambda: rows(queue)) as show:
        try:
            while _step(queue, begun, 0 if stop.asked else at_once):
                show()
                if stop.asked:
                    _stop(queue)
                time.sleep(POLL)
        except KeyboardInterrupt:
            for task in queue:
                if task.process:
                    task.kill()
            while _step(queue, begun, 0):
                time.sleep(0.1)
            raise
        show()
    if stop.asked:
        raise KeyboardInterrupt
    return queue


def _step(queue, begun, room) -> bool:
    """Look at what runs and start what there is room for. Returns whether anything is left to wait for."""
    for task in queue:
        if task.process:
            task.poll()
    waiting = [t for t in queue if not t.process and not settled(t, begun)]
    for task in waiting:
        if sum(bool(t.process) for t in queue) < room and task.claim():
            task.start()
    return any(t.process for t in queue) or (bool(waiting) and room > 0)


def settled(task, begun) -> bool:
    """Whether nothing is left to do: finished, or ended otherwise since this batch began."""
    state = task.state
    return state["state"] == "finished" or (state["state"] in ENDED and state["ended"] > begun)


def _stop(queue):
    for task in queue:
        if task.process and not task.state["stopped"]:
            print(f"stopping {task.job.notebook.name}; Ctrl-C again kills it", file=sys.stderr)
            task.stop("it was stopped")


def outlook(task) -> str:
    """What a batch would do with a job now."""
    state = task.state
    if state["state"] == "finished":
        return "finished"
    if held := _held(task):
        return held
    if task.job.makes_run and state.get("run"):
        with contextlib.suppress(FileNotFoundError):
            return f"would go on with run {state['run']} from {archive.find(state['run']).checkpoint().stem}"
    return "would be run" if state["state"] == "waiting" else f"would be run again ({state['state']})"


def _held(task) -> str:
    """Who else runs a job; empty where nobody does."""
    owner = task.owner()
    if task.process or not owner:
        return ""
    here = owner["host"] == socket.gethostname()
    free = "" if here else f"; it is free again when that machine has been silent for {SILENT_AFTER // 60} minutes"
    return f"is run by process {owner['pid']} on {owner['host']}{free}"


def labels(queue) -> list[str]:
    """What tells the jobs apart: the notebook, and the parameters that are not alike in all jobs of it."""
    pairs = Counter((t.job.notebook, k, repr(v)) for t in queue for k, v in t.job.parameters.items())
    books = Counter(t.job.notebook for t in queue)
    told = []
    for task in queue:
        book = task.job.notebook
        own = {
            k: v for k, v in task.job.parameters.items() if pairs[book, k, repr(v)] < books[book] or books[book] == 1
        }
        told.append(
            " ".join([book.stem, *(f"{name}={' '.join(str(value).split())[:40]}" for name, value in own.items())])
        )
    return told


def rows(queue) -> list[tuple]:
    """For each job its label, state, how far it is, time left, and what there is to say of it."""
    found = []
    for label, task in zip(labels(queue), queue, strict=True):
        state = task.state
        far, left = task.progress() if state["state"] == "running" else ("", "")
        found.append((label, state["state"], far, left, state["reason"] or _held(task)))
    return found


@contextlib.contextmanager
def shown(rows):
    """A function that shows what `rows` gives: one living table in a terminal, else a line for each change.

    Args:
        rows: gives a tuple as of `rows` above for each job, in the same order every time.
    """
    from rich.console import Console
    from rich.live import Live

    console = Console()
    if not console.is_terminal:
        yield _Lines(rows)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield lambda: live.update(_table(rows()), refresh=True)


def _table(shown):
    from rich.table import Table
    from rich.text import Text

    counts = Counter(state for _, state, *_ in shown)
    table = Table(title=", ".join(f"{number} {state}" for state, number in counts.items()))
    for name in ("job", "state", "at", "left", ""):
        table.add_column(name)
    if len(shown) > MOST:
        shown = [row for row in shown if row[1] not in ("finished", "waiting")]
    for row in shown:
        table.add_row(*(Text(cell) for cell in row))  # Text: a name in brackets is no markup
    return table


class _Lines:
    """A line for each job whose state has changed, and now and then for each that runs."""

    def __init__(self, rows):
        self.rows, self.shown, self.told = rows, {}, time.time()

    def __call__(self):
        again = time.time() - self.told > TOLD
        self.told = time.time() if again else self.told
        for k, (label, state, far, left, reason) in enumerate(self.rows()):
            if state != self.shown.get(k, "waiting") or (again and state == "running"):
                words = (state, far, left and f"{left} left", reason)
                print(f"{label}: {', '.join(filter(None, words))}", flush=True)
            self.shown[k] = state
