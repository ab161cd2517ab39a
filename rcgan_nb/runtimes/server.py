"""A Jupyter server as its REST interface shows it."""

import asyncio
import json
import logging
import os
import time
from urllib.parse import quote, urlencode, urlsplit

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketError

logger = logging.getLogger("papermill")


class ServerError(OSError):
    """The server refused; asking again does not help."""


class Unreachable(ServerError):
    """Nobody answers at present."""


class Gone(ServerError):
    """The server knows no such thing."""


class Server:
    """An address and the headers that open it. Secrets go into headers, and are sent to this address alone."""

    protocols = ["v1.kernel.websocket.jupyter.org"]  # offered; a server that knows none speaks JSON
    remedy = "set RCGAN_JUPYTER_TOKEN to the one that `jupyter server list` shows there"

    def __init__(self, url, headers):
        self.url = url
        self._headers = headers

    async def headers(self) -> dict:
        return self._headers

    async def query(self) -> dict:
        """What a websocket's address carries besides its session."""
        return {}

    async def request(self, method, path, body=None, *, timeout=10):
        """What the server answers, from JSON.

        Raises: Unreachable: no answer in time. ServerError: refused, with what to do.
        """
        given = None if method in ("GET", "DELETE") else json.dumps(body or {})
        request = HTTPRequest(
            self.url + path,
            method=method,
            headers=await self.headers(),
            body=given,
            connect_timeout=timeout,
            request_timeout=timeout,
            follow_redirects=False,  # the token is for this server, not for where it points
        )
        try:
            answer = await AsyncHTTPClient().fetch(request)
            return json.loads(answer.body or b"null")
        except (HTTPClientError, OSError, ValueError) as error:
            raise self.error(error) from None

    async def websocket(self, kernel, session) -> HTTPRequest:
        """The request that opens the websocket of a kernel."""
        query = urlencode({"session_id": session} | await self.query())
        address = f"ws{self.url.removeprefix('http')}/api/kernels/{quote(kernel)}/channels?{query}"
        return HTTPRequest(address, headers=await self.headers())

    def error(self, error) -> ServerError:
        """What went wrong, in words and without a secret."""
        code = error.code if isinstance(error, HTTPClientError) else None
        if code in (401, 403) or code in (301, 302, 303, 307, 308):
            return ServerError(f"the server {self.url} refuses the token ({code}); {self.remedy}.")
        if code == 404:
            return Gone(f"the server {self.url} knows no such thing (404); give its address without /lab or /tree.")
        if isinstance(error, (ValueError, WebSocketError)):
            return ServerError(f"what answers at {self.url} is no Jupyter server; check the address.")
        if code is None or code in (502, 503, 504, 599):
            reason = error.message if code else error
            return Unreachable(f"the server {self.url} cannot be reached ({reason}); check that it runs there.")
        return ServerError(f"the server {self.url} failed ({code}); its own log says why.")

    async def start_kernel(self, name, *, timeout) -> str:
        """Start a kernel and return its id.

        Raises: ServerError: no such kernel there, or the reasons of `request`.
        """
        known = (await self.request("GET", "/api/kernelspecs"))["kernelspecs"]
        if name not in known:
            raise ServerError(
                f"the server {self.url} has no kernel {name!r}, only {', '.join(sorted(known)) or 'none'}; "
                "choose with papermill's -k."
            )
        return (await self.request("POST", "/api/kernels", {"name": name}, timeout=timeout))["id"]

    async def end_kernel(self, kernel, *, timeout=15):
        """End a kernel; one that is gone already is well."""
        try:
            await self.request("DELETE", f"/api/kernels/{quote(kernel)}", timeout=timeout)
        except Unreachable:
            raise
        except ServerError as error:
            logger.debug("kernel %s: %s", kernel, error)

    async def settle(self, kernel):
        """Interrupt a kernel and wait up to 15 s: training ends its step and writes a checkpoint."""
        await self.request("POST", f"/api/kernels/{quote(kernel)}/interrupt")
        end = time.monotonic() + 15
        while time.monotonic() < end:
            if (await self.request("GET", f"/api/kernels/{quote(kernel)}"))["execution_state"] != "busy":
                break
            await asyncio.sleep(0.2)


def from_environment():
    """The server that RCGAN_JUPYTER_URL and RCGAN_JUPYTER_TOKEN (or the keyring) name.

    Raises: ValueError: no address, one that is none, or one that carries a secret.
    """
    url = os.environ.get("RCGAN_JUPYTER_URL", "").rstrip("/")
    parts = urlsplit(url)
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError(
            "RCGAN_JUPYTER_URL carries more than an address; give it up to the first '?', such as "
            "http://127.0.0.1:8888, and put the token into RCGAN_JUPYTER_TOKEN."
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f"RCGAN_JUPYTER_URL is {url!r}; the engine jupyter needs the server's address there, such as "
            "http://127.0.0.1:8888, and the token in RCGAN_JUPYTER_TOKEN (`jupyter server list` shows both)."
        )
    token = os.environ.get("RCGAN_JUPYTER_TOKEN") or from_keyring(url)
    return Server(url, {"Authorization": f"token {token}"} if token else {})


def from_keyring(url) -> str:
    """The password kept for the user `url` of the service rcgan_nb (`keyring set rcgan_nb URL`); empty when none is."""
    try:
        import keyring
    except ImportError:
        return ""
    return keyring.get_password("rcgan_nb", url) or ""
