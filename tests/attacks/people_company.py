"""A company with people of its own, over real HTTP: two workers, each browser at an address of its own.

with PeopleCompany(tmp_path) as acme:
    lena = acme.user()
    phone = acme.phone(lena)
    browser = acme.signed_in(lena, phone)

Users and the devices that they had long ago are put into the store; all that is attacked goes over HTTP.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from html import unescape
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cbor2
import pyotp
import requests

from app import wiring
from app.admin import Administration, By
from app.keyring import load_or_create
from app.mfa import recovery
from app.model import PolicyText
from app.people import (
    LOCAL,
    MOST_FACTORS,
    ROOT,
    ROOT_SUBJECT,
    Account,
    Factor,
    FactorKind,
    Link,
    LocalUser,
    UserState,
)
from app.principal import subject_space
from app.sealing import Sealer
from app.signin.passwords import Hashing
from app.store import Search, Store, open_store
from tests.attacks.oauth_company import OauthCompany
from tests.attacks.oidc_company import SESSION
from tests.company import Process
from tests.mfa.authenticator import Authenticator, b64

PASSWORD = "correct horse battery stable"
OTHER = "nineteen purple elephants dance"
REASON = "the directory is down and production burns"
ADMIN = "arn:aws:iam::111122223333:role/Admin"
READ_ONLY = "arn:aws:iam::111122223333:role/ReadOnly"
RELEASE = "arn:aws:iam::444455556666:role/Release"
VAULT = "arn:aws:iam::111122223333:role/Billing"
"""Of level admin, for whoever has proven a second factor."""
RUN_PEOPLE: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "daypass:*", "Resource": "*"}],
}
_VAULT = """
      inline:
        with-a-factor:
          groups: [contractors, engineering]
          policy:
            Version: "2012-10-17"
            Statement:
              - Sid: WithAFactor
                Effect: Allow
                Condition: {Bool: {aws:MultiFactorAuthPresent: "true"}}
