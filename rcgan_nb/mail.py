"""Mail: out over SMTP by way of an outbox, in over IMAP.

RCGAN_SMTP_URL and RCGAN_IMAP_URL name the servers, as in smtps://anna@mail.example.org and
imaps://anna@mail.example.org; smtp:// and imap:// change to TLS before the login, and go without it to this machine
alone. Passwords come from RCGAN_SMTP_PASSWORD and RCGAN_IMAP_PASSWORD, or the keyring (`keyring set rcgan_nb URL`).
RCGAN_MAIL_FROM is the address that mails come from and answers go to; without it, the user of RCGAN_SMTP_URL.
"""

import contextlib
import fcntl
import imaplib
import ipaddress
import os
import re
import smtplib
import ssl
import time
import uuid
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.utils import format_datetime, localtime, make_msgid
from html import escape
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rcgan_nb import paths

PORTS = {"smtps": 465, "smtp": 587, "imaps": 993, "imap": 143}
TIMEOUT = 20  # seconds without a word from a server
RETRY = 60  # seconds after a try that failed before `deliver` makes the next
MOST = 256 * 1024  # bytes of a mail that are read: an answer stands at its beginning
ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w.:[\]-]+", re.ASCII)  # RFC 5322 without quotes and comments
WIRE = policy.SMTP.clone(cte_type="7bit")  # every server takes it
EHLO = "[127.0.0.1]"  # the name of this machine is nobody's business, and asking for it may take seconds


class MailError(OSError):
    """A mail server cannot be reached, or refuses; what was to go out lies in the outbox."""


@dataclass(frozen=True)
class Server:
    """Where mail goes out or comes in."""

    url: str
    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)

    @property
    def variables(self) -> str:
        return f"RCGAN_{self.scheme[:4].upper()}"

    def no_login(self, reason) -> MailError:
        return MailError(
            f"the mail server {self.host} refuses user {self.user!r} ({reason}); set {self.variables}_PASSWORD, or "
            f"keep the password with: keyring set rcgan_nb {self.url}"
        )

    def no_answer(self, reason) -> MailError:
        return MailError(
            f"the mail server {self.host}:{self.port} cannot be used ({reason}); check {self.variables}_URL and "
            "whether the server runs."
        )


def server(kind) -> Server:
    """The server that the environment names for `kind`, smtp or imap.

    Raises: ValueError: no address, one that is none, or one that carries a password.
    """
    name = f"RCGAN_{kind.upper()}_URL"
    url = os.environ.get(name, "").rstrip("/")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.password is not None:
        raise ValueError(f"{name} carries a password; put that into RCGAN_{kind.upper()}_PASSWORD or the keyring.")
    if parts.scheme not in (kind, f"{kind}s") or not parts.hostname or parts.path or parts.query:
        raise ValueError(
            f"{name} is {url!r}; mail needs the server's address there, such as {kind}s://anna@mail.example.org, and "
            f"the password in RCGAN_{kind.upper()}_PASSWORD or the keyring."
        )
    user = unquote(parts.username or "")
    password = os.environ.get(f"RCGAN_{kind.upper()}_PASSWORD") or (_from_keyring(url) if user else "")
    return Server(url, parts.scheme, parts.hostname, port or PORTS[parts.scheme], user, password)


def _from_keyring(url) -> str:
    try:
        import keyring
    except ImportError:
        return ""
    return keyring.get_password("rcgan_nb", url) or ""


def sender() -> str:
    """The address that mails come from.

    Raises: ValueError: neither RCGAN_MAIL_FROM nor the user of RCGAN_SMTP_URL is one.
    """
    found = os.environ.get("RCGAN_MAIL_FROM") or server("smtp").user
    if not ADDRESS.fullmatch(found):
        raise ValueError(f"mails need an address to come from, but {found!r} is none; set RCGAN_MAIL_FROM.")
    return found


def send(to, subject, text, pictures=()):
    """Send a mail now, or keep it in the outbox for later. Nothing is lost, and nothing goes twice.

    Args:
        to: one address. subject: one line. text: plain. pictures: paths or bytes of PNG files, shown below the text.
    Raises:
        ValueError: no server is set, or an address is none; nothing was kept.
        MailError: the server cannot be reached or refuses; the mail is kept, and goes with the next one.
    """
    message = compose(to, subject, text, pictures)
    server("smtp")  # a mail for which there is none is not kept
    queue(message)
    _deliver()


