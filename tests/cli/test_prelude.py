"""The shell's part of the one file: whom it trusts, what it hands to Python, what it leaves alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daypass import cache
from tests.cli.fake_broker import ADMIN, READER, Broker
from tests.cli.machine import Done, Machine

SOMEBODY = 65534
NO_PYTHON = {"PATH": "/nowhere"}
"""With it, an answer can only be the shell's own; without an answer the exit code is 7."""
SHELLS = [found for found in map(shutil.which, ("dash", "bash")) if found]


@pytest.fixture
def warm(signed_in: Machine) -> Machine:
    assert signed_in.run("credentials", ADMIN).code == 0
    return signed_in


def by_shell(machine: Machine, *words: str, **options: object) -> Done:
    return machine.run(*(words or ("credentials", ADMIN)), environ=NO_PYTHON, **options)


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_serves_it(warm: Machine, shell: str) -> None:
    command = [shell, *(["--posix"] if shell.endswith("bash") else []), str(warm.program)]
    done = by_shell(warm, command=command)
    assert done.code == 0 and done.out == warm.entry(ADMIN).read_text().split("\n")[0] + "\n"
    reader = by_shell(warm, "credentials", READER, command=command)
    assert reader.code == 7 and "python3" in reader.err


def move_aside(path: Path) -> Path:
    """The thing itself under another name, a link in its place: right owner, right content, wrong way."""
    kept = path.with_name("aside-" + path.name)
    path.rename(kept)
    path.symlink_to(kept)
    return kept


@pytest.mark.parametrize("which", ["top", "pass", "broker", "entry", "now"])
def test_a_link_in_the_place_of_a_file_or_folder_is_not_followed(warm: Machine, which: str) -> None:
    places = {
        "top": warm.cache,
        "pass": warm.cache / "pass",
        "broker": warm.passes,
        "entry": warm.entry(ADMIN),
        "now": warm.cache / "now",
    }
    assert by_shell(warm).code == 0
    move_aside(places[which])
    assert by_shell(warm).code == 7
    if which != "now":
        assert warm.python("credentials", ADMIN).code == 7


def test_a_link_above_the_helpers_folders_is_the_persons_own_affair(warm: Machine) -> None:
    move_aside(warm.home / ".cache")
    assert by_shell(warm).code == 0


if os.geteuid() == 0:  # only root can make a file another's; test_platforms has the rule for everybody

    @pytest.mark.parametrize("which", ["top", "pass", "broker", "entry"])
    def test_what_belongs_to_another_is_refused(warm: Machine, which: str) -> None:
        path = {
            "top": warm.cache,
            "pass": warm.cache / "pass",
            "broker": warm.passes,
            "entry": warm.entry(ADMIN),
        }[which]
        os.chown(path, SOMEBODY, SOMEBODY)
        assert by_shell(warm).code == 7
        done = warm.run("credentials", ADMIN)
        assert (done.code, done.out) == (7, "") and "another user" in done.err
        assert warm.python("credentials", ADMIN).code == 7


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_what_others_can_read_is_refused_by_python(warm: Machine, mode: int) -> None:
    warm.entry(ADMIN).chmod(mode)
    os.utime(warm.entry(ADMIN), (0, 0))  # old: the shell asks Python
    done = warm.run("credentials", ADMIN)
    assert (done.code, done.out) == (7, "") and "chmod 600" in done.err
    os.utime(warm.entry(ADMIN), (time.time() + 900, time.time() + 900))
    assert warm.python("credentials", ADMIN).code == 7


def test_a_folder_that_others_can_enter_is_refused_by_python(warm: Machine) -> None:
    warm.passes.chmod(0o750)
    done = warm.python("credentials", ADMIN)
    assert done.code == 7 and "chmod 700" in done.err


def test_an_entry_that_is_cut_short_is_not_printed(warm: Machine) -> None:
    whole = warm.entry(ADMIN).read_bytes()
    renewal = warm.entry(ADMIN).stat().st_mtime
    for length in (0, 1, 100, whole.index(b"}\n"), whole.index(b"}\n") + 1, len(whole) - 1):
        warm.entry(ADMIN).write_bytes(whole[:length])
        os.utime(warm.entry(ADMIN), (renewal, renewal))
        assert by_shell(warm).out in ("",), length


