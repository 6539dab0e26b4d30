"""One honest provider per test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.signin.oauth2.builders import Journey, Social, journey, running


@pytest.fixture
def social() -> Iterator[Social]:
    with running() as social:
        yield social


@pytest.fixture
def ours(social: Social) -> Journey:
    return journey(social)
