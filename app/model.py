"""The nouns: immutable values that flow from a proof to a pass.

Standard library only, no behaviour beyond what a value knows about itself. A `repr` never shows a
secret, so that a value may stand in a log line or an exception.

    Proof → Identity → Principal → Decision → CredentialRequest → Credentials
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, NewType

SourceId = NewType("SourceId", str)
"""Name of a source of identities: the file name in `config/providers/`, `[a-z0-9-]{1,32}`."""

RoleArn = NewType("RoleArn", str)
"""`arn:PARTITION:iam::ACCOUNT:role/NAME`."""

SHORTEST = timedelta(seconds=900)
LONGEST = timedelta(seconds=3600)
DEFAULT_DURATION = LONGEST
SKEW = timedelta(seconds=60)
"""How far another party's clock may be from ours."""


# --- who is asking, from where -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a question came from; it proves nothing, audit and policy conditions name it."""

    request_id: str
    address: str
    user_agent: str = ""
    secure: bool = True


# --- sign-in --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SignInAsk:
    """What a person who starts a sign-in wants: where to land, and which browser it is."""

    next: str = "/"
    """Same-origin path to land on afterwards; checked by the web layer."""
    browser: str = field(default="", repr=False)
    """Secret of the browser that asks (its short-lived cookie); only its hash is kept."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """Where to send the browser next."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that was started and not yet finished; one row, taken once.

    `key` is what comes back from the other side (SAML request ID, OIDC state); `secrets` is what the
    kind of source must remember (nonce, code verifier), sealed at rest.
    """

    key: str
    source: SourceId
    browser: str
    """SHA-256 (hex) of the browser's secret."""
    next: str
    revision: int
    address: str
    created_at: datetime
    expires_at: datetime
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Proof:
    """What was presented, decoded from the wire, not yet believed."""

    source: SourceId
    fields: Mapping[str, str] = field(repr=False)
    """SAML: `SAMLResponse`, `RelayState`. OIDC: `code`, `state`, `iss`, `error`, `error_description`."""
    browser: str = field(default="", repr=False)
    """Secret from the browser's short-lived cookie; empty if there was none."""


@dataclass(frozen=True, slots=True)
class Authentication:
    """How and when the person was authenticated, as the source says."""

    at: datetime
    methods: tuple[str, ...] = ()
    """`amr` values (RFC 8176), in the order given."""
    context: str | None = None
    """`acr` or AuthnContextClassRef."""
    mfa_at: datetime | None = None
    """When a second factor was proven; None if none that the source's `mfa` setting believes."""
    phishing_resistant: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """A person, proven. The pair (source, subject) is the person; never an e-mail address."""

    source: SourceId
    subject: str
    username: str
    claims: Mapping[str, tuple[str, ...]]
    """Every claim or attribute of the proof under its own name, values as text."""
    authentication: Authentication
    name: str | None = None
    email: str | None = None
    groups: tuple[str, ...] = ()
    """Our groups, mapped by the source's `groups` table at sign-in; kept for display and reports."""


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in session at the broker: a row, revocable."""

    id: str
    """Public name of the session, safe to show and to log."""
    identity: Identity
    created_at: datetime
    expires_at: datetime
    idle_at: datetime
    """When it ends unless it is used before."""
    csrf: str = field(repr=False)
    revision: int = 0
    """Revision on which the sign-in finished."""
    trust: str = ""
    """Digest of what the proof was believed by (`principal.trust`)."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A finished sign-in: the session, the secret for its cookie (never stored), where to land."""

    session: Session
    token: str = field(repr=False)
    next: str = "/"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the other side needs to know of us."""

    content_type: str
    body: bytes


# --- policy ---------------------------------------------------------------------------------------


class Effect(StrEnum):
    """The answer of a decision (IAM User Guide, "Policy evaluation logic")."""

    ALLOW = "allow"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


@dataclass(frozen=True, slots=True)
class StatementRef:
    """A policy statement and its place."""

    policy: str
    """Name of the policy: `office-hours`, `aws:PowerUserAccess`, `accounts.yaml/111122223333/Admin`."""
    index: int
    """Position of the statement in its document, from 0."""
    sid: str | None = None
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        """`policy (Sid, file:line)`: for people and audit."""
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        inner = ", ".join(part for part in (self.sid or f"statement {self.index + 1}", place) if part)
        return f"{self.policy} ({inner})"


@dataclass(frozen=True, slots=True)
class Decision:
    """Allow, explicit deny or implicit deny, with the statements that said so."""

    effect: Effect
    matched: tuple[StatementRef, ...]
    revision: int

    @property
    def allowed(self) -> bool:
        """True only for an allow that no deny overrides."""
        return self.effect is Effect.ALLOW


@dataclass(frozen=True, slots=True)
class Nearest:
    """The allow that came nearest without matching, and what it failed on."""

    statement: StatementRef
    failed: str
    """In words, with both sides: `needs MFA in the last 15 minutes; yours is 40 minutes old`."""
    group: str | None = None
    """The group that carries it, where the person is not in it; never told to the person."""
    level: str | None = None
    """The guardrail level it belongs to, where that is what blocked."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision about a role in words: why it is so, and what would change it."""

    role: RoleArn
    decision: Decision
    why: str
    """A sentence or two."""
    nearest: Nearest | None
    would_change: str
    """What to do; empty where the answer is yes."""
    within_reach: bool
    """The answer is no, and something the person could do turns it into a yes: found by deciding again."""
    detail: str = field(default="", repr=False)
    """The decision with its statements and their places, for the operator and the audit record."""

    @property
    def refusal(self) -> str:
        """The words of a refusal that the person can do something about."""
        return f"You may not use this role now. {self.why} {self.would_change}"


