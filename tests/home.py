"""A house with people of its own: local users and root, their devices, and whoever is told of something."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest

from app import wiring
from app.model import Caller, PolicyText, Session, SignedIn, SignInAsk
from app.people import (
    LOCAL,
    ROOT,
    ROOT_SUBJECT,
    Account,
    Alert,
    Asked,
    Enrolled,
    Factor,
    FactorAnswer,
    FactorKind,
    Link,
    LocalUser,
    StepUpAsk,
    UserState,
)
from app.signin.passwords import Hashing
from app.store import Search
from tests.house import CALLER, FakeAws, House
from tests.mfa.authenticator import Authenticator

BASE = "http://localhost:8000"
PASSWORD = "correct horse battery stable"
OTHER = "nineteen purple elephants dance"
ADMIN = "arn:aws:iam::111122223333:role/Admin"
READ_ONLY = "arn:aws:iam::111122223333:role/ReadOnly"
RELEASE = "arn:aws:iam::444455556666:role/Release"
REASON = "the directory is down and production burns"


@dataclass
class Heard:
    """Remembers what was told."""

    alerts: list[Alert] = field(default_factory=list)

    def tell(self, alert: Alert) -> None:
        self.alerts.append(alert)

    def kinds(self) -> list[str]:
        return [f"{alert.kind}{' to ' + alert.to if alert.to else ''}" for alert in self.alerts]


@dataclass
class Browser:
    """One browser: its short-lived and long-lived cookies, and its session's."""

    home: Home
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    device: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    token: str = ""
    caller: Caller = CALLER

    @property
    def ask(self) -> SignInAsk:
        return SignInAsk(next="/roles", browser=self.secret)

    @property
    def session(self) -> Session:
        return self.home.broker.session(self.token, caller=self.caller)

    def took(self, result: SignedIn | Asked) -> SignedIn | Asked:
        if isinstance(result, SignedIn):
            self.token = result.token
        return result

    def password(self, name: str = "lena", password: str = PASSWORD) -> SignedIn | Asked:
        return self.took(
            self.home.broker.password_sign_in(
                name,
                password,
                self.ask,
                caller=self.caller,
                device=self.device,
                previous=self.token or None,
            )
        )

    def answer(self, handle: str, text: str, kind: FactorKind = "totp") -> SignedIn | Asked:
        return self.took(
            self.home.broker.answer(
                handle,
                self.secret,
                FactorAnswer(kind, text),
                caller=self.caller,
                device=self.device,
                previous=self.token or None,
            )
        )

    def sign_in(self, name: str = "lena", password: str = PASSWORD, device: Device | None = None) -> Session:
        """By password, and the device if one is asked for."""
        result = self.password(name, password)
        if isinstance(result, Asked):
            assert device is not None
            result = device.answer(self, result.handle)
        assert isinstance(result, SignedIn), result
        return result.session

    def new_password(self, old: str, new: str) -> None:
        done = self.home.broker.change_password(
            self.session, old, new, caller=self.caller, device=self.device
        )
        assert done is not None, "the session has ended"
        self.token = done.token

    def step_up(self, role: str = "", session: str = "", next: str = "/") -> str:
        return self.home.broker.begin_step_up(
            self.session, StepUpAsk(next, role, session), self.secret, caller=self.caller
        ).handle

    def enrol(
        self, device: Device, name: str = "phone", *, within: str = "", session: bool = True
    ) -> Enrolled:
        """Add a device, within a challenge or as whoever is signed in."""
        own = self.session if session and not within else None
        begun = self.home.broker.begin_enrolment(
            device.kind, self.secret, caller=self.caller, session=own, within=within
        )
        done = self.home.broker.finish_enrolment(
            begun.handle,
            self.secret,
            FactorAnswer(device.kind, device.made(begun)),
            name,
            caller=self.caller,
            session=own,
            device=self.device,
            previous=self.token or None,
        )
        if done.signed_in is not None:
            self.token = done.signed_in.token
        return done


class Device:
    """Something that a person has."""

    kind: FactorKind

    def made(self, begun) -> str:
        raise NotImplementedError

    def answer(self, browser: Browser, handle: str) -> SignedIn | Asked:
        raise NotImplementedError


@dataclass
class Phone(Device):
    """An authenticator app."""

    home: Home
    secret: str = ""
    kind: FactorKind = "totp"

    def code(self, later: int = 0) -> str:
        return pyotp.TOTP(self.secret).at(self.home.clock.at + timedelta(seconds=30 * later))

    def made(self, begun) -> str:
        self.secret = begun.secret
        return self.code()

    def answer(self, browser: Browser, handle: str) -> SignedIn | Asked:
        return browser.answer(handle, self.code())


