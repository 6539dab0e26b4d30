"""The one guarded fetch: every call to the outside but AWS's goes through it.

A `Fetcher` asks an address that a person configured, or that a provider named, so neither the address nor
the answer is trusted: one deadline holds for the whole fetch (name, connection, headers and a body that
trickles), the answer is capped, nothing is followed, no proxy is taken from the environment, and the name is
resolved once: every address it has is checked, then one of those is connected to, so that a second answer of
the resolver (DNS rebinding) is never asked for. TLS is verified against the system's certificates.

It raises ProviderFailed and its leaf ForbiddenAddress, nothing else; no text of the request's body, headers
or query gets into their details.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final, cast
from urllib.parse import urlencode, urlsplit

from app.errors import ForbiddenAddress, ProviderFailed

Resolve = Callable[[str, int], Sequence[str]]
"""Host and port to IP addresses as text. May raise OSError; may be slow."""

LONGEST_URL: Final = 2_048
LONGEST_QUERY: Final = 8_192
"""Characters of a query that is given apart from its address: a token to be checked may stand in it."""
_HEADERS: Final = 65_536
"""Bytes that status line, headers and chunk sizes may take beyond the body."""
_RESOLVING: Final = 16
"""Names looked up at once; a lookup cannot be broken off, so one that hangs keeps its place."""
_TRIED: Final = 6
"""Addresses of one name that are tried."""

_METADATA: Final = (
    # Link-local ones (169.254.0.0/16, fe80::/10) are closed as a whole; these lie elsewhere.
    IPv6Network("fd00:ec2::/32"),  # AWS: instance metadata, pod identity, time, DNS
    IPv6Network("fd00:c1::/32"),  # Oracle Cloud
    IPv6Network("fd20:ce::/32"),  # Google Cloud
    IPv4Network("100.100.100.200/32"),  # Alibaba Cloud
    IPv4Network("168.63.129.16/32"),  # Azure's wire server
    IPv4Network("192.0.0.192/32"),  # Oracle Cloud, classic
)
_INSIDE: Final = (
    # A company's directory may live on its own network.
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("100.64.0.0/10"),
    IPv6Network("fc00::/7"),
)
_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_TUNNELS: Final = (IPv6Network("2001::/32"), IPv6Network("2002::/16"))
"""Teredo and 6to4 carry an IPv4 address of the sender's choice; nobody honest lives there any more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole."""

    status: int
    """Never 3xx: a redirect is a failure."""
    content_type: str
    """The media type in lower case, without parameters; empty if none was said."""
    body: bytes = field(repr=False)


