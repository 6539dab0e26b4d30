"""Administration handed to others, over HTTP on the running broker: what is allowed is done, the rest is not there.

And a policy that the generator made: drafted on a page, written by the command, applied, seen, taken back.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from html import unescape

import pytest
import requests

from tests.attacks.answers import refused
from tests.attacks.directories import SamlCompany
from tests.company import ROOT

AUDITORS = "CN=Auditors,OU=Groups,DC=acme,DC=test"
FINANCE = "CN=Finance,OU=Groups,DC=acme,DC=test"
DEVELOPER = "arn:aws:iam::444455556666:role/Developer"
OPERATE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Configuration",
            "Effect": "Allow",
            "Action": "daypass:*Configuration",
            "Resource": "arn:aws:daypass:::configuration",
        },
        {
            "Sid": "FinancePolicies",
            "Effect": "Allow",
            "Action": "daypass:WritePolicy",
            "Resource": "arn:aws:daypass:::policy/finance-*",
        },
        {
            "Sid": "People",
            "Effect": "Allow",
            "Action": ["daypass:ReadPeople", "daypass:ExplainAccess"],
            "Resource": "arn:aws:daypass:::person/corp/*",
        },
    ],
}
READ_RECORD = {
    "Version": "2012-10-17",
    "Statement": {
        "Sid": "TheRecord",
        "Effect": "Allow",
        "Action": "daypass:ReadAudit",
        "Resource": "arn:aws:daypass:::audit",
    },
}
GROUPS = """\
sre:
  policies: [aws:AdministratorAccess, operate]
auditors:
  policies: [reading-the-record]
"""


class Handed(SamlCompany):
    """Auditors read the record; the people on call keep the configuration and the finance people's policies."""

    def _configure(self, providers: dict[str, str] | None, files: dict[str, bytes]) -> None:
        own = {
            "policies/operate.json": json.dumps(OPERATE, indent=2).encode(),
            "policies/reading-the-record.json": json.dumps(READ_RECORD, indent=2).encode(),
            "groups.yaml": GROUPS.encode(),
        }
        super()._configure(providers, {**files, **own})

    def enter(self, username: str, *groups: str) -> requests.Session:
        attributes = (("uid", None, [username]), ("memberOf", None, list(groups)))
        return self.sign_in(name_id=f"{username}-1", attributes=attributes)

    def get_page(self, browser: requests.Session, path: str) -> requests.Response:
        return browser.get(self.base_url + path, headers={"Accept": "text/html"}, timeout=20)

    def send(self, browser: requests.Session, path: str, **fields: str) -> requests.Response:
        """A form of ours, with the session's token from a page."""
        csrf = re.search(r'name="csrf" value="([^"]+)"', self.get_page(browser, "/").text)
        assert csrf
        return browser.post(
            self.base_url + path,
            data={"csrf": csrf[1], **fields},
            headers={"Origin": self.base_url, "Accept": "text/html"},
            allow_redirects=False,
            timeout=20,
        )

    def roles(self, browser: requests.Session) -> set[str]:
        answer = browser.get(f"{self.base_url}/v1/roles", timeout=20)
        return {role["arn"] for role in answer.json()["roles"]}


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Handed]:
    with Handed(tmp_path_factory.mktemp("handed"), workers=2) as company:
        yield company


ELSEWHERE = (
    "/admin/revisions",
    "/admin/difference?from=1&to=1",
    "/admin/plan",
    "/admin/roll-back?to=1",
    "/admin/people",
    "/admin/why?person=corp/olga-1&role=" + DEVELOPER,
    f"/admin/policies/new?name=finance-x&preview=1&role={DEVELOPER}",
)


def test_an_auditor_reads_the_record_and_is_refused_everything_else(acme: Handed) -> None:
    olga = acme.enter("olga", AUDITORS)
    assert 'href="/admin"' in acme.get_page(olga, "/").text
    front = acme.get_page(olga, "/admin").text
    assert 'href="/admin/audit"' in front
    assert not any(f'href="{path.partition("?")[0]}"' in front for path in ELSEWHERE)
    found = acme.get_page(olga, "/admin/audit?person=corp/olga")
    assert found.status_code == 200 and "signin.succeeded" in found.text
    for path in ELSEWHERE:
        answer = acme.get_page(olga, path)
        assert answer.status_code == 404 and refused(answer, "unknown")
    for path in ("/admin/plan", "/admin/roll-back"):
        answer = acme.send(olga, path, to="1", active="1", digest="0" * 64, sure="yes")
        assert answer.status_code == 404 and refused(answer, "unknown")
    record = acme.audit("search", "--person", "olga", "--json").stdout.splitlines()
    kinds = [json.loads(line) for line in record]
    used = [each for each in kinds if each["kind"] == "administration.used"]
    assert {each["detail"]["action"] for each in used} == {"daypass:ReadAudit"}
    missed = [each for each in kinds if each["kind"] == "administration.refused"]
    assert {each["detail"]["action"] for each in missed} == {
        "daypass:ReadConfiguration",
        "daypass:ApplyConfiguration",
        "daypass:RollbackConfiguration",
        "daypass:ReadPeople",
        "daypass:ExplainAccess",
        "daypass:WritePolicy",
    }


