"""What went wrong on the way to Drive: whether it passes, and in words."""

import errno
import http.client
import json
import logging
import random
import ssl
import threading

LIMITS = ("rateLimitExceeded", "userRateLimitExceeded", "sharingRateLimitExceeded")
UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)
LONGEST = 64  # seconds between two tries, as Google advises
FULL = ("storageQuotaExceeded", "teamDriveFileLimitExceeded", "numChildrenInNonRootLimitExceeded")

logger = logging.getLogger("drive_sync")


class DriveError(Exception):
    """Drive did not do what it was asked.

    Attributes:
        status: of the answer, 0 where none came.
        reason: Google's word for it, "" where it gave none.
        temporary: the same may succeed later.
    """

    def __init__(self, message, *, status=0, reason="", temporary=False):
        super().__init__(message)
        self.status, self.reason, self.temporary = status, reason, temporary

    @property
    def final(self) -> bool:
        """Everything that follows would fail, too."""
        return self.reason in FULL


class Stopped(Exception):
    """The user wants to stop, or nothing more can succeed."""

    temporary = True

    def __str__(self):
        return "it was stopped before this one's turn"


class BackOff:
    """Calls that are made again after a while when what went wrong may pass: random waits, twice as long each time.

    Args:
        tries: calls in all.
        pause: seconds; the first wait is between 0 and this.
    """

    def __init__(self, tries, pause):
        self.tries, self.pause = tries, pause
        self.stop = threading.Event()

    def call(self, do):
        """The result of `do()`.

        Raises: DriveError: it went wrong every time, or in a way that does not pass. Stopped: `stop` was set.
        """
        for attempt in range(self.tries):
            if self.stop.is_set():
                raise Stopped
            try:
                return do()
            except Exception as error:
                fault = understood(error)
                if fault is None:
                    raise
                if not fault.temporary or attempt == self.tries - 1:
                    raise fault from error
                logger.info("%s; trying again", fault)
            self.wait(attempt)

    def wait(self, attempt):
        self.stop.wait(random.uniform(0, min(LONGEST, self.pause * 2**attempt)))


def understood(error) -> DriveError | None:
    """An exception of the libraries below, or None where it did not come from Drive or the way there."""
    from googleapiclient.errors import HttpError
    from httplib2 import HttpLib2Error
    from oauth2client.client import HttpAccessTokenRefreshError
    from pydrive2.auth import RefreshError
    from pydrive2.files import ApiRequestError

    if isinstance(error, HttpError):
        return _answer(error.resp.status, error.content)
    if isinstance(error, ApiRequestError):  # from PyDrive2, which keeps the answer inside
        return understood(error.args[0])
    if isinstance(error, HttpAccessTokenRefreshError):
        return _token(error)
    if isinstance(error, ValueError | RefreshError):  # PyDrive2 chokes on an answer that is a page of HTML
        before = error.__context__
        while before and not isinstance(before, HttpError | HttpAccessTokenRefreshError):
            before = before.__context__
        if before:
            return understood(before)
    passing = (ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException, HttpLib2Error)
    passing += (json.JSONDecodeError, UnicodeDecodeError)
    if isinstance(error, passing) or getattr(error, "errno", None) in UNREACHABLE:
        return DriveError(f"the way to Drive is broken ({type(error).__name__}: {error})", temporary=True)
    return None


def _answer(status, content):
    try:
        told = json.loads(content)["error"]
        message, reason = told["message"], told.get("errors", [{}])[0].get("reason", "")
    except (ValueError, KeyError, TypeError, IndexError):
        message, reason = "it gave no reason", ""
    temporary = status in (401, 408, 429) or status >= 500 or (status == 403 and reason in LIMITS)
    hint = {
        "cannotDownloadAbusiveFile": " Google takes it for harmful; download it in a browser if you know better.",
        "storageQuotaExceeded": " A service account has no room of its own: let it write into a shared drive.",
    }.get(reason, "")
    text = f"Drive answers {status}{f' ({reason})' if reason else ''}: {message}.{hint}"
    return DriveError(text, status=status, reason=reason, temporary=temporary)


def _token(error):
    status = int(error.status or 0)
    temporary = status == 429 or status >= 500
    text = f"Google gives no access token ({error})"
    return DriveError(text, status=status, reason="" if temporary else "notSignedIn", temporary=temporary)
