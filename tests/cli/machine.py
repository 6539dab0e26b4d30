"""A person's machine: a home of its own, the built helper, a browser that signs in by itself."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cli.build import build

BROWSER = """#!{python} -IS
import sys, urllib.request
with open({log!r}, "a") as log:
    log.write(sys.argv[1] + "\\n")
urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open(sys.argv[1], timeout=20).read()
"""


@functools.cache
def unpacked() -> Path:
    """The package as a first start leaves it, compiled: a first start for each test would take its time."""
    home = Path(tempfile.mkdtemp(prefix="daypass-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    program = home / "daypass"
    program.write_bytes(build(None))
    null = subprocess.DEVNULL
    subprocess.run(
        [sys.executable, "-IS", program, "--version"], env={"HOME": str(home)}, check=True, stdout=null
    )
    subprocess.run([sys.executable, "-m", "compileall", "-q", home / ".cache"], check=True)
    return home / ".cache" / "daypass"


class Machine:
    """Runs the one file as its person would: as a process. `new`: on a machine that has not run it before."""

    def __init__(self, root: Path, url: str | None, *, new: bool = False) -> None:
        self.home = root / "home"
        self.home.mkdir(mode=0o700)
        if not new:
            (self.home / ".cache").mkdir(mode=0o700)
            shutil.copytree(unpacked(), self.cache)
        self.program = root / "daypass"
        self.program.write_bytes(build(url))
        self.program.chmod(0o755)
        self.log = root / "browser.log"
        self.log.touch()
        self.browser = root / "browser"
        self.browser.write_text(BROWSER.format(python=sys.executable, log=str(self.log)))
        self.browser.chmod(0o755)
        self.url = url or ""
        folder = str(Path(sys.executable).parent)
        self.environ = {
            "HOME": str(self.home),
            "PATH": f"{folder}:/usr/bin:/bin",
            "BROWSER": str(self.browser),
            "LANG": "C.UTF-8",
        }

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """The helper, running; without a terminal."""
        environ = {**self.environ, **options.pop("environ", {})}
        pipes = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
        }
        command = options.pop("command", [str(self.program)])
        return subprocess.Popen([*command, *arguments], env=environ, **{**pipes, **options})

    def run(self, *arguments: str, **options: Any) -> Done:
        """The helper, to its end."""
        given = options.pop("input", None)
        with self.start(*arguments, **options) as process:
            try:
                out, err = process.communicate(given, timeout=100)
            finally:
                process.kill()
        return Done(process.returncode, out, err)

    def python(self, *arguments: str, **options: Any) -> Done:
        """As on Windows: no shell before it."""
        return self.run(*arguments, command=[sys.executable, "-I", "-S", str(self.program)], **options)

    @property
    def opened(self) -> list[str]:
        """What the browser was opened with."""
        return self.log.read_text().splitlines()

    @property
    def cache(self) -> Path:
        return self.home / ".cache" / "daypass"

    @property
    def state(self) -> Path:
        return self.home / ".local" / "state" / "daypass"

    @property
    def passes(self) -> Path:
        return self.cache / "pass" / self.url.replace("/", "!").replace(":", ";")

    def entry(self, arn: str) -> Path:
        """The cache file of a role."""
        return self.passes / (arn.replace("/", "!").replace(":", ";") + "~")

    def age(self, arn: str, seconds: float) -> None:
        """As if so much time had passed for one role's credentials."""
        path = self.entry(arn)
        *words, times, end = path.read_text().split("\n")
        moved = [float(at) - seconds for at in times.split()]
        path.write_text("\n".join([*words, " ".join(f"{at:.3f}" for at in moved), end]))
        os.utime(path, (moved[1], moved[1]))
        for lock in self.state.glob("brokers/*/roles/*.lock"):
            os.utime(lock, (lock.stat().st_mtime - seconds, lock.stat().st_mtime - seconds))

    def configure(self, text: str) -> None:
        """Write the configuration file."""
        path = self.home / ".config" / "daypass" / "config"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def open_to_others(self) -> list[str]:
        """Files and folders of the helper that others could read."""
        found = [path for top in (self.cache, self.state) for path in (top, *top.rglob("*")) if top.exists()]
        return [
            str(path)
            for path in found
            if "code" not in path.parts and path.name != "now" and stat.S_IMODE(path.lstat().st_mode) & 0o077
        ]


class Done:
    """How a command ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def document(self) -> dict[str, Any]:
        assert self.code == 0, self
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"
