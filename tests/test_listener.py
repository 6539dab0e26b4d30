"""Bodies arrive before a thread is taken; slow, endless and cut ones hold nobody up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

import pytest
from flask import Flask, request

from app.listener import MOST, Late, Listener, Wsgi, answered, environ, load

SCOPE = {
    "method": "POST",
    "path": "/echo",
    "raw_path": b"/echo",
    "query_string": b"a=%20b",
    "scheme": "http",
    "http_version": "1.1",
    "client": ("192.0.2.1", "50000"),
    "server": ("127.0.0.1", "8000"),
}


def echo() -> Flask:
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 10 * MOST  # always set in the broker, by the gate

    @app.post("/echo")
    def whole() -> bytes:
        return request.get_data()

    @app.post("/unread")
    def unread() -> str:
        return "not read"

    @app.get("/echo")
    def empty() -> str:
        return f"{request.remote_addr} {request.query_string.decode()} {len(request.get_data())}"

    return app


def talk(
    pieces: Iterable[bytes] = (),
    *headers: tuple[bytes, bytes],
    pause: float = 0,
    deadline: float = 5,
    gone: bool = False,
    app: Wsgi | None = None,
    **scope: object,
) -> tuple[int, bytes]:
    """Status and body of the answer to a body in pieces; `gone`: the client hangs up after them."""
    given = list(pieces)
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        await asyncio.sleep(pause)
        if not given:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": given.pop(0), "more_body": bool(given) or gone}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    listener = Listener(app or echo().wsgi_app, 2, deadline)
    asyncio.run(listener({**SCOPE, "headers": list(headers), **scope}, receive, send))
    start, body = sent
    return start["status"], body["body"]  # type: ignore[return-value]


def test_a_body_arrives_whole_however_it_is_cut():
    for pieces in ([b"abcdef"], [b"ab", b"", b"cdef"], [bytes([letter]) for letter in b"abcdef"]):
        assert talk(pieces, (b"content-length", b"6")) == (200, b"abcdef")
        assert talk(pieces, (b"transfer-encoding", b"chunked")) == (200, b"abcdef")


@pytest.mark.alone
def test_without_a_body_nothing_is_waited_for():
    began = time.perf_counter()
    assert talk(method="GET", pause=60) == (200, b"192.0.2.1 a=%20b 0")
    assert time.perf_counter() - began < 1


@pytest.mark.alone
def test_a_body_that_does_not_arrive_in_time_is_a_400_and_its_twin_in_time_is_not():
    slowly = [b"a"] * 10
    began = time.perf_counter()
    assert talk(slowly, (b"content-length", b"10"), pause=0.1, deadline=0.3)[0] == 400
    assert time.perf_counter() - began < 0.8
    assert talk(slowly, (b"content-length", b"10"), pause=0.01, deadline=5) == (200, b"a" * 10)


def test_a_late_body_that_nobody_reads_is_no_matter():
    answer = talk([b"a"] * 10, (b"content-length", b"10"), pause=0.1, deadline=0.2, raw_path=b"/unread")
    assert answer == (200, b"not read")


def test_a_client_that_goes_away_in_the_middle_is_a_400():
    for gone in (True, False):
        assert talk([b"abc"], (b"content-length", b"6"), gone=gone)[0] == 400
    assert talk([b"abc"], (b"transfer-encoding", b"chunked"), gone=True)[0] == 400
    assert talk([b"abc"], (b"transfer-encoding", b"chunked")) == (200, b"abc")


def test_no_more_is_kept_than_the_cap():
    status, body = talk([b"a" * 100_000] * 20, (b"transfer-encoding", b"chunked"))
    assert (status, len(body)) == (200, MOST)


@pytest.mark.alone
def test_a_body_that_is_announced_too_long_is_not_read():
    announced = (b"content-length", str(MOST + 1).encode())
    began = time.perf_counter()
    talk([b"a" * MOST, b"a"], announced, pause=60)
    assert time.perf_counter() - began < 1


def headers_of(*headers: tuple[bytes, bytes]) -> dict[str, object]:
    return environ(SCOPE, list(headers), Late())


def test_a_header_twice_is_one_list_and_what_can_stand_once_is_the_first():
    made = headers_of(
        (b"x-forwarded-for", b"192.0.2.1"),
        (b"x-forwarded-for", b"198.51.100.2"),
        (b"cookie", b"a=1"),
        (b"cookie", b"b=2"),
        (b"host", b"first"),
        (b"host", b"second"),
        (b"content-type", b"text/plain"),
        (b"content-type", b"application/json"),
    )
    assert made["HTTP_X_FORWARDED_FOR"] == "192.0.2.1,198.51.100.2"
    assert made["HTTP_COOKIE"] == "a=1; b=2"
    assert made["HTTP_HOST"] == "first"
    assert made["CONTENT_TYPE"] == "text/plain"


def test_no_header_passes_for_another_by_underscores_but_awss_own_arrives():
    made = headers_of(
        (b"x_forwarded_for", b"192.0.2.66"),
        (b"content_length", b"1"),
        (b"x-amz-sso_bearer_token", b"token"),
        (b"x-forwarded-for", b"198.51.100.2"),
    )
    assert made["HTTP_X_FORWARDED_FOR"] == "198.51.100.2"
    assert "CONTENT_LENGTH" not in made
    assert made["HTTP_X_AMZ_SSO_BEARER_TOKEN"] == "token"


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/a%20b", "/a b"),
        (b"/%2563", "/%63"),
        (b"/%ff", "/\xff"),
        (b"/\xc3\xa9", "/\xc3\xa9"),
        (b"/%", "/%"),
    ],
)
def test_a_path_is_decoded_once(raw, path):
    assert environ({**SCOPE, "raw_path": raw}, [], Late())["PATH_INFO"] == path


def test_what_is_no_text_in_a_header_is_passed_on_as_it_is():
    assert headers_of((b"user-agent", b"\xff\xc3\xa9"))["HTTP_USER_AGENT"] == "\xff\xc3\xa9"


def test_the_applications_answer_is_closed_even_when_it_fails():
    closed = []

    class Failing:
        def __iter__(self):
            yield b"a"
            raise ValueError

        def close(self):
            closed.append(True)

    with pytest.raises(ValueError):
        answered(lambda environ, start: Failing(), {})
    assert closed == [True]


def test_an_application_that_cannot_answer_at_all_is_a_503_that_says_nothing():
    def failing(environ: object, start: object) -> Iterable[bytes]:
        raise MemoryError("secret")

    status, body = talk(method="GET", app=failing)
    assert status == 503
    assert b"secret" not in body and b"Nothing was given out" in body

    def unsendable(environ: object, start: Callable[..., object]) -> Iterable[bytes]:
        start("200 OK", [("X", "\u20ac")])
        return [b"secret"]

    assert talk(method="GET", app=unsendable) == (status, body)


def test_a_thread_outlives_whatever_the_application_raises():
    def leaving(environ: object, start: object) -> Iterable[bytes]:
        raise SystemExit

    async def twice() -> list[int]:
        listener, seen = Listener(leaving, 1), []

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, object]) -> None:
            seen.append(message.get("status"))

        for _ in range(2):
            async with asyncio.timeout(5):
                await listener({**SCOPE, "headers": []}, receive, send)
        return [status for status in seen if status]

    assert asyncio.run(twice()) == [503, 503]


def test_a_long_name_of_a_header_is_passed_on_like_a_short_one():
    name = b"x-" + b"a" * 1000
    assert headers_of((name, b"1"))[f"HTTP_X_{'A' * 1000}"] == "1"
    assert headers_of((name + b"_b", b"1")).keys() == headers_of().keys()


def test_a_target_is_loaded_by_name():
    assert isinstance(load("tests.test_listener:ECHO", 1), Listener)


ECHO = echo()
