"""Every attack on root, the break-glass user, against two running workers; each beside its honest twin."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from app.people import ROOT, ROOT_SUBJECT, Account
from tests.attacks.answers import refused
from tests.attacks.oauth_company import hidden, ungranted
from tests.attacks.oidc_company import at_once
from tests.attacks.people_company import (
    ADMIN,
    OTHER,
    PASSWORD,
    READ_ONLY,
    REASON,
    RELEASE,
    VAULT,
    Key,
    PeopleCompany,
    Phone,
    handle,
    token_of,
)

CROWD = 20
NOTHING_FOR_ROOT: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Sid": "NoAdmin", "Effect": "Deny", "Action": "sts:AssumeRole", "Resource": ADMIN},
        {
            "Sid": "NoRoot",
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"StringEquals": {"daypass:Source": "root"}},
        },
    ],
}


class Guarded(PeopleCompany):
    """A company whose guardrail keeps everybody from Admin, and root from everything."""

    def _configure(self, providers: dict[str, str] | None, files: dict[str, bytes]) -> None:
        super()._configure(providers, files)
        level = self.config / "guardrails" / "organisation"
        level.mkdir(parents=True)
        (level / "nothing.json").write_text(json.dumps(NOTHING_FOR_ROOT))


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder: Path = tmp_path_factory.mktemp("acme")
    with Guarded(folder) as company:
        yield company
        assert '"defect"' not in company.log()


@pytest.fixture
def root(acme: Guarded) -> tuple[Phone, Key]:
    """Root with two devices, a quarter of an hour after whatever was tried before."""
    acme.later(timedelta(minutes=16))
    return acme.root()


@pytest.fixture(scope="module")
def boss(acme: Guarded) -> Any:
    """An operator."""
    return acme.user(groups=("operators",))


def enter(
    acme: Guarded, password: str = PASSWORD, reason: str = REASON, browser: requests.Session | None = None
) -> requests.Response:
    return acme.send(browser or acme.browser(), "/root", {"password": password, "reason": reason})


def open_uses(acme: Guarded) -> list[str]:
    return [use.id for use in acme.store.root_uses.all() if use.signed_off_at is None]


# --- set up -----------------------------------------------------------------------------------------------


def test_root_that_is_not_set_up_lets_nobody_in_and_looks_the_same(acme: Guarded) -> None:
    set_up = acme.get(acme.browser(), "/root", Accept="text/html")
    acme.root()
    assert acme.get(acme.browser(), "/root", Accept="text/html").status_code == set_up.status_code == 200
    acme.store.factors.end_all(ROOT, ROOT_SUBJECT, acme.clock_now())
    acme.store.users.set_account(Account(ROOT_SUBJECT, ""), acme.clock_now())
    with acme.nobody_in():
        for password in ("", PASSWORD, "root", "\0"):
            assert enter(acme, password).status_code == 401


def test_one_device_is_not_enough(acme: Guarded, root: tuple[Phone, Key]) -> None:
    acme.store.factors.end_all(ROOT, ROOT_SUBJECT, acme.clock_now())
    first = acme.phone()
    before = len(acme.records("signin.refused"))
    with acme.nobody_in():
        refused(enter(acme), "root.not_possible")
    assert len(acme.records("signin.refused")) == before + 1
    acme.key()
    acme.root_in(first)


def test_the_set_up_link_is_good_once_in_one_browser_for_a_quarter_of_an_hour(acme: Guarded) -> None:
    url = acme.door.set_up_root(by=acme.operator_on_host)
    token = url.partition("?t=")[2]
    browsers = [acme.browser() for _ in range(10)]
    fields = {"t": token, "new": OTHER, "again": OTHER}
    answers = at_once([partial(acme.send, each, "/link", fields) for each in browsers])
    came = Counter(each.status_code for each in answers)
    assert came[303] == 1, came
    won = [each.status_code for each in answers].index(303)
    browser, challenge = browsers[won], handle(answers[won])
    page = {"c": challenge, "kind": "totp", "step": "begin"}
    for thief in (acme.browser(), browsers[won - 1]):
        refused(acme.send(thief, "/challenge/enrol", page), "mfa.over")
    phone, answer = acme.enrol(browser, "/challenge/enrol", {"c": challenge})
    assert answer.status_code == 303, "one more is wanted"
    with acme.nobody_in():
        refused(enter(acme, OTHER), "root.not_possible")
    _, answer = acme.enrol(browser, "/challenge/enrol", {"c": challenge})
    assert answer.status_code == 200 and "/root" in answer.text
    acme.outside(browser)
    refused(acme.send(browser, "/challenge/enrol", page), "mfa.over")
    begun = acme.browser()
    proof = handle(enter(acme, OTHER, browser=begun))
    acme.new_step()
    acme.later(timedelta(seconds=30))
    assert acme.prove(begun, proof, phone).status_code == 303
    acme.inside(begun, "root")
    refused(acme.send(acme.browser(), "/link", fields), "link.invalid")
    late = acme.door.set_up_root(by=acme.operator_on_host).partition("?t=")[2]
    acme.later(timedelta(minutes=15))
    refused(acme.send(acme.browser(), "/link", {**fields, "t": late}), "link.invalid")
    assert token not in acme.log() and late not in acme.log() and token not in acme.trail()


# --- the way in -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reason", ["", "short", " " * 40, "a" * 501, "line\nbreak and more", "\u202eevil reason", "\0" * 20]
)
def test_without_a_written_reason_nothing_is_looked_at(
    acme: Guarded, root: tuple[Phone, Key], reason: str
) -> None:
    before, uses = acme.hashed(), open_uses(acme)
    with acme.nobody_in():
        answer = enter(acme, reason=reason)
        assert answer.status_code == 422 and "Location" not in answer.headers
    assert (acme.hashed(), open_uses(acme)) == (before, uses)
    acme.root_in(root[1])


def test_neither_the_password_alone_nor_a_device_alone_is_root(
    acme: Guarded, root: tuple[Phone, Key]
) -> None:
    phone, key = root
    browser = acme.browser()
    challenge = handle(enter(acme, browser=browser))
    acme.outside(browser)
    for path in ("/", "/admin/root", "/security"):
        assert acme.get(browser, path, Accept="text/html").headers["Location"].startswith("/sign-in")
    with acme.nobody_in():
        refused(acme.prove(acme.browser(), challenge, key, text="{}"), "mfa.over")
        alone = acme.browser()
        asking = acme.send(alone, "/sign-in/passkey", {"next": "/"}).json()
        proof = key.authenticator.get(json.dumps(asking["options"]))
        fields = {"c": asking["challenge"], "kind": "webauthn", "response": proof}
        assert acme.send(alone, "/challenge", fields).status_code == 401
        # A local user's way in is not root's, whatever the name.
        for name in ("root", "/root", "root/root"):
            assert acme.password(acme.browser(), name).status_code == 401
    acme.new_step()
    assert acme.prove(browser, challenge, phone).status_code == 303
    acme.inside(browser, "root")


def test_each_failing_sign_in_is_on_record(acme: Guarded, root: tuple[Phone, Key]) -> None:
    phone, _ = root
    before = len(acme.records("signin.refused")), len(acme.records("mfa.refused"))
    told = acme.alerts("root.refused")
    for _ in range(7):
        assert enter(acme, OTHER).status_code == 401
    browser = acme.browser()
    challenge = handle(enter(acme, browser=browser))
    for _ in range(3):
        assert acme.prove(browser, challenge, phone, text=phone.wrong()).status_code == 401
    deadline = time.monotonic() + 30  # it is recorded after the answer
    while len(acme.records("signin.refused")) < before[0] + 7:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    found = acme.records("signin.refused")[before[0] :]
    assert len(found) == 7 and {row["source"] for row in found} == {"root"}
    assert len({row["address"] for row in found}) == 7
    assert len(acme.records("mfa.refused")) == before[1] + 3
    acme.heard("root.refused", told)
    acme.new_step()
    assert acme.prove(browser, challenge, phone).status_code == 303


def test_of_twenty_with_the_same_code_at_once_one_is_root(acme: Guarded, root: tuple[Phone, Key]) -> None:
    phone, _ = root
    browsers = [acme.browser() for _ in range(CROWD)]
    challenges = [handle(enter(acme, browser=browser)) for browser in browsers]
    uses = len(open_uses(acme))
    acme.new_step()
    code = phone.code()
    answers = at_once(
        [
            partial(acme.prove, browser, challenge, phone, text=code)
            for browser, challenge in zip(browsers, challenges, strict=True)
        ]
    )
    assert Counter(answer.status_code for answer in answers)[303] == 1
    assert len(open_uses(acme)) == uses + 1


def test_guessing_roots_password_keeps_root_out_nowhere_it_is_known(
    acme: Guarded, root: tuple[Phone, Key]
) -> None:
    _, key = root
    browser = acme.root_in(key)
    before = acme.hashed()
    codes = Counter(enter(acme, OTHER).status_code for _ in range(25))
    assert codes == {401: 10, 429: 15} and acme.hashed() == before + 10
    assert enter(acme).status_code == 429, "elsewhere, not even the right one"
    known = acme.browser()
    known.cookies.update(browser.cookies)
    acme.root_in(key, known)


# --- what root may ----------------------------------------------------------------------------------------


def test_neither_guardrail_nor_deny_keeps_root_from_its_roles_alone(
    acme: Guarded, root: tuple[Phone, Key]
) -> None:
    browser = acme.root_in(root[1])
    given = acme.ask(browser, ADMIN)
    assert given.status_code == 200, given.text
    left = datetime.fromisoformat(given.json()["Expiration"]) - acme.clock_now()
    assert timedelta(minutes=13) < left <= timedelta(minutes=15, seconds=5)
    longer = acme.ask(browser, ADMIN, duration=3600)
    if longer.status_code == 200:
        left = datetime.fromisoformat(longer.json()["Expiration"]) - acme.clock_now()
        assert left <= timedelta(minutes=15, seconds=5)
    for role in (READ_ONLY, RELEASE, VAULT, ADMIN.replace("Admin", "Nobody")):
        refused(acme.ask(browser, role))
    assert acme.get(browser, "/admin/users").status_code == 200
    # The same guardrail holds for everybody else.
    sre = acme.person()
    assert refused(acme.ask(sre, ADMIN)) in ("role.forbidden", "role.unknown")


def test_roots_session_ends_after_a_quarter_of_an_hour_whatever_is_done(
    acme: Guarded, root: tuple[Phone, Key]
) -> None:
    _, key = root
    browser = acme.root_in(key)
    for _ in range(14):
        acme.later(timedelta(minutes=1))
        acme.inside(browser, "root")
    acme.prove(browser, acme.step_up(browser), key)
    acme.inside(browser, "root")
    acme.later(timedelta(minutes=1, seconds=1))
    acme.outside(browser)
    refused(acme.ask(browser, ADMIN), "session.missing")
    acme.root_in(key)


def test_root_lets_no_app_and_no_device_in(acme: Guarded, root: tuple[Phone, Key], boss: Any) -> None:
    browser = acme.root_in(root[1])
    cli = acme.app()
    page = cli.open(browser)
    if page.status_code == 200:
        fields = {"csrf": hidden(page)["csrf"], **cli.ask(), "decision": "allow"}
        answer = acme.send(browser, "/oauth/authorize", fields)
    else:
        answer = page
    assert "code=" not in answer.headers.get("Location", ""), answer.headers
    assert answer.status_code >= 300
    device = cli.device()
    shown = acme.get(browser, f"/device?user_code={device['user_code']}")
    fields = {"csrf": acme.csrf(browser), "user_code": device["user_code"], "decision": "approve"}
    decided = acme.send(browser, "/device", fields)
    assert decided.status_code >= 400, (shown.status_code, decided.status_code, decided.text)
    ungranted(cli.poll(device["device_code"]))
    assert acme.app().tokens(acme.signed_in(boss))["access_token"]


# --- what is left of it -----------------------------------------------------------------------------------


def test_a_use_is_on_record_told_of_and_open_until_somebody_else_signs_it_off(
    acme: Guarded, root: tuple[Phone, Key], boss: Any
) -> None:
    told, recorded, before = acme.alerts("root.used"), len(acme.records("root.used")), open_uses(acme)
    browser = acme.root_in(root[1])
    acme.heard("root.used", told)
    assert len(acme.records("root.used")) == recorded + 1
    assert acme.records("root.used")[-1]["detail"]["reason"] == REASON
    (use,) = set(open_uses(acme)) - set(before)
    note = {"id": use, "note": "all of it was needed"}
    refused(acme.own(browser, "/admin/root", **note), "admin.second_person")
    nobody = acme.signed_in(acme.user())
    refused(acme.send(nobody, "/admin/root", {"csrf": acme.csrf(nobody), **note}), "unknown")
    assert use in open_uses(acme)
    operator = acme.signed_in(boss)
    assert REASON in acme.get(operator, "/admin/root", Accept="text/html").text
    assert acme.own(operator, "/admin/root", id=use, note="ok").status_code == 422
    answers = [acme.own(operator, "/admin/root", **note) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 422]
    assert use not in open_uses(acme)


def test_a_root_session_is_renewed_by_its_next_use_and_the_old_cookie_is_dead(
    acme: Guarded, root: tuple[Phone, Key]
) -> None:
    _, key = root
    browser = acme.root_in(key)
    old, thief = token_of(browser), acme.copy_of(browser)
    acme.root_in(key, browser)
    assert token_of(browser) != old
    acme.outside(thief)


def test_root_keeps_two_devices_and_has_no_codes(acme: Guarded, root: tuple[Phone, Key]) -> None:
    browser = acme.root_in(root[1])
    mine = [each.id for each in acme.store.factors.of(ROOT, ROOT_SUBJECT)]
    for id in mine:
        refused(acme.own(browser, "/security/factor", id=id, do="remove"), "root.not_possible")
    refused(acme.own(browser, "/security/recovery-codes"), "root.not_possible")
    _, answer = acme.enrol(browser, "/security/enrol", {"csrf": acme.csrf(browser)})
    assert answer.status_code == 303
    assert acme.own(browser, "/security/factor", id=mine[0], do="remove").status_code == 303
    assert len(acme.store.factors.of(ROOT, ROOT_SUBJECT)) == 2
