"""Local users, devices and guesses against models of them, in every order that hypothesis thinks of."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.errors import UserTaken
from app.people import Account, Budget, UserState
from app.store import open_store
from tests.store.builders import CORP, MINUTE, NOW, factor, local_user
from tests.store.databases import fresh, sealer

NAMES = st.sampled_from(["ana", "ben", "cai"])
IDS = st.sampled_from(["1" * 16, "2" * 16, "3" * 16])
STATES = st.sampled_from([*UserState])
BY = "operator ops"


class OnAStore(RuleBasedStateMachine):
    """A store of its own and a clock for each run."""

    @initialize()
    def open(self):
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        url = self.stack.enter_context(fresh("sqlite", folder))
        self.store = open_store(url, sealer(), migrate=False)
        self.stack.callback(self.store.close)
        self.now = NOW
        self.begin()

    def begin(self):
        """Make the model."""

    def teardown(self):
        self.stack.close()

    @rule(minutes=st.integers(1, 20))
    def time_passes(self, minutes):
        self.now += minutes * MINUTE


class Administering(OnAStore):
    """Users: versions, names, epochs."""

    def begin(self):
        self.versions = {}
        self.epochs = {}

    def living(self):
        last = [versions[-1] for versions in self.versions.values()]
        return {user.id: user for user in last if user.state is not UserState.DELETED}

    @rule(id=IDS, name=NAMES)
    def somebody_is_made(self, id, name):
        taken = id in self.versions or name in {user.username for user in self.living().values()}
        made = local_user(id, username=name)
        assert self.store.users.create(made, by=BY, at=self.now) is not taken
        if not taken:
            self.versions[id] = [replace(made, version=1, since=self.now, by=BY)]
            self.epochs[id] = self.store.users.epoch(id)

    @rule(id=IDS, name=NAMES, state=STATES, behind=st.integers(0, 2))
    def somebody_is_changed(self, id, name, state, behind):
        current = self.living().get(id)
        after = (self.versions[id][-1].version if id in self.versions else 1) - behind
        wanted = local_user(id, username=name, state=state, groups=(f"g{after}",))
        others = {user.username for user in self.living().values() if user.id != id}
        if current is not None and behind == 0 and state is not UserState.DELETED and name in others:
            with pytest.raises(UserTaken):
                self.store.users.change(wanted, after, by=BY, at=self.now)
            return
        changed = self.store.users.change(wanted, after, by=BY, at=self.now)
        if current is None or behind:
            assert changed is None
            return
        assert changed == replace(wanted, version=after + 1, since=self.now, by=BY)
        self.versions[id].append(changed)
        renewed = self.store.users.epoch(id)
        assert (renewed != self.epochs[id]) is (state is not UserState.ACTIVE)
        self.epochs[id] = renewed

    @precondition(lambda self: self.versions)
    @rule(data=st.data(), fresh_password=st.booleans())
    def a_password_is_set(self, data, fresh_password):
        id = data.draw(st.sampled_from(sorted(self.versions)))
        before = self.store.users.account(id)
        at = self.now if fresh_password else before.password_at
        assert self.store.users.set_account(replace(before, password="$argon2id$", password_at=at), self.now)
        renewed = self.store.users.epoch(id)
        assert (renewed != self.epochs[id]) is (at != before.password_at)
        self.epochs[id] = renewed
        assert not self.store.users.set_account(Account(id, epoch="another"), self.now)

    @invariant()
    def everybody_is_who_they_were_at_every_time(self):
        if not hasattr(self, "epochs"):
            return
        users = self.store.users
        living = sorted(self.living().values(), key=lambda user: user.username)
        assert users.all() == living and users.count() == len(living)
        for name in ("ana", "ben", "cai"):
            assert users.by_username(name) == next((u for u in living if u.username == name), None)
        for id, versions in self.versions.items():
            assert users.history(id) == versions
            assert users.authority(id) == (versions[-1], self.epochs[id])
        for at in {version.since for versions in self.versions.values() for version in versions}:
            then = [
                [version for version in versions if version.since <= at][-1:]
                for versions in self.versions.values()
            ]
            there = [last[0] for last in then if last and last[0].state is not UserState.DELETED]
            assert users.all(at) == sorted(there, key=lambda user: (user.username, user.id))


class Guessing(OnAStore):
    """Budgets: never over, never a write without room, windows from the first miss."""

    budgets = tuple(
        Budget(scope, "ana", most, window * MINUTE)
        for scope, most, window in (("account", 3, 15), ("address", 5, 15), ("device", 2, 40))
    )

    def begin(self):
        self.counts = {}

    def times(self, budget):
        until, times = self.counts.get(budget.scope, (self.now, 0))
        return times if until > self.now else 0

    @rule(which=st.permutations(range(3)), size=st.integers(1, 3), right=st.booleans())
    def somebody_guesses(self, which, size, right):
        asked = [self.budgets[number] for number in which[:size]]
        full = next((budget for budget in asked if self.times(budget) >= budget.most), None)
        assert self.store.guesses.reserve(asked, self.now) == full
        if full is not None:
            return
        if right:
            self.store.guesses.give_back(asked, self.now)
            return
        for budget in asked:
            times = self.times(budget)
            until = self.counts[budget.scope][0] if times else self.now + budget.window
            self.counts[budget.scope] = until, times + 1

    @rule()
    def what_is_over_is_forgotten(self):
        self.store.guesses.expire(self.now)


class Carrying(OnAStore):
    """A person's devices: at most three here, counters that only rise."""

    def begin(self):
        self.devices, self.made = {}, 0

    @rule()
    def one_is_enrolled(self):
        self.made += 1
        device = factor(f"f{self.made}", enrolled_at=self.now + self.made * MINUTE / 1000)
        assert self.store.factors.add(device, 3) is (len(self.devices) < 3)
        if len(self.devices) < 3:
            self.devices[device.id] = device

    @precondition(lambda self: self.made)
    @rule(data=st.data(), step=st.integers(-1, 6))
    def one_is_used(self, data, step):
        id = f"f{data.draw(st.integers(1, self.made))}"
        device = self.devices.get(id)
        rises = device is not None and step > device.counter
        assert self.store.factors.advance(id, step, self.now) is rises
        if rises:
            self.devices[id] = replace(device, counter=step, last_used=self.now)

    @precondition(lambda self: self.made)
    @rule(data=st.data(), name=st.text(max_size=5))
    def one_is_renamed(self, data, name):
        id = f"f{data.draw(st.integers(1, self.made))}"
        assert self.store.factors.rename(id, name) is (id in self.devices)
        if id in self.devices:
            self.devices[id] = replace(self.devices[id], name=name)

    @precondition(lambda self: self.made)
    @rule(data=st.data())
    def one_is_removed(self, data):
        id = f"f{data.draw(st.integers(1, self.made))}"
        assert self.store.factors.end(id, self.now) is (self.devices.pop(id, None) is not None)

    @rule()
    def all_are_removed(self):
        assert self.store.factors.end_all(CORP, "ana-7", self.now) == len(self.devices)
        self.devices = {}

    @invariant()
    def they_are_those_that_were_enrolled(self):
        if hasattr(self, "devices"):
            assert self.store.factors.of(CORP, "ana-7") == list(self.devices.values())


for machine in (Administering, Guessing, Carrying):
    machine.TestCase.settings = settings(
        max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
    )
TestAdministering = Administering.TestCase
TestGuessing = Guessing.TestCase
TestCarrying = Carrying.TestCase
