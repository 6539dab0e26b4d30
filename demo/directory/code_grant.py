"""The authorization code grant of authlib with our memory behind it, and PKCE as strict as RFC 9700 asks."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge

from demo.directory.clock import MovableClock
from demo.directory.grants import CODE_LIFE, Code, Granted, Grants


def code_grant(grants: Grants, clock: MovableClock) -> type[AuthorizationCodeGrant]:
    """The grant: codes are kept in `grants`, work once and for a minute."""

    class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
        def save_authorization_code(self, code: str, request: Any) -> None:
            asked = request.payload.data
            grants.keep_code(
                Code(
                    value=code,
                    granted=request.user,
                    redirect_uri=request.payload.redirect_uri,
                    scope=request.scope,
                    nonce=asked.get("nonce"),
                    code_challenge=asked["code_challenge"],
                    code_challenge_method=asked["code_challenge_method"],
                    expires_at=clock.now() + CODE_LIFE,
                    client_id=request.client.get_client_id(),
                )
            )

        def query_authorization_code(self, code: str, client: Any) -> Code | None:
            # Taken here, not deleted after the answer as authlib does: of two at once, one gets it.
            kept = grants.take_code(code, clock.now())
            return kept if kept is not None and kept.client_id == client.get_client_id() else None

        def delete_authorization_code(self, authorization_code: Code) -> None:
            pass

        def authenticate_user(self, authorization_code: Code) -> Granted:
            return authorization_code.granted

    return CodeGrant


def pkce_always() -> CodeChallenge:
    """PKCE S256 for everybody: authlib takes `plain`, and asks public clients only (RFC 9700 section 2.1.1)."""

    class S256Always(CodeChallenge):  # type: ignore[misc]
        SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

        def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
            asked = grant.request.payload.data
            if not asked.get("code_challenge") or asked.get("code_challenge_method") != "S256":
                raise InvalidRequestError("PKCE with S256 is required.", redirect_uri=redirect_uri)
            super().validate_code_challenge(grant, redirect_uri)

    return S256Always(required=True)
