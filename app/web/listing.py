"""The list of roles, searched and cut into pieces: the same for page and API."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.errors import AskRefused
from app.model import Entitlement, Role

_Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a list."""

    entitlements: tuple[Entitlement, ...]
    cursor: str | None
    """Where the next piece begins; None after the last."""
    matched: int
    """How many the search found in all."""


def find(entitlements: Iterable[Entitlement], words: str) -> list[Entitlement]:
    """Those in whose account, name, description, level or ARN every word occurs, in any case."""
    wanted = words.casefold().split()
    if not wanted:
        return list(entitlements)
    return [item for item in entitlements if all(word in _text(item.role) for word in wanted)]


def piece(entitlements: Sequence[Entitlement], limit: int, cursor: str | None) -> Piece:
    """At most `limit`, after `cursor`. A role that came or went meanwhile moves no other.

    Raises:
        AskRefused: the cursor was not made here.
    """
    ordered = sorted(entitlements, key=lambda item: _key(item.role))
    rest = ordered
    if cursor is not None:
        after = _read(cursor)
        rest = [item for item in ordered if _key(item.role) > after]
    part = tuple(rest[:limit])
    more = len(rest) > limit
    return Piece(part, _write(_key(part[-1].role)) if more else None, len(ordered))


def _key(role: Role) -> _Key:
    return (role.account_name, role.account, role.name, role.arn)


def _text(role: Role) -> str:
    return " ".join(
        (role.account_name, role.account, role.name, role.description, role.level, role.arn)
    ).casefold()


def _write(key: _Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).rstrip(b"=").decode()


def _read(cursor: str) -> _Key:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, RecursionError):  # binascii.Error and UnicodeError are ValueErrors
        parts = None
    match parts:
        case [str(account_name), str(account), str(name), str(arn)]:
            return (account_name, account, name, arn)
    raise AskRefused("cursor", words="`cursor` must be one that the last answer gave.")
