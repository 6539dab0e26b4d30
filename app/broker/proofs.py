"""What a proven factor makes of an authentication, and what one would make of it. Pure.

A person's first factor settles nothing for roles of level admin in the session in which it was enrolled: whoever has
stolen that session could have enrolled it. `Authentication.enrolled_at` carries that, and whatever was enrolled, or
made, on the strength of such a factor counts no more than it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from app.model import Authentication, Session
from app.people import RECENT, Factor, FactorKind, Passed

ENROLABLE: Final[tuple[FactorKind, ...]] = ("webauthn", "totp")
"""Kinds that a person may add, best first; as `app.mfa.registry` has them."""


def proven(how: Authentication, passed: Passed, devices: Sequence[Factor], now: datetime) -> Authentication:
    """The authentication, with one more factor that was proven at `now`. `devices` are all that the person has."""
    if passed.factor is None:  # a recovery code, as good as the devices with which the codes were made
        enrolled_at = max((each.enrolled_at for each in devices if each.first), default=None)
    else:
        enrolled_at = passed.factor.enrolled_at if passed.factor.first else None
    return replace(
        how,
        methods=tuple(dict.fromkeys((*how.methods, *passed.methods))),
        mfa_at=now,
        # Of the last proof alone, as `mfa_at` is: else an old key and a fresh code, which can be phished, would pass
        # together for a fresh proof that cannot be.
        phishing_resistant=passed.phishing_resistant,
        enrolled_at=enrolled_at,
    )


def enrolled(factor: Factor) -> Passed:
    """The proof that enrolling it was. A key was not seen to verify its user by that: it is asked again where it must."""
    if factor.kind == "webauthn":
        where = "swk" if factor.facts.get("synced") == "true" else "hwk"
        return Passed(factor.kind, factor, (where, "mfa"), phishing_resistant=False)
    return Passed(factor.kind, factor, ("otp", "mfa"), phishing_resistant=False)


def would_prove(
    how: Authentication, kind: FactorKind, devices: Sequence[Factor], now: datetime
) -> list[Authentication]:
    """What proving a device of that kind now would make of it: one answer for each that tells it apart.

    Without a device of the kind: as if the person had one, enrolled long ago.
    """
    mine: list[Factor | None] = [each for each in devices if each.kind == kind] or [None]
    found: dict[Authentication, None] = {}
    for device in mine:
        if kind == "webauthn":
            synced = device is not None and device.facts.get("synced") == "true"
            methods: tuple[str, ...] = ("swk" if synced else "hwk", "user", "mfa")
        else:
            methods = ("otp", "mfa")
        passed = Passed(kind, device, methods, phishing_resistant=kind == "webauthn")
        made = proven(how, passed, devices, now)
        found[made if device is not None else replace(made, enrolled_at=None)] = None
    return list(found)


def recent(session: Session, devices: Iterable[Factor], now: datetime) -> bool:
    """Whether this session may change the person's own factors: a stolen cookie alone must not do.

    Whoever has a device has proven a factor within ten minutes; whoever has none has signed in within them.
    """
    at = session.identity.authentication.mfa_at if any(True for _ in devices) else session.began
    # abs: a clock that was moved back must not keep an old proof recent until it has caught up.
    return at is not None and abs(now - at) <= RECENT
