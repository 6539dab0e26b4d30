"""The same story through an OpenID provider that was not written here: a contractor, under a boundary."""

import json
import re

import pytest

from tests.journeys import steps
from tests.journeys.browsers import says
from tests.journeys.shell import who_am_i

pytestmark = pytest.mark.interop

READ_ONLY = "ReadOnly in production"


@pytest.mark.parametrize(
    "page", [{}, {"java_script_enabled": False}], ids=["scripts", "no scripts"], indirect=True
)
def test_a_contractor_gets_keys_and_a_console_capped_by_the_boundary(page, acme):
    steps.sign_in_as_partner(page, acme, "piotr-1")
    assert page.locator(".role").count() == 2  # ReadOnly, and Release for who proved a factor just now
    who = who_am_i(steps.get_keys(page, READ_ONLY, "15 min"), acme.aws_url)
    assert re.fullmatch(r"arn:aws:sts::111122223333:assumed-role/ReadOnly/piotr-[a-z2-7]{10}", who["Arn"])

    asked = acme.assumed()[-1]
    assert asked["duration"] == 900 and asked["source_identity"].startswith("partner-")
    policy = json.loads(asked["policy"])["Statement"]
    allowed = [statement["Action"] for statement in policy if statement["Effect"] == "Allow"]
    denied = [statement["Action"] for statement in policy if statement["Effect"] == "Deny"]
    # The source's boundary (EC2 and nothing else) and the role's own session policy, both.
    assert allowed in (["ec2:*"], [["ec2:*"]])
    assert "kms:Decrypt" in denied[0]

    page.get_by_role("link", name="My roles").click()
    console = steps.open_console(page, READ_ONLY)
    assert steps.console_says(console, "signed-in-as") == who["Arn"]
    assert acme.assumed()[-1]["policy"] == asked["policy"]
    steps.sign_out(page)


def test_a_partner_without_a_group_has_nothing(page, acme):
    steps.sign_in_as_partner(page, acme, "quinn-1")
    assert "You can’t use any role yet" in says(page)


def test_a_subject_whose_groups_the_provider_does_not_say_is_refused(page, acme):
    steps.choose(page, acme.base_url, "Partners")
    page.get_by_placeholder("sub").fill("somebody-new")
    page.get_by_role("button", name="Authorize").click()
    page.wait_for_url(f"{acme.base_url}/oidc/partner/callback*")
    assert re.search(r"identity\.(incomplete|groups_incomplete)", says(page))


def test_a_person_who_says_no_at_the_provider_is_not_in(page, acme):
    steps.choose(page, acme.base_url, "Partners")
    page.get_by_role("button", name="Deny").click()
    page.wait_for_url(f"{acme.base_url}/oidc/partner/callback*")
    # This provider leaves the state out of its refusal, so nothing says whose it is (RFC 6749, 4.1.2.1).
    assert "signin.not_started_here" in says(page)
    page.goto(acme.base_url)
    assert page.url == f"{acme.base_url}/sign-in"
