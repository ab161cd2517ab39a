"""`rcgan batch`: run many notebooks, from a file or over a grid of values."""

from pathlib import Path

from rcgan_nb.runtimes import jobs


def add(parser):
    parser.add_argument("file", nargs="?", help="a YAML list of jobs: notebook, parameters, grid, runtime, limit")
    parser.add_argument("--grid", metavar="NOTEBOOK", help="one notebook with every combination of the values of -p")
    parser.add_argument(
        "-p",
        dest="values",
        nargs="+",
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="with --grid: a parameter and its values",
    )
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="how many run at the same time (1)")
    parser.add_argument(
        "--runtime", default="local", help=f"where, unless a job says: {', '.join(jobs.RUNTIMES)} (local)"
    )
    parser.add_argument("--limit", default="", help="longest time for a job, unless it says, as in 90s, 30m, 2h (none)")
    parser.add_argument("--name", default="", help="folder under runs/batches/ (the name of the file or notebook)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be run, and run nothing")
    parser.epilog = (
        "Finished jobs are not run again; training that was interrupted goes on. Ctrl-C lets each job end its step and "
        "keep a checkpoint. Exit code 0: every job is finished; 1: some are not; 130: stopped."
    )
    parser.set_defaults(run=run)


def run(given) -> int:
    from rcgan_nb.runtimes import batch

    todo = jobs_of(given)
    if given.at_once < 1:
        raise ValueError(f"--at-once must be at least 1, but {given.at_once} came.")
    name = name_of(given)
    if given.dry_run:
        queue = batch.tasks(todo, name)
        for label, task in zip(batch.labels(queue), queue, strict=True):
            print(f"{label}: {batch.outlook(task)}")
        return 0
    try:
        queue = batch.run(todo, name, at_once=given.at_once)
    except KeyboardInterrupt:
        _summary(batch, batch.tasks(todo, name))
        print("Give the same command to go on.")
        raise
    return _summary(batch, queue)


def name_of(given) -> str:
    return given.name or Path(given.grid or given.file).stem


def jobs_of(given):
    if bool(given.file) == bool(given.grid):
        raise ValueError("give a file of jobs, or --grid with a notebook; rcgan batch --help shows how.")
    usual = {"runtime": given.runtime, "limit": given.limit}
    if given.file:
        if given.values:
            raise ValueError("-p goes with --grid; in a file, parameters stand with each job.")
        return jobs.read(given.file, **usual)
    names = [name for name, *_ in given.values]
    for name, *values in given.values:
        if not values or names.count(name) > 1:
            raise ValueError(f"give -p {name} once, with its values behind it, as in -p seed 0 1 2.")
    return jobs.grid(given.grid, {name: values for name, *values in given.values}, **usual)


def _summary(batch, queue) -> int:
    """Say what is finished, and of all else why not and where to look."""
    lacking = 0
    for task, (label, state, _, _, reason) in zip(queue, batch.rows(queue), strict=True):
        lacking += state != "finished"
        if state != "finished" or reason:
            print(f"{label}: {state}{': ' if reason else ''}{reason}\n  see {task.folder}")
    print(f"{len(queue) - lacking} of {len(queue)} jobs are finished.")
    return 1 if lacking else 0
