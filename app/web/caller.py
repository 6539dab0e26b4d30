"""Where a request came from."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from app.model import Caller, Settings
from app.web.wire import Request

_AGENT = 256
_LONGEST = 128
"""More than an address takes, with its zone and port; it bounds what is kept in memory of those that were parsed."""


class _Hop(NamedTuple):
    """An address on the way here, and how it is written."""

    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    text: str


def new_request_id() -> str:
    """Random, ours alone: a request id that a stranger sends is not taken over."""
    return secrets.token_hex(8)


def caller_of(request: Request, settings: Settings, request_id: str) -> Caller:
    """Who calls; `X-Forwarded-For` counts only as far as trusted proxies wrote it."""
    forwarded = request.environ.get("HTTP_X_FORWARDED_FOR", "")
    agent = request.environ.get("HTTP_USER_AGENT", "")[:_AGENT]
    if not agent.isprintable():
        agent = "".join(char if char.isprintable() else "?" for char in agent)
    return Caller(
        request_id=request_id,
        address=client_address(request.remote_addr or "", forwarded, settings.trusted_proxies),
        user_agent=agent,
        secure=not settings.loopback,
    )


def client_address(peer: str, forwarded: str, trusted: Sequence[str]) -> str:
    """The nearest address that is not one of our proxies.

    `peer` is the other end of the connection, `forwarded` the header X-Forwarded-For, `trusted` addresses
    or networks. Read from the right, since each proxy adds what it saw at the end and the left is the
    sender's own claim.
    """
    nearest = _parsed(peer)
    if nearest is None:
        return peer[:64]
    if trusted and forwarded:
        networks = [_network(entry) for entry in trusted]
        for hop in reversed(forwarded.split(",")):
            if not any(nearest.address in network for network in networks):
                break
            further = _parsed(hop)
            if further is None:
                break
            nearest = further
    return nearest.text


@lru_cache(maxsize=256)
def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(entry, strict=False)


def _parsed(text: str) -> _Hop | None:
    return _hop(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _hop(text: str) -> _Hop | None:
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return _Hop(parsed, str(parsed))
