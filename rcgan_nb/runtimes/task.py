"""One job's folder in a batch: who works on it, how far it is, how it ended. Plain files, so that they outlive us."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import nbformat
import psutil
import yaml

from rcgan_nb import archive, paths
from rcgan_nb.archive.run import SILENT_AFTER, alive, this_process

GRACE = 60  # seconds from asking a job to stop until it is killed: a step, and a checkpoint
GRACE_ELSEWHERE = 300  # on another machine, from where its results come home first
SIGN_OF_LIFE = 30  # seconds between the signs that an owner gives to other machines
OVER_LIMIT = "it ran over its limit"
# The shell waits for our word, so that no job runs that is not on record, and keeps the exit code, though we be dead.
SHELL = 'trap : INT TERM; read go || exit; "$@" </dev/null; echo $? >"$0"'
STEP = re.compile(r"(step \d+/\d+)(?:[^\r\n]* ([\d:]+) left)?")  # as training prints it
CELL = re.compile(r"(\d+/\d+) \[[^\r\n\]]*<([\d:]+)?")  # as papermill's bar does
ENDED = ("finished", "failed", "interrupted")


class Task:
    """A job and its folder.

    Attributes:
        process: the shell around papermill, while it runs and is ours to watch.
        said: files in which to look how far it is, each with what to look for and the unit of that.
    """

    said = (("output.txt", STEP, ""), ("log.txt", CELL, "cell "))

    def __init__(self, batch: Path, job):
        self.job, self.folder, self.process, self.attempt = job, batch / job.id, None, 0
        self.book = self.folder / job.notebook.name
        given = job.parameters.get("resume") or job.parameters.get("run_name") or f"{batch.name}-{job.id}"
        self.run = given if job.makes_run else ""

    @property
    def state(self) -> dict:
        """What state.json says: state (waiting, running or one of ENDED), reason, and the facts of the last attempt."""
        try:
            return json.loads((self.folder / "state.json").read_text())
        except FileNotFoundError:
            return {"state": "waiting", "reason": "", "attempt": 0, "ended": 0.0}

    def note(self, **facts):
        write_json(self.folder / "state.json", self.state | facts)

    def owner(self) -> dict:
        """Process and host of the batch that works on this job; empty when none does."""
        attempts = self.attempts()
        if not attempts or (self.state["attempt"] == len(attempts) and self.state["state"] in ENDED):
            return {}
        owner = json.loads(attempts[-1].read_text())
        there = alive(owner) if owner["host"] == socket.gethostname() else self._heard_of(attempts[-1])
        return owner if there else {}

    def _heard_of(self, attempt) -> bool:
        """Whether an owner on another machine, or the training it began there, has given a sign of life of late."""
        if time.time() - attempt.stat().st_mtime < SILENT_AFTER:
            return True
        try:
            return archive.find(self.state["run"]).status() == "running"
        except (KeyError, FileNotFoundError):
            return False

    def attempts(self) -> list[Path]:
        return sorted(self.folder.glob("attempt-*.json"))

    def claim(self) -> bool:
        """Take the job for this process, if nobody else has: attempts are numbered, and a number is given once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        number = len(self.attempts()) + 1
        if self.owner():
            return False
        partial = self.folder / f"{uuid.uuid4().hex}.partial"
        write_json(partial, this_process() | {"host": socket.gethostname(), "time": time.time()})
        try:
            os.link(partial, self.folder / f"attempt-{number:04}.json")
        except FileExistsError:
            return False
        finally:
            partial.unlink()
        self.attempt = number
        if self.done():  # in the moment before
            self.note(attempt=number)
            return False
        return True

    def done(self) -> bool:
        """Whether it has ended for good."""
        return self.state["state"] == "finished"

    def start(self):
        """Run the claimed job; where a batch died before its job, watch that, or note how it ended."""
        number, before = len(self.attempts()), self.state
        if before["state"] == "running":
            self.note(attempt=number)
            if alive(before):
                self.process = psutil.Process(before["pid"])
                return
            self._conclude()
            if self.done():
                return
        parameters = self._parameters()
        for path in (self.book, self.folder / "exit", self.folder / "output.txt"):
            path.unlink(missing_ok=True)
        (self.folder / "parameters.yaml").write_text(yaml.safe_dump(parameters))
        self._launch()
        run = parameters.get("resume") or parameters.get("run_name", "") if self.job.makes_run else ""
        facts = {"pid": self.process.pid, "started": self.process.create_time(), "begun": time.time()}
        facts |= {"run": run, "beat": _beat(run).get("time", 0)}
        self.note(state="running", reason="", attempt=number, stopped="", **facts)
        self.process.stdin.write(b"go\n")
        self.process.stdin.close()

    def _launch(self):
        with open(self.folder / "log.txt", "wb") as log:
            self.process = psutil.Popen(
                ["sh", "-c", SHELL, self.folder / "exit", *self._command()],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"RCGAN_RUNS": str(paths.runs())},
            )

    def _command(self) -> list:
        command = [sys.executable, "-m", "papermill", self.job.notebook, self.book]
        command += ["--parameters_file", self.folder / "parameters.yaml", "--stdout-file", self.folder / "output.txt"]
        return command + ([] if self.job.runtime == "local" else ["--engine", self.job.runtime])

    def _parameters(self) -> dict:
        """The job's own; its run goes on where an attempt left a checkpoint, and has another name where none did."""
        given, before = self.job.parameters, self.state.get("run")
        if not self.job.makes_run or given.get("resume"):
            return given
        if not before:
            return given | {"run_name": self.run}
        try:
            archive.find(before).checkpoint()
            return given | {"run_name": before, "resume": before}
        except FileNotFoundError:
            taken = (paths.runs() / before / "config.json").exists()
            return given | {"run_name": f"{self.run}-{len(self.attempts())}" if taken else before}

    def progress(self) -> tuple[str, str]:
        """How far it is ('step 20/300', 'cell 3/7') and how long it will take ('1:30'); empty where not known."""
        for name, pattern, unit in self.said:
            found = pattern.findall(tail(self.folder / name))
            if found:
                far, left = found[-1]
                return unit + far, "" if unit and self.job.makes_run else left  # a cell of training is most of it
        return "", ""

    def poll(self):
        """See whether the process has ended, and note how; ask it to stop when its time is up."""
        if _over(self.process):
            self._conclude()
            return
        now, state = time.time(), self.state
        self._give_sign(now)
        if self.job.limit and not state["stopped"] and now > state["begun"] + self.job.limit:
            self.stop(OVER_LIMIT)
        elif state["stopped"] and now > state["asked"] + (GRACE if self.job.runtime == "local" else GRACE_ELSEWHERE):
            self.kill()

    def _give_sign(self, now):
        """Tell other machines that this one lives; one that slept too long finds the job taken, and leaves it."""
        own, *later = self.attempts()[self.attempt - 1 :]
        if later:
            self.kill()
        elif now - own.stat().st_mtime > SIGN_OF_LIFE:
            os.utime(own)

    def _conclude(self):
        self.process = None
        state, reason = self.verdict()
        self.note(state=state, reason=reason, ended=time.time())

    @property
    def code(self) -> str:
        """Exit code of the last attempt; empty where its shell was killed, too."""
        return tail(self.folder / "exit").strip()

    def why_not(self) -> str:
        """Why the last attempt did not go through; empty if it did."""
        return why_not(self.book, self.code, tail(self.folder / "log.txt"))

    def stop(self, why):
        """Interrupt the cell that runs, as the stop button does: training ends its step and keeps a checkpoint.

        The kernel is asked, not papermill, which would give it a second to end. papermill is asked where no kernel of
        this machine is to be seen: the runtime is elsewhere, or the kernel has not begun.
        """
        self.note(stopped=why, asked=time.time())
        groups = self._groups()
        for group in groups[1:] or groups:
            _signal(group, signal.SIGINT)

    def kill(self):
        for group in reversed(self._groups()):
            _signal(group, signal.SIGKILL)

    def _groups(self) -> list[int]:
        """Process groups: that of papermill, then those of its kernel."""
        with contextlib.suppress(psutil.NoSuchProcess):
            tree = self.process.children(recursive=True)
            return list(dict.fromkeys([self.process.pid, *filter(None, map(_group, tree))]))
        return []

    def verdict(self) -> tuple[str, str]:
        """State and reason: by the run's own record where there is one to be, else by the executed notebook."""
        state = self.state
        beat = _beat(state["run"])
        if beat.get("time", 0) <= state["beat"]:  # the attempt ended before it touched the run
            beat = {}
        reason = self.why_not()
        if beat.get("state") == "finished" if self.job.makes_run else not reason:
            return "finished", f"but after training: {reason}" if reason else ""
        cause = state["stopped"] or reason or beat.get("error") or "it left no run"
        where = f"; run {state['run']} is at step {beat['step']}" if beat else ""
        return "interrupted" if state["stopped"] else "failed", cause + where


