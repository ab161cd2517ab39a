"""The link for Colab's page: a real server, and a real browser where there is one."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys

import psutil
import pytest
from servers import free_port, until

from rcgan_nb import cli
from rcgan_nb.runtimes import link

RCGAN = "import sys; from rcgan_nb.cli import main; sys.exit(main())"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
# What Colab's page does: look, start a kernel, run a cell over a WebSocket. Says what came of each.
PAGE = """async ([address, token]) => {
  const out = {}, query = token ? '?token=' + token : '';
  const ask = (path, more) => fetch(address + path + query, {credentials: 'include', ...more});
  try { const r = await ask('/api/kernelspecs'); out.get = r.status; out.read = (await r.text()).length > 0 }
  catch (e) { out.get = 'refused' }
  try {
    const body = '{"name": "python3"}', headers = {'content-type': 'application/json'};
    const r = await ask('/api/kernels', {method: 'POST', headers, body});
    out.post = r.status; out.kernel = (await r.json()).id;
  } catch (e) { out.post = 'refused' }
  const socket = new WebSocket(`${address.replace('http', 'ws')}/api/kernels/${out.kernel}/channels${query}`);
  out.cell = await new Promise(done => {
    const header = {msg_id: 'a', msg_type: 'execute_request', session: 's', username: '', version: '5.3'};
    header.date = new Date().toISOString();
    const content = {code: 'print(6 * 7)', silent: false, store_history: false, user_expressions: {}};
    socket.onopen = () => socket.send(
      JSON.stringify({header, parent_header: {}, metadata: {}, channel: 'shell', content, buffers: []}));
    socket.onmessage = m => { const d = JSON.parse(m.data); if (d.msg_type == 'stream') done(d.content.text.trim()) };
    socket.onerror = () => done('refused');
    setTimeout(() => done('silent'), 20000);
  });
  return out;
}"""


@pytest.fixture(scope="module")
def linked():
    """`rcgan colab link` as a user runs it: process, port, token, what it said."""
    port = free_port()
    command = [sys.executable, "-u", "-c", RCGAN, "colab", "link", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith("Kernels begin"):
            break
    token = re.search(rf"http://localhost:{port}/\?token=(\w+)\n", said)[1]
    yield process, port, token, said
    process.send_signal(signal.SIGHUP)  # if the last test did not end it
    process.communicate(timeout=60)


def test_it_says_what_to_click_and_what_it_exposes(linked):
    _, _, token, said = linked
    assert len(bytes.fromhex(token)) == 32  # 256 bits
    for words in ("Connect to a local runtime", "read, change and delete your files", "Ctrl-C ends server and kernels"):
        assert words in said


def test_the_token_is_in_no_command_line_and_no_file_that_others_may_read(linked):
    process, _, token, _ = linked
    tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    assert len(tree) > 1 and not any(token in word for p in tree for word in p.cmdline())
    folders = {p.environ()["JUPYTER_RUNTIME_DIR"] for p in tree[1:]}
    (folder,) = {os.path.dirname(f) for f in folders}
    assert os.stat(folder).st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("token", "status"), [("right", 200), ("", 403), ("wrong", 403)])
def test_only_the_token_opens_and_only_colab_may_read(linked, token, status):
    _, port, right, _ = linked
    found, headers = link.ask(port, right if token == "right" else token)
    assert found == status
    told = headers.get("Access-Control-Allow-Origin"), headers.get("Access-Control-Allow-Credentials")
    assert told == ((link.COLAB, "true") if status == 200 else (None, None))


def test_a_port_that_is_taken_is_said(linked, capsys):
    _, port, _, _ = linked
    assert cli.main(["colab", "link", "--port", str(port)]) == 1
    assert f"port {port} is taken on this machine; give another one, as in --port {port + 1}" in capsys.readouterr().err


def test_no_port_is_no_port(capsys):
    assert cli.main(["colab", "link", "--port", "70000"]) == 1
    assert "a port is a number from 1 to 65535, but 70000 came" in capsys.readouterr().err


def _answers(port):
    with contextlib.suppress(OSError):
        return link.ask(port)


@pytest.fixture(scope="module")
def open_server():
    """A server that somebody started carelessly: everywhere, for all, without a token."""
    port = free_port()
    flags = ["--ServerApp.ip=0.0.0.0", "--ServerApp.allow_origin=*", "--IdentityProvider.token="]
    flags += [f"--ServerApp.port={port}", "--ServerApp.open_browser=False", "--ServerApp.allow_root=True"]
    command = [sys.executable, "-m", "jupyter", "server", *flags]
    environment = os.environ | {"JUPYTER_NO_CONFIG": "1"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    until(lambda: _answers(port))
    yield process.pid, port
    process.terminate()
    process.wait(timeout=60)


def test_the_check_finds_every_door_that_is_open(open_server):
    pid, port = open_server
    with pytest.raises(ValueError, match="was ended: it lets pages of") as refused:
        link.require_closed(pid, port, "ab")
    for door in ("it lets any page read", "whoever has no token", "whoever has a wrong token", "beyond 127.0.0.1"):
        assert door in str(refused.value)


def test_a_server_that_does_not_come_up_is_said(monkeypatch):
    monkeypatch.setattr(
        link, "_command", lambda port: [sys.executable, "-c", "import sys; print('oh no'); sys.exit(3)"]
    )
    with pytest.raises(ValueError, match="the Jupyter server ended with 3: oh no"), link.server(free_port()):
        pass
    monkeypatch.setattr(link, "_command", lambda port: [sys.executable, "-c", "import time; time.sleep(60)"])
    monkeypatch.setattr(link, "PATIENCE", 0.5)
    with pytest.raises(ValueError, match="did not answer within 0.5 seconds"), link.server(free_port()):
        pass


def test_a_server_that_ends_by_itself_is_said(monkeypatch, capsys):
    server = link.server

    class Ended:
        def __init__(self, port):
            self.made = server(port)

        def __enter__(self):
            address, process = self.made.__enter__()
            process.terminate()
            return address, process

        def __exit__(self, *error):
            return self.made.__exit__(*error)

    monkeypatch.setattr(link, "server", Ended)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        assert cli.main(["colab", "link", "--port", str(free_port())]) == 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert "the Jupyter server ended by itself, with exit code" in capsys.readouterr().err


@pytest.mark.skipif(not CHROMIUM, reason="runs where Chromium is installed (Debian: chromium)")
def test_a_page_of_colab_runs_a_cell_and_no_other_page_reads_anything(linked):
    api = pytest.importorskip("playwright.sync_api", reason="runs where playwright is installed")
    _, port, token, _ = linked
    found = {}
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        for origin in (link.COLAB, "https://evil.example"):
            for given in (token, ""):
                context = browser.new_context()
                context.grant_permissions(["local-network-access"], origin=origin)
                page = context.new_page()
                page.route(f"{origin}/**", lambda route: route.fulfill(body="<html></html>", content_type="text/html"))
                page.goto(f"{origin}/notebook")
                found[origin, bool(given)] = page.evaluate(PAGE, [f"http://127.0.0.1:{port}", given])
                context.close()
        browser.close()
    colab = found[link.COLAB, True]
    assert (colab["get"], colab["post"], colab["cell"], colab["read"]) == (200, 201, "42", True)
    del found[link.COLAB, True]
    for who, other in found.items():
        assert (other["get"], other["post"], other["cell"]) == ("refused", "refused", "refused"), who
        assert "read" not in other and "kernel" not in other


def test_ctrl_c_ends_server_and_kernels_and_leaves_nothing(linked):
    """The last one: it ends what the others used."""
    process, port, token, _ = linked
    tree = psutil.Process(process.pid).children(recursive=True)
    folder = os.path.dirname(tree[0].environ()["JUPYTER_RUNTIME_DIR"])
    process.send_signal(signal.SIGINT)
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 0 and "The server has ended, its kernels with it." in out
    psutil.wait_procs(tree, timeout=5)
    assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in tree)
    assert not os.path.exists(folder)
    with pytest.raises(OSError):
        link.ask(port, token)
