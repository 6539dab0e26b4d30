"""The script for developers of mobile apps does what it says, and stays short enough to be read."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.demo.app.stand_in import StandIn
from tests.demo.aws.s3 import shipped_double

SCRIPT = Path(__file__).parents[3] / "demo" / "mobile.py"


@pytest.fixture
def broker():
    with shipped_double() as double, StandIn(double) as running:
        yield running


def run(broker, *arguments):
    environment = {**os.environ, "BROKER": broker.url, "S3": broker.double.url}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], env=environment, capture_output=True, text=True, timeout=60
    )


def test_it_puts_and_lists_ones_own_files(broker, tmp_path):
    file = tmp_path / "cat (1) é.txt"
    file.write_bytes(b"cat")
    done = run(broker, broker.signed_in("ana"), str(file))
    assert done.returncode == 0, done.stderr
    assert f"<Key>{broker.identities['ana']}/cat (1) é.txt</Key>" in done.stdout
    assert "<KeyCount>0</KeyCount>" in run(broker, broker.signed_in("ben")).stdout


def test_a_token_that_is_none_gives_nothing(broker):
    done = run(broker, "none")
    assert done.returncode == 1 and done.stdout == ""
    assert "The stand-in says" in done.stderr and "0123456789abcdef" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_token_it_says_what_it_wants():
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "TOKEN" in done.stderr and "Traceback" not in done.stderr


def test_it_is_forty_lines_of_code_on_the_standard_library():
    text = SCRIPT.read_text("utf-8")
    code = [
        line for line in text.splitlines() if line.strip() and not line.startswith(("import ", "from ", "#"))
    ]
    assert len(code) <= 42
    tree = ast.parse(text)
    names = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    names |= {
        node.module.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
    }
    assert names <= sys.stdlib_module_names
