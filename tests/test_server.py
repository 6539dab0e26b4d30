"""What the HTTP server bounds beyond what uvicorn does, and what it says where there is no request."""

from __future__ import annotations

import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from app import server
from app.answer import LAST_RESORT
from app.listener import Listener, Wsgi
from tests.company import ROOT, environment

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE = b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"a" * 100_000
SOON = 10.0


def hello(environ: dict[str, object], start: Callable[..., object]) -> list[bytes]:
    """How many bytes came."""
    body = str(len(environ["wsgi.input"].read())).encode()  # type: ignore[attr-defined]
    start("200 OK", [("Content-Length", str(len(body))), ("Content-Type", "text/plain")])
    return [body]


@contextmanager
def served(deadline: float = 5.0, app: Any = None) -> Iterator[Callable[[], socket.socket]]:
    """A server, of `hello` if of nothing else (ASGI); what opens a connection to it."""
    with running(server.server_for(app or Listener(hello, 2, deadline))) as connect:
        yield connect


@contextmanager
def running(running: server.Server) -> Iterator[Callable[[], socket.socket]]:
    """A server at work; what opens a connection to it."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    with ExitStack() as opened:

        def connect() -> socket.socket:
            return opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=SOON))

        try:
            yield connect
        finally:
            running.should_exit = True
    thread.join(SOON)
    assert not thread.is_alive()


class Watched(Listener):
    """What says which way the requests came."""

    def __init__(self, app: Wsgi = hello, threads: int = 2) -> None:
        super().__init__(app, threads, 5.0)
        self.ways: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.ways.append("asgi")
        await super().__call__(scope, receive, send)

    def take(self, scope: Any, body: bytes, tell: Any) -> None:
        self.ways.append("short")
        super().take(scope, body, tell)


class Held:
    """An application that answers with `size` bytes, once it may."""

    def __init__(self, size: int = 3) -> None:
        self.begun = self.done = 0
        self.may = threading.Event()
        self._size = size

    def __call__(self, environ: dict[str, object], start: Callable[..., object]) -> list[bytes]:
        self.begun += 1
        self.may.wait(SOON)
        start("200 OK", [("Content-Length", str(self._size))])
        self.done += 1
        return [b"a" * self._size]


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + SOON
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def ask(connection: socket.socket, request: bytes = GET) -> bytes:
    connection.sendall(request)
    return connection.recv(65_536)


def rest(connection: socket.socket) -> bytes:
    """Everything until it is closed."""
    found = bytearray()
    try:
        while part := connection.recv(1 << 20):
            found += part
    except ConnectionError:
        pass
    return bytes(found)


def go_on_until_cut_off(connection: socket.socket) -> None:
    """Send for as long as it goes, which must not be long."""
    sent = 0
    with pytest.raises(ConnectionError):
        while sent < 50_000_000:
            connection.sendall(b"a" * 65_536)
            sent += 65_536
    assert sent < 20_000_000


def rest_of(connection: socket.socket, size: int) -> bytes:
    """An answer of at least so many bytes."""
    connection.sendall(GET)
    found = bytearray()
    while len(found) < size and (part := connection.recv(1 << 20)):
        found += part
    return bytes(found)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heads must be there within a second, which is looked at each tenth of one."""
    monkeypatch.setattr(server, "HEAD_SECONDS", 1.0)
    monkeypatch.setattr(server, "_LOOK_EVERY", 1)


def test_one_connection_carries_many_requests_and_each_answer_has_one_date():
    with served() as connect:
        connection = connect()
        for _ in range(3):
            answer = ask(connection)
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\n0")
            assert answer.lower().count(b"\r\ndate: ") == 1
            assert b"\r\nserver:" not in answer.lower()


