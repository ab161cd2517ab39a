"""Mail against real servers on this machine: what goes out, what waits, what is said when it cannot go."""

import email
import os
import signal
import ssl
import subprocess
import sys
import time
import types
from email import policy

import pytest
from mail_servers import PASSWORD, Delivers, Dovecot, Keeps, needs_dovecot, smtp_server
from runs_made import picture
from servers import free_port

from rcgan_nb import mail


@pytest.fixture
def smtp(monkeypatch):
    """A function that starts an SMTP server with this handler and options, and names it in the environment."""
    started = []

    def start(handler, **options):
        started.append(smtp_server(handler, **options))
        monkeypatch.setenv("RCGAN_SMTP_URL", f"smtp://runs@127.0.0.1:{started[-1].port}")
        monkeypatch.setenv("RCGAN_SMTP_PASSWORD", PASSWORD)
        monkeypatch.setenv("RCGAN_MAIL_FROM", "runs@lab.example")
        return handler

    yield start
    for server in started:
        server.stop()


def test_a_mail_goes_as_text_and_page_with_its_pictures(smtp, tmp_path):
    kept = smtp(Keeps())
    (tmp_path / "sheet.png").write_bytes(picture(3))
    mail.send("anna@lab.example", "Lauf\n„sieben“ endet", "1 < 2, größer\n", [tmp_path / "sheet.png", picture(7)])
    ((to, raw),) = kept.mails
    message = email.message_from_bytes(raw, policy=policy.default)
    assert to == ["anna@lab.example"] and raw.isascii()
    assert message["Subject"] == "Lauf „sieben“ endet" and message["From"] == "runs@lab.example"
    assert message.get_body(("plain",)).get_content().strip() == "1 < 2, größer"
    page = message.get_body(("html",)).get_content()
    assert "1 &lt; 2" in page and "cid:0" in page and "cid:1" in page
    shown = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert {part["Content-ID"]: part.get_content() for part in shown} == {"<0>": picture(3), "<1>": picture(7)}
    assert not mail.waiting() and os.uname().nodename not in raw.decode().split("\n\n")[0]


def test_what_cannot_go_waits_and_goes_later_once(smtp, monkeypatch):
    monkeypatch.setenv("RCGAN_SMTP_URL", f"smtp://runs@127.0.0.1:{free_port()}")
    monkeypatch.setenv("RCGAN_MAIL_FROM", "runs@lab.example")
    for subject in ("first", "second"):
        with pytest.raises(mail.MailError, match=r"cannot be used .* check RCGAN_SMTP_URL .* mails wait in"):
            mail.send("anna@lab.example", subject, "text")
    assert len(mail.waiting()) == 2 and all(path.stat().st_mode & 0o77 == 0 for path in mail.waiting())
    kept = smtp(Keeps())
    assert mail.deliver() == 0 and len(mail.waiting()) == 2  # not so soon after a try that failed
    os.utime(mail.outbox() / "failed", (0, 0))
    assert mail.deliver() == 2 and mail.deliver() == 0
    (mail.outbox() / "failed").touch()
    mail.queue(mail.compose("anna@lab.example", "third", "text"))
    assert mail.deliver() == 0
    mail.check()
    assert mail.deliver() == 1
    assert [email.message_from_bytes(raw)["Subject"] for _, raw in kept.mails] == ["first", "second", "third"]


def test_what_a_server_refuses_for_now_waits_and_for_good_is_kept(smtp):
    kept = smtp(Keeps("451 later", "554 never"))
    with pytest.raises(mail.MailError, match="a mail to anna@lab.example waits: the server said 451 later"):
        mail.send("anna@lab.example", "first", "text")
    with pytest.raises(mail.MailError, match="refused a mail to .* .554 never.; it is kept as"):
        mail.send("anna@lab.example", "second", "text")
    assert not mail.waiting()
    assert [email.message_from_bytes(raw)["Subject"] for _, raw in kept.mails] == ["second"]
    (refused,) = (mail.outbox() / "refused").glob("*.eml")
    assert email.message_from_bytes(refused.read_bytes())["Subject"] == "first"
    assert "never" in refused.with_suffix(".reason").read_text()


