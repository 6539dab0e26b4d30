"""What the running broker costs: server CPU per SAML sign-in, OpenID sign-in and issue, beside bare floors.

    python bench/serving.py [--workers 1] [--seconds 4] [--clients 4]

Floors, measured in the same run: bare xmlsec (parse, both checks of the same response with the key preloaded), and
a bare boto3 AssumeRole loop with one client kept, to the same AWS double. CPU is user + system time of the server's
process tree, which is started as people start it; load generator, AWS double and broker share the cores, so trust the
ratios, not the rates.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import boto3
import requests
import xmlsec
from botocore.config import Config
from lxml import etree

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.attacks.directories import SamlCompany
from tests.company import BROKER_KEY, ROOT, Process
from tests.signin.oidc import builders as oidc

ROLE = "arn:aws:iam::111122223333:role/ReadOnly"
GOAL_MS = 1.8
"""For a token: a third of what Keycloak takes for one, where the bare boto3 call takes 0.9 ms."""
TICK = os.sysconf("SC_CLK_TCK")


class ServedCompany(SamlCompany):
    """The company with the broker as people run it. The tests' own reads a file at each look at its clock."""

    def start_broker(self) -> None:
        command = [sys.executable, "-m", "app", "serve", "--workers", str(self._workers)]
        self.broker = Process("broker", command, self.folder, self.env)
        self.broker.wait_for(f"{self.base_url}/readyz")


@dataclass(frozen=True)
class Measured:
    """One kind of work."""

    name: str
    cpu_ms: float
    p50_ms: float
    p99_ms: float
    rate: float


