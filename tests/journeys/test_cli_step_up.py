"""A role that wants a second factor, asked for in a terminal: proven in the browser, and the command goes on."""

import re

import pytest
from playwright.sync_api import expect

from tests.journeys import helper_steps, local_steps
from tests.journeys.aws_clients import V2
from tests.journeys.browsers import says
from tests.journeys.local_steps import Phone
from tests.journeys.terminal import Terminal

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]


@pytest.fixture
def at(acme, chromium, tmp_path):
    made = helper_steps.workplace(tmp_path, acme, user="ben")
    helper_steps.let_in(made, chromium, acme, "ben")
    return made


def test_a_command_waits_for_the_factor_and_goes_on(page, acme, at):
    opened, phone = len(at.opened()), Phone()
    with Terminal(at) as terminal:
        terminal.run(f"daypass exec Release -- {' '.join(V2.command)}")
        terminal.wait_for("second factor")
        page.goto(at.wait_for_browser(opened))
        helper_steps.sign_in_on_the_way(page, acme, "ben")
        assert "Release" in says(page)
        local_steps.add_app(page, phone, "Ben's phone")
        page.locator("main a.button.primary").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Done")
        terminal.wait_for(r'"Arn": "arn:aws:sts::444455556666:assumed-role/Release/ben-', seconds=60)

        # Within the quarter of an hour it does not ask again.
        terminal.clear()
        terminal.run("daypass credentials Release >/dev/null; echo ended with $?")
        terminal.wait_for("ended with 0")
    assert len(at.opened()) == opened + 1


def test_without_a_terminal_it_says_where_and_ends(at):
    done = at.run("daypass", "credentials", "Release")
    assert done.returncode == 8
    assert re.search(r"http\S+/step-up\?\S*role=\S+", done.stderr)
    assert done.stdout == ""
