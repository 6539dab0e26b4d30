"""Between granian and the WSGI application: a request's body is here, whole, before a thread is taken for it.

WSGI servers hand the application a body that is still arriving: whoever sends it slowly holds a thread for as
long as they like, and as many of them as there are threads hold the broker. Here bodies arrive on the event
loop, against a deadline and a cap, and threads only work.

    granian (ASGI 3) → `Listener` → body → thread → Flask → whole answer → granian
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, Final
from urllib.parse import unquote_to_bytes

MOST: Final = 512 * 1024 + 2
"""Bytes of a body that are kept: more than any address takes (`app/web/route.py`), so that what is longer is
seen there to be longer."""
DEADLINE: Final = 10.0
"""Seconds for a whole body to arrive."""
_UNDERSCORED: Final = frozenset({b"x-amz-sso_bearer_token"})
"""Header names with underscores that AWS's clients send. WSGI cannot tell `X_Forwarded_For` from
`X-Forwarded-For`, which only a proxy may write, so no other is passed on."""
_ONE_ONLY: Final = frozenset({"HTTP_HOST", "CONTENT_TYPE", "CONTENT_LENGTH"})
"""Of these the first counts; further ones are not joined to it."""

log = logging.getLogger("daypass.web")

Headers = list[tuple[bytes, bytes]]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Wsgi = Callable[[Message, Callable[..., object]], Iterable[bytes]]
LAST_RESORT: Final[tuple[int, Headers, bytes]] = (
    503,
    [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")],
    b"Something went wrong here. Nothing was given out.\nCode: internal\n",
)
"""Where the application cannot answer at all: granian would make it a 500."""


class Listener:
    """An ASGI application (ASGI 3, HTTP) that is a WSGI application inside, on `threads` threads."""

    def __init__(self, app: Wsgi, threads: int, deadline: float = DEADLINE) -> None:
        self._app = app
        self._deadline = deadline
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="request")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        headers: Headers = list(scope["headers"])
        body = await self._body(dict(headers), receive)
        loop = asyncio.get_running_loop()
        try:
            status, given, answer = await loop.run_in_executor(
                self._pool, answered, self._app, environ(scope, headers, body)
            )
        except Exception as error:  # noqa: BLE001 - no thread to be had, or not even an error page
            log.error("defect", extra={"error": type(error).__name__})
            status, given, answer = LAST_RESORT
        await send({"type": "http.response.start", "status": status, "headers": given})
        await send({"type": "http.response.body", "body": answer})

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> io.RawIOBase | io.BytesIO:
        announced = headers.get(b"content-length", b"")
        if not announced and b"transfer-encoding" not in headers:
            return io.BytesIO()
        if announced.isdigit() and int(announced) > MOST:
            return io.BytesIO()  # refused by its announced length; nothing of it is read
        try:
            async with asyncio.timeout(self._deadline):
                body = await _read(receive)
        except TimeoutError:
            return Late()
        # The client went away in the middle; what came of it is not what it meant.
        cut = announced.isdigit() and len(body) < int(announced)
        return Late() if cut else io.BytesIO(body)


class Late(io.RawIOBase):
    """A body that did not arrive, or not in time: whoever reads it is told so, who does not need it is not."""

    def readable(self) -> bool:
        """Yes, with the error that it meets."""
        return True

    def readinto(self, _buffer: Any) -> int:
        """Raises TimeoutError, which Werkzeug takes as it takes a client that went away."""
        raise TimeoutError("the body did not arrive")


def environ(scope: Message, headers: Headers, body: io.RawIOBase | io.BytesIO) -> Message:
    """The request as WSGI has it (PEP 3333; RFC 3875, 4.1): bytes as the text that latin-1 makes of them."""
    client, server = scope.get("client") or ("", 0), scope.get("server") or ("", 0)
    made: Message = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": str(client[0]),
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for header, value in headers:
        if b"_" in header and header not in _UNDERSCORED:
            continue
        key = header.decode("latin-1").upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        if key not in made:
            made[key] = value.decode("latin-1")
        elif key not in _ONE_ONLY:  # RFC 9110, 5.3; RFC 9113, 8.2.3
            made[key] += ("; " if key == "HTTP_COOKIE" else ",") + value.decode("latin-1")
    return made


def answered(app: Wsgi, request: Message) -> tuple[int, Headers, bytes]:
    """Status, headers and whole body of the application's answer."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> None:
        started.append((status, headers))

    parts = app(request, start_response)
    try:
        body = b"".join(parts)
    finally:
        if (close := getattr(parts, "close", None)) is not None:
            close()
    status, headers = started[-1]
    return (
        int(status[:3]),
        [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        body,
    )


def load(target: str, threads: int) -> Listener:
    """`module:name` of a WSGI application → its listener; what each worker process calls."""
    module, _, name = target.partition(":")
    return Listener(getattr(import_module(module), name), threads)


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while size < MOST:
        message = await receive()
        if message["type"] != "http.request":
            break  # the client went away
        part: bytes = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if not message.get("more_body", False):
            break
    return b"".join(parts)[:MOST]
