"""Places at a provider: a fixed number, no waiting where nobody moves, all given back."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from app.errors import ProviderFailed
from app.signin.places import Places


@pytest.mark.alone
def test_who_finds_all_places_taken_is_refused_after_a_moment_and_the_next_at_once() -> None:
    places = Places(2, 0.2)
    with ExitStack() as held:
        held.enter_context(places.one())
        held.enter_context(places.one())
        waits = []
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(ProviderFailed) as refused, places.one():
                pass
            waits.append(time.monotonic() - began)
        assert refused.value.code == "provider.failed"
        assert waits[0] >= 0.2
        assert max(waits[1:]) < 0.1
    with places.one(), places.one():
        pass


def test_a_place_is_given_back_whatever_happens_in_it() -> None:
    places = Places(1, 0.01)
    for _ in range(3):
        with pytest.raises(ValueError, match="in it"), places.one():
            raise ValueError("in it")
    with places.one():
        pass


def test_a_crowd_gets_in_one_after_the_other_while_places_are_given_back() -> None:
    places, inside, most = Places(3, 0.2), [], []
    lock = threading.Lock()

    def visit(number: int) -> int:
        with places.one():
            with lock:
                inside.append(number)
                most.append(len(inside))
            time.sleep(0.02)
            with lock:
                inside.remove(number)
        return number

    with ThreadPoolExecutor(30) as pool:  # 30 people in 3 places: longer than anybody's patience
        assert sorted(pool.map(visit, range(30))) == list(range(30))
    assert max(most) == 3
