"""What the HTTP server bounds beyond what uvicorn does, and what it says where there is no request."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from app import server
from app.listener import Listener

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
SOON = 10.0


def hello(environ: dict[str, object], start: Callable[..., object]) -> list[bytes]:
    """How many bytes came."""
    body = str(len(environ["wsgi.input"].read())).encode()  # type: ignore[attr-defined]
    start("200 OK", [("Content-Length", str(len(body))), ("Content-Type", "text/plain")])
    return [body]


@contextmanager
def served(deadline: float = 5.0) -> Iterator[Callable[[], socket.socket]]:
    """A server; what opens a connection to it."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    running = server.server_for(Listener(hello, 2, deadline))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    with ExitStack() as opened:

        def connect() -> socket.socket:
            return opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=SOON))

        yield connect
    running.should_exit = True
    thread.join(SOON)
    assert not thread.is_alive()


def ask(connection: socket.socket, request: bytes = GET) -> bytes:
    connection.sendall(request)
    return connection.recv(65_536)


def rest(connection: socket.socket) -> bytes:
    """Everything until it is closed."""
    found = b""
    try:
        while part := connection.recv(65_536):
            found += part
    except ConnectionError:
        pass
    return found


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
        sent = 0
        with pytest.raises(ConnectionError):
            while sent < 50_000_000:
                endless.sendall(b"a" * 65_536)
                sent += 65_536
        assert sent < 20_000_000


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
