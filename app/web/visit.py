"""One request as a handler sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.errors import NotSignedIn
from app.model import Caller, Session, Settings
from app.web.doors import AdministrationDoor, BrokerDoor
from app.web.wire import Request


@dataclass(frozen=True, slots=True)
class Visit:
    """Everything a handler may use, so that it needs nothing global."""

    broker: BrokerDoor
    administration: AdministrationDoor
    settings: Settings
    request: Request
    caller: Caller
    now: datetime
    session: Session | None = None
    by_token: bool = False
    """The session is an access token's; no cookie counted."""
    ended: bool = False
    """A session cookie came along that is good no more."""

    @property
    def person(self) -> Session:
        """The session, where the guard has seen to it that there is one. Raises NotSignedIn."""
        if self.session is None:
            raise NotSignedIn
        return self.session
