"""A kernel's websocket on a Jupyter server, opened again where the network breaks it."""

import asyncio
import contextlib
import json
import logging
import os
import time
from functools import partial

from jupyter_client.jsonutil import extract_dates, json_default
from jupyter_server.services.kernels.connection.base import (
    deserialize_binary_message,
    deserialize_msg_from_ws_v1,
    serialize_msg_to_ws_v1,
)
from tornado.httpclient import HTTPClientError
from tornado.websocket import WebSocketClosedError, WebSocketError, websocket_connect

from rcgan_nb.runtimes.server import Gone, ServerError, Unreachable

PING = 3  # seconds within which the server must give a sign of life
LARGEST = 1 << 28  # bytes of a message; a figure in a notebook is far smaller

logger = logging.getLogger("papermill")


def patience() -> float:
    """Seconds without a connection after which a run is given up: RCGAN_JUPYTER_PATIENCE, else 8."""
    return float(os.environ.get("RCGAN_JUPYTER_PATIENCE") or 8)


class Link:
    """The websocket of one kernel.

    `dead` says why nothing more will come and is empty while there is hope; `lost` is true where nobody answers.
    """

    def __init__(self, server, kernel, session, arrived, back):
        """Args: arrived(channel, message) is called for every message, back() after every loss that was survived."""
        self.server, self.kernel, self.session = server, kernel, session
        self.arrived, self.back = arrived, back
        self.dead, self.lost, self.up = "", False, False
        self.socket = None
        self.opened = 0  # times; a socket's late words are told from its successor's by it
        self.waiting = []  # what to send as soon as there is a line
        self.seen = 0.0  # when the last sign of life came
        self.tasks = set()

    async def open(self, timeout):
        """Connect; ServerError and Unreachable say why not."""
        self.opened += 1
        request = await self.server.websocket(self.kernel, self.session.session)
        arrived = partial(self._received, self.opened)
        connecting = websocket_connect(
            request, on_message_callback=arrived, subprotocols=self.server.protocols, max_message_size=LARGEST
        )
        try:
            self.socket = await asyncio.wait_for(connecting, timeout)
        except TimeoutError:
            raise Unreachable(f"the server {self.server.url} did not open the kernel's websocket.") from None
        except (HTTPClientError, WebSocketError, OSError) as error:
            raise self.server.error(error) from None
        self.socket.on_pong = self._alive
        self._alive()
        self.up = True
        self._begin(self._watch(self.opened))
        self._begin(self._guard(self.opened))
        waiting, self.waiting = self.waiting, []
        for channel, message in waiting:
            self.send(channel, message)

    def send(self, channel, message):
        """Send now, or as soon as the line is there again."""
        if not self.up:
            self.waiting.append((channel, message))
        elif self.socket.selected_subprotocol:
            self._write(serialize_msg_to_ws_v1(message, channel, self.session.pack), binary=True)
        else:
            self._write(json.dumps(message | {"channel": channel}, default=json_default))

    def _write(self, frame, **how):
        with contextlib.suppress(WebSocketClosedError):  # told by _received, too
            self.socket.write_message(frame, **how)

    async def sure(self):
        """Return when the line is known to stand: what is sent on a broken one is lost unseen."""
        asked = time.monotonic()
        self._ping()
        while not self.dead and not (self.up and self.seen >= asked):
            await asyncio.sleep(0.01)

    def close(self):
        self.opened += 1
        for task in self.tasks:
            task.cancel()
        if self.socket:
            self.socket.close()

    def _begin(self, coroutine):
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _alive(self, _=b""):
        self.seen = time.monotonic()

    def _ping(self):
        with contextlib.suppress(WebSocketClosedError):
            self.socket.ping()

    async def _watch(self, opened):
        """Ask for signs of life; tornado's own watch would take five seconds longer to say that none came."""
        while opened == self.opened:
            asked = time.monotonic()
            self._ping()
            await asyncio.sleep(PING)
            if self.seen < asked:
                self._received(opened, None)

    async def _guard(self, opened):
        """Ask whether the kernel is still there; its websocket stays open when somebody ends it."""
        while opened == self.opened:
            await asyncio.sleep(PING)
            try:
                await self.server.request("GET", f"/api/kernels/{self.kernel}")
            except Gone:
                self.dead = self.dead or "the kernel is gone: somebody ended it on the server"
            except ServerError:  # what else is wrong shows on the websocket
                continue

    def _received(self, opened, raw):
        if opened != self.opened:
            return
        if raw is None:
            self.up = False
            self.opened += 1
            self.socket.close()
            self._begin(self._reopen())
            return
        self._alive()
        try:
            channel, message = _unpack(raw)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            self.dead = self.dead or f"the server sent what is no kernel's message ({type(error).__name__})"
        else:
            self.arrived(channel, message)

    async def _reopen(self):
        """Connect again until `patience` is used up, counted from the last sign of life."""
        now = time.monotonic()
        end = max(self.seen, now - PING) + patience()
        logger.warning("Connection to %s lost; trying again for %.0f s.", self.server.url, end - now)
        while (left := end - time.monotonic()) > 0 and not self.up:
            try:
                await self.open(left)
            except Unreachable:
                await asyncio.sleep(min(0.5, left))
            except Gone:
                self.dead = "the connection was lost, and meanwhile somebody ended the kernel on the server"
                return
            except ServerError as error:
                self.dead = f"the connection was lost and not given again: {error}"
                return
        if self.up:
            logger.warning(
                "Connection to %s is there again; what was printed just as it broke may be missing.", self.server.url
            )
            self.back()
        else:
            self.lost = True
            self.dead = f"the connection to {self.server.url} was lost for {patience():.0f} s"


def _unpack(raw):
    """Channel and message of a frame of either protocol."""
    if isinstance(raw, str):
        message = json.loads(raw)
        message["buffers"] = []
    elif raw[0] == 0:  # a count in big-endian order begins the old protocol's binary frames, in little-endian v1's
        message = deserialize_binary_message(raw)
    else:
        channel, parts = deserialize_msg_from_ws_v1(raw)
        header, parent, metadata, content = (json.loads(part) for part in parts[:4])
        message = {"header": header, "parent_header": parent, "metadata": metadata, "content": content}
        message |= {"channel": channel, "buffers": parts[4:]}
    for name in ("header", "parent_header"):
        message[name] = extract_dates(message[name])
    message |= {"msg_id": message["header"]["msg_id"], "msg_type": message["header"]["msg_type"]}
    return message.pop("channel"), message
