"""Data on stdout, talk on stderr; silent where all is well and nobody looks on."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from daypass.errors import Fail

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_BOLD, _DIM, _RED, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[0m"


def clean(text: str) -> str:
    """The text without what could move a terminal's cursor or turn its writing round."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


class Output:
    """Where everything that is shown goes through."""

    def __init__(
        self,
        stdin: TextIO | None,
        stdout: TextIO,
        stderr: TextIO,
        environ: Mapping[str, str],
        *,
        json: bool = False,
    ) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.json = json
        self.talks = _terminal(stderr)
        """True where a person reads stderr."""
        self._colour = self.talks and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"

    @property
    def interactive(self) -> bool:
        """True where a question may be asked: stdin and stderr are terminals."""
        return self.talks and self.stdin is not None and _terminal(self.stdin)

    def print(self, text: str = "") -> None:
        """Data: one line (or several) on stdout, at once."""
        self.stdout.write(text + "\n")
        self.stdout.flush()

    def document(self, value: object) -> None:
        """Data for programs: one JSON document on stdout."""
        self.print(json.dumps(value, indent=2, ensure_ascii=True))

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Data for people: columns on stdout, as wide as their widest cell. Heads only on a terminal."""
        shown = [[clean(cell) for cell in row] for row in rows]
        if _terminal(self.stdout) and any(heads):
            shown.insert(0, list(heads))
        widths = [max((len(row[column]) for row in shown), default=0) for column in range(len(heads))]
        for row in shown:
            self.print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())

    def say(self, text: str = "") -> None:
        """Talk, for a person at a terminal only."""
        if self.talks:
            self.tell(text)

    def tell(self, text: str = "") -> None:
        """Talk that must be seen even where stderr is a file: an address to open, a code to compare."""
        self.stderr.write(clean(text) + "\n")
        self.stderr.flush()

    def bold(self, text: str) -> str:
        """The text, to stand out on stderr; clean, so that it may go through `mark` only."""
        return f"{_BOLD}{clean(text)}{_PLAIN}" if self._colour else clean(text)

    def mark(self, text: str) -> None:
        """Talk that must be seen, made of pieces that `bold` or `dim` have cleaned."""
        self.stderr.write(text + "\n")
        self.stderr.flush()

    def dim(self, text: str) -> str:
        """The text, to stand back on stderr."""
        return f"{_DIM}{clean(text)}{_PLAIN}" if self._colour else clean(text)

    def ask(self, question: str) -> str:
        """One line from the person, asked on stderr; only where `interactive`. Empty at the end of input."""
        assert self.stdin is not None  # noqa: S101 - a caller that did not look at `interactive`
        self.stderr.write(clean(question))
        self.stderr.flush()
        return self.stdin.readline().strip()

    def fail(self, fail: Fail) -> None:
        """What happened, why, the one command to run next, the request id; as JSON where that was asked for."""
        if self.json:
            parts = {"error": fail.what, "why": fail.why, "next": fail.next, "url": fail.url}
            parts["request_id"] = fail.request_id
            told = {name: value for name, value in parts.items() if value}
            self.stderr.write(json.dumps({**told, "exit": fail.code}) + "\n")
            self.stderr.flush()
            return
        red, plain = (_RED, _PLAIN) if self._colour else ("", "")
        lines = [f"{red}daypass:{plain} {clean(fail.what)}"]
        if fail.why and fail.why != fail.what:
            lines.append(f"  {clean(fail.why)}")
        if fail.url:
            lines.append(f"  Open: {self.bold(fail.url)}")
        if fail.next:
            lines.append(f"  Run: {self.bold(fail.next)}")
        if fail.request_id:
            lines.append(self.dim(f"  Request {fail.request_id}"))
        self.mark("\n".join(lines))


def _terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False
