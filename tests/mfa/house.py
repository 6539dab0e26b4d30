"""Whose devices they are, and where they are enrolled."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from app.mfa.seam import Person, RelyingParty
from app.model import SourceId
from app.people import LOCAL, Factor

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
PARTY = RelyingParty(id="pass.acme.example", origin="https://pass.acme.example", name="Acme")


def person(username: str = "ana", source: SourceId = LOCAL) -> Person:
    """Somebody with a handle of their own."""
    handle = hashlib.sha256(f"{source}/{username}".encode()).digest()
    return Person(source=source, subject=f"id-{username}", username=username, name="Ana Lee", handle=handle)


def factor(kind, made, of=None, *, id="f" * 16, counter=None):
    """What was made, as a device of theirs."""
    of = of or person()
    return Factor(
        id=id,
        source=of.source,
        subject=of.subject,
        kind=kind,
        name="mine",
        enrolled_at=NOW,
        space="s",
        facts=dict(made.facts),
        counter=made.counter if counter is None else counter,
    )
