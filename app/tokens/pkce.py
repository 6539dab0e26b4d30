"""PKCE (RFC 7636), for every client: only S256, and only in its exact form."""

from __future__ import annotations

import hmac
import re
from typing import Final

from authlib.oauth2.rfc7636 import create_s256_code_challenge

METHOD: Final = "S256"

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
"""SHA-256 in base64url without padding (RFC 7636, 4.2)."""
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
"""RFC 7636, 4.1."""


def problem(challenge: str, method: str) -> str | None:
    """Why a request's challenge is not taken, in words for whoever wrote the client; None if it is.

    An absent method would mean `plain` (RFC 7636, 4.3), which shows the secret to whoever sees the request.
    """
    if not challenge:
        return "PKCE is required: send `code_challenge` and `code_challenge_method=S256`."
    if method != METHOD:
        return "`code_challenge_method` must be `S256`."
    if not _CHALLENGE.fullmatch(challenge):
        return "`code_challenge` must be the base64url of a SHA-256, 43 characters without padding."
    return None


def proves(verifier: str, challenge: str) -> bool:
    """Whether whoever shows this verifier is who sent that challenge (RFC 7636, 4.6)."""
    if not (_VERIFIER.fullmatch(verifier) and _CHALLENGE.fullmatch(challenge)):
        return False
    made: str = create_s256_code_challenge(verifier)
    return hmac.compare_digest(made, challenge)
