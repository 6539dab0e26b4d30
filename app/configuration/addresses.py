"""URLs and hosts, as strict as they must be to be compared exactly.

RFC 3986; origins as browsers serialize them (WHATWG URL, "origin"), since cookies, redirect addresses and the
SAML entity ID are compared with what the browser and the provider say, character by character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address, ip_network
from typing import Final, Literal
from urllib.parse import urlsplit

from app.configuration.references import Wrong

_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LONGEST: Final = 2_048
_METADATA: Final = IPv6Address("fd00:ec2::254")

Where = Literal["loopback", "closed", "open"]


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a URL that decisions are made on."""

    scheme: str
    host: str
    """Lower case; IPv6 without brackets."""
    where: Where


def read(text: str) -> Address:
    """A well-formed absolute http or https URL. Raises Wrong."""
    if len(text) > _LONGEST or not _CHARACTERS.fullmatch(text):
        raise Wrong(
            "expected an address like `https://host.example/path`; only the characters of a URL (RFC 3986)"
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise Wrong(
            "expected an address like `https://host.example/path`; host or port is malformed"
        ) from None
    if parts.scheme not in _DEFAULT_PORTS or not text.startswith(f"{parts.scheme}://"):
        raise Wrong("expected an address that begins with `https://`")
    if "@" in parts.netloc:
        raise Wrong("an address here has no user name or password in it")
    if "#" in text:
        raise Wrong("an address here has no `#` part")
    if port == 0 or parts.netloc.endswith(":"):
        raise Wrong("expected a port from 1 to 65535 behind the colon")
    host = (parts.hostname or "").lower()
    return Address(parts.scheme, host, _where(host))


def origin(text: str) -> str:
    """Scheme, host and port and nothing else, as a browser writes it. Raises Wrong."""
    address = read(text)
    parts = urlsplit(text)
    if parts.path or "?" in text:
        raise Wrong("expected scheme, host and port only, without a path or a slash at the end")
    if text != text.lower():
        raise Wrong("write it in lower case, as browsers do")
    if parts.port == _DEFAULT_PORTS[parts.scheme]:
        raise Wrong(f"leave out `:{parts.port}`, as browsers do")
    if (
        parts.netloc.startswith("[")
        and f"[{IPv6Address(address.host)}]" != parts.netloc.rpartition("]")[0] + "]"
    ):
        raise Wrong("write the IPv6 address in its short form, as browsers do")
    return text


def base_url(text: str) -> str:
    """The broker's own origin: https, or http on loopback. Raises Wrong."""
    address = read(origin(text))
    if address.where == "closed":
        raise Wrong("expected an address that browsers can reach")
    if address.scheme == "http" and address.where != "loopback":
        raise Wrong("expected `https://`; `http://` is for loopback only (`localhost`, `127.0.0.1`, `[::1]`)")
    return text


def url(text: str) -> str:
    """Any address on the other side. Raises Wrong for hosts that nobody honest has."""
    address = read(text)
    if address.where == "closed":
        raise Wrong("link-local, metadata, multicast and unspecified addresses are never called")
    return text


def issuer(text: str) -> str:
    """An OpenID issuer (OpenID Connect Discovery 1.0, section 3): a URL without query. Raises Wrong."""
    if "?" in text:
        raise Wrong("an issuer has no `?` part")
    return url(text)


def proxy(text: str) -> str:
    """An IP address or a network in CIDR form. Raises Wrong."""
    try:
        network = ip_network(text)
    except ValueError:
        raise Wrong("expected an IP address, or a network like `10.0.0.0/8` without host bits") from None
    if network.prefixlen == 0:
        raise Wrong("would let everybody choose their own address; name the proxy's")
    return text


def host(text: str) -> Where:
    """A host alone: a name, or an IP address without brackets. Raises Wrong, for hosts that nobody honest has too."""
    if "[" in text or "/" in text or (":" in text and not _is_v6(text)):
        raise Wrong("expected a host alone, like `mail.example.com`: no `://`, port or path")
    where = _where(text.lower())
    if where == "closed":
        raise Wrong("link-local, metadata, multicast and unspecified addresses are never called")
    return where


def _is_v6(text: str) -> bool:
    try:
        return isinstance(ip_address(text), IPv6Address)
    except ValueError:
        return False


def _where(host: str) -> Where:
    if host == "localhost" or host.endswith(".localhost"):
        return "loopback"
    try:
        address = ip_address(host)
    except ValueError:
        _name(host)
        return "open"
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise Wrong("an address here has no zone (`%`) in it")
        if address.ipv4_mapped is not None:
            return "closed"
    if address.is_loopback:
        return "loopback"
    closed = (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address == _METADATA
        or (isinstance(address, IPv4Address) and address in IPv4Network("0.0.0.0/8"))
    )
    return "closed" if closed else "open"


def _name(host: str) -> None:
    labels = host.removesuffix(".").split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise Wrong("expected a host name (letters, digits, `-` and `.`; international names as `xn--…`)")
    # `127.1`, `0x7f000001`, `2130706433`: numbers that a resolver takes for an IPv4 address.
    if labels[-1].isdigit() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        raise Wrong("expected a host name, or an IPv4 address of four numbers")
