"""A broker in memory and the small things around it: name only what matters."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from app.errors import (
    DestinationForbidden,
    NotSignedIn,
    Refusal,
    RoleForbidden,
    RoleUnknown,
    SignInNotOurs,
    SourceUnknown,
    Unknown,
)
from app.model import (
    Authentication,
    Caller,
    ConsoleLink,
    Credentials,
    Decision,
    Effect,
    Endpoint,
    Entitlement,
    Explanation,
    Identity,
    Metadata,
    Nearest,
    Outbound,
    Proof,
    Role,
    RoleArn,
    RoleAsk,
    Session,
    Settings,
    SignedIn,
    SignInAsk,
    SourceId,
    StatementRef,
)
from app.people import Asked
from app.policy.actions import AdminAction
from app.web import make_app
from app.web.application import Application
from app.web.doors import AdministrationDoor
from tests.web.apps import FakeApps
from tests.web.browser import Browser
from tests.web.local_people import FakePeople, Wanted

NOW = datetime(2026, 11, 24, 10, 10, tzinfo=UTC)
BASE = "http://localhost:8000"
HTTPS = "https://pass.acme.example"
# The fake's secrets are recognisable, so that tests can look for them where they must not be.
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYFAKESECRET"
TOKEN = "IQoJb3JpZ2luX2VjEFAKETOKEN//////////wEaCWV1LXdlc3QtMSJHMEUCIQD" + "x7Yp+/" * 40 + "=="
EVIL = "https://evil.example"


def settings(**changes: object) -> Settings:
    made = Settings(
        name="Acme",
        base_url=BASE,
        database="sqlite://",
        keys="keys",
        aws=Endpoint("aws", ("eu-west-1",), "http://127.0.0.1:8090", "http://127.0.0.1:8090"),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def https_settings(**changes: object) -> Settings:
    return settings(base_url=HTTPS, aws=Endpoint("aws", ("eu-west-1",)), **changes)


def role(
    name: str = "ReadOnly", account: str = "111122223333", account_name: str = "production", **more: object
) -> Role:
    arn = RoleArn(f"arn:aws:iam::{account}:role/{name}")
    return Role(arn=arn, account=account, account_name=account_name, name=name, **more)  # type: ignore[arg-type]


ROLES = (
    role("Admin", description="Everything", level="admin", max_duration=timedelta(hours=1)),
    role("ReadOnly", description="Look, don't touch", level="read"),
    role("Developer", "444455556666", "sandbox", level="power", max_duration=timedelta(minutes=45)),
)
ARN = ROLES[1].arn
FORBIDDEN = RoleArn("arn:aws:iam::111122223333:role/Forbidden")


def session(**changes: object) -> Session:
    identity = Identity(
        source=SourceId("corp"),
        subject="u-1",
        username="ana",
        claims={},
        authentication=Authentication(at=NOW, methods=("pwd",)),
        name="Ana Lindqvist",
        email="ana@acme.test",
        groups=("engineering", "sre"),
    )
    made = Session(
        id="s-1",
        identity=identity,
        created_at=NOW,
        expires_at=NOW + timedelta(hours=12),
        idle_at=NOW + timedelta(hours=2),
        csrf=secrets.token_urlsafe(32),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def person(**changes: object) -> Session:
    made = session()
    return replace(made, identity=replace(made.identity, **changes))  # type: ignore[arg-type]


@dataclass
class FixedClock:
    at: datetime = NOW

    def now(self) -> datetime:
        return self.at


@dataclass
class FakeBroker(FakePeople, FakeApps):
    """Does what the broker promises to the web layer, in memory; `fail` makes a method raise."""

    entitlements: Sequence[Entitlement] = tuple(Entitlement(role) for role in ROLES)
    ways: Sequence[tuple[SourceId, str, str]] = (
        (SourceId("corp"), "Acme staff", "saml"),
        (SourceId("partner"), "Partners", "oidc"),
    )
    checks: Mapping[str, bool] = field(
        default_factory=lambda: {"database": True, "keys": True, "revision": True}
    )
    cookies: dict[str, Session] = field(default_factory=dict)
    pending: dict[str, tuple[str, SignInAsk]] = field(default_factory=dict)
    new_session: Callable[[], Session] = session
    console: str = "http://127.0.0.1:8090/federation"
    refusal: Explanation = field(
        default_factory=lambda: Explanation(
            FORBIDDEN,
            Decision(Effect.IMPLICIT_DENY, (), 7),
            "`office` (AtWork) would allow it, but needs MFA in the last 15 minutes; yours is 40 minutes old.",
            Nearest(
                StatementRef("office", 0, "AtWork"),
                "needs MFA in the last 15 minutes; yours is 40 minutes old",
            ),
            "Sign in again with a second factor.",
            within_reach=True,
        )
    )
    factor_after_directory: bool = False
    """People of directories are asked for a factor here."""
    outbound: str = "http://127.0.0.1:8001/sso?SAMLRequest=x"

    def sources(self) -> Sequence[tuple[SourceId, str, str]]:
        self._enter("sources")
        return self.ways

    def begin(self, source: str, ask: SignInAsk, *, caller: Caller) -> Outbound:
        self._enter("begin", caller, ask)
        self._source(source)
        self.pending[key := secrets.token_urlsafe(32)] = (source, ask)
        return Outbound(f"{self.outbound}&RelayState={key}")

    def sign_in(
        self, proof: Proof, *, caller: Caller, previous: str | None = None, device: str = ""
    ) -> SignedIn | Asked:
        self._enter("sign_in", caller, proof)
        self._source(proof.source)
        key = proof.fields.get("RelayState") or proof.fields.get("state") or ""
        source, ask = self.pending.get(key, ("", SignInAsk()))
        if source != proof.source or not proof.browser or ask.browser != proof.browser:
            raise SignInNotOurs("no such pending sign-in")
        del self.pending[key]
        self.cookies.pop(previous or "", None)
        self.devices_seen.append(device)
        made = self.new_session()
        if self.factor_after_directory:
            return self._want(Wanted("sign_in", proof.browser, ask.next, made.identity))
        later = self.now - made.created_at  # by the clock that the test runs on
        made = replace(
            made,
            created_at=self.now,
            expires_at=made.expires_at + later,
            idle_at=made.idle_at + later,
        )
        self.cookies[token := secrets.token_urlsafe(32)] = made
        return SignedIn(made, token, ask.next)

    def session(self, token: str, *, caller: Caller) -> Session:
        self._enter("session", caller)
        if token not in self.cookies:
            raise NotSignedIn
        return self.cookies[token]

    def sign_out(self, session: Session, *, caller: Caller) -> None:
        self._enter("sign_out", caller)
        self.cookies = {token: kept for token, kept in self.cookies.items() if kept is not session}

    def metadata(self, source: str) -> Metadata:
        self._enter("metadata", None, source)
        self._source(source)
        return Metadata("application/samlmetadata+xml", b"<EntityDescriptor/>")

    def roles(self, session: Session, *, caller: Caller) -> Sequence[Entitlement]:
        self._enter("roles", caller)
        return self.entitlements

    def explain(self, session: Session, role: str, *, caller: Caller) -> Explanation:
        self._enter("explain", caller, role)
        if role == FORBIDDEN:
            return self.refusal
        self._role(RoleAsk(role))
        statement = StatementRef("office", 0, "AtWork")
        decision = Decision(Effect.ALLOW, (statement,), 7)
        return Explanation(RoleArn(role), decision, "You may use it: `office` allows it.", None, "", False)

    def credentials(self, session: Session, ask: RoleAsk, *, caller: Caller) -> Credentials:
        self._enter("credentials", caller, ask)
        found = self._role(ask)
        return Credentials(
            access_key_id="ASIAIOSFODNN7EXAMPLE",
            secret_access_key=SECRET,
            session_token=TOKEN,
            expiration=self.now + (ask.duration or found.max_duration),
            account=found.account,
        )

    def console_link(
        self, session: Session, ask: RoleAsk, destination: str | None, *, caller: Caller
    ) -> ConsoleLink:
        self._enter("console_link", caller, (ask, destination))
        self._role(ask)
        if destination is not None and not destination.startswith("https://console.aws.amazon.com/"):
            raise DestinationForbidden
        url = f"{self.console}?Action=login&SigninToken=FAKESIGNIN"
        return ConsoleLink(url, self.now + timedelta(minutes=15))

    def refused(self, session: Session, refusal: Refusal, *, caller: Caller) -> None:
        self._enter("refused", caller, refusal.code)
        self.records.append(refusal.code)

    def ready(self) -> Mapping[str, bool]:
        self._enter("ready")
        return self.checks

    def _source(self, source: str) -> None:
        if source not in {way[0] for way in self.ways}:
            raise SourceUnknown

    def _role(self, ask: RoleAsk) -> Role:
        if ask.role == FORBIDDEN:
            refusal = RoleForbidden()
            refusal.recorded = True
            raise refusal
        for entitlement in self.entitlements:
            if entitlement.role.arn == ask.role:
                return entitlement.role
        raise RoleUnknown

    def times(self, method: str) -> int:
        """How often a method was asked."""
        return sum(1 for name, _ in self.asked if name == method)


class NothingToAdminister:
    """The second door for somebody who may do nothing there."""

    def rights(self, session: Session, *, caller: Caller) -> frozenset[AdminAction]:
        return frozenset()

    def refuse(self, *args: object, **more: object) -> NoReturn:
        raise Unknown

    revisions = difference = plan_roll_back = roll_back = search_audit = refuse
    people = explain = choices = draft = plan = apply = refuse
    users = groups = user_choices = new_user = rights_over = user = user_history = refuse
    create_user = change_user = restore_user = delete_user = password_link = refuse
    factors = recoveries = ask_recovery = decide_recovery = sessions_of = end_sessions = refuse
    root_state = root_uses = sign_off_root = refuse


@dataclass
class World:
    """The application over a fake broker, with a browser."""

    broker: FakeBroker = field(default_factory=FakeBroker)
    administration: AdministrationDoor = field(default_factory=NothingToAdminister)
    settings: Settings = field(default_factory=settings)
    clock: FixedClock = field(default_factory=FixedClock)

    def __post_init__(self) -> None:
        self.app: Application = make_app(self.broker, self.administration, lambda: self.settings, self.clock)
        self.browser: Browser = self.new_browser()

    def new_browser(self) -> Browser:
        return Browser(self.app, self.settings.base_url)

    def cookie(self) -> str:
        return "daypass" if self.settings.loopback else "__Host-daypass"

    def signed_in(self, **changes: object) -> Session:
        """Open a session and give its cookie to the browser."""
        made = replace(session(), **changes)  # type: ignore[arg-type]
        self.broker.cookies[token := secrets.token_urlsafe(32)] = made
        # Werkzeug's client goes to http://localhost, whatever Host says.
        self.browser.set_cookie(self.cookie(), token, domain="localhost", path="/")
        return made

    def form(self, made: Session, **fields: str) -> dict[str, str]:
        return {"csrf": made.csrf, **fields}


def code_of(page: str) -> str:
    """The stable code on an error page."""
    found = re.search(r"<dt>Code</dt><dd><code>([^<]+)</code>", page)
    return found[1] if found else ""
