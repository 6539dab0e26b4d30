"""AssumeRole over the wire (STS API Reference; query protocol, version 2011-06-15).

Written out instead of called through the SDK's client, which costs several times the CPU for the same
bytes; the tests hold both against each other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from lxml import etree

from app.aws.chain import Keys
from app.aws.chaining import Step
from app.aws.channel import Answer
from app.aws.deadline import Deadline
from app.aws.failover import Down, Message, Place, Places
from app.aws.signing import signed
from app.clock import Clock
from app.errors import StsFailed, StsRefused
from app.model import SKEW

CAP = 64 * 1024
AGENT = "daypass"
"""What CloudTrail shows as user agent."""
_NAMESPACE = "{https://sts.amazonaws.com/doc/2011-06-15/}"
_KEY_ID = re.compile(r"\w{16,128}", re.ASCII)
_SECRET = re.compile(r"[\x21-\x7e]{16,256}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
_CODE = re.compile(r"[A-Za-z0-9.]{1,80}")
_THROTTLED = frozenset(
    ("Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown")
)
_FOREIGN_KEYS = frozenset(
    (
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "ExpiredTokenException",
        "UnrecognizedClientException",
    )
)


@dataclass(frozen=True, slots=True)
class Assumed:
    """What AssumeRole gave, checked."""

    keys: Keys
    expiration: datetime


class KeysRejected(Exception):
    """STS does not take the caller's credentials; carries the refusal that the broker's caller gets."""

    def __init__(self, refusal: StsRefused) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


class Sts:
    """The service. Safe to use from many threads."""

    def __init__(self, places: Places, clock: Clock) -> None:
        self._places = places
        self._clock = clock

    def assume(self, keys: Keys, step: Step, deadline: Deadline) -> Assumed:
        """Assume one role.

        Raises:
            StsRefused: STS said no; the detail has its code and words.
            KeysRejected: STS said no to `keys`.
            StsFailed: no answer, or one that must not be believed.
        """
        body = form(step)

        def question(place: Place) -> Message:
            headers = signed(keys, place.region, f"{place.url}/", body, self._clock.now())
            return Message("/", {**headers, "User-Agent": AGENT}, body)

        try:
            place, answer = self._places.ask(question, deadline)
        except Down as error:
            raise StsFailed(f"AssumeRole {step.role.arn}: {error}") from None
        if answer.status != 200:
            raise _refusal(answer, step, place.region, keys)
        return _read(answer.body, step, self._clock.now())

    def warm(self, deadline: Deadline) -> None:
        """Have a connection to the first choice ready; never raises."""
        self._places.warm(deadline)


def form(step: Step) -> bytes:
    """AssumeRole's parameters as a form."""
    fields = [
        ("Action", "AssumeRole"),
        ("Version", "2011-06-15"),
        ("RoleArn", str(step.role.arn)),
        ("RoleSessionName", step.session_name),
        ("DurationSeconds", str(int(step.duration.total_seconds()))),
        ("SourceIdentity", step.source_identity),
    ]
    if step.role.external_id is not None:
        fields.append(("ExternalId", step.role.external_id))
    if step.policy is not None:
        fields.append(("Policy", step.policy))
    for number, arn in enumerate(step.policy_arns, 1):
        fields.append((f"PolicyArns.member.{number}.arn", arn))
    for number, (key, value) in enumerate(step.tags.items(), 1):
        fields += [(f"Tags.member.{number}.Key", key), (f"Tags.member.{number}.Value", value)]
    return urlencode(fields).encode("ascii")


class _Garbled(Exception):
    """The answer is not what STS answers; the text says where, never quoting it."""


def _read(body: bytes, step: Step, now: datetime) -> Assumed:
    try:
        root = _parse(body, "AssumeRoleResponse")
        result = f"{_NAMESPACE}AssumeRoleResult/{_NAMESPACE}"
        credentials = f"{result}Credentials/{_NAMESPACE}"
        keys = Keys(
            _shaped(_text(root, f"{credentials}AccessKeyId"), _KEY_ID, "AccessKeyId"),
            _shaped(_text(root, f"{credentials}SecretAccessKey"), _SECRET, "SecretAccessKey"),
            _shaped(_text(root, f"{credentials}SessionToken"), _TOKEN, "SessionToken"),
        )
        if _text(root, f"{result}AssumedRoleUser/{_NAMESPACE}Arn") != assumed_role_arn(step):
            raise _Garbled("the answer is for another role or session than the one asked for")
        identity = root.findall(f"{result}SourceIdentity")
        if identity and _text(root, f"{result}SourceIdentity") != step.source_identity:
            raise _Garbled("the answer has another source identity than the one asked for")
        expiration = _instant(_text(root, f"{credentials}Expiration"))
        if not now < expiration <= now + step.duration + SKEW:
            raise _Garbled("Expiration is past, or later than was asked for")
    except _Garbled as error:
        raise StsFailed(f"AssumeRole {step.role.arn}: {error}") from None
    return Assumed(keys, expiration)


def assumed_role_arn(step: Step) -> str:
    """`arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION`: what AWS calls the session (no path)."""
    _, partition, _, _, account, resource = step.role.arn.split(":", 5)
    return f"arn:{partition}:sts::{account}:assumed-role/{resource.rsplit('/', 1)[-1]}/{step.session_name}"


def _parse(body: bytes, name: str) -> etree._Element:
    # A parser for each call: they are not shared between threads.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise _Garbled("the answer is not XML") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise _Garbled("the answer has a document type")
    if root.tag != _NAMESPACE + name:
        raise _Garbled(f"the answer is not an {name}")
    return root


def _text(root: etree._Element, path: str) -> str:
    found = root.findall(path)
    name = path.rsplit("}", 1)[1]
    if len(found) != 1 or len(found[0]) or not found[0].text:
        raise _Garbled(f"the answer has no single {name}")
    return found[0].text


def _shaped(text: str, form: re.Pattern[str], name: str) -> str:
    if not form.fullmatch(text):
        raise _Garbled(f"{name} has a form that AWS does not use")
    return text


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise _Garbled("Expiration is not a time") from None
    if instant.utcoffset() != timedelta(0):
        raise _Garbled("Expiration is not in UTC")
    return instant


def _refusal(answer: Answer, step: Step, region: str, keys: Keys) -> StsRefused | StsFailed | KeysRejected:
    said = f"AssumeRole {step.role.arn} in {region}: HTTP {answer.status}"
    if not 400 <= answer.status < 500:
        return StsFailed(said)
    try:
        root = _parse(answer.body, "ErrorResponse")
        code = _shaped(_text(root, f"{_NAMESPACE}Error/{_NAMESPACE}Code"), _CODE, "Code")
    except _Garbled as error:
        return StsFailed(f"{said}; {error}")
    message = root.findtext(f"{_NAMESPACE}Error/{_NAMESPACE}Message") or ""
    detail = f"{said} {code}: {_clean(message, keys, step)}"
    if code in _THROTTLED or answer.status == 429:
        return StsFailed(detail, retry_after=5)
    refusal = StsRefused(detail)
    return KeysRejected(refusal) if code in _FOREIGN_KEYS else refusal


def _clean(message: str, keys: Keys, step: Step) -> str:
    """AWS's words for a log: one line, cut, without what is secret.

    SignatureDoesNotMatch quotes the request as it should have been signed, session token included.
    """
    line = " ".join(message.split("\n\n", 1)[0].split())
    for secret in (keys.secret_access_key, keys.session_token, step.role.external_id):
        if secret:
            line = line.replace(secret, "…")
    return "".join(sign if sign.isprintable() else "�" for sign in line)[:400]
