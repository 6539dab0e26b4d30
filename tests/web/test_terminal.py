"""The helper as it is served, and the page with the one paste."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

from app.model import Entitlement
from app.web import helper
from app.web.portal.terminal import profile_names, unix, windows_powershell
from tests.web.builders import BASE, HTTPS, ROLES, World, https_settings, role

CLI = Path(helper.__file__).parents[2] / "cli" / "daypass"
WINDOWS = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"}


def cli_module(name: str):
    """One of the helper's modules that stands alone."""
    spec = importlib.util.spec_from_file_location(f"helper_{name}", CLI / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def served(world: World | None = None) -> bytes:
    return (world or World()).browser.get("/cli/daypass").data


# --- the file ---------------------------------------------------------------------------------------


def test_the_helper_is_one_file_that_knows_its_broker():
    answer = World().browser.get("/cli/daypass")
    assert (answer.status_code, answer.content_type) == (200, "application/octet-stream")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="daypass"'
    assert answer.data.startswith(b"#!/bin/sh\n")
    assert BASE.encode() in answer.data
    ast.parse(answer.data)
    elsewhere = served(World(settings=https_settings()))
    assert HTTPS.encode() in elsewhere and BASE.encode() not in elsewhere


def test_the_checksum_is_that_of_the_file_in_sha256sums_form(tmp_path):
    world = World()
    line = world.browser.get("/cli/daypass.sha256").text
    assert line == f"{hashlib.sha256(served(world)).hexdigest()}  daypass\n"
    (tmp_path / "daypass").write_bytes(served(world))
    checked = subprocess.run(["sha256sum", "-c"], input=line, text=True, cwd=tmp_path, capture_output=True)
    assert checked.returncode == 0


@pytest.mark.parametrize("path", ["/cli/daypass", "/cli/daypass.sha256"])
def test_a_copy_is_asked_about_each_time_and_not_sent_again(path):
    world = World()
    first = world.browser.get(path)
    assert first.headers["Cache-Control"] == "no-cache"
    again = world.browser.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    other = World(settings=https_settings()).browser.get(path)
    assert other.headers["ETag"] != first.headers["ETag"]
    head = world.browser.head(path)
    assert (head.status_code, head.data, head.headers["ETag"]) == (200, b"", first.headers["ETag"])


def test_the_same_release_serves_the_same_bytes():
    first = served()
    helper._built.cache_clear()
    assert served() == first


def test_an_installation_without_it_says_so(monkeypatch):
    monkeypatch.setattr(helper, "_SOURCE", Path("/nowhere/cli/build.py"))
    helper._built.cache_clear()
    helper._build.cache_clear()
    try:
        world = World()
        world.signed_in()
        for path in ("/cli/daypass", "/cli/daypass.sha256", "/terminal"):
            assert world.browser.get(path).status_code == 503
        assert world.browser.get("/").status_code == 200
    finally:
        helper._build.cache_clear()


# --- the page ---------------------------------------------------------------------------------------


def page(headers: dict[str, str] | None = None, entitlements=None) -> str:
    world = World()
    world.signed_in()
    if entitlements is not None:
        world.broker.entitlements = entitlements
    return unescape(world.browser.get("/terminal", headers=headers or {}).text)


def test_both_pastes_are_there_with_the_checksum_and_the_likely_one_is_chosen():
    sha256 = hashlib.sha256(served()).hexdigest()
    for headers, chosen in (({}, "unix"), (WINDOWS, "windows"), ({"User-Agent": "Macintosh"}, "unix")):
        shown = page(headers)
        assert re.findall(r'value="(\w+)" checked', shown) == [chosen]
        assert unix(BASE, sha256) in shown
        assert windows_powershell(BASE, sha256) in shown
        assert f'<code id="sha256">{sha256}</code>' in shown


def test_the_profiles_are_those_of_my_roles_as_the_helper_writes_them():
    shown = page()
    config = cli_module("awsconfig")
    roles = cli_module("profiles").profiles(ROLES, ["/home/ana/.local/bin/daypass"], "linux")
    written = config.put_together(config.take_apart(b""), [(one.name, one.settings) for one in roles], b"\n")
    expected = written.decode().strip().replace("/home/ana/", "/…/")
    assert expected in shown
    assert "your 3 roles" in shown


@pytest.mark.parametrize(
    "roles",
    [
        ROLES,
        (role("A b", account_name="Prod & co"), role("A-b", account_name="Prod-co")),
        (role(), role(account="222222222222"), role(account="333333333333", account_name="")),
        (role("!!", "1" * 12, "++"), role("R", "1" * 12, "é"), role("R", "1" * 12, "ü")),
    ],
)
def test_names_of_profiles_are_the_helpers_own(roles):
    assert profile_names(roles) == cli_module("profiles").named(roles)


def test_many_roles_are_counted_and_not_all_shown():
    many = tuple(Entitlement(role(f"R{n}", account_name="prod")) for n in range(120))
    shown = page(entitlements=many)
    assert shown.count("[profile ") == 2 * 50
    assert "And 70 more" in shown


def test_without_a_role_the_page_still_helps():
    shown = page(entitlements=())
    assert "no profile yet" in shown
    assert "[profile " not in shown
    assert "daypass whoami" in shown


# --- the paste for a shell, run as it is --------------------------------------------------------------

HELPER = b'#!/bin/sh\necho "daypass $*" >>"$RAN"\n'


def paste(tmp_path: Path, shell: str, text: str, path: str = os.environ["PATH"]) -> tuple[int, str, Path]:
    """Exit status, what the helper was called with, the home folder."""
    home, tools = tmp_path / "home with blanks", tmp_path / "tools"
    home.mkdir()
    tools.mkdir()
    (tools / "curl").write_text(
        '#!/bin/sh\n[ "$1" = -fsSo ] && [ "$3" = "http://localhost:8000/cli/daypass" ] && cp "$SERVED" "$2"\n'
    )
    (tools / "curl").chmod(0o755)
    (tmp_path / "served").write_bytes(HELPER)
    environ = {
        "HOME": str(home),
        "PATH": f"{tools}:{path}",
        "SERVED": str(tmp_path / "served"),
        "RAN": str(tmp_path / "ran"),
    }
    done = subprocess.run([shutil.which(shell), "-c", text], env=environ, capture_output=True, cwd=tmp_path)
    ran = tmp_path / "ran"
    return done.returncode, ran.read_text() if ran.exists() else "", home


SHELLS = [shell for shell in ("sh", "bash", "zsh", "fish") if shutil.which(shell)]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_paste_fetches_checks_signs_in_and_configures(tmp_path, shell):
    text = unix(BASE, hashlib.sha256(HELPER).hexdigest())
    status, ran, home = paste(tmp_path, shell, text)
    assert (status, ran) == (0, "daypass login\ndaypass configure\n")
    assert (home / ".local/bin/daypass").read_bytes() == HELPER
    assert os.access(home / ".local/bin/daypass", os.X_OK)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_download_that_differs_is_not_run(tmp_path, shell):
    status, ran, home = paste(tmp_path, shell, unix(BASE, "0" * 64))
    assert status != 0
    assert ran == ""
    assert not (home / ".local/bin/daypass").exists()


def test_the_paste_checks_with_shasum_where_there_is_no_sha256sum(tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    for name in ("sh", "mkdir", "mv", "chmod", "cp"):
        (few / name).symlink_to(shutil.which(name))
    (few / "shasum").write_text(
        f'#!/bin/sh\n[ "$1 $2" = "-a 256" ] && exec {shutil.which("sha256sum")} "$3"\n'
    )
    (few / "shasum").chmod(0o755)
    for sha256, ran in (
        (hashlib.sha256(HELPER).hexdigest(), "daypass login\ndaypass configure\n"),
        ("0" * 64, ""),
    ):
        folder = tmp_path / sha256[:8]
        folder.mkdir()
        assert paste(folder, "sh", unix(BASE, sha256), str(few))[1] == ran


def test_the_paste_for_windows_stops_at_a_wrong_checksum_and_quotes_its_paths():
    text = windows_powershell(HTTPS, "ab" * 32)
    assert text.startswith("& {\n  $ErrorActionPreference = 'Stop'\n") and text.endswith("\n}")
    lines = text.splitlines()
    checked = next(n for n, line in enumerate(lines) if "Get-FileHash" in line and "ab" * 32 in line)
    moved = next(n for n, line in enumerate(lines) if "Move-Item" in line)
    assert "throw" in lines[checked] and checked < moved
    assert f"'{HTTPS}/cli/daypass'" in text


def test_the_helper_starts_on_this_python(tmp_path):
    (tmp_path / "daypass").write_bytes(served())
    asked = [sys.executable, "-I", "-S", str(tmp_path / "daypass"), "--help"]
    done = subprocess.run(asked, env={"HOME": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 0
    assert "login" in done.stdout
