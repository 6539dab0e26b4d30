"""A broker in one process, with real parts over SQLite, a configuration that a test may edit and a clock it may move."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import pytest
from lxml import etree

from app import wiring
from app.keyring import Keyring, load_or_create
from app.model import (
    Authentication,
    Caller,
    ConsoleLink,
    CredentialRequest,
    Credentials,
    Identity,
    Proof,
    RoleAsk,
    Session,
    SignInAsk,
    SourceId,
)
from app.store import Search
from tests.attacks.directories import corp
from tests.company import ROOT, SECRETS
from tests.signin.saml.builders import Idp, posted, signed
from tests.store.databases import template

BASE = "http://localhost:8000"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CALLER = Caller(request_id="r-1", address="192.0.2.1")
READ_ONLY = "arn:aws:iam::111122223333:role/ReadOnly"
BROWSER = "browser-secret"


class Clock:
    """The tests'."""

    at = NOON

    def now(self) -> datetime:
        return self.at


class FakeAws:
    """Gives whatever is asked for, or raises; remembers what was asked."""

    raises: BaseException | None = None
    asked: list[CredentialRequest]

    def __init__(self, _endpoint: object, **_: object) -> None:
        pass

    def assume(self, request: CredentialRequest) -> Credentials:
        FakeAws.asked.append(request)
        if FakeAws.raises is not None:
            raise FakeAws.raises
        return Credentials("ASIAEXAMPLE000000001", "secret", "token", NOON + timedelta(hours=1))

    def destination(self, asked: str | None) -> str:
        return asked or "https://console.aws.amazon.com/"

    def console_link(self, *_: object) -> ConsoleLink:
        if FakeAws.raises is not None:
            raise FakeAws.raises
        raise AssertionError

    def warm(self) -> None:
        pass


class House:
    """A broker over a folder of configuration that a test may edit."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "config"
        shutil.copytree(ROOT / "config", self.config)
        self.idp = Idp()
        self.write("providers/corp.yaml", corp())
        (self.config / "corp-metadata.xml").write_bytes(self.idp.metadata())
        all_keys = folder.parent / "keys-of-all"
        (folder / "keys").write_bytes(_keys(all_keys))
        (folder / "keys").chmod(0o600)
        self.edit("daypass.yaml", "var/keys", str(folder / "keys"))
        self.environ = {
            "DAYPASS_CONFIG": str(self.config),
            "DAYPASS_DATABASE": f"sqlite:///{folder / 'daypass.db'}",
            **SECRETS,
        }
        shutil.copy(template(), folder / "daypass.db")  # what the migrations make, without running them
        self.clock = Clock()
        with patch.object(
            wiring, "load_or_create", lambda *_: _keyring(all_keys)
        ):  # checking an RSA key takes long
            self.parts = wiring.wire(self.environ, clock=self.clock, apply=True)
        self.broker, self.store = self.parts.broker, self.parts.store

    def write(self, name: str, text: str) -> None:
        (self.config / name).parent.mkdir(exist_ok=True)
        (self.config / name).write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.config / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def apply(self) -> None:
        """What is on disk is the active revision from now on, as after a start of `serve` elsewhere."""
        wiring.administration(self.store, self.clock, self.environ).adopt(wiring.read_revision(self.environ))
        self.clock.at += timedelta(seconds=2)

    def begin(self) -> Proof:
        """A sign-in under way, as far as the directory's honest answer."""
        url = self.broker.begin("corp", SignInAsk(browser=BROWSER), caller=CALLER).url
        query = parse_qs(urlsplit(url).query)
        request = etree.fromstring(zlib.decompress(base64.b64decode(query["SAMLRequest"][0]), -15))
        document = self.idp.document(
            request.get("ID"),
            now=self.clock.at,
            entity=f"{BASE}/saml/corp/metadata",
            acs=f"{BASE}/saml/corp/acs",
            assertion_id=f"_a{request.get('ID')}",
            response_id=f"_r{request.get('ID')}",
        )
        fields = {
            "SAMLResponse": posted(signed(document, self.idp.key)),
            "RelayState": query["RelayState"][0],
        }
        return Proof(SourceId("corp"), fields, BROWSER)

    def sign_in(self, previous: str | None = None) -> str:
        """The token of a new session."""
        return self.broker.sign_in(self.begin(), caller=CALLER, previous=previous).token

    def browser(self, name: str = "ana", *groups: str) -> tuple[str, Session]:
        """A browser that somebody is signed in with, without the directory: its cookie and its session."""
        now = self.clock.at
        settings = self.parts.settings
        found = groups or ("CN=Engineering,OU=Groups,DC=acme,DC=test",)
        claims = {"NameID": (f"{name}-1",), "uid": (name,), "memberOf": found, "costCenter": ("4711",)}
        session = Session(
            id=secrets.token_hex(8),
            identity=Identity(SourceId("corp"), f"{name}-1", name, claims, Authentication(now)),
            created_at=now,
            expires_at=now + settings.session_lifetime,
            idle_at=now + settings.session_idle,
            csrf="csrf",
            revision=self.parts.active.current().revision.number,
            trust=self.parts.active.current().trust[SourceId("corp")],
            last_used=now,
        )
        token = secrets.token_urlsafe(32)
        self.store.sessions.add(token, session)
        return token, session

    def ask(self, token: str) -> Credentials:
        session = self.broker.session(token, caller=CALLER)
        return self.broker.credentials(session, RoleAsk(READ_ONLY), caller=CALLER)

    def kinds(self) -> list[str]:
        return [str(found.record.kind) for found in self.store.audit.search(Search())][::-1]

    def last(self) -> tuple[str, dict[str, object]]:
        """Kind and detail of the newest record."""
        (found,) = self.store.audit.search(Search(limit=1))
        return str(found.record.kind), json.loads(found.record.detail)


@cache
def _keys(at: Path) -> bytes:
    """One key file for all houses: making an RSA key takes a second."""
    load_or_create(at, NOON)
    return at.read_bytes()


@cache
def _keyring(at: Path) -> Keyring:
    return load_or_create(at, NOON)


@contextmanager
def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A house, until the end of the test."""
    monkeypatch.setattr(FakeAws, "raises", None)
    monkeypatch.setattr(FakeAws, "asked", [], raising=False)
    monkeypatch.setattr(wiring, "Aws", FakeAws)
    made = House(folder)
    try:
        yield made
    finally:
        made.store.close()