class Cuts(Keeps):
    """Takes a mail and breaks the connection before it says so."""

    async def handle_DATA(self, server, session, envelope):
        await super().handle_DATA(server, session, envelope)
        server.transport.abort()


def test_a_mail_that_may_have_gone_is_kept_and_does_not_go_twice(smtp):
    cut = smtp(Cuts())
    with pytest.raises(mail.MailError, match="was cut off while it went, and may have arrived; it is kept as"):
        mail.send("anna@lab.example", "first", "text")
    kept = smtp(Keeps())
    mail.send("anna@lab.example", "second", "text")
    assert len(cut.mails) == 1 and [email.message_from_bytes(m)["Subject"] for _, m in kept.mails] == ["second"]
    (unsure,) = (mail.outbox() / "unsure").iterdir()
    unsure.rename(mail.outbox() / unsure.name)
    assert mail.deliver() == 1 and len(kept.mails) == 2


class Slow(Keeps):
    async def handle_DATA(self, server, session, envelope):
        import asyncio

        await asyncio.sleep(0.05)
        return await super().handle_DATA(server, session, envelope)


def sending(code):
    return subprocess.Popen([sys.executable, "-c", f"from rcgan_nb import mail; {code}"], stderr=subprocess.PIPE)


def test_two_processes_send_each_mail_once(smtp):
    kept = smtp(Slow())
    for k in range(10):
        mail.queue(mail.compose("anna@lab.example", f"mail {k}", "text"))
    both = [sending("mail.deliver()") for _ in range(2)]
    assert [process.wait(30) for process in both] == [0, 0]
    assert sorted(email.message_from_bytes(m)["Subject"] for _, m in kept.mails) == [f"mail {k}" for k in range(10)]


class Kills(Keeps):
    """Takes the fifth mail and kills who sends before it can know."""

    async def handle_DATA(self, server, session, envelope):
        answer = await super().handle_DATA(server, session, envelope)
        if len(self.mails) == 5:
            self.process.kill()
            self.process.wait()
        return answer


def test_a_killed_process_loses_none_and_doubles_none(smtp):
    kept = smtp(Kills())
    for k in range(20):
        mail.queue(mail.compose("anna@lab.example", f"mail {k:02}", "text"))
    kept.process = sending("mail.deliver()")
    assert kept.process.wait(30) == -signal.SIGKILL
    with pytest.raises(mail.MailError, match="may have arrived"):
        mail.deliver()
    went = [email.message_from_bytes(m)["Subject"] for _, m in kept.mails]
    assert sorted(went) == [f"mail {k:02}" for k in range(20)]
    (unsure,) = mail.outbox().glob("unsure/*")
    assert email.message_from_bytes(unsure.read_bytes())["Subject"] == "mail 04" and not mail.waiting()


def test_a_wrong_password_is_said_without_it(smtp, monkeypatch):
    smtp(Keeps())
    for password in ("wrong", "gr\u00fcn"):
        monkeypatch.setenv("RCGAN_SMTP_PASSWORD", password)
        with pytest.raises(mail.MailError, match="refuses user 'runs' .*set RCGAN_SMTP_PASSWORD, or keep") as raised:
            mail.check()
        assert password not in str(raised.value) and not mail.waiting()


def test_no_password_goes_over_an_open_line(smtp, monkeypatch):
    smtp(Keeps())
    monkeypatch.setattr(mail, "_loopback", lambda host: False)  # as if it were another machine
    with pytest.raises(mail.MailError, match="STARTTLS extension not supported"):
        mail.check()


