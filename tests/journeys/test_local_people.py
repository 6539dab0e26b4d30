"""Local people after `make run`: a second factor in the middle of things, passkeys, a lost device, root in an emergency."""

import json
import re

import boto3
import pytest
from botocore.config import Config
from playwright.sync_api import expect

from tests.journeys import browsers, local_steps, steps
from tests.journeys.browsers import says
from tests.journeys.local_steps import Phone
from tests.journeys.make_run import Demo

pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

ADMINISTER = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "daypass:*", "Resource": "*"}],
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    with Demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture
def browser(chromium, demo):
    """Opens a browser of its own for each person."""
    opened = []

    def visit():
        manager = browsers.new_page(chromium, demo.base_url)
        opened.append(manager)
        return manager.__enter__()

    yield visit
    for manager in reversed(opened):
        manager.__exit__(None, None, None)


def whoami(demo, page) -> str:
    """The keys on the page, used at AWS."""
    values = dict(re.findall(r"export (AWS_\w+)='?([^'\n]+)'?", steps.bash_block(page)))
    sts = boto3.client(
        "sts",
        region_name="eu-west-1",
        endpoint_url=demo.ports.aws_url,
        aws_access_key_id=values["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=values["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=values["AWS_SESSION_TOKEN"],
        config=Config(retries={"total_max_attempts": 1}),
    )
    return sts.get_caller_identity()["Arn"]


def test_a_role_asks_for_a_second_factor_and_the_person_goes_on_where_they_were(demo, browser):
    page, phone = browser(), Phone()
    local_steps.new_user(demo, page, "olga", "--group", "contractors")
    local_steps.sign_in(page, demo, "olga")
    expect(page.get_by_role("heading", level=1)).to_have_text("My roles")
    assert "Needs a second factor" in says(page)
    before = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    page.get_by_role("link", name="Keys for Release in sandbox").click()
    local_steps.add_app(page, phone)
    codes = page.locator("#codes").inner_text().split()
    assert len(codes) >= 10
    page.locator("main a.button.primary").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Keys for Release")
    after = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    assert before["daypass"] != after["daypass"]  # the session has a new secret
    page.get_by_label("What for?").fill("release 7")
    page.get_by_role("button", name="Get keys").click()
    assert ":assumed-role/Release/olga-" in whoami(demo, page)

    # From now on she is asked at every sign-in, and each code is good once.
    other = browser()
    local_steps.sign_in(other, demo, "olga")
    expect(other.get_by_label("Code of your authenticator app")).to_be_visible()
    other.get_by_label("Code of your authenticator app").fill(phone.key.at(max(phone.shown) * 30))
    other.get_by_role("button", name="Go on").click()
    assert "was not accepted" in says(other)
    local_steps.give_code(other, phone)
    expect(other.get_by_role("heading", level=1)).to_have_text("My roles")
    assert "Needs a second factor" not in says(other)

    # And a recovery code does in place of the phone, once.
    third = browser()
    local_steps.sign_in(third, demo, "olga")
    third.get_by_text("Use a recovery code").click()
    third.get_by_label("Recovery code").fill("-".join(_first_code(codes)))
    third.locator("details").get_by_role("button", name="Go on").click()
    expect(third.get_by_role("heading", level=1)).to_have_text("My roles")


def _first_code(words: list[str]) -> list[str]:
    """A recovery code as it stands there, whether its groups are joined by dashes or blanks."""
    return [words[0]] if "-" in words[0] else words[: len(words) // 10]


def test_a_passkey_is_the_whole_sign_in(demo, browser):
    page = browser()
    local_steps.authenticator(page)
    local_steps.new_user(demo, page, "piet", "--group", "contractors")
    local_steps.sign_in(page, demo, "piet")
    page.get_by_role("link", name="Security", exact=True).click()
    page.get_by_role("link", name="Add one").click()
    local_steps.add_key(page, "Laptop")
    expect(page.locator("#codes")).to_be_visible()
    page.locator("main a.button.primary").click()
    assert "Laptop" in says(page)
    steps.sign_out(page)
    page.goto(f"{demo.base_url}/sign-in/local")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("My roles")
    assert "Needs a second factor" not in says(page)  # it was one
    me = page.request.get(f"{demo.base_url}/v1/me").json()
    assert me["username"] == "piet" and me["authentication"]["mfa"] is True


def test_somebody_of_a_directory_steps_up_with_a_factor_of_ours(demo, browser):
    page, phone = browser(), Phone()
    person = demo.person("ben")
    steps.choose(page, demo.base_url, "Acme staff")
    page.get_by_label("Username").fill("ben")
    page.get_by_label("Password").fill(person["password"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{demo.base_url}/")
    page.get_by_role("link", name="Keys for Release in sandbox").click()
    local_steps.add_app(page, phone)
    page.locator("main a.button.primary").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Keys for Release")


def administrator(demo, page, name: str, folder) -> None:
    policy = folder / "administer.json"
    policy.write_text(json.dumps(ADMINISTER))
    local_steps.new_user(demo, page, name)
    local_steps.operator(demo, "user", "put-policy", name, "administer", str(policy))
    local_steps.sign_in(page, demo, name)


def test_a_lost_device_and_the_way_back_by_two_administrators(demo, browser, tmp_path):
    vera, phone = browser(), Phone()
    local_steps.new_user(demo, vera, "vera", "--group", "contractors")
    local_steps.sign_in(vera, demo, "vera")
    vera.get_by_role("link", name="Security", exact=True).click()
    vera.get_by_role("link", name="Add one").click()
    local_steps.add_app(vera, phone)
    vera.locator("main a.button.primary").click()

    first, second = browser(), browser()
    administrator(demo, first, "first-admin", tmp_path)
    administrator(demo, second, "second-admin", tmp_path)
    first.goto(f"{demo.base_url}/admin/users?q=vera")
    first.get_by_role("link", name="Open vera").click()
    first.get_by_text("They lost their device").click()
    first.get_by_label("How do you know that it is them").fill("called her back at her desk")
    first.get_by_role("button", name="Ask").click()
    assert "Not yours to decide" in says(first)
    assert first.get_by_role("button", name="Approve").count() == 0
    second.goto(f"{demo.base_url}/admin/recoveries")
    second.get_by_role("button", name="Approve").click()
    assert "Approved by" in says(second)

    vera.goto(demo.base_url)  # signed out at once
    expect(vera.get_by_role("heading", level=1)).not_to_have_text("My roles")
    local_steps.sign_in(vera, demo, "vera")
    expect(vera.get_by_role("heading", level=1)).to_have_text("My roles")
    vera.get_by_role("link", name="Security", exact=True).click()
    assert "You have none here" in says(vera)


def test_root_is_set_up_used_once_alarmed_and_signed_off_by_somebody_else(demo, browser, tmp_path):
    page, phone, watcher = browser(), Phone(), browser()
    administrator(demo, watcher, "watcher", tmp_path)  # whoever signs root off was there before its use
    local_steps.authenticator(page)
    link = re.search(r"http\S+", local_steps.operator(demo, "root", "setup"))[0]
    page.goto(link)
    local_steps.set_password(page, "Go on to the devices")
    local_steps.add_app(page, phone, "Safe on the second floor")
    local_steps.add_key(page, "Safe in the cellar")
    expect(page.get_by_role("heading", level=1)).to_have_text("Root is set up")
    assert "Root is ready" in local_steps.operator(demo, "root", "status")

    for url in (demo.ports.saml_url, demo.ports.oidc_url):
        demo.break_directory(url, kind="error")
    try:
        page.goto(f"{demo.base_url}/root")
        page.get_by_label("Password").fill(local_steps.PASSWORD)
        page.get_by_label(re.compile("[Ww]hy")).fill("both directories are down, production is stuck")
        page.locator("main form button.primary").click()
        local_steps.give_code(page, phone)
        expect(page.get_by_role("heading", level=1)).to_have_text("My roles")
        assert "You are root" in page.inner_text("body")
        page.get_by_role("link", name="Keys for Admin in production").click()
        page.get_by_role("button", name="Get keys").click()
        assert ":assumed-role/Admin/root-" in whoami(demo, page)
    finally:
        for url in (demo.ports.saml_url, demo.ports.oidc_url):
            demo.mend_directory(url)

    assert "root.used" in demo.broker_log()  # the channel of the demo is the log
    page.goto(f"{demo.base_url}/admin/root")
    assert page.get_by_role("button", name="Sign off").count() == 0
    local_steps.operator(demo, "root", "status", status=1)  # something is open
    watcher.goto(f"{demo.base_url}/admin/root")
    assert "both directories are down" in says(watcher)
    watcher.get_by_label("What did you find?").fill("looked at the record, all in order")
    watcher.get_by_role("button", name="Sign off").click()
    assert "Nothing waits to be signed off" in says(watcher)
    assert "Root is ready" in local_steps.operator(demo, "root", "status")
    assert link not in demo.broker_log() and link.partition("t=")[2] not in demo.broker_log()