"""
_CSRF = re.compile(r'name="csrf" value="([^"]{43})"')
_HIDDEN = re.compile(r'name="(enrolment|secret|uri)" value="([^"]*)"')
_OPTIONS = re.compile(r'data-options="([^"]*)"')
_SERVED = "import sys; from app.serve import main; sys.exit(main(sys.argv[1:], target='tests.attacks.people_served:app'))"


@dataclass
class Phone:
    """An authenticator app."""

    acme: PeopleCompany
    secret: str = field(default_factory=pyotp.random_base32)
    kind: FactorKind = "totp"

    def code(self, steps: int = 0) -> str:
        """The code of now, or of so many steps later."""
        return str(pyotp.TOTP(self.secret).at(self.acme.clock_now() + timedelta(seconds=30 * steps)))

    def wrong(self) -> str:
        """Six digits that are no code of these minutes."""
        right = {self.code(steps) for steps in range(-4, 5)}
        return next(
            code for code in (f"{secrets.randbelow(10**6):06d}" for _ in count()) if code not in right
        )

    def proof(self, _page: str, **_: object) -> str:
        return self.code()


@dataclass
class Key:
    """A security key or a passkey."""

    authenticator: Authenticator
    kind: FactorKind = "webauthn"

    def proof(self, page: str, **altered: Any) -> str:
        """The answer to what a page asks."""
        return self.authenticator.get(options(page), **altered)


Device = Phone | Key


def options(page: str) -> str:
    """What a page asks of security keys."""
    found = _OPTIONS.search(page)
    assert found, page
    return unescape(found[1])


def begun(page: str) -> dict[str, str]:
    """What a page of an enrolment holds."""
    return {name: unescape(value) for name, value in _HIDDEN.findall(page)}


def handle(answer: requests.Response) -> str:
    """The challenge that an answer leads to."""
    assert answer.status_code == 303, (answer.status_code, answer.text[:2000])
    parts = urlsplit(answer.headers["Location"])
    assert parts.path == "/challenge", parts
    return parse_qs(parts.query)["c"][0]


class PeopleCompany(OauthCompany):
    """The company with local users, operators among them, and root. `memory`: KiB of argon2; None: as in production."""

    def __init__(self, folder: Path, *, workers: int = 2, memory: int | None = 1024) -> None:
        super().__init__(folder, workers=workers)
        self.memory = memory
        self._names = count(1)
        self.hashed_file = folder / "hashed"
        self.hashed_file.touch()
        self._hashing = Hashing(memory_kib=memory, passes=1, lanes=1) if memory else Hashing()
        self._hashes: dict[str, str] = {}

    # --- the company ----------------------------------------------------------------------------------------

    def _configure(self, providers: dict[str, str] | None, files: dict[str, bytes]) -> None:
        super()._configure(providers, files)
        (self.config / "policies" / "run-people.json").write_text(json.dumps(RUN_PEOPLE))
        with (self.config / "groups.yaml").open("a") as groups:
            groups.write("operators:\n  description: Run daypass\n  policies: [run-people]\n")
            groups.write("guarded:\n  description: Prove a factor always\n  mfa: true\n")
        accounts = self.config / "accounts.yaml"
        before, after = accounts.read_text().split("      allow: [finance]\n")
        accounts.write_text(f"{before}      allow: [finance]{_VAULT}{after}")

    @property
    def env(self) -> dict[str, str]:
        memory = {} if self.memory is None else {"DAYPASS_TEST_MEMORY": str(self.memory)}
        return {**super().env, "DAYPASS_TEST_HASHED": str(self.hashed_file), **memory}

    def start_broker(self) -> None:
        command = [sys.executable, "-c", _SERVED, "--workers", str(self._workers)]
        self.broker = Process("broker", command, self.folder, self.env)
        self.broker.wait_for(f"{self.base_url}/readyz")

    def __exit__(self, *rest: object) -> None:
        super().__exit__(*rest)
        if "store" in vars(self):
            self.store.close()

    @cached_property
    def store(self) -> Store:
        """The broker's own."""
        keyring = load_or_create(self.folder / "var" / "keys", self.clock_now())
        return open_store(f"sqlite:///{self.database}", Sealer(keyring.sealing_keys))

    @cached_property
    def door(self) -> Administration:
        """As an operator on the host has it."""
        return wiring.administration(self.store, self._clock, self.env)

    def hashed(self) -> int:
        """How many passwords were looked at so far."""
        return self.hashed_file.stat().st_size

    def new_step(self) -> None:
        """The beginning of a time step in which no code was shown yet: nothing that follows at once crosses its end."""
        now = self.clock_now().timestamp()
        self.later(timedelta(seconds=30 - now % 30 + 1))

    # --- people ---------------------------------------------------------------------------------------------

    def user(
        self,
        *,
        groups: Sequence[str] = ("contractors",),
        password: str | None = PASSWORD,
        state: UserState = UserState.ACTIVE,
        inline: Sequence[Mapping[str, Any]] = (),
        name: str = "",
        username: str = "",
    ) -> LocalUser:
        """A local user of their own, of long ago."""
        username = username or f"lena{next(self._names)}"
        texts = tuple(
            PolicyText(f"user/{username}/p{at}", json.dumps(each), f"user/{username}/p{at}")
            for at, each in enumerate(inline)
        )
        made = LocalUser(secrets.token_hex(8), username, name, "", tuple(groups), (), texts, state=state)
        before = self.clock_now() - timedelta(days=3)
        assert self.store.users.create(made, by="operator test", at=before)
        if password is not None:
            self.set_password(made.id, password)
        return made

    def changed(self, user: LocalUser, **changes: Any) -> None:
        """From now on."""
        now = self.store.users.get(user.id)
        assert now is not None
        made = self.store.users.change(
            replace(now, **changes), now.version, by="operator test", at=self.clock_now()
        )
        assert made is not None

    def set_password(self, id: str, password: str) -> None:
        hashed = self._hashes.get(password)
        if hashed is None:
            hashed = self._hashes[password] = self._hashing.hash(password)
        now = self.clock_now()
        assert self.store.users.set_account(Account(id, hashed, now), now)

    def phone(self, user: LocalUser | None = None) -> Phone:
        """An authenticator app that they (root, if nobody is named) enrolled long ago."""
        phone = Phone(self)
        self._enrolled(user, "totp", {"secret": phone.secret}, -1)
        return phone

    def key(self, user: LocalUser | None = None, **about: Any) -> Key:
        """A security key that they enrolled long ago."""
        mine = self.store.factors.of(*_person(user))
        known = [each.facts["user_handle"] for each in mine if "user_handle" in each.facts]
        made = Authenticator(credential=secrets.token_bytes(16), origin=self.base_url, **about)
        made.user_handle = base64.urlsafe_b64decode(known[0] + "==") if known else secrets.token_bytes(32)
        facts = {
            "credential": b64(made.credential),
            "public_key": b64(cbor2.dumps(made.public_key())),
            "user_handle": b64(made.user_handle),
            "aaguid": "",
            "transports": "usb",
            "backed_up": "false",
            "synced": "false",
        }
        self._enrolled(user, "webauthn", facts, made.counter)
        return Key(made)

    def _enrolled(
        self, user: LocalUser | None, kind: FactorKind, facts: dict[str, str], counter: int
    ) -> None:
        source, subject = _person(user)
        before = self.clock_now() - timedelta(days=2)
        made = Factor(
            secrets.token_hex(8),
            source,
            subject,
            kind,
            f"my {kind}",
            before,
            subject_space(None),
            facts=facts,
            counter=counter,
        )
        assert self.store.factors.add(made, MOST_FACTORS)

    def recovery_codes(self, user: LocalUser) -> tuple[str, ...]:
        codes = recovery.make()
        kept = [recovery.normalise(code) for code in codes]
        self.store.recovery_codes.replace(LOCAL, user.id, kept, self.clock_now())
        return codes

    def root(self, password: str = PASSWORD) -> tuple[Phone, Key]:
        """Root, set up long ago."""
        self.store.users.ensure_root(self.clock_now())
        self.set_password(ROOT_SUBJECT, password)
        self.store.factors.end_all(ROOT, ROOT_SUBJECT, self.clock_now())
        return self.phone(), self.key()

    def link(self, user: LocalUser | None = None, *, purpose: str = "password", life: float = 3600) -> str:
        """The token of a one-time link."""
        token = secrets.token_urlsafe(32)
        subject = ROOT_SUBJECT if user is None else user.id
        ends = self.clock_now() + timedelta(seconds=life)
        self.store.links.add(token, Link(purpose, subject, ends, "operator test"))
        return token

    @property
    def operator_on_host(self) -> By:
        return By.operator("operator host")

    # --- at a browser ---------------------------------------------------------------------------------------

    def get(self, browser: requests.Session, path: str, **headers: str) -> requests.Response:
        return browser.get(f"{self.base_url}{path}", headers=headers, allow_redirects=False, timeout=60)

    def send(
        self,
        browser: requests.Session,
        path: str,
        fields: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """A form, as our own page sends it unless `headers` say otherwise."""
        return browser.post(
            f"{self.base_url}{path}",
            data=dict(fields),
            headers={"Origin": self.base_url} if headers is None else dict(headers),
            allow_redirects=False,
            timeout=60,
        )

    def csrf(self, browser: requests.Session) -> str:
        """The token in the session's own pages."""
        found = _CSRF.search(self.get(browser, "/security", Accept="text/html").text)
        assert found
        return found[1]

    def own(self, browser: requests.Session, path: str, **fields: str) -> requests.Response:
        """A form of a signed-in person, with the token."""
        return self.send(browser, path, {"csrf": self.csrf(browser), **fields})

    def password(
        self,
        browser: requests.Session,
        who: LocalUser | str,
        password: str = PASSWORD,
        next_path: str = "/",
    ) -> requests.Response:
        name = who if isinstance(who, str) else who.username
        return self.send(
            browser, "/sign-in/local", {"username": name, "password": password, "next": next_path}
        )

    def prove(
        self,
        browser: requests.Session,
        challenge: str,
        device: Device,
        *,
        text: str | None = None,
        **altered: Any,
    ) -> requests.Response:
        """Answer a challenge, by a device; `text`: by something else, as if it were that device's."""
        if text is None:
            page = ""
            if device.kind == "webauthn":
                page = self.get(browser, f"/challenge?c={challenge}", Accept="text/html").text
            text = device.proof(page, **altered)
        name = "response" if device.kind == "webauthn" else "code"
        return self.send(browser, "/challenge", {"c": challenge, "kind": device.kind, name: text})

    def signed_in(
        self, user: LocalUser, device: Device | None = None, browser: requests.Session | None = None
    ) -> requests.Session:
        """An honest sign-in."""
        browser = browser or self.browser()
        answer = self.password(browser, user)
        if device is not None:
            if isinstance(device, Phone):
                self.new_step()
            answer = self.prove(browser, handle(answer), device)
        assert answer.status_code == 303, answer.text
        self.inside(browser, user.username)
        return browser

    def root_in(self, device: Device, browser: requests.Session | None = None) -> requests.Session:
        """An honest use of root."""
        browser = browser or self.browser()
        answer = self.send(browser, "/root", {"password": PASSWORD, "reason": REASON})
        if isinstance(device, Phone):
            self.new_step()
        answer = self.prove(browser, handle(answer), device)
        assert answer.status_code == 303, answer.text
        self.inside(browser, "root")
        return browser

    def step_up(self, browser: requests.Session, role: str = "", session: str = "") -> str:
        """The challenge of a step-up."""
        asked = {name: value for name, value in (("role", role), ("session", session)) if value}
        return handle(
            browser.get(f"{self.base_url}/step-up", params=asked, allow_redirects=False, timeout=60)
        )

    def enrol(
        self, browser: requests.Session, path: str, fields: Mapping[str, str]
    ) -> tuple[Phone, requests.Response]:
        """Add an authenticator app, at /security/enrol or within a challenge."""
        page = self.send(browser, path, {**fields, "kind": "totp", "step": "begin"})
        assert page.status_code == 200, (page.status_code, page.text)
        shown = begun(page.text)
        phone = Phone(self, shown["secret"])
        done = {**fields, **shown, "kind": "totp", "step": "finish", "name": "phone", "code": phone.code()}
        return phone, self.send(browser, path, done)

    # --- what came of it ------------------------------------------------------------------------------------

    def inside(self, browser: requests.Session, username: str) -> dict[str, Any]:
        """That person is signed in there."""
        answer = self.me(browser)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        assert said["username"] == username
        return said

    def outside(self, browser: requests.Session) -> None:
        """Nobody is."""
        assert self.me(browser).status_code == 401

    def sessions(self) -> set[str]:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return {row[0] for row in connection.execute("SELECT id FROM sessions WHERE ended_at IS NULL")}

    @contextmanager
    def nobody_in(self) -> Iterator[None]:
        """No session begins meanwhile."""
        before = self.sessions()
        yield
        assert self.sessions() <= before

    def devices(self, user: LocalUser) -> list[str]:
        return [each.id for each in self.store.factors.of(LOCAL, user.id)]

    def records(self, kind: str) -> list[dict[str, Any]]:
        """On record, of that kind, the newest last."""
        found = self.store.audit.search(Search(kind=kind, limit=1000))
        return [
            {
                "source": each.record.source,
                "subject": each.record.subject,
                "address": each.record.address,
                "detail": json.loads(each.record.detail),
            }
            for each in reversed(found)
        ]

    def alerts(self, kind: str) -> int:
        """How many of that kind the operators heard, in the channel that the company has."""
        lines = self.log().splitlines()
        return sum('"message": "alert"' in line and f'"kind": "{kind}"' in line for line in lines)

    def heard(self, kind: str, more_than: int) -> None:
        """They hear of one more, in a moment."""
        deadline = time.monotonic() + 60
        while self.alerts(kind) <= more_than:
            assert time.monotonic() < deadline, kind
            time.sleep(0.05)


def _person(user: LocalUser | None) -> tuple[Any, str]:
    return (ROOT, ROOT_SUBJECT) if user is None else (LOCAL, user.id)


def token_of(browser: requests.Session) -> str:
    """The session's cookie."""
    return str(browser.cookies[SESSION])
