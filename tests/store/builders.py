"""Valid values, of which a test names only what matters to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app.audit import Record, render
from app.model import AuditEvent, AuditKind, Authentication, Identity, Pending, Session, SourceId
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
