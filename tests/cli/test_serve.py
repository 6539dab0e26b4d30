"""`serve`: what is held and renewed, switching, and what happens when the broker is away or the person signs out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import botocore.session
import pytest

from daypass import locks
from daypass.cache import Pass
from daypass.commands import serve as command
from daypass.errors import Fail
from daypass.serve import control, local
from daypass.serve.holder import Unavailable
from tests.cli.contexts import Terminal, context, token_of
from tests.cli.endpoints import AWAY, START, World, ask, listening
from tests.cli.fake_broker import ADMIN, READER, Broker, problem
from tests.cli.machine import Machine


@pytest.fixture
def world() -> World:
    made = World()
    made.holder.attach(ADMIN)
    return made


# --- the holder -------------------------------------------------------------------------------------


def test_credentials_are_renewed_twenty_minutes_ahead_and_not_before(world: World) -> None:
    world.now = START + 3600 - 1201
    assert not world.holder.renew()
    world.now += 2
    assert world.holder.renew()
    assert world.holder.current().given.session_token == "token/Admin/2"


def test_short_lives_are_renewed_at_half(world: World) -> None:
    world.life = 900.0
    world.holder.attach(ADMIN)
    world.now = START + 449
    assert not world.holder.renew()
    world.now = START + 451
    assert world.holder.renew()


def test_while_the_broker_is_away_what_is_there_is_given_to_its_end_and_then_the_reason(world: World) -> None:
    world.failure = AWAY
    world.now = START + 3000
    assert world.holder.renew()
    world.now = START + 3599
    assert world.holder.current().given.session_token == "token/Admin/1"
    world.now = START + 3600
    with pytest.raises(
        Unavailable,
        match=r"have ended. The broker cannot be reached. No route. Run: daypass doctor \(request req-9\)",
    ):
        world.holder.current()
    world.failure = None
    world.now += 120
    assert world.holder.renew()
    assert world.holder.current().given.session_token == "token/Admin/3"


def test_a_broker_that_is_away_is_not_asked_at_every_look(world: World) -> None:
    world.failure = AWAY
    world.now = START + 3000
    for _second in range(300):
        world.now += 1
        world.holder.renew()
    assert 5 <= len(world.fetched) - 1 <= 10


def test_a_switch_that_fails_leaves_the_role_that_was_there(world: World) -> None:
    world.failure = AWAY
    with pytest.raises(Fail):
        world.holder.attach(READER)
    assert world.holder.current().arn == ADMIN


def test_a_renewal_under_way_does_not_undo_a_switch() -> None:
    begun, go = threading.Event(), threading.Event()

    class Slow(World):
        def fetch(self, arn: str) -> tuple[Pass, float]:
            if arn == ADMIN and len(self.fetched) == 1:
                begun.set()
                go.wait(30)
            return super().fetch(arn)

    slow = Slow()
    slow.holder.attach(ADMIN)
    slow.now = START + 3000
    renewal = threading.Thread(target=slow.holder.renew)
    renewal.start()
    assert begun.wait(30)
    switch = threading.Thread(target=slow.holder.attach, args=(READER,))
    switch.start()
    assert slow.holder.current().given.session_token == "token/Admin/1"  # and nobody who asks waits meanwhile
    go.set()
    renewal.join(30)
    switch.join(30)
    assert slow.holder.current().arn == READER


def test_a_renewal_that_waited_for_a_switch_finds_another_role_and_leaves_it() -> None:
    begun, go = threading.Event(), threading.Event()

    class Slow(World):
        def fetch(self, arn: str) -> tuple[Pass, float]:
            if arn == READER:
                begun.set()
                go.wait(30)
            return super().fetch(arn)

    slow = Slow()
    slow.holder.attach(ADMIN)
    slow.now = START + 3000
    switch = threading.Thread(target=slow.holder.attach, args=(READER,))
    switch.start()
    assert begun.wait(30)
    renewal = threading.Thread(target=slow.holder.renew)
    renewal.start()
    renewal.join(
        0.3
    )  # it waits for the switch; on a slow machine it may not have come so far, and passes too
    go.set()
    switch.join(30)
    renewal.join(30)
    assert slow.holder.current().arn == READER
    assert slow.fetched == [ADMIN, READER]


def test_who_signed_out_gets_nothing_any_more(world: World) -> None:
    world.holder.forget(Fail(3, "Nobody is signed in any more.", next="daypass login"))
    with pytest.raises(Unavailable, match=r"Nobody is signed in any more\. Run: daypass login"):
        world.holder.current()


# --- the command ------------------------------------------------------------------------------------


@contextmanager
def served(machine: Machine, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """`daypass serve`, running; with the variables that it prints."""
    process = machine.start("serve", *arguments, "--shell", "sh")
    assert process.stdout is not None
    found: dict[str, str] = {}
    wanted = 3 if "--imds" in arguments else 2
    try:
        while len(found) < wanted:
            line = process.stdout.readline()
            assert line, process.communicate()
            if line.startswith("export "):
                name, _, value = line[len("export ") :].rstrip(";\n").partition("=")
                found[name] = value.strip("'")
        yield process, found
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_the_whole_story_with_one_role_then_another(
    signed_in: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(signed_in.home))
    with served(signed_in, "prod/Admin", "--imds", "--region", "eu-west-1") as (process, variables):
        assert sorted(variables) == [
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        ]
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        given = botocore.session.Session().get_credentials()
        assert given.method == "container-role"
        assert given.token.startswith(token_of(ADMIN))

        told = signed_in.run("serve", "--status", "--json").document
        assert told["role"] == ADMIN
        assert variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] not in json.dumps(told)
        again = signed_in.run("serve", "--env", "--shell", "sh", environ={"AWS_PROFILE": "x"})
        assert f"='{variables['AWS_CONTAINER_AUTHORIZATION_TOKEN']}';" in again.out
        assert "unset AWS_PROFILE;" in again.out

        assert signed_in.run("serve", "--switch", "stag/Reader").code == 0
        assert botocore.session.Session().get_credentials().token.startswith(token_of(READER))
        second = signed_in.run("serve", "prod/Admin")
        assert second.code == 2
        assert "Run: daypass serve --switch prod/Admin" in second.err

        assert signed_in.run("serve", "--stop").code == 0
        assert process.wait(timeout=30) == 0
        assert process.stderr is not None
        assert "every user and every program of this machine" in process.stderr.read()
    assert signed_in.run("serve", "--status").code == 2
    assert signed_in.open_to_others() == []


def test_a_refused_switch_comes_back_with_the_brokers_words(signed_in: Machine, broker: Broker) -> None:
    with served(signed_in, ADMIN) as (_process, _variables):
        broker.refusals["/v1/credentials"] = (
            403,
            problem("role.forbidden", "Only from nine to five.", "Not now"),
        )
        done = signed_in.run("serve", "--switch", READER)
        assert done.code == 4
        assert "Only from nine to five." in done.err
        assert "Request req-1" in done.err
        assert signed_in.run("serve", "--status", "--json").document["role"] == ADMIN


def test_after_a_sign_out_nothing_is_given(signed_in: Machine) -> None:
    with served(signed_in, ADMIN) as (_process, variables):
        port = int(variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"].split(":")[2].split("/")[0])
        token = [("Authorization", variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"])]
        assert ask(port, "/role", token)[0] == 200
        assert signed_in.run("logout").code == 0
        for _try in range(400):
            status, body, _ = ask(port, "/role", token)
            if status == 503:
                break
            time.sleep(0.05)
        assert status == 503
        assert "Run: daypass login" in body


def test_ctrl_c_ends_it_and_leaves_nothing_behind(signed_in: Machine) -> None:
    with served(signed_in, ADMIN) as (process, _variables):
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
    assert list(signed_in.state.glob("brokers/*/serve")) == []


def test_a_killed_one_is_no_obstacle(signed_in: Machine) -> None:
    with served(signed_in, ADMIN) as (process, _variables):
        process.kill()
        process.wait(timeout=30)
    assert signed_in.run("serve", "--status").code == 2
    with served(signed_in, ADMIN) as (_process, _variables):
        assert signed_in.run("serve", "--status").code == 0


def test_who_listens_where_a_killed_one_did_writes_no_lines_for_the_shell(signed_in: Machine) -> None:
    with served(signed_in, ADMIN) as (process, _variables):
        process.kill()
        process.wait(timeout=30)
    (place,) = signed_in.state.glob("brokers/*/serve")
    asked: list[str] = []

    class Stranger(local.Handler):
        def answers(self, method: str, path: str) -> None:
            asked.append(path)
            self.reply(200, json.dumps({"variables": {"LD_PRELOAD": "/tmp/theirs.so"}}))

    with listening(Stranger) as port:
        place.write_text(json.dumps({**json.loads(place.read_text()), "port": port}))
        done = signed_in.run("serve", "--env", "--shell", "sh")
        assert (done.code, done.out, asked) == (2, "", [])
        here = context(signed_in)
        with locks.at_once(control.lock_path(here)):  # the twin: it is asked while one runs
            assert "LD_PRELOAD" in control.ask(here, "GET", "status")["variables"]


def test_a_port_that_is_taken_is_said(signed_in: Machine, broker: Broker) -> None:
    taken = broker.url.rpartition(":")[2]
    done = signed_in.run("serve", ADMIN, "--port", taken)
    assert done.code == 7
    assert f"Port {taken}" in done.err


@pytest.mark.parametrize(
    "arguments",
    [["--switch", "x", "--stop"], [ADMIN, "--status"], ["--port", "70000", ADMIN], ["--port", "x", ADMIN]],
)
def test_options_that_do_not_go_together_are_usage(signed_in: Machine, arguments: list[str]) -> None:
    assert signed_in.run("serve", *arguments).code == 2


def test_trouble_is_said_once_and_its_end_too(
    machine: Machine, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Terminal()
    here = context(machine, stderr=told, now=lambda: world.now)
    monkeypatch.setattr(command.session, "current", lambda _context: object())
    looks = iter([None, AWAY, AWAY, None, None])

    class Ended(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            world.now += 1300
            world.failure = next(looks, "over")  # type: ignore[assignment]
            return world.failure == "over"

    command.watch(here, world.holder, Ended())
    assert told.getvalue().count("Not renewed: The broker cannot be reached.") == 1
    assert told.getvalue().count("Renewed again.") == 1
