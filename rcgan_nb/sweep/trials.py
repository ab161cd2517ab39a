"""Trials as jobs of the batch's queue: claimed, run, watched, and what became of them told to the storage."""

import contextlib
import dataclasses
import json
import math
import sys
import time

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import Trial as Suggesting
from optuna.trial import TrialState

from rcgan_nb import archive, paths
from rcgan_nb.runtimes.jobs import Job, seconds
from rcgan_nb.runtimes.task import OVER_LIMIT, STEP, Task, last_line, tail
from rcgan_nb.sweep import rules
from rcgan_nb.sweep.program import JUDGED

KILLED = 10  # attempts after which a trial whose process is killed every time is given up
FAILED = 2  # and one that ends with an error
AGAIN = ("FloatingPointError", "settings: ")  # errors that would come again, with the same numbers
LOOKS = 100  # a look at the tables of a run comes so many times its own length after the one before


class Attempted(Task):
    """A training run in the sweep's folder: a job whose process trains and judges, without a notebook."""

    said = (("log.txt", STEP, ""),)

    def __init__(self, sweep, id, parameters):
        self.sweep = sweep
        limit = seconds(sweep.config.limit)
        super().__init__(sweep.folder, Job(id, paths.notebooks() / "train.ipynb", parameters, "local", limit, True))

    def _command(self):
        program = [sys.executable, "-m", "rcgan_nb.sweep.program"]
        return [*program, self.folder / "parameters.yaml", self.sweep.config.judge]

    def why_not(self):
        said = last_line(tail(self.folder / "log.txt"))
        return "its process was killed" if self.killed else "" if self.code == "0" else said or f"exit {self.code}"

    @property
    def killed(self) -> bool:
        """Whether the last attempt was ended by a signal (out of memory?), or with its machine."""
        return self.code == "" or int(self.code) > 128

    def verdict(self):
        """As of all jobs, but finished is only what was judged, too."""
        state, reason = super().verdict()
        if self.code == "0":
            return "finished", ""
        return ("interrupted" if self.state["stopped"] else "failed") if state == "finished" else state, reason

    @property
    def archived(self) -> archive.Run:
        """The folder of its training run, whether that has begun or not."""
        return archive.Run(paths.runs() / (self.state.get("run") or self.run))

    def figures(self) -> dict:
        """What validation.json says of the run; empty before it was judged."""
        path = self.archived.path / JUDGED
        return json.loads(path.read_text()) if path.exists() else {}

    def done(self) -> bool:
        """Whether it has ended for good; else it goes on where it was."""
        state = self.state
        if state["state"] == "interrupted":
            return bool(state.get("cut")) or state["stopped"] == OVER_LIMIT
        if state["state"] == "failed":
            most = KILLED if self.killed else FAILED
            return state["attempt"] >= most or any(what in state["reason"] for what in AGAIN)
        return state["state"] == "finished"

    @property
    def told(self) -> bool:
        """Whether all is done and known to those who count."""
        return self.done()

    def row(self) -> tuple:
        """What a table shows of it: label, state, how far it is, time left, and what there is to say."""
        label = " ".join([self.job.id, *(f"{name}={_short(value)}" for name, value in self.varied.items())])
        if self.told:
            return (label, *self.end())
        state = self.state
        if not self.owner():
            return label, "waiting", "", "", state["reason"]
        return label, "running", *(self.progress() if state["state"] == "running" else ("", "")), ""

    def end(self) -> tuple:
        """The same of one that is over, without its label."""
        return self.state["state"], "", "", self.state["reason"]

    def watch(self):
        """Called while it runs; a trial looks at its run's tables."""

    def settle(self):
        """Called when it is over; a trial tells the storage."""


