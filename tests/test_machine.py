"""What a machine has left, which GPUs TensorFlow sees, whether a run fits, and who comes first where it does not."""

import dataclasses
import json
import os
import stat
import subprocess
import sys
import time

import pytest

from rcgan_nb import cli, paths
from rcgan_nb.archive.run import this_process
from rcgan_nb.config import train_config
from rcgan_nb.machine import gpus, line, preflight, room
from rcgan_nb.machine.gpus import Gpu

TWO = [Gpu(0, "A100", 80.0, 10.0, 95), Gpu(1, "A100", 80.0, 70.0, 3), Gpu(2, "T4", 16.0, 15.0, 0)]
# What nvidia-smi 550 prints for these queries, on a machine with two GPUs.
SMI = """#!/bin/sh
case "$1" in
  --query-compute-apps*) printf 'GPU-aa, 4242, 20480\\nGPU-aa, 4243, [N/A]\\n';;
  --query-gpu=index*)
    printf '0, GPU-aa, NVIDIA A100-SXM4-80GB, 81920, 61440, 37\\n1, GPU-bb, Tesla T4, 15360, 15360, [N/A]\\n';;
esac
"""


@pytest.fixture
def nvidia(tmp_path, monkeypatch):
    path = tmp_path / "bin" / "nvidia-smi"
    path.parent.mkdir()
    path.write_text(SMI)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    return path


def test_gpus_are_told_with_who_is_on_them(nvidia, capsys):
    one, other = gpus.gpus()
    assert one == Gpu(0, "NVIDIA A100-SXM4-80GB", 80.0, 60.0, 37, ((4242, 20.0), (4243, 0.0)))
    assert other == Gpu(1, "Tesla T4", 15.0, 15.0, 0)
    assert cli.main(["devices"]) == 0
    out = capsys.readouterr().out
    assert "GPU 0       NVIDIA A100-SXM4-80GB: 60 of 80 GiB free, 37 % in use" in out
    assert "process 4242 holds 20 GiB" in out and "memory" in out and "disk" in out


def test_a_broken_driver_is_said(nvidia):
    nvidia.write_text("#!/bin/sh\necho 'Failed to initialize NVML: Driver/library version mismatch'; exit 18\n")
    with pytest.raises(OSError, match="nvidia-smi failed .*version mismatch.*; see to the driver first"):
        gpus.gpus()


def test_without_gpus_that_is_said(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/nowhere")
    assert gpus.gpus() == [] and cli.main(["devices"]) == 0
    assert "none found (no nvidia-smi)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wanted", "count", "value"),
    [
        ("cpu", 1, "-1"),
        ("auto", 1, "1"),
        ("auto", 2, "1,2"),
        ("auto", 3, None),
        ("0,2", 2, "0,2"),
        ("any with 12.5 GiB free", 1, "1"),
        ("any with 6 GiB free", 3, "0,1,2"),
    ],
)
def test_devices_are_chosen_by_what_is_free(monkeypatch, wanted, count, value):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpus.chosen(wanted, count, TWO) == value


