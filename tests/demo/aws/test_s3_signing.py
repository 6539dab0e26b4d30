"""S3's signatures, in the header and in the query, its body hashes and chunks; each changed after signing."""

import base64
import hashlib
import http.client
import zlib
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import requests
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from demo.aws import Clock
from demo.aws.s3.checksums import ALGORITHMS
from demo.aws.s3.chunked import UNSIGNED_TRAILER
from tests.demo.aws.s3 import BUCKET, Person, client, refusal, shipped_double

KEY = "ana-7f3a/x"


@pytest.fixture(scope="module")
def double():
    with shipped_double(Clock()) as running:
        yield running


@pytest.fixture(scope="module")
def ana(double):
    return Person(double, "ana-7f3a")


@pytest.fixture
def signed(double, ana):
    """Requests that the SDK's signer signed; `send` changes them."""

    def make(
        method="PUT", body=b"picture", path=f"/{BUCKET}/{KEY}", headers=None, region="eu-west-1", service="s3"
    ):
        request = AWSRequest(method=method, url=f"{double.url}{path}", data=body, headers=dict(headers or {}))
        S3SigV4Auth(credentials(ana), service, region).add_auth(request)
        return request

    return make


def credentials(person, **changes):
    found = {**person.keys, **changes}
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def send(request, **changes):
    changed = {name.lower(): value for name, value in changes.pop("headers", {}).items()}
    headers = {**{name.lower(): value for name, value in request.headers.items()}, **changed}
    answer = requests.request(
        changes.get("method", request.method),
        changes.get("url", request.url),
        data=changes.get("body", request.data),
        headers={name: value for name, value in headers.items() if value is not None},
        timeout=5,
    )
    code = answer.text.partition("<Code>")[2].partition("</Code>")[0]
    return f"{answer.status_code} {code}".strip()


def test_an_honest_request(signed):
    assert send(signed()) == "200"
    assert send(signed("GET", b"")) == "200"


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"body": b"another"}, "400 XAmzContentSHA256Mismatch"),
        ({"method": "DELETE"}, "403 SignatureDoesNotMatch"),
        ({"headers": {"x-amz-meta-name": "added"}}, "403 AccessDenied"),
        ({"headers": {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}}, "403 SignatureDoesNotMatch"),
        ({"headers": {"x-amz-content-sha256": None}}, "400 InvalidRequest"),
        ({"headers": {"x-amz-content-sha256": "x"}}, "400 InvalidArgument"),
        ({"headers": {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}}, "501 NotImplemented"),
        ({"headers": {"Authorization": None}}, "403 AccessDenied"),
        ({"headers": {"Authorization": "AWS4-HMAC-SHA256 nothing"}}, "400 AuthorizationHeaderMalformed"),
        ({"headers": {"Authorization": "AWS ana:sig"}}, "400 AuthorizationHeaderMalformed"),
        ({"headers": {"X-Amz-Date": None}}, "403 AccessDenied"),
        ({"headers": {"X-Amz-Date": "20261124T120000Z"}}, None),
        ({"headers": {"X-Amz-Security-Token": None}}, "403 AccessDenied"),
        ({"headers": {"X-Amz-Security-Token": "x"}}, "400 InvalidToken"),
    ],
)
def test_a_request_that_was_changed_after_signing(signed, changes, answer):
    said = send(signed(), **changes)
    assert said == answer if answer else said.startswith("403")


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (f"/{BUCKET}/ana-7f3a/y", "403 SignatureDoesNotMatch"),
        (f"/{BUCKET}/{KEY}?x-id=PutObject", "403 SignatureDoesNotMatch"),
        (f"/{BUCKET}/ana-7f3a/%78", "200"),
    ],
)
def test_another_address_than_the_signed_one(double, signed, path, answer):
    assert send(signed(), url=f"{double.url}{path}") == answer