def compose(to, subject, text, pictures=(), *, html="", reply_to="", headers=()) -> EmailMessage:
    """A mail as text and as a page.

    Args:
        html: the page, in which cid:0, cid:1 stand for the pictures; empty shows the text and all pictures below.
        headers: pairs of name and value.
    Raises: ValueError: an address is none.
    """
    if not ADDRESS.fullmatch(to):
        raise ValueError(f"{to!r} is no mail address; give one such as anna@example.org.")
    message, origin = EmailMessage(policy=WIRE), sender()
    message["From"], message["To"] = origin, to
    message["Subject"] = " ".join(subject.split())
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = make_msgid(domain=origin.split("@")[1])
    for name, value in [("Reply-To", reply_to), *headers]:
        if value:
            message[name] = value
    message.set_content(text)
    contents = [picture if isinstance(picture, bytes) else Path(picture).read_bytes() for picture in pictures]
    if contents or html:
        shown = "".join(f'<p><img src="cid:{k}"></p>' for k in range(len(contents)))
        message.add_alternative(html or f"<pre>{escape(text)}</pre>{shown}", subtype="html")
        page = message.get_payload()[1]
        for k, content in enumerate(contents):
            page.add_related(content, "image", "png", cid=f"<{k}>", filename=f"{k}.png", disposition="inline")
    return message


def outbox() -> Path:
    """Where mails wait; `refused` in it holds those that a server did not take, `unsure` those that may have gone."""
    return paths.personal() / "outbox"


def waiting() -> list[Path]:
    """Mails that have not gone yet, the oldest first."""
    return sorted(outbox().glob("*.eml"))


def queue(message, name="") -> Path:
    """Put a mail into the outbox; equal names are one mail."""
    outbox().mkdir(parents=True, exist_ok=True, mode=0o700)
    path = outbox() / f"{name or f'{time.time_ns():020d}-{uuid.uuid4().hex[:8]}'}.eml"
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(message.as_bytes())
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    return path


def deliver() -> int:
    """Send what waits, unless the last try failed less than RETRY seconds ago; returns how many went.

    Raises: ValueError: no server is set. MailError: see `send`.
    """
    failed = outbox() / "failed"
    if failed.exists() and 0 <= time.time() - failed.stat().st_mtime < RETRY:
        return 0
    return _deliver()


def check():
    """Log in to the SMTP server and out again; when that goes well, `deliver` waits no longer.

    Raises: ValueError, MailError: see `send`.
    """
    with _smtp():
        (outbox() / "failed").unlink(missing_ok=True)


def _deliver() -> int:
    if not outbox().is_dir():
        return 0
    with _locked():
        notes = [_unsure(path) for path in outbox().glob("*.sending")]  # its process ended: nobody else is here now
        went, found = 0, waiting()
        try:
            if found:
                with _smtp() as smtp:
                    for path in found:
                        note = _post(smtp, path)
                        went, notes = (went, [*notes, note]) if note else (went + 1, notes)
            (outbox() / "failed").unlink(missing_ok=True)
        except MailError as error:
            (outbox() / "failed").write_text(f"{error}\n")
            notes.append(f"{error} {len(waiting())} mails wait in {outbox()}.")
    if notes:
        raise MailError(" ".join(notes))
    return went


