"""An alert as text: one line where a line is wanted, whatever somebody wrote into it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.notify import words
from tests.store.builders import ODD, alert

TEXT = st.text(st.characters(), max_size=200)


def test_the_body_says_what_when_and_the_facts_one_a_line():
    assert words.body(alert()).splitlines() == [
        "Somebody signed in as root.",
        "",
        "reason: the directory is down",
        "at: 2026-11-24T09:00:00+00:00",
    ]


@given(TEXT | st.just(ODD) | st.just("a\r\nBcc: all@acme.test"))
def test_no_title_and_no_fact_begins_a_line_of_its_own(text):
    odd = alert(title=text, facts={text: text})
    assert len(words.title(odd).splitlines()) <= 1
    assert len(words.body(odd).splitlines()) == 4
    for made in (words.title(odd), words.body(odd)):
        made.encode("utf-8")
        assert all(char.isprintable() or char in "\n\u00a0" or char.isspace() for char in made)


def test_nothing_is_endless():
    long = alert(title="t" * 10_000, text="x" * 100_000, facts={"n" * 5_000: "v" * 100_000})
    assert len(words.title(long)) == 150 and len(words.title(long, 99)) == 99
    assert len(words.body(long)) < 12_000