def test_another_region_service_secret_or_key(double, ana, signed):
    assert send(signed(region="us-east-1")) == "400 AuthorizationHeaderMalformed"
    assert send(signed(service="sts")) == "400 AuthorizationHeaderMalformed"
    for change, answer in (
        ({"SecretAccessKey": "x" * 40}, "403 SignatureDoesNotMatch"),
        ({"AccessKeyId": "ASIAAAAAAAAAAAAAAAAA"}, "400 InvalidToken"),
        ({"AccessKeyId": "AKIAAAAAAAAAAAAAAAAA", "SessionToken": None}, "403 InvalidAccessKeyId"),
    ):
        assert refusal(client(double, {**ana.keys, **change}).get_object, Bucket=BUCKET, Key=KEY).startswith(
            answer
        )


def test_clocks(signed):
    with shipped_double(Clock()) as double:
        person = Person(double, "ana-7f3a")
        double.clock.move(timedelta(minutes=14))
        person.put(KEY)
        double.clock.move(timedelta(minutes=2))
        assert refusal(person.put, KEY).startswith("403 RequestTimeTooSkewed")
        double.clock.move(timedelta(minutes=-32))
        assert refusal(person.put, KEY).startswith("403 RequestTimeTooSkewed")


def test_credentials_that_have_expired():
    with shipped_double(Clock()) as double:
        person = Person(double, "ana-7f3a")
        person.put(KEY)
        url = person.sdk.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": KEY}, ExpiresIn=7200)
        double.clock.move(timedelta(seconds=3590))
        assert requests.get(url, timeout=5).status_code == 200
        double.clock.move(timedelta(seconds=20))
        answer = requests.get(url, timeout=5)
        assert answer.status_code == 400 and "ExpiredToken" in answer.text


# --- presigned ------------------------------------------------------------------------------------


def presigned(double, person, method="GET", key=KEY, expires=60, headers=None, **changes):
    request = AWSRequest(method=method, url=f"{double.url}/{BUCKET}/{key}", headers=headers or {})
    S3SigV4QueryAuth(credentials(person), "s3", "eu-west-1", expires=expires).add_auth(request)
    url = request.url
    for old, new in changes.get("edit", ()):
        assert old in url
        url = url.replace(old, new)
    return url


def told(method, url, **more):
    answer = requests.request(method, url, timeout=5, **more)
    code = answer.text.partition("<Code>")[2].partition("</Code>")[0]
    return f"{answer.status_code} {code}".strip()


def test_a_presigned_address_is_for_one_thing(double, ana):
    assert told("PUT", presigned(double, ana, "PUT"), data=b"by address") == "200"
    url = ana.sdk.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": KEY})
    assert requests.get(url, timeout=5).content == b"by address"
    assert told("DELETE", url) == "403 SignatureDoesNotMatch"
    assert told("GET", presigned(double, ana, edit=[("/x?", "/y?")])) == "403 SignatureDoesNotMatch"
    assert told("GET", presigned(double, ana, key="ben-91c0/x")) == "403 AccessDenied"


@pytest.mark.parametrize(
    ("edit", "answer"),
    [
        ([("X-Amz-Expires=60", "X-Amz-Expires=61")], "403 SignatureDoesNotMatch"),
        ([("X-Amz-Expires=60", "X-Amz-Expires=604801")], "400 AuthorizationQueryParametersError"),
        ([("X-Amz-Expires=60", "X-Amz-Expires=0")], "400 AuthorizationQueryParametersError"),
        ([("X-Amz-Expires=60&", "")], "400 AuthorizationQueryParametersError"),
        (
            [("X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=none")],
            "400 AuthorizationQueryParametersError",
        ),
        (
            [("X-Amz-Expires=60", "X-Amz-Expires=60&X-Amz-Expires=60")],
            "400 AuthorizationQueryParametersError",
        ),
        ([("X-Amz-Signature=", "X-Amz-Signature=0")], "403 SignatureDoesNotMatch"),
        ([("%2Feu-west-1%2F", "%2Fus-east-1%2F")], "400 AuthorizationHeaderMalformed"),
        (
            [("&X-Amz-Signature=", "&response-content-type=text%2Fhtml&X-Amz-Signature=")],
            "403 SignatureDoesNotMatch",
        ),
    ],
)
def test_a_presigned_address_that_was_changed(double, ana, edit, answer):
    assert told("GET", presigned(double, ana, edit=edit)) == answer


