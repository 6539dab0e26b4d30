"""A second factor in the middle of a command: said, opened, waited for; and not where nobody would see it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import time
from typing import Any

import pytest

from daypass import roles, session, stepup
from daypass.context import SignInOptions
from daypass.errors import PENDING, SIGN_IN, UNREACHABLE, Fail, ProofNeeded
from tests.cli.contexts import Terminal, context, token_of
from tests.cli.fake_broker import ADMIN, READER, Broker, problem
from tests.cli.machine import Done, Machine

COLD = "prod/Admin"
NO_BROWSER = {"BROWSER": "", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}


@pytest.fixture
def asked(signed_in: Machine, broker: Broker) -> Machine:
    """Signed in; Admin wants a second factor, which whoever opens the page proves at once."""
    broker.mfa[ADMIN] = ["webauthn", "totp"]
    return signed_in


def where(broker: Broker, arn: str = ADMIN) -> str:
    url = broker.mfa_required(arn, [])["step_up"]["url"]
    assert isinstance(url, str)
    return url


def at_terminal(machine: Machine, *arguments: str, **options: Any) -> Done:
    """The helper with a person before it: stdin and stderr are a terminal, stdout is not."""
    ours, theirs = pty.openpty()
    with machine.start(*arguments, stdin=theirs, stderr=theirs, **options) as process:
        os.close(theirs)
        assert process.stdout is not None
        out, told = process.stdout.read(), b""
        try:
            while piece := os.read(ours, 4096):
                told += piece
        except OSError:  # EIO: the other end is closed
            pass
        os.close(ours)
    return Done(process.returncode, out, told.decode().replace("\r\n", "\n"))


# --- nobody to ask --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [("exec", COLD, "--", "env"), ("env", COLD), ("credentials", COLD), ("serve", COLD)]
)
def test_without_a_terminal_it_says_where_and_ends_with_8(
    asked: Machine, broker: Broker, command: tuple[str, ...]
) -> None:
    opened = len(asked.opened)
    done = asked.run(*command)
    assert (done.code, done.out) == (PENDING, "")
    assert "A second factor is needed." in done.err
    assert "It needs MFA; you have none." in done.err
    assert f"Open: {where(broker)}" in done.err
    assert len(asked.opened) == opened
    assert broker.asked["GET /step-up"] == 0


def test_for_programs_the_address_is_a_member(asked: Machine, broker: Broker) -> None:
    done = asked.run("credentials", COLD, "--json")
    assert json.loads(done.err) == {
        "error": "A second factor is needed.",
        "why": "It needs MFA; you have none.",
        "url": where(broker),
        "request_id": "req-1",
        "exit": 8,
    }


def test_console_without_a_terminal(asked: Machine, broker: Broker) -> None:
    broker.refusals["/v1/console-link"] = (403, broker.mfa_required(ADMIN, ["totp"]))
    done = asked.run("console", COLD, "--print")
    assert (done.code, done.out) == (PENDING, "")
    assert where(broker) in done.err


def test_once_proven_the_next_command_has_the_role(asked: Machine, broker: Broker) -> None:
    assert asked.run("credentials", COLD).code == PENDING
    broker.prove()
    assert asked.run("credentials", COLD).document["SessionToken"].startswith(token_of(ADMIN))


# --- somebody at the terminal ---------------------------------------------------------------------


def test_exec_opens_the_page_waits_and_goes_on(asked: Machine, broker: Broker) -> None:
    done = at_terminal(asked, "exec", COLD, "--", "env")
    assert done.code == 0, done
    assert f"AWS_SESSION_TOKEN={token_of(ADMIN)}" in done.out
    assert asked.opened[-1] == where(broker)
    assert "It needs MFA; you have none." in done.err
    assert "Prove it by a security key or passkey or a code from an authenticator app." in done.err
    assert where(broker) in done.err
    assert done.err.rstrip().endswith("Proven.")
    assert broker.asked["POST /v1/credentials"] == 2


def test_env_goes_on_and_its_lines_alone_are_on_stdout(asked: Machine) -> None:
    done = at_terminal(asked, "env", COLD, "--shell", "sh")
    assert done.code == 0, done
    assert all(line.startswith(("export AWS_", "unset AWS_")) for line in done.out.splitlines())
    assert token_of(ADMIN) in done.out


def test_where_no_browser_is_it_is_proven_elsewhere(asked: Machine, broker: Broker) -> None:
    ours, theirs = pty.openpty()
    opened = len(asked.opened)
    broker.proves = False
    with asked.start("exec", COLD, "--", "env", stdin=theirs, stderr=theirs, environ=NO_BROWSER) as process:
        os.close(theirs)
        told = b""
        while b"Ctrl-C" not in told:
            told += os.read(ours, 4096)
        asks = broker.asked["GET /v1/me"]
        while broker.asked["GET /v1/me"] < asks + 2:
            time.sleep(0.02)
        broker.prove()
        assert process.stdout is not None
        assert token_of(ADMIN) in process.stdout.read()
        os.close(ours)
    assert process.returncode == 0
    assert where(broker).encode() in told
    assert b"If no browser opens" not in told
    assert len(asked.opened) == opened


def test_console_goes_on(asked: Machine, broker: Broker) -> None:
    link = "https://signin.aws.amazon.com/federation?Action=login&SigninToken=x"
    broker.refusals["/v1/console-link"] = (403, broker.mfa_required(ADMIN, ["totp"]))
    real = broker.prove

    def prove() -> None:
        broker.refusals["/v1/console-link"] = (200, {"url": link, "expires_at": "2030-01-01T00:00:00Z"})
        real()

    broker.prove = prove  # type: ignore[method-assign]
    done = at_terminal(asked, "console", COLD, "--print")
    assert (done.code, done.out) == (0, link + "\n"), done
    assert broker.asked["POST /v1/console-link"] == 2


@pytest.mark.parametrize("command", [("exec", COLD, "--no-wait", "--", "env"), ("env", COLD, "--no-wait")])
def test_no_wait_ends_at_once(asked: Machine, broker: Broker, command: tuple[str, ...]) -> None:
    opened = len(asked.opened)
    done = at_terminal(asked, *command)
    assert (done.code, done.out) == (PENDING, "")
    assert where(broker) in done.err
    assert len(asked.opened) == opened


def test_ctrl_c_ends_the_wait(asked: Machine, broker: Broker) -> None:
    broker.proves = False
    ours, theirs = pty.openpty()
    with asked.start("exec", COLD, "--", "env", stdin=theirs, stderr=theirs) as process:
        os.close(theirs)
        told = b""
        while b"Ctrl-C" not in told:
            told += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.read() == ""
        os.close(ours)
    assert process.returncode == 130
    assert b"Traceback" not in told


# --- credentials: never a browser unless it was said ----------------------------------------------


def test_credentials_at_a_terminal_opens_nothing(asked: Machine, broker: Broker) -> None:
    opened = len(asked.opened)
    assert at_terminal(asked, "credentials", COLD).code == PENDING
    assert len(asked.opened) == opened


@pytest.mark.parametrize("said", ["option", "configuration"])
def test_credentials_with_login_goes_on(asked: Machine, broker: Broker, said: str) -> None:
    if said == "configuration":
        asked.configure("login = yes\n")
    done = asked.run("credentials", COLD, *(["--login"] if said == "option" else []))
    assert done.document["SessionToken"].startswith(token_of(ADMIN))
    assert asked.opened[-1] == where(broker)


def test_a_renewal_in_the_background_opens_nothing(asked: Machine, broker: Broker) -> None:
    broker.mfa_at = "2030-01-01T00:00:00Z"
    assert asked.run("credentials", COLD).code == 0
    broker.mfa_at = None
    asked.age(ADMIN, 2500)
    opened, asks = len(asked.opened), broker.asked["POST /v1/credentials"]
    assert asked.run("credentials", COLD).code == 0  # good for ten minutes yet
    assert asked.run("__renew", ADMIN).code in (0, PENDING)
    assert broker.asked["POST /v1/credentials"] > asks
    assert len(asked.opened) == opened


# --- the wait, from inside ------------------------------------------------------------------------


def inside(machine: Machine, **more: Any) -> tuple[Any, Terminal]:
    told = Terminal()
    return context(machine, stdin=Terminal(), stderr=told, **more), told


def needed(broker: Broker, url: str | None = None) -> ProofNeeded:
    return ProofNeeded("Why.", url=where(broker) if url is None else url, kinds=["totp"], request_id="req-1")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepup, "PATIENCE", 0.2)
    monkeypatch.setattr(stepup, "PAUSE", 0.01)
    monkeypatch.setattr(stepup, "_SLOWER", 0.01)


@pytest.mark.usefixtures("impatient")
def test_who_does_not_come_in_time_hears_what_to_do(asked: Machine, broker: Broker) -> None:
    broker.proves = False
    given, _ = inside(asked)
    with pytest.raises(Fail) as ended:
        stepup.settle(given, needed(broker))
    assert (ended.value.code, ended.value.url) == (PENDING, where(broker))
    assert "run the command again" in ended.value.why


@pytest.mark.usefixtures("impatient")
def test_an_earlier_proof_is_not_taken_for_this_one(asked: Machine, broker: Broker) -> None:
    broker.proves, broker.mfa_at = False, "2029-12-31T00:00:00Z"
    given, _ = inside(asked)
    with pytest.raises(Fail):
        stepup.settle(given, needed(broker))


@pytest.mark.usefixtures("impatient")
def test_a_broker_that_is_away_for_a_moment_does_not_end_the_wait(
    asked: Machine, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stepup, "PATIENCE", 60.0)
    given, told = inside(asked)
    answers = iter(["", Fail(UNREACHABLE, "Away."), "", "2030-01-01T00:00:00Z"])

    def proven(_: object) -> str:
        answer = next(answers)
        if isinstance(answer, Fail):
            raise answer
        return answer

    monkeypatch.setattr(stepup, "_proven", proven)
    stepup.settle(given, needed(broker))
    assert told.getvalue().endswith("Proven.\n")


@pytest.mark.usefixtures("impatient")
def test_a_sign_in_that_ends_meanwhile_ends_the_wait(asked: Machine, broker: Broker) -> None:
    broker.end_all()
    given, _ = inside(asked)
    with pytest.raises(Fail) as ended:
        stepup.settle(given, needed(broker))
    assert ended.value.code == SIGN_IN


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/step-up?role=x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://127.0.0.1:1/step-up",
        "{broker}.evil.example/step-up",
        "{broker}",
        "{broker}/../step-up",
        '{broker}/step-up?role=x" & calc',
        "{broker}/step-up?role=x\nhttps://evil.example",
    ],
)
def test_nothing_but_the_brokers_own_page_is_opened(asked: Machine, broker: Broker, url: str) -> None:
    opened = len(asked.opened)
    given, _ = inside(asked)
    with pytest.raises(Fail) as refused:
        stepup.settle(given, needed(broker, url.replace("{broker}", broker.url)))
    assert refused.value.code == UNREACHABLE
    assert len(asked.opened) == opened


def test_what_still_needs_a_factor_afterwards_ends_with_the_brokers_words(
    asked: Machine, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a first factor counts for a role of level admin from the next sign-in on: no endless round."""
    settled = []
    monkeypatch.setattr(stepup, "settle", lambda _, need: settled.append(need))
    given, _ = inside(asked)

    def ask() -> str:
        raise needed(broker)

    with pytest.raises(ProofNeeded):
        session.proving(given, ask, login=True)
    assert len(settled) == 1
    for more in ({"login": False}, {"login": True}):
        quiet = context(asked, options=SignInOptions(no_wait=True))
        with pytest.raises(ProofNeeded):
            session.proving(quiet, ask, **more)
    assert len(settled) == 1


