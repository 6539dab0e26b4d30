"""A PostgreSQL server of this process's own, from the system's packages; nobody else can reach it."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

BOOT = 60
"""Seconds that a start may take."""


@cache
def url() -> str:
    """Where it listens (a socket in a folder of its own); started at the first call, gone at exit."""
    home = Path(mkdtemp(prefix="daypass-postgres-"))
    owner = _owner(home)
    data = home / "data"
    initdb = [_program("initdb"), "-D", str(data), "-U", "test", "--auth=trust", "--no-sync", "-E", "UTF8"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=home, **owner)
    # What is lost by a crash of the machine is of no interest here.
    options = ["fsync=off", "full_page_writes=off", "listen_addresses=", "max_connections=300"]
    command = [_program("postgres"), "-D", str(data), "-k", str(home)]
    command += [part for option in options for part in ("-c", option)]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=home, **owner)
    atexit.register(_stop, server, home)
    _wait(server, home)
    return f"postgresql+psycopg://test@/postgres?host={home}"


def _owner(home: Path) -> dict[str, object]:
    """As whom it runs: PostgreSQL refuses to be root's, and its package brings a user."""
    if os.geteuid() != 0:
        return {}
    shutil.chown(home, "postgres", "postgres")
    return {"user": "postgres", "group": "postgres", "extra_groups": []}


def _program(name: str) -> str:
    """Debian puts the server's programs outside PATH."""
    versions = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = max(versions, key=lambda path: int(path.parts[4]), default=None)
    found = str(newest) if newest is not None else shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"no `{name}`; `make interop` installs PostgreSQL")
    return found


def _wait(server: subprocess.Popen[bytes], home: Path) -> None:
    give_up = time.monotonic() + BOOT
    ready = [_program("pg_isready"), "-q", "-h", str(home)]
    while subprocess.run(ready, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > give_up:
            raise RuntimeError(f"PostgreSQL does not start: {(home / 'log').read_text()[-2000:]}")
        time.sleep(0.1)


def _stop(server: subprocess.Popen[bytes], home: Path) -> None:
    server.terminate()
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    shutil.rmtree(home, ignore_errors=True)
