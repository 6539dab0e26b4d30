"""Credentials as each shell takes them, every value quoted by that shell's own rules."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from app.errors import StsFailed
from app.model import Credentials

_Variables = tuple[tuple[str, str], ...]
# What AWS issues; anything else could not be quoted for cmd, and comes from no AWS.
_VALUE = re.compile(r"[A-Za-z0-9+/=_.~:@-]{1,8192}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Snippet:
    """Text to paste, for one shell or file."""

    id: str
    label: str
    text: str = field(repr=False)
    hint: str
    """Where it goes."""
    places: tuple[tuple[str, str], ...] = ()
    """(system, path) of the file, if it is one."""
    chosen: bool = False


def snippets(credentials: Credentials, profile: str, *, windows: bool = False) -> tuple[Snippet, ...]:
    """One per way of use; the likeliest is chosen.

    Raises:
        StsFailed: a value has characters that no AWS credential has.
    """
    variables = _variables(credentials)
    likely = "powershell" if windows else "bash"
    shells = tuple(
        Snippet(
            name, label, "\n".join(line(key, value) for key, value in variables), hint, chosen=name == likely
        )
        for name, label, line, hint in _SHELLS
    )
    places = (
        ("Linux and macOS", "~/.aws/credentials"),
        ("Windows", "%USERPROFILE%\\.aws\\credentials"),
    )
    stored = Snippet(
        "file",
        "Credentials file",
        credentials_file(variables, profile),
        f"Add this to your credentials file, then use --profile {profile}.",
        places,
    )
    return (*shells, stored)


def bash(name: str, value: str) -> str:
    """POSIX: nothing is special inside single quotes but the quote (POSIX.1-2024, 2.2.2)."""
    quoted = value.replace("'", "'\\''")
    return f"export {name}='{quoted}'"


def fish(name: str, value: str) -> str:
    """fish: inside single quotes, backslash escapes itself and the quote (fish, "Quotes")."""
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}'"


def powershell(name: str, value: str) -> str:
    """PowerShell: quotes inside quotes are doubled, the typographic ones too (about_Quoting_Rules)."""
    quoted = re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", value)
    return f"$Env:{name} = '{quoted}'"


def cmd(name: str, value: str) -> str:
    """cmd: the quotes go around name and value, so that no blank becomes part of it.

    Only for values without `%`, `"` and line ends, which cmd has no safe way to write.
    """
    return f'set "{name}={value}"'


def credentials_file(variables: _Variables, profile: str) -> str:
    """A section for the shared credentials file (AWS SDKs and Tools Reference Guide)."""
    return "\n".join((f"[{profile}]", *(f"{name.lower()} = {value}" for name, value in variables)))


def profile_name(account: str, role: str) -> str:
    """`production-Admin`: letters, digits, `.`, `_` and `-`, so that no quoting is needed anywhere."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", f"{account}-{role}").strip("-") or "daypass"


def _variables(credentials: Credentials) -> _Variables:
    variables = (
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key),
        ("AWS_SESSION_TOKEN", credentials.session_token),
    )
    for name, value in variables:
        if not _VALUE.fullmatch(value):
            raise StsFailed(f"{name} has characters that no AWS credential has")
    return variables


_IN_THIS_WINDOW = "Paste this into your terminal. It holds for that window."
_SHELLS: tuple[tuple[str, str, Callable[[str, str], str], str], ...] = (
    ("bash", "bash, zsh", bash, _IN_THIS_WINDOW),
    ("powershell", "PowerShell", powershell, _IN_THIS_WINDOW),
    ("cmd", "cmd", cmd, _IN_THIS_WINDOW),
    ("fish", "fish", fish, _IN_THIS_WINDOW),
)
