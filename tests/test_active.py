"""The active revision: every worker follows the store; what cannot be built never replaces what works."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.active import Active, Running
from app.aws import Aws
from app.errors import StoreUnavailable, Unavailable
from app.model import Endpoint
from app.policy import Index
from app.store import Store, open_store
from tests.policy.builders import NOW, revision, role
from tests.store.databases import fresh, sealer

SECOND = timedelta(seconds=1)


@dataclass
class Clock:
    at: datetime = NOW

    def now(self) -> datetime:
        return self.at


class Builder:
    """Builds a revision of one role, or fails for numbers that are broken."""

    def __init__(self) -> None:
        self.broken: set[int] = set()
        self.asked: list[int] = []
        self.gate: threading.Event | None = None

    def __call__(self, number: int) -> Running:
        self.asked.append(number)
        if self.gate is not None:
            self.gate.wait(10)
        if number in self.broken:
            raise Unavailable(f"revision {number} is broken")
        made = replace(revision(role("Admin")), number=number)
        return Running(made, Index.compile(made), {}, {}, Aws(Endpoint("aws", ("eu-west-1",))))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with fresh("sqlite", tmp_path) as url:
        made = open_store(url, sealer())
        yield made
        made.close()


def activate(store: Store, *contents: str) -> None:
    for content in contents:
        store.revisions.activate(content * 64, {"f": content}, NOW)


def test_a_new_revision_is_in_use_within_a_second(store: Store) -> None:
    activate(store, "a")
    clock = Clock()
    active = Active(store, Builder(), clock)
    assert active.current().revision.number == 1
    activate(store, "b")
    clock.at += SECOND
    assert active.current().revision.number == 2


def test_the_store_is_asked_at_most_twice_a_second(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    activate(store, "a")
    clock, asked = Clock(), []
    active = Active(store, Builder(), clock)
    look = store.revisions.latest_number
    monkeypatch.setattr(store.revisions, "latest_number", lambda: asked.append(1) or look())
    for _ in range(100):
        active.current()
        clock.at += SECOND / 100
    assert len(asked) <= 2


def test_a_broken_revision_never_replaces_a_working_one_and_is_not_tried_at_every_look(store: Store) -> None:
    activate(store, "a")
    clock, build = Clock(), Builder()
    build.broken = {2}
    active = Active(store, build, clock)
    active.current()
    activate(store, "b")
    for _ in range(10):
        clock.at += SECOND
        assert active.current().revision.number == 1
    assert build.asked == [1, 2]
    build.broken.clear()  # what was missing is there
    clock.at += 30 * SECOND
    assert active.current().revision.number == 2


def test_a_revision_after_a_broken_one_is_used_at_once(store: Store) -> None:
    activate(store, "a")
    clock, build = Clock(), Builder()
    build.broken = {2}
    active = Active(store, build, clock)
    active.current()
    activate(store, "b")
    clock.at += SECOND
    active.current()
    activate(store, "a")  # back
    clock.at += SECOND
    assert active.current().revision.number == 3


def test_while_one_builds_the_others_go_on(store: Store) -> None:
    activate(store, "a")
    clock, build = Clock(), Builder()
    active = Active(store, build, clock)
    active.current()
    activate(store, "b")
    clock.at += SECOND
    build.gate = threading.Event()
    builder = threading.Thread(target=active.current)
    builder.start()
    while build.asked != [1, 2]:
        pass
    clock.at += SECOND
    assert active.current().revision.number == 1
    build.gate.set()
    builder.join(10)
    assert active.current().revision.number == 2


def test_an_earlier_revision_can_be_had_by_number(store: Store) -> None:
    activate(store, *"abc")
    build = Builder()
    active = Active(store, build, Clock())
    assert [active.at(number).revision.number for number in (1, 3, 1)] == [1, 3, 1]
    build.broken = {2}
    assert active.at(2).revision.number == 3


def test_what_is_known_goes_on_while_the_store_is_down(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    activate(store, "a")
    clock = Clock()
    active = Active(store, Builder(), clock)
    active.current()

    def down() -> int:
        raise StoreUnavailable("down")

    monkeypatch.setattr(store.revisions, "latest_number", down)
    clock.at += SECOND
    assert active.current().revision.number == 1


def test_the_first_that_cannot_be_built_is_a_refusal_every_time(store: Store) -> None:
    build = Builder()
    build.broken = {1}
    active = Active(store, build, Clock())
    with pytest.raises(Unavailable, match="no revision is active"):
        active.current()
    activate(store, "a")
    active = Active(store, build, Clock())
    for _ in range(2):
        with pytest.raises(Unavailable):
            active.current()
