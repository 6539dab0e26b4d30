"""Sign-in through an OpenID provider: authorization code with PKCE, nonce and state (OpenID Connect Core 3.1,
RFC 6749, RFC 7636, RFC 9207, RFC 9700).

    start   discovery → the provider's sign-in page, with state, nonce and code challenge
    finish  state, `iss`, `error` → code for tokens → signature → claims → userinfo, if asked → Identity

Everything fetched goes through the guarded `Fetcher`. Tokens are looked at and forgotten: none is stored,
logged or quoted in a refusal.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import quote_plus

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from app.clock import Clock
from app.errors import (
    OidcIssuer,
    OidcRefused,
    OidcToken,
    ProviderFailed,
    Refusal,
    SignInDenied,
    SignInNotOurs,
    Unknown,
)
from app.model import Identity, Metadata, OidcProvider, Outbound, Pending, Proof, SourceId
from app.outbound import Answer, Fetcher
from app.signin import claims as mapping
from app.signin import oidc_claims
from app.signin.oidc_discovery import Discovery, Endpoints
from app.signin.oidc_json import read_object
from app.signin.oidc_keys import Keys, PublicKey
from app.signin.oidc_token import signed_payload
from app.signin.places import Places
from app.signin.seam import Proven, Started

LONGEST_CODE: Final = 8_192
_LONGEST_ACCESS_TOKEN: Final = 16_384
_QUOTED: Final = 200
"""Characters of the provider's own words that go into a detail."""


@dataclass(frozen=True, slots=True)
class _Tokens:
    id_token: str = field(repr=False)
    access_token: str | None = field(repr=False)


class OidcSource:
    """One OpenID provider as a source of identities. Safe to use from many threads at once.

    `base_url`: our own address; the redirect address is `BASE/oidc/PROVIDER/callback`, one per provider, so
    that no provider can answer for another (RFC 9700 4.4). `clock` only ages what is cached; a proof is
    judged by the `now` that comes with it.
    """

    def __init__(self, provider: OidcProvider, base_url: str, fetch: Fetcher, clock: Clock) -> None:
        self._provider = provider
        self._redirect = f"{base_url}/oidc/{provider.id}/callback"
        self._fetch = fetch
        self._discovery = Discovery(provider.issuer, fetch, clock)
        self._keys = Keys(provider.algorithms, fetch, clock)
        self._places = Places()

    @property
    def id(self) -> SourceId:
        """The source's id."""
        return self._provider.id

    @property
    def label(self) -> str:
        """Its name for people."""
        return self._provider.label

    def start(self, now: datetime) -> Started:
        """Begin a sign-in. The key is the state; nonce and code verifier are to be kept until it comes back.

        Raises ProviderFailed if the provider's endpoints cannot be had.
        """
        with self._places.one():
            endpoints = self._discovery.endpoints()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        scopes = self._provider.scopes
        url: str = prepare_grant_uri(
            endpoints.authorization,
            self._provider.client_id,
            "code",
            redirect_uri=self._redirect,
            scope=list(scopes if "openid" in scopes else ("openid", *scopes)),
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return Started(Outbound(url), state, {"nonce": nonce, "code_verifier": verifier})

    def finish(self, pending: Pending, proof: Proof, now: datetime) -> Proven:
        """Believe the provider's answer, or refuse it.

        `pending` is the sign-in that this browser started; `proof.fields` holds what came back: `state`,
        `code`, `iss`, `error`, `error_description`. Raises SignInNotOurs (state), OidcIssuer, SignInDenied
        (the provider said no), OidcRefused (no code, or one that is not redeemed), OidcToken, OidcClaims,
        OidcNonce, OidcUserinfo, IdentityIncomplete, GroupsIncomplete, ProviderFailed.
        """
        state = proof.fields.get("state", "")
        if {pending.source, proof.source} != {self.id} or not _same(state, pending.key):
            raise SignInNotOurs("the answer's state is not that of the sign-in it is to finish")
        nonce, verifier = pending.secrets.get("nonce"), pending.secrets.get("code_verifier")
        if not nonce or not verifier:
            raise SignInNotOurs("the sign-in was not started by a source of this kind")
        with self._places.one():
            endpoints = self._discovery.endpoints()
            self._check_issuer(proof.fields, endpoints)
            tokens = self._redeem(_code(proof.fields), verifier, endpoints)
            return Proven(self._identity(tokens, nonce, endpoints, now))

    def metadata(self) -> Metadata:
        """An OpenID client has none to show. Raises Unknown."""
        raise Unknown(f"source `{self.id}` is an OpenID provider; it needs no document about us")

    def warm(self) -> None:
        """Fetch endpoints and keys, so that the first sign-in need not wait. Never raises."""
        try:
            self._keys.warm(self._discovery.endpoints().keys)
        except Refusal:
            return

    # --- the steps of finish ------------------------------------------------------------------------

    def _check_issuer(self, fields: Mapping[str, str], endpoints: Endpoints) -> None:
        """RFC 9207 2.4, for errors too: an answer of another provider says nothing here."""
        issuer = fields.get("iss")
        if issuer is None and endpoints.names_itself:
            raise OidcIssuer("the answer holds no `iss`, though the provider announces it")
        if issuer is not None and issuer != self._provider.issuer:
            raise OidcIssuer(f"the answer's `iss` is another provider's: {_quoted(issuer)}")

    def _redeem(self, code: str, verifier: str, endpoints: Endpoints) -> _Tokens:
        """The code for tokens (Core 3.1.3.1). Raises OidcRefused, ProviderFailed."""
        provider = self._provider
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "code_verifier": verifier,
        }
        basic: tuple[str, str] | None = None
        if provider.client_secret is None:
            form["client_id"] = provider.client_id
        elif endpoints.secret_in_body:
            form |= {"client_id": provider.client_id, "client_secret": provider.client_secret}
        else:  # RFC 6749 2.3.1: each part form-encoded before HTTP Basic joins them
            basic = (quote_plus(provider.client_id), quote_plus(provider.client_secret))
        return _tokens(self._fetch.post_form(endpoints.token, form, auth=basic))

    def _identity(self, tokens: _Tokens, nonce: str, endpoints: Endpoints, now: datetime) -> Identity:
        provider = self._provider
        algorithm = ""

        def find_key(alg: str, kid: str | None) -> PublicKey:
            nonlocal algorithm
            algorithm = alg
            return self._keys.find(endpoints.keys, alg, kid)

        found = signed_payload(tokens.id_token, provider.algorithms, find_key)
        expected = oidc_claims.Expected(
            provider.issuer, provider.client_id, nonce, algorithm, tokens.access_token
        )
        oidc_claims.check(found, expected, now)
        authentication = oidc_claims.authentication(found, provider.mfa, now)
        if provider.userinfo:
            found = oidc_claims.merged(found, self._userinfo(tokens, endpoints))
        return mapping.identity(
            provider,
            oidc_claims.as_text(found),
            authentication,
            groups_complete=not cut_groups(found, provider),
        )

    def _userinfo(self, tokens: _Tokens, endpoints: Endpoints) -> dict[str, object]:
        """Core 5.3: by bearer token, JSON only. Raises ProviderFailed."""
        if endpoints.userinfo is None or tokens.access_token is None:
            raise ProviderFailed(
                "userinfo is wanted, but the provider has no such endpoint or gave no access token"
            )
        answer = self._fetch.get(endpoints.userinfo, {"Authorization": f"Bearer {tokens.access_token}"})
        if answer.status != 200:
            raise ProviderFailed(f"userinfo: the provider answers with status {answer.status}")
        return _object(answer, "userinfo")


