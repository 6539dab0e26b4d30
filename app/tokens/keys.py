"""The keys that sign access tokens, in memory: read from the store, looked at again now and then.

Every worker finds the same keys in the store. A worker that meets a token under a key it does not know looks
again, but not for every such token: they cost a stranger nothing.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, cast

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from app.clock import Clock
from app.errors import KeysUnusable, StoreUnavailable
from app.tokens import rotation
from app.tokens.seam import KeptKey, TokenKeys

ALGORITHM: Final = "ES256"
FRESH: Final = timedelta(minutes=5)
"""How old what is in memory may be; far less than a key is published before it signs."""
AGAIN: Final = timedelta(seconds=5)
"""Between two looks that an unknown key id asks for, or a database that is down."""

_LOG: Final = logging.getLogger("daypass.tokens")


@dataclass(frozen=True, slots=True)
class _Known:
    """What the last look found."""

    kept: tuple[KeptKey, ...]
    ready: Mapping[str, ECKey] = field(repr=False)


class SigningKeys:
    """Safe to use from many threads."""

    def __init__(self, kept: TokenKeys, clock: Clock) -> None:
        self._kept = kept
        self._clock = clock
        self._lock = threading.Lock()
        self._known = _Known((), {})
        self._read: datetime | None = None
        self._tried: datetime | None = None

    def current(self) -> tuple[str, ECKey]:
        """The key that signs now, with its id. Makes the first one. Raises StoreUnavailable, KeysUnusable."""
        now = self._clock.now()
        known = self._fresh(now)
        signs = rotation.signing(known.kept, now)
        if signs is None:
            self.rotate(now)
            known = self._known
            signs = rotation.signing(known.kept, now)
        if signs is None:  # pragma: no cover - rotate makes a key where there is none
            raise KeysUnusable("there is no key to sign access tokens with")
        return signs.kid, known.ready[signs.kid]

    def find(self, kid: str) -> ECKey | None:
        """The key of that id; an unknown one makes us look again, at most every few seconds.

        Raises StoreUnavailable only if no key was ever read.
        """
        found = self._fresh(self._clock.now()).ready.get(kid)
        return found if found is not None else self._again().ready.get(kid)

    def published(self) -> Mapping[str, object]:
        """The public keys as a JWK Set (RFC 7517, 5), those among them that will sign later."""
        self.current()  # a set without a key would be kept by whoever fetched it
        known = self._known
        return {"keys": [_public(key.kid, known.ready[key.kid]) for key in known.kept]}

    def rotate(self, now: datetime) -> None:
        """Make and forget keys as the time has come. A background job; raises StoreUnavailable."""
        with self._lock:
            self._take(self._kept.change(lambda keys: rotation.plan(keys, now, _make)), now)

    def _fresh(self, now: datetime) -> _Known:
        """What is known, not older than it may be."""
        if _recent(self._read, now, FRESH):
            return self._known
        with self._lock:
            if not _recent(self._read, now, FRESH) and (
                self._read is None or not _recent(self._tried, now, AGAIN)
            ):
                self._look(now)
            return self._known

    def _again(self) -> _Known:
        now = self._clock.now()
        with self._lock:
            if not _recent(self._tried, now, AGAIN):
                self._look(now)
            return self._known

    def _look(self, now: datetime) -> None:
        self._tried = now
        try:
            self._take(self._kept.all(), now)
        except StoreUnavailable as refusal:
            if self._read is None:
                raise
            # Tokens are checked against sessions, so without a database nothing is let in by this.
            _LOG.warning("signing keys not read again", extra={"why": refusal.detail})

    def _take(self, keys: Sequence[KeptKey], now: datetime) -> None:
        before = self._known.ready
        usable: list[KeptKey] = []
        ready: dict[str, ECKey] = {}
        for key in keys:
            made = before.get(key.kid) or _private(key)
            if made is not None:
                ready[key.kid] = made
                usable.append(key)
        self._known = _Known(tuple(usable), ready)
        self._read = self._tried = now


def _recent(when: datetime | None, now: datetime, span: timedelta) -> bool:
    # abs: a clock that was moved back must not keep what is here until it has caught up.
    return when is not None and abs(now - when) < span


def _make(made_at: datetime, signs_from: datetime) -> KeptKey:
    key = ECKey.generate_key("P-256")
    private = json.dumps(key.as_dict(private=True), sort_keys=True)
    return KeptKey(key.thumbprint(), made_at, signs_from, private)


def _private(kept: KeptKey) -> ECKey | None:
    """The key, ready to use; None (and a line in the log) for one that is not what it should be."""
    try:
        key = ECKey.import_key(cast(dict[str, str | list[str]], json.loads(kept.private)))
        if key.is_private and key.curve_name == "P-256" and key.thumbprint() == kept.kid:
            return key
    except (JoseError, ValueError, TypeError, KeyError):  # the text of the error could quote the key
        pass
    _LOG.warning("a signing key cannot be used", extra={"kid": kept.kid})
    return None


def _public(kid: str, key: ECKey) -> Mapping[str, object]:
    return {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": ALGORITHM}
