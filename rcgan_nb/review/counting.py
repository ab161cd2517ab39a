"""Answers come in, from a mailbox and from accounts on this machine, and each is counted once."""

import json
import os
import stat
import time

from rcgan_nb import mail
from rcgan_nb.review import people, replies, store, tokens

AT_ONCE = 50  # replies that are read and noted together
MOST = 2**20  # bytes of a file of answers that are read at once


def collect(mailbox=True, progress=print) -> dict[str, int]:
    """Take answers from accounts on this machine and from the mailbox; what each came to, and how often.

    Args:
        mailbox: False leaves it for later.
    Raises: ValueError, MailError: the mailbox cannot be read; what came before is counted.
    """
    tally = {}
    with store.opened() as db:
        for row in db.execute("SELECT name FROM review").fetchall():
            _from_accounts(db, store.find(db, row["name"]), tally, progress)
        if mailbox:
            _from_mailbox(db, tally, progress)
    return tally


def _from_mailbox(db, tally, progress):
    with mail.inbox() as box:
        new = box.search("rcgan-", store.taken(db, box.name))
        for begin in range(0, len(new), AT_ONCE):
            received = [box.read(uid) for uid in new[begin : begin + AT_ONCE]]
            with db:  # a process that ends here counts nothing twice and loses nothing: it reads these again
                db.execute("BEGIN IMMEDIATE")
                for one in received:
                    if one and store.advance(db, box.name, one.uid):
                        _from_mail(db, one, tally)
            progress(f"{min(begin + AT_ONCE, len(new))}/{len(new)} replies read")


def _from_mail(db, received, tally):
    try:
        reply = replies.read(received.content)
    except Exception as error:  # strangers write what they like, and no mail may keep others from being read
        reply = replies.Reply("", f"not readable: {type(error).__name__}", [], "", False)
    review, verdict = _judge(db, reply, received.time)
    if verdict not in ("counted", "no more mails"):
        store.aside(db, review, received.time, reply.sender, reply.subject, reply.line, verdict)
    _add(tally, verdict)


def _add(tally, verdict):
    kind = verdict.split(":")[0]
    tally[kind] = tally.get(kind, 0) + 1


def _judge(db, reply, when):
    """Name of the review and 'counted', 'no more mails', or why a reply is not counted."""
    if not reply.tokens:
        return "", "garbled: no whole token in its subject or address"
    token, task, review = _signed(db, reply.tokens)
    if not token:
        return "", "forged: no token in it bears our signature"
    if reply.automatic:
        return review.name, "automatic: a program wrote it, as when somebody is away"
    if reply.sender not in _addresses(task):
        return review.name, f"wrong reviewer: it comes from {reply.sender}, and the question went to {task['address']}"
    if token.slot == tokens.LEAVE or (token.slot == tokens.ANY and reply.leaves()):
        db.execute("INSERT OR IGNORE INTO gone VALUES (?, ?)", (task["address"].lower(), when))
        return review.name, "no more mails"
    if when >= 3600 * token.hour:
        return review.name, "late: it came after the day up to which it could be answered"
    answer = reply.answer() if token.slot == tokens.ANY else int(token.slot)
    if answer not in review.answers:
        return review.name, f"garbled: its first line is {reply.line[:40]!r}, and no answer"
    if task["swapped"] and review.question == "pair":
        answer = 3 - answer
    counted = store.count(db, task["number"], answer, when)
    return review.name, "counted" if counted else "doubled: this question was answered before"


def _signed(db, found):
    """The first token that bears our signature, with its task and review; three None when none does."""
    for token in found:
        task = db.execute("SELECT * FROM task WHERE number = ?", (token.task,)).fetchone()
        review = store.find(db, task["review"]) if task and task["address"] else None
        if review and tokens.holds(token, review.key, task):
            return token, task, review
    return None, None, None


def _addresses(task) -> set[str]:
    own = people.reviewers().get(task["reviewer"])
    return {task["address"].lower(), *(address.lower() for address in (own.addresses if own else ()))}


def _from_accounts(db, review, tally, progress):
    """Answers that `rate` wrote: a file's owner is the reviewer, which nobody else can claim to be."""
    for path in sorted(review.path.glob("answers/*.jsonl")):
        facts, source = path.lstat(), str(path)
        if not stat.S_ISREG(facts.st_mode) or not os.access(path, os.R_OK):
            progress(f"left out: {path} cannot be read")
            continue
        begin = store.taken(db, source)
        with open(path, "rb") as file:
            file.seek(begin)
            lines = file.read(MOST).splitlines(keepends=True)
        for line in lines:
            begin += len(line)
            with db:
                db.execute("BEGIN IMMEDIATE")
                if line.endswith(b"\n") and store.advance(db, source, begin):
                    verdict = _rated(db, review, people.of_account(facts.st_uid), line)
                    _add(tally, verdict)


def _rated(db, review, reviewer, line) -> str:
    when = time.time()
    try:
        given = json.loads(line)
        item, answer = given["item"], given["answer"]
        known = {row["id"] for row in db.execute("SELECT id FROM item WHERE review = ?", (review.name,))}
        if type(item) is not int or item not in known or type(answer) is not int or answer not in review.answers:
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        verdict = "garbled: a line of answers that the notebook did not write"
    else:
        values = review.name, item, reviewer
        db.execute("INSERT OR IGNORE INTO task(review, item, reviewer) VALUES (?, ?, ?)", values)
        words = "SELECT number FROM task WHERE review = ? AND item = ? AND reviewer = ?"
        counted = store.count(db, db.execute(words, values).fetchone()["number"], answer, when)
        verdict = "counted" if counted else "doubled: this question was answered before"
    if verdict != "counted":
        store.aside(db, review.name, when, reviewer, "", line.decode(errors="replace"), verdict)
    return verdict
