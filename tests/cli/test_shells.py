"""Lines for shells: real shells judge the quoting where they are here, the rules where not."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

import pytest

from daypass import ancestry, shells
from tests.cli.machine import Machine

NASTY = (
    "plain",
    "it's",
    "''",
    'say "hi"',
    "a\\b\\\\c\\",
    "\\'",
    "$HOME ${HOME} $(id) `id`",
    "!history !!",
    "%PATH% %%",
    "a;b&c|d<e>f(g)h{i}j[k]l*m?n~o#p",
    " blanks  kept ",
    "é ‘typographic’ ‚quotes‛",
    "-n",
    "=x=",
)
HERE = [name for name in ("sh", "dash", "bash", "zsh", "fish") if shutil.which(name)]


def heard(shell: str, script: str, *arguments: str) -> str:
    """What the real shell says; nothing of its own start-up files is read."""
    options = {"zsh": ["-f"], "fish": ["--no-config"], "bash": ["--norc", "--noprofile"]}.get(shell, [])
    done = subprocess.run(
        [shell, *options, "-c", script, *arguments],
        capture_output=True,
        env={"PATH": os.environ["PATH"], "HOME": "/nowhere", "AWS_PROFILE": "old", "LANG": "C.UTF-8"},
        timeout=60,
        check=True,
    )
    assert done.stderr == b""
    return done.stdout.decode()


@pytest.mark.parametrize("shell", HERE)
def test_a_real_shell_gets_back_exactly_what_was_quoted(shell: str) -> None:
    values = {f"V{number}": value for number, value in enumerate(NASTY)}
    text = shells.lines(shells.SPELLINGS[shell], values, ["AWS_PROFILE", "NEVER_SET"])
    names = " ".join(f'"${name}"' for name in values)
    show = "env | grep -c ^AWS_PROFILE= ; printf '<%s>' " + names
    if shell == "fish":
        told = heard(shell, f"echo $argv[1] | source; {show}", text)
    else:
        told = heard(shell, f'eval "$1"; {show}', "shell", text)
    assert told == "0\n" + "".join(f"<{value}>" for value in NASTY)


@pytest.mark.parametrize("shell", HERE)
def test_lines_joined_by_an_eval_without_quotes_do_the_same(shell: str) -> None:
    text = shells.lines(shells.SPELLINGS[shell], {"A": "x+/=", "B": "y"}, ["AWS_PROFILE"])
    show = "env | grep -c ^AWS_PROFILE= ; printf %s $A$B"
    script = f"eval $argv[1]; {show}" if shell == "fish" else f'eval "$1"; {show}'
    arguments = [" ".join(text.split("\n"))] if shell == "fish" else ["shell", " ".join(text.split("\n"))]
    assert heard(shell, script, *arguments) == "0\nx+/=y"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "'plain'"),
        ("it's", "'it''s'"),
        ("‘ ’ ‚ ‛", "'‘‘ ’’ ‚‚ ‛‛'"),
        ("$Env:PATH `n", "'$Env:PATH `n'"),
    ],
)
def test_powershell_takes_nothing_but_quotes_for_special_inside_quotes(value: str, written: str) -> None:
    assert shells.line(shells.POWERSHELL, "K", value) == f"$Env:K={written}"


def test_cmd_gets_the_assignment_in_quotes_and_refuses_what_it_expands_even_there() -> None:
    assert shells.line(shells.CMD, "K", "a&b|c<d>^e+/=") == 'set "K=a&b|c<d>^e+/="'
    for value in ('a"b', "%PATH%", "a!b"):
        with pytest.raises(shells.Unquotable):
            shells.line(shells.CMD, "K", value)


def test_variables_are_taken_away_in_each_shells_own_words() -> None:
    gone = {
        shell: shells.removal(shell, "K") for shell in (shells.SH, shells.FISH, shells.POWERSHELL, shells.CMD)
    }
    assert gone == {"sh": "unset K;", "fish": "set -e K;", "powershell": "$Env:K=$null", "cmd": 'set "K="'}


@pytest.mark.parametrize("shell", [shells.SH, shells.FISH, shells.POWERSHELL, shells.CMD])
@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\x00b", "a\x1b[31m"])
def test_control_characters_are_refused_everywhere(shell: str, value: str) -> None:
    with pytest.raises(shells.Unquotable):
        shells.line(shell, "K", value)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(shells.Unquotable):
        shells.line(shells.SH, "A;id", "x")


@pytest.mark.parametrize(
    ("platform", "parents", "shell"),
    [
        ("linux", ["bash"], "sh"),
        ("linux", ["fish", "bash"], "fish"),
        ("linux", ["python3", "make", "zsh"], "sh"),
        ("macos", ["-zsh"], "sh"),
        ("macos", ["/opt/homebrew/bin/fish"], "fish"),
        ("windows", ["python.exe", "daypass.exe", "pwsh.exe"], "powershell"),
        ("windows", ["C:\\Windows\\System32\\cmd.exe", "explorer.exe"], "cmd"),
        ("windows", ["bash.exe"], "sh"),
        ("windows", ["explorer.exe"], "powershell"),
        ("linux", ["sshd", "init"], "sh"),
    ],
)
def test_the_nearest_shell_among_the_ancestors_is_written_for(
    platform: str, parents: Sequence[str], shell: str
) -> None:
    assert shells.detect(platform, parents) == shell


def test_ancestors_are_read_from_proc_up_to_the_first() -> None:
    names = list(ancestry.programs("linux", os.getpid()))
    assert names[0].startswith("python") or "pytest" in names[0]
    assert len(names) <= ancestry.FARTHEST


def test_ancestors_that_form_a_ring_end() -> None:
    ring = {5: (6, "a"), 6: (5, "b")}
    assert list(ancestry.programs("windows", 5, ring.get)) == ["a", "b"]


def test_what_ps_says_of_a_program_with_blanks_in_its_path_is_read() -> None:
    assert ancestry.parse_ps("  501 /Applications/My Term.app/zsh\n") == (
        501,
        "/Applications/My Term.app/zsh",
    )
    assert ancestry.parse_ps("") is None


@pytest.mark.parametrize("shell", HERE)
def test_env_writes_for_the_shell_that_runs_it(signed_in: Machine, shell: str) -> None:
    """Not for $SHELL, which is another one."""
    other = "/usr/bin/fish" if shell != "fish" else "/bin/bash"
    # Something behind it, or some shells would become the program instead of staying its parent.
    done = signed_in.run(
        "-c", f"'{signed_in.program}' env prod/Admin; echo done", command=[shell], environ={"SHELL": other}
    )
    assert (
        "set -gx AWS_ACCESS_KEY_ID 'ASIA" if shell == "fish" else "export AWS_ACCESS_KEY_ID='ASIA"
    ) in done.out


@pytest.mark.parametrize("shell", HERE)
def test_env_then_unset_leaves_the_shell_as_it_was(signed_in: Machine, shell: str) -> None:
    program = f"'{signed_in.program}'"
    see = "env | grep ^AWS_ | sort"
    if shell == "fish":
        script = f"{program} env prod/Admin | source; {see}; echo @@; {program} env --unset | source; {see}; echo @@"
    else:
        script = f'eval "$({program} env prod/Admin)"; {see}; echo @@; eval "$({program} env --unset)"; {see}; echo @@'
    done = signed_in.run(
        "-c", script, command=[shell], environ={"AWS_PROFILE": "old", "AWS_SECURITY_TOKEN": "old"}
    )
    during, after, _end = done.out.split("@@\n")
    names = [line.partition("=")[0] for line in during.splitlines()]
    assert names == sorted(
        ["AWS_ACCESS_KEY_ID", "AWS_CREDENTIAL_EXPIRATION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
    ), done
    assert after == ""


def test_env_sets_the_region_that_is_asked_for_or_configured_and_no_nonsense(signed_in: Machine) -> None:
    asked = signed_in.run("env", "prod/", "--shell", "sh", "--region", "eu-west-1")
    assert "export AWS_REGION='eu-west-1';\nexport AWS_DEFAULT_REGION='eu-west-1';\n" in asked.out
    refused = signed_in.run("env", "prod/", "--region", "x'; id; '")
    assert (refused.code, refused.out) == (2, "")
    signed_in.configure("region = eu-central-1\n")
    assert "export AWS_REGION='eu-central-1';" in signed_in.run("env", "prod/", "--shell", "sh").out
    assert "unset AWS_REGION;" in signed_in.run("env", "--unset", "--shell", "sh").out


def test_env_for_programs_is_one_document(signed_in: Machine) -> None:
    told = signed_in.run("env", "prod/", "--json").document
    assert told["unset"] == ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN"]
    assert told["set"]["AWS_ACCESS_KEY_ID"].startswith("ASIA")


def test_env_unset_with_a_role_is_a_question_that_makes_no_sense(signed_in: Machine) -> None:
    assert signed_in.run("env", "prod/", "--unset").code == 2


def test_env_without_a_role_says_that_one_must_be_named_where_nobody_can_pick(signed_in: Machine) -> None:
    done = signed_in.run("env")
    assert (done.code, done.out) == (2, "")
    assert "must be named" in done.err
    assert "Run: daypass roles" in done.err