@pytest.mark.parametrize("step_up", [None, "x", [], {}, {"url": 5}, {"url": ""}])
def test_a_refusal_without_an_address_is_a_plain_no(
    signed_in: Machine, broker: Broker, step_up: object
) -> None:
    broker.refusals["/v1/credentials"] = (403, {**problem("mfa_required", "Prove it."), "step_up": step_up})
    done = signed_in.run("credentials", COLD)
    assert done.code == 4
    assert "Prove it." in done.err


# --- serve ----------------------------------------------------------------------------------------


def test_a_refused_switch_says_where(asked: Machine, broker: Broker) -> None:
    with asked.start("serve", "staging/Reader") as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        done = asked.run("serve", "--switch", COLD)
        assert done.code == PENDING
        assert f"Open: {where(broker)}" in done.err
        broker.prove()
        assert asked.run("serve", "--switch", COLD).code == 0
        asked.run("serve", "--stop")


def test_a_renewal_that_needs_it_says_where() -> None:
    from daypass.serve.holder import words

    failure = ProofNeeded("It needs MFA.", url="https://b.example/step-up?role=x", request_id="r1")
    assert words(failure) == (
        "A second factor is needed. It needs MFA. Open: https://b.example/step-up?role=x (request r1)"
    )


# --- roles, why -----------------------------------------------------------------------------------


