"""The parent's side: an environment per peer, a process per worker, turns in order."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import pooch

ROOT = Path(__file__).resolve().parents[2]


class NotRun(Exception):
    """A peer could not be installed or started; the text says why."""


def python(name, requirements) -> str:
    """The interpreter of the environment `name`, made in the user's cache folder if it is not there; ours for none.

    Raises: NotRun: pip could not install the requirements.
    """
    if not requirements:
        return sys.executable
    folder = Path(pooch.os_cache("rcgan_nb")) / "peers" / name
    complete, interpreter = folder / "complete", str(folder / "bin" / "python")
    wanted = "\n".join(requirements)
    if not complete.exists() or complete.read_text() != wanted:
        print(f"installing {', '.join(requirements)} into {folder}", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        install = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        done = subprocess.run(install, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise NotRun(f"pip: {_reason(done.stderr)}")
        complete.write_text(wanted)
    return interpreter


def _reason(log) -> str:
    """The last line that names an error, or the last line."""
    lines = log.strip().splitlines() or ["it ended without a word"]
    return next((line for line in reversed(lines) if re.match(r"[\w.]*(error|exception)", line, re.I)), lines[-1])


class Worker:
    """A process that takes steps when asked; between turns it waits for a line and computes nothing."""

    def __init__(self, module, settings, interpreter=sys.executable):
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in close()
        read, write = os.pipe()  # not its standard output, into which libraries print as they are imported
        self.process = subprocess.Popen(
            [interpreter, "-m", f"benchmarks.peers.{module}", json.dumps(settings), str(write)],
            stdin=subprocess.PIPE,
            stdout=self.log,
            stderr=self.log,
            pass_fds=[write],
            text=True,
            cwd=ROOT,
            env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"},
        )
        os.close(write)
        self.answers = os.fdopen(read)
        self._facts = None

    @property
    def facts(self) -> dict:
        """What the worker said when it was built. Raises: NotRun: it could not be built."""
        self._facts = self._facts or self._answer()
        return self._facts

    def probe(self) -> list[float]:
        return self._ask("probe")

    def go(self, steps) -> dict:
        """Take steps; returns seconds of all and the process's peak memory in GiB so far."""
        return self._ask(f"go {steps}")

    def _ask(self, line):
        _ = self.facts
        with contextlib.suppress(BrokenPipeError):  # the answer is missing then, and the log says why
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self.answers.readline()
        if not line:
            self.log.seek(0)
            raise NotRun(_reason(self.log.read()))
        return json.loads(line)

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.answers.close()
        self.log.close()


def rounds(workers, count, steps) -> dict:
    """Turns A B C A B C ... of `steps` steps; after each round its times and the time left.

    Returns: per worker a list of milliseconds per step, a round each.
    """
    times = {name: [] for name in workers}
    begun = time.time()
    for number in range(1, count + 1):
        for name, worker in workers.items():
            times[name].append(1000 * worker.go(steps)["seconds"] / steps)
        left = (time.time() - begun) / number * (count - number)
        shown = ", ".join(f"{name} {found[-1]:.1f}" for name, found in times.items())
        print(f"round {number} of {count}, ms per step: {shown}; about {left:.0f} s left", flush=True)
    return times
