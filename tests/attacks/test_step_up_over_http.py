"""Every attack on step-up, and on what a person signs in with, by whoever has their cookie; and on the way back for a
lost device. Two running workers; each beside its honest twin.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from app.people import LOCAL
from tests.attacks.answers import documented, refused
from tests.attacks.oidc_company import BINDING, SESSION, at_once
from tests.attacks.people_company import (
    OTHER,
    PASSWORD,
    RELEASE,
    VAULT,
    PeopleCompany,
    Phone,
    begun,
    handle,
    token_of,
)

UNPHISHABLE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Resource": VAULT,
            "Condition": {"Bool": {"daypass:PhishingResistant": "true"}},
        }
    ],
}
LATE = timedelta(minutes=10, seconds=1)
CROWD = 20


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeopleCompany]:
    with PeopleCompany(tmp_path_factory.mktemp("acme")) as company:
        yield company
        assert '"defect"' not in company.log()


def thief_of(acme: PeopleCompany, browser: requests.Session) -> requests.Session:
    """Whoever has the session's cookie, and nothing else, elsewhere."""
    thief = acme.browser()
    thief.cookies.set(SESSION, token_of(browser), domain="localhost.local", path="/")
    return thief


def needs_more(answer: requests.Response) -> dict[str, Any]:
    """What a refusal that a factor would settle says of it."""
    assert answer.status_code == 403, answer.text
    said: dict[str, Any] = answer.json()
    assert said["code"] == "mfa_required" and (403, "mfa_required") in documented()
    step_up: dict[str, Any] = said["step_up"]
    return step_up


def proves(acme: PeopleCompany, browser: requests.Session, phone: Phone, back: str = "/security") -> None:
    """The owner shows a factor, and comes back."""
    asked = browser.get(
        f"{acme.base_url}/security/prove", params={"next": back}, allow_redirects=False, timeout=60
    )
    challenge = handle(asked)
    acme.new_step()
    answer = acme.prove(browser, challenge, phone)
    assert (answer.status_code, answer.headers["Location"]) == (303, back)


# --- a stolen cookie --------------------------------------------------------------------------------------


def changes(
    acme: PeopleCompany, user: Any, enrolment: dict[str, str]
) -> dict[str, tuple[str, dict[str, str]]]:
    """All that a person may change of what they sign in with."""
    mine = acme.devices(user)
    device = mine[0] if mine else "0" * 16
    return {
        "begin an app": ("/security/enrol", {"kind": "totp", "step": "begin"}),
        "begin a key": ("/security/enrol", {"kind": "webauthn", "step": "begin"}),
        "finish what the owner began": ("/security/enrol", enrolment),
        "remove a device": ("/security/factor", {"id": device, "do": "remove"}),
        "rename a device": ("/security/factor", {"id": device, "do": "rename", "name": "mine now"}),
        "make recovery codes": ("/security/recovery-codes", {}),
        "change the password": ("/security/password", {"old": "guess", "new": OTHER, "again": OTHER}),
        "change it without the old": ("/security/password", {"old": "", "new": OTHER, "again": OTHER}),
    }


