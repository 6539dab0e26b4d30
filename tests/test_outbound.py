"""The guarded fetch, against servers of our own on loopback that misbehave in every way at hand."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from app.errors import ForbiddenAddress, ProviderFailed, Refusal
from app.outbound import Answer, Fetcher, closed

SHORT = 0.4
"""Seconds of deadline where a server is slow."""
HONEST = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}"

Talk = Callable[[socket.socket], None]


@contextmanager
def server(talk: Talk, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A TCP server on loopback that lets `talk` have each connection. Yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def one(connection: socket.socket) -> None:
        try:
            with connection:
                connection.settimeout(5)
                if tls is not None:
                    with tls.wrap_socket(connection, server_side=True) as secured:
                        talk(secured)
                else:
                    talk(connection)
        except OSError:
            return

    def accept() -> None:
        while not stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stopping.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(2)


def request(connection: socket.socket) -> bytes:
    """The request's head and body, as they came."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    wanted = next(
        (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < wanted:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def says(answer: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(answer)

    return talk


def drips(start: bytes, drop: bytes, every: float = 0.05) -> Talk:
    """Sends `start`, then `drop` again and again, each well inside any single wait's time-out."""

    def talk(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(start)
        for _ in range(2_000):
            connection.sendall(drop)
            time.sleep(every)

    return talk


def floods(start: bytes, drop: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(start)
        while True:
            connection.sendall(drop)

    return talk


def refusal(fetch: Callable[[], Answer]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        fetch()
    return caught.value


# --- what an honest server gives ------------------------------------------------------------------


def test_an_honest_answer_comes_back_whole() -> None:
    with server(says(HONEST)) as port:
        assert Fetcher(True).get(f"http://127.0.0.1:{port}/x") == Answer(200, "application/json", b"{}")


def test_a_failure_status_is_an_answer_too() -> None:
    with server(says(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")) as port:
        assert Fetcher(True).get(f"http://127.0.0.1:{port}/x") == Answer(404, "", b"")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nabcde",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 5\r\n\r\nabcde",
    ],
    ids=["chunked", "until it closes", "after 100 Continue", "identity coding"],
)
def test_every_framing_of_http_is_read(answer: bytes) -> None:
    with server(says(answer)) as port:
        assert Fetcher(True).get(f"http://127.0.0.1:{port}/x").body == b"abcde"


def test_a_form_is_posted_with_basic_authentication() -> None:
    seen: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        seen.append(request(connection))
        connection.sendall(HONEST)

    with server(talk) as port:
        Fetcher(True).post_form(
            f"http://localhost:{port}/token?a=1", {"code": "a&b=c", "x": "ü"}, {"X-Own": "1"}, ("name", "p:w")
        )
    head, _, body = seen[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /token?a=1 HTTP/1.1"
    assert f"Host: localhost:{port}".encode() in lines
    assert b"Authorization: Basic " + base64.b64encode(b"name:p:w") in lines
    assert b"X-Own: 1" in lines
    assert b"Accept-Encoding: identity" in lines
    assert body == b"code=a%26b%3Dc&x=%C3%BC"


def heard(fetch: Callable[[str], Answer]) -> bytes:
    """The request that a fetch of `/x?a=1` makes."""
    seen: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        seen.append(request(connection))
        connection.sendall(HONEST)

    with server(talk) as port:
        fetch(f"http://127.0.0.1:{port}/x?a=1")
    return seen[0]


def test_a_query_is_encoded_and_put_behind_the_addresss_own() -> None:
    sent = heard(lambda url: Fetcher(True).get(url, query={"token": "Atza|x+y&z=1 ü\r\nX: y#"}))
    assert sent.startswith(b"GET /x?a=1&token=Atza%7Cx%2By%26z%3D1+%C3%BC%0D%0AX%3A+y%23 HTTP/1.1\r\n")
    assert b"\r\nX: y" not in sent
    assert heard(lambda url: Fetcher(True).get(url, query={})).startswith(b"GET /x?a=1 HTTP/1.1\r\n")


def test_a_query_may_be_longer_than_an_address_and_not_endless() -> None:
    assert b"t=" + b"x" * 8_190 in heard(lambda url: Fetcher(True).get(url, query={"t": "x" * 8_190}))
    refused = refusal(lambda: Fetcher(True).get("http://127.0.0.1:1/", query={"t": "x" * 8_191}))
    assert (refused.code, "too long" in refused.detail) == ("provider.failed", True)


def test_a_json_object_is_posted_with_basic_authentication() -> None:
    sent = heard(lambda url: Fetcher(True).post_json(url, {"access_token": "ü"}, auth=("id", "s:ü")))
    head, _, body = sent.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /x?a=1 HTTP/1.1\r\n")
    assert b"\r\nContent-Type: application/json\r\n" in head + b"\r\n"
    assert b"Authorization: Basic " + base64.b64encode("id:s:ü".encode()) in head
    assert body == b'{"access_token": "\\u00fc"}'
    assert b"Authorization" not in heard(lambda url: Fetcher(True).post_json(url, {}))


def test_a_body_of_exactly_the_cap_fits_and_one_byte_more_does_not() -> None:
    def answer(size: int) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size

    with server(says(answer(1_000))) as port:
        assert len(Fetcher(True, cap=1_000).get(f"http://127.0.0.1:{port}/").body) == 1_000
        assert (
            refusal(lambda: Fetcher(True, cap=999).get(f"http://127.0.0.1:{port}/")).code == "provider.failed"
        )


# --- servers that misbehave -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("talk", "words"),
    [
        (drips(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"), "did not answer in"),
        (drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), "did not answer in"),
        (drips(b"", b"H"), "did not answer in"),
        (drips(b"HTTP/1.1 200 OK\r\nX: ", b"x"), "did not answer in"),
        (drips(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0.02), "did not answer in"),
        (drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01), "did not answer in"),
        (drips(b"", b"", 0.005), "did not answer in"),
    ],
    ids=["body", "chunks", "status line", "header", "headers", "interim answers", "silence"],
)
def test_a_slow_server_is_left_at_the_deadline_of_the_whole_fetch(talk: Talk, words: str) -> None:
    with server(talk) as port:
        began = time.monotonic()
        refused = refusal(lambda: Fetcher(True, timeout=SHORT).get(f"http://127.0.0.1:{port}/"))
        assert time.monotonic() - began < SHORT + 3
    assert refused.code == "provider.failed"
    assert words in refused.detail


def test_a_server_that_never_finishes_the_tls_handshake_is_left_at_the_deadline() -> None:
    def talk(connection: socket.socket) -> None:
        time.sleep(20)

    with server(talk) as port:
        began = time.monotonic()
        refused = refusal(lambda: Fetcher(True, timeout=SHORT).get(f"https://127.0.0.1:{port}/"))
        assert time.monotonic() - began < SHORT + 3
    assert refused.code == "provider.failed"


def test_a_server_that_never_reads_is_left_at_the_deadline() -> None:
    def talk(connection: socket.socket) -> None:
        time.sleep(20)

    with server(talk) as port:
        began = time.monotonic()
        fields = {"x": "y" * 20_000_000}
        refused = refusal(lambda: Fetcher(True, timeout=SHORT).post_form(f"http://127.0.0.1:{port}/", fields))
        assert time.monotonic() - began < SHORT + 3
    assert refused.code == "provider.failed"


@pytest.mark.parametrize(
    ("talk", "words"),
    [
        (floods(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536), "more than 1000 bytes"),
        (
            floods(b"HTTP/1.1 200 OK\r\nContent-Length: 300000000\r\n\r\n", b"x" * 65_536),
            "more than 1000 bytes",
        ),
        (
            floods(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"ffff\r\n" + b"x" * 65_535 + b"\r\n",
            ),
            "more than 1000 bytes",
        ),
        (floods(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 65_536), "failed"),
        (floods(b"HTTP/1.1 200 OK\r\n", b"X-Long: " + b"y" * 60_000 + b"\r\n"), "failed"),
        (floods(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 65_536), "failed"),
        (floods(b"", b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"), "failed"),
    ],
    ids=["endless", "300 MB said", "chunks", "chunk extension", "headers", "one header", "interim answers"],
)
def test_an_endless_answer_is_cut_off(talk: Talk, words: str) -> None:
    with server(talk) as port:
        began = time.monotonic()
        refused = refusal(lambda: Fetcher(True, cap=1_000, timeout=4).get(f"http://127.0.0.1:{port}/"))
        assert time.monotonic() - began < 3
    assert refused.code == "provider.failed"
    assert words in refused.detail


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"",
        b"\x00" * 100,
    ],
    ids=["cut", "chunk cut", "no chunk size", "gzip", "other protocol", "no status", "nothing", "zeros"],
)
def test_a_broken_answer_is_refused(answer: bytes) -> None:
    with server(says(answer)) as port:
        assert (
            refusal(lambda: Fetcher(True, timeout=2).get(f"http://127.0.0.1:{port}/")).code
            == "provider.failed"
        )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    reached: list[bytes] = []

    def inner(connection: socket.socket) -> None:
        reached.append(request(connection))
        connection.sendall(HONEST)

    with server(inner) as secret:
        moved = b"HTTP/1.1 %d Moved\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % (
            status,
            secret,
        )
        with server(says(moved)) as port:
            refused = refusal(lambda: Fetcher(True).get(f"http://127.0.0.1:{port}/"))
            refused_form = refusal(lambda: Fetcher(True).post_form(f"http://127.0.0.1:{port}/", {"a": "b"}))
    assert refused.code == refused_form.code == "provider.failed"
    assert "redirect" in refused.detail
    assert reached == []


def test_nobody_listening_is_a_failure_of_the_provider() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert refusal(lambda: Fetcher(True).get(f"http://127.0.0.1:{port}/")).code == "provider.failed"


def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with server(says(HONEST)) as port:
        assert Fetcher(True).get(f"http://127.0.0.1:{port}/").status == 200


def test_a_secret_in_header_or_query_gets_into_no_refusal() -> None:
    fetcher = Fetcher(True)
    with server(says(b"")) as port:
        for refused in (
            refusal(lambda: fetcher.get(f"http://127.0.0.1:{port}/p?q=s3cret")),
            refusal(
                lambda: fetcher.get(f"http://127.0.0.1:{port}/p", {"Authorization": "Bearer s3cret\r\nX: y"})
            ),
        ):
            assert refused.code == "provider.failed"
            assert "s3cret" not in refused.detail + str(refused)
            assert refused.__suppress_context__


# --- where it goes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
        "::ffff:169.254.169.254",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "64:ff9b::169.254.170.2",
        "64:ff9b::127.0.0.1",
        "64:ff9b:1::1",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "224.0.0.1",
        "239.255.255.250",
        "ff02::1",
        "255.255.255.255",
        "240.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "fe80::1",
        "fec0::1",
        "2001:db8::1",
    ],
)
@pytest.mark.parametrize("allow_loopback", [True, False])
def test_a_closed_address_is_never_connected_to(address: str, allow_loopback: bool) -> None:
    host = f"[{address}]" if ":" in address else address
    fetcher = Fetcher(allow_loopback, timeout=SHORT)
    assert refusal(lambda: fetcher.get(f"https://{host}/latest/meta-data/")).code == "provider.address"
    named = Fetcher(allow_loopback, timeout=SHORT, resolve=lambda host, port: [address])
    assert refusal(lambda: named.get("https://idp.example/")).code == "provider.address"


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "2606:4700::1", "fd12:3456::1",
     "64:ff9b::8.8.8.8", "64:ff9b::10.0.0.1"],
)  # fmt: skip
def test_public_and_company_addresses_are_open(address: str) -> None:
    assert not closed(ipaddress.ip_address(address), allow_loopback=False)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_open_only_where_the_broker_is_on_loopback(address: str) -> None:
    assert closed(ipaddress.ip_address(address), allow_loopback=False)
    assert not closed(ipaddress.ip_address(address), allow_loopback=True)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost", "LOCALHOST"])