def _code(fields: Mapping[str, str]) -> str:
    """The code, unless the provider said no. Raises SignInDenied, OidcRefused."""
    if "error" in fields:
        described = _quoted(fields.get("error_description", ""))
        raise SignInDenied(f"the provider answers {_quoted(fields['error'])}: {described}")
    code = fields.get("code", "")
    if not 0 < len(code) <= LONGEST_CODE or not code.isascii() or not code.isprintable():
        raise OidcRefused("the answer holds no code, or one that cannot be one")
    return code


def _tokens(answer: Answer) -> _Tokens:
    """The token response (RFC 6749 5.1, 5.2; Core 3.1.3.3). Only status 200 gives tokens."""
    if answer.status in (400, 401):
        error = _object(answer, "token endpoint").get("error")
        if error == "invalid_grant":  # the code is used, expired, another's, or its verifier is
            raise OidcRefused("the provider does not take the code: `invalid_grant`")
        raise ProviderFailed(f"token endpoint: the provider answers {_quoted(error)}")
    if answer.status != 200:
        raise ProviderFailed(f"token endpoint: the provider answers with status {answer.status}")
    response = _object(answer, "token endpoint")
    id_token, access_token, kind = (response.get(name) for name in ("id_token", "access_token", "token_type"))
    if not isinstance(id_token, str):
        raise OidcToken("the token response holds no ID token")
    if access_token is not None and not _is_bearer(access_token, kind):
        raise ProviderFailed("token endpoint: the access token is not a bearer token")
    return _Tokens(id_token, access_token if isinstance(access_token, str) else None)


def _is_bearer(token: object, kind: object) -> bool:
    """It goes into a header, so it must be what RFC 6750 2.1 says: visible ASCII."""
    return (
        isinstance(token, str)
        and 0 < len(token) <= _LONGEST_ACCESS_TOKEN
        and token.isascii()
        and token.isprintable()
        and " " not in token
        and isinstance(kind, str)
        and kind.lower() == "bearer"
    )


def _object(answer: Answer, place: str) -> dict[str, object]:
    if answer.content_type != "application/json":
        raise ProviderFailed(f"{place}: the provider's answer is not application/json")
    try:
        return read_object(answer.body)
    except ValueError as error:
        raise ProviderFailed(f"{place}: the provider's answer cannot be read: {error}") from None


def cut_groups(claims: Mapping[str, object], provider: OidcProvider) -> bool:
    """`_claim_names` (Core 5.6.2) says that the group claim is elsewhere, or says it in no readable way."""
    elsewhere = claims.get("_claim_names")
    if elsewhere is None:
        return False
    return not isinstance(elsewhere, dict) or provider.claims.groups in elsewhere


def _quoted(value: object) -> str:
    """The other side's words for the operator: escaped, cut."""
    return ascii(value[:_QUOTED]) if isinstance(value, str) else "something that is not text"


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode(errors="replace"))
