"""`rcgan runs`: find runs, join, prune, extract, bring in, check and restore them."""

from datetime import datetime
from pathlib import Path

from rcgan_nb.archive import finder
from rcgan_nb.cli import parts

HOW = {
    "list": "all runs, in the runs folder or in other folders and archive files, and what cannot be used and why",
    "show": "what is known of one run: its lineage, processes, checkpoints, figures, faults",
    "merge": "join a run and all it was continued from into one; says what it would do, and does it with --yes",
    "prune": "move aside copies, runs without a checkpoint, half-written files; says what, and does it with --yes",
    "extract": "write a part of a run: its generator, all weights, or series",
    "import": "bring runs from another folder or an archive file into the runs folder; those of mv-temporal-rgan, too",
    "verify": "check every file of runs by its checksums; exit code 1 if one is damaged, changed or missing",
    "restore": "put back what merge or prune moved aside; without a name, list what there is",
}


def add(parser):
    made = parts(parser, HOW, globals())
    for name in ("show", "merge", "extract"):
        made[name].add_argument("name", metavar="RUN", help="its name, or its path")
    for name in ("prune", "verify"):
        made[name].add_argument("names", metavar="RUN", nargs="*", help="names of runs (all)")
    made["list"].add_argument("places", metavar="PLACE", nargs="*", help="folders and archive files (the runs folder)")
    for name in ("show", "merge", "verify"):
        made[name].add_argument(
            "--also", action="append", default=[], metavar="PLACE", help="look there, too: a folder, zip or tar"
        )
    for name, which in (("merge", "the first one of the chain"), ("import", "what PATH holds")):
        made[name].add_argument("--as", dest="to", default="", metavar="NAME", help=f"new name (that of {which})")
    made["merge"].add_argument("--accept", action="append", default=[], choices=("missing", "overlap"))
    made["prune"].add_argument("--samples", type=int, default=0, metavar="N", help="keep N sheets of samples (all)")
    for name in ("merge", "prune"):
        made[name].add_argument("--yes", action="store_true", help="do it; without, only say what would be done")
    _add_extract(made["extract"])
    made["import"].add_argument("path", metavar="PATH", help="a folder, zip or tar")
    made["restore"].add_argument("name", nargs="?", default="", help="as merge or prune gave it")


def _add_extract(parser):
    from rcgan_nb.extraction import FORMS

    forms = "; ".join(f"{suffix or 'no suffix'}: {what}" for suffix, what in FORMS.items())
    parser.add_argument("output", metavar="OUTPUT", help=forms)
    parser.add_argument("--which", choices=("last", "best"), default="last", help="checkpoint (last)")
    parser.add_argument("--count", type=int, default=0, metavar="N", help="write N series")
    parser.add_argument("--seed", type=int, default=0, help="of the series (0)")


def _survey(given):
    from rcgan_nb import archive, paths

    return archive.survey(paths.runs(), *given.also)


def _list(given):
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from rcgan_nb import archive, paths

    survey = archive.survey(*given.places)
    table = Table(box=None, pad_edge=False)
    for name in ("run", "status", "data", "steps", "began", "MiB", "serves for"):
        table.add_column(name, justify="right" if name in ("steps", "MiB") else "left", no_wrap=name == "run")
    for row in finder.rows(survey.runs):
        began = f"{datetime.fromtimestamp(row['began']):%Y-%m-%d %H:%M}" if row["began"] else "?"
        use = row["use"] if row["use"] == "all" else f"{row['use']}: {row['problems']}"
        steps = f"{row['step']:,}/{row['steps']:,}"
        cells = (row["name"], row["status"], row["dataset"], steps, began, f"{row['mib']:.1f}", use)
        table.add_row(*map(Text, cells))  # a name may hold square brackets, which are no markup
    Console().print(table if survey.runs else Text(f"There are no runs in {given.places or paths.runs()}."))
    for path, reason in survey.refused:
        print(f"not used: {path}: {reason}")


