"""What the broker is given from outside and knows by its shape alone."""

from __future__ import annotations

import logging
from typing import Protocol

from app.people import Alert

log = logging.getLogger("daypass.broker")


class Hashes(Protocol):
    """Passwords hashed and compared, so many at once and no more; `app.signin.passwords.Hashing`."""

    def hash(self, password: str) -> str:
        """Encoded, for keeping. Raises Busy."""
        ...

    def verify(self, encoded: str, password: str, *, reserved: bool) -> bool:
        """Whether it is the password; `encoded` empty: no, after the same time. Raises Busy."""
        ...

    def needs_rehash(self, encoded: str) -> bool:
        """It was made with other parameters than are used now."""
        ...


class Notices(Protocol):
    """Telling operators and people. Never raises, never waits for a channel."""

    def tell(self, alert: Alert) -> None: ...


class Unheard:
    """Where there are no channels: the log has that there was something to tell, and audit what."""

    def tell(self, alert: Alert) -> None:
        log.warning("no channels for an alert", extra={"alert": alert.kind})
