"""Break-glass: the root user's way in. Password and a written reason, then a device; a quarter of an hour.

Nothing here asks a directory, and no policy is asked either. It is on record, and on the operators' page, before the
session exists; that a channel cannot be reached stops nothing.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Final

from app.broker import telling
from app.broker.finishing import Believed, hash_of
from app.broker.local_signing_in import LocalSigningIn
from app.broker.own_people import reason_of, root_identity
from app.errors import AskRefused, CredentialsWrong, RootOnlyEmergency, Unavailable
from app.limits import GUESS_WINDOW
from app.model import AuditKind, Authentication, Caller, Identity, Session, SignedIn, SignInAsk
from app.people import ROOT, ROOT_FACTORS, ROOT_SUBJECT, Asked, Budget, RootUse

REASON_SHORTEST: Final = 8
REASON_LONGEST: Final = 500
_NAME: Final = "/root"
"""In place of a local user's name, whose alphabet has no slash."""
_REFUSALS_ON_RECORD: Final = 50
"""Wrong passwords of root that are put on record in a window: more than are looked at from strangers and known browsers."""
_NOT_SET_UP: Final = (
    "Root is not set up: it needs a password and two devices. On the host, run `python -m app root setup`."
)


class Rooting(LocalSigningIn):
    """The conversation of whoever uses root."""

    def root_sign_in(
        self, password: str, reason: str, ask: SignInAsk, *, caller: Caller, device: str = ""
    ) -> Asked:
        """Break-glass: password and a written reason, then a factor by `answer`.

        Raises:
            CredentialsWrong, TooManyGuesses, Busy, AskRefused (the reason), RootOnlyEmergency (fewer than two devices),
            TooMany, StoreUnavailable.
        """
        now = self._clock.now()
        why = check_reason(reason)
        who = root_identity(why, Authentication(at=now, methods=("pwd",)))

        def refused() -> None:
            self._note_root_refusal(who, caller, now)

        account = self._check_password(
            (ROOT, ROOT_SUBJECT),
            _NAME,
            password,
            active=True,
            caller=caller,
            device=device,
            now=now,
            refused=refused,
        )
        running = self._active.current()
        if len(self._devices(ROOT, ROOT_SUBJECT, running)) < ROOT_FACTORS:
            self._record_refusal(who, RootOnlyEmergency.code, caller, now)
            raise RootOnlyEmergency("root has fewer than two devices", words=_NOT_SET_UP)
        believed = Believed(who, account.epoch, ask.next, now)
        asked = self._go_on(
            believed, hash_of(ask.browser), caller=caller, device=device, previous=None, now=now
        )
        if isinstance(asked, SignedIn):  # pragma: no cover - `need` asks root for a factor always
            raise Unavailable("root was let in without a factor")
        return asked

    def _note_root_refusal(self, who: Identity, caller: Caller, now: datetime) -> None:
        """Put every wrong password of root on record, as far as guesses are looked at; a flood of what cannot be one
        fills nothing."""
        budget = Budget("root/record", _NAME, _REFUSALS_ON_RECORD, GUESS_WINDOW)

        def work() -> None:
            if self._store.guesses.reserve([budget], now) is None:
                self._record_refusal(who, CredentialsWrong.code, caller, now)

        self._afterwards.put(f"refusal {caller.request_id}", work)

    def _announce(self, session: Session, caller: Caller, now: datetime) -> None:
        """Root's use is on record, and open on the operators' page, before the session exists."""
        if session.identity.source != ROOT:
            return
        reason = reason_of(session)
        use = RootUse(
            id=secrets.token_hex(8),
            at=now,
            reason=reason,
            address=caller.address,
            session=session.id,
            ends_at=session.expires_at,
        )
        detail = {"use": use.id, "reason": reason, "ends_at": use.ends_at.isoformat()}
        self._record(AuditKind.ROOT_USED, session, caller, now, detail)
        self._store.root_uses.add(use)
        settings = self._active.current().revision.settings
        told = telling.root_used(settings.name, settings.base_url, reason, caller.address, now, use.ends_at)
        self._tell(telling.to_operators(told))


def check_reason(text: str) -> str:
    """A written reason, as it goes on record. Raises AskRefused."""
    reason = " ".join(text.split())
    if not REASON_SHORTEST <= len(reason) <= REASON_LONGEST or not reason.isprintable():
        words = f"Write why root is needed, in {REASON_SHORTEST} to {REASON_LONGEST} characters: who reviews it reads it."
        raise AskRefused("the reason", words=words)
    return reason
