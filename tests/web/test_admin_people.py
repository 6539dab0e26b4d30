"""The pages of users, groups, recoveries and root over the real second door: what each shows, offers, refuses, records."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from app.admin import By, UserChange
from app.everybody import local_identity
from app.model import AuditKind, Authentication, Identity, Mail, Session
from app.people import LOCAL, ROOT, ROOT_SUBJECT, Factor, LocalUser, RootUse, UserState
from app.store import Search
from tests.home import Home, opened_home
from tests.web.builders import World, code_of
from tests.web.builders import session as any_session

REASON = "lost the phone, called back at her desk"
HOST = By.operator("operator ann")
EVIL = "<script>alert(1)</script>"


def document(*actions: str, on: str = "*") -> str:
    listed = [f"daypass:{each}" for each in actions]
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": listed, "Resource": on}]}
    )


class Company(World):
    """The pages over a home's second door."""

    def __init__(self, home: Home) -> None:
        super().__init__(administration=home.parts.delegation)
        self.home = home
        self.door = home.parts.delegation._administration
        self.clock.at = self.broker.now = home.clock.at
        self.nina = self.user("nina", name="Nina Ortiz", email="nina@acme.test", groups=("contractors",))
        home.store.factors.add(
            Factor(
                "a" * 16,
                LOCAL,
                self.nina.id,
                "totp",
                "Her phone",
                self.clock.at,
                "s",
                facts={"secret": "A" * 16},
            ),
            8,
        )
        theirs = local_identity(self.nina, Authentication(self.clock.at))
        home.store.sessions.add("ninas", self.made("ninas", theirs))
        self.count = 0

    def user(self, username: str, **change: object) -> LocalUser:
        return self.door.create_user(username, UserChange(**change), by=HOST)  # type: ignore[arg-type]

    def made(self, id: str, who: Identity) -> Session:
        at = self.clock.at
        later = at + timedelta(hours=2)
        return replace(
            any_session(),
            id=id,
            identity=who,
            created_at=at,
            expires_at=later,
            idle_at=later,
            last_address="192.0.2.7",
        )

    def mail(self) -> None:
        """Mail is configured from now on."""
        line = "# mail: {host: mail.acme.test, from: daypass@acme.test,"
        self.home.edit("daypass.yaml", line, "mail: {host: mail.acme.test, from: daypass@acme.test} #")
        self.home.apply()
        self.settings = replace(self.settings, mail=Mail("mail.acme.test", 25, "daypass@acme.test"))

    def enter(self, *actions: str, on: str = "*") -> LocalUser:
        """A local user who may take these actions signs in."""
        self.count += 1
        user = self.user(f"admin-{self.count}", inline={"may": document(*actions, on=on)} if actions else {})
        self.enter_as(local_identity(user, Authentication(self.clock.at)))
        return user

    def enter_as(self, who: Identity) -> None:
        self.session = self.made(f"s-{who.subject}", who)
        self.broker.cookies["c" * 43] = self.session
        self.browser.set_cookie(self.cookie(), "c" * 43, domain="localhost", path="/")

    def get(self, path: str) -> TestResponse:
        return self.browser.get(path)

    def post(self, path: str, **fields: object) -> TestResponse:
        return self.browser.post(path, data={"csrf": self.session.csrf, **fields})

    def do(self, what: str, user: LocalUser | None = None, **fields: object) -> TestResponse:
        now = self.now(user)
        return self.post("/admin/user", **{"id": now.id, "version": str(now.version), "do": what, **fields})

    def now(self, user: LocalUser | None = None) -> LocalUser:
        found = self.home.store.users.get((user or self.nina).id)
        assert found is not None
        return found

    def page(self, user: LocalUser | None = None) -> str:
        answer = self.get(f"/admin/user?id={(user or self.nina).id}")
        assert answer.status_code == 200, answer.text
        return html.unescape(answer.text)

    def recorded(self, kind: AuditKind) -> list[dict[str, object]]:
        return [json.loads(each.record.detail) for each in self.home.store.audit.search(Search(kind=kind))]


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    with opened_home(tmp_path, monkeypatch) as home:
        yield Company(home)


