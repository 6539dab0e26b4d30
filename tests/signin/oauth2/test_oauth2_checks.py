"""Access tokens that an app presents: for which app were they made, says the provider, and whose are they.

Each row is a lie or an attack beside its honest twin: the kind of check, what the provider says instead, and the
refusal with words of its detail, so that a row cannot pass by being refused for something else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st

from app.errors import ProviderFailed, Refusal, SubjectTokenRefused
from app.model import Authentication, CheckKind, ClaimMap, TokenCheck
from app.outbound import Answer
from app.signin.oauth2_checks import CHECKS, Checked
from app.signin.presented import ENDLESS, LONGEST_ACCESS_TOKEN
from app.signin.seam import Exchangeable
from tests.signin.oauth2.builders import (
    APP,
    GONE,
    KINDS,
    MEMBERS,
    NOW,
    PATHS,
    PERSON,
    SECRET,
    TOKEN,
    Journey,
    Social,
    journey,
    settings,
)
from tests.signin.oidc.builders import Handler, down, drip, flood, garbage, redirect

FB, AMAZON, GITHUB, RFC7662 = KINDS
AT = int(NOW.timestamp())


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> CheckKind:
    return request.param  # type: ignore[no-any-return]


# --- the honest twin ------------------------------------------------------------------------------


def test_a_token_of_our_app_is_believed(social: Social, kind: CheckKind) -> None:
    ours = journey(social, kind)
    proven = ours.believe(accepts=["another", APP])
    assert (proven.identity.source, proven.identity.subject) == ("social", str(PERSON))
    signed_in = ours.sign_in().identity
    assert proven.identity == replace(signed_in, authentication=Authentication(NOW - timedelta(minutes=1)))
    assert signed_in.authentication == Authentication(NOW)
    assert (proven.audience, proven.expires_at) == (APP, NOW + timedelta(minutes=30))
    assert proven.once == ()
    assert social.order[:2] == [PATHS[kind], "/me"]


@pytest.mark.parametrize(
    ("kind", "says", "at"),
    [
        (FB, {"issued_at": AT - 50 * 86_400}, NOW - timedelta(days=50)),
        (FB, {"issued_at": AT + 59}, NOW),
        (FB, {"issued_at": GONE}, NOW - ENDLESS),
        (FB, {"issued_at": 0}, NOW - ENDLESS),
        (AMAZON, {"iat": AT - 3_000}, NOW - timedelta(seconds=3_000)),
        (AMAZON, {"iat": GONE}, NOW - ENDLESS),
        (GITHUB, {"created_at": "2025-11-24T12:00:00Z"}, NOW - timedelta(days=365)),
        (GITHUB, {"created_at": None}, NOW - ENDLESS),
        (RFC7662, {"iat": AT - 7_200}, NOW - timedelta(hours=2)),
        (RFC7662, {"iat": GONE}, NOW - ENDLESS),
    ],
)
def test_who_brings_a_token_of_old_has_not_signed_in_just_now(
    social: Social, kind: CheckKind, says: dict[str, Any], at: datetime
) -> None:
    social.check = says
    ours = journey(social, kind)
    assert ours.believe().identity.authentication.at == at
    assert ours.sign_in().identity.authentication.at == NOW


def test_it_is_exchangeable_and_takes_what_it_can_check(social: Social, kind: CheckKind) -> None:
    source: Exchangeable = journey(social, kind).source
    assert isinstance(source, Exchangeable)
    assert source.takes == {"access_token"}


def test_the_mark_is_the_tokens_own_and_hides_it(social: Social, kind: CheckKind) -> None:
    ours = journey(social, kind)
    first, second = ours.believe().mark, ours.believe().mark
    assert first == second and first is not None and TOKEN not in repr(first)
    assert first.until == NOW + timedelta(minutes=30)


def test_where_nobody_can_be_asked_no_token_is_taken(social: Social) -> None:
    ours = journey(social, "none")
    assert ours.source.takes == frozenset()
    refused = ours.refusal(ours.believe)
    assert (refused.code, refused.status) == ("exchange.kind", 401)
    assert not social.hits
    assert ours.sign_in().identity.subject == str(PERSON)


@pytest.mark.parametrize("other", ["id_token", "saml2"])
def test_another_kind_of_token_is_refused_unseen(social: Social, kind: CheckKind, other: str) -> None:
    ours = journey(social, kind)
    assert ours.refusal(lambda: ours.believe(kind=other)).code == "exchange.kind"
    assert not social.hits


# --- another app's token --------------------------------------------------------------------------


def test_a_token_of_an_app_that_the_client_may_not_bring_is_refused_before_the_profile(
    social: Social, kind: CheckKind
) -> None:
    ours = journey(social, kind)
    for accepts in ([], ["another"], [APP.upper()], [f"{APP} "], [APP[:-1]], [APP + "x"]):
        refused = ours.refusal(lambda accepts=accepts: ours.believe(accepts=accepts))
        assert refused.code == "exchange.audience"
        assert "another app" in refused.words
    assert social.hits["/me"] == 0


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (FB, {"app_id": "another"}),
        (AMAZON, {"aud": "another"}),
        (GITHUB, {"app": {"client_id": "another"}}),
        (RFC7662, {"client_id": "another"}),
        (RFC7662, {"client_id": "another", "aud": APP}),
        (RFC7662, {"client_id": GONE, "aud": "another"}),
        (RFC7662, {"client_id": GONE, "aud": [APP, "another"]}),
        (RFC7662, {"client_id": GONE, "aud": []}),
        (RFC7662, {"client_id": GONE}),
    ],
)
def test_another_apps_token_is_refused(social: Social, kind: CheckKind, says: dict[str, Any]) -> None:
    social.check = says
    ours = journey(social, kind)
    assert ours.refusal(ours.believe).code == "exchange.audience"
    assert social.hits["/me"] == 0


def test_an_audience_of_one_will_do_where_no_client_is_named(social: Social) -> None:
    for audience in (APP, [APP]):
        social.check = {"client_id": GONE, "aud": audience}
        assert journey(social, RFC7662).believe().audience == APP


def test_facebooks_word_for_another_apps_token(social: Social) -> None:
    error = {"message": "(#100) The App_id in the input_token did not match the Viewing App", "code": 100}
    social.routes["/debug_token"] = lambda handler: handler.json({"error": error}, 400)
    ours = journey(social, FB)
    assert ours.refusal(ours.believe).code == "exchange.audience"


# --- a token that is not good ---------------------------------------------------------------------

BAD: list[tuple[str, CheckKind, dict[str, Any], str, str]] = [
    ("not valid", FB, {"is_valid": False}, "exchange.token", "not valid"),
    ("valid by another type", FB, {"is_valid": "true"}, "exchange.token", "not valid"),
    ("valid by a number", FB, {"is_valid": 1}, "exchange.token", "not valid"),
    ("not said to be valid", FB, {"is_valid": GONE}, "exchange.token", "not valid"),
    (
        "over, in Facebook's words",
        FB,
        {"is_valid": False, "error": {"code": 190, "subcode": 463}},
        "exchange.expired",
        "has expired",
    ),
    (
        "signed out of",
        FB,
        {"is_valid": False, "error": {"code": 190, "subcode": 460}},
        "exchange.token",
        "not valid",
    ),
    ("over in odd words", FB, {"is_valid": False, "error": [463]}, "exchange.token", "not valid"),
    ("over, and valid", FB, {"error": {"subcode": 463}, "expires_at": 1}, "exchange.expired", "has expired"),
    ("a page's", FB, {"type": "PAGE"}, "exchange.token", "not a person's"),
    ("an app's", FB, {"type": "APP"}, "exchange.token", "not a person's"),
    ("expired", FB, {"expires_at": AT}, "exchange.expired", "has expired"),
    ("expired long ago", FB, {"expires_at": 1}, "exchange.expired", "has expired"),
    ("of the future", FB, {"issued_at": AT + 61}, "exchange.expired", "from the future"),
    ("nobody's", FB, {"user_id": GONE}, "provider.failed", "`user_id`"),
    ("of no app", FB, {"app_id": GONE}, "provider.failed", "`app_id`"),
    ("without end by omission", FB, {"expires_at": GONE}, "provider.failed", "`expires_at`"),
    ("ending in words", FB, {"expires_at": "tomorrow"}, "provider.failed", "`expires_at`"),
    ("ending with true", FB, {"expires_at": True}, "provider.failed", "`expires_at`"),
    ("ending never", FB, {"expires_at": 10**30}, "provider.failed", "`expires_at`"),
    ("somebody else's", FB, {"user_id": "4712"}, "provider.failed", "different people"),
    ("over", AMAZON, {"exp": 0}, "exchange.expired", "has expired"),
    ("over for long", AMAZON, {"exp": -5}, "provider.failed", "`exp`"),
    ("without end", AMAZON, {"exp": GONE}, "provider.failed", "`exp`"),
    ("of the future", AMAZON, {"iat": AT + 61}, "exchange.expired", "from the future"),
    ("of another issuer", AMAZON, {"iss": "https://www.amazon.com.evil.example"}, "provider.failed", "`iss`"),
    ("of no issuer", AMAZON, {"iss": GONE}, "provider.failed", "`iss`"),
    ("of no app", AMAZON, {"aud": GONE}, "provider.failed", "`aud`"),
    ("of several apps", AMAZON, {"aud": [APP]}, "provider.failed", "`aud`"),
    ("nobody's", AMAZON, {"user_id": ""}, "provider.failed", "`user_id`"),
    ("somebody else's", AMAZON, {"user_id": "4712"}, "provider.failed", "different people"),
    ("expired", GITHUB, {"expires_at": "2026-11-24T12:00:00Z"}, "exchange.expired", "has expired"),
    ("made in words", GITHUB, {"created_at": "yesterday"}, "provider.failed", "`created_at`"),
    ("ending in words", GITHUB, {"expires_at": "tomorrow"}, "provider.failed", "`expires_at`"),
    ("ending nowhere", GITHUB, {"expires_at": "2026-11-24T12:00:00"}, "provider.failed", "`expires_at`"),
    ("ending in a number", GITHUB, {"expires_at": AT + 9}, "provider.failed", "`expires_at`"),
    ("another one", GITHUB, {"token": TOKEN + "x"}, "provider.failed", "another token"),
    ("no token", GITHUB, {"token": GONE}, "provider.failed", "another token"),
    ("nobody's", GITHUB, {"user": None}, "provider.failed", "no `user`"),
    ("nobody's in particular", GITHUB, {"user": {"login": "ana"}}, "provider.failed", "`id`"),
    ("of no app", GITHUB, {"app": GONE}, "provider.failed", "no `app`"),
    ("somebody else's", GITHUB, {"user": {"id": 4712}}, "provider.failed", "different people"),
    ("not active", RFC7662, {"active": False}, "exchange.token", "not active"),
    ("active by another type", RFC7662, {"active": "true"}, "provider.failed", "`active`"),
    ("not said to be active", RFC7662, {"active": GONE}, "provider.failed", "`active`"),
    ("expired", RFC7662, {"exp": AT}, "exchange.expired", "has expired"),
    ("ending in words", RFC7662, {"exp": str(AT + 9)}, "provider.failed", "`exp`"),
    ("of the future", RFC7662, {"iat": AT + 61}, "exchange.expired", "from the future"),
    ("not yet good", RFC7662, {"nbf": AT + 61}, "exchange.expired", "from the future"),
    ("bound to a key", RFC7662, {"cnf": {"jkt": "x"}}, "exchange.token", "not a bearer"),
    ("of another type", RFC7662, {"token_type": "DPoP"}, "exchange.token", "not a bearer"),
    ("of a client of another type", RFC7662, {"client_id": [APP]}, "provider.failed", "`client_id`"),
    ("nobody's", RFC7662, {"sub": ""}, "provider.failed", "`sub`"),
    ("somebody else's", RFC7662, {"sub": "4712"}, "provider.failed", "different people"),
]


@pytest.mark.parametrize(
    ("says", "code", "words"), [row[2:] for row in BAD], ids=[f"{r[1]}-{r[0]}" for r in BAD]
)
def test_a_token_that_is(
    social: Social, request: pytest.FixtureRequest, says: dict[str, Any], code: str, words: str
) -> None:
    kind: Any = request.node.callspec.id.partition("-")[0]
    social.check = says
    ours = journey(social, kind)
    refused = ours.refusal(ours.believe)
    assert (refused.code, words in refused.detail) == (code, True), refused.detail
    social.check = {}
    assert ours.believe().identity.subject == str(PERSON)


@pytest.mark.parametrize(
    ("kind", "says", "ends"),
    [
        (FB, {"expires_at": 0}, None),
        (FB, {"issued_at": GONE}, NOW + timedelta(minutes=30)),
        (FB, {"issued_at": AT + 59}, NOW + timedelta(minutes=30)),
        (FB, {"expires_at": AT + 1}, NOW + timedelta(seconds=1)),
        (GITHUB, {"expires_at": None}, None),
        (GITHUB, {"expires_at": GONE}, None),
        (GITHUB, {"expires_at": "2026-11-24T14:00:00+01:00"}, NOW + timedelta(hours=1)),
        (RFC7662, {"exp": GONE}, None),
        (RFC7662, {"token_type": GONE}, NOW + timedelta(minutes=30)),
        (RFC7662, {"sub": GONE}, NOW + timedelta(minutes=30)),
    ],
)
def test_what_a_provider_may_leave_out(
    social: Social, kind: CheckKind, says: dict[str, Any], ends: object
) -> None:
    social.check = says
    proven = journey(social, kind).believe()
    assert (proven.audience, proven.expires_at) == (APP, ends)
    assert proven.mark is not None and proven.mark.until >= NOW + timedelta(seconds=1)


def test_an_unknown_token_is_refused(social: Social, kind: CheckKind) -> None:
    ours = journey(social, kind)
    refused = ours.refusal(lambda: ours.believe(TOKEN[:-1]))
    assert (refused.code, refused.status) == ("exchange.token", 401)
    assert "Get a new one" in refused.words
    assert social.hits["/me"] == 0


@pytest.mark.parametrize(
    "text", ["", " ", "a b", "a\r\nX: y", "é", "a\x00", "x" * (LONGEST_ACCESS_TOKEN + 1)], ids=repr
)
def test_what_cannot_be_a_token_is_never_sent(social: Social, kind: CheckKind, text: str) -> None:
    ours = journey(social, kind)
    assert ours.refusal(lambda: ours.believe(text)).code == "exchange.token"
    assert not social.hits


def test_the_longest_token_can_be_asked_about(social: Social, kind: CheckKind) -> None:
    ours = journey(social, kind)
    assert ours.refusal(lambda: ours.believe("|" * 2_048)).code == "exchange.token"
    assert social.hits[PATHS[kind]] == 1


def test_a_profile_of_somebody_else_than_the_check_said_is_a_lie(social: Social, kind: CheckKind) -> None:
    for other in (PERSON + 1, str(PERSON + 1), True, [PERSON], None):
        social.profile = {MEMBERS[kind]: other}
        ours = journey(social, kind, claims=ClaimMap("data.id", "handle"))
        assert ours.refusal(ours.believe).code == "provider.failed"
    for same in (PERSON, str(PERSON)):
        social.profile = {MEMBERS[kind]: same}
        assert ours.believe().identity.subject == "7"


def test_a_profile_without_the_member_will_do_for_introspection_alone(
    social: Social, kind: CheckKind
) -> None:
    social.profile = {MEMBERS[kind]: GONE}
    ours = journey(social, kind, claims=ClaimMap("data.id", "handle"))
    if kind == RFC7662:
        assert ours.believe().identity.subject == "7"
    else:
        assert ours.refusal(ours.believe).code == "provider.failed"


def test_a_profile_that_names_nobody_is_refused_in_words_for_a_developer(
    social: Social, kind: CheckKind
) -> None:
    social.profile = {"data": {"id": True}}
    ours = journey(social, kind, claims=ClaimMap("data.id", "handle"))
    assert ours.refusal(ours.believe).code == "exchange.token"
    social.profile = {"data": {}}
    assert ours.refusal(ours.believe).code == "identity.incomplete"


def test_a_wrong_secret_of_ours_is_our_fault_and_not_the_tokens(social: Social, kind: CheckKind) -> None:
    if kind == AMAZON:  # which asks for none
        return
    refused = journey(social, kind, client_secret="wrong").refusal(
        journey(social, kind, client_secret="wrong").believe
    )
    words = "190" if kind == FB else "status 401"
    assert (refused.code, words in refused.detail) == ("provider.failed", True), refused.detail


def test_another_error_of_amazons_is_amazons_fault(social: Social) -> None:
    social.routes["/tokeninfo"] = lambda handler: handler.json({"error": "ServerError"}, 400)
    refused = journey(social, AMAZON).refusal(journey(social, AMAZON).believe)
    assert (refused.code, "ServerError" in refused.detail) == ("provider.failed", True)


def test_introspection_shows_the_secret_as_the_provider_wants_it(social: Social) -> None:
    social.auth = "basic"
    assert journey(social, RFC7662, client_auth="basic").believe().audience == APP


# --- slow, down, lying ----------------------------------------------------------------------------


@pytest.mark.parametrize("route", [down, garbage, redirect, drip, flood])
@pytest.mark.parametrize("where", ["check", "profile"])
def test_a_broken_provider_is_said_to_be_one_and_the_next_question_is_answered(
    social: Social, kind: CheckKind, where: str, route: Callable[[Handler], None]
) -> None:
    path = PATHS[kind] if where == "check" else "/me"
    honest = social.routes[path]
    social.routes[path] = route
    ours = journey(social, kind, timeout=0.5)
    refused = ours.refusal(ours.believe)
    assert (refused.code, refused.status) == ("provider.failed", 502)
    assert TOKEN not in refused.detail and SECRET not in refused.detail
    social.routes[path] = honest
    assert journey(social, kind).believe().identity.subject == str(PERSON)


@pytest.mark.parametrize("status", [201, 302, 401, 403, 429, 500])
def test_a_right_answer_with_a_wrong_status_says_nothing(
    social: Social, kind: CheckKind, status: int
) -> None:
    honest = social.routes[PATHS[kind]]

    def wrong(handler: Handler) -> None:
        right = handler.json
        handler.json = lambda document, _=200: right(document, status)  # type: ignore[method-assign]
        honest(handler)

    social.routes[PATHS[kind]] = wrong
    ours = journey(social, kind)
    assert ours.refusal(ours.believe).code == "provider.failed"
    assert social.hits["/me"] == 0


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b"{}", b'{"data": []}', b'{"active": true, "active": true}']
)
def test_an_answer_of_another_form_says_nothing(social: Social, kind: CheckKind, body: bytes) -> None:
    social.routes[PATHS[kind]] = lambda handler: handler.send(200, body)
    ours = journey(social, kind)
    assert ours.refusal(ours.believe).code == "provider.failed"


# --- anything at all ------------------------------------------------------------------------------


class Says:
    """A fetcher that answers one thing."""

    def __init__(self, status: int, body: bytes) -> None:
        self.answer = Answer(status, "application/json", body)

    def get(self, *_: object, **__: object) -> Answer:
        return self.answer

    post_form = post_json = get


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(APP)
NAMES = st.sampled_from(
    ["data", "app_id", "type", "is_valid", "expires_at", "user_id", "iss", "aud", "exp", "iat", "app", "user",
     "token", "client_id", "id", "active", "sub", "cnf", "token_type", "error", "code"]
)  # fmt: skip
ANSWERS = st.dictionaries(
    NAMES, st.recursive(VALUES, lambda inner: st.dictionaries(NAMES, inner, max_size=5))
)


@runs(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(KINDS), st.sampled_from([200, 400, 404]), ANSWERS | st.binary(max_size=20))
def test_any_answer_is_a_checked_token_or_a_refusal(kind: Any, status: int, said: object) -> None:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    try:
        checked = CHECKS[kind](settings("http://127.0.0.1", kind), TOKEN, Says(status, body), NOW)  # type: ignore[arg-type]
    except (SubjectTokenRefused, ProviderFailed):
        return
    except Refusal as other:
        raise AssertionError(f"{other!r} is not a check's to raise") from other
    assert isinstance(checked, Checked) and checked.audience
    assert checked.subject != ""


def test_every_kind_but_none_has_a_check() -> None:
    assert set(CHECKS) == set(KINDS)
    assert TokenCheck().kind not in CHECKS


def test_a_journey_of_the_other_three_is_unaffected_by_one_that_is_down(social: Social) -> None:
    social.routes["/debug_token"] = down
    believed = [journey(social, kind).believe().audience for kind in KINDS[1:]]
    assert believed == [APP] * 3
    one: Journey = journey(social, FB)
    assert one.refusal(one.believe).code == "provider.failed"
