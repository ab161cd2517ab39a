"""A thousand replies through a real mailbox, and what single ones say."""

import base64
import email
import random
import signal
import subprocess
import sys
import time
from email import policy

import pytest
from mail_servers import PASSWORD, Dovecot, needs_dovecot
from review_made import links, people, reply, runs

from rcgan_nb import mail, review
from rcgan_nb.review import ReviewConfig, store, tokens

REVIEWERS = {f"reviewer{k}": f"reviewer{k}@lab.example" for k in range(20)}


def raw(sender, to, subject, kind, body, *more) -> bytes:
    """A mail from bytes, as no library of ours would write it."""
    head = [f"From: {sender}", f"To: {to}", f"Subject: {subject}", f"Content-Type: {kind}", "MIME-Version: 1.0", *more]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


# How programs answer: (sender, address and subject of the link, those of the mail itself, the answer) -> bytes.
VALID = {
    "a click": lambda who, link, own, n: reply(who, *link),
    "a name and a remark": lambda who, link, own, n: reply(f'"Köhler, Anna" <{who}>', *link, "Danke, schöne Bilder!"),
    "number and quotation": lambda who, link, own, n: reply(who, own[0], f"Re: {own[1]}", f"{n}\n\n> Which one?\n> 1"),
    "below a quotation": lambda who, link, own, n: reply(
        who, own[0], f"AW: RE: {own[1]}", f"> Which one?\n\n *{n}*.\n"
    ),
    "page alone": lambda who, link, own, n: raw(
        who,
        own[0],
        own[1],
        "text/html",
        f"<head><style>p {{x: 1}}</style></head><p>&nbsp;<b>{n}</b></p><p>yes</p>".encode(),
    ),
    "quoted-printable": lambda who, link, own, n: raw(
        who,
        own[0],
        own[1],
        "text/plain; charset=utf-8",
        f"=3{n}=20=0D=0Agr=C3=BC=C3=9Fe=\r\n".encode(),
        "Content-Transfer-Encoding: quoted-printable",
    ),
    "8 bit": lambda who, link, own, n: raw(
        who, own[0], f"\xc4ntw. {own[1]}", "text/plain; charset=iso-8859-1", f"{n}\r\ngrüße".encode("latin-1")
    ),
    "base64": lambda who, link, own, n: raw(
        who, own[0], own[1], "text/plain", base64.b64encode(f"{n}\r\n".encode()), "Content-Transfer-Encoding: base64"
    ),
    "encoded subject": lambda who, link, own, n: raw(
        who, "rcgan@lab.example", f"=?utf-8?B?{base64.b64encode(link[1].encode()).decode()}?=", "text/plain", b"ok"
    ),
    "folded subject": lambda who, link, own, n: raw(
        who, "rcgan@lab.example", f"Re:\r\n {link[1].replace(' ', chr(13) + chr(10) + ' ', 1)}", "text/plain", b""
    ),
    "subject lost": lambda who, link, own, n: reply(who, link[0].upper(), "Antwort"),
    "address lost": lambda who, link, own, n: reply(who, "rcgan@lab.example", link[1].upper()),
    "Chinese": lambda who, link, own, n: reply(who, own[0], f"答复: {own[1]}", f"{'０１２'[n]}\n谢谢"),
    "Arabic": lambda who, link, own, n: reply(who, own[0], f"رد: {own[1]}", f"{'٠١٢'[n]}\nشكرا"),
    "unknown charset": lambda who, link, own, n: raw(who, own[0], own[1], "text/plain; charset=x-none", b"%d\r\n" % n),
    "5 MB": lambda who, link, own, n: raw(
        who,
        own[0],
        own[1],
        'multipart/mixed; boundary="b"',
        b"--b\r\nContent-Type: text/plain\r\n\r\n%d\r\n--b\r\nContent-Type: image/png\r\n\r\n" % n + b"x" * 5_000_000,
    ),
}


def forged(text):
    """The same token with one letter of its signature changed."""
    at = text.rindex(".", 0, text.index("@") if "@" in text else len(text)) + 5
    return text[:at] + ("a" if text[at] != "a" else "b") + text[at + 1 :]


def expired(text):
    """The same token as it would be had it held until an hour ago."""
    (token,) = tokens.found(text)
    with store.opened() as db:
        task = db.execute("SELECT * FROM task WHERE number = ?", (token.task,)).fetchone()
        key = store.find(db, task["review"]).key
    return f"[{tokens.sign(key, task, token.slot, int(time.time()) // 3600)}]"


