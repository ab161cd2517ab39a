"""The engine `colab`: Google's own command makes the session, on a stand-in of its service before a real server.

What only Google's servers can show (their proxy, their limits, their sign-in) is not shown here.
"""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import papermill
import pytest
from runtime_servers import JupyterServer
from test_runtime_jupyter import failed, meanwhile, run, texts

CLI = "google-colab-cli==0.7.5"
COLAB = """import sys
import requests
from colab_cli import auto_update, client, common
common.Prod = lambda: client.Prod(domain={google!r}, api={google!r})
common.get_credentials = lambda *_, **__: requests.Session()
auto_update.run_background_check = lambda: None
from colab_cli.cli import main
main()
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A Python with google-colab-cli, in an environment of its own: RCGAN_TEST_COLAB_PYTHON, else made here."""
    if os.environ.get("RCGAN_TEST_COLAB_PYTHON"):
        return os.environ["RCGAN_TEST_COLAB_PYTHON"]
    folder = tmp_path_factory.mktemp("cli")
    python = folder / "bin" / "python"
    make = [[sys.executable, "-m", "venv", "--without-pip", str(folder)]]
    install = ["install", "-q", "--no-compile", "--ignore-requires-python", CLI]
    make += [[sys.executable, "-m", "pip", "--python", str(python), *install]]
    try:
        for command in make:
            subprocess.run(command, check=True, capture_output=True, timeout=180)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"runs where {CLI} can be installed: {getattr(error, 'stderr', None) or error}"[:300])
    return str(python)


