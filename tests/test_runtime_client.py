"""What is said when a server or a kernel answers otherwise than it should."""

import asyncio
import base64
import contextlib
import dataclasses
import sys
import threading
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from jupyter_client.session import Session
from nbclient.exceptions import DeadKernelError
from servers import free_port

from rcgan_nb.runtimes import left
from rcgan_nb.runtimes.client import FarError, RemoteKernelClient, _value
from rcgan_nb.runtimes.server import Server, ServerError, Unreachable, from_environment
from rcgan_nb.runtimes.websocket import _unpack


@contextlib.contextmanager
def answering(code, body=b"{}", **headers):
    """A server that always answers so; gives its address and the heads of what was asked."""
    heads = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            heads.append(f"{self.path}\n{self.headers}")
            self.send_response(code)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}", heads
    http.shutdown()
    http.server_close()


def ask(url):
    return asyncio.run(Server(url, {"Authorization": "token secret"}).request("GET", "/api/kernels"))


@pytest.mark.parametrize(
    ("code", "body", "message"),
    [
        (401, b"{}", r"refuses the token \(401\); set RCGAN_JUPYTER_TOKEN"),
        (404, b"{}", r"knows no such thing \(404\); give its address without /lab or /tree"),
        (500, b"{}", r"failed \(500\); its own log says why"),
        (200, b"<html>", "is no Jupyter server; check the address"),
    ],
)
def test_what_a_server_says_no_with(code, body, message):
    with answering(code, body) as (url, _), pytest.raises(ServerError, match=message) as error:
        ask(url)
    assert "secret" not in str(error.value) and not isinstance(error.value, Unreachable)


def test_a_server_that_may_come_back():
    with answering(503) as (url, _), pytest.raises(Unreachable, match="cannot be reached"):
        ask(url)
    with pytest.raises(Unreachable, match="cannot be reached .*refused.*; check that it runs there"):
        ask(url)


def test_the_token_does_not_follow_a_redirect():
    refused = pytest.raises(ServerError, match=r"refuses the token \(302\)")
    with answering(200) as (other, heads), answering(302, Location=f"{other}/login") as (url, asked), refused:
        ask(url)
    assert not heads and "token secret" in asked[0]


def test_a_websocket_that_is_not_opened():
    async def connect(url):
        await RemoteKernelClient(Server(url, {}), "k").start_channels(5)

    for code, message in ((403, "refuses the token"), (404, "knows no such thing"), (200, "failed|no Jupyter server")):
        with answering(code) as (url, _), pytest.raises(ServerError, match=message):
            asyncio.run(connect(url))


def client():
    return RemoteKernelClient(Server("http://127.0.0.1:9", {}), "k")


def message(kind, session, parent="", **content):
    made = Session(session=session).msg(kind, content)
    return made | {"parent_header": {"msg_id": parent}, "buffers": []}


def test_a_kernel_that_was_started_anew_is_another_one():
    kernel = client()
    kernel._arrived("iopub", message("status", "first", execution_state="busy"))
    kernel._arrived("shell", message("kernel_info_reply", "first"))
    assert not kernel.dead
    kernel._arrived("shell", message("kernel_info_reply", "second"))
    assert kernel.dead == "the kernel died and was started anew"


@pytest.mark.parametrize("state", ["restarting", "dead"])
def test_the_server_says_that_the_kernel_died(state):
    kernel = client()
    kernel._arrived("iopub", message("status", kernel.session.session, execution_state="busy"))
    assert not kernel.dead
    kernel._arrived("iopub", message("status", kernel.session.session, execution_state=state))
    assert kernel.dead == "the kernel died"


def test_a_reply_that_was_lost_is_missed():
    """Requests are answered in order: when the one after it is answered, it will not be."""
    kernel = client()
    kernel.unanswered, kernel.probe = "cell", "probe"
    kernel._arrived("shell", message("execute_reply", "s", "cell"))
    kernel._arrived("shell", message("kernel_info_reply", "s", "probe"))
    assert not kernel.dead
    kernel.unanswered = "next cell"
    kernel._arrived("shell", message("kernel_info_reply", "s", "probe"))
    assert kernel.dead == "the connection broke just as the cell ended; its end was lost, and perhaps outputs"


