"""Valid values, of which a test names only what matters to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app.audit import Record, render
from app.model import (
    AuditEvent,
    AuditKind,
    Authentication,
    Identity,
    Pending,
    PolicyText,
    Session,
    SourceId,
)
from app.people import Alert, Challenge, Factor, Link, LocalUser, Recovery, RootUse
from app.tokens import CodeGrant, DeviceGrant

NOW = datetime(2026, 11, 24, 9, 0, 0, 123456, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
CORP = SourceId("corp")
PARTNER = SourceId("partner")
BROWSER = "b" * 64
SECOND = timedelta(seconds=1)
ODD = "\x00\ud800\u202e \n'\";--"
"""What a stranger may send where a name is expected."""
BOTH = ("roles", "credentials")


def identity(**changes) -> Identity:
    subject = changes.pop("subject", "ana-7")
    values = {
        "source": CORP,
        "subject": subject,
        "username": "ana",
        "claims": {"uid": ("ana",), "memberOf": ("CN=Engineering,OU=Groups,DC=acme,DC=test", "sre")},
        "authentication": Authentication(
            at=NOW - MINUTE,
            methods=("pwd", "otp"),
            context="urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract",
            mfa_at=NOW - MINUTE,
        ),
        "name": "Ana Ålund",
        "email": "ana@acme.test",
        "groups": ("engineering", "sre"),
    }
    return Identity(**(values | changes))


def pending(key: str = "k" * 43, **changes) -> Pending:
    values = {
        "key": key,
        "source": CORP,
        "browser": BROWSER,
        "next": "/go/111122223333/Admin?destination=%2F",
        "revision": 3,
        "address": "203.0.113.7",
        "created_at": NOW,
        "expires_at": NOW + 10 * MINUTE,
        "secrets": {"nonce": "nonce-in-the-clear", "verifier": "verifier-in-the-clear"},
    }
    return Pending(**(values | changes))


def session(id: str = "s1", **changes) -> Session:
    values = {
        "id": id,
        "identity": identity(),
        "created_at": NOW,
        "expires_at": NOW + 12 * HOUR,
        "idle_at": NOW + 2 * HOUR,
        "csrf": "csrf-in-the-clear",
        "revision": 3,
    }
    return Session(**(values | changes))


def clients_session(id: str = "c1", **changes) -> Session:
    """Of a client that `session()` let in."""
    values = {
        "idle_at": NOW + 12 * HOUR,
        "client": "cli",
        "device": "Ana's laptop",
        "approved_by": "s1",
        "signed_in_at": NOW - HOUR,
        "last_used": NOW,
        "last_address": "203.0.113.7",
    }
    return session(id, **(values | changes))


def code_grant(**changes) -> CodeGrant:
    values = {
        "client": "cli",
        "redirect_uri": "http://127.0.0.1:49152/callback",
        "challenge": "challenge-in-the-clear-".ljust(43, "c"),
        "scope": BOTH,
        "resource": "https://daypass.test/v1",
        "device": "Ana's laptop",
        "approved_by": "s1",
        "expires_at": NOW + MINUTE,
    }
    return CodeGrant(**(values | changes))


def device_grant(**changes) -> DeviceGrant:
    values = {
        "user_code": "BCDF-GHJK",
        "client": "cli",
        "scope": BOTH,
        "resource": "https://daypass.test/v1",
        "device": "build-7",
        "address": "203.0.113.7",
        "user_agent": "daypass/1.0",
        "asked_at": NOW,
        "expires_at": NOW + 10 * MINUTE,
    }
    return DeviceGrant(**(values | changes))


def event(request_id: str = "req-1", **changes) -> AuditEvent:
    values = {
        "kind": AuditKind.CREDENTIALS_ISSUED,
        "at": NOW,
        "request_id": request_id,
        "address": "203.0.113.7",
        "source": "corp",
        "subject": "ana-7",
        "username": "ana",
        "session": "s1",
        "role": "arn:aws:iam::111122223333:role/Admin",
        "revision": 3,
        "detail": {"duration": 3600, "access_key_id": "ASIAEXAMPLE", "statements": ["accounts.yaml/1/Admin"]},
    }
    return AuditEvent(**(values | changes))


def record(request_id: str = "req-1", **changes) -> Record:
    return render(event(request_id, **changes))


def local_user(id: str = "5" * 16, **changes) -> LocalUser:
    values = {
        "username": "ana",
        "name": "Ana Ålund",
        "email": "ana@acme.test",
        "groups": ("engineering", "sre"),
        "policies": ("aws:ReadOnlyAccess", "office-hours"),
        "inline": (PolicyText("own", '{"Version": "2012-10-17"}', "user/ana/own"),),
        "boundary": "contractors",
    }
    return LocalUser(id, **(values | changes))


def factor(id: str = "f1", **changes) -> Factor:
    values = {
        "source": CORP,
        "subject": "ana-7",
        "kind": "totp",
        "name": "Ana's phone",
        "enrolled_at": NOW,
        "space": "e" * 64,
        "first": True,
        "facts": {"secret": "SECRETINTHECLEAR"},
    }
    return Factor(id, **(values | changes))


def security_key(id: str = "k1", credential: str = "credential-1", **changes) -> Factor:
    facts = {"credential": credential, "public_key": "cose", "user_handle": "handle", "backed_up": "false"}
    values = {"kind": "webauthn", "name": "Ana's key", "facts": facts, "counter": 0}
    return factor(id, **(values | changes))


def challenge(handle: str = "handle", **changes) -> Challenge:
    values = {
        "purpose": "sign_in",
        "browser": BROWSER,
        "created_at": NOW,
        "expires_at": NOW + 10 * MINUTE,
        "source": CORP,
        "subject": "ana-7",
        "next": "/roles",
        "facts": {"asked": "challenge-in-the-clear"},
    }
    return Challenge(handle, **(values | changes))


def one_time_link(**changes) -> Link:
    values = {"purpose": "password", "user": "5" * 16, "expires_at": NOW + HOUR, "by": "operator ops"}
    return Link(**(values | changes))


def recovery(id: str = "r1", **changes) -> Recovery:
    values = {
        "source": CORP,
        "subject": "ana-7",
        "username": "ana",
        "reason": "lost her phone",
        "asked_by": "corp/ben-3",
        "asked_at": NOW,
        "expires_at": NOW + 24 * HOUR,
    }
    return Recovery(id, **(values | changes))


def root_use(id: str = "u1", **changes) -> RootUse:
    values = {
        "at": NOW,
        "reason": "the directory is down",
        "address": "203.0.113.7",
        "session": "s9",
        "ends_at": NOW + 15 * MINUTE,
    }
    return RootUse(id, **(values | changes))


def alert(id: str = "a1", **changes) -> Alert:
    values = {
        "kind": "root.used",
        "at": NOW,
        "title": "Root was used",
        "text": "Somebody signed in as root.",
        "facts": {"reason": "the directory is down"},
    }
    return Alert(id, **(values | changes))
