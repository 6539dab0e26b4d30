"""Which kind of second factor is made by which class: one visible table, best first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.mfa.seam import Kind
from app.mfa.totp import Totp
from app.mfa.webauthn import WebAuthn
from app.people import FactorKind

KINDS: Final[Mapping[FactorKind, Kind]] = {
    "webauthn": WebAuthn(),
    "totp": Totp(),
}
"""In the order in which a person is offered them. Recovery codes are no device: `app.mfa.recovery`."""
