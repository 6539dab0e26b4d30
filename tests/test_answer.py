"""What may leave as an answer."""

from __future__ import annotations

import pytest
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE

from app.answer import LAST_RESORT, fit

BYTES = [bytes([byte]) for byte in range(256)]


def passes(name: bytes, value: bytes) -> bool:
    try:
        fit("GET", (200, [(name, value)], b""))
    except ValueError:
        return False
    return True


def test_no_header_passes_that_the_server_itself_would_not_send():
    for byte in BYTES:
        for around in (b"%b", b"a%bb", b"a%b", b"%bb"):
            if HEADER_RE.search(byte):
                assert not passes(around % byte, b"")
            if HEADER_VALUE_RE.search(byte):
                assert not passes(b"x", around % byte)
    assert not passes(b"", b"")


def test_every_byte_that_http_has_for_headers_passes():
    for byte in b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz":  # RFC 9110, 5.6.2
        assert passes(bytes([byte]), b"")
    for byte in (9, *range(0x20, 0x7F), *range(0x80, 0x100)):
        assert passes(b"x", b"a%bb" % bytes([byte]))


@pytest.mark.parametrize(
    ("method", "status", "headers", "body"),
    [
        ("GET", 199, [], b""),
        ("GET", 600, [], b""),
        ("GET", 200, [(b"content-length", b"3")], b"ab"),
        ("GET", 200, [(b"content-length", b"1")], b"ab"),
        ("GET", 200, [(b"content-length", b"2"), (b"content-length", b"2")], b"ab"),
        ("GET", 200, [(b"content-length", b" 2")], b"ab"),
        ("HEAD", 200, [(b"content-length", b"-2")], b""),
        ("GET", 200, [(b"transfer-encoding", b"gzip")], b"ab"),
        ("GET", 204, [(b"content-length", b"2")], b"ab"),
        ("GET", 304, [], b"ab"),
        ("GET", 304, [(b"content-length", b"2")], b""),
    ],
)
def test_an_answer_whose_end_nobody_would_find_is_none(method, status, headers, body):
    with pytest.raises(ValueError):
        fit(method, (status, headers, body))


def test_what_is_missing_is_added_and_nothing_else():
    status, headers, body = fit("GET", (200, [(b"x", b"1")], b"ab"))
    assert (status, body) == (200, b"ab")
    assert [name for name, _ in headers] == [b"date", b"x", b"content-length"]
    assert headers[2] == (b"content-length", b"2")
    whole = (200, [(b"content-length", b"2"), (b"date", b"then")], b"ab")
    assert fit("GET", whole) == whole
    assert fit("HEAD", whole) == (*whole[:2], b"")
    for method, status in (("HEAD", 200), ("GET", 204), ("GET", 304)):
        assert [name for name, _ in fit(method, (status, [], b""))[1]] == [b"date"]


def test_the_last_resort_can_always_be_sent():
    assert fit("GET", LAST_RESORT)[1][1:] == LAST_RESORT[1]
    assert fit("HEAD", LAST_RESORT)[2] == b""