def test_requests_sent_at_once_are_answered_in_their_order():
    post = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
    with served() as connect:
        connection = connect()
        connection.sendall(
            b"".join(post % (size, b"a" * size) for size in (1, 2, 3)) + b"GET / HTTP/1.0\r\n\r\n"
        )
        bodies = [part.partition(b"\r\n\r\n")[2] for part in rest(connection).split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [b"1", b"2", b"3", b"0"]


def test_who_asks_whether_to_go_on_is_told_so():
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    with served() as connect:
        connection = connect()
        assert ask(connection, head) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert ask(connection, b"abc").endswith(b"\r\n\r\n3")


@pytest.mark.parametrize("bad", [b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\n\x00"])
def test_what_is_no_request_is_a_400_in_words(bad):
    with served() as connect:
        connection = connect()
        connection.sendall(bad)
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.endswith(b"Code: request.malformed\n")


@pytest.mark.parametrize(
    "twice",
    [
        b"Content-Length: 3\r\nContent-Length: 4",
        b"Content-Length: 3\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: identity",
        b"Content-Length: +3",
    ],
)
def test_no_request_hides_in_another_ones_body(twice):
    with served() as connect:
        connection = connect()
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\n%b\r\n\r\nabc" % twice + GET)
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1 ") == 1


def test_a_head_without_an_end_is_not_kept():
    with served() as connect:
        connection = connect()
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        answer = b""
        try:
            for _ in range(2 * server.HEAD_BYTES // 10_000):
                connection.sendall(b"a" * 10_000)
        except ConnectionError:
            pass
        answer = rest(connection)
        assert not answer or answer.startswith(b"HTTP/1.1 431 ")
        large = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 300_000 + b"\r\n\r\n"
        assert ask(connect(), large).startswith(b"HTTP/1.1 200 ")


@pytest.mark.alone
@pytest.mark.usefixtures("quick")
def test_a_head_that_trickles_in_and_a_connection_that_does_nothing_are_left():
    with served() as connect:
        idle, trickling, working, again = connect(), connect(), connect(), connect()
        began = time.monotonic()
        working.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n")
        ask(again)
        left = None
        for sent in range(20):
            try:
                trickling.sendall(b"GET / HTTP/1.1\r\nX: "[sent % 18 : sent % 18 + 1])
            except ConnectionError:
                left = left or time.monotonic() - began
            working.sendall(b"a")
            if sent == 5:
                ask(again)
            time.sleep(0.1)
        assert left is not None and 0.9 < left < 1.7
        assert rest(idle) == b""
        # Whose body comes, and who asked again, is not idle.
        assert working.recv(65_536).endswith(b"\r\n\r\n20")
        assert time.monotonic() - began < 5


@pytest.mark.alone
@pytest.mark.usefixtures("quick")
def test_who_goes_on_sending_what_was_answered_already_is_left_too():
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n"
    with served() as connect:
        connection = connect()
        assert ask(connection, head).startswith(
            b"HTTP/1.1 200 "
        )  # too long by its announced length: not read
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() - began < 5:
                connection.sendall(b"a")
                time.sleep(0.05)
        assert time.monotonic() - began < 3


def test_what_is_left_of_a_body_after_the_answer_is_dropped_up_to_a_bound():
    post = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    with served() as connect:
        done, endless = connect(), connect()
        assert ask(done, post % 900_000).startswith(b"HTTP/1.1 200 ")
        done.sendall(b"a" * 900_000)
        time.sleep(0.2)
        assert ask(done).startswith(b"HTTP/1.1 200 ")  # who finishes may ask again
        assert ask(endless, post % 900_000_000).startswith(b"HTTP/1.1 200 ")
        go_on_until_cut_off(endless)


def test_a_head_of_very_many_headers_is_refused_and_one_of_many_is_not():
    with served() as connect:
        for count, status in ((90, b"200"), (50_000, b"400")):
            connection = connect()
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * count + b"\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 " + status)


def test_nobody_sends_thousands_of_requests_ahead_of_their_answers():
    with served() as connect:
        few, many = connect(), connect()
        few.sendall(GET * 10 + GET.replace(b"1.1", b"1.0"))
        assert rest(few).count(b"HTTP/1.1 200 OK") == 11
        many.sendall(GET * 5_000)
        answer = rest(many)
        assert answer.endswith(b"Code: request.malformed\n") and answer.count(b"HTTP/1.1 ") < 20


@pytest.mark.alone
@pytest.mark.usefixtures("quick")
def test_who_asks_and_takes_no_answer_is_left(monkeypatch, caplog):
    def large(environ: dict[str, object], start: Callable[..., object]) -> list[bytes]:
        start("200 OK", [("Content-Length", "20000000")])
        return [b"a" * 20_000_000]

    monkeypatch.setattr(f"{__name__}.hello", large)
    with served() as connect:
        connection = connect()
        connection.sendall(GET * 3)
        time.sleep(4)
        assert len(rest(connection)) < 20_000_000
        patient = connect()
        assert len(rest_of(patient, 20_000_000)) >= 20_000_000
    assert not caplog.records


def test_more_connections_than_are_taken_are_told_so_and_the_others_go_on(monkeypatch):
    monkeypatch.setattr(server, "CONNECTIONS", 3)
    with served() as connect:
        taken = [connect() for _ in range(3)]
        for connection in taken:
            assert ask(connection).startswith(b"HTTP/1.1 200 ")
        answer = rest(connect())
        assert answer.startswith(b"HTTP/1.1 503 ") and answer.endswith(b"Code: rate.limited\n")
        for connection in taken:
            assert ask(connection).startswith(b"HTTP/1.1 200 ")
        taken[0].close()
        end = time.monotonic() + SOON
        while not (answer := ask(connect())).startswith(b"HTTP/1.1 200 "):
            assert time.monotonic() < end, answer


def test_an_offer_of_another_protocol_is_not_taken_up():
    with served() as connect:
        upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk"
        answer = ask(connect(), b"GET / HTTP/1.1\r\nHost: localhost\r\n" + upgrade + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")
        socketed = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
        answer = ask(connect(), b"GET / HTTP/1.1\r\nHost: localhost\r\n" + socketed + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")


OFFER = (
    b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n"
)


def test_no_request_hides_in_a_body_after_an_offer_of_another_protocol():
    with served() as connect:
        connection = connect()
        connection.sendall(OFFER % len(GET))
        time.sleep(0.2)  # in a read of its own
        with suppress(ConnectionError):
            connection.sendall(GET)
        answer = rest(connection)
        assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1 ") == 1
        answer = ask(connect(), OFFER % 0)
        assert answer.startswith(b"HTTP/1.1 200 ")


def test_nothing_else_is_answered_where_another_protocol_was_offered():
    with served() as connect:
        connection = connect()
        # The second one is lost: no later answer may be taken for its own.
        connection.sendall(OFFER % 0 + GET)
        answer = rest(connection)
        assert answer.startswith(b"HTTP/1.1 200 ") and b"\r\nconnection: close\r\n" in answer
        assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("apart", [False, True])
def test_what_follows_a_body_is_none_of_the_headers(apart):
    head = b"POST /environ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"
    trailers = b"0\r\nX-Forwarded-For: 192.0.2.9\r\nCookie: a=b\r\nContent-Type: text/plain\r\n\r\n"
    with served(app=Listener(by_path, 1)) as connect:
        answer = said(connect, *([head, trailers] if apart else [head + trailers]))
    assert b"('wsgi.input', b'ab')" in answer
    assert b"HTTP_HOST" in answer
    for taken in (b"FORWARDED", b"COOKIE", b"CONTENT_TYPE"):
        assert taken not in answer


@pytest.mark.parametrize(
    "endless",
    [
        GET + b"GET / HTTP/1.1\r\nX: ",
        GET + b"GET /",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: ",
    ],
    ids=["head", "address", "trailer"],
)
def test_nothing_without_an_end_is_kept_while_a_request_is_in_work_either(endless):
    held = Held()
    sent = 0
    with served(deadline=SOON, app=Listener(held, 1, SOON)) as connect:
        connection = connect()
        connection.sendall(endless)
        with suppress(ConnectionError):
            while sent < 50_000_000:
                connection.sendall(b"a" * 65_536)
                sent += 65_536
        held.may.set()
    assert sent < 20_000_000


def test_a_body_of_many_reads_is_no_head_without_an_end():
    post = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n"
    with served() as connect:
        connection = connect()
        for _ in range(3):
            connection.sendall(post)
            for _ in range(50):
                connection.sendall(b"a" * 10_000)
            assert connection.recv(65_536).endswith(b"\r\n\r\n500000")
        assert ask(connection).endswith(b"\r\n\r\n0")


def test_what_clients_leave_behind_in_work_is_bounded(monkeypatch):
    monkeypatch.setattr(server, "CONNECTIONS", 2)
    held = Held()
    at_work = server.server_for(Listener(held, 1))
    with running(at_work) as connect:
        for count in range(1, 5):
            connection = connect()
            connection.sendall(GET)
            until(lambda count=count: len(at_work.server_state.tasks) == count)
            connection.close()
            until(lambda: not at_work.server_state.connections)
        refused, sending = connect(), connect()
        answer = ask(refused)
        assert answer.startswith(b"HTTP/1.1 503 ") and answer.endswith(b"Code: rate.limited\n")
        assert len(at_work.server_state.tasks) == 4
        answer = ask(sending, LARGE[:1000])
        for _ in range(10):  # not cut off with bytes unread, which could take the answer with them
            sending.sendall(b"a" * 10_000)
            time.sleep(0.01)
        assert (answer + sending.recv(65_536)).count(b"HTTP/1.1 503 ") == 1
        refused.close()
        sending.close()
        until(lambda: not at_work.server_state.connections)
        held.may.set()
        until(lambda: not at_work.server_state.tasks)
        assert ask(connect()).startswith(b"HTTP/1.1 200 ")
        assert held.begun == 5


# --- the short way ----------------------------------------------------------------------------------------

ANSWERS: dict[str, tuple[str, list[tuple[str, str]], bytes]] = {
    "/": (
        "200 OK",
        [("Content-Type", "text/plain"), ("Content-Length", "3"), ("X-A", "1"), ("X-A", "\xe9\t")],
        b"abc",
    ),
    "/empty": ("200 OK", [("Content-Length", "0")], b""),
    "/dated": ("200 OK", [("Content-Length", "3"), ("Date", "Thu, 01 Jan 2026 00:00:00 GMT")], b"abc"),
    "/unknown": ("599 Whatever", [("Content-Length", "3")], b"abc"),
    "/nothing": ("204 No Content", [], b""),
    "/as-it-was": ("304 Not Modified", [("ETag", '"a"')], b""),
    "/ends": ("200 OK", [("Connection", "x, Close"), ("Content-Length", "3")], b"abc"),
    "/stays": ("200 OK", [("Connection", "keep-alive"), ("Content-Length", "3")], b"abc"),
    "/no-length": ("200 OK", [], b"abc"),
    "/large": ("200 OK", [("Content-Length", "300000")], b"a" * 300_000),
}
"""What an application answers, by path."""
UNFIT: dict[str, tuple[str, list[tuple[str, str]], bytes]] = {
    "/split-value": ("200 OK", [("Location", "/\r\nSet-Cookie: a=b"), ("Content-Length", "3")], b"abc"),
    "/split-name": ("200 OK", [("X: a\r\nSet-Cookie", "a=b"), ("Content-Length", "3")], b"abc"),
    "/line": ("200 OK", [("X", "a\nb"), ("Content-Length", "3")], b"abc"),
    "/nul": ("200 OK", [("X", "a\0b"), ("Content-Length", "3")], b"abc"),
    "/no-name": ("200 OK", [("", "a"), ("Content-Length", "3")], b"abc"),
    "/no-latin": ("200 OK", [("X", "\u20ac"), ("Content-Length", "3")], b"abc"),
    "/longer": ("200 OK", [("Content-Length", "2")], b"abc"),
    "/shorter": ("200 OK", [("Content-Length", "4")], b"abc"),
    "/two-lengths": ("200 OK", [("Content-Length", "3"), ("Content-Length", "3")], b"abc"),
    "/no-number": ("200 OK", [("Content-Length", "+3")], b"abc"),
    "/coded": ("200 OK", [("Transfer-Encoding", "chunked")], b"3\r\nabc\r\n0\r\n\r\n"),
    "/nothing-but": ("204 No Content", [("Content-Length", "3")], b"abc"),
    "/as-it-was-but": ("304 Not Modified", [], b"abc"),
    "/continue": ("100 Continue", [("Content-Length", "0")], b""),
    "/beyond": ("999 Beyond", [("Content-Length", "3")], b"abc"),
}
"""What cannot be sent as it is."""


def by_path(environ: dict[str, Any], start: Callable[..., object]) -> list[bytes]:
    path = environ["PATH_INFO"]
    if path == "/raises":
        raise MemoryError
    if path == "/environ":
        told = {
            name: value
            for name, value in environ.items()
            if name not in ("wsgi.errors", "REMOTE_PORT", "SERVER_PORT")
        }
        told["wsgi.input"] = environ["wsgi.input"].read()
        status, headers, body = "200 OK", [], repr(sorted(told.items())).encode()
    else:
        status, headers, body = {**ANSWERS, **UNFIT}[path]
    start(status, headers)
    return [body]


def undated(answer: bytes) -> bytes:
    """Without the time of day."""
    return re.sub(rb"(?<=\r\ndate: )[^\r]+ GMT", b"", answer)


def said(connect: Callable[[], socket.socket], *pieces: bytes) -> bytes:
    """Every answer to pieces of requests, a moment apart, and to one more that is the last."""
    connection = connect()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces[:-1]:
        connection.sendall(piece)
        time.sleep(0.05)
    connection.sendall(pieces[-1] + b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
    return undated(rest(connection))


def test_answers_are_the_same_to_the_byte_whichever_way_a_request_takes():
    watched, within = Watched(by_path), Listener(by_path, 2)

    async def asgi_only(scope: Any, receive: Any, send: Any) -> None:
        await within(scope, receive, send)

    kinds = (
        b"GET %b HTTP/1.1\r\nHost: localhost\r\nA: b\r\nA: c\r\n\r\n",
        b"HEAD %b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET %b HTTP/1.0\r\n\r\n",
        b"HEAD %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"POST %b?a=%%20 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabcde",
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
    )
    with served(app=watched) as short, served(app=asgi_only) as long:
        for path in (*ANSWERS, *UNFIT, "/raises", "/environ"):
            for kind in kinds:
                request = kind % path.encode()
                watched.ways.clear()
                answer = said(short, request)
                assert set(watched.ways) == {"short"}, request
                assert answer == said(long, request), request
                assert 1 <= answer.count(b"\r\ndate: ") == answer.count(b"HTTP/1.1 "), answer
                if kind.startswith(b"POST") and path in ("/", "/ends", "/shorter", "/environ"):
                    watched.ways.clear()
                    assert said(short, request[:-3], request[-3:]) == answer, request
                    assert watched.ways[0] == "asgi"


@pytest.mark.parametrize("path", [*UNFIT, "/raises"])
def test_an_answer_that_http_cannot_carry_is_the_last_resort_and_nothing_of_it_is_sent(path):
    with served(app=Watched(by_path)) as connect:
        first, _, then = said(connect, b"GET %b HTTP/1.1\r\n\r\n" % path.encode()).partition(LAST_RESORT[2])
    assert first == (
        b"HTTP/1.1 503 Service Unavailable\r\ndate: \r\ncontent-type: text/plain; charset=utf-8\r\n"
        b"content-length: 65\r\ncache-control: no-store\r\n\r\n"
    )
    assert then.startswith(b"HTTP/1.1 200 OK\r\n") and then.endswith(b"abc")


def test_both_ways_on_one_connection_keep_the_order():
    post = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    watched = Watched()
    with served(app=watched) as connect:
        connection = connect()
        connection.sendall(post % 3 + b"abc" + post % 100_000 + b"a" * 100_000 + GET + post % 5 + b"ab")
        found = b""
        while found.count(b"HTTP/1.1 200 OK") < 3:
            found += connection.recv(65_536)
        connection.sendall(b"cde" + GET + post % 4 + b"abcd" + b"GET / HTTP/1.0\r\n\r\n")
        found += rest(connection)
    assert [part.partition(b"\r\n\r\n")[2] for part in found.split(b"HTTP/1.1 200 OK")[1:]] == [
        b"3", b"100000", b"0", b"5", b"0", b"4", b"0",
    ]  # fmt: skip
    assert watched.ways == ["short", "asgi", "short", "asgi", "short", "short", "short"]


def test_who_asks_whether_to_go_on_and_goes_on_is_told_so_all_the_same():
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    with served() as connect:
        assert said(connect, head + b"abc").startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


def test_what_comes_with_something_that_is_no_request_is_not_begun():
    held = Held()
    held.may.set()
    with served(app=Listener(held, 1)) as connect:
        connection = connect()
        connection.sendall(GET + b"\x00\x00\r\n\r\n")
        answer = rest(connection)
        assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1 ") == 1
        assert ask(connect()).startswith(b"HTTP/1.1 200 ")
    assert held.begun == 1


@pytest.mark.parametrize("how", ["closes", "resets", "sends what is no request"])
def test_who_goes_away_in_the_middle_leaves_nothing_behind(how, caplog):
    held = Held()
    at_work = server.server_for(Listener(held, 1))
    with running(at_work) as connect:
        connection = connect()
        connection.sendall(GET)
        until(lambda: held.begun)
        if how == "sends what is no request":
            connection.sendall(b"\x00\r\n\r\n")
            assert rest(connection).startswith(b"HTTP/1.1 400 ")
        if how == "resets":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        until(lambda: not at_work.server_state.connections)
        assert len(at_work.server_state.tasks) == 1
        held.may.set()
        until(lambda: not at_work.server_state.tasks)
        assert ask(connect()).endswith(b"aaa")
    assert {record.message for record in caplog.records} <= {"Invalid HTTP request received."}


def test_who_takes_no_answers_has_no_more_than_two_of_them_made():
    held = Held(20_000_000)
    held.may.set()
    watched = Watched(held)
    with served(app=watched) as connect:
        connection = connect()
        connection.sendall(GET * 4 + b"GET / HTTP/1.0\r\n\r\n")
        until(lambda: held.done == 2)
        time.sleep(0.3)
        assert held.begun == 2
        assert watched.ways == ["short", "asgi"]  # this one waits until the other is taken
        answers = rest(connection)
    assert answers.count(b"HTTP/1.1 200 OK") == 5 and len(answers) > 100_000_000


def test_a_defect_as_an_answer_is_written_ends_its_connection_and_nothing_else(monkeypatch, caplog):
    with served() as connect:
        with monkeypatch.context() as broken:
            broken.setattr(server, "_http", lambda *_: 1 / 0)
            connection = connect()
            connection.sendall(GET)
            assert rest(connection) == b""
        assert [record.message for record in caplog.records] == ["defect"]
        for _ in range(3):
            assert ask(connect()).endswith(b"\r\n\r\n0")


@pytest.mark.parametrize("bad", [b"A" * 50_000, b"GET / HTTP/1.1\r\n: \r\n"])
def test_who_is_refused_in_the_middle_of_sending_can_read_why(bad):
    with served() as connect:
        connection = connect()
        connection.sendall(bad)
        answer = connection.recv(65_536)
        for _ in range(10):
            connection.sendall(b"a" * 50_000)
            time.sleep(0.01)
        while part := connection.recv(65_536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.endswith(b"Code: request.malformed\n")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_who_is_refused_and_goes_on_and_on_is_cut_off():
    with served() as connect:
        connection = connect()
        assert ask(connection, b"\x00\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        go_on_until_cut_off(connection)


def test_who_is_refused_and_stays_is_left_after_two_seconds_and_not_waited_for_at_a_stop():
    at_work = server.server_for(Listener(hello, 1))
    with running(at_work) as connect:
        assert ask(connect(), b"\x00\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        until(lambda: at_work.server_state.connections)
        until(lambda: not at_work.server_state.connections)
        stays = connect()
        assert ask(stays, CHUNKED + b"no length\r\n").startswith(b"HTTP/1.1 400 ")
        began = time.monotonic()
        at_work.should_exit = True
        until(lambda: not at_work.server_state.connections)
        assert time.monotonic() - began < server.LINGER


@pytest.mark.parametrize(
    ("first", "then", "begun"),
    [
        (GET, GET + b"\x00\r\n\r\n", 1),
        (GET, CHUNKED + b"no length\r\n\r\n", 1),
        (LARGE, b"\x00\r\n\r\n", 1),  # the long way
        (CHUNKED + b"1\r\na\r\n", b"no length\r\n\r\n", 0),
    ],
)
def test_nothing_is_begun_or_answered_any_more_once_somebody_is_refused(first, then, begun, caplog):
    held = Held()
    at_work = server.server_for(Listener(held, 2))
    with running(at_work) as connect:
        connection = connect()
        connection.sendall(first)
        until(lambda: held.begun == begun and at_work.server_state.connections)
        connection.sendall(then)
        answer = rest(connection)
        (theirs,) = at_work.server_state.connections
        assert not theirs.flow.read_paused
        held.may.set()
        if begun:
            until(lambda: not at_work.server_state.tasks)
            assert held.begun == begun
        connection.close()
        until(lambda: not at_work.server_state.connections)
        assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1 ") == 1
        assert ask(connect()).endswith(b"aaa")
    assert {record.message for record in caplog.records} <= {"Invalid HTTP request received."}


@pytest.mark.alone
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "last",
    [
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n",
        b"GET /last HTTP/1.1\r\nHost: localhost\r\n\r\n" + GET,
        b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3,
    ],
    ids=["refused", "answered for the last time", "says no more"],
)
def test_who_takes_no_answer_and_is_to_get_no_other_is_left(last):
    held = Held(30_000)
    held.may.set()

    def app(environ: dict[str, Any], start: Callable[..., object]) -> list[bytes]:
        if environ["PATH_INFO"] == "/":
            return held(environ, start)
        if environ["PATH_INFO"] == "/slow":
            time.sleep(0.3)
        more = [("Connection", "close")] if environ["PATH_INFO"] == "/last" else []
        start("200 OK", [("Content-Length", "0"), *more])
        return []

    at_work = server.server_for(Listener(app, 1))
    with running(at_work) as connect:
        connection = connect()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(GET)
        until(lambda: at_work.server_state.connections)
        (theirs,) = at_work.server_state.connections
        while not theirs.transport.get_write_buffer_size():  # less than what counts as too much
            done = at_work.server_state.total_requests
            connection.sendall(GET)
            until(lambda done=done: at_work.server_state.total_requests > done)
            time.sleep(0.01)
        connection.sendall(last)
        if b"/slow" in last:
            connection.shutdown(socket.SHUT_WR)
        until(lambda: not at_work.server_state.connections)


@pytest.mark.parametrize(
    ("way", "pieces"),
    [
        ("short", [GET * 3]),
        ("asgi", [b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nab", b"c" + GET * 2]),
    ],
)
def test_a_stop_waits_for_answers_no_longer_than_it_may(way, pieces, monkeypatch):
    monkeypatch.setattr(server, "GRACE", 1)
    held = Held()
    watched = Watched(held, 1)
    at_work = server.server_for(watched)
    with running(at_work) as connect:
        connection = connect()
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.1)
        until(lambda: held.begun)
        at_work.should_exit = True
        answer = rest(connection)
        held.may.set()
    assert (
        answer.endswith(LAST_RESORT[2]) and answer.count(b"HTTP/1.1 503 ") == answer.count(b"HTTP/1.1 ") == 1
    )
    assert b"\r\nconnection: close\r\n" in answer
    assert held.begun == 1
    assert watched.ways == [way]


STOPPED = """
import socket, sys, time
from pathlib import Path
from app.listener import Listener
from app.server import serve

folder = Path(sys.argv[1])

def app(environ, start):
    (folder / "begun").touch()
    while not (folder / "may").exists():
        time.sleep(0.01)
    time.sleep(0.3)
    (folder / "done").touch()
    start("200 OK", [("Content-Length", "3")])
    return [b"abc"]

serve(Listener(app, 1), socket.socket(fileno=int(sys.argv[2])))
"""


@pytest.mark.parametrize("stays", [True, False])
def test_what_is_in_work_at_a_stop_is_done_and_answered(stays, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        process = subprocess.Popen(
            [sys.executable, "-c", STOPPED, str(tmp_path), str(listening.fileno())],
            env=environment(),
            cwd=ROOT,
            pass_fds=[listening.fileno()],
        )
    try:
        with socket.create_connection(address, timeout=SOON) as connection:
            connection.sendall(GET)
            until((tmp_path / "begun").exists)
            if not stays:
                connection.close()
                time.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            (tmp_path / "may").touch()
            if stays:
                answer = rest(connection)
                assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"abc")
                assert b"\r\nconnection: close\r\n" in answer
        assert process.wait(SOON) == -signal.SIGTERM
        assert (tmp_path / "done").exists()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
