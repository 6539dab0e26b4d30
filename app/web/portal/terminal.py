"""Use it in a terminal: the one paste that fetches the helper, signs in, and writes profiles for the AWS tools."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.model import Role
from app.web import helper
from app.web.page import show
from app.web.visit import Visit
from app.web.wire import Response

SHOWN: Final = 50
"""Profiles on the page; the helper writes all of them."""
_BARE: Final = re.compile(r"[A-Za-z0-9_@+./-]+", re.ASCII)
_ODD: Final = re.compile(r"[^A-Za-z0-9_@+.-]+")


@dataclass(frozen=True, slots=True)
class Paste:
    """What to paste on one kind of system."""

    id: str
    label: str
    where: str
    text: str
    examples: str
    file: str
    profiles: str
    """What `daypass configure` writes into the file."""
    chosen: bool


@dataclass(frozen=True, slots=True)
class TerminalPage:
    """One paste for each system."""

    pastes: tuple[Paste, ...]
    sha256: str
    roles: int
    unshown: int
    """Profiles that are not on the page."""


def terminal(visit: Visit) -> Response:
    """`GET /terminal`. Raises Unavailable."""
    base_url = visit.settings.base_url
    built = helper.of(base_url)
    mine = [item.role for item in visit.broker.roles(visit.person, caller=visit.caller)]
    names = dict(list(profile_names(mine).items())[:SHOWN])
    windows = "Windows" in visit.caller.user_agent
    pastes = (
        Paste(
            "unix",
            "Linux and macOS",
            "Paste this into a terminal. It needs Python 3.9 or later, as most systems have it.",
            unix(base_url, built.sha256),
            examples(mine),
            "~/.aws/config",
            profiles(names, '"/…/.local/bin/daypass"'),
            not windows,
        ),
        Paste(
            "windows",
            "Windows",
            "Paste this into PowerShell. It needs Python 3.9 or later, from python.org or the Microsoft Store.",
            windows_powershell(base_url, built.sha256),
            examples(mine),
            "%USERPROFILE%\\.aws\\config",
            profiles(names, '"C:\\…\\python.exe" -I -S "C:\\…\\daypass"'),
            windows,
        ),
    )
    return show("terminal.html", TerminalPage(pastes, built.sha256, len(mine), len(mine) - len(names)), visit)


def unix(base_url: str, sha256: str) -> str:
    """For any shell: what is inside the quotes is `sh`'s alone. Nothing is kept of a download that differs."""
    return f"""\
sh -c '
set -e
mkdir -p ~/.local/bin && cd ~/.local/bin
curl -fsSo daypass.new "{base_url}/cli/daypass"
echo "{sha256}  daypass.new" |
  if command -v sha256sum >/dev/null; then sha256sum -c; else shasum -a 256 -c; fi
chmod 755 daypass.new && mv daypass.new daypass
"$PWD/daypass" login
"$PWD/daypass" configure
'"""


def windows_powershell(base_url: str, sha256: str) -> str:
    """For Windows PowerShell 5.1 and PowerShell 7; one block, so that a failure stops all of it."""
    return f"""\
& {{
  $ErrorActionPreference = 'Stop'
  $at = "$Env:LOCALAPPDATA\\Programs\\daypass"
  $python = Get-Command py, python -CommandType Application -ErrorAction Ignore | Select-Object -First 1
  if (-not $python) {{ throw 'Install Python 3.9 or later first.' }}
  New-Item -ItemType Directory -Force $at | Out-Null
  Invoke-WebRequest -UseBasicParsing '{base_url}/cli/daypass' -OutFile "$at\\daypass.new"
  if ((Get-FileHash -Algorithm SHA256 "$at\\daypass.new").Hash -ne '{sha256}') {{ throw 'Not the right file.' }}
  Move-Item -Force "$at\\daypass.new" "$at\\daypass"
  Set-Content -Encoding Oem "$at\\daypass.cmd" "@`"$($python.Source)`" -I -S `"%~dp0daypass`" %*"
  $path = [Environment]::GetEnvironmentVariable('Path', 'User')
  if (";$path;" -notlike "*;$at;*") {{ [Environment]::SetEnvironmentVariable('Path', "$path;$at", 'User') }}
  & "$at\\daypass.cmd" login
  & "$at\\daypass.cmd" configure
}}"""


def examples(roles: Sequence[Role]) -> str:
    """The first role, with a tool and with the helper itself."""
    if not roles:
        return "daypass whoami"
    first = roles[0]
    name = f"{first.account_name or first.account}/{first.name}"
    term = name if _BARE.fullmatch(name) else first.arn
    profile = next(iter(profile_names(roles)))
    return f"aws sts get-caller-identity --profile {profile}\ndaypass console {term}"


def profiles(names: Mapping[str, str], program: str) -> str:
    """The block that `daypass configure` writes into `~/.aws/config`; `program` is how it is started."""
    lines = [
        "# >>> daypass",
        "# Written by `daypass configure`; what is changed between these marks is lost.",
    ]
    for name, arn in names.items():
        lines += ["", f"[profile {name}]", f"credential_process = {program} credentials {arn}"]
    return "\n".join((*lines, "# <<< daypass"))


def profile_names(roles: Sequence[Role]) -> dict[str, str]:
    """Name → ARN by the helper's own rule (`cli/daypass/profiles.py`; a test compares the two)."""
    plain = [_name(role.account_name or role.account, role.name) for role in roles]
    found: dict[str, str] = {}
    for role, name in zip(roles, plain, strict=True):
        wanted = base = _name(role.account, role.name) if plain.count(name) > 1 else name
        more = 1
        while wanted in found:
            more += 1
            wanted = f"{base}-{more}"
        found[wanted] = role.arn
    return found


def _name(account: str, role: str) -> str:
    parts = (_ODD.sub("-", part).strip("-") for part in (account, role))
    return "-".join(part for part in parts if part) or "role"
