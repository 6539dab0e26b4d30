"""CPU of the helper's warm calls beside a bare Python start and beside other tools that hand out cached credentials.

    python bench/helper.py [ROUNDS]

Each figure is a whole process tree's user + system time, median of alternating rounds. The cache entries are made by
the helper's own code, and for each other tool in the file and form that it writes itself. Nothing answers on the
network, so that a call that is not served from a cache fails the run.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "cli")]

from cli.build import build  # noqa: E402
from daypass import cache, context, output, paths, settings  # noqa: E402

URL = "https://daypass.example.com"
ACCOUNT = "111122223333"
ARN = f"arn:aws:iam::{ACCOUNT}:role/Admin"
KEY_ID = "ASIABENCHBENCHBENCH0"
BARE = "bare python3 -I -S -c pass"
CREDENTIALS = "credentials, by sh"
GOALS = {CREDENTIALS: 0.3, "credentials, by Python (Windows)": 1.3, "exec -- true": 1.0}


@dataclass(frozen=True)
class Row:
    """A command to measure, so many times a round."""

    command: Sequence[str]
    environ: Mapping[str, str]
    calls: int = 20


def main(rounds: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        program = home / "daypass"
        program.write_bytes(build(URL))
        program.chmod(0o755)
        python = os.path.realpath(sys.executable)
        environ = {"HOME": folder, "PATH": f"{Path(python).parent}:/usr/bin:/bin"}
        fill(environ, str(program))
        true = shutil.which("true") or "/bin/true"
        own: dict[str, Sequence[str]] = {
            BARE: [python, "-I", "-S", "-c", "pass"],
            CREDENTIALS: [str(program), "credentials", ARN],
            "credentials, by Python (Windows)": [python, "-I", "-S", str(program), "credentials", ARN],
            "import _ctypes, as DPAPI needs": [python, "-I", "-S", "-c", "import _ctypes"],
            "true": [true],
            "exec -- true": [str(program), "exec", ARN, "--", "true"],
        }
        rows = {name: Row(command, environ) for name, command in own.items()}
        report(compare({**rows, **others(home)}, rounds))
        print(f"{'the file':<40} {program.stat().st_size / 1024:8.0f} KiB")


def fill(environ: Mapping[str, str], program: str) -> None:
    """A fresh entry, as a call to a broker would have left it; its token as long as STS's are."""
    given = context.Context(
        environ=environ,
        platform="linux",
        paths=paths.find("linux", environ),
        settings=settings.Settings(),
        output=output.Output(None, sys.stdout, sys.stderr, environ),
        program=program,
        url=URL,
    )
    now = time.time()
    document = {**keys(now), "AccountId": ACCOUNT}
    cache.stamp(given)
    cache.store(given, cache.name_of(ARN), cache.made(document, now, None))


def keys(now: float) -> dict[str, str]:
    """Credentials as STS gives them."""
    return {
        "AccessKeyId": KEY_ID,
        "SecretAccessKey": "s" * 40,
        "SessionToken": "t" * 900,
        "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 3600)),
    }


def others(home: Path) -> dict[str, Row]:
    """The other tools that are here, each with a warm cache; how to get those that are not."""
    environ = {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HTTPS_PROXY": "http://127.0.0.1:9",  # nothing is there: who goes to the network, fails
    }
    sso = {"roleName": "Admin", "accountId": ACCOUNT, "startUrl": "https://acme.awsapps.com/start"}
    okta = {"Organization": "acme.okta.com", "User": "ana", "Key": "admin"}
    entry = json.dumps({"ProviderType": "sso", "Credentials": keys(time.time())})
    settings_ = f"""[profile bench]
sso_start_url = {sso["startUrl"]}
sso_region = eu-west-1
sso_account_id = {ACCOUNT}
sso_role_name = Admin
region = eu-west-1
"""
    # botocore's JSON cache, which the AWS CLI and aws-sso-util share, names a file by the digest of what was asked for.
    for file, text in {
        ".aws/config": settings_,
        f".aws/cli/cache/{digest(json.dumps(sso, sort_keys=True, separators=(',', ':')))}.json": entry,
        f".aws/boto/cache/{digest(json.dumps(okta, sort_keys=True))}.json": entry,
        "exported.json": entry,
    }.items():
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).write_text(text)
        (home / file).chmod(0o600)
    environments = {
        ".venv-bench": ROOT / ".venv-bench" / "bin",
        ".venv-interop": ROOT / ".venv-interop" / "aws-v2",
    }
    commands = {
        "aws": (".venv-interop", "configure", "export-credentials", "--profile", "bench"),
        "aws-sso-util": (".venv-bench", "credential-process", "--profile", "bench"),
        "aws-export-credentials": (".venv-bench", "--json", "--cache-file", str(home / "exported.json")),
        "aws-okta-processor": (
            *(".venv-bench", "authenticate", "--silent"),
            *("--organization", okta["Organization"], "--user", okta["User"], "--key", okta["Key"]),
        ),
    }
    rows = {}
    for name, (environment, *arguments) in commands.items():
        program = environments[environment] / name
        if not program.exists():
            print(
                f"{name}: not here; `make {environment}/.ready` brings it, and `make bench` before it runs this"
            )
            continue
        row = Row([str(program), *arguments], environ, calls=2)
        given = subprocess.run(row.command, env=environ, capture_output=True, check=True, cwd=home)
        if json.loads(given.stdout)["AccessKeyId"] != KEY_ID:
            raise SystemExit(f"{name} does not give the credentials of its cache")
        rows[f"{name} {version(program, environ)}"] = row
    return rows


def version(program: Path, environ: Mapping[str, str]) -> str:
    """What it says that it is."""
    said = subprocess.run(
        [str(program), "--version"], env=environ, capture_output=True, text=True, check=True
    )
    found = re.search(r"\d+\.\d+\.\d+", said.stdout)
    return found.group() if found else ""


def digest(text: str) -> str:
    """As botocore names a cache's file."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def compare(rows: Mapping[str, Row], rounds: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of CPU and of wall time for each command, rounds alternating."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    for _ in range(rounds):
        for name, row in rows.items():
            taken[name].append(cost(row))
    return {
        name: (statistics.median(cpu for cpu, _ in each), statistics.median(wall for _, wall in each))
        for name, each in taken.items()
    }


def cost(row: Row) -> tuple[float, float]:
    """One process of it, in ms of CPU and of wall time. A failing one ends the bench."""
    before, began = cpu(), time.perf_counter()
    for _ in range(row.calls):
        subprocess.run(row.command, env=dict(row.environ), stdout=subprocess.DEVNULL, check=True)
    return (cpu() - before) / row.calls * 1e3, (time.perf_counter() - began) / row.calls * 1e3


def cpu() -> float:
    """CPU of ended children so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def report(figures: Mapping[str, tuple[float, float]]) -> None:
    """A line for each: CPU as a ratio to the bare start and to warm `credentials`; `exec` without `true` itself."""
    floor, ours = figures[BARE][0], figures[CREDENTIALS][0]
    print(f"{'':<40} {'ms CPU':>8} {'ms wall':>8} {'/ bare':>7} {'/ ours':>7}")
    for name, (used, wall) in figures.items():
        used_alone = used - (figures["true"][0] if name == "exec -- true" else 0)
        goal = f"   goal {GOALS[name]}" if name in GOALS else ""
        print(f"{name:<40} {used:8.2f} {wall:8.2f} {used_alone / floor:7.2f} {used_alone / ours:7.1f}{goal}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
