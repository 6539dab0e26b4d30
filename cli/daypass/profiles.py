"""Profiles for the AWS config file: their names, and the line with which SDKs call us.

How `credential_process` lines are run: botocore splits them itself (POSIX `shlex`, on Windows its own
rules) and expands nothing; the Go SDK hands them to `sh -c` or `cmd.exe /C`; JavaScript to a shell. What is
written must mean the same to all of them, also to those that cut a line at ` #` or ` ;`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from daypass.roles import Role

Setting = tuple[str, str]

_ODD = re.compile(r"[^A-Za-z0-9_@+.-]+")
"""What a name may not hold: JavaScript's reader knows `[\\w-@+.%:/]`, and `%:/` mean things to shells."""
_ARN = re.compile(r"arn:[A-Za-z0-9-]+:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}")


class Profile(NamedTuple):
    """One profile: its name, its settings in order."""

    name: str
    settings: tuple[Setting, ...]


class Unsafe(ValueError):
    """A path, region or ARN that cannot stand in the file. The message says why."""


def is_region(text: str) -> bool:
    """True if this has the form of a region's name."""
    return _REGION.fullmatch(text) is not None


def named(roles: Sequence[Role], prefix: str = "") -> dict[str, str]:
    """Name → ARN, in the order of the roles: `ACCOUNT_NAME-ROLE`.

    Characters that a name cannot hold become `-`. Where two roles would have one name, each of them has the
    account's number in place of its name, so that a name never changes its meaning with the order; should that
    be taken too, a number follows.
    """
    plain = [prefix + _name(role.account_name or role.account, role.name) for role in roles]
    found: dict[str, str] = {}
    for role, name in zip(roles, plain):
        if plain.count(name) > 1:
            name = prefix + _name(role.account, role.name)
        wanted, more = name, 1
        while wanted in found:
            more += 1
            wanted = f"{name}-{more}"
        found[wanted] = role.arn
    return found


def profiles(
    roles: Sequence[Role],
    program: Sequence[str],
    platform: str,
    *,
    prefix: str = "",
    region: str | None = None,
) -> list[Profile]:
    """One profile a role, in the order of the roles.

    `program` is how this helper is started: absolute paths, and options that need no quotes.
    Raises Unsafe.
    """
    if prefix and _ODD.search(prefix):
        raise Unsafe("a prefix holds letters, digits and `_ @ + . -` only")
    if region is not None and not is_region(region):
        raise Unsafe(f"`{region}` does not look like a region, as `eu-west-1` does")
    more: tuple[Setting, ...] = (("region", region),) if region else ()
    return [
        Profile(name, (("credential_process", process(program, platform, arn)), *more))
        for name, arn in named(roles, prefix).items()
    ]


def process(program: Sequence[str], platform: str, arn: str) -> str:
    """The `credential_process` line: quoted absolute paths, `credentials`, the ARN. Raises Unsafe."""
    if not _ARN.fullmatch(arn):
        raise Unsafe("a role's ARN has characters that no ARN has")
    words = [_word(word, platform) for word in program]
    return " ".join([*words, "credentials", arn])


def _word(word: str, platform: str) -> str:
    if re.fullmatch(r"-[A-Za-z-]+", word):
        return word  # an option of Python's
    windows = platform == "windows"
    absolute = re.match(r"[A-Za-z]:[\\/]|\\\\[^\\]", word) if windows else word.startswith("/")
    if not absolute:
        raise Unsafe(f"`{word}` is not an absolute path")
    odd = re.search(r'["%\x00-\x1f\x7f]|[^\x00-\x7f]' if windows else r'["$`\\\x00-\x1f\x7f]', word)
    if odd:
        raise Unsafe(f"`{word}` has a character ({odd.group()!r}) that AWS SDKs read in different ways")
    if re.search(r"\s[#;]", word):
        raise Unsafe(f"`{word}` has a blank before `#` or `;`, where some SDKs take the rest for a comment")
    if windows and word.endswith("\\"):
        raise Unsafe(f"`{word}` ends in a backslash")
    return f'"{word}"'


def _name(account: str, role: str) -> str:
    parts = [_ODD.sub("-", part).strip("-") for part in (account, role)]
    return "-".join(part for part in parts if part) or "role"
