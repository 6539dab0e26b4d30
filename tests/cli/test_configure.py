"""`configure`: only our block changes; what stands in it works for botocore, `sh -c` and the AWS SDKs' other ways."""

from __future__ import annotations

import configparser
import io
import os
import shlex
import stat
import subprocess
import threading
from pathlib import Path
from typing import Any

import botocore.compat
import botocore.configloader
import botocore.session
import pytest

from daypass import awsconfig, instep, profiles, roles, settings
from daypass.errors import Local
from tests.cli.contexts import Terminal, context, token_of
from tests.cli.fake_broker import ADMIN, READER, Broker
from tests.cli.machine import Machine

PROGRAM = ["/opt/day pass/daypass"]
ENTRY = [("a", [("credential_process", "x"), ("region", "eu-west-1")])]


def role(account_name: str, name: str, account: str = "111122223333") -> roles.Role:
    return roles.Role(f"arn:aws:iam::{account}:role/{name}", account, account_name, name)


def config(machine: Machine) -> Path:
    return machine.home / ".aws" / "config"


def write(machine: Machine, content: bytes) -> Path:
    path = config(machine)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


# --- the file, as bytes ------------------------------------------------------------------------------

KEPT = {
    "nothing": b"",
    "plain": b"[default]\nregion = eu-west-1\n",
    "no last newline": b"[default]\nregion = eu-west-1",
    "two blank lines": b"[default]\nregion = eu-west-1\n\n\n",
    "CRLF": b"[default]\r\nregion = eu-west-1\r\n",
    "CRLF without the last": b"[default]\r\nregion = eu-west-1",
    "mixed": b"[default]\r\nregion=eu-west-1\n\tx = y \n",
    "tabs and comments": b"# mine\n[profile x]\n\ts3 =\n\t\taddressing_style = path\n; end\n",
    "byte order mark": b"\xef\xbb\xbf[default]\nregion = eu-west-1\n",
    "only a mark": b"\xef\xbb\xbf",
    "not UTF-8": b"[profile caf\xe9]\nregion = eu-west-1\n",
}


@pytest.mark.parametrize("name", list(KEPT))
def test_a_first_block_leaves_what_was_there_byte_for_byte(name: str) -> None:
    before = KEPT[name]
    made = awsconfig.put_together(awsconfig.take_apart(before), ENTRY, b"\n")
    assert made.startswith(before)
    parts = awsconfig.take_apart(made)
    assert parts.block is not None
    assert parts.before.strip() == before.strip()
    assert (b"\r\n" in parts.block) == before.startswith(b"[default]\r\n")


@pytest.mark.parametrize(
    "after", [b"", b"[profile z]\nregion = x", b"\r\n# end\r\n[profile z]\r\n", b"\n\n\n"]
)
@pytest.mark.parametrize("name", list(KEPT))
def test_a_changed_block_leaves_both_sides_byte_for_byte(name: str, after: bytes) -> None:
    first = awsconfig.put_together(awsconfig.take_apart(KEPT[name]), ENTRY, b"\n") + after
    parts = awsconfig.take_apart(first)
    made = awsconfig.put_together(parts, [("b", [("k", "v")])], b"\n")
    assert made.startswith(parts.before + b"# >>> daypass")
    assert made.endswith(b"# <<< daypass" + (b"\r\n" if b"\r\n" in (parts.block or b"") else b"\n") + after)
    assert b"[profile a]" not in made
    assert awsconfig.put_together(awsconfig.take_apart(made), ENTRY, b"\n") == first


