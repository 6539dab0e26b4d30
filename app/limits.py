"""Flood limits: what is counted, and what follows.

Strangers cannot fill the disk or keep a worker busy: refused proofs and started sign-ins are counted per
address and minute. The counts here are each worker's own; their loss is harmless. What must hold across
workers (single use, replay, guesses of passwords and codes) is a row in the store.
"""

from __future__ import annotations

import ipaddress
import re
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache

from app.errors import TooMany

STARTS_PER_MINUTE = 300
"""Sign-ins started by one address: an office behind one address at nine in the morning gets through."""
REFUSALS_PER_MINUTE = 120
"""Refused proofs of one address, after which it waits for the next minute."""
EXPLANATIONS_PER_MINUTE = 120
"""Questions "why" of one address: each looks for a way that the person could open a role, some milliseconds."""
DEVICE_STARTS_PER_MINUTE = 60
"""Devices of one address that ask to be let in: each is a row for ten minutes."""
LOOKUPS_PER_SESSION = 10
"""User codes of devices that one session tries and misses."""
LOOKUPS_PER_ADDRESS = 30
"""And one address: several, so that one person who guesses does not keep an office from letting devices in."""
EXCHANGES_PER_IDENTITY = 60
"""Tokens that an app brings of one person: one that runs wild does not fill the audit trail."""
EXCHANGES_PER_ADDRESS = 3_000
"""And from one address: a mobile network has crowds behind one, and each is a signature to check."""
EXCHANGE_REFUSALS_PER_MINUTE = 600
"""And of one address, those that are refused: in a crowd some have signed out at their provider, or have a token of old
of one that does not say so (Login with Amazon, GitHub, RFC 7662)."""
EXCHANGES_PER_CLIENT = 30_000
"""And of one app, as far as it brings tokens that are believed, and as many guests: neither strangers, nor one person,
nor guests use up the share of those who sign in."""
GUESTS_PER_MINUTE = 300
"""Guests of one address: each is a row for a month."""
GUESTS_PER_DAY = 2_000
"""And in a day, over all workers."""
EXCHANGES = "tokens brought"
GUESTS = "guests"
DEVICE_LOOKUPS = "user codes missed"
SIGN_IN_REFUSALS = "refusals"
TOKEN_REFUSALS = "token refusals"  # noqa: S105
EXCHANGE_REFUSALS = "exchange refusals"
"""What is counted apart: whoever plays with tokens keeps nobody behind the same address from signing in, and an app
that brings bad ones keeps no helper from refreshing."""
STEP_UPS_PER_SESSION = 30
"""Step-ups and enrolments that one session begins in a minute: each is a row for ten minutes."""
GUESS_WINDOW = timedelta(minutes=15)
"""In which guesses are counted, over all workers."""
PASSWORDS_PER_ACCOUNT = 10
"""Wrong passwords for one name, from browsers in which nobody of that name has signed in: 40 in an hour find none that
is not in the lists of the commonest, which nobody can choose. Used up, it shuts out strangers alone."""
PASSWORDS_PER_DEVICE = 10
"""And from one browser in which that person has signed in: a budget of its own, so that whoever is under attack gets
in as on every other day."""
PASSWORDS_PER_ADDRESS = 30
"""And from one address for all names together, known browsers aside: an office that comes back from holidays mistypes
as much, and trying one password on many names gets nowhere."""
CODES_PER_PERSON = 10
"""Wrong codes for one person, whose password was right before: 40 in an hour, of which one in 8,000 would be a hit with
three codes of six digits good at a time."""
CODES_PER_DEVICE = 10
"""And from one browser in which that person has signed in."""
LINKS_PER_ACCOUNT = 3
"""Mails with a link to set a password that a name is sent in a window: nobody's inbox is filled by strangers."""
LINKS_PER_ADDRESS = 20
"""And that one address asks for."""
KEPT = 65_536
"""Pairs of address and thing counted apart in one minute (about 10 MB); the rest shares one count."""
SHARED = 64
"""How many times an address's limit the shared count may reach, so that a flood from everywhere is
bounded without shutting out the honest stranger at once."""
_NOW, _MINUTE = timedelta(0), timedelta(minutes=1)
_LATE = timedelta(minutes=2)
"""A request's own minute may be the one before, not this far behind."""


