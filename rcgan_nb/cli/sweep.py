"""`rcgan sweep`: start a search for settings, work on it, see how far it is, and train the best again."""

import shlex
from pathlib import Path

HOW = {
    "start": "make the trials that a YAML file describes, where they are lacking, and train what is left of them",
    "work": "be a worker: train one trial after the other until all are done; start as many as you like, anywhere",
    "status": "how far each trial is, and what was cut by which rule, at which step and value",
    "best": "train the best trials again, with several new seeds, and say which of them is best",
}
START = (
    "The file holds names with values: those of SweepConfig (rcgan_nb/config.py explains each): space is what "
    "is searched, as in {learning_rate: [0.001, 0.002]} or {learning_rate: {low: 1e-4, high: 1e-2, log: true}}, "
    "and settings is what all trials share. Give the same command to go on: what is finished is not trained again. "
    "Ctrl-C lets each trial end its step and keep a checkpoint."
)


def add(parser):
    verbs = parser.add_subparsers(required=True, metavar="WHAT")
    made = {}
    for name, what in HOW.items():
        made[name] = verbs.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
        made[name].set_defaults(run=globals()[f"_{name}"])
    made["start"].add_argument("file", help="YAML with the settings of the sweep")
    made["start"].add_argument("--dry-run", action="store_true", help="say what would be tried, and write nothing")
    made["start"].epilog = START
    for name in ("work", "status", "best"):
        made[name].add_argument("name", metavar="NAME", help="of the sweep")
    for name in ("start", "best"):
        made[name].add_argument(
            "--workers",
            type=int,
            metavar="N",
            help="how many here, on cores of their own (those of the file); 0: none",
        )
        made[name].add_argument("--gpus", default="", metavar="0,1", help="a worker for each of these GPUs")
    made["work"].add_argument("--cores", default="", metavar="0,1", help="keep to these processor cores (all)")
    for name in ("status", "best"):
        made[name].add_argument(
            "--by", default="", metavar="COLUMN", help="what ranks: mmd2, tstr, coverage, people (the goal)"
        )


def _start(given):
    from rcgan_nb.sweep import Sweep
    from rcgan_nb.sweep.sweeps import Plan

    config = read(given.file)
    plan = Plan.of(config)
    for reason in plan.left_out:
        print(f"left out: {reason}")
    if given.dry_run:
        for number, values in enumerate(plan.values):
            print(f"{config.name}-{number:04}: {values or 'decided by the search'}")
        return 0
    sweep = Sweep.begin(config)
    _train(sweep, given)
    unfinished = _status(sweep)
    return 0 if given.workers == 0 else unfinished


def read(path):
    """The SweepConfig of a YAML file; its name is the file's where it gives none.

    Raises: ValueError: not such a file. OSError: there is none.
    """
    from rcgan_nb.config import SweepConfig
    from rcgan_nb.sweep.space import mapping

    return SweepConfig.make(**{"name": Path(path).stem} | mapping(str(path), Path(path).read_text()))


def _train(sweep, given):
    """Train what is left here, unless nobody is to; then say how others can."""
    gpus = [name for name in given.gpus.split(",") if name]
    count = given.workers if given.workers is not None else len(gpus) or sweep.config.workers
    if count < 0 or (gpus and count != len(gpus)):
        raise ValueError(f"--workers must be 0 or more, and with --gpus one for each, but {count} came.")
    if count:
        return sweep.train(count, gpus)
    from rcgan_nb import paths

    words = ["rcgan", "sweep", "work", sweep.config.name]
    command = f"RCGAN_RUNS={shlex.quote(str(paths.runs()))} {shlex.join(words)}"
    print(
        f"nothing is trained here. Where this runs folder can be seen, start workers, as many as you like:\n  {command}"
    )
    print(f"over ssh:\n  ssh HOST {shlex.quote(command)}")
    print(f"as a Slurm array of 8:\n  sbatch --array=1-8 --wrap {shlex.quote(command)}")


def _work(given):
    from rcgan_nb.sweep import Sweep, workers

    if given.cores:
        workers.pin(_cores(given.cores))
    workers.work(Sweep.open(given.name))


def _cores(text):
    from rcgan_nb.sweep import workers

    there = workers.cores()
    try:
        asked = [int(core) for core in text.split(",")]
    except ValueError:
        asked = [-1]
    if not set(asked) <= set(there):
        raise ValueError(f"--cores must be some of {','.join(map(str, there))}, but {text} came.")
    return asked


def _status(given):
    from rcgan_nb.sweep import Sweep, results

    sweep = given if isinstance(given, Sweep) else Sweep.open(given.name)
    found = results.table(sweep, getattr(given, "by", ""))
    print(found.to_string(index=False, na_rep="", float_format="{:.4g}".format))
    counts = found["state"].value_counts()
    print(", ".join(f"{count} {state}" for state, count in counts.items()))
    if cuts := results.cuts(sweep):
        print("cut or failed: " + ", ".join(f"{rule} {count}" for rule, count in cuts.items()))
    return 0 if set(counts.index) <= {"finished", "cut", "failed"} else 1


def _best(given):
    from rcgan_nb.sweep import Sweep, results

    sweep = Sweep.open(given.name)
    finals = results.call_finals(sweep, given.by)
    _train(sweep, given)
    if given.workers == 0:
        return 0
    found = results.best(sweep, given.by)
    config = sweep.config
    print(f"{len(finals)} runs of {config.finalists} finalists with {config.final_seeds} new seeds each:")
    for row in results.means(sweep, given.by):
        print(f"  {row['set']}: {row['measure']} {row['value']:.4g} ({row['low']:.4g} to {row['high']:.4g})")
    print(f"best: trial {found['trial']} {found['settings']}")
    print(f"runs: {', '.join(found['runs'])}. Judge the first on the test part, once: evaluate.ipynb -p run NAME")
    return 0
