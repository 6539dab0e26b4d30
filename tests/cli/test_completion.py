"""Completion: the real shells' own machinery where they are here; cached roles only, whatever happens."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.fake_broker import ADMIN, Broker
from tests.cli.machine import Machine


def offered(machine: Machine, *words: str) -> list[str]:
    done = machine.run("__complete", "--", *words)
    assert (done.code, done.err) == (0, "")
    return [line.partition("\t")[0] for line in done.out.splitlines()]


@pytest.fixture
def known(signed_in: Machine, broker: Broker) -> Machine:
    """A machine with a list of roles in its cache, and no broker any more."""
    signed_in.run("roles")
    broker.close()
    return signed_in


def test_what_can_stand_where(known: Machine) -> None:
    cases = {
        ("",): ["login", "logout", "whoami", "roles", "why", "exec", "env", "credentials", "console", "configure", "serve",
                "doctor", "completion"],
        ("co",): ["console", "configure", "completion"],
        ("--v",): ["--version"],
        ("exec", ""): ["production/Admin", "staging/Reader"],
        ("exec", "PROD"): ["production/Admin"],
        ("exec", "adm"): ["Admin"],
        ("exec", "production/Admin", ""): [],
        ("exec", "production/Admin", "--", "gi"): [],
        ("env", "--shell", "z"): ["zsh"],
        ("env", "--shell", "zsh", "sta"): ["staging/Reader"],
        ("env", "--re"): ["--region"],
        ("console", "production/Admin", "--to", "lam"): ["lambda"],
        ("serve", "--switch", "st"): ["staging/Reader"],
        ("completion", ""): ["bash", "zsh", "fish", "powershell"],
        ("exec", '""'): ["production/Admin", "staging/Reader"],
        ("nonsense", ""): ["login", "logout", "whoami", "roles", "why", "exec", "env", "credentials", "console", "configure",
                           "serve", "doctor", "completion"],
    }  # fmt: skip
    assert {words: offered(known, *words) for words in cases} == cases


def test_nobody_is_asked_and_nothing_is_said_without_a_cache(machine: Machine, broker: Broker) -> None:
    assert offered(machine, "exec", "") == []
    assert broker.asked == {}


def test_a_damaged_cache_or_one_that_is_another_s_is_no_complaint(known: Machine) -> None:
    (known.passes / "roles.json").chmod(0o644)
    assert offered(known, "exec", "") == []
    (known.passes / "roles.json").chmod(0o600)
    (known.passes / "roles.json").write_text("[{")
    assert offered(known, "exec", "") == []


def test_what_a_broker_says_of_a_role_stays_on_its_line(signed_in: Machine, broker: Broker) -> None:
    broker.roles = [{**broker.roles[0], "description": "a\tb\nc\x1b[2J"}]
    signed_in.run("roles")
    done = signed_in.run("__complete", "--", "exec", "")
    assert done.out.count("\n") == done.out.count("\t") == 1
    assert "\x1b" not in done.out


BASH = """
source <("{program}" completion bash)
complete_line() {{
    COMP_LINE="$1" COMP_POINT=${{#1}}
    read -ra COMP_WORDS <<<"$1"
    [[ $1 == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
    _daypass
    printf '<%s>' "${{COMPREPLY[@]}}"
    echo
}}
complete_line "{program} exec prod"
complete_line "{program} exec "
complete_line "{program} env --shell f"
complete_line "{program} exec production/Admin -- dirna"
complete -p daypass
"""


def test_bash_fills_in_what_is_offered(known: Machine) -> None:
    script = BASH.format(program=known.program)
    done = known.run("--norc", "--noprofile", "-c", script, command=["bash"], environ={"PATH": "/usr/bin"})
    assert done.err == ""
    assert done.out.splitlines() == [
        "<production/Admin>",
        "<production/Admin><staging/Reader>",
        "<fish>",
        "<dirname>",
        "complete -F _daypass daypass",
    ]


def test_bash_puts_only_what_is_missing_behind_a_word_break(signed_in: Machine, broker: Broker) -> None:
    """bash replaces from the last `@`, `=` or `:` on, not the whole word."""
    broker.roles = [{**broker.roles[0], "account_name": "ops@acme", "name": "Big Role"}]
    signed_in.run("roles")
    script = BASH.format(program=signed_in.program).split("complete_line")[0:2]
    line = f'complete_line "{signed_in.program} exec ops@a"'
    done = signed_in.run("--norc", "-c", "complete_line".join(script) + "\n" + line, command=["bash"])
    assert done.out.splitlines() == ["<acme/Big\\ Role>"]


FISH = [
    pytest.param("daypass exec prod", ["production/Admin\tAll"], id="a role"),
    pytest.param("daypass exec ", ["production/Admin\tAll", "staging/Reader\tLook"], id="all roles"),
    pytest.param("daypass env --shell f", ["fish"], id="a choice"),
]
if shutil.which("fish"):

    @pytest.mark.parametrize(("line", "wanted"), FISH)
    def test_fish_fills_in_what_is_offered(known: Machine, line: str, wanted: list[str]) -> None:
        path = f"{known.program.parent}:{known.environ['PATH']}"
        script = f"daypass completion fish | source; complete -C '{line}'"
        done = known.run("--no-config", "-c", script, command=["fish"], environ={"PATH": path})
        assert done.out.splitlines() == wanted

    def test_fish_leaves_what_stands_behind_the_dashes_to_the_program(known: Machine, tmp_path: Path) -> None:
        path = f"{known.program.parent}:{known.environ['PATH']}"
        script = (
            "daypass completion fish | source; complete -c mytool -f -a 'one two'; "
            "complete -C 'daypass exec production/Admin -- mytool o'"
        )
        done = known.run("--no-config", "-c", script, command=["fish"], environ={"PATH": path})
        assert done.out.splitlines() == ["one"]


if shutil.which("zsh"):

    def test_zsh_takes_the_script_and_offers_through_describe(known: Machine) -> None:
        """`_describe` stands in: it shows what zsh's completion would be given."""
        script = f"""
        compdef() {{ print "compdef $*" }}
        _describe() {{ print -rl -- "${{(@P)4}}" }}
        eval "$('{known.program}' completion zsh)"
        words=('{known.program}' exec prod); CURRENT=3
        _daypass
        words=('{known.program}' exec ''); CURRENT=3
        _daypass
        """
        done = known.run("-f", "-c", script, command=["zsh"])
        assert done.err == ""
        assert done.out.splitlines() == [
            "compdef _daypass daypass",
            "production/Admin:All",
            "production/Admin:All",
            "staging/Reader:Look",
        ]


@pytest.mark.parametrize("shell", [name for name in ("bash", "zsh", "fish") if shutil.which(name)])
def test_the_shell_itself_finds_no_fault_in_the_script(machine: Machine, shell: str, tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text(machine.run("completion", shell).out)
    subprocess.run(
        [shell, "-n", str(path)],
        check=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        timeout=60,
    )


def test_powershell_is_registered_for_the_native_command(machine: Machine) -> None:
    text = machine.run("completion", "powershell").out
    assert "Register-ArgumentCompleter -Native -CommandName daypass -ScriptBlock {" in text
    assert text.count("{") == text.count("}")
    assert text.count("(") == text.count(")")


def test_a_shell_that_is_not_known_is_usage(machine: Machine) -> None:
    assert machine.run("completion", "tcsh").code == 2
    assert ADMIN not in machine.run("completion", "bash").out
