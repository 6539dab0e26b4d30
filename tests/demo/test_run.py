"""`python -m demo.run`, whole: every part starts, what it tells is true, and it all ends together."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from lxml import html

from demo.running.relocate import Ports
from tests.journeys.make_run import free_ports

ROOT = Path(__file__).parents[2]


class Running:
    """One `make run`."""

    def __init__(self, folder: Path, config: Path = ROOT / "config") -> None:
        self.ports, self.var = free_ports(), folder / "var"
        self.output = folder / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "demo.run", "--port", str(self.ports.broker), "--var", str(self.var)],
                cwd=ROOT,
                env={
                    **os.environ,
                    "DAYPASS_CONFIG": str(config),
                    "AWS_PROFILE": "somebody-elses",
                    "HTTP_PROXY": "http://127.0.0.1:1",
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def told(self) -> Path:
        return self.var / "demo.json"

    def wait(self, seconds: float = 90) -> "Running":
        deadline = time.monotonic() + seconds
        while not self.told.exists():
            assert self.process.poll() is None and time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.05)
        return self

    def facts(self) -> dict:
        return json.loads(self.told.read_text())

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    one = Running(tmp_path_factory.mktemp("run"))
    try:
        yield one.wait()
    finally:
        one.end()


def sign_in(base_url: str, person: dict) -> requests.Session:
    """A browser without scripts: follows, fills in the directory's form, and presses what is to be pressed."""
    session = requests.Session()
    session.trust_env = False
    page = session.get(f"{base_url}/sign-in/{person['provider']}", timeout=10)
    for _ in range(3):
        if urlsplit(page.url).netloc == urlsplit(base_url).netloc:
            break
        form = html.fromstring(page.text).forms[0]
        fields = dict(form.form_values())
        if "username" in fields:
            fields |= {"username": person["username"], "password": person["password"]}
        page = session.post(urljoin(page.url, form.action), data=fields, timeout=10)
    assert page.ok, page.text
    return session


def test_the_facts_are_written_when_all_is_up(running: Running):
    facts, ports = running.facts(), running.ports
    assert facts["base_url"] == ports.base_url
    assert facts["pid"] == running.process.pid
    assert requests.get(f"{ports.base_url}/readyz", timeout=5).status_code == 200
    assert requests.get(f"{ports.saml_url}/metadata", timeout=5).status_code == 200
    assert requests.get(f"{ports.oidc_url}/jwks", timeout=5).status_code == 200
    assert requests.get(f"{ports.app_url}/settings.json", timeout=5).json()["broker"] == ports.base_url
    told = running.output.read_text()
    assert ports.app_url in told and "demo/mobile.py TOKEN" in told and "in the app (5.)" in told
    assert ports.base_url in told and "demo-ana" in told and "Ctrl-C" in told


@pytest.mark.parametrize("username", ["ana", "ben", "chloe", "dan", "piotr", "quinn", "robin"])
def test_a_person_of_the_facts_signs_in_and_has_the_roles_they_name(username: str, running: Running):
    facts = running.facts()
    person = next(one for one in facts["people"] if one["username"] == username)
    session = sign_in(facts["base_url"], person)
    me = session.get(f"{facts['base_url']}/v1/me", timeout=10).json()
    assert (me["username"], me["source"], sorted(me["groups"])) == (
        username,
        person["provider"],
        person["groups"],
    )
    roles = session.get(f"{facts['base_url']}/v1/roles", timeout=10).json()["roles"]
    expected = set(person["roles"])
    if me["authentication"]["mfa"] and {"engineering", "contractors"} & set(person["groups"]):
        expected.add(
            "arn:aws:iam::444455556666:role/Release"
        )  # the directory asked for a second factor just now
    assert {role["arn"] for role in roles if role["needs"] is None} == expected


