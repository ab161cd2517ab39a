"""papermill's engine `jupyter`: notebooks run on a Jupyter server elsewhere, their results come home.

The server's address is read from RCGAN_JUPYTER_URL, its token from RCGAN_JUPYTER_TOKEN or the keyring. papermill loads
this module at every start, so it imports nothing heavy before a notebook runs.
"""

import os
from urllib.parse import urlsplit

from papermill.engines import Engine


class JupyterEngine(Engine):
    """`papermill --engine jupyter in.ipynb out.ipynb -p ...`; rcgan_nb must be installed on the server, too."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **options):
        from rcgan_nb.runtimes import remote

        remote.execute(nb_man, kernel_name, server_from_environment, **options)


def server_from_environment():
    """The server that RCGAN_JUPYTER_URL and RCGAN_JUPYTER_TOKEN (or the keyring) name.

    Raises: ValueError: no address, one that is none, or one that carries a secret.
    """
    from rcgan_nb.runtimes.server import Server

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
    token = os.environ.get("RCGAN_JUPYTER_TOKEN") or _from_keyring(url)
    return Server(url, {"Authorization": f"token {token}"} if token else {})


def _from_keyring(url) -> str:
    """The password kept for the user `url` of the service rcgan_nb (`keyring set rcgan_nb URL`); empty when none is."""
    try:
        import keyring
    except ImportError:
        return ""
    return keyring.get_password("rcgan_nb", url) or ""
