"""A Jupyter server on this machine that a page of Colab may use: on loopback only, behind a token made for it alone."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

COLAB = "https://colab.research.google.com"
PATIENCE = 60  # seconds until the server has to answer


@contextlib.contextmanager
def server(port=8888):
    """A running, checked server that takes pages of Colab's origin and no others; ends with all its kernels.

    Nothing of the user's own Jupyter settings is read, they could open what is closed here, and nothing with the token
    in it stays on disk. Kernels begin in the current folder.

    Yields: address with the token, and the process.
    Raises: ValueError: the port is taken, or the server is not as closed as it should be.
    """
    token = secrets.token_hex(32)
    with tempfile.TemporaryDirectory(prefix="rcgan-link-") as folder:  # mode 0700
        with open(Path(folder) / "log.txt", "wb") as log:
            process = subprocess.Popen(
                _command(port), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=os.environ | _environment(folder, token),
            )  # fmt: skip
        try:
            _wait(process, port, token, Path(folder) / "log.txt")
            require_closed(process.pid, port, token)
            yield f"http://localhost:{port}/?token={token}", process
        finally:
            _end(process)


def _command(port) -> list[str]:
    """Flags as research.google.com/colaboratory/local-runtimes.html asks; the token is none of them: `ps` shows all."""
    flags = {
        "ip": "127.0.0.1",
        "port": port,
        "port_retries": 0,
        "allow_origin": COLAB,
        "allow_credentials": True,
        "open_browser": False,
        "terminals_enabled": False,
    }
    # As root Jupyter asks to be told that this is meant; it is not a matter of who may come in.
    flags |= {"allow_root": True} if os.geteuid() == 0 else {}
    return [
        sys.executable,
        "-m",
        "jupyter",
        "server",
        *(f"--ServerApp.{name}={value}" for name, value in flags.items()),
    ]


def _environment(folder, token) -> dict:
    places = {f"JUPYTER_{kind}_DIR": f"{folder}/{kind.lower()}" for kind in ("CONFIG", "RUNTIME")}
    return places | {"JUPYTER_NO_CONFIG": "1", "JUPYTER_TOKEN": token}


def _wait(process, port, token, log):
    """Until the server answers.

    Raises: ValueError: it ended, or is silent.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            said = log.read_text(errors="replace").strip().splitlines()
            if any("not available" in line or "already in use" in line for line in said):
                raise ValueError(f"port {port} is taken on this machine; give another one, as in --port {port + 1}.")
            raise ValueError(f"the Jupyter server ended with {process.returncode}: {said[-1] if said else 'no word'}")
        with contextlib.suppress(OSError):
            if ask(port, token)[0] == 200:
                return
        time.sleep(0.1)
    raise ValueError(f"the Jupyter server did not answer within {PATIENCE} seconds; try again.")


def ask(port, token="", origin=COLAB) -> tuple[int, dict]:
    """Status and headers of what the server answers a page of this origin that asks for its kernels."""
    headers = {"Origin": origin} | ({"Authorization": f"token {token}"} if token else {})
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/kernels", headers=headers)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=10) as answer:
            return answer.status, dict(answer.headers)
    except urllib.error.HTTPError as answer:
        return answer.code, dict(answer.headers)


def require_closed(pid, port, token):
    """Check a server from outside: Colab's page may read, other pages may not, no token no entry, loopback alone.

    Raises: ValueError: says what is open.
    """
    status, headers = ask(port, token)
    allowed = headers.get("Access-Control-Allow-Origin"), headers.get("Access-Control-Allow-Credentials")
    tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    sockets = [c for p in tree for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    wrong = {
        f"with the token it answers {status}, not 200": status != 200,
        f"it lets pages of {allowed[0]} read, not of {COLAB}": allowed != (COLAB, "true"),
        "it lets any page read": ask(port, token, "https://example.org")[1].get("Access-Control-Allow-Origin")
        not in (COLAB, None),
        "it lets in whoever has no token": ask(port)[0] != 403,
        "it lets in whoever has a wrong token": ask(port, token[::-1])[0] != 403,
        "it listens beyond 127.0.0.1": {c.laddr.ip for c in sockets} != {"127.0.0.1"},
    }
    found = [what for what, is_so in wrong.items() if is_so]
    if found:
        raise ValueError(f"the Jupyter server is not as it should be, and was ended: {'; '.join(found)}.")


def _end(process):
    """End the server; it ends its kernels itself. What does not end in time is killed, kernels included."""
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
        kernels = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
        for left in kernels:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()
    process.kill()
    process.wait()
