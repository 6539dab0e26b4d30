"""For which app was this access token made? Asked at its provider, before anything else is done with it.

An access token names nobody to whom it was not made: whoever runs another app at the same provider holds tokens
of its people, and could bring them here as if those people had signed in. So the provider is asked first, in its
own way, one function each; who calls compares the audience with what the client may bring (RFC 9700 4.9.1,
RFC 6819 4.4.2.6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, quote_plus

from app.errors import ProviderFailed, SubjectTokenAudience, SubjectTokenExpired, SubjectTokenRefused
from app.model import SKEW, CheckKind, OAuth2Provider
from app.outbound import Answer, Fetcher
from app.signin.oauth2_answers import json_object, quoted, same
from app.signin.oauth2_profile import name_of

_PLACE: Final = "token check"
_LAST: Final = datetime(9998, 12, 31, tzinfo=UTC).timestamp()
_AMAZON: Final = "https://www.amazon.com"
_NOT_OUR_APPS: Final = 100
"""Facebook's error code for a token of another app."""
_OVER: Final = 463
"""Facebook's error subcode for a token that has expired (Graph API, "Handle Errors")."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a provider says of an access token that is good."""

    audience: str
    """The app it was made for."""
    subject: str | None
    """Whose it is, if the provider says so here."""
    member: str
    """Where the profile must say the same."""
    expires_at: datetime | None
    """None: the provider does not say, or it does not end by itself."""
    issued_at: datetime | None
    """None: the provider does not say."""
    always: bool = True
    """False: a profile without that member will do."""


Check = Callable[[OAuth2Provider, str, Fetcher, datetime], Checked]


def facebook(provider: OAuth2Provider, token: str, fetch: Fetcher, now: datetime) -> Checked:
    """`GET /debug_token` (Graph API Reference, Debug-Token) with our app's own access token, `ID|SECRET`.

    Raises SubjectTokenRefused (not valid, not a person's), SubjectTokenAudience, SubjectTokenExpired,
    ProviderFailed.
    """
    query = {"input_token": token, "access_token": f"{provider.client_id}|{provider.client_secret}"}
    answer = fetch.get(provider.check.url, query=query)
    if answer.status == 400:
        error = json_object(answer, _PLACE).get("error")
        number = error.get("code") if isinstance(error, dict) else None
        if number == _NOT_OUR_APPS:
            raise SubjectTokenAudience("the provider says that the token is not one of our app's")
        raise ProviderFailed(f"{_PLACE}: the provider answers with error {quoted(str(number))}")
    data = _told(answer).get("data")
    if not isinstance(data, dict):
        raise ProviderFailed(f"{_PLACE}: the provider's answer holds no `data`")
    if data.get("is_valid") is not True:
        error = data.get("error")
        if isinstance(error, dict) and error.get("subcode") == _OVER:
            raise SubjectTokenExpired("the provider says that the token has expired")
        raise SubjectTokenRefused("the provider says that the token is not valid")
    audience = _text(data, "app_id")
    if data.get("type") != "USER":
        raise SubjectTokenRefused("the token is not a person's: `type` is not `USER`")
    _not_ahead(_seconds(data, "issued_at"), now)
    issued = _given(_seconds(data, "issued_at"))
    ends = _seconds(data, "expires_at", needed=True)
    # 0: never (a page's token, and some of old).
    return Checked(audience, _text(data, "user_id"), "id", _given(ends), issued)


def amazon(provider: OAuth2Provider, token: str, fetch: Fetcher, now: datetime) -> Checked:
    """`GET /auth/o2/tokeninfo` (Login with Amazon Developer Guide, "Obtain customer profile information").

    Raises SubjectTokenRefused, SubjectTokenExpired, ProviderFailed.
    """
    answer = fetch.get(provider.check.url, query={"access_token": token})
    if answer.status == 400:
        error = json_object(answer, _PLACE).get("error")
        if error in ("invalid_token", "invalid_request"):
            raise SubjectTokenRefused(f"the provider does not take the token: `{error}`")
        raise ProviderFailed(f"{_PLACE}: the provider answers {quoted(error)}")
    told = _told(answer)
    if told.get("iss") != _AMAZON:
        raise ProviderFailed(f"{_PLACE}: `iss` is not {_AMAZON}")
    _not_ahead(_seconds(told, "iat"), now)
    issued = _given(_seconds(told, "iat"))
    left = _seconds(told, "exp", needed=True)  # seconds that are left, whatever the name says elsewhere
    ends = _instant(now.timestamp() + left)
    return Checked(_text(told, "aud"), _text(told, "user_id"), "user_id", ends, issued)