def test_a_stolen_cookie_alone_changes_nothing_of_somebody_with_a_device(acme: PeopleCompany) -> None:
    user = acme.user()
    phone = acme.phone(user)
    acme.recovery_codes(user)
    browser = acme.signed_in(user, phone)
    page = acme.own(browser, "/security/enrol", kind="totp", step="begin")
    shown = begun(page.text)
    second = Phone(acme, shown["secret"])
    acme.later(LATE)
    thief = thief_of(acme, browser)
    acme.inside(thief, user.username)
    before = acme.devices(user), acme.store.recovery_codes.left(LOCAL, user.id)
    finish = {**shown, "kind": "totp", "step": "finish", "name": "x", "code": second.code()}
    for what, (path, fields) in changes(acme, user, finish).items():
        answer = acme.own(thief, path, **fields)
        led = answer.status_code == 303 and answer.headers["Location"].startswith("/security/prove")
        assert led or answer.status_code == 401, (what, answer.status_code, answer.text[:300])
    assert (acme.devices(user), acme.store.recovery_codes.left(LOCAL, user.id)) == before
    # And the password, which the thief may have too, is no proof for it.
    answer = acme.own(thief, "/security/password", old=PASSWORD, new=OTHER, again=OTHER)
    assert answer.headers["Location"].startswith("/security/prove")
    # The way that asks for the proof leads through the factor.
    assert thief.get(f"{acme.base_url}/security/enrol", allow_redirects=False, timeout=60).status_code == 303
    challenge = handle(acme.get(thief, "/security/prove?next=/security/enrol"))
    refused(
        acme.send(thief, "/challenge/enrol", {"c": challenge, "kind": "totp", "step": "begin"}), "mfa.over"
    )
    assert acme.prove(thief, challenge, phone, text=phone.wrong()).status_code == 401
    # The owner proves it and does the same.
    proves(acme, browser, phone)
    added, answer = acme.enrol(browser, "/security/enrol", {"csrf": acme.csrf(browser)})
    assert answer.status_code == 303 and added.secret and len(acme.devices(user)) == 2
    assert acme.own(browser, "/security/recovery-codes").status_code == 200
    gone = {"id": before[0][0], "do": "remove"}
    assert acme.own(browser, "/security/factor", **gone).status_code == 303
    answer = acme.own(browser, "/security/password", old=PASSWORD, new=OTHER, again=OTHER)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/security")
    acme.outside(thief)


def test_a_stolen_cookie_alone_changes_nothing_of_somebody_without_one(acme: PeopleCompany) -> None:
    user = acme.user()
    browser = acme.signed_in(user)
    shown: dict[str, str] = {"enrolment": "A" * 43}
    thief = thief_of(acme, browser)
    # However fresh it is: the old password is asked for.
    for old in ("", "guess", OTHER):
        answer = acme.own(thief, "/security/password", old=old, new=OTHER, again=OTHER)
        assert answer.status_code == 401
    acme.later(LATE)
    finish = {**shown, "kind": "totp", "step": "finish", "name": "x", "code": "123456"}
    for what, (path, fields) in changes(acme, user, finish).items():
        if "device" in what or "codes" in what:
            continue
        answer = acme.own(thief, path, **fields)
        assert answer.status_code in (303, 401), (what, answer.status_code)
        assert answer.headers.get("Location", "/security/prove").startswith("/security/prove")
    challenge = acme.step_up(thief, VAULT)
    begin = {"c": challenge, "kind": "totp", "step": "begin"}
    assert refused(acme.send(thief, "/challenge/enrol", begin)) in ("mfa.over", "mfa.proof_not_recent")
    assert acme.devices(user) == []
    acme.signed_in(user, browser=browser)
    _, answer = acme.enrol(browser, "/security/enrol", {"csrf": acme.csrf(browser)})
    assert answer.status_code == 200 and len(acme.devices(user)) == 1


def test_a_stolen_cookie_of_a_directorys_person_enrols_nothing(acme: PeopleCompany) -> None:
    browser = acme.person()
    subject = acme.me(browser).json()
    who = (subject["source"], subject["subject"])
    acme.later(LATE)
    thief = thief_of(acme, browser)
    answer = acme.own(thief, "/security/enrol", kind="totp", step="begin")
    assert answer.headers["Location"].startswith("/security/prove")
    answer = thief.get(f"{acme.base_url}/step-up", allow_redirects=False, timeout=60)
    begin = {"c": handle(answer), "kind": "totp", "step": "begin"}
    assert refused(acme.send(thief, "/challenge/enrol", begin)) in ("mfa.over", "mfa.proof_not_recent")
    refused(acme.own(thief, "/security/password", old="x", new=OTHER, again=OTHER))
    assert list(acme.store.factors.of(*who)) == []
    again = acme.person()
    _, answer = acme.enrol(again, "/security/enrol", {"csrf": acme.csrf(again)})
    assert answer.status_code == 200 and len(acme.store.factors.of(*who)) == 1
    acme.store.factors.end_all(*who, acme.clock_now())


