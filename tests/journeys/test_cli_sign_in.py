"""`daypass login` in a terminal, the person in a browser: the one paste, a refusal, a device, a browser elsewhere."""

import re

import pytest
from playwright.sync_api import expect

from tests.journeys import helper_steps, steps
from tests.journeys.aws_clients import V2
from tests.journeys.browsers import assert_accessible, says
from tests.journeys.terminal import Terminal
from tests.journeys.workplace import Workplace

pytestmark = pytest.mark.interop

UNTIL = r"Signed in as ana until (\w{3} \d\d \w{3} )?\d\d:\d\d"
"""With the day, if that is not today's any more."""
CODE = r"\b[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}\b"


@pytest.fixture
def at(acme, tmp_path):
    return helper_steps.workplace(tmp_path, acme)


def test_the_one_paste_of_the_portal(page, acme, tmp_path):
    """From the portal's page to an AWS command, with nothing on the machine before."""
    at = Workplace(tmp_path / "home", acme.base_url, acme.aws_url)
    steps.sign_in_as_staff(page, acme)
    page.get_by_role("link", name="Terminal", exact=True).click()
    assert_accessible(page, "use it in a terminal")
    paste = page.locator("#text-unix").inner_text()
    with Terminal(at) as terminal:
        terminal.paste(paste)
        helper_steps.allow(page, acme, at.wait_for_browser())
        terminal.wait_for(UNTIL)
        terminal.wait_for(r"\[y/N\]")
        assert "+[profile production-ReadOnly]" in terminal.screen()
        terminal.run("y")
        terminal.wait_for(r"\[Y/n\]")
        terminal.press("Enter")
        terminal.wait_for(r"profiles\. Try: aws sts get-caller-identity --profile \S+\s+\$")
        terminal.clear()
        terminal.run(f"{' '.join(V2.command)} --profile production-ReadOnly")
        terminal.wait_for(r'"Arn": "arn:aws:sts::111122223333:assumed-role/ReadOnly/ana-')
        terminal.clear()
        terminal.run("daypass whoami")
        terminal.wait_for(r"\bana\b")
    assert at.open_to_others() == []


def test_a_refusal_in_the_browser_is_one_in_the_terminal(page, acme, at):
    with Terminal(at) as terminal:
        terminal.run("daypass login; echo ended with $?")
        helper_steps.to_the_question(page, acme, at.wait_for_browser())
        page.get_by_role("button", name="Refuse").click()
        page.wait_for_url("http://127.0.0.1:*/callback?*")
        expect(page.get_by_role("heading", level=1)).to_have_text("Not signed in")
        terminal.wait_for("refused in the browser")
        terminal.wait_for("ended with 4")
        terminal.clear()
        terminal.run("daypass credentials ReadOnly; echo ended with $?")
        terminal.wait_for("ended with 3")


def test_a_device_is_let_in_by_its_code(page, acme, at):
    with Terminal(at) as terminal:
        terminal.run("daypass login --device")
        code = terminal.wait_for(CODE)[0]
        terminal.wait_for(re.escape(f"{acme.base_url}/device"))
        page.goto(f"{acme.base_url}/device")
        helper_steps.sign_in_on_the_way(page, acme, "ana")
        page.get_by_label("Code").fill(code.replace("-", " ").lower())
        page.get_by_role("button", name="Go on").click()
        assert page.locator(".user-code").inner_text().endswith(code)
        assert "daypass command line" in says(page) and "the same address as yours" in says(page)
        assert_accessible(page, "let this device in")
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Done: go back to your device")
        terminal.wait_for(UNTIL)
        assert at.opened() == []
        terminal.clear()
        terminal.run("daypass roles")
        terminal.wait_for("ReadOnly")


def test_a_device_that_is_refused_gets_nothing(page, acme, at):
    with Terminal(at) as terminal:
        terminal.run("daypass login --device; echo ended with $?")
        complete = terminal.wait_for(r"http://\S+/device\?user_code=\S+")[0]
        page.goto(complete)
        helper_steps.sign_in_on_the_way(page, acme, "ana")
        page.get_by_role("button", name="Refuse").click()
        terminal.wait_for("refused on the other device")
        terminal.wait_for("ended with 4")


def test_a_device_is_not_let_in_by_a_sign_in_that_is_older_than_its_question(page, acme, at):
    steps.sign_in_as_staff(page, acme)
    with Terminal(at) as terminal:
        terminal.run("daypass login --device")
        code = terminal.wait_for(CODE)[0]
        page.goto(f"{acme.base_url}/device?user_code={code}")
        assert page.get_by_role("button", name="Approve").count() == 0
        page.get_by_role("link", name="Sign in again").click()
        helper_steps.at_the_directory(page, acme, "ana")
        page.get_by_role("button", name="Approve").click()
        terminal.wait_for(UNTIL)


def test_the_browser_may_be_on_another_machine(page, acme, at):
    """It ends at an address that nothing answers there; pasted, the address is as good as the answer."""
    ended_at = []
    # Not by Playwright's routes, which do not see where a redirect leads.
    network = page.context.new_cdp_session(page)

    def nobody_there(paused) -> None:
        ended_at.append(paused["request"]["url"])
        how = {"requestId": paused["requestId"], "errorReason": "ConnectionRefused"}
        network.send("Fetch.failRequest", how)

    network.on("Fetch.requestPaused", nobody_there)
    network.send("Fetch.enable", {"patterns": [{"urlPattern": "http://127.0.0.1:*/callback?*"}]})
    with Terminal(at) as terminal:
        terminal.run("daypass login --no-browser")
        url = terminal.wait_for(r"http://\S+/oauth/authorize\?\S+")[0]
        helper_steps.to_the_question(page, acme, url)
        page.get_by_role("button", name="Allow").click()
        page.wait_for_url("chrome-error://**")
        for other in ("y", "http://127.0.0.1/callback?code=another&state=anothers"):
            terminal.run(other)
            terminal.wait_for("paste the whole address")
        terminal.run(ended_at[0])
        terminal.wait_for(UNTIL)
        assert at.opened() == []


def test_a_helper_is_listed_and_ended_in_the_portal(chromium, page, acme, tmp_path):
    at = helper_steps.workplace(tmp_path, acme, user="lost-laptop")
    helper_steps.let_in(at, chromium, acme)
    steps.sign_in_as_staff(page, acme)
    page.goto(f"{acme.base_url}/security")
    assert "daypass command line on lost-laptop@" in says(page)
    assert_accessible(page, "security")
    page.get_by_role("link", name=re.compile("End daypass command line on lost-laptop@")).click()
    page.get_by_role("button", name=re.compile("^End")).click()
    assert at.run("daypass", "roles").returncode == 3


def test_logging_out_leaves_nothing(chromium, acme, at):
    helper_steps.let_in(at, chromium, acme)
    assert at.run("daypass", "credentials", "ReadOnly").returncode == 0
    assert at.run("daypass", "logout").returncode == 0
    ended = at.run("daypass", "credentials", "ReadOnly")
    assert ended.returncode == 3 and "daypass login" in ended.stderr
    assert [path for path in (at.home / ".cache" / "daypass" / "pass").rglob("*") if path.is_file()] == []
    assert at.run("daypass", "whoami").returncode == 3