def test_the_demo_has_a_user_of_its_own_who_is_asked_for_a_second_factor(running: Running):
    facts = running.facts()
    lena, base = facts["local"], facts["base_url"]
    assert lena["username"] in running.output.read_text() and lena["password"] in running.output.read_text()
    session, ours = requests.Session(), {"Origin": base}
    fields = {"username": lena["username"], "password": lena["password"]}
    page = session.post(f"{base}/sign-in/local", fields, headers=ours, timeout=10)
    assert page.ok and session.get(f"{base}/v1/me", timeout=10).json()["source"] == "local"
    roles = session.get(f"{base}/v1/roles", timeout=10).json()["roles"]
    assert {role["name"]: role["needs"] is not None for role in roles} == {"ReadOnly": False, "Release": True}
    ask = {"role": next(role["arn"] for role in roles if role["needs"])}
    refused = session.post(f"{base}/v1/credentials", json=ask, headers=ours, timeout=10)
    assert (refused.status_code, refused.json()["code"]) == (403, "mfa_required")


OWN_ACCOUNT = """
"777788889999":
  name: lab
  roles:
    Tester: {description: Of our own, allow: [sre], external_id: {env: LAB_EXTERNAL_ID}}
    Deep: {description: Behind a hub, allow: [sre], via: "arn:aws:iam::777788889999:role/Gate"}
"""


def test_a_configuration_of_ones_own_is_copied_and_its_roles_give_credentials(tmp_path: Path):
    mine = tmp_path / "mine"
    shutil.copytree(ROOT / "config", mine)
    with (mine / "accounts.yaml").open("a") as file:
        file.write(OWN_ACCOUNT)
    one = Running(tmp_path, mine).wait()
    try:
        facts = one.facts()
        ana = next(person for person in facts["people"] if person["username"] == "ana")
        session = sign_in(facts["base_url"], ana)
        own = [arn for arn in ana["roles"] if "777788889999" in arn]
        assert len(own) == 2
        for arn in [*own, "arn:aws:iam::444455556666:role/Developer"]:
            answer = session.post(
                f"{facts['base_url']}/v1/credentials",
                json={"role": arn},
                headers={"Origin": facts["base_url"]},
                timeout=10,
            )
            assert answer.status_code == 200, answer.text
            assert answer.json()["AccountId"] == arn.split(":")[4]
    finally:
        one.end()
    assert (
        ":8000" not in (one.var / "config" / "daypass.yaml").read_text().split("base_url:")[1].split("#")[0]
    )


def test_a_second_start_on_the_same_ports_says_which_are_in_use(running: Running, tmp_path: Path):
    port = str(running.ports.broker)
    again = subprocess.run(
        [sys.executable, "-m", "demo.run", "--port", port, "--var", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert again.returncode == 1
    assert f"port {port} (the broker)" in again.stderr and "make run PORT=" in again.stderr


def children(pid: int) -> dict[int, str]:
    """The children of a process and their command lines."""
    if Path("/proc/self/stat").exists():  # a bare Linux has no ps, others no /proc
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if parent == pid:
                found[int(process.name)] = line
        return found
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True)
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    return {int(row[0]): row[2] for row in rows if int(row[1]) == pid}


def nothing_listens(ports: Ports) -> bool:
    for port in (ports.broker, ports.saml, ports.oidc, ports.social, ports.app, ports.aws):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return False
    return True


def test_ctrl_c_ends_all_of_it_and_a_restart_keeps_the_state(tmp_path: Path):
    one = Running(tmp_path).wait()
    keys = requests.get(f"{one.ports.oidc_url}/jwks", timeout=5).json()
    secrets = (one.var / "demo-secrets").read_bytes()
    began = time.monotonic()
    assert one.end(signal.SIGINT) == 0, one.output.read_text()
    assert time.monotonic() - began < 10
    assert nothing_listens(one.ports)
    assert not one.told.exists()
    assert "All stopped" in one.output.read_text()
    again = Running(tmp_path)
    try:
        again.wait()
        assert requests.get(f"{again.ports.oidc_url}/jwks", timeout=5).json() == keys
        assert (again.var / "demo-secrets").read_bytes() == secrets
    finally:
        again.end()


def test_the_death_of_one_part_ends_all_with_its_name(tmp_path: Path):
    one = Running(tmp_path).wait()
    try:
        victim = next(pid for pid, line in children(one.process.pid).items() if "demo.directory" in line)
        os.kill(victim, signal.SIGKILL)
        assert one.process.wait(20) == 1
    finally:
        one.end()
    assert "The demo directory ended by itself (signal SIGKILL)" in one.output.read_text()
    assert nothing_listens(one.ports)
