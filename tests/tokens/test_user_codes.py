"""User codes: easy to type, hard to guess."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tokens import user_codes
from app.tokens.user_codes import ALPHABET, make, normalise

LETTERS = st.text(ALPHABET, min_size=8, max_size=8)


def test_a_code_is_two_groups_of_four_consonants():
    made = [make() for _ in range(500)]
    for code in made:
        first, dash, second = code[:4], code[4:5], code[5:]
        assert (len(first), dash, len(second)) == (4, "-", 4)
        assert set(first + second) <= set(ALPHABET)
    assert set("".join(made)) == {*ALPHABET, "-"}  # every letter comes up
    assert len(set(made)) == 500


def test_the_alphabet_is_what_the_rfc_recommends():
    assert ALPHABET == "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628, 6.1
    assert len(set(ALPHABET)) == 20


def test_a_code_comes_from_the_systems_randomness(monkeypatch):
    drawn = iter("BCDFGHJK")
    monkeypatch.setattr(user_codes.secrets, "choice", lambda letters: next(drawn))
    assert make() == "BCDF-GHJK"


@settings(deadline=None)
@given(LETTERS, st.data())
def test_a_code_is_read_however_it_is_typed(letters, data):
    typed = ""
    for letter in letters:
        typed += data.draw(st.sampled_from(["", " ", "-", " - ", "\t"]))
        typed += data.draw(st.sampled_from([letter, letter.lower()]))
    assert normalise(typed) == f"{letters[:4]}-{letters[4:]}"


@settings(deadline=None)
@given(LETTERS)
def test_what_was_made_reads_as_itself(letters):
    code = f"{letters[:4]}-{letters[4:]}"
    assert normalise(code) == code


@settings(deadline=None)
@given(st.text() | st.text(ALPHABET + ALPHABET.lower() + "- ", max_size=12))
def test_what_is_read_is_a_code_or_nothing(typed):
    code = normalise(typed)
    if code is not None:
        assert len(code) == 9
        assert code[4] == "-"
        assert set(code) <= {*ALPHABET, "-"}
        assert normalise(code) == code
        assert [c for c in typed.upper() if c in ALPHABET] == [c for c in code if c != "-"]


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "BCDF-GHJ",
        "BCDF-GHJKL",
        "BCDF-GHJA",  # a vowel
        "BCDF-GHJ1",
        "BCDF_GHJK",
        "ſCDF-GHJK".replace("ſ", "\u017f"),  # upper() makes an S of it
        "BCDF-GHJ\u212a",  # the kelvin sign, whose lower() is a k
        "BCDF-GHJ\uff2b",  # full width
        "BCDF-GHJ\x00",
        "BCDFGHJK" + " " * 100,
    ],
)
def test_what_is_no_code_is_nothing(typed):
    assert normalise(typed) is None
