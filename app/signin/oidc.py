"""Sign-in through an OpenID provider: authorization code with PKCE, nonce and state (OpenID Connect Core 3.1,
RFC 6749, RFC 7636, RFC 9207, RFC 9700).

    start   discovery → the provider's sign-in page, with state, nonce and code challenge
    finish  state, `iss`, `error` → code for tokens → signature → claims → userinfo, if asked → Identity
    believe an app's ID token → signature → claims → Identity

Everything fetched goes through the guarded `Fetcher`. Tokens are looked at and forgotten: none is stored,
logged or quoted in a refusal.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
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
    SignInNotOurs,
    Unknown,
)
from app.model import (
    Authentication,
    Identity,
    Metadata,
    OidcProvider,
    Outbound,
    Pending,
    Proof,
    SourceId,
    TokenKind,
)
from app.outbound import Answer, Fetcher
from app.signin import claims as mapping
from app.signin import oidc_claims, oidc_presented
from app.signin.oauth2_answers import code_in, is_bearer, json_object, quoted, same
from app.signin.oidc_discovery import Discovery, Endpoints
from app.signin.oidc_keys import Keys, PublicKey
from app.signin.oidc_token import IdToken
from app.signin.places import Places
from app.signin.presented import check_kind, mark, presented
from app.signin.seam import Proven, Started, SubjectToken

_TAKES: Final[frozenset[TokenKind]] = frozenset({"id_token"})


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
        if {pending.source, proof.source} != {self.id} or not same(state, pending.key):
            raise SignInNotOurs("the answer's state is not that of the sign-in it is to finish")
        nonce, verifier = pending.secrets.get("nonce"), pending.secrets.get("code_verifier")
        if not nonce or not verifier:
            raise SignInNotOurs("the sign-in was not started by a source of this kind")
        with self._places.one():
            endpoints = self._discovery.endpoints()
            self._check_issuer(proof.fields, endpoints)
            tokens = self._redeem(code_in(proof.fields, OidcRefused), verifier, endpoints)
            return Proven(self._identity(tokens, nonce, endpoints, now))

    @property
    def takes(self) -> frozenset[TokenKind]:
        """ID tokens, whichever app they are made for; an access token of an OpenID provider names nobody."""
        return _TAKES

    def issued(self, token: SubjectToken) -> bool:
        """Whether an ID token says that it is of this issuer. Nothing is checked."""
        return token.kind == "id_token" and token.compact.unverified_issuer == self._provider.issuer

    def believe(self, token: SubjectToken, accepts: Sequence[str], now: datetime) -> Proven:
        """Believe an ID token that an app presents: signature and claims as at a sign-in, its audience from `accepts`.

        Userinfo is not asked, since no access token comes along: what the source's `claims` name must stand in
        the ID token. Raises as `seam.Exchangeable.believe`.
        """
        check_kind(token, self.takes)
        provider = self._provider
        expected = oidc_presented.Presented(provider.issuer, frozenset(accepts), token.nonce)
        with presented(), self._places.one():
            found, _ = self._signed(token.compact, self._discovery.endpoints())
            accepted = oidc_presented.check(found, expected, now)
            return Proven(
                self._mapped(found, oidc_claims.authentication(found, provider.mfa, now)),
                expires_at=accepted.expires_at,
                audience=accepted.audience,
                mark=mark(self.id, token.compact.signed_part, accepted.expires_at, now),
            )

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
            raise OidcIssuer(f"the answer's `iss` is another provider's: {quoted(issuer)}")

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
        found, algorithm = self._signed(IdToken(tokens.id_token), endpoints)
        expected = oidc_claims.Expected(
            provider.issuer, provider.client_id, nonce, algorithm, tokens.access_token
        )
        oidc_claims.check(found, expected, now)
        authentication = oidc_claims.authentication(found, provider.mfa, now)
        if provider.userinfo:
            found = oidc_claims.merged(found, self._userinfo(tokens, endpoints))
        return self._mapped(found, authentication)

    def _signed(self, token: IdToken, endpoints: Endpoints) -> tuple[dict[str, object], str]:
        """The payload of an ID token whose signature holds, and its algorithm. Raises OidcToken, ProviderFailed."""
        algorithm = ""

        def find_key(alg: str, kid: str | None) -> PublicKey:
            nonlocal algorithm
            algorithm = alg
            return self._keys.find(endpoints.keys, alg, kid)

        return token.payload(self._provider.algorithms, find_key), algorithm

    def _mapped(self, found: Mapping[str, object], authentication: Authentication) -> Identity:
        return mapping.identity(
            self._provider,
            oidc_claims.as_text(found),
            authentication,
            groups_complete=not cut_groups(found, self._provider),
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
        return json_object(answer, "userinfo")


def _tokens(answer: Answer) -> _Tokens:
    """The token response (RFC 6749 5.1, 5.2; Core 3.1.3.3). Only status 200 gives tokens."""
    if answer.status in (400, 401):
        error = json_object(answer, "token endpoint").get("error")
        if error == "invalid_grant":  # the code is used, expired, another's, or its verifier is
            raise OidcRefused("the provider does not take the code: `invalid_grant`")
        raise ProviderFailed(f"token endpoint: the provider answers {quoted(error)}")
    if answer.status != 200:
        raise ProviderFailed(f"token endpoint: the provider answers with status {answer.status}")
    response = json_object(answer, "token endpoint")
    id_token, access_token, kind = (response.get(name) for name in ("id_token", "access_token", "token_type"))
    if not isinstance(id_token, str):
        raise OidcToken("the token response holds no ID token")
    if access_token is not None and not is_bearer(access_token, kind):
        raise ProviderFailed("token endpoint: the access token is not a bearer token")
    return _Tokens(id_token, access_token if isinstance(access_token, str) else None)


def cut_groups(claims: Mapping[str, object], provider: OidcProvider) -> bool:
    """`_claim_names` (Core 5.6.2) says that the group claim is elsewhere, or says it in no readable way."""
    elsewhere = claims.get("_claim_names")
    if elsewhere is None:
        return False
    return not isinstance(elsewhere, dict) or provider.claims.groups in elsewhere
