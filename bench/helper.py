"""CPU of the helper's warm calls beside a bare Python start, and the AWS CLI's own command where it is installed.

    python bench/helper.py [ROUNDS]

Each figure is a whole process tree's user + system time, median of alternating rounds. The cache entry is made by the
helper's own code; no broker is there, so that a call that is not served from the cache fails the run.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "cli")]

from cli.build import build  # noqa: E402
from daypass import cache, context, output, paths, settings  # noqa: E402

URL = "https://daypass.example.com"
ARN = "arn:aws:iam::111122223333:role/Admin"
CALLS = 20
GOALS = {"credentials, by sh": 0.3, "credentials, by Python (Windows)": 1.3, "exec -- true": 1.0}


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
        bare = [python, "-I", "-S", "-c", "pass"]
        true = shutil.which("true") or "/bin/true"
        rows: dict[str, Sequence[str]] = {
            "bare python3 -I -S -c pass": bare,
            "credentials, by sh": [str(program), "credentials", ARN],
            "credentials, by Python (Windows)": [python, "-I", "-S", str(program), "credentials", ARN],
            "import _ctypes, as DPAPI needs": [python, "-I", "-S", "-c", "import _ctypes"],
            "true": [true],
            "exec -- true": [str(program), "exec", ARN, "--", "true"],
        }
        figures = compare(rows, environ, rounds)
        report(figures)
        foreign(environ, figures["bare python3 -I -S -c pass"])
        print(f"the file                          {program.stat().st_size / 1024:8.0f} KiB")


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
    document = {
        "AccessKeyId": "ASIABENCHBENCHBENCH0",
        "SecretAccessKey": "s" * 40,
        "SessionToken": "t" * 900,
        "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 3600)),
        "AccountId": "111122223333",
    }
    cache.stamp(given)
    cache.store(given, cache.name_of(ARN), cache.made(document, now, None))


def compare(
    rows: Mapping[str, Sequence[str]], environ: Mapping[str, str], rounds: int
) -> dict[str, tuple[float, float]]:
    """Milliseconds of CPU and of wall time for each command, rounds alternating."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    for _ in range(rounds):
        for name, command in rows.items():
            taken[name].append(cost(command, environ, CALLS))
    return {
        name: (statistics.median(cpu for cpu, _ in each), statistics.median(wall for _, wall in each))
        for name, each in taken.items()
    }


def cost(command: Sequence[str], environ: Mapping[str, str], calls: int) -> tuple[float, float]:
    """One process of it, in ms of CPU and of wall time. A failing one ends the bench."""
    before, began = cpu(), time.perf_counter()
    for _ in range(calls):
        subprocess.run(command, env=dict(environ), stdout=subprocess.DEVNULL, check=True)
    return (cpu() - before) / calls * 1e3, (time.perf_counter() - began) / calls * 1e3


def cpu() -> float:
    """CPU of ended children so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def report(figures: Mapping[str, tuple[float, float]]) -> None:
    """A line for each, as a ratio to the bare start; what `exec` adds is told without `true` itself."""
    floor = figures["bare python3 -I -S -c pass"][0]
    for name, (used, wall) in figures.items():
        ratio = (used - (figures["true"][0] if name == "exec -- true" else 0)) / floor
        goal = f"   goal {GOALS[name]}" if name in GOALS else ""
        print(f"{name:<33} {used:8.2f} ms CPU  {wall:8.2f} ms wall   {ratio:6.2f}{goal}")


def foreign(environ: Mapping[str, str], floor: tuple[float, float]) -> None:
    """The AWS CLI's own way to print credentials, from its own file, where some version of it is there."""
    found = shutil.which("aws")
    if found is None:
        print("aws configure export-credentials  (no AWS CLI here)")
        return
    keys = {
        "AWS_ACCESS_KEY_ID": "ASIABENCH",
        "AWS_SECRET_ACCESS_KEY": "s" * 40,
        "AWS_SESSION_TOKEN": "t" * 900,
    }
    clean = {**os.environ, **environ, "PATH": os.environ["PATH"], **keys}
    command = [found, "configure", "export-credentials"]
    probe = subprocess.run(command, env=clean, capture_output=True, check=False)
    if probe.returncode:
        print("aws configure export-credentials  (this version has none)")
        return
    used, wall = cost(command, clean, 3)
    print(
        f"{'aws configure export-credentials':<33} {used:8.2f} ms CPU  {wall:8.2f} ms wall   {used / floor[0]:6.2f}"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
