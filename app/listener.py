"""Between the server and the WSGI application: a request's body is here, whole, before a thread is taken for it.

WSGI servers hand the application a body that is still arriving: whoever sends it slowly holds a thread for as
long as they like, and as many of them as there are threads hold the broker. Here bodies arrive on the event
loop, against a deadline and a cap, and threads only work.

    uvicorn (ASGI 3) → `Listener` → body → thread → application → whole answer → uvicorn

A body that is here already needs none of that: `app.server` brings it with `Listener.take`.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from importlib import import_module
from queue import SimpleQueue
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from app.answer import LAST_RESORT, Answer, Headers, fit

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Wsgi = Callable[[Message, Callable[..., object]], Iterable[bytes]]
Tell = Callable[[Answer], object]
"""What hears an answer, on the thread that made it. Raises RuntimeError where nobody is left to hear it."""

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
_COMMON: Final = 64
"""Bytes of a header's name whose WSGI name is remembered; it bounds what strangers can put into memory."""
_SAME: Final[Message] = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.input_terminated": True,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}
"""What every request's environment has."""

log = logging.getLogger("daypass.web")


class Listener:
    """An ASGI application (ASGI 3, HTTP) that is a WSGI application inside, on `threads` threads."""

    def __init__(self, app: Wsgi, threads: int, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        self._threads = _Threads(app, threads)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        headers: Headers = list(scope["headers"])
        body = await self._body(dict(headers), receive)
        status, given, answer = await self._threads.answer(environ(scope, headers, body))
        await send({"type": "http.response.start", "status": status, "headers": given})
        await send({"type": "http.response.body", "body": answer})

    def take(self, scope: Message, body: bytes, tell: Tell) -> None:
        """One request whose body is here, whole. `tell` hears the answer, once, fit to be sent."""
        self._threads.work(environ(scope, scope["headers"], io.BytesIO(body)), tell)

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> io.RawIOBase | io.BytesIO:
        announced = headers.get(b"content-length", b"")
        if not announced and b"transfer-encoding" not in headers:
            return io.BytesIO()
        length = int(announced) if announced.isdigit() else None
        if length is not None and length > MOST:
            return io.BytesIO()  # refused by its announced length; nothing of it is read
        try:
            async with asyncio.timeout(self._deadline):
                body = await _read(receive, MOST if length is None else length)
        except TimeoutError:
            return Late()
        if body is None or (length is not None and len(body) < length):
            return Late()
        return io.BytesIO(body)


class _Threads:
    """Those on which the application works. An executor costs a tenth of a whole request more."""

    def __init__(self, app: Wsgi, count: int) -> None:
        self._app = app
        self._waiting: SimpleQueue[tuple[Message, Tell]] = SimpleQueue()
        for number in range(count):  # daemons: a stop waits for the server, which waits for what was begun
            threading.Thread(target=self._go_on, name=f"request_{number}", daemon=True).start()

    async def answer(self, request: Message) -> Answer:
        """The application's answer, or the last resort."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[Answer] = loop.create_future()
        self.work(request, lambda answer: loop.call_soon_threadsafe(_tell, told, answer))
        return await told

    def work(self, request: Message, tell: Tell) -> None:
        """Have it answered, as above."""
        self._waiting.put((request, tell))

    def _go_on(self) -> None:
        while True:
            request, tell = self._waiting.get()
            method = request["REQUEST_METHOD"]
            try:
                answer = fit(method, answered(self._app, request))
            except BaseException as error:  # noqa: BLE001 - not even an error page; the thread is needed again
                log.error("defect", extra={"error": type(error).__name__})
                answer = fit(method, LAST_RESORT)
            try:
                tell(answer)
            except RuntimeError:
                return  # the loop is closed: the process ends
            del request, tell, answer  # nothing of it is kept while the next one is waited for


def _tell(told: asyncio.Future[Answer], answer: Answer) -> None:
    if not told.done():  # cancelled, where the server gave the request up
        told.set_result(answer)


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
    path: bytes = scope["raw_path"]
    made: Message = {
        **_SAME,
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": (unquote_to_bytes(path) if b"%" in path else path).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": str(client[0]),
        "REMOTE_PORT": str(client[1]),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
    }
    for header, value in headers:
        key = _known_key(header) if len(header) <= _COMMON else _key(header)
        if not key:
            continue
        if key not in made:
            made[key] = value.decode("latin-1")
        elif key not in _ONE_ONLY:  # RFC 9110, 5.3; RFC 9113, 8.2.3
            made[key] += ("; " if key == "HTTP_COOKIE" else ",") + value.decode("latin-1")
    return made


def _key(header: bytes) -> str:
    """The name of a header as WSGI has it; empty for one that is not passed on."""
    if b"_" in header and header not in _UNDERSCORED:
        return ""
    key = header.decode("latin-1").upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


_known_key: Final = lru_cache(maxsize=512)(_key)


def answered(app: Wsgi, request: Message) -> Answer:
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


async def _read(receive: Receive, most: int) -> bytes | None:
    """The body, of which no more than `most` is read: where the length is known, nobody waits to hear that it ends.

    None if the client went away in the middle: what came of it is not what it meant.
    """
    parts: list[bytes] = []
    size = 0
    while size < most:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part: bytes = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if not message.get("more_body", False):
            break
    return b"".join(parts)[:most]
