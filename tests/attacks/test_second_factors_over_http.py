"""Every attack on second factors, against two running workers: codes again, late and of others, WebAuthn ceremonies
altered in each part, challenges carried elsewhere. Each beside its honest twin.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import requests

from app.people import UserState
from tests.attacks.answers import refused
from tests.attacks.oidc_company import at_once
from tests.attacks.people_company import (
    OTHER,
    RELEASE,
    Key,
    PeopleCompany,
    begun,
    handle,
    options,
    token_of,
)
from tests.mfa.authenticator import UP, UV, Authenticator, b64

EVIL = "https://evil.example"
CROWD = 20


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeopleCompany]:
    with PeopleCompany(tmp_path_factory.mktemp("acme")) as company:
        yield company
        assert '"defect"' not in company.log()


def wrong(answer: requests.Response, code: str = "Wait for the next code") -> None:
    """The page of the challenge again, and nobody is signed in by it."""
    assert answer.status_code == 401, (answer.status_code, answer.text[:2000])
    assert "daypass" not in answer.cookies
    assert code in answer.text


def asked(acme: PeopleCompany, user: Any, browser: requests.Session | None = None) -> tuple[Any, str]:
    """A browser with the right password, and the challenge that it is asked."""
    browser = browser or acme.browser()
    return browser, handle(acme.password(browser, user))


# --- codes by time ----------------------------------------------------------------------------------------


def test_of_twenty_browsers_with_the_same_code_at_once_one_gets_in(acme: PeopleCompany) -> None:
    user = acme.user()
    phone = acme.phone(user)
    waiting = [asked(acme, user) for _ in range(CROWD)]
    acme.new_step()
    code = phone.code()
    answers = at_once(
        [partial(acme.prove, browser, challenge, phone, text=code) for browser, challenge in waiting]
    )
    came = Counter(answer.status_code for answer in answers)
    assert came[303] == 1 and set(came) <= {303, 401, 429}, came
    assert sum(acme.me(browser).status_code == 200 for browser, _ in waiting) == 1
    acme.later(timedelta(minutes=16))
    acme.signed_in(user, phone)


def test_of_twenty_answers_to_one_challenge_at_once_one_gets_in(acme: PeopleCompany) -> None:
    user = acme.user()
    phone = acme.phone(user)
    browser, challenge = asked(acme, user)
    acme.new_step()
    code = phone.code()
    copies = [acme.copy_of(browser) for _ in range(CROWD)]
    before = acme.sessions()
    answers = at_once([partial(acme.prove, copy, challenge, phone, text=code) for copy in copies])
    assert Counter(answer.status_code == 303 for answer in answers)[True] == 1
    assert len(acme.sessions() - before) == 1


def test_a_code_is_good_for_a_step_either_way_and_never_again_nor_an_older_one(acme: PeopleCompany) -> None:
    user = acme.user()
    phone = acme.phone(user)
    acme.new_step()

    def tries(steps: int) -> requests.Response:
        browser, challenge = asked(acme, user)
        return acme.prove(browser, challenge, phone, text=phone.code(steps))

    for further in (-2, 2, -3, 3):
        wrong(tries(further))
    assert tries(-1).status_code == 303, "a phone half a minute behind"
    wrong(tries(-1))
    assert tries(0).status_code == 303
    for older in (0, -1):
        wrong(tries(older))
    assert tries(1).status_code == 303, "a phone half a minute ahead"
    for older in (0, 1):
        wrong(tries(older))


def test_a_code_of_the_sign_in_is_not_good_again_at_a_step_up(acme: PeopleCompany) -> None:
    user = acme.user()
    phone = acme.phone(user)
    browser, challenge = asked(acme, user)
    acme.new_step()
    code = phone.code()
    assert acme.prove(browser, challenge, phone, text=code).status_code == 303
    step_up = acme.step_up(browser)
    before = token_of(browser)
    wrong(acme.prove(browser, step_up, phone, text=code))
    assert token_of(browser) == before
    assert acme.prove(browser, step_up, phone, text=phone.code(1)).status_code == 303
    acme.inside(browser, user.username)


def test_five_wrong_codes_end_a_challenge_and_the_right_one_comes_too_late(acme: PeopleCompany) -> None:
    user = acme.user()
    phone = acme.phone(user)
    browser, challenge = asked(acme, user)
    for _ in range(4):
        wrong(acme.prove(browser, challenge, phone, text=phone.wrong()))
    refused(acme.prove(browser, challenge, phone, text=phone.wrong()), "mfa.over")
    refused(acme.prove(browser, challenge, phone), "mfa.over")
    acme.outside(browser)
    acme.signed_in(user, phone)


def test_a_code_of_somebody_else_is_none(acme: PeopleCompany) -> None:
    user, mallory = acme.user(), acme.user()
    phone, theirs = acme.phone(user), acme.phone(mallory)
    browser, challenge = asked(acme, user)
    acme.new_step()
    wrong(acme.prove(browser, challenge, theirs))
    assert acme.prove(browser, challenge, phone).status_code == 303


@pytest.mark.parametrize(
    "text", ["", "00000", "0000000", "abcdef", "１２３４5x", "0" * 65, "\0" * 6, "-12345"]
)
def test_what_is_no_code_is_a_refusal(acme: PeopleCompany, text: str) -> None:
    user = acme.user()
    phone = acme.phone(user)
    browser, challenge = asked(acme, user)
    answer = acme.prove(browser, challenge, phone, text=text)
    assert answer.status_code == 401 and "daypass" not in answer.cookies
    acme.new_step()
    assert acme.prove(browser, challenge, phone).status_code == 303


# --- recovery codes ---------------------------------------------------------------------------------------


def test_a_recovery_code_is_good_once_however_many_come_at_once(acme: PeopleCompany) -> None:
    user = acme.user()
    acme.phone(user)
    codes = acme.recovery_codes(user)
    waiting = [asked(acme, user) for _ in range(10)]

    def answer(browser: requests.Session, challenge: str, code: str) -> requests.Response:
        return acme.send(browser, "/challenge", {"c": challenge, "kind": "recovery", "code": code})

    answers = at_once([partial(answer, *each, codes[0]) for each in waiting])
    assert Counter(each.status_code for each in answers)[303] == 1
    acme.later(timedelta(minutes=16))
    browser, challenge = asked(acme, user)
    wrong(answer(browser, challenge, codes[0]))
    assert answer(browser, challenge, codes[1].lower().replace("-", " ")).status_code == 303
    stranger = acme.user()
    acme.phone(stranger)
    browser, challenge = asked(acme, stranger)
    acme.recovery_codes(stranger)
    wrong(answer(browser, challenge, codes[2]))


# --- security keys and passkeys ---------------------------------------------------------------------------

OTHERS_HANDLE = "another user's handle"
ALTERED: dict[str, dict[str, Any]] = {
    "challenge": {"client": {"challenge": b64(b"c" * 64)}},
    "no challenge": {"client": {"challenge": ""}},
    "origin": {"client": {"origin": EVIL}},
    "origin as a prefix": {"client": {"origin": "{ours}.evil.example"}},
    "origin with another port": {"client": {"origin": "http://localhost:1"}},
    "origin by another scheme": {"client": {"origin": "{https}"}},
    "another site's frame": {"client": {"crossOrigin": True}},
    "a top of another site": {"client": {"topOrigin": EVIL}},
    "type": {"client": {"type": "webauthn.create"}},
    "RP id": {"rp_id": "evil.example"},
    "RP id as a part": {"rp_id": "ocalhost"},
    "nobody was present": {"flags": UV},
    "signature": {"spoil": True},
    "another user's handle": {"user_handle": OTHERS_HANDLE},
    "counter not risen": {"counter": 5},
    "counter back": {"counter": 1},
    "counter zero": {"counter": 0},
}
ALONE = {
    "user not verified": {"flags": UP},
    "no handle": {"user_handle": None},
}


def filled(acme: PeopleCompany, altered: dict[str, Any], other: Key) -> dict[str, Any]:
    made = dict(altered)
    ours = acme.base_url
    if "client" in made:
        made["client"] = {
            name: value.replace("{ours}", ours).replace("{https}", ours.replace("http:", "https:"))
            if isinstance(value, str)
            else value
            for name, value in made["client"].items()
        }
    if made.get("user_handle") == OTHERS_HANDLE:
        made["user_handle"] = other.authenticator.user_handle
    return made


def ask_passkey(acme: PeopleCompany, browser: requests.Session) -> dict[str, Any]:
    answer = acme.send(browser, "/sign-in/passkey", {"next": "/"})
    assert answer.status_code == 200, answer.text
    asking: dict[str, Any] = answer.json()
    return asking


def by_passkey(
    acme: PeopleCompany,
    browser: requests.Session,
    device: Authenticator,
    asking: dict[str, Any] | None = None,
    **altered: Any,
) -> requests.Response:
    asking = asking or ask_passkey(acme, browser)
    text = device.get(json.dumps(asking["options"]), **altered)
    return acme.send(browser, "/challenge", {"c": asking["challenge"], "kind": "webauthn", "response": text})


@pytest.fixture(scope="module")
def owner(acme: PeopleCompany) -> tuple[Any, Key]:
    """Somebody with a security key that has signed five times."""
    user = acme.user()
    return user, acme.key(user, counter=5)


@pytest.fixture(scope="module")
def other(acme: PeopleCompany) -> tuple[Any, Key]:
    user = acme.user()
    return user, acme.key(user)


@pytest.mark.parametrize("altered", ALTERED.values(), ids=ALTERED)
def test_an_altered_ceremony_is_refused_as_second_factor_and_the_honest_one_is_not(
    acme: PeopleCompany, owner: tuple[Any, Key], other: tuple[Any, Key], altered: dict[str, Any]
) -> None:
    user, key = owner
    browser, challenge = asked(acme, user)
    with acme.nobody_in():
        wrong(acme.prove(browser, challenge, key, **filled(acme, altered, other[1])))
        acme.outside(browser)
    assert acme.prove(browser, challenge, key).status_code == 303
    acme.inside(browser, user.username)


@pytest.mark.parametrize("altered", (ALTERED | ALONE).values(), ids=ALTERED | ALONE)
def test_an_altered_ceremony_is_refused_as_the_whole_sign_in_and_the_honest_one_is_not(
    acme: PeopleCompany, owner: tuple[Any, Key], other: tuple[Any, Key], altered: dict[str, Any]
) -> None:
    user, key = owner
    browser = acme.browser()
    with acme.nobody_in():
        answer = by_passkey(acme, browser, key.authenticator, **filled(acme, altered, other[1]))
        assert answer.status_code == 401
        acme.outside(browser)
    assert by_passkey(acme, browser, key.authenticator).status_code == 303
    assert acme.inside(browser, user.username)["authentication"]["mfa"] is True


def test_a_credential_of_somebody_else_is_none_of_mine(
    acme: PeopleCompany, owner: tuple[Any, Key], other: tuple[Any, Key]
) -> None:
    (user, key), (_, theirs) = owner, other
    browser, challenge = asked(acme, user)
    wrong(acme.prove(browser, challenge, theirs))
    # Under the owner's credential id, and under the owner's name, by another device's key.
    forged = Authenticator(
        credential=key.authenticator.credential,
        origin=acme.base_url,
        counter=10**6,
        user_handle=key.authenticator.user_handle,
    )
    wrong(acme.prove(browser, challenge, Key(forged)))
    with acme.nobody_in():
        assert by_passkey(acme, acme.browser(), forged).status_code == 401
        unknown = Authenticator(origin=acme.base_url, user_handle=key.authenticator.user_handle)
        assert by_passkey(acme, acme.browser(), unknown).status_code == 401
    assert acme.prove(browser, challenge, key).status_code == 303
    signed = acme.browser()
    assert by_passkey(acme, signed, theirs.authenticator).status_code == 303
    acme.inside(signed, other[0].username)


def test_a_proof_that_was_shown_is_worth_nothing_again(acme: PeopleCompany, owner: tuple[Any, Key]) -> None:
    user, key = owner
    browser, challenge = asked(acme, user)
    page = acme.get(browser, f"/challenge?c={challenge}", Accept="text/html").text
    proof = key.authenticator.get(options(page))
    thief = acme.copy_of(browser)
    assert acme.prove(browser, challenge, key, text=proof).status_code == 303
    with acme.nobody_in():
        refused(acme.prove(thief, challenge, key, text=proof), "mfa.over")
        stranger, another = asked(acme, user)
        wrong(acme.prove(stranger, another, key, text=proof))
        asking = ask_passkey(acme, thief)
        answer = acme.send(
            thief, "/challenge", {"c": asking["challenge"], "kind": "webauthn", "response": proof}
        )
        assert answer.status_code == 401
    assert acme.prove(stranger, another, key).status_code == 303


def test_of_twenty_with_the_same_passkey_proof_at_once_one_gets_in(
    acme: PeopleCompany, owner: tuple[Any, Key]
) -> None:
    browser = acme.browser()
    asking = ask_passkey(acme, browser)
    proof = owner[1].authenticator.get(json.dumps(asking["options"]))
    fields = {"c": asking["challenge"], "kind": "webauthn", "response": proof}
    copies = [acme.copy_of(browser) for _ in range(CROWD)]
    before = acme.sessions()
    answers = at_once([partial(acme.send, copy, "/challenge", fields) for copy in copies])
    assert Counter(answer.status_code for answer in answers)[303] == 1
    assert len(acme.sessions() - before) == 1


def test_a_copied_key_is_refused_and_the_operators_hear_of_it(acme: PeopleCompany) -> None:
    user = acme.user()
    key = acme.key(user, counter=40)
    acme.signed_in(user, key)
    acme.later(timedelta(minutes=1))
    browser, challenge = asked(acme, user)
    wrong(acme.prove(browser, challenge, key, counter=12))
    said = [line for line in acme.log().splitlines() if '"factor.copied"' in line and user.username in line]
    assert said
    assert acme.prove(browser, challenge, key).status_code == 303


def test_a_key_of_a_disabled_user_signs_nobody_in(acme: PeopleCompany) -> None:
    user = acme.user()
    key = acme.key(user)
    acme.changed(user, state=UserState.DISABLED)
    browser = acme.browser()
    with acme.nobody_in():
        assert by_passkey(acme, browser, key.authenticator).status_code == 401
    acme.changed(user, state=UserState.ACTIVE)
    assert by_passkey(acme, browser, key.authenticator).status_code == 303


@pytest.mark.parametrize("text", ["{}", "[]", "null", "0", "x", '{"id": "', "[" * 8000, '{"id":1e400}'])
def test_what_is_no_answer_of_a_security_key_is_a_refusal(
    acme: PeopleCompany, owner: tuple[Any, Key], text: str
) -> None:
    user, key = owner
    browser, challenge = asked(acme, user)
    wrong(acme.prove(browser, challenge, key, text=text))
    asking = ask_passkey(acme, acme.browser())
    assert asking["options"]["userVerification"] == "required"
    assert acme.prove(browser, challenge, key).status_code == 303


# --- enrolment --------------------------------------------------------------------------------------------

ENROLMENTS: dict[str, dict[str, Any]] = {
    "challenge": {"client": {"challenge": b64(b"c" * 64)}},
    "origin": {"client": {"origin": EVIL}},
    "type": {"client": {"type": "webauthn.get"}},
    "RP id": {"rp_id": "evil.example"},
    "nobody was present": {"flags": 0},
    "a credential that is known": {},
}


@pytest.mark.parametrize("altered", ENROLMENTS.values(), ids=ENROLMENTS)
def test_an_altered_enrolment_is_refused_and_the_honest_one_is_not(
    acme: PeopleCompany, other: tuple[Any, Key], altered: dict[str, Any]
) -> None:
    user = acme.user()
    browser = acme.signed_in(user)
    device = Authenticator(credential=b"new" + user.id.encode(), origin=acme.base_url)

    def enrol(**changes: Any) -> requests.Response:
        page = acme.own(browser, "/security/enrol", kind="webauthn", step="begin")
        assert page.status_code == 200, page.text
        fields = {**begun(page.text), "kind": "webauthn", "step": "finish", "name": "key"}
        return acme.own(
            browser, "/security/enrol", **fields, response=device.create(options(page.text), **changes)
        )

    known = {} if altered else {"credential": other[1].authenticator.credential}
    assert enrol(**altered, **known).status_code == 401
    assert acme.devices(user) == []
    assert enrol().status_code == 200
    assert len(acme.devices(user)) == 1


# --- challenges -------------------------------------------------------------------------------------------


def test_a_challenge_is_answered_by_its_own_browser_alone(acme: PeopleCompany) -> None:
    user, mallory = acme.user(), acme.user()
    phone = acme.phone(user)
    theirs = acme.phone(mallory)
    browser, challenge = asked(acme, user)
    acme.new_step()
    elsewhere, own = asked(acme, mallory)
    with acme.nobody_in():
        for stranger in (acme.browser(), elsewhere):
            refused(acme.prove(stranger, challenge, phone), "mfa.over")
            refused(acme.get(stranger, f"/challenge?c={challenge}"), "mfa.over")
    for handle_ in ("", "x", "A" * 43, challenge[:-1], challenge.swapcase(), "\0", "../" + challenge):
        refused(acme.prove(browser, handle_, phone), "mfa.over")
    assert acme.prove(browser, challenge, phone).status_code == 303
    acme.inside(browser, user.username)
    assert acme.prove(elsewhere, own, theirs).status_code == 303
    acme.inside(elsewhere, mallory.username)


def test_a_challenge_is_answered_by_what_it_asks_for_alone(
    acme: PeopleCompany, owner: tuple[Any, Key]
) -> None:
    user = acme.user()
    phone = acme.phone(user)
    codes = acme.recovery_codes(user)
    browser = acme.browser()
    asking = ask_passkey(acme, browser)
    acme.new_step()
    with acme.nobody_in():
        for kind, name, text in (
            ("totp", "code", phone.code()),
            ("recovery", "code", codes[0]),
            ("sms", "code", "123456"),
            ("", "code", phone.code()),
        ):
            refusal = acme.send(browser, "/challenge", {"c": asking["challenge"], "kind": kind, name: text})
            assert refusal.status_code in (400, 401), refusal.text
        # Another person's passkey for the second factor of this one; and a passkey where a phone is asked for.
        waiting, challenge = asked(acme, user)
        proof = owner[1].authenticator.get(json.dumps(asking["options"]))
        wrong(acme.prove(waiting, challenge, owner[1], text=proof))
        acme.outside(waiting)
    assert acme.prove(waiting, challenge, phone).status_code == 303
    assert by_passkey(acme, browser, owner[1].authenticator).status_code == 303


def test_a_challenge_lives_for_ten_minutes(acme: PeopleCompany) -> None:
    user = acme.user()
    phone = acme.phone(user)
    (early, first), (late, second) = asked(acme, user), asked(acme, user)
    acme.later(timedelta(minutes=9))
    acme.new_step()
    assert acme.prove(early, first, phone).status_code == 303
    acme.later(timedelta(minutes=1))
    refused(acme.prove(late, second, phone), "mfa.over")
    acme.outside(late)


def test_a_sign_in_that_waits_is_over_once_the_password_is_another(acme: PeopleCompany) -> None:
    user = acme.user()
    phone = acme.phone(user)
    browser, challenge = asked(acme, user)
    acme.set_password(user.id, OTHER)
    acme.new_step()
    refused(acme.prove(browser, challenge, phone), "mfa.over")
    browser = acme.browser()
    answer = acme.password(browser, user, OTHER)
    assert acme.prove(browser, handle(answer), phone).status_code == 303


def test_the_password_alone_gives_nothing(acme: PeopleCompany) -> None:
    user = acme.user()
    acme.phone(user)
    browser, challenge = asked(acme, user)
    acme.outside(browser)
    for path in ("/", "/security", "/keys", "/admin", f"/step-up?role={RELEASE}"):
        assert acme.get(browser, path, Accept="text/html").headers["Location"].startswith("/sign-in")
    enrol = {"c": challenge, "kind": "totp", "step": "begin"}
    refused(acme.send(browser, "/challenge/enrol", enrol), "mfa.over")
    assert len(acme.devices(user)) == 1
