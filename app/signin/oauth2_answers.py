"""What an OAuth 2.0 provider answers, read strictly: by OpenID providers and by plain ones alike (RFC 6749)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final

from app.errors import ProofRefused, ProviderFailed, SignInDenied
from app.outbound import Answer
from app.signin.oidc_json import read_object

LONGEST_CODE: Final = 8_192
LONGEST_ACCESS_TOKEN: Final = 16_384
_QUOTED: Final = 200
"""Characters of the provider's own words that go into a detail."""


def code_in(fields: Mapping[str, str], refusal: type[ProofRefused]) -> str:
    """The authorization code (RFC 6749 4.1.2), unless the provider said no. Raises SignInDenied, `refusal`."""
    if "error" in fields:
        described = quoted(fields.get("error_description", ""))
        raise SignInDenied(f"the provider answers {quoted(fields['error'])}: {described}")
    given = fields.get("code", "")
    if not 0 < len(given) <= LONGEST_CODE or not given.isascii() or not given.isprintable():
        raise refusal("the answer holds no code, or one that cannot be one")
    return given


def is_bearer(token: object, kind: object) -> bool:
    """A bearer token that may go into a header."""
    return (
        isinstance(token, str)
        and is_visible(token, LONGEST_ACCESS_TOKEN)
        and isinstance(kind, str)
        and kind.lower() == "bearer"
    )


def is_visible(token: str, longest: int) -> bool:
    """What RFC 6750 2.1 makes tokens of: visible ASCII, so that it ends no header."""
    return 0 < len(token) <= longest and token.isascii() and token.isprintable() and " " not in token


def json_object(answer: Answer, place: str) -> dict[str, object]:
    """The JSON object of an answer. `place` names the address in words. Raises ProviderFailed."""
    if answer.content_type != "application/json":
        raise ProviderFailed(f"{place}: the provider's answer is not application/json")
    try:
        return read_object(answer.body)
    except ValueError as error:
        raise ProviderFailed(f"{place}: the provider's answer cannot be read: {error}") from None


def quoted(value: object) -> str:
    """The other side's words for the operator: escaped, cut."""
    return ascii(value[:_QUOTED]) if isinstance(value, str) else "something that is not text"


def same(given: str, expected: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode(errors="replace"))
