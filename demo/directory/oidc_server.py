"""The OpenID provider's protocol: authlib's server parts, made as strict as RFC 9700 asks."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Any, Final

from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc9207 import IssuerParameter
from authlib.oidc.core import UserInfoEndpoint
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask
from joserfc.jwk import RSAKey

from demo.directory.clock import MovableClock
from demo.directory.code_grant import code_grant, pkce_always
from demo.directory.grants import TOKEN_LIFE, Granted, Grants, Token

SCOPES: Final = ("openid", "profile", "email", "groups")
ALGORITHM: Final = "RS256"


@dataclass(frozen=True, slots=True)
class Client:
    """The one client, confidential; the methods are those that authlib asks for."""

    client_id: str
    secret: str = field(repr=False)
    redirect_uri: str
    id_token_signed_response_alg: str = ALGORITHM

    @property
    def client_metadata(self) -> dict[str, str]:
        return {}

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: a client says its address each time."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """Those of the scopes that there are; None, which refuses, without `openid`."""
        asked = (scope or "").split()
        return " ".join(name for name in SCOPES if name in asked) if "openid" in asked else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        return hmac.compare_digest(client_secret.encode("utf-8", "surrogatepass"), self.secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass(frozen=True, slots=True)
class Issuer:
    """The provider's name and signing key."""

    url: str
    key: RSAKey

    @property
    def jwks(self) -> dict[str, Any]:
        """The public key set."""
        public = self.key.as_dict(private=False)
        return {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": ALGORITHM}]}

    @property
    def kid(self) -> str:
        """The key's thumbprint (RFC 7638)."""
        return self.key.thumbprint()

    @property
    def discovery(self) -> dict[str, Any]:
        """The provider's configuration (OpenID Connect Discovery 1.0 section 3, RFC 9207 section 3)."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/jwks",
            "scopes_supported": list(SCOPES),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "prompt_values_supported": ["none", "login", "select_account"],
            "claims_supported": [
                "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash",
                "preferred_username", "name", "email", "email_verified", "groups", "cost_center",
            ],
            "authorization_response_iss_parameter_supported": True,
        }  # fmt: skip


def claims(granted: Granted, scope: str) -> dict[str, Any]:
    """What the provider says of a person, by scope (OpenID Connect Core 1.0 section 5.4)."""
    person, scopes = granted.person, scope.split()
    said: dict[str, Any] = {"sub": person.subject}
    if "profile" in scopes:
        said |= {
            "preferred_username": person.username, "name": person.name, "cost_center": person.cost_center,
        }  # fmt: skip
    if "email" in scopes:
        said |= {"email": person.email, "email_verified": True}
    if "groups" in scopes:
        said |= {"groups": list(person.groups)}
    return said


def make_server(
    app: Flask, issuer: Issuer, client: Client, grants: Grants, clock: MovableClock
) -> AuthorizationServer:
    """Authlib's authorization server with the code grant, PKCE S256, ID tokens, `iss` and userinfo."""
    app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {"authorization_code": int(TOKEN_LIFE.total_seconds())}

    def save_token(token: dict[str, Any], request: Any) -> None:
        kept = Token(
            value=token["access_token"],
            granted=request.user,
            scope=token["scope"],
            client=request.client,
            expires_at=clock.now() + TOKEN_LIFE,
        )
        grants.keep_token(kept, request.authorization_code.value)

    server = AuthorizationServer(
        app, query_client=lambda name: client if name == client.client_id else None, save_token=save_token
    )
    server.scopes_supported = list(SCOPES)

    server.register_grant(code_grant(grants, clock), [pkce_always(), _id_tokens(issuer, clock)])
    server.register_extension(issuer_parameter(issuer))
    server.register_endpoint(_userinfo(issuer, grants, clock))
    return server


def _id_tokens(issuer: Issuer, clock: MovableClock) -> OpenIDCode:
    class IdTokens(OpenIDCode):  # type: ignore[misc]
        def exists_nonce(self, nonce: str, request: Any) -> bool:
            return False  # the client's to check: it made the nonce

        def resolve_client_private_key(self, client: Client) -> RSAKey:
            return issuer.key

        def get_encode_header(self, client: Client) -> dict[str, str]:
            return {"alg": ALGORITHM, "kid": issuer.kid, "typ": "JWT"}

        def get_client_claims(self, client: Client) -> dict[str, Any]:
            now = int(clock.now().timestamp())
            life = int(TOKEN_LIFE.total_seconds())
            return {"iss": issuer.url, "aud": client.client_id, "iat": now, "exp": now + life}

        def generate_user_info(self, user: Granted, scope: str) -> dict[str, Any]:
            return claims(user, scope)

    return IdTokens(require_nonce=False)


def issuer_parameter(issuer: Issuer) -> IssuerParameter:
    class Names(IssuerParameter):  # type: ignore[misc]
        def get_issuer(self) -> str:
            return issuer.url

    return Names()


def _userinfo(issuer: Issuer, grants: Grants, clock: MovableClock) -> UserInfoEndpoint:
    class Tokens(BearerTokenValidator):  # type: ignore[misc]
        def authenticate_token(self, token_string: str) -> Token | None:
            return grants.token(token_string, clock.now())

    class UserInfo(UserInfoEndpoint):  # type: ignore[misc]
        def get_issuer(self) -> str:
            return issuer.url

        def generate_user_info(self, user: Granted, scope: str) -> dict[str, Any]:
            return claims(user, scope)

    protector = ResourceProtector()
    protector.register_token_validator(Tokens())
    return UserInfo(resource_protector=protector)
