"""What people call the kinds of second factors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.people import FactorKind

NAMES: Final[Mapping[FactorKind, str]] = {
    "webauthn": "Security key or passkey",
    "totp": "Authenticator app",
    "recovery": "Recovery code",
}
_WORDS: Final[Mapping[FactorKind, str]] = {
    "webauthn": "A key that you plug in or hold to this device, or this device’s own fingerprint, face or PIN. "
    "Nobody can trick you out of it with a false page.",
    "totp": "An app on your phone that shows a new code every 30 seconds.",
}
_USUAL: Final[Mapping[FactorKind, str]] = {"webauthn": "Security key", "totp": "Authenticator app"}


@dataclass(frozen=True, slots=True)
class KindView:
    """A kind to choose."""

    kind: FactorKind
    name: str
    words: str


def view(kind: FactorKind) -> KindView:
    """A kind as pages offer it."""
    return KindView(kind, NAMES.get(kind, kind), _WORDS.get(kind, ""))


def known(text: str) -> FactorKind | None:
    """The kind of that name."""
    return next((kind for kind in NAMES if kind == text), None)


def usual_name(kind: FactorKind) -> str:
    """What a device is called if nobody says."""
    return _USUAL.get(kind, "Device")