def github(provider: OAuth2Provider, token: str, fetch: Fetcher, _now: datetime) -> Checked:
    """`POST /applications/CLIENT_ID/token` (GitHub REST API, "Check a token"): 404 for one that is not ours.

    Raises SubjectTokenRefused, ProviderFailed.
    """
    url = f"{provider.check.url.rstrip('/')}/{quote(provider.client_id, safe='')}/token"
    auth = (provider.client_id, provider.client_secret or "")
    answer = fetch.post_json(url, {"access_token": token}, auth=auth)
    if answer.status in (404, 422):
        raise SubjectTokenRefused("the provider does not know the token as one of our app's")
    told = _told(answer)
    app, user, echoed = told.get("app"), told.get("user"), told.get("token")
    if not isinstance(app, dict) or not isinstance(user, dict):
        raise ProviderFailed(f"{_PLACE}: the provider's answer holds no `app` or no `user`")
    if not isinstance(echoed, str) or not same(echoed, token):
        raise ProviderFailed(f"{_PLACE}: the provider answers about another token")
    ends, issued = _date(told, "expires_at"), _date(told, "created_at")
    return Checked(_text(app, "client_id"), _text(user, "id"), "id", ends, issued)


def introspection(provider: OAuth2Provider, token: str, fetch: Fetcher, now: datetime) -> Checked:
    """Token introspection (RFC 7662): `active`, and the client that the token was given to.

    That is `client_id`; where it is missing, an `aud` of one. A token that is bound to a key of its client
    (`cnf`, RFC 8705 3.2, RFC 9449 6.2) is no bearer token and is refused.
    Raises SubjectTokenRefused, SubjectTokenAudience, SubjectTokenExpired, ProviderFailed.
    """
    form = {"token": token, "token_type_hint": "access_token"}
    basic = None
    if provider.client_auth == "basic":
        basic = (quote_plus(provider.client_id), quote_plus(provider.client_secret or ""))
    else:
        form |= {"client_id": provider.client_id, "client_secret": provider.client_secret or ""}
    told = _told(fetch.post_form(provider.check.url, form, auth=basic))
    active = told.get("active")
    if not isinstance(active, bool):
        raise ProviderFailed(f"{_PLACE}: `active` is neither true nor false")
    if not active:
        raise SubjectTokenRefused("the provider says that the token is not active")
    kind = told.get("token_type", "bearer")
    if "cnf" in told or not isinstance(kind, str) or kind.lower() != "bearer":
        raise SubjectTokenRefused("the token is not a bearer token")
    for name in ("iat", "nbf"):
        _not_ahead(_seconds(told, name), now)
    ends = _instant(_seconds(told, "exp", needed=True)) if "exp" in told else None
    subject = _text(told, "sub") if "sub" in told else None
    return Checked(_given_to(told), subject, "sub", ends, _given(_seconds(told, "iat")), always=False)


CHECKS: Final[Mapping[CheckKind, Check]] = {
    "facebook_debug_token": facebook,
    "amazon_tokeninfo": amazon,
    "github_check_token": github,
    "introspection": introspection,
}
"""Kind of check → how it is done; `none` has no row."""


# --- reading --------------------------------------------------------------------------------------


def _told(answer: Answer) -> dict[str, object]:
    if answer.status != 200:
        raise ProviderFailed(f"{_PLACE}: the provider answers with status {answer.status}")
    return json_object(answer, _PLACE)


def _given_to(told: Mapping[str, object]) -> str:
    if "client_id" in told:
        return _text(told, "client_id")
    audience = told.get("aud")
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]
    if not isinstance(audience, str) or not audience:
        raise SubjectTokenAudience("the provider says neither `client_id` nor one `aud`")
    return audience


def _text(told: Mapping[str, object], name: str) -> str:
    """A name, of an app or a person: text, or a whole number above 0."""
    value = name_of(told.get(name))
    if not value:
        raise ProviderFailed(f"{_PLACE}: `{name}` is missing, empty or of another type")
    return value


def _seconds(told: Mapping[str, object], name: str, *, needed: bool = False) -> int:
    """A whole number of seconds; 0 where it may be missing and is."""
    value = told.get(name) if needed or name in told else 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LAST:
        raise ProviderFailed(f"{_PLACE}: `{name}` is no number of seconds")
    return value


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(min(seconds, _LAST), UTC)


def _given(seconds: int) -> datetime | None:
    """None for 0, which is how "never" and "not said" are read."""
    return _instant(seconds) if seconds else None


def _date(told: Mapping[str, object], name: str) -> datetime | None:
    written = told.get(name)
    if written is None:
        return None
    try:
        at = datetime.fromisoformat(written) if isinstance(written, str) else None
        if at is None or at.tzinfo is None:
            raise ValueError
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ProviderFailed(f"{_PLACE}: `{name}` is no time") from None


def _not_ahead(seconds: int, now: datetime) -> None:
    if seconds > now.timestamp() + SKEW.total_seconds():
        raise SubjectTokenExpired("the token is from the future")
