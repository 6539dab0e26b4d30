"""What the broker's own sign-ins cost: server CPU by password, by password and TOTP, and of a step-up, beside bare
argon2 of the same parameters; and how long others wait while one account is under attack.

    python bench/sign_in_local.py [--workers 1] [--times 30] [--clients 2] [--attackers 4]

CPU is user + system time of the server's process tree, in the same run as the floor. Users are put into the store
beforehand; each gives the codes of three time steps, so that no code comes twice. The attack is a closed loop of wrong
passwords for one account from ever new addresses, in processes of its own; beside it stands the same loop of plain
page loads, which costs the others the same machine without being an attack.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyotp
import requests

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.errors import Busy
from app.keyring import load_or_create
from app.people import LOCAL, Account, Factor, LocalUser
from app.principal import subject_space
from app.sealing import Sealer
from app.signin.passwords import Hashing
from app.store import Store, open_store
from bench.serving import cpu_seconds, elsewhere, timed
from tests.attacks.directories import SamlCompany

PASSWORD = "correct horse battery"
RELEASE = "arn:aws:iam::444455556666:role/Release"
"""Wants a second factor of the last 15 minutes."""
STEPS = (-1, 0, 1)
"""Time steps whose codes are taken at any moment, in the order in which each is later than the one before."""


@dataclass
class People:
    """Local users of a running company, made as they are needed."""

    acme: SamlCompany
    store: Store
    encoded: str
    numbers: Iterator[int] = field(default_factory=count)

    def one(self, *, factor: bool) -> Person:
        """A new user in `contractors`."""
        id, now, name = secrets.token_hex(8), datetime.now(UTC), f"user{next(self.numbers)}"
        assert self.store.users.create(
            LocalUser(id=id, username=name, groups=("contractors",)), by="bench", at=now
        )
        epoch = self.store.users.renew_epoch(id, now)
        assert self.store.users.set_account(Account(id, self.encoded, now, epoch), now)
        secret = pyotp.random_base32()
        if factor:
            assert self.store.factors.add(
                Factor(
                    id=secrets.token_hex(8),
                    source=LOCAL,
                    subject=id,
                    kind="totp",
                    name="app",
                    enrolled_at=now,
                    space=subject_space(None),
                    facts={"secret": secret},
                ),
                8,
            )
        return Person(self.acme, name, secret)


@dataclass
class Person:
    """A user with a browser."""

    acme: SamlCompany
    name: str
    secret: str = field(repr=False)
    browser: requests.Session = field(default_factory=requests.Session)
    given: int = 0
    """Codes given so far."""

    def post(self, path: str, **fields: str) -> requests.Response:
        """A form of our own pages."""
        return self.browser.post(
            f"{self.acme.base_url}{path}",
            data=fields,
            headers={"Origin": self.acme.base_url},
            allow_redirects=False,
        )

    def password(self) -> str:
        """Name and password, again where no place was free (`signin.busy`); where that leads."""
        while True:
            answer = self.post("/sign-in/local", username=self.name, password=PASSWORD, next="/")
            if answer.status_code == 303:
                return answer.headers["Location"]
            assert Busy.default_words in answer.text, answer.text

    def code(self, place: str) -> None:
        """The code of the next step, to the challenge at `place`."""
        at = time.time() + 30 * STEPS[self.given]
        self.given += 1
        handle = parse_qs(urlsplit(place).query)["c"][0]
        answer = self.post("/challenge", c=handle, kind="totp", code=pyotp.TOTP(self.secret).at(int(at)))
        assert answer.status_code == 303, answer.text

    def step_up(self) -> None:
        """For a role: its page, the challenge's page, the code."""
        where = f"{self.acme.base_url}/step-up"
        begun = self.browser.get(where, params={"role": RELEASE}, allow_redirects=False)
        assert begun.status_code == 303, begun.text
        place = begun.headers["Location"]
        assert self.browser.get(f"{self.acme.base_url}{place}").status_code == 200
        self.code(place)


def password_client(people: People) -> Callable[[], object]:
    """Signs the same user in by password alone, from ever new browsers."""
    who = people.one(factor=False)

    def step() -> None:
        elsewhere(who.browser)
        assert who.password() == "/"

    return step


def each_once(group: int, steps: Sequence[Callable[[], object]]) -> tuple[float, float]:
    """Server CPU ms and median wait of steps of which each is done once, one after the other."""
    steps[0]()
    before = cpu_seconds(group)
    waits = [_waited(step) for step in steps[1:]]
    return (cpu_seconds(group) - before) * 1000 / len(waits), statistics.median(waits)


def at_once(steps: Sequence[Callable[[], object]], times: int) -> float:
    """Median wait where each client does its step so many times, all clients at once."""
    with ThreadPoolExecutor(len(steps)) as pool:
        found = pool.map(lambda step: [_waited(step) for _ in range(times)], steps)
        return statistics.median(wait for waits in found for wait in waits)


def _waited(step: Callable[[], object]) -> float:
    began = time.perf_counter()
    step()
    return (time.perf_counter() - began) * 1000


def both_client(people: People) -> Callable[[], object]:
    """One sign-in by password and code."""
    who = people.one(factor=True)
    elsewhere(who.browser)
    return lambda: who.code(who.password())


