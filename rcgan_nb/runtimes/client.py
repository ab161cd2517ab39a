"""A kernel on a Jupyter server, as nbclient wants to see it."""

import asyncio
import base64
import contextlib
import json
import time
from queue import Empty

from jupyter_client.asynchronous.client import AsyncKernelClient
from nbclient.exceptions import DeadKernelError

from rcgan_nb.runtimes.websocket import Link

GONE = ("restarting", "autorestarting", "dead")
SIGNED = ("status", "execute_reply", "kernel_info_reply")  # the kernel's process makes these, under its session


class FarError(RuntimeError):
    """What a kernel was asked failed there."""


class Channel:
    """One of a kernel's channels, as nbclient uses them."""

    def __init__(self, name, link):
        self.name, self.link = name, link
        self.messages = asyncio.Queue()

    def send(self, message):
        self.link.send(self.name, message)

    async def get_msg(self, timeout=None):
        try:
            return await asyncio.wait_for(self.messages.get(), timeout)
        except TimeoutError:
            raise Empty from None


class RemoteKernelClient(AsyncKernelClient):
    """Client of the kernel with this id."""

    def __init__(self, server, kernel):
        super().__init__()
        self.link = Link(server, kernel, self.session, self._arrived, self._back)
        self.remote = {name: Channel(name, self.link) for name in ("shell", "iopub", "stdin", "control")}
        self.process = None  # the session of the kernel's process; another one means that it was started anew
        self.unanswered = None  # the request that the kernel works on
        self.probe = None  # a request sent after a loss; shell requests are answered in order

    shell_channel = property(lambda self: self.remote["shell"])
    iopub_channel = property(lambda self: self.remote["iopub"])
    stdin_channel = property(lambda self: self.remote["stdin"])
    control_channel = property(lambda self: self.remote["control"])

    @property
    def dead(self) -> str:
        """Why nothing more will come from the kernel; empty while it lives."""
        return self.link.dead

    async def is_alive(self):
        return not self.dead

    _async_is_alive = is_alive

    async def start_channels(self, timeout):
        await self.link.open(timeout)

    def stop_channels(self):
        self.link.close()

    async def execute(self, code, **options):
        await self.link.sure()
        self.unanswered = super().execute(code, **options)
        return self.unanswered

    async def evaluate(self, expression, *, timeout=60):
        """The value of an expression that gives JSON, asked so that the notebook sees nothing of it.

        Raises: DeadKernelError: the kernel died. FarError: the expression failed there. TimeoutError.
        """
        # In base64 the answer's repr is itself between quotes: nothing that a server sends is read as Python.
        asked = f"__import__('base64').b64encode(({expression}).encode()).decode()"
        request = await self.execute("", silent=True, store_history=False, user_expressions={"it": asked})
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.dead:
                raise DeadKernelError(self.dead)
            with contextlib.suppress(Empty):
                reply = await self.shell_channel.get_msg(timeout=0.5)
                if reply["parent_header"].get("msg_id") == request:
                    return _value(reply["content"])
        raise TimeoutError(f"the kernel did not answer for {timeout} s.")

    def _arrived(self, channel, message):
        if message["msg_type"] in SIGNED:
            self._check_process(message)
        if channel == "shell":
            self._check_order(message)
        if channel in self.remote:
            self.remote[channel].messages.put_nowait(message)

    def _check_process(self, message):
        state = message["content"].get("execution_state")
        sender = message["header"].get("session")
        if sender == self.session.session:  # the server speaks of the kernel
            if state in GONE:
                self._die("the kernel died")
        elif self.process not in (None, sender):
            self._die("the kernel died and was started anew")
        else:
            self.process = sender

    def _check_order(self, message):
        answered = message["parent_header"].get("msg_id")
        if answered == self.unanswered:
            self.unanswered = None
        elif answered == self.probe and self.unanswered:
            self._die("the connection broke just as the cell ended; its end was lost, and perhaps outputs")

    def _die(self, reason):
        self.link.dead = self.link.dead or reason

    def _back(self):
        self.probe = self.kernel_info()


def _value(content):
    """The JSON value in the reply to `evaluate`."""
    answer = (content.get("user_expressions") or {}).get("it", content)
    if answer.get("status") != "ok":
        raise FarError(f"{answer.get('ename')}: {answer.get('evalue')}")
    try:
        return json.loads(base64.b64decode(answer["data"]["text/plain"].strip("'"), validate=True))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FarError(f"its answer is no value ({error})") from error
