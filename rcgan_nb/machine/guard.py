"""A guard over the runs of this folder on this machine: what outgrows its limits ends with a checkpoint.

A run is known to it by its heartbeat: the process and when that began. So a process with the same name, or with a
number that was given away again, is never touched.
"""

import json
import os
import subprocess
import time
from dataclasses import dataclass

import psutil

from rcgan_nb import paths
from rcgan_nb.archive.run import Run, alive, write_json
from rcgan_nb.config import GuardConfig
from rcgan_nb.machine import gpus, news
from rcgan_nb.machine.room import GIB, room

NEAR = 0.9  # share of a limit at which the guard warns


@dataclass(frozen=True)
class Watched:
    """A run that is being trained here: its process, what that holds in GiB, and how it gets on."""

    run: Run
    beat: dict
    process: psutil.Process
    memory: float
    gpu_memory: float
    since: float  # seconds since the process began
    idle: float  # seconds since its last step


class Guard:
    """Looks at runs again and again; what it asked of whom is kept in `guard.json`, so that it may be started anew.

    Args:
        limits: see GuardConfig.
        progress: called with a line of text for whatever it sees or does.
    """

    def __init__(self, limits: GuardConfig, progress=print):
        self.limits, self.progress = limits, progress
        self.path = paths.runs() / "guard.json"
        self.asked = self._read()  # id of the run's last process -> reason, and when it was asked to end
        self.steps = {}  # the same -> last step seen, and when it was new
        self.warned = set()  # of what was warned: (the same, limit) that it is near
        self.ended = {}  # heartbeat file -> when it was last written, of runs that nobody works on

    def _read(self) -> dict:
        try:
            found = json.loads(self.path.read_text())
            return found if isinstance(found, dict) else {}
        except (OSError, ValueError):
            return {}

    def stand(self):
        """Look until Ctrl-C."""
        while True:
            self.look()
            news.deliver(self.progress)
            time.sleep(self.limits.every)

    def look(self):
        """One look at every run: warn, ask to end, or kill who was asked and did not."""
        watched = self._watched()
        for one in watched:
            asked = self.asked.get(one.run.segment)
            if asked:
                self._insist(one, asked)
        for one, reason, near in self._reasons([w for w in watched if w.run.segment not in self.asked]):
            self._warn(one, reason, near) if near else self._ask(one, reason)
        for one, reason in self._short(watched):
            self._ask(one, reason)
        self._tell(watched)

    def _watched(self) -> list[Watched]:
        """Runs whose process lives on this machine."""
        found, held = [], self._held()
        for path in paths.runs().glob("*/heartbeat.json"):
            try:
                written = path.stat().st_mtime_ns
                if self.ended.get(path) == written:
                    continue
                run, beat = Run(path.parent), json.loads(path.read_text())
                if run.status() != "running" or beat["host"] != os.uname().nodename or not alive(beat):
                    self.ended[path] = written
                    continue
                found.append(self._one(run, beat, held))
            except (OSError, ValueError, KeyError, TypeError, psutil.Error):
                continue  # being written at this moment, or it has just ended
        return found

    def _held(self) -> dict[int, float]:
        """GiB of GPU memory that each process holds; what nvidia-smi does not tell at this moment is not known."""
        held = {}
        try:
            for gpu in gpus.gpus():
                for pid, memory in gpu.processes:
                    held[pid] = held.get(pid, 0.0) + memory
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            self._once("nvidia-smi", f"warning: memory of GPUs is not watched while this lasts: {error}")
        return held

    def _one(self, run, beat, held):
        process = psutil.Process(beat["pid"])
        tree = [process, *process.children(recursive=True)]
        memory = sum(p.memory_info().rss for p in tree) / GIB
        step, new = self.steps.get(run.segment, (None, 0.0))
        if step != beat["step"]:
            step, new = self.steps[run.segment] = beat["step"], time.time()
        on_gpu = sum(held.get(p.pid, 0.0) for p in tree)
        now = time.time()
        return Watched(run, beat, process, memory, on_gpu, now - process.create_time(), now - new)

    def _reasons(self, watched):
        """Who is over a limit of its own or near one: (run, reason in words, the limit where it is only near)."""
        limits = self.limits
        for one in watched:
            own = [
                ("run_memory", "holds {:.2f} GiB of memory, limit {:g}", one.memory),
                ("gpu_memory", "holds {:.2f} GiB of GPU memory, limit {:g}", one.gpu_memory),
                ("hours", "has taken {:.2f} hours, limit {:g}", one.since / 3600),
                ("stalled", "has made no step for {:.1f} minutes, limit {:g}", one.idle / 60),
            ]
            limited = [(name, text, value, most) for name, text, value in own if (most := getattr(limits, name))]
            over = [(one, text.format(value, most), "") for _, text, value, most in limited if value >= most]
            near = [(one, text.format(value, most), name) for name, text, value, most in limited if value > NEAR * most]
            yield from over[:1] or near

    def _short(self, watched):
        """Who is to end, and why, where the machine runs short: nobody while one that was asked writes its checkpoint.

        Until then it holds what it had, and the room that it will leave may be enough.
        """
        if not watched or any(one.run.segment in self.asked for one in watched):
            return
        left, limits = room(), self.limits
        if left.memory_free < limits.memory_left:
            most = max(watched, key=lambda one: one.memory)
            yield most, f"holds most memory where only {left.memory_free:.2f} GiB are free"
        elif left.disk_free < limits.disk_left:
            last = min(watched, key=lambda one: one.since)
            yield last, f"began last, and only {left.disk_free:.2f} GiB of disk are free"

    def _warn(self, one, reason, limit):
        self._once((one.run.segment, limit), f"warning: run {one.run.name} {reason}")

    def _once(self, what, line):
        if what not in self.warned:
            self.warned.add(what)
            self.progress(line)

    def _ask(self, one, reason):
        """Ask for a checkpoint and a clean end."""
        self.progress(f"run {one.run.name} {reason}: it is asked to end with a checkpoint")
        self._keep(one.run, {"run": one.run.name, "reason": reason, "asked": time.time(), "told": False})
        _signal(one.process, "terminate")

    def _insist(self, one, asked):
        if time.time() - asked["asked"] > self.limits.grace and not asked.get("killed"):
            self.progress(f"run {one.run.name} did not end within {self.limits.grace:g} seconds: it is killed")
            for process in one.process.children(recursive=True):
                _signal(process, "kill")
            _signal(one.process, "kill")
            self._keep(one.run, asked | {"killed": True})

    def _tell(self, watched):
        """Write to whoever wants to know of a run that has ended."""
        here = {one.run.segment for one in watched}
        for segment, asked in list(self.asked.items()):
            if segment not in here and not asked["told"]:
                run = Run(paths.runs() / asked["run"])
                how = "was killed" if asked.get("killed") else "was ended with a checkpoint"
                news.tell(run, f"{how}: it {asked['reason']}", self.limits.mail, progress=self.progress)
                self._keep(run, asked | {"told": True}, segment)

    def _keep(self, run, facts, segment=None):
        self.asked[segment or run.segment] = facts
        write_json(self.path, self.asked)


def _signal(process, how):
    try:
        getattr(process, how)()  # psutil looks once more whether it is still this very process
    except psutil.Error:
        return
