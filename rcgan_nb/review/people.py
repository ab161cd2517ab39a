"""Who is asked: `reviewers.toml` in the user's own folder."""

import pwd
import tomllib
from dataclasses import dataclass

from rcgan_nb import mail, paths
from rcgan_nb.settings import did_you_mean

HOW = 'a line for each, such as anna = "anna@example.org"'


@dataclass(frozen=True)
class Reviewer:
    """A person: mails go to the first address, answers may come from any, and from an account on this machine."""

    name: str
    addresses: tuple[str, ...]
    accounts: tuple[str, ...]


def nobody() -> str:
    return f"nobody can be asked by mail: write {path()} with {HOW}."


def path():
    return paths.personal() / "reviewers.toml"


def reviewers() -> dict[str, Reviewer]:
    """All that the file names; empty where there is none.

    A line is `name = "address"`, or a list of addresses (with an @) and accounts on this machine (without).
    Raises: ValueError: it cannot be read.
    """
    try:
        lines = tomllib.loads(path().read_text())
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path()} cannot be read ({error}); it has {HOW}.") from None
    return {name: _reviewer(name, [given] if isinstance(given, str) else given) for name, given in lines.items()}


def _reviewer(name, given) -> Reviewer:
    if not isinstance(given, list) or not given or not all(isinstance(one, str) for one in given):
        raise ValueError(f"{path()} says {name} = {given!r}; it should have {HOW}.")
    addresses = tuple(one for one in given if "@" in one)
    for address in addresses:
        if not mail.ADDRESS.fullmatch(address):
            raise ValueError(f"{path()}: {address!r} of {name} is no mail address.")
    return Reviewer(name, addresses, tuple(one for one in given if "@" not in one))


def asked(names) -> dict[str, Reviewer]:
    """Those who have an address, and of these the named ones, where any are named; none where nobody has one.

    Raises: ValueError: an unknown name.
    """
    found = {name: one for name, one in reviewers().items() if one.addresses}
    for name in names:
        if name not in found:
            known = ", ".join(found) or "none"
            raise ValueError(f"{path()} has no address of {name!r}; {did_you_mean(name, found)}Known: {known}.")
    return {name: found[name] for name in names or found}


def of_account(uid) -> str:
    """The reviewer who owns an account on this machine; one whom the file does not name goes by the account."""
    try:
        account = pwd.getpwuid(uid).pw_name
    except KeyError:
        account = str(uid)
    return next((one.name for one in reviewers().values() if account in one.accounts), f"account {account}")
