"""Local people as they are run: every change a version on record, two administrators for a lost device, root watched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.admin import Administration, By, UserChange, inline_name
from app.admin.users import told_change
from app.audit import AuditWriter
from app.errors import (
    AskRefused,
    AuditUnavailable,
    PersonUnknown,
    Refusal,
    SecondPersonNeeded,
    SessionUnknown,
    Unavailable,
    Unknown,
    UserChanged,
    UserInvalid,
    UserTaken,
    UserUnknown,
)
from app.model import AuditKind, SourceId
from app.people import LOCAL, ROOT, ROOT_SUBJECT, Account, Alert, Factor, LocalUser, RootUse, UserState
from app.policy import PolicyInvalid
from app.store import Search, open_store
from tests.configuration.builders import ENVIRON, FILES
from tests.store.builders import NOW, identity, session
from tests.store.databases import fresh, sealer

HOUR = timedelta(hours=1)
ANN, BOB = By.operator("operator ann"), By("corp/bob", "corp/b1", source="corp", subject="b1", username="bob")
ALLOW = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}
)


@dataclass
class Clock:
    at: datetime = NOW

    def now(self) -> datetime:
        return self.at


@dataclass
class Told:
    alerts: list[Alert] = field(default_factory=list)

    def tell(self, alert: Alert) -> None:
        self.alerts.append(alert)


class House:
    """An administration over a store of its own, with the example configuration active."""

    def __init__(self, folder: Path, url: str) -> None:
        self.clock, self.told, self.folder = Clock(), Told(), folder
        self.store = open_store(url, sealer())
        for path, content in FILES.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            mail = "mail: {host: localhost, from: daypass@acme.test}\n" if path == "daypass.yaml" else ""
            (folder / path).write_text(content + mail, "utf-8")
        self.door = Administration(
            revisions=self.store.revisions,
            people=self.store.people,
            audit=AuditWriter(self.store.audit, self.clock),
            clock=self.clock,
            folder=folder,
            environ=dict(ENVIRON),
            store=self.store,
            notices=self.told,
        )
        loaded = self.door.check()
        assert loaded.revision is not None, loaded.problems
        self.door.adopt(loaded.revision)

    def edit(self, path: str, old: str, new: str) -> None:
        """Change a file of the configuration, and make that active."""
        text = (self.folder / path).read_text("utf-8")
        assert old in text
        (self.folder / path).write_text(text.replace(old, new), "utf-8")
        loaded = self.door.check()
        assert loaded.revision is not None, loaded.problems
        self.door.adopt(loaded.revision)

    def user(self, username: str = "nina", /, **change: object) -> LocalUser:
        return self.door.create_user(username, UserChange(**change), by=ANN)  # type: ignore[arg-type]

    def change(self, user: LocalUser, **change: object) -> LocalUser:
        latest = self.door.user(user.id)
        return self.door.change_user(user.id, latest.version, UserChange(**change), by=ANN)  # type: ignore[arg-type]

    def records(self, kind: AuditKind) -> list[dict[str, object]]:
        found = self.store.audit.search(Search(kind=kind))
        return [json.loads(each.record.detail) for each in reversed(found)]

    def factor(self, source: SourceId, subject: str, kind: str = "totp", **facts: str) -> Factor:
        made = Factor(
            id=f"{len(self.store.factors.of(source, subject)):08x}" + subject[:8].ljust(8, "0"),
            source=source,
            subject=subject,
            kind=kind,  # type: ignore[arg-type]
            name="Phone",
            enrolled_at=self.clock.at,
            space="s",
            facts=facts or {"secret": "JBSWY3DPEHPK3PXP"},
        )
        assert self.store.factors.add(made, 8)
        return made


@contextmanager
def refused(kind: type[Refusal], words: str) -> Iterator[None]:
    """What a person reads is in `words`; the exception's own text is the operator's."""
    with pytest.raises(kind) as caught:
        yield
    assert words in caught.value.words


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with fresh("sqlite", tmp_path) as url:
        made = House(tmp_path, url)
        yield made
        made.store.close()


# --- users ------------------------------------------------------------------------------------------


def test_a_new_user_can_do_nothing_and_is_on_record(house: House) -> None:
    made = house.user()
    assert (made.groups, made.policies, made.inline, made.boundary) == ((), (), (), None)
    assert made.version == 1 and made.by == "operator ann"
    assert house.door.user("nina") == house.door.user(made.id) == house.door.user("local/nina")
    (record,) = house.records(AuditKind.USER_CREATED)
    assert record["by"] == "operator ann" and record["username"] == "nina"


@pytest.mark.parametrize(
    ("username", "change", "told"),
    [
        ("0123456789abcdef", {}, "what ids look like"),
        ("Nina", {}, "username"),
        ("", {}, "username"),
        ("../etc", {}, "username"),
        ("n" * 65, {}, "username"),
        ("nina", {"name": "n" * 129}, "name"),
        ("nina", {"name": "a\nb"}, "name"),
        ("nina", {"email": "two@acme.test, three@acme.test"}, "email"),
        ("nina", {"email": "a@b\r\nBcc: all@acme.test"}, "email"),
        ("nina", {"groups": ("engineerin",)}, "Did you mean `engineering`?"),
        ("nina", {"groups": ("app/photo-app",)}, "alone says who is in it"),
        ("nina", {"policies": ("aws:PowerUser",)}, "Did you mean `aws:PowerUserAccess`?"),
        ("nina", {"boundary": "nothing-like-it"}, "no policy"),
        ("nina", {"boundary": "aws:AdministratorAccess"}, "boundary caps"),
        ("nina", {"inline": {"a b": ALLOW}}, "inline policy"),
    ],
)
def test_what_no_user_can_be_is_refused_with_what_to_write_and_nothing_is_kept(
    house: House, username: str, change: dict[str, object], told: str
) -> None:
    with pytest.raises(UserInvalid) as refused:
        house.user(username, **change)
    assert told in refused.value.words
    assert house.door.users() == [] and house.records(AuditKind.USER_CREATED) == []


def test_an_inline_document_that_iam_refuses_is_refused(house: House) -> None:
    with pytest.raises(PolicyInvalid):
        house.user(inline={"p": '{"Statement": []}'})
    with refused(UserInvalid, "2048"):
        wide = json.loads(ALLOW)
        wide["Statement"][0]["Resource"] = [f"arn:aws:iam::111122223333:role/{n:040}" for n in range(40)]
        house.user(inline={"p": json.dumps(wide)})
    assert [inline_name(each) for each in house.user(inline={"p": ALLOW}).inline] == ["p"]


def test_a_name_is_taken_once_and_free_again_after_a_deletion(house: House) -> None:
    first = house.user()
    with pytest.raises(UserTaken):
        house.user()
    house.door.delete_user(first.id, 1, by=ANN)
    second = house.user()
    assert second.id != first.id
    with pytest.raises(UserUnknown):
        house.change(first, name="Again")


def test_each_change_is_a_version_and_the_past_has_answers(house: House) -> None:
    made = house.user()
    house.clock.at += HOUR
    house.change(made, groups=("engineering",))
    house.clock.at += HOUR
    latest = house.change(made, groups=(), policies=("aws:ReadOnlyAccess",))
    assert latest.version == 3
    assert house.door.user("nina", NOW).groups == ()
    assert house.door.user("nina", NOW + HOUR).groups == ("engineering",)
    assert house.door.user("nina", NOW + 2 * HOUR).policies == ("aws:ReadOnlyAccess",)
    with pytest.raises(UserUnknown):
        house.door.user("nina", NOW - HOUR)
    changed = house.records(AuditKind.USER_CHANGED)
    assert changed[0]["changes"] == {"groups": {"from": [], "to": ["engineering"]}}
    assert [each["version"] for each in changed] == [2, 3]
    back = house.door.restore_user(made.id, 2, 3, by=ANN)
    assert (back.version, back.groups, back.policies) == (4, ("engineering",), ())


def test_what_changes_nothing_makes_no_version(house: House) -> None:
    made = house.user()
    assert house.change(made, groups=()).version == 1
    assert house.records(AuditKind.USER_CHANGED) == []


def test_a_change_of_an_older_version_is_refused(house: House) -> None:
    made = house.user()
    house.change(made, name="Nina")
    with pytest.raises(UserChanged):
        house.door.change_user(made.id, 1, UserChange(name="Other"), by=BOB)
    with pytest.raises(UserChanged):
        house.door.delete_user(made.id, 1, by=BOB)
    assert house.door.user(made.id).name == "Nina"


def test_a_policy_that_went_meanwhile_stays_until_it_is_touched(house: House) -> None:
    made = house.user(policies=("aws:ReadOnlyAccess",))
    # As if a revision had taken it away: what a user has already is not asked again.
    gone = UserChange(policies=("aws:ReadOnlyAccess", "office-hours"))
    with pytest.raises(UserInvalid):
        house.door.change_user(made.id, 1, UserChange(policies=("gone",)), by=ANN)
    assert gone.of(made).policies == ("aws:ReadOnlyAccess", "office-hours")


def test_without_a_record_nothing_is_changed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    made = house.user()

    def lost(*_: object) -> None:
        raise AuditUnavailable

    monkeypatch.setattr(house.store.audit, "append", lost)
    with pytest.raises(AuditUnavailable):
        house.change(made, groups=("engineering",))
    with pytest.raises(AuditUnavailable):
        house.user("other")
    with pytest.raises(AuditUnavailable):
        house.door.password_link(made.id, by=ANN)
    assert house.door.user("nina").version == 1 and len(house.door.users()) == 1


def test_whoever_is_disabled_is_signed_out_and_comes_back_by_enabling(house: House) -> None:
    made = house.user()
    house.store.sessions.add("cookie", session(identity=identity(source=LOCAL, subject=made.id)))
    link = house.door.password_link(made.id, by=ANN)
    epoch = house.store.users.epoch(made.id)
    house.change(made, state=UserState.DISABLED)
    assert house.store.sessions.of(LOCAL, made.id, house.clock.at) == []
    assert house.store.users.epoch(made.id) != epoch
    assert house.store.links.peek(link.partition("t=")[2], NOW) is None
    with refused(UserInvalid, "disabled"):
        house.door.password_link(made.id, by=ANN)
    assert house.change(made, state=UserState.ACTIVE).state is UserState.ACTIVE


def test_a_deleted_user_loses_factors_too_and_no_version_brings_them_back(house: House) -> None:
    made = house.user()
    house.factor(LOCAL, made.id)
    house.door.delete_user(made.id, 1, by=ANN)
    assert house.store.factors.of(LOCAL, made.id) == []
    with pytest.raises(UserUnknown):
        house.door.restore_user(made.id, 1, 2, by=ANN)


def test_a_link_is_on_record_but_not_what_it_says(house: House) -> None:
    made = house.user(email="nina@acme.test")
    url = house.door.password_link(made.id, by=ANN)
    token = url.partition("t=")[2]
    assert len(token) >= 43 and house.store.links.peek(token, NOW) is not None
    assert house.told.alerts == []
    assert house.door.password_link(made.id, by=ANN, send=True) == ""
    (mailed,) = house.told.alerts
    assert mailed.to == "nina@acme.test" and "/link?t=" in mailed.text
    assert house.store.links.peek(token, NOW) is None  # the newer one counts
    everything = " ".join(each.record.detail for each in house.store.audit.search(Search()))
    assert token not in everything and mailed.text.partition("t=")[2].split()[0] not in everything
    house.edit("daypass.yaml", "mail: {host: localhost, from: daypass@acme.test}\n", "")
    with refused(UserInvalid, "No mail is configured"):
        house.door.password_link(made.id, by=ANN, send=True)
    with refused(UserInvalid, "no address"):
        house.door.password_link(house.user("otto").id, by=ANN, send=True)


def test_a_first_link_is_good_for_a_day_and_a_later_one_for_an_hour(house: House) -> None:
    made = house.user()
    first = house.door.password_link(made.id, by=ANN).partition("t=")[2]
    link = house.store.links.peek(first, NOW)
    assert link is not None and link.expires_at == NOW + timedelta(hours=24)
    assert house.store.users.set_account(Account(made.id, "$argon2id$x", NOW), NOW)
    later = house.door.password_link(made.id, by=ANN).partition("t=")[2]
    link = house.store.links.peek(later, NOW)
    assert link is not None and link.expires_at == NOW + HOUR


def test_who_reads_the_old_address_hears_of_the_new_one_and_can_use_no_link_any_more(house: House) -> None:
    made = house.user(email="nina@acme.test")
    token = house.door.password_link(made.id, by=ANN).partition("t=")[2]
    house.change(made, email="nina@elsewhere.test")
    (told,) = house.told.alerts
    assert (told.kind, told.to) == ("user.address", "nina@acme.test")
    assert "nina@elsewhere.test" not in told.text
    assert house.store.links.peek(token, NOW) is None
    house.change(made, email="")
    house.change(made, email="nina@acme.test")  # nobody is told where there was no address
    assert [alert.to for alert in house.told.alerts] == ["nina@acme.test", "nina@elsewhere.test"]


def test_a_link_of_before_does_not_open_what_came_after(house: House) -> None:
    made = house.user()
    first = house.door.password_link(made.id, by=ANN).partition("t=")[2]
    made = house.change(made, groups=("engineering",))
    assert house.store.links.peek(first, NOW) is not None  # a new user is still being made
    assert house.store.users.set_account(Account(made.id, "$argon2id$x", NOW), NOW)
    later = house.door.password_link(made.id, by=ANN).partition("t=")[2]
    made = house.change(made, name="Nina")
    assert house.store.links.peek(later, NOW) is not None
    house.change(made, groups=("engineering", "sre"))
    assert house.store.links.peek(later, NOW) is None


def test_a_change_is_no_deletion(house: House) -> None:
    made = house.user()
    with pytest.raises(UserInvalid):
        house.change(made, state=UserState.DELETED)


def test_whoever_has_a_policy_that_went_meanwhile_can_still_be_disabled_and_brought_back(
    house: House,
) -> None:
    made = house.user(policies=("no-secrets",), inline={"p": ALLOW})
    house.change(made, name="Nina")
    (house.folder / "policies/no-secrets.json").rename(house.folder / "policies/other.json")
    for path in ("accounts.yaml", "groups.yaml"):
        text = (house.folder / path).read_text("utf-8")
        (house.folder / path).write_text(text.replace("no-secrets", "other"), "utf-8")
    loaded = house.door.check()
    assert loaded.revision is not None, loaded.problems
    house.door.adopt(loaded.revision)
    with refused(UserInvalid, "There is no policy `no-secrets`."):
        house.user("otto", policies=("no-secrets",))
    assert house.change(made, state=UserState.DISABLED).policies == ("no-secrets",)
    assert house.door.restore_user(made.id, 1, 3, by=ANN).name == ""


def test_an_inline_policy_that_this_version_does_not_take_any_more_stands_in_no_ones_way(
    house: House,
) -> None:
    made = house.user(inline={"p": ALLOW})
    odd = replace(made.inline[0], text='{"Statement": []}')  # as an earlier version may have taken it
    house.store.users.change(replace(made, inline=(odd,)), 1, by="x", at=NOW)
    assert house.change(made, state=UserState.DISABLED).state is UserState.DISABLED


def test_what_happened_is_told_policy_by_policy() -> None:
    text = {"name": "p", "text": "1"}
    assert told_change({"from": ["a"], "to": []}) == "a → none"
    assert told_change({"from": "", "to": "Nina"}) == "none → Nina"
    assert told_change({"from": None, "to": "office"}) == "none → office"
    old, new = [text, {"name": "q", "text": "2"}], [{**text, "text": "3"}, {"name": "r", "text": "2"}]
    assert told_change({"from": old, "to": new}) == "r added, q taken away, p changed"


def test_two_at_once_make_one_version(house: House) -> None:
    made = house.user()
    with ThreadPoolExecutor(4) as pool:
        tried = [
            pool.submit(house.door.change_user, made.id, 1, UserChange(name=f"N{n}"), by=ANN)
            for n in range(4)
        ]
    failed = [each.exception() for each in tried if each.exception() is not None]
    assert len(failed) == 3 and all(isinstance(each, UserChanged) for each in failed)
    assert house.door.user(made.id).version == 2
    # Those who got as far as the record have it that nothing came of it.
    records = house.records(AuditKind.USER_CHANGED)
    assert sum("failed" in each for each in records) == sum("changes" in each for each in records) - 1


# --- a lost device ----------------------------------------------------------------------------------

WHY = "lost the phone, called back at her desk"


def test_two_administrators_bring_somebody_back(house: House) -> None:
    made = house.user(email="nina@acme.test")
    house.factor(LOCAL, made.id)
    house.store.sessions.add("cookie", session(identity=identity(source=LOCAL, subject=made.id)))
    asked = house.door.ask_recovery(LOCAL, made.id, "nina", WHY, by=ANN)
    assert len(house.store.factors.of(LOCAL, made.id)) == 1  # asking alone does nothing
    decided = house.door.decide_recovery(asked.id, approve=True, by=BOB)
    assert decided.approved and decided.decided_by == "corp/b1"
    assert (
        house.store.factors.of(LOCAL, made.id) == []
        and house.store.sessions.of(LOCAL, made.id, house.clock.at) == []
    )
    assert [alert.to for alert in house.told.alerts] == ["", "nina@acme.test"]
    assert house.records(AuditKind.RECOVERY_ASKED)[0]["reason"] == WHY
    assert house.records(AuditKind.RECOVERY_DECIDED)[0]["approved"] is True


def test_nobody_brings_somebody_back_alone(house: House) -> None:
    made = house.user()
    factor = house.factor(LOCAL, made.id)
    asked = house.door.ask_recovery(LOCAL, made.id, "nina", WHY, by=ANN)
    again = By("corp/ann", "operator ann")  # the same person under another name
    herself = By("local/nina", f"local/{made.id}", source="local", subject=made.id)
    for by in (ANN, again, herself):
        with pytest.raises(SecondPersonNeeded):
            house.door.decide_recovery(asked.id, approve=True, by=by)
    with refused(AskRefused, "waits already"):
        house.door.ask_recovery(LOCAL, made.id, "nina", WHY, by=BOB)
    assert [each.id for each in house.store.factors.of(LOCAL, made.id)] == [factor.id]


def test_a_request_is_decided_once_and_within_a_day(house: House) -> None:
    made = house.user()
    house.factor(LOCAL, made.id)
    asked = house.door.ask_recovery(LOCAL, made.id, "nina", WHY, by=ANN)
    assert house.door.decide_recovery(asked.id, approve=False, by=BOB).approved is False
    with pytest.raises(AskRefused):
        house.door.decide_recovery(asked.id, approve=True, by=BOB)
    late = house.door.ask_recovery(LOCAL, made.id, "nina", WHY, by=ANN)
    house.clock.at += timedelta(hours=25)
    with pytest.raises(AskRefused):
        house.door.decide_recovery(late.id, approve=True, by=BOB)
    assert len(house.store.factors.of(LOCAL, made.id)) == 1


def test_of_two_who_decide_at_once_one_does_and_the_record_says_so(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = house.user()
    house.factor(LOCAL, made.id)
    asked = house.door.ask_recovery(LOCAL, made.id, "nina", WHY, by=ANN)
    decide, cat = house.store.recoveries.decide, By.operator("operator cat")

    def late(id: str, **facts: object) -> bool:
        assert decide(id, approved=False, by="operator dan", now=house.clock.at)
        return decide(id, **facts)  # type: ignore[arg-type]

    monkeypatch.setattr(house.store.recoveries, "decide", late)
    with refused(AskRefused, "decided already"):
        house.door.decide_recovery(asked.id, approve=True, by=cat)
    assert len(house.store.factors.of(LOCAL, made.id)) == 1
    told, failed = house.records(AuditKind.RECOVERY_DECIDED)
    assert told["approved"] is True and failed["failed"] == "decided or late"
    monkeypatch.undo()
    with refused(AskRefused, "decided already"):  # and what is known beforehand is not on record as done
        house.door.decide_recovery(asked.id, approve=True, by=BOB)
    assert len(house.records(AuditKind.RECOVERY_DECIDED)) == 2


@pytest.mark.parametrize("reason", ["", "short", " " * 20, "x" * 501])
def test_a_request_needs_a_reason(house: House, reason: str) -> None:
    made = house.user()
    house.factor(LOCAL, made.id)
    with refused(AskRefused, "Say why"):
        house.door.ask_recovery(LOCAL, made.id, "nina", reason, by=ANN)


def test_there_is_nothing_to_bring_back_without_factors_and_root_has_its_own_way(house: House) -> None:
    made = house.user()
    with refused(AskRefused, "no second factor"):
        house.door.ask_recovery(LOCAL, made.id, "nina", WHY, by=ANN)
    with refused(AskRefused, "root setup"):
        house.door.ask_recovery(ROOT, ROOT_SUBJECT, "root", WHY, by=ANN)


def test_a_second_person_was_there_before_the_request(house: House) -> None:
    made = house.user()
    factor = house.factor(LOCAL, made.id)
    there, off = house.user("there"), house.user("off", state=UserState.DISABLED)
    house.clock.at += HOUR
    asked = house.door.ask_recovery(LOCAL, made.id, "nina", WHY, by=ANN)
    house.clock.at += HOUR
    house.change(off, state=UserState.ACTIVE)
    for late in (house.user("late"), off):
        with refused(SecondPersonNeeded, "was there already"):
            house.door.decide_recovery(asked.id, approve=True, by=local(late))
    assert [each.id for each in house.store.factors.of(LOCAL, made.id)] == [factor.id]
    assert house.door.decide_recovery(asked.id, approve=True, by=local(there)).approved


def local(user: LocalUser) -> By:
    return By(f"local/{user.username}", f"local/{user.id}", source="local", subject=user.id)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("operator ann", "operator bob", False),
        ("operator ann", "operator root (ann)", True),
        ("operator daypass (ann)", "operator daypass (bob)", False),
        ("operator bob (ann)", "operator ann", True),
    ],
)
def test_an_operator_is_one_person_whatever_account_they_became(one: str, other: str, same: bool) -> None:
    assert (By.operator(one).key == By.operator(other).key) is same


def test_a_person_is_found_by_name_source_and_id(house: House) -> None:
    made = house.user("otto")
    house.store.people.seen(identity(subject="u-1", username="ana"), (), NOW, 1)
    house.store.people.seen(identity(subject="u-2", username="otto"), (), NOW, 1)
    for who in ("local/otto", made.id, f"local/{made.id}"):
        assert house.door.whom(who) == (LOCAL, made.id, "otto")
    for who in ("ana", "corp/ana", "corp/u-1"):
        assert house.door.whom(who) == ("corp", "u-1", "ana")
    with refused(AskRefused, "corp/otto, local/otto"):
        house.door.whom("otto")
    with pytest.raises(PersonUnknown):
        house.door.whom("nobody")
    assert house.door.called(f"local/{made.id}") == "local/otto"
    assert house.door.called("corp/u-1") == "corp/ana"
    assert house.door.called("operator ann") == "operator ann" and house.door.called("corp/x") == "corp/x"


# --- sessions ---------------------------------------------------------------------------------------


def test_sessions_are_ended_one_or_all(house: House) -> None:
    made = house.user()
    for number in range(3):
        house.store.sessions.add(
            f"cookie {number}", session(f"s{number}", identity=identity(source=LOCAL, subject=made.id))
        )
    house.door.end_session(LOCAL, made.id, "s1", by=ANN)
    with pytest.raises(SessionUnknown):
        house.door.end_session(LOCAL, "somebody else", "s0", by=ANN)
    assert {each.id for each in house.door.sessions_of(LOCAL, made.id)} == {"s0", "s2"}
    assert house.door.end_sessions(LOCAL, made.id, by=ANN) == 2


# --- root -------------------------------------------------------------------------------------------


def test_the_set_up_link_is_told_but_nowhere_written(house: House) -> None:
    url = house.door.set_up_root(by=ANN)
    token = url.partition("t=")[2]
    link = house.store.links.peek(token, NOW)
    assert link is not None and link.purpose == "root" and link.expires_at == NOW + timedelta(minutes=15)
    (alert,) = house.told.alerts
    assert alert.kind == "root.setup" and token not in f"{alert}"
    assert token not in " ".join(each.record.detail for each in house.store.audit.search(Search()))
    assert house.store.links.peek(token, NOW + timedelta(minutes=15, seconds=1)) is None
    assert not house.door.root_state().ready


def test_a_link_that_nobody_uses_leaves_root_as_it_was(house: House) -> None:
    house.door.set_up_root(by=ANN)
    assert house.store.users.set_account(Account(ROOT_SUBJECT, "$argon2id$x", NOW), NOW)
    for _ in range(2):
        house.factor(ROOT, ROOT_SUBJECT)
    assert house.door.root_state().ready
    house.door.set_up_root(by=ANN)
    assert house.door.root_state().ready


def test_a_use_stays_open_until_somebody_else_signs_it_off(house: House) -> None:
    use = RootUse("u1", NOW, "the directory is down", "192.0.2.1", "s1", NOW + timedelta(minutes=15))
    house.store.root_uses.add(use)
    root = By("root/root", "root/root", source="root", subject="root")
    note = "looked at the record, in order"
    with pytest.raises(SecondPersonNeeded):
        house.door.sign_off_root("u1", note, by=root)
    with refused(AskRefused, "Say what you found"):
        house.door.sign_off_root("u1", "ok", by=BOB)
    with pytest.raises(Unknown):
        house.door.sign_off_root("u2", note, by=BOB)
    assert house.door.root_state().open_uses == 1
    house.door.sign_off_root("u1", note, by=BOB)
    assert house.door.root_state().open_uses == 0
    with refused(AskRefused, "already"):
        house.door.sign_off_root("u1", note, by=ANN)
    assert house.door.root_uses()[0].signed_off_by == "corp/bob"


def test_whom_root_could_have_made_or_become_signs_nothing_off(house: House) -> None:
    before, renewed = house.user("before"), house.user("renewed")
    house.clock.at += HOUR
    house.store.root_uses.add(RootUse("u1", house.clock.at, "drill", "192.0.2.1", "s", house.clock.at))
    house.clock.at += HOUR
    after, note = house.user("after"), "looked at the record, in order"
    password = Account(renewed.id, "$argon2id$x", house.clock.at)
    assert house.store.users.set_account(password, house.clock.at)
    for user in (after, renewed):
        with refused(SecondPersonNeeded, "was there already when root was used"):
            house.door.sign_off_root("u1", note, by=local(user))
    house.door.sign_off_root("u1", note, by=local(before))
    assert house.door.root_state().open_uses == 0


# --- keys -------------------------------------------------------------------------------------------


def test_without_the_keys_nothing_of_local_people_is_to_be_had(house: House, tmp_path: Path) -> None:
    bare = Administration(
        revisions=house.store.revisions,
        people=house.store.people,
        audit=AuditWriter(house.store.audit, house.clock),
        clock=house.clock,
        folder=tmp_path,
        environ={},
    )
    with pytest.raises(Unavailable):
        bare.users()
