"""What holds for every test."""

from collections import Counter

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """pytest-xdist tells tests apart by their names, and silently runs one of several that have the same."""
    names = Counter(item.nodeid for item in items if item.get_closest_marker("alone") is None)
    if same := [name for name, number in names.items() if number > 1]:
        raise pytest.UsageError(f"several tests have one name; give each its own or mark them alone: {same}")
