"""Why, over HTTP on the running broker: one's own case, whole; of anybody else's, nothing."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import datetime
from html import unescape
from urllib.parse import unquote

import pytest
import requests

from tests.attacks.answers import refused
from tests.attacks.directories import SamlCompany
from tests.signin.saml.builders import PERSON, Attribute

ADMIN = "arn:aws:iam::111122223333:role/Admin"
READ_ONLY = "arn:aws:iam::111122223333:role/ReadOnly"
BILLING = "arn:aws:iam::111122223333:role/Billing"
NOPE = "arn:aws:iam::111122223333:role/Nope"
MOBILE = "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract"
ENGINEERING = "CN=Engineering,OU=Groups,DC=acme,DC=test"
FRESH = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "FreshFactor",
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Resource": ADMIN,
            "Condition": {"NumericLessThan": {"aws:MultiFactorAuthAge": "900"}},
        },
        {
            "Sid": "OnlyThem",
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Resource": BILLING,
            "Condition": {"StringEquals": {"aws:username": ["chloe-of-finance"]}},
        },
    ],
}
EVIL = '</p><script>alert(1)</script>"x'


class Fresh(SamlCompany):
    """Engineers may use Admin with a fresh second factor."""

    def _configure(self, providers: dict[str, str] | None, files: dict[str, bytes]) -> None:
        groups = b"engineering:\n  policies: [fresh]\nsre:\n  policies: [aws:PowerUserAccess]\n"
        own = {"policies/fresh.json": json.dumps(FRESH).encode(), "groups.yaml": groups}
        super()._configure(providers, {**files, **own})


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SamlCompany]:
    with Fresh(tmp_path_factory.mktemp("acme"), workers=1) as company:
        yield company
        assert '"defect"' not in company.log()


def claims(**changed: str) -> list[Attribute]:
    """Ben's attributes: an engineer and nothing else."""
    values = {name: given for name, _, given in PERSON} | {"memberOf": [ENGINEERING]}
    values |= {name: [text] for name, text in changed.items()}
    return [(name, None, given) for name, given in values.items()]


def engineer(acme: SamlCompany, **knobs: object) -> requests.Session:
    return acme.sign_in(**{"attributes": claims(), **knobs})


@pytest.fixture(scope="module")
def ben(acme: SamlCompany) -> requests.Session:
    """Without a second factor."""
    return engineer(acme)


def explain(acme: SamlCompany, browser: requests.Session, role: str) -> requests.Response:
    return browser.get(f"{acme.base_url}/v1/explain", params={"role": role}, timeout=20)


def test_a_role_that_a_factor_opens_is_told_and_refused_with_the_way_to_it(acme, ben):
    told = explain(acme, ben, ADMIN).json()
    assert told["decision"] == "implicitDeny"
    assert told["nearest"] == {
        "policy": "fresh",
        "sid": "FreshFactor",
        "failed": "needs MFA in the last 15 minutes; you signed in without",
    }
    assert told["would_change"] == "Prove a second factor here."
    answer = acme.ask(ben, ADMIN)
    assert (answer.status_code, answer.json()["code"]) == (403, "mfa_required")
    assert answer.json()["step_up"]["url"].startswith(f"{acme.base_url}/step-up?role=")
    assert "This role needs a second factor that you have proven just now" in answer.json()["detail"]
    found = acme.audit("search", "--json", "--kind", "credentials.refused", "--role", ADMIN).stdout
    detail = json.loads(found.splitlines()[0])["detail"]
    assert detail["code"] == "mfa_required" and detail["why"].startswith("implicitDeny: ")


def test_doing_what_it_says_opens_the_role_until_it_is_too_old(acme):
    browser = engineer(acme, context=MOBILE)
    assert explain(acme, browser, ADMIN).json()["decision"] == "allow"
    assert acme.ask(browser, ADMIN).status_code == 200
    acme.move_clock(2400)
    try:
        told = explain(acme, browser, ADMIN).json()
    finally:
        acme.move_clock(0)
    assert re.fullmatch(
        r"needs MFA in the last 15 minutes; yours is 40 minutes( \d+ seconds)? old", told["nearest"]["failed"]
    )
    assert told["would_change"] == "Prove a second factor here."


def without_ids(answer: requests.Response) -> str:
    """The text without what differs by request or echoes the question."""
    text = re.sub(r'"request_id": "[0-9a-f]+"', "", unquote(answer.text))
    return re.sub(r"[0-9a-f]{16}|value=\"[^\"]{43}\"|arn:aws:iam::[^<\"]+|\d\d:\d\d(:\d\d)?", "", text)


@pytest.mark.parametrize("path", ["/v1/explain", "/why", "/keys"])
@pytest.mark.parametrize("hidden", [BILLING, "arn:aws:iam::444455556666:role/Nope", NOPE])
def test_a_role_of_others_and_one_that_does_not_exist_are_the_same_answer(acme, ben, path, hidden):
    answers = [
        ben.get(f"{acme.base_url}{path}", params={"role": role}, timeout=20) for role in (hidden, NOPE)
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert without_ids(answers[0]) == without_ids(answers[1])
    for answer in answers:
        for secret in ("chloe", "finance", "OnlyThem", "fresh", "sre", "Invoices"):
            assert secret not in answer.text


def test_the_record_has_what_the_person_does_not(acme, ben):
    refused(explain(acme, ben, BILLING), "role.unknown")
    lines = acme.audit("search", "--json", "--kind", "access.refused").stdout.splitlines()
    assert any("no statement allows it" in json.loads(line)["detail"]["why"] for line in lines)


def test_nobody_reads_anothers_case(acme, ben):
    answer = ben.get(f"{acme.base_url}/v1/explain", params={"role": ADMIN, "person": "corp/ana"}, timeout=20)
    refused(answer, "request.invalid")
    refused(
        requests.get(f"{acme.base_url}/v1/explain", params={"role": ADMIN}, timeout=20), "session.missing"
    )
    answer = ben.get(
        f"{acme.base_url}/v1/explain",
        params={"role": ADMIN},
        headers={"Sec-Fetch-Site": "cross-site"},
        timeout=20,
    )
    assert answer.status_code == 403


def test_hostile_claims_are_escaped_on_the_page(acme):
    browser = acme.sign_in(attributes=claims(displayName=EVIL, uid=EVIL, costCenter=EVIL))
    answer = browser.get(f"{acme.base_url}/why", params={"role": ADMIN}, timeout=20)
    assert answer.status_code == 200
    assert "Prove a second factor here." in unescape(answer.text)
    assert "<script>alert" not in answer.text


def test_questions_are_limited_by_address(acme, ben):
    while datetime.now().second > 45:  # not over the turn of a minute
        time.sleep(1)
    codes = [explain(acme, ben, ADMIN).status_code for _ in range(125)]
    assert codes[0] in (200, 429) and codes[-1] == 429
