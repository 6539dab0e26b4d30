"""The AWS CLI, both of them, and boto3: stock, from packages; they know nothing of us."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Final

import requests

from tests.company import ROOT
from tests.journeys.workplace import Workplace

INTEROP: Final = ROOT / ".venv-interop"
"""Made by `make interop`."""
_BOTO3: Final = """\
import boto3, json
who = boto3.client("sts").get_caller_identity()
print(json.dumps({name: who[name] for name in ("Arn", "Account")}))
"""
_LIVES_ON: Final = """\
import boto3, sys
sts = boto3.client("sts")
for line in sys.stdin:
    try:
        print(sts.get_caller_identity()["Arn"], flush=True)
    except Exception as error:
        print(type(error).__name__, " ".join(str(error).split()), flush=True)
"""
_CLI: Final = ("sts", "get-caller-identity", "--output", "json")


@dataclass(frozen=True)
class AwsClient:
    """One of them, and how it asks who it is."""

    name: str
    command: tuple[str, ...]

    def who(self, at: Workplace, **extra: str) -> dict[str, str]:
        """Account and Arn, as AWS says; `extra` as `Workplace.env`."""
        done = at.run(*self.command, **extra)
        assert done.returncode == 0, f"{self.name}: {done.stdout}{done.stderr}"
        return self.read(done.stdout)

    def read(self, text: str) -> dict[str, str]:
        """What its output says."""
        answer: dict[str, str] = json.loads(text)
        return answer


V2: Final = AwsClient("aws v2", (str(INTEROP / "aws-v2" / "aws"), *_CLI))
V1: Final = AwsClient("aws v1", (str(INTEROP / "bin" / "python"), str(INTEROP / "bin" / "aws"), *_CLI))
BOTO3: Final = AwsClient("boto3", (sys.executable, "-c", _BOTO3))
ALL: Final = (V2, V1, BOTO3)


class LivesOn:
    """A program with one boto3 client for all its life, as services are."""

    def __init__(self, at: Workplace, **extra: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LIVES_ON],
            env=at.env(**extra),
            cwd=at.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def who(self) -> str:
        """The Arn, as AWS says now; or what the client says instead."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("?\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def __enter__(self) -> LivesOn:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def key_of_last_call(aws_url: str) -> str:
    """ID of the access key with which somebody last asked who he is."""
    key: str = calls(aws_url, "GetCallerIdentity")[-1]["key"]
    return key


def calls(aws_url: str, action: str) -> list[dict[str, Any]]:
    """What the AWS double answered with yes, oldest first."""
    found = requests.get(f"{aws_url}/_double/requests", timeout=10).json()
    return [call for call in found if call["action"] == action and call["status"] == 200]


def set_double(aws_url: str, switch: str, **members: object) -> None:
    """Turn one of the double's switches: `clock`, `sessions`, `fault`, `reset`."""
    requests.post(f"{aws_url}/_double/{switch}", json=members, timeout=10).raise_for_status()
