"""A mail with one question: its sheets, and links that answer it."""

import time
from html import escape
from urllib.parse import quote

from rcgan_nb import mail
from rcgan_nb.review import tokens

QUESTION = {
    "pair": "Which of these two sheets looks more like real data?",
    "rate": "How real does this sheet look, from 1 (surely made by a program) to 5 (surely real)?",
}
NAMES = {"pair": {1: "the left one", 2: "the right one"}, "rate": {k: str(k) for k in range(1, 6)}}
LONGEST = 64  # characters before the @ of an address (RFC 5321)


def letter(review, task, pictures):
    """The mail that asks a task's reviewer.

    Args:
        pictures: PNG files as bytes, from left to right.
    Raises: ValueError: an address is none.
    """
    hour = int(time.time() // 3600) + 24 * review.days
    answers = {name: _link(review, task, slot, hour, name) for slot, name in NAMES[review.question].items()}
    leave = _link(review, task, tokens.LEAVE, hour, "no more mails")
    own = tokens.sign(review.key, task, tokens.ANY, hour)
    return mail.compose(
        task["address"],
        f"[{own}] {QUESTION[review.question]}",
        _text(review, answers, leave, hour),
        pictures,
        html=_page(review, answers, leave, hour, len(pictures)),
        reply_to=_return(own),
        headers=[("List-Unsubscribe", f"<{leave}>"), ("Auto-Submitted", "auto-generated")],
    )


def _return(token) -> str:
    """The address that replies go to, with the token in it where there is room."""
    name, domain = mail.sender().split("@")
    return f"{name}+{token}@{domain}" if len(f"{name}+{token}") <= LONGEST else mail.sender()


def _link(review, task, slot, hour, name) -> str:
    token = tokens.sign(review.key, task, slot, hour)
    subject, body = f"[{token}] {name}", "Just send this mail as it is."
    return f"mailto:{quote(_return(token), safe='@+')}?subject={quote(subject)}&body={quote(body)}"


def _ends(hour) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(hour * 3600))


def _text(review, answers, leave, hour) -> str:
    what = "1 (left) or 2 (right)" if review.question == "pair" else "a number from 1 to 5"
    links = "\n".join(f"{name}: {link}" for name, link in answers.items())
    return (
        f"{QUESTION[review.question]}\n\n"
        f"Reply with {what} as the first line, or send the mail that one of these links opens:\n\n{links}\n\n"
        f"The first answer until {_ends(hour)} counts. To get no more such mails, reply with stop, or: {leave}\n"
    )


def _page(review, answers, leave, hour, count) -> str:
    shown = "".join(f'<td><img src="cid:{k}" alt="sheet {k + 1}"></td>' for k in range(count))
    links = [f'<a href="{escape(link)}">{escape(name)}</a>' for name, link in answers.items()]
    under = "".join(f"<td>{link}</td>" for link in links) if count == 2 else f"<td>{' &nbsp; '.join(links)}</td>"
    return (
        f"<p>{QUESTION[review.question]}</p>"
        f'<table style="text-align: center"><tr>{shown}</tr><tr style="font-size: x-large">{under}</tr></table>'
        f"<p>A link opens a mail: send it as it is. The first answer until {_ends(hour)} counts.</p>"
        f'<p style="font-size: small"><a href="{escape(leave)}">No more such mails</a></p>'
    )