def test_the_proof_is_looked_at_again_when_the_device_answers(acme: PeopleCompany) -> None:
    user = acme.user()
    browser = acme.signed_in(user)
    page = acme.own(browser, "/security/enrol", kind="totp", step="begin")
    shown = begun(page.text)
    acme.later(timedelta(minutes=9, seconds=59))
    acme.later(timedelta(seconds=2))
    fields = {
        **shown,
        "kind": "totp",
        "step": "finish",
        "name": "x",
        "code": Phone(acme, shown["secret"]).code(),
    }
    answer = acme.own(browser, "/security/enrol", **fields)
    assert answer.status_code in (303, 401) and acme.devices(user) == []


def test_an_enrolment_is_finished_by_the_browser_that_began_it(acme: PeopleCompany) -> None:
    user = acme.user()
    browser = acme.signed_in(user)
    page = acme.own(browser, "/security/enrol", kind="totp", step="begin")
    shown = begun(page.text)
    fields = {
        **shown,
        "kind": "totp",
        "step": "finish",
        "name": "x",
        "code": Phone(acme, shown["secret"]).code(),
    }
    refused(acme.own(thief_of(acme, browser), "/security/enrol", **fields), "mfa.over")
    mallory = acme.signed_in(acme.user())
    for name in (BINDING, f"{BINDING}-lax"):
        mallory.cookies.set(name, browser.cookies[f"{BINDING}-lax"], domain="localhost.local", path="/")
    refused(acme.own(mallory, "/security/enrol", **fields), "mfa.over")
    assert acme.devices(user) == []
    assert acme.own(browser, "/security/enrol", **fields).status_code == 200
    refused(acme.own(browser, "/security/enrol", **fields), "mfa.over")
    assert len(acme.devices(user)) == 1


def test_nobody_touches_the_devices_of_somebody_else(acme: PeopleCompany) -> None:
    user, mallory = acme.user(), acme.user()
    acme.phone(user)
    (theirs,) = acme.devices(user)
    browser = acme.signed_in(mallory, acme.phone(mallory))
    for do in ("remove", "rename"):
        for id in (theirs, "0" * 16, "", "../x"):
            refused(acme.own(browser, "/security/factor", id=id, do=do, name="x"))
        refused(acme.get(browser, f"/security/factor?id={theirs}&do={do}"))
    assert acme.devices(user) == [theirs]
    (own,) = acme.devices(mallory)
    assert acme.own(browser, "/security/factor", id=own, do="rename", name="x").status_code == 303


def test_ending_all_sessions_ends_the_thiefs_and_forgets_their_browser(acme: PeopleCompany) -> None:
    user = acme.user()
    browser = acme.signed_in(user)
    thief = thief_of(acme, browser)
    tokens = acme.app().tokens(browser)
    acme.good(tokens["access_token"], user.username)
    assert acme.own(browser, "/security/end", session="all").status_code in (200, 303)
    acme.outside(thief)
    acme.outside(browser)
    acme.bad(tokens["access_token"])
    assert list(acme.store.known_devices.of(LOCAL, user.id)) == []
    acme.signed_in(user, browser=browser)


# --- step-up ----------------------------------------------------------------------------------------------


