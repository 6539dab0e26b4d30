"""Change a file, plan, apply, see the portal change in every worker within a second, roll back; over HTTP.

Two workers of one server, and a second server of its own on the same database.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.attacks.directories import SamlCompany
from tests.company import Process
from tests.ports import free_port

CHLOE = {
    "name_id": "chloe-1",
    "attributes": (
        ("uid", None, ["chloe"]),
        ("mail", None, ["chloe@acme.test"]),
        ("displayName", None, ["Chloe Martin"]),
        ("memberOf", None, ["CN=Finance,OU=Groups,DC=acme,DC=test"]),
    ),
}
BEFORE, WITH_ADMIN = {"Billing", "ReadOnly"}, {"Admin", "Billing", "ReadOnly"}


@pytest.fixture
def acme(tmp_path: Path) -> Iterator[SamlCompany]:
    with SamlCompany(tmp_path, workers=2) as company:
        yield company


@contextmanager
def another_server(acme: SamlCompany) -> Iterator[str]:
    """A second server on the same database and folder; its address."""
    port = free_port()
    run = "import sys; from app.serve import main; sys.exit(main(sys.argv[1:], target='tests.served:app'))"
    process = Process("second", [sys.executable, "-c", run, "--port", str(port)], acme.folder, acme.env)
    try:
        process.wait_for(f"http://localhost:{port}/readyz")
        yield f"http://localhost:{port}"
    finally:
        process.stop()


def edit(acme: SamlCompany, path: str, old: str, new: str) -> None:
    file = acme.config / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def operator(acme: SamlCompany, *argv: str, status: int = 0) -> str:
    done = acme.operator(*argv)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def roles(browser: requests.Session, address: str) -> set[str]:
    """By a connection of its own, so that either worker may answer."""
    with requests.Session() as fresh:
        fresh.cookies.update(browser.cookies)
        answer = fresh.get(f"{address}/v1/roles", timeout=20)
    assert answer.status_code == 200, answer.text
    return {role["name"] for role in answer.json()["roles"]}


def seen_everywhere(browser: requests.Session, *addresses: str) -> list[set[str]]:
    return [roles(browser, address) for address in addresses for _ in range(12)]


def page(browser: requests.Session, address: str) -> str:
    with requests.Session() as fresh:
        fresh.cookies.update(browser.cookies)
        return fresh.get(f"{address}/", headers={"Accept": "text/html"}, timeout=20).text


def test_a_change_is_planned_applied_seen_by_all_workers_and_rolled_back(acme: SamlCompany) -> None:
    chloe = acme.sign_in(**CHLOE)
    with another_server(acme) as second:
        everywhere = (acme.base_url, second)
        assert seen_everywhere(chloe, *everywhere) == [BEFORE] * 24
        edit(acme, "accounts.yaml", "allow: [sre]", "allow: [sre, finance]")

        plan = operator(acme, "config", "plan", status=1)
        assert "PRIVILEGED: 1 person" in plan
        assert "!+ production/Admin (admin): gain" in plan
        assert seen_everywhere(chloe, acme.base_url) == [BEFORE] * 12  # a plan changes nothing

        operator(acme, "config", "apply", "--yes")
        time.sleep(1)
        assert seen_everywhere(chloe, *everywhere) == [WITH_ADMIN] * 24
        assert "Admin" in page(chloe, second)

        # What is broken replaces nothing.
        edit(acme, "accounts.yaml", "allow:", "alow:")
        operator(acme, "config", "apply", "--yes", status=1)
        time.sleep(1)
        assert seen_everywhere(chloe, *everywhere) == [WITH_ADMIN] * 24

        operator(acme, "config", "rollback", "1", "--yes")
        time.sleep(1)
        assert seen_everywhere(chloe, *everywhere) == [BEFORE] * 24

    who = json.loads(operator(acme, "access", "who-can", "production/Admin", "--json", status=1))
    assert (who["revision"], who["people"]) == (3, [])
    trail = [
        json.loads(line)
        for line in operator(acme, "audit", "search", "--kind", "revision.activated", "--json").splitlines()
    ]
    assert [(each["revision"], each["detail"].get("restores")) for each in trail] == [
        (3, 1),
        (2, None),
        (1, None),
    ]


def test_a_restart_leaves_a_rollback_as_it_is(acme: SamlCompany) -> None:
    chloe = acme.sign_in(**CHLOE)
    edit(acme, "accounts.yaml", "allow: [sre]", "allow: [sre, finance]")
    acme.broker.stop()
    acme.start_broker()  # a changed folder is applied at start
    assert roles(chloe, acme.base_url) == WITH_ADMIN
    operator(acme, "config", "rollback", "1", "--yes")
    acme.broker.stop()
    acme.start_broker()
    assert seen_everywhere(chloe, acme.base_url) == [BEFORE] * 12
    assert "a rollback is active" in acme.log()
    operator(acme, "config", "apply", "--yes")
    time.sleep(1)
    assert seen_everywhere(chloe, acme.base_url) == [WITH_ADMIN] * 12


def test_a_started_sign_in_finishes_on_the_revision_it_began_with(acme: SamlCompany) -> None:
    begun, begun_too = acme.begin(), acme.begin()
    edit(acme, "providers/corp.yaml", "name: displayName", "name: uid")
    operator(acme, "config", "apply", "--yes")
    time.sleep(1)

    answer = acme.post(begun, acme.response(begun, CHLOE))
    assert answer.status_code == 303, answer.text
    assert acme.me(begun.browser).json()["name"] == "Chloe Martin"

    later = acme.sign_in(**CHLOE)
    assert acme.me(later).json()["name"] == "chloe"

    with another_server(acme) as second:  # it was not there when that sign-in began
        answer = acme.post(begun_too, acme.response(begun_too, CHLOE), to=second)
        assert answer.status_code == 303, answer.text
        assert begun_too.browser.get(f"{second}/v1/me", timeout=20).json()["name"] == "Chloe Martin"


def test_a_sign_in_begun_before_its_source_became_another_is_refused(acme: SamlCompany) -> None:
    begun = acme.begin()
    edit(acme, "providers/corp.yaml", "username: uid", "username: mail")
    operator(acme, "config", "apply", "--yes")
    time.sleep(1)
    answer = acme.post(begun, acme.response(begun, CHLOE))
    assert (answer.status_code, answer.json()["code"]) == (401, "signin.not_started_here")
    assert acme.me(acme.sign_in(**CHLOE)).json()["username"] == "chloe@acme.test"
