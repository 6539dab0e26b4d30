"""STS: AssumeRole and GetCallerIdentity, with the checks of the STS API Reference."""

from __future__ import annotations

import base64
import re
import secrets
import unicodedata
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl

from demo.aws import documents, policies
from demo.aws.accounts import Accounts, Role
from demo.aws.identity import Directory, Known
from demo.aws.policies import Answer, Context, Named
from demo.aws.tokens import RoleSession, Seal, access_key_id
from demo.aws.wire import Rejected, Reply, Request, success, validation_error

VERSION = "2011-06-15"
PACKED_LIMIT = 1024
"""Bytes of deflated policies and tags; AWS's own measure is not published."""

_NAME = re.compile(r"[\w+=,.@-]*", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]*", re.ASCII)
_POLICY = re.compile("[\t\n\r\x20-\xff]+")
_MEMBER = re.compile(r"(\w+)\.member\.([1-9][0-9]{0,2})(?:\.(\w+))?")


@dataclass(frozen=True, slots=True)
class Params:
    """The parameters of one call, read once."""

    plain: Mapping[str, str]
    lists: Mapping[str, list[Mapping[str, str]]]

    def text(self, name: str) -> str | None:
        """A plain parameter."""
        return self.plain.get(name)

    def required(self, name: str) -> str:
        """A plain parameter that must be there. Raises Rejected."""
        value = self.plain.get(name)
        if value is None:
            raise validation_error(
                f"1 validation error detected: Value null at '{_camel(name)}' failed to satisfy constraint: "
                "Member must not be null"
            )
        return value


def read(request: Request) -> Params:
    """The call's parameters, from the body of a POST or the query of a GET, never from both.

    Raises Rejected if they cannot be read in one way only.
    """
    if request.method == "POST":
        media = (request.header("content-type") or "").partition(";")[0].strip().lower()
        if media != "application/x-www-form-urlencoded":
            raise Rejected(400, "MalformedInput", "The body must be application/x-www-form-urlencoded.")
        if request.query:
            raise _query("Parameters belong in the body.")
        raw = request.body
    else:
        if request.body:
            raise _query("A GET has no body.")
        raw = request.query.encode("latin-1")
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise _query("The query string contains a syntax error.") from None
    if len({name.lower() for name, _ in pairs}) != len(pairs):
        raise _query("A parameter appears more than once.")
    plain: dict[str, str] = {}
    numbered: dict[str, dict[int, dict[str, str]]] = {}
    for name, value in pairs:
        member = _MEMBER.fullmatch(name)
        if member is None:
            plain[name] = value
        else:
            numbered.setdefault(member[1], {}).setdefault(int(member[2]), {})[member[3] or ""] = value
    for entries in numbered.values():
        if sorted(entries) != list(range(1, len(entries) + 1)):
            raise Rejected(400, "MalformedInput", "List members must be numbered from 1 without gaps.")
    return Params(plain, {name: [found[n] for n in sorted(found)] for name, found in numbered.items()})


def _query(message: str) -> Rejected:
    return Rejected(400, "MalformedQueryString", message)


@dataclass(frozen=True, slots=True)
class Handled:
    """An answer, and what the double's log may say about it."""

    reply: Reply
    caller: str
    facts: Mapping[str, object] = field(default_factory=dict)


