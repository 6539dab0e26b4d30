"""A user of the broker's own for the demo: made as an operator makes one, with a password set by the one-time link."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from demo.running.folder import CannotRun

USERNAME: Final = "lena"
PASSWORD: Final = "demo-lena-without-directory"
GROUP: Final = "contractors"
_DEADLINE: Final = 60


def local_person(base_url: str, root: Path, state: Path, env: Mapping[str, str]) -> Mapping[str, str]:
    """The user's name and password; made at the first start with this state folder. Raises CannotRun, OSError."""
    done = state / "demo-user"
    if not done.exists():
        made = _command(
            root, env, "create", USERNAME, "--name", "Lena Lund", "--group", GROUP, "--json", also=1
        )
        if not made:  # there already: the first start was stopped half way
            made = _command(root, env, "link", USERNAME, "--json")
        _set_password(base_url, str(json.loads(made)["link"]))
        done.touch()
    return {"username": USERNAME, "password": PASSWORD}


def _command(root: Path, env: Mapping[str, str], *words: str, also: int = 0) -> str:
    """What `python -m app user …` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "app", "user", *words],
        cwd=root,
        env=dict(env),
        capture_output=True,
        text=True,
        timeout=_DEADLINE,
        check=False,
    )
    if done.returncode not in (0, also):
        raise CannotRun(f"The demo's own user could not be made: {done.stderr.strip()}")
    return done.stdout


def _set_password(base_url: str, link: str) -> None:
    token = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)["t"][0]
    form = urllib.parse.urlencode({"t": token, "new": PASSWORD, "again": PASSWORD}).encode()
    asked = urllib.request.Request(f"{base_url}/link", form, {"Origin": base_url})
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy this machine has
    try:
        with straight.open(asked, timeout=_DEADLINE):
            pass
    except OSError as error:
        raise CannotRun(f"The demo's own user could not set a password: {error}") from error
