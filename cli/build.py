"""The one file that people download: prelude for the shell, first lines for Python, loader and package as comments.

    python cli/build.py [URL] > daypass

The same sources and address give the same bytes.
"""

from __future__ import annotations

import ast
import base64
import functools
import hashlib
import io
import json
import re
import sys
import tokenize
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent
_ADDRESS = re.compile(r"https?://[A-Za-z0-9\[\]:._~/-]{1,140}", re.ASCII)


def build(base_url: str | None) -> bytes:
    """The helper as one file.

    Args:
        base_url: the address of the broker that serves it; None: the file does not know its broker.

    Raises:
        ValueError: that is no address.
    """
    url = (base_url or "").rstrip("/")
    if url and not _ADDRESS.fullmatch(url):
        raise ValueError(f"not a broker's address: {url[:100]!r}")
    payload = _payload()
    given = {
        "@URL@": url,
        "@KEY@": url.replace("/", "!").replace(":", ";"),
        "@DIGEST@": hashlib.sha256(payload).hexdigest()[:32],
    }
    text = (ROOT / "prelude.sh").read_text("utf-8") + without_talk((ROOT / "first.py").read_text("utf-8"))
    loader = base64.b64encode(
        zlib.compress(without_talk((ROOT / "loader.py").read_text("utf-8")).encode(), 9)
    )
    for name, value in given.items():
        text = text.replace(name, value)
    return text.encode("ascii") + b"\n#-" + loader + b"\n#=" + payload + b"\n"


@functools.cache
def _payload() -> bytes:
    return base64.b85encode(zlib.compress(json.dumps(sources(), sort_keys=True).encode(), 9))


def sources() -> dict[str, str]:
    """The package: a module's path → its source, without what only readers of the repository want."""
    return {
        path.relative_to(ROOT).as_posix(): without_talk(path.read_text("utf-8"))
        for path in sorted((ROOT / "daypass").rglob("*.py"))
    }


def without_talk(source: str) -> str:
    """The same program without comments, docstrings and empty lines: Python reads the whole file at each start."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip()
    tree = ast.parse(source)
    within: set[int] = set()  # rows of texts that go over several lines; nothing is taken away there
    for node in ast.walk(tree):
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and (node.end_lineno or 0) > node.lineno:
            within.update(range(node.lineno, (node.end_lineno or 0) + 1))
    for node in ast.walk(tree):
        for body in (getattr(node, name, None) for name in ("body", "orelse", "finalbody")):
            talk = [one for one in body if _is_talk(one)] if isinstance(body, list) else []
            for one in talk:
                rows = range(one.lineno, (one.end_lineno or one.lineno) + 1)
                within.difference_update(rows)
                for row in rows:
                    lines[row - 1] = ""
                if len(talk) == len(body):
                    lines[one.lineno - 1] = " " * one.col_offset + "0"
    return "".join(f"{line}\n" for row, line in enumerate(lines, 1) if line.strip() or row in within)


def _is_talk(statement: ast.stmt) -> bool:
    """True for a text that stands alone: a docstring, or one below a name."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


if __name__ == "__main__":
    sys.stdout.buffer.write(build(sys.argv[1] if len(sys.argv) > 1 else None))