def test_a_presigned_address_runs_out_and_does_not_mix_with_a_header(ana):
    with shipped_double(Clock()) as double:
        person = Person(double, "ana-7f3a")
        person.put(KEY)
        url = presigned(double, person, expires=60)
        assert told("GET", url) == "200"
        assert told("GET", url, headers={"Authorization": "AWS4-HMAC-SHA256 x"}) == "400 InvalidArgument"
        double.clock.move(timedelta(seconds=61))
        answer = requests.get(url, timeout=5)
        assert answer.status_code == 403 and "Request has expired" in answer.text
        double.clock.move(timedelta(minutes=-20))
        assert "Request is not valid yet" in requests.get(url, timeout=5).text


# --- aws-chunked ----------------------------------------------------------------------------------


def crc(body):
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def chunks(*parts, trailer=b""):
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return framed + b"0\r\n" + trailer + b"\r\n"


def chunked_headers(body, trailer="x-amz-checksum-crc32"):
    return {
        "x-amz-content-sha256": UNSIGNED_TRAILER,
        "X-Amz-Content-SHA256": UNSIGNED_TRAILER,
        "Content-Encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(body)),
        "x-amz-trailer": trailer,
    }


def sign_chunked(double, person, headers, key=KEY):
    """As the SDK signs a stream over TLS: the body's hash is a word."""

    class Auth(S3SigV4Auth):
        def payload(self, request):
            return UNSIGNED_TRAILER

    headers = {name: value for name, value in headers.items() if name != "X-Amz-Content-SHA256"}
    request = AWSRequest(method="PUT", url=f"{double.url}/{BUCKET}/{key}", headers=headers)
    Auth(credentials(person), "s3", "eu-west-1").add_auth(request)
    return dict(request.headers.items())


def raw_put(double, headers, pieces, length=None):
    """PUT with the body as it is, in HTTP chunks unless a length is given."""
    connection = http.client.HTTPConnection(urlsplit(double.url).netloc, timeout=5)
    connection.putrequest("PUT", f"/{BUCKET}/{KEY}")
    for name, value in headers.items():
        connection.putheader(name, value)
    if length is None:
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        for piece in pieces:
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        connection.send(b"0\r\n\r\n")
    else:
        connection.putheader("Content-Length", str(length))
        connection.endheaders(b"".join(pieces))
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return f"{answer.status} {text.partition('<Code>')[2].partition('</Code>')[0]}".strip()


@pytest.mark.parametrize("framed", [True, False])
def test_a_stream_with_its_checksum_at_the_end(double, ana, framed):
    body = b"one two three"
    whole = chunks(b"one ", b"two ", b"three", trailer=b"x-amz-checksum-crc32:%s\r\n" % crc(body).encode())
    headers = sign_chunked(double, ana, chunked_headers(body))
    pieces = [whole[:7], whole[7:]]
    assert raw_put(double, headers, pieces, None if framed else len(whole)) == "200"
    assert ana.get(KEY) == body
    assert ana.sdk.head_object(Bucket=BUCKET, Key=KEY).get("ContentEncoding") is None


@pytest.mark.parametrize(
    ("whole", "headers", "answer"),
    [
        (chunks(b"abc", trailer=b"x-amz-checksum-crc32:AAAAAA==\r\n"), {}, "400 BadDigest"),
        (chunks(b"abc"), {}, "400 MalformedTrailerError"),
        (chunks(b"abc", trailer=b"x-amz-checksum-sha1:x\r\n"), {}, "400 MalformedTrailerError"),
        (chunks(b"abc", trailer=b"nothing\r\n"), {}, "400 MalformedTrailerError"),
        (chunks(b"ab", trailer=b"x-amz-checksum-crc32:x\r\n"), {}, "400 IncompleteBody"),
        (b"3\r\nabcd\r\n0\r\n\r\n", {}, "400 IncompleteBody"),
        (b"x\r\nabc\r\n0\r\n\r\n", {}, "400 IncompleteBody"),
        (b"3;chunk-signature=1\r\nabc\r\n0\r\n\r\n", {}, "400 IncompleteBody"),
        (b"3\r\nabc", {}, "400 IncompleteBody"),
        (b"", {}, "400 IncompleteBody"),
        (chunks(b"abc"), {"x-amz-decoded-content-length": None}, "411 MissingContentLength"),
        (chunks(b"abc"), {"x-amz-trailer": "x-amz-checksum-md4"}, "400 MalformedTrailerError"),
        (chunks(b"abc", trailer=b"x-amz-checksum-md4:x\r\n"), {"x-amz-trailer": "x-amz-checksum-md4"},
         "400 InvalidRequest"),
    ],
)  # fmt: skip
def test_a_stream_that_is_not_what_it_says(double, ana, whole, headers, answer):
    wanted = {
        name: value for name, value in {**chunked_headers(b"abc"), **headers}.items() if value is not None
    }
    assert raw_put(double, sign_chunked(double, ana, wanted), [whole], len(whole)) == answer


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("crc32", "cbf43926"),
        ("crc32c", "e3069283"),
        ("crc64nvme", "ae8b14860a799888"),
        ("sha1", hashlib.sha1(b"123456789").hexdigest()),
        ("sha256", hashlib.sha256(b"123456789").hexdigest()),
    ],
)
def test_checksums_have_their_published_check_values(name, digest):
    assert ALGORITHMS[name](b"123456789").hex() == digest