PAGES = {
    "/admin/users": "ReadPeople",
    "/admin/users/new": "CreateUser",
    "/admin/user?id={nina}": "ReadPeople",
    "/admin/groups": "ReadPeople",
    "/admin/recoveries": "RecoverFactors",
    "/admin/root": "ReadRoot",
}
FORMS = {
    "/admin/users/new": {"username": "otto"},
    "/admin/user": {"id": "{nina}", "version": "1", "do": "about", "name": "N"},
    "/admin/recoveries": {"id": "0" * 16, "decision": "approve"},
    "/admin/root": {"id": "0" * 16, "note": "looked at it all"},
}


def filled(acme: Company, fields: dict[str, str]) -> dict[str, str]:
    return {name: value.format(nina=acme.nina.id) for name, value in fields.items()}


# --- who gets there ---------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_to_whom_its_action_is_allowed_and_is_not_there_for_others(
    acme: Company, page: str
) -> None:
    path = page.format(nina=acme.nina.id)
    acme.enter(*({*PAGES.values()} - {PAGES[page]}))
    refused = acme.get(path)
    assert (refused.status_code, code_of(refused.text)) == (404, "unknown")
    assert "There is nothing at this address." in refused.text and "nina" not in refused.text.casefold()
    assert acme.recorded(AuditKind.ADMINISTRATION_REFUSED)
    acme.enter(PAGES[page])
    assert acme.get(path).status_code == 200


@pytest.mark.parametrize("path", FORMS)
def test_a_form_without_its_csrf_token_is_refused_and_one_from_another_site_too(
    acme: Company, path: str
) -> None:
    acme.enter("*")
    fields = filled(acme, FORMS[path])
    before = acme.home.store.users.all()
    for data, headers in (
        (fields, {}),
        ({**fields, "csrf": "x"}, {}),
        ({**fields, "csrf": acme.session.csrf}, {"Origin": "https://evil.test"}),
        ({**fields, "csrf": acme.session.csrf}, {"Sec-Fetch-Site": "cross-site"}),
    ):
        answer = acme.browser.post(path, data=data, headers=headers)
        assert (answer.status_code, code_of(answer.text)) == (403, "request.cross_site")
    assert acme.home.store.users.all() == before


@pytest.mark.parametrize("path", FORMS)
def test_a_form_of_somebody_who_may_nothing_finds_nothing(acme: Company, path: str) -> None:
    acme.enter()
    answer = acme.post(path, **filled(acme, FORMS[path]))
    assert (answer.status_code, code_of(answer.text)) == (404, "unknown")


def test_nobody_who_is_not_signed_in_gets_there(acme: Company) -> None:
    for path in PAGES:
        assert acme.get(path.format(nina=acme.nina.id)).status_code in (302, 303, 401)


DO = (
    "about",
    "groups",
    "policies",
    "put",
    "drop",
    "boundary",
    "disable",
    "enable",
    "delete",
    "restore",
    "link",
    "end",
    "recover",
)
ODD = (
    "",
    "x" * 5000,
    "\x00",
    "\ud7ff\U0001f4a9",
    "-1",
    "1e9",
    "9" * 30,
    "../..",
    EVIL,
    "'; --",
    "%00%ff",
    "١",
)


@pytest.mark.parametrize("what", (*DO, "", "nonsense"))
def test_odd_input_is_a_clear_4xx_or_harmless_and_never_a_500(acme: Company, what: str) -> None:
    acme.enter("*")
    names = (
        "id",
        "version",
        "name",
        "email",
        "group",
        "attached",
        "policy",
        "text",
        "boundary",
        "to",
        "sure",
        "session",
        "reason",
        "send",
    )
    for value in ODD:
        for name in names:
            if what == "delete" and name == "sure":
                continue
            fields = {"id": acme.nina.id, "version": str(acme.now().version), "do": what, name: value}
            answer = acme.post("/admin/user", **fields)
            assert answer.status_code in (200, 303, 400, 403, 404, 409, 413, 422), (name, value)
            assert EVIL not in answer.text
    twice = acme.post("/admin/user", id=[acme.nina.id, acme.nina.id], version="1", do=what)
    assert twice.status_code == 400
    assert acme.browser.post("/admin/user", json={"csrf": acme.session.csrf}).status_code in (403, 415)


