"""ID tokens that an app presents for its person (RFC 8693): every check beside its honest twin."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st

from app.errors import OidcToken, Refusal
from app.model import ClaimMap, MfaTrust
from app.signin.oidc_presented import OLDEST, Accepted, Presented, check
from app.signin.oidc_token import LONGEST, IdToken
from app.signin.seam import Exchangeable, Proven, SubjectToken
from tests.signin.oidc.builders import (
    CLIENT,
    GONE,
    NOW,
    SECRET,
    Handler,
    Journey,
    Provider,
    b64,
    changed,
    down,
    drip,
    ec,
    garbage,
    journey,
    public,
    redirect,
    rsa,
    sign,
)
from tests.signin.oidc.test_oidc_token import (
    PUBLIC_PEM,
    header_with,
    hmac_with,
    signed_by,
    tampered,
    unsigned,
)

APP, PHONE = "web-app", "phone-app"
AT = int(NOW.timestamp())


def token(provider: Provider, **claims: object) -> str:
    """What the app got for itself: no word of daypass in it."""
    provider.claims = {"aud": APP, "nonce": GONE, **claims}
    return provider.id_token("")


def believe(
    ours: Journey,
    text: str,
    accepts: Sequence[str] = (APP,),
    *,
    kind: Any = "id_token",
    nonce: str | None = None,
) -> Proven:
    return ours.source.believe(SubjectToken(kind, text, nonce), accepts, ours.clock.now())


def refusal(ours: Journey, text: str, *more: Any, **how: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        believe(ours, text, *more, **how)
    return caught.value


# --- the honest twin ------------------------------------------------------------------------------


def test_an_id_token_of_the_app_is_believed(ours: Journey) -> None:
    proven = believe(ours, token(ours.provider), ["another", APP])
    person = proven.identity
    assert (person.source, person.subject, person.username) == ("partner", "248289761001", "piotr")
    assert (person.email, person.groups) == ("piotr@partner.example", ("contractors",))
    assert person.authentication.at == NOW - timedelta(seconds=30)
    assert (proven.audience, proven.expires_at) == (APP, NOW + timedelta(minutes=5))
    assert (proven.once, proven.ends_at) == ((), None)
    assert ours.provider.hits["/token"] == 0


def test_it_is_the_person_that_a_sign_in_gives(ours: Journey) -> None:
    presented = believe(ours, token(ours.provider)).identity
    ours.provider.claims = {}
    signed_in = ours.sign_in().identity
    assert (presented.source, presented.subject, presented.groups) == (
        signed_in.source, signed_in.subject, signed_in.groups,
    )  # fmt: skip


def test_it_is_exchangeable_and_takes_id_tokens_alone(ours: Journey) -> None:
    assert isinstance(ours.source, Exchangeable)
    assert ours.source.takes == {"id_token"}
    text = token(ours.provider)
    for kind in ("access_token", "saml2"):
        assert refusal(ours, text, kind=kind).code == "exchange.kind"


def test_it_may_be_used_again_until_it_ends_and_its_mark_is_the_same(ours: Journey) -> None:
    text = token(ours.provider)
    first, second = believe(ours, text), believe(ours, text)
    assert first.mark == second.mark and first.mark is not None
    assert first.mark.until == first.expires_at
    assert text not in repr(first)
    ours.clock.move(seconds=300)
    assert refusal(ours, text).code == "exchange.expired"


def test_a_signature_written_otherwise_has_the_same_mark(provider: Provider) -> None:
    # ECDSA: signing the same claims twice gives two signatures, and so does whoever negates `s`.
    provider.keys, provider.signing_key = [public(ec(), kid="k1")], ec()
    provider.header = {"alg": "ES256"}
    ours = journey(provider, algorithms=("ES256",))
    one, other = token(provider), token(provider)
    assert one != other
    assert believe(ours, one).mark == believe(ours, other).mark


def test_a_second_factor_counts_as_at_a_sign_in(ours: Journey) -> None:
    assert believe(ours, token(ours.provider)).identity.authentication.mfa_at is None
    proven = believe(ours, token(ours.provider, amr=["pwd", "mfa"]))
    assert proven.identity.authentication.mfa_at == NOW - timedelta(seconds=30)
    strict = journey(ours.provider, mfa=MfaTrust())
    assert believe(strict, token(ours.provider, amr=["mfa"])).identity.authentication.mfa_at is None


# --- signature, key, form -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forge",
    [
        unsigned("none"),
        unsigned("nOnE"),
        unsigned("RS256"),
        hmac_with(PUBLIC_PEM),
        hmac_with(SECRET.encode()),
        tampered,
        signed_by(rsa("attacker")),
        signed_by(rsa(), "RS384"),
        signed_by(rsa(), "PS256"),
        header_with(jwk=public(rsa("attacker"), kid="k1")),
        header_with(crit=["exp"]),
        header_with(typ="at+jwt"),
        header_with(typ="application/at+jwt"),
        header_with(typ="logout+jwt"),
        header_with(typ="secevent+jwt"),
        header_with(typ="JOSE"),
        lambda header, claims: "",
        lambda header, claims: "..",
        lambda header, claims: "x" * (LONGEST + 1),
        lambda header, claims: b64(header) + "." + b64(claims),
    ],
)
def test_a_forged_token_is_refused(ours: Journey, forge: Callable[..., str]) -> None:
    ours.provider.forge = forge
    refused = refusal(ours, token(ours.provider))
    assert (refused.code, refused.status) == ("exchange.token", 401)
    assert "Get a new one" in refused.words
    ours.provider.forge = None
    assert believe(ours, token(ours.provider)).audience == APP


def test_a_key_that_rotates_is_found_once_a_minute_and_a_withdrawn_one_is_gone(ours: Journey) -> None:
    provider = ours.provider
    before = token(provider)
    assert believe(ours, before).audience == APP
    provider.keys, provider.signing_key = [public(rsa("two"), kid="k2")], rsa("two")
    provider.header = {"kid": "k2"}
    after = token(provider)
    ours.clock.move(seconds=61)
    assert believe(ours, after).audience == APP
    assert refusal(ours, before).code == "exchange.token"
    asked = provider.hits["/jwks"]
    for number in range(30):
        provider.header = {"kid": f"unknown-{number}"}
        assert refusal(ours, token(provider)).code == "exchange.token"
    assert provider.hits["/jwks"] == asked


# --- claims ---------------------------------------------------------------------------------------

CLAIMS: list[tuple[dict[str, object], str, str]] = [
    ({"iss": "https://evil.example"}, "exchange.token", "`iss`"),
    ({"iss": GONE}, "exchange.token", "`iss`"),
    ({"aud": CLIENT}, "exchange.audience", "`aud`"),
    ({"aud": "WEB-APP"}, "exchange.audience", "`aud`"),
    ({"aud": "web-app "}, "exchange.audience", "`aud`"),
    ({"aud": "web-app,web-app"}, "exchange.audience", "`aud`"),
    ({"aud": GONE}, "exchange.audience", "`aud`"),
    ({"aud": None}, "exchange.audience", "`aud`"),
    ({"aud": ""}, "exchange.audience", "`aud`"),
    ({"aud": []}, "exchange.audience", "`aud`"),
    ({"aud": [[APP]]}, "exchange.audience", "`aud`"),
    ({"aud": {APP: 1}}, "exchange.audience", "`aud`"),
    ({"aud": [APP, "another"]}, "exchange.audience", "`aud`"),
    ({"aud": [APP, "another"], "azp": APP}, "exchange.audience", "`aud`"),
    ({"azp": "another"}, "exchange.audience", "`azp`"),
    ({"azp": None}, "exchange.audience", "`azp`"),
    ({"exp": AT}, "exchange.expired", "`exp` has passed"),
    ({"exp": AT - 1}, "exchange.expired", "`exp` has passed"),
    ({"exp": GONE}, "exchange.token", "missing"),
    ({"exp": str(AT + 9)}, "exchange.token", "`exp`"),
    ({"exp": True}, "exchange.token", "`exp`"),
    ({"exp": AT * 1000}, "exchange.token", "`exp`"),
    ({"iat": GONE}, "exchange.token", "missing"),
    ({"iat": AT + 61}, "exchange.expired", "`iat` lies ahead"),
    ({"iat": AT - int(OLDEST.total_seconds()) - 1}, "exchange.expired", "`iat` is more than a day"),
    ({"nbf": AT + 61}, "exchange.expired", "`nbf` lies ahead"),
    ({"auth_time": AT + 61}, "exchange.expired", "`auth_time` lies ahead"),
    ({"sub": GONE}, "exchange.token", "`sub`"),
    ({"sub": ""}, "exchange.token", "`sub`"),
    ({"sub": 5}, "exchange.token", "`sub`"),
    ({"sub": "x" * 256}, "exchange.token", "`sub`"),
    ({"amr": "mfa"}, "exchange.token", "`amr`"),
    ({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, "exchange.token", "`events`"),
    ({"scope": "openid"}, "exchange.token", "`scope`"),
    ({"scp": "User.Read"}, "exchange.token", "`scp`"),
    ({"typ": "Bearer"}, "exchange.token", "`typ`"),
    ({"typ": "Refresh"}, "exchange.token", "`typ`"),
    ({"token_use": "access"}, "exchange.token", "`token_use`"),
    ({"preferred_username": GONE}, "identity.incomplete", "`preferred_username`"),
    ({"groups": GONE}, "identity.groups_incomplete", "`groups`"),
    ({"_claim_names": {"groups": "src1"}}, "identity.groups_incomplete", "cut"),
]


@pytest.mark.parametrize(("change", "code", "words"), CLAIMS, ids=lambda value: str(value)[:60])
def test_a_claim_that_is_not_as_it_must_be_is_refused(
    ours: Journey, change: dict[str, object], code: str, words: str
) -> None:
    refused = refusal(ours, token(ours.provider, **change))
    assert (refused.code, words in refused.detail) == (code, True), refused.detail


@pytest.mark.parametrize(
    ("change", "accepts", "audience"),
    [
        ({"aud": [APP]}, [APP], APP),
        ({"aud": [APP, PHONE], "azp": PHONE}, [PHONE, APP], APP),
        ({"azp": APP}, [APP], APP),
        ({"azp": PHONE}, [APP, PHONE], APP),  # Google: a phone's app asks for the server's audience
        ({"exp": AT + 1}, [APP], APP),
        ({"exp": AT + 1, "iat": AT - int(OLDEST.total_seconds())}, [APP], APP),
        ({"iat": AT + 60}, [APP], APP),
        ({"typ": "ID"}, [APP], APP),
        ({"token_use": "id"}, [APP], APP),
        ({"at_hash": "of another token"}, [APP], APP),
        ({"nonce": "the app's own"}, [APP], APP),
        ({"auth_time": GONE}, [APP], APP),
    ],
)
def test_what_an_app_may_present(
    ours: Journey, change: dict[str, object], accepts: list[str], audience: str
) -> None:
    assert believe(ours, token(ours.provider, **change), accepts).audience == audience


def test_several_audiences_need_azp_and_all_must_be_the_apps(ours: Journey) -> None:
    both = token(ours.provider, aud=[APP, PHONE])
    assert "`azp` is missing" in refusal(ours, both, [APP, PHONE]).detail
    named = token(ours.provider, aud=[APP, PHONE], azp=APP)
    assert refusal(ours, named, [APP]).code == "exchange.audience"
    assert believe(ours, named, [APP, PHONE]).audience == APP


def test_a_token_of_an_app_that_may_bring_nothing_is_refused(ours: Journey) -> None:
    assert refusal(ours, token(ours.provider), []).code == "exchange.audience"


def test_a_nonce_is_compared_if_the_app_gives_one(ours: Journey) -> None:
    text = token(ours.provider, nonce="the app's own")
    assert believe(ours, text, nonce="the app's own").audience == APP
    for other in ("another", "", "é"):
        assert "`nonce`" in refusal(ours, text, nonce=other).detail
    assert "`nonce`" in refusal(ours, token(ours.provider), nonce="the app's own").detail


def test_our_own_sign_ins_token_is_another_apps(ours: Journey) -> None:
    ours.provider.claims = {}
    mine = ours.provider.id_token("n")
    assert refusal(ours, mine).code == "exchange.audience"
    assert believe(ours, mine, [CLIENT]).audience == CLIENT


def test_what_only_userinfo_says_is_missing(provider: Provider) -> None:
    ours = journey(provider, userinfo=True, claims=ClaimMap("sub", "nickname"))
    provider.userinfo = {"nickname": "pio"}
    assert ours.sign_in().identity.username == "pio"
    assert refusal(ours, token(provider)).code == "identity.incomplete"


# --- slow, down, lying ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks"])
@pytest.mark.parametrize("route", [down, garbage, redirect, drip])
def test_a_broken_provider_is_said_to_be_one(
    provider: Provider, path: str, route: Callable[[Handler], None]
) -> None:
    text = token(provider)
    provider.routes[path] = route
    refused = refusal(journey(provider, timeout=0.5), text)
    assert (refused.code, refused.status) == ("provider.failed", 502)


# --- who checks it --------------------------------------------------------------------------------


def test_a_token_says_whose_it_is_without_a_check(ours: Journey) -> None:
    text = token(ours.provider)
    assert ours.source.issued(SubjectToken("id_token", text))
    assert not ours.source.issued(SubjectToken("access_token", text))
    assert not ours.source.issued(SubjectToken("id_token", token(ours.provider, iss="https://evil.example")))
    assert sum(ours.provider.hits.values()) == 0


@pytest.mark.parametrize("text", ["", ".", "a.b.c", "a.W10.c", "a.e30.c", "é.é.é", "a." + "x" * LONGEST])
def test_what_cannot_be_read_is_nobodys(text: str) -> None:
    assert IdToken(text).unverified_issuer == ""


@runs(max_examples=100, deadline=None)
@given(st.text() | st.binary().map(lambda raw: f"a.{b64(raw)}.c"))
def test_any_text_has_an_issuer_or_none(text: str) -> None:
    assert isinstance(IdToken(text).unverified_issuer, str)


def test_who_reads_a_token_before_it_is_checked_changes_nothing() -> None:
    key = rsa()
    good = sign({"alg": "RS256"}, json.dumps({"iss": "i"}).encode(), key)
    header, payload, signature = good.split(".")
    for text in (good, f"{header}.{payload}\n.{signature}", f"{header}.{b64({'iss': 'j'})}.{signature}"):
        fresh, read = IdToken(text), IdToken(text)
        assert read.unverified_issuer in ("i", "j")
        assert read.signed_part == fresh.signed_part
        if text is good:
            assert read.payload(["RS256"], lambda *_: key) == fresh.payload(["RS256"], lambda *_: key)
            continue
        for each in (fresh, read):
            with pytest.raises(OidcToken):
                each.payload(["RS256"], lambda *_: key)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([APP, PHONE, "i", "s", AT, AT + 60]),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@runs(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["iss", "aud", "azp", "exp", "iat", "nbf", "sub", "nonce", "auth_time", "typ"]),
        VALUES,
    )
)
def test_claims_of_any_type_are_taken_or_refused_and_nothing_else(changes: dict[str, object]) -> None:
    honest = {"iss": "i", "aud": APP, "sub": "s", "exp": AT + 60, "iat": AT}
    claims = changed(honest, changes)
    try:
        accepted = check(claims, Presented("i", {APP, PHONE}), NOW)
    except Refusal:
        return
    assert isinstance(accepted, Accepted) and accepted.expires_at > NOW
    named = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    assert set(named) <= {APP, PHONE} and accepted.audience in named


def test_a_token_by_hand_is_what_the_builder_makes() -> None:
    payload = json.dumps({"iss": "i"}).encode()
    assert IdToken(sign({"alg": "RS256"}, payload, rsa())).unverified_issuer == "i"
