"""HTTP/1.1: uvicorn on httptools, with the limits that it leaves to others.

uvicorn, because it costs the least of those measured that hand an application whole requests with every header as
it was sent (decision 0015). What it does not bound is bounded here: how many connections there are, how long the
head of a request may take and how large it may be, and how long a connection may do nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

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
_LOOK_EVERY: Final = 10
"""Ticks of uvicorn's clock, which are tenths of a second."""
_SEAT_EVERY: Final = round(LOOK_EVERY * 10)
"""The same."""
_REFUSALS: Final = {
    400: b"This is no request that can be read.\nCode: request.malformed\n",
    431: b"The head of the request is too large.\nCode: request.too_large\n",
    503: b"Too many connections are open here. Try again in a few seconds.\nCode: rate.limited\n",
}
"""By their status: what is answered where there is no request for the application."""


class Connection(HttpToolsProtocol):
    """One of a client's, within bounds."""

    idle_since: float | None = None
    """Since when the head of a request is waited for, by the loop's clock; None while one is answered."""
    _unasked = 0
    """Bytes that came meanwhile."""
    _in_body = False
    _answering: RequestResponseCycle | None = None
    _full_since: float | None = None
    """Since when nothing more can be written, as the client takes nothing off our hands."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Answer that there are too many, or begin to wait for a request."""
        full = len(self.connections) >= CONNECTIONS
        super().connection_made(transport)
        self.idle_since = self.loop.time()
        if full:
            self._refuse(503)

    def data_received(self, data: bytes) -> None:
        """Take what arrives; a head that goes on and on is not kept, nor a body that nobody reads."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.idle_since is None:
            return
        self._unasked += len(data)
        if self._in_body:
            if self._unasked > LEFT_BYTES:
                self._drop()
        elif self._unasked > HEAD_BYTES and not self.transport.is_closing():
            self._refuse(431)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One more. Raises ValueError, which becomes a 400, for one too many."""
        if len(self.headers) >= HEADERS:
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A request is there, its body perhaps not yet. Raises ValueError as above for one too far ahead."""
        if len(self.pipeline) >= AHEAD:
            raise ValueError("too many requests ahead of their answers")
        self.idle_since = None
        self._unasked = 0
        self._in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """It is there whole."""
        self._in_body = False
        self._unasked = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It is answered; the next one may come, if it has not."""
        super().on_response_complete()
        if self.cycle.response_complete:
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
        if self._full_since is not None and now - self._full_since > 2 * HEAD_SECONDS:
            self._drop()
        if self.idle_since is None or now - self.idle_since < HEAD_SECONDS:
            return
        if self.transport.is_closing() or now - self.idle_since > 2 * HEAD_SECONDS:
            self._drop()
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What cannot be read as HTTP."""
        self._refuse(400)

    def _drop(self) -> None:
        """Hang up, whatever waits to be sent; what is still being answered is answered to nobody."""
        if self._answering is not None:
            self._answering.disconnected = True
        self.transport.abort()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle  # `cycle` of uvicorn's is the last one of those that wait
        super()._start_asgi_task(cycle, app)

    def _refuse(self, status: int) -> None:
        words = _REFUSALS[status]
        head = (
            b"content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n" % len(words)
        )
        self.transport.write(STATUS_LINE[status] + head + words)
        self.transport.close()


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
        date_header=False,  # `app.listener` says it, where the application has not
        timeout_keep_alive=int(HEAD_SECONDS),
        timeout_graceful_shutdown=GRACE,
        backlog=1024,
    )
    return Server(config, seat)
