"""The AWS SDK for JavaScript, stock, from npm: it exchanges when it likes to, and nobody notices that credentials end."""

from __future__ import annotations

import json
import subprocess
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.company import ROOT, environment
from tests.journeys import chirp
from tests.journeys.aws_clients import set_double
from tests.journeys.make_run import Demo

pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

PROGRAM = ROOT / "tests" / "journeys" / "sdk-js" / "folder.mjs"
MARGIN = 300
"""Seconds: the SDK asks for credentials anew when those it has end within them (`EXPIRATION_MS` of @smithy/core)."""


class App:
    """A Node.js program with one S3 client for all its life."""

    def __init__(self, demo: Demo, token: str) -> None:
        self._process = subprocess.Popen(
            ["node", str(PROGRAM)],
            env=environment(BROKER=demo.base_url, S3=demo.ports.aws_url, TOKEN=token),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def does(self, *words: str) -> dict[str, Any]:
        """`put` or `list`: `keys` or `error`, and the credentials that are held after it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def lists(self, folder: str = "") -> list[str]:
        """Names in the own folder, or another."""
        answer = self.does("list", *([folder] if folder else []))
        assert "error" not in answer, answer
        return [key.removeprefix(answer["folder"]) for key in answer["keys"]]

    def __enter__(self) -> App:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    with Demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture
def lives(demo):
    """Sets how long new credentials live."""
    yield lambda seconds: set_double(demo.ports.aws_url, "sessions", longest=seconds)
    set_double(demo.ports.aws_url, "sessions", longest=None)


def left(held: dict[str, str]) -> float:
    """Seconds until the credentials end."""
    return (datetime.fromisoformat(held["expiration"]) - datetime.now(UTC)).total_seconds()


def test_each_person_puts_and_lists_ones_own(demo):
    with App(demo, chirp.token(demo, "robin")) as robin, App(demo, chirp.token(demo, "sasha")) as sasha:
        assert robin.does("put", "cat(1)é.txt", "a", "cat").get("error") is None
        done = sasha.does("put", "dog.txt", "a", "dog")
        assert "error" not in done
        assert (robin.lists(), sasha.lists()) == (["cat(1)é.txt"], ["dog.txt"])
        for words in (("list", done["folder"]), ("put", f"{done['folder']}dog.txt", "mine")):
            refused = robin.does(*words)
            assert refused["error"] == "AccessDenied"
            assert "no session policy allows the s3:" in refused["message"]
        assert sasha.lists() == ["dog.txt"]
        # An hour is more than the SDK's margin: one exchange did for all of it.
        assert robin.does("list")["times"] == 1


def test_credentials_are_renewed_before_they_run_out(demo, lives):
    lives(MARGIN + 8)
    with App(demo, chirp.token(demo, "robin")) as app:
        first = app.does("put", "one.txt", "1")
        while True:
            before, held = left(first["held"]), app.does("list")
            assert "error" not in held
            if held["times"] > first["times"]:
                break
            assert before > MARGIN - 1  # or it should have been renewed
            time.sleep(0.5)
        assert held["held"]["key"] != first["held"]["key"]
        assert 0 < left(first["held"]) <= MARGIN  # the old ones were good still
        assert "one.txt" in app.lists()


def test_nobody_notices_that_credentials_end(demo, lives):
    lives(4)
    with App(demo, chirp.token(demo, "sasha")) as app:
        first = app.does("put", "before.txt", "1")
        assert "error" not in first
        while left(first["held"]) > -1:
            time.sleep(0.2)
        assert app.does("untold", "list")["error"] == "ExpiredToken"  # the same keys: over, at AWS
        lives(None)
        done = app.does("put", "after.txt", "2")
        assert "error" not in done and done["held"]["key"] != first["held"]["key"]
        assert {"before.txt", "after.txt"} <= set(app.lists())
        assert app.does("list")["times"] == done["times"]


def test_a_provider_that_fails_at_a_renewal_is_said_to_and_got_over(demo, lives):
    lives(4)
    with App(demo, chirp.token(demo, "robin")) as app:
        first = app.does("put", "kept.txt", "1")
        demo.break_directory(demo.ports.social_url, kind="error", path="/debug_token")
        try:
            while left(first["held"]) > -1:
                time.sleep(0.2)
            refused = app.does("list")
        finally:
            demo.mend_directory(demo.ports.social_url)
        assert "provider of this token does not answer as it should" in refused["message"]
        assert refused["times"] == first["times"]
        assert "kept.txt" in app.lists()  # the provider is back, and so is the app
