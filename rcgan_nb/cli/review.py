"""`rcgan review`: ask people by mail how real samples look, fetch what they answer, and say what it came to."""

import dataclasses

from rcgan_nb.cli import parts

HOW = {
    "send": "begin a review, or go on with one; says what would go to whom, and sends it with --yes",
    "collect": "fetch replies from the mailbox and ratings of accounts on this machine, and count each once",
    "report": "scores of the runs, agreement between reviewers, how often real sheets were taken for synthetic",
}


def add(parser):
    made = parts(parser, HOW, globals())
    _add_settings(made["send"])
    made["send"].add_argument("--yes", action="store_true", help="send it; without, only say what would be sent")
    made["report"].add_argument("name", nargs="?", default="review", help="of the review (review)")
    made["send"].epilog = made["collect"].epilog = (
        "Servers: RCGAN_SMTP_URL and RCGAN_IMAP_URL, such as smtps://anna@mail.example.org; passwords: "
        "RCGAN_SMTP_PASSWORD and RCGAN_IMAP_PASSWORD, or the keyring; whom to ask: reviewers.toml, see README."
    )


def _add_settings(parser):
    from rcgan_nb.review.config import ReviewConfig

    for f in dataclasses.fields(ReviewConfig):
        if type(f.default) is not bool:
            option = f"--{f.name.replace('_', '-')}"
            told = f"{f.metadata['help']} ({f.default or 'all'})"
            parser.add_argument(option, type=type(f.default), default=f.default, help=told)


def _send(given):
    from rcgan_nb import review

    settings = {name: value for name, value in vars(given).items() if name in review.ReviewConfig.names()}
    config = review.ReviewConfig.make(**settings)
    if given.yes:
        review.send(config)
        return
    print(review.plan(config))
    print("Nothing was sent; --yes does it.")


def _collect(given):
    from rcgan_nb import review

    tally = review.collect()
    print("\n".join(f"{count} x {verdict}" for verdict, count in sorted(tally.items())) or "nothing new")


def _report(given):
    from rcgan_nb import review

    print(review.report(given.name))
