"""CPU of one issued credential: `Aws.assume` beside a bare boto3 AssumeRole loop to the same AWS double.

    python bench/sts.py [CALLS]

The double runs in a process of its own; CPU is this process's user + system time. Rounds alternate and the
median of each side counts, so that a busy machine troubles both alike. Trust the ratio.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.aws import Aws
from app.model import CredentialRequest, Endpoint, Role, RoleArn

ROOT = Path(__file__).resolve().parent.parent
ROLE = "arn:aws:iam::111122223333:role/Admin"
NAME = "ana-5d41402a"
SOURCE = "corp.ana"
ROUNDS = 5
KEY = {
    "AWS_ACCESS_KEY_ID": "AKIABENCHBENCHBENCH0",
    "AWS_SECRET_ACCESS_KEY": "secret-of-the-bench-and-nothing-else",
}


def main(calls: int) -> None:
    """Measure and print."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [sys.executable, "-m", "demo.aws", "--port", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, env={**clean, **KEY}, stdout=subprocess.PIPE, text=True
    ) as double:
        try:
            assert double.stdout is not None
            url = double.stdout.readline().split()[3]
            for name in set(os.environ) - set(clean):
                del os.environ[name]
            os.environ.update(KEY)
            compare(url, calls)
        finally:
            double.terminate()


def compare(url: str, calls: int) -> None:
    """Both sides in alternating rounds."""
    aws = Aws(Endpoint("aws", ("eu-west-1",), url, url))
    began = time.perf_counter()
    aws.warm()
    warm = time.perf_counter() - began
    role = Role(RoleArn(ROLE), "111122223333", "production", "Admin")
    request = CredentialRequest(role, timedelta(hours=1), NAME, SOURCE)
    began = time.perf_counter()
    aws.assume(request)
    first = time.perf_counter() - began
    client = boto3.client("sts", region_name="eu-west-1", endpoint_url=url)

    def bare() -> None:
        client.assume_role(RoleArn=ROLE, RoleSessionName=NAME, SourceIdentity=SOURCE, DurationSeconds=3600)

    bare()
    ours, theirs = [], []
    for _ in range(ROUNDS):
        theirs.append(cost(bare, calls))
        ours.append(cost(lambda: aws.assume(request), calls))
    floor, mine = (statistics.median(cpu for cpu, _ in side) for side in (theirs, ours))
    slow, quick = (statistics.median(wall for _, wall in side) for side in (theirs, ours))
    print(f"warm-up                 {warm * 1e3:7.1f} ms, first call after it {first * 1e3:.1f} ms")
    print(f"bare boto3 AssumeRole   {floor * 1e3:7.3f} ms CPU  {slow * 1e3:7.2f} ms wall   1.00")
    print(
        f"Aws.assume              {mine * 1e3:7.3f} ms CPU  {quick * 1e3:7.2f} ms wall   {mine / floor:.2f}"
    )


def cost(call: Callable[[], object], calls: int) -> tuple[float, float]:
    """Seconds of CPU and of wall time for one call."""
    before, began = cpu(), time.perf_counter()
    for _ in range(calls):
        call()
    return (cpu() - before) / calls, (time.perf_counter() - began) / calls


def cpu() -> float:
    """This process's CPU so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
