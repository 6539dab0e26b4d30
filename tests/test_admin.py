"""Revisions: planned, applied as planned, looked back at, brought back; on record before they count."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.admin import Administration, Plan
from app.audit import AuditWriter
from app.errors import (
    AskRefused,
    AuditUnavailable,
    PersonUnknown,
    RevisionChanged,
    RevisionUnknown,
    RevisionUnusable,
    Unknown,
)
from app.model import Authentication, Group, Identity, SourceId
from app.policy import PolicyInvalid
from app.store import AuditRecords, People, Revisions, Search, open_database
from tests.configuration.builders import ENVIRON, FILES
from tests.store.builders import NOW
from tests.store.databases import fresh

HOUR = timedelta(hours=1)
GROUPS = {"dev": "Engineering", "sre": "Ops", "ext": "contractors"}
WIDER = FILES["accounts.yaml"].replace("allow: [sre]", "allow: [sre, engineering]")
BROKEN = FILES["accounts.yaml"].replace("allow:", "alow:")


@dataclass
class Clock:
    at: datetime = NOW

    def now(self) -> datetime:
        return self.at


@dataclass
class Desk:
    """An administration over a folder and a database of its own."""

    folder: Path
    url: str
    clock: Clock = field(default_factory=Clock)
    environ: dict[str, str] = field(default_factory=lambda: dict(ENVIRON))

    def __post_init__(self) -> None:
        self.database = open_database(self.url)
        self.revisions, self.people = Revisions(self.database), People(self.database)
        self.audit = AuditRecords(self.database)
        self.door = self.another()
        for path, content in FILES.items():
            self.write(path, content)

    def another(self) -> Administration:
        return Administration(
            revisions=self.revisions,
            people=self.people,
            audit=AuditWriter(self.audit, self.clock),
            clock=self.clock,
            folder=self.folder,
            environ=self.environ,
        )

    def write(self, path: str, content: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(content, "utf-8")

    def plan(self) -> Plan:
        loaded = self.door.check()
        assert loaded.revision is not None, loaded.problems
        return self.door.plan(loaded.revision)

    def apply(self) -> int:
        self.clock.at += HOUR
        return self.door.activate(self.plan(), by="operator test")

    def roll_back(self, number: int) -> int:
        self.clock.at += HOUR
        return self.door.activate(self.door.plan_rollback(number), by="operator test")

    def restart(self) -> int:
        self.clock.at += HOUR
        loaded = self.door.check()
        assert loaded.revision is not None
        return self.another().adopt(loaded.revision)

    def sign_in(self, name: str, group: str, source: str = "corp", **more: str) -> None:
        groups = ("memberOf" if source == "corp" else "groups", (GROUPS[group],))
        identity = Identity(
            SourceId(source), f"{name}-1", name, dict([groups]), Authentication(self.clock.at)
        )
        self.people.seen(identity, [], self.clock.at, 1)

    def records(self) -> list[tuple[str, dict[str, object]]]:
        found = self.audit.search(Search(kind=None))
        return [(each.record.kind, json.loads(each.record.detail)) for each in reversed(found)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with fresh("sqlite", tmp_path) as url:
        made = Desk(tmp_path / "config", url)
        yield made
        made.database.close()


# --- plan and apply -----------------------------------------------------------------------------------


def test_a_change_is_planned_applied_and_on_record(desk: Desk) -> None:
    assert desk.apply() == 1
    desk.sign_in("ana", "dev")
    desk.write("accounts.yaml", WIDER)
    plan = desk.plan()
    assert [(each.path, each.before, each.after) for each in plan.files] == [
        ("accounts.yaml", FILES["accounts.yaml"], WIDER)
    ]
    assert [
        (s.people[0].identity.username, [(t.turn.value, t.role.name, t.privileged) for t in s.turns])
        for s in plan.shifts
    ] == [("ana", [("gains", "Admin", True)])]
    assert (plan.active, plan.people, plan.changes) == (1, 1, True)
    assert desk.door.activate(plan, by="operator test") == 2
    assert desk.revisions.latest().files["accounts.yaml"] == WIDER
    kind, detail = desk.records()[-1]
    assert (kind, detail) == (
        "revision.activated",
        {"by": "operator test", "digest": plan.revision.digest, "number": 2},
    )


def test_a_plan_changes_nothing(desk: Desk) -> None:
    desk.plan()
    assert desk.door.history() == []
    assert desk.records() == []


def test_the_same_folder_keeps_its_number(desk: Desk) -> None:
    assert (desk.apply(), desk.apply()) == (1, 1)
    assert not desk.plan().changes
    assert len(desk.records()) == 1


def test_what_was_planned_on_another_revision_is_refused(desk: Desk) -> None:
    desk.apply()
    desk.write("accounts.yaml", WIDER)
    plan = desk.plan()
    desk.write("groups.yaml", "sre: {description: x}\n")
    assert desk.apply() == 2
    with pytest.raises(RevisionChanged):
        desk.door.activate(plan, by="operator late")
    assert desk.revisions.latest_number() == 2


def test_a_plan_without_changes_brings_nothing_back_that_was_replaced_meanwhile(desk: Desk) -> None:
    desk.apply()
    plan = desk.plan()
    assert not plan.changes
    desk.write("groups.yaml", "sre: {description: x}\n")
    assert desk.apply() == 2
    on_record = desk.records()
    with pytest.raises(RevisionChanged):
        desk.door.activate(plan, by="operator late")
    assert desk.revisions.latest_number() == 2
    assert desk.records() == on_record


def test_an_activation_that_loses_the_race_is_put_right_on_record(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.apply()
    desk.write("accounts.yaml", WIDER)
    plan = desk.plan()
    # Another host between our look and our write.
    look = desk.revisions.latest_number()
    desk.revisions.activate("e" * 64, {"x": "y"}, desk.clock.at)
    monkeypatch.setattr(Revisions, "latest_number", lambda self: look)
    with pytest.raises(RevisionChanged):
        desk.door.activate(plan, by="operator late")
    assert [kind for kind, _ in desk.records()[-2:]] == ["revision.activated", "revision.failed"]
    assert desk.records()[-1][1]["code"] == "revision.changed"


def test_what_cannot_be_put_on_record_does_not_become_active(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: AuditRecords, records: object) -> None:
        raise AuditUnavailable("disk full")

    plan = desk.plan()
    monkeypatch.setattr(AuditRecords, "append", full)
    with pytest.raises(AuditUnavailable):
        desk.door.activate(plan, by="operator test")
    assert desk.revisions.latest_number() is None


def test_a_broken_folder_is_no_plan(desk: Desk) -> None:
    desk.apply()
    desk.write("accounts.yaml", BROKEN)
    assert desk.door.check().revision is None
    assert desk.revisions.latest_number() == 1


def test_an_active_revision_that_cannot_be_read_any_more_can_be_replaced(desk: Desk) -> None:
    desk.revisions.activate("a" * 64, {"daypass.yaml": "version: 0"}, NOW)
    desk.sign_in("ana", "sre")
    plan = desk.plan()
    assert "version" in plan.unreadable
    assert (plan.shifts, plan.changes) == ((), True)
    assert desk.apply() == 2


# --- rollback and restart -----------------------------------------------------------------------------


def test_a_rollback_is_a_new_revision_with_the_old_files(desk: Desk) -> None:
    desk.apply()
    desk.sign_in("ana", "dev")
    desk.write("accounts.yaml", WIDER)
    desk.apply()
    plan = desk.door.plan_rollback(1)
    assert [turn.turn.value for shift in plan.shifts for turn in shift.turns] == ["loses"]
    assert desk.roll_back(1) == 3
    latest = desk.revisions.latest()
    assert (latest.files, latest.restores) == (desk.revisions.get(1).files, 1)
    assert desk.records()[-1][1]["restores"] == 1


def test_a_restart_does_not_undo_a_rollback_and_a_changed_folder_is_applied(desk: Desk) -> None:
    desk.apply()
    desk.write("accounts.yaml", WIDER)
    desk.apply()
    desk.roll_back(1)
    assert desk.restart() == desk.restart() == 3
    desk.write("groups.yaml", "sre: {description: x}\n")
    assert desk.restart() == 4
    assert desk.revisions.latest().files["accounts.yaml"] == WIDER


def test_the_folder_can_be_applied_again_after_a_rollback(desk: Desk) -> None:
    desk.apply()
    desk.write("accounts.yaml", WIDER)
    desk.apply()
    desk.roll_back(1)
    assert desk.plan().changes
    assert desk.apply() == 4
    assert desk.restart() == 4


def test_a_folder_that_follows_a_rollback_and_then_changes_back_is_applied(desk: Desk) -> None:
    desk.apply()
    desk.write("accounts.yaml", WIDER)
    desk.apply()
    desk.roll_back(1)
    desk.write("accounts.yaml", FILES["accounts.yaml"])  # the folder catches up with the rollback
    assert desk.restart() == 3
    desk.write("accounts.yaml", WIDER)
    assert desk.restart() == 4


def test_a_rollback_is_checked_with_the_secrets_of_today(desk: Desk) -> None:
    desk.apply()
    desk.write("accounts.yaml", WIDER)
    desk.apply()
    del desk.environ["PARTNER_CLIENT_SECRET"]
    with pytest.raises(RevisionUnusable) as refused:
        desk.another().plan_rollback(1)
    assert "PARTNER_CLIENT_SECRET" in refused.value.detail
    assert desk.revisions.latest_number() == 2


def test_going_back_to_what_is_active_changes_nothing(desk: Desk) -> None:
    desk.apply()
    assert not desk.door.plan_rollback(1).changes
    assert desk.roll_back(1) == 1


@pytest.mark.parametrize("number", [0, 2, -1])
def test_a_revision_that_never_was_is_unknown(desk: Desk, number: int) -> None:
    desk.apply()
    for ask in (desk.door.plan_rollback, lambda n: desk.door.diff(1, n), lambda n: desk.door.diff(n, 1)):
        with pytest.raises(RevisionUnknown):
            ask(number)


def test_a_start_applies_what_is_there_once(desk: Desk) -> None:
    assert desk.restart() == desk.restart() == 1
    assert [detail["by"] for _, detail in desk.records()] == ["start"]


def test_what_cannot_be_compiled_is_not_adopted(desk: Desk) -> None:
    revision = desk.plan().revision
    odd = replace(revision, digest="f" * 64, groups={"sre": Group("sre", policies=("nowhere",))})
    with pytest.raises(PolicyInvalid):
        desk.door.adopt(odd)
    assert desk.revisions.latest_number() is None


# --- looking back -------------------------------------------------------------------------------------


def test_a_policy_has_its_versions(desk: Desk) -> None:
    first = FILES["policies/no-secrets.json"]
    second = first.replace("secretsmanager", "ssm")
    desk.apply()
    desk.write("accounts.yaml", WIDER)
    desk.apply()
    desk.write("policies/no-secrets.json", second)
    desk.apply()
    desk.roll_back(1)
    versions = desk.door.policy_history("no-secrets")
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in (first, second, first)]
    assert [(v.activation.number, v.sha256) for v in versions] == list(zip((4, 3, 1), hashes, strict=True))
    with pytest.raises(Unknown, match="no revision has"):
        desk.door.policy_history("nowhere")


def test_a_policy_that_was_taken_away_is_told(desk: Desk) -> None:
    extra = FILES["policies/ec2-only.json"]
    desk.apply()
    desk.write("policies/extra.json", extra)
    desk.apply()
    (desk.folder / "policies/extra.json").unlink()
    desk.apply()
    assert [(v.activation.number, v.sha256 is None) for v in desk.door.policy_history("extra")] == [
        (3, True),
        (2, False),
    ]


def test_two_revisions_are_compared_in_files_and_access(desk: Desk) -> None:
    desk.apply()
    desk.sign_in("ana", "dev")
    desk.write("accounts.yaml", WIDER)
    desk.apply()
    found = desk.door.diff(1, 2)
    assert [each.path for each in found.files] == ["accounts.yaml"]
    assert [turn.turn.value for shift in found.shifts for turn in shift.turns] == ["gains"]
    assert [t.turn.value for s in desk.door.diff(2, 1).shifts for t in s.turns] == ["loses"]
    assert desk.door.diff(2, 2).files == ()


# --- who and what, then ---------------------------------------------------------------------------------


def test_the_past_is_answered_by_its_revision_and_its_claims(desk: Desk) -> None:
    desk.apply()
    desk.clock.at += HOUR
    then = desk.clock.at
    desk.sign_in("ana", "dev")
    desk.clock.at += HOUR
    between = desk.clock.at
    desk.write("accounts.yaml", WIDER)
    desk.apply()  # engineering has Admin from here
    wide = desk.clock.at
    desk.clock.at += HOUR
    desk.sign_in("ana", "sre")

    def who(at: datetime | None) -> list[tuple[str, datetime]]:
        _, answer = desk.door.who_can("production/Admin", at)
        return [(each.known.identity.username, each.known.since) for each in answer.reaches]

    assert who(between) == []
    assert who(wide) == [("ana", then)]
    assert who(None) == [("ana", desk.clock.at)]
    known, answer = desk.door.what_can("ana", between)
    assert (known.since, answer.activation.number) == (then, 1)
    assert [each.role.name for each in answer.reaches] == ["ReadOnly"]
    with pytest.raises(Unknown, match="no revision"):
        desk.door.who_can("production/Admin", NOW - HOUR)
    with pytest.raises(PersonUnknown):
        desk.door.what_can("ana", then - timedelta(seconds=1))


@pytest.mark.parametrize(
    "name", ["arn:aws:iam::111122223333:role/Admin", "production/Admin", "111122223333/Admin"]
)
def test_a_role_goes_by_its_arn_or_its_account_and_name(desk: Desk, name: str) -> None:
    desk.apply()
    assert desk.door.who_can(name)[0].arn == "arn:aws:iam::111122223333:role/Admin"


def test_names_that_fit_nobody_or_several_are_said(desk: Desk) -> None:
    desk.apply()
    with pytest.raises(Unknown) as unknown:
        desk.door.who_can("production/Admn")
    assert "Did you mean `production/Admin`?" in unknown.value.words
    desk.sign_in("ana", "dev")
    desk.sign_in("ana", "ext", source="partner")
    with pytest.raises(AskRefused) as several:
        desk.door.what_can("ana")
    assert several.value.words.endswith("corp/ana-1, partner/ana-1")
    for name in ("corp/ana", "corp/ana-1"):
        assert desk.door.what_can(name)[0].identity.source == "corp"


def test_looking_needs_no_secrets(desk: Desk) -> None:
    desk.apply()
    desk.sign_in("ana", "sre")
    desk.environ.clear()
    door = desk.another()
    assert [each.role.name for each in door.what_can("ana")[1].reaches] == ["Admin", "ReadOnly"]
