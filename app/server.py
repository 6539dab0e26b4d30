"""HTTP/1.1: uvicorn on httptools, with the limits that it leaves to others.

uvicorn, because it costs the least of those measured that hand an application whole requests with every header as
it was sent (decision 0015). What it does not bound is bounded here: how many connections there are, how long the
head of a request may take and how large it may be, and how long a connection may do nothing.

A request that is here whole takes a short way: from here to the threads of `app.listener`, and its answer from there
back in one piece, without a task of asyncio's. Every other one goes the way of ASGI; the answers are the same.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from weakref import proxy

import uvicorn
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.answer import LAST_RESORT, Answer, fit
from app.processors import LOOK_EVERY, Seat

CONNECTIONS: Final = 512
"""Open at once in a process; below the usual limit of 1,024 open files."""
HEAD_SECONDS: Final = 30.0
"""For the head of a request to arrive, from when there was nothing else to do: so long a connection may be idle, too."""
HEAD_BYTES: Final = 400 * 1024
"""Of a head that is not complete yet."""
HEADERS: Final = 100
"""Of one request: each costs far more memory than it has bytes."""
AHEAD: Final = 16
"""Requests that wait for the answers to those before them on their connection."""
LEFT_BYTES: Final = 1024 * 1024
"""Of a body that go on coming after the answer, and are dropped: some clients read no answer before they are done."""
GRACE: Final = 10
"""Seconds that a stop waits for answers."""
LINGER: Final = 2.0
"""Seconds for whoever was refused to stop sending and read why. Closed at once, the answer may be lost with the rest."""
_LOOK_EVERY: Final = 10
"""Ticks of uvicorn's clock, which are tenths of a second."""
_SEAT_EVERY: Final = round(LOOK_EVERY * 10)
"""The same."""
_FRAMES: Final = frozenset({b"content-length", b"transfer-encoding"})
"""Headers of requests that have a body."""
_REFUSALS: Final = {
    400: b"This is no request that can be read.\nCode: request.malformed\n",
    431: b"The head of the request is too large.\nCode: request.too_large\n",
    503: b"Too many connections or requests are open here. Try again in a few seconds.\nCode: rate.limited\n",
}
"""By their status: what is answered where there is no request for the application."""

log = logging.getLogger("daypass.web")


