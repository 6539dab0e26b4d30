"""Kept connections: reuse, deadlines on every byte, TLS, and an other side that does what it likes."""

import datetime
import ipaddress
import socket
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.aws.channel import Channel, NoAnswer
from app.aws.deadline import Deadline

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """A server that plays a script: for each connection, what it writes after each request."""

    def __init__(self, *connections, tls=None):
        self.connections = list(connections)
        self.tls = tls
        self.seen = []
        self.accepted = 0
        self._over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._socket.close()

    def _run(self):
        for script in self.connections:
            try:
                connection, _ = self._socket.accept()
                self.accepted += 1
                with (
                    self.tls.wrap_socket(connection, server_side=True) if self.tls else connection as open_one
                ):
                    for answer in script:
                        if not self._play(open_one, answer):
                            break
            except OSError:
                continue

    def _play(self, connection, answer):
        request = connection.recv(65536)
        if not request:
            return False
        self.seen.append(request)
        for piece in [answer] if isinstance(answer, bytes) else answer:
            if isinstance(piece, float):
                if self._over.wait(piece):
                    return False
            else:
                connection.sendall(piece)
        return True


def channel(peer, scheme="http", host="127.0.0.1", **changes):
    return Channel(f"{scheme}://{host}:{peer.port}", **{"cap": 1000, **changes})


def post(line, seconds=1.0, headers=None):
    return line.post("/", headers or {}, b"a=b", Deadline.after(seconds))


def failure(line, **changes):
    with pytest.raises(NoAnswer) as failed:
        post(line, **changes)
    return str(failed.value)


def test_a_connection_is_used_again():
    with Peer([OK, OK, OK]) as peer:
        line = channel(peer)
        assert [post(line).body for _ in range(3)] == [b"ok"] * 3
        assert peer.accepted == 1


def test_a_connection_that_the_other_side_closed_is_replaced():
    with Peer([OK], [OK]) as peer:
        line = channel(peer)
        post(line)
        time.sleep(0.05)
        assert post(line).body == b"ok"
        assert peer.accepted == 2


def test_a_connection_on_which_something_was_said_unasked_is_not_used_again():
    with Peer([[OK, 0.05, OK]], [OK]) as peer:
        line = channel(peer)
        post(line)
        time.sleep(0.15)
        assert post(line).body == b"ok"
        assert peer.accepted == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_a_connection_that_is_to_be_closed_is_closed(answer):
    with Peer([answer], [OK]) as peer:
        line = channel(peer)
        post(line)
        assert post(line).body == b"ok"
        assert peer.accepted == 2


def test_a_chunked_answer_is_read_whole():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"
    with Peer([chunked, OK]) as peer:
        line = channel(peer)
        assert post(line).body == b"ok"
        assert post(line).body == b"ok"
        assert peer.accepted == 1


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"\r\n\r\n", "no HTTP answer"),
        (b"SSH-2.0-x\r\n", "no HTTP answer"),
        (b"HTTP/1.1 abc\r\n\r\n", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "in the middle"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\na: " + b"b" * 70_000 + b"\r\n\r\n", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001, "longer than 1000"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000, "longer than 1000"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_not_an_http_answer(answer, says):
    with Peer([answer]) as peer:
        assert says in failure(channel(peer))


@pytest.mark.alone
@pytest.mark.parametrize(
    "answer",
    [
        [5.0],
        [piece for byte in OK for piece in (bytes([byte]), 0.1)],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", *[b"x", 0.1] * 50],
    ],
    ids=["silence", "a head in drops", "a body in drops"],
)
def test_the_deadline_holds_for_the_whole_answer(answer):
    with Peer([answer]) as peer:
        began = time.monotonic()
        assert "in time" in failure(channel(peer), seconds=0.4)
        assert time.monotonic() - began < 0.8


@pytest.mark.alone
def test_silence_after_a_first_byte_does_not_start_the_time_anew():
    with Peer([[0.8, b"H", 5.0]]) as peer:
        began = time.monotonic()
        assert "in time" in failure(channel(peer), seconds=1.0)
        assert time.monotonic() - began < 1.6


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    line = Channel(f"http://127.0.0.1:{port}", cap=10)
    assert "ConnectionRefusedError" in failure(line)


def test_a_name_that_does_not_exist():
    assert "no connection" in failure(Channel("https://sts.invalid", cap=10))
    assert "no connection" in failure(Channel("https://" + "a" * 70 + ".example", cap=10))


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb"])
def test_a_header_cannot_break_out(value):
    with Peer([OK]) as peer:
        assert "line break" in failure(channel(peer), headers={"X-Token": value})
        assert peer.seen == []


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate for `localhost` under an authority of its own."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    assert ipaddress.ip_address("127.0.0.1") not in certificate.extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    ).value.get_values_for_type(x509.IPAddress)
    pem, secret = folder / "certificate.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, secret)
    return server, ssl.create_default_context(cafile=str(pem))


def test_tls_connections_are_kept_too(authority):
    server, trust = authority
    with Peer([OK, OK], tls=server) as peer:
        line = channel(peer, "https", "localhost", trust=trust)
        line.warm(Deadline.after(1))
        time.sleep(0.05)  # session tickets arrive, unasked but harmless
        assert [post(line).body for _ in range(2)] == [b"ok", b"ok"]
        assert peer.accepted == 1


def test_a_certificate_of_a_stranger_is_refused(authority):
    server, _ = authority
    with Peer([OK], tls=server) as peer:
        assert "SSLCertVerificationError" in failure(channel(peer, "https", "localhost"))
        assert peer.seen == []


def test_a_certificate_for_another_name_is_refused(authority):
    server, trust = authority
    with Peer([OK], tls=server) as peer:
        assert "SSLCertVerificationError" in failure(channel(peer, "https", trust=trust))
        assert peer.seen == []


def test_a_server_that_does_not_speak_tls(authority):
    _, trust = authority
    with Peer([OK]) as peer:
        assert "no connection" in failure(channel(peer, "https", "localhost", trust=trust))
