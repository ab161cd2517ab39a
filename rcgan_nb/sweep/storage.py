"""Where Optuna keeps the trials: a file in the sweep's folder, or a database."""

import contextlib
import os
import re
from pathlib import Path

from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from rcgan_nb.runtimes.server import from_keyring

PASSWORD = "RCGAN_STORAGE_PASSWORD"


def open_storage(url, folder: Path):
    """Optuna's storage: the journal file in `folder`, or the database that `url` names.

    Raises: ValueError: a password in the URL, a database that cannot be reached or was made by another version of
        Optuna, a file that cannot be read.
    """
    if not url:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "journal.log"
        with _file_explained(path):
            return JournalStorage(JournalFileBackend(str(path)))
    with _database_explained(re.sub(r"\?.*", "", re.sub("//.*@", "//...@", url))):  # nothing that may be secret
        # pool_pre_ping: a connection may be cut while a trial trains for hours.
        return RDBStorage(_with_password(url), engine_kwargs={"pool_pre_ping": True})


@contextlib.contextmanager
def _file_explained(path):
    try:
        yield
    # Optuna reads its journal without checks: lines of another version raise any of these.
    except (ValueError, KeyError, TypeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"{path} is damaged, or was written by another version of Optuna ({_line(error)}); use that one, or begin "
            "a sweep of another name."
        ) from error


@contextlib.contextmanager
def _database_explained(url):
    try:
        yield
    except ImportError as error:
        missing = _line(error.__cause__ or error)
        raise ValueError(f"{url}: its driver is missing ({missing}); install that by pip.") from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise ValueError(
            f"{url!r} is no URL of a database ({_line(error)}); one is postgresql+psycopg://user@host/name."
        ) from error
    except SQLAlchemyError as error:
        raise ValueError(f"the database {url} cannot be used: {_line(error)}") from error
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"the database {url} was made by another version of Optuna ({_line(error)}); use that one, or another "
            "database."
        ) from error


def _line(error) -> str:
    """The first line of an error's text; a password is not in it: drivers do not repeat what they log in with."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _with_password(url) -> str:
    """The URL with the password from the environment or the keyring."""
    try:
        parts = make_url(url)
    except ValueError as error:  # a port that is no number
        raise ArgumentError(str(error)) from error
    if parts.password or "password" in parts.query:
        bare = parts._replace(password=None).difference_update_query(["password"]).render_as_string()
        raise ValueError(
            f"the storage {bare} was given with a password, which would be written down; leave it out, and give it by "
            f"{PASSWORD} or the keyring: keyring set rcgan_nb {bare}"
        )
    password = os.environ.get(PASSWORD) or from_keyring(url)
    return parts.set(password=password or None).render_as_string(hide_password=False)
