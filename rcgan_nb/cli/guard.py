"""`rcgan guard`: look after the runs of this machine, end what outgrows its limits, and write a mail."""

import dataclasses

from rcgan_nb.config import GuardConfig


def add(parser):
    for field in dataclasses.fields(GuardConfig):
        option, what = f"--{field.name.replace('_', '-')}", field.metadata["help"]
        parser.add_argument(option, type=field.type, default=field.default, help=f"{what} ({field.default!r})")
    parser.epilog = (
        "Only runs of the runs folder that are trained on this machine are looked at; no other process is touched. "
        "Ctrl-C ends the guard, not the runs; started anew it goes on where it was."
    )
    parser.set_defaults(run=run)


def run(given) -> int:
    from rcgan_nb import paths
    from rcgan_nb.machine import news
    from rcgan_nb.machine.guard import Guard

    limits = GuardConfig.make(**{field.name: getattr(given, field.name) for field in dataclasses.fields(GuardConfig)})
    news.require_way(limits.mail)
    print(f"Looking after the runs in {paths.runs()}; Ctrl-C ends this, not the runs.", flush=True)
    Guard(limits, lambda line: print(line, flush=True)).stand()