def step_up_client(people: People) -> Callable[[], object]:
    """One step-up of somebody who has signed in by password and code already."""
    who = people.one(factor=True)
    elsewhere(who.browser)
    who.code(who.password())
    return who.step_up


# --- the attack -------------------------------------------------------------------------------------


def guess(base: str, name: str, ready: multiprocessing.Value, done: multiprocessing.Value) -> None:
    """Wrong passwords for one account, each from another address, until it is ended."""
    who = Person(_Base(base), name, "")  # type: ignore[arg-type]
    while True:
        elsewhere(who.browser)
        answer = who.post("/sign-in/local", username=name, password=secrets.token_hex(8), next="/")
        assert answer.status_code in (401, 429), answer.text
        _count(ready, done)


def look(base: str, _name: str, ready: multiprocessing.Value, done: multiprocessing.Value) -> None:
    """The same number of browsers that load the sign-in page."""
    browser = requests.Session()
    while True:
        elsewhere(browser)
        assert browser.get(f"{base}/sign-in/local").status_code == 200
        _count(ready, done)


@dataclass
class _Base:
    base_url: str


def _count(ready: multiprocessing.Value, done: multiprocessing.Value) -> None:
    ready.value = 1
    with done.get_lock():
        done.value += 1


@contextmanager
def crowd(what: Callable[..., None], acme: SamlCompany, name: str, many: int) -> Iterator[Callable[[], int]]:
    """So many processes at it; gives what tells how many asks there were."""
    context = multiprocessing.get_context("spawn")
    done = context.Value("l", 0)
    flags = [context.Value("b", 0) for _ in range(many)]
    crew = [
        context.Process(target=what, args=(acme.base_url, name, flag, done), daemon=True) for flag in flags
    ]
    for each in crew:
        each.start()
    try:
        while not all(flag.value for flag in flags):
            assert all(each.is_alive() for each in crew)
            time.sleep(0.05)
        yield lambda: done.value
    finally:
        for each in crew:
            each.kill()
            each.join()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--attackers", type=int, default=4)
    parser.add_argument("--times", type=int, default=30)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        acme = SamlCompany(Path(folder), workers=asked.workers)
        main_file = acme.config / "daypass.yaml"
        main_file.write_text(
            main_file.read_text().replace("trusted_proxies: []", "trusted_proxies: [127.0.0.1]")
        )
        with acme:
            keyring = load_or_create(acme.folder / "var/keys", datetime.now(UTC))
            store = open_store(f"sqlite:///{acme.database}", Sealer(keyring.sealing_keys), migrate=False)
            try:
                measure(People(acme, store, Hashing().hash(PASSWORD)), asked)
            finally:
                store.close()


def measure(people: People, asked: argparse.Namespace) -> None:
    assert people.acme.broker is not None
    group = people.acme.broker.child.pid
    hashing = Hashing()
    floor = timed(lambda: hashing.verify(people.encoded, PASSWORD, reserved=True), 3.0)
    print(f"floor: bare argon2id, 64 MiB, 3 passes, 4 lanes: {floor:.1f} ms (CPU)")
    print(f"{'work':<34}{'CPU ms':>8}{'x floor':>9}{'less it':>9}{'p50 ms':>8}")
    rows = []
    for name, make, part in (
        ("sign-in by password", password_client, floor),
        ("sign-in by password and TOTP", both_client, floor),
        ("step-up for a role, by TOTP", step_up_client, 0.0),
    ):
        used, wait = each_once(group, [make(people) for _ in range(asked.times + 1)])
        rows.append((name, used, wait, part))
    for name, used, wait, part in rows:
        print(f"{name:<34}{used:>8.1f}{used / floor:>9.2f}{used - part:>9.1f}{wait:>8.1f}")
    under_attack(people, asked)
    print(f"cores: {os.cpu_count()}, workers: {asked.workers}")


def under_attack(people: People, asked: argparse.Namespace) -> None:
    """Sign-ins of others, and of the owner from a known browser, quiet, beside page loads and beside the attack."""
    victim = people.one(factor=False)
    assert victim.password() == "/"  # this browser is known from now on

    def owner() -> None:
        assert victim.password() == "/"

    others = [password_client(people) for _ in range(asked.clients)]
    shown = []
    for name, what in (("quiet", None), ("beside page loads", look), ("under attack", guess)):
        if what is None:
            shown.append((name, at_once(others, asked.times), at_once([owner], asked.times), 0.0))
            continue
        with crowd(what, people.acme, victim.name, asked.attackers) as asks:
            while asks() < 25:  # the account's budget of ten is used up
                time.sleep(0.05)
            before, began = asks(), time.monotonic()
            found = at_once(others, asked.times), at_once([owner], asked.times)
            shown.append((name, *found, (asks() - before) / (time.monotonic() - began)))
    print(f"{'':<20}{'others p50':>11}{'x quiet':>9}{'owner p50':>11}{'x quiet':>9}{'asks/s':>9}")
    for name, theirs, mine, rate in shown:
        print(
            f"{name:<20}{theirs:>11.1f}{theirs / shown[0][1]:>9.2f}{mine:>11.1f}{mine / shown[0][2]:>9.2f}{rate:>9.0f}"
        )


if __name__ == "__main__":
    main()
