"""The AWS config file, as bytes: our marked block in it, and the names that stand outside.

What is not between the marks stays byte for byte: line endings, a missing last one, a byte order mark, tabs.
How SDKs read the file: botocore's `configloader` (sections by `configparser`, names by `shlex`), the
Go SDK's `internal/ini`, JavaScript's `shared-ini-file-loader`.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Sequence

BEGIN = b"# >>> daypass"
END = b"# <<< daypass"
NOTE = b"# Written by `daypass configure`; what is changed between these marks is lost."
_BOM = b"\xef\xbb\xbf"
_HEADER = re.compile(rb"\[([^\]]+)\]")
_SECRET = re.compile(r"^(.\s*aws_(?:secret_access_key|session_token)\s*[=:]\s*)\S.*$", re.IGNORECASE)


class Unclear(ValueError):
    """The file cannot be edited safely. The message says which line and why."""


class Parts:
    """A config file taken apart: what is before the block, the block, what is after it.

    `block` is None where there is none; then `after` is empty.
    """

    def __init__(self, before: bytes, block: bytes | None, after: bytes) -> None:
        self.before = before
        self.block = block
        self.after = after

    def names_outside(self) -> dict[str, int]:
        """Names of the profiles that are not ours, each with the number of its line."""
        found = {name: number for number, name in _profiles(self.before, 1)}
        start = 1 + len((self.before + (self.block or b"")).splitlines())
        for number, name in _profiles(self.after, start):
            found.setdefault(name, number)
        return found


def take_apart(data: bytes) -> Parts:
    """Finds the block.

    Raises:
        Unclear: marks without their partner, twice, or the wrong way round; a setting behind the block,
            which would belong to the last profile of ours; a file that is not text.
    """
    if b"\x00" in data:
        raise Unclear("it is not text that AWS tools can read (UTF-16?); save it as UTF-8")
    lines = data.splitlines(keepends=True)
    begins = [number for number, line in enumerate(lines) if _bare(line) == BEGIN]
    ends = [number for number, line in enumerate(lines) if _bare(line) == END]
    if not begins and not ends:
        return Parts(data, None, b"")
    if len(begins) != 1 or len(ends) != 1 or ends[0] < begins[0]:
        odd = ", ".join(str(number + 1) for number in sorted(begins + ends))
        raise Unclear(
            f"its marks do not match (line {odd}); there must be one `{BEGIN.decode()}` with one "
            f"`{END.decode()}` after it, or none"
        )
    first, last = begins[0], ends[0]
    for number in range(last + 1, len(lines)):
        text = _bare(lines[number])
        if _HEADER.match(text):
            break
        if text and text[:1] not in (b"#", b";"):
            raise Unclear(
                f"line {number + 1} is a setting right behind our block and would belong to a profile in it; "
                "move it to the profile it is for"
            )
    before, block, after = (
        b"".join(part) for part in (lines[:first], lines[first : last + 1], lines[last + 1 :])
    )
    if block.startswith(_BOM):  # the file's, not ours
        before, block = _BOM, block[len(_BOM) :]
    return Parts(before, block, after)


def put_together(
    parts: Parts, profiles: Sequence[tuple[str, Sequence[tuple[str, str]]]], newline: bytes
) -> bytes:
    """The file with the block holding exactly these profiles: name, then settings in order.

    A first block goes to the end, after a blank line. `newline` is for a file that has none yet; else the
    file's own is kept.
    """
    eol = _newline(parts, newline)
    lines: list[bytes] = [BEGIN, NOTE]
    for name, settings in profiles:
        lines += [b"", f"[profile {name}]".encode()]
        lines += [f"{key} = {value}".encode() for key, value in settings]
    lines.append(END)
    block = eol.join(lines)
    if parts.block is not None:
        ending = parts.block[len(parts.block.rstrip(b"\r\n")) :]
        return parts.before + block + ending + parts.after
    before = parts.before
    gap = b""
    if before not in (b"", _BOM):
        gap = eol if before.endswith((b"\n", b"\r")) else eol * 2
        if before.endswith((eol * 2, b"\n\n")):
            gap = b""
    return before + gap + block + eol


def without(parts: Parts) -> bytes:
    """The file without the block, nor the blank line that went before it."""
    before = parts.before
    lines = before.splitlines(keepends=True)
    if lines and not lines[-1].strip():
        before = b"".join(lines[:-1])
    return before + parts.after


def difference(old: bytes, new: bytes, name: str) -> str:
    """A unified diff for the person's eyes, empty if nothing changes. Secrets in nearby lines are hidden."""
    texts = [data.decode("utf-8", "replace").splitlines() for data in (old, new)]
    told = difflib.unified_diff(texts[0], texts[1], name, f"{name} (new)", lineterm="", n=3)
    return "".join(_SECRET.sub(r"\1(hidden)", line) + "\n" for line in told)


def section_lines(data: bytes) -> dict[str, int]:
    """Sections of a credentials file (there each is a profile by its bare name), with their lines."""
    found: dict[str, int] = {}
    for number, line in enumerate(data.splitlines(), 1):
        match = _HEADER.match(_bare(line))
        if match:
            found.setdefault(match.group(1).decode("utf-8", "replace").strip(), number)
    return found


def _profiles(data: bytes, start: int) -> list[tuple[int, str]]:
    found = []
    for number, line in enumerate(data.splitlines(), start):
        match = _HEADER.match(_bare(line))
        if match is None:
            continue
        header = match.group(1).decode("utf-8", "replace").strip()
        name = _profile(header)
        if name is not None:
            found.append((number, name))
    return found


def _profile(header: str) -> str | None:
    """`profile NAME`, quoted or not, and `default`; None for sections of another kind."""
    if header == "default":
        return header
    if not header.startswith("profile"):
        return None
    try:
        words = shlex.split(header)
    except ValueError:
        return None
    return words[1] if len(words) == 2 else None  # as botocore takes it, whatever the first word ends in


def _bare(line: bytes) -> bytes:
    return (line[len(_BOM) :] if line.startswith(_BOM) else line).strip()


def _newline(parts: Parts, newline: bytes) -> bytes:
    """The line ending of the block, else of the file's first line."""
    for data in (parts.block or b"", parts.before, parts.after):
        first = data.splitlines(keepends=True)[:1]
        if first and first[0].endswith(b"\r\n"):
            return b"\r\n"
        if first and first[0].endswith(b"\n"):
            return b"\n"
    return newline
