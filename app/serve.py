"""`python -m app serve`: makes the configuration the active revision, then serves it.

One process with threads on SQLite (two processes that write one SQLite file wait for each other); more on a
database server. `app/server.py` speaks HTTP, `app/workers.py` keeps the processes, and `app/listener.py` stands
between the server and the application, so that a slow client holds no thread.
"""

from __future__ import annotations

import argparse
import ipaddress
import logging.config
import os
import secrets
import socket
import sys
from collections.abc import Sequence
from functools import partial
from urllib.parse import urlsplit

from app import workers
from app.errors import Refusal
from app.logs import settings as log_settings
from app.logs import spare

_THREADS = 16
_BACKLOG = 1024


def parser() -> argparse.ArgumentParser:
    """The command's own words."""
    made = argparse.ArgumentParser(
        prog="python -m app serve",
        description="Serve the broker. A valid, changed configuration becomes a new revision first; an invalid "
        "one stops the start and leaves the running revision as it is.",
    )
    made.add_argument("--host", help="address to listen on (default: loopback if base_url is, else all)")
    made.add_argument(
        "--port", type=int, help="port to listen on (default: the one in base_url, or 8000 behind https)"
    )
    made.add_argument(
        "--workers", type=int, default=1, help="processes (default 1; SQLite serves best from one)"
    )
    made.add_argument(
        "--any-cpu",
        action="store_true",
        help="let each process use every processor at once (default: one at a time, another when others need "
        "that one, which costs less; Linux)",
    )
    made.add_argument("--threads", type=int, default=_THREADS, help=f"threads a process (default {_THREADS})")
    return made


def main(argv: Sequence[str], target: str = "wsgi:app") -> int:
    """Serve until stopped. Returns 0 after a stop, 1 if it cannot start."""
    asked = parser().parse_args(argv)
    logs = log_settings(os.environ.get("DAYPASS_LOG", "text"))
    logging.config.dictConfig(logs)
    spare()
    from app import wiring  # after the arguments are known to be right: `--help` stays fast

    try:
        base_url = wiring.read_revision(os.environ).settings.base_url
        host, port = _listening(asked.host, asked.port, base_url)
        listening = _bound(host, port)  # first of all: what cannot serve must not change the active revision
        parts = wiring.wire(apply=True)
        os.environ.update(wiring.handed_down(parts, os.environ))
        parts.store.close()
        listening.listen(_BACKLOG)
    except wiring.ConfigurationInvalid as invalid:
        for problem in invalid.problems:
            print(problem, file=sys.stderr)
        print(f"{_count(len(invalid.problems))}. Nothing was started.", file=sys.stderr)
        return 1
    except Refusal as refusal:
        print(f"Cannot start: {refusal.detail or refusal.words}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Cannot start: {error}", file=sys.stderr)
        return 1
    print(f"daypass serves {base_url} (listening on {host}:{port})", file=sys.stderr)
    # In containers process numbers are small and alike: not every host's first worker goes to the same processor.
    first = None if asked.any_cpu else secrets.randbelow(1 << 16)
    work = partial(_work, target, asked.threads, listening, first)
    if hasattr(os, "fork"):
        workers.run(asked.workers, work, listening.close)
    else:
        work()
    return 0


def _work(target: str, threads: int, listening: socket.socket, first: int | None) -> None:
    """What each worker process does. `first`: see `Seat.take`; None to run on every processor."""
    from app import listener, processors, server

    spare()
    app = listener.load(target, threads)
    if first is None:
        server.serve(app, listening)
        return
    seat = processors.Seat()
    seat.take(first)  # after the application is there, which remembers where it might run
    server.serve(app, listening, seat)


def _listening(host: str | None, port: int | None, base_url: str) -> tuple[str, int]:
    base = urlsplit(base_url)
    everywhere = "0.0.0.0"  # noqa: S104
    return (
        host or ("127.0.0.1" if _loopback(base.hostname or "") else everywhere),
        port or base.port or 8000,
    )


def _bound(host: str, port: int) -> socket.socket:
    """A socket that nobody else has, and that nobody can reach yet. Raises OSError, in words."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return bound


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _count(problems: int) -> str:
    return "1 problem" if problems == 1 else f"{problems} problems"
