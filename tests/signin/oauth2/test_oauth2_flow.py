"""Sign-in through a plain OAuth 2.0 provider: what goes out, what comes back, and an answer that is not ours."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st

from app.errors import Refusal
from app.model import ClaimMap, GroupMap, Identity, SourceId
from app.signin.oauth2_profile import identity, member, name_of, with_email
from app.signin.places import MOST
from app.signin.seam import Source
from tests.signin.oauth2.builders import (
    APP,
    BASE,
    GONE,
    NOW,
    SECRET,
    TOKEN,
    Journey,
    Social,
    journey,
    settings,
)
from tests.signin.oidc.builders import Handler, down, drip, flood, garbage, redirect


def code(ours: Journey, attempt: Callable[[], object] | None = None) -> str:
    return ours.refusal(attempt or ours.sign_in).code


def test_it_is_a_source(ours: Journey) -> None:
    source: Source = ours.source
    assert (source.id, source.label) == ("social", "Chirp")
    source.warm()
    assert code(ours, source.metadata) == "unknown"


def test_an_honest_sign_in_ends_with_the_person(ours: Journey) -> None:
    proven = ours.sign_in()
    person = proven.identity
    assert (person.source, person.subject, person.username) == ("social", "4711", "ana")
    assert (person.name, person.email, person.groups) == ("Ana Ruiz", "ana@corp.example", ())
    assert person.claims["data.id"] == ("7",)
    how = person.authentication
    assert (how.at, how.methods, how.context, how.mfa_at) == (NOW, (), None, None)
    assert (proven.once, proven.ends_at, proven.expires_at) == ((), None, None)


def test_the_request_carries_state_and_an_s256_challenge_and_nothing_secret(ours: Journey) -> None:
    started = ours.start()
    url = started.outbound.url
    asked = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
    assert asked == {
        "signup": "false",
        "response_type": "code",
        "client_id": APP,
        "redirect_uri": f"{BASE}/oidc/social/callback",
        "scope": "profile email",
        "state": started.key,
        "code_challenge": asked["code_challenge"],
        "code_challenge_method": "S256",
    }
    assert len(started.key) == len(started.secrets["code_verifier"]) == 43
    assert started.secrets["code_verifier"] not in url
    assert started.key not in repr(started) and SECRET not in repr(ours.source)


def test_every_sign_in_has_values_of_its_own(ours: Journey) -> None:
    several = [ours.start() for _ in range(5)]
    assert len({value for each in several for value in (each.key, *each.secrets.values())}) == 10


def test_without_pkce_no_challenge_goes_out_and_no_verifier(social: Social) -> None:
    ours = journey(social, pkce=False)
    assert "code_challenge" not in ours.start().outbound.url
    assert ours.sign_in().identity.subject == "4711"


@pytest.mark.parametrize("auth", ["body", "basic"])
def test_the_secret_is_shown_as_the_provider_wants_it(social: Social, auth: str) -> None:
    social.auth = auth
    assert journey(social, client_auth=auth).sign_in().identity.subject == "4711"
    other = journey(social, client_auth="basic" if auth == "body" else "body")
    assert code(other) == "provider.failed"


def test_a_public_client_shows_none(social: Social) -> None:
    social.secret = None
    assert journey(social, client_secret=None).sign_in().identity.subject == "4711"


# --- an answer that is not ours -------------------------------------------------------------------


def test_an_answer_with_another_state_is_refused(ours: Journey) -> None:
    victim, attacker = ours.start(), ours.start()
    fields = ours.social.authorize(attacker.outbound.url)
    for brought in (fields, {**fields, "state": ""}, {"code": fields["code"]}, {**fields, "state": "é"}):
        assert code(ours, lambda brought=brought: ours.finish(victim, brought)) == "signin.not_started_here"
    assert ours.social.hits["/token"] == 0
    assert ours.finish(attacker, fields).identity.subject == "4711"


def test_a_sign_in_of_another_source_or_kind_is_not_finished_here(ours: Journey) -> None:
    started = ours.start()
    fields = ours.social.authorize(started.outbound.url)
    for changes in (
        {"source": SourceId("partner")},
        {"secrets": {}},
        {"secrets": {**started.secrets, "nonce": "n"}},
    ):
        assert code(ours, lambda changes=changes: ours.finish(started, fields, **changes)) == (
            "signin.not_started_here"
        )
    assert ours.finish(started, fields).identity.subject == "4711"


def test_a_code_of_another_sign_in_has_the_wrong_verifier(ours: Journey) -> None:
    mine, stolen = ours.start(), ours.start()
    fields = {**ours.social.authorize(mine.outbound.url)}
    fields["code"] = ours.social.authorize(stolen.outbound.url)["code"]
    assert code(ours, lambda: ours.finish(mine, fields)) == "oauth2.refused"


def test_the_providers_no_is_said(ours: Journey) -> None:
    ours.social.callback = {"code": GONE, "error": "access_denied", "error_description": "no\r\n"}
    refused = ours.refusal(ours.sign_in)
    assert refused.code == "signin.denied_by_provider"
    assert "access_denied" in refused.detail and "\r" not in refused.detail


@pytest.mark.parametrize("given", [GONE, "", "c" * 9_000, "a\nb", "é"])
def test_an_answer_without_a_usable_code_is_refused(ours: Journey, given: object) -> None:
    ours.social.callback = {"code": given}
    assert code(ours) == "oauth2.refused"
    assert ours.social.hits["/token"] == 0


# --- the token endpoint ---------------------------------------------------------------------------


FACEBOOK = {"message": "This authorization code has been used.", "type": "OAuthException", "code": 100}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": "invalid_grant"}, "oauth2.refused"),
        (200, {"error": "bad_verification_code", "error_description": "x"}, "oauth2.refused"),
        (400, {"error": FACEBOOK}, "oauth2.refused"),
        (400, {"error": {**FACEBOOK, "code": 1}}, "provider.failed"),
        (200, {"error": "incorrect_client_credentials"}, "provider.failed"),
        (200, {"error": "slow_down", "access_token": TOKEN, "token_type": "bearer"}, "provider.failed"),
        (200, {"error": None, "access_token": TOKEN, "token_type": "bearer"}, "provider.failed"),
        (401, {"error": "invalid_client"}, "provider.failed"),
        (200, {}, "provider.failed"),
        (200, [], "provider.failed"),
        *(
            (status, {"access_token": TOKEN, "token_type": "bearer"}, "provider.failed")
            for status in (201, 400, 401, 403, 500)
        ),
    ],
)
def test_only_a_right_answer_gives_a_token(ours: Journey, status: int, body: object, expected: str) -> None:
    ours.social.routes["/token"] = lambda handler: handler.json(body, status)
    assert code(ours) == expected
    assert ours.social.hits["/me"] == 0


@pytest.mark.parametrize("status", [201, 403, 429, 503])
def test_a_status_that_says_no_is_what_the_operator_reads(ours: Journey, status: int) -> None:
    ours.social.routes["/token"] = lambda handler: handler.send(status, b"busy", "text/plain")
    assert f"status {status}" in ours.refusal(ours.sign_in).detail


@pytest.mark.parametrize(
    "change",
    [
        {"token_type": "DPoP"},
        {"token_type": GONE},
        {"token_type": 5},
        {"access_token": GONE},
        {"access_token": 5},
        {"access_token": "a\r\nX: y"},
        {"access_token": "a b"},
        {"access_token": ""},
        {"access_token": "x" * 20_000},
    ],
)
def test_an_access_token_that_is_no_bearer_token_is_refused(ours: Journey, change: dict[str, object]) -> None:
    ours.social.response |= change
    assert code(ours) == "provider.failed"
    ours.social.response = {"token_type": "bEARER"}
    assert ours.sign_in().identity.subject == "4711"


# --- the profile ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "profile", "expected"),
    [
        ("id", {"id": 4711}, "4711"),
        ("id", {"id": "4711"}, "4711"),
        ("id", {"id": "amzn1.account.AB12"}, "amzn1.account.AB12"),
        ("data.id", {}, "7"),
        ("data.id", {"data": {"id": 8}}, "8"),
        ("x.y", {"x.y": 9}, "9"),
        ("x.y.z", {"x.y": {"z": 10}}, "10"),
    ],
)
def test_the_subject_is_a_member_or_stands_at_the_end_of_dots(
    social: Social, subject: str, profile: dict[str, object], expected: str
) -> None:
    social.profile = profile
    ours = journey(social, claims=ClaimMap(subject, "handle"))
    assert ours.sign_in().identity.subject == expected


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ({"id": GONE}, "identity.incomplete"),
        ({"id": None}, "identity.incomplete"),
        ({"id": ""}, "identity.incomplete"),
        ({"id": " 4711"}, "identity.incomplete"),
        ({"id": "x" * 300}, "identity.incomplete"),
        ({"id": 0}, "oauth2.profile"),
        ({"id": -1}, "oauth2.profile"),
        ({"id": True}, "oauth2.profile"),
        ({"id": 4711.0}, "oauth2.profile"),
        ({"id": [4711]}, "oauth2.profile"),
        ({"id": {"value": 4711}}, "oauth2.profile"),
        ({"a.b": 1, "a": {"b": 2}}, "oauth2.profile"),
        ({"long": "x" * 9_000}, "oauth2.profile"),
        ({"handle": GONE}, "identity.incomplete"),
        ({"handle": ["ana", "root"]}, "identity.incomplete"),
        ({"error": {"code": 190}}, "provider.failed"),
    ],
)
def test_a_profile_that_does_not_say_who_it_is_signs_nobody_in(
    ours: Journey, profile: dict[str, object], expected: str
) -> None:
    ours.social.profile = profile
    assert code(ours) == expected


@pytest.mark.parametrize("verified", [GONE, False, "false", None, 1])
def test_an_address_that_nobody_verified_is_no_address_and_never_the_person(
    ours: Journey, verified: object
) -> None:
    ours.social.profile = {"email_verified": verified}
    person = ours.sign_in().identity
    assert (person.subject, person.email) == ("4711", None)
    ours.social.profile = {"email_verified": True}
    assert ours.sign_in().identity.email == "ana@corp.example"


def emails(*entries: object) -> list[object]:
    return list(entries)


MINE = {"email": "mine@x.example", "primary": True, "verified": True}


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (emails({**MINE, "email": "b@x.example", "primary": False}, MINE), "mine@x.example"),
        (emails({**MINE, "verified": False}), None),
        (emails({**MINE, "verified": "true"}), None),
        (emails({**MINE, "primary": 1}), None),
        (emails({**MINE, "email": None}), None),
        (emails("mine@x.example", 5, None), None),
        (emails(), None),
        ({"email": "mine@x.example"}, None),
    ],
)
def test_addresses_that_stand_apart_are_the_only_ones_that_count(
    social: Social, listed: object, expected: str | None
) -> None:
    social.emails = listed
    ours = journey(social, emails_url=social.issuer + "/emails")
    assert ours.sign_in().identity.email == expected


@pytest.mark.parametrize("route", [down, garbage, redirect, drip])
def test_nobody_is_kept_out_for_want_of_an_address(social: Social, route: Callable[[Handler], None]) -> None:
    social.routes["/emails"] = route
    ours = journey(social, emails_url=social.issuer + "/emails", timeout=0.5)
    assert ours.sign_in().identity.email is None


def test_groups_come_by_the_sources_table_and_a_missing_list_is_refused(social: Social) -> None:
    claims, groups = ClaimMap("id", "handle", groups="teams"), GroupMap({"core": "engineering"})
    social.profile = {"teams": ["core", "engineering"]}
    ours = journey(social, claims=claims, groups=groups)
    assert ours.sign_in().identity.groups == ("engineering",)
    social.profile = {}
    assert code(ours) == "identity.groups_incomplete"


def test_facebooks_proof_goes_along_where_it_is_wanted(social: Social) -> None:
    journey(social).sign_in()
    address = social.issuer + "/me?fields=id,name"
    journey(social, appsecret_proof=True, userinfo_url=address).sign_in()
    proof = hmac.new(SECRET.encode(), TOKEN.encode(), hashlib.sha256).hexdigest()
    assert social.queries == [{}, {"fields": "id,name", "appsecret_proof": proof}]


# --- a provider that is slow, down or lying -------------------------------------------------------


@pytest.mark.parametrize("path", ["/token", "/me"])
@pytest.mark.parametrize("route", [down, garbage, redirect, drip, flood])
def test_a_broken_provider_is_said_to_be_one(
    social: Social, path: str, route: Callable[[Handler], None]
) -> None:
    social.routes[path] = route
    refused = journey(social, timeout=1.0).refusal(journey(social, timeout=1.0).sign_in)
    assert (refused.code, refused.status) == ("provider.failed", 502)
    assert refused.detail


@pytest.mark.parametrize("content_type", ["text/html", "text/plain", "application/jwt", ""])
def test_only_json_is_read(ours: Journey, content_type: str) -> None:
    body = b'{"id": 4711, "handle": "ana"}'
    ours.social.routes["/me"] = lambda handler: handler.send(200, body, content_type)
    assert code(ours) == "provider.failed"
    ours.social.routes["/me"] = lambda handler: handler.send(200, body, "application/json; charset=utf-8")
    assert ours.sign_in().identity.subject == "4711"


@pytest.mark.parametrize("status", [201, 400, 401, 403, 500])
def test_a_right_profile_with_a_wrong_status_says_nothing(ours: Journey, status: int) -> None:
    profile = {"id": 4711, "handle": "ana"}
    ours.social.routes["/me"] = lambda handler: handler.json(profile, status)
    refused = ours.refusal(ours.sign_in)
    assert (refused.code, f"status {status}" in refused.detail) == ("provider.failed", True)


def test_a_profile_that_names_a_member_twice_is_refused(ours: Journey) -> None:
    ours.social.routes["/me"] = lambda handler: handler.send(200, b'{"id": 1, "id": 2, "handle": "a"}')
    assert code(ours) == "provider.failed"


def test_too_many_do_not_wait_for_a_slow_provider(social: Social) -> None:
    arrived, released = threading.Semaphore(0), threading.Event()

    def slow(handler: Handler) -> None:
        arrived.release()
        released.wait(20)
        handler.json({"id": 1, "handle": "ana"})

    social.routes["/me"] = slow
    ours = journey(social, timeout=30.0)
    with ThreadPoolExecutor(MOST) as pool:
        waiting = [pool.submit(ours.sign_in) for _ in range(MOST)]
        for _ in range(MOST):
            arrived.acquire()
        try:
            assert "others wait for the provider" in ours.refusal(ours.sign_in).detail
        finally:
            released.set()
        assert {each.result().identity.subject for each in waiting} == {"1"}


def test_no_secret_of_a_sign_in_gets_into_log_or_refusal(
    ours: Journey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    seen: list[str] = []

    def attempt(run: Callable[[], object]) -> None:
        try:
            seen.append(repr(run()))
        except Refusal as refused:
            cause = refused.__cause__ or (None if refused.__suppress_context__ else refused.__context__)
            seen.append(f"{refused} {refused.detail} {refused.words} {refused!r} {cause!r}")

    started = ours.start()
    fields = ours.social.authorize(started.outbound.url)
    attempt(lambda: ours.finish(started, fields))
    attempt(lambda: ours.finish(started, fields))
    attempt(ours.believe)
    attempt(lambda: ours.believe(TOKEN + "x"))
    ours.social.check = {"app_id": "other"}
    attempt(ours.believe)
    ours.social.routes["/debug_token"] = garbage
    attempt(ours.believe)
    text = " ".join([*seen, caplog.text, repr(started), repr(ours.source), repr(settings("http://x"))])
    assert len(seen) == 6
    for secret in (SECRET, TOKEN, *started.secrets.values(), fields["code"]):
        assert secret not in text


# --- anything at all ------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "a", "a.b", "b", "email", "primary"]), inner, max_size=3)
    ),
    max_leaves=10,
)
PROFILES = st.dictionaries(
    st.sampled_from(["id", "handle", "email", "email_verified", "a", "a.id", "name"]), JSON, max_size=5
)


@runs(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PROFILES, st.sampled_from(["id", "a.id", "a.b.id", "."]))
def test_any_profile_gives_a_person_or_a_refusal(profile: dict[str, object], subject: str) -> None:
    provider = settings("http://127.0.0.1", claims=ClaimMap(subject, "handle", "email", "name"))
    try:
        person = identity(provider, profile, NOW)
    except Refusal:
        return
    assert isinstance(person, Identity)
    assert person.subject == name_of(member(profile, subject))
    assert person.email is None or profile.get("email_verified") in (True, "true", ["true"], [True])


@runs(max_examples=60, deadline=None)
@given(PROFILES, st.lists(JSON, max_size=4))
def test_any_list_of_addresses_leaves_the_rest_of_the_profile_alone(
    profile: dict[str, object], listed: list[object]
) -> None:
    found = with_email(profile, listed)
    assert {k: v for k, v in found.items() if k not in ("email", "email_verified")} == {
        k: v for k, v in profile.items() if k not in ("email", "email_verified")
    }