def test_two_checksums_at_once_are_refused(signed):
    headers = {"x-amz-checksum-crc32": crc(b"picture"), "x-amz-checksum-sha1": "x"}
    assert send(signed(headers=headers)) == "400 InvalidRequest"


# --- framing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"Transfer-Encoding: gzip\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        b"Content-Length: 99999999\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
    ],
)
def test_a_body_that_is_badly_framed_ends_the_connection(double, raw):
    import socket

    with socket.create_connection(("127.0.0.1", double.port), timeout=5) as connection:
        connection.sendall(f"PUT /{BUCKET}/x HTTP/1.1\r\nHost: 127.0.0.1:{double.port}\r\n".encode() + raw)
        answer = b""
        while more := connection.recv(65536):
            answer += more
    assert answer.startswith(b"HTTP/1.1 400 ") and b"Connection: close" in answer
    assert b"<Code>EntityTooLarge</Code>" in answer


# --- pages of other origins -----------------------------------------------------------------------


def preflight(double, origin, method="PUT", path=f"/{BUCKET}/{KEY}", **more):
    headers = {"Origin": origin, "Access-Control-Request-Method": method, **more}
    return requests.options(
        f"{double.url}{path}",
        headers={name: value for name, value in headers.items() if value is not None},
        timeout=5,
    )


@pytest.mark.parametrize("origin", ["http://localhost:8003", "http://127.0.0.1:9003"])
def test_a_page_of_an_allowed_origin_may_ask(double, ana, signed, origin):
    answer = preflight(double, origin, **{"Access-Control-Request-Headers": "authorization,x-amz-date"})
    assert answer.status_code == 200 and answer.content == b""
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization,x-amz-date"
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    assert "Origin" in answer.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    refused = requests.get(f"{double.url}/{BUCKET}/{KEY}", headers={"Origin": origin}, timeout=5)
    assert refused.status_code == 403 and refused.headers["Access-Control-Allow-Origin"] == origin


@pytest.mark.parametrize(
    "origin",
    ["https://localhost:8003", "http://evil.example", "http://evil.example:8003", "http://localhost", "null"],
)
def test_a_page_of_another_origin_may_not(double, origin):
    answer = preflight(double, origin)
    assert answer.status_code == 403 and "AccessForbidden" in answer.text
    assert "Access-Control-Allow-Origin" not in answer.headers
    refused = requests.get(f"{double.url}/{BUCKET}/{KEY}", headers={"Origin": origin}, timeout=5)
    assert "Access-Control-Allow-Origin" not in refused.headers and "Origin" in refused.headers["Vary"]


def test_preflights_that_are_none(double):
    assert preflight(double, "http://localhost:8003", "PATCH").status_code == 403
    assert preflight(double, None).status_code == 400
    assert preflight(double, "http://localhost:8003", path="/another-bucket/x").status_code in (400, 404)


def test_an_object_that_is_a_page_runs_nothing(double, ana):
    ana.put(KEY, b"<script>alert(1)</script>", ContentType="text/html")
    answer = requests.get(presigned(double, ana), timeout=5)
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