@pytest.mark.parametrize("value", ODD)
def test_odd_addresses_and_other_forms(acme: Company, value: str) -> None:
    acme.enter("*")
    for path in ("/admin/user", "/admin/users"):
        for name in ("id", "q"):
            answer = acme.browser.get(path, query_string={name: value})
            assert answer.status_code in (200, 404) and EVIL not in answer.text
    for answer in (
        acme.post("/admin/users/new", username=value, name=value, email=value, group=value),
        acme.post("/admin/recoveries", id=value, decision="approve"),
        acme.post("/admin/recoveries", id="x", decision=value),
        acme.post("/admin/root", id=value, note="looked at it all"),
        acme.post("/admin/root", id="x", note=value),
    ):
        assert answer.status_code in (400, 404, 413, 422) and EVIL not in answer.text


def test_nothing_that_people_write_runs(acme: Company) -> None:
    acme.enter("*")
    assert acme.do("about", name=f"{EVIL}{{{{'zq'*4}}}}").status_code == 303
    assert (
        acme.do(
            "put", policy="p", text=document("ReadAudit", on=f"arn:aws:daypass:::person/{EVIL}")
        ).status_code
        == 303
    )
    assert acme.do("recover", reason=f"because {EVIL}").status_code == 303
    acme.home.store.root_uses.add(
        RootUse("u1", acme.clock.at, f"because {EVIL}", EVIL, "s", acme.clock.at, EVIL, acme.clock.at, EVIL)
    )
    acme.home.store.root_uses.add(RootUse("u2", acme.clock.at, f"because {EVIL}", EVIL, "s", acme.clock.at))
    for path in (
        "/admin/users",
        f"/admin/user?id={acme.nina.id}",
        "/admin/groups",
        "/admin/recoveries",
        "/admin/root",
    ):
        answer = acme.get(path)
        assert answer.status_code == 200 and EVIL not in answer.text and "zqzqzqzq" not in answer.text
    assert "&lt;script&gt;" in acme.get("/admin/root").text
    wrong = acme.do("put", policy=f"{EVIL}", text=f"{EVIL}")
    assert wrong.status_code == 422 and EVIL not in wrong.text and "&lt;script&gt;" in wrong.text


# --- users ------------------------------------------------------------------------------------------


def test_everybody_is_listed_with_what_they_can(acme: Company) -> None:
    acme.user("otto", state=UserState.DISABLED)
    acme.enter("ReadPeople")
    listed = acme.get("/admin/users").text
    assert "Nina Ortiz" in listed and "contractors" in listed
    assert "disabled" in listed and "Can do nothing: in no group, no policy attached" in listed
    assert "New user" not in listed
    assert "1 of 3 match" in acme.get("/admin/users?q=ortiz").text
    assert "Nobody matches." in acme.get("/admin/users?q=zzz").text
    acme.enter("ReadPeople", "CreateUser")
    assert 'href="/admin/users/new"' in acme.get("/admin/users").text


def test_a_new_user_is_made_and_the_link_is_shown_once_on_a_page_that_nobody_keeps(acme: Company) -> None:
    acme.enter("CreateUser", "ReadPeople")
    answer = acme.post("/admin/users/new", username="otto", name="Otto", email="otto@acme.test")
    assert answer.status_code == 200 and "otto is created" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] in ("no-referrer", "same-origin")
    found = re.findall(r"http://localhost:8000/link\?t=([A-Za-z0-9_-]+)", answer.text)
    assert len(found) == 1 and "can do nothing yet" in answer.text
    link = acme.home.store.links.peek(found[0], acme.clock.at)
    made = acme.home.store.users.by_username("otto")
    assert link is not None and made is not None and link.user == made.id
    assert found[0] not in acme.page(made) + acme.get("/admin/users").text
    assert found[0] not in json.dumps([each.record.detail for each in acme.home.store.audit.search(Search())])


def test_what_cannot_be_made_keeps_what_was_typed(acme: Company) -> None:
    acme.enter("CreateUser", "ChangeMembers", "ReadPeople")
    for fields, words in (
        ({"username": "Otto"}, "The username is not right"),
        ({"username": "nina"}, "There is a user of that name already."),
        ({"username": "otto", "send": "yes"}, "no address to send a link to"),
        ({"username": "otto", "email": "x"}, "The email is not right"),
    ):
        answer = acme.post("/admin/users/new", name="Otto Typed", group="finance", **fields)
        text = html.unescape(answer.text)
        assert answer.status_code in (409, 422) and words in text
        assert 'value="Otto Typed"' in text
        assert re.search(r'value="finance" checked', text)
    assert acme.post("/admin/users/new", username="otto", group=["finance", "sre"]).status_code == 200
    made = acme.home.store.users.by_username("otto")
    assert made is not None and made.groups == ("finance", "sre")