class Connection(HttpToolsProtocol):
    """One of a client's, within bounds."""

    idle_since: float | None = None
    """Since when the head of a request is waited for, by the loop's clock; None while one is answered."""
    _unasked = 0
    """Bytes that came since a request was made of some, or a part of its body."""
    _in_body = False
    _answering: RequestResponseCycle | None = None
    _full_since: float | None = None
    """Since when nothing more can be written, as the client takes nothing off our hands."""
    _take: Callable[[Any, bytes, Callable[[Answer], object]], None] | None = None
    """`Listener.take`, if the application has it."""
    _refused_at: float | None = None
    """Since when nothing is answered any more, and what comes is dropped."""
    _reading = False
    _begun: tuple[RequestResponseCycle, Any] | None = None
    """A request whose head is in what is being read; its body may be there as well."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Answer that there are too many, or begin to wait for a request."""
        full = len(self.connections) >= CONNECTIONS
        super().connection_made(transport)
        self._take = getattr(self.app, "take", None)
        self.idle_since = self.loop.time()
        if full:
            self._refuse(503)
            self.transport.close()  # there are too many to wait for

    def data_received(self, data: bytes) -> None:
        """Take what arrives; a head that goes on and on is not kept, nor a body that nobody reads."""
        if self.transport.is_closing():
            return
        self._unasked += len(data)
        if self._refused_at is not None:
            if self._unasked > LEFT_BYTES:
                self.drop()
            return
        self._reading = True
        super().data_received(data)
        self._reading = False
        if self._begun is not None:
            begun, self._begun = self._begun, None
            if not self._over:  # what came with it was no HTTP: nothing of it counts
                self._start(*begun)
        if self._in_body and self.idle_since is not None:
            if self._unasked > LEFT_BYTES:
                self.drop()
        elif self._unasked > HEAD_BYTES and not self._over:
            self._refuse(431)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One more. Raises ValueError, which becomes a 400, for one too many."""
        if self._in_body:
            return  # a trailer (RFC 9110, 6.5.1): what a proxy writes or takes out of the head must not come back here
        if len(self.headers) >= HEADERS:
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A request is there, its body perhaps not yet. Raises ValueError as above for one too far ahead, and for
        one with a body whose end would not be found.
        """
        if len(self.pipeline) >= AHEAD:
            raise ValueError("too many requests ahead of their answers")
        # httptools takes an offer of another protocol for taken up: what follows in the same read it drops, and in
        # the next one it reads a new request, in the middle of a body, too.
        offered = self.parser.should_upgrade()
        if offered and any(name in _FRAMES and value != b"0" for name, value in self.headers):
            raise ValueError("a body after an offer of another protocol")
        self.idle_since = None
        self._unasked = 0
        self._in_body = True
        super().on_headers_complete()
        if offered:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A part of it; who waits for it bounds it."""
        if self.idle_since is None:
            self._unasked = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """It is there whole."""
        self._in_body = False
        self._unasked = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It is answered; the next one may come, if it has not."""
        super().on_response_complete()
        if self.cycle.response_complete or self.transport.is_closing():  # then nobody asks any more
            self.idle_since = self.loop.time()

    def pause_writing(self) -> None:
        """Too much waits to be sent."""
        self._full_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It was sent."""
        self._full_since = None
        super().resume_writing()

    def leave(self, now: float) -> None:
        """Close it if nothing came for too long; what is not taken off our hands then is given up later."""
        if self._refused_at is not None:
            if now - self._refused_at > LINGER:
                self.drop()
            return
        if self._full_since is not None and now - self._full_since > 2 * HEAD_SECONDS:
            self.drop()
        if self.idle_since is None or now - self.idle_since < HEAD_SECONDS:
            return
        if self.transport.is_closing() or now - self.idle_since > 2 * HEAD_SECONDS:
            self.drop()
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """The server stops: whoever was refused is not waited for."""
        if self._refused_at is not None:
            self.drop()
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """What cannot be read as HTTP."""
        self._refuse(400)

    def drop(self) -> None:
        """Hang up, whatever waits to be sent; what is still being answered is answered to nobody."""
        if self._answering is not None:
            self._answering.disconnected = True
        self.transport.abort()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle  # `cycle` of uvicorn's is the last one of those that wait
        if self._reading:
            self._begun = cycle, app
        else:
            self._start(cycle, app)

    def _start(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Have it answered, the short way if it can go there."""
        if len(self.tasks) >= 2 * CONNECTIONS:  # what those asked who left is in work, too
            self._refuse(503)
            return
        if (
            self._take is None
            or app is not self.app
            or cycle.more_body
            or cycle.waiting_for_100_continue
            or len(cycle.body) > HIGH_WATER_LIMIT  # reading stopped for it, and goes on where it is taken
            or self.flow.write_paused  # its answer has to wait until those before it are taken
        ):
            # By a weak reference: nothing that holds itself is left to the garbage collector.
            cycle.send_500_response = partial(_last_resort, proxy(cycle))  # type: ignore[method-assign]
            super()._start_asgi_task(cycle, app)
            return
        body, cycle.body = bytes(cycle.body), bytearray()
        work = _Work(self, cycle)
        self._take(cycle.scope, body, work.tell)
        self.tasks.add(work)  # type: ignore[arg-type]  # what is asked of tasks there, `_Work` can do

    def finish(self, cycle: RequestResponseCycle, answer: Answer) -> None:
        """Send the answer to a request that went the short way, as `RequestResponseCycle.send` would."""
        if not self._over:  # else the client is gone, or was told something else
            self.transport.write(_http(cycle, answer))
        cycle.response_complete = True
        cycle.on_response = _nothing  # as `run_asgi` leaves it: no request holds its connection
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    @property
    def _over(self) -> bool:
        return self._refused_at is not None or self.transport.is_closing()

    def _refuse(self, status: int) -> None:
        """Say why, and then nothing more, neither to what is being answered nor to what waits for that."""
        words = _REFUSALS[status]
        head = (
            b"content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n" % len(words)
        )
        self.transport.write(STATUS_LINE[status] + head + words)
        self._refused_at = self.loop.time()
        self._unasked = 0
        if self._answering is not None:
            self._answering.disconnected = True
        self.pipeline.clear()
        self.transport.write_eof()
        self.flow.resume_reading()


