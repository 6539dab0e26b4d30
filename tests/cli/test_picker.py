"""The picker: what fits and in which order; keys in a real (pseudo) terminal; a list of numbers where keys cannot be had."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from daypass import asking, fuzzy, picker, roles, terminal
from daypass.errors import Fail
from tests.cli.contexts import Terminal, context, token_of
from tests.cli.fake_broker import ADMIN, READER, Broker
from tests.cli.machine import Machine

LINES = (
    "production/Admin  111122223333  All",
    "staging/Reader  444455556666  Look",
    "sandbox/Developer  777788889999",
)


# --- what fits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("", [0, 1, 2]),
        ("prod", [0]),
        ("READER", [1]),
        ("sdev", [2]),
        ("4444", [1]),
        ("ad prod", [0]),
        ("prod reader", []),
        ("zzz", []),
    ],
)
def test_every_term_must_fit_as_a_piece_or_by_its_letters_in_order(query: str, places: list[int]) -> None:
    assert fuzzy.rank(query, LINES) == places


def test_better_fits_come_first() -> None:
    lines = ("x-a-d-m-in", "superadmin", "the admin", "admin of all", "admin")
    assert fuzzy.rank("admin", lines) == [4, 3, 2, 1, 0]


def test_recent_ones_come_first_among_equals_only() -> None:
    assert fuzzy.rank("", LINES, [2, 1]) == [2, 1, 0]
    assert fuzzy.rank("prod", LINES, [2]) == [0]


def test_a_long_list_and_a_long_query_end_soon() -> None:
    assert fuzzy.rank("ab" * 100, ["ab" * 2000 + "c"] * 50) == list(range(50))
    assert fuzzy.rank("a" * 40 + "b", ["a" * 2000] * 20) == []


# --- the menu ---------------------------------------------------------------------------------------


def test_the_mark_goes_round_and_a_new_query_puts_it_back() -> None:
    menu = picker.Menu(LINES)
    menu.press(terminal.UP)
    assert menu.chosen == 2
    menu.press(terminal.DOWN)
    assert menu.chosen == 0
    menu.press(terminal.DOWN)
    menu.press("s")
    assert menu.chosen == 1
    menu.press("zz")  # no key: more than a letter
    for key in "zz":
        menu.press(key)
    assert menu.chosen is None
    menu.press(terminal.CLEAR)
    assert menu.chosen == 0


def test_a_window_follows_the_mark_and_no_line_is_wider_than_the_terminal() -> None:
    menu = picker.Menu([f"role {number} " + "漢" * 100 for number in range(50)])
    for _ in range(30):
        menu.press(terminal.DOWN)
    drawn = menu.drawing("Role", 40, 8)
    assert len(drawn) == 7
    assert any(line.startswith("> role 30") for line in drawn)
    assert all(len(line) + line.count("漢") < 40 for line in drawn)


# --- numbers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("typed", "chosen"), [("2\n", 1), ("x\n9\n3\n", 2)])
def test_a_plain_terminal_gets_a_list_of_numbers(machine: Machine, typed: str, chosen: int) -> None:
    told = Terminal()
    here = context(machine, stdin=Terminal(typed), stderr=told, environ={**machine.environ, "TERM": "dumb"})
    assert picker.pick(here.output, "Role", LINES, here.environ) == chosen
    assert "   1  production/Admin" in told.getvalue()


@pytest.mark.parametrize(("typed", "code"), [("", 130), ("\n", 130), ("0\n4\nx\n", 2), ("٣\nx\nx\n", 2)])
def test_no_number_is_no_choice(machine: Machine, typed: str, code: int) -> None:
    here = context(machine, stdin=Terminal(typed), stderr=Terminal(), environ={"TERM": "dumb", "HOME": "/x"})
    with pytest.raises(Fail) as refused:
        picker.pick(here.output, "Role", LINES, here.environ)
    assert refused.value.code == code


# --- a real terminal --------------------------------------------------------------------------------


class Screen:
    """The other end of a pseudo terminal."""

    def __init__(self, handle: int, process: subprocess.Popen[bytes]) -> None:
        self.handle, self.process = handle, process
        self.seen = ""

    def type(self, keys: str) -> None:
        os.write(self.handle, keys.encode())

    def read(self) -> bool:
        """What came meanwhile; False at the end."""
        if not select.select([self.handle], [], [], 0.05)[0]:
            return True
        try:
            data = os.read(self.handle, 65536)
        except OSError:
            return False
        self.seen += data.decode("utf-8", "replace")
        return bool(data)

    def wait_for(self, text: str) -> None:
        ends = time.monotonic() + 60
        while text not in self.seen:
            assert self.read() or text in self.seen, self.seen
            assert time.monotonic() < ends, self.seen
        self.seen = self.seen.partition(text)[2]

    def end(self) -> tuple[int, str]:
        """Exit code, and what the program printed on stdout."""
        while self.process.poll() is None:
            self.read()
        assert self.process.stdout is not None
        return self.process.returncode, self.process.stdout.read().decode()


@contextmanager
def on_a_terminal(machine: Machine, arguments: Sequence[str], **environ: str) -> Iterator[Screen]:
    """The helper with a terminal for stdin and stderr, and a pipe for stdout, as in `eval "$(daypass env)"`."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(machine.program), *arguments],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**machine.environ, "TERM": "xterm", **environ},
        start_new_session=True,
    )
    try:
        yield Screen(ours, process)
    finally:
        process.kill()
        process.communicate()
        os.close(ours)
        os.close(theirs)


