"""The helper beside the broker as it is served: a role wants a fresh second factor, and the command waits for it."""

from __future__ import annotations

import json
import os
import pty
import secrets
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyotp
import pytest
import requests

from app.keyring import load_or_create
from app.people import LOCAL, Account, Factor, LocalUser
from app.principal import subject_space
from app.sealing import Sealer
from app.signin.passwords import Hashing
from app.store import open_store
from tests.cli.machine import Machine
from tests.company import Company

PASSWORD = "correct horse battery"
ROLE = "sandbox/Release"
"""As config/accounts.yaml has it: for contractors, with a second factor of the last 15 minutes."""
AWAY = 1000
"""Seconds: more than those 15 minutes."""

# The person's browser: lets the helper in, and proves the factor where that is asked for.
BROWSER = """#!{python}
import json, re, sys, time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
import pyotp, requests

kept, url = Path({kept!r}), sys.argv[1]
person = json.loads(kept.read_text())
base = person["base"]
with open({log!r}, "a") as log:
    log.write(url + "\\n")
browser = requests.Session()
browser.trust_env = False
browser.cookies.update(person["cookies"])

def post(path, **fields):
    return browser.post(base + path, data=fields, headers={{"Origin": base}}, allow_redirects=False)

if "/oauth/authorize" in url:
    page = browser.get(url)
    fields = dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)"', page.text))
    query = {{name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}}
    answer = post("/oauth/authorize", **{{**query, **fields, "decision": "allow"}})
    browser.get(answer.headers["Location"])
elif person["proves"]:
    begun = browser.get(url, allow_redirects=False)
    place = begun.headers["Location"]
    browser.get(base + place)
    ahead = float(Path(person["clock"]).read_text())
    code = pyotp.TOTP(person["secret"]).at(int(time.time() + ahead))
    done = post("/challenge", c=parse_qs(urlsplit(place).query)["c"][0], kind="totp", code=code)
    assert done.status_code == 303, done.text
    person["cookies"] = browser.cookies.get_dict()
    kept.write_text(json.dumps(person))
"""


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with Company(tmp_path_factory.mktemp("acme"), workers=2) as company:
        yield company


def person(acme: Company, name: str) -> dict[str, object]:
    """A contractor with an authenticator app, who has signed in by both in a browser."""
    now, id, secret = datetime.now(UTC), secrets.token_hex(8), pyotp.random_base32()
    keyring = load_or_create(acme.folder / "var/keys", now)
    store = open_store(f"sqlite:///{acme.database}", Sealer(keyring.sealing_keys), migrate=False)
    try:
        assert store.users.create(LocalUser(id=id, username=name, groups=("contractors",)), by="test", at=now)
        epoch = store.users.renew_epoch(id, now)
        assert store.users.set_account(Account(id, Hashing().hash(PASSWORD), now, epoch), now)
        app = Factor(
            "1" * 15 + name[-1], LOCAL, id, "totp", "app", now, subject_space(None), facts={"secret": secret}
        )
        assert store.factors.add(app, 8)
    finally:
        store.close()
    browser = requests.Session()
    origin = {"Origin": acme.base_url}

    def post(path: str, **fields: str) -> requests.Response:
        answer = browser.post(acme.base_url + path, data=fields, headers=origin, allow_redirects=False)
        assert answer.status_code == 303, answer.text
        return answer

    place = post("/sign-in/local", username=name, password=PASSWORD, next="/").headers["Location"]
    handle = place.partition("c=")[2]
    ahead = float(acme.clock.read_text())
    post("/challenge", c=handle, kind="totp", code=pyotp.TOTP(secret).at(int(now.timestamp() + ahead) - 30))
    return {
        "base": acme.base_url,
        "cookies": browser.cookies.get_dict(),
        "secret": secret,
        "clock": str(acme.clock),
        "proves": True,
    }


def machine_of(acme: Company, folder: Path, who: dict[str, object]) -> Machine:
    """Their machine, signed in; the proof is old by now."""
    machine = Machine(folder, acme.base_url)
    kept = folder / "person.json"
    kept.write_text(json.dumps(who))
    machine.browser.write_text(BROWSER.format(python=sys.executable, kept=str(kept), log=str(machine.log)))
    done = machine.run("login")
    assert done.code == 0, done
    return machine


def test_a_command_waits_for_the_factor_and_goes_on(acme: Company, tmp_path: Path) -> None:
    acme.move_clock(0)
    machine = machine_of(acme, tmp_path, person(acme, "cleo1"))
    acme.move_clock(AWAY)
    listed = {each["name"]: each["needs"] for each in json.loads(machine.run("roles", "--json").out)["roles"]}
    assert listed["Release"] == {"mfa": {"kinds": ["totp"]}}

    script = machine.run("credentials", ROLE, "--json")
    told = json.loads(script.err)
    assert (script.code, told["exit"]) == (8, 8)
    assert told["url"].startswith(f"{acme.base_url}/step-up?role=")

    ours, theirs = pty.openpty()
    with machine.start("exec", ROLE, "--", "env", stdin=theirs, stderr=theirs) as process:
        os.close(theirs)
        assert process.stdout is not None
        shown = process.stdout.read()
        os.close(ours)
    assert process.returncode == 0
    assert "AWS_SESSION_TOKEN=" in shown
    assert machine.opened[-1] == told["url"]
    assert {each["name"]: each["needs"] for each in json.loads(machine.run("roles", "--json").out)["roles"]}[
        "Release"
    ] is None


def test_the_address_settles_it_for_no_other_helper(acme: Company, tmp_path: Path) -> None:
    """A second helper of the same person asks for a proof of its own."""
    acme.move_clock(0)
    who = person(acme, "cleo2")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first, second = (machine_of(acme, tmp_path / name, who) for name in ("one", "two"))
    acme.move_clock(AWAY)
    assert first.run("credentials", ROLE, "--login").code == 0
    done = second.run("credentials", ROLE)
    assert done.code == 8, done
