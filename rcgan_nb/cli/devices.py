"""`rcgan devices`: what this machine has, and what of it is free."""


def add(parser):
    parser.set_defaults(run=run)


def run(given) -> int:
    from rcgan_nb import archive, paths
    from rcgan_nb.machine import gpus, room

    left = room.room()
    print(f"processors  {left.cpus}, load {left.load:.1f}")
    print(f"memory      {left.memory_free:.1f} of {left.memory:.1f} GiB free")
    print(f"disk        {left.disk_free:.1f} of {left.disk:.1f} GiB free in {paths.runs()}")
    found = gpus.gpus()
    owners = _owners(archive.survey().runs)
    for gpu in found:
        print(f"GPU {gpu.index}       {gpu.name}: {gpu.free:g} of {gpu.total:g} GiB free, {gpu.use} % in use")
        for pid, memory in gpu.processes:
            print(f"            process {pid} holds {memory:g} GiB: {owners.get(pid) or _whose(pid)}")
    if not found:
        print("GPU         none found (no nvidia-smi); training takes the processors")
    return 0


def _owners(runs) -> dict[int, str]:
    beats = {run.name: run.facts["heartbeat"] for run in runs if run.status == "running"}
    return {beat.get("pid"): f"run {name}" for name, beat in beats.items()}


def _whose(pid) -> str:
    import psutil

    try:
        process = psutil.Process(pid)
        return f"{process.name()} of {process.username()}"
    except psutil.Error:
        return "another's"
