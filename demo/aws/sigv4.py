"""Verification of Signature Version 4 in the Authorization header.

Source: "Create a signed AWS API request" (IAM User Guide). What is signed is recomputed from what came
in: nothing that the caller says about its own request (body hash, signed header list) is believed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote_to_bytes

from demo.aws.wire import Rejected, Request

WINDOW = timedelta(minutes=5)

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<credential>[^,\s]+), *SignedHeaders=(?P<signed>[^,\s]+), *"
    r"Signature=(?P<signature>[^,\s]+) *"
)
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Signed:
    """What a request says about its signature; not yet verified."""

    access_key_id: str
    date: str
    """`YYYYMMDD` of the scope."""
    region: str
    names: tuple[str, ...]
    """Signed headers."""
    signature: str
    at: datetime
    stamp: str
    """X-Amz-Date as sent."""
    token: str | None


def read(request: Request) -> Signed:
    """Take the signature apart. Raises Rejected if a part is missing or malformed."""
    header = request.header("authorization")
    if header is None:
        raise Rejected(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
    found = AUTHORIZATION.fullmatch(header)
    if found is None:
        raise _incomplete(
            "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters."
        )
    scope = found["credential"].split("/")
    if len(scope) != 5:
        raise _incomplete("Credential must have exactly 5 slash-delimited elements.")
    access_key_id, date, region, service, terminator = scope
    if service != "sts":
        raise _mismatch("Credential should be scoped to correct service: 'sts'.")
    if terminator != "aws4_request":
        raise _mismatch("Credential should be scoped with a valid terminator: 'aws4_request'.")
    stamp = request.header("x-amz-date")
    if stamp is None:
        raise _incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    try:
        at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _incomplete("Date must be in ISO-8601 'basic format'.") from None
    names = tuple(found["signed"].split(";"))
    _check_names(request, names)
    return Signed(
        access_key_id,
        date,
        region,
        names,
        found["signature"],
        at,
        stamp,
        request.header("x-amz-security-token"),
    )


def _check_names(request: Request, names: tuple[str, ...]) -> None:
    if list(names) != sorted(set(names)) or any(name != name.lower() or not name for name in names):
        raise _incomplete("SignedHeaders must be sorted, in lower case, each once.")
    present = {key.lower() for key, _ in request.headers}
    missing = [name for name in names if name not in present]
    if missing:
        raise _mismatch(f"Signed header {missing[0]} is not in the request.")
    # Whatever AWS reads must be under the signature: else it could be changed on the way.
    wanted = {"host"} | {name for name in present if name.startswith("x-amz-")}
    if request.body:
        wanted |= {"content-type"} & present
    unsigned = sorted(wanted - set(names))
    if unsigned:
        raise _mismatch(f"'{unsigned[0]}' must be a 'SignedHeader' in the AWS Authorization.")


def verify(
    request: Request, signed: Signed, secret: str, *, knows_region: Callable[[str], bool], now: datetime
) -> None:
    """Hold the request against its signature.

    Raises Rejected (`SignatureDoesNotMatch`) if the scope is foreign, the date is more than five minutes
    off, or the recomputed signature differs.
    """
    if not knows_region(signed.region):
        raise _mismatch("Credential should be scoped to a valid region.")
    if signed.date != signed.stamp[:8]:
        raise _mismatch(
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{signed.date}' != '{signed.stamp[:8]}', from '{signed.stamp}'."
        )
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    if signed.at < now - WINDOW:
        raise _mismatch(f"Signature expired: {signed.stamp} is now earlier than {stamp} - 5 min.")
    if signed.at > now + WINDOW:
        raise _mismatch(f"Signature not yet current: {signed.stamp} is still later than {stamp} + 5 min.")
    digest = hashlib.sha256(request.body).hexdigest()
    claimed = request.header("x-amz-content-sha256")
    if claimed is not None and not hmac.compare_digest(claimed.encode(), digest.encode()):
        raise _mismatch("The value of x-amz-content-sha256 is not the hash of the body.")
    canonical = canonical_request(request, signed.names, digest)
    scope = f"{signed.date}/{signed.region}/sts/aws4_request"
    text = "\n".join(
        ("AWS4-HMAC-SHA256", signed.stamp, scope, hashlib.sha256(canonical.encode("latin-1")).hexdigest())
    )
    expected = hmac.digest(
        signing_key(secret, signed.date, signed.region, "sts"), text.encode(), "sha256"
    ).hex()
    if not _HEX.fullmatch(signed.signature) or not hmac.compare_digest(expected, signed.signature):
        # AWS quotes the canonical string, session token and all: callers must be able to live with that.
        raise _mismatch(
            "The request signature we calculated does not match the signature you provided. Check your AWS "
            "Secret Access Key and signing method. Consult the service documentation for details.\n\n"
            f"The Canonical String for this request should have been\n'{canonical}'\n\n"
            f"The String-to-Sign should have been\n'{text}'\n"
        )


def canonical_request(request: Request, names: tuple[str, ...], digest: str) -> str:
    """The canonical request, from the request as it came in."""
    return "\n".join(
        (
            request.method,
            _path(request.path),
            canonical_query(request.query),
            canonical_headers(request, names),
            ";".join(names),
            digest,
        )
    )


def canonical_headers(request: Request, names: tuple[str, ...]) -> str:
    """A line for each signed header."""
    return "".join(f"{name}:{_values(request, name)}\n" for name in names)


def _values(request: Request, name: str) -> str:
    values = (value for key, value in request.headers if key.lower() == name)
    return ",".join(
        " ".join(value.split(" ")).strip() if "  " not in value else _one(value) for value in values
    )


def _one(value: str) -> str:
    return re.sub(" +", " ", value).strip()


def _path(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts[-1:] = []
        elif part not in ("", "."):
            parts.append(part)
    normal = "/" + "/".join(parts) + ("/" if path.endswith("/") and parts else "")
    return quote(normal, safe="/-_.~")  # encoded once on the wire, once more here


def canonical_query(query: str) -> str:
    """The parameters, each encoded anew, in order."""
    if not query:
        return ""
    pairs = (part.partition("=") for part in query.split("&"))
    return "&".join(
        f"{name}={value}" for name, value in sorted((_encoded(n), _encoded(v)) for n, _, v in pairs)
    )


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text), safe="-_.~")


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of one day, region and service."""
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _incomplete(message: str) -> Rejected:
    return Rejected(400, "IncompleteSignature", message)


def _mismatch(message: str) -> Rejected:
    return Rejected(403, "SignatureDoesNotMatch", message)