def test_what_the_user_has_set_and_a_machine_without_gpus_are_left_alone(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    assert gpus.chosen("auto", 1, TWO) is None
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert gpus.chosen("auto", 1, []) is None and gpus.chosen("auto", 1, TWO[:1]) is None


@pytest.mark.parametrize(
    ("wanted", "count", "found", "message"),
    [
        ("first", 1, TWO, 'devices is auto, cpu, numbers as in "0,1", or "any with 6 GiB free", but \'first\' came'),
        ("3", 1, TWO, "there is no GPU 3 on this machine; GPU 0 A100: 10 of 80 GiB free; GPU 1"),
        ("0", 1, [], r"there is no GPU 0 on this machine; no GPU was found \(no nvidia-smi\)"),
        ("0", 2, TWO, "num_devices is 2, but devices names 1"),
        ("any with 75 GiB free", 1, TWO, "1 needed, 0 found; GPU 0 A100: 10 of 80 GiB free"),
    ],
)
def test_devices_that_are_not_there_are_refused(wanted, count, found, message):
    with pytest.raises(ValueError, match=message):
        gpus.chosen(wanted, count, found)


def test_tensorflow_sees_what_was_chosen_before_it_was_imported(nvidia):
    program = (
        "import os, sys; os.environ.pop('CUDA_VISIBLE_DEVICES', 0); from rcgan_nb.machine import gpus\n"
        "gpus.see('auto', 1); assert 'tensorflow' not in sys.modules\n"
        "print(*(os.environ[n] for n in ('CUDA_VISIBLE_DEVICES', 'CUDA_DEVICE_ORDER', 'TF_FORCE_GPU_ALLOW_GROWTH')))\n"
        "sys.modules['tensorflow'] = None\n"
        "gpus.see('auto', 1)\n"
        "try: gpus.see('1', 1)\n"
        "except ValueError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "0 PCI_BUS_ID true"
    assert "comes too late: TensorFlow was imported before" in done.stdout


def test_a_job_has_the_memory_of_its_group_and_not_of_the_machine(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text(f"{3 * 2**30}\n")
    (tmp_path / "memory.current").write_text(f"{2 * 2**30}\n")
    (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {2**30}\n")
    monkeypatch.setattr(room, "CGROUP", tmp_path)
    left = room.room(tmp_path)
    assert left.memory == 3.0 and left.memory_free == 2.0
    (tmp_path / "memory.max").write_text("max\n")
    assert room.room(tmp_path).memory > 3.0 and room.room(tmp_path / "not/there/yet").disk_free > 0


@pytest.fixture(scope="module")
def need():
    config = train_config(dataset="digits", hidden_units=8, steps=1000, preflight="refuse")
    return config, preflight.estimate(config)


def test_a_few_real_steps_tell_memory_and_time(need):
    config, estimate = need
    assert 0.4 < estimate.memory < 3 and estimate.gpu_memory == 0
    assert 0 < estimate.first_step < 120 and estimate.first_step < estimate.seconds < 1200
    assert "GiB of memory; 0 h" in str(estimate)


def test_what_does_not_fit_is_refused_shrunk_or_lets_through(need, monkeypatch):
    config, _ = need
    left = room.Room(2, 0.0, 8.0, 4.0, 9.0, 9.0)
    monkeypatch.setattr(preflight, "room", lambda: left)
    told = []
    monkeypatch.setattr(
        preflight, "estimate", lambda c: preflight.Estimate(c.batch_size / 20, 0.0, 1.0, 60.0 * c.batch_size)
    )
    with pytest.raises(MemoryError, match=r"it needs 6.4 GiB of memory, and 4.0 are free. Lower batch_size \(128\)"):
        preflight.preflight(config, progress=told.append)
    shrinking = dataclasses.replace(config, preflight="shrink")
    assert preflight.preflight(shrinking, progress=told.append).batch_size == 64
    assert "batch_size becomes 64" in told[-2]
    left = dataclasses.replace(left, memory_free=0.01)
    with pytest.raises(MemoryError, match="it needs 0.1 GiB"):
        preflight.preflight(shrinking, progress=told.append)


def test_a_run_that_fails_at_once_says_why_in_preflight():
    with pytest.raises(ValueError, match="preflight: 6 steps of this run failed: .*nothing.npz"):
        preflight.estimate(train_config(dataset="nothing.npz", preflight="refuse"))


def test_a_prepared_set_is_found_by_its_name_in_preflight(small):
    small.save(paths.prepared("mine"))
    few = {"hidden_units": 4, "batch_size": 4, "r1_weight": 0, "r2_weight": 0}
    assert preflight.estimate(train_config(dataset="mine", **few)).memory > 0.1


def test_gpu_memory_counts_where_it_is_needed():
    left, need = room.Room(2, 0.0, 8.0, 4.0, 9.0, 9.0), preflight.Estimate(1.0, 12.0, 1.0, 1.0)
    assert preflight.reasons(need, left, TWO) == []
    assert "needs 12.0 GiB of a GPU; GPU 0 A100: 10 of 80" in preflight.reasons(need, left, TWO[:1])[0]
    both = dataclasses.replace(need, num_devices=2)
    assert preflight.reasons(both, left, TWO) == []
    assert "needs 12.0 GiB of each of 2 GPUs; GPU 0" in preflight.reasons(both, left, TWO[:2])[0]


WAITER = """
import sys, time
from rcgan_nb.machine import line, preflight, room
from pathlib import Path
line.EVERY = 0.1
line.room = lambda: room.Room(2, 0.0, 16.0, float(Path(sys.argv[2]).read_text()), 9.0, 9.0)
line.wait(preflight.Estimate(float(sys.argv[1]), 0.0, 1.0, 1.0), progress=lambda text: print(text, flush=True))
print("in", flush=True)
time.sleep(60)
"""


def test_who_came_first_is_served_first_and_claims_count(tmp_path, monkeypatch):
    free = tmp_path / "free"
    free.write_text("4")
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    waiters = []

    def join(gib):
        command = [sys.executable, "-c", WAITER, str(gib), str(free)]
        waiters.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment))
        return waiters[-1].stdout

    try:
        big, small = join(6), None
        assert "it needs 6.0 GiB of memory, and 4.0 are free" in big.readline()
        small = join(1)
        assert "others came before" in small.readline()
        free.write_text("6.5")
        assert big.readline() == "in\n"
        assert "it needs 1.0 GiB of memory, and 0.5 are free" in small.readline()
        waiters[0].kill()  # its claim goes with it
        waiters[0].wait()
        assert small.readline() == "in\n"
    finally:
        for waiter in waiters:
            waiter.kill()
            waiter.wait()
            waiter.stdout.close()


def test_tickets_of_the_dead_go_and_what_will_never_fit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(line, "folder", lambda: tmp_path)
    dead = tmp_path / f"{1:020d}.waiting"
    dead.write_text(json.dumps(this_process() | {"started": 1.0, "memory": 1}))
    (tmp_path / f"{2:020d}.waiting").write_text("half")
    os.utime(tmp_path / f"{2:020d}.waiting", (time.time() - 99,) * 2)
    assert line.wait(preflight.Estimate(0.01, 0.0, 1.0, 1.0), "auto") == "auto"
    assert [path.suffix for path in tmp_path.iterdir() if path.name != "lock"] == [".claim"]
    with pytest.raises(MemoryError, match="needs 99999.0 GiB of memory, and this machine has"):
        line.wait(preflight.Estimate(99999.0, 0.0, 1.0, 1.0))


def test_on_gpus_the_one_with_room_is_claimed(tmp_path, monkeypatch):
    monkeypatch.setattr(line, "folder", lambda: tmp_path)
    monkeypatch.setattr(gpus, "gpus", lambda: [Gpu(0, "T4", 16.0, 14.0, 0), Gpu(1, "T4", 16.0, 15.0, 0)])
    need = preflight.Estimate(0.01, 8.0, 1.0, 1.0)
    assert [line.wait(need, wanted) for wanted in ("auto", "auto")] == ["1", "0"]
    assert line.wait(preflight.Estimate(0.01, 6.0, 1.0, 1.0), "1") == "1"


def test_a_run_on_two_gpus_waits_for_two_and_claims_them(tmp_path, monkeypatch):
    monkeypatch.setattr(line, "folder", lambda: tmp_path)
    monkeypatch.setattr(gpus, "gpus", lambda: [Gpu(k, "T4", 16.0, 12.0 + k, 0) for k in range(3)])
    assert line.wait(preflight.Estimate(0.01, 8.0, 1.0, 1.0, 2)) == "1,2"
    assert line.wait(preflight.Estimate(0.01, 8.0, 1.0, 1.0)) == "0"  # on the others a claim stands
    with pytest.raises(MemoryError, match="needs 8.0 GiB of each of 4 GPUs, more than there is"):
        line.wait(preflight.Estimate(0.01, 8.0, 1.0, 1.0, 4))


def test_only_the_gpus_that_are_wanted_count(tmp_path, monkeypatch):
    monkeypatch.setattr(line, "folder", lambda: tmp_path)
    monkeypatch.setattr(line.time, "sleep", lambda seconds: pytest.fail("it waits, and nothing will come"))
    monkeypatch.setattr(
        gpus, "gpus", lambda: [Gpu(k, "T4", total, total, 0) for k, total in enumerate((8.0, 16.0, 24.0))]
    )
    assert line.wait(preflight.Estimate(0.01, 6.0, 1.0, 1.0, 2), "0, 1") == "0,1"
    with pytest.raises(MemoryError, match="needs 12.0 GiB of a GPU, more than there is: GPU 0 T4: 8 of 8 GiB free"):
        line.wait(preflight.Estimate(0.01, 12.0, 1.0, 1.0), "0")
    assert line.wait(preflight.Estimate(0.01, 12.0, 1.0, 1.0), "any with 6 GiB free") == "2"