def test_tls_and_a_certificate_nobody_vouches_for(smtp, monkeypatch, tmp_path):
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=DNS:localhost", "-keyout", tmp_path / "key", "-out", tmp_path / "crt"]
    try:
        subprocess.run(made, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("runs where openssl can make a certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    monkeypatch.setattr(mail, "_loopback", lambda host: False)
    kept = smtp(Keeps(), tls_context=context, auth_require_tls=True)
    monkeypatch.setenv("RCGAN_SMTP_URL", os.environ["RCGAN_SMTP_URL"].replace("127.0.0.1", "localhost"))
    with pytest.raises(mail.MailError, match="certificate verify failed"):
        mail.check()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "crt"))
    mail.send("anna@lab.example", "over TLS", "text")
    assert len(kept.mails) == 1


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "RCGAN_SMTP_URL is ''; mail needs the server's address there, such as smtps://"),
        ("mail.example.org", "such as smtps://"),
        ("imaps://anna@mail.example.org", "such as smtps://"),
        ("smtps://mail.example.org:port", "such as smtps://"),
        ("smtps://anna:secret@mail.example.org", "carries a password; put that into RCGAN_SMTP_PASSWORD"),
        ("smtps://anna@mail.example.org", "an address to come from, but 'anna' is none; set RCGAN_MAIL_FROM"),
    ],
)
def test_what_is_wrong_with_the_settings(monkeypatch, url, message):
    monkeypatch.setenv("RCGAN_SMTP_URL", url)
    monkeypatch.delenv("RCGAN_MAIL_FROM", raising=False)
    with pytest.raises(ValueError, match=message) as raised:
        mail.send("anna@lab.example", "subject", "text")
    assert "secret" not in str(raised.value) and not mail.waiting()


def test_without_a_server_nothing_is_kept_though_who_sends_is_known(monkeypatch):
    monkeypatch.delenv("RCGAN_SMTP_URL", raising=False)
    monkeypatch.setenv("RCGAN_MAIL_FROM", "runs@lab.example")
    with pytest.raises(ValueError, match="RCGAN_SMTP_URL is ''"):
        mail.send("anna@lab.example", "subject", "text")
    assert not mail.waiting()


@pytest.mark.parametrize(
    "address", ["anna", "anna@", "a@b, c@d", "x,a@b.c", "anna@lab.example\nBcc: all@x.y", "\u00e4@b.c"]
)
def test_an_address_that_is_none(smtp, address):
    smtp(Keeps())
    with pytest.raises(ValueError, match="is no mail address; give one such as"):
        mail.send(address, "subject", "text")


def test_user_port_and_password(monkeypatch):
    monkeypatch.setenv("RCGAN_SMTP_URL", "smtps://anna%40lab.example@mail.lab.example")
    monkeypatch.delenv("RCGAN_MAIL_FROM", raising=False)
    monkeypatch.delenv("RCGAN_SMTP_PASSWORD", raising=False)
    keyring = types.ModuleType("keyring")
    keyring.get_password = lambda service, user: f"{service} {user}"
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    found = mail.server("smtp")
    assert (found.user, found.port, mail.sender()) == ("anna@lab.example", 465, "anna@lab.example")
    assert found.password == "rcgan_nb smtps://anna%40lab.example@mail.lab.example"
    assert found.password not in repr(found)
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert mail.server("smtp").password == ""


@needs_dovecot
def test_mail_comes_in_and_the_mailbox_stays_as_it_was(smtp, monkeypatch):
    dovecot = Dovecot("runs")
    try:
        smtp(Delivers(dovecot))
        monkeypatch.setenv("RCGAN_IMAP_URL", f"imap://runs@127.0.0.1:{dovecot.port}")
        monkeypatch.setenv("RCGAN_IMAP_PASSWORD", "wrong")
        with pytest.raises(mail.MailError, match="refuses user 'runs' .*set RCGAN_IMAP_PASSWORD"), mail.inbox():
            pass
        monkeypatch.setenv("RCGAN_IMAP_PASSWORD", PASSWORD)
        mail.send("runs+rcgan-1@lab.example", "by address", "text")
        mail.send("runs@lab.example", "nothing of ours", "text")
        mail.send("runs@lab.example", "by subject [rcgan-2] \u00e4", "x" * 3 * mail.MOST)
        with mail.inbox() as inbox:
            first, second = inbox.search("rcgan-")
            assert inbox.search("rcgan-", after=first) == [second] and inbox.search("rcgan-", after=second) == []
            read = [inbox.read(uid) for uid in (first, second)]
            assert inbox.read(99) is None
        assert all(abs(one.time - time.time()) < 60 for one in read)
        assert len(read[1].content) == mail.MOST and b"by address" in read[0].content
        imap = dovecot.imap("runs")
        imap.select("INBOX")
        assert imap.search(None, "UNSEEN")[1] == [b"1 2 3"]
        imap.logout()
    finally:
        dovecot.stop()
    with pytest.raises(mail.MailError, match="cannot be used .*check RCGAN_IMAP_URL"), mail.inbox():
        pass
