"""Signatures: honest ones of the stock SDK pass, and each part that can be wrong is found."""

from datetime import UTC, datetime, timedelta

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.credentials import Credentials

from tests.demo.aws.conftest import Caller, arn, digest

WHO = "Action=GetCallerIdentity&Version=2011-06-15"


def test_a_stock_sdk_is_who_it_says(broker):
    answer = broker.sdk.get_caller_identity()
    assert answer["Arn"] == "arn:aws:iam::111122223333:user/daypass"
    assert answer["Account"] == "111122223333"
    assert answer["UserId"].startswith("AIDA")


def test_a_stock_sdk_with_temporary_credentials_is_its_session(broker):
    answer = broker.assume(arn("Plain"), "ana@example.com").sdk.get_caller_identity()
    assert answer["Arn"] == "arn:aws:sts::111122223333:assumed-role/Plain/ana@example.com"
    assert answer["UserId"].startswith("AROA") and answer["UserId"].endswith(":ana@example.com")


@pytest.mark.parametrize(
    ("body", "more"),
    [
        (WHO, {}),
        (WHO, {"region": "us-east-1"}),
        (WHO, {"headers": {"X-Amz-Content-SHA256": digest(WHO)}}),
        (WHO, {"headers": {"X-Amz-Meta": "two   blanks  "}}),
        ("", {"method": "GET", "path": f"/?{WHO}"}),
        ("", {"method": "GET", "path": "/?Version=2011-06-15&Action=GetCallerIdentity&X=a%20b~%2F"}),
    ],
    ids=["plain", "other region", "body hash", "blanks", "GET", "GET unsorted"],
)
def test_honest_requests_pass(broker, body, more):
    result = broker.send(broker.prepared(body, **more))
    assert (result.status, result.code) == (200, "")


def authorization(request, old, new):
    return {"headers": {"Authorization": request.headers["Authorization"].replace(old, new)}}


def test_no_signature_at_all(broker):
    request = broker.prepared(WHO)
    result = broker.send(request, headers={"Authorization": None})
    assert (result.status, result.code) == (403, "MissingAuthenticationToken")


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1", "IncompleteSignature", "Authorization header requires"),
        ("Signature=", "Sig=", "IncompleteSignature", "Authorization header requires"),
        ("/aws4_request", "", "IncompleteSignature", "exactly 5"),
        ("/aws4_request", "/aws5_request", "SignatureDoesNotMatch", "terminator"),
        ("/eu-west-1/", "/us-east-1/", "SignatureDoesNotMatch", "signature we calculated"),
        ("/eu-west-1/", "/mars-1/", "SignatureDoesNotMatch", "valid region"),
        ("/sts/", "/s3/", "SignatureDoesNotMatch", "correct service"),
        (
            "content-type;host;x-amz-date",
            "content-type;x-amz-date",
            "SignatureDoesNotMatch",
            "'host' must be",
        ),
        (
            "content-type;host;x-amz-date",
            "content-type;host",
            "SignatureDoesNotMatch",
            "'x-amz-date' must be",
        ),
        (
            "content-type;host;x-amz-date",
            "host;x-amz-date",
            "SignatureDoesNotMatch",
            "'content-type' must be",
        ),
        ("content-type;host", "host;content-type", "IncompleteSignature", "sorted"),
        ("content-type;host", "Content-Type;host", "IncompleteSignature", "lower case"),
        ("content-type;host", "content-type;host;host", "IncompleteSignature", "each once"),
        ("content-type;", "accept-nothing;content-type;", "SignatureDoesNotMatch", "is not in the request"),
    ],
)
def test_a_changed_authorization_header_is_found(broker, old, new, code, says):
    request = broker.prepared(WHO)
    result = broker.send(request, **authorization(request, old, new))
    assert (result.code, says in result.message) == (code, True), result.message


def test_a_changed_signature_is_found(broker):
    request = broker.prepared(WHO)
    signature = request.headers["Authorization"].rpartition("=")[2]
    for wrong in ("0" * 64, signature.upper(), signature[:-1], signature + "0", "é" * 32):
        headers = {"Authorization": request.headers["Authorization"].replace(signature, wrong).encode()}
        assert broker.send(request, headers=headers).status in (400, 403)


