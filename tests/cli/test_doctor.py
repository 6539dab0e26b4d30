"""`doctor`: each check finds what it is for, changes nothing, and says what to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daypass import checks
from daypass.context import Context
from daypass.http import Answer
from tests.cli.contexts import context
from tests.cli.fake_broker import Broker
from tests.cli.machine import Machine


@pytest.fixture
def healthy(signed_in: Machine, broker: Broker) -> Machine:
    broker.refusals["/.well-known/oauth-authorization-server"] = (200, {"issuer": broker.url})
    signed_in.environ["PATH"] = f"{signed_in.program.parent}:/usr/bin:/bin"
    aws(signed_in, "aws-cli/2.27.1 Python/3.13")
    return signed_in


def aws(machine: Machine, says: str) -> None:
    """An AWS CLI that says its version."""
    path = machine.program.parent / "aws"
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


def states(machine: Machine, code: int, **environ: str) -> dict[str, dict[str, Any]]:
    """Check → its worst finding."""
    done = machine.run("doctor", "--json", environ=environ)
    assert done.code == code, done
    found: dict[str, dict[str, Any]] = {}
    import json

    rank = {"ok": 0, "warn": 1, "fail": 2}
    for each in json.loads(done.out)["checks"]:
        if each["name"] not in found or rank[each["state"]] > rank[found[each["name"]]["state"]]:
            found[each["name"]] = each
    return found


def here(check: Any, machine: Machine, **more: Any) -> list[checks.Finding]:
    """One check in this process."""
    given: Context = context(machine, **more)
    return list(check(given))


def test_a_healthy_machine_is_all_ok(healthy: Machine) -> None:
    healthy.run("configure", "--yes")
    found = states(healthy, 0)
    assert {name: each["state"] for name, each in found.items()} == dict.fromkeys(
        [
            "helper",
            "PATH",
            "files",
            "proxy",
            "broker",
            "TLS",
            "clock",
            "sign-in",
            "keychain",
            "profiles",
            "variables",
            "aws",
        ],
        "ok",
    ), found
    assert "in step, 2 profiles" in found["profiles"]["what"]


def test_for_people_it_is_a_line_each_with_what_to_run(healthy: Machine) -> None:
    done = healthy.run(
        "doctor", environ={"AWS_ACCESS_KEY_ID": "AKIA", "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"}
    )
    assert done.code == 0
    assert "warn  variables: AWS_ACCESS_KEY_ID wins over every profile; they have run out\n" in done.out
    assert '      Run: eval "$(daypass env --unset)"\n' in done.out
    assert "AKIA" not in done.out


def test_it_changes_nothing(healthy: Machine) -> None:
    def seen() -> list[tuple[str, float]]:
        return sorted(
            (str(path), path.stat().st_mtime) for path in healthy.home.rglob("*") if "code" not in path.parts
        )

    healthy.run("doctor")
    before = seen()
    healthy.run("doctor")
    assert seen() == before


def test_files_open_to_others_are_named_with_the_cure(healthy: Machine) -> None:
    path = next(healthy.state.glob("brokers/*/session"))
    path.chmod(0o640)
    found = states(healthy, 7)["files"]
    assert (found["state"], found["next"]) == ("fail", f'chmod 600 "{path}"')


def test_a_broker_that_is_away_is_exit_5(healthy: Machine, broker: Broker) -> None:
    broker.close()
    found = states(healthy, 5)["broker"]
    assert found["state"] == "fail"
    assert "cannot be reached" in found["what"]


def test_another_server_at_the_brokers_address_is_found(healthy: Machine, broker: Broker) -> None:
    broker.refusals["/.well-known/oauth-authorization-server"] = (200, {"issuer": "https://other.example"})
    found = states(healthy, 5)["broker"]
    assert "calls itself https://other.example" in found["what"]


@pytest.mark.parametrize(
    ("skew", "state", "words"),
    [
        (0, "ok", "as the broker's"),
        (20, "ok", "as"),
        (-100, "warn", "ahead of"),
        (100, "warn", "behind"),
        (900, "fail", "behind"),
    ],
)
def test_the_clock_is_held_beside_the_brokers(machine: Machine, skew: float, state: str, words: str) -> None:
    found = checks.clock(context(machine, now=lambda: 1_000_000.0), Answer(200, {}, 1_000_000.0 + skew))
    assert found.state == state
    assert words in found.what
    assert (found.next != "") == (state != "ok")
    assert checks.clock(context(machine), Answer(200, {}, None)).state == "warn"


def test_a_wrong_clock_makes_the_whole_answer_a_failure(healthy: Machine, broker: Broker) -> None:
    broker.skew = 3600
    assert states(healthy, 7)["clock"]["state"] == "fail"


def test_which_daypass_the_path_finds(healthy: Machine, tmp_path: Path) -> None:
    assert states(healthy, 0, PATH="/usr/bin:/bin")["PATH"]["state"] == "warn"
    other = tmp_path / "other"
    other.mkdir()
    (other / "daypass").write_text("#!/bin/sh\n")
    (other / "daypass").chmod(0o755)
    found = states(healthy, 0, PATH=f"{other}:{healthy.environ['PATH']}")["PATH"]
    assert (found["state"], str(other / "daypass") in found["what"]) == ("warn", True)


def test_on_windows_path_finds_the_file_that_starts_this_one(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks.shutil, "which", lambda name, path: f"{machine.program.parent}/{name}.CMD")
    assert [each.state for each in here(checks.program, machine, platform="windows")] == ["ok", "ok"]
    monkeypatch.setattr(checks.shutil, "which", lambda name, path: f"/elsewhere/{name}.CMD")
    assert [each.state for each in here(checks.program, machine, platform="windows")] == ["ok", "warn"]
    monkeypatch.setattr(checks.shutil, "which", lambda name, path: None)
    (_, missing) = here(checks.program, machine, platform="windows")
    assert missing.next == f'$Env:Path="{machine.program.parent};$Env:Path"'


@pytest.mark.parametrize(
    ("platform", "ways"),
    [
        ("linux", ['eval "$(daypass env --unset)"', "unset AWS_DEFAULT_PROFILE"]),
        ("windows", ["daypass env --unset | Invoke-Expression", "$Env:AWS_DEFAULT_PROFILE=$null"]),
    ],
)
def test_what_wins_over_profiles_is_undone_in_the_shell_of_the_platform(
    machine: Machine, platform: str, ways: list[str]
) -> None:
    environ = {**machine.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_DEFAULT_PROFILE": "gone"}
    found = here(checks.variables, machine, platform=platform, environ=environ)
    assert [each.next for each in found] == ways
    assert found[1].what == "AWS_DEFAULT_PROFILE names `gone`, which no file has"


def test_profiles_that_are_not_in_step_or_unclear(healthy: Machine, broker: Broker) -> None:
    healthy.run("configure", "--yes")
    broker.roles = broker.roles[:1]
    healthy.run("roles")
    assert states(healthy, 0)["profiles"]["next"] == "daypass configure"
    config = healthy.home / ".aws" / "config"
    config.write_text(config.read_text().replace("# <<< daypass", ""))
    found = states(healthy, 7)["profiles"]
    assert (found["state"], "line 1" in found["what"]) == ("fail", True)


def test_a_profile_that_is_named_and_nowhere(healthy: Machine) -> None:
    healthy.run("configure", "--yes")
    assert states(healthy, 0, AWS_PROFILE="gone")["variables"]["state"] == "warn"
    assert states(healthy, 0, AWS_PROFILE="production-Admin")["variables"]["state"] == "ok"


@pytest.mark.parametrize(
    ("says", "state", "code"),
    [("aws-cli/2.27.1 Python/3.13", "ok", 0), ("aws-cli/1.15.0 Python/2.7", "fail", 7), ("hello", "warn", 0)],
)
def test_the_aws_cli_is_asked_for_its_version(healthy: Machine, says: str, state: str, code: int) -> None:
    aws(healthy, says)
    assert states(healthy, code)["aws"]["state"] == state


def test_nobody_signed_in_is_a_warning(healthy: Machine) -> None:
    healthy.run("logout")
    found = states(healthy, 0)["sign-in"]
    assert (found["state"], found["next"]) == ("warn", "daypass login")


def test_a_proxys_password_is_not_shown(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://ana:hunter2@proxy.example:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    found = here(checks.proxy, machine, url="https://daypass.example")
    assert [each.what for each in found] == ["by http://proxy.example:3128"]
    monkeypatch.setenv("no_proxy", "daypass.example")
    assert here(checks.proxy, machine, url="https://daypass.example")[0].what == "none for this broker"


def test_a_check_that_cannot_be_made_does_not_stop_the_others(machine: Machine) -> None:
    found = {each.name: each.state for each in checks.run(context(machine, url=""))}
    assert found["broker"] == "fail"
    assert found["aws"] in ("ok", "warn", "fail")
