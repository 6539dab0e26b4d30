"""`console` and `why`: what is asked of the broker, what is shown of its answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from app.aws.console import Destinations
from app.aws.partitions import PARTITIONS
from daypass import consoles
from tests.cli.fake_broker import ADMIN, Broker, problem
from tests.cli.machine import Machine

LINK = {
    "url": "https://signin.aws.amazon.com/federation?Action=login&SigninToken=x",
    "expires_at": "2030-01-01T00:00:00Z",
}


@pytest.fixture
def linked(signed_in: Machine, broker: Broker) -> Machine:
    broker.refusals["/v1/console-link"] = (200, LINK)
    return signed_in


# --- addresses --------------------------------------------------------------------------------------


@pytest.mark.parametrize("partition", list(consoles.HOSTS))
@pytest.mark.parametrize("region", [None, "eu-west-1"])
def test_every_name_leads_to_where_the_broker_lets_links_lead(region: str | None, partition: str) -> None:
    allowed = Destinations(PARTITIONS[partition], "eu-west-1", None)
    for name in (*consoles.PATHS, *consoles.OTHER_NAMES):
        where = consoles.address(name, f"arn:{partition}:iam::111122223333:role/R", region)
        assert allowed.choose(where) == where


def test_a_region_stands_before_the_fragment_and_not_at_services_of_no_region() -> None:
    assert consoles.address("logs", ADMIN, "eu-west-1") == (
        "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups"
    )
    assert consoles.address("iam", ADMIN, "eu-west-1") == "https://console.aws.amazon.com/iam/home"
    assert consoles.address("S3", ADMIN, None) == "https://console.aws.amazon.com/s3/home"


def test_other_names_are_not_names_and_lead_somewhere() -> None:
    assert set(consoles.OTHER_NAMES).isdisjoint(consoles.PATHS)
    assert set(consoles.OTHER_NAMES.values()) <= set(consoles.PATHS)
    assert set(consoles.PATHS) >= consoles.GLOBAL


# --- console ----------------------------------------------------------------------------------------


def test_a_named_browser_is_opened_and_stdout_stays_empty(linked: Machine) -> None:
    done = linked.run(
        "console", "prod/Admin", environ={"BROWSER": f"sh -c 'echo \"$0\" > {linked.home}/seen' %s"}
    )
    assert (done.code, done.out) == (0, "")
    for _try in range(400):
        if (linked.home / "seen").exists() and (linked.home / "seen").read_text():
            break
        time.sleep(0.02)
    assert (linked.home / "seen").read_text().strip() == LINK["url"]


def test_print_opens_nothing(linked: Machine) -> None:
    opened = len(linked.opened)
    done = linked.run("console", "prod/Admin", "--print")
    assert done.out == LINK["url"] + "\n"
    assert len(linked.opened) == opened


def test_where_there_is_no_browser_the_link_is_printed(linked: Machine) -> None:
    environ = {"BROWSER": "", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}
    assert linked.run("console", "prod/Admin", environ=environ).out == LINK["url"] + "\n"
    assert linked.run("console", "prod/Admin", "--json").document == LINK


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--to", "lambada"], 2, "did you mean `lambda`"),
        (["--to", "zzzzzz"], 2, "give its whole address"),
        (["--to", "ftp://x"], 2, "begins with https://"),
        (["--to", "s3", "--region", "europe"], 2, "does not look like a region"),
        (["--region", "eu-west-1"], 2, "goes with `--to`"),
    ],
)
def test_a_place_that_is_none_is_told_before_anybody_is_asked(
    linked: Machine, broker: Broker, arguments: list[str], code: int, words: str
) -> None:
    done = linked.run("console", "prod/Admin", *arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert broker.asked["POST /v1/console-link"] == 0


def test_a_refusal_comes_with_the_brokers_words(linked: Machine, broker: Broker) -> None:
    broker.refusals["/v1/console-link"] = (
        422,
        problem("destination", "Only console addresses.", "Not there"),
    )
    done = linked.run("console", "prod/Admin", "--to", "https://evil.example/")
    assert done.code == 2
    assert "Only console addresses." in done.err
    assert "Request req-1" in done.err


# --- why --------------------------------------------------------------------------------------------


def told(effect: str, **more: Any) -> Mapping[str, Any]:
    base = {
        "role": ADMIN,
        "decision": effect,
        "matched": [],
        "why": "",
        "nearest": None,
        "would_change": "",
        "revision": 41,
    }
    return {**base, **more}


def test_a_yes_names_the_statement_that_says_it(signed_in: Machine, broker: Broker) -> None:
    matched = [{"policy": "sre", "sid": "Night", "file": None, "line": None}]
    broker.refusals["/v1/explain"] = (200, dict(told("allow", matched=matched, why="You are in sre.")))
    done = signed_in.run("why", "prod/Admin")
    assert done.code == 0
    assert done.out.splitlines() == [
        f"Yes: {ADMIN}",
        "You are in sre.",
        "  said by policy sre, statement Night",
        "Decided by revision 41.",
    ]


def test_a_no_says_what_would_change_it_and_is_exit_4(signed_in: Machine, broker: Broker) -> None:
    nearest = {"policy": "office", "sid": None, "failed": "the time is 18:05, needed before 17:00"}
    answer = told(
        "implicitDeny",
        nearest=nearest,
        why="No policy allows it now.",
        would_change="Try again\x1b[2J tomorrow.",
    )
    broker.refusals["/v1/explain"] = (200, dict(answer))
    done = signed_in.run("why", ADMIN)
    assert done.code == 4
    assert done.out.startswith(f"No: {ADMIN}\n")
    assert "nearest: policy office: the time is 18:05" in done.out
    assert "What would change it: Try again" in done.out
    assert "\x1b" not in done.out
    machine = signed_in.run("why", ADMIN, "--json")
    assert machine.code == 4
    assert '"implicitDeny"' in machine.out


def test_a_role_that_i_lack_is_asked_by_arn_or_number(signed_in: Machine, broker: Broker) -> None:
    done = signed_in.run("why", "999988887777/team/Secret")
    assert broker.asked["GET /v1/explain"] == 1
    assert done.code == 4
    by_name = signed_in.run("why", "nowhere/Secret")
    assert by_name.code == 4
    assert "Run: daypass why arn:aws:iam::ACCOUNT:role/ROLE" in by_name.err
    assert broker.asked["GET /v1/explain"] == 1
