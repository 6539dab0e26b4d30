"""Every shell reads back the value that was quoted for it."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import StsFailed
from app.model import Credentials
from app.web.portal import shells
from tests.web.builders import NOW, SECRET, TOKEN

VALUES = st.text(
    alphabet=st.characters(codec="utf-8", exclude_characters="\x00\r\n"), min_size=1, max_size=40
)


def credentials(**changes) -> Credentials:
    fields = {"access_key_id": "ASIA1", "secret_access_key": SECRET, "session_token": TOKEN, **changes}
    return Credentials(expiration=NOW + timedelta(hours=1), account="111122223333", **fields)


def read_bash(line: str) -> str:
    """POSIX single quotes, and a quote between them."""
    body = line.partition("=")[2]
    return "".join(
        re.findall(r"'([^']*)'|\\(')", body) and [a or b for a, b in re.findall(r"'([^']*)'|\\(')", body)]
    )


@given(VALUES)
def test_bash_reads_back_any_value(value):
    assert read_bash(shells.bash("X", value)) == value


@given(VALUES)
def test_fish_reads_back_any_value(value):
    body = shells.fish("X", value).removeprefix("set -gx X '").removesuffix("'")
    assert re.sub(r"\\(['\\])", r"\1", body) == value


@given(VALUES)
def test_powershell_reads_back_any_value(value):
    body = shells.powershell("X", value).removeprefix("$Env:X = '").removesuffix("'")
    assert re.sub("(['‘’‚‛])(['‘’‚‛])", r"\1", body) == value
    assert not re.search("(?<!['‘’‚‛])(?:['‘’‚‛]{2})*['‘’‚‛](?!['‘’‚‛])", body)


def test_a_real_shell_takes_what_was_made_for_bash():
    text = shells.bash("X", "a'b\"c$(id)`id`\\ d") + '\nprintf %s "$X"'
    shell = shutil.which("bash") or "sh"
    assert (
        subprocess.run([shell, "-c", text], capture_output=True, text=True, check=True).stdout
        == "a'b\"c$(id)`id`\\ d"
    )


def test_the_credentials_file_is_read_back_by_its_own_rules():
    made = next(item for item in shells.snippets(credentials(), "production-Admin") if item.id == "file")
    parser = configparser.RawConfigParser()
    parser.read_string(made.text)
    assert dict(parser["production-Admin"]) == {
        "aws_access_key_id": "ASIA1",
        "aws_secret_access_key": SECRET,
        "aws_session_token": TOKEN,
    }


@pytest.mark.parametrize("value", ["", "a b", "a%PATH%", 'a"b', "a\nb", "a'b", "$(id)", "é", "a&b"])
def test_what_no_aws_credential_can_be_is_refused(value):
    with pytest.raises(StsFailed):
        shells.snippets(credentials(session_token=value), "p")
    assert len(shells.snippets(credentials(), "p")) == 5


@pytest.mark.parametrize(
    ("account", "name", "profile"),
    [
        ("production", "Admin", "production-Admin"),
        ("My account!", "path/Role", "My-account-path-Role"),
        ("]\n[evil", "x", "evil-x"),
        ("é", "é", "daypass"),
    ],
)
def test_a_profile_name_needs_no_quoting(account, name, profile):
    assert shells.profile_name(account, name) == profile


def test_no_repr_shows_the_credentials():
    assert SECRET not in repr(shells.snippets(credentials(), "p"))