def test_roles_say_what_they_need_first(asked: Machine, broker: Broker) -> None:
    first, second = (re.split(" {2,}", line) for line in asked.run("roles").out.splitlines())
    assert first == [
        "production/Admin",
        "111122223333",
        "All",
        "a security key or passkey or a code from an authenticator app",
    ]
    assert second == ["staging/Reader", "444455556666", "Look"]
    found = {each["arn"]: each["needs"] for each in json.loads(asked.run("roles", "--json").out)["roles"]}
    assert found == {ADMIN: {"mfa": {"kinds": ["webauthn", "totp"]}}, READER: None}


def test_the_list_is_the_old_one_where_nothing_needs_anything(signed_in: Machine) -> None:
    assert [line.split() for line in signed_in.run("roles").out.splitlines()] == [
        ["production/Admin", "111122223333", "All"],
        ["staging/Reader", "444455556666", "Look"],
    ]


@pytest.mark.usefixtures("impatient")
def test_after_the_proof_the_list_is_asked_for_anew(asked: Machine, broker: Broker) -> None:
    given, _ = inside(asked)
    assert [each.factor != "" for each in roles.mine(given)] == [True, False]
    broker.prove()
    broker.mfa_at, broker.proves = None, True
    stepup.settle(given, needed(broker))
    assert [each.factor for each in roles.mine(given)] == ["", ""]


