"""Take one check out of a copy of the project and see which test fails: what such scripts have in common."""

from __future__ import annotations

import ast
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
MEMORY = 4 * 1024**3
"""Bytes: a check that is out may let a device be read without end."""
HANGS = "(hangs until killed)"
BROKEN = "(the tests cannot run)"


def raises(text: str) -> Iterator[tuple[str, str]]:
    """Each `raise` of a module: its words, and the module with `pass` in its place."""
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Raise) and node.exc is not None and node.end_lineno is not None:
            indent = " " * node.col_offset
            kept = [*lines[: node.lineno - 1], f"{indent}pass\n", *lines[node.end_lineno :]]
            yield said(node.exc), "".join(kept)


def said(refusal: ast.expr) -> str:
    """The words of a refusal as the operator reads them, with `…` for what is filled in."""
    if isinstance(refusal, ast.Call):
        name = ast.unparse(refusal.func)
        if refusal.args:
            words = re.sub(r"\{[^}]*\}", "…", ast.unparse(refusal.args[0]).removeprefix("f").strip("'\""))
            return f"{name}: {words}"
        return name
    return ast.unparse(refusal)


@contextmanager
def copied(*parts: str) -> Iterator[Path]:
    """A temporary folder with these files and folders of the project in it."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for part in parts:
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / part, folder / part)
        yield folder


@contextmanager
def instead(file: Path, source: str) -> Iterator[None]:
    """The file with another content meanwhile."""
    whole = file.read_text()
    file.write_text(source)
    try:
        yield
    finally:
        file.write_text(whole)


def failing(folder: Path, tests: Sequence[str], *, most: int, seconds: int) -> list[str]:
    """The first tests that fail there (`FILE::NAME`), HANGS or BROKEN; or nothing."""

    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    options = ["-q", f"--maxfail={most}", "--timeout=30", "--tb=no", "-p", "no:cacheprovider"]
    try:
        run = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=seconds,
            preexec_fn=bounded,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [HANGS]
    found = re.findall(r"^(?:FAILED|ERROR) (\S+?\.py(?:::.*?)?)(?: - .*)?$", run.stdout, re.MULTILINE)
    # 5: nothing was chosen to run.
    return found or ([] if run.returncode in (0, 5) else [BROKEN])


def row(*cells: str) -> None:
    """Print a row of the table."""
    print("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |", flush=True)
