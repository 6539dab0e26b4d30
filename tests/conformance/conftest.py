"""A store on every database that is there (see tests/store/databases.py)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.store import Store, open_store
from tests.store.databases import KINDS, fresh, sealer


@pytest.fixture(params=KINDS)
def url(request, tmp_path) -> Iterator[str]:
    with fresh(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def store(url) -> Iterator[Store]:
    with_tables = open_store(url, sealer())
    yield with_tables
    with_tables.close()
