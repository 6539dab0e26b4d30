"""What an app presents for its person, taken off the wire (RFC 8693, 2.1; RFC 7522, 2.1). Nothing is believed here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.errors import GrantError
from app.model import SubjectProof, TokenKind
from app.web.oauth import parameters

_TYPE: Final = "urn:ietf:params:oauth:token-type:"
ACCESS_TOKEN: Final = f"{_TYPE}access_token"
_KINDS: Final[Mapping[str, TokenKind]] = {
    f"{_TYPE}id_token": "id_token",
    ACCESS_TOKEN: "access_token",
    f"{_TYPE}saml2": "saml2",
}
"""RFC 8693, 3. Not `jwt`: that says how it is written, and not what it is."""


def names(what: str) -> tuple[str, ...]:
    """The parameters of one token, `what` in front of each."""
    return tuple(f"{what}_{part}" for part in ("token", "token_type", "issuer", "nonce"))


def token(fields: Mapping[str, str], what: str = "subject") -> SubjectProof:
    """The token that stands under `what`. `…_issuer` and `…_nonce` are ours: a source's id; the app's own nonce.

    Raises:
        GrantError.
    """
    text, said = (parameters.needed(fields, f"{what}_{part}") for part in ("token", "token_type"))
    kind = _KINDS.get(said)
    if kind is None:
        known = ", ".join(f"`{each}`" for each in _KINDS)
        raise GrantError(
            f"{what}_token_type {said[:80]!r}", words=f"`{what}_token_type` must be one of {known}."
        )
    nonce = fields.get(f"{what}_nonce")
    if nonce is not None and kind != "id_token":  # else the app would take it for compared
        words = f"`{what}_nonce` is for an ID token; no other says which nonce it was made for."
        raise GrantError(f"{what}_nonce of {kind}", words=words)
    return SubjectProof(kind, text, fields.get(f"{what}_issuer", ""), nonce)


def assertion(fields: Mapping[str, str]) -> SubjectProof:
    """RFC 7522, 2.1. Raises GrantError."""
    return SubjectProof("saml2", parameters.needed(fields, "assertion"), fields.get("subject_issuer", ""))
