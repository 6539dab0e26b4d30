"""The pages: what they show, what they refuse, and what they never let out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest

from app.errors import AuditUnavailable, RequestNotPossible, StoreUnavailable, StsFailed, StsRefused
from app.model import Entitlement
from app.web.portal.keys import durations
from tests.web.builders import (
    ARN,
    BASE,
    EVIL,
    FORBIDDEN,
    ROLES,
    SECRET,
    TOKEN,
    World,
    code_of,
    https_settings,
    person,
    role,
)

# --- my roles -------------------------------------------------------------------------------------


def test_my_roles_shows_accounts_with_their_roles_and_who_i_am():
    world = World()
    made = world.signed_in()
    page = world.browser.get("/").text
    for words in ("production", "111122223333", "sandbox", "Admin", "Look, don&#39;t touch", "3 roles"):
        assert words in page
    for words in ("Ana Lindqvist", "Acme staff", "22:10 UTC", "Sign out", made.csrf):
        assert words in page
    assert page.index("production") < page.index("sandbox")


def test_search_finds_words_in_any_order_and_case():
    world = World()
    world.signed_in()
    page = world.browser.get("/?q=TOUCH+production").text
    assert "ReadOnly" in page
    assert 'value="arn:aws:iam::111122223333:role/Admin"' not in page
    assert "1 of 3 match" in page


def test_a_search_without_result_says_so():
    world = World()
    world.signed_in()
    page = world.browser.get("/?q=zebra").text
    assert "No role matches" in page
    assert "data-nothing hidden" not in page


def test_who_can_use_no_role_is_told_who_they_are_and_what_to_do():
    world = World()
    world.broker.entitlements = ()
    world.signed_in()
    page = world.browser.get("/").text
    assert "You can’t use any role yet" in page
    assert "engineering" in page
    assert "ask the people who run this service" in page


def test_many_roles_come_in_pages():
    world = World()
    world.broker.entitlements = tuple(
        Entitlement(role(f"R{n % 7}", f"{n // 7:012d}", f"account-{n // 7:04d}")) for n in range(1500)
    )
    world.signed_in()
    page = world.browser.get("/").text
    assert page.count('class="role"') == 200
    assert "data-live-search" not in page
    seen, href = 200, unescape(page.split('class="button" href="')[-1].split('"')[0])
    while href.startswith("/?"):
        page = world.browser.get(href).text
        seen += page.count('class="role"')
        href = unescape(page.split('class="button" href="')[-1].split('"')[0]) if "More roles" in page else ""
    assert seen == 1500


def test_a_role_that_needs_a_second_factor_leads_to_it_and_has_no_button_that_asks_aws():
    world = World()
    world.broker.entitlements = (Entitlement(ROLES[0], {"mfa": {"kinds": ["totp"]}}),)
    world.signed_in()
    page = world.browser.get("/").text
    assert "Needs a second factor" in page and 'href="/step-up?role=' in page
    assert f'value="{ROLES[0].arn}"' not in page and 'href="/keys' not in page


# --- keys -----------------------------------------------------------------------------------------


def test_keys_are_asked_for_with_a_duration_and_shown_once_for_every_shell():
    world = World()
    made = world.signed_in()
    assert "How long" in world.browser.get(f"/keys?role={ARN}").text
    answer = world.browser.post("/keys", data=world.form(made, role=ARN, duration="1800", reason="INC-7"))
    page = unescape(answer.text)
    assert answer.status_code == 200
    assert f"export AWS_SECRET_ACCESS_KEY='{SECRET}'" in page
    assert f"$Env:AWS_SECRET_ACCESS_KEY = '{SECRET}'" in page
    assert f'set "AWS_SECRET_ACCESS_KEY={SECRET}"' in page
    assert f"set -gx AWS_SECRET_ACCESS_KEY '{SECRET}'" in page
    assert (
        f"[production-ReadOnly]\naws_access_key_id = ASIAIOSFODNN7EXAMPLE\naws_secret_access_key = {SECRET}"
        in page
    )
    assert "~/.aws/credentials" in page
    assert "%USERPROFILE%\\.aws\\credentials" in page
    assert "Good for 30 minutes" in page
    assert answer.headers["Cache-Control"] == "no-store"
    ask = next(what for name, what in world.broker.asked if name == "credentials")
    assert (ask.role, ask.duration, ask.reason) == (ARN, timedelta(minutes=30), "INC-7")


def test_without_a_duration_the_default_is_the_brokers():
    world = World()
    made = world.signed_in()
    world.browser.post("/keys", data=world.form(made, role=ARN))
    assert next(what for name, what in world.broker.asked if name == "credentials").duration is None


def test_on_windows_powershell_is_offered_first():
    world = World()
    made = world.signed_in()
    headers = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"}
    page = world.browser.post("/keys", data=world.form(made, role=ARN), headers=headers).text
    assert 'value="powershell" checked' in page


@pytest.mark.parametrize(
    ("longest", "seconds"),
    [
        (900, [900]),
        (1800, [900, 1800]),
        (2700, [900, 1800, 2700]),
        (3600, [900, 1800, 3600]),
        (43200, [900, 1800, 3600]),
    ],
)
def test_durations_go_up_to_the_roles_maximum_and_one_hour(longest, seconds):
    choices = durations(timedelta(seconds=longest))
    assert [choice.seconds for choice in choices] == seconds
    assert [choice.seconds for choice in choices if choice.chosen] == seconds[-1:]


@pytest.mark.parametrize(
    "duration",
    ["899", "3601", "an hour", "", "900.5", "-900", "٩٠٠", "1e3", " 900", "9" * 5000, "NaN", "true"],
)
def test_a_wrong_duration_is_refused_before_the_broker_is_asked(duration):
    world = World()
    made = world.signed_in()
    answer = world.browser.post("/keys", data=world.form(made, role=ARN, duration=duration))
    assert (answer.status_code, code_of(answer.text)) == (422, "duration.invalid")
    assert world.broker.times("credentials") == 0
    assert world.broker.records == ["duration.invalid"]


@pytest.mark.parametrize(
    "text", ["", "nonsense", "arn:aws:iam::1:role/x", ARN + "\n", ARN + "\x00", "é", "x" * 50_000]
)
def test_what_is_no_role_arn_is_refused(text):
    world = World()
    made = world.signed_in()
    for answer in (
        world.browser.get("/keys", query_string={"role": text[:2000]}),
        world.browser.post("/keys", data=world.form(made, role=text)),
        world.browser.post("/console", data=world.form(made, role=text)),
    ):
        assert (answer.status_code, code_of(answer.text)) == (422, "request.invalid")
    assert world.broker.times("credentials") == world.broker.times("console_link") == 0


def test_an_unknown_role_is_a_404_and_on_record():
    world = World()
    made = world.signed_in()
    unknown = "arn:aws:iam::999999999999:role/Nope"
    assert code_of(world.browser.get(f"/keys?role={unknown}").text) == "role.unknown"
    assert code_of(world.browser.post("/console", data=world.form(made, role=unknown)).text) == "role.unknown"
    assert world.broker.records == ["role.unknown", "role.unknown"]


def test_a_refusal_that_the_broker_recorded_is_not_recorded_twice():
    world = World()
    made = world.signed_in()
    answer = world.browser.post("/console", data=world.form(made, role=FORBIDDEN))
    assert (answer.status_code, code_of(answer.text)) == (403, "role.forbidden")
    assert world.broker.records == []


def test_a_refusal_that_cannot_be_recorded_says_so_instead():
    world = World()
    made = world.signed_in()
    world.broker.fail["refused"] = AuditUnavailable()
    answer = world.browser.post("/keys", data=world.form(made, role=ARN, duration="1"))
    assert (answer.status_code, code_of(answer.text)) == (503, "audit.unavailable")


@pytest.mark.parametrize("reason", ["x" * 257, "a\nb", "a\x1bb", "a\u202eb"])
def test_a_reason_is_one_plain_line(reason):
    world = World()
    made = world.signed_in()
    answer = world.browser.post("/keys", data=world.form(made, role=ARN, reason=reason))
    assert (answer.status_code, code_of(answer.text)) == (422, "request.invalid")


@pytest.mark.parametrize(
    "error", [StsFailed(SECRET), StsRefused(TOKEN), AuditUnavailable("disk"), RequestNotPossible("policy")]
)
def test_when_nothing_can_be_issued_the_page_says_why_and_shows_no_detail(error):
    world = World()
    made = world.signed_in()
    world.broker.fail["credentials"] = error
    answer = world.browser.post("/keys", data=world.form(made, role=ARN))
    assert (answer.status_code, code_of(answer.text)) == (error.status, error.code)
    assert error.detail not in answer.text


# --- console --------------------------------------------------------------------------------------


def test_the_console_button_leads_to_the_console():
    world = World()
    made = world.signed_in()
    answer = world.browser.post(
        "/console", data=world.form(made, role=ARN), headers={"Origin": BASE, "Sec-Fetch-Site": "same-origin"}
    )
    assert (answer.status_code, answer.headers["Location"][:32]) == (303, "http://127.0.0.1:8090/federation")
    assert answer.data == b""


def test_a_console_destination_off_aws_is_refused_and_an_aws_one_taken():
    world = World()
    made = world.signed_in()
    bad = world.browser.post("/console", data=world.form(made, role=ARN, destination=EVIL))
    assert (bad.status_code, code_of(bad.text)) == (403, "console.destination")
    good = world.form(made, role=ARN, destination="https://console.aws.amazon.com/s3/home")
    assert world.browser.post("/console", data=good).status_code == 303


# --- other sites ----------------------------------------------------------------------------------

FORMS = [("/keys", "credentials"), ("/console", "console_link"), ("/sign-out", "sign_out")]


@pytest.mark.parametrize(("address", "method"), FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": BASE + ".evil.example"},
        {"Origin": "https://localhost:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": BASE, "Sec-Fetch-Site": "cross-site"},
        {"Origin": EVIL, "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_a_form_from_another_site_is_refused_even_with_the_right_token(address, method, headers):
    world = World()
    made = world.signed_in()
    answer = world.browser.post(address, data=world.form(made, role=ARN), headers=headers)
    assert (answer.status_code, code_of(answer.text)) == (403, "request.cross_site")
    assert world.broker.times(method) == 0
    assert world.broker.records == ["request.cross_site"]


@pytest.mark.parametrize(("address", "method"), FORMS)
@pytest.mark.parametrize("token", [None, "", "x", "é", "another"])
def test_a_form_without_this_sessions_token_is_refused(address, method, token):
    world = World()
    made = world.signed_in()
    other = replace(made, csrf="o" * 43)
    token = other.csrf if token == "another" else token
    data = {"role": ARN} if token is None else {"role": ARN, "csrf": token}
    answer = world.browser.post(address, data=data, headers={"Origin": BASE})
    assert (answer.status_code, code_of(answer.text)) == (403, "request.cross_site")
    assert world.broker.times(method) == 0


@pytest.mark.parametrize(("address", "method"), FORMS)
@pytest.mark.parametrize("headers", [{}, {"Origin": BASE}, {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}])
def test_our_own_form_is_taken(address, method, headers):
    world = World()
    made = world.signed_in()
    answer = world.browser.post(address, data=world.form(made, role=ARN), headers=headers)
    assert answer.status_code in (200, 303)
    assert world.broker.times(method) == 1


def test_a_doubled_form_field_is_refused():
    world = World()
    made = world.signed_in()
    body = {"csrf": made.csrf, "role": [ARN, ROLES[0].arn]}
    assert code_of(world.browser.post("/keys", data=body).text) == "request.malformed"


# --- signing out ----------------------------------------------------------------------------------


def test_signing_out_ends_the_session_and_the_cookie_is_worth_nothing():
    world = World()
    made = world.signed_in()
    token = world.browser.get_cookie("daypass", domain="localhost").value
    answer = world.browser.post("/sign-out", data=world.form(made))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/signed-out")
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    assert "You are signed out" in world.browser.get("/signed-out").text
    assert world.browser.get("/", headers={"Cookie": f"daypass={token}"}).status_code == 303


def test_signing_out_by_a_link_does_nothing():
    world = World()
    world.signed_in()
    assert world.browser.get("/sign-out").status_code == 405
    assert world.browser.get("/").status_code == 200


def test_signing_out_twice_is_no_error():
    world = World()
    assert world.browser.post("/sign-out", data={}).headers["Location"] == "/signed-out"


# --- script in names ------------------------------------------------------------------------------

SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def test_script_in_anything_that_others_name_is_shown_as_text():
    world = World()
    evil = role("ReadOnly", "111122223333", SCRIPT, description=SCRIPT)
    world.broker.entitlements = (Entitlement(evil),)
    world.broker.ways = (("corp", SCRIPT, "saml"),)
    world.settings = replace(world.settings, name=SCRIPT)
    made = person(name=SCRIPT, username=SCRIPT, groups=(SCRIPT,))
    world.signed_in(identity=made.identity, csrf="c" * 43)
    pages = [
        world.browser.get("/").text,
        world.browser.get("/", query_string={"q": SCRIPT}).text,
        world.browser.get("/sign-in").text,
        world.browser.get(f"/keys?role={evil.arn}").text,
        world.browser.post("/keys", data={"csrf": "c" * 43, "role": evil.arn}).text,
        world.browser.get(f"/{SCRIPT}").text,
    ]
    world.broker.entitlements = ()
    pages.append(world.browser.get("/").text)
    for page in pages:
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "&lt;script&gt;" in page


# --- headers --------------------------------------------------------------------------------------

ADDRESSES = [
    "/",
    "/sign-in",
    "/nowhere",
    "/v1/me",
    "/v1/nowhere",
    "/healthz",
    "/sign-in/corp",
    "/saml/corp/metadata",
]


@pytest.mark.parametrize("path", ADDRESSES)
def test_every_answer_is_locked_down_and_kept_by_nobody(path):
    answer = World(settings=https_settings()).browser.get(path)
    csp = answer.headers["Content-Security-Policy"]
    for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert part in csp
    assert "unsafe" not in csp
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert len(answer.headers["X-Request-Id"]) == 16


def test_forms_may_lead_on_to_the_console_only():
    aws = World(settings=https_settings()).browser.get("/sign-in").headers["Content-Security-Policy"]
    assert "form-action 'self' https://*.aws.amazon.com;" in aws
    double = World().browser.get("/sign-in").headers["Content-Security-Policy"]
    assert "form-action 'self' http://127.0.0.1:8090;" in double


def test_http_on_loopback_promises_no_https():
    assert "Strict-Transport-Security" not in World().browser.get("/sign-in").headers


def test_no_page_has_script_or_style_of_its_own():
    world = World()
    made = world.signed_in()
    pages = [
        world.browser.get(path).text
        for path in ("/", "/sign-in", f"/keys?role={ARN}", "/nowhere", "/signed-out")
    ]
    pages.append(world.browser.post("/keys", data=world.form(made, role=ARN)).text)
    for page in pages:
        assert "<style" not in page
        assert " style=" not in page
        assert " onclick" not in page
        assert page.count("<script") == page.count('<script src="/static/')


def test_nothing_secret_stands_in_an_address():
    world = World()
    made = world.signed_in()
    page = world.browser.post("/keys", data=world.form(made, role=ARN)).text
    for piece in page.split('href="')[1:] + page.split('action="')[1:]:
        address = piece.partition('"')[0]
        assert SECRET not in address
        assert made.csrf not in address


# --- static files ---------------------------------------------------------------------------------


def test_static_files_are_named_by_content_and_kept_for_good():
    world = World()
    href = world.browser.get("/sign-in").text.split('rel="stylesheet" href="')[1].partition('"')[0]
    answer = world.browser.get(href)
    assert (answer.status_code, answer.content_type) == (200, "text/css; charset=utf-8")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    again = world.browser.get(href, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    "name",
    [
        "portal.css",
        "../web/__init__.py",
        "..%2f__init__.py",
        "%2e%2e%2f__init__.py",
        "portal.000000000000.css",
    ],
)
def test_no_other_file_can_be_reached(name):
    assert World().browser.get(f"/static/{name}").status_code == 404


def test_when_the_store_is_down_the_person_is_told():
    world = World()
    world.signed_in()
    world.broker.fail["session"] = StoreUnavailable("disk")
    answer = world.browser.get("/")
    assert (answer.status_code, code_of(answer.text)) == (503, "store.unavailable")


def test_the_keys_page_without_a_role_leads_to_the_roles():
    world = World()
    world.signed_in()
    answer = world.browser.get("/keys")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
