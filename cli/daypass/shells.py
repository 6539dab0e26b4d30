"""Shells: lines that set and unset variables, and which shell will read them.

Values in, text out. The lines are plain data to be evaluated: no alias, no function, nothing sourced.
Every line of `sh` and `fish` ends in a semicolon, so that an `eval` without quotes, which joins the lines
with blanks, does the same as one with them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from daypass import ancestry

SH, FISH, POWERSHELL, CMD = "sh", "fish", "powershell", "cmd"

SPELLINGS: dict[str, str] = {
    "sh": SH,
    "bash": SH,
    "zsh": SH,
    "dash": SH,
    "ash": SH,
    "ksh": SH,
    "mksh": SH,
    "fish": FISH,
    "powershell": POWERSHELL,
    "pwsh": POWERSHELL,
    "cmd": CMD,
}
"""Names of shells' programs, and the way of writing that each reads."""

CHOICES: tuple[str, ...] = ("sh", "bash", "zsh", "fish", "powershell", "cmd")
"""What `--shell` takes."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_POWERSHELL_QUOTES = re.compile("(['‘’‚‛])")
"""PowerShell takes the typographic ones for single quotes too (its language specification, 2.3.5.2)."""


class Unquotable(ValueError):
    """A value that no line of this shell can carry."""


def named(program: str) -> str | None:
    """The way of writing of a program such as `/bin/zsh`, `-bash` or `pwsh.exe`; None if it is no shell."""
    name = re.split(r"[/\\]", program.strip())[-1].lower().lstrip("-")
    if name.endswith(".exe"):
        name = name[:-4]
    return SPELLINGS.get(name)


def detect(platform: str, parents: Iterable[str] | None = None) -> str:
    """The shell that will read what this process prints: the nearest ancestor that is one.

    Not `$SHELL`, which names the login shell whatever runs now. `parents` are the ancestors' programs,
    nearest first. Where none is a shell: PowerShell on Windows, `sh` elsewhere.
    """
    for program in ancestry.programs(platform) if parents is None else parents:
        found = named(program)
        if found is not None:
            return found
    return POWERSHELL if platform == "windows" else SH


def quote(shell: str, value: str) -> str:
    """The value as one word of the shell's language, with nothing left to expand.

    Raises:
        Unquotable: control characters, which neither credentials nor regions have; for `cmd` also what
            it expands even inside quotes.
    """
    if _CONTROL.search(value):
        raise Unquotable("control characters")
    if shell == FISH:
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if shell == POWERSHELL:
        return "'" + _POWERSHELL_QUOTES.sub(r"\1\1", value) + "'"
    if shell == CMD:
        if re.search(r'["%!]', value):
            raise Unquotable('one of " % !')
        return value  # the line puts the whole assignment into quotes
    return "'" + value.replace("'", "'\\''") + "'"


def line(shell: str, name: str, value: str) -> str:
    """One line that sets an environment variable. Raises Unquotable."""
    _check(name)
    word = quote(shell, value)
    if shell == FISH:
        return f"set -gx {name} {word};"
    if shell == POWERSHELL:
        return f"$Env:{name}={word}"
    if shell == CMD:
        return f'set "{name}={word}"'
    return f"export {name}={word};"


def removal(shell: str, name: str) -> str:
    """One line that takes an environment variable away; none there is no error."""
    _check(name)
    if shell == FISH:
        return f"set -e {name};"
    if shell == POWERSHELL:
        return f"$Env:{name}=$null"
    if shell == CMD:
        return f'set "{name}="'
    return f"unset {name};"


def lines(shell: str, values: Mapping[str, str], gone: Iterable[str] = ()) -> str:
    """Lines that remove some variables and set others, ready to print. Raises Unquotable."""
    told: list[str] = [removal(shell, name) for name in gone]
    told += [line(shell, name, value) for name, value in values.items()]
    return "".join(each + "\n" for each in told)


def evaluation(shell: str, command: str) -> str:
    """How a person makes the shell obey what `command` prints."""
    if shell == FISH:
        return f"{command} | source"
    if shell == POWERSHELL:
        return f"{command} | Invoke-Expression"
    if shell == CMD:
        return f"for /f \"delims=\" %i in ('{command}') do @%i"
    return f'eval "$({command})"'


def interactive(platform: str, environ: Mapping[str, str], parents: Iterable[str] | None = None) -> str:
    """The program to start where a person asks for a shell: the one they are in, else their login shell."""
    for program in ancestry.programs(platform) if parents is None else parents:
        if named(program) is not None:
            return program.lstrip("-")
    if platform == "windows":
        return environ.get("COMSPEC") or "cmd.exe"
    return environ.get("SHELL") or os.path.join(os.sep, "bin", "sh")


def _check(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Unquotable(f"{name!r} is not a variable's name")