@pytest.mark.parametrize(
    ("needs", "shown"),
    [
        (None, ""),
        ({}, ""),
        ({"mfa": {"kinds": ["totp"]}}, "a code from an authenticator app"),
        ({"mfa": {"kinds": ["hotp"]}}, "hotp"),
        ({"mfa": {}}, "a second factor"),
        ({"mfa": 5}, ""),
        ({"approval": {}}, ""),
    ],
)
def test_needs_in_words(needs: Any, shown: str) -> None:
    assert roles.Role(ADMIN, "1", "p", "Admin", needs=needs).factor == shown


def test_why_says_that_a_factor_opens_it(asked: Machine, broker: Broker) -> None:
    told = {"role": ADMIN, "decision": "implicitDeny", "why": "It needs MFA.", "would_change": "Prove it."}
    broker.refusals["/v1/explain"] = (200, told)
    done = asked.run("why", COLD)
    assert done.code == 4
    assert "Yours after a security key or passkey or a code from an authenticator app" in done.out
    assert json.loads(asked.run("why", COLD, "--json").out)["needs"] == {
        "mfa": {"kinds": ["webauthn", "totp"]}
    }
    broker.refusals["/v1/explain"] = (200, {**told, "decision": "allow"})
    assert "Yours after" not in asked.run("why", COLD).out