@pytest.mark.parametrize(
    "change",
    [
        {"body": WHO + "&X=1"},
        {"body": WHO.replace("GetCallerIdentity", "AssumeRole")},
        {"body": ""},
        {"headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        {"headers": {"X-Amz-Security-Token": "a-token"}},
        {"headers": {"X-Amz-New": "1"}},
    ],
    ids=str,
)
def test_what_was_not_signed_is_found(broker, change):
    result = broker.send(broker.prepared(WHO), **change)
    assert (result.status, result.code) in (
        (403, "SignatureDoesNotMatch"),
        (403, "InvalidClientTokenId"),
    )


def test_a_body_hash_that_lies_is_found(broker):
    request = broker.prepared(WHO, headers={"X-Amz-Content-SHA256": digest("another")})
    assert "is not the hash of the body" in broker.send(request).message
    request = broker.prepared(WHO, headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    assert "is not the hash of the body" in broker.send(request).message


def test_another_host_name_is_found(broker, double):
    request = broker.prepared(WHO)
    result = broker.send(request, url=f"http://localhost:{double.port}/")
    assert result.code == "SignatureDoesNotMatch"


def test_a_wrong_secret(double):
    caller = Caller(double, double.broker.access_key_id, "x" * 40)
    assert caller.send(caller.prepared(WHO)).code == "SignatureDoesNotMatch"


def test_an_unknown_key(double):
    caller = Caller(double, "AKIAUNKNOWNUNKNOWN00", "x" * 40)
    assert caller.send(caller.prepared(WHO)).code == "InvalidClientTokenId"


@pytest.mark.parametrize(
    ("minutes", "says"),
    [(-5.2, "Signature expired"), (5.2, "Signature not yet current"), (-4.8, ""), (4.8, "")],
)
def test_the_date_must_be_within_five_minutes(broker, double, minutes, says):
    request = broker.prepared(WHO)
    double.clock.move(timedelta(minutes=-minutes))
    try:
        result = broker.send(request)
    finally:
        double.clock.move(timedelta(minutes=minutes))
    assert (result.status == 200) is (says == "")
    assert says in result.message


def test_the_date_of_the_scope_must_be_the_date_of_the_request(broker):
    request = broker.prepared(WHO)
    today = datetime.now(UTC).strftime("%Y%m%d")
    result = broker.send(request, **authorization(request, f"/{today}/", "/20200101/"))
    assert "Date in Credential scope does not match" in result.message


@pytest.mark.parametrize("date", ["", "yesterday", "2026-11-24T12:00:00Z", "20261324T000000Z"])
def test_a_date_that_is_none(broker, date):
    assert broker.send(broker.prepared(WHO), headers={"X-Amz-Date": date}).code == "IncompleteSignature"


def test_the_session_token_must_be_the_one_of_the_key(broker, double):
    one, other = broker.assume(arn("Plain")), broker.assume(arn("Plain"))
    assert one.send(one.prepared(WHO)).status == 200
    for token in (None, other.token, "garbage", one.token[:-4] + "AAAA", "é"):
        caller = Caller(double, one.key, one.secret, token)
        request = caller.prepared(WHO) if token != "é" else one.prepared(WHO)
        headers = {"X-Amz-Security-Token": "é".encode()} if token == "é" else {}
        assert caller.send(request, headers=headers).code == "InvalidClientTokenId"


def test_a_long_term_key_has_no_token(broker, double):
    caller = Caller(double, broker.key, broker.secret, broker.assume(arn("Plain")).token)
    assert caller.send(caller.prepared(WHO)).code == "InvalidClientTokenId"


def test_a_secret_of_another_session_does_not_sign(broker, double):
    one, other = broker.assume(arn("Plain")), broker.assume(arn("Plain"))
    caller = Caller(double, one.key, other.secret, one.token)
    assert caller.send(caller.prepared(WHO)).code == "SignatureDoesNotMatch"


def test_expired_credentials_are_told_so(broker, double):
    caller = broker.assume(arn("Plain"), DurationSeconds=900)
    double.clock.move(timedelta(seconds=901))
    try:
        # The clock of the signature would be out of the window too: the caller's clock moved as well.
        request = caller.prepared(WHO)
        request.context["timestamp"] = (datetime.now(UTC) + timedelta(seconds=901)).strftime("%Y%m%dT%H%M%SZ")
        resigned = resign(caller, request)
        result = caller.send(resigned)
        assert (result.status, result.code) == (403, "ExpiredToken")
    finally:
        double.clock.move(timedelta(seconds=-901))
    assert caller.send(caller.prepared(WHO)).status == 200


def resign(caller, request):
    """Sign anew at the instant in the request's context."""
    signer = SigV4Auth(Credentials(caller.key, caller.secret, caller.token), "sts", "eu-west-1")
    signer._modify_request_before_signing(request)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(text, request))
    return request


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (WHO + "&Action=AssumeRole", "MalformedQueryString"),
        (WHO + "&action=AssumeRole", "MalformedQueryString"),
        ("Action=%FF&Version=2011-06-15", "MalformedQueryString"),
        ("Action", "MalformedQueryString"),
        ("Version=2011-06-15", "MissingAction"),
        ("Action=GetSessionToken&Version=2011-06-15", "InvalidAction"),
        ("Action=GetCallerIdentity&Version=2010-01-01", "InvalidAction"),
        ("Action=GetCallerIdentity", "InvalidAction"),
        ("Action=AssumeRole&Version=2011-06-15&RoleSessionName=ana", "ValidationError"),
        ("Action=AssumeRole&Version=2011-06-15&Tags.member.2.Key=a&Tags.member.2.Value=b", "MalformedInput"),
    ],
)
def test_what_cannot_be_read_in_one_way_is_refused(broker, body, code):
    assert broker.send(broker.prepared(body)).code == code


def test_parameters_in_two_places_are_refused(broker):
    assert broker.send(broker.prepared(WHO, path="/?Action=AssumeRole")).code == "MalformedQueryString"


def test_another_content_type_is_refused(broker):
    request = broker.prepared(WHO, headers={"Content-Type": "application/json"})
    assert broker.send(request).code == "MalformedInput"


def test_another_path_is_refused(broker, double):
    assert broker.send(broker.prepared(WHO, path="/sts")).status == 404
    assert requests.get(f"{double.url}/", timeout=5).status_code == 403
