"""Passwords of local users and of root: which are taken, and argon2id in few places at once."""

from __future__ import annotations

import base64
import bisect
import hashlib
import importlib.util
import re
import secrets
import threading
import unicodedata
from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.low_level import ARGON2_VERSION
from argon2.profiles import RFC_9106_LOW_MEMORY

from app.errors import Busy, PasswordRefused, Unavailable
from app.processors import anywhere, usable

SHORTEST: Final = 12
"""Characters."""
LONGEST: Final = 256
"""Characters."""
MOST_BYTES: Final = 1024
"""In UTF-8; looked at before anything is hashed."""
AT_ONCE: Final = 2
"""Passwords hashed at once in a process, 64 MiB each."""
RESERVED: Final = 1
"""And for those who have signed in here before, so that guessers never keep them out."""
PATIENCE: Final = 2.0
"""Seconds that somebody waits for a place."""
WAITING: Final = 5
"""How many wait in either line, so that with those at work they hold 13 of the server's 16 threads, never all."""
_OWN_WORD: Final = 3
"""Letters from which on a word about the person counts."""
_REST: Final = 4
"""Letters besides such words that make a password more than them, and that a repeated part must exceed."""
_SIGNS: Final = re.compile(r"[\s!-/:-@\[-`{-~]+")
"""White space and the signs of ASCII."""
_AROUND: Final = re.compile(r"^[\s\d!-/:-@\[-`{-~]+|[\s\d!-/:-@\[-`{-~]+$")


# --- which are taken ------------------------------------------------------------------------------


def check_new(password: str, about: Iterable[str] = ()) -> None:
    """Raise PasswordRefused unless a new password is long enough, not one that others guess first, and not made of
    the words `about` its person (username, address, company).

    No rules of composition (NIST SP 800-63B-4, 3.1.1.2). Guessed first: what stands in the frequency lists of
    zxcvbn (MIT licence), also with digits and signs around it or several times in a row, and rows like `12345…`.
    """
    prepared = _prepared(password)
    if prepared is None or len(prepared) > LONGEST:
        raise PasswordRefused("too long", words=f"The password may have at most {LONGEST} characters.")
    if len(prepared) < SHORTEST:
        raise PasswordRefused(
            "too short",
            words=f"The password needs at least {SHORTEST} characters; a few words in a row do well.",
        )
    if any(unicodedata.category(each) == "Cc" for each in prepared):
        raise PasswordRefused(
            "control characters",
            words="The password holds a line break or another character that cannot be seen.",
        )
    plain = unicodedata.normalize("NFKC", prepared).casefold()
    if _is_common(plain):
        raise PasswordRefused(
            "common",
            words="This password, or what it is made of, is among those that are guessed first. Choose another.",
        )
    rest = _without(plain, about)
    if rest != plain and (len(_core(rest)) < _REST or _is_common(rest)):
        raise PasswordRefused(
            "about the person",
            words="This password is made of your name, address or company. Choose another.",
        )


def _prepared(password: str) -> str | None:
    """As it is compared and hashed: Unicode NFC, every space an ASCII one (RFC 8265, 4.2.2). None: too long for
    anything to be done with it, or no text."""
    try:
        if len(password) > MOST_BYTES or len(password.encode()) > MOST_BYTES:
            return None
    except UnicodeEncodeError:
        return None
    spaced = "".join(" " if unicodedata.category(each) == "Zs" else each for each in password)
    return unicodedata.normalize("NFC", spaced)


def _is_common(plain: str) -> bool:
    """Whole, without the signs between its parts, or one part that comes again and again."""
    for text in (plain, _SIGNS.sub("", plain)):
        unit = _unit(text)
        if unit != text and len(unit) <= _REST:
            return True
        if any(_is_row(each) or _listed(each) for each in (text, unit, _core(text), _core(unit))):
            return True
    return False


def _unit(text: str) -> str:
    """What the text repeats: `abcabcab` → `abc`; itself, if nothing."""
    sizes = range(1, len(text) // 2 + 1)
    return next((text[:size] for size in sizes if text[size:] == text[:-size]), text)


def _core(text: str) -> str:
    """Without the digits and signs around it: `!!dragon2026` → `dragon`."""
    return _AROUND.sub("", text)


def _is_row(text: str) -> bool:
    """Each character the next after the one before, or the other way: `abcdef…`, `9876…`, `7890123`."""
    return len(text) > 1 and (_rises(text) or _rises(text[::-1]))


def _rises(text: str) -> bool:
    return all(
        ord(after) - ord(before) == 1 or (before, after) == ("9", "0") for before, after in pairwise(text)
    )


def _without(plain: str, about: Iterable[str]) -> str:
    """The password without the words about its person, the longest first."""
    whole = {each.casefold() for each in about}
    parts = {part for each in whole for part in re.split(r"[\W_]+", each)}
    words = sorted(
        (word for word in whole | parts if len(word) >= _OWN_WORD), key=lambda word: (-len(word), word)
    )
    for word in words:
        plain = plain.replace(word, "")
    return plain


def _listed(word: str) -> bool:
    digests = _common_words()
    digest = _digest(word)
    at = bisect.bisect_left(digests, digest)
    return at < len(digests) and digests[at] == digest


@cache
def _common_words() -> array[int]:
    """Digests of zxcvbn's lists, sorted: 0.7 MB, made when a password is first chosen.

    Its module of lists alone is run, and let go of again: importing the package would keep 15 MB of tables.
    """
    package = importlib.util.find_spec("zxcvbn")
    folders = package.submodule_search_locations if package else None
    if not folders:
        raise Unavailable("the package zxcvbn is not installed, so no new password can be checked")
    spec = importlib.util.spec_from_file_location(
        "zxcvbn_lists", Path(next(iter(folders)), "frequency_lists.py")
    )
    assert spec is not None and spec.loader is not None  # noqa: S101  # a file ending in .py has a loader
    lists = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lists)
    return array("Q", sorted({_digest(word) for words in lists.FREQUENCY_LISTS.values() for word in words}))


