"""What is known of reviews, in one SQLite file of the user's own: who was asked what, and who answered.

It holds addresses, the keys that sign answers and what the blinded sheets show, and so lies outside `runs/`.
"""

import contextlib
import os
import sqlite3
from dataclasses import dataclass, field

from rcgan_nb import paths

TABLES = """
CREATE TABLE IF NOT EXISTS review(
    name TEXT PRIMARY KEY, question TEXT, runs TEXT, key BLOB, per_item INT, days INT);
CREATE TABLE IF NOT EXISTS sheet(id TEXT PRIMARY KEY, review TEXT, run TEXT);
CREATE TABLE IF NOT EXISTS item(review TEXT, id INT, first TEXT, second TEXT, PRIMARY KEY(review, id));
CREATE TABLE IF NOT EXISTS task(
    number INTEGER PRIMARY KEY AUTOINCREMENT, review TEXT, item INT, reviewer TEXT, address TEXT, swapped INT,
    sent REAL, answer INT, answered REAL, UNIQUE(review, item, reviewer));
CREATE TABLE IF NOT EXISTS aside(review TEXT, time REAL, sender TEXT, subject TEXT, start TEXT, reason TEXT);
CREATE TABLE IF NOT EXISTS seen(source TEXT PRIMARY KEY, upto INT);
CREATE TABLE IF NOT EXISTS gone(address TEXT PRIMARY KEY, time REAL);
"""
# sheet.run is '' for real series. item.second is NULL where one sheet is rated. task.answer is 1 or 2 for the item's
# first or second sheet, or a rating; swapped: the mail shows the second sheet on the left. seen: numbers of mails in a
# mailbox, or bytes of a file, up to which answers were taken. gone: who wants no more mails.


@dataclass(frozen=True)
class Review:
    """A review as it was begun: its question, the runs it compares, and the key that signs its answers."""

    name: str
    question: str
    runs: str
    key: bytes = field(repr=False)
    per_item: int
    days: int

    @property
    def path(self):
        """What reviewers with an account on this machine see: `review.json`, `sheets/`, and their `answers/`."""
        return folder(self.name)

    @property
    def answers(self) -> tuple[int, ...]:
        return (1, 2) if self.question == "pair" else (1, 2, 3, 4, 5)


def folder(name):
    """Folder of a review under `runs/`: without addresses, and without a word on which sheet is whose."""
    return paths.inside(paths.runs() / "reviews", name)


@contextlib.contextmanager
def opened():
    """The file, made where it is missing, readable for its owner alone; what was not committed is forgotten."""
    paths.personal().mkdir(parents=True, exist_ok=True, mode=0o700)
    path = paths.personal() / "reviews.sqlite"
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(path, timeout=60)
    db.row_factory = sqlite3.Row
    try:
        db.executescript(TABLES)
        yield db
    except sqlite3.DatabaseError as error:
        raise OSError(
            f"{path} cannot be used ({error}); was it written by another program, or is it locked?"
        ) from error
    finally:
        db.close()


def find(db, name) -> Review | None:
    row = db.execute("SELECT * FROM review WHERE name = ?", (name,)).fetchone()
    return Review(**row) if row else None


def known(db, name) -> Review:
    """The review of that name.

    Raises: ValueError: there is none.
    """
    names = [row["name"] for row in db.execute("SELECT name FROM review ORDER BY name")]
    if name not in names:
        raise ValueError(f"there is no review {name!r}; known: {', '.join(names) or 'none'}.")
    return find(db, name)


def advance(db, source, upto) -> bool:
    """Note that answers of a source were taken up to here; False when another process has done so already."""
    db.execute("INSERT OR IGNORE INTO seen VALUES (?, 0)", (source,))
    return db.execute("UPDATE seen SET upto = ? WHERE source = ? AND upto < ?", (upto, source, upto)).rowcount == 1


def taken(db, source) -> int:
    row = db.execute("SELECT upto FROM seen WHERE source = ?", (source,)).fetchone()
    return row["upto"] if row else 0


def count(db, number, answer, when) -> bool:
    """Count an answer to a task; False when it has one: the first holds."""
    words = "UPDATE task SET answer = ?, answered = ? WHERE number = ? AND answer IS NULL"
    return db.execute(words, (answer, when, number)).rowcount == 1


def aside(db, review, when, sender, subject, start, reason):
    db.execute(
        "INSERT INTO aside VALUES (?, ?, ?, ?, ?, ?)", (review, when, sender, subject[:300], start[:300], reason)
    )
