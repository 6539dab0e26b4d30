"""What is noted of a refusal, and that it goes on."""

import pytest

from app.broker.refusals import OnRefusal
from app.errors import GrantInvalid, Refusal, TooMany


def test_a_refusal_is_noted_and_goes_on_and_nothing_else_is_noted() -> None:
    noted: list[Refusal] = []
    with OnRefusal(noted.append):
        pass
    with pytest.raises(KeyError), OnRefusal(noted.append):
        raise KeyError
    assert noted == []
    refused = GrantInvalid("no")
    with pytest.raises(GrantInvalid) as caught, OnRefusal(noted.append), OnRefusal(noted.append):
        raise refused
    assert caught.value is refused
    assert noted == [refused, refused]


def test_what_noting_refuses_takes_the_refusals_place() -> None:
    def full(_refusal: Refusal) -> None:
        raise TooMany("full")

    with pytest.raises(TooMany), OnRefusal(full):
        raise GrantInvalid("no")
