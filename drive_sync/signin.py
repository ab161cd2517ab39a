"""Signing in to Google: in a browser, with a service account's key, or with what an earlier sign-in saved.

What is saved lies in the user's configuration folder, never among the runs, and only the user can read it. Secrets come
from files and the environment alone, never from the command line.
"""

import contextlib
import json
import os
import warnings
from pathlib import Path
from urllib.parse import urlsplit

SCOPE = "https://www.googleapis.com/auth/drive"
KEY = "RCGAN_DRIVE_KEY"  # environment: file with the key of a service account
URL = "RCGAN_DRIVE_URL"  # environment: a Drive on this machine in place of Google's
TIMEOUT = 60  # seconds without an answer
HOW = (
    "Sign in with one of\n"
    "  python -m drive_sync auth --client-secrets FILE     your own Google account, in a browser; FILE is an OAuth "
    'client of type "desktop app" that you make at console.cloud.google.com (APIs and services, Credentials), with the '
    "Drive API switched on\n"
    "  python -m drive_sync auth --service-account FILE    a service account with its key; share the folder with its "
    "address first\n"
    f"  export {KEY}=FILE                    the same for this shell only"
)


class NotSignedIn(Exception):
    """There are no credentials, or Google does not take them (any more)."""


def folder() -> Path:
    """Where credentials are kept: rcgan_nb/drive in the user's configuration folder."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "rcgan_nb" / "drive"


def endpoint() -> str:
    """The address of a Drive on this machine, or "" for Google's.

    Raises: ValueError: it is on another machine, which would get the credentials.
    """
    url = os.environ.get(URL, "")
    if url and (urlsplit(url).scheme != "http" or urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1")):
        raise ValueError(f"{URL} must be an address of this machine, as http://127.0.0.1:8000, but {url!r} came.")
    return url.rstrip("/")


def missing() -> str:
    """What to do where nobody ever signed in; "" where there are credentials, good or bad."""
    there = _key() or (folder() / "credentials.json").is_file()
    return "" if there else f"not signed in to Google Drive. {HOW}"


def load():
    """A signed-in pydrive2 GoogleAuth.

    Raises: NotSignedIn: with what to do.
    """
    if missing():
        raise NotSignedIn(missing())
    key, saved = _key(), folder() / "credentials.json"
    if key:
        return _service(key)
    auth = _browser_auth(folder() / "client_secrets.json")
    with contextlib.suppress(KeyError, TypeError, ValueError, ImportError, OSError):
        auth.LoadCredentialsFile()
    if auth.credentials is None:
        raise NotSignedIn(f"{saved} cannot be read as saved credentials. {HOW}")
    auth.credentials.set_store(None)  # a process killed while it saves a renewed token would leave half a file
    return auth


def _key() -> Path | None:
    if os.environ.get(KEY):
        return Path(os.environ[KEY]).expanduser()
    saved = folder() / "service_account.json"
    return saved if saved.is_file() else None


def _service(key):
    from pydrive2.auth import GoogleAuth

    service = {"client_json_file_path": str(key), "client_user_email": ""}
    settings = {"client_config_backend": "service", "service_config": service, "oauth_scope": [SCOPE]}
    auth = GoogleAuth(settings=settings, http_timeout=TIMEOUT)
    try:
        auth.ServiceAuth()
    except FileNotFoundError as error:
        raise NotSignedIn(f"there is no key of a service account at {key}. {HOW}") from error
    except (ValueError, KeyError, OSError) as error:
        raise NotSignedIn(f"{key} is not the key of a service account ({error}). {HOW}") from error
    return auth


def _browser_auth(secrets):
    from pydrive2.auth import GoogleAuth

    settings = {"client_config_backend": "file", "client_config_file": str(secrets), "oauth_scope": [SCOPE]}
    settings |= {"save_credentials": True, "save_credentials_backend": "file", "get_refresh_token": True}
    return GoogleAuth(
        settings=settings | {"save_credentials_file": str(folder() / "credentials.json")}, http_timeout=TIMEOUT
    )


def in_browser(secrets):
    """Sign in with a browser on this machine, and save the credentials. `secrets`: file of the OAuth client.

    Raises: NotSignedIn: refused there, or the file is no client's.
    """
    from pydrive2.auth import AuthError
    from pydrive2.settings import InvalidConfigError

    _keep("client_secrets.json", _read(secrets, "an OAuth client's file, as downloaded from console.cloud.google.com"))
    (folder() / "credentials.json").unlink(missing_ok=True)
    auth = _browser_auth(folder() / "client_secrets.json")
    try:
        with warnings.catch_warnings(action="ignore"):  # oauth2client is surprised that nothing is saved yet
            auth.LocalWebserverAuth()
    except (AuthError, InvalidConfigError) as error:
        raise NotSignedIn(
            f"the sign-in did not succeed ({error or 'no port of this machine is free'}). {HOW}"
        ) from error
    (folder() / "credentials.json").chmod(0o600)
    (folder() / "service_account.json").unlink(missing_ok=True)
    return auth


def with_key(key):
    """Keep the key of a service account for later.

    Raises: NotSignedIn: the file is no such key.
    """
    auth = _service(Path(key).expanduser())
    _keep("service_account.json", _read(key, "a service account's key"))
    return auth


def _read(path, what) -> str:
    try:
        text = Path(path).expanduser().read_text()
        json.loads(text)
        return text
    except (OSError, ValueError) as error:
        raise NotSignedIn(f"{path} is not {what} ({error}). {HOW}") from error


def _keep(name, text):
    folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = folder() / f"{name}.partial"
    partial.unlink(missing_ok=True)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    os.replace(partial, folder() / name)
