"""People whom the broker itself vouches for, as a source would say them: local users, and root. Pure."""

from __future__ import annotations

from app.model import Authentication, Identity, Session
from app.people import LOCAL, ROOT, ROOT_SUBJECT


def own_people(source: str) -> bool:
    """Whether the broker alone vouches for people of this source."""
    return source in (LOCAL, ROOT)


def root_identity(reason: str, how: Authentication) -> Identity:
    """Root, with the reason for this use among its claims."""
    return Identity(ROOT, ROOT_SUBJECT, "root", {"reason": (reason,)}, how, name="Root")


def reason_of(session: Session) -> str:
    """Why root is used in this session."""
    return " ".join(session.identity.claims.get("reason", ()))