def test_a_new_user_gets_no_group_that_is_not_theirs_to_give(acme: Company) -> None:
    acme.enter("CreateUser")
    assert 'name="group"' not in acme.get("/admin/users/new").text
    answer = acme.post("/admin/users/new", username="otto", group="sre")
    assert (answer.status_code, code_of(answer.text)) == (404, "unknown")
    assert acme.home.store.users.by_username("otto") is None


def test_a_mailed_link_is_not_shown(acme: Company) -> None:
    acme.enter("CreateUser")
    assert 'name="send"' not in acme.get("/admin/users/new").text
    refused = acme.post("/admin/users/new", username="otto", email="otto@acme.test", send="yes")
    assert refused.status_code == 422 and "No mail is configured" in refused.text
    acme.mail()
    assert 'name="send"' in acme.get("/admin/users/new").text
    answer = acme.post("/admin/users/new", username="otto", email="otto@acme.test", send="yes")
    assert "is on its way to otto@acme.test" in answer.text and "link?t=" not in answer.text


def test_the_page_of_a_user_tells_all_and_offers_what_may_be_done(acme: Company) -> None:
    acme.mail()
    acme.enter("*")
    text = acme.page()
    for told in (
        "Nina Ortiz",
        "Her phone",
        "Authenticator app",
        "192.0.2.7",
        "They lost their device",
        "created",
    ):
        assert told in text
    for what in DO:
        if what not in ("drop", "enable", "restore"):
            assert f'name="do" value="{what}"' in text, what
    assert "Mail a password link" in text and "This user can do nothing" not in text


@pytest.mark.parametrize(
    ("actions", "offered"),
    [
        ((), set()),
        (("ChangeUser",), {"about", "disable"}),
        (("DeleteUser",), {"delete"}),
        (("AttachUserPolicy",), set()),
        (("AttachUserPolicy", "AttachPolicy"), {"policies", "put", "boundary"}),
        (("ChangeMembers",), {"groups"}),
        (("ResetPassword",), {"link"}),
        (("EndSessions",), set()),
        (("EndSessions", "ReadSessions"), {"end"}),
        (("RecoverFactors", "ReadFactors"), {"recover"}),
    ],
)
def test_nothing_is_offered_that_may_not_be_done(
    acme: Company, actions: tuple[str, ...], offered: set[str]
) -> None:
    acme.enter("ReadPeople", *actions)
    assert set(re.findall(r'name="do" value="(\w+)"', acme.page())) == offered
    assert acme.recorded(AuditKind.ADMINISTRATION_REFUSED) == []


def test_rights_over_one_user_are_none_over_another(acme: Company) -> None:
    """ReadPeople on everybody, the rest on nina alone: the others' pages are there, without it."""
    other = acme.user("otto")
    resource = f"arn:aws:daypass:::person/local/{acme.nina.id}"
    policy = json.loads(document("ReadPeople"))
    policy["Statement"] += json.loads(document("ReadFactors", "ReadSessions", "ResetPassword", on=resource))[
        "Statement"
    ]
    admin = acme.user("mixed", inline={"may": json.dumps(policy)})
    acme.enter_as(local_identity(admin, Authentication(acme.clock.at)))
    assert "Her phone" in acme.page() and 'value="link"' in acme.page()
    text = acme.page(other)
    assert "No second factor" not in text and 'value="link"' not in text
    assert acme.do("link", other).status_code == 404


