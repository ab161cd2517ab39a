"""Tokens that tell whose answer to what a reply is: signed, for one answer, until a time.

In a link a token stands for one answer; in the subject and return address of the mail itself for any, which the first
line of the reply then gives. Small letters, digits, dots and a hyphen come unharmed through subjects and addresses.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

ANY, LEAVE = "0", "x"  # instead of an answer: what the reply says; no more mails
SHAPE = re.compile(r"rcgan-(\d{1,9})\.([0-9x])\.(\d{1,7})\.([a-z2-7]{26})(?![a-z0-9])")


@dataclass(frozen=True)
class Token:
    """What a token says: the number of a task, an answer, the hour since 1970 up to which it holds, its signature."""

    task: int
    slot: str
    hour: int
    signature: str

    def __str__(self):
        return f"rcgan-{self.task}.{self.slot}.{self.hour}.{self.signature}"


def sign(key, task, slot, hour) -> Token:
    """A token for a task (a row of the store) and one of its answers."""
    words = ":".join(("1", task["review"], str(task["item"]), task["reviewer"], str(slot), str(hour)))
    digest = hmac.new(key, words.encode(), hashlib.sha256).digest()
    signature = base64.b32encode(digest[:16]).decode().rstrip("=").lower()  # 128 bits, RFC 2104 asks for 80 at least
    return Token(task["number"], str(slot), hour, signature)


def holds(token, key, task) -> bool:
    return hmac.compare_digest(token.signature, sign(key, task, token.slot, token.hour).signature)


def found(text) -> list[Token]:
    """All tokens in a text, whether signed by us or not."""
    shapes = SHAPE.findall(text.lower())
    return [Token(int(task), slot, int(hour), signature) for task, slot, hour, signature in dict.fromkeys(shapes)]
