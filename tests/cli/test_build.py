"""The one file: valid for both readers, the same each time, unpacked where only its owner can write."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli import build as builder
from cli.build import ROOT, build, without_talk
from tests.cli.machine import Machine

URL = "https://daypass.example.com"
SOURCES = sorted((ROOT / "daypass").rglob("*.py"))


def test_the_same_sources_give_the_same_bytes() -> None:
    first = build(URL)
    builder._payload.cache_clear()
    assert build(URL) == first
    assert build(URL + "/") == first
    assert build(None) != first


def test_it_is_small_enough_to_read_at_each_start() -> None:
    assert len(build(URL)) < 120_000


@pytest.mark.parametrize(
    "path", [*SOURCES, ROOT / "first.py", ROOT / "loader.py"], ids=lambda path: path.name
)
def test_python_3_9_can_read_it(path: Path) -> None:
    source = path.read_text("utf-8")
    ast.parse(source, feature_version=(3, 9))
    ast.parse(without_talk(source), feature_version=(3, 9))
    if path.parent != ROOT and "def " in source:
        assert "from __future__ import annotations" in source  # `X | None` is a 3.10 expression


def test_the_whole_file_is_python_without_warnings() -> None:
    check = "import sys, warnings; warnings.simplefilter('error'); compile(sys.stdin.buffer.read(), 'daypass', 'exec')"
    subprocess.run([sys.executable, "-c", check], input=build(URL), check=True)


def test_the_prelude_is_a_text_to_python_and_a_program_to_the_shell() -> None:
    prelude = (ROOT / "prelude.sh").read_text()
    assert prelude.startswith("#!/bin/sh\n''':'\n") and prelude.endswith("'''\n")
    assert "\\" not in prelude and prelude.count("'''") == 2
    for shell in filter(None, map(shutil.which, ("dash", "bash"))):
        subprocess.run([shell, "-n"], input=prelude.removesuffix("'''\n").encode(), check=True)


@pytest.mark.parametrize(
    "url", ["javascript:x", "https://a'b", "https://a b", "https://a\nb", "ftp://a", "https://a?x"]
)
def test_only_an_address_is_baked_in(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        build(url)


def test_taking_the_talk_away_changes_no_program() -> None:
    source = 'def a():\n    """Talk."""\n\n\nclass B:\n    """Talk\n    more."""\n'
    source += '    x = """a\n\n# kept\n"""  # gone\n    """Talk."""\n'
    told = without_talk(source)
    assert "Talk" not in told and "gone" not in told and "# kept" in told
    space: dict[str, object] = {}
    exec(told, space)
    assert space["B"].x == "a\n\n# kept\n"  # type: ignore[attr-defined]
    assert space["a"]() is None  # type: ignore[operator]


def test_a_damaged_download_says_so(tmp_path: Path) -> None:
    machine = Machine(tmp_path, URL, new=True)
    content = machine.program.read_bytes()
    machine.program.write_bytes(content[:-2000] + b"x" + content[-1999:])
    done = machine.run("--version")
    assert done.code == 7 and "damaged" in done.err and "Traceback" not in done.err


def test_it_is_unpacked_for_its_owner_only(tmp_path: Path) -> None:
    machine = Machine(tmp_path, URL, new=True)
    assert machine.run("--version", preexec_fn=lambda: os.umask(0)).out == "daypass 0.1.0\n"
    folder = next((machine.cache / "code").iterdir())
    for path in (machine.cache, machine.cache / "code", folder, *folder.rglob("*")):
        if "__pycache__" not in path.parts:  # Python's own way with modes, behind our folders
            assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o755])
def test_a_package_that_others_could_have_changed_is_not_run(tmp_path: Path, mode: int) -> None:
    machine = Machine(tmp_path, URL, new=True)
    machine.run("--version")
    folder = next((machine.cache / "code").iterdir())
    (folder / "daypass" / "main.py").write_text("raise SystemExit('trapped')\n")
    assert "trapped" in machine.run("--version").err
    folder.chmod(mode)
    assert machine.run("--version").out == "daypass 0.1.0\n"


def test_a_package_behind_a_link_is_not_run(tmp_path: Path) -> None:
    machine = Machine(tmp_path, URL, new=True)
    machine.run("--version")
    folder = next((machine.cache / "code").iterdir())
    (folder / "daypass" / "main.py").write_text("raise SystemExit('trapped')\n")
    moved = folder.rename(tmp_path / "moved")
    folder.symlink_to(moved)
    assert machine.run("--version").out == "daypass 0.1.0\n"


def test_without_a_place_to_unpack_it_runs_from_memory(tmp_path: Path) -> None:
    machine = Machine(tmp_path, URL, new=True)
    (machine.home / ".cache").write_text("a file where the cache would be")
    assert machine.run("--version").out == "daypass 0.1.0\n"
    assert machine.run("--version", environ={"HOME": ""}).out == "daypass 0.1.0\n"
    assert machine.run("whoami", environ={"HOME": ""}).code == 7


def test_what_was_not_used_for_long_is_cleared_away(tmp_path: Path) -> None:
    machine = Machine(tmp_path, URL, new=True)
    code = machine.cache / "code"
    for name, days in (("old", 40), ("young", 3), ("killed.123", 1), ("running.124", 0)):
        (code / name).mkdir(parents=True, mode=0o700)
        then = (code / name).stat().st_mtime - days * 86_400
        os.utime(code / name, (then, then))
    for folder in (machine.home / ".cache", machine.cache, code):
        folder.chmod(0o700)
    machine.run("--version")
    assert {path.name for path in code.iterdir()} > {"young", "running.124"}
    assert len(list(code.iterdir())) == 3


def test_pip_installs_the_same_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-cache-dir"]
    source = tmp_path / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([*command, "--prefix", str(tmp_path / "made"), str(source)], check=True)
    installed = next((tmp_path / "made").rglob("bin/daypass"))
    assert installed.read_bytes() == build(None) and os.access(installed, os.X_OK)
    assert "%~dp0daypass" in installed.with_name("daypass.cmd").read_text()
