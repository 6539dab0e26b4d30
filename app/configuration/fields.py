"""The types of single values: what each takes, how an editor's schema says it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict

from app.configuration import addresses
from app.configuration.problems import nearest
from app.configuration.references import Referable, Wrong
from app.model import LONGEST, SHORTEST, CheckKind, Level

CHECKS: Final[tuple[str, ...]] = get_args(CheckKind)
LEVELS: Final = ("admin", "power", "read")
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
PARTITIONS: Final[Mapping[str, str]] = {
    # botocore's partitions.json: partition → pattern of its regions
    "aws": r"(us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d",
    "aws-cn": r"cn-[a-z]+-\d",
    "aws-us-gov": r"us-gov-[a-z]+-\d",
    "aws-iso": r"us-iso-[a-z]+-\d",
    "aws-iso-b": r"us-isob-[a-z]+-\d",
    "aws-iso-e": r"eu-isoe-[a-z]+-\d",
    "aws-iso-f": r"us-isof-[a-z]+-\d",
    "aws-eusc": r"eusc-de-[a-z]+-\d",
}
TAGS_MOST: Final = 50
"""Session tags of one call (STS API Reference, AssumeRole)."""

ACCOUNT: Final = re.compile(r"[0-9]{12}")
ROLE_NAME: Final = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}")
POLICY_NAME: Final = re.compile(r"[A-Za-z0-9_+=,.@-]{1,128}")
SOURCE_ID: Final = re.compile(r"[a-z0-9-]{1,32}")
BARE_GROUP: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
ROLE_ARN: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account>[0-9]{12}):role/(?P<path>([!-.0-~]+/){0,16})"
    r"(?P<name>[A-Za-z0-9_+=,.@-]{1,64})"
)
_DURATION: Final = re.compile(r"(?P<number>0|[1-9][0-9]{0,6})(?P<unit>[smh]?)")
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}
_TAG_SIGNS: Final = frozenset("_.:/=+-@")


class Strict(BaseModel):
    """A mapping in a file: only its own keys, only their own types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)


def one_line(longest: int) -> Callable[[str], str]:
    """A check: text of one line, 1 to `longest` characters, none of them invisible."""

    def check(text: str) -> str:
        if not text:
            raise Wrong("is empty; expected text")
        if len(text) > longest:
            raise Wrong(f"has {len(text)} characters; at most {longest}")
        # Cc, Cf, Cs, Zl, Zp: control, direction and line characters turn names into something else on a page.
        if any(not char.isprintable() and unicodedata.category(char) != "Zs" for char in text):
            raise Wrong("holds a line end or a character that does not print; expected text of one line")
        if text != text.strip():
            raise Wrong("begins or ends with a blank; take it out")
        return text

    return check


def pattern(form: re.Pattern[str], words: str) -> Callable[[str], str]:
    """A check: the whole text has this form; `words` say what was expected."""

    def check(text: str) -> str:
        if not form.fullmatch(text):
            raise Wrong(f"expected {words}")
        return text

    return check


def one_of(*names: str) -> Callable[[str], str]:
    """A check: one of these words."""

    def check(text: str) -> str:
        if text not in names:
            expected = ", ".join(f"`{name}`" for name in names)
            raise Wrong(f"expected one of {expected}{nearest(text, names)}")
        return text

    return check


def duration(shortest: timedelta, longest: timedelta) -> Callable[[str], timedelta]:
    """A check: `15m`, `1h` or seconds, within these bounds."""

    def check(text: str) -> timedelta:
        found = _DURATION.fullmatch(text)
        if not found:
            raise Wrong("expected a duration: `15m`, `1h`, or seconds")
        value = timedelta(seconds=int(found["number"]) * _SECONDS[found["unit"]])
        if not shortest <= value <= longest:
            raise Wrong(f"expected {_words(shortest)} to {_words(longest)}")
        return value

    return check


def host(text: str) -> str:
    """A check: a host that can be called."""
    addresses.host(text)
    return text


def port(text: str) -> int:
    """A check: a TCP port."""
    if not re.fullmatch(r"[1-9][0-9]{0,4}", text) or int(text) > 65_535:
        raise Wrong("expected a port from 1 to 65535")
    return int(text)


