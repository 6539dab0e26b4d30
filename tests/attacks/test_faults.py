"""When something around the broker fails: nothing is given out that is not on record, and all goes on by itself.

STS that is down, slow or lies, a full disk, a database that somebody holds, starts that cannot be, stops in the
middle of work.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from app.store import Store, open_database
from tests.attacks.answers import refused
from tests.attacks.directories import SamlCompany
from tests.attacks.oidc_company import at_once, failing
from tests.attacks.outages import assumed, fault, full_disk, kinds, locked_database, mend, processes, records
from tests.ports import free_port

ROLE = "arn:aws:iam::111122223333:role/ReadOnly"
LONGEST = 10.0
"""Seconds that one ask for credentials may take, whatever STS does."""


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SamlCompany]:
    with SamlCompany(tmp_path_factory.mktemp("acme"), workers=2) as company:
        yield company
        assert '"defect"' not in company.log()
        assert company.audit("verify").returncode == 0


@pytest.fixture(scope="module")
def ana(acme: SamlCompany) -> requests.Session:
    browser = acme.sign_in()
    browser.headers["Accept"] = "application/json"
    return browser


@pytest.fixture(autouse=True)
def _mended(acme: SamlCompany) -> None:
    mend(acme)


def copy_of(browser: requests.Session) -> requests.Session:
    """The same cookies over a connection of its own."""
    another = requests.Session()
    another.cookies.update(browser.cookies)
    another.headers["Accept"] = "application/json"
    return another


def is_given(acme: SamlCompany, browser: requests.Session) -> str:
    """Credentials, on record as they must be; their access key ID."""
    answer = acme.ask(browser, ROLE)
    assert answer.status_code == 200, answer.text
    assert kinds(acme, answer) == {"credentials.asked": 1, "credentials.issued": 1}
    return str(answer.json()["AccessKeyId"])


def nothing_given(answer: requests.Response) -> None:
    assert "AccessKeyId" not in answer.text and "ASIA" not in answer.text


# --- STS ----------------------------------------------------------------------------------------------------


def error(status: int, code: str) -> dict[str, object]:
    """A fault that answers as STS does when it says no."""
    body = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>no, daypass</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    )
    return {"kind": "answer", "status": status, "body": body}


def edit(pattern: str, replacement: str) -> dict[str, object]:
    return {"kind": "edit", "pattern": pattern, "replacement": replacement}


FAULTS: dict[str, tuple[dict[str, object], str]] = {
    "an error of its own": ({"kind": "error"}, "sts.failed"),
    "not available": ({"kind": "unavailable"}, "sts.failed"),
    "throttled": ({"kind": "throttle"}, "sts.failed"),
    "hangs up": ({"kind": "drop"}, "sts.failed"),
    "breaks off": ({"kind": "cut"}, "sts.failed"),
    "half an answer": ({"kind": "truncated"}, "sts.failed"),
    "garbage": ({"kind": "garbage"}, "sts.failed"),
    "a redirect": ({"kind": "answer", "status": 307, "location": "http://127.0.0.1:9/"}, "sts.failed"),
    "an endless answer": ({"kind": "answer", "body": "x" * 100_000}, "sts.failed"),
    "refused": (error(403, "AccessDenied"), "sts.refused"),
    "role is not there": (error(400, "NoSuchEntity"), "sts.refused"),
    "region is closed": (error(403, "RegionDisabledException"), "sts.refused"),
    "our key is not known": (error(403, "InvalidClientTokenId"), "sts.refused"),
    "slow down": (error(429, "TooManyRequestsException"), "sts.failed"),
    "another role": (edit("assumed-role/ReadOnly", "assumed-role/Admin"), "sts.failed"),
    "another account": (edit("sts::111122223333", "sts::444455556666"), "sts.failed"),
    "another person": (edit("assumed-role/ReadOnly/ana", "assumed-role/ReadOnly/ben"), "sts.failed"),
    "another source identity": (edit("<SourceIdentity>corp", "<SourceIdentity>evil"), "sts.failed"),
    "past already": (
        edit("<Expiration>.*</Expiration>", "<Expiration>2020-01-01T00:00:00Z</Expiration>"),
        "sts.failed",
    ),
    "good for a century": (
        edit("<Expiration>.*</Expiration>", "<Expiration>2126-01-01T00:00:00Z</Expiration>"),
        "sts.failed",
    ),
    "a key with a line end": (edit("<SecretAccessKey>", "<SecretAccessKey>a&#10;export x=1"), "sts.failed"),
    "an entity": (edit("^", '<!DOCTYPE a [<!ENTITY b "c">]>'), "sts.failed"),
}


@pytest.mark.parametrize(("how", "code"), FAULTS.values(), ids=FAULTS)
def test_when_sts_fails_or_lies_nothing_is_given_and_it_is_on_record(
    acme: SamlCompany, ana: requests.Session, how: dict[str, Any], code: str
) -> None:
    fault(acme, **{"calls": 5, **how})
    answer = acme.ask(ana, ROLE)
    failing(answer, code)
    nothing_given(answer)
    assert kinds(acme, answer) == {"credentials.asked": 1, "credentials.failed": 1}
    mend(acme)
    is_given(acme, ana)


@pytest.mark.alone
@pytest.mark.parametrize("kind", ["slow", "drip"])
def test_when_sts_is_slow_all_are_told_in_time_and_the_rest_of_the_site_goes_on(
    acme: SamlCompany, ana: requests.Session, kind: str
) -> None:
    fault(acme, kind, calls=100, seconds=60 if kind == "slow" else 0.5)
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(acme.ask, copy_of(ana), ROLE) for _ in range(8)]
        while not all(one.done() for one in asked):
            step = time.monotonic()
            assert requests.get(f"{acme.base_url}/healthz", timeout=5).status_code == 200
            assert acme.me(copy_of(ana)).status_code == 200
            assert time.monotonic() - step < 2
            time.sleep(0.2)
    assert time.monotonic() - began < LONGEST
    for one in asked:
        failing(one.result(), "sts.failed")
        assert kinds(acme, one.result()) == {"credentials.asked": 1, "credentials.failed": 1}
    mend(acme)
    is_given(acme, ana)


def test_when_sts_is_down_nothing_is_given_until_it_is_up_again(
    acme: SamlCompany, ana: requests.Session
) -> None:
    assert acme.aws is not None
    acme.aws.stop()
    try:
        answers = [acme.ask(ana, ROLE) for _ in range(3)]
        assert acme.sign_in()
        assert requests.get(f"{acme.base_url}/readyz", timeout=5).status_code == 200
    finally:
        acme.start_aws()
    for answer in answers:
        failing(answer, "sts.failed")
        assert kinds(acme, answer) == {"credentials.asked": 1, "credentials.failed": 1}
    is_given(acme, ana)


# --- the disk -----------------------------------------------------------------------------------------------


def ready(acme: SamlCompany) -> tuple[int, dict[str, bool]]:
    answer = requests.get(f"{acme.base_url}/readyz", timeout=20)
    return answer.status_code, answer.json()["checks"]


def test_on_a_full_disk_sts_is_not_asked_and_when_there_is_room_again_all_goes_on(
    acme: SamlCompany, ana: requests.Session
) -> None:
    before = assumed(acme)
    under_way = acme.begin(copy_of(requests.Session()))
    answered = acme.response(under_way)
    with full_disk(acme):
        asked = [acme.ask(copy_of(ana), ROLE) for _ in range(12)]
        asked += at_once([lambda: acme.ask(copy_of(ana), ROLE) for _ in range(12)])
        browser = copy_of(requests.Session())
        begun = browser.get(f"{acme.base_url}/sign-in/corp", allow_redirects=False, timeout=20)
        finished = acme.post(under_way, answered)
        states = [ready(acme) for _ in range(6)]
        assert requests.get(f"{acme.base_url}/healthz", timeout=5).status_code == 200
        assert acme.me(copy_of(ana)).status_code == 200
        acme.move_clock(120)  # now reading a session would also write that it was used
        time.sleep(0.2)
        assert acme.me(copy_of(ana)).status_code == 200
        acme.move_clock(0)
    for answer in asked:
        failing(answer, "audit.unavailable", 503)
        nothing_given(answer)
    assert assumed(acme) == before
    failing(begun, "store.unavailable", 503)
    failing(finished, "store.unavailable", 503)
    refused(acme.me(under_way.browser), "session.missing")
    for state in states:
        assert state == (503, {"database": True, "audit": False, "revision": True, "keys": True})
    assert [ready(acme)[0] for _ in range(6)] == [200] * 6
    assert not [kind for answer in asked for kind in kinds(acme, answer)]
    for _ in range(4):
        is_given(acme, copy_of(ana))
    acme.sign_in()
    assert acme.audit("verify").returncode == 0


def test_credentials_whose_issue_cannot_be_recorded_stay_here(
    acme: SamlCompany, ana: requests.Session
) -> None:
    """The disk fills up while STS is at work: asked is on record, issued cannot be."""
    before = assumed(acme)
    fault(acme, "slow", seconds=1.5)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(acme.ask, copy_of(ana), ROLE)
        while assumed(acme) == before:
            time.sleep(0.02)
        with full_disk(acme):
            answer = asked.result()
    failing(answer, "audit.unavailable", 503)
    nothing_given(answer)
    assert kinds(acme, answer) == {"credentials.asked": 1}
    is_given(acme, ana)


# --- the database -------------------------------------------------------------------------------------------


def test_a_database_that_another_process_holds_for_a_moment_is_waited_for(
    acme: SamlCompany, ana: requests.Session
) -> None:
    with locked_database(acme) as connection:
        waiting = threading.Timer(1.0, connection.rollback)
        waiting.start()
        is_given(acme, ana)
        waiting.join()


@pytest.mark.alone
def test_a_database_that_another_process_holds_for_long_is_not_waited_for_and_readers_go_on(
    acme: SamlCompany, ana: requests.Session
) -> None:
    before = assumed(acme)
    under_way = acme.begin()
    answered = acme.response(under_way)
    with ThreadPoolExecutor(5) as pool, locked_database(acme):
        began = time.monotonic()
        asked = [pool.submit(acme.ask, copy_of(ana), ROLE) for _ in range(4)]
        finished = pool.submit(acme.post, under_way, answered)
        while not all(one.done() for one in (*asked, finished)):
            step = time.monotonic()
            assert acme.me(copy_of(ana)).status_code == 200
            assert time.monotonic() - step < 2
            time.sleep(0.1)
        assert time.monotonic() - began < LONGEST
    for one in asked:
        failing(one.result(), "audit.unavailable", 503)
        nothing_given(one.result())
    failing(finished.result(), "store.unavailable", 503)
    assert assumed(acme) == before
    is_given(acme, ana)


def test_a_database_that_is_taken_away_or_replaced_is_noticed_and_nothing_is_given(
    acme: SamlCompany, ana: requests.Session
) -> None:
    """The files stay open, so everything would seem to work, and the record would be gone."""
    before = assumed(acme)
    aside = acme.database.with_suffix(".aside")
    acme.database.rename(aside)
    try:
        removed, checks = acme.ask(copy_of(ana), ROLE), ready(acme)
        acme.database.write_bytes(aside.read_bytes())
        replaced = acme.ask(copy_of(ana), ROLE)
    finally:
        aside.replace(acme.database)
    for answer in (removed, replaced):
        failing(answer, "store.unavailable", 503)
    assert checks[0] == 503 and not checks[1]["database"]
    assert assumed(acme) == before
    is_given(acme, copy_of(ana))


# --- starts that cannot be ----------------------------------------------------------------------------------


def serve(acme: SamlCompany, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Another start of the broker with the company's configuration, its environment changed."""
    return subprocess.run(
        [sys.executable, "-m", "app", "serve", *arguments],
        cwd=acme.folder,
        env={**acme.env, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def cannot_start(done: subprocess.CompletedProcess[str]) -> str:
    """Exit status 1 and words for the operator, no traceback; the words."""
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr


def garbage(path: Path) -> None:
    path.write_bytes(b"\0garbage" * 2_000)


def a_folder(path: Path) -> None:
    path.mkdir()


def cut(path: Path) -> None:
    with closing(open_database(f"sqlite:///{path}")):
        pass
    path.write_bytes(path.read_bytes()[:5_000])


def foreign(path: Path) -> None:
    import sqlite3

    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE invoices (id INTEGER)")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (garbage, "file is not a database"),
        (cut, "malformed"),
        (a_folder, "unable to open database file"),
        (foreign, "not daypass's"),
    ],
)
def test_a_spoilt_database_stops_the_start_with_words(
    acme: SamlCompany, tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / "daypass.db"
    spoil(path)
    said = cannot_start(serve(acme, "--port", str(free_port()), DAYPASS_DATABASE=f"sqlite:///{path}"))
    assert said.startswith("Cannot start: ")
    assert words in said


def open_to_all(path: Path) -> None:
    path.chmod(0o644)


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (open_to_all, "set it to 0600"),
        (damaged, "is damaged"),
        (empty, "is damaged"),
        (folder_instead, "Is a directory"),
    ],
)
def test_a_spoilt_key_file_stops_the_start_with_words_and_without_its_content(
    acme: SamlCompany, spoil: Callable[[Path], None], words: str
) -> None:
    keys = acme.folder / "var" / "keys"
    kept = keys.read_bytes()
    try:
        spoil(keys)
        said = cannot_start(serve(acme, "--port", str(free_port())))
    finally:
        if keys.is_dir():
            keys.rmdir()
        keys.unlink(missing_ok=True)
        keys.touch(mode=0o600)
        keys.write_bytes(kept)
    assert said.startswith("Cannot start: ")
    assert "var/keys" in said and words in said
    assert not any(line in said for line in kept.decode().split("\\n") if len(line) > 20)


