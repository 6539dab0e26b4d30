"""`exec`: the program gets the credentials and nothing else changes for it; its exit code is ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daypass.commands import exec as command
from daypass.errors import Usage
from tests.cli.contexts import Terminal, context, token_of
from tests.cli.fake_broker import ADMIN
from tests.cli.machine import Machine

COLD = "prod/Admin"
"""By a name, so that the prelude leaves it to Python."""


def test_the_program_gets_the_role_and_no_profile_that_would_win_over_it(signed_in: Machine) -> None:
    stale = {
        "AWS_PROFILE": "old",
        "AWS_DEFAULT_PROFILE": "old",
        "AWS_SECURITY_TOKEN": "old",
        "AWS_SESSION_TOKEN": "old",
    }
    done = signed_in.run("exec", COLD, "--", "env", environ={**stale, "MINE": "kept"})
    seen = dict(line.split("=", 1) for line in done.out.splitlines())
    assert done.code == 0
    assert seen["MINE"] == "kept"
    assert seen["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert seen["AWS_SESSION_TOKEN"].startswith(token_of(ADMIN))
    assert seen["AWS_CREDENTIAL_EXPIRATION"].endswith("Z")
    assert {"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN"}.isdisjoint(seen)


def test_cold_and_warm_give_the_program_the_same_environment(signed_in: Machine) -> None:
    cold = signed_in.run("exec", ADMIN, "--", "env").out
    warm = signed_in.run("exec", ADMIN, "--", "env").out

    def ours(text: str) -> list[str]:
        return sorted(line for line in text.splitlines() if line.startswith("AWS_"))

    assert ours(cold) == ours(warm)
    assert len(ours(cold)) == 4


@pytest.mark.parametrize("arguments", [["a b", "", "*", "$HOME", "--json", "--", "-x", "it's"]])
def test_arguments_arrive_as_they_were_given(signed_in: Machine, arguments: list[str]) -> None:
    shown = [sys.executable, "-c", "import sys; print(sys.argv[1:])", *arguments]
    assert signed_in.run("exec", COLD, "--", *shown).out == f"{arguments}\n"


def test_stdin_is_the_programs(signed_in: Machine) -> None:
    done = signed_in.run("exec", COLD, "--", "cat", stdin=subprocess.PIPE, input="through")
    assert done.out == "through"


@pytest.mark.parametrize("code", [0, 1, 3, 7, 42, 255])
def test_the_exit_code_is_the_programs(signed_in: Machine, code: int) -> None:
    assert signed_in.run("exec", COLD, "--", "sh", "-c", f"exit {code}").code == code


def test_the_program_takes_our_place_so_that_signals_reach_it(signed_in: Machine) -> None:
    process = signed_in.start("exec", COLD, "--", "sh", "-c", "echo $$; exec sleep 60")
    assert process.stdout is not None
    assert process.stdout.readline() == f"{process.pid}\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM  # 143 to a shell


def test_what_python_ignores_is_not_ignored_by_the_program(signed_in: Machine) -> None:
    """Else `exec R -- yes | head` would print an error where plain `yes | head` ends quietly."""
    done = signed_in.run("exec", COLD, "--", "grep", "SigIgn", "/proc/self/status")
    ignored = int(done.out.split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1))


def test_a_program_that_is_not_there_is_127_and_one_that_cannot_run_126(
    signed_in: Machine, tmp_path: Path
) -> None:
    missing = signed_in.run("exec", COLD, "--", "no-such-program")
    assert (missing.code, missing.out) == (127, "")
    assert "`no-such-program` is not found." in missing.err
    plain = tmp_path / "plain"
    plain.write_text("x")
    assert signed_in.run("exec", COLD, "--", str(plain)).code == 126


def test_a_program_without_the_dashes_is_told_where_it_stands(signed_in: Machine) -> None:
    done = signed_in.run("exec", COLD, "aws", "s3")
    assert (done.code, done.out) == (2, "")
    assert "Run: daypass exec prod/Admin -- aws s3" in done.err


def test_the_helper_in_the_helper_is_refused_with_the_command_that_was_meant(signed_in: Machine) -> None:
    for inner in ("daypass", str(signed_in.program)):
        done = signed_in.run("exec", COLD, "--", inner, "console", "dev")
        assert done.code == 2
        assert "Run: daypass console dev" in done.err


def test_nothing_to_run_is_a_shell_in_a_terminal_only(signed_in: Machine) -> None:
    done = signed_in.run("exec", COLD)
    assert (done.code, done.out) == (2, "")
    assert "Nothing to run." in done.err


def test_a_shell_in_a_shell_is_refused(machine: Machine) -> None:
    terminal = {"stdin": Terminal(), "stderr": Terminal()}
    command.refuse_nesting(context(machine, **terminal), [])
    inside = {**machine.environ, "DAYPASS_ROLE": "production/Admin"}
    with pytest.raises(Usage, match="in a shell with production/Admin already") as refused:
        command.refuse_nesting(context(machine, environ=inside, **terminal), [])
    assert refused.value.next == "exit"
    command.refuse_nesting(
        context(machine, environ=inside, **terminal), ["aws"]
    )  # one program as another role: fine


def test_windows_way_gives_the_childs_exit_code() -> None:
    environ = dict(os.environ)
    assert command.wait_for([sys.executable, "-c", "raise SystemExit(9)"], environ) == 9
    killed = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    assert command.wait_for(killed, environ) == 128 + signal.SIGKILL


def test_windows_way_leaves_ctrl_c_to_the_child(tmp_path: Path) -> None:
    """Both are on one console; the parent must outlive its own Ctrl-C and report what the child made of it."""
    started = tmp_path / "started"
    child = (
        "import signal, sys, time, pathlib\n"
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(33))\n"
        f"pathlib.Path({str(started)!r}).touch()\n"
        "time.sleep(60)"
    )
    parent = (
        f"import sys; sys.path.insert(0, {str(Path(command.__file__).parents[2])!r})\n"
        "from daypass.commands.exec import wait_for; import os\n"
        f"sys.exit(wait_for([sys.executable, '-c', {child!r}], dict(os.environ)))"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], start_new_session=True)
    while not started.exists():
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == 33


def test_nobody_signed_in_is_exit_3_and_the_program_does_not_run(machine: Machine, tmp_path: Path) -> None:
    done = machine.run("exec", ADMIN, "--", "touch", str(tmp_path / "ran"))
    assert (done.code, done.out) == (3, "")
    assert "Run: daypass login" in done.err
    assert not (tmp_path / "ran").exists()
