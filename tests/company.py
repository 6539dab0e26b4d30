"""A company on loopback for tests: the broker in its own processes, an AWS double, a folder of configuration.

with Company(tmp_path, workers=2) as acme:
    acme.get("/sign-in")
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import requests

from demo.running.children import ends_with
from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
SECRETS = {
    "PARTNER_CLIENT_SECRET": "partner-secret",
    "SANDBOX_EXTERNAL_ID": "sandbox-external-id",
    "SOCIAL_CLIENT_SECRET": "social-secret",
}
BROKER_KEY = {
    "AWS_ACCESS_KEY_ID": "AKIADAYPASSDEMO00001",
    "AWS_SECRET_ACCESS_KEY": "demo-secret-access-key-of-the-broker",
}


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without what would point at real AWS or a proxy."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "DAYPASS_")) and "proxy" not in name.lower()
    }
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true", "PYTHONPATH": str(ROOT), **extra}


class Process:
    """A child with its output in a file, ended for sure."""

    def __init__(self, name: str, command: list[str], folder: Path, env: dict[str, str]) -> None:
        self.log = folder / f"{name}.log"
        self._file = self.log.open("ab")
        self.child = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=ends_with(os.getpid()),
        )

    def wait_for(self, url: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.child.poll() is not None:
                break
            try:
                if requests.get(url, timeout=2).status_code < 500:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.05)
        raise AssertionError(f"{url} does not answer\n{self.log.read_text(errors='replace')[-4000:]}")

    def kill(self) -> None:
        """kill -9 for the whole group, workers included."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()

    def stop(self) -> None:
        if self.child.poll() is None:
            self.child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(15)
        self.kill()
        self._file.close()


class Company:
    """The broker and the AWS double, with the shipped configuration; `providers` (file name: text) replaces files."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 1,
        providers: dict[str, str] | None = None,
        files: dict[str, bytes] | None = None,
        aws_port: int | None = None,
        port: int | None = None,
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.aws_port = aws_port or free_port()
        self.base_url = f"http://localhost:{self.port}"
        self.aws_url = f"http://127.0.0.1:{self.aws_port}"
        self.secrets = dict(SECRETS)
        self._workers = workers
        self.config = folder / "config"
        self.database = folder / "daypass.db"
        self.clock = folder / "clock"
        self.clock.write_text("0")
        self._configure(providers, files or {})
        self.broker: Process | None = None
        self.aws: Process | None = None

    def _configure(self, providers: dict[str, str] | None, files: dict[str, bytes]) -> None:
        shutil.copytree(ROOT / "config", self.config)
        for name, text in (providers or {}).items():
            (self.config / "providers" / f"{name}.yaml").write_text(text)
        for name, content in files.items():
            (self.config / name).write_bytes(content)
        for path in self.config.rglob("*.yaml"):
            text = path.read_text()
            text = text.replace("http://localhost:8000", self.base_url)
            text = text.replace("http://127.0.0.1:8090", self.aws_url)
            path.write_text(text)

    @property
    def env(self) -> dict[str, str]:
        return environment(
            DAYPASS_CONFIG=str(self.config),
            DAYPASS_DATABASE=f"sqlite:///{self.database}",
            DAYPASS_TEST_CLOCK=str(self.clock),
            DAYPASS_LOG="json",
            **self.secrets,
            **BROKER_KEY,
        )

    def move_clock(self, seconds: float) -> None:
        """Set the broker's clock that many seconds ahead of (or behind) the host's, and AWS's with it."""
        waiting = self.clock.with_suffix(".new")
        waiting.write_text(str(seconds))
        back = float(self.clock.read_text()) - seconds
        if self.aws is not None:  # what the broker signs with its clock is held against the double's
            requests.post(
                f"{self.aws_url}/_double/clock", json={"move": -back}, timeout=10
            ).raise_for_status()
        waiting.replace(self.clock)
        if back > 60:
            time.sleep(
                0.05
            )  # a background job that began in that future ends before anything new is remembered

    def start_aws(self) -> None:
        command = [sys.executable, "-m", "demo.aws", "--port", str(self.aws_port)]
        self.aws = Process("aws", command, self.folder, self.env)
        self.aws.wait_for(f"{self.aws_url}/_double/")

    def start_broker(self) -> None:
        command = [
            sys.executable,
            "-c",
            "import sys; from app.serve import main; sys.exit(main(sys.argv[1:], target='tests.served:app'))",
            "--workers",
            str(self._workers),
        ]
        self.broker = Process("broker", command, self.folder, self.env)
        self.broker.wait_for(f"{self.base_url}/readyz")

    def __enter__(self) -> "Company":
        try:
            self.start_aws()
            self.start_broker()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self.broker, self.aws):
            if process is not None:
                process.stop()

    def log(self) -> str:
        return (self.folder / "broker.log").read_text(errors="replace")

    def audit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.operator("audit", *arguments)

    def operator(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m app …` against this company."""
        return subprocess.run(
            [sys.executable, "-m", "app", *arguments],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
        )
