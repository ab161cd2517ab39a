"""Mail servers on 127.0.0.1: a Dovecot without privileges, and an SMTP server that delivers into it."""

import contextlib
import getpass
import grp
import imaplib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from servers import free_port, until

PASSWORD = "a password, with a comma"
DOVECOT = shutil.which("dovecot") or shutil.which("/usr/sbin/dovecot")
needs_dovecot = pytest.mark.skipif(not DOVECOT, reason="runs where dovecot is installed (Debian: dovecot-imapd)")

SETTINGS = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_failure_delay = 0
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u
}}
"""


class Dovecot:
    """An IMAP server in which users have mailboxes; root starts it as nobody."""

    def __init__(self, *users):
        self.port, self.folder = free_port(), Path(tempfile.mkdtemp(prefix="dovecot"))
        account = pwd.getpwnam("nobody" if os.getuid() == 0 else getpass.getuser())
        (self.folder / "users").write_text("".join(f"{user}:{{PLAIN}}{PASSWORD}\n" for user in users))
        group = grp.getgrgid(account.pw_gid).gr_name
        settings = SETTINGS.format(folder=self.folder, port=self.port, user=account.pw_name, group=group)
        (self.folder / "conf").write_text(settings)
        if os.getuid() == 0:
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, account.pw_uid, account.pw_gid)
        as_whom = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
        self.process = subprocess.Popen([DOVECOT, "-F", "-c", self.folder / "conf"], **as_whom)
        until(self._answers)

    def _answers(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            return self.imap(None).logout()

    def imap(self, user):
        imap = imaplib.IMAP4("127.0.0.1", self.port, timeout=60)
        if user:
            imap.login(user, PASSWORD)
        return imap

    def append(self, user, mails, when=None):
        """Lay mails into a mailbox as if they had come at `when`, seconds since 1970."""
        imap = self.imap(user)
        for mail in mails:
            imap.append("INBOX", None, imaplib.Time2Internaldate(when or time.time()), mail)
        imap.logout()

    def mails(self, user) -> list[bytes]:
        imap = self.imap(user)
        imap.select("INBOX", readonly=True)
        numbers = imap.search(None, "ALL")[1][0].split()
        found = [imap.fetch(number, "(BODY.PEEK[])")[1][0][1] for number in numbers]
        imap.logout()
        return found

    def kill(self):
        """End it and every connection at once."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            child.kill()
        self.process.kill()
        self.process.wait(10)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


def smtp_server(handler, **options):
    """An SMTP server on a free port that asks for PASSWORD; skips where aiosmtpd is not installed."""
    controller = pytest.importorskip("aiosmtpd.controller", reason="runs where aiosmtpd is installed")
    from aiosmtpd.smtp import AuthResult

    def known(_server, _session, _envelope, _mechanism, given):
        return AuthResult(success=given.password == PASSWORD.encode(), handled=False)

    options = {"authenticator": known, "auth_required": True, "auth_require_tls": False} | options
    server = controller.Controller(handler, hostname="127.0.0.1", port=free_port(), **options)
    server.start()
    return server


class Keeps:
    """What an SMTP server got; `answers` come first, one for each mail, until there are no more."""

    def __init__(self, *answers):
        self.mails, self.answers = [], list(answers)

    async def handle_DATA(self, _server, _session, envelope):
        if self.answers:
            return self.answers.pop(0)
        self.mails.append((envelope.rcpt_tos, envelope.original_content))
        return "250 taken"


class Delivers:
    """Delivers into a Dovecot's mailboxes: to anna@x and anna+more@x is to anna."""

    def __init__(self, dovecot):
        self.dovecot = dovecot

    async def handle_DATA(self, _server, _session, envelope):
        for address in envelope.rcpt_tos:
            self.dovecot.append(address.split("@")[0].split("+")[0], [envelope.original_content])
        return "250 delivered"