def test_a_step_up_opens_the_role_renews_the_cookie_and_the_old_one_is_dead(acme: PeopleCompany) -> None:
    user = acme.user()
    phone = acme.phone(user)
    browser = acme.signed_in(user, phone)
    acme.later(timedelta(minutes=16))
    said = needs_more(acme.ask(browser, RELEASE))
    assert said["kinds"] == ["totp"]
    address = urlsplit(said["url"])
    assert f"{address.scheme}://{address.netloc}" == acme.base_url and address.path == "/step-up"
    assert parse_qs(address.query) == {"role": [RELEASE]}
    old, csrf, thief = token_of(browser), acme.csrf(browser), thief_of(acme, browser)
    id = acme.inside(browser, user.username)["session"]["id"]
    challenge = acme.step_up(browser, RELEASE)
    acme.new_step()
    answer = acme.prove(browser, challenge, phone)
    assert answer.status_code == 303
    assert token_of(browser) != old and acme.csrf(browser) != csrf
    assert acme.inside(browser, user.username)["session"]["id"] == id
    for _ in range(8):
        acme.outside(acme.copy_of(thief))
    refused(acme.send(browser, "/security/end", {"csrf": csrf, "session": "all"}), "request.cross_site")
    assert acme.ask(browser, RELEASE).status_code == 200
    acme.later(timedelta(minutes=16))
    needs_more(acme.ask(browser, RELEASE))


def test_of_twenty_step_ups_by_one_code_at_once_one_counts(acme: PeopleCompany) -> None:
    user = acme.user()
    phone = acme.phone(user)
    browser = acme.signed_in(user, phone)
    acme.later(timedelta(minutes=16))
    challenge = acme.step_up(browser, RELEASE)
    acme.new_step()
    code = phone.code()
    copies = [acme.copy_of(browser) for _ in range(CROWD)]
    answers = at_once([partial(acme.prove, copy, challenge, phone, text=code) for copy in copies])
    assert Counter(answer.status_code for answer in answers)[303] == 1
    living = [copy for copy in copies if acme.me(copy).status_code == 200]
    assert len(living) == 1 and acme.ask(living[0], RELEASE).status_code == 200


def test_a_step_up_is_answered_with_its_session_in_its_browser_alone(acme: PeopleCompany) -> None:
    user = acme.user()
    phone = acme.phone(user)
    browser = acme.signed_in(user, phone)
    challenge = acme.step_up(browser)
    acme.new_step()
    # The cookie alone; the browser's secret alone; both, with another person's session.
    refused(acme.prove(thief_of(acme, browser), challenge, phone), "mfa.over")
    binding = browser.cookies[f"{BINDING}-lax"]
    for other in (acme.browser(), acme.signed_in(acme.user()), acme.signed_in(user, acme.phone(user))):
        other.cookies.set(f"{BINDING}-lax", binding, domain="localhost.local", path="/")
        before = other.cookies.get(SESSION)
        answer = acme.prove(other, challenge, phone, text=phone.code(1))
        assert refused(answer) in ("session.missing", "mfa.over")
        assert other.cookies.get(SESSION) == before
    assert acme.prove(browser, challenge, phone).status_code == 303
    acme.inside(browser, user.username)


def test_a_step_up_of_a_session_that_is_over_gives_nothing(acme: PeopleCompany) -> None:
    user = acme.user()
    phone = acme.phone(user)
    browser = acme.signed_in(user, phone)
    challenge = acme.step_up(browser)
    still = acme.copy_of(browser)
    assert acme.own(browser, "/sign-out").status_code in (200, 303)
    acme.new_step()
    with acme.nobody_in():
        assert refused(acme.prove(still, challenge, phone)) in ("mfa.over", "session.missing")
        acme.outside(still)
    acme.signed_in(user, phone, browser)