def latest_revision(acme: SamlCompany) -> int | None:
    from tests.store.databases import sealer

    with closing(Store(open_database(f"sqlite:///{acme.database}", migrate=False), sealer())) as store:
        return store.revisions.latest_number()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("accounts.yaml", "nonsense: [", "accounts.yaml:"),
        ("groups.yaml", "groups: {engineering: {polices: [x]}}", "groups.yaml:"),
        ("policies/no-secrets.json", '{"Version": "2012-10-17"', "no-secrets.json:"),
    ],
)
def test_a_broken_configuration_stops_the_start_and_leaves_the_running_revision(
    acme: SamlCompany, ana: requests.Session, name: str, text: str, says: str
) -> None:
    running = latest_revision(acme)
    path = acme.config / name
    kept = path.read_text()
    try:
        path.write_text(text)
        done = serve(acme, "--port", str(free_port()))
        time.sleep(1.1)  # workers look for a new revision once a second
        is_given(acme, copy_of(ana))
    finally:
        path.write_text(kept)
    said = cannot_start(done)
    assert says in said
    assert "Nothing was started." in said
    assert latest_revision(acme) == running


def test_workers_that_die_while_the_configuration_is_broken_come_back_with_the_running_revision(
    acme: SamlCompany, ana: requests.Session
) -> None:
    running = latest_revision(acme)
    kept = {path: path.read_text() for path in acme.config.glob("*.yaml")}
    parent, *workers = processes(acme)
    try:
        for path in kept:
            path.write_text("nonsense: [")
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while len(set(processes(acme)) - {parent, *workers}) < len(workers):
            assert time.monotonic() < deadline, acme.log()[-3000:]
            time.sleep(0.1)
        assert acme.broker is not None
        acme.broker.wait_for(f"{acme.base_url}/readyz")
        is_given(acme, copy_of(ana))
        assert processes(acme)[0] == parent
    finally:
        for path, text in kept.items():
            path.write_text(text)
    assert latest_revision(acme) == running