def why_not(book, code, log) -> str:
    """Why a notebook did not go through; empty if it did.

    Args:
        book: path of the executed notebook. What papermill says of it is not asked: it calls cells of a dead kernel
            completed.
        code: papermill's exit code, as text; empty where it was killed.
        log: what papermill said.
    """
    try:
        cells = [c for c in nbformat.read(book, 4).cells if c.cell_type == "code" and c.source.strip()]
    except (OSError, ValueError):
        cells = []
    for cell in cells:
        for output in cell.outputs:
            if output.output_type == "error":
                return f"In [{cell.execution_count}]: {output.ename}: {last_line(output.evalue)}"
    if code == "138":
        return "its kernel died (out of memory?)"
    if code != "0":
        return f"papermill ended with {code}: {last_line(log)}" if code else "its process was killed"
    return "" if cells and cells[-1].execution_count else "it ended before its last cell"


def last_line(text) -> str:
    """The last line of a text that says anything, cut to what a table can show."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def tail(path, size=4096) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def _beat(run) -> dict:
    """The heartbeat of a run; empty where there is none."""
    try:
        return archive.find(run).read_json("heartbeat.json") if run else {}
    except (OSError, ValueError):
        return {}


def _over(process) -> bool:
    """Whether a process has ended, our child or not; where nobody collects the dead, a dead one counts."""
    try:
        if process.status() != psutil.STATUS_ZOMBIE:
            return not process.is_running()
        process.wait(timeout=0)
    except (psutil.NoSuchProcess, psutil.TimeoutExpired):
        pass
    return True


def write_json(path, values):
    """As `archive.run.write_json`, for files that several processes may write at once."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(values, indent=1) + "\n")
    os.replace(partial, path)


def _group(process) -> int:
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return 0


def _signal(group, number):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
