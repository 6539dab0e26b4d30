"""The AWS CLI (both of them) and boto3, stock, get a person's role in each way that the helper has."""

import json
import re
import shlex
from datetime import datetime

import pytest
import requests

from tests.journeys import aws_clients, helper_steps, steps
from tests.journeys.aws_clients import BOTO3, V1, V2
from tests.journeys.serving import Serving

pytestmark = pytest.mark.interop

CLIENTS = pytest.mark.parametrize("client", aws_clients.ALL, ids=lambda client: client.name)
ANA = r"arn:aws:sts::111122223333:assumed-role/ReadOnly/ana-[a-z2-7]{10}"
DEVELOPER = "arn:aws:sts::444455556666:assumed-role/Developer/ana-"


@pytest.fixture(scope="module")
def ana(chromium, acme, tmp_path_factory):
    """Ana's machine, where she is signed in and the profiles are written."""
    at = helper_steps.workplace(tmp_path_factory.mktemp("ana"), acme)
    helper_steps.let_in(at, chromium, acme)
    done = at.run("daypass", "configure", "--yes", "--region", "eu-west-1")
    assert done.returncode == 0, done.stderr
    return at


@pytest.fixture(scope="module")
def serving(ana):
    with Serving(ana, "production/ReadOnly", "--imds") as endpoint:
        yield endpoint


@CLIENTS
def test_a_profile_that_configure_wrote(ana, client):
    who = client.who(ana, AWS_PROFILE="production-ReadOnly")
    assert re.fullmatch(ANA, who["Arn"]) and who["Account"] == "111122223333"
    assert client.who(ana, AWS_PROFILE="sandbox-Developer")["Arn"].startswith(DEVELOPER)


def test_what_export_credentials_makes_of_it_is_what_sts_said(ana, acme):
    told = ana.shell(
        f"{shlex.quote(V2.command[0])} configure export-credentials --profile production-ReadOnly"
    )
    ours = json.loads(ana.shell("daypass credentials ReadOnly"))
    theirs = json.loads(told)
    ends = datetime.fromisoformat(theirs.pop("Expiration"))  # which the CLI writes in its own way
    assert ends == datetime.fromisoformat(ours["Expiration"])
    assert theirs == {name: ours[name] for name in theirs} and "SessionToken" in theirs
    issued = [call["issued"] for call in aws_clients.calls(acme.aws_url, "AssumeRole")]
    assert ours["AccessKeyId"] in issued
    assert next(iter(ours)) == "Version" and ours["Version"] == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", ours["Expiration"])


@CLIENTS
def test_exec(ana, client):
    done = ana.run("daypass", "exec", "production/ReadOnly", "--", *client.command, AWS_PROFILE="gone")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(ANA, client.read(done.stdout)["Arn"])


def test_exec_ends_as_the_program_does(ana):
    assert ana.run("daypass", "exec", "ReadOnly", "--", "sh", "-c", "exit 37").returncode == 37
    refused = ana.run("daypass", "exec", "ReadOnly", "--", *V2.command[:-2], "--nonsense")
    assert refused.returncode == 252, refused.stderr


@CLIENTS
def test_env(ana, client):
    command = shlex.join(client.command)
    told = ana.shell(f'eval "$(daypass env sandbox/Dev)"; {command}', AWS_PROFILE="gone")
    assert client.read(told)["Arn"].startswith(DEVELOPER)


def test_env_is_undone(ana):
    left = ana.shell('eval "$(daypass env ReadOnly)"; eval "$(daypass env --unset)"; env')
    assert not re.search(r"^AWS_(ACCESS|SECRET|SESSION|CREDENTIAL)", left, re.MULTILINE)


@CLIENTS
def test_the_container_endpoint(ana, serving, client):
    assert re.fullmatch(ANA, client.who(ana, **serving.container)["Arn"])


@CLIENTS
def test_the_metadata_endpoint(ana, serving, client):
    assert re.fullmatch(ANA, client.who(ana, **serving.metadata)["Arn"])


def test_who_has_not_the_container_endpoints_token_gets_nothing(ana, serving):
    wrong = {**serving.container, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "0" * 43}
    done = ana.run(*V2.command, **wrong)
    assert done.returncode != 0 and "Arn" not in done.stdout


def test_the_role_is_changed_live(ana, serving):
    """The same addresses and the same token; whoever asks after the switch has the other role."""
    try:
        assert ana.run("daypass", "serve", "--switch", "sandbox/Developer").returncode == 0
        for client, way in ((V2, serving.container), (V1, serving.metadata), (BOTO3, serving.metadata)):
            assert client.who(ana, **way)["Arn"].startswith(DEVELOPER), client.name
    finally:
        assert ana.run("daypass", "serve", "--switch", "production/ReadOnly").returncode == 0
    assert re.fullmatch(ANA, V2.who(ana, **serving.container)["Arn"])


def test_the_running_endpoint_tells_another_terminal_its_lines(ana, serving):
    told = ana.shell(f'eval "$(daypass serve --env)"; {shlex.join(V2.command)}')
    assert re.fullmatch(ANA, V2.read(told)["Arn"])
    assert serving.container["AWS_CONTAINER_AUTHORIZATION_TOKEN"] not in ana.shell("daypass serve --status")


def test_the_metadata_endpoint_is_only_there_when_asked_for_and_says_what_it_is(ana, serving):
    assert "every user and every program of this machine" in serving.said()


def test_nothing_of_it_can_be_read_by_others(ana, serving):
    assert ana.open_to_others() == []


def test_the_console_opens_as_the_role(ana, acme, page):
    url = ana.shell("daypass console production/ReadOnly --print").strip()
    page.goto(url)
    assert re.fullmatch(ANA, steps.console_says(page, "signed-in-as"))
    already = len(ana.opened())
    ana.shell("daypass console sandbox/Developer")
    page.goto(ana.wait_for_browser(already))
    assert steps.console_says(page, "signed-in-as").startswith(DEVELOPER)


def test_when_aws_fails_the_client_shows_why_and_what_to_do(ana, acme):
    billing = "arn:aws:iam::111122223333:role/Billing"
    refused = ana.run("daypass", "credentials", billing)
    assert (refused.returncode, refused.stdout) == (4, ""), refused.stderr
    aws_clients.set_double(acme.aws_url, "fault", kind="error", action="AssumeRole", calls=20)
    try:
        done = ana.run("daypass", "credentials", "ReadOnly", "--duration", "20m")
    finally:
        requests.delete(f"{acme.aws_url}/_double/fault", timeout=10).raise_for_status()
    assert (done.returncode, done.stdout) == (6, ""), done.stderr
    request_id = re.search(r"Request ([0-9a-f]{16})", done.stderr)
    assert request_id is not None and request_id[1] in acme.log()
    assert ana.run("daypass", "credentials", "ReadOnly", "--duration", "20m").returncode == 0