def _digest(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")


# --- hashing --------------------------------------------------------------------------------------


class Hashing:
    """argon2id (RFC 9106), so many at once and no more: guesses from everywhere use up neither memory nor CPU.

    The default parameters are RFC 9106's for little memory (4, "second recommended option"): 64 MiB, three passes,
    four lanes; with three places at most 192 MiB a process. Thread-safe.
    """

    def __init__(
        self,
        *,
        memory_kib: int = RFC_9106_LOW_MEMORY.memory_cost,
        passes: int = RFC_9106_LOW_MEMORY.time_cost,
        lanes: int = RFC_9106_LOW_MEMORY.parallelism,
        at_once: int = AT_ONCE,
        reserved: int = RESERVED,
        patience: float = PATIENCE,
        waiting: int = WAITING,
    ) -> None:
        self._hasher = PasswordHasher(memory_cost=memory_kib, time_cost=passes, parallelism=lanes)
        self._places = _Places(at_once, reserved, patience, waiting)
        self._processors = usable()
        # Nobody's password: whatever is compared with it costs the same as with somebody's, and never fits.
        salt, digest = _base64(secrets.token_bytes(16)), _base64(secrets.token_bytes(32))
        self._dummy = f"$argon2id$v={ARGON2_VERSION}$m={memory_kib},t={passes},p={lanes}${salt}${digest}"

    def hash(self, password: str) -> str:
        """Encoded, for keeping. Whoever chooses one has proven something before, so the reserved place is theirs too.
        Raises Busy, or PasswordRefused for what `check_new` would not let through for its length."""
        prepared = _prepared(password)
        if prepared is None:
            raise PasswordRefused("too long", words=f"The password may have at most {LONGEST} characters.")
        with self._places.one(reserved=True), anywhere(self._processors):
            return self._hasher.hash(prepared)

    def verify(self, encoded: str, password: str, *, reserved: bool) -> bool:
        """Whether it is the password. `encoded` is empty where there is no such user, or one without a password:
        that takes the same time and is never right. `reserved`: asked from a device that has signed in here before.
        Raises Busy."""
        prepared = _prepared(password)
        if prepared is None:
            return False
        with self._places.one(reserved=reserved), anywhere(self._processors):
            try:
                return self._hasher.verify(encoded or self._dummy, prepared)
            except VerifyMismatchError:
                return False
            except (VerificationError, InvalidHashError) as error:
                raise Unavailable(f"a password's hash cannot be used: {type(error).__name__}") from None

    def needs_rehash(self, encoded: str) -> bool:
        """It was made with other parameters than are used now: hash the password anew at the next sign-in."""
        try:
            return self._hasher.check_needs_rehash(encoded)
        except InvalidHashError:
            return True


class _Places:
    """So many at once; two lines, first come, first served. The reserved line may take any place, the other one never
    the reserved ones."""

    def __init__(self, common: int, reserved: int, patience: float, waiting: int) -> None:
        self._common, self._kept = common, reserved
        self._patience, self._waiting = patience, waiting
        self._changed = threading.Condition()
        self._lines: dict[bool, deque[object]] = {False: deque(), True: deque()}

    @contextmanager
    def one(self, *, reserved: bool) -> Iterator[None]:
        kept = self._take(reserved)
        try:
            yield
        finally:
            with self._changed:
                if kept:
                    self._kept += 1
                else:
                    self._common += 1
                self._changed.notify_all()

    def _take(self, reserved: bool) -> bool:
        """True if it is a reserved place."""
        line = self._lines[reserved]
        ticket = object()
        with self._changed:
            if len(line) >= self._waiting:
                raise Busy("too many wait to have a password checked", retry_after=2)
            line.append(ticket)
            mine = self._changed.wait_for(lambda: line[0] is ticket and self._free(reserved), self._patience)
            line.remove(ticket)
            self._changed.notify_all()  # the next in line may go too
            if not mine:
                raise Busy("no place to check a password became free in time", retry_after=2)
            if reserved and self._kept:
                self._kept -= 1
                return True
            self._common -= 1
            return False

    def _free(self, reserved: bool) -> bool:
        return self._common > 0 or (reserved and self._kept > 0)


def _base64(data: bytes) -> str:
    """As in argon2's encoded form: without padding."""
    return base64.b64encode(data).decode().rstrip("=")
