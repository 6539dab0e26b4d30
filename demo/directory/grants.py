"""What an OAuth server of the directory remembers: codes and access tokens, in memory, for minutes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar

from demo.directory.people import Person

CODE_LIFE: Final = timedelta(minutes=1)
TOKEN_LIFE: Final = timedelta(minutes=10)
T = TypeVar("T")
MOST: Final = 10_000
"""Codes, and tokens, kept at a time; the oldest goes first."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A person who signed in, and how."""

    person: Person
    at: datetime
    two_factors: bool


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code; the methods are those that authlib asks for."""

    value: str = field(repr=False)
    granted: Granted
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str
    code_challenge_method: str
    expires_at: datetime
    client_id: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(self.granted.at.timestamp())

    def get_acr(self) -> str:
        kind = "mfa" if self.granted.two_factors else "sfa"
        return f"https://refeds.org/profile/{kind}"

    def get_amr(self) -> list[str]:
        """RFC 8176: a password, and with a second factor a key held in a phone."""
        return ["pwd", "swk", "mfa"] if self.granted.two_factors else ["pwd"]


@dataclass(frozen=True, slots=True)
class Token:
    """An access token for the userinfo address."""

    value: str = field(repr=False)
    granted: Granted
    scope: str
    client: object
    expires_at: datetime

    def get_scope(self) -> str:
        return self.scope

    def get_client(self) -> object:
        return self.client

    def get_user(self) -> Granted:
        return self.granted

    def is_expired(self) -> bool:
        """False: `Grants.token` gives none that is."""
        return False

    def is_revoked(self) -> bool:
        return False


class Grants:
    """Codes that work once and the tokens that they gave. Safe from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._codes: dict[str, Code] = {}
        self._tokens: dict[str, Token] = {}
        self._spent: dict[str, str | None] = {}
        """Used codes and the access token that each gave."""

    def keep_code(self, code: Code) -> None:
        """Remember a code until it is taken."""
        with self._lock:
            _put(self._codes, code.value, code)

    def take_code(self, value: str, now: datetime) -> Code | None:
        """The code, which is gone from now on; None if it is unknown, used or too old.

        A code that comes a second time takes its token with it (RFC 6749 section 4.1.2).
        """
        with self._lock:
            code = self._codes.pop(value, None)
            if code is None:
                self._tokens.pop(self._spent.get(value) or "", None)
                return None
            _put(self._spent, value, None)
            return code if now < code.expires_at else None

    def keep_token(self, token: Token, code: str) -> None:
        """Remember the access token that `code` gave."""
        with self._lock:
            _put(self._tokens, token.value, token)
            _put(self._spent, code, token.value)

    def token(self, value: str, now: datetime) -> Token | None:
        """The access token, or None if it is unknown, revoked or too old."""
        with self._lock:
            token = self._tokens.get(value)
        return token if token is not None and now < token.expires_at else None


def _put(table: dict[str, T], key: str, value: T) -> None:
    table[key] = value
    if len(table) > MOST:
        del table[next(iter(table))]
