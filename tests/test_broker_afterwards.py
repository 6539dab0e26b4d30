"""What is done after the answer: bounded, once a key, whatever one of them does."""

from __future__ import annotations

import logging

import pytest

from app.broker.afterwards import MOST, Afterwards
from app.errors import StoreUnavailable


def test_what_waits_is_done_once_and_one_defect_does_not_end_the_others() -> None:
    done: list[str] = []

    def down() -> None:
        raise StoreUnavailable("down")

    def defect() -> None:
        raise ZeroDivisionError

    later = Afterwards()
    later.put("a 1", down)
    later.put("b 1", defect)
    later.put("c 1", lambda: done.append("first"))
    later.put("c 1", lambda: done.append("second"))
    assert done == []
    assert (later.run(), later.run()) == (3, 0)
    assert done == ["first"]
    later.put("c 1", lambda: done.append("third"))
    assert later.run() == 1
    assert done == ["first", "third"]


def test_strangers_fill_neither_memory_nor_the_log(caplog: pytest.LogCaptureFixture) -> None:
    later = Afterwards()
    with caplog.at_level(logging.WARNING):
        for number in range(3 * MOST):
            later.put(f"link {number}", lambda: None)
    assert len(caplog.records) == 1
    assert "link 2" not in caplog.text
    assert later.run() == MOST
    later.put("link 0", lambda: None)
    assert later.run() == 1
