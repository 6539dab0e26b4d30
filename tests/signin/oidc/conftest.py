"""One honest provider per test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.signin.oidc.builders import Journey, Provider, journey, running


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running() as provider:
        yield provider


@pytest.fixture
def ours(provider: Provider) -> Journey:
    return journey(provider)