def _show(given):
    from rcgan_nb.archive import lineage

    survey = _survey(given)
    runs = survey.named(given.name)
    if not runs:
        raise FileNotFoundError(f"no run {given.name!r} was found; `rcgan runs list` shows all.")
    for run in runs:
        for name, value in finder.rows([run])[0].items():
            print(f"{name:>12}  {value}")
        for segment in run.facts["segments"]:
            print(f"     process  {segment['id']} from step {segment['step']:,} on {segment.get('host', '?')}")
        state = next(s for s in lineage.states(survey.runs) if run in s.copies)
        print(f"     lineage  {state.how}{f' {state.name} at step {state.step:,}' if state.name else ''}")
        for name in run.checkpoints:
            print(f"  checkpoint  {name}")


def _merge(given):
    from rcgan_nb.archive import merging

    plan = merging.plan(_survey(given), given.name, name=given.to)
    print(plan)
    if not given.yes:
        print("Nothing was done; --yes does it.")
        return
    run, went = merging.merge(plan, accept=given.accept)
    print(f"The merged run lies in {run.path}.")
    if went:
        print(f"What it was made of went aside; rcgan runs restore {went.name} puts it back.")


def _prune(given):
    from rcgan_nb import archive
    from rcgan_nb.archive import pruning

    plan = pruning.plan(archive.survey(), given.names, samples=given.samples)
    print(plan)
    if not plan.what:
        return
    if not given.yes:
        print(f"{plan.size / 2**20:.1f} MiB would go aside. Nothing was done; --yes does it.")
        return
    went = pruning.prune(plan)
    print(f"It lies in {went} now; delete that when you are sure, or: rcgan runs restore {went.name}")


def _extract(given):
    from rcgan_nb import archive
    from rcgan_nb.extraction import extract

    run = archive.find(given.name)
    print(f"wrote {extract(run, given.output, which=given.which, count=given.count, seed=given.seed)}")


def _import(given):
    from rcgan_nb import archive

    survey = archive.survey(given.path)
    makers = _makers(survey, given)
    if given.to and len(makers) > 1:
        raise ValueError(f"{given.path} holds {len(makers)} runs, which cannot all be called {given.to!r}.")
    failed = 0
    for make in makers:
        try:
            run = make()
            print(f"{run.name} lies in {run.path} now.")
        except (OSError, ValueError) as error:
            failed += 1
            print(f"not imported: {error}")
    for path, reason in survey.refused:
        if reason != finder.ANCESTORS:
            print(f"not imported: {path}: {reason}")
    if not makers:
        raise ValueError(f"{given.path} holds no run that can be imported.")
    return 1 if failed else 0


def _makers(survey, given) -> list:
    """For each run at a place, and each chain of runs of mv-temporal-rgan, what brings it into the runs folder."""
    from rcgan_nb.archive import legacy
    from rcgan_nb.archive.bring import bring

    makers = [lambda found=found: bring(found, name=given.to) for found in survey.runs]
    old = [path for path, reason in survey.refused if reason == finder.ANCESTORS]
    if old == [Path(given.path).expanduser().resolve()]:  # one run, which brings what it went on with
        return [*makers, lambda: _told(legacy, old[0], given.to)]
    chains = [chain for folder in sorted({path.parent for path in old}) for chain in legacy.find_chains(folder)]
    return makers + [lambda chain=chain: _told(legacy, chain.folders[-1].path, given.to) for chain in chains]


def _told(legacy, path, name):
    """Say what an old archive becomes, then make it."""
    print(legacy.plan(path, name))
    return legacy.import_archive(path, name)


def _verify(given):
    from rcgan_nb.archive.verifying import GOOD, verify

    survey = _survey(given)
    runs = [run for name in given.names for run in survey.named(name)] if given.names else survey.runs
    lacking = [name for name in given.names if not survey.named(name)]
    if lacking:
        raise FileNotFoundError(f"no run {lacking[0]!r} was found; `rcgan runs list` shows all.")
    wrong = 0
    for run in runs:
        rows = verify(run)
        bad = [row for row in rows if row["state"] not in GOOD]
        wrong += len(bad)
        print(f"{run.path}: {len(rows) - len(bad)} of {len(rows)} files are whole")
        for row in bad:
            print(f"  {row['file']}: {row['state']} ({row['reason']})")
    for path, reason in survey.refused:
        print(f"not used: {path}: {reason}")
    return 1 if wrong else 0


def _restore(given):
    from rcgan_nb.archive import aside

    if not given.name:
        print("\n".join(aside.kept()) or f"Nothing was moved aside in {aside.folder()}.")
        return
    for path in aside.restore(given.name):
        print(f"{Path(path)} is back.")
