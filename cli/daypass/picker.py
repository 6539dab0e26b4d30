"""Choosing one of many lines in a terminal: type a few letters, Enter; or a numbered list where that cannot be.

Knows nothing of roles. Draws on stderr, so that stdout stays data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from daypass import fuzzy, terminal
from daypass.errors import INTERRUPTED, USAGE, Fail
from daypass.output import clean

if TYPE_CHECKING:
    from daypass.output import Output

SHOWN = 10
"""Lines that are shown at once."""
LISTED = 200
"""A numbered list ends here; who has more names the role."""
_TRIES = 3


def pick(
    output: Output, title: str, lines: Sequence[str], environ: Mapping[str, str], recent: Sequence[int] = ()
) -> int:
    """The place of the line that the person chose; only where `output.interactive`.

    `recent` are places chosen before, latest first: they stand at the top.
    Raises Fail: 130 where the person left; 2 where no number came after three questions.
    """
    shown = [clean(line) for line in lines]
    if terminal.capable(environ):
        return _by_keys(output, title, shown, recent)
    return _by_number(output, title, shown, recent)


class Menu:
    """What is typed, which lines fit, which one is pointed at. Keys in, lines out; no terminal."""

    def __init__(self, lines: Sequence[str], recent: Sequence[int] = ()) -> None:
        self.lines = lines
        self.recent = recent
        self.query = ""
        self.found = fuzzy.rank("", lines, recent)
        self.at = 0

    @property
    def chosen(self) -> int | None:
        """The place pointed at; None if nothing fits."""
        return self.found[self.at] if self.found else None

    def press(self, key: str) -> None:
        """A key that does not end the choice."""
        last = len(self.found) - 1
        if key == terminal.UP:
            self.at = self.at - 1 if self.at else max(last, 0)
        elif key == terminal.DOWN:
            self.at = self.at + 1 if self.at < last else 0
        elif key == terminal.PAGE_UP:
            self.at = max(0, self.at - SHOWN)
        elif key == terminal.PAGE_DOWN:
            self.at = max(0, min(last, self.at + SHOWN))
        elif key == terminal.BACKSPACE:
            self._search(self.query[:-1])
        elif key == terminal.CLEAR:
            self._search("")
        elif len(key) == 1 and len(self.query) < 200:
            self._search(self.query + key)

    def drawing(self, title: str, columns: int, rows: int) -> list[str]:
        """What to show: the question first, then a window of lines around the one pointed at."""
        height = max(1, min(SHOWN, rows - 2))
        first = max(0, min(self.at - height + 1, len(self.found) - height)) if self.at >= height else 0
        width = max(10, columns - 1)
        drawn = [terminal.fit(f"{title} ({len(self.found)} of {len(self.lines)}): {self.query}", width)]
        for number in range(first, min(first + height, len(self.found))):
            mark = "> " if number == self.at else "  "
            drawn.append(terminal.fit(mark + self.lines[self.found[number]], width))
        return drawn

    def _search(self, query: str) -> None:
        self.query = query
        self.found = fuzzy.rank(query, self.lines, self.recent)
        self.at = 0


def _by_keys(output: Output, title: str, lines: Sequence[str], recent: Sequence[int]) -> int:
    menu = Menu(lines, recent)
    with terminal.keys() as pressed:
        _draw(output, menu, title)
        try:
            for key in pressed:
                if key in (terminal.CANCEL, terminal.END):
                    raise left()
                if key == terminal.ENTER:
                    if menu.chosen is not None:
                        return menu.chosen
                    continue
                menu.press(key)
                _draw(output, menu, title)
        finally:
            output.stderr.write("\r\x1b[J")
            output.stderr.flush()
    raise left()


def _draw(output: Output, menu: Menu, title: str) -> None:
    """Over what was drawn before: the cursor rests at the end of the first line."""
    first, *rest = menu.drawing(title, *terminal.size())
    below = "".join("\r\n" + line for line in rest)
    back = f"\x1b[{len(rest)}A" if rest else ""
    output.stderr.write(f"\r\x1b[J{first}{below}{back}\r{first}")
    output.stderr.flush()


def _by_number(output: Output, title: str, lines: Sequence[str], recent: Sequence[int]) -> int:
    order = fuzzy.rank("", lines, recent)
    for number, place in enumerate(order[:LISTED], 1):
        output.tell(f"{number:4}  {lines[place]}")
    if len(order) > LISTED:
        output.tell(f"      and {len(order) - LISTED} more: name the one you want on the command line")
    for _try in range(_TRIES):
        given = output.ask(f"{title}, number 1 to {len(order)}: ")
        if not given:
            raise left()
        if given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= len(order):
            return order[int(given[:9]) - 1]
        output.tell(f"`{given[:40]}` is not one of the numbers.")
    raise Fail(USAGE, "No number of the list was given.", next="daypass roles")


def left() -> Fail:
    """The person went away without a choice."""
    return Fail(INTERRUPTED, "Nothing was chosen.")
