"""Ports for the servers that tests start as processes of their own.

Such a port is free when it is chosen and taken a moment later. So it is none that the system gives to connections
(those begin at 32768), and each of pytest-xdist's workers has a range to itself.
"""

import os
import random
import socket
from contextlib import suppress

LOWEST, HIGHEST = 10_000, 32_500
TOGETHER = 100
"""So many ports above the given one are of the same range: `make run` takes several."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    size = (HIGHEST - LOWEST) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    first = LOWEST + worker * size
    while True:
        port = random.randrange(first, first + size - TOGETHER)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
