"""The operations: who asks, whether they may, and then the object."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime
from typing import Final
from urllib.parse import parse_qsl, unquote_to_bytes

from demo.aws import documents
from demo.aws.accounts import Accounts, Bucket
from demo.aws.identity import Directory, Known
from demo.aws.s3 import checksums, chunked, cors, objects, policy, signing, xml
from demo.aws.s3.objects import Objects, Stored
from demo.aws.wire import Rejected, Reply, Request

ROOM_FOR_CHUNKS: Final = 64 * 1024
LARGEST_BODY: Final = objects.LARGEST + ROOM_FOR_CHUNKS
"""Bytes of a request's body: an object, and what `aws-chunked` puts around it."""

_ALWAYS: Final = frozenset({"x-id"})
_LISTING: Final = frozenset(
    {
        "list-type",
        "prefix",
        "delimiter",
        "max-keys",
        "continuation-token",
        "start-after",
        "encoding-type",
        "fetch-owner",
    }
)
_REPEATED: Final = {
    "Delimiter": "delimiter",
    "StartAfter": "start-after",
    "ContinuationToken": "continuation-token",
}
_KEPT: Final[tuple[str, ...]] = ("cache-control", "content-disposition", "content-language", "expires")
_NOT_HERE: Final = ("x-amz-copy-source", "if-match", "if-none-match", "x-amz-acl", "x-amz-tagging")
"""Headers of a PUT that would change what it does."""
_FULL: Final = {"arn:aws:iam::aws:policy/AdministratorAccess", "arn:aws:iam::aws:policy/AmazonS3FullAccess"}
"""Managed session policies that the double knows: they take nothing away here."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer, and what the double's log may say about it."""

    action: str
    reply: Reply
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Call:
    """One request, taken apart."""

    request: Request
    bucket: Bucket
    key: str
    query: Mapping[str, str]
    known: Known
    now: datetime


_Run = Callable[["S3", _Call], Reply]


@dataclass(frozen=True, slots=True)
class _Operation:
    """A row of the table: what is asked of the policies, on what, and which parameters are understood."""

    permission: str
    run: _Run
    of_bucket: bool = False
    parameters: frozenset[str] = frozenset()