@dataclass(frozen=True, slots=True)
class Principal:
    """An identity with what the active revision attaches to it."""

    identity: Identity
    groups: frozenset[str]
    policies: tuple[str, ...]
    """Names of attached managed policies, from all groups."""
    boundary: str | None
    """Name of the permissions boundary of its source."""
    tags: Mapping[str, str]
    """Session tags from claims, by the source's `session_tags`."""
    revision: int


# --- roles and what they give ---------------------------------------------------------------------


Level = Literal["admin", "power", "read"]


@dataclass(frozen=True, slots=True)
class Role:
    """An AWS IAM role that the broker may assume for people."""

    arn: RoleArn
    account: str
    account_name: str
    name: str
    description: str = ""
    level: Level = "admin"
    max_duration: timedelta = LONGEST
    allow: tuple[str, ...] = ()
    """Groups of the short form; becomes a policy statement."""
    session_policy: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    """Session tags that go to STS with this role."""
    via: RoleArn | None = None
    external_id: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A role that may be assumed now, or that a step-up would add (`needs`)."""

    role: Role
    needs: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class RoleAsk:
    """What a person asked for."""

    role: str
    """The role's ARN as given; not yet known to exist."""
    duration: timedelta | None = None
    """None: the default, at most the role's maximum."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CredentialRequest:
    """What goes to STS (STS API Reference, AssumeRole)."""

    role: Role
    duration: timedelta
    """900 to 3600 seconds."""
    session_name: str
    """2 to 64 of `[A-Za-z0-9+=,.@-]`."""
    source_identity: str
    """2 to 64 of the same."""
    tags: Mapping[str, str] = field(default_factory=dict)
    policy: str | None = None
    """One JSON document, at most 2,048 characters together with `policy_arns`."""
    policy_arns: tuple[str, ...] = ()
    hops: tuple[Role, ...] = ()
    """Roles to go through first, in order."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Temporary AWS credentials. They live in memory for one request; nothing stores or logs them."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expiration: datetime
    account: str = ""
    chained: bool = False
    """True if the caller of AssumeRole held temporary credentials itself."""


@dataclass(frozen=True, slots=True)
class ConsoleLink:
    """A console sign-in link, minted on click, good for 15 minutes."""

    url: str = field(repr=False)
    expires_at: datetime


# --- audit ----------------------------------------------------------------------------------------


class AuditKind(StrEnum):
    """The closed list of what audit records, `noun.verb`."""

    SIGNIN_SUCCEEDED = "signin.succeeded"
    SIGNIN_REFUSED = "signin.refused"
    """Only where a known person was refused (verified proof, no session given)."""
    SESSION_ENDED = "session.ended"
    CREDENTIALS_ASKED = "credentials.asked"
    CREDENTIALS_ISSUED = "credentials.issued"
    CREDENTIALS_REFUSED = "credentials.refused"
    CREDENTIALS_FAILED = "credentials.failed"
    CONSOLE_ASKED = "console.asked"
    CONSOLE_ISSUED = "console.issued"
    CONSOLE_REFUSED = "console.refused"
    CONSOLE_FAILED = "console.failed"
    REVISION_ACTIVATED = "revision.activated"
    """Written before it counts."""
    REVISION_FAILED = "revision.failed"
    """What the record before it announced did not happen."""
    PROVIDER_CHANGED = "provider.changed"
    """Trust material (certificates, addresses) of a source was first taken or replaced by a person."""
    ADMINISTRATION_USED = "administration.used"
    """A signed-in person administered something, by a `daypass:` action that `detail` names."""
    ADMINISTRATION_REFUSED = "administration.refused"
    """A signed-in person was refused that."""
    ACCESS_REFUSED = "access.refused"
    """A signed-in person was refused something other than credentials."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One append-only record: who, what, why, from where."""

    kind: AuditKind
    at: datetime
    request_id: str
    address: str
    source: str | None = None
    subject: str | None = None
    username: str | None = None
    session: str | None = None
    """Public id of the session."""
    role: str | None = None
    revision: int | None = None
    detail: Mapping[str, object] = field(default_factory=dict)
    """JSON values: duration, session_name, access_key_id, statements, code, reason, …; never a secret."""


