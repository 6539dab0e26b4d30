"""The broker's host as an operator meets it: the shipped configuration, a database, a key file, commands as typed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from app.__main__ import main as every
from app.commands import doctor, group, mfa, root, user
from app.commands.access_who import what_can
from app.configuration import read_folder
from app.keyring import load_or_create
from app.people import LOCAL, ROOT, ROOT_SUBJECT, Account, Factor
from app.sealing import Sealer
from app.store import Search, Store, open_store
from tests.company import ROOT as SHIPPED

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
COMMANDS: Mapping[str, Any] = {"user": user, "group": group, "mfa": mfa, "root": root, "doctor": doctor}


@dataclass
class Clock:
    at: datetime = NOW

    def now(self) -> datetime:
        return self.at


@dataclass
class Said:
    """What a command answered."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Host:
    """Commands, and the store that they are about."""

    folder: Path
    store: Store
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    clock: Clock = field(default_factory=Clock)

    def run(self, line: str, *more: str) -> Said:
        """`user create nina`, as it is typed after `python -m app`; `more` are words with blanks."""
        command, *argv = line.split()
        argv += more
        if command == "what-can":
            return self._said(what_can(argv, self.clock))
        return self._said(COMMANDS[command].main(argv, clock=self.clock))

    def _said(self, status: int) -> Said:
        said = self.capsys.readouterr()
        return Said(status, said.out, said.err)

    def ok(self, line: str, *more: str) -> Said:
        said = self.run(line, *more)
        assert said.status == 0, said
        return said

    def edit(self, path: str, old: str, new: str) -> None:
        """Change a file of the configuration, and make that active."""
        file = self.folder / "config" / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        self.store.revisions.activate(sha256(file.read_bytes()).hexdigest(), read_folder(file.parent), NOW)

    def by(self, name: str) -> None:
        """From now on somebody else sits there, who became the service by sudo."""
        self.monkeypatch.setenv("SUDO_USER", name)

    def later(self, **span: float) -> None:
        self.clock.at += timedelta(**span)

    def id(self, username: str) -> str:
        found = self.store.users.by_username(username)
        assert found is not None
        return found.id

    def device(self, username: str, name: str = "Phone") -> None:
        source, subject = (ROOT, ROOT_SUBJECT) if username == "root" else (LOCAL, self.id(username))
        number = len(self.store.factors.of(source, subject))
        made = Factor(
            f"{number:04x}{subject[:12]}",
            source,
            subject,
            "totp",
            name,
            self.clock.at,
            "s",
            facts={"secret": "A" * 16},
        )
        assert self.store.factors.add(made, 8)

    def with_root(self) -> None:
        """Root, set up."""
        self.store.users.ensure_root(self.clock.at)
        assert self.store.users.set_account(
            Account(ROOT_SUBJECT, "$argon2id$x", self.clock.at), self.clock.at
        )
        self.device("root", "Safe 1")
        self.device("root", "Safe 2")

    def details(self) -> list[Mapping[str, Any]]:
        """Of every record, oldest first."""
        return [json.loads(each.record.detail) for each in reversed(self.store.audit.search(Search()))]


@cache
def _keys() -> bytes:
    """One key file for all: making an RSA key takes a second."""
    at = Path(mkdtemp()) / "keys"
    load_or_create(at, NOW)
    found = at.read_bytes()
    shutil.rmtree(at.parent)
    return found


@contextmanager
def opened_host(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Host]:
    """A host on which the shipped configuration is active."""
    config = folder / "config"
    shutil.copytree(SHIPPED / "config", config)
    url = f"sqlite:///{folder / 'daypass.db'}"
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DAYPASS_CONFIG", str(config))
    monkeypatch.setenv("DAYPASS_DATABASE", url)
    monkeypatch.delenv("DAYPASS_KEYS", raising=False)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setenv("SUDO_USER", "ann")
    (folder / "var").mkdir()
    (folder / "var" / "keys").write_bytes(_keys())
    (folder / "var" / "keys").chmod(0o600)
    sealer = Sealer(load_or_create(folder / "var" / "keys", NOW).sealing_keys)
    store = open_store(url, sealer)
    store.revisions.activate("1" * 64, read_folder(config), NOW - timedelta(days=7))
    try:
        yield Host(folder, store, capsys, monkeypatch)
    finally:
        store.close()


def helps(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What `--help` prints; it must succeed and say nothing on standard error."""
    status = every([*line.split(), "--help"])
    said = capsys.readouterr()
    assert status == 0 and said.err == ""
    return said.out


Run = Callable[..., Said]