class S3:
    """The service."""

    def __init__(self, accounts: Accounts, directory: Directory) -> None:
        self._accounts = accounts
        self._directory = directory
        self._objects = Objects(accounts.buckets)

    def owns(self, request: Request) -> bool:
        """Whether this request is for S3: it names one of the buckets, or is signed for S3."""
        if self._bucket(request.path) is not None:
            return True
        return request.path != "/" and signing.for_s3(request)

    def handle(self, request: Request, request_id: str, now: datetime) -> Outcome:
        """The answer; a "no" is an answer too, in S3's form and readable by the pages that may ask."""
        bucket = self._bucket(request.path)
        action, facts = "unknown", {}
        try:
            if request.method == "OPTIONS":
                return Outcome("preflight", cors.preflight(request, bucket), {})
            action = _action(request)
            facts = {"bucket": bucket.name if bucket else None, "key": _key(request.path)}
            reply, caller = self._operate(action, request, bucket, now)
            facts = {**facts, "caller": caller}
        except Rejected as rejected:
            reply = xml.failure(rejected, request.path, request_id)
            facts = {**facts, "code": rejected.code}
        extra = (("x-amz-request-id", request_id), *cors.headers(request, bucket))
        return Outcome(action, replace(reply, headers=(*reply.headers, *extra)), facts)

    def refused(self, request: Request, rejected: Rejected, request_id: str) -> Reply:
        """A "no" from outside of the service (a body that is too large, a fault) in its form."""
        extra = (("x-amz-request-id", request_id), *cors.headers(request, self._bucket(request.path)))
        reply = xml.failure(rejected, request.path, request_id)
        return replace(reply, headers=extra)

    def _bucket(self, path: str) -> Bucket | None:
        return self._accounts.buckets.get(path[1:].partition("/")[0])

    def _operate(
        self, action: str, request: Request, bucket: Bucket | None, now: datetime
    ) -> tuple[Reply, str]:
        known = signing.signer(request, self._directory, bucket.region if bucket else None, now)
        if bucket is None:
            raise Rejected(404, "NoSuchBucket", "The specified bucket does not exist")
        operation = _OPERATIONS.get(action)
        query = _query(request.query)
        if operation is None or not set(query) <= operation.parameters | _ALWAYS:
            raise Rejected(
                501, "NotImplemented", "This double has no such operation, or not with these parameters."
            )
        call = _Call(request, bucket, _key(request.path), query, known, now)
        self._authorise(call, operation)
        return operation.run(self, call), known.caller.arn

    # --- may they -----------------------------------------------------------------------------------

    def _authorise(self, call: _Call, operation: _Operation) -> None:
        why = self._why_not(call, operation.permission, of_bucket=operation.of_bucket)
        if why is not None:
            resource = _resource(call.bucket, None if operation.of_bucket else call.key)
            words = (
                f"User: {call.known.caller.arn} is not authorized to perform: {operation.permission} on "
                f'resource: "{resource}" {why}'
            )
            raise Rejected(403, "AccessDenied", words)

    def _why_not(self, call: _Call, permission: str, *, of_bucket: bool) -> str | None:
        known = call.known
        if known.caller.account != call.bucket.account:
            return f"because no resource-based policy allows the {permission} action"
        role = self._accounts.roles.get(known.caller.role or "")
        own = known.user.policies if known.user else role.policies if role else ()
        resource = _resource(call.bucket, None if of_bucket else call.key)
        context = _context(call)
        verdict = policy.judge(own, permission, resource, context)
        why = policy.why_not(verdict, self._session(known, permission, resource, context))
        return None if why is None else why.format(action=permission)

    @staticmethod
    def _session(
        known: Known, permission: str, resource: str, context: Mapping[str, str]
    ) -> policy.Verdict | None:
        """What the session policies say, all together; None if there are none."""
        session = known.session
        if session is None or (session.policy is None and not session.policy_arns):
            return None
        if _FULL & set(session.policy_arns):
            everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        else:
            everything = {"Effect": "Allow", "NotAction": "*", "Resource": "*"}
        inline = [documents.parse(session.policy)] if session.policy is not None else []
        return policy.judge([*inline, {"Statement": everything}], permission, resource, context)

    # --- what is done -------------------------------------------------------------------------------

    def put(self, call: _Call) -> Reply:
        """PutObject."""
        sent = {name.lower(): value for name, value in call.request.headers}
        if any(name in sent for name in _NOT_HERE):
            raise Rejected(
                501, "NotImplemented", "This double puts whole objects, without conditions, lists or tags."
            )
        body, trailers = call.request.body, dict[str, str]()
        coded = [part.strip() for part in sent.get("content-encoding", "").split(",") if part.strip()]
        if sent.get("x-amz-content-sha256") == chunked.UNSIGNED_TRAILER or "aws-chunked" in coded:
            length = sent.get("x-amz-decoded-content-length")
            body, trailers = chunked.decode(body, sent.get("x-amz-trailer"), length)
            coded = [part for part in coded if part != "aws-chunked"]
        found = checksums.check({**sent, **trailers}, body)
        kept = [(name, sent[name]) for name in _KEPT if name in sent]
        kept += [(name, value) for name, value in sent.items() if name.startswith("x-amz-meta-")]
        if coded:
            kept.append(("Content-Encoding", ",".join(coded)))
        stored = Stored(
            key=call.key,
            body=body,
            content_type=sent.get("content-type", "binary/octet-stream"),
            modified=call.now,
            checksums=found,
            headers=tuple(kept),
        )
        self._objects.put(call.bucket.name, stored)
        return Reply(200, "", b"", (("ETag", stored.etag), *found.items()))

    def get(self, call: _Call) -> Reply:
        """GetObject and HeadObject (whose body is left out where it is sent)."""
        stored = self._objects.get(call.bucket.name, call.key)
        if stored is None:
            # Who may not list is not told what there is not.
            if self._why_not(call, "s3:ListBucket", of_bucket=True) is not None:
                raise Rejected(403, "AccessDenied", "Access Denied")
            raise Rejected(404, "NoSuchKey", "The specified key does not exist.")
        asked = call.request.header("x-amz-checksum-mode") == "ENABLED"
        return Reply(
            200,
            stored.content_type,
            stored.body,
            (
                ("ETag", stored.etag),
                ("Last-Modified", format_datetime(stored.modified, usegmt=True)),
                *(stored.checksums.items() if asked else ()),
                *stored.headers,
                # Not S3's: the double's console has the same origin, and an object may be a page.
                ("Content-Security-Policy", "sandbox; default-src 'none'"),
                ("X-Content-Type-Options", "nosniff"),
            ),
        )

    def delete(self, call: _Call) -> Reply:
        """DeleteObject: the same answer whether it was there or not."""
        self._objects.delete(call.bucket.name, call.key)
        return Reply(204, "", b"")

    def listed(self, call: _Call) -> Reply:
        """ListObjectsV2."""
        query = call.query
        text = query.get("max-keys", "1000")
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
            raise Rejected(400, "InvalidArgument", "Provided max-keys not an integer or within integer range")
        if query.get("encoding-type", "url") != "url":
            raise Rejected(400, "InvalidArgument", "Invalid Encoding Method specified in Request")
        most = min(int(text), 1000)
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = query.get("start-after", "")
        if "continuation-token" in query:
            after = xml.from_token(query["continuation-token"])
        page = self._objects.listed(call.bucket.name, prefix, delimiter, after, most)
        asked = {"Prefix": prefix}
        for element, name in (
            ("Delimiter", "delimiter"),
            ("StartAfter", "start-after"),
            ("ContinuationToken", "continuation-token"),
        ):
            if name in query:
                asked[element] = query[name]
        return xml.listing(call.bucket.name, asked, page, most, "encoding-type" in query)