# --- configuration, as a checked value ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How the broker reaches AWS."""

    partition: str
    regions: tuple[str, ...]
    """STS regions, first choice first."""
    sts_endpoint: str | None = None
    """A double; None for AWS."""
    console_endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """`config/daypass.yaml`."""

    name: str
    base_url: str
    """Scheme, host and port, no path, no trailing slash."""
    database: str = field(repr=False)
    """URL; it may hold a password."""
    keys: str
    """Path of the key file."""
    aws: Endpoint
    trusted_proxies: tuple[str, ...] = ()
    session_lifetime: timedelta = timedelta(hours=12)
    session_idle: timedelta = timedelta(hours=2)
    access_token: timedelta = timedelta(hours=1)
    refresh_token: timedelta = timedelta(hours=12)
    alerts: tuple[Mapping[str, str], ...] = field(default=(), repr=False)
    """One channel each, kind: target. `{"log": ""}`, `{"webhook": URL}`, `{"email": …}`, `{"sns": ARN}`."""

    @property
    def loopback(self) -> bool:
        """True if the broker's own address is http on this machine, where the rules for https relax."""
        return self.base_url.startswith("http://")


@dataclass(frozen=True, slots=True)
class ClaimMap:
    """Which claim or attribute means what. None: the source has none."""

    subject: str
    username: str
    email: str | None = None
    name: str | None = None
    groups: str | None = None


@dataclass(frozen=True, slots=True)
class GroupMap:
    """A source's group names to ours."""

    names: Mapping[str, str]
    keep: bool = False
    """`"*": keep`: the rest comes in as `SOURCE/NAME`."""


@dataclass(frozen=True, slots=True)
class MfaTrust:
    """Which values of a proof count as a second factor."""

    contexts: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SamlProvider:
    """`type: saml`."""

    id: SourceId
    label: str
    claims: ClaimMap
    groups: GroupMap
    metadata_url: str | None = None
    metadata_xml: bytes | None = field(default=None, repr=False)
    """Exactly one of the two is set."""
    session_tags: Mapping[str, str] = field(default_factory=dict)
    """AWS tag: claim."""
    mfa: MfaTrust = field(default_factory=MfaTrust)
    boundary: str | None = None
    type: Literal["saml"] = "saml"


@dataclass(frozen=True, slots=True)
class OidcProvider:
    """`type: oidc`."""

    id: SourceId
    label: str
    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    claims: ClaimMap
    groups: GroupMap
    scopes: tuple[str, ...] = ("openid",)
    algorithms: tuple[str, ...] = ("RS256",)
    session_tags: Mapping[str, str] = field(default_factory=dict)
    mfa: MfaTrust = field(default_factory=MfaTrust)
    boundary: str | None = None
    userinfo: bool = False
    """Also ask the userinfo endpoint and merge what it says."""
    type: Literal["oidc"] = "oidc"


Provider = SamlProvider | OidcProvider


@dataclass(frozen=True, slots=True)
class PolicyText:
    """A policy document as written, with its place; the policy room parses it."""

    name: str
    text: str
    file: str
    line: int = 1


@dataclass(frozen=True, slots=True)
class Group:
    """A flat group, and what it carries beyond the short form `allow`."""

    name: str
    description: str = ""
    policies: tuple[str, ...] = ()
    inline: tuple[PolicyText, ...] = ()


@dataclass(frozen=True, slots=True)
class Revision:
    """The whole of `config/`, checked; immutable, numbered when it is activated, hashed by content."""

    number: int
    digest: str
    """SHA-256 (hex) over the files' paths and bytes; secrets are references there."""
    settings: Settings
    providers: Mapping[SourceId, Provider]
    roles: Mapping[RoleArn, Role]
    groups: Mapping[str, Group]
    policies: Mapping[str, PolicyText]
    """Customer-managed policies by name."""
    guardrails: Sequence[tuple[str, tuple[PolicyText, ...]]] = ()
    """(level, documents), each level must allow."""
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Relative path: text; what the store keeps of a revision."""
    short_form_places: Mapping[RoleArn, tuple[str, int]] = field(default_factory=dict, repr=False)
    """(file, line) of each role's `allow`, so that a decision can name it."""
