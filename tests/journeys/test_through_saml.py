"""The whole story in a browser, through a SAML provider that was not written here."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import requests
from playwright.sync_api import Error, expect

from tests.journeys import steps
from tests.journeys.browsers import says
from tests.journeys.shell import who_am_i

pytestmark = pytest.mark.interop

READ_ONLY = "ReadOnly in production"


def test_from_a_sign_in_to_working_keys_and_a_console(page, acme):
    steps.sign_in_as_staff(page, acme)
    assert "Ana Alves" in page.inner_text("header.bar")

    page.get_by_role("searchbox").fill("sand")
    expect(page.locator(".role:visible")).to_have_count(2)
    assert {name.split()[0] for name in page.locator(".role:visible .role-name").all_inner_texts()} == {
        "Developer",
        "Release",
    }
    page.get_by_role("searchbox").fill("read")
    block = steps.get_keys(page, READ_ONLY, "15 min")
    assert re.search(r"\b1[45]:\d\d left", says(page))

    who = who_am_i(block, acme.aws_url)
    assert who["Account"] == "111122223333"
    assert re.fullmatch(r"arn:aws:sts::111122223333:assumed-role/ReadOnly/ana-[a-z2-7]{10}", who["Arn"])
    asked = acme.assumed()[-1]
    assert (asked["duration"], asked["source_identity"][:5]) == (900, "corp-")
    assert "secretsmanager:GetSecretValue" in asked["policy"]

    page.get_by_role("link", name="My roles").click()
    before = datetime.now(UTC)
    console = steps.open_console(page, READ_ONLY)
    assert console.title() == "You are in account 111122223333 as ReadOnly"
    assert steps.console_says(console, "signed-in-as") == who["Arn"]
    assert steps.console_says(console, "source-identity") == asked["source_identity"]
    until = datetime.strptime(steps.console_says(console, "until"), "%Y-%m-%d %H:%M:%S UTC")
    hour = before + timedelta(hours=1)
    assert abs(until.replace(tzinfo=UTC) - hour) < timedelta(minutes=1)
    assert console.evaluate("[window.opener, document.referrer]") == [None, ""]
    assert page.url == f"{acme.base_url}/"

    found = acme.audit("search", "--json").stdout
    assert "INC-7: disk is full" in found and who["Arn"].rsplit("/", 1)[1] in found


def test_a_role_behind_a_hub_is_used_the_same_way(page, acme):
    steps.sign_in_as_staff(page, acme)
    who = who_am_i(steps.get_keys(page, "Developer in sandbox", "30 min"), acme.aws_url)
    assert "444455556666:assumed-role/Developer/ana-" in who["Arn"]
    hub, role = acme.assumed()[-2:]
    assert (hub["role"].rsplit("/", 1)[1], role["chained"], role["duration"]) == ("Hub", True, 1800)


def test_after_signing_out_going_back_shows_nothing_secret(page, acme):
    steps.sign_in_as_staff(page, acme)
    block = steps.get_keys(page, READ_ONLY, "15 min")
    steps.sign_out(page)
    secret, token = re.findall(r"AWS_(?:SECRET_ACCESS_KEY|SESSION_TOKEN)='([^']+)'", block)

    def shows_nothing() -> None:
        shown = page.content()
        assert secret not in shown and token not in shown and "Ana Alves" not in shown

    with pytest.raises(Error, match="ERR_CACHE_MISS"):  # the browser kept no copy of the keys
        page.go_back()
    page.wait_for_url("chrome-error://**")
    shows_nothing()
    page.reload()  # it sends the form again
    assert page.url.startswith(f"{acme.base_url}/")
    shows_nothing()
    for _ in ("the form", "my roles"):
        page.go_back()
        assert page.url.startswith(f"{acme.base_url}/sign-in")
        shows_nothing()
    page.goto(acme.base_url)
    assert page.url == f"{acme.base_url}/sign-in"


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], ids=["no scripts"], indirect=True)
def test_the_same_without_scripts(page, acme):
    steps.sign_in_as_staff(page, acme, scripts=False)
    page.get_by_role("searchbox").fill("sand")
    page.get_by_role("button", name="Search").click()
    assert page.locator(".role").count() == 2  # Developer and Release
    page.get_by_role("link", name="Show all").click()
    block = steps.get_keys(page, READ_ONLY, "15 min")
    assert "Good for 15 minutes" in says(page)
    assert "assumed-role/ReadOnly/ana-" in who_am_i(block, acme.aws_url)["Arn"]
    page.get_by_role("link", name="My roles").click()
    console = steps.open_console(page, READ_ONLY)
    assert "assumed-role/ReadOnly/ana-" in steps.console_says(console, "signed-in-as")
    steps.sign_out(page)


def test_a_person_without_a_role_is_told_so(page, acme):
    steps.sign_in_as_staff(page, acme, "dan")
    assert "You can’t use any role yet" in says(page)
    assert "no group that is known here" in says(page)


def test_the_provider_believes_our_request_and_no_altered_one(acme):
    asked = requests.get(f"{acme.base_url}/sign-in/corp", allow_redirects=False, timeout=20)
    url = asked.headers["Location"]
    assert "Sign in to the directory" in requests.get(url, timeout=20).text
    altered = requests.get(url.replace("&RelayState=", "&RelayState=x"), timeout=20)
    assert altered.status_code == 400 and "IncorrectlySigned" in altered.text


# --- which cookie carries the answer ---------------------------------------------------------------


def test_the_answer_is_carried_by_the_cookie_that_may_cross_sites(page, acme):
    """The directory is on 127.0.0.1, the broker on localhost: two sites, as in production."""
    steps.staff_form(page, acme)
    kept = {cookie["name"]: cookie for cookie in page.context.cookies(acme.base_url)}
    crossing, twin = kept["daypass-signin"], kept["daypass-signin-lax"]
    assert (crossing["sameSite"], crossing["secure"], crossing["httpOnly"]) == ("None", True, True)
    assert (twin["sameSite"], twin["secure"], twin["httpOnly"]) == ("Lax", False, True)
    page.context.clear_cookies(name="daypass-signin-lax")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{acme.base_url}/")
    # Beside the session, what makes the browser known, with a twin for clients that take no Secure from loopback.
    names = {cookie["name"] for cookie in page.context.cookies(acme.base_url)}
    assert names == {"daypass", "daypass-device", "daypass-device-lax"}


def test_without_that_cookie_the_answer_is_a_strangers(page, acme):
    steps.staff_form(page, acme)
    page.context.clear_cookies(name="daypass-signin")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{acme.base_url}/saml/corp/acs")
    assert "signin.not_started_here" in says(page)
    names = {cookie["name"] for cookie in page.context.cookies(acme.base_url)}
    assert "daypass" not in names and "daypass-signin-lax" in names
    request_id = page.inner_text("#request-id")
    assert any(request_id in line and "signin.not_started_here" in line for line in acme.log().splitlines())
