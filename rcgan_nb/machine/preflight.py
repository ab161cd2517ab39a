"""Will a run fit? Its memory and time, told from a few real steps in a process of their own."""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rcgan_nb import paths
from rcgan_nb.config import TrainConfig
from rcgan_nb.data import FILES, SETS
from rcgan_nb.machine import gpus
from rcgan_nb.machine.room import Room, room

STEPS = 6  # the last of them draws samples, compares and writes a checkpoint, as the run will
SPARE = 1.1  # a run takes a little more than its first steps
PROBE = """
import json, resource, sys
from rcgan_nb import train
run = train(**json.load(sys.stdin))
import tensorflow as tf
gpu = [tf.config.experimental.get_memory_info(d.name)["peak"] for d in tf.config.list_logical_devices("GPU")]
beat = run.read_json("heartbeat.json")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps({"memory": peak, "gpu": max(gpu, default=0), "seconds": run.metrics()["seconds"], **beat}))
"""


@dataclass(frozen=True)
class Estimate:
    """What a run will need: memory and memory of each of its GPUs in GiB, seconds to its first step and in all."""

    memory: float
    gpu_memory: float
    first_step: float
    seconds: float
    num_devices: int = 1

    def __str__(self):
        hours, minutes = divmod(round(self.seconds / 60), 60)
        on_gpu = f" and {self.on_gpus()}" if self.gpu_memory else ""
        time = f"{hours} h {minutes} min, the first step after {self.first_step:.0f} s"
        return f"{self.memory:.1f} GiB of memory{on_gpu}; {time}"

    def on_gpus(self) -> str:
        which = "a GPU" if self.num_devices == 1 else f"each of {self.num_devices} GPUs"
        return f"{self.gpu_memory:.1f} GiB of {which}"

    def fitting(self, gibs) -> bool:
        """Are there GPUs enough for it among these, each with so many GiB?"""
        return not self.gpu_memory or sum(gib >= self.gpu_memory for gib in gibs) >= self.num_devices


def estimate(config: TrainConfig) -> Estimate:
    """Train for a few steps in another process, in a folder that goes away, and tell the whole run from that.

    Raises: ValueError: the few steps failed; says why.
    """
    whole = {"preflight": "", "run_name": "preflight", "resume": "", "start_from": "", "mail": ""}
    whole["dataset"] = _from_any_folder(config.dataset)
    few = dataclasses.replace(config, steps=STEPS, log_every=1, **whole)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", PROBE],
            input=json.dumps(few.to_dict()),
            capture_output=True,
            text=True,
            env=os.environ | {"RCGAN_RUNS": folder},
        )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ValueError(f"preflight: {STEPS} steps of this run failed: {reason}")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    times = found["seconds"][:-1]  # without the last step, at which everything is drawn and written
    step = statistics.median(after - before for before, after in zip(times, times[1:], strict=False))
    watching = found["seconds_watching"] * config.steps / config.watch_every
    first = found["seconds_first_step"]
    memory, gpu = (found[name] * SPARE / 2**30 for name in ("memory", "gpu"))
    return Estimate(memory, gpu, first, first + config.steps * step + watching, config.num_devices)


def _from_any_folder(dataset) -> str:
    """The file of a prepared set in place of its name, which means nothing in another runs folder."""
    if dataset in SETS or Path(dataset).suffix in FILES or Path(dataset).name != dataset:
        return dataset
    path = paths.prepared(dataset)
    return str(path) if path.exists() else dataset


def reasons(need: Estimate, left: Room, found=()) -> list[str]:
    """Why a run does not fit now; empty where it does. Args: found: the GPUs it may take."""
    words = []
    if need.memory > left.memory_free:
        words.append(f"it needs {need.memory:.1f} GiB of memory, and {left.memory_free:.1f} are free")
    if not need.fitting(gpu.free for gpu in found):
        words.append(f"it needs {need.on_gpus()}; {gpus.told(found)}")
    return words


def preflight(config: TrainConfig, *, progress=print) -> TrainConfig:
    """Make sure that a run fits before it is begun, as its setting `preflight` says.

    "refuse" raises where it does not; "shrink" halves the batch until it does, which trains otherwise than asked for,
    and is said; "wait" waits in a line until others have made room.
    Returns: the settings that fit.
    Raises: MemoryError: it does not fit; says what it needs, what there is, and what to do. ValueError: as `estimate`.
    """
    from rcgan_nb.machine import line

    while True:
        need = estimate(config)
        progress(f"preflight: batch_size {config.batch_size} needs {need}")
        against = reasons(need, room(), gpus.gpus())
        if config.preflight == "wait":
            return dataclasses.replace(config, devices=line.wait(need, config.devices, progress=progress))
        if not against:
            return config
        if config.preflight != "shrink" or config.batch_size < 4:
            raise MemoryError(
                f"{'; '.join(against)}. Lower batch_size ({config.batch_size}) or hidden_units "
                f"({config.hidden_units}), or take preflight shrink or wait."
            )
        config = dataclasses.replace(config, batch_size=config.batch_size // 2)
        progress(f"preflight: {'; '.join(against)}: batch_size becomes {config.batch_size}")
