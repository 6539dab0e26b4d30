"""Pending sign-ins, once-only marks and sessions against a model, in any order of events."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.store import open_store
from tests.store.builders import CORP, MINUTE, NOW, PARTNER, identity, pending, session
from tests.store.databases import fresh, sealer

NAMES = st.sampled_from(["a", "b", "c"])
SOURCES = st.sampled_from([CORP, PARTNER])
BROWSERS = st.sampled_from(["1" * 64, "2" * 64])
LIVES = st.integers(0, 4)


class Remembering(RuleBasedStateMachine):
    @initialize()
    def open(self):
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        url = self.stack.enter_context(fresh("sqlite", folder))
        self.store = open_store(url, sealer(), migrate=False)
        self.stack.callback(self.store.close)
        self.now = NOW
        self.pending, self.marks, self.sessions = {}, {}, {}
        self.counter = 0

    def teardown(self):
        self.stack.close()

    @rule(minutes=st.integers(1, 3))
    def time_passes(self, minutes):
        self.now += minutes * MINUTE

    @rule(key=NAMES, source=SOURCES, browser=BROWSERS, life=LIVES)
    def a_sign_in_begins(self, key, source, browser, life):
        if (key, source, browser) in self.pending:
            return
        begun = pending(key, source=source, browser=browser, expires_at=self.now + life * MINUTE)
        self.store.pending.add(begun)
        self.pending[key, source, browser] = begun

    @rule(key=NAMES, source=SOURCES, browser=BROWSERS)
    def an_answer_comes(self, key, source, browser):
        expected = self.pending.pop((key, source, browser), None)
        if expected is not None and expected.expires_at <= self.now:
            expected = None
        assert self.store.pending.take(key, source, browser, self.now) == expected

    @rule(namespace=NAMES, value=NAMES, life=LIVES)
    def something_is_marked(self, namespace, value, life):
        first = (namespace, value) not in self.marks
        assert self.store.once.mark(namespace, value, self.now + life * MINUTE) is first
        if first:
            self.marks[namespace, value] = self.now + life * MINUTE

    @rule(source=SOURCES, subject=NAMES, life=LIVES, idle=LIVES)
    def a_session_begins(self, source, subject, life, idle):
        self.counter += 1
        begun = session(
            f"s{self.counter}",
            identity=identity(source=source, subject=subject),
            created_at=self.now,
            expires_at=self.now + life * MINUTE,
            idle_at=self.now + idle * MINUTE,
        )
        self.store.sessions.add(f"token of s{self.counter}", begun)
        self.sessions[begun.id] = begun

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), idle=LIVES)
    def a_session_is_used(self, data, idle):
        used = self.sessions[data.draw(st.sampled_from(sorted(self.sessions)))]
        idle_at = self.now + idle * MINUTE
        self.store.sessions.touch(used.id, idle_at)
        self.sessions[used.id] = replace(used, idle_at=max(used.idle_at, idle_at))

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def a_session_is_ended(self, data):
        id = data.draw(st.sampled_from(sorted(self.sessions)))
        assert self.store.sessions.end(id, self.now)
        assert not self.store.sessions.end(id, self.now)
        del self.sessions[id]

    @rule(source=SOURCES, subject=NAMES)
    def all_sessions_of_a_person_are_ended(self, source, subject):
        theirs = [
            s.id
            for s in self.sessions.values()
            if s.identity.source == source and s.identity.subject == subject
        ]
        assert {found.id for found in self.store.sessions.of(source, subject)} == set(theirs)
        assert self.store.sessions.end_all(source, subject, self.now) == len(theirs)
        for id in theirs:
            del self.sessions[id]

    @rule()
    def what_is_over_is_forgotten(self):
        self.store.pending.expire(self.now)
        self.store.once.expire(self.now)
        self.store.sessions.expire(self.now)
        self.pending = {k: p for k, p in self.pending.items() if p.expires_at > self.now}
        self.marks = {k: until for k, until in self.marks.items() if until > self.now}
        self.sessions = {
            i: s for i, s in self.sessions.items() if s.expires_at > self.now and s.idle_at > self.now
        }

    @invariant()
    def live_sessions_and_no_others_are_found(self):
        if not hasattr(self, "store"):
            return
        for number in range(1, self.counter + 1):
            expected = self.sessions.get(f"s{number}")
            if expected is not None and (expected.expires_at <= self.now or expected.idle_at <= self.now):
                expected = None
            assert self.store.sessions.find(f"token of s{number}", self.now) == expected


Remembering.TestCase.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestRemembering = Remembering.TestCase
