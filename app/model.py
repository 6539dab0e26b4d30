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
from typing import Final, Literal, NewType

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
    client: str | None = None
    """OAuth client of the session that asks, put in from the session and by nobody else; None in a browser."""
    device: str | None = None
    """What that client calls its machine."""
    identity_id: str | None = None
    """Id of the identity that the session has in the client's pool, put in as `client` is; None if it has none."""


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
    enrolled_at: datetime | None = None
    """Of a second factor of the broker's own: when it was enrolled, if it was the person's first; else None. For roles
    of level admin it counts only in a sign-in that began later."""


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
    client: str | None = None
    """Id of the OAuth client whose session this is; None for a browser's own."""
    device: str | None = None
    """What a helper or app calls the machine it runs on, as it said itself; None for a browser's own."""
    approved_by: str | None = None
    """Public id of the session that let the client in; None for a browser's own."""
    signed_in_at: datetime | None = None
    """When the sign-in began on which this session rests; None: at `created_at`."""
    pool_identity: str = ""
    """Id of the identity that this person, or guest, has in the client's pool; empty if there is none."""
    last_used: datetime | None = None
    last_address: str = ""
    """Where from it was last used; kept to the minute."""

    @property
    def began(self) -> datetime:
        """From when on its lifetime counts: a client's session is no younger than the one that approved it."""
        return self.signed_in_at or self.created_at


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


# --- OAuth ----------------------------------------------------------------------------------------


Scope = Literal["roles", "credentials"]
SCOPES: Final[tuple[Scope, ...]] = ("roles", "credentials")
"""`roles`: who I am, which roles I have, and why. `credentials`: those, and credentials and console links."""

GrantType = Literal[
    "authorization_code",
    "urn:ietf:params:oauth:grant-type:device_code",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:token-exchange",
]
DEVICE_CODE: Final[GrantType] = "urn:ietf:params:oauth:grant-type:device_code"
EXCHANGE: Final[GrantType] = "urn:ietf:params:oauth:grant-type:token-exchange"
"""RFC 8693. A client that may use it may also bring SAML assertions (RFC 7522) and, if it has guests, begin as one."""

GUEST: Final = SourceId("guest")
"""Where guests of apps come from; no provider has this name."""
APP_GROUPS: Final = "app"
"""`app/CLIENT`: the group of everybody whom that app brought; `app/CLIENT/guests`: of its guests. No provider has
this name either, as its groups could be taken for these."""


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth client: `config/clients/NAME.yaml`, or the helper `cli`, which needs none."""

    id: str
    """`[a-z0-9-]{1,32}`."""
    name: str
    """For people."""
    grants: frozenset[GrantType]
    redirect_uris: tuple[str, ...] = ()
    """Exact; of one on `http://127.0.0.1` or `http://[::1]` without a port any port will do (RFC 8252, 7.3)."""
    scopes: tuple[Scope, ...] = SCOPES
    """The widest it may ask for."""
    secret: str | None = field(default=None, repr=False)
    """None: a public client, which proves nothing of itself."""
    accepts: Mapping[SourceId, tuple[str, ...]] = field(default_factory=dict)
    """Source: upstream audiences (client IDs, app IDs, SAML audiences) whose tokens this app may bring."""
    pool: str = ""
    """Identities are one per person and pool; empty for a client that has none."""
    origins: tuple[str, ...] = ()
    """Web origins whose pages may call us as this client (CORS)."""
    guests: bool = False
    """People who have not signed in are let in, as guests."""
    credentials: timedelta = LONGEST
    """The longest life of AWS credentials that it is given."""
    roles: tuple[RoleArn, ...] | None = None
    """The only roles that it is ever given, first choice first; None: no such bound."""
    once: bool = False
    """A subject token is taken a single time, not until it expires."""

    @property
    def confidential(self) -> bool:
        """True for a client that must show its secret."""
        return self.secret is not None


@dataclass(frozen=True, slots=True)
class ClientProof:
    """What a client showed of itself at an endpoint (RFC 6749, 2.3), not yet believed."""

    id: str
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class GrantAsk:
    """An authorization request (RFC 6749, 4.1.1; RFC 7636; RFC 8707), as read from the wire."""

    client: str
    redirect_uri: str
    scope: tuple[str, ...] = ()
    """Empty: all that the client may have."""
    challenge: str = field(default="", repr=False)
    """PKCE, S256: 43 characters of base64url."""
    challenge_method: str = ""
    resource: str = ""
    """Whom the access token is for; empty: the API."""
    device: str = ""
    """What the machine calls itself, for people to recognise; at most 64 characters."""


@dataclass(frozen=True, slots=True)
class Consent:
    """An authorization request that is in order, for the person to see and to allow."""

    client: Client
    redirect_uri: str
    scope: tuple[Scope, ...]
    device: str
    ends_at: datetime
    """Until when the client would be signed in."""


@dataclass(frozen=True, slots=True)
class Grant:
    """An authorization code, good for one use within a minute."""

    code: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class CodeProof:
    """An authorization code, shown for tokens."""

    code: str = field(repr=False)
    redirect_uri: str
    verifier: str = field(repr=False)
    resource: str = ""


@dataclass(frozen=True, slots=True)
class DeviceProof:
    """A device code, shown for tokens: a poll (RFC 8628, 3.4)."""

    device_code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RefreshProof:
    """A refresh token, shown for new tokens."""

    token: str = field(repr=False)
    scope: tuple[str, ...] = ()
    """Empty: as before. Never wider."""
    resource: str = ""


GrantProof = CodeProof | DeviceProof | RefreshProof


TokenKind = Literal["id_token", "access_token", "saml2"]
"""RFC 8693, 3: `urn:ietf:params:oauth:token-type:…`."""


@dataclass(frozen=True, slots=True)
class SubjectProof:
    """What an app presents for its person (RFC 8693, 2.1; RFC 7522, 2.1), not yet believed."""

    kind: TokenKind
    text: str = field(repr=False)
    source: str = ""
    """Source that it is of, as the app says; empty: found by what the token says of itself."""
    nonce: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ExchangeAsk:
    """What an app wants for its person's token, or for a guest (RFC 8693, 2.1)."""

    aws: bool = False
    """AWS credentials, in one step; else an access token of ours."""
    role: str = ""
    """ARN; empty: the first of the client's roles that policy allows."""
    duration: timedelta | None = None
    """Of AWS credentials; None: as long as may be."""
    scope: tuple[str, ...] = ()
    resource: str = ""
    """Whom the access token is for; empty: the API."""
    guest_token: str = field(default="", repr=False)
    """Access token of a guest of the same client, whose identity the person takes over."""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What was given: exactly one of the two."""

    identity_id: str
    tokens: Tokens | None = None
    credentials: Credentials | None = None
    role: RoleArn | None = None
    """Of the credentials."""
    reason: str = ""
    """For the app's developer: which statement allowed that role, and why the ones before it were passed over."""


