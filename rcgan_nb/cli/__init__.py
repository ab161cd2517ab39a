"""`rcgan VERB`: a thin coat over functions that notebooks use too.

Every module of this folder is a verb: it adds its options to a parser and sets `run`, which takes what was parsed and
returns an exit code (None is 0).
"""

import argparse
import importlib
import sys

VERBS = {
    "batch": "run many notebooks without a browser, with a limit on how many at once",
    "cluster": "train on a machine reached by ssh, with Slurm or without, and bring the results home",
    "colab": "link a page of Colab to this machine",
    "devices": "what this machine has, and what of it is free: processors, memory, disk, GPUs",
    "guard": "look after the runs of this machine: end what outgrows its limits, with a checkpoint, and write a mail",
    "review": "ask people by mail how real samples look, and make scores of what they answer",
    "runs": "find runs; join, prune, extract, bring in, check and restore them",
    "sweep": "search for settings: trials that workers train, limits that cut them, and the best trained again",
}  # name -> what it does, in the words of --help


def parts(parser, what, functions) -> dict:
    """The parsers of a verb's parts: `rcgan VERB PART` runs the function `_PART`.

    Args:
        what: part -> what it does. functions: the verb's globals().
    """
    found = {}
    verbs = parser.add_subparsers(required=True, metavar="WHAT")
    for name, text in what.items():
        found[name] = verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        found[name].set_defaults(run=functions[f"_{name}"])
    return found


def main(argv=None) -> int:
    """Run `rcgan` with these words; 0 when all went well, 1 when not, 2 for words it does not know."""
    parser = argparse.ArgumentParser(prog="rcgan", description="Runs, batches and runtimes of rcgan_nb.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for name, what in VERBS.items():
        verb = verbs.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
        importlib.import_module(f"rcgan_nb.cli.{name}").add(verb)
    given = parser.parse_args(argv)
    try:
        return given.run(given) or 0
    except (ValueError, OSError) as error:
        print(f"rcgan: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("rcgan: stopped", file=sys.stderr)
        return 130
