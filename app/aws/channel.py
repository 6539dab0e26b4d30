"""Kept connections to one address: POST in, whole answer out, before the deadline.

Smaller than an HTTP library on purpose: an issued credential costs one of these calls. No redirects, no
proxy, no environment; certificates are checked against the bundle that the AWS SDK ships.
"""

from __future__ import annotations

import io
import ipaddress
import socket
import ssl
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Any, cast
from urllib.parse import urlsplit

from botocore.httpsession import get_cert_path

from app.aws.deadline import Deadline, Late, bounded

_IDLE = 20.0
"""Seconds after which a kept connection is not used again."""
_KEPT = 64
_CONNECT = 3.0


class NoAnswer(Exception):
    """No usable answer came: the address cannot be reached, is too slow, or does not speak HTTP."""

    def __init__(self, why: str, *, slow: bool = False) -> None:
        super().__init__(why)
        self.slow = slow


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    body: bytes = field(repr=False)


class Channel:
    """Connections to the scheme, host and port of `url`. Safe to use from many threads."""

    def __init__(self, url: str, *, cap: int, trust: ssl.SSLContext | None = None) -> None:
        """`cap` is the largest body accepted, in bytes; `trust` replaces the SDK's certificate bundle.

        Raises ValueError for what is not an http(s) address, or plain http to another machine: what goes
        this way are secret keys.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise ValueError(f"{url!r} is not an http or https address")
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise ValueError(f"{url!r} is plain http to another machine")
        self._host = parts.hostname
        self._tls = (trust or _context()) if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        self._cap = cap
        self._idle: deque[_Connection] = deque()
        self.authority = parts.netloc
        """What the Host header says."""

    def post(self, target: str, headers: Mapping[str, str], body: bytes, deadline: Deadline) -> Answer:
        """Send and read the whole answer. Raises NoAnswer.

        Use it only for what may be sent twice: a kept connection that the other side has just closed is
        replaced, once.
        """
        message = self._message(target, headers, body)
        while True:
            connection, kept = self._take(deadline)
            try:
                answer, again = connection.exchange(message, self._cap, deadline)
            except Late:
                connection.close()
                raise NoAnswer("no whole answer in time", slow=True) from None
            except NoAnswer:
                connection.close()
                raise
            except (OSError, HTTPException) as error:
                connection.close()
                if kept and isinstance(error, ConnectionError):
                    continue
                raise _no_answer(error) from None
            except BaseException:
                connection.close()
                raise
            if again and len(self._idle) < _KEPT:
                self._idle.append(connection)
            else:
                connection.close()
            return answer

    def warm(self, deadline: Deadline) -> None:
        """Have a connection ready. Raises NoAnswer."""
        connection, _ = self._take(deadline)
        self._idle.append(connection)

    def _message(self, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
        fields = {"Host": self.authority, "Content-Length": str(len(body)), **headers}
        lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        head = "\r\n".join(lines)
        if head.count("\r") != len(fields) or head.count("\n") != len(fields):
            raise NoAnswer("a header holds a line break")
        return f"{head}\r\n\r\n".encode("latin-1", "replace") + body

    def _take(self, deadline: Deadline) -> tuple[_Connection, bool]:
        oldest = time.monotonic() - _IDLE
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._connect(deadline), False
            if connection.used > oldest and connection.quiet():
                return connection, True
            connection.close()

    def _connect(self, deadline: Deadline) -> _Connection:
        part = deadline.within(_CONNECT)
        failure: Exception = OSError("the name has no address")
        try:
            for family, kind, protocol, _, address in bounded(self._resolve, part):
                raw = socket.socket(family, kind, protocol)
                try:
                    raw.settimeout(part.left())
                    raw.connect(address)
                    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    raw.settimeout(part.left())
                    return _Connection(
                        self._tls.wrap_socket(raw, server_hostname=self._host) if self._tls else raw
                    )
                except OSError as error:
                    failure = error
                    raw.close()
                except BaseException:
                    raw.close()
                    raise
        except Late:
            raise NoAnswer(f"no connection to {self._host} in time") from None
        except OSError as error:
            failure = error
        raise NoAnswer(f"no connection to {self._host}: {_words(failure)}") from None

    def _resolve(self) -> list[Any]:
        try:
            return socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except UnicodeError:
            raise OSError("not a host name") from None


class _Connection:
    """One connection, as `http.client.HTTPResponse` wants a socket to be, with every read under the deadline."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._deadline = Deadline(0.0)
        self.used = time.monotonic()

    def exchange(self, message: bytes, cap: int, deadline: Deadline) -> tuple[Answer, bool]:
        """The answer, and whether the connection can be used again."""
        self._deadline = deadline
        self._raw.settimeout(deadline.left())
        self._raw.sendall(message)
        response = HTTPResponse(cast(socket.socket, self), method="POST")
        try:
            response.begin()
            body = response.read(cap + 1)
            if len(body) > cap:
                raise NoAnswer(f"the answer is longer than {cap} bytes")
            if response.length:
                raise NoAnswer("the answer ends in the middle")
            again = not response.will_close and response.isclosed()
        finally:
            response.close()
        self.used = time.monotonic()
        return Answer(response.status, body), again

    def makefile(self, mode: str) -> io.BufferedReader:
        """The reading side, for HTTPResponse."""
        return io.BufferedReader(_Reader(self))

    def receive(self, buffer: memoryview) -> int:
        """Read what is there, waiting no longer than the deadline. Raises Late, OSError."""
        self._raw.settimeout(self._deadline.left())
        try:
            return self._raw.recv_into(buffer)
        except TimeoutError:
            raise Late from None

    def quiet(self) -> bool:
        """True while the other side has neither closed nor said anything unasked."""
        try:
            self._raw.settimeout(0)
            self._raw.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True  # nothing there, or only TLS's own records
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Hang up."""
        self._raw.close()


class _Reader(io.RawIOBase):
    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._connection.receive(memoryview(buffer))


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=get_cert_path(True))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _no_answer(error: Exception) -> NoAnswer:
    slow = isinstance(error, TimeoutError)
    return NoAnswer("no whole answer in time" if slow else f"no HTTP answer: {_words(error)}", slow=slow)


def _words(error: Exception) -> str:
    """The kind of a failure. Not its text where that quotes what the other side sent."""
    text = error.strerror if isinstance(error, OSError) else None
    return f"{type(error).__name__}{f' ({text})' if text else ''}"