@dataclass(frozen=True, slots=True)
class PoolIdentity:
    """An identity of a pool, with the logins that are linked to it."""

    id: str
    logins: tuple[tuple[SourceId, str], ...]
    """(source, subject), oldest first; none for a guest."""


@dataclass(frozen=True, slots=True)
class DeviceStarted:
    """What a device shows and polls with (RFC 8628, 3.2)."""

    device_code: str = field(repr=False)
    user_code: str
    """Eight of twenty letters with a dash: `BCDF-GHJK`."""
    expires_in: timedelta
    interval: timedelta


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """A device that waits for its person, as the approval page shows it."""

    user_code: str
    client: Client
    scope: tuple[Scope, ...]
    device: str
    """What the machine calls itself; proves nothing."""
    address: str
    user_agent: str
    asked_at: datetime
    expires_at: datetime
    ends_at: datetime
    """Until when the client would be signed in."""
    fresh: bool
    """The person signed in after the device asked, as approving needs."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the token endpoint gives."""

    access_token: str = field(repr=False)
    expires_in: timedelta
    scope: tuple[Scope, ...]
    session_ends_at: datetime
    """When the person has to sign in again, whatever is refreshed."""
    refresh_token: str | None = field(default=None, repr=False)
    identity_id: str = ""
    """Id of the identity that the session has in the client's pool; empty if there is none."""