def test_nobody_steps_up_the_helper_of_somebody_else(acme: PeopleCompany) -> None:
    user, mallory = acme.user(), acme.user()
    phone, theirs = acme.phone(user), acme.phone(mallory)
    browser = acme.signed_in(user, phone)
    tokens = acme.app().tokens(browser)
    acme.later(timedelta(minutes=16))
    helper = acme.session_of(tokens)
    attacker = acme.signed_in(mallory, theirs)
    for id in (helper, "0" * 16, "x", "\0", "a" * 64):
        answer = attacker.get(
            f"{acme.base_url}/step-up", params={"session": id}, allow_redirects=False, timeout=60
        )
        assert refused(answer) in ("session.unknown", "request.refused", "request.invalid"), answer.text
    stranger = attacker.get(f"{acme.base_url}/step-up?session={helper}", allow_redirects=False, timeout=60)
    nobody = attacker.get(f"{acme.base_url}/step-up?session={'0' * 16}", allow_redirects=False, timeout=60)
    same = [{**each.json(), "request_id": ""} for each in (stranger, nobody)]
    assert same[0] == same[1], "which one is there is not told"

    def waits() -> requests.Response:
        with acme.browser() as wire:
            return wire.post(
                f"{acme.base_url}/v1/credentials",
                json={"role": RELEASE},
                headers={"Authorization": f"Bearer {tokens['access_token']}"},
                timeout=60,
            )

    said = needs_more(waits())
    assert f"session={helper}" in said["url"]
    challenge = acme.step_up(browser, RELEASE, helper)
    acme.new_step()
    assert acme.prove(browser, challenge, phone).status_code == 303
    assert waits().status_code == 200, "the helper goes on by itself"


def test_a_weaker_factor_does_not_open_what_wants_a_stronger_one(acme: PeopleCompany) -> None:
    user = acme.user(groups=(), inline=[UNPHISHABLE])
    phone, key = acme.phone(user), acme.key(user)
    acme.recovery_codes(user)
    browser = acme.signed_in(user, phone)
    assert needs_more(acme.ask(browser, VAULT))["kinds"] == ["webauthn"]
    challenge = acme.step_up(browser, VAULT)
    acme.new_step()
    assert acme.prove(browser, challenge, phone).status_code == 401
    plain = acme.step_up(browser)
    assert acme.prove(browser, plain, phone, text=phone.code(1)).status_code == 303
    needs_more(acme.ask(browser, VAULT))
    unverified = acme.step_up(browser)
    assert acme.prove(browser, unverified, key, flags=1).status_code == 303
    needs_more(acme.ask(browser, VAULT))
    assert acme.prove(browser, acme.step_up(browser, VAULT), key).status_code == 303
    assert acme.ask(browser, VAULT).status_code == 200


def test_a_first_factor_of_the_step_up_opens_no_role_of_level_admin_before_a_new_sign_in(
    acme: PeopleCompany,
) -> None:
    user = acme.user()
    browser = acme.signed_in(user)
    assert needs_more(acme.ask(browser, VAULT))["kinds"] == ["webauthn", "totp"]
    told = acme.alerts("factor.first_enrolled")
    challenge = acme.step_up(browser, VAULT)
    phone, answer = acme.enrol(browser, "/challenge/enrol", {"c": challenge})
    assert answer.status_code == 200
    (code, *_) = re.findall(r"\b(?:[0-9A-Z]{4}-){3}[0-9A-Z]{4}\b", answer.text)
    acme.heard("factor.first_enrolled", told)
    assert acme.ask(browser, RELEASE).status_code == 200, "a role of level power is open"
    refused(acme.ask(browser, VAULT), "role.forbidden")
    # Nor does proving it again, or another that was added on the strength of it.
    again = acme.step_up(browser)
    acme.new_step()
    assert acme.prove(browser, again, phone, text=phone.code(1)).status_code == 303
    refused(acme.ask(browser, VAULT), "role.forbidden")
    second, answer = acme.enrol(browser, "/security/enrol", {"csrf": acme.csrf(browser)})
    assert answer.status_code == 303
    acme.new_step()
    acme.later(timedelta(seconds=30))
    assert acme.prove(browser, acme.step_up(browser), second).status_code == 303
    refused(acme.ask(browser, VAULT), "role.forbidden")
    fields = {"c": acme.step_up(browser), "kind": "recovery", "code": code}
    assert acme.send(browser, "/challenge", fields).status_code == 303
    refused(acme.ask(browser, VAULT), "role.forbidden")
    tokens = acme.app().tokens(browser)
    with acme.browser() as wire:
        wire.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        refused(acme.ask(wire, VAULT), "role.forbidden")
    acme.signed_in(user, phone, browser)
    assert acme.ask(browser, VAULT).status_code == 200


