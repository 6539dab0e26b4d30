"""One-time links: a password set by whoever was sent one, and root's set-up from the host.

Asking for one tells nothing: the answer comes before anything is looked up, and what there is to send is sent by the
upkeep of this worker.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta
from typing import Final

from app.broker import telling
from app.broker.finishing import CHALLENGE_LIFE, Believed, hash_of
from app.broker.local_signing_in import plain_name
from app.broker.own_factors import OwnFactorsAndPassword
from app.broker.own_people import root_identity
from app.errors import LinkInvalid, RootOnlyEmergency
from app.everybody import local_identity
from app.limits import (
    GUESS_WINDOW,
    LINKS_PER_ACCOUNT,
    LINKS_PER_ADDRESS,
    REFUSALS_PER_MINUTE,
    SIGN_IN_REFUSALS,
    prefix,
)
from app.model import AuditKind, Authentication, Caller, Identity
from app.people import (
    LOCAL,
    ROOT,
    ROOT_LIFE,
    ROOT_SUBJECT,
    Account,
    Asked,
    Budget,
    Challenge,
    Link,
    LinkPage,
    UserState,
)

LINK_LIFE: Final = timedelta(hours=1)
"""Of a link that somebody asked for who forgot the password."""
_TOO_MANY: Final = "Too many links were asked for from your address. Wait a quarter of an hour and try again."
_SET_UP: Final = "set up by the one-time link"


class Links(OwnFactorsAndPassword):
    """The conversation of whoever was sent a link, or asks for one."""

    def ask_password_link(self, username: str, *, caller: Caller) -> None:
        """Send a local user a link to set a new password, if there is such a user with an address: which is not told.

        Raises:
            SourceUnknown (local users are off), TooManyGuesses (from one address), StoreUnavailable.
        """
        now = self._clock.now()
        self._on(self._active.current())
        name = plain_name(username)
        budget = Budget("link/address", prefix(caller.address), LINKS_PER_ADDRESS, GUESS_WINDOW)
        self._reserve([budget], now, words=_TOO_MANY)
        self._afterwards.put(f"link {json.dumps([name])}", lambda: self._send_link(name, caller, now))

    def _send_link(self, name: str, caller: Caller, now: datetime) -> None:
        user = self._store.users.by_username(name)
        if user is None or user.state is not UserState.ACTIVE or not user.email:
            return
        if self._store.guesses.reserve([Budget("link/account", name, LINKS_PER_ACCOUNT, GUESS_WINDOW)], now):
            return
        who = local_identity(user, Authentication(now))
        token = secrets.token_urlsafe(32)
        detail: dict[str, object] = {
            "purpose": "password",
            "by": "person",
            "seconds": int(LINK_LIFE.total_seconds()),
        }
        self._record_of(who, AuditKind.LINK_MADE, caller, now, detail)
        self._store.links.add(token, Link("password", user.id, now + LINK_LIFE, f"{LOCAL}/{user.username}"))
        settings = self._active.current().revision.settings
        told = telling.password_link(settings.name, f"{settings.base_url}/link?t={token}", now)
        self._tell(telling.to_person(told, user.email))

    def one_time_link(self, token: str, *, caller: Caller) -> LinkPage:
        """What a one-time link is for; it is not used up. Raises LinkInvalid, TooMany, StoreUnavailable."""
        now = self._clock.now()
        self._tally.check(caller.address, SIGN_IN_REFUSALS, REFUSALS_PER_MINUTE, now)
        with self._counting(caller, now):
            link, who = self._good(token, now)
        return LinkPage(link.purpose, who.username, link.expires_at)

    def use_one_time_link(self, token: str, password: str, browser: str, *, caller: Caller) -> Asked | None:
        """Set the password that a link is for. `Asked`: go on there and enrol root's two devices; None: sign in now.

        The link is used up once the password is one that can be taken. All sessions of the account end; root loses the
        devices that it had, since whoever sets it up brings new ones.

        Raises:
            LinkInvalid, PasswordRefused, Busy, TooMany, AuditUnavailable, StoreUnavailable.
        """
        now = self._clock.now()
        self._tally.check(caller.address, SIGN_IN_REFUSALS, REFUSALS_PER_MINUTE, now)
        with self._counting(caller, now):
            _, who = self._good(token, now)
            self._check_new(password, who, self._active.current())
            made = self._hashing.hash(password)
            link = self._store.links.take(token, now)
            if link is None or (link.purpose == "root") != (who.source == ROOT):
                raise LinkInvalid("used meanwhile")
        detail: dict[str, object] = {"purpose": link.purpose, "by": link.by}
        self._record_of(who, AuditKind.LINK_USED, caller, now, detail)
        self._record_of(who, AuditKind.PASSWORD_CHANGED, caller, now, {"by": "link", "made_by": link.by})
        if not self._store.users.set_account(Account(link.user, made, now), now):
            raise LinkInvalid("the account is no more")
        self._store.sessions.end_all(who.source, who.subject, now)
        name = self._active.current().revision.settings.name
        self._tell_person(who, telling.password_changed(name, caller.address, now))
        if link.purpose == "password":
            return None
        return self._begin_set_up(who, browser, now)

    def _begin_set_up(self, who: Identity, browser: str, now: datetime) -> Asked:
        """Root's two devices, in one challenge."""
        self._store.factors.end_all(ROOT, ROOT_SUBJECT, now)
        self._store.known_devices.forget_all(ROOT, ROOT_SUBJECT)
        epoch = self._store.users.epoch(ROOT_SUBJECT)
        if epoch is None:
            raise RootOnlyEmergency("root has no account")
        believed = Believed(who, epoch, "/root", now)
        return self._ask(
            Challenge(
                handle=secrets.token_urlsafe(32),
                purpose="enrol",
                browser=hash_of(browser),
                created_at=now,
                expires_at=now + max(CHALLENGE_LIFE, ROOT_LIFE),
                source=ROOT,
                subject=ROOT_SUBJECT,
                next="/root",
                facts={**believed.facts(), "set_up": ROOT},
            )
        )

    def _good(self, token: str, now: datetime) -> tuple[Link, Identity]:
        """A link that can be used, and whose account it is of. Raises LinkInvalid, the same for every reason."""
        link = self._store.links.peek(token, now) if token else None
        if link is None:
            raise LinkInvalid("unknown, used or expired")
        if link.purpose == "root":
            return link, root_identity(_SET_UP, Authentication(now))
        on = bool(self._active.current().revision.settings.local)
        found = self._store.users.authority(link.user) if on else None
        if found is None or found[0].state is not UserState.ACTIVE:
            raise LinkInvalid("the user is gone or may not sign in")
        return link, local_identity(found[0], Authentication(now))