@dataclass(frozen=True, slots=True)
class TokenState:
    """What introspection tells (RFC 7662, 2.2); only `active` where that is False."""

    active: bool
    client: str = ""
    scope: tuple[Scope, ...] = ()
    subject: str = ""
    username: str = ""
    audience: str = ""
    token_id: str = ""
    issued_at: datetime | None = None
    expires_at: datetime | None = None


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
    """What to do; empty where the answer is yes, unless what is allowed cannot be given to this session."""
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
    inline: tuple[PolicyText, ...] = ()
    """Policies of this person alone; a local user's."""
    root: bool = False
    """The root user: every `daypass:` action and the break-glass roles, whatever policies say."""


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
    break_glass: bool = False
    """The root user may assume it in an emergency."""


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A role that may be assumed now, or that a step-up would add (`needs`: `{"mfa": {"kinds": […]}}`)."""

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
    GRANT_APPROVED = "grant.approved"
    """A person let a client in: its authorization code, or the code of its device."""
    GRANT_REFUSED = "grant.refused"
    """A person said no to a client's device, or may not approve it."""
    SESSION_STARTED = "session.started"
    """A client redeemed its grant and has a session of its own."""
    TOKEN_EXCHANGED = "token.exchanged"  # noqa: S105
    """An app brought a person's token, or a guest, and was given what it asked for."""
    EXCHANGE_REFUSED = "exchange.refused"
    """A person whom an app brought was refused."""
    IDENTITY_LINKED = "identity.linked"
    IDENTITY_UNLINKED = "identity.unlinked"
    IDENTITY_CLAIMED = "identity.claimed"
    """A guest's identity became a person's."""
    TOKEN_REUSED = "token.reused"  # noqa: S105
    """A code or refresh token came a second time: what it had given has ended."""
    MFA_PROVEN = "mfa.proven"
    """A person proved a factor: at a sign-in, or in the middle of something."""
    MFA_REFUSED = "mfa.refused"
    """A person whose first factor was proven gave a wrong answer."""
    FACTOR_ENROLLED = "factor.enrolled"
    FACTOR_REMOVED = "factor.removed"
    FACTOR_CHANGED = "factor.changed"
    """Renamed, or found to be a copy (its counter fell back)."""
    RECOVERY_CODES_MADE = "recovery_codes.made"
    RECOVERY_ASKED = "recovery.asked"
    """An administrator asked that somebody's factors be taken away."""
    RECOVERY_DECIDED = "recovery.decided"
    """Another administrator approved or refused that."""
    PASSWORD_CHANGED = "password.changed"  # noqa: S105
    LINK_MADE = "link.made"
    """A one-time link was made; it itself is nowhere on record."""
    LINK_USED = "link.used"
    DEVICE_NEW = "device.new"
    """A person signed in from a browser in which they had not before."""
    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    """State, groups, policies or facts of a local user; `detail` has what changed and the version."""
    USER_DELETED = "user.deleted"
    ROOT_SET_UP = "root.set_up"
    ROOT_USED = "root.used"
    """Somebody signed in as root, for the reason in `detail`."""
    ROOT_SIGNED_OFF = "root.signed_off"
    PRACTICE_CONFIRMED = "practice.confirmed"
    """Somebody confirmed to the doctor what only people can look at: a locked-away key, a review."""
    ALERT_FAILED = "alert.failed"
    """A channel could not be reached after all tries."""


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
class Mail:
    """How mail is sent (`mail` in `config/daypass.yaml`)."""

    host: str
    port: int
    sender: str
    security: Literal["tls", "starttls", "none"] = "starttls"
    """`none` only towards loopback."""
    username: str = ""
    password: str = field(default="", repr=False)


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
    local: str = ""
    """Label of the sign-in by local users on pages; empty: it is off. Root is not meant by it."""
    mail: Mail | None = None

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


CheckKind = Literal["none", "facebook_debug_token", "amazon_tokeninfo", "github_check_token", "introspection"]


@dataclass(frozen=True, slots=True)
class TokenCheck:
    """How a plain OAuth 2.0 provider is asked for which app an access token was made."""

    kind: CheckKind = "none"
    """`none`: it cannot be asked, so no access token of it is taken from an app."""
    url: str = ""
    """Where it is asked; for `github_check_token` the part before `/CLIENT_ID/token`."""


@dataclass(frozen=True, slots=True)
class OAuth2Provider:
    """`type: oauth2`: a provider of plain OAuth 2.0, which makes no ID tokens: who it is stands at an address."""

    id: SourceId
    label: str
    authorize_url: str
    token_url: str
    userinfo_url: str
    client_id: str
    client_secret: str | None = field(repr=False)
    claims: ClaimMap
    groups: GroupMap
    emails_url: str | None = None
    """Where the person's e-mail addresses stand, if apart: a list of `email`, `primary`, `verified`."""
    scopes: tuple[str, ...] = ()
    check: TokenCheck = field(default_factory=TokenCheck)
    pkce: bool = True
    client_auth: Literal["body", "basic"] = "body"
    """How the secret is shown at the token endpoint (RFC 6749, 2.3.1)."""
    appsecret_proof: bool = False
    """Facebook: prove at each call with an access token that we hold the app's secret."""
    session_tags: Mapping[str, str] = field(default_factory=dict)
    boundary: str | None = None
    type: Literal["oauth2"] = "oauth2"

    @property
    def mfa(self) -> MfaTrust:
        """Nothing: such a provider says nothing of how somebody signed in."""
        return MfaTrust()


Provider = SamlProvider | OidcProvider | OAuth2Provider


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
    mfa: bool = False
    """Whoever is in it proves a second factor at every sign-in, and enrols one at the first."""


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
    clients: Mapping[str, Client] = field(default_factory=dict)
    """OAuth clients by id, the helper `cli` among them."""
    short_form_places: Mapping[RoleArn, tuple[str, int]] = field(default_factory=dict, repr=False)
    """(file, line) of each role's `allow`, so that a decision can name it."""
