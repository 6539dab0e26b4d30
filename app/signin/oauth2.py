"""Sign-in through a provider of plain OAuth 2.0, and access tokens of it that apps present (RFC 6749, RFC 9700).

    start    the provider's sign-in page, with state and code challenge
    finish   state, `error` → code for an access token → profile → Identity
    believe  an app's access token → for which app? (`oauth2_checks`) → profile → Identity

There is no signed statement here: who it is says an address of the provider's to whoever brings an access token.
At a sign-in that token comes straight from the provider, for a code that only we can redeem; one that an app
brings is believed only after the provider itself said that it was made for that app.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import quote_plus

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from app.errors import (
    OAuth2Refused,
    ProviderFailed,
    SignInNotOurs,
    SubjectTokenAudience,
    SubjectTokenExpired,
    SubjectTokenRefused,
    Unknown,
)
from app.model import Metadata, OAuth2Provider, Outbound, Pending, Proof, SourceId, TokenKind
from app.outbound import Answer, Fetcher
from app.signin import oauth2_profile
from app.signin.oauth2_answers import code_in, is_bearer, is_visible, json_object, quoted, same
from app.signin.oauth2_checks import CHECKS, Checked
from app.signin.oidc_json import read_list
from app.signin.places import Places
from app.signin.presented import ENDLESS, LONGEST_ACCESS_TOKEN, check_kind, mark, presented
from app.signin.seam import Proven, Started, SubjectToken

_NOT_REDEEMED: Final = frozenset({"invalid_grant", "bad_verification_code"})
"""The code is used, expired, another's, or its verifier is: RFC 6749 5.2, and GitHub's word for it."""
_FACEBOOKS: Final = 100
"""Facebook's error code for such a code."""


class OAuth2Source:
    """One plain OAuth 2.0 provider as a source of identities. Safe to use from many threads at once.

    `base_url`: our own address; the redirect address is `BASE/oidc/PROVIDER/callback`, as for OpenID providers,
    one per provider, so that no provider can answer for another (RFC 9700 4.4).
    """

    def __init__(self, provider: OAuth2Provider, base_url: str, fetch: Fetcher) -> None:
        self._provider = provider
        self._redirect = f"{base_url}/oidc/{provider.id}/callback"
        self._fetch = fetch
        self._places = Places()

    @property
    def id(self) -> SourceId:
        """The source's id."""
        return self._provider.id

    @property
    def label(self) -> str:
        """Its name for people."""
        return self._provider.label

    # --- sign-in in the browser ---------------------------------------------------------------------

    def start(self, now: datetime) -> Started:
        """Begin a sign-in. The key is the state; the code verifier is to be kept until it comes back."""
        provider = self._provider
        state, verifier = (secrets.token_urlsafe(32) for _ in range(2))
        challenge = {
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        url: str = prepare_grant_uri(
            provider.authorize_url,
            provider.client_id,
            "code",
            redirect_uri=self._redirect,
            scope=list(provider.scopes) or None,
            state=state,
            **(challenge if provider.pkce else {}),
        )
        return Started(Outbound(url), state, {"code_verifier": verifier})

    def finish(self, pending: Pending, proof: Proof, now: datetime) -> Proven:
        """Believe the provider's answer, or refuse it.

        `pending` is the sign-in that this browser started; `proof.fields` holds what came back: `state`,
        `code`, `error`, `error_description`. Raises SignInNotOurs (state), SignInDenied (the provider said
        no), OAuth2Refused (no code, or one that is not redeemed), OAuth2Profile, IdentityIncomplete,
        GroupsIncomplete, ProviderFailed.
        """
        state = proof.fields.get("state", "")
        if {pending.source, proof.source} != {self.id} or not same(state, pending.key):
            raise SignInNotOurs("the answer's state is not that of the sign-in it is to finish")
        verifier = pending.secrets.get("code_verifier")
        if not verifier or "nonce" in pending.secrets:
            raise SignInNotOurs("the sign-in was not started by a source of this kind")
        code = code_in(proof.fields, OAuth2Refused)
        with self._places.one():
            access_token = self._redeem(code, verifier)
            return Proven(oauth2_profile.identity(self._provider, self._profile(access_token), now))

    def metadata(self) -> Metadata:
        """An OAuth client has none to show. Raises Unknown."""
        raise Unknown(f"source `{self.id}` is an OAuth 2.0 provider; it needs no document about us")

    def warm(self) -> None:
        """Nothing: there is no document to have beforehand."""

    # --- access tokens that apps present ------------------------------------------------------------

    @property
    def takes(self) -> frozenset[TokenKind]:
        """Access tokens, if the provider can be asked for which app one was made."""
        return frozenset({"access_token"} if self._provider.check.kind in CHECKS else ())

    def issued(self, token: SubjectToken) -> bool:
        """Whether it may be of this provider; an access token says nothing of itself."""
        return token.kind in self.takes

    def believe(self, token: SubjectToken, accepts: Sequence[str], now: datetime) -> Proven:
        """Believe an access token that an app presents: first for which app it was made, then whose it is.

        Raises as `seam.Exchangeable.believe`.
        """
        check_kind(token, self.takes)
        if not is_visible(token.text, LONGEST_ACCESS_TOKEN):
            raise SubjectTokenRefused("the token is not one that could stand in a header")
        with presented(), self._places.one():
            checked = CHECKS[self._provider.check.kind](self._provider, token.text, self._fetch, now)
            _meant(checked, accepts, now)
            profile = self._profile(token.text)
            _same_person(checked, profile)
            # Who brings a token of old has not signed in now: policies may ask how long ago that was.
            at = min(checked.issued_at or now - ENDLESS, now)
            return Proven(
                oauth2_profile.identity(self._provider, profile, at),
                expires_at=checked.expires_at,
                audience=checked.audience,
                mark=mark(self.id, token.text, checked.expires_at, now),
            )

    # --- what is fetched ----------------------------------------------------------------------------

    def _redeem(self, code: str, verifier: str) -> str:
        """The code for an access token (RFC 6749 4.1.3). Raises OAuth2Refused, ProviderFailed."""
        provider = self._provider
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self._redirect}
        if provider.pkce:
            form["code_verifier"] = verifier
        basic: tuple[str, str] | None = None
        if provider.client_secret is None:
            form["client_id"] = provider.client_id
        elif provider.client_auth == "body":
            form |= {"client_id": provider.client_id, "client_secret": provider.client_secret}
        else:  # RFC 6749 2.3.1: each part form-encoded before HTTP Basic joins them
            basic = (quote_plus(provider.client_id), quote_plus(provider.client_secret))
        return _access_token(self._fetch.post_form(provider.token_url, form, auth=basic))

    def _profile(self, access_token: str) -> Mapping[str, object]:
        """What the provider says of whoever the token is of. Raises ProviderFailed."""
        provider = self._provider
        query = self._proof(access_token)
        bearer = {"Authorization": f"Bearer {access_token}"}
        answer = self._fetch.get(provider.userinfo_url, bearer, query)
        if answer.status != 200:
            raise ProviderFailed(f"profile: the provider answers with status {answer.status}")
        profile = json_object(answer, "profile")
        if "error" in profile:  # with status 200, as some do
            raise ProviderFailed("profile: the provider answers with an error")
        if provider.emails_url is None:
            return profile
        return oauth2_profile.with_email(profile, self._addresses(provider.emails_url, bearer, query))

    def _addresses(self, url: str, bearer: Mapping[str, str], query: Mapping[str, str]) -> Sequence[object]:
        """The person's e-mail addresses, or none: they only inform, so nobody is kept out for want of them."""
        try:
            answer = self._fetch.get(url, bearer, query)
            return read_list(answer.body) if answer.status == 200 else ()
        except (ProviderFailed, ValueError):
            return ()

    def _proof(self, access_token: str) -> Mapping[str, str]:
        """Facebook's `appsecret_proof` (Graph API, "Securing Graph API Requests"): the caller holds the app's secret."""
        provider = self._provider
        if not provider.appsecret_proof or provider.client_secret is None:
            return {}
        key = provider.client_secret.encode()
        return {"appsecret_proof": hmac.new(key, access_token.encode("ascii"), "sha256").hexdigest()}