def test_an_entry_that_is_not_ours_in_form_is_not_printed(warm: Machine) -> None:
    renewal = warm.entry(ADMIN).stat().st_mtime
    for text in (
        '{"Version": 2, "x": 1}\na\nb\nc\nd\ne\n',
        "hello\na\nb\nc\nd\ne\n",
        '{"Version": 1, \na\nb\nc\nd\ne\n',
    ):
        warm.entry(ADMIN).write_text(text)
        os.utime(warm.entry(ADMIN), (renewal, renewal))
        assert by_shell(warm).out == ""
        assert warm.python("credentials", ADMIN).document["Version"] == 1  # fetched anew


def test_what_is_due_goes_to_python(warm: Machine) -> None:
    os.utime(warm.entry(ADMIN), (time.time() - 1, time.time() - 1))
    assert by_shell(warm).code == 7


def test_a_changed_configuration_is_read_first(warm: Machine) -> None:
    time.sleep(0.02)
    warm.configure("# nothing\n")
    assert by_shell(warm).code == 7
    assert warm.run("credentials", ADMIN).code == 0
    assert by_shell(warm).code == 0
    assert warm.python("credentials", ADMIN).code == 0
    time.sleep(0.02)
    warm.configure("cash = off\n")
    assert warm.run("credentials", ADMIN).code == 7
    assert "did you mean `cache`" in warm.run("credentials", ADMIN).err


def test_another_broker_is_another_cache(warm: Machine) -> None:
    other = {"DAYPASS_URL": "https://other.example.com"}
    assert warm.run("credentials", ADMIN, environ={**NO_PYTHON, **other}).code == 7
    assert warm.run("credentials", ADMIN, environ={**NO_PYTHON, "DAYPASS_URL": warm.url}).code == 0
    assert warm.run("--url", "https://other.example.com", "credentials", ADMIN).code == 3


def test_a_copy_that_does_not_know_its_broker_finds_it(tmp_path: Path, broker: Broker) -> None:
    machine = Machine(tmp_path, None)
    assert "daypass login https://" in machine.run("credentials", ADMIN).err
    assert machine.run("login", broker.url).code == 0
    machine.url = broker.url
    first = machine.run("credentials", ADMIN)
    assert first.code == 0
    assert by_shell(machine).out == first.out
    time.sleep(0.02)
    machine.configure("url = https://other.example.com\n")
    assert by_shell(machine).code == 7
    assert machine.run("credentials", ADMIN).code == 3
    assert by_shell(machine).code == 7


ODD = [
    "arn:aws:iam::111122223333:role/../../../secret",
    "arn:aws:iam::111122223333:role/a b",
    "arn:aws:iam::111122223333:role/$(touch owned)",
    "arn:aws:iam::111122223333:role/`touch owned`",
    "arn:aws:iam::111122223333:role/a;b",
    "arn:aws:iam::111122223333:role/a!b",
    "arn:aws:iam::111122223333:role/a~b",
    "arn:aws:iam::111122223333:role/'\"\\",
    "arn:aws:iam::111122223333:role/*",
    "arn:aws:iam::111122223333:role//",
    "arn:aws:iam::111122223333:role/" + "p" * 500,
    "arn:aws:iam::111122223333:role/\N{LATIN SMALL LETTER E WITH ACUTE}",
    "arn:aws-us-gov:iam::111122223333:role/w/x/y=z,@+.-_",
]


def test_odd_names_have_a_file_each_in_the_folder(tmp_path: Path) -> None:
    names = [cache.name_of(arn) for arn in ODD]
    assert (
        len({*names, cache.name_of(ADMIN), cache.name_of(READER), cache.name_of(ADMIN, 900)}) == len(ODD) + 3
    )
    for name in names:
        assert "/" not in name and name not in (".", "..") and len(name.encode()) < 220 and ":" not in name