def tag_key(text: str) -> str:
    """A check: the key of an AWS session tag (STS API Reference, Tag)."""
    if not 1 <= len(text) <= 128:
        raise Wrong("a tag's key has 1 to 128 characters")
    if text.lower().startswith("aws:"):
        raise Wrong("a tag's key does not begin with `aws:`; AWS keeps that for itself")
    _tag_text(text)
    return text


def tag_value(text: str) -> str:
    """A check: the value of an AWS session tag (STS API Reference, Tag)."""
    if len(text) > 256:
        raise Wrong("a tag's value has at most 256 characters")
    _tag_text(text)
    return text


def group(text: str) -> str:
    """A check: a group of ours, bare or `SOURCE/NAME`."""
    source, slash, name = text.partition("/")
    if not slash:
        return bare_group(text)
    if not SOURCE_ID.fullmatch(source):
        raise Wrong("expected a group: a bare name, or `SOURCE/NAME` with a provider's id")
    one_line(256)(name)
    return text


def bare_group(text: str) -> str:
    """A check: a group that only an explicit row of a source's table gives."""
    if "/" in text:
        raise Wrong('expected a bare name; `SOURCE/NAME` groups come from `"*": keep` alone')
    if not BARE_GROUP.fullmatch(text):
        raise Wrong(
            "expected a group's name: letters, digits, `.`, `_`, `-`, at most 64, the first a letter or digit"
        )
    return text


def policy(text: str) -> str:
    """A check: a policy's name, `NAME` or `aws:NAME`."""
    if not POLICY_NAME.fullmatch(text.removeprefix("aws:")):
        raise Wrong("expected a policy's name: `NAME` of `policies/NAME.json`, or `aws:NAME`")
    return text


def database(text: str) -> str:
    """A check: a database URL that the store takes."""
    if text.startswith("sqlite:///"):
        path = text.removeprefix("sqlite:///")
        if path in {"", ":memory:"} or path.startswith("file:") or "?" in path:
            raise Wrong("expected a file: `sqlite:///var/daypass.db`; all workers share it")
        return text
    if re.match(r"postgresql\+psycopg://[^/\s]*/\S", text):
        return text
    raise Wrong("expected `sqlite:///PATH` or `postgresql+psycopg://USER@HOST/NAME`")


def _no_password(text: str) -> None:
    authority = text.partition("://")[2].rpartition("@")[0]
    if ":" in authority or "password=" in text:
        raise Wrong(
            "holds a password, and a secret is never text here; write `{env: NAME}` or `{file: PATH}`"
        )


def _tag_text(text: str) -> None:
    if any(char not in _TAG_SIGNS and unicodedata.category(char)[0] not in "LZN" for char in text):
        raise Wrong("a tag holds letters, digits, blanks and `_.:/=+-@` only")


