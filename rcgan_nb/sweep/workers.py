"""Who trains the trials: a worker takes one job after the other from the queue; several of them, each on its cores."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil

from rcgan_nb import paths
from rcgan_nb.runtimes import batch
from rcgan_nb.training import Stop

POLL = 1.0  # seconds between looks at a trial
WAIT = 2.0  # and between looks at the queue, where others work on all that is left
QUICK, OFTEN = 3.0, 5  # a worker that dies within so many seconds so many times in a row is not started again
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def work(sweep):
    """Train what is left of a sweep, one trial after the other, until all is done.

    Jobs that others work on are waited for: should a worker die, its trial goes on here.
    Raises: KeyboardInterrupt: stopped by Ctrl-C or SIGTERM, after the trial has ended its step and kept a checkpoint; a
        second one kills.
    """
    with Stop() as stop:
        while not stop.asked:
            task, left = _next(sweep)
            if task:
                _run(task, stop)
            elif left:
                time.sleep(WAIT)
            else:
                return
    raise KeyboardInterrupt


def _next(sweep):
    """A job that is ours now, or None; and whether any is left."""
    left = False
    for task in sweep.tasks():
        if task.told:
            continue
        if task.done():
            task.settle()
            continue
        left = True
        if task.claim():
            return task, left
    return None, left


def _run(task, stop):
    task.start()
    print(f"{task.job.id}: run {task.archived.name} ({task.folder})", flush=True)
    try:
        while task.process:
            with contextlib.suppress(psutil.TimeoutExpired):
                task.process.wait(POLL)
            task.poll()
            if task.process and stop.asked and not task.state["stopped"]:
                task.stop("its worker was stopped")
            elif task.process:
                task.watch()
    except KeyboardInterrupt:
        task.kill()
        raise
    print(f"{task.job.id}: {task.state['state']} {task.state['reason']}", flush=True)
    if task.done():
        task.settle()


def pin(cores):
    """Keep this process, and all it starts, on these cores, with as many threads as there are."""
    if hasattr(os, "sched_setaffinity"):  # macOS has none
        os.sched_setaffinity(0, cores)
    os.environ.update(dict.fromkeys(THREADS, str(len(cores))))


def shares(workers, cores) -> list[list[int]]:
    """The cores of each worker: equal parts, or one core that is another's, too, where there are too few."""
    if workers > len(cores):
        return [[cores[k % len(cores)]] for k in range(workers)]
    each = len(cores) // workers
    return [cores[k * each : (k + 1) * each] for k in range(workers)]


def cores() -> list[int]:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


class Worker:
    """A process of `rcgan sweep work`, begun again when it is killed."""

    def __init__(self, sweep, number, cores, gpu=""):
        self.log = sweep.folder / f"worker-{number}.txt"
        self.command = [sys.executable, "-m", "rcgan_nb.cli", "sweep", "work", sweep.config.name]
        self.command += ["--cores", ",".join(map(str, cores))]
        self.environment = (
            os.environ | {"RCGAN_RUNS": str(paths.runs())} | ({"CUDA_VISIBLE_DEVICES": gpu} if gpu else {})
        )
        self.quick = 0
        self.start()

    def start(self):
        self.begun = time.time()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )

    def lives(self) -> bool:
        """Whether it is at work; one that was killed is begun again."""
        code = self.process.poll()
        if code is not None and code < 0:
            self.quick = self.quick + 1 if time.time() - self.begun < QUICK else 0
            if self.quick < OFTEN:
                self.start()
        return self.process.poll() is None


def run(sweep, workers, gpus=()):
    """Train what is left of a sweep with so many workers on this machine, and show how far each trial is.

    Args:
        gpus: names for CUDA_VISIBLE_DEVICES, one for each worker; empty leaves it as it is.
    Raises: KeyboardInterrupt: stopped, after every trial has kept a checkpoint; a second Ctrl-C kills them.
        ValueError: workers ended before all was done.
    """
    if all(task.told for task in sweep.tasks()):
        return
    parts = shares(workers, cores())
    with Stop() as stop, batch.shown(lambda: [task.row() for task in sweep.tasks()]) as show:
        crew = [Worker(sweep, k, part, gpus[k] if gpus else "") for k, part in enumerate(parts)]
        try:
            while [worker for worker in crew if worker.lives()] and not stop.asked:
                show()
                time.sleep(POLL)
            _end(crew)
        except KeyboardInterrupt:
            _end(crew)
            raise
        show()
    if stop.asked:
        raise KeyboardInterrupt
    if not all(task.told for task in sweep.tasks()):
        raise ValueError(f"the workers ended before all trials were done; see {crew[0].log} and those beside it.")


def _end(crew):
    """Ask what is still at work to stop, and wait for that; asked a second time it is killed with its trial."""
    for worker in crew:
        with contextlib.suppress(ProcessLookupError):
            worker.process.send_signal(signal.SIGTERM)
    for worker in crew:
        worker.process.wait()
