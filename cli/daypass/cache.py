"""AWS credentials on this machine: one owner-only file for each role, which the prelude can serve by itself.

A file's first line is exactly what `credentials` prints; then, a line each, what `exec` sets, and times. Its mtime
is when to renew it. Beside them: `roles.json`, and `current`, the stamp that says which settings the files stand
under (newer than the configuration file, or the prelude does not serve).
"""

from __future__ import annotations

import json
import os
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from daypass import files, locks, sealed
from daypass.context import Context
from daypass.errors import AWS, Fail, Local
from daypass.times import instant

FLOOR = 600.0
"""Seconds: nothing with less left is given (short lives: a third)."""
RENEW = 1200.0
"""Seconds before the end from when on it is renewed (short lives: half)."""
AHEAD = 60.0
"""Seconds by which the clock may have gone back since a file was written."""
STAMP = "current"
HALF_WRITTEN = 3600.0
"""Seconds after which a file that a killed process left half written is cleared away."""
_ENTRY = re.compile(r"~[0-9]*$", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9:/+=,.@_-]{1,200}", re.ASCII)
_VALUE = re.compile(r"[!#-\[\]-~]{1,8192}", re.ASCII)
"""Plain, and nothing that JSON would write differently: the prelude hands it on as it stands."""
_FIELDS = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")


@dataclass(frozen=True)
class Pass:
    """Credentials for one role, as they are handed on."""

    text: str = field(repr=False)
    """The one JSON line that `credential_process` takes."""
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expiration: str
    """Exactly as STS said."""
    account: str = ""


@dataclass(frozen=True)
class Entry:
    """A pass with its times, by this machine's clock."""

    given: Pass
    issued: float
    renew: float
    floor: float
    """From when on it is not given any more."""
    ends: float

    def serves(self, now: float) -> bool:
        """True while it may be given."""
        return self.issued - AHEAD <= now < self.floor

    def due(self, now: float) -> bool:
        """True when it is time to renew it."""
        return now >= self.renew


def made(document: dict[str, Any], now: float, date: float | None) -> Entry:
    """An entry of the broker's answer.

    Args:
        document: with the members that `credential_process` knows.
        now: this machine's clock.
        date: the broker's clock at the same moment, where known: a clock that is wrong here must not make
            credentials that have run out look good.

    Raises:
        Fail: it is no such answer.
    """
    values = [document.get(name) for name in _FIELDS]
    texts = [value for value in values if isinstance(value, str) and _VALUE.fullmatch(value)]
    if len(texts) < len(_FIELDS):
        raise Fail(AWS, "The broker's answer holds no credentials.", next="daypass doctor")
    try:
        life = instant(texts[3]) - (now if date is None else date)
    except ValueError as error:
        raise Fail(AWS, "The credentials do not say when they end.", next="daypass doctor") from error
    if life <= 0:
        raise Fail(
            AWS,
            "The credentials have run out already.",
            why=f"They ended at {texts[3]}.",
            next="daypass doctor",
        )
    account = document.get("AccountId")
    named = {"AccountId": account} if isinstance(account, str) and re.fullmatch(r"[0-9]{12}", account) else {}
    text = json.dumps({"Version": 1, **dict(zip(_FIELDS, texts)), **named})
    ends = now + life
    return Entry(
        Pass(text, texts[0], texts[1], texts[2], texts[3], named.get("AccountId", "")),
        issued=now,
        renew=ends - min(RENEW, life / 2),
        floor=ends - min(FLOOR, life / 3),
        ends=ends,
    )


def read(context: Context, name: str) -> Entry | None:
    """The entry called `name` (`name_of`), however old; None where there is none, or none that can be read.

    Raises:
        Local: the file or folder is another's, or open to others.
    """
    if not context.settings.cache:
        return None
    content = files.read(context.paths.join(context.paths.passes(context.key), name))
    if content is None:
        return None
    try:
        lines = sealed.opened(content).decode("ascii").split("\n")
        text, key, secret, token, expiration, times, end = lines
        issued, renew, floor, ends = (float(word) for word in times.split())
        account = json.loads(text).get("AccountId", "")
    except (ValueError, AttributeError, Local):
        return None
    if end:
        return None
    return Entry(Pass(text, key, secret, token, expiration, account), issued, renew, floor, ends)


