"""A PostgreSQL server on 127.0.0.1 that asks for a password, made for a test and gone after it."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

PASSWORD = "p@ss:word/"
DEBIAN = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)), None)
INITDB = DEBIAN or shutil.which("initdb")


def _driver():
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return False
    return True


needs_postgres = pytest.mark.skipif(
    not (INITDB and _driver()), reason="runs where PostgreSQL (Debian: postgresql) and psycopg are installed"
)


@contextlib.contextmanager
def postgres():
    """URL of an empty database, without the password; the server does not run as root, which it refuses."""
    nobody = {"user": "nobody"} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="pg") as folder, socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        s.close()
        secret = Path(folder) / "secret"
        secret.write_text(PASSWORD)
        if nobody:
            for path in (Path(folder), secret):
                shutil.chown(path, "nobody")
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder, **nobody}
        make = ["-D", f"{folder}/db", "-U", "me", "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync"]
        subprocess.run([INITDB, *make], **quiet)
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        control = [Path(INITDB).with_name("pg_ctl"), "-D", f"{folder}/db", "-w", "-l", f"{folder}/log"]
        subprocess.run([*control, "-o", options, "start"], **quiet)
        try:
            yield f"postgresql+psycopg://me@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
