"""The tests' own names."""

from collections import Counter

import pytest


def test_each_test_has_a_name_of_its_own(request: pytest.FixtureRequest) -> None:
    """pytest-xdist tells tests apart by their names, and silently runs one of several that have the same."""
    names = Counter(item.nodeid for item in request.session.items if item.get_closest_marker("alone") is None)
    assert not [name for name, number in names.items() if number > 1]
