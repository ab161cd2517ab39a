"""Fetch a publisher's file once, with its checksum, into the user's data folder."""

from pathlib import Path


def fetch(path: Path, url: str, known_hash: str) -> Path:
    """Return `path`, downloading it first when it is not there. A file that is there is never asked for again.

    Args:
        known_hash: 'md5:...' or 'sha256:...' of the download; a download that differs is not kept.
    Raises: FileNotFoundError: the file is neither there nor to be had.
    """
    if path.exists():
        return path
    import pooch
    import requests

    try:
        pooch.retrieve(url, known_hash, fname=path.name, path=path.parent, progressbar=True)
    except (requests.RequestException, OSError, ValueError) as error:  # pooch raises ValueError for a wrong hash
        raise FileNotFoundError(
            f"{path} is not there and could not be fetched from {url} ({type(error).__name__}: {error}). Put the file "
            "there yourself, or set RCGAN_DATA to the folder that holds "
            f"{path.parent.name}/{path.name}."
        ) from error
    return path
