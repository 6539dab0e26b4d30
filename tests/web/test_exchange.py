"""What apps bring of their people, on the wire: read strictly, answered as RFC 8693 and RFC 7522 say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from app.errors import (
    DurationInvalid,
    ExchangeNotAllowed,
    GroupsIncomplete,
    IdentityIncomplete,
    NoRoleForApp,
    OriginRefused,
    ProviderFailed,
    Refusal,
    RequestNotPossible,
    RoleForbidden,
    RoleUnknown,
    StoreUnavailable,
    StsFailed,
    StsRefused,
    SubjectTokenExpired,
    TooMany,
)
from app.model import EXCHANGE, ClientProof, ExchangeAsk, SubjectProof
from app.web.oauth.exchange import AWS_CREDENTIALS, GUEST, SAML2_BEARER
from tests.web.apps import AWS_SECRET, AWS_TOKEN, UPLOADS
from tests.web.builders import BASE, World

TYPE = "urn:ietf:params:oauth:token-type:"
BROUGHT = {
    "grant_type": EXCHANGE,
    "client_id": "photo-app",
    "subject_token": "social-ana",
    "subject_token_type": f"{TYPE}access_token",
    "subject_issuer": "social",
}
ASSERTION = {"grant_type": SAML2_BEARER, "client_id": "photo-app", "assertion": "corp-ana"}
AS_GUEST = {"grant_type": GUEST, "client_id": "photo-app"}
AWS = {"requested_token_type": AWS_CREDENTIALS}
LINK = {
    **{name: value for name, value in BROUGHT.items() if name != "grant_type"},
    "link_token": "corp-ana",
    "link_token_type": f"{TYPE}saml2",
    "link_issuer": "corp",
}
UNLINK = {name: value for name, value in LINK.items() if not name.startswith("link_")} | {"source": "corp"}
FIRST = "0b5e3d1c-0000-4000-8000-000000000000"
every_grant = pytest.mark.parametrize("form", [BROUGHT, ASSERTION, AS_GUEST], ids=["token", "saml", "guest"])


def post(world: World, form, path: str = "/oauth/token", **more):
    body = urlencode(form, doseq=True)
    return world.browser.post(path, data=body, content_type="application/x-www-form-urlencoded", **more)


def asked(world: World, method: str = "exchange"):
    return next(what for name, what in world.broker.asked if name == method)


# --- what is asked --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "subject"),
    [
        ({}, SubjectProof("access_token", "social-ana", "social")),
        (
            {"subject_token_type": f"{TYPE}id_token", "subject_issuer": "", "subject_nonce": "n-1"},
            SubjectProof("id_token", "social-ana", "", "n-1"),
        ),
        ({"subject_token_type": f"{TYPE}saml2"}, SubjectProof("saml2", "social-ana", "social")),
    ],
)
def test_the_subject_token_is_read_as_rfc_8693_says(more, subject):
    world = World()
    assert post(world, {**BROUGHT, **more}).status_code == 200
    assert asked(world) == (ClientProof("photo-app"), subject, ExchangeAsk())
    assert (asked(world)[1].nonce, asked(world)[1].text) == (subject.nonce, "social-ana")


def test_an_assertion_is_a_grant_of_its_own():
    world = World()
    assert post(world, ASSERTION).status_code == 200
    assert asked(world) == (ClientProof("photo-app"), SubjectProof("saml2", "corp-ana"), ExchangeAsk())


def test_a_guest_brings_nothing():
    world = World()
    assert post(world, AS_GUEST).status_code == 200
    assert asked(world, "begin_guest") == (ClientProof("photo-app"), ExchangeAsk())


@every_grant
@pytest.mark.parametrize(
    ("more", "ask"),
    [
        ({}, ExchangeAsk()),
        ({"requested_token_type": f"{TYPE}access_token"}, ExchangeAsk()),
        (
            {"scope": "roles roles", "resource": f"{BASE}/v1"},
            ExchangeAsk(scope=("roles",), resource=f"{BASE}/v1"),
        ),
        ({"audience": f"{BASE}/v1"}, ExchangeAsk(resource=f"{BASE}/v1")),
        ({"audience": f"{BASE}/v1", "resource": f"{BASE}/v1"}, ExchangeAsk(resource=f"{BASE}/v1")),
        (AWS, ExchangeAsk(aws=True)),
        (
            {**AWS, "resource": UPLOADS, "duration": "900", "scope": "credentials"},
            ExchangeAsk(aws=True, role=UPLOADS, duration=timedelta(minutes=15), scope=("credentials",)),
        ),
        ({**AWS, "audience": UPLOADS}, ExchangeAsk(aws=True, role=UPLOADS)),
    ],
)
def test_what_is_wanted_is_read_alike_for_all_three(form, more, ask):
    world = World()
    assert post(world, {**form, **more}).status_code == 200
    assert world.broker.asked[-1][1][-1] == ask


@pytest.mark.parametrize("form", [BROUGHT, ASSERTION])
def test_a_guest_may_be_claimed(form):
    world = World()
    guest = post(world, AS_GUEST).json
    claimed = post(world, {**form, "guest_token": guest["access_token"]}).json
    assert claimed["identity_id"] == guest["identity_id"]


# --- what is given --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [BROUGHT, ASSERTION])
def test_a_token_for_a_person(form):
    answer = post(World(), form)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.json == {
        "access_token": f"guest-of-{FIRST}",
        "issued_token_type": f"{TYPE}access_token",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "roles credentials",
        "session_expires_at": "2026-11-24T11:10:00Z",
        "identity_id": FIRST,
    }
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")
    assert "Set-Cookie" not in answer.headers


def test_a_guest_may_refresh():
    answer = post(World(), AS_GUEST)
    assert (answer.json["refresh_token"], answer.json["identity_id"]) == ("FAKEGUESTREFRESH", FIRST)


@every_grant
def test_aws_credentials_in_one_step(form):
    answer = post(World(), {**form, **AWS, "resource": UPLOADS, "duration": "1800"})
    assert answer.status_code == 200
    assert answer.json == {
        "access_token": AWS_TOKEN,
        "issued_token_type": AWS_CREDENTIALS,
        "token_type": "N_A",
        "expires_in": 1800,
        "Version": 1,
        "AccessKeyId": "ASIAIOSFODNN7APPKEYS",
        "SecretAccessKey": AWS_SECRET,
        "SessionToken": AWS_TOKEN,
        "Expiration": "2026-11-24T10:40:00Z",
        "AccountId": "444455556666",
        "role": UPLOADS,
        "reason": "`accounts.yaml` allows `AppUploads`.",
        "identity_id": FIRST,
    }
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_refreshed_token_says_whose_identity_it_is(monkeypatch):
    world = World()
    plain = {"grant_type": "refresh_token", "refresh_token": "r" * 43, "client_id": "photo-app"}
    assert "identity_id" not in post(world, plain).json
    given = world.broker.redeem
    monkeypatch.setattr(
        world.broker, "redeem", lambda *args, **more: replace(given(*args, **more), identity_id=FIRST)
    )
    assert post(world, plain).json["identity_id"] == FIRST


# --- what is no proper request --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "missing"),
    [
        (BROUGHT, "subject_token"),
        (BROUGHT, "subject_token_type"),
        (ASSERTION, "assertion"),
        *((LINK, name) for name in ("subject_token", "subject_token_type", "link_token", "link_token_type")),
        *((UNLINK, name) for name in ("subject_token", "subject_token_type", "source")),
    ],
)
@pytest.mark.parametrize("how", ["left out", "empty"])
def test_what_must_be_there_is_named_when_it_is_not(form, missing, how):
    path = "/oauth/token" if "grant_type" in form else f"/oauth/identity/{'un' * (form is UNLINK)}link"
    left = {name: value for name, value in form.items() if name != missing}
    world = World()
    answer = post(world, left if how == "left out" else {**left, missing: ""}, path)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert f"`{missing}`" in answer.json["error_description"]
    assert world.broker.asked == []


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        ({"actor_token": "x", "actor_token_type": f"{TYPE}access_token"}, "invalid_request", "`actor_token`"),
        ({"actor_token_type": f"{TYPE}access_token"}, "invalid_request", "`actor_token_type`"),
        ({"subject_token_type": "access_token"}, "invalid_request", f"{TYPE}access_token"),
        ({"subject_token_type": f"{TYPE}jwt"}, "invalid_request", f"{TYPE}id_token"),
        ({"subject_token_type": f"{TYPE}refresh_token"}, "invalid_request", f"{TYPE}saml2"),
        ({"requested_token_type": f"{TYPE}refresh_token"}, "invalid_request", AWS_CREDENTIALS),
        ({"requested_token_type": f"{TYPE}jwt"}, "invalid_request", AWS_CREDENTIALS),
        ({"duration": "900"}, "invalid_request", "`duration`"),
        ({**AWS, "duration": "899"}, "invalid_request", "900 to 3600"),
        ({**AWS, "duration": "3601"}, "invalid_request", "900 to 3600"),
        ({**AWS, "duration": "1h"}, "invalid_request", "900 to 3600"),
        ({**AWS, "resource": "AppUploads"}, "invalid_target", "role ARN"),
        ({**AWS, "audience": f"{BASE}/v1"}, "invalid_target", "role ARN"),
        ({**AWS, "audience": f"{BASE}/v1", "resource": UPLOADS}, "invalid_target", "`audience`"),
        ({**AWS, "resource": [UPLOADS, UPLOADS]}, "invalid_target", "`resource`"),
        ({"audience": ["a", "b"]}, "invalid_target", "`audience`"),
        ({"subject_token": ["social-ana", "social-ben"]}, "invalid_request", "`subject_token`"),
        ({"subject_token": "é"}, "invalid_request", "`subject_token`"),
    ],
)
def test_odd_requests_are_refused_before_the_broker_hears_them(more, error, said):
    world = World()
    answer = post(world, {**BROUGHT, **more})
    assert (answer.status_code, answer.json["error"]) == (400, error)
    assert said in answer.json["error_description"]
    assert world.broker.asked == []


def test_an_assertion_with_many_groups_has_room():
    form = {**ASSERTION, "assertion": "A" * 400_000}
    answer = post(World(), form)
    assert (answer.status_code, answer.json["code"]) == (400, "exchange.audience")
    assert post(World(), {**ASSERTION, "assertion": "A" * 600_000}).status_code == 413


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (SubjectTokenExpired("detail"), 400, "invalid_request"),
        (IdentityIncomplete("detail"), 400, "invalid_request"),
        (GroupsIncomplete("detail"), 400, "invalid_request"),
        (ExchangeNotAllowed("detail"), 400, "invalid_request"),
        (RequestNotPossible("detail"), 400, "invalid_request"),
        (DurationInvalid("detail"), 400, "invalid_request"),
        (NoRoleForApp("detail"), 400, "invalid_target"),
        (RoleForbidden("detail"), 400, "invalid_target"),
        (RoleUnknown("detail"), 400, "invalid_target"),
        (OriginRefused("detail"), 403, "invalid_request"),
        (TooMany("detail", retry_after=7), 429, "temporarily_unavailable"),
        (ProviderFailed("detail"), 502, "temporarily_unavailable"),
        (StsFailed("detail"), 502, "temporarily_unavailable"),
        (StsRefused("detail"), 502, "server_error"),
        (StoreUnavailable("detail"), 503, "temporarily_unavailable"),
        (RuntimeError("detail"), 503, "server_error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
@every_grant
def test_every_refusal_has_the_word_of_its_rfc(form, error, status, word):
    world = World()
    world.broker.fail["begin_guest" if form is AS_GUEST else "exchange"] = error
    answer = post(world, form)
    if form is ASSERTION and isinstance(error, (SubjectTokenExpired, IdentityIncomplete, GroupsIncomplete)):
        word = "invalid_grant"  # RFC 7522, 3.1, where RFC 8693, 2.2.2 says otherwise
    assert (answer.status_code, answer.json["error"]) == (status, word)
    assert set(answer.json) == {"error", "error_description", "code", "request_id"}
    if isinstance(error, Refusal):
        assert answer.json["code"] == error.code
    assert "detail" not in answer.text
    assert "WWW-Authenticate" not in answer.headers  # the client is believed; who is not is its person
    assert answer.headers.get("Retry-After") == ("7" if status == 429 else None)


def test_the_reason_is_told_to_the_developer_in_the_characters_that_there_are():
    answer = post(World(), {**BROUGHT, **AWS, "resource": "arn:aws:iam::111122223333:role/Admin"})
    assert (answer.json["error"], answer.json["code"]) == ("invalid_target", "oauth.no_role")
    assert answer.json["error_description"] == (
        "`arn:aws:iam::111122223333:role/Admin`: 'not' one of this app's roles."
    )


@pytest.mark.parametrize("form", [BROUGHT, ASSERTION, AS_GUEST])
def test_a_client_without_the_grant_may_not(form):
    answer = post(World(), {**form, "client_id": "cli"})
    assert (answer.status_code, answer.json["error"]) == (400, "unauthorized_client")
    answer = post(World(), {**form, "client_id": "notes-app"})
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")


def test_what_apps_bring_and_get_stays_out_of_the_log(caplog):
    world = World()
    with caplog.at_level("DEBUG"):
        for form in (BROUGHT, {**BROUGHT, **AWS}, {**BROUGHT, "subject_token": "SECRETSUBJECT"}):
            post(world, form)
        post(world, {**LINK, "link_token": "SECRETLINK"}, "/oauth/identity/link")
    written = "\n".join(str(vars(record)) for record in caplog.records if record.name.startswith("daypass"))
    assert "answered" in written and "exchange.audience" in written
    for secret in ("social-ana", "SECRETSUBJECT", "SECRETLINK", AWS_SECRET, AWS_TOKEN, "guest-of-"):
        assert secret not in written


# --- several logins of one person -----------------------------------------------------------------


def test_two_logins_become_one_identity_and_two_again():
    world = World()
    mine = post(world, BROUGHT).json["identity_id"]
    joined = post(world, LINK, "/oauth/identity/link")
    assert joined.json == {"identity_id": mine, "logins": ["social", "corp"]}
    assert (joined.headers["Cache-Control"], joined.status_code) == ("no-store", 200)
    assert asked(world, "link") == (
        ClientProof("photo-app"),
        SubjectProof("access_token", "social-ana", "social"),
        SubjectProof("saml2", "corp-ana", "corp"),
    )
    assert post(world, ASSERTION).json["identity_id"] == mine
    parted = post(world, UNLINK, "/oauth/identity/unlink")
    assert parted.json == {"identity_id": mine, "logins": ["social"]}
    assert post(world, ASSERTION).json["identity_id"] != mine


def test_a_login_of_somebody_else_is_not_taken_over():
    world = World()
    post(world, ASSERTION)
    answer = post(world, LINK, "/oauth/identity/link")
    assert (answer.status_code, answer.json["code"]) == (409, "identity.login_taken")


def test_the_last_login_stays():
    answer = post(World(), {**UNLINK, "source": "social"}, "/oauth/identity/unlink")
    assert (answer.status_code, answer.json["code"]) == (409, "identity.login_needed")


@pytest.mark.parametrize("which", ["subject_token", "link_token"])
def test_linking_needs_both_proofs(which):
    world = World()
    answer = post(world, {**LINK, which: "of-another-app"}, "/oauth/identity/link")
    assert (answer.status_code, answer.json["code"]) == (400, "exchange.audience")