class _Work:
    """A request on the short way. It is one of the server's tasks, as uvicorn waits for them at a stop."""

    __slots__ = ("_connection", "_cycle")

    def __init__(self, connection: Connection, cycle: RequestResponseCycle) -> None:
        self._connection = connection
        self._cycle = cycle

    def tell(self, answer: Answer) -> None:
        """It is answered; told by any thread. Raises RuntimeError if the loop is closed."""
        self._connection.loop.call_soon_threadsafe(self._told, answer)

    def _told(self, answer: Answer) -> None:
        connection = self._connection
        connection.tasks.discard(self)
        try:
            connection.finish(self._cycle, answer)
        except Exception as error:  # noqa: BLE001 - nobody else would hang up
            log.error("defect", extra={"error": type(error).__name__})
            connection.drop()

    def cancel(self, msg: object = None) -> None:
        """The stop waits no longer, and nothing that waits behind this one is begun."""
        self._cycle.keep_alive = False
        self._connection.finish(self._cycle, fit(self._cycle.scope["method"], LAST_RESORT))


def _http(cycle: RequestResponseCycle, answer: Answer) -> bytes:
    """Head and body, as uvicorn writes them."""
    status, headers, body = answer
    parts = [STATUS_LINE[status]]
    told = False
    for name, value in cycle.default_headers + headers:
        if name == b"connection" and b"close" in [token.strip() for token in value.lower().split(b",")]:
            cycle.keep_alive = False
            told = True
        parts += (name, b": ", value, b"\r\n")
    if not cycle.keep_alive and not told:
        parts.append(b"connection: close\r\n")
    parts += (b"\r\n", body)
    return b"".join(parts)


async def _last_resort(cycle: RequestResponseCycle) -> None:
    """What uvicorn says where the application does not, as a stop waits no longer for it: what the short way says."""
    cycle.keep_alive = False
    status, headers, body = fit(cycle.scope["method"], LAST_RESORT)
    await cycle.send({"type": "http.response.start", "status": status, "headers": headers})
    await cycle.send({"type": "http.response.body", "body": body, "more_body": False})


def _nothing() -> None: ...


class Server(uvicorn.Server):
    """uvicorn's, which also leaves idle connections, and ends when the process that started it is gone."""

    def __init__(self, config: uvicorn.Config, seat: Seat | None) -> None:
        super().__init__(config)
        self._parent = os.getppid()
        self._seat = seat

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second. True to stop."""
        if counter % _LOOK_EVERY == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.leave(now)
            if os.getppid() != self._parent:
                return True
        if self._seat is not None and counter % _SEAT_EVERY == 0:
            self._seat.look()
        return await super().on_tick(counter)


def serve(app: Any, listening: socket.socket, seat: Seat | None = None) -> None:
    """Serve an ASGI application on a socket that is bound, until SIGTERM or SIGINT. `seat`: the processor it keeps to."""
    server_for(app, seat).run(sockets=[listening])


def server_for(app: Any, seat: Seat | None = None) -> Server:
    """The server of an ASGI application (ASGI 3, HTTP)."""
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,  # `app.answer` says it, where the application has not
        timeout_keep_alive=int(HEAD_SECONDS),
        timeout_graceful_shutdown=GRACE,
        backlog=1024,
    )
    return Server(config, seat)