def test_each_thing_on_the_page_is_done(acme: Company) -> None:
    acme.enter("*")
    steps = [
        (
            "about",
            {"name": "Nina", "email": "n@acme.test"},
            lambda u: (u.name, u.email) == ("Nina", "n@acme.test"),
        ),
        ("groups", {"group": ["finance", "engineering"]}, lambda u: u.groups == ("engineering", "finance")),
        ("groups", {}, lambda u: u.groups == ()),
        ("policies", {"attached": ["office-hours", "aws:ReadOnlyAccess"]}, lambda u: len(u.policies) == 2),
        ("put", {"policy": "own", "text": document("ReadAudit")}, lambda u: len(u.inline) == 1),
        ("put", {"policy": "own", "text": document("ReadRoot")}, lambda u: "ReadRoot" in u.inline[0].text),
        ("boundary", {"boundary": "ec2-only"}, lambda u: u.boundary == "ec2-only"),
        ("drop", {"policy": "own"}, lambda u: u.inline == ()),
        ("disable", {}, lambda u: u.state is UserState.DISABLED),
        ("enable", {}, lambda u: u.state is UserState.ACTIVE),
        ("boundary", {"boundary": ""}, lambda u: u.boundary is None),
        ("restore", {"to": "1"}, lambda u: (u.name, u.groups) == ("Nina Ortiz", ("contractors",))),
    ]
    for number, (what, fields, right) in enumerate(steps, 2):
        answer = acme.do(what, **fields)
        assert answer.status_code == 303, (what, answer.text)
        assert answer.headers["Location"].endswith(f"/admin/user?id={acme.nina.id}")
        assert right(acme.now()) and acme.now().version == number, what
        assert acme.page()
    text = acme.page()
    assert "inline: own added" in text and "inline: own changed" in text and "inline: own taken away" in text
    assert "groups: none → contractors" in text
    assert acme.do("end", session="no").status_code == 404
    assert acme.do("end").status_code == 303
    assert acme.home.store.sessions.of(LOCAL, acme.nina.id, acme.clock.at) == []
    assert "Signed in nowhere." in acme.page()
    assert acme.do("delete").status_code == 422
    answer = acme.do("delete", sure="yes")
    assert answer.headers["Location"].endswith("/admin/users")
    assert acme.get(f"/admin/user?id={acme.nina.id}").status_code == 404


def test_one_session_is_ended(acme: Company) -> None:
    theirs = local_identity(acme.nina, Authentication(acme.clock.at))
    acme.home.store.sessions.add("second", acme.made("second", theirs))
    acme.enter("*")
    assert acme.do("end", session="ninas").status_code == 303
    left = acme.home.store.sessions.of(LOCAL, acme.nina.id, acme.clock.at)
    assert [each.id for each in left] == ["second"]


def test_what_was_changed_meanwhile_is_not_overwritten(acme: Company) -> None:
    acme.enter("*")
    acme.do("about", name="Somebody Else's", email="")
    answer = acme.post("/admin/user", id=acme.nina.id, version="1", do="about", name="Mine", email="")
    assert answer.status_code == 409 and "Somebody else changed this user" in answer.text
    assert acme.now().name == "Somebody Else's"


def test_a_document_that_is_wrong_is_shown_again_with_what_is_wrong(acme: Company) -> None:
    acme.enter("*")
    typed = '{"Version": "2012-10-17", "Statement": [{"Effect": "Alow"}]}'
    answer = acme.do("put", policy="mine", text=typed)
    text = html.unescape(answer.text)
    assert answer.status_code == 422 and "Effect" in text and typed in text and 'value="mine"' in text
    acme.do("put", policy="mine", text=document("ReadAudit"))
    text = html.unescape(acme.do("put", policy="mine", text=typed).text)
    assert typed in text and 'id="policy" type="text" name="policy" value=""' in text
    assert acme.now().version == 2


def test_what_is_not_theirs_to_take_stays(acme: Company) -> None:
    """A form that was drawn with one group offered cannot drop the others."""
    acme.enter("ReadPeople", "ChangeMembers", on="*")
    admin = acme.now(acme.enter("ReadPeople"))
    inline = json.loads(document("ReadPeople"))
    inline["Statement"] += json.loads(document("ChangeMembers", on="arn:aws:daypass:::group/finance"))[
        "Statement"
    ]
    acme.door.change_user(admin.id, 1, UserChange(inline={"may": json.dumps(inline)}), by=HOST)
    text = acme.page()
    assert "Also in contractors, which is not yours to change." in text
    assert acme.do("groups", group="finance").status_code == 303
    assert acme.now().groups == ("contractors", "finance")
    assert acme.do("groups", group=["finance", "sre"]).status_code == 404
    assert acme.now().groups == ("contractors", "finance")


