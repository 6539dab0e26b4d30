"""What a client may ask for: scope, audience, and how its device calls itself. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from app.errors import ScopeInvalid, TargetInvalid
from app.model import SCOPES, Client, Scope, Settings

_LONGEST_NAME: Final = 64
"""Characters of what a device calls itself."""


def audience(settings: Settings) -> str:
    """Whom access tokens are for: the JSON API, the only resource there is (RFC 8707; RFC 9068, 2.2)."""
    return f"{settings.base_url}/v1"


def resource(asked: str, settings: Settings) -> str:
    """The audience that was asked for; asked for none, the API. Raises TargetInvalid."""
    if asked not in ("", audience(settings)):
        raise TargetInvalid(f"resource {asked[:200]!r}")
    return audience(settings)


def scope(asked: Iterable[str], client: Client) -> tuple[Scope, ...]:
    """The scope that was asked for, in our order; asked for none, all that the client may have.

    Raises ScopeInvalid for one that is unknown, or wider than the client's.
    """
    return narrowed(asked, client.scopes)


def narrowed(asked: Iterable[str], held: Collection[Scope]) -> tuple[Scope, ...]:
    """What was asked for, within what is held; asked for none, all of it. Raises ScopeInvalid."""
    wanted = frozenset(asked)
    foreign = wanted.difference(held)
    if foreign:
        raise ScopeInvalid(f"scope {sorted(foreign)[0][:100]!r} is not among {', '.join(held)}")
    found = common(wanted or held, held)
    if not found:
        raise ScopeInvalid("nothing is left of the scope: the client may ask for other things by now")
    return found


def common(one: Iterable[str], other: Collection[Scope]) -> tuple[Scope, ...]:
    """What is in both, in our order: a scope that was granted once is no wider than the client's is now."""
    wanted = frozenset(one)
    return tuple([each for each in SCOPES if each in wanted and each in other])


def device_name(text: str) -> str:
    """What a device calls itself, fit for a page, a log and a policy condition; it proves nothing."""
    shown = "".join(char if char.isprintable() else "?" for char in text[:_LONGEST_NAME])
    return shown.strip()