def system_addresses(host: str, port: int) -> Sequence[str]:
    """The addresses that the host's resolver gives, without doubles, in its order. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def closed(address: IPv4Address | IPv6Address, *, allow_loopback: bool) -> bool:
    """True if the broker must never connect there.

    Open are: global unicast, a company's own ranges (RFC 1918, RFC 6598, RFC 4193) and, where allowed,
    loopback. Everything else is closed: link-local, cloud metadata, multicast, unspecified, reserved,
    and every IPv6 form that carries an IPv4 address, except NAT64's (RFC 6052), which is as open as the
    IPv4 address in it unless that is loopback.
    """
    if isinstance(address, IPv6Address) and address in _NAT64:
        return closed(IPv4Address(int(address) & 0xFFFF_FFFF), allow_loopback=False)
    if any(_within(address, network) for network in _METADATA):
        return True
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return True
    if address.is_loopback:
        return not allow_loopback
    if any(_within(address, network) for network in _INSIDE):
        return False
    if address.is_multicast or not address.is_global:
        return True
    return isinstance(address, IPv6Address) and (
        address not in _UNICAST or any(address in network for network in _TUNNELS)
    )


def _within(address: IPv4Address | IPv6Address, network: IPv4Network | IPv6Network) -> bool:
    return address.version == network.version and address in network


class Fetcher:
    """Fetches small documents from providers. Safe to use from many threads at once.

    `allow_loopback`: the broker itself is on loopback, so its providers may be, and over http there.
    `timeout`: seconds for one fetch from begin to end. `cap`: bytes of a body. `resolve` and `tls` are for
    those who bring their own resolver or certificates (tests do).
    """

    def __init__(
        self,
        allow_loopback: bool,
        *,
        timeout: float = 5.0,
        cap: int = 1_000_000,
        resolve: Resolve = system_addresses,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allow_loopback = allow_loopback
        self._timeout = timeout
        self._cap = cap
        self._resolve = resolve
        self._tls = tls if tls is not None else verified_tls()
        self._resolving = threading.BoundedSemaphore(_RESOLVING)

    def get(
        self, url: str, headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None
    ) -> Answer:
        """GET an absolute https address (http on loopback). `query` is encoded and added to the address's own.

        Raises ProviderFailed, ForbiddenAddress.
        """
        return self._fetch("GET", url, dict(headers or {}), None, urlencode(query or {}, errors="replace"))

    def post_form(
        self,
        url: str,
        fields: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> Answer:
        """POST a form; `auth` is (name, password) for HTTP Basic (RFC 7617), as they stand.

        Raises ProviderFailed, ForbiddenAddress.
        """
        sent = dict(headers or {})
        sent["Content-Type"] = "application/x-www-form-urlencoded"
        sent |= _basic(auth)
        return self._fetch("POST", url, sent, urlencode(fields, errors="replace").encode("ascii"))

    def post_json(
        self, url: str, document: Mapping[str, object], auth: tuple[str, str] | None = None
    ) -> Answer:
        """POST a JSON object; `auth` as for `post_form`. Raises ProviderFailed, ForbiddenAddress."""
        sent = {"Content-Type": "application/json"} | _basic(auth)
        return self._fetch("POST", url, sent, json.dumps(document).encode("ascii"))

    def _fetch(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None, query: str = ""
    ) -> Answer:
        target = _target(url, query)
        deadline = _Deadline(self._timeout)
        try:
            addresses = self._addresses(target, deadline)
            line = self._connect(target, addresses, deadline)
            try:
                return self._exchange(
                    _Line(line, deadline, 2 * self._cap + _HEADERS), target, method, headers, body
                )
            finally:
                line.close()
        except TimeoutError:
            raise ProviderFailed(f"{target} did not answer in {self._timeout:g} s") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            # Without the cause: http.client quotes a header that it does not like, and that may be secret.
            raise ProviderFailed(f"{target} failed: {_kind(error)}") from None

    # --- where to -----------------------------------------------------------------------------------

    def _addresses(self, target: _Target, deadline: _Deadline) -> tuple[str, ...]:
        """Every address of the host, all of them checked."""
        found = tuple(self._lookup(target, deadline))
        if not found:
            raise ProviderFailed(f"{target}: the name has no address")
        for text in found:
            try:
                address = ip_address(text)
            except ValueError:  # a scope such as %eth0 that ipaddress does not know
                raise ForbiddenAddress(f"{target}: resolves to an unreadable address") from None
            if closed(address, allow_loopback=self._allow_loopback):
                raise ForbiddenAddress(f"{target}: resolves to {address}, which is closed")
            if target.scheme == "http" and not address.is_loopback:
                raise ForbiddenAddress(f"{target}: http is only for loopback, and this resolves to {address}")
        return found

    def _lookup(self, target: _Target, deadline: _Deadline) -> Sequence[str]:
        try:
            return (str(ip_address(target.host)),)
        except ValueError:
            pass
        # getaddrinfo has no time-out: it runs beside us, and when the deadline comes we stop waiting.
        if not self._resolving.acquire(timeout=deadline.left()):
            raise TimeoutError
        looked: list[Sequence[str] | BaseException] = []

        def look() -> None:
            try:
                looked.append(self._resolve(target.host, target.port))
            except (OSError, ValueError) as error:  # ValueError: a label that IDNA cannot encode
                looked.append(error)
            finally:
                self._resolving.release()

        thread = threading.Thread(target=look, name="resolve", daemon=True)
        thread.start()
        thread.join(deadline.left())
        if not looked:
            raise TimeoutError
        if isinstance(looked[0], BaseException):
            raise ProviderFailed(f"{target}: the name cannot be resolved ({_kind(looked[0])})")
        return looked[0]

    def _connect(self, target: _Target, addresses: tuple[str, ...], deadline: _Deadline) -> socket.socket:
        """A connection to one of the checked addresses, under the name that was asked for."""
        failure: OSError = TimeoutError()
        tried = addresses[:_TRIED]
        for index, address in enumerate(tried):
            # A dead address must not eat the time of the others.
            share = deadline.left() / (len(tried) - index)
            try:
                plain = socket.create_connection((address, target.port), timeout=share)
            except OSError as error:
                failure = error
                continue
            if target.scheme == "http":
                return plain
            try:
                plain.settimeout(deadline.left())
                return self._tls.wrap_socket(plain, server_hostname=target.host)
            except BaseException:
                plain.close()
                raise
        raise failure

    # --- what is said -------------------------------------------------------------------------------

    def _exchange(
        self, line: _Line, target: _Target, method: str, headers: dict[str, str], body: bytes | None
    ) -> Answer:
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.sock = cast(socket.socket, line)
        connection.request(
            method,
            target.path,
            body=body,
            headers={
                "Accept": "application/json",
                "User-Agent": "daypass",
                **headers,
                "Host": target.authority,
                "Accept-Encoding": "identity",
                "Connection": "close",
            },
        )
        response = connection.getresponse()
        if 300 <= response.status < 400:
            raise ProviderFailed(
                f"{target} answers with a redirect ({response.status}), which is not followed"
            )
        if response.getheader("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            raise ProviderFailed(f"{target} answers in a content coding that was not asked for")
        if response.length is not None and response.length > self._cap:
            raise ProviderFailed(f"{target} answers with more than {self._cap} bytes")
        content = response.read(self._cap + 1)
        if len(content) > self._cap:
            raise ProviderFailed(f"{target} answers with more than {self._cap} bytes")
        if response.length:
            raise ProviderFailed(f"{target} broke off its answer")
        media_type = response.getheader("Content-Type", "").partition(";")[0].strip().lower()
        return Answer(response.status, media_type, content)


def verified_tls() -> ssl.SSLContext:
    """TLS as a client, against the system's certificates."""
    # Not create_default_context: it writes the session keys where SSLKEYLOGFILE says.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # certificate required, host name checked
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context