def _access_token(answer: Answer) -> str:
    """The token response (RFC 6749 5.1, 5.2). GitHub says its errors with status 200."""
    if answer.status not in (200, 400, 401):
        raise ProviderFailed(f"token endpoint: the provider answers with status {answer.status}")
    response = json_object(answer, "token endpoint")
    error = response.get("error")
    if isinstance(error, dict):  # Facebook: an object with a number
        error = f"{error.get('type')} {error.get('code')}"
        if error == f"OAuthException {_FACEBOOKS}":
            raise OAuth2Refused(f"the provider does not take the code: {error}")
    if isinstance(error, str) and error in _NOT_REDEEMED:
        raise OAuth2Refused(f"the provider does not take the code: `{error}`")
    if "error" in response or answer.status != 200:
        raise ProviderFailed(f"token endpoint: the provider answers {quoted(error)}")
    token = response.get("access_token")
    if not is_bearer(token, response.get("token_type")):
        raise ProviderFailed(
            "token endpoint: the answer holds no access token, or one that is not a bearer token"
        )
    return str(token)


def _meant(checked: Checked, accepts: Collection[str], now: datetime) -> None:
    """Made for what this app may bring, and good for a while yet. Before whose it is: that is none of our business."""
    if checked.audience not in accepts:
        raise SubjectTokenAudience(
            "the token was made for an app that is not among those this client may bring"
        )
    if checked.expires_at is not None and now >= checked.expires_at:
        raise SubjectTokenExpired("the token has expired, as the provider says")


def _same_person(checked: Checked, profile: Mapping[str, object]) -> None:
    if checked.subject is None or (checked.member not in profile and not checked.always):
        return
    if oauth2_profile.name_of(profile.get(checked.member)) != checked.subject:
        raise ProviderFailed("the provider's token check and its profile speak of different people")
