"""A family of refresh tokens against a model: whoever uses which token when, it never has two living heads."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.store import open_store
from app.tokens import GRACE, Reused, Rotated
from tests.store.builders import BOTH, NOW, SECOND, clients_session, session
from tests.store.databases import fresh, sealer

CLIENTS = st.sampled_from(["cli", "cli", "cli", "other"])


class Family(RuleBasedStateMachine):
    @initialize()
    def a_client_is_let_in(self):
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        url = self.stack.enter_context(fresh("sqlite", folder))
        self.store = open_store(url, sealer(), migrate=False)
        self.stack.callback(self.store.close)
        self.now = NOW
        self.store.sessions.add("cookie", session())
        self.store.sessions.add("thief", session("s2"))
        assert self.store.refresh_tokens.begin(clients_session(), "token 0", BOTH)
        self.chain, self.used_at = ["token 0"], {}
        self.proposed = []
        """Successors that were proposed and not taken: worth nothing."""
        self.alive = True

    def teardown(self):
        self.stack.close()

    @rule(seconds=st.sampled_from([1, 14, 15, 16, 30, 31]))
    def time_passes(self, seconds):
        self.now += seconds * SECOND

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), client=CLIENTS)
    def a_token_is_used(self, data, client):
        # The last two are where it matters; any other ends the family at once.
        token = data.draw(st.sampled_from(self.chain[-2:]) | st.sampled_from(self.chain))
        successor = f"token {len(self.chain)}.{len(self.proposed)}"
        got = self.store.refresh_tokens.rotate(token, client, successor, self.now)
        if client != "cli":
            assert got is None
        elif token == self.chain[-1]:
            assert got == Rotated(successor, "c1", BOTH, again=False)
            self.used_at[token] = self.now
            self.chain.append(successor)
            return
        elif token == self.chain[-2] and self.now - self.used_at[token] <= GRACE:
            assert got == Rotated(self.chain[-1], "c1", BOTH, again=True)
        else:
            assert got == Reused("c1", ended=True)
            self.alive = False
        self.proposed.append(successor)

    @rule()
    def the_session_is_ended(self):
        assert self.store.sessions.end("c1", self.now) is self.alive
        self.alive = False

    @rule()
    def what_is_over_is_forgotten(self):
        self.store.sessions.expire(self.now)

    @invariant()
    def one_token_lives_while_the_session_does_and_none_afterwards(self):
        if not hasattr(self, "store"):
            return
        found = {
            token: held
            for token in (*self.chain, *self.proposed)
            if (held := self.store.refresh_tokens.find(token, "cli", self.now)) is not None
        }
        if not self.alive:
            assert found == {}
            assert self.store.sessions.by_id("c1", self.now) is None
            return
        assert [token for token, held in found.items() if held.current] == [self.chain[-1]]
        assert set(found) == set(self.chain)

    @invariant()
    def nobody_elses_session_is_ended(self):
        if hasattr(self, "store") and self.now < session().idle_at:
            assert self.store.sessions.find("thief", self.now) is not None


Family.TestCase.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestFamily = Family.TestCase
