"""Recovery codes: their form, and how they are read back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import CodeWrong
from app.mfa import recovery


def test_ten_different_codes_of_80_bits_without_look_alikes():
    codes = recovery.make()
    assert len(set(codes)) == 10
    for code in codes:
        assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", code)
    assert not set(codes) & set(recovery.make())


def test_every_letter_comes_up():
    seen = {letter for _ in range(60) for code in recovery.make() for letter in code}
    assert seen == set("0123456789ABCDEFGHJKMNPQRSTVWXYZ-")


@given(st.sampled_from(recovery.make()), st.data())
def test_a_code_is_read_however_it_is_typed(code, data):
    """Lower case, without hyphens, with other ones or with spaces, and with O for 0 and I or l for 1."""
    typed = ""
    for letter in code:
        if letter == "-":
            typed += data.draw(st.sampled_from(["-", "", " ", "\u2013", " - ", "\u00a0"]))
        else:
            looks = {"0": "0Oo", "1": "1IiLl"}.get(letter, letter + letter.lower())
            typed += data.draw(st.sampled_from(looks))
    assert recovery.normalise(f" {typed}\n") == code.replace("-", "")


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "7KQF-0M2X",
        "7KQF-0M2X-7KQF-0M2",
        "7KQF-0M2X-7KQF-0M2XA",
        "7KQF_0M2X_7KQF_0M2X",
        "7KQF-0M2X-7KQF-0M2U",
        "x" * 9999,
    ],
)
def test_what_can_be_none_is_refused(typed):
    with pytest.raises(CodeWrong):
        recovery.normalise(typed)


@given(st.text())
def test_any_text_is_a_code_or_refused(text):
    try:
        code = recovery.normalise(text)
    except CodeWrong:
        return
    assert recovery.normalise(code) == code
