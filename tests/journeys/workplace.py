"""A person's machine: a home folder of its own, the helper installed as the page says, AWS clients that read their
set-up from there. A browser there hands each address over to the test, which is the person at the browser.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Final

PATH: Final = "/usr/local/bin:/usr/bin:/bin"
"""Where a machine has its programs; not the environment that the tests run in."""

_INSTALL: Final = """\
set -eu
mkdir -p ~/.local/bin && cd ~/.local/bin
curl -fsS -o daypass "$BROKER/cli/daypass"
curl -fsS "$BROKER/cli/daypass.sha256" | sha256sum -c - >&2
chmod 755 daypass
"""

_BROWSER: Final = """\
#!/bin/sh
printf '%s\\n' "$1" >>"$HOME/opened"
"""


def faketime_library() -> str:
    """Debian's libfaketime, for programs with threads."""
    return next(str(path) for path in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


class Workplace:
    """One person's machine."""

    def __init__(self, home: Path, broker_url: str, aws_url: str, user: str = "ana") -> None:
        """`user` is the name of the account there, which the helper tells with the machine's."""
        self.home = home
        self.user = user
        self.broker_url = broker_url
        self.aws_url = aws_url
        self.home.mkdir(parents=True)
        self.browser = self.home / "browser"
        self.browser.write_text(_BROWSER)
        self.browser.chmod(0o755)
        self.opened_file = self.home / "opened"
        self.daypass = self.home / ".local" / "bin" / "daypass"
        self._clock = self.home / "clock"
        self._clock.write_text("+0\n")

    def env(self, **extra: str) -> dict[str, str]:
        """What a shell there has set: nothing of the tests' own, nothing of this machine's AWS set-up."""
        return {
            "HOME": str(self.home),
            "USER": self.user,
            "PATH": f"{self.daypass.parent}:{PATH}",
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "BROWSER": str(self.browser),
            "AWS_ENDPOINT_URL_STS": self.aws_url,
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",  # the one that v1 and boto3 read
            "AWS_PAGER": "",
            # Without credentials no client may go and look for the metadata service of the machine that tests run on.
            "AWS_EC2_METADATA_DISABLED": "true",
            **extra,
        }

    def moved_clock(self) -> dict[str, str]:
        """Variables for programs that are to read a clock that `move_clock` moves, while they run as well.

        Threads still wait by the real one. File times are not moved, which the helper's prelude goes by.
        """
        return {
            "LD_PRELOAD": faketime_library(),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def move_clock(self, seconds: int) -> None:
        """Set that clock so many seconds ahead of the host's."""
        waiting = self._clock.with_suffix(".new")
        waiting.write_text(f"+{seconds}\n")
        waiting.replace(self._clock)

    def install(self) -> None:
        """Fetch the helper from the broker and hold it against its checksum, as the page says."""
        self.shell(_INSTALL, BROKER=self.broker_url)

    def shell(self, script: str, **extra: str) -> str:
        """What a bash script there writes to stdout; it must succeed."""
        done = self.run("bash", "--norc", "-c", script, **extra)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, *command: str, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run a program there, with no terminal."""
        return subprocess.run(
            command,
            env=self.env(**extra),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
        )

    def start(self, *command: str, **extra: str) -> subprocess.Popen[str]:
        """Start a program there, with no terminal; its output goes through pipes."""
        return subprocess.Popen(
            command,
            env=self.env(**extra),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def opened(self) -> list[str]:
        """The addresses that a browser was asked to open so far."""
        return self.opened_file.read_text().split() if self.opened_file.exists() else []

    def wait_for_browser(self, already: int = 0, seconds: float = 30) -> str:
        """The next address that a browser is asked to open, after `already` of them."""
        deadline = time.monotonic() + seconds
        while len(found := self.opened()) <= already:
            assert time.monotonic() < deadline, "no browser was opened"
            time.sleep(0.05)
        return found[already]

    def open_to_others(self) -> list[str]:
        """What somebody else could get at: a folder of the helper's that lets others in, a file with a secret in it."""
        cache, state = self.home / ".cache" / "daypass", self.home / ".local" / "state" / "daypass"
        secret = [path for folder in (cache / "pass", state) for path in folder.rglob("*") if path.is_file()]
        assert secret, "nothing is kept"
        return [str(path) for path in (cache, state, *secret) if path.stat().st_mode & 0o077]
