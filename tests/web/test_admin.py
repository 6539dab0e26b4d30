"""The operators' pages over the real second door: who may sees, who may not gets 404, and all is on record."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.active import Active, Running
from app.admin import Administration
from app.audit import AuditWriter
from app.configuration import Loaded, Problem
from app.delegation import Delegation
from app.model import (
    AuditEvent,
    AuditKind,
    Authentication,
    ClaimMap,
    Group,
    GroupMap,
    Identity,
    PolicyText,
    Revision,
    SamlProvider,
    SourceId,
)
from app.policy import Index
from app.store import Store
from tests.policy.builders import revision, statement, text
from tests.store.databases import fresh, sealer
from tests.web.builders import NOW, ROLES, World, code_of

NAMES = ("auditors", "readers", "restorers", "appliers", "appliers", "writers", "helpers", "engineering")
CORP = SamlProvider(
    SourceId("corp"),
    "Acme staff",
    ClaimMap(subject="NameID", username="uid", groups="memberOf"),
    GroupMap({name: name for name in NAMES}),
    metadata_url="https://idp.acme.test",
)
PERSON = "arn:aws:daypass:::person"


def policy(name: str, *actions: str, on: str = "*") -> PolicyText:
    listed = [f"daypass:{each}" for each in actions]
    return text(statement(Action=listed, Resource=on, Sid="May"), name=name)


POLICIES = (
    policy("audit-reading", "ReadAudit"),
    policy("config-reading", "ReadConfiguration"),
    policy("rolling-back", "RollbackConfiguration"),
    policy("applying", "ApplyConfiguration"),
    policy("web-policies", "WritePolicy", on="arn:aws:daypass:::policy/web-*"),
    text(
        statement(Action="daypass:ReadPeople", Resource=f"{PERSON}/corp/b*"),
        statement(Action="daypass:ExplainAccess", Resource=f"{PERSON}/corp/*"),
        name="help-desk",
    ),
)
CARRIED = {
    "auditors": "audit-reading",
    "readers": "config-reading",
    "restorers": "rolling-back",
    "appliers": "applying",
    "writers": "web-policies",
    "helpers": "help-desk",
}


def first() -> Revision:
    groups = [Group(name, policies=(CARRIED[name],) if name in CARRIED else ()) for name in NAMES]
    roles = [dataclasses.replace(ROLES[0]), dataclasses.replace(ROLES[1], allow=("engineering",)), ROLES[2]]
    made = revision(*roles, groups=groups, policies=POLICIES)
    return dataclasses.replace(made, number=1, providers={CORP.id: CORP})


def known(username: str, *groups: str) -> Identity:
    claims = {"uid": (username,), "memberOf": groups}
    return Identity(CORP.id, f"{username}-1", username, claims, Authentication(NOW), name=username.title())


class Company(World):
    """One revision in a store of its own, three people, and a browser for whoever signs in."""

    def __init__(self, store: Store) -> None:
        self.store = store
        made = first()
        files = {"accounts.yaml": "a: 1\nb: 2\n", "groups.yaml": "<script>alert(1)</script>\n"}
        store.revisions.activate("d" * 64, files, NOW, by="start")
        store.revisions.activate("e" * 64, {**files, "accounts.yaml": "a: 1\nb: 3\n"}, NOW, by="corp/ana")

        class Clock:
            def now(self) -> object:
                return NOW

        def build(number: int) -> Running:
            stored = store.revisions.get(number)
            assert stored is not None
            revised = dataclasses.replace(made, number=number, digest=stored.digest, files=stored.files)
            return Running(revised, Index.compile(revised), {}, {}, None)  # type: ignore[arg-type]

        clock = Clock()
        active = Active(store, build, clock)  # type: ignore[arg-type]
        audit = AuditWriter(store.audit, clock)  # type: ignore[arg-type]
        developer = dataclasses.replace(ROLES[2], allow=("engineering",))
        wider = dataclasses.replace(
            made,
            digest="c" * 64,
            files={"accounts.yaml": "wider\n"},
            roles={**made.roles, developer.arn: developer},
            groups={**made.groups, "engineering": Group("engineering", policies=("audit-reading",))},
        )
        self.folder = Loaded(wider, ())
        for person in (known("ana", "engineering"), known("ben", "engineering"), known("bob")):
            store.people.seen(person, person.claims["memberOf"], NOW, 1)
        company = self

        class Operated(Administration):
            def check(self) -> Loaded:
                return company.folder

        operated = Operated(
            revisions=store.revisions,
            people=store.people,
            audit=audit,
            clock=clock,  # type: ignore[arg-type]
            folder=Path("config"),
            environ={},
        )
        door = Delegation(active=active, store=store, audit=audit, clock=clock, administration=operated)  # type: ignore[arg-type]
        super().__init__(administration=door)

    def enter(self, *groups: str, username: str = "olga") -> None:
        self.signed_in(identity=dataclasses.replace(known(username, *groups), groups=groups))

    def recorded(self, kind: str) -> list[dict[str, object]]:
        from app.store import Search

        return [json.loads(each.record.detail) for each in self.store.audit.search(Search(kind=kind))]


@pytest.fixture
def acme(tmp_path: Path) -> Iterator[Company]:
    from app.store import open_store

    with fresh("sqlite", tmp_path) as url:
        store = open_store(url, sealer())
        yield Company(store)
        store.close()


WHY = f"/admin/why?person=corp/ben-1&role={ROLES[1].arn}"
DRAFT = f"/admin/policies/new?name=web-x&preview=1&role={ROLES[0].arn}"
PAGES = {
    "/admin/audit": "auditors",
    "/admin/revisions": "readers",
    "/admin/difference?from=1&to=2": "readers",
    "/admin/roll-back?to=1": "restorers",
    "/admin/plan": "appliers",
    "/admin/people": "helpers",
    "/admin/why": "helpers",
    WHY: "helpers",
    "/admin/policies/new": "writers",
    DRAFT: "writers",
}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("group", NAMES)
def test_each_page_opens_to_whom_its_action_is_allowed_and_is_not_there_for_others(
    acme: Company, page: str, group: str
) -> None:
    acme.enter(group)
    answer = acme.browser.get(page)
    if PAGES[page] == group:
        assert answer.status_code == 200
        assert acme.recorded("administration.refused") == []
    else:
        assert (answer.status_code, code_of(answer.text)) == (404, "unknown")
        refused = acme.recorded("administration.refused")
        assert refused or page == "/admin/why"  # the empty form asks about nobody yet
        assert acme.recorded("administration.used") == []


def test_a_refused_page_looks_like_one_that_there_is_not(acme: Company) -> None:
    acme.enter("auditors")
    for path in ("/admin/revisions", "/admin/nowhere"):
        answer = acme.browser.get(path)
        assert (answer.status_code, code_of(answer.text)) == (404, "unknown")
        assert "There is nothing at this address." in answer.text


def test_nobody_who_is_not_signed_in_gets_there(acme: Company) -> None:
    for page in ("/admin", *PAGES):
        answer = acme.browser.get(page)
        assert answer.status_code == 303 and answer.headers["Location"].startswith("/sign-in")


def test_who_may_nothing_finds_no_administration_and_no_link_to_it(acme: Company) -> None:
    acme.enter("engineering")
    assert acme.browser.get("/admin").status_code == 404
    assert 'href="/admin"' not in acme.browser.get("/").text
    acme.enter("auditors")
    assert 'href="/admin"' in acme.browser.get("/").text


@pytest.mark.parametrize(
    ("group", "here", "not_here"),
    [
        ("auditors", ["/admin/audit"], ["/admin/revisions", "/admin/people", "/admin/why", "/admin/policies/new"]),
        ("helpers", ["/admin/people", "/admin/why"], ["/admin/audit", "/admin/revisions"]),
        ("writers", ["/admin/policies/new"], ["/admin/audit", "/admin/people"]),
    ],
)  # fmt: skip
def test_only_what_is_allowed_is_shown(
    acme: Company, group: str, here: list[str], not_here: list[str]
) -> None:
    acme.enter(group)
    for page in ("/admin", here[0]):
        text_ = acme.browser.get(page).text
        assert all(f'href="{each}"' in text_ for each in here)
        assert not any(f'href="{each}"' in text_ for each in not_here)


def test_a_change_of_the_policy_counts_at_the_next_request(acme: Company) -> None:
    acme.enter("auditors")
    assert acme.browser.get("/admin/audit").status_code == 200
    acme.enter("engineering")
    assert acme.browser.get("/admin/audit").status_code == 404


# --- audit ----------------------------------------------------------------------------------------


def write(acme: Company, count: int, **changes: object) -> None:
    event = AuditEvent(
        AuditKind.CREDENTIALS_ISSUED,
        NOW,
        "r-9",
        "203.0.113.7",
        source="corp",
        subject="ben-1",
        username="ben",
        role=ROLES[0].arn,
        detail={"access_key_id": "ASIAEXAMPLE"},
    )
    writer = AuditWriter(acme.store.audit, acme.clock)  # type: ignore[arg-type]
    for _ in range(count):
        writer.record(dataclasses.replace(event, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("person=corp/ben", True),
        ("person=ben-1", True),
        ("person=ana", False),
        (f"role={ROLES[0].arn}", True),
        (f"role={ROLES[1].arn}", False),
        ("kind=credentials.issued", True),
        ("kind=credentials.failed", False),
        ("request_id=r-9", True),
        ("access_key_id=ASIAEXAMPLE", True),
        ("access_key_id=ASIAOTHER", False),
        ("since=1h", True),
        ("since=2026-11-24", True),
        ("until=2026-11-24", False),
        ("since=2026-11-25T00:00:00Z", False),
    ],
)
def test_the_record_is_searched_by_each_field(acme: Company, query: str, found: bool) -> None:
    write(acme, 1)
    acme.enter("auditors")
    answer = acme.browser.get(f"/admin/audit?{query}")
    assert ("203.0.113.7" in answer.text) is found
    [used] = acme.recorded("administration.used")
    assert used["action"] == "daypass:ReadAudit" and used["resource"] == "arn:aws:daypass:::audit"
    assert used["search"] and used["statements"] == ["audit-reading (May, policies/audit-reading.json:4)"]


def test_older_records_are_a_page_further(acme: Company) -> None:
    write(acme, 120)
    acme.enter("auditors")
    seen = 0
    page: str | None = "/admin/audit?kind=credentials.issued"
    for _ in range(3):
        assert page is not None
        text_ = acme.browser.get(page).text
        seen += text_.count('class="row record"')
        found = re.search(r'href="(/admin/audit\?kind=credentials.issued&amp;before=[0-9]+)"', text_)
        page = found[1].replace("&amp;", "&") if found else None
    assert (seen, page) == (120, None)


@pytest.mark.parametrize(
    "query", ["since=yesterday", "kind=all", "before=x", "person=a%0Ab", "until=99999999d"]
)
def test_what_cannot_be_read_is_said_beside_the_form(acme: Company, query: str) -> None:
    acme.enter("auditors")
    answer = acme.browser.get(f"/admin/audit?{query}")
    assert answer.status_code == 422 and 'role="alert"' in answer.text and "<form" in answer.text
    acme.enter("engineering")
    assert acme.browser.get(f"/admin/audit?{query}").status_code == 404


def test_a_strangers_text_in_the_record_is_text(acme: Company) -> None:
    write(acme, 1, username="<script>alert(1)</script>", detail={"why": "<img src=x>"})
    acme.enter("auditors")
    text_ = acme.browser.get("/admin/audit").text
    assert "<script>alert(1)" not in text_ and "<img" not in text_
    assert "&lt;script&gt;alert(1)" in text_


# --- revisions ------------------------------------------------------------------------------------


def test_the_history_says_when_and_by_whom_and_what_is_active(acme: Company) -> None:
    acme.enter("readers")
    text_ = acme.browser.get("/admin/revisions").text
    assert (
        "Revision 2 is." in text_
        and "corp/ana" in text_
        and 'href="/admin/difference?from=1&amp;to=2"' in text_
    )
    assert "Roll back" not in text_


def test_a_difference_shows_the_lines_and_escapes_them(acme: Company) -> None:
    acme.enter("readers")
    text_ = acme.browser.get("/admin/difference?from=1&to=2").text
    assert "-b: 2" in text_ and "+b: 3" in text_ and "groups.yaml" not in text_
    acme.store.revisions.activate("f" * 64, {}, NOW)
    text_ = acme.browser.get("/admin/difference?from=2&to=3").text
    assert "&lt;script&gt;" in text_ and "<script>alert" not in text_
    assert "No file differs" in acme.browser.get("/admin/difference?from=1&to=1").text


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("from=1&to=9", 404, "revision.unknown"),
        ("from=0&to=1", 404, "revision.unknown"),
        ("from=x&to=1", 422, "request.invalid"),
        ("from=1", 422, "request.invalid"),
        ("from=1&from=2&to=1", 400, "request.malformed"),
        ("from=999999999999999999&to=1", 404, "revision.unknown"),
    ],
)
def test_a_revision_that_there_is_not(acme: Company, query: str, status: int, code: str) -> None:
    acme.enter("readers")
    answer = acme.browser.get(f"/admin/difference?{query}")
    assert (answer.status_code, code_of(answer.text)) == (status, code)


# --- rolling back ---------------------------------------------------------------------------------


def confirmed(acme: Company, **changes: str) -> object:
    made = next(iter(acme.broker.cookies.values()))
    fields = {"to": "1", "active": "2", "sure": "yes", **changes}
    return acme.browser.post("/admin/roll-back", data=acme.form(made, **fields))


def test_a_rollback_is_shown_first_then_said_to_be_meant_and_then_done(acme: Company) -> None:
    acme.enter("restorers", "readers", "helpers")
    assert 'href="/admin/roll-back?to=1"' in acme.browser.get("/admin/revisions").text
    text_ = acme.browser.get("/admin/roll-back?to=1").text
    assert "-b: 3" in text_ and "+b: 2" in text_ and "2 people of those whom you may see" in text_
    answer = confirmed(acme)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/revisions")
    latest = acme.store.revisions.latest()
    assert (latest.number, latest.digest, latest.by, latest.restores) == (3, "d" * 64, "corp/olga", 1)
    [activated] = acme.recorded("revision.activated")
    assert (activated["by"], activated["restores"]) == ("corp/olga", 1)
    assert "Brings back 1" in acme.browser.get("/admin/revisions").text


def test_who_may_not_read_the_configuration_rolls_back_without_seeing_it(acme: Company) -> None:
    acme.enter("restorers")
    text_ = acme.browser.get("/admin/roll-back?to=1").text
    assert "b: 2" not in text_ and "0 people of those" in text_
    assert confirmed(acme).status_code == 303


@pytest.mark.parametrize("group", [name for name in NAMES if name != "restorers"])
def test_others_cannot_roll_back(acme: Company, group: str) -> None:
    acme.enter(group)
    answer = confirmed(acme)
    assert (answer.status_code, code_of(answer.text)) == (404, "unknown")
    assert acme.store.revisions.latest_number() == 2
    assert acme.recorded("revision.activated") == []
    [refused] = acme.recorded("administration.refused")
    assert refused["action"] == "daypass:RollbackConfiguration"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"sure": ""}, 422, "request.invalid"),
        ({"csrf": "x"}, 403, "request.cross_site"),
        ({"active": "1"}, 409, "revision.changed"),
        ({"to": "9"}, 404, "revision.unknown"),
        ({"to": "x"}, 422, "request.invalid"),
    ],
)
def test_a_rollback_that_is_not_meant_or_came_too_late_changes_nothing(
    acme: Company, changes: dict[str, str], status: int, code: str
) -> None:
    acme.enter("restorers")
    answer = confirmed(acme, **changes)
    assert (answer.status_code, code_of(answer.text)) == (status, code)
    assert acme.store.revisions.latest_number() == 2
    assert len(acme.recorded("revision.failed")) == len(acme.recorded("revision.activated"))


def test_a_rollback_from_another_site_is_refused(acme: Company) -> None:
    acme.enter("restorers")
    made = next(iter(acme.broker.cookies.values()))
    fields = acme.form(made, to="1", active="2", sure="yes")
    answer = acme.browser.post("/admin/roll-back", data=fields, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403 and acme.store.revisions.latest_number() == 2


# --- planning and applying ------------------------------------------------------------------------


def applied(acme: Company, **changes: str) -> object:
    made = next(iter(acme.broker.cookies.values()))
    fields = {"digest": "c" * 64, "active": "2", "sure": "yes", **changes}
    return acme.browser.post("/admin/plan", data=acme.form(made, **fields))


def test_the_folder_is_planned_for_those_whom_one_may_see_and_then_applied(acme: Company) -> None:
    acme.enter("appliers", "helpers")
    text_ = acme.browser.get("/admin/plan").text
    assert "+wider" in text_ and "corp/ben" in text_ and "sandbox / Developer" in text_
    assert "may administer <strong>daypass:ReadAudit</strong>" in text_
    assert "corp/ana" not in text_
    answer = applied(acme)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin")
    latest = acme.store.revisions.latest()
    assert (latest.number, latest.digest, latest.by, latest.restores) == (3, "c" * 64, "corp/olga", None)
    [activated] = acme.recorded("revision.activated")
    assert (activated["by"], activated["digest"]) == ("corp/olga", "c" * 64)


def test_a_folder_that_is_active_already_has_no_plan(acme: Company) -> None:
    assert acme.folder.revision is not None
    acme.folder = Loaded(dataclasses.replace(acme.folder.revision, digest="e" * 64), ())
    acme.enter("appliers")
    assert "There is nothing to apply" in acme.browser.get("/admin/plan").text


def test_a_folder_that_is_wrong_is_told_and_not_applied(acme: Company) -> None:
    acme.folder = Loaded(None, (Problem("config/x.yaml", 1, 2, "k", "is <b>wrong</b>", "error"),))
    acme.enter("appliers")
    text_ = acme.browser.get("/admin/plan").text
    assert "is &lt;b&gt;wrong" in text_ and 'name="digest"' not in text_
    answer = applied(acme)
    assert (answer.status_code, code_of(answer.text)) == (422, "configuration.wrong")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"sure": ""}, 422, "request.invalid"),
        ({"csrf": "x"}, 403, "request.cross_site"),
        ({"active": "1"}, 409, "revision.changed"),
        ({"digest": "b" * 64}, 409, "revision.changed"),
        ({"digest": "x"}, 422, "request.invalid"),
    ],
)
def test_what_was_not_planned_is_not_applied(
    acme: Company, changes: dict[str, str], status: int, code: str
) -> None:
    acme.enter("appliers")
    answer = applied(acme, **changes)
    assert (answer.status_code, code_of(answer.text)) == (status, code)
    assert acme.store.revisions.latest_number() == 2


@pytest.mark.parametrize("group", [name for name in NAMES if name != "appliers"])
def test_others_cannot_apply(acme: Company, group: str) -> None:
    acme.enter(group)
    assert applied(acme).status_code == 404
    assert acme.store.revisions.latest_number() == 2


# --- people and why -------------------------------------------------------------------------------


def test_only_those_whom_one_may_see_are_listed(acme: Company) -> None:
    acme.enter("helpers")
    text_ = acme.browser.get("/admin/people").text
    assert "ben-1" in text_ and "bob-1" in text_ and "ana-1" not in text_
    assert "2 people have signed in" in text_
    text_ = acme.browser.get("/admin/people?q=engineering").text
    assert "ben-1" in text_ and "bob-1" not in text_ and "1 of 2 match" in text_


def test_somebodys_way_to_a_role_is_explained_with_places(acme: Company) -> None:
    acme.enter("helpers")
    text_ = acme.browser.get(WHY).text
    assert "corp/ben: May use this role" in text_ and "accounts.yaml" in text_
    assert "May not" in acme.browser.get(WHY.replace("ben-1", "bob-1")).text
    used = acme.recorded("administration.used")
    assert {each["resource"] for each in used} == {f"{PERSON}/corp/ben-1", f"{PERSON}/corp/bob-1"}
    assert all(each["role"] == ROLES[1].arn for each in used)


@pytest.mark.parametrize(
    ("person", "role", "status"),
    [
        ("corp/nobody", ROLES[1].arn, 404),
        ("partner/ben-1", ROLES[1].arn, 404),
        ("corp/ben-1", "arn:aws:iam::111122223333:role/None", 404),
        ("corp/ben-1", "nonsense", 422),
        ("ben-1", ROLES[1].arn, 422),
        ("", ROLES[1].arn, 422),
        ("corp/ben-1", "111122223333/ReadOnly", 200),
    ],
)
def test_who_or_what_is_unknown_is_said(acme: Company, person: str, role: str, status: int) -> None:
    acme.enter("helpers")
    answer = acme.browser.get("/admin/why", query_string={"person": person, "role": role})
    assert answer.status_code == status


# --- the generator --------------------------------------------------------------------------------


def test_a_draft_shows_document_lint_and_effect_and_only_for_names_that_one_may_write(acme: Company) -> None:
    acme.enter("writers")
    answer = acme.browser.get(DRAFT)
    assert answer.status_code == 200
    assert "&#34;Resource&#34;: &#34;arn:aws:iam::111122223333:role/Admin&#34;" in answer.text
    assert "config/policies/web-x.json" in answer.text and "config new policy" in answer.text
    assert "0 people of those whom you may see hold it" in answer.text  # writers may see nobody
    used = acme.recorded("administration.used")
    assert used[0]["resource"] == "arn:aws:daypass:::policy/web-x"
    assert acme.browser.get(DRAFT.replace("web-x", "db-x")).status_code == 404


def test_values_that_sign_ins_brought_come_only_from_people_whom_one_may_see(acme: Company) -> None:
    acme.enter("writers")
    row = "&key1=daypass:Claim/uid&operator1=StringEquals&values1=ana"
    text_ = acme.browser.get(DRAFT + row).text
    assert "daypass:Claim/uid" in text_ and "Sent by corp" in text_ and "Seen:" not in text_
    acme.enter("writers", "helpers")
    text_ = acme.browser.get(DRAFT + row).text
    assert "Seen: ben; bob." in text_
    assert "2 people" in text_ or "1 person" in text_


def test_what_it_would_give_is_shown_for_those_whom_one_may_see(acme: Company) -> None:
    acme.enter("writers", "helpers")
    text_ = acme.browser.get(DRAFT + "&group=engineering").text
    assert "corp/ben" in text_ and "corp/ana" not in text_ and "Privileged" in text_
    assert "engineering:\n  policies: [web-x]" in text_


def test_the_document_can_be_taken_along(acme: Company) -> None:
    acme.enter("writers")
    answer = acme.browser.get(DRAFT + "&download=1")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="web-x.json"'
    assert answer.headers["Content-Type"].startswith("application/json")
    assert json.loads(answer.text)["Statement"][0]["Action"] == "sts:AssumeRole"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("name=web-x&preview=1", "choose at least one role or one action"),
        ("name=&preview=1&roles=*", "Give the policy a name"),
        ("name=../x&preview=1&roles=*", "Give the policy a name"),
        ("name=web-x&preview=1&roles=nonsense", "must be an ARN"),
        ("name=web-x&preview=1&roles=*&effect=Perhaps", "The effect is Allow or Deny"),
        ("name=web-x&preview=1&roles=*&key1=aws:username", "A condition needs a key and an operator"),
        ("name=web-x&preview=1&roles=*&key1=a&operator1=Same&values1=x", "is no condition operator"),
        ("name=web-x&preview=1&action=daypass:All", "daypass has no action"),
    ],
)
def test_choices_that_make_no_policy_are_told_beside_the_form(acme: Company, query: str, words: str) -> None:
    acme.enter("writers")
    answer = acme.browser.get(f"/admin/policies/new?{query}")
    assert answer.status_code == 422 and words in answer.text and "<form" in answer.text


def test_warnings_are_shown_before_anybody_saves(acme: Company) -> None:
    acme.enter("writers")
    assert (
        "Allow on every resource" in acme.browser.get("/admin/policies/new?name=web-x&preview=1&roles=*").text
    )


@pytest.mark.parametrize("rows", ["", "3", "99", "x", "-1", "9999999"])
def test_there_is_room_for_more_conditions_up_to_a_bound(acme: Company, rows: str) -> None:
    acme.enter("writers")
    text_ = acme.browser.get(f"/admin/policies/new?rows={rows}").text
    assert 1 <= text_.count('class="condition"') <= 12
    assert text_.count('class="condition"') == {"3": 3, "99": 12}.get(rows, 2)


def test_a_typed_role_may_be_written_short(acme: Company) -> None:
    acme.enter("writers")
    text_ = acme.browser.get("/admin/policies/new?name=web-x&preview=1&roles=sandbox/Developer").text
    assert "arn:aws:iam::444455556666:role/Developer" in text_
