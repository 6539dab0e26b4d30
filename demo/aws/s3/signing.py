"""Who signed a request to S3: Signature Version 4 in the Authorization header, or in the query (presigned).

Sources: "Authenticating Requests (AWS Signature Version 4)" (S3 API Reference). Unlike the other services,
S3 takes the path as it is and wants the body's hash as a header, which may say that it is not signed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from demo.aws import sigv4
from demo.aws.identity import Directory, Known
from demo.aws.s3.chunked import UNSIGNED_TRAILER
from demo.aws.wire import Rejected, Request

SKEW: Final = timedelta(minutes=15)
LONGEST: Final = 604_800
UNSIGNED: Final = "UNSIGNED-PAYLOAD"
_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_QUERY: Final = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
                 "X-Amz-Signature")  # fmt: skip
_HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class _Signed:
    """What a request says about its signature; not yet verified."""

    key: str
    date: str
    region: str
    names: tuple[str, ...]
    signature: str
    stamp: str
    at: datetime
    token: str | None
    payload: str
    """As it goes into the canonical request."""
    query: str
    """What of the query is signed."""
    expires: int | None
    """Seconds, for a presigned one."""


def for_s3(request: Request) -> bool:
    """Whether the request says that it is signed for S3, rightly or not."""
    header = next((value for name, value in request.headers if name.lower() == "authorization"), "")
    return "/s3/aws4_request" in header or "%2Fs3%2Faws4_request" in request.query


def signer(request: Request, directory: Directory, region: str | None, now: datetime) -> Known:
    """Who signed this request, whose body is held against the hash that it names.

    `region` is the bucket's, None where there is no such bucket. Raises Rejected with S3's codes.
    """
    signed = _read(request)
    if region is not None and signed.region != region:
        raise Rejected(
            400,
            "AuthorizationHeaderMalformed",
            f"The authorization header is malformed; the region '{signed.region}' is wrong; expecting '{region}'",
        )
    _check_names(request, signed)
    try:
        secret, known = directory.secret_of(signed.key, signed.token)
    except Rejected:
        if signed.token is not None:
            raise Rejected(
                400, "InvalidToken", "The provided token is malformed or otherwise invalid."
            ) from None
        words = "The AWS Access Key Id you provided does not exist in our records."
        raise Rejected(403, "InvalidAccessKeyId", words) from None
    _check_time(signed, now)
    _check_signature(request, signed, secret)
    try:
        directory.fresh(known, now)
    except Rejected:
        raise Rejected(400, "ExpiredToken", "The provided token has expired.") from None
    if _HASH.fullmatch(signed.payload) and hashlib.sha256(request.body).hexdigest() != signed.payload:
        words = "The provided 'x-amz-content-sha256' header does not match what was computed."
        raise Rejected(400, "XAmzContentSHA256Mismatch", words)
    return known


def _read(request: Request) -> _Signed:
    header = request.header("authorization")
    presigned = "X-Amz-Signature=" in request.query or "X-Amz-Algorithm=" in request.query
    if header is not None and presigned:
        raise Rejected(400, "InvalidArgument", "Only one auth mechanism allowed")
    if presigned:
        return _from_query(request)
    if header is None:
        raise Rejected(403, "AccessDenied", "Access Denied")
    found = sigv4.AUTHORIZATION.fullmatch(header)
    if found is None:
        raise _malformed("the authorization header is malformed")
    payload = request.header("x-amz-content-sha256")
    if payload is None:
        raise Rejected(
            400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"
        )
    if payload.startswith("STREAMING-") and payload != UNSIGNED_TRAILER:
        raise Rejected(501, "NotImplemented", "This double does not read chunks that are signed one by one.")
    if payload not in (UNSIGNED, UNSIGNED_TRAILER) and not _HASH.fullmatch(payload):
        words = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER or a valid sha256 value."
        raise Rejected(400, "InvalidArgument", words)
    key, date, region = _scope(found["credential"])
    stamp = request.header("x-amz-date") or ""
    token = request.header("x-amz-security-token")
    names = tuple(found["signed"].split(";"))
    at = _instant(stamp)
    return _Signed(
        key, date, region, names, found["signature"], stamp, at, token, payload, request.query, None
    )


def _from_query(request: Request) -> _Signed:
    try:
        pairs = parse_qsl(request.query, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise _parameters("The query string contains a syntax error.") from None
    given = dict(pairs)
    if len(given) != len(pairs):
        raise _parameters("A query parameter appears more than once.")
    if any(name not in given for name in _QUERY):
        raise _parameters(
            f"Query-string authentication version 4 requires the {', '.join(_QUERY)} parameters."
        )
    if given["X-Amz-Algorithm"] != _ALGORITHM:
        raise _parameters(f'X-Amz-Algorithm only supports "{_ALGORITHM}"')
    text = given["X-Amz-Expires"]
    if not re.fullmatch(r"[0-9]{1,7}", text, re.ASCII) or not 1 <= int(text) <= LONGEST:
        raise _parameters(f"X-Amz-Expires must be 1 to {LONGEST} seconds")
    key, date, region = _scope(given["X-Amz-Credential"])
    query = "&".join(part for part in request.query.split("&") if not part.startswith("X-Amz-Signature="))
    return _Signed(
        key=key,
        date=date,
        region=region,
        names=tuple(given["X-Amz-SignedHeaders"].split(";")),
        signature=given["X-Amz-Signature"],
        stamp=given["X-Amz-Date"],
        at=_instant(given["X-Amz-Date"]),
        token=given.get("X-Amz-Security-Token"),
        payload=request.header("x-amz-content-sha256") or UNSIGNED,
        query=query,
        expires=int(text),
    )


def _scope(credential: str) -> tuple[str, str, str]:
    scope = credential.split("/")
    if len(scope) != 5 or scope[4] != "aws4_request":
        raise _malformed(
            'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request"'
        )
    if scope[3] != "s3":
        raise _malformed(f'incorrect service "{scope[3]}". This endpoint belongs to "s3"')
    return scope[0], scope[1], scope[2]


def _instant(stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        words = "AWS authentication requires a valid Date or x-amz-date header"
        raise Rejected(403, "AccessDenied", words) from None


def _check_names(request: Request, signed: _Signed) -> None:
    names, present = signed.names, {name.lower() for name, _ in request.headers}
    wanted = {"host"} | {name for name in present if name.startswith("x-amz-")}
    if list(names) != sorted(set(names)) or not set(names) <= present or not wanted <= set(names):
        raise Rejected(403, "AccessDenied", "There were headers present in the request which were not signed")


def _check_time(signed: _Signed, now: datetime) -> None:
    if signed.expires is None:
        if abs(now - signed.at) > SKEW:
            words = "The difference between the request time and the current time is too large."
            raise Rejected(403, "RequestTimeTooSkewed", words)
    elif signed.at > now + SKEW:
        raise Rejected(403, "AccessDenied", "Request is not valid yet")
    elif signed.at + timedelta(seconds=signed.expires) <= now:
        raise Rejected(403, "AccessDenied", "Request has expired")


def _check_signature(request: Request, signed: _Signed, secret: str) -> None:
    if signed.date != signed.stamp[:8]:
        raise _malformed(f'invalid credential date "{signed.date}"; expecting "{signed.stamp[:8]}"')
    canonical = "\n".join(
        (
            request.method,
            quote(unquote_to_bytes(request.path), safe="/-_.~"),
            sigv4.canonical_query(signed.query),
            sigv4.canonical_headers(request, signed.names),
            ";".join(signed.names),
            signed.payload,
        )
    )
    scope = f"{signed.date}/{signed.region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    text = "\n".join((_ALGORITHM, signed.stamp, scope, digest))
    key = sigv4.signing_key(secret, signed.date, signed.region, "s3")
    expected = hmac.digest(key, text.encode(), "sha256").hex()
    if not hmac.compare_digest(expected.encode(), signed.signature.encode("latin-1", "replace")):
        words = (
            "The request signature we calculated does not match the signature you provided. Check your key and "
            "signing method."
        )
        raise Rejected(403, "SignatureDoesNotMatch", words)


def _malformed(why: str) -> Rejected:
    return Rejected(
        400,
        "AuthorizationHeaderMalformed",
        f"The authorization header that you provided is not valid: {why}.",
    )


def _parameters(words: str) -> Rejected:
    return Rejected(400, "AuthorizationQueryParametersError", words)