def test_a_port_in_use_stops_the_start_and_leaves_the_running_revision(
    acme: SamlCompany, ana: requests.Session
) -> None:
    running = latest_revision(acme)
    path = acme.config / "accounts.yaml"
    kept = path.read_text()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        try:
            path.write_text(kept.replace("Look, don't touch", "Look only"))
            for port in (acme.port, taken.getsockname()[1]):
                said = cannot_start(serve(acme, "--port", str(port)))
                assert said == f"Cannot start: cannot listen on 127.0.0.1:{port}: Address already in use\n"
        finally:
            path.write_text(kept)
    assert latest_revision(acme) == running
    is_given(acme, copy_of(ana))


# --- stops --------------------------------------------------------------------------------------------------


def test_a_stop_in_the_middle_of_work_answers_what_was_asked_and_takes_nothing_new(
    acme: SamlCompany, ana: requests.Session
) -> None:
    assert acme.broker is not None
    before = assumed(acme)
    fault(acme, "slow", calls=8, seconds=2)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(acme.ask, copy_of(ana), ROLE) for _ in range(8)]
        while assumed(acme) < before + 8:
            time.sleep(0.02)
        acme.broker.child.terminate()
        time.sleep(0.5)
        assert not any(one.done() for one in asked)
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{acme.base_url}/healthz", timeout=5)
        answers = [one.result() for one in asked]
    assert acme.broker.child.wait(10) == 0
    acme.start_broker()
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert kinds(acme, answer) == {"credentials.asked": 1, "credentials.issued": 1}
    issued = {stored.record.access_key_id for stored in records(acme, kind="credentials.issued")}
    assert {answer.json()["AccessKeyId"] for answer in answers} <= issued
    is_given(acme, copy_of(ana))  # who was signed in still is
