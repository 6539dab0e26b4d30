"""The JSON API: shapes as promised, questions strictly read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from app.errors import MfaRequired, StsFailed, TooMany
from app.model import Authentication, Entitlement
from app.web import TABLE
from app.web.api.openapi import OPERATIONS
from tests.web.builders import (
    ARN,
    BASE,
    EVIL,
    FORBIDDEN,
    NOW,
    ROLES,
    SECRET,
    TOKEN,
    World,
    https_settings,
    role,
    session,
)

PROBLEM = {"type", "title", "status", "detail", "code", "request_id"}


def signed_in(**changes) -> World:
    world = World(**changes)
    world.signed_in()
    return world


def post(world: World, body: object, path: str = "/v1/credentials", **more):
    data = body if isinstance(body, bytes | str) else json.dumps(body)
    return world.browser.post(
        path, data=data, content_type=more.pop("content_type", "application/json"), **more
    )


def test_me_has_the_promised_shape():
    assert signed_in().browser.get("/v1/me").json == {
        "source": "corp",
        "subject": "u-1",
        "username": "ana",
        "name": "Ana Lindqvist",
        "email": "ana@acme.test",
        "groups": ["engineering", "sre"],
        "authentication": {"at": "2026-11-24T10:10:00Z", "methods": ["pwd"], "mfa": False, "mfa_at": None},
        "session": {"id": "s-1", "expires_at": "2026-11-24T22:10:00Z"},
    }


def test_roles_have_the_promised_shape():
    answer = signed_in().browser.get("/v1/roles").json
    assert answer["cursor"] is None
    assert answer["roles"][0] == {
        "arn": "arn:aws:iam::111122223333:role/Admin",
        "account": "111122223333",
        "account_name": "production",
        "name": "Admin",
        "description": "Everything",
        "max_duration": 3600,
        "needs": None,
    }


def test_me_says_when_a_second_factor_was_proven():
    world = World()
    how = Authentication(at=NOW, methods=("pwd", "otp", "mfa"), mfa_at=NOW + timedelta(minutes=3))
    world.signed_in(identity=replace(session().identity, authentication=how))
    assert world.browser.get("/v1/me").json["authentication"] == {
        "at": "2026-11-24T10:10:00Z",
        "methods": ["pwd", "otp", "mfa"],
        "mfa": True,
        "mfa_at": "2026-11-24T10:13:00Z",
    }


def test_a_role_says_which_second_factor_it_needs():
    world = signed_in()
    needs = {"mfa": {"kinds": ["webauthn"]}}
    world.broker.entitlements = (Entitlement(ROLES[0], needs=needs), Entitlement(ROLES[1]))
    found = {each["arn"]: each["needs"] for each in world.browser.get("/v1/roles").json["roles"]}
    assert found == {ROLES[0].arn: needs, ROLES[1].arn: None}


def test_roles_come_in_pieces_that_join_without_gap_or_double():
    world = signed_in()
    world.broker.entitlements = tuple(
        Entitlement(role(f"R{n}", f"{n % 9:012d}", f"é{n % 9}")) for n in range(95)
    )
    seen, cursor = [], ""
    while True:
        answer = world.browser.get(
            "/v1/roles", query_string={"limit": "20", "cursor": cursor} if cursor else {"limit": 20}
        ).json
        seen += [item["arn"] for item in answer["roles"]]
        assert len(answer["roles"]) <= 20
        if (cursor := answer["cursor"]) is None:
            break
    assert len(seen) == len(set(seen)) == 95


def test_a_role_that_goes_between_two_pieces_moves_no_other():
    world = signed_in()
    first = world.browser.get("/v1/roles?limit=1").json
    world.broker.entitlements = world.broker.entitlements[1:]
    rest = world.browser.get(f"/v1/roles?limit=5&cursor={first['cursor']}").json
    assert [item["name"] for item in rest["roles"]] == ["ReadOnly", "Developer"]


def test_search_narrows_the_roles():
    answer = signed_in().browser.get("/v1/roles?q=SANDBOX").json
    assert [item["name"] for item in answer["roles"]] == ["Developer"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=x",
        "limit=1.5",
        "limit=",
        "cursor=nonsense",
        "cursor=W10",
        "cursor=%00",
        "other=1",
        "q=%00",
        "q=" + "x" * 201,
    ],
)
def test_a_malformed_question_about_roles_is_422(query):
    answer = signed_in().browser.get(f"/v1/roles?{query}")
    assert (answer.status_code, answer.json["code"]) == (422, "request.invalid")


def test_a_doubled_parameter_is_400():
    assert signed_in().browser.get("/v1/roles?q=a&q=b").json["code"] == "request.malformed"


def test_credentials_are_what_credential_process_wants():
    answer = post(signed_in(), {"role": ARN, "duration": 900, "reason": "INC-7"})
    assert answer.status_code == 200
    assert answer.json == {
        "Version": 1,
        "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "SecretAccessKey": SECRET,
        "SessionToken": TOKEN,
        "Expiration": "2026-11-24T10:25:00Z",
        "AccountId": "111122223333",
    }
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_console_link_has_the_promised_shape():
    answer = post(signed_in(), {"role": ARN}, "/v1/console-link")
    assert answer.json["url"].startswith("http://127.0.0.1:8090/federation?")
    assert answer.json["expires_at"] == "2026-11-24T10:25:00Z"


@pytest.mark.parametrize("path", ["/v1/credentials", "/v1/console-link"])
@pytest.mark.parametrize(
    "duration",
    [
        "899",
        "3601",
        '"an hour"',
        '"3600"',
        "true",
        "false",
        "900.5",
        "899.99999",
        "1e400",
        "null",
        "[]",
        "{}",
        "-1",
        "0",
        "1" + "0" * 400,
    ],
)
def test_a_wrong_duration_is_422(path, duration):
    world = signed_in()
    answer = post(world, f'{{"role": "{ARN}", "duration": {duration}}}', path)
    assert (answer.status_code, answer.json["code"]) == (422, "duration.invalid")
    assert world.broker.times("credentials") == world.broker.times("console_link") == 0
    assert world.broker.records == ["duration.invalid"]


@pytest.mark.parametrize("duration", [900, 3600, 900.0, 1e3])
def test_the_bounds_themselves_are_durations(duration):
    assert post(signed_in(), {"role": ARN, "duration": duration}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'role': 1}",
        b"\xff",
        b'\xef\xbb\xbf{"role": "x"}',
        '{"role": "x"}'.encode("utf-16"),
        b'{"role": NaN}',
        b'{"duration": Infinity}',
        b'{"role": "a", "role": "b"}',
        b"[" * 30_000,
        b'{"a":' * 10_000,
        b'{"duration": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_is_400(body):
    answer = post(signed_in(), body)
    assert (answer.status_code, answer.json["code"]) == (400, "request.malformed")


@pytest.mark.parametrize(
    "body",
    [
        [],
        '"text"',
        1,
        None,
        {},
        {"role": None},
        {"role": 1},
        {"role": []},
        {"role": ""},
        {"role": "nonsense"},
        {"role": ARN + "\n"},
        {"role": ARN + "\u0000"},
        {"role": "*"},
        {"role": ARN, "Duration": 900},
        {"role": ARN, "endpoint": EVIL},
        {"role": ARN, "reason": 1},
        {"role": ARN, "reason": None},
        {"role": ARN, "reason": "a\nb"},
        {"role": ARN, "reason": "\ud800"},
        {"role": ARN, "reason": "x" * 257},
    ],
)
def test_a_malformed_question_is_422(body):
    world = signed_in()
    answer = post(world, body)
    assert (answer.status_code, answer.json["code"]) == (422, "request.invalid")
    assert world.broker.times("credentials") == 0


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "application/json5"],
)
def test_only_json_is_taken(kind):
    answer = post(signed_in(), {"role": ARN}, content_type=kind)
    assert (answer.status_code, answer.json["code"]) == (415, "request.media_type")


def test_a_charset_does_not_make_it_less_json():
    assert post(signed_in(), {"role": ARN}, content_type="application/json; charset=utf-8").status_code == 200


def test_a_large_body_is_413():
    answer = post(signed_in(), {"role": ARN, "reason": "x" * 70_000})
    assert (answer.status_code, answer.json["code"]) == (413, "request.too_large")


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [("arn:aws:iam::999999999999:role/Nope", 404, "role.unknown"), (FORBIDDEN, 403, "role.forbidden")],
)
def test_a_role_that_is_not_mine_is_refused(asked, status, code):
    answer = post(signed_in(), {"role": asked})
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert set(answer.json) == PROBLEM
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]


def test_a_refusal_is_problem_json_without_the_operators_detail():
    world = signed_in()
    world.broker.fail["credentials"] = StsFailed(f"boto said {SECRET}")
    answer = post(world, {"role": ARN})
    assert (answer.status_code, answer.content_type) == (502, "application/problem+json")
    assert answer.json["detail"] == StsFailed.default_words
    assert SECRET not in answer.text


def test_a_refusal_that_a_second_factor_settles_says_where():
    world = signed_in()
    refusal = MfaRequired("operators only")
    refusal.members = {"step_up": {"url": f"{BASE}/step-up?role={ARN}", "kinds": ["webauthn", "totp"]}}
    world.broker.fail["credentials"] = refusal
    answer = post(world, {"role": ARN})
    assert (answer.status_code, answer.content_type) == (403, "application/problem+json")
    assert answer.json["code"] == "mfa_required"
    assert answer.json["step_up"] == refusal.members["step_up"]
    assert set(answer.json) == {*PROBLEM, "step_up"}
    assert "operators only" not in answer.text


def test_what_a_refusal_adds_takes_the_place_of_nothing():
    world = signed_in()
    refusal = MfaRequired()
    refusal.members = {"code": "other", "status": 200, "request_id": "mine", "step_up": {}}
    world.broker.fail["credentials"] = refusal
    answer = post(world, {"role": ARN})
    assert (answer.status_code, answer.json["status"], answer.json["code"]) == (403, 403, "mfa_required")
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]


def test_a_limit_says_when_to_come_back():
    world = signed_in()
    world.broker.fail["credentials"] = TooMany(retry_after=12)
    assert post(world, {"role": ARN}).headers["Retry-After"] == "12"


# --- other sites ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [{"Origin": EVIL}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
)
def test_a_call_from_another_site_is_refused(headers):
    world = signed_in()
    for answer in (
        world.browser.get("/v1/me", headers=headers),
        post(world, {"role": ARN}, headers=headers),
        post(world, {"role": ARN}, "/v1/console-link", headers=headers),
    ):
        assert (answer.status_code, answer.json["code"]) == (403, "request.cross_site")
    assert world.broker.times("credentials") == 0


@pytest.mark.parametrize("headers", [{}, {"Origin": BASE}, {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}])
def test_a_call_from_our_own_pages_or_from_no_browser_is_taken(headers):
    world = signed_in()
    assert world.browser.get("/v1/me", headers=headers).status_code == 200
    assert post(world, {"role": ARN}, headers=headers).status_code == 200


def test_an_address_typed_by_hand_may_be_read_but_not_posted():
    world = signed_in()
    typed = {"Sec-Fetch-Site": "none"}
    assert world.browser.get("/v1/me", headers=typed).status_code == 200
    assert post(world, {"role": ARN}, headers=typed).status_code == 403


# --- the document ---------------------------------------------------------------------------------


def test_the_document_names_every_operation_of_the_table():
    documented = {(item.path, item.method.upper()) for item in OPERATIONS}
    served = {
        (row.address, m)
        for row in TABLE
        if row.address.startswith("/v1/")
        for m in row.methods
        if m != "HEAD"
    }
    assert documented == served


def test_the_document_names_the_cookie_of_this_site():
    for world, name in ((World(), "daypass"), (World(settings=https_settings()), "__Host-daypass")):
        schemes = world.browser.get("/v1/openapi.json").json["components"]["securitySchemes"]
        assert schemes["session"]["name"] == name


def test_the_roles_in_the_fake_are_roles_to_the_pattern():
    assert all(post(signed_in(), {"role": item.arn}).status_code == 200 for item in ROLES)