class Sts:
    """The service."""

    def __init__(self, accounts: Accounts, directory: Directory, seal: Seal) -> None:
        self._accounts = accounts
        self._directory = directory
        self._seal = seal
        self.longest: int | None = None
        """Sessions end after at most so many seconds, whatever was asked for. AWS has nothing of the kind and
        gives at least 900: for tests of clients that read the host's clock and must live to see an expiry."""

    def handle(self, request: Request, params: Params, request_id: str, now: datetime) -> Handled:
        """Answer a call. Raises Rejected."""
        if request.path != "/":
            raise Rejected(404, "InvalidAction", "There is nothing at this address.")
        known = self._directory.signer(request, now)
        action = params.plain.get("Action")
        if action is None:
            raise Rejected(400, "MissingAction", "The request must contain the parameter Action.")
        version = params.plain.get("Version")
        if version != VERSION or action not in ("AssumeRole", "GetCallerIdentity"):
            raise Rejected(400, "InvalidAction", f"Could not find operation {action} for version {version}")
        if action == "GetCallerIdentity":
            result = {"Arn": known.caller.arn, "UserId": known.id, "Account": known.caller.account}
            return Handled(success(action, result, request_id), known.caller.arn, {"key": known.key})
        return self._assume_role(known, params, request_id, now)

    def _assume_role(self, known: Known, params: Params, request_id: str, now: datetime) -> Handled:
        ask = _ask(params)
        role = self._accounts.roles.get(ask.role)
        if role is None:
            raise _denied(known, "sts:AssumeRole", ask.role)
        tags, transitive = _tags(ask, known)
        self._authorise(known, role, ask, tags)
        seconds = _duration(ask, role, known)
        lives = seconds if self.longest is None else min(seconds, self.longest)
        packed = _packed(ask)
        session = RoleSession(
            access_key_id=access_key_id(),
            secret_access_key=base64.b64encode(secrets.token_bytes(30)).decode("ascii"),
            role=role.arn,
            name=ask.name,
            expires=int(now.timestamp()) + lives,
            chained=known.session is not None,
            source_identity=ask.source_identity or _inherited_identity(known),
            tags=tags,
            transitive=transitive,
            policy=ask.policy,
            policy_arns=ask.policy_arns,
        )
        result = {
            "AssumedRoleUser": {"AssumedRoleId": f"{role.id}:{ask.name}", "Arn": session.arn},
            "Credentials": {
                "AccessKeyId": session.access_key_id,
                "SecretAccessKey": session.secret_access_key,
                "SessionToken": self._seal.session_token(session),
                "Expiration": session.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
            "PackedPolicySize": str(packed) if packed else None,
            "SourceIdentity": session.source_identity,
        }
        facts: Mapping[str, object] = {
            "role": role.arn,
            "session_name": ask.name,
            "source_identity": session.source_identity,
            "duration": seconds,
            "tags": dict(ask.tags),
            "transitive": list(transitive),
            "policy": ask.policy,
            "policy_arns": list(ask.policy_arns),
            "external_id": ask.external_id is not None,
            "chained": session.chained,
            "key": known.key,
            "issued": session.access_key_id,
        }
        return Handled(success("AssumeRole", result, request_id), known.caller.arn, facts)

    def _authorise(self, known: Known, role: Role, ask: _Ask, tags: Mapping[str, str]) -> None:
        """Trust policy, caller's policies, session policy; for each action that the call implies."""
        context = _context(known, ask)
        inherited = known.session is not None and bool(known.session.transitive)
        actions = ["sts:AssumeRole"]
        if ask.tags or (tags and inherited):
            actions.append("sts:TagSession")
        if ask.source_identity or _inherited_identity(known):
            actions.append("sts:SetSourceIdentity")
        for action in actions:
            trust, named = policies.trusts(role.trust, known.caller, action, context)
            if trust is not Answer.ALLOW or not self._may(known, role, action, context, named):
                raise _denied(known, action, role.arn)
        inherited_identity = _inherited_identity(known)
        if ask.source_identity and inherited_identity and ask.source_identity != inherited_identity:
            raise _denied(known, "sts:SetSourceIdentity", role.arn)

    def _may(self, known: Known, role: Role, action: str, context: Context, named: Named) -> bool:
        """Whether the caller's own side allows it (STS API Reference, AssumeRole, "Permissions")."""
        own = known.user.policies if known.user else self._accounts.roles[known.caller.role or ""].policies
        identity = policies.allows(own, action, role.arn, context)
        if identity is Answer.DENY:
            return False
        suffices = role.account == known.caller.account and named >= Named.ROLE
        if identity is not Answer.ALLOW and not suffices:
            return False
        session = known.session
        if session is None or (session.policy is None and not session.policy_arns):
            return True
        if session.policy is None:
            return any(arn.endswith(":policy/AdministratorAccess") for arn in session.policy_arns)
        return policies.allows([documents.parse(session.policy)], action, role.arn, context) is Answer.ALLOW


@dataclass(frozen=True, slots=True)
class _Ask:
    """AssumeRole's parameters, each within its own limits."""

    role: str
    name: str
    duration: int
    external_id: str | None
    source_identity: str | None
    policy: str | None
    policy_arns: tuple[str, ...]
    tags: Mapping[str, str]
    transitive: tuple[str, ...]


def _ask(params: Params) -> _Ask:
    role = params.required("RoleArn")
    if not 20 <= len(role) <= 2048 or not re.fullmatch(r"arn:[\w-]+:iam::\d{12}:role/[\w+=,.@/-]+", role):
        raise validation_error(f"{role[:100]} is invalid")
    name = params.required("RoleSessionName")
    _limits("roleSessionName", name, 2, 64, _NAME)
    source_identity = params.text("SourceIdentity")
    if source_identity is not None:
        _limits("sourceIdentity", source_identity, 2, 256, _NAME)
        if source_identity.lower().startswith("aws:"):
            raise validation_error("sourceIdentity must not begin with aws:")
    external_id = params.text("ExternalId")
    if external_id is not None:
        _limits("externalId", external_id, 2, 1224, _EXTERNAL_ID)
    if params.text("SerialNumber") is not None or params.text("TokenCode") is not None:
        raise Rejected(
            403, "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code."
        )
    policy = params.text("Policy")
    if policy is not None:
        _limits("policy", policy, 1, 2048, _POLICY)
        documents.parse(policy)
    arns = tuple(entry.get("arn", "") for entry in params.lists.get("PolicyArns", []))
    _policy_arns(arns, role, policy)
    tags = _read_tags(params.lists.get("Tags", []))
    transitive = tuple(entry.get("", "") for entry in params.lists.get("TransitiveTagKeys", []))
    return _Ask(role, name, _seconds(params), external_id, source_identity, policy, arns, tags, transitive)


def _seconds(params: Params) -> int:
    text = params.text("DurationSeconds")
    if text is None:
        return 3600
    if not re.fullmatch(r"-?[0-9]{1,9}", text, re.ASCII):
        raise Rejected(400, "MalformedInput", "DurationSeconds must be a whole number.")
    value = int(text)
    if value < 900:
        raise _constraint(text, "durationSeconds", "Member must have value greater than or equal to 900")
    if value > 43200:
        raise _constraint(text, "durationSeconds", "Member must have value less than or equal to 43200")
    return value


def _duration(ask: _Ask, role: Role, known: Known) -> int:
    if known.session is not None and ask.duration > 3600:
        raise validation_error(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    if ask.duration > role.max_session_duration:
        raise validation_error(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    return ask.duration


def _policy_arns(arns: tuple[str, ...], role: str, policy: str | None) -> None:
    if len(arns) > 10:
        raise _constraint(str(len(arns)), "policyArns", "Member must have length less than or equal to 10")
    account = role.split(":")[4]
    for arn in arns:
        if not re.fullmatch(rf"arn:[\w-]+:iam::(aws|{account}):policy/[\w+=,.@/-]+", arn):
            raise validation_error(f"{arn[:100]} is not a policy of the role's account.")
    if len(policy or "") + sum(map(len, arns)) > 2048:
        raise Rejected(400, "PackedPolicyTooLarge", "Session policies exceed 2048 characters.")


def _read_tags(entries: list[Mapping[str, str]]) -> Mapping[str, str]:
    if len(entries) > 50:
        raise _constraint(str(len(entries)), "tags", "Member must have length less than or equal to 50")
    tags: dict[str, str] = {}
    for entry in entries:
        if set(entry) != {"Key", "Value"}:
            raise validation_error("A tag needs a key and a value.")
        key, value = entry["Key"], entry["Value"]
        _tag_limits("tags.member.key", key, 1, 128)
        _tag_limits("tags.member.value", value, 0, 256)
        if key.lower().startswith("aws:"):
            raise Rejected(400, "InvalidParameterValue", "Tag keys must not begin with aws:.")
        if key.lower() in {known.lower() for known in tags}:
            raise Rejected(
                400,
                "InvalidParameterValue",
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            )
        tags[key] = value
    return tags


def _tag_limits(name: str, value: str, least: int, most: int) -> None:
    fits = all(sign in "_.:/=+-@" or unicodedata.category(sign)[0] in "LZN" for sign in value)
    if not least <= len(value) <= most or not fits:
        raise _constraint(
            value[:300],
            name,
            "Member must satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+",
        )


def _tags(ask: _Ask, known: Known) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """The new session's tags with the inherited ones, and which of them go on."""
    lower = {key.lower() for key in ask.tags}
    if any(key.lower() not in lower for key in ask.transitive):
        raise Rejected(400, "InvalidParameterValue", "Transitive tag keys must be among the tags passed.")
    session = known.session
    inherited = {key: session.tags[key] for key in session.transitive} if session else {}
    if lower & {key.lower() for key in inherited}:
        raise Rejected(
            400,
            "InvalidParameterValue",
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
            "from the calling session.",
        )
    return {**inherited, **ask.tags}, (*inherited, *ask.transitive)


def _packed(ask: _Ask) -> int:
    """Per cent of the packed limit. Raises Rejected over it."""
    text = "\n".join(
        (ask.policy or "", *ask.policy_arns, *(f"{key}={value}" for key, value in ask.tags.items()))
    )
    if not text.strip():
        return 0
    packed = -(-100 * len(zlib.compress(text.encode(), 9)) // PACKED_LIMIT)
    if packed > 100:
        raise Rejected(
            400,
            "PackedPolicyTooLarge",
            f"Packed size of session tags and policies consumes {packed}% of allotted space.",
        )
    return packed


def _context(known: Known, ask: _Ask) -> Context:
    """Condition keys of the call (IAM User Guide, "AWS global condition context keys", "IAM and STS keys")."""
    found: dict[str, str | tuple[str, ...]] = {
        "aws:principalarn": known.caller.principal_arn,
        "aws:principalaccount": known.caller.account,
        "aws:userid": known.id,
        "sts:rolesessionname": ask.name,
    }
    if ask.external_id is not None:
        found["sts:externalid"] = ask.external_id
    if ask.source_identity is not None:
        found["sts:sourceidentity"] = ask.source_identity
    inherited = _inherited_identity(known)
    if inherited is not None:
        found["aws:sourceidentity"] = inherited
    if ask.tags:
        found["aws:tagkeys"] = tuple(ask.tags)
        found |= {f"aws:requesttag/{key.lower()}": value for key, value in ask.tags.items()}
    if ask.transitive:
        found["sts:transitivetagkeys"] = ask.transitive
    if known.session is not None:
        found |= {f"aws:principaltag/{key.lower()}": value for key, value in known.session.tags.items()}
    return found


def _inherited_identity(known: Known) -> str | None:
    return known.session.source_identity if known.session else None


def _denied(known: Known, action: str, resource: str) -> Rejected:
    # The same for a role that does not exist: AWS does not tell which.
    return Rejected(
        403,
        "AccessDenied",
        f"User: {known.caller.arn} is not authorized to perform: {action} on resource: {resource}",
    )


def _limits(name: str, value: str, least: int, most: int, form: re.Pattern[str]) -> None:
    if len(value) < least:
        raise _constraint(value, name, f"Member must have length greater than or equal to {least}")
    if len(value) > most:
        raise _constraint(value[:100], name, f"Member must have length less than or equal to {most}")
    if not form.fullmatch(value):
        raise _constraint(
            value[:100], name, f"Member must satisfy regular expression pattern: {form.pattern}"
        )


def _constraint(value: str, name: str, rule: str) -> Rejected:
    return validation_error(
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {rule}"
    )


def _camel(name: str) -> str:
    return name[0].lower() + name[1:]