@pytest.mark.parametrize("raw", ["{", "[]", "{}", b"\x07", b"\0\0\0\1", b"\xff" * 40, "null", b""])
def test_what_is_no_message(raw):
    kernel = client()
    kernel.link._received(0, raw)
    assert kernel.dead.startswith("the server sent what is no kernel's message")


def test_frames_of_the_older_protocol_carry_buffers():
    from jupyter_server.services.kernels.connection.base import serialize_binary_message

    sent = Session(session="s").msg("comm_msg", {"data": 1}) | {"channel": "iopub", "buffers": [b"ab", b"c"]}
    channel, got = _unpack(serialize_binary_message(sent))
    assert channel == "iopub" and got["buffers"] == [b"ab", b"c"] and got["content"] == {"data": 1}
    assert got["msg_type"] == "comm_msg" and got["header"]["date"].year >= 2024


def test_what_a_question_to_a_kernel_gives():
    def answered(text):
        return {"user_expressions": {"it": {"status": "ok", "data": {"text/plain": text}}}}

    assert _value(answered(repr(base64.b64encode(b'[1, "a"]').decode()))) == [1, "a"]
    deep = repr(base64.b64encode(b"[" * 100_000).decode())
    for hostile in ("__import__('os')", "'[1]'", "(" * 100_000, deep, 3, None):
        with pytest.raises(FarError, match="its answer is no value"):
            _value(answered(hostile))
    with pytest.raises(FarError, match="NameError: no such name"):
        _value({"user_expressions": {"it": {"status": "error", "ename": "NameError", "evalue": "no such name"}}})

    async def asked(dead, timeout):
        kernel = client()
        kernel.link.dead, kernel.link.up, kernel.link.seen = dead, True, float("inf")
        kernel.link.socket = types.SimpleNamespace(ping=lambda: None, selected_subprotocol="v1", write_message=print)
        kernel.link._write = lambda *_, **__: None
        await kernel.evaluate("1", timeout=timeout)

    with pytest.raises(DeadKernelError, match="it died"):
        asyncio.run(asked("it died", 5))
    with pytest.raises(TimeoutError, match="the kernel did not answer for 0.1 s"):
        asyncio.run(asked("", 0.1))


def test_a_token_from_the_keyring(monkeypatch):
    keyring = types.ModuleType("keyring")
    keyring.get_password = lambda service, user: f"{service} {user}"
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setenv("RCGAN_JUPYTER_URL", "https://far.example/user/me/")
    monkeypatch.delenv("RCGAN_JUPYTER_TOKEN", raising=False)
    server = from_environment()
    assert asyncio.run(server.headers()) == {"Authorization": "token rcgan_nb https://far.example/user/me"}
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert asyncio.run(from_environment().headers()) == {}


def test_a_kernel_that_another_machine_uses_is_left_alone(runs):
    server = Server(f"http://127.0.0.1:{free_port()}", {})
    note = dataclasses.replace(left.Note.of(server, "theirs"), pid=999_999_999)  # no process here has that number
    dataclasses.replace(note, host="another-machine").write()
    assert asyncio.run(left.end(server)) == [] and note.path.exists()
    note.write()
    with pytest.raises(ServerError):  # it asks the server, which is not there
        asyncio.run(left.end(server))


def test_a_note_that_was_cut_short_or_leads_elsewhere(runs):
    left.folder().mkdir(parents=True)
    (left.folder() / "half.json").write_text('{"kernel": ')
    assert list(left._notes()) == [] and not list(left.folder().iterdir())
    with pytest.raises(ValueError, match="cannot name a file"):
        left.Note.of(Server("http://127.0.0.1:9", {}), "../../out").write()