def test_a_stronger_user_and_oneself_are_refused_in_words(acme: Company) -> None:
    strong = acme.user("strong", inline={"all": document("*")})
    me = acme.enter("ReadPeople", "ResetPassword", "ChangeUser", "AttachUserPolicy", "AttachPolicy")
    answer = acme.do("link", strong)
    assert answer.status_code == 403 and "strong may do in daypass what you may not" in answer.text
    assert "link?t=" not in answer.text
    assert 'value="link"' not in acme.page(me)
    answer = acme.do("link", me)
    assert answer.status_code == 403 and "Security" in answer.text
    answer = acme.do("put", policy="more", text=document("*"))
    assert (
        answer.status_code == 403 and "This would let nina do in daypass what you may not do" in answer.text
    )
    assert acme.now().version == 1


def test_a_password_link_is_shown_on_a_page_that_nobody_keeps(acme: Company) -> None:
    acme.enter("ReadPeople", "ResetPassword")
    answer = acme.do("link")
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    assert len(re.findall(r"link\?t=[A-Za-z0-9_-]{43}", answer.text)) == 1


# --- groups -----------------------------------------------------------------------------------------


def test_groups_tell_what_they_carry_and_who_is_in_them(acme: Company) -> None:
    acme.user("otto", groups=("sre",))
    acme.enter("ReadPeople")
    text = acme.get("/admin/groups").text
    assert "On call" in text and "Policies: aws:PowerUserAccess" in text and "Opens: production/Admin" in text
    assert re.search(r'<a href="/admin/user\?id=\w+">otto</a>', text)
    acme.enter("ReadPeople", on=f"arn:aws:daypass:::person/local/{acme.nina.id}")
    assert ">otto<" not in acme.get("/admin/groups").text  # whom one may not see


# --- recoveries -------------------------------------------------------------------------------------


def test_one_asks_on_the_users_page_and_another_approves(acme: Company) -> None:
    first = acme.enter("*")
    second = acme.enter("*")
    acme.enter_as(local_identity(first, Authentication(acme.clock.at)))
    short = acme.do("recover", reason="no")
    assert short.status_code == 422 and "Say why" in short.text
    assert acme.do("recover", reason=REASON).headers["Location"].endswith("/admin/recoveries")
    text = acme.get("/admin/recoveries").text
    assert "Not yours to decide" in text and "Approve" not in text and REASON in text
    (asked,) = acme.door.recoveries()
    alone = acme.post("/admin/recoveries", id=asked.id, decision="approve")
    assert alone.status_code == 403 and "Another administrator must" in alone.text
    acme.enter_as(local_identity(second, Authentication(acme.clock.at)))
    text = acme.get("/admin/recoveries").text
    assert f"local/{first.username}" in text and first.id not in text and "Approve" in text
    assert acme.post("/admin/recoveries", id=asked.id, decision="maybe").status_code == 422
    assert acme.post("/admin/recoveries", id=asked.id, decision="approve").status_code == 303
    text = acme.get("/admin/recoveries").text
    assert f"Approved by local/{second.username}" in text and "No request waits." in text
    again = acme.post("/admin/recoveries", id=asked.id, decision="refuse")
    assert again.status_code == 422 and "decided already" in again.text
    assert acme.home.store.factors.of(LOCAL, acme.nina.id) == []


# --- root -------------------------------------------------------------------------------------------


def test_uses_of_root_wait_until_somebody_else_signs_them_off(acme: Company) -> None:
    at = acme.clock.at
    acme.home.store.root_uses.add(RootUse("u1", at, "both directories are down", "192.0.2.9", "s", at))
    acme.enter("ReadRoot")
    text = acme.get("/admin/root").text
    assert "both directories are down" in text and "Not set up" in text and "Sign off" not in text
    acme.enter_as(Identity(ROOT, ROOT_SUBJECT, "root", {}, Authentication(at)))
    assert ">Sign off<" not in acme.get("/admin/root").text
    own = acme.post("/admin/root", id="u1", note="looked at it all")
    assert own.status_code == 403
    acme.enter("ReadRoot", "SignOffRoot")
    short = acme.post("/admin/root", id="u1", note="ok")
    assert short.status_code == 422 and "Say what you found" in short.text
    assert acme.post("/admin/root", id="u9", note="looked at it all").status_code == 404
    assert acme.post("/admin/root", id="u1", note="looked at it all").status_code == 303
    text = acme.get("/admin/root").text
    assert "Nothing waits to be signed off." in text and "looked at it all" in text
    again = acme.post("/admin/root", id="u1", note="looked at it again")
    assert again.status_code == 422 and "signed off already" in again.text
