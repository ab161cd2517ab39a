"""A Colab VM: a Jupyter server behind Google's proxy, whose token lives for an hour."""

import asyncio
import json
import logging
import os
import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rcgan_nb.runtimes.server import Server, ServerError

MARGIN = timedelta(minutes=5)  # a token is renewed so long before its end, as `colab` itself does
PATIENCE = 120  # seconds that `colab` may take to renew it

logger = logging.getLogger("papermill")


class ColabServer(Server):
    """The VM of a session that `colab new` made."""

    protocols = None  # as `colab` itself
    remedy = "renew it with `colab sessions`"

    def __init__(self, name):
        self.name = name
        super().__init__(_sessions()[name]["url"].rstrip("/"), {})

    async def headers(self) -> dict:
        return {"X-Colab-Runtime-Proxy-Token": await self._token(), "X-Colab-Client-Agent": "colab-cli"}

    async def query(self) -> dict:
        return {"colab-runtime-proxy-token": await self._token()}

    async def _token(self) -> str:
        """The session's token, renewed when it ends soon."""
        if _ends(_sessions().get(self.name)) - datetime.now(UTC) <= MARGIN:
            await asyncio.to_thread(self._renew)
        session = _sessions().get(self.name)
        if not session or _ends(session) <= datetime.now(UTC):
            raise ServerError(
                f"the token of Colab session {self.name!r} has expired; run `colab sessions` to renew it."
            )
        return session["token"]

    def _renew(self):
        """Let `colab` renew the tokens in its file; it asks Google, with the user's credentials."""
        command = shutil.which("colab")
        if not command:
            logger.warning("The command `colab` is not on the PATH and cannot renew the token of %s.", self.name)
            return
        try:
            done = subprocess.run(
                [command, "sessions"], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE
            )
            code = done.returncode
        except subprocess.TimeoutExpired:
            code = f"no answer for {PATIENCE} s"
        if code:
            logger.warning("`colab sessions` did not renew the token of %s (%s).", self.name, code)


def from_environment() -> ColabServer:
    """The session that RCGAN_COLAB_SESSION names, or the only one there is.

    Raises: ServerError: there is none, or several and no name.
    """
    name, known = os.environ.get("RCGAN_COLAB_SESSION", ""), _sessions()
    if name in known or (len(known) == 1 and not name):
        return ColabServer(name or next(iter(known)))
    if not known:
        raise ServerError("there is no Colab session; make one with `colab new` (pip install google-colab-cli).")
    wanted = f"is no session {name!r}" if name else "are several Colab sessions"
    raise ServerError(f"there {wanted}; set RCGAN_COLAB_SESSION to one of {', '.join(sorted(known))}.")


def _sessions() -> dict:
    """What `colab` knows of its sessions, by name; read again for a moment when it is just being written."""
    path = Path("~/.config/colab-cli/sessions.json").expanduser()
    for _ in range(10):
        try:
            return json.loads(path.read_text() or "{}")
        except FileNotFoundError:
            return {}
        except ValueError:
            time.sleep(0.05)
    raise ServerError(f"{path} cannot be read as JSON; `colab sessions` writes it anew.")


def _ends(session) -> datetime:
    """When a session's token ends; long ago for a session that is gone or does not say."""
    ends = (session or {}).get("token_expires_at")
    return datetime.fromisoformat(ends) if ends else datetime.fromtimestamp(0, UTC)
