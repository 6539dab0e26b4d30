"""What token exchange costs: server CPU, p50 and p99 of an ID token to a daypass token and to AWS credentials.

    python bench/exchange.py [--workers 1] [--seconds 4] [--clients 4]

Beside the plain issue path, in the same run. The ID tokens are RS256, each is another one unless the line says that it
is brought again, and they are signed outside what is measured. Load generator, AWS double and broker share the cores:
trust CPU and ratios, and take p50 and p99 with one client for what a person waits.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import requests

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.serving import GOAL_MS, Measured, ServedCompany, _Now, bare_boto3, issue_client, load, timed
from tests.attacks.directories import SamlCompany
from tests.company import ROOT
from tests.signin.oidc import builders as oidc

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
AWS = "urn:daypass:params:oauth:token-type:aws-credentials"
UPLOADS = "arn:aws:iam::444455556666:role/AppUploads"
PEOPLE = 200
"""Known ones of each client: so many that nobody reaches the limit of exchanges a minute."""


class App:
    """An app that brings ID tokens of its people, each from an address of their own."""

    def __init__(self, acme: SamlCompany, provider: oidc.Provider, prefix: str) -> None:
        self._url = f"{acme.base_url}/oauth/token"
        self._provider = provider
        self._people = [f"{prefix}-{number}" for number in range(PEOPLE)]
        self._wire = requests.Session()

    def known(self) -> Iterator[str]:
        """People who were here before, in turn."""
        for subject in self._people:
            self.exchange(self.token(subject))
        return itertools.cycle(self._people)

    def again(self) -> Iterator[str]:
        """Tokens that were brought before, in turn."""
        tokens = [self.token(subject) for subject in self._people]
        for token in tokens:
            self.exchange(token)
        return itertools.cycle(tokens)

    def token(self, subject: str) -> str:
        """A fresh ID token."""
        claims = {**self._provider.honest_claims("n"), "sub": subject, "jti": uuid4().hex}
        header = {"alg": "RS256", "kid": "k1", "typ": "JWT"}
        return oidc.sign(header, json.dumps(claims).encode(), self._provider.signing_key)

    def exchange(self, token: str, **fields: str) -> float:
        """Bring it. The milliseconds that the answer took."""
        form = {
            "grant_type": GRANT,
            "client_id": "photo-app",
            "subject_token": token,
            "subject_token_type": ID_TOKEN,
            **fields,
        }
        address = ".".join(str(part) for part in (10, *os.urandom(3)))
        began = time.perf_counter()
        answer = self._wire.post(self._url, data=form, headers={"X-Forwarded-For": address})
        waited = time.perf_counter() - began
        assert answer.status_code == 200, answer.text
        return waited * 1000


def first_time(app: App) -> Callable[[], float]:
    return lambda: app.exchange(app.token(uuid4().hex))


def known_person(app: App) -> Callable[[], float]:
    people = app.known()
    return lambda: app.exchange(app.token(next(people)))


def brought_again(app: App) -> Callable[[], float]:
    tokens = app.again()
    return lambda: app.exchange(next(tokens))


def aws_credentials(app: App) -> Callable[[], float]:
    people = app.known()
    return lambda: app.exchange(app.token(next(people)), requested_token_type=AWS, resource=UPLOADS)


KINDS: dict[str, Callable[[App], Callable[[], float]]] = {
    "token, first time": first_time,
    "token, known person": known_person,
    "token, brought again": brought_again,
    "AWS credentials": aws_credentials,
}


@contextmanager
def company(workers: int) -> Iterator[tuple[SamlCompany, oidc.Provider]]:
    """The shipped company, whose photo app may bring ID tokens of an OpenID provider that runs here."""
    with oidc.running() as provider, tempfile.TemporaryDirectory() as folder:
        provider.clock = _Now()
        partner = (ROOT / "config/providers/partner.yaml").read_text()
        partner = partner.replace("http://127.0.0.1:8002", provider.issuer)
        partner = "".join(line for line in partner.splitlines(True) if not line.startswith("boundary:"))
        acme = ServedCompany(Path(folder), workers=workers, more_providers={"partner": partner})
        for name, old, new in (
            ("daypass.yaml", "trusted_proxies: []", "trusted_proxies: [127.0.0.1]"),
            ("clients/photo-app.yaml", "{social: [acme-app]}", f"{{partner: [{oidc.CLIENT}]}}"),
        ):
            file = acme.config / name
            text = file.read_text()
            assert old in text, name
            file.write_text(text.replace(old, new))
        with acme:
            yield acme, provider


def row(done: Measured, issue: Measured, floor: float) -> str:
    """One line of the table."""
    ratios = f"{done.cpu_ms / floor:>9.1f}{done.cpu_ms / issue.cpu_ms:>9.2f}"
    return (
        f"{done.name:<24}{done.cpu_ms:>8.2f}{ratios}{done.p50_ms:>8.1f}{done.p99_ms:>8.1f}{done.rate:>10.0f}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--clients", type=int, default=4)
    asked = parser.parse_args()
    with company(asked.workers) as (acme, provider):
        assert acme.broker is not None
        group = acme.broker.child.pid
        for clients in dict.fromkeys((asked.clients, 1)):
            floor = timed(bare_boto3(acme), 2.0)
            print(f"floor: bare boto3 AssumeRole {floor:.2f} ms (CPU); {clients} client(s)")
            print(
                f"{'work':<24}{'CPU ms':>8}{'x floor':>9}{'x issue':>9}{'p50 ms':>8}{'p99 ms':>8}{'a second':>10}"
            )
            steps = [issue_client(acme) for _ in range(clients)]
            issue = load("issue, by cookie", group, steps, asked.seconds)
            print(row(issue, issue, floor))
            for name, make in KINDS.items():
                apps = [App(acme, provider, f"{number}-{clients}") for number in range(clients)]
                done = load(name, group, [make(app) for app in apps], asked.seconds)
                print(row(done, issue, floor))
        print(f"goal for a token: {GOAL_MS} ms, or {GOAL_MS / 0.9:.1f} x floor on a machine that is slower")


if __name__ == "__main__":
    main()