def test_other_spellings_of_loopback_are_loopback(host: str) -> None:
    with server(says(HONEST)) as port:
        assert refusal(lambda: Fetcher(False).get(f"https://{host}:{port}/")).code == "provider.address"
        assert Fetcher(True).get(f"http://{host}:{port}/").status == 200


@pytest.mark.parametrize("host", ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376"])
def test_other_spellings_of_the_metadata_address_are_closed(host: str) -> None:
    assert refusal(lambda: Fetcher(True, timeout=SHORT).get(f"https://{host}/")).code == "provider.address"


def test_one_closed_address_among_good_ones_refuses_the_name() -> None:
    reached: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        reached.append(request(connection))
        connection.sendall(HONEST)

    with server(talk) as port:
        fetcher = Fetcher(True, resolve=lambda host, port: ["127.0.0.1", "169.254.169.254"])
        assert refusal(lambda: fetcher.get(f"http://idp.example:{port}/")).code == "provider.address"
        honest = Fetcher(True, resolve=lambda host, port: ["127.0.0.1"])
        assert honest.get(f"http://idp.example:{port}/").status == 200
    assert len(reached) == 1


@pytest.mark.parametrize("odd", ["", "127.0.0.1%lo", "idp.example", "127.1", "[::1]"])
def test_what_the_resolver_says_is_an_address_or_the_name_is_refused(odd: str) -> None:
    with server(says(HONEST)) as port:
        fetcher = Fetcher(True, timeout=SHORT, resolve=lambda host, port: ["127.0.0.1", odd])
        assert refusal(lambda: fetcher.get(f"http://idp.example:{port}/")).code == "provider.address"


def test_a_name_is_resolved_once_so_that_a_second_answer_cannot_rebind_it() -> None:
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    with server(says(HONEST)) as port:
        fetcher = Fetcher(True, resolve=rebinding)
        assert fetcher.get(f"http://idp.example:{port}/").status == 200
        assert asked == ["idp.example"]
        assert refusal(lambda: fetcher.get(f"http://idp.example:{port}/")).code == "provider.address"


def test_the_next_address_is_tried_when_one_is_dead() -> None:
    with server(says(HONEST)) as port:
        fetcher = Fetcher(True, resolve=lambda host, port: ["127.0.0.2", "::1", "127.0.0.1"])
        assert fetcher.get(f"http://idp.example:{port}/").status == 200


@pytest.mark.parametrize("address", ["10.0.0.1", "8.8.8.8"])
def test_http_goes_to_loopback_only(address: str) -> None:
    fetcher = Fetcher(True, timeout=SHORT, resolve=lambda host, port: [address])
    assert refusal(lambda: fetcher.get("http://idp.example/")).code == "provider.address"


@pytest.mark.parametrize("fails", [OSError("no such name"), UnicodeError("label too long")])
def test_a_name_that_cannot_be_resolved_is_a_failure_of_the_provider(fails: Exception) -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise fails

    assert (
        refusal(lambda: Fetcher(True, resolve=resolve).get("https://idp.example/")).code == "provider.failed"
    )
    nothing = Fetcher(True, resolve=lambda host, port: [])
    assert refusal(lambda: nothing.get("https://idp.example/")).code == "provider.failed"


def test_a_slow_resolver_is_left_at_the_deadline_and_many_of_them_do_not_pile_up() -> None:
    release = threading.Event()
    asked: list[str] = []

    def slow(host: str, port: int) -> list[str]:
        asked.append(host)
        release.wait(10)
        return ["127.0.0.1"]

    with server(says(HONEST)) as port:
        fetcher = Fetcher(True, timeout=SHORT, resolve=slow)
        began = time.monotonic()

        def knock() -> None:
            assert refusal(lambda: fetcher.get(f"http://idp.example:{port}/")).code == "provider.failed"

        knockers = [threading.Thread(target=knock) for _ in range(30)]
        for thread in knockers:
            thread.start()
        for thread in knockers:
            thread.join()
        assert time.monotonic() - began < SHORT + 3
        assert len(asked) == 16
        release.set()
        assert fetcher.get(f"http://idp.example:{port}/").status == 200


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("javascript:alert(1)", "provider.address"),
        ("file:///etc/passwd", "provider.address"),
        ("ftp://idp.example/", "provider.address"),
        ("gopher://idp.example/", "provider.address"),
        ("//idp.example/", "provider.address"),
        ("", "provider.address"),
        ("https:///path", "provider.address"),
        ("https://user:pw@idp.example/", "provider.address"),
        ("https://idp.example:0/", "provider.address"),
        ("https://idp.example:99999/", "provider.failed"),
        ("https://idp.example:x/", "provider.failed"),
        ("https://[::1/", "provider.failed"),
        ("https://idp.example/\r\nX: y", "provider.failed"),
        ("https://idp.example/a b", "provider.failed"),
        ("https://idp.example\\@127.0.0.1/", "provider.failed"),
        ("https://ïdp.example/", "provider.failed"),
        ("https://idp.example/" + "x" * 3_000, "provider.failed"),
    ],
)
def test_an_address_that_is_none_is_refused_before_anything_is_asked(url: str, code: str) -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise AssertionError(host)

    assert refusal(lambda: Fetcher(True, resolve=resolve).get(url)).code == code


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for `idp.example`, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("idp.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "idp.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


def test_tls_is_verified_under_the_name_that_was_asked_for(certificate: Path) -> None:
    names: list[str | None] = []
    requests: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.load_verify_locations(certificate)

    def talk(connection: socket.socket) -> None:
        requests.append(request(connection))
        connection.sendall(HONEST)

    def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    with server(talk, context) as port:
        fetcher = Fetcher(True, resolve=resolve, tls=trusting)
        assert fetcher.get(f"https://idp.example:{port}/x").status == 200
        assert names == ["idp.example"]
        assert f"Host: idp.example:{port}".encode() in requests[0]

        other_name = refusal(lambda: fetcher.get(f"https://other.example:{port}/x"))
        stranger = refusal(lambda: Fetcher(True, resolve=resolve).get(f"https://idp.example:{port}/x"))
    assert other_name.code == stranger.code == "provider.failed"
    assert "not trusted" in other_name.detail
    assert "not trusted" in stranger.detail
    assert len(requests) == 1


def test_https_to_a_server_without_tls_is_refused() -> None:
    with server(says(HONEST)) as port:
        assert (
            refusal(lambda: Fetcher(True, timeout=2).get(f"https://127.0.0.1:{port}/")).code
            == "provider.failed"
        )


def test_no_session_keys_are_written_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert refusal(lambda: Fetcher(True, timeout=SHORT).get("https://127.0.0.1:9/")).code == "provider.failed"
    assert list(tmp_path.iterdir()) == []


# --- properties -----------------------------------------------------------------------------------


@runs(deadline=None)
@given(st.ip_addresses(), st.booleans())
def test_any_address_is_open_or_closed(address: ipaddress.IPv4Address, allow: bool) -> None:
    assert closed(address, allow_loopback=allow) in (True, False)
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        assert closed(address, allow_loopback=allow)


@runs(deadline=None)
@given(st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address))
def test_no_ipv6_form_of_an_ipv4_address_opens_more_than_it(address: ipaddress.IPv4Address) -> None:
    value = int(address)
    for form in (
        0xFFFF << 32 | value,
        value,
        0xFFFF << 48 | value,
        0x2002 << 112 | value << 80,
        0x20010000 << 96 | value,
    ):
        assert closed(ipaddress.IPv6Address(form), allow_loopback=True) or form == 1
    nat64 = ipaddress.IPv6Address(0x64FF9B << 96 | value)
    assert closed(nat64, allow_loopback=True) == closed(address, allow_loopback=False)


@runs(deadline=None)
@given(
    st.one_of(
        st.text(max_size=60),
        st.text(max_size=60).map("https://".__add__),
        st.text(max_size=20).map("http://a:".__add__),
    )
)
def test_no_text_as_an_address_raises_anything_but_a_refusal(url: str) -> None:
    fetcher = Fetcher(True, resolve=lambda host, port: ["169.254.169.254"])
    with pytest.raises((ProviderFailed, ForbiddenAddress)):
        fetcher.get(url)
