"""The door, in one process with real parts: what a changed configuration ends, and what a failing step gives out."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app import wiring
from app.audit import AuditWriter
from app.errors import AuditUnavailable, NotSignedIn, RoleUnknown, SignInNotOurs, StoreUnavailable
from app.model import RoleAsk, SourceId
from app.store import Search
from app.store.people import People
from app.store.sessions import Sessions
from tests.house import CALLER, READ_ONLY, FakeAws, House, opened
from tests.signin.saml.builders import Idp, rsa_key


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with opened(tmp_path, monkeypatch) as made:
        yield made


# --- the configuration changes while somebody is signed in --------------------------------------------------


def other_directory(house: House) -> None:
    (house.config / "corp-metadata.xml").write_bytes(Idp(key=rsa_key("labs")).metadata())


def other_subject(house: House) -> None:
    house.edit("providers/corp.yaml", "subject: NameID", "subject: uid")


def other_groups_claim(house: House) -> None:
    house.edit("providers/corp.yaml", "groups: memberOf", "groups: roles")


def other_mfa(house: House) -> None:
    house.edit("providers/corp.yaml", "MobileTwoFactorContract", "X509")


CHANGES = (other_directory, other_subject, other_groups_claim, other_mfa)


@pytest.mark.parametrize("change", CHANGES)
def test_what_another_directory_said_under_this_sources_name_counts_no_more(
    house: House, change: Callable[[House], None]
):
    token = house.sign_in()
    house.ask(token)
    change(house)
    house.apply()
    with pytest.raises(NotSignedIn):
        house.ask(token)


@pytest.mark.parametrize("change", CHANGES)
def test_a_sign_in_that_was_begun_before_does_not_finish_on_what_is_believed_no_more(
    house: House, change: Callable[[House], None]
):
    proof = house.begin()
    change(house)
    house.apply()
    with pytest.raises(SignInNotOurs):
        house.broker.sign_in(proof, caller=CALLER)


def test_what_is_applied_anew_at_each_question_ends_no_session_and_no_sign_in(house: House):
    token, proof = house.sign_in(), house.begin()
    house.edit("providers/corp.yaml", "label: Acme staff", "label: Staff")
    house.edit("accounts.yaml", "description: Look, don't touch", "description: Look")
    house.apply()
    house.ask(token)
    house.ask(house.broker.sign_in(proof, caller=CALLER).token)
    house.edit("providers/corp.yaml", "CN=Engineering,", "CN=Renamed,")
    house.edit("providers/corp.yaml", "  sre: sre", "  oncall: sre")
    house.apply()
    with pytest.raises(RoleUnknown):
        house.ask(token)


def test_a_provider_that_is_removed_ends_its_sessions_and_a_lowered_maximum_counts(house: House):
    token, proof = house.sign_in(), house.begin()
    house.edit("accounts.yaml", "level: read", "level: read\n      max_duration: 15m")
    house.apply()
    house.ask(token)
    assert FakeAws.asked[-1].duration == timedelta(minutes=15)
    assert FakeAws.asked[-1].policy is not None
    (house.config / "providers" / "corp.yaml").rename(house.config / "providers" / "staff.yaml")
    house.apply()
    with pytest.raises(NotSignedIn):
        house.ask(token)
    with pytest.raises(SignInNotOurs):
        house.broker.sign_in(proof, caller=CALLER)


def test_a_shorter_life_of_sessions_counts_for_those_that_are_there(house: House):
    token = house.sign_in()
    house.clock.at += timedelta(hours=1)
    house.broker.session(token, caller=CALLER)
    house.edit("daypass.yaml", "lifetime: 12h, idle: 2h", "lifetime: 1h, idle: 15m")
    house.apply()
    with pytest.raises(NotSignedIn):
        house.broker.session(token, caller=CALLER)


def test_a_revision_that_cannot_be_built_here_is_not_ready_and_the_running_one_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    token = house.sign_in()
    assert house.broker.ready()["revision"]
    tried = []

    def broken(revision: object) -> None:
        tried.append(revision)
        raise ValueError("a defect of ours")

    house.edit("providers/corp.yaml", "label: Acme staff", "label: Staff")
    house.apply()
    monkeypatch.setattr(wiring.registry, "make", lambda *_: broken(_))
    for _ in range(4):
        house.ask(token)
        house.clock.at += timedelta(seconds=2)
    assert len(tried) == 1  # and not at each look
    assert house.broker.ready() == {"database": True, "audit": True, "revision": False, "keys": True}
    monkeypatch.undo()
    monkeypatch.setattr(wiring, "Aws", FakeAws)
    house.clock.at += timedelta(seconds=10)
    assert house.broker.ready()["revision"]


def test_no_revision_is_active_that_is_not_on_record(house: House, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise AuditUnavailable

    assert house.kinds() == ["revision.activated"]
    house.edit("providers/corp.yaml", "label: Acme staff", "label: Staff")
    with monkeypatch.context() as patched:
        patched.setattr(AuditWriter, "record", full)
        with pytest.raises(AuditUnavailable):
            house.apply()
    assert house.store.revisions.latest_number() == 1
    house.apply()
    house.apply()  # unchanged
    assert house.store.revisions.latest_number() == 2
    assert house.kinds() == ["revision.activated"] * 2


def test_where_the_keys_are_is_said_by_the_configuration_and_by_nothing_outside(house: House, tmp_path: Path):
    elsewhere = tmp_path / "elsewhere"
    wiring.wire(
        {**house.environ, "DAYPASS_KEYS": str(elsewhere)}, clock=house.clock, apply=True
    ).store.close()
    assert not elsewhere.exists()
    wiring.wire({**house.environ, "DAYPASS_KEYS": str(elsewhere)}, clock=house.clock).store.close()
    assert elsewhere.exists()  # a worker goes by what `serve` handed down


# --- a step fails -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "defect", [ValueError("secret"), MemoryError(), RecursionError(), KeyError("secret")]
)
@pytest.mark.parametrize("console", [False, True])
def test_a_defect_after_asked_is_on_record_as_failed_without_its_words(
    house: House, defect: Exception, console: bool
):
    session = house.broker.session(house.sign_in(), caller=CALLER)
    FakeAws.raises = defect
    with pytest.raises(type(defect)):
        if console:
            house.broker.console_link(session, RoleAsk(READ_ONLY), None, caller=CALLER)
        else:
            house.broker.credentials(session, RoleAsk(READ_ONLY), caller=CALLER)
    noun = "console" if console else "credentials"
    assert house.kinds()[-2:] == [f"{noun}.asked", f"{noun}.failed"]
    assert "secret" not in str(house.store.audit.search(Search(limit=1)))


@pytest.mark.parametrize("lost", [1, 2])
def test_without_asked_nobody_is_asked_and_without_issued_nothing_is_given(
    house: House, monkeypatch: pytest.MonkeyPatch, lost: int
):
    session = house.broker.session(house.sign_in(), caller=CALLER)
    real, seen = AuditWriter.record, []

    def record(self: AuditWriter, event: object) -> None:
        seen.append(event)
        if len(seen) == lost:
            raise AuditUnavailable
        real(self, event)  # type: ignore[arg-type]

    monkeypatch.setattr(AuditWriter, "record", record)
    with pytest.raises(AuditUnavailable):
        house.broker.credentials(session, RoleAsk(READ_ONLY), caller=CALLER)
    assert len(FakeAws.asked) == lost - 1


@pytest.mark.parametrize(("owner", "step"), [(People, "seen"), (Sessions, "end"), (Sessions, "add")])
def test_a_sign_in_whose_last_steps_fail_opens_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, owner: type, step: str
):
    previous = house.sign_in()
    proof = house.begin()

    def broken(*_: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(owner, step, broken)
    with pytest.raises(StoreUnavailable):
        house.broker.sign_in(proof, caller=CALLER, previous=previous)
    monkeypatch.undo()
    with pytest.raises(SignInNotOurs):  # and its proof is spent
        house.broker.sign_in(proof, caller=CALLER)
    assert len(house.store.sessions.of(SourceId("corp"), "ana-4f1c")) <= 1  # no more than the previous one
