"""Refusals of signed-in people, on record in one place only."""

from __future__ import annotations

from app.errors import AccessRefused, AskRefused, Refusal, Unknown
from app.web.visit import Visit


def note(visit: Visit, refusal: Refusal) -> None:
    """Put on record what a signed-in person was refused here, unless the broker has. Raises Unavailable."""
    if visit.session is None or refusal.recorded:
        return
    if isinstance(refusal, AccessRefused | AskRefused | Unknown):
        visit.broker.refused(visit.session, refusal, caller=visit.caller)
        refusal.recorded = True
