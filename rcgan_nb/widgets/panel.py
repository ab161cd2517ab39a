"""A window onto training: how far it is, how the players stand, what the samples look like, and two buttons."""

import html
import os
import signal
import time

import ipywidgets
from IPython import get_ipython

from rcgan_nb import monitors, plots
from rcgan_nb.widgets import base

SHARE = 0.02  # of the loop's time that pictures may take
EVERY = 5.0  # seconds between pictures at least


def panel():
    """What `training.train` takes as `show`: a Panel on the page, or nothing where no page is there to show it."""
    if not base.live():
        return None
    from IPython.display import display

    shown = Panel()
    display(shown)
    return shown


class Heard(ipywidgets.Button):
    """A button that is heard while a cell runs, where the kernel has subshells and the page uses them.

    From ipykernel 7.4 on, what a page says to a widget goes to the shell that last spoke of it. That is the one that is
    busy, so it is made to forget; the page's own choice counts then.
    """

    def open(self):
        super().open()
        self._forget()

    def _send(self, msg, buffers=None):
        super()._send(msg, buffers)
        self._forget()

    def _forget(self):
        vars(self.comm).pop("_reply_subshell_id", None)


class Panel(ipywidgets.VBox):
    """Called with the loop after every step. Pictures are drawn as often as SHARE allows.

    Attributes:
        seconds: what the panel itself has taken.
    """

    def __init__(self):
        self.seconds, self.due, self.run, self.sheet = 0.0, 0.0, None, None
        self.progress = monitors.Progress()
        self.bar = ipywidgets.IntProgress(description="training", layout={"width": "100%"})
        self.line = ipywidgets.HTML("waiting for the first step, which builds the graph")
        self.signs = ipywidgets.HTML()
        self.losses = base.Picture(layout={"width": "60%"})
        self.samples = base.Picture(layout={"width": "40%"})
        self.stop = Heard(description="Stop and keep", icon="stop", disabled=True)
        self.keep = Heard(description="Keep now", icon="save", disabled=True)
        self.stop.tooltip, self.keep.tooltip = "end this step, keep a checkpoint, stop", "keep a checkpoint and go on"
        self.stop.on_click(self._stop)
        self.keep.on_click(self._keep)
        hint = ipywidgets.HTML(_hint())
        below = ipywidgets.HBox([self.losses, self.samples])
        super().__init__([self.bar, self.line, ipywidgets.HBox([self.stop, self.keep, hint]), self.signs, below])

    def __call__(self, loop):
        begun = time.perf_counter()
        if self.run is None:
            self._begin(loop)
        if not loop.last and begun < self.due:
            return
        self._draw(loop)
        took = time.perf_counter() - begun
        self.seconds += took
        self.due = time.perf_counter() + max(EVERY, took / SHARE)
        if loop.last:
            self._end(loop)

    def _begin(self, loop):
        self.run, self.loop, self.bar.max = loop.run, loop, loop.config.steps
        self.stop.disabled = self.keep.disabled = not answers()

    def _draw(self, loop):
        self.bar.value = loop.step
        self.text = self.progress.line(loop)
        self.line.value = html.escape(self.text)
        self.signs.value = f"{_balance(loop.found)}; {_latest(loop.run.alarms())}"
        metrics = loop.run.metrics()
        if len(metrics.get("step", ())) > 1:
            self.losses.show(plots.losses(metrics))
        sheets = sorted(loop.run.path.glob("samples/step-*.png"))
        if sheets and sheets[-1] != self.sheet:
            self.sheet = sheets[-1]
            self.samples.show_bytes(self.sheet.read_bytes(), f"samples of each class at {self.sheet.stem}")

    def _end(self, loop):
        self.stop.disabled = self.keep.disabled = True
        self.bar.bar_style = "success"
        self.line.value = html.escape(f"{self.text}; this panel took {self.seconds / loop.clock.seconds:.1%}")

    def _keep(self, _):
        if self._goes_on():
            self.loop.keep_asked = True
            self.line.value = "a checkpoint comes after this step"

    def _stop(self, _):
        """What Ctrl-C does: the loop ends its step and keeps a checkpoint."""
        if self._goes_on():
            self.stop.disabled = self.keep.disabled = True
            self.bar.bar_style = "warning"
            self.line.value = "this step ends, a checkpoint is kept"
            os.kill(os.getpid(), signal.SIGINT)

    def _goes_on(self) -> bool:
        """Whether the run is being trained still. One that is over is left alone: Ctrl-C and errors end no panel."""
        status = self.run.status()
        if status != "running":
            self.stop.disabled = self.keep.disabled = True
            self.line.value = f"this run is over: {status}"
        return status == "running"


def answers() -> bool:
    """Whether the kernel hears a button while a cell runs: it has subshells since ipykernel 7."""
    kernel = getattr(get_ipython(), "kernel", None)
    return "kernel subshells" in getattr(kernel, "kernel_info", {}).get("supported_features", [])


def _hint() -> str:
    if answers():
        return "Interrupting the kernel stops and keeps, too."
    return "This kernel hears no button while a cell runs: interrupt it to stop and keep a checkpoint."


def _balance(found) -> str:
    """How the players stand to each other after this step."""
    players = f"{found['d_grad']:.3g} (discriminator) and {found['g_grad']:.3g} (generator)"
    return f"balance: loss ratio {found['loss_ratio']:.3g}, gradient norms {players}"


def _latest(alarms) -> str:
    """The last step's alarms, or that there were none."""
    if not alarms:
        return "no alarm so far"
    step = alarms[-1]["step"]
    told = [f"{a['what']} {a['value']:.3g} (limit {a['limit']:.3g})" for a in alarms if a["step"] == step]
    return html.escape(f"{len(alarms)} alarms, the last at step {step}: {'; '.join(told)}")
