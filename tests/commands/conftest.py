"""A host for those tests that type commands on one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.host import Host, opened_host


@pytest.fixture
def host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Host]:
    with opened_host(tmp_path, monkeypatch, capsys) as made:
        yield made
