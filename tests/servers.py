"""What tests need that start other processes: a free port, and patience, as machines that run tests may be slow."""

import socket
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(holds, seconds=300, every=0.02):
    """What `holds` gives as soon as that is true."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"waited in vain for {seconds} s"
        time.sleep(every)
    return found