_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_is_ipv4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}").fullmatch
"""Whether an address is one of IPv4, in a tenth of the time that it takes to parse it."""


@lru_cache(maxsize=4096)
def prefix(address: str) -> str:
    """The part of an address that one party holds: all of an IPv4 address, 64 bits of IPv6."""
    if _is_ipv4(address):
        return address
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


class Tally:
    """Counts per minute, address and code. Thread-safe, bounded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute: datetime | None = None
        self._by_address: dict[tuple[str, str], int] = {}
        self._unsaved: dict[tuple[datetime, str, str], int] = {}

    def admit(self, address: str, what: str, most: int, now: datetime) -> None:
        """Count one more of `what` from this address, or raise TooMany if it had `most` in this minute."""
        times, shared = self._add(prefix(address), what, now)
        if times > (most * SHARED if shared else most):
            raise TooMany(f"more than {most} {what} a minute", retry_after=60 - now.second)

    def admit_one(self, who: str, what: str, most: int, now: datetime) -> None:
        """The same for somebody who is known by another name than an address, or TooMany in other words."""
        times, shared = self._add(who, what, now)
        if times > (most * SHARED if shared else most):
            words = f"There were more than {most} {what} in this minute. Wait for the next one and try again."
            raise TooMany(f"more than {most} {what} a minute", words=words, retry_after=60 - now.second)

    def check(self, address: str, what: str, most: int, now: datetime) -> None:
        """Raise TooMany if this address had `most` of `what` in this minute; count nothing."""
        with self._lock:
            self._turn(now)
            reached = self._by_address.get((prefix(address), what), 0) >= most
        if reached:
            raise TooMany(f"more than {most} {what} a minute", retry_after=60 - now.second)

    def count(self, address: str, what: str, now: datetime) -> None:
        """Count one more of `what` from this address, for `check` to look at."""
        self._add(prefix(address), what, now)

    def refused(self, address: str, code: str, now: datetime, what: str = SIGN_IN_REFUSALS) -> None:
        """Count a refusal met before anybody was signed in, as one of `what`; saved with the next `flush`."""
        where = prefix(address)
        self._add(where, what, now)
        minute = now.replace(second=0, microsecond=0)
        with self._lock:
            if len(self._unsaved) >= KEPT and (minute, where, code) not in self._unsaved:
                where = "other"
            key = (minute, where, code)
            self._unsaved[key] = self._unsaved.get(key, 0) + 1

    def flush(self, save: Callable[[datetime, str, str, int], None]) -> None:
        """Hand what was counted since to `save(minute, address, code, times)`; what fails is kept."""
        with self._lock:
            taken, self._unsaved = self._unsaved, {}
        while taken:
            (minute, address, code), times = taken.popitem()
            try:
                save(minute, address, code, times)
            except Exception:
                self._put_back({**taken, (minute, address, code): times})
                raise

    def _put_back(self, counts: Mapping[tuple[datetime, str, str], int]) -> None:
        with self._lock:
            for key, times in counts.items():
                self._unsaved[key] = self._unsaved.get(key, 0) + times

    def _add(self, where: str, what: str, now: datetime) -> tuple[int, bool]:
        with self._lock:
            self._turn(now)
            shared = len(self._by_address) >= KEPT and (where, what) not in self._by_address
            key = ("other" if shared else where, what)
            times = self._by_address.get(key, 0) + 1
            self._by_address[key] = times
            return times, shared

    def _turn(self, now: datetime) -> None:
        if self._minute is not None and _NOW <= now - self._minute < _MINUTE:
            return
        minute = now.replace(second=0, microsecond=0)
        # Who was long at work brings an earlier minute: that must not wipe this one's counts. A clock that
        # was moved back begins anew.
        if self._minute is None or not _NOW <= self._minute - minute < _LATE:
            self._minute = minute
            self._by_address.clear()
