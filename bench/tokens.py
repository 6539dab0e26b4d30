"""What the OAuth server costs: server CPU per code redemption, refresh and bearer call, beside the plain issue path.

    python bench/tokens.py [--workers 1] [--seconds 4] [--clients 4]

A redemption begins with a person's click on the consent page; the page and the click are measured apart, so that what
stands under "redeem" is `POST /oauth/token` alone. CPU is user + system time of the server's process tree, in the
same run as the issue path and the bare boto3 call that it is compared with.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import requests

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.serving import (
    GOAL_MS,
    ROLE,
    Measured,
    ServedCompany,
    bare_boto3,
    cpu_seconds,
    issue_client,
    load,
    timed,
)
from tests.attacks.directories import SamlCompany

REDIRECT = "http://127.0.0.1:49152/callback"
VERIFIER = "v" * 64
_AT_ONCE = 200
"""Codes between two looks at the CPU, which is told in hundredths of a second; used before their minute is over."""
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
ASK = {
    "response_type": "code",
    "client_id": "cli",
    "redirect_uri": REDIRECT,
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "state": "s",
}


@dataclass
class Helper:
    """A helper with a browser of its person's."""

    acme: SamlCompany
    browser: requests.Session
    wire: requests.Session = field(default_factory=requests.Session)

    def code(self) -> str:
        """A code, by a click."""
        page = self.browser.get(f"{self.acme.base_url}/oauth/authorize", params=ASK)
        fields = dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)"', page.text))
        answer = self.browser.post(
            f"{self.acme.base_url}/oauth/authorize",
            data={**ASK, **fields, "decision": "allow"},
            headers={"Origin": self.acme.base_url},
            allow_redirects=False,
        )
        assert answer.status_code == 303, answer.text
        return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]

    def token(self, **fields: str) -> dict[str, str]:
        """What the token endpoint gives."""
        answer = self.wire.post(f"{self.acme.base_url}/oauth/token", data={"client_id": "cli", **fields})
        assert answer.status_code == 200, answer.text
        given: dict[str, str] = answer.json()
        return given

    def redeem(self, code: str) -> dict[str, str]:
        """The same, for a code."""
        return self.token(
            grant_type="authorization_code", code=code, redirect_uri=REDIRECT, code_verifier=VERIFIER
        )


def refresh_client(helper: Helper) -> Callable[[], float]:
    """Refreshes, over and over."""
    held = [helper.redeem(helper.code())["refresh_token"]]

    def step() -> float:
        began = time.perf_counter()
        held[0] = helper.token(grant_type="refresh_token", refresh_token=held[0])["refresh_token"]
        return (time.perf_counter() - began) * 1000

    return step


def bearer_client(helper: Helper) -> Callable[[], float]:
    """Asks for credentials with an access token."""
    token = helper.redeem(helper.code())["access_token"]
    helper.wire.headers["Authorization"] = f"Bearer {token}"

    def step() -> float:
        began = time.perf_counter()
        answer = helper.wire.post(f"{helper.acme.base_url}/v1/credentials", json={"role": ROLE})
        assert answer.status_code == 200, answer.text
        return (time.perf_counter() - began) * 1000

    return step


def redeemed(helper: Helper, group: int, times: int) -> float:
    """Server CPU milliseconds of one redemption: the codes are got beforehand, unmeasured."""
    helper.redeem(helper.code())
    total = 0.0
    for _ in range(times // _AT_ONCE):
        codes = [helper.code() for _ in range(_AT_ONCE)]
        time.sleep(0.05)
        before = cpu_seconds(group)
        for code in codes:
            helper.redeem(code)
        total += cpu_seconds(group) - before
    return total * 1000 / (times // _AT_ONCE * _AT_ONCE)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--clients", type=int, default=4)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ServedCompany(Path(folder), workers=asked.workers) as acme:
        assert acme.broker is not None
        group = acme.broker.child.pid
        floor = timed(bare_boto3(acme), 2.0)
        issue = load(
            "issue, by cookie", group, [issue_client(acme) for _ in range(asked.clients)], asked.seconds
        )
        print(f"floor: bare boto3 AssumeRole {floor:.2f} ms (CPU)")
        print(f"{'work':<22}{'CPU ms':>8}{'x floor':>9}{'x issue':>9}{'p50 ms':>8}{'p99 ms':>8}")

        def line(done: Measured) -> None:
            ratios = f"{done.cpu_ms / floor:>9.2f}{done.cpu_ms / issue.cpu_ms:>9.2f}"
            print(f"{done.name:<22}{done.cpu_ms:>8.2f}{ratios}{done.p50_ms:>8.1f}{done.p99_ms:>8.1f}")

        line(issue)
        for name, make in (("refresh", refresh_client), ("issue, by bearer", bearer_client)):
            steps = [make(Helper(acme, acme.sign_in())) for _ in range(asked.clients)]
            line(load(name, group, steps, asked.seconds))
        one = redeemed(Helper(acme, acme.sign_in()), group, 600)
        print(f"{'redeem a code':<22}{one:>8.2f}{one / floor:>9.2f}{one / issue.cpu_ms:>9.2f}")
        print(f"goal for a token: {GOAL_MS} ms, or {GOAL_MS / 0.9:.1f} x floor on a machine that is slower")


if __name__ == "__main__":
    main()