# What must not count: name of the verdict -> (sender, link, own, somebody else, chance) -> bytes; of an open question.
INVALID = {
    "forged": lambda who, link, own, other, chance: reply(who, forged(link[0]), forged(link[1])),
    "late": lambda who, link, own, other, chance: reply(who, "rcgan@lab.example", expired(link[1])),
    "wrong reviewer": lambda who, link, own, other, chance: reply(other, *link),
    "automatic": lambda who, link, own, other, chance: reply(who, own[0], own[1], "1", Auto_Submitted="auto-replied"),
    "garbled": lambda who, link, own, other, chance: chance.choice(
        [
            reply(who, own[0], own[1], "I cannot tell, the first 1 perhaps"),
            reply(who, own[0], own[1], "3"),
            reply(who, own[0], own[1], "1 2"),
            reply(who, "rcgan@lab.example", own[1][: own[1].index(".") + 9]),
            raw(
                who, "rcgan@lab.example", "rcgan- =?x?Q?=FF?= =?utf-8?B?a?=", "text/html; charset=\xff", b"<![x[<p>" * 9
            ),
            raw(who, own[0], own[1], "multipart/mixed", chance.randbytes(3000)),
        ]
    ),
}


@pytest.fixture
def asked(monkeypatch):
    """A review of 300 questions that went out, and the mailbox that replies come to: mails by number of the task."""
    runs("one", "two", "three", "four", "five")
    people(**REVIEWERS)
    dovecot = Dovecot("rcgan")
    monkeypatch.setenv("RCGAN_SMTP_URL", "smtp://rcgan@127.0.0.1:9")
    monkeypatch.setenv("RCGAN_MAIL_FROM", "rcgan@lab.example")
    monkeypatch.setenv("RCGAN_IMAP_URL", f"imap://rcgan@127.0.0.1:{dovecot.port}")
    monkeypatch.setenv("RCGAN_IMAP_PASSWORD", PASSWORD)
    monkeypatch.setattr(mail, "check", lambda: None)
    monkeypatch.setattr(mail, "deliver", lambda: 0)
    review.send(ReviewConfig(runs="*", per_item=20, cap=100), progress=lambda text: None)
    yield dovecot, {int(path.stem.split("-")[1]): path.read_bytes() for path in mail.waiting()}
    dovecot.stop()


def collecting():
    return subprocess.Popen([sys.executable, "-c", "from rcgan_nb import review; review.collect()"])


def counted() -> dict[int, int]:
    """Answers that were counted, as their mails showed them: number of the task -> 1 for left, 2 for right."""
    with store.opened() as db:
        rows = db.execute("SELECT number, answer, swapped FROM task WHERE answer IS NOT NULL").fetchall()
        return {row["number"]: 3 - row["answer"] if row["swapped"] else row["answer"] for row in rows}


@needs_dovecot
def test_of_a_thousand_replies_every_valid_one_counts_once_and_no_other(asked):
    dovecot, mails = asked
    chance, numbers = random.Random(6), sorted(mails)
    assert len(numbers) == 300
    chance.shuffle(numbers)
    box, expected = [], {}
    for k, number in enumerate(numbers):
        message = email.message_from_bytes(mails[number], policy=policy.default)
        who, own, found = message["To"], (message["Reply-To"], message["Subject"]), links(mails[number])
        answer = chance.choice((1, 2))
        link = found["the left one" if answer == 1 else "the right one"]
        if k < 200:
            kinds = [kind for kind in VALID if kind != "5 MB" or k < 3 * len(VALID)]
            valid = VALID[kinds[k % len(kinds)]](who, link, own, answer)
            expected[number] = answer
            again = [reply(who, *found[name]) for name in ("the left one", "the right one")]
            box += [valid, *again[: 1 + (k < 100)]]  # who answers again is not heard
        else:
            for make in INVALID.values():
                other = chance.choice([one for one in REVIEWERS.values() if one != who])
                box.append(make(who, link, own, other, chance))
    assert len(box) == 1000
    dovecot.append("rcgan", box)

    first = collecting()  # is killed amid its work, and two go on at once
    while first.poll() is None and not counted():
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    before = len(counted())
    assert 0 < before < 200
    assert [process.wait(120) for process in (collecting(), collecting())] == [0, 0]
    assert counted() == expected
    aside = review.report("review").aside
    assert aside == {"doubled": 300} | dict.fromkeys(INVALID, 100)
