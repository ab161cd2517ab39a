"""`python -m drive_sync VERB`: a folder of Google Drive and the runs here, kept alike."""

import argparse
import logging
import sys

from drive_sync import show, signin
from drive_sync.faults import DriveError
from drive_sync.sync import FOLDER, Options, runs_folder

EPILOG = """\
Nothing is lost: what a pull replaces or deletes goes to --backup-dir, what a push deletes to Drive's trash, and what it
replaces stays in Drive's list of versions. A file that changed on both sides is kept twice; of a run that went on both
here and there, both are kept whole, the other side's as NAME-SEGMENT. Nothing is deleted after any error. What was made
from restricted data (MIMIC, eICU) is not pushed unless named. Hidden files, links and *.partial files take no part.
Google's own documents are exported as docx, xlsx, pptx, svg, and not written to.

An interrupted sync goes on with the same command. VERB --help lists the options.

exit codes, as rclone's:
  0    all went well
  1    some files failed, and will again (what and why is said)
  2    words that are not understood
  3    there is no such folder
  5    some files failed, but may succeed: the same command goes on
  7    nothing more can be done: not signed in, Drive is full, more deletions than --max-delete
  130  stopped by Ctrl-C
"""
VERBS = {
    "auth": "sign in to Google, or say who is signed in",
    "status": "say what pull and push would do",
    "pull": "take over here what is new, changed or deleted in Drive",
    "push": "take over in Drive what is new, changed or deleted here",
    "dedupe": "make every title in the folder of Drive unique: copies to the trash, others renamed",
}


def parser():
    raw = argparse.RawDescriptionHelpFormatter
    whole = argparse.ArgumentParser(
        prog="python -m drive_sync",
        description="A folder of Google Drive and the runs here, kept alike.",
        epilog=EPILOG,
        formatter_class=raw,
    )
    verbs = whole.add_subparsers(required=True, metavar="VERB", dest="verb")
    for name, what in VERBS.items():
        verb = verbs.add_parser(name, help=what, description=what, epilog=EPILOG, formatter_class=raw)
        _add_sign_in(verb) if name == "auth" else _add_folders(verb)
        if name in ("status", "pull", "push"):
            _add_selection(verb)
        if name in ("status", "push"):
            verb.add_argument(
                "--allow-restricted", action="append", default=[], metavar="NAME",
                help="push this run, folder or file although it is restricted",
            )  # fmt: skip
        if name in ("pull", "push", "dedupe"):
            _add_doing(verb, name)
    return whole


def _add_sign_in(verb):
    ways = verb.add_mutually_exclusive_group()
    ways.add_argument("--client-secrets", metavar="FILE", help="sign in with a browser, as this OAuth client")
    ways.add_argument("--service-account", metavar="FILE", help="sign in with the key of a service account")


def _add_folders(verb):
    verb.add_argument(
        "where", nargs="?", default=FOLDER, metavar="FOLDER",
        help=f"in Drive: a path ({FOLDER}), the address of a folder (also in a shared drive), or id:ID",
    )  # fmt: skip
    verb.add_argument("--local", metavar="FOLDER", help=f"the folder here ({runs_folder()})")
    verb.add_argument("-v", "--verbose", action="store_true", help="tell of each fault that is tried again")


def _add_selection(verb):
    many = {"action": "append", "default": []}
    verb.add_argument("--checksum", action="store_true", help="read every file here, whatever its size and time say")
    verb.add_argument(
        "--include", **many, metavar="PATTERN", help='only these, as "*.csv", "/digits-1/", "**/figures/*"'
    )
    verb.add_argument(
        "--exclude", **many, metavar="PATTERN", help="not these; may be given several times, as --include"
    )


def _add_doing(verb, name):
    verb.add_argument("-n", "--dry-run", action="store_true", help="say what would be done, and touch nothing")
    verb.add_argument(
        "--max-delete", type=int, default=100, metavar="N", help="delete nothing if it would be more than this (100)"
    )
    verb.add_argument("--transfers", type=int, default=4, metavar="N", help="files at once (4)")
    if name == "pull":
        verb.add_argument(
            "--backup-dir", default="", metavar="FOLDER", help="where what is replaced or deleted goes "
            "(.drive_sync/backup/DATE in the folder here)",
        )  # fmt: skip


def main(argv=None) -> int:
    """Run with these words; returns the exit code."""
    given = parser().parse_args(argv)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("drive_sync").setLevel(logging.INFO if getattr(given, "verbose", False) else logging.WARNING)
    try:
        return {"auth": _auth, "status": _status}.get(given.verb, _sync)(given)
    except KeyboardInterrupt:
        return _say("stopped; the same command goes on.", 130)
    except signin.NotSignedIn as error:
        return _say(error, 7)
    except FileNotFoundError as error:
        return _say(error, 3)
    except DriveError as error:
        return _say(error, 5 if error.temporary else 1)
    except ValueError as error:
        return _say(error, 2)
    except OSError as error:
        return _say(error, 1)


def _say(what, code):
    print(f"drive_sync: {what}", file=sys.stderr)
    return code


def _auth(given):
    from drive_sync.drive import Drive

    if given.client_secrets:
        auth = signin.in_browser(given.client_secrets)
    else:
        auth = signin.with_key(given.service_account) if given.service_account else signin.load()
    print(f"Signed in to Google Drive as {Drive(auth).about()}.")
    return 0


def _options(given):
    names = set(vars(given)) & set(Options.__dataclass_fields__)
    values = {name: getattr(given, name) for name in names}
    return Options(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _status(given):
    pull = show.planned("pull", given.where, given.local, _options(given))
    push = show.planned("push", given.where, given.local, _options(given), drive=pull.drive)
    for sync in (pull, push):
        print(show.outlook(sync.plan))
    return 0


def _sync(given):
    sync = show.planned(given.verb, given.where, given.local, _options(given))
    if given.dry_run:
        print(show.outlook(sync.plan))
        return 0
    summary = show.watched(sync)
    for line in show.faults(sync.plan, summary):
        print(line, file=sys.stderr)
    print(show.result(sync.plan, summary))
    return summary.code


if __name__ == "__main__":
    sys.exit(main())
