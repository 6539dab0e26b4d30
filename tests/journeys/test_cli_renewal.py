"""Nobody notices that credentials end: AWS clients across an expiry, with short credentials, and with moved clocks."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.journeys import aws_clients, helper_steps
from tests.journeys.aws_clients import V2, LivesOn, key_of_last_call, set_double
from tests.journeys.foreign import ForeignCompany
from tests.journeys.serving import Serving

pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

ROLE = "production/ReadOnly"
READ_ONLY = "arn:aws:sts::111122223333:assumed-role/ReadOnly/ana-"
SHORT = 24
"""Seconds: the helper gives credentials of that life for 16 of them, and renews them from 12 on."""


# --- the real time ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ana(chromium, acme, tmp_path_factory):
    at = helper_steps.workplace(tmp_path_factory.mktemp("ana"), acme)
    helper_steps.let_in(at, chromium, acme)
    assert at.run("daypass", "configure", "--yes").returncode == 0
    return at


@pytest.fixture
def short_credentials(acme):
    set_double(acme.aws_url, "sessions", longest=SHORT)
    yield
    set_double(acme.aws_url, "sessions", longest=None)


@pytest.mark.alone
def test_every_client_gets_over_an_expiry(ana, acme, short_credentials):
    profile = {"AWS_PROFILE": "production-ReadOnly"}
    with Serving(ana, ROLE, "--imds") as serving:
        ways = {"a profile": profile, "the container": serving.container, "the metadata": serving.metadata}
        with (
            LivesOn(ana, **profile) as by_profile,
            LivesOn(ana, **serving.container) as by_container,
        ):
            # Not by the metadata endpoint: botocore takes credentials from there that have under 15 minutes left
            # for a failure of AWS's, and goes on with them for ten minutes more.
            living = {"profile": by_profile, "container": by_container}

            def look():
                keys = {}
                for name, one in living.items():
                    assert (who := one.who()).startswith(READ_ONLY), (name, who)
                    keys[name] = key_of_last_call(acme.aws_url)
                return keys

            first = look()
            taken = json.loads(ana.shell(f"daypass env {ROLE} --json"))["set"]
            del taken["AWS_CREDENTIAL_EXPIRATION"]  # which v2 looks at before it asks AWS
            assert V2.who(ana, **taken)["Arn"].startswith(READ_ONLY)
            given = {call["issued"] for call in aws_clients.calls(acme.aws_url, "AssumeRole")}
            over = datetime.now(UTC) + timedelta(seconds=SHORT)
            while datetime.now(UTC) <= over:
                time.sleep(0.2)
            late = ana.run(*V2.command, **taken)
            assert late.returncode != 0 and "ExpiredToken" in late.stderr
            second = look()
            for way, variables in ways.items():
                for client in aws_clients.ALL:
                    assert client.who(ana, **variables)["Arn"].startswith(READ_ONLY), (client.name, way)
                    second[client.name, way] = key_of_last_call(acme.aws_url)
    assert set(first.values()) <= given and not given & set(second.values())


# --- moved clocks ----------------------------------------------------------------------------------


class Moving(ForeignCompany):
    """A company whose clocks are moved: AWS's, the broker's, and that of one machine."""

    def move_all(self, at, seconds: int) -> None:
        """That many seconds ahead of the host's. The machine comes last: what it asks then is asked of the others."""
        self.move_clock(seconds)
        at.move_clock(seconds)


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    with Moving(tmp_path_factory.mktemp("moving")) as company:
        yield company


@pytest.fixture(scope="module")
def ben(chromium, moving, tmp_path_factory):
    """A machine at it, whose programs read the clock that is moved."""
    at = helper_steps.workplace(tmp_path_factory.mktemp("ben"), moving)
    helper_steps.let_in(at, chromium, moving)
    return at


def wait_for_other(at, before: str) -> dict:
    """The running endpoint's state, once it has other credentials than those that end at `before`."""
    deadline = time.monotonic() + 90
    while True:
        state = json.loads(at.run("daypass", "serve", "--status", "--json", **at.moved_clock()).stdout)
        if state["expiration"] != before and state["seconds_left"] > 1800:
            return state
        assert time.monotonic() < deadline, state
        time.sleep(0.3)


def test_an_endpoint_serves_on_through_hours_and_stops_with_the_sign_in(ben, moving):
    clock = ben.moved_clock()
    with (
        Serving(ben, ROLE, "--imds", **clock) as serving,
        LivesOn(ben, **clock, **serving.container) as service,
        LivesOn(ben, **clock, **serving.metadata) as instance,
    ):
        assert service.who().startswith(READ_ONLY) and instance.who().startswith(READ_ONLY)
        keys = [key_of_last_call(moving.aws_url)]
        state = wait_for_other(ben, "")
        # An hour's credentials with five minutes left; ended, and the access token as well; ended twice over.
        for ahead in (3300, 7500, 5 * 3600):
            moving.move_all(ben, ahead)
            state = wait_for_other(ben, state["expiration"])
            for one in (service, instance):
                assert (who := one.who()).startswith(READ_ONLY), who
                assert key_of_last_call(moving.aws_url) not in keys
            keys.append(key_of_last_call(moving.aws_url))
        for client in aws_clients.ALL:
            assert client.who(ben, **clock, **serving.container)["Arn"].startswith(READ_ONLY)
        assert len(set(keys)) == 4

        done = ben.run("daypass", "credentials", ROLE, **clock)
        assert json.loads(done.stdout)["Expiration"] == state["expiration"], done.stderr

        moving.move_all(ben, 13 * 3600)
        deadline = time.monotonic() + 90
        while "daypass login" not in (answer := serving.ask()).text and time.monotonic() < deadline:
            time.sleep(0.3)
        assert answer.status_code >= 400 and "daypass login" in answer.json()["message"], answer.text
        ended = ben.run("daypass", "credentials", ROLE, **clock)
        assert (ended.returncode, ended.stdout) == (3, "")
        assert "daypass login" in ended.stderr
