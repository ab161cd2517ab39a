"""Titles in Drive, which may be anything and come twice, and names of files here, which may not."""

import hashlib
import re
import unicodedata

LONGEST = 180  # bytes of a name: file systems take 255, and names beside one are longer
UNSAFE = re.compile(
    r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]'  # the latter turn text around
    r"|^[.~]|[. ]\Z|%(?=[0-9A-F]{2})"
)
DEVICE = re.compile(r"(?i)^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?= *(?:\.|\Z))")  # Windows keeps these
ACCENT = re.compile(r"(?<=%[0-9A-F]{2})[\u0300-\u036f]+")  # would be composed with the last digit of what was escaped
ESCAPED = re.compile(r"(?:%[0-9A-F]{2})+")


def encode(title) -> str:
    """The name that a title has here: its Unicode is composed (NFC), what no file name may hold becomes %XX."""
    name = UNSAFE.sub(lambda match: _escape(match[0]), unicodedata.normalize("NFC", title))
    name = ACCENT.sub(lambda match: _escape(match[0]), name)
    return DEVICE.sub(lambda match: _escape(match[0][0]) + match[0][1:], name)


def decode(name) -> str:
    """The title that a name stands for; itself where `encode` would not have made it."""
    try:
        title = ESCAPED.sub(_unescape, name)
    except UnicodeDecodeError:
        return name
    return title if encode(title) == name else name


def _escape(text):
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def _unescape(match):
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "surrogatepass")


def folded(name) -> str:
    """Names that are equal so are one file on a disk that knows no capitals."""
    return unicodedata.normalize("NFC", name.casefold())


def tagged(name, tag) -> str:
    """`stem-tag.suffix`, cut to a length that every disk takes."""
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix.encode()) > 16:
        stem, dot, suffix = name, "", ""
    room = LONGEST - len(f"-{tag}{dot}{suffix}".encode())
    stem = stem.encode("utf-8", "surrogatepass")[:room].decode("utf-8", "ignore").rstrip(". ")
    return f"{stem}-{tag}{dot}{suffix}"


def name_all(siblings, known) -> dict[str, str]:
    """One safe name, different from all others, for each file and folder of a folder in Drive.

    The eldest of equal titles keeps the plain name; the others, and titles too long for a disk, get a tag.

    Args:
        siblings: (id, title, time of creation) of each.
        known: id -> (title, name) as they were before; a file whose title has not changed keeps its name.
    Returns: id -> name.
    """
    found, taken = {}, set()
    siblings = sorted(siblings, key=lambda one: (one[2], one[0]))
    for key, title, _ in siblings:
        before, name = known.get(key, (None, ""))
        if before == title and folded(name) not in taken:
            found[key] = name
            taken.add(folded(name))
    for key, title, _ in siblings:
        if key not in found:
            found[key] = next(name for name in _candidates(key, title) if folded(name) not in taken)
            taken.add(folded(found[key]))
    return found


def _candidates(key, title):
    """Names for a title, the best first."""
    plain = encode(title)
    if plain and len(plain.encode()) <= LONGEST:
        yield plain
    elif plain:
        yield tagged(plain, digest(title))
    for length in (8, 16, 64):
        yield tagged(plain or "untitled", digest(key, length))


def digest(text, length=8) -> str:
    """The beginning of a text's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]
