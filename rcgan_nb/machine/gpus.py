"""GPUs: what they are and who uses them, and which of them TensorFlow may see."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

QUERY = ("index", "uuid", "name", "memory.total", "memory.free", "utilization.gpu")
ANY = re.compile(r"any with (\d+(?:\.\d+)?) ?GiB free")
FORMS = 'auto, cpu, numbers as in "0,1", or "any with 6 GiB free"'


@dataclass(frozen=True)
class Gpu:
    """A GPU as nvidia-smi tells of it: memory in GiB, use in percent, and the processes on it with their memory."""

    index: int
    name: str
    total: float
    free: float
    use: int
    processes: tuple[tuple[int, float], ...] = ()


def gpus() -> list[Gpu]:
    """The GPUs of this machine; none where there is no nvidia-smi, or it finds none.

    Raises: OSError: nvidia-smi is there and fails, as it does where the driver and its library differ.
    """
    if not shutil.which("nvidia-smi"):
        return []
    users = {}
    for uuid, pid, memory in _ask("--query-compute-apps=gpu_uuid,pid,used_memory"):
        users.setdefault(uuid, []).append((int(pid), _gib(memory)))
    return [
        Gpu(int(index), name, _gib(total), _gib(free), _number(use), tuple(users.get(uuid, ())))
        for index, uuid, name, total, free, use in _ask(f"--query-gpu={','.join(QUERY)}")
    ]


def _ask(query) -> list[list[str]]:
    command = ["nvidia-smi", query, "--format=csv,noheader,nounits"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise OSError(f"nvidia-smi failed ({done.stdout.strip() or done.stderr.strip()}); see to the driver first.")
    return [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines() if line.strip()]


def _gib(mib) -> float:
    return round(_number(mib) / 1024, 2)


def _number(text) -> int:
    """Of what a GPU does not tell ("[N/A]") nothing is known to be used."""
    return int(text) if text.isdigit() else 0


def chosen(wanted, count, found) -> str | None:
    """The value of CUDA_VISIBLE_DEVICES for what a user asked for; None leaves it as it is.

    Args:
        wanted: see FORMS. auto leaves alone what the user has set, a machine with one GPU and one without any; of
            several it takes those with the most free memory.
        count: how many are needed.
        found: the GPUs that there are.
    Raises: ValueError: not in one of the forms, or there are not so many, or none with so much memory free.
    """
    if wanted == "cpu":
        return "-1"
    if wanted == "auto":
        if "CUDA_VISIBLE_DEVICES" in os.environ or len(found) <= count:
            return None
        return most_free(found, count)
    if match := ANY.fullmatch(wanted):
        least = float(match[1])
        fitting = [gpu for gpu in found if gpu.free >= least]
        if len(fitting) < count:
            raise ValueError(f"devices {wanted!r}: {count} needed, {len(fitting)} found; {told(found)}")
        return most_free(fitting, count)
    numbers = [number.strip() for number in wanted.split(",")]
    if not all(number.isdigit() for number in numbers):
        raise ValueError(f"devices is {FORMS}, but {wanted!r} came.")
    missing = [number for number in numbers if int(number) not in [gpu.index for gpu in found]]
    if missing:
        raise ValueError(f"there is no GPU {missing[0]} on this machine; {told(found)}")
    if len(numbers) < count:
        raise ValueError(f"num_devices is {count}, but devices names {len(numbers)}; let them agree.")
    return ",".join(numbers)


def most_free(found, count) -> str:
    """Numbers of the GPUs with the most free memory, as "0,1"."""
    best = sorted(found, key=lambda gpu: (-gpu.free, gpu.index))[:count]
    return ",".join(str(index) for index in sorted(gpu.index for gpu in best))


def told(found) -> str:
    """What there is, in words."""
    if not found:
        return "no GPU was found (no nvidia-smi); take devices auto or cpu."
    return "; ".join(f"GPU {g.index} {g.name}: {g.free:g} of {g.total:g} GiB free" for g in found) + "."


def see(wanted, count, memory=0.0):
    """Let TensorFlow see the devices that are wanted, and take its memory as it needs it, or up to a limit in GiB.

    It decides what it sees when it is imported, and what it takes at its first operation: so this comes before both.
    Raises: ValueError: as `chosen`, or it is too late: TensorFlow is imported already, and sees others.
    """
    late = "tensorflow" in sys.modules
    if late and wanted == "auto":
        return
    value = chosen(wanted, count, gpus() if wanted != "cpu" else [])
    if value is not None and value != os.environ.get("CUDA_VISIBLE_DEVICES"):
        if late:
            raise ValueError(
                f"devices {wanted!r} comes too late: TensorFlow was imported before. Start Python (the kernel) anew, "
                f"or set CUDA_VISIBLE_DEVICES={value} before it starts."
            )
        os.environ |= {"CUDA_VISIBLE_DEVICES": value, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # numbers as nvidia-smi's
    if not memory:
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
        return
    import tensorflow as tf

    limit = [tf.config.LogicalDeviceConfiguration(memory_limit=memory * 1024)]
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.set_logical_device_configuration(gpu, limit)
