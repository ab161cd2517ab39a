"""What a reply says, whatever program wrote it: its sender, the tokens it carries, its first line."""

import email
import re
import unicodedata
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header
from email.utils import parseaddr
from html.parser import HTMLParser

from rcgan_nb.review import tokens

TO = ("To", "Cc", "Delivered-To", "X-Original-To")


@dataclass(frozen=True)
class Reply:
    """A reply: the address it says it comes from, subject, tokens (subject before addresses), first line of text."""

    sender: str
    subject: str
    tokens: list
    line: str
    automatic: bool

    def answer(self) -> int | None:
        """The number that the first line is, in any script and with any marks around it."""
        digits = [c for c in unicodedata.normalize("NFKC", self.line) if c.isalnum()]
        return unicodedata.decimal(digits[0], None) if len(digits) == 1 else None

    def leaves(self) -> bool:
        return re.sub(r"\W", "", self.line).lower() in ("stop", "unsubscribe")


def read(content) -> Reply:
    """Read the bytes of a mail; what cannot be understood in it is left out."""
    message = email.message_from_bytes(content)
    subject = _header(message, "Subject")
    addresses = " ".join(_header(message, name) for name in TO)
    automatic = (_header(message, "Auto-Submitted").lower() or "no") != "no"
    sender = parseaddr(str(message.get("From", "")))[1].lower()  # not decoded: a name may hold a comma
    return Reply(sender, subject, tokens.found(f"{subject} {addresses}"), _first_line(_text(message)), automatic)


def _header(message, name) -> str:
    """All headers of a name, decoded, on one line."""
    found = []
    for value in message.get_all(name, []):
        try:
            found += [_decoded(part, charset) for part, charset in decode_header(value)]
        except MessageError:  # base64 that is none
            found.append(str(value))
    return " ".join("".join(found).split())


def _decoded(part, charset) -> str:
    if isinstance(part, str):
        return part
    try:
        return part.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):  # an encoding that Python does not know
        return part.decode("utf-8", "replace")


def _text(message) -> str:
    """The text of the first part that is text; a page without its marks where there is no other."""
    parts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    for kind in ("plain", "html"):
        for part in parts:
            if part.get_content_subtype() == kind:
                text = _decoded(part.get_payload(decode=True) or b"", _charset(part))
                if text.strip():
                    return text if kind == "plain" else _without_marks(text)
    return ""


def _charset(part) -> str:
    try:
        return part.get_content_charset() or "utf-8"
    except (LookupError, ValueError):
        return "utf-8"


class _Words(HTMLParser):
    """Collects the text of a page, a line for each block."""

    def __init__(self):
        super().__init__()
        self.words, self.hidden = [], 0

    def handle_starttag(self, tag, attributes):
        self.hidden = 0 if tag == "body" else self.hidden + (tag in ("style", "script", "head", "blockquote"))
        self.words += ["\n"] if tag in ("br", "p", "div", "td", "li", "blockquote") else []

    def handle_endtag(self, tag):
        self.hidden -= tag in ("style", "script", "head", "blockquote") and self.hidden > 0
        self.words += ["\n"] if tag in ("p", "div", "td", "li") else []

    def handle_data(self, data):
        self.words += [] if self.hidden else [data]


def _without_marks(page) -> str:
    parser = _Words()
    try:
        parser.feed(page)
        parser.close()
    except AssertionError:  # html.parser meets marks that it does not expect
        pass
    return "".join(parser.words)


def _first_line(text) -> str:
    """The first line that says something and is not quoted from our own mail."""
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line and not line.startswith(">")), "")
