"""Will a run fit? Its memory and time, told from a few real steps in a process of their own."""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from rcgan_nb.config import TrainConfig
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
    """What a run will need: memory and GPU memory in GiB, seconds to its first step and in all."""

    memory: float
    gpu_memory: float
    first_step: float
    seconds: float

    def __str__(self):
        hours, minutes = divmod(round(self.seconds / 60), 60)
        on_gpu = f" and {self.gpu_memory:.1f} GiB of a GPU" if self.gpu_memory else ""
        time = f"{hours} h {minutes} min, the first step after {self.first_step:.0f} s"
        return f"{self.memory:.1f} GiB of memory{on_gpu}; {time}"


def estimate(config: TrainConfig) -> Estimate:
    """Train for a few steps in another process, in a folder that goes away, and tell the whole run from that.

    Raises: ValueError: the few steps failed; says why.
    """
    whole = {"preflight": "", "run_name": "preflight", "resume": "", "start_from": "", "mail": ""}
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
    return Estimate(
        found["memory"] * SPARE / 2**30, found["gpu"] * SPARE / 2**30, first, first + config.steps * step + watching
    )


def reasons(need: Estimate, left: Room, found=()) -> list[str]:
    """Why a run does not fit now; empty where it does. Args: found: the GPUs it may take."""
    words = []
    if need.memory > left.memory_free:
        words.append(f"it needs {need.memory:.1f} GiB of memory, and {left.memory_free:.1f} are free")
    if need.gpu_memory and not any(gpu.free >= need.gpu_memory for gpu in found):
        words.append(f"it needs {need.gpu_memory:.1f} GiB of a GPU; {gpus.told(found)}")
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