class Google:
    """Colab's service: one VM, the tokens it gives for it, and a proxy that takes the last of them alone."""

    def __init__(self, server):
        self.port = int(server.url.rsplit(":", 1)[1])
        self.number, self.asked, self.heads, self.open = 0, [], [], []
        self.gate = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"google": self}))
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    @property
    def token(self):
        return f"token-{self.number}-of-the-vm"

    def give(self):
        self.number += 1
        url = f"http://127.0.0.1:{self.gate.getsockname()[1]}"
        return {"token": self.token, "tokenExpiresInSeconds": 3600, "url": url}

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._pass, args=(self.gate.accept()[0],), daemon=True).start()

    def _pass(self, near):
        head = near.recv(65536)
        self.heads.append(head.split(b"\r\n\r\n")[0].decode())
        lines = self.heads[-1].lower().splitlines()
        allowed = {f"x-colab-runtime-proxy-token: {self.token}", "x-colab-client-agent: colab-cli"} <= set(lines)
        if "/channels" in lines[0]:
            allowed &= f"colab-runtime-proxy-token={self.token}" in lines[0]
        if not allowed:
            near.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            near.close()
            return
        far = socket.create_connection(("127.0.0.1", self.port))
        far.sendall(head)
        self.open.append((near, far))
        threading.Thread(target=self._pump, args=(far, near), daemon=True).start()
        self._pump(near, far)

    def _pump(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        self.shut((source, sink))

    def shut(self, pair):
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def expire(self, home):
        """End the token: the proxy takes it no more, and the file of `colab` says so."""
        self.number += 1
        path = home / ".config" / "colab-cli" / "sessions.json"
        sessions = json.loads(path.read_text())
        for session in sessions.values():
            session["token_expires_at"] = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        path.write_text(json.dumps(sessions))
        for pair in self.open:
            self.shut(pair)


class Handler(BaseHTTPRequestHandler):
    """The part of Colab's service that its command speaks to."""

    def log_message(self, *_):
        pass

    def answer(self, body):
        body = (")]}'\n" + json.dumps(body)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.google.asked.append(f"GET {self.path.split('?')[0]}")
        vm = {"accelerator": "NONE", "endpoint": "vm-1", "variant": 0, "machineShape": 0}
        if "/assignments" in self.path:
            self.answer({"assignments": [vm | {"runtimeProxyInfo": self.google.give()}]})
        elif "/assign" in self.path:
            self.answer({"acc": "NONE", "nbh": "x", "token": "xsrf", "variant": "DEFAULT"})
        else:
            self.answer({"token": "xsrf"})

    def do_POST(self):
        self.google.asked.append(f"POST {self.path.split('?')[0]}")
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        assert self.headers["X-Goog-Colab-Token"] == "xsrf"
        vm = {"accelerator": "NONE", "endpoint": "vm-1", "variant": 0}
        self.answer(vm | {"runtimeProxyInfo": self.google.give()} if "/assign" in self.path else {})


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = JupyterServer(tmp_path_factory.mktemp("vm"), "--ServerApp.disable_check_xsrf=True", token="")
    yield server
    server.stop()


@pytest.fixture
def google(server):
    google = Google(server)
    yield google
    google.http.shutdown()
    google.gate.close()
    assert server.kernels() == []


@pytest.fixture
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return home


@pytest.fixture
def colab(python, google, home, tmp_path):
    """`colab ...`, the real command with the stand-in for Google."""
    command = tmp_path / "bin" / "colab"
    command.parent.mkdir()
    command.write_text(f"#!{python}\n{COLAB.format(google=google.url)}")
    command.chmod(0o755)

    def colab(*words):
        done = subprocess.run([command, *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return colab


def test_a_notebook_runs_on_the_vm_with_tokens_renewed_and_results_brought_home(
    server, google, colab, home, tmp_path, runs, caplog
):
    caplog.set_level("DEBUG")
    colab("new", "-s", "mine")
    folder, sign = server.runs / "on-vm", tmp_path / "works"
    write = f"import pathlib\nfolder = pathlib.Path({str(folder)!r})\nfolder.mkdir(parents=True)\n"
    write += "(folder / 'config.json').write_text('{}')"
    slow = f"import time\npathlib.Path({str(sign)!r}).touch()\ntime.sleep(0.5)\n"
    slow += "for i in range(30):\n    print(i, flush=True)\n"
    with meanwhile(sign, lambda: google.expire(home)):
        book = run(
            tmp_path, write, slow + "    time.sleep(0.1)", "print('n is', n)", engine="colab", parameters={"n": 6}
        )
    assert texts(book) == "".join(f"{i}\n" for i in range(30)) + "n is 6\n"
    assert (runs / "on-vm" / "config.json").exists()
    assert "is there again" in caplog.text and google.asked.count("GET /tun/m/assignments") == 1
    assert not any("sec-websocket-protocol" in head.lower() for head in google.heads)
    for text in (caplog.text, (tmp_path / "out.ipynb").read_text()):
        assert not re.search(r"token-\d-of-the-vm", text)

    google.expire(home)
    assert texts(run(tmp_path, "print('an hour later')", engine="colab")) == "an hour later\n"
    assert google.asked.count("GET /tun/m/assignments") == 2

    assert "terminated" in colab("stop", "-s", "mine") and google.asked[-1] == "POST /tun/m/unassign/vm-1"
    with pytest.raises(OSError, match="there is no Colab session; make one with `colab new`"):
        run(tmp_path, "print('never')", engine="colab")
    assert "there is no Colab session" in failed(tmp_path)


def known(home, **sessions):
    path = home / ".config" / "colab-cli" / "sessions.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({name: {"url": "http://127.0.0.1:9", "token": "t", **s} for name, s in sessions.items()})
    )


def ending(seconds):
    return {"token_expires_at": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()}


def test_a_token_that_nobody_renews(home, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("PATH", str(tmp_path))
    known(home, mine=ending(-5))
    with pytest.raises(OSError, match="the token of Colab session 'mine' has expired; run `colab sessions`"):
        run(tmp_path, "1", engine="colab")
    assert "is not on the PATH" in caplog.text
    command = tmp_path / "colab"
    command.write_text("#!/bin/sh\nexit 3\n")
    command.chmod(0o755)
    with pytest.raises(OSError, match="has expired"):
        run(tmp_path, "1", engine="colab")
    assert "`colab sessions` did not renew the token of mine (3)." in caplog.text


def test_which_session(home, tmp_path, monkeypatch):
    known(home, one=ending(3600), two=ending(3600))
    with pytest.raises(OSError, match="there are several Colab sessions; set RCGAN_COLAB_SESSION to one of one, two"):
        run(tmp_path, "1", engine="colab")
    monkeypatch.setenv("RCGAN_COLAB_SESSION", "three")
    with pytest.raises(OSError, match="there is no session 'three'; set RCGAN_COLAB_SESSION to one of one, two"):
        run(tmp_path, "1", engine="colab")
    monkeypatch.setenv("RCGAN_COLAB_SESSION", "two")
    with pytest.raises(OSError, match="http://127.0.0.1:9 cannot be reached"):
        run(tmp_path, "1", engine="colab")
    (home / ".config" / "colab-cli" / "sessions.json").write_text("{half")
    with pytest.raises(OSError, match="cannot be read as JSON"):
        run(tmp_path, "1", engine="colab")


def test_papermill_knows_the_engines():
    from papermill.engines import papermill_engines

    names = {name: papermill_engines.get_engine(name).__name__ for name in ("jupyter", "colab")}
    assert names == {"jupyter": "JupyterEngine", "colab": "ColabEngine"} and papermill.__version__
