"""Values of condition operators: numbers, instants, networks, bytes. None means "is none"."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from app.policy import unverified

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_EPOCH: Final = re.compile(r"[0-9]{1,19}(?:\.[0-9]{1,9})?", re.ASCII)
_EPOCH_LAST: Final = 2**63 - 1
_ISO: Final = re.compile(
    r"(?P<year>-?[0-9]{1,9})(?:-(?P<month>[0-9]{1,2})(?:-(?P<day>[0-9]{1,2}))?)?"
    r"(?:[tT](?:(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-9]{1,2})"
    r"(?::(?P<second>[0-9]{1,2})(?:\.(?P<fraction>[0-9]{1,9}))?)?)?)?"
    r"(?P<zone>[zZ]|(?P<sign>[+-])(?P<ahead>[0-9]{2})(?::?(?P<past>[0-9]{2}))?)?)?",
    re.ASCII,
)
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def number(text: str) -> Decimal | None:
    """An integer or a decimal."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 in the proleptic Gregorian calendar, any year."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def instant(text: str) -> int | None:
    """Nanoseconds since 1970. With `-` or `T` it is ISO 8601 (UTC unless it says), else epoch seconds."""
    if "-" not in text and "T" not in text and "t" not in text:
        if not _EPOCH.fullmatch(text):
            return None
        seconds, _, fraction = text.partition(".")
        return _nanoseconds(int(seconds), fraction) if int(seconds) <= _EPOCH_LAST else None
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day = (int(match[name] or 1) for name in ("year", "month", "day"))
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    ahead, past = int(match["ahead"] or 0), int(match["past"] or 0)
    if not (1 <= month <= 12 and 1 <= day <= _DAYS[month - 1] and hour < 24 and minute < 60 and second < 60):
        return None
    if day == 29 and month == 2 and not (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)):
        return None
    if ahead > 23 or past > 59:
        return None
    offset = (ahead * 60 + past) * 60 * (-1 if match["sign"] == "-" else 1)
    whole = _days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset
    return _nanoseconds(whole, match["fraction"] or "")


def _nanoseconds(seconds: int, fraction: str) -> int:
    return seconds * 10**9 + int(fraction.ljust(9, "0"))


Address = IPv4Address | IPv6Address


def address(text: str) -> Address | None:
    """An IPv4 or IPv6 address; an IPv4-mapped one is its IPv4 address."""
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address):
        if parsed.scope_id is not None:
            return None
        return parsed.ipv4_mapped or parsed
    return parsed


def address_of(version: int, number: int) -> Address:
    """The address of IP version 4 or 6 that is this number."""
    return IPv4Address(number) if version == 4 else IPv6Address(number)


_PREFIX: Final = re.compile(r"[0-9]{1,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Network:
    """A CIDR range of one family."""

    version: int
    base: int
    shift: int
    """Bits that an address of the range is free in."""
    host_bits: bool

    def holds(self, candidate: Address, unsure: bool) -> bool:
        """True if the address lies in the range; other families never do."""
        if candidate.version != self.version or int(candidate) >> self.shift != self.base >> self.shift:
            return False
        return unverified.network_with_host_bits(unsure) if self.host_bits else True


def network(text: str) -> Network | None:
    """`203.0.113.0/24`, `2001:db8::/32`, or one address."""
    base, slash, prefix = text.partition("/")
    try:
        written = ip_address(base)
    except ValueError:
        return None
    if isinstance(written, IPv6Address) and written.scope_id is not None:
        return None
    width: int = written.max_prefixlen
    length: int = unverified.V6_HOST_PREFIX if written.version == 6 else width
    if slash:
        if not _PREFIX.fullmatch(prefix) or int(prefix) > width:
            return None
        length = int(prefix)
    plain: Address = written
    if isinstance(written, IPv6Address) and written.ipv4_mapped is not None and length >= 96:
        plain, width, length = written.ipv4_mapped, 32, length - 96
    shift = width - length
    return Network(plain.version, int(plain), shift, host_bits=int(plain) & ((1 << shift) - 1) != 0)


def octets(text: str) -> bytes | None:
    """Bytes written in base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None


def truth(text: str) -> bool | None:
    """`true` or `false`, in any case."""
    lowered = text.lower()
    return lowered == "true" if lowered in ("true", "false") else None
