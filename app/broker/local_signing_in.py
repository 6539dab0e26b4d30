"""Signing in without a directory: name and password, or a passkey alone.

Whether there is a user of that name, and whether it has a password, a factor, or may sign in at all, is told by nothing:
the words are the same, and so are the steps until the answer, the hash among them. What comes after a right password
alone may differ.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Final

from app.active import Running
from app.broker.finishing import CHALLENGE_LIFE, Believed, hash_of
from app.broker.guessing import password_budgets
from app.broker.proofs import proven
from app.broker.proving import Proving, asked_of, keeping, party_of
from app.errors import Busy, ChallengeOver, CodeWrong, CredentialsWrong, SignInNotAllowed, SourceUnknown
from app.everybody import local_identity
from app.limits import GUESS_WINDOW, REFUSALS_PER_MINUTE, SIGN_IN_REFUSALS, STARTS_PER_MINUTE
from app.mfa import webauthn
from app.model import AuditKind, Authentication, Caller, Identity, SignedIn, SignInAsk, SourceId
from app.people import (
    LOCAL,
    Account,
    Asked,
    Challenge,
    Factor,
    FactorAnswer,
    FactorKind,
    LocalUser,
    UserState,
)
from app.signin.passwords import LONGEST, MOST_BYTES

_NOBODY: Final = "0" * 16
"""Stands for the user that there is not: an id that no user has."""
_STRANGER: Final = LocalUser(id=_NOBODY, username="nobody", groups=("nobody",))
_PASSKEY: Final[FactorKind] = "webauthn"


class LocalSigningIn(Proving):
    """The conversation of somebody whom no directory knows, before anything is asked for."""

    def local_label(self) -> str:
        """What the sign-in by local users is called; empty: it is off."""
        return self._active.current().revision.settings.local

    def password_sign_in(
        self,
        username: str,
        password: str,
        ask: SignInAsk,
        *,
        caller: Caller,
        device: str = "",
        previous: str | None = None,
    ) -> SignedIn | Asked:
        """Name and password → a session, or the factor that is wanted next.

        Raises:
            CredentialsWrong, TooManyGuesses, Busy, SignInNotAllowed, SourceUnknown (it is off), TooMany,
            AuditUnavailable, StoreUnavailable, Unavailable.
        """
        now = self._clock.now()
        self._on(self._active.current())
        name = plain_name(username)
        user = self._store.users.by_username(name)
        id = user.id if user is not None else _NOBODY

        def refused() -> None:
            # The same steps for a name that nobody has, up to the record.
            shown = local_identity(user if user is not None else _STRANGER, Authentication(now))
            self._note_refusal(shown, caller, now, real=user is not None)

        account = self._check_password(
            (LOCAL, id),
            f"local/{name}",
            password,
            active=user is not None and user.state is UserState.ACTIVE,
            caller=caller,
            device=device,
            now=now,
            refused=refused,
        )
        if user is None:  # pragma: no cover - nobody has no account
            raise CredentialsWrong
        who = local_identity(user, Authentication(at=now, methods=("pwd",)))
        believed = Believed(who, account.epoch, ask.next, now)
        return self._go_on(
            believed, hash_of(ask.browser), caller=caller, device=device, previous=previous, now=now
        )

    def begin_passkey(self, ask: SignInAsk, *, caller: Caller) -> tuple[Asked, str]:
        """A sign-in by passkey alone: the challenge, and options for `navigator.credentials.get` as JSON.

        Raises:
            SourceUnknown (it is off), TooMany, StoreUnavailable.
        """
        now = self._clock.now()
        running = self._active.current()
        self._on(running)
        self._tally.admit(caller.address, "sign-in starts", STARTS_PER_MINUTE, now)
        begun = self._kinds[_PASSKEY].ask(party_of(running.revision.settings), ())
        asked = self._ask(
            Challenge(
                handle=secrets.token_urlsafe(32),
                purpose="passkey",
                browser=hash_of(ask.browser),
                created_at=now,
                expires_at=now + CHALLENGE_LIFE,
                next=ask.next,
                facts={
                    **keeping(_PASSKEY, begun.facts),
                    **keeping(_PASSKEY, {"options": begun.webauthn_options}),
                },
            )
        )
        return asked, begun.webauthn_options

    # --- passwords ----------------------------------------------------------------------------------

    def _check_password(
        self,
        whose: tuple[SourceId, str],
        name: str,
        password: str,
        *,
        active: bool,
        caller: Caller,
        device: str,
        now: datetime,
        refused: Callable[[], None],
    ) -> Account:
        """The account whose password it is. There may be none, or one that may not sign in: the same steps, and no.

        `name` is what guesses are counted for, `refused` what else is done with a wrong one.

        Raises:
            CredentialsWrong, TooManyGuesses, Busy, TooMany, StoreUnavailable.
        """
        known = self._known(*whose, device)
        if not known:
            self._tally.check(caller.address, SIGN_IN_REFUSALS, REFUSALS_PER_MINUTE, now)
        if len(password) > LONGEST or len(password.encode("utf-8", "surrogatepass")) > MOST_BYTES:
            raise self._wrong(caller, now, refused)  # no password is like that, so nothing was guessed
        budgets = password_budgets(name, caller.address, device, known=known)
        self._reserve(budgets, now)
        account = self._store.users.account(whose[1])
        kept = account.password if account is not None else ""
        try:
            right = self._hashing.verify(kept, password, reserved=known)
        except Busy:
            self._store.guesses.give_back(budgets, now)  # nothing was looked at
            if not known:
                # Else whoever keeps the line full would have two writes in the store for each try, without end.
                self._tally.refused(caller.address, Busy.code, now)
            raise
        if not (right and active) or account is None or not kept:
            raise self._wrong(caller, now, refused)
        self._store.guesses.give_back(budgets, now)
        self._rehash(account, password, now)
        return account

    def _rehash(self, account: Account, password: str, now: datetime) -> None:
        """Keep the hash by today's parameters; the password is the same, and so is everything that rests on it."""
        if not self._hashing.needs_rehash(account.password):
            return
        try:
            made = self._hashing.hash(password)
        except Busy:
            return  # at the next sign-in, then
        self._store.users.set_account(
            Account(account.id, made, account.password_at, account.epoch, account.must_change), now
        )

    def _wrong(self, caller: Caller, now: datetime, refused: Callable[[], None]) -> CredentialsWrong:
        """The one answer to everything that does not fit."""
        self._tally.refused(caller.address, CredentialsWrong.code, now)
        refused()
        return CredentialsWrong()

    def _note_refusal(self, who: Identity, caller: Caller, now: datetime, *, real: bool = True) -> None:
        """Put a wrong password on record, later and once an account and window: nothing is to be seen in the time of
        the answer, and no attack fills the trail. How many there were is counted by address (`refusals`)."""
        window = int(now.timestamp() // GUESS_WINDOW.total_seconds())
        mark = json.dumps([who.source, who.subject, window])

        def work() -> None:
            if real and self._store.once.mark("refused password", mark, now + 2 * GUESS_WINDOW):
                self._record_refusal(who, CredentialsWrong.code, caller, now)

        self._afterwards.put(f"refusal {mark}", work)

    def _record_refusal(self, who: Identity, code: str, caller: Caller, now: datetime) -> None:
        detail = {"code": code, "user_agent": caller.user_agent[:200]}
        self._record_of(who, AuditKind.SIGNIN_REFUSED, caller, now, detail)

    # --- passkeys -----------------------------------------------------------------------------------

    def _by_passkey(
        self,
        challenge: Challenge,
        answer: FactorAnswer,
        *,
        caller: Caller,
        device: str,
        previous: str | None,
        now: datetime,
    ) -> SignedIn | Asked:
        """A passkey that is the whole sign-in: device and user verification, two factors in one.

        Raises:
            CodeWrong, ChallengeOver, SignInNotAllowed, TooMany, AuditUnavailable, StoreUnavailable.
        """
        running = self._active.current()
        self._on(running)
        found = self._passkey_of(answer)
        if found is None or not self._known(LOCAL, found.subject, device):
            self._tally.check(caller.address, SIGN_IN_REFUSALS, REFUSALS_PER_MINUTE, now)
        try:
            if found is None:
                raise CodeWrong("no passkey of a local user")
            devices = self._devices(LOCAL, found.subject, running)
            authority = self._store.users.authority(found.subject)
            mine = [each for each in devices if each.id == found.id]
            if authority is None or authority[0].state is not UserState.ACTIVE:
                raise CodeWrong("the user may not sign in")
            try:
                passed, counter = self._kinds[_PASSKEY].verify(
                    party_of(running.revision.settings), mine, asked_of(challenge, _PASSKEY), answer, now
                )
            except CodeWrong as refusal:
                if refusal.detail == webauthn.COUNTER:
                    who = local_identity(authority[0], Authentication(now))
                    self._copied(challenge, who, mine, answer, caller, now)
                raise
            if not passed.user_verified:
                raise CodeWrong("the user was not verified")
        except CodeWrong:
            self._store.challenges.miss(challenge.handle, now)
            raise
        user, epoch = authority
        self._raise_counter(found, counter, now)
        if self._store.challenges.take(challenge.handle, challenge.browser, now) is None:
            raise ChallengeOver("finished meanwhile")
        how = proven(Authentication(at=now), passed, devices, now)
        who = local_identity(user, how)
        self._proven(who, passed, caller, now, {"purpose": "passkey"})
        person = self._whoever(who, running)
        # Nothing else is asked for where that is not enough: it was all there is.
        if self._needed(running, person, caller, now, devices).what != "session":
            raise SignInNotAllowed("a passkey alone is not enough for this person")
        believed = Believed(who, epoch, challenge.next, challenge.created_at)
        return self._open(person, believed, caller=caller, device=device, previous=previous, now=now)

    def _passkey_of(self, answer: FactorAnswer) -> Factor | None:
        """The local user's device that an answer names. Nothing of it is believed yet."""
        try:
            if answer.kind != _PASSKEY:
                return None
            found = self._store.factors.by_credential(webauthn.presented(answer))
        except CodeWrong:
            return None
        return found if found is not None and found.source == LOCAL else None

    def _on(self, running: Running) -> None:
        if not running.revision.settings.local:
            raise SourceUnknown("local users are off")


def plain_name(username: str) -> str:
    """A name as people type it, as it is kept: names are lower case and have no space around them."""
    return username.strip().lower()[:256]