def _words(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _string(**more: object) -> Mapping[str, object]:
    return {"type": "string", **more}


def _form(form: re.Pattern[str]) -> Mapping[str, object]:
    return _string(pattern=f"^{re.sub(r'[?]P<[a-z]+>', '', form.pattern)}$")


_DURATION_SCHEMA: Final[Mapping[str, object]] = {"type": ["string", "integer"], "pattern": "^[0-9]+[smh]?$"}

Label = Annotated[str, Referable(one_line(64), _string(minLength=1, maxLength=64))]
Description = Annotated[str, Referable(one_line(1000), _string(minLength=1, maxLength=1000))]
ClaimName = Annotated[str, Referable(one_line(256), _string(minLength=1, maxLength=256))]
TheirGroup = Annotated[str, Referable(one_line(256), _string(minLength=1, maxLength=256), key=True)]
RoleName = Annotated[
    str,
    Referable(
        pattern(ROLE_NAME, "a role's name in IAM: 1 to 64 of `A-Za-z0-9_+=,.@-`"), _form(ROLE_NAME), key=True
    ),
]
Level_ = Annotated[Level, Referable(one_of(*LEVELS), {"enum": list(LEVELS)}, stand_in="admin")]
Algorithm = Annotated[str, Referable(one_of(*ALGORITHMS), {"enum": list(ALGORITHMS)}, stand_in="RS256")]
Partition = Annotated[str, Referable(one_of(*PARTITIONS), {"enum": list(PARTITIONS)})]
Region = Annotated[
    str, Referable(pattern(re.compile(r"[a-z]+(-[a-z]+)+-\d"), "a region like `eu-west-1`"), _string())
]
GroupName = Annotated[str, Referable(group, _string(minLength=1))]
BareGroup = Annotated[str, Referable(bare_group, _form(BARE_GROUP))]
PolicyName = Annotated[str, Referable(policy, _string(minLength=1))]
RoleArnText = Annotated[
    str,
    Referable(
        pattern(ROLE_ARN, "a role's ARN: `arn:aws:iam::111122223333:role/NAME`"),
        _string(pattern="^arn:aws[a-z-]*:iam::"),
    ),
]
TagKey = Annotated[str, Referable(tag_key, _string(minLength=1, maxLength=128), key=True)]
TagValue = Annotated[str, Referable(tag_value, _string(maxLength=256))]
Url = Annotated[str, Referable(addresses.url, _string(pattern="^https?://"))]
BaseUrl = Annotated[str, Referable(addresses.base_url, _string(pattern="^https?://[^/]+$"))]
Origin = Annotated[
    str, Referable(lambda text: addresses.origin(addresses.url(text)), _string(pattern="^https?://[^/]+$"))
]
Issuer = Annotated[str, Referable(addresses.issuer, _string(pattern="^https?://"))]
Proxy = Annotated[str, Referable(addresses.proxy, _string(minLength=2))]
Host = Annotated[str, Referable(host, _string(minLength=1))]
Port = Annotated[
    int,
    Referable(
        port, {"type": ["integer", "string"], "minimum": 1, "maximum": 65535}, numbers=True, stand_in=1
    ),
]
MailSecurity = Annotated[
    Literal["tls", "starttls", "none"],
    Referable(one_of("tls", "starttls", "none"), {"enum": ["tls", "starttls", "none"]}, stand_in="starttls"),
]
Database = Annotated[
    str,
    Referable(database, _string(pattern="^(sqlite:///|postgresql\\+psycopg://)"), literal=_no_password),
]
FilePath = Annotated[str, Referable(one_line(1024), _string(minLength=1))]
ClientId = Annotated[str, Referable(one_line(255), _string(minLength=1, maxLength=255))]
Scope = Annotated[
    str,
    # RFC 6749, section 3.3
    Referable(
        pattern(re.compile(r"[!#-\[\]-~]{1,128}"), "a scope: one word"), _string(pattern="^[!#-\\[\\]-~]+$")
    ),
]
CheckKind_ = Annotated[CheckKind, Referable(one_of(*CHECKS), {"enum": list(CHECKS)}, stand_in="none")]
ClientAuth = Annotated[
    Literal["body", "basic"], Referable(one_of("body", "basic"), {"enum": ["body", "basic"]}, stand_in="body")
]
Email = Annotated[
    str,
    Referable(
        pattern(re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}"), "an e-mail address"),
        _string(pattern="^[^@]+@[^@]+$"),
    ),
]
TopicArn = Annotated[
    str,
    Referable(
        pattern(
            re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}"), "an SNS topic's ARN"
        ),
        _string(pattern="^arn:aws[a-z-]*:sns:"),
    ),
]

Secret = Annotated[str, Referable(one_line(4096), {}, secret=True)]
WebhookUrl = Annotated[str, Referable(addresses.url, {}, secret=True)]
ExternalId = Annotated[
    str,
    Referable(
        # STS API Reference, AssumeRole
        pattern(
            re.compile(r"[A-Za-z0-9_+=,.@:/-]{2,1224}"), "an external ID: 2 to 1224 of `A-Za-z0-9_+=,.@:/-`"
        ),
        {},
        secret=True,
    ),
]

RoleDuration = Annotated[
    timedelta, Referable(duration(SHORTEST, LONGEST), _DURATION_SCHEMA, numbers=True, stand_in=LONGEST)
]
SessionDuration = Annotated[
    timedelta,
    Referable(
        duration(timedelta(minutes=1), timedelta(hours=168)),
        _DURATION_SCHEMA,
        numbers=True,
        stand_in=timedelta(hours=1),
    ),
]
TokenDuration = Annotated[
    timedelta,
    Referable(
        duration(timedelta(minutes=15), timedelta(hours=168)),
        _DURATION_SCHEMA,
        numbers=True,
        stand_in=timedelta(hours=1),
    ),
]
