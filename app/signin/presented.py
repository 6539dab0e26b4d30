"""What the checks of all tokens that apps present have in common: caps, marks, and one family of refusals."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Final

from app.errors import (
    GroupsIncomplete,
    IdentityIncomplete,
    ProofRefused,
    SamlAudience,
    SamlDestination,
    SamlTime,
    SubjectTokenAudience,
    SubjectTokenExpired,
    SubjectTokenKind,
    SubjectTokenRefused,
)
from app.jsontext import dump
from app.model import TokenKind
from app.signin.seam import OnceOnly, SubjectToken

LONGEST_ACCESS_TOKEN: Final = 4_096
"""Characters. Login with Amazon's, the longest known, have up to 2,048."""
ENDLESS: Final = timedelta(days=366)
"""How long a mark is kept, since it was brought last, of a token that does not say when it ends: GitHub's end after a
year without use (GitHub Docs, "Token expiration and revocation"). A shorter one would give it to whoever waits.
Also how old one is taken for that does not say when it was made."""
_LAST: Final = datetime(9998, 12, 31, tzinfo=UTC)

_AS: Final[Mapping[type[ProofRefused], type[SubjectTokenRefused]]] = {
    SamlAudience: SubjectTokenAudience,
    SamlDestination: SubjectTokenAudience,
    SamlTime: SubjectTokenExpired,
}
_WHOLE: Final = (SubjectTokenRefused, IdentityIncomplete, GroupsIncomplete)
"""Their words are right for a developer as they are."""


class _Presented:
    """`presented`, which keeps nothing."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, refusal: BaseException | None, _trace: object) -> None:
        if isinstance(refusal, ProofRefused) and not isinstance(refusal, _WHOLE):
            raise _AS.get(type(refusal), SubjectTokenRefused)(refusal.detail) from None


_PRESENTED: Final = _Presented()


def presented() -> AbstractContextManager[None]:
    """What a sign-in is refused for in words for a person, said to an app's developer. The detail stays."""
    return _PRESENTED


def check_kind(token: SubjectToken, takes: frozenset[TokenKind]) -> None:
    """Raises SubjectTokenKind unless the source takes such tokens."""
    if token.kind not in takes:
        raise SubjectTokenKind(
            f"the source takes {', '.join(sorted(takes)) or 'no tokens'}, not {token.kind}"
        )


def mark(source: str, text: str, expires_at: datetime | None, now: datetime) -> OnceOnly:
    """The mark of a token: the same for the same signed content, whatever else is changed on it."""
    digest = hashlib.sha256(dump([source, text]).encode()).hexdigest()
    return OnceOnly("token", digest, min(expires_at or now + ENDLESS, _LAST))
