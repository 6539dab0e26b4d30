"""What a newcomer sees after `make run`, through the demo's own directory."""

import pytest

from tests.journeys import browsers, steps
from tests.journeys.browsers import assert_accessible, says
from tests.journeys.make_run import Demo
from tests.journeys.shell import who_am_i

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    with Demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture
def page(chromium, demo):
    with browsers.new_page(chromium, demo.base_url) as opened:
        yield opened


def sign_in(page, demo, username: str) -> None:
    """As a person does who reads the directory's page: click on somebody, then on the button."""
    person = demo.person(username)
    steps.choose(page, demo.base_url, {"corp": "Acme staff", "partner": "Partners"}[person["provider"]])
    assert_accessible(page, "the directory's form")
    page.get_by_role("row", name=username).get_by_role("link").click()
    assert page.get_by_label("Password").input_value() == person["password"]
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{demo.base_url}/**")


@pytest.mark.parametrize(("username", "role"), [("ana", "Admin"), ("piotr", "ReadOnly")])
def test_a_person_of_the_list_gets_what_the_list_says(page, demo, username, role):
    sign_in(page, demo, username)
    names = [name.split()[0] for name in page.locator(".role-name").all_inner_texts()]
    listed = {arn.rsplit("/", 1)[1] for arn in demo.person(username)["roles"]}
    # Release opens, or would, by a second factor, which the list does not go by.
    assert listed | {"Release"} == set(names) | {"Release"}
    block = steps.get_keys(page, f"{role} in production", "15 min")
    assert f"assumed-role/{role}/{username}-" in who_am_i(block, demo.ports.aws_url)["Arn"]
    page.get_by_role("link", name="My roles").click()
    console = steps.open_console(page, f"{role} in production")
    assert f"assumed-role/{role}/{username}-" in steps.console_says(console, "signed-in-as")
    assert_accessible(console, "the double's console")
    steps.sign_out(page)


def test_dan_has_nothing_and_is_told_whom_to_ask(page, demo):
    sign_in(page, demo, "dan")
    assert "You can’t use any role yet" in says(page)
    assert "ask the people who run this service" in says(page)
    assert_accessible(page, "dan's empty page")


@pytest.mark.parametrize(
    ("username", "fault", "code"),
    [
        ("ana", {"clock": 120}, "saml.time"),
        ("piotr", {"clock": -7200}, "oidc.claims"),
        ("piotr", {"kind": "error", "path": "/token"}, "provider.failed"),
        ("piotr", {"kind": "garbage", "path": "/token"}, "provider.failed"),
    ],
    ids=["a clock that is ahead", "a clock that is behind", "a provider that fails", "a provider's garbage"],
)
def test_a_sign_in_that_is_refused_says_why_and_what_to_do(page, demo, username, fault, code):
    url = demo.ports.saml_url if username == "ana" else demo.ports.oidc_url
    demo.break_directory(url, **fault)
    try:
        sign_in(page, demo, username)
    finally:
        demo.mend_directory(url)
    assert code in says(page)
    assert page.inner_text("#request-id") in demo.broker_log()
    assert_accessible(page, code)
    page.get_by_role("main").get_by_role("link").click()
    page.wait_for_url(f"{demo.base_url}/sign-in")
    page.context.clear_cookies()  # the directory's own, too: it remembers when it was that it saw her
    sign_in(page, demo, username)
    assert page.url == f"{demo.base_url}/"