def store(context: Context, name: str, entry: Entry) -> None:
    """Keep an entry; nothing with `cache = off`.

    Raises:
        Local: the disk is full, the folder is another's, …
    """
    if not context.settings.cache:
        return
    given = entry.given
    words = (given.text, given.access_key_id, given.secret_access_key, given.session_token, given.expiration)
    times = f"{entry.issued:.3f} {entry.renew:.3f} {entry.floor:.3f} {entry.ends:.3f}"
    path = context.paths.join(context.paths.passes(context.key), name)
    _sweep(context)
    files.write(path, sealed.sealed("\n".join([*words, times, ""]).encode("ascii")), mtime=entry.renew)


def stamp(context: Context) -> None:
    """Say that the files here stand under the configuration file as it is now; empty them with `cache = off`.

    Called by every command that comes as far as Python's settings and wants credentials.

    Raises:
        Local.
    """
    folder = context.paths.passes(context.key)
    if not context.settings.cache:
        empty(context)
        return
    path = context.paths.join(folder, STAMP)
    wanted = context.settings.region.encode() + b"\n"
    if files.read(path) != wanted or files.modified(path) <= _configured(context):
        files.write(path, wanted)
    if context.url == context.settings.url:
        # A copy that does not know its broker: the prelude finds the folder's name here.
        pointer = context.paths.join(os.path.dirname(folder), "default")
        if files.modified(pointer) <= _configured(context):
            files.write(pointer, context.key.encode() + b"\n")


def empty(context: Context) -> None:
    """Remove credentials and lists of this broker's. Raises Local."""
    folder = context.paths.passes(context.key)
    try:
        names = os.listdir(files.folder(folder))
    except OSError as error:
        raise Local(f"{folder} cannot be read.", why=f"{error.strerror}.") from error
    for name in names:
        files.remove(context.paths.join(folder, name))


def name_of(arn: str, duration: int | None = None) -> str:
    """The file that holds a role's credentials: the ARN itself, as the prelude makes it, or a digest of an odd one.

    Two roles never share one: `!` and `;` are in no plain ARN, nor is `~`, which ends every name.
    """
    ending = "~" if duration is None else f"~{duration}"
    if _PLAIN.fullmatch(arn):
        return arn.replace("/", "!").replace(":", ";") + ending
    import hashlib

    return f"x{hashlib.sha256(arn.encode('utf-8', 'surrogatepass')).hexdigest()}{ending}"


def lock_path(context: Context) -> str:
    """The lock around writing here and changing whose files these are."""
    return context.paths.join(context.paths.broker(context.key), "cache.lock")


def role_lock_path(context: Context, name: str) -> str:
    """The lock around fetching one role's credentials."""
    return context.paths.join(context.paths.broker(context.key), "roles", f"{name}.lock")


def hold(context: Context) -> AbstractContextManager[bool]:
    """Hold `lock_path`."""
    return locks.held(lock_path(context), what="another daypass that writes credentials")


def _configured(context: Context) -> float:
    """When the configuration was last changed; through a link to it, as the prelude looks."""
    return files.modified(context.paths.settings, follow=True)


def _sweep(context: Context) -> None:
    """Remove what ran out; and everything, where the clock has gone back since something was written here."""
    folder = files.folder(context.paths.passes(context.key))
    now = context.now()
    back = files.modified(folder) > now + AHEAD
    for name in os.listdir(folder):
        path = context.paths.join(folder, name)
        age = now - files.modified(path)
        over = (
            (back or age > RENEW)
            if _ENTRY.search(name)
            else (name.endswith(files.BESIDE) and age > HALF_WRITTEN)
        )
        if over:
            files.remove(path)