def test_who_holds_every_role_does_not_read_the_record_for_that(acme: Handed) -> None:
    sue = acme.enter("sue", "sre")
    assert DEVELOPER in acme.roles(sue)
    assert acme.get_page(sue, "/admin").status_code == 200
    refused(acme.get_page(sue, "/admin/audit"), "unknown")


def test_others_find_no_administration_at_all(acme: Handed) -> None:
    fay = acme.enter("fay", FINANCE)
    assert 'href="/admin"' not in acme.get_page(fay, "/").text
    for path in ("/admin", "/admin/audit", *ELSEWHERE):
        refused(acme.get_page(fay, path), "unknown")


def test_a_generated_policy_is_drafted_written_planned_applied_seen_and_taken_back(acme: Handed) -> None:
    fay, sue = acme.enter("fay", FINANCE), acme.enter("sue", "sre")
    assert DEVELOPER not in acme.roles(fay)

    # Drafted on the page, for a name that sue may write, and no other.
    draft = f"/admin/policies/new?name=finance-builds&preview=1&role={DEVELOPER}&group=finance"
    page = acme.get_page(sue, draft)
    assert page.status_code == 200 and "corp/fay" in page.text and "sandbox / Developer" in page.text
    refused(acme.get_page(sue, draft.replace("finance-builds", "builds")), "unknown")
    document = acme.get_page(sue, draft + "&download=1").json()

    # The command that the page shows writes the very same document.
    shown = re.search(r'id="text-command">([^<]+)<', page.text)
    assert shown
    command = unescape(shown[1]).split()
    assert command[:3] == ["python", "-m", "app"]
    written = acme.operator(*command[3:], "--yes")
    assert written.returncode == 0, written.stderr
    path = acme.config / "policies/finance-builds.json"
    assert json.loads(path.read_text()) == document
    assert acme.operator(*command[3:], "--yes").returncode == 1  # never over a file that is there

    # Attached, planned and applied by sue in the browser; both workers follow within a second.
    with (acme.config / "groups.yaml").open("a") as groups:
        groups.write("finance:\n  policies: [finance-builds]\n")
    plan = acme.get_page(sue, "/admin/plan").text
    assert "+  policies: [finance-builds]" in plan and "corp/fay" in plan
    digest = re.search(r'name="digest" value="([0-9a-f]{64})"', plan)
    assert digest
    active = re.search(r'name="active" value="([0-9]+)"', plan)
    assert active
    answer = acme.send(sue, "/admin/plan", digest=digest[1], active=active[1], sure="yes")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/revisions")
    time.sleep(1.2)
    assert all(DEVELOPER in acme.roles(fay) for _ in range(8))
    again = acme.send(sue, "/admin/plan", digest=digest[1], active=active[1], sure="yes")
    assert refused(again, "revision.changed")

    # Explained, with the place of the statement; and rolled back.
    why = acme.get_page(sue, f"/admin/why?person=corp/fay-1&role={DEVELOPER}").text
    assert "policies/finance-builds.json" in why
    assert "corp/sue" in acme.get_page(sue, "/admin/revisions").text
    now = str(int(active[1]) + 1)
    answer = acme.send(sue, "/admin/roll-back", to=active[1], active=now, sure="yes")
    assert answer.status_code == 303
    time.sleep(1.2)
    assert not any(DEVELOPER in acme.roles(fay) for _ in range(8))
    record = acme.audit("search", "--kind", "revision.activated", "--json").stdout.splitlines()
    by = [json.loads(line)["detail"]["by"] for line in record]
    assert by[:2] == ["corp/sue", "corp/sue"]


def test_the_shipped_company_lets_nobody_administer(tmp_path) -> None:
    for path in (ROOT / "config").rglob("*.json"):
        assert "daypass:" not in path.read_text().replace("${daypass:", ""), "but as a variable"