def _kind(error: BaseException) -> str:
    """What went wrong, in words that hold nothing of what was sent."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


@dataclass(frozen=True, slots=True)
class _Target:
    scheme: str
    host: str
    """Without the brackets of an IPv6 address."""
    port: int
    path: str
    """With the query."""

    @property
    def authority(self) -> str:
        """For the Host header (RFC 9110 7.2): the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        """The address without its query, for the operator."""
        return f"{self.scheme}://{self.authority}{self.path.partition('?')[0]}"


_PORTS: Final = {"https": 443, "http": 80}


def _basic(auth: tuple[str, str] | None) -> dict[str, str]:
    if auth is None:
        return {}
    name_and_password = f"{auth[0]}:{auth[1]}".encode()
    return {"Authorization": "Basic " + base64.b64encode(name_and_password).decode("ascii")}


def _target(url: str, more: str = "") -> _Target:
    # Printable ASCII without a blank: nothing that could break out of the request line, no look-alike host.
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ProviderFailed("an address to fetch is too long or holds characters that no address has")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ProviderFailed("an address to fetch cannot be read") from None
    if parts.scheme not in _PORTS:
        raise ForbiddenAddress(f"an address to fetch has the scheme {parts.scheme!r}; only https is fetched")
    if not host or port == 0 or "@" in parts.netloc:
        raise ForbiddenAddress("an address to fetch has no host, no port or carries a user name")
    if len(more) > LONGEST_QUERY:
        raise ProviderFailed("the query of an address to fetch is too long")
    path = parts.path or "/"
    query = "&".join(part for part in (parts.query, more) if part)
    return _Target(parts.scheme, host, port or _PORTS[parts.scheme], f"{path}?{query}" if query else path)


class _Deadline:
    """The instant when a fetch is over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, above zero. Raises TimeoutError if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Line:
    """A connected socket as http.client uses one, every wait cut to what the deadline leaves."""

    def __init__(self, line: socket.socket, deadline: _Deadline, cap: int) -> None:
        self._line = line
        self._deadline = deadline
        self._cap = cap

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._line.settimeout(self._deadline.left())
            rest = rest[self._line.send(rest) :]

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Arriving(self._line, self._deadline, self._cap))

    def close(self) -> None:
        """http.client closes before it reads the body; `Fetcher` closes the socket."""


class _Arriving(io.RawIOBase):
    """What arrives, counted: endless headers, interim answers or chunk sizes end here."""

    def __init__(self, line: socket.socket, deadline: _Deadline, cap: int) -> None:
        self._line = line
        self._deadline = deadline
        self._left = cap

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._line.settimeout(self._deadline.left())
        count = self._line.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise http.client.HTTPException
        return count