@pytest.mark.parametrize("arn", ODD)
def test_an_odd_name_runs_nothing_and_reads_nothing_else(warm: Machine, arn: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    for _ in range(2):
        done = warm.run("credentials", arn, cwd=tmp_path / "elsewhere")
        assert (done.code == 0 and done.document["Version"] == 1) or (done.code in (2, 4) and done.out == "")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert list(warm.cache.rglob("owned")) == []


def test_a_name_that_spells_anothers_file_is_not_given_that(warm: Machine) -> None:
    arn = "arn:aws:iam::111122223333:role/a/b"
    assert warm.run("credentials", arn).code == 0
    assert by_shell(warm, "credentials", arn).code == 0
    assert by_shell(warm, "credentials", arn.replace("/a/b", "/a!b")).code == 7


def test_pythons_environment_and_the_current_folder_do_not_count(signed_in: Machine, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in ("json", "os", "daypass", "argparse", "sitecustomize", "time", "zlib"):
        (trap / f"{name}.py").write_text("raise SystemExit('trapped')\n")
    traps = {
        "PYTHONPATH": str(trap),
        "PYTHONHOME": str(trap),
        "PYTHONSTARTUP": str(trap / "os.py"),
        "PYTHONINSPECT": "1",
    }
    for name in (".cache/daypass/code",):
        shutil.rmtree(signed_in.home / name)
    done = signed_in.run("credentials", ADMIN, environ=traps, cwd=trap)
    assert done.code == 0, done
    assert signed_in.python("credentials", ADMIN, environ=traps, cwd=trap).out == done.out
    assert by_shell(signed_in, cwd=trap).out == done.out


def test_exec_from_a_warm_cache_is_the_shells_alone(warm: Machine) -> None:
    program = "import os, sys; print([os.environ.get(name) for name in sys.argv[1:]])"
    names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"]
    cleared = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN"]
    command = ("exec", ADMIN, "--", sys.executable, "-c", program, *names, *cleared, "a b", "*")
    given = {**NO_PYTHON, **dict.fromkeys(cleared, "old"), "a b": "kept"}
    done = warm.run(*command, environ=given)
    document = warm.run("credentials", ADMIN).document
    values = [document[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")]
    assert eval(done.out)[:7] == [*values, None, None, None]
    slow = warm.run(*command, environ={**given, "DAYPASS_URL": warm.url + "/", "PATH": warm.environ["PATH"]})
    assert eval(slow.out)[:7] == eval(done.out)[:7]


def test_exec_changes_no_other_variable(warm: Machine) -> None:
    letters = {letter: letter for letter in "abcdefghijklmnopqrstuvwxyz"}
    program = (
        "import os; print(sorted(name for name in os.environ if len(name) == 1 and os.environ[name] == name))"
    )
    done = warm.run("exec", ADMIN, "--", sys.executable, "-c", program, environ={**letters, **NO_PYTHON})
    assert eval(done.out) == sorted(letters)
    names = warm.run(
        "exec", ADMIN, "--", sys.executable, "-c", "import os; print(*os.environ)", environ=NO_PYTHON
    ).out
    assert "dp_" not in names


def test_exec_sets_the_region_of_the_configuration(warm: Machine) -> None:
    time.sleep(0.02)
    warm.configure("region = eu-north-1\n")
    command = ("exec", ADMIN, "--", sys.executable, "-c", "import os; print(os.environ['AWS_REGION'])")
    assert warm.run("credentials", ADMIN).code == 0
    assert by_shell(warm, *command).out == "eu-north-1\n"
    assert warm.run(*command).out == "eu-north-1\n"


def test_exec_gives_the_programs_exit_code(warm: Machine) -> None:
    assert by_shell(warm, "exec", ADMIN, "--", "/bin/sh", "-c", "exit 42").code == 42
    assert by_shell(warm, "exec", ADMIN, "--", "/bin/sh", "-c", "kill -9 $$").code == -9


def test_a_program_that_is_not_there_is_python_to_explain(warm: Machine) -> None:
    done = warm.run("exec", ADMIN, "--", "no-such-program")
    assert done.code == 127 and "no-such-program" in done.err and "daypass" in done.err


def test_a_closed_stdout_ends_quietly(warm: Machine) -> None:
    for words in (("credentials", ADMIN), ("roles",)):
        with warm.start(*words, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.close()
            assert process.stderr is not None
            process.wait(60)
            assert "Traceback" not in process.stderr.read()