_OPERATIONS: Final[Mapping[str, _Operation]] = {
    "PutObject": _Operation("s3:PutObject", S3.put),
    "GetObject": _Operation("s3:GetObject", S3.get),
    "HeadObject": _Operation("s3:GetObject", S3.get),
    "DeleteObject": _Operation("s3:DeleteObject", S3.delete),
    "ListObjectsV2": _Operation("s3:ListBucket", S3.listed, of_bucket=True, parameters=_LISTING),
}
_BY_METHOD: Final = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}


def _action(request: Request) -> str:
    if _key(request.path):
        return _BY_METHOD.get(request.method, "unknown")
    if request.method == "GET" and _query(request.query).get("list-type") == "2":
        return "ListObjectsV2"
    return "unknown"


def _key(path: str) -> str:
    """The object's key. Raises Rejected if it is no UTF-8, or longer than S3 takes."""
    raw = unquote_to_bytes(path[1:].partition("/")[2])
    try:
        key = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Rejected(400, "InvalidURI", "Couldn't parse the specified URI.") from None
    if len(raw) > 1024:
        raise Rejected(400, "KeyTooLongError", "Your key is too long")
    if any(letter < " " for letter in key):
        # XML 1.0 cannot say such a key, so no listing could.
        raise Rejected(400, "InvalidURI", "This double takes no control characters in a key.")
    return key


def _query(query: str) -> dict[str, str]:
    """The parameters that are not about the signature. Raises Rejected."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except ValueError:
        raise Rejected(400, "InvalidURI", "Couldn't parse the specified URI.") from None
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise Rejected(400, "InvalidArgument", "A query parameter appears more than once.")
    if any(letter < " " for _, value in pairs for letter in value):
        raise Rejected(400, "InvalidURI", "This double takes no control characters in a parameter.")
    return {name: value for name, value in pairs if not name.startswith("X-Amz-")}


def _resource(bucket: Bucket, key: str | None) -> str:
    return f"arn:aws:s3:::{bucket.name}" + (f"/{key}" if key is not None else "")


def _context(call: _Call) -> dict[str, str]:
    """Condition keys of the call (Service Authorization Reference, Amazon S3)."""
    known = call.known
    found = {"aws:userid": known.id, "aws:principalarn": known.caller.principal_arn}
    if known.session is not None:
        if known.session.source_identity is not None:
            found["aws:sourceidentity"] = known.session.source_identity
        found |= {f"aws:principaltag/{name.lower()}": value for name, value in known.session.tags.items()}
    for name in ("prefix", "delimiter", "max-keys"):
        if name in call.query:
            found[f"s3:{name}"] = call.query[name]
    return found
