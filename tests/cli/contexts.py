"""What a command is given, for tests that call its parts in this process."""

from __future__ import annotations

import hashlib
import io
from typing import Any

from daypass import output, paths, settings
from daypass.context import Context
from tests.cli.machine import Machine


class Terminal(io.StringIO):
    """A stream that says it is a terminal; what was written is its value."""

    def isatty(self) -> bool:
        return True


def token_of(arn: str) -> str:
    """How the fake broker begins each session token for a role."""
    return f"token/ana/{hashlib.sha256(arn.encode()).hexdigest()}/"


def context(machine: Machine, **more: Any) -> Context:
    """As `main` makes it on this machine. `stdin`, `stdout`, `stderr`, `json` make the output."""
    environ = more.pop("environ", machine.environ)
    platform = more.pop("platform", "linux")
    places = paths.find("linux", environ)
    streams = (more.pop("stdin", None), more.pop("stdout", io.StringIO()), more.pop("stderr", io.StringIO()))
    given: dict[str, Any] = {
        "environ": environ,
        "platform": platform,
        "paths": places,
        "settings": settings.read(places),
        "output": output.Output(*streams, environ, json=more.pop("json", False)),
        "program": str(machine.program),
        "url": machine.url,
    }
    return Context(**{**given, **more})