# --- the way back -----------------------------------------------------------------------------------------


def alone(answer: requests.Response) -> None:
    """Somebody else must do it."""
    assert answer.status_code == 403, answer.text


def test_one_administrator_alone_takes_nobodys_factors(acme: PeopleCompany) -> None:
    ann, bob, user = acme.user(groups=("operators",)), acme.user(groups=("operators",)), acme.user()
    phone = acme.phone(user)
    victim = acme.signed_in(user, phone)
    first, second = acme.signed_in(ann), acme.signed_in(bob)
    clerk = acme.signed_in(acme.user())
    lost = {"id": user.id, "do": "recover", "reason": "lost the phone on a train"}
    refused(acme.send(clerk, "/admin/user", {"csrf": acme.csrf(clerk), **lost}), "unknown")
    assert acme.own(first, "/admin/user", **lost).status_code == 303
    (asked,) = [each.id for each in acme.store.recoveries.all() if each.subject == user.id]
    approve = {"id": asked, "decision": "approve"}
    alone(acme.own(first, "/admin/recoveries", **approve))
    # Not from another browser of theirs, nor by whom it is about, nor by somebody whom the first one makes for it.
    alone(acme.own(acme.signed_in(ann), "/admin/recoveries", **approve))
    acme.changed(user, groups=("operators",))
    alone(acme.own(victim, "/admin/recoveries", **approve))
    made = acme.own(first, "/admin/users/new", username=f"puppet-{asked[:6]}", group="operators")
    assert made.status_code == 200
    puppet = acme.store.users.by_username(f"puppet-{asked[:6]}")
    assert puppet is not None
    acme.set_password(puppet.id, PASSWORD)
    assert puppet.groups == ("operators",)
    alone(acme.own(acme.signed_in(puppet), "/admin/recoveries", **approve))
    assert acme.own(first, "/admin/user", **lost).status_code == 422, "one waits already"
    assert len(acme.devices(user)) == 1 and acme.me(victim).status_code == 200
    answers = at_once([partial(acme.own, each, "/admin/recoveries", **approve) for each in [second] * 4])
    assert Counter(answer.status_code for answer in answers)[303] == 1
    assert acme.devices(user) == []
    acme.outside(victim)
    browser = acme.browser()
    assert acme.password(browser, user).status_code == 303
    acme.inside(browser, user.username)


def test_a_request_for_recovery_is_good_for_a_day(acme: PeopleCompany) -> None:
    ann, bob, user = acme.user(groups=("operators",)), acme.user(groups=("operators",)), acme.user()
    acme.phone(user)
    lost = {"id": user.id, "do": "recover", "reason": "lost the phone on a train"}
    assert acme.own(acme.signed_in(ann), "/admin/user", **lost).status_code == 303
    (asked,) = [each.id for each in acme.store.recoveries.all() if each.subject == user.id]
    acme.later(timedelta(days=1))
    late = acme.own(acme.signed_in(bob), "/admin/recoveries", id=asked, decision="approve")
    assert late.status_code == 422
    assert len(acme.devices(user)) == 1
    assert acme.own(acme.signed_in(ann), "/admin/user", **lost).status_code == 303
    asked = next(
        each.id
        for each in acme.store.recoveries.all()
        if each.subject == user.id and each.decided_at is None and each.expires_at > acme.clock_now()
    )
    answer = acme.own(acme.signed_in(bob), "/admin/recoveries", id=asked, decision="approve")
    assert answer.status_code == 303 and acme.devices(user) == []
