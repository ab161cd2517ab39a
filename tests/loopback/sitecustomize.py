"""No socket but to this machine, for every Python that is started with this folder on its path."""

import socket

_connect = socket.socket.connect


def connect(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "localhost", "::1"):
        raise AssertionError(f"a socket to {address}")
    return _connect(self, address)


socket.socket.connect = connect