@contextlib.contextmanager
def _locked():
    with open(outbox() / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _post(smtp, path) -> str:
    """Send one mail and forget it; returns why it did not go, or nothing.

    Before its last line goes out it gets another name: a process that ends there, or a connection that breaks, leaves
    a mail of which nobody knows whether it went. It is kept and never sent by itself again.
    """
    content = path.read_bytes()
    head = BytesHeaderParser().parsebytes(content)
    sending = path.with_suffix(".sending")
    for step in (lambda: smtp.mail(head["From"].strip()), lambda: smtp.rcpt(head["To"].strip())):
        code, answer = step()
        if code >= 300:
            return _refused(smtp, path, head["To"], code, answer)
    path.rename(sending)
    try:
        code, answer = smtp.data(content)
    except smtplib.SMTPDataError as error:
        code, answer = error.smtp_code, error.smtp_error
    except OSError as error:
        raise MailError(f"{error or type(error).__name__}: {_unsure(sending)}") from None
    if code >= 300:
        sending.rename(path)
        return _refused(smtp, path, head["To"], code, answer)
    sending.unlink()
    return ""


def _refused(smtp, path, to, code, answer) -> str:
    """What a server did not take: for good (5xx), or for now."""
    smtp.rset()
    reason = f"{code} {answer.decode(errors='replace')}"
    if code < 500:
        return f"a mail to {to} waits: the server said {reason}."
    kept = _aside(path, "refused")
    kept.with_suffix(".reason").write_text(f"{reason}\n")
    return f"the server refused a mail to {to} ({reason}); it is kept as {kept}."


def _unsure(path) -> str:
    kept = _aside(path, "unsure")
    return (
        f"a mail was cut off while it went, and may have arrived; it is kept as {kept}, and goes again once it is "
        f"moved to {outbox()}."
    )


def _aside(path, name) -> Path:
    folder = outbox() / name
    folder.mkdir(exist_ok=True, mode=0o700)
    return path.rename(folder / f"{path.stem}.eml")


def _loopback(host) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextlib.contextmanager
def _smtp():
    """A connection, logged in; whatever goes wrong on it is a MailError."""
    where = server("smtp")
    options = {"local_hostname": EHLO, "timeout": TIMEOUT}
    try:
        if where.scheme == "smtps":
            smtp = smtplib.SMTP_SSL(where.host, where.port, context=ssl.create_default_context(), **options)
        else:
            smtp = smtplib.SMTP(where.host, where.port, **options)
    except OSError as error:
        raise where.no_answer(error) from None
    try:
        if where.scheme == "smtp" and not _loopback(where.host):
            smtp.starttls(context=ssl.create_default_context())
        if where.user:
            smtp.login(where.user, where.password)
        else:
            smtp.ehlo_or_helo_if_needed()
        yield smtp
    except MailError:
        raise
    except (smtplib.SMTPAuthenticationError, UnicodeEncodeError) as error:
        raise where.no_login(getattr(error, "smtp_code", "smtplib sends ASCII passwords only")) from None
    except OSError as error:
        raise where.no_answer(error) from None
    finally:
        with contextlib.suppress(OSError):
            smtp.quit()


@dataclass(frozen=True)
class Received:
    """A mail that came in: its number in the mailbox, when the server got it, and its first MOST bytes."""

    uid: int
    time: float
    content: bytes


class Inbox:
    """The INBOX of an IMAP server, opened for reading alone: nothing in it is marked, moved or deleted.

    Attributes:
        name: which mailbox this is; its mails keep their numbers as long as it keeps its name.
    """

    def __init__(self, imap, where):
        self.imap = imap
        code, answer = imap.select("INBOX", readonly=True)
        if code != "OK":
            raise where.no_answer(f"no INBOX: {answer[0].decode(errors='replace')}")
        self.name = f"{where.user}@{where.host}:{where.port} {imap.response('UIDVALIDITY')[1][0].decode()}"

    def search(self, word, after=0) -> list[int]:
        """Numbers greater than `after` of mails with the word in their subject or among those they are to."""
        quoted = f'"{word}"'
        _, found = self.imap.uid("SEARCH", "UID", f"{after + 1}:*", "OR", "SUBJECT", quoted, "TO", quoted)
        return sorted(uid for uid in map(int, (found[0] or b"").split()) if uid > after)  # n:* always has the last

    def read(self, uid) -> Received | None:
        """A mail; None when it has gone meanwhile."""
        _, found = self.imap.uid("FETCH", str(uid), f"(INTERNALDATE BODY.PEEK[]<0.{MOST}>)")
        for part in found:
            if isinstance(part, tuple):
                when = imaplib.Internaldate2tuple(part[0] + b" " + (found[-1] if isinstance(found[-1], bytes) else b""))
                return Received(uid, time.mktime(when) if when else time.time(), part[1])
        return None


@contextlib.contextmanager
def inbox():
    """The inbox of the server that RCGAN_IMAP_URL names.

    Raises: ValueError: no server is set. MailError: it cannot be reached, or refuses.
    """
    where = server("imap")
    context = ssl.create_default_context()
    try:
        if where.scheme == "imaps":
            imap = imaplib.IMAP4_SSL(where.host, where.port, ssl_context=context, timeout=TIMEOUT)
        else:
            imap = imaplib.IMAP4(where.host, where.port, timeout=TIMEOUT)
    except (OSError, imaplib.IMAP4.error) as error:
        raise where.no_answer(error) from None
    try:
        if where.scheme == "imap" and not _loopback(where.host):
            imap.starttls(ssl_context=context)
        _login(imap, where)
        yield Inbox(imap, where)
    except MailError:
        raise
    except (OSError, imaplib.IMAP4.error) as error:
        raise where.no_answer(error) from None
    finally:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            imap.logout()


def _login(imap, where):
    words = f"\0{where.user}\0{where.password}".encode()
    try:
        imap.authenticate("PLAIN", lambda _: words)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:
        raise where.no_login(error) from None
