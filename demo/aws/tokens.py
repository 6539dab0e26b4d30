"""Sealed tokens: session tokens, sign-in tokens, console cookies.

A token carries what the double must know again, encrypted and authenticated, so that it keeps no table
that grows, and a restart (with the same state) forgets nobody.
"""

from __future__ import annotations

import json
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken


@dataclass(frozen=True, slots=True)
class RoleSession:
    """What a session token of an assumed role stands for."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    role: str
    """ARN of the role."""
    name: str
    expires: int
    """Epoch seconds."""
    chained: bool
    source_identity: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    """Keys of `tags` that the next session inherits."""
    policy: str | None = None
    """Inline session policy."""
    policy_arns: tuple[str, ...] = ()

    @property
    def arn(self) -> str:
        """`arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/NAME`."""
        _, partition, _, _, account, resource = self.role.split(":", 5)
        return f"arn:{partition}:sts::{account}:assumed-role/{resource.rsplit('/', 1)[1]}/{self.name}"

    @property
    def account(self) -> str:
        """Twelve digits."""
        return self.role.split(":")[4]

    @property
    def expiration(self) -> datetime:
        """In UTC."""
        return datetime.fromtimestamp(self.expires, UTC)


class Seal:
    """Seals and opens tokens under one key."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)

    def seal(self, kind: str, claims: Mapping[str, Any]) -> str:
        """A token of this kind; claims are JSON values."""
        text = json.dumps([kind, claims], separators=(",", ":"))
        return self._fernet.encrypt(zlib.compress(text.encode(), 1)).decode("ascii")

    def open(self, kind: str, token: str) -> dict[str, Any] | None:
        """The claims, or None if the token is not one of ours, was altered, or is of another kind."""
        try:
            found, claims = json.loads(zlib.decompress(self._fernet.decrypt(token.encode("ascii"))))
        except (InvalidToken, UnicodeEncodeError):
            return None
        return dict(claims) if found == kind else None

    def session_token(self, session: RoleSession) -> str:
        """The session token for these temporary credentials."""
        return self.seal("session", asdict(session))

    def session(self, token: str) -> RoleSession | None:
        """The session that a token stands for; expired ones too, the caller looks at the clock."""
        claims = self.open("session", token)
        if claims is None:
            return None
        claims["transitive"] = tuple(claims["transitive"])
        claims["policy_arns"] = tuple(claims["policy_arns"])
        return RoleSession(**claims)


def access_key_id() -> str:
    """A fresh temporary access key ID, `ASIA` and 16 of `[A-Z2-7]`."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    return "ASIA" + "".join(secrets.choice(alphabet) for _ in range(16))
