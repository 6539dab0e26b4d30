"""Keys from a terminal, one at a time, and lines drawn in place: Unix by termios, Windows by msvcrt.

No curses, no external program. The terminal is always put back as it was.
"""

from __future__ import annotations

import contextlib
import os
import sys
import unicodedata
from collections.abc import Iterator, Mapping

UP, DOWN, PAGE_UP, PAGE_DOWN = "<up>", "<down>", "<page-up>", "<page-down>"
ENTER, CANCEL, BACKSPACE, CLEAR, END, OTHER = (
    "<enter>",
    "<cancel>",
    "<backspace>",
    "<clear>",
    "<end>",
    "<other>",
)
"""Names of keys; a letter is itself. END: the terminal went away."""

_ESCAPE_WAIT = 0.05
"""Seconds after ESC within which a key's other bytes come; alone it is the Escape key."""
_CONTROLS = {
    "\r": ENTER, "\n": ENTER, "\x03": CANCEL, "\x04": CANCEL, "\x07": CANCEL, "\x7f": BACKSPACE, "\x08": BACKSPACE,
    "\x10": UP, "\x0e": DOWN, "\x15": CLEAR,
}  # fmt: skip
"""Enter, Ctrl-C, Ctrl-D, Ctrl-G, Backspace, Ctrl-H, Ctrl-P, Ctrl-N, Ctrl-U."""
_SEQUENCES = {"[A": UP, "OA": UP, "[B": DOWN, "OB": DOWN, "[5~": PAGE_UP, "[6~": PAGE_DOWN}
_SCAN_CODES = {"H": UP, "P": DOWN, "I": PAGE_UP, "Q": PAGE_DOWN}


def capable(environ: Mapping[str, str]) -> bool:
    """True if this terminal obeys cursor movements and can hand over single keys."""
    if sys.platform == "win32":
        return _windows_obeys()
    if environ.get("TERM", "dumb") in ("", "dumb"):
        return False
    try:
        import termios  # noqa: F401 - asked whether it is there

        return True
    except ImportError:
        return False


if sys.platform == "win32":
    import msvcrt

    @contextlib.contextmanager
    def keys() -> Iterator[Iterator[str]]:
        """The keys that are pressed while the block runs."""
        yield _windows_keys()

    def _windows_keys() -> Iterator[str]:
        while True:
            letter = msvcrt.getwch()
            if letter in ("\x00", "\xe0"):  # a key without a letter; its scan code follows
                yield _SCAN_CODES.get(msvcrt.getwch(), OTHER)
            elif letter == "\x1b":
                yield CANCEL
            else:
                yield key_of(letter)

    def _windows_obeys() -> bool:
        """Turns on escape sequences for stderr (SetConsoleMode); False on consoles before Windows 10."""
        import ctypes

        kernel = ctypes.WinDLL("kernel32")
        handle = kernel.GetStdHandle(-12)  # STD_ERROR_HANDLE
        mode = ctypes.c_ulong()
        if not kernel.GetConsoleMode(handle, ctypes.byref(mode)):
            return False
        return bool(kernel.SetConsoleMode(handle, mode.value | 4))  # ENABLE_VIRTUAL_TERMINAL_PROCESSING

else:

    @contextlib.contextmanager
    def keys() -> Iterator[Iterator[str]]:
        """The keys that are pressed while the block runs, read from stdin without echo."""
        import termios

        handle = sys.stdin.fileno()
        before = termios.tcgetattr(handle)
        raw = termios.tcgetattr(handle)
        # Signals off, so that Ctrl-C is a key and the terminal is put back before anybody hears of it.
        raw[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
        raw[6][termios.VMIN], raw[6][termios.VTIME] = 1, 0
        termios.tcsetattr(handle, termios.TCSADRAIN, raw)
        try:
            yield _unix_keys(handle)
        finally:
            termios.tcsetattr(handle, termios.TCSADRAIN, before)

    def _unix_keys(handle: int) -> Iterator[str]:
        import codecs

        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            data = os.read(handle, 1)
            if not data:
                yield END
                return
            if data == b"\x1b":
                yield _escape(handle)
                continue
            letter = decoder.decode(data)
            if letter:
                yield key_of(letter)

    def _escape(handle: int) -> str:
        import select

        told = ""
        while len(told) < 8 and select.select([handle], [], [], _ESCAPE_WAIT)[0]:
            data = os.read(handle, 1)
            if not data:
                break
            told += data.decode("latin-1")
            # CSI ends at a byte from @ to ~ (ECMA-48, 5.4); SS3 has one byte after its O.
            if len(told) > 1 and (told[0] != "[" or "@" <= told[-1] <= "~"):
                break
            if told[0] not in "[O":
                break
        return CANCEL if not told else _SEQUENCES.get(told, OTHER)


def key_of(letter: str) -> str:
    """The name of a key that came as one character."""
    if letter in _CONTROLS:
        return _CONTROLS[letter]
    return letter if letter.isprintable() else OTHER


def size() -> tuple[int, int]:
    """Columns and rows of the terminal that stderr is; 80 by 24 where it does not say."""
    try:
        found = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):
        return 80, 24
    return found.columns or 80, found.lines or 24


def fit(text: str, columns: int) -> str:
    """The text cut to so many columns; wide characters count twice, combining ones not at all."""
    used, shown = 0, []
    for letter in text:
        width = (
            0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        )
        if used + width > columns:
            break
        used += width
        shown.append(letter)
    return "".join(shown)