def test_a_block_whose_end_is_the_files_end_keeps_its_missing_newline() -> None:
    text = b"# >>> daypass\n# <<< daypass"
    assert awsconfig.put_together(awsconfig.take_apart(text), ENTRY, b"\n").endswith(b"\n# <<< daypass")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"# >>> daypass\n", "line 1"),
        (b"[a]\n# <<< daypass\n", "line 2"),
        (b"# <<< daypass\n# >>> daypass\n", "line 1, 2"),
        (b"# >>> daypass\n# <<< daypass\n# >>> daypass\n# <<< daypass\n", "line 1, 2, 3, 4"),
        (b"# >>> daypass\n[profile a]\n# <<< daypass\n\n# note\nregion = x\n", "line 6"),
        ("[default]\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_file_that_is_unclear_is_not_touched_and_the_line_is_named(text: bytes, words: str) -> None:
    with pytest.raises(awsconfig.Unclear, match=words):
        awsconfig.take_apart(text)


def test_names_outside_are_found_as_tools_read_them() -> None:
    text = (
        b"[default]\n[profile plain]\n[profile 'quoted one']\n[ profile\ttabs ] ; note\n[sso-session s]\n"
        b"[preview]\n# [profile comment]\n[profile two words]\n"
    )
    assert awsconfig.take_apart(text).names_outside() == {
        "default": 1,
        "plain": 2,
        "quoted one": 3,
        "tabs": 4,
    }
    block = b"# >>> daypass\n[profile ours]\n# <<< daypass\n"
    assert awsconfig.take_apart(b"[profile a]\n" + block + b"[profile b]\n").names_outside() == {
        "a": 1,
        "b": 5,
    }


def test_the_diff_hides_keys_that_stand_near() -> None:
    old = b"[profile a]\naws_secret_access_key = wJalrXUtnFEMI\n"
    new = awsconfig.put_together(awsconfig.take_apart(old), ENTRY, b"\n")
    told = awsconfig.difference(old, new, "config")
    assert "wJalrXUtnFEMI" not in told
    assert " aws_secret_access_key = (hidden)\n" in told
    assert "+[profile a]\n" in told


# --- names and lines --------------------------------------------------------------------------------


def test_names_are_account_and_role_in_letters_that_every_sdk_reads() -> None:
    given = [
        role("production", "Admin"),
        role("Big Data (EU)", "Read=Only,x"),
        role("é", "R", "444455556666"),
    ]
    assert list(profiles.named(given)) == ["production-Admin", "Big-Data-EU-Read-Only-x", "R"]
    assert list(profiles.named(given, "acme.")) == [
        "acme.production-Admin",
        "acme.Big-Data-EU-Read-Only-x",
        "acme.R",
    ]


def test_two_roles_of_one_name_are_told_apart_by_number_whatever_their_order() -> None:
    one, other = role("prod", "Admin"), role("prod", "Admin", "444455556666")
    both = {one.arn: "111122223333-Admin", other.arn: "444455556666-Admin"}
    for order in ([one, other], [other, one]):
        assert {arn: name for name, arn in profiles.named(order).items()} == both
    paths = [
        roles.Role(f"arn:aws:iam::111122223333:role/{path}Admin", "111122223333", "p", "Admin")
        for path in ("a/", "b/")
    ]
    assert list(profiles.named(paths)) == ["111122223333-Admin", "111122223333-Admin-2"]


def test_the_line_means_the_same_to_botocore_and_to_a_shell() -> None:
    line = profiles.process(["/opt/day pass (x64) & co/it's/daypass"], "linux", ADMIN)
    wanted = ["/opt/day pass (x64) & co/it's/daypass", "credentials", ADMIN]
    assert shlex.split(line) == wanted
    shown = subprocess.run(["sh", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines() == wanted


def test_the_line_for_windows_is_what_botocore_splits_there() -> None:
    python, helper = "C:\\Program Files\\Python\\python.exe", "C:\\Users\\ana\\bin\\daypass"
    line = profiles.process([python, "-I", "-S", helper], "windows", ADMIN)
    assert botocore.compat.compat_shell_split(line, "win32") == [
        python,
        "-I",
        "-S",
        helper,
        "credentials",
        ADMIN,
    ]


@pytest.mark.parametrize(
    ("path", "platform"),
    [
        ("/a$HOME/daypass", "linux"),
        ("/a`id`/daypass", "linux"),
        ('/a"b/daypass', "linux"),
        ("/a\\b/daypass", "linux"),
        ("/a\nb/daypass", "macos"),
        ("/a #b/daypass", "linux"),
        ("/a ;b/daypass", "linux"),
        ("bin/daypass", "linux"),
        ("~/bin/daypass", "linux"),
        ("C:\\a%PATH%\\daypass", "windows"),
        ("C:\\Users\\Jos\u00e9\\daypass", "windows"),
        ("daypass", "windows"),
    ],
)
def test_a_path_that_is_read_in_different_ways_is_refused(path: str, platform: str) -> None:
    with pytest.raises(profiles.Unsafe):
        profiles.process([path], platform, ADMIN)


@pytest.mark.parametrize(
    "more", [{"prefix": "a b"}, {"prefix": "x]"}, {"region": "eu-west-1\nx = y"}, {"region": "europe"}]
)
def test_a_prefix_or_region_that_would_break_the_file_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(profiles.Unsafe):
        profiles.profiles([role("a", "b")], PROGRAM, "linux", **more)


# --- the command ------------------------------------------------------------------------------------


def test_botocore_reads_the_file_and_gets_credentials_by_it(
    signed_in: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile as it stands there, run by botocore itself."""
    write(signed_in, b"[default]\nregion = us-east-1")
    assert signed_in.run("configure", "--yes", "--region", "eu-west-1").code == 0
    loaded = botocore.configloader.load_config(str(config(signed_in)))["profiles"]
    assert sorted(loaded) == ["default", "production-Admin", "staging-Reader"]
    assert loaded["default"] == {"region": "us-east-1"}
    for name, value in {**signed_in.environ, "AWS_CONFIG_FILE": str(config(signed_in))}.items():
        monkeypatch.setenv(name, value)
    for name in [name for name in os.environ if name.startswith("AWS_") and name != "AWS_CONFIG_FILE"]:
        monkeypatch.delenv(name)
    found = botocore.session.Session(profile="staging-Reader")
    given = found.get_credentials()
    assert given.method == "custom-process"
    assert given.token.startswith(token_of(READER))
    assert found.get_config_variable("region") == "eu-west-1"


def test_a_helper_in_a_folder_with_blanks_works_by_its_profile(signed_in: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "it's a (new) folder & more"
    folder.mkdir()
    signed_in.program = signed_in.program.rename(folder / "daypass")
    signed_in.run("configure", "--yes")
    parser = configparser.RawConfigParser()
    parser.read(config(signed_in))
    line = parser["profile production-Admin"]["credential_process"]
    by_shell = subprocess.run(
        ["sh", "-c", line], env=signed_in.environ, capture_output=True, text=True, check=True
    )
    by_words = subprocess.run(
        shlex.split(line), env=signed_in.environ, capture_output=True, text=True, check=True
    )
    assert '"Version": 1' in by_shell.stdout
    assert by_words.stdout == by_shell.stdout


def test_a_dry_run_shows_the_change_and_makes_none(signed_in: Machine) -> None:
    path = write(signed_in, b"[default]\n")
    done = signed_in.run("configure", "--dry-run")
    assert done.code == 0
    assert f"--- {path}\n" in done.out
    assert "+[profile production-Admin]\n" in done.out
    assert path.read_bytes() == b"[default]\n"
    assert done.err == ""


def test_without_a_terminal_it_needs_a_yes(signed_in: Machine) -> None:
    done = signed_in.run("configure")
    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.err
    assert not config(signed_in).exists()


def test_a_second_time_changes_nothing_and_says_nothing(signed_in: Machine) -> None:
    signed_in.run("configure", "--yes")
    before = config(signed_in).stat()
    done = signed_in.run("configure")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert config(signed_in).stat().st_ino == before.st_ino


def test_new_files_are_their_owners_alone(signed_in: Machine) -> None:
    signed_in.run("configure", "--yes")
    assert stat.S_IMODE(config(signed_in).stat().st_mode) == 0o600
    assert stat.S_IMODE(config(signed_in).parent.stat().st_mode) == 0o700


def test_mode_and_link_stay_as_they_were(signed_in: Machine, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles-config"
    real.write_bytes(b"[default]\n")
    real.chmod(0o644)
    config(signed_in).parent.mkdir()
    config(signed_in).symlink_to(real)
    signed_in.run("configure", "--yes")
    assert config(signed_in).is_symlink()
    assert b"production-Admin" in real.read_bytes()
    assert stat.S_IMODE(real.stat().st_mode) == 0o644
    assert [path.name for path in tmp_path.iterdir() if "daypass-" in path.name] == []


def test_the_file_of_aws_config_file_is_the_one(signed_in: Machine) -> None:
    (signed_in.home / "elsewhere").mkdir()
    done = signed_in.run("configure", "--yes", environ={"AWS_CONFIG_FILE": "~/elsewhere/config"})
    assert done.code == 0
    assert (signed_in.home / "elsewhere" / "config").exists()
    assert not config(signed_in).exists()


def test_a_name_that_stands_outside_is_an_error_with_its_line(signed_in: Machine) -> None:
    path = write(signed_in, b"[default]\n\n[profile 'production-Admin']\n")
    done = signed_in.run("configure", "--yes")
    assert (done.code, done.out) == (7, "")
    assert f"{path}:3" in done.err
    assert "Run: daypass configure --prefix" in done.err
    assert path.read_bytes() == b"[default]\n\n[profile 'production-Admin']\n"
    assert signed_in.run("configure", "--yes", "--prefix", "dp-").code == 0
    assert b"[profile dp-production-Admin]" in path.read_bytes()


def test_a_name_in_the_credentials_file_would_win_and_is_an_error_too(signed_in: Machine) -> None:
    path = write(signed_in, b"").parent / "credentials"
    path.write_bytes(b"[other]\n[staging-Reader]\naws_access_key_id = AKIA\n")
    done = signed_in.run("configure", "--yes")
    assert done.code == 7
    assert f"{path}:2" in done.err
    assert path.read_bytes() == b"[other]\n[staging-Reader]\naws_access_key_id = AKIA\n"


def test_lost_roles_go_and_choices_are_remembered(signed_in: Machine, broker: Broker) -> None:
    signed_in.run("configure", "--yes", "--prefix", "w-", "--region", "eu-west-1")
    broker.roles = [each for each in broker.roles if each["arn"] != ADMIN]
    signed_in.run("configure", "--yes")
    text = config(signed_in).read_text()
    assert "w-staging-Reader" in text
    assert "region = eu-west-1" in text
    assert "production" not in text
    broker.roles = []
    signed_in.run("configure", "--yes")
    assert "[profile" not in config(signed_in).read_text()
    assert awsconfig.take_apart(config(signed_in).read_bytes()).block is not None


def test_remove_takes_the_block_and_nothing_else(signed_in: Machine) -> None:
    path = write(signed_in, b"[default]\nregion = x\n")
    signed_in.run("configure", "--yes")
    assert signed_in.run("configure", "--remove", "--yes").code == 0
    assert path.read_bytes() == b"[default]\nregion = x\n"


def test_sync_is_silent_and_makes_no_block_of_its_own(signed_in: Machine, broker: Broker) -> None:
    done = signed_in.run("configure", "--sync")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert not config(signed_in).exists()
    signed_in.run("configure", "--yes")
    broker.roles = broker.roles[1:]
    signed_in.run("roles")
    done = signed_in.run("configure", "--sync")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert b"production" not in config(signed_in).read_bytes()


def test_for_programs_it_tells_the_profiles_and_whether_it_wrote(signed_in: Machine) -> None:
    told = signed_in.run("configure", "--json").document
    assert (told["differs"], told["written"]) == (True, False)
    assert READER in told["profiles"]["staging-Reader"]
    assert signed_in.run("configure", "--json", "--yes").document["written"] is True
    assert signed_in.run("configure", "--json").document["differs"] is False


def test_an_unclear_file_is_left_alone_with_its_line_named(signed_in: Machine) -> None:
    path = write(signed_in, b"[default]\n# >>> daypass\n")
    done = signed_in.run("configure", "--yes")
    assert done.code == 7
    assert "line 2" in done.err
    assert path.read_bytes() == b"[default]\n# >>> daypass\n"


def test_a_change_by_another_program_meanwhile_is_not_written_over(signed_in: Machine) -> None:
    path = write(signed_in, b"[default]\n")
    here = context(signed_in)
    wanted = instep.plan(here, [role("a", "b")])
    path.write_bytes(b"[default]\nregion = theirs\n")
    with pytest.raises(Local, match="changed by another program"):
        instep.write(here, wanted)
    assert path.read_bytes() == b"[default]\nregion = theirs\n"


def test_many_at_once_leave_one_whole_file(signed_in: Machine) -> None:
    path = write(signed_in, b"[default]\n" * 1)
    done: list[int] = []
    threads = [
        threading.Thread(target=lambda: done.append(signed_in.run("configure", "--yes").code))
        for _ in range(6)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert set(done) <= {0, 7}
    assert 0 in done
    assert path.read_bytes().count(b"[profile production-Admin]") == 1
    assert [each.name for each in path.parent.iterdir()] == ["config"]


def test_a_full_disk_leaves_the_old_file(signed_in: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(signed_in, b"[default]\n")
    here = context(signed_in)
    wanted = instep.plan(here, [role("a", "b")])

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Local, match="cannot be written"):
        instep.write(here, wanted)
    assert path.read_bytes() == b"[default]\n"
    assert [each.name for each in path.parent.iterdir()] == ["config"]


# --- in step, later ---------------------------------------------------------------------------------


def say_after(machine: Machine, mine: list[roles.Role]) -> str:
    told = Terminal()
    instep.after(context(machine, stderr=told), mine)
    return told.getvalue()


def test_a_sign_in_says_in_a_line_that_the_block_is_not_in_step(signed_in: Machine) -> None:
    mine = [role("production", "Admin")]
    assert say_after(signed_in, mine) == ""  # nobody asked for profiles here
    instep.write(context(signed_in), instep.plan(context(signed_in), mine))
    assert say_after(signed_in, mine) == ""
    before = config(signed_in).read_bytes()
    told = say_after(signed_in, [*mine, role("sandbox", "Dev")])
    assert told.count("\n") == 1
    assert "daypass configure" in told
    assert config(signed_in).read_bytes() == before


def test_a_sign_in_puts_the_block_in_step_where_that_was_wished(signed_in: Machine) -> None:
    mine = [role("production", "Admin")]
    instep.write(context(signed_in), instep.plan(context(signed_in), mine))
    settings.remember(context(signed_in).paths, instep.SYNC, "sync")
    assert "put in step" in say_after(signed_in, [*mine, role("sandbox", "Dev")])
    assert b"[profile sandbox-Dev]" in config(signed_in).read_bytes()


def test_a_sign_in_is_never_spoilt_by_the_file(signed_in: Machine) -> None:
    path = write(signed_in, b"# >>> daypass\n")
    assert "is left as it is" in say_after(signed_in, [role("a", "b")])
    assert path.read_bytes() == b"# >>> daypass\n"


@pytest.mark.parametrize(
    ("answers", "wrote", "kept"), [("y\n\n", True, "sync"), ("y\nn\n", True, "tell"), ("\n", False, None)]
)
def test_a_person_is_shown_the_diff_then_asked(
    signed_in: Machine, answers: str, wrote: bool, kept: str | None
) -> None:
    import argparse

    from daypass.commands import configure

    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    told = Terminal()
    here = context(signed_in, stdin=Keyboard(answers), stderr=told)
    parser = argparse.ArgumentParser()
    configure.arguments(parser)
    assert configure.run(here, parser.parse_args([])) == 0
    shown = told.getvalue()
    assert shown.index("+[profile production-Admin]") < shown.index("[y/N]")
    assert config(signed_in).exists() is wrote
    assert settings.remembered(here.paths, instep.SYNC) == kept


def test_login_itself_puts_the_block_in_step(signed_in: Machine, broker: Broker) -> None:
    signed_in.run("configure", "--yes", "--keep")
    broker.roles = broker.roles[1:]
    assert signed_in.run("login").code == 0
    assert b"production" not in config(signed_in).read_bytes()
    assert b"staging-Reader" in config(signed_in).read_bytes()


def test_roles_itself_puts_the_block_in_step(signed_in: Machine, broker: Broker) -> None:
    signed_in.run("configure", "--yes", "--keep")
    broker.roles = broker.roles[:1]
    assert signed_in.run("roles").code == 0
    assert b"staging" not in config(signed_in).read_bytes()


def test_login_asks_for_no_roles_where_nobody_wanted_profiles(signed_in: Machine, broker: Broker) -> None:
    before = broker.asked["GET /v1/roles"]
    signed_in.run("login")
    assert broker.asked["GET /v1/roles"] == before