def tree_stat(group: int) -> list[Path]:
    """The processes of a process group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rsplit(")", 1)[1].split()[2]) == group:
                found.append(stat.parent)
        except (OSError, IndexError):
            continue
    return found


def cpu_seconds(group: int) -> float:
    """User + system time of a process group's living processes."""
    total = 0
    for process in tree_stat(group):
        fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def memory_mib(group: int) -> float:
    """Proportional set size of a process group."""
    kib = 0
    for process in tree_stat(group):
        for line in (process / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                kib += int(line.split()[1])
    return kib / 1024


def load(name: str, group: int, steps: Sequence[Callable[[], float]], seconds: float) -> Measured:
    """Run each step in a thread of its own, over and over; a step returns the milliseconds that it waited."""
    waits: list[float] = []
    lock = threading.Lock()
    end = time.monotonic() + seconds

    def client(step: Callable[[], float]) -> None:
        mine = []
        while time.monotonic() < end:
            mine.append(step())
        with lock:
            waits.extend(mine)

    for step in steps:
        step()  # warm
    before, began = cpu_seconds(group), time.monotonic()
    threads = [threading.Thread(target=client, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, used = time.monotonic() - began, cpu_seconds(group) - before
    waits.sort()
    return Measured(
        name,
        used * 1000 / len(waits),
        statistics.median(waits),
        waits[int(len(waits) * 0.99)],
        len(waits) / took,
    )


def elsewhere(browser: requests.Session) -> None:
    """Another person's browser: flood limits count by address."""
    browser.cookies.clear()
    browser.headers["X-Forwarded-For"] = ".".join(str(part) for part in (10, *os.urandom(3)))


def saml_client(acme: SamlCompany) -> Callable[[], float]:
    browser = requests.Session()

    def step() -> float:
        elsewhere(browser)
        began = time.perf_counter()
        started = acme.begin(browser)
        waited = time.perf_counter() - began
        document = acme.response(started, response=True)  # signing is the directory's work
        began = time.perf_counter()
        answer = acme.post(started, document)
        assert answer.status_code == 303, answer.text
        return (waited + time.perf_counter() - began) * 1000

    return step


def oidc_client(acme: SamlCompany, provider: oidc.Provider) -> Callable[[], float]:
    browser = requests.Session()

    def step() -> float:
        elsewhere(browser)
        began = time.perf_counter()
        start = browser.get(f"{acme.base_url}/sign-in/partner", allow_redirects=False)
        fields = provider.authorize(start.headers["Location"])
        answer = browser.get(f"{acme.base_url}/oidc/partner/callback", params=fields, allow_redirects=False)
        assert answer.status_code == 303, answer.text
        return (time.perf_counter() - began) * 1000

    return step


def issue_client(acme: SamlCompany) -> Callable[[], float]:
    browser = acme.sign_in()

    def step() -> float:
        began = time.perf_counter()
        answer = acme.ask(browser, ROLE)
        assert answer.status_code == 200, answer.text
        return (time.perf_counter() - began) * 1000

    return step


def timed(work: Callable[[], object], seconds: float) -> float:
    """CPU milliseconds of this process for one call."""
    work()
    count, end, before = 0, time.monotonic() + seconds, time.process_time()
    while time.monotonic() < end:
        work()
        count += 1
    return (time.process_time() - before) * 1000 / count


def bare_xmlsec(acme: SamlCompany) -> Callable[[], object]:
    document = acme.response(acme.begin(), response=True)
    key = xmlsec.Key.from_memory(acme.idp.key.certificate, xmlsec.constants.KeyDataFormatCertPem)

    def verify() -> None:
        root = etree.fromstring(document)
        xmlsec.tree.add_ids(root, ["ID"])
        for signature in root.iter("{http://www.w3.org/2000/09/xmldsig#}Signature"):
            context = xmlsec.SignatureContext()
            context.key = key
            context.verify(signature)

    return verify


def bare_boto3(acme: SamlCompany) -> Callable[[], object]:
    client = boto3.client(
        "sts",
        region_name="eu-west-1",
        endpoint_url=acme.aws_url,
        aws_access_key_id=BROKER_KEY["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=BROKER_KEY["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )
    return lambda: client.assume_role(RoleArn=ROLE, RoleSessionName="bench", SourceIdentity="bench")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--clients", type=int, default=4)
    asked = parser.parse_args()
    with oidc.running() as provider, tempfile.TemporaryDirectory() as folder:
        provider.clock = _Now()
        partner = (ROOT / "config/providers/partner.yaml").read_text()
        partner = partner.replace("http://127.0.0.1:8002", provider.issuer).replace(
            "client_id: daypass", f"client_id: {oidc.CLIENT}"
        )
        acme = ServedCompany(Path(folder), workers=asked.workers, more_providers={"partner": partner})
        acme.secrets = {**acme.secrets, "PARTNER_CLIENT_SECRET": oidc.SECRET}
        main_file = acme.config / "daypass.yaml"
        main_file.write_text(
            main_file.read_text().replace("trusted_proxies: []", "trusted_proxies: [127.0.0.1]")
        )
        began = time.monotonic()
        acme.start_aws()
        aws_up = time.monotonic()
        acme.start_broker()
        print(
            f"broker ready after {time.monotonic() - aws_up:.2f} s (AWS double before it: {aws_up - began:.2f} s)"
        )
        try:
            assert acme.broker is not None
            measure(acme, provider, acme.broker.child.pid, asked)
        finally:
            acme.__exit__()


def measure(acme: SamlCompany, provider: oidc.Provider, group: int, asked: argparse.Namespace) -> None:
    xml_floor = timed(bare_xmlsec(acme), 1.0)
    sts_floor = timed(bare_boto3(acme), 2.0)
    print(f"floors: bare xmlsec {xml_floor:.2f} ms, bare boto3 AssumeRole {sts_floor:.2f} ms (CPU)")
    print(f"{'work':<14}{'CPU ms':>8}{'x floor':>9}{'p50 ms':>8}{'p99 ms':>8}{'a second':>10}")
    clients = range(asked.clients)
    runs = [
        ("SAML sign-in", xml_floor, [saml_client(acme) for _ in clients]),
        ("OpenID sign-in", xml_floor, [oidc_client(acme, provider) for _ in clients]),
        ("issue", sts_floor, [issue_client(acme) for _ in clients]),
    ]
    for name, floor, steps in runs:
        done = load(name, group, steps, asked.seconds)
        ratio = f"{done.cpu_ms / floor:.1f}"
        print(
            f"{name:<14}{done.cpu_ms:>8.2f}{ratio:>9}{done.p50_ms:>8.1f}{done.p99_ms:>8.1f}{done.rate:>10.0f}"
        )
    one = load("issue, alone", group, [issue_client(acme)], asked.seconds)
    print(f"issue, one client: p50 {one.p50_ms:.1f} ms, p99 {one.p99_ms:.1f} ms, CPU {one.cpu_ms:.2f} ms")
    print(f"memory: {memory_mib(group):.0f} MiB proportional, {asked.workers} worker(s) and their parent")


class _Now(oidc.FakeClock):
    """The OpenID provider's clock, really the host's."""

    def now(self):  # type: ignore[no-untyped-def]
        from datetime import UTC, datetime

        return datetime.now(UTC)


if __name__ == "__main__":
    main()