@dataclass
class Key(Device):
    """A security key or a passkey."""

    authenticator: Authenticator = field(
        default_factory=lambda: Authenticator(credential=secrets.token_bytes(16), origin=BASE)
    )
    kind: FactorKind = "webauthn"

    def made(self, begun) -> str:
        return self.authenticator.create(begun.webauthn_options)

    def get(self, options: str, **altered: object) -> str:
        return self.authenticator.get(options, **altered)

    def answer(self, browser: Browser, handle: str) -> SignedIn | Asked:
        page = browser.home.broker.challenge(handle, browser.secret, caller=browser.caller)
        return browser.answer(handle, self.get(page.webauthn_options), "webauthn")


class Home(House):
    """A house with local users."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.heard = Heard()
        self.before = ""
        self.broker._notices = self.heard

    def browser_of(self, address: str = CALLER.address) -> Browser:
        return Browser(self, caller=replace(CALLER, address=address, user_agent="test/1"))

    def user(
        self,
        name: str = "lena",
        password: str = PASSWORD,
        groups: Sequence[str] = ("contractors",),
        inline: Sequence[dict] = (),
    ) -> LocalUser:
        """A local user with a password."""
        texts = tuple(
            PolicyText(f"p{number}", json.dumps(each), f"user/{name}/p{number}")
            for number, each in enumerate(inline)
        )
        made = LocalUser(
            secrets.token_hex(8), name, name.title(), f"{name}@acme.test", tuple(groups), (), texts
        )
        assert self.store.users.create(made, by="operator test", at=self.clock.at)
        self.set_password(made.id, password)
        return made

    def set_password(self, id: str, password: str) -> None:
        hashed = self.broker._hashing.hash(password)
        assert self.store.users.set_account(Account(id, hashed, self.clock.at), self.clock.at)

    def change(self, user: LocalUser, **changes: object) -> LocalUser:
        now = self.store.users.get(user.id)
        made = self.store.users.change(
            replace(now, **changes), now.version, by="operator test", at=self.clock.at
        )
        assert made is not None
        return made

    def end(self, user: LocalUser, state: UserState) -> None:
        self.change(user, state=state)

    def devices(self, user: LocalUser) -> Sequence[Factor]:
        return self.store.factors.of(LOCAL, user.id)

    def with_phone(self, name: str = "lena", **facts: object) -> tuple[LocalUser, Phone, Browser]:
        """A local user who enrolled a phone long ago, and the browser that they did it in, signed out since."""
        user, phone, browser = self.user(name, **facts), Phone(self), self.browser_of()
        browser.sign_in(name)
        browser.enrol(phone)
        self.broker.sign_out(browser.session, caller=CALLER)
        browser.token = ""
        self.later(hours=1)
        self.heard.alerts.clear()
        return user, phone, browser

    def root(self) -> tuple[Phone, Key, Browser]:
        """Root, set up with two devices."""
        browser, phone, key = self.browser_of(), Phone(self), Key()
        handle = self.begin_root(browser)
        browser.enrol(phone, within=handle)
        browser.enrol(key, "key", within=handle)
        self.later(minutes=20)
        self.heard.alerts.clear()
        return phone, key, browser

    def begin_root(self, browser: Browser, password: str = PASSWORD) -> str:
        """Root's set-up, as far as the password; the challenge that wants devices."""
        asked = self.broker.use_one_time_link(self.root_link(), password, browser.secret, caller=CALLER)
        assert isinstance(asked, Asked)
        return asked.handle

    def root_link(self) -> str:
        token = secrets.token_urlsafe(32)
        self.store.users.ensure_root(self.clock.at)
        self.store.links.add(
            token, Link("root", ROOT_SUBJECT, self.clock.at + timedelta(minutes=15), "operator test")
        )
        return token

    def root_in(self, browser: Browser, device: Device, reason: str = REASON) -> Session:
        asked = self.broker.root_sign_in(
            PASSWORD, reason, browser.ask, caller=browser.caller, device=browser.device
        )
        result = device.answer(browser, asked.handle)
        assert isinstance(result, SignedIn)
        return result.session

    def later(self, **span: float) -> None:
        self.clock.at += timedelta(**span)

    def records(self, kind: str) -> list[dict[str, object]]:
        """Details of the records of a kind, oldest first."""
        found = self.store.audit.search(Search(kind=kind))
        return [json.loads(each.record.detail) for each in found][::-1]

    def counted(self) -> dict[str, int]:
        """Refusals by code, as the upkeep saves them."""
        counts: dict[str, int] = {}

        def save(_minute: object, _address: str, code: str, times: int) -> None:
            counts[code] = counts.get(code, 0) + times

        self.broker._tally.flush(save)
        return counts


@contextmanager
def opened_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home, until the end of the test, whose passwords cost little."""
    monkeypatch.setattr(FakeAws, "raises", None)
    monkeypatch.setattr(FakeAws, "asked", [], raising=False)
    monkeypatch.setattr(wiring, "Aws", FakeAws)
    monkeypatch.setattr(wiring, "Hashing", lambda: Hashing(memory_kib=64, passes=1, lanes=1))
    made = Home(folder)
    try:
        yield made
    finally:
        made.store.close()


__all__ = ["ROOT", "Browser", "Heard", "Home", "Key", "Phone", "opened_home"]