def test_a_few_letters_and_enter_pick_a_role_and_stdout_stays_data(signed_in: Machine) -> None:
    with on_a_terminal(signed_in, ["env", "--shell", "sh"]) as screen:
        screen.wait_for("production/Admin")
        screen.type("rdr")
        screen.wait_for("(1 of 2): rdr")
        screen.type("\r")
        code, out = screen.end()
    assert code == 0
    assert out.splitlines()[0] == "unset AWS_PROFILE;"
    assert token_of(READER) in out
    assert "\x1b" not in out


def test_what_a_broker_sends_cannot_move_the_cursor(signed_in: Machine, broker: Broker) -> None:
    broker.roles = [{**each, "description": "evil\x1b[2J\x9b2J\u202e"} for each in broker.roles]
    for kind in ("xterm", "dumb"):
        with on_a_terminal(signed_in, ["env"], TERM=kind) as screen:
            screen.wait_for("production/Admin")
            screen.wait_for("evil")
            shown = screen.seen
            screen.type("\x03" if kind == "xterm" else "\n")
            assert screen.end()[0] == 130
        assert not re.search("\x1b\\[2J|\x9b|\u202e", shown + screen.seen)


def test_the_last_choice_stands_first_the_next_time(signed_in: Machine) -> None:
    for keys, wanted in (
        ("\x1b[B\r", READER),
        ("\r", READER),
        ("\x1bOB\x1bOB\x1bOA\r", ADMIN),
        ("\r", ADMIN),
    ):
        with on_a_terminal(signed_in, ["exec", "--", "sh", "-c", "echo $AWS_SESSION_TOKEN"]) as screen:
            screen.wait_for("Role (2 of 2)")
            screen.type(keys)
            code, out = screen.end()
        assert (code, out.startswith(token_of(wanted))) == (0, True)


@pytest.mark.parametrize("key", ["\x03", "\x1b", "\x04"])
def test_leaving_is_130_and_the_terminal_is_as_it_was(signed_in: Machine, key: str) -> None:
    import termios

    with on_a_terminal(signed_in, ["env"]) as screen:
        before = termios.tcgetattr(screen.handle)
        screen.wait_for("Role (2 of 2)")
        assert termios.tcgetattr(screen.handle) != before
        screen.type(key)
        code, out = screen.end()
        assert termios.tcgetattr(screen.handle) == before
    assert (code, out) == (130, "")
    assert "Nothing was chosen." in screen.seen


def test_a_dumb_terminal_gets_numbers(signed_in: Machine) -> None:
    with on_a_terminal(signed_in, ["env", "--json"], TERM="dumb") as screen:
        screen.wait_for("number 1 to 2: ")
        screen.type("1\n")
        code, out = screen.end()
    assert (code, "\x1b" in screen.seen) == (0, False)
    assert '"AWS_ACCESS_KEY_ID"' in out


def test_a_key_of_several_bytes_is_one_letter(signed_in: Machine) -> None:
    with on_a_terminal(signed_in, ["env"]) as screen:
        screen.wait_for("Role (2 of 2)")
        screen.type("é")
        screen.wait_for("(0 of 2): é")
        screen.type("\x7f")
        screen.wait_for("(2 of 2): ")
        screen.type("\x1b")
        assert screen.end()[0] == 130


def test_no_terminal_no_question(signed_in: Machine) -> None:
    for command in (["env"], ["exec", "--", "true"], ["console"], ["why"], ["serve"]):
        done = signed_in.run(*command)
        assert (done.code, done.out) == (2, ""), command
        assert "Which role?" in done.err


def test_what_cannot_be_remembered_does_not_stop_anybody(machine: Machine) -> None:
    here = context(machine)
    (machine.home / ".local").mkdir()
    (machine.home / ".local" / "state").touch()  # no folder can be made there
    asking.remember(here, roles.Role(ADMIN, "111122223333", "production", "Admin"))
    assert asking.remembered(here) == []


def test_choices_are_remembered_latest_first_and_not_for_ever(machine: Machine) -> None:
    here = context(machine)
    for number in range(asking.KEPT + 5):
        asking.remember(here, roles.Role(f"{READER}{number}", "444455556666", "staging", "Reader"))
    asking.remember(here, roles.Role(f"{READER}20", "444455556666", "staging", "Reader"))
    kept = asking.remembered(here)
    assert kept[:2] == [f"{READER}20", f"{READER}24"]
    assert len(kept) == len(set(kept)) == asking.KEPT
