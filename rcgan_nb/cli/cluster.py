"""`rcgan cluster`: train on a machine reached by ssh, with Slurm or without, and bring the results home."""

import time

from rcgan_nb.cli import batch, parts

HOW = {
    "push": "send the project, and the data sets that are named; no runs",
    "submit": "start workers there for a batch or sweep; under Slurm each is requeued when its time is up, and goes on",
    "status": "what Slurm or the machine says of the workers, and what the runs there say of themselves",
    "pull": "bring runs, batches, sweeps and logs home, also while they are made",
    "cancel": "end a job's workers, with a checkpoint of what they train",
}
SAID = {
    "partition": "partition of Slurm",
    "gres": "devices of each worker, as in gpu:1",
    "time": "longest time of a worker until it is requeued, as in 04:00:00",
    "memory": "of each worker, as in 16G",
    "cpus": "processors of each worker",
}
EVERY = 60  # seconds between two pulls


def add(parser):
    made = parts(parser, HOW, globals())
    for verb in made.values():
        verb.add_argument("profile", metavar="PROFILE", help="of clusters.toml in your folder for settings")
    made["push"].add_argument(
        "--data", nargs="+", action="extend", default=[], metavar="NAME", help="data sets, prepared ones too (none)"
    )
    made["pull"].add_argument(
        "--watch",
        nargs="?",
        type=float,
        const=EVERY,
        metavar="SECONDS",
        help=f"again and again, until Ctrl-C ({EVERY})",
    )
    made["cancel"].add_argument("job", metavar="JOB", help="its name, as status tells it")
    for name in ("push", "cancel"):
        made[name].add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    _add_submit(made["submit"])
    parser.epilog = (
        "A profile says how a machine is reached, where things lie there and what Slurm is asked for; without one, any "
        "of these commands says where to write it, and shows an example. Keys of hosts are always checked."
    )


def _add_submit(parser):
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="how many share the work (1)")
    for name, what in SAID.items():
        parser.add_argument(f"--{name}", type=int if name == "cpus" else str, help=f"{what} (the profile's)")
    # Under a name of its own: `batch` has such an option, too, which would come in its place.
    parser.add_argument(
        "--dry-run",
        dest="ask_only",
        action="store_true",
        help="ask Slurm whether it would take this, and start nothing",
    )
    kinds = parser.add_subparsers(required=True, metavar="WORK", dest="work")
    jobs = kinds.add_parser("batch", help="notebooks, as `rcgan batch` takes them", description="As `rcgan batch`.")
    batch.add(jobs)
    jobs.set_defaults(run=_submit)
    what = "a search for settings, begun there as by `rcgan sweep start`"
    sweep = kinds.add_parser("sweep", help=what, description=f"{what[0].upper()}{what[1:]}.")
    sweep.add_argument("file", help="YAML with the settings of the sweep")
    sweep.set_defaults(run=_submit)


def _push(given):
    from rcgan_nb.machine import cluster

    host = cluster.profile(given.profile)
    for line in cluster.push(host, given.data, dry=given.dry_run):
        print(line)
    if not given.dry_run:
        print(f"{host.name} has this project now, in {host.folder}/code; jobs that start or go on there take it.")


def _submit(given):
    from rcgan_nb.machine import cluster, slurm

    changes = {name: getattr(given, name) for name in SAID if getattr(given, name) is not None}
    host = cluster.profile(given.profile, **changes)
    slurm.require(host.config, given.workers)
    name, work = _sweep(given) if given.work == "sweep" else _batch(given)
    name = f"{name}-{time.strftime('%m%d-%H%M%S')}"
    dry = given.ask_only or getattr(given, "dry_run", False)
    if dry:
        print(slurm.script(host.config, name, work["command"], given.workers))
    print(slurm.submit(host, name, **work, workers=given.workers, dry=dry))
    if not dry:
        print(f"job {name}. rcgan cluster status, pull --watch or cancel: see --help")


def _sweep(given) -> tuple[str, dict]:
    """The name of a sweep, and what there is to do for it: it is begun once, then each worker takes trials."""
    from pathlib import Path

    from rcgan_nb.cli import sweep

    name, file = sweep.read(given.file).name, Path(given.file)
    begin = f"from rcgan_nb import sweep; from rcgan_nb.cli.sweep import read; sweep.Sweep.begin(read({file.name!r}))"
    return name, {"first": begin, "command": ["sweep", "work", name], "files": {file.name: file.read_bytes()}}


def _batch(given) -> tuple[str, dict]:
    """The name of a batch, its words there, and the files it reads: its jobs, and notebooks not of the project."""
    import yaml

    from rcgan_nb import paths

    jobs, name = batch.jobs_of(given), batch.name_of(given)
    entries, files = [], {}
    for job in jobs:
        if job.runtime != "local":
            raise ValueError(f"what is sent to a cluster runs there, so leave out runtime {job.runtime!r}.")
        if job.notebook.parent != paths.notebooks().resolve():
            content = job.notebook.read_bytes()
            if files.setdefault(job.notebook.name, content) != content:
                raise ValueError(f"two notebooks are called {job.notebook.name}; give one of them another name.")
        entry = {"notebook": job.notebook.name, "parameters": job.parameters}
        entries.append(entry | ({"limit": f"{job.limit!r}s"} if job.limit else {}))
    files["jobs.yaml"] = yaml.safe_dump(entries, sort_keys=False).encode()
    words = ["batch", "jobs.yaml", "--name", name, "--at-once", str(given.at_once)]
    return name, {"command": words, "files": files}


def _status(given):
    from rich.console import Console

    from rcgan_nb.machine import cluster, slurm

    host = cluster.profile(given.profile)
    console = Console()
    workers = slurm.workers(host)
    console.print(_table(slurm.COLUMNS, workers) if workers else f"There are no jobs in {host.folder} of {host.name}.")
    runs = [row | {"at": f"{row['step']:,}/{row['steps']:,}"} for row in slurm.records(host)]
    console.print(_table(("name", "status", "at", "dataset", "problems"), runs) if runs else "There are no runs yet.")


def _table(columns, rows):
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column("run" if name == "name" else name)
    for row in rows:
        table.add_row(*(Text(str(row[name])) for name in columns))  # Text: a name in brackets is no markup
    return table


def _pull(given):
    from rcgan_nb.machine import cluster, gather

    host = cluster.profile(given.profile)
    if given.watch is not None and given.watch < 1:
        raise ValueError(f"--watch takes seconds, at least 1, but {given.watch:g} came.")
    gather.pull(host)
    while given.watch:
        time.sleep(given.watch)
        try:
            gather.pull(host)
        except (OSError, ValueError) as error:
            print(f"{error} Trying again in {given.watch:g} seconds.", flush=True)


def _cancel(given):
    from rcgan_nb.machine import cluster, slurm

    print(slurm.cancel(cluster.profile(given.profile), given.job, dry=given.dry_run))
