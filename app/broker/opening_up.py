"""What a step-up can do for a role that is shut, with the factors that a person has or could add. Pure.

That it would open is decided by `app.policy.step_up`; what a proof makes of an authentication is `proofs`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote

from app.broker.proofs import ENROLABLE, would_prove
from app.model import GUEST, Authentication, Session
from app.people import Factor, FactorKind


@dataclass(frozen=True, slots=True)
class Opens:
    """What would open a role that is shut."""

    kinds: tuple[FactorKind, ...] = ()
    """Kinds that do when proven now, best first: of the person's devices, or to be enrolled by whoever has none."""
    later: bool = False
    """None does; but one that was enrolled in this session will, for this role of level admin, from the next on."""


def may_add(session: Session) -> bool:
    """Whether the person can have factors here at all."""
    return session.identity.source != GUEST


def proofs(
    how: Authentication, devices: Sequence[Factor], now: datetime
) -> dict[FactorKind, list[Authentication]]:
    """What the person could prove now: of each kind that they have, or of every kind if they have no device."""
    have = {each.kind for each in devices}
    return {kind: would_prove(how, kind, devices, now) for kind in ENROLABLE if kind in have or not have}


def settled(made: Mapping[FactorKind, Sequence[Authentication]]) -> dict[FactorKind, list[Authentication]]:
    """The same proofs, as they will count in the person's next session."""
    return {kind: [replace(each, enrolled_at=None) for each in each_kind] for kind, each_kind in made.items()}


def step_up_members(
    session: Session, role: str, base_url: str, kinds: Sequence[FactorKind]
) -> dict[str, object]:
    """What a program is told of a step-up (RFC 9457, 3.2)."""
    url = f"{base_url}/step-up?role={quote(role, safe='')}"
    if session.client is not None:
        url += f"&session={session.id}"
    return {"step_up": {"url": url, "kinds": list(kinds)}}