class Trial(Attempted):
    """A trial of Optuna's study.

    Attributes:
        frozen: what the storage knew of it at the last look.
        varied: the values by which it differs from others.
    """

    def __init__(self, sweep, frozen):
        self.frozen, self.next_look, self.seen = frozen, 0.0, 0
        self.varied = frozen.params
        super().__init__(sweep, f"{frozen.number:04}", sweep.space.shared | frozen.params)

    def claim(self):
        """As of all jobs; then its values are settled, by the search where they are not known yet."""
        if not super().claim():
            return False
        id = self.frozen._trial_id
        if self.frozen.state == TrialState.WAITING:
            self.sweep.storage.set_trial_state_values(id, TrialState.RUNNING)
        values = self.sweep.space.suggested(Suggesting(self.sweep.study(self.frozen.number), id))
        self.job = dataclasses.replace(self.job, parameters=self.sweep.space.shared | values)
        return True

    def start(self):
        """As of all jobs, but settings that contradict each other, which only a search can bring about, are told."""
        try:
            self.sweep.space.complete(self.job.parameters)
        except ValueError as error:
            self.note(state="failed", reason=f"settings: {error}", attempt=self.attempt, ended=time.time())
            return
        super().start()

    def watch(self):
        """Tell the storage what is new in watch.csv, and stop the run by the first rule that it breaks."""
        begun = time.monotonic()
        if begun < self.next_look or self.state["stopped"] or self.archived.status() == "never started":
            return
        cut = self.state.get("cut") or self._look()
        if cut:
            self.note(cut=cut)
            self.stop(f"cut {rules.Cut(*cut)}")
        self.next_look = time.monotonic() + LOOKS * (time.monotonic() - begun)

    def _look(self):
        config, watch = self.sweep.config, self.archived.watch()
        rows, self.seen = self.seen, len(watch.get("step", []))
        if cut := rules.broken(config, self.archived):
            return cut
        if self.seen == rows:
            return None
        self._report(watch)
        others = [{s: self.sweep.sign * v for s, v in t.intermediate_values.items()} for t in self.sweep.completed()]
        return rules.behind(config, watch, others)

    @property
    def told(self):
        return self.frozen.state.is_finished()

    def end(self):
        facts, found = self.frozen.user_attrs, self.frozen.state.name
        state = {"PRUNED": "cut", "COMPLETE": "finished"}.get(found, "failed")
        said = f"{self.sweep.config.goal} {self.frozen.value:.4g}" if found == "COMPLETE" else facts.get("reason", "")
        return state, "", "", said

    def _report(self, watch):
        storage, id = self.sweep.storage, self.frozen._trial_id
        known = storage.get_trial(id).intermediate_values
        for step, value in zip(watch.get("step", []), watch.get("mmd2", []), strict=True):
            if int(step) not in known:
                storage.set_trial_intermediate_value(id, int(step), self.sweep.sign * value)

    def settle(self):
        """Tell the storage how it ended; it may have been told before."""
        with contextlib.suppress(UpdateFinishedTrialError):
            self._tell()

    def _tell(self):
        state, run = self.state, self.archived
        cut, value = state.get("cut"), self.figures().get(self.sweep.config.goal)
        if state["state"] != "failed" and not cut:
            cut = self._cut_afterwards(state, run)
        if state["state"] != "failed":
            self._report(run.watch())
        reason = str(rules.Cut(*cut)) if cut else state["reason"] or f"{self.sweep.config.goal} is {value}"
        facts = {"run": run.name, "reason": reason, "cut": list(cut or ())}
        for name, fact in facts.items():
            self.sweep.storage.set_trial_user_attr(self.frozen._trial_id, name, fact)
        if cut:
            end = TrialState.PRUNED
        else:
            end = TrialState.COMPLETE if value is not None and math.isfinite(value) else TrialState.FAIL
        study = self.sweep.study(self.frozen.number)
        study.tell(self.frozen.number, value if end == TrialState.COMPLETE else None, state=end)

    def _cut_afterwards(self, state, run):
        """What the tables say at the end: a short run may be over before anybody has looked."""
        if state["stopped"] == OVER_LIMIT:
            step = run.read_json("heartbeat.json")["step"] if (run.path / "heartbeat.json").exists() else 0
            return rules.Cut("limit", step, state["ended"] - state["begun"], self.job.limit)
        return rules.broken(self.sweep.config, run)


class Final(Attempted):
    """One of the best trials' settings, trained again with another seed."""

    def __init__(self, sweep, trial, seed):
        self.trial, self.varied = trial.number, {"seed": seed}
        values = sweep.space.shared | trial.params | self.varied
        super().__init__(sweep, f"{trial.number:04}-seed-{seed}", values)


def _short(value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
