"""YAML that is taken, and YAML that is refused: with a place, never with an exception or a hang."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.configuration.document import LARGEST, parse
from app.configuration.places import Fields, Place, plain
from app.configuration.problems import Problems


def read(text: str) -> tuple[Place | None, list[str]]:
    problems = Problems()
    place = parse("f.yaml", text, problems)
    return place, [str(problem) for problem in problems.sorted()]


REFUSED = {
    "a tag that would run code": (
        "a: !!python/object/apply:os.system [id]",
        "f.yaml:1:4  tags (`!name`) are not taken",
    ),
    "a tag of YAML's own": ("a: !!str 12", "f.yaml:1:4  tags (`!name`) are not taken"),
    "the tag that means nothing": ("a: ! 12", "f.yaml:1:4  tags (`!name`) are not taken"),
    "an anchor": ("a: &x 1", "f.yaml:1:4  anchors (`&name`) are not taken"),
    "an anchor at a key": ("&x a: 1", "f.yaml:1:1  anchors (`&name`) are not taken"),
    "an alias": ("a: *x", "f.yaml:1:4  aliases (`*name`) are not taken"),
    "an alias as a key, which is `*` without quotes": ("*: keep", "f.yaml:1:"),
    "a bomb of aliases": (
        "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: [*c, *c, *c]",
        "f.yaml:1:4  anchors (`&name`) are not taken",
    ),
    "a list that holds itself": ("a: &a [*a]", "f.yaml:1:4  anchors (`&name`) are not taken"),
    "a merge key": ("a: 1\n<<: {b: 2}", "f.yaml:2:1  <<  merge keys are not taken"),
    "a key twice": ("a: 1\nb: 2\na: 3", "f.yaml:3:1  a  a second time; the first is on line 1"),
    "a key twice, once in quotes": ('a: 1\n"a": 3', "f.yaml:2:1  a  a second time; the first is on line 1"),
    "a key twice, deep inside": ("a: {b: {c: 1, c: 2}}", "f.yaml:1:15  c  a second time"),
    "a second document": ("a: 1\n---\nb: 2", "f.yaml:2:1  a second document (`---`)"),
    "a directive": ("%YAML 1.1\n---\na: 1", "f.yaml:1:1  directives"),
    "a list": ("- a", "f.yaml:1:1  expected a mapping (`key: value`)"),
    "a text": ("hello", "f.yaml:1:1  expected a mapping (`key: value`)"),
    "a mapping as a key": ("{a: 1}: 2", "f.yaml:1:1  a key must be text"),
    "a list as a key": ("? [a]\n: 2", "f.yaml:1:3  a key must be text"),
    "a tab for a blank": (
        "a:\n\tb: 1",
        "f.yaml:2:1  not YAML: while scanning for the next token, "
        "found character that cannot start any token; indent with spaces",
    ),
    "an open bracket": ("a: [1", "f.yaml:2:1  not YAML: "),
    "a colon in plain text": ("a: b: c", "f.yaml:1:5  not YAML: "),
    "NUL": ("a: \0", "f.yaml  not YAML: "),
    "a lone surrogate": ("a: \ud800", "f.yaml:1:4  not UTF-8"),
    "bytes that are no UTF-8": (
        b"a: 1\nb: caf\xe9".decode("utf-8", "surrogateescape"),
        "f.yaml:2:7  not UTF-8",
    ),
    "more than 1 MB": ("a: '" + "x" * LARGEST + "'", "f.yaml  larger than 1 MB"),
    "more than 1 MB in bytes": ("a: '" + "é" * (LARGEST // 2) + "'", "f.yaml  larger than 1 MB"),
    "deep nesting": ("a: " + "[" * 500 + "]" * 500, "f.yaml:1:23  nested deeper than 20 levels"),
    "deeper nesting than the parser takes": ("a: " + "[" * 100_000, "f.yaml:1:"),
    "deep nesting of mappings": ("{a: " * 100_000, "f.yaml:1:"),
    "deep nesting by indentation": (
        "\n".join(" " * depth + "a:" for depth in range(1000)),
        "f.yaml:21:21  nested deeper than 20 levels",
    ),
    "a key that is a number": ("1: a", 'f.yaml:1:1  1  YAML does not read this as text; quote it: `"1"`'),
    "a key that is a boolean": ("on: a", 'f.yaml:1:1  on  YAML does not read this as text; quote it: `"on"`'),
    "a key that is nothing": ("~: a", 'f.yaml:1:1  ~  YAML does not read this as text; quote it: `"~"`'),
    "an empty key": ("? \n: a", 'f.yaml:1:2  is empty; write it in quotes: `""`'),
    "a value that is nothing": ("a:\nb: 1", "f.yaml:1:1  a  has no value; give it one, or leave the key out"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_yaml_that_a_settings_file_does_not_need_is_refused(name: str) -> None:
    text, expected = REFUSED[name]
    began = time.monotonic()
    _, lines = read(text)
    assert time.monotonic() - began < 2
    assert [line for line in lines if line.startswith(expected)], lines


SCALARS = {
    "hello": "hello",
    "'on'": "on",
    '"0123"': "0123",
    "2026-11-24": "2026-11-24",
    "15m": "15m",
    "12": 12,
    "-3": -3,
    "0": 0,
    "true": True,
    "false": False,
    "eu-west-1": "eu-west-1",
    "arn:aws:iam::111122223333:role/Hub": "arn:aws:iam::111122223333:role/Hub",
    "|\n  two\n  lines": "two\nlines",
    "": None,
    "null": None,
}


@pytest.mark.parametrize("text", SCALARS)
def test_a_scalar_is_taken_for_what_every_version_of_yaml_takes_it(text: str) -> None:
    place, _ = read(f"a: {text}")
    assert place is not None
    value = plain(place.node)
    assert isinstance(value, dict)
    assert value.get("a") == SCALARS[text]


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "No",
        "on",
        "OFF",
        "True",
        "010",
        "0x1f",
        "0b11",
        "0o17",
        "1_000",
        "12:30",
        "1.5",
        ".inf",
        "1e3",
        "+1",
        "00",
    ],
)
def test_a_scalar_that_versions_of_yaml_read_differently_is_taken_for_nothing(text: str) -> None:
    place, _ = read(f"a: {text}")
    assert place is not None
    value = plain(place.node)
    assert isinstance(value, dict)
    assert not isinstance(value["a"], str | int | float | bool)


def test_every_key_and_value_has_its_place() -> None:
    place, lines = read("a:\n  - x\n  - {b: y,\n     c: z}\n")
    assert place is not None
    assert lines == []
    for path, line, column in (
        (("a",), 2, 3),
        (("a", 0), 2, 5),
        (("a", 1, "b"), 3, 9),
        (("a", 1, "c"), 4, 9),
    ):
        mark = place.of_value(path)
        assert (mark.line, mark.column) == (line, column), path
    assert place.of_key(("a", 1, "c")).column == 6
    assert place.of_value(("a", 7, "c")).line == 2, "the innermost part that exists"


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}", "\ufeff"])
def test_an_empty_file_is_an_empty_mapping(text: str) -> None:
    place, lines = read(text)
    assert place is not None
    assert isinstance(place.node, Fields)
    assert not place.node.entries
    assert lines == []


YAMLISH = st.text(alphabet=st.sampled_from("ab1: -,[]{}&*!|>'\"%#?\n\t\\~<=.@`"), max_size=80)


@given(YAMLISH | st.text(max_size=40))
def test_no_text_is_too_odd_to_be_answered(text: str) -> None:
    place, lines = read(text)
    assert place is not None or lines
    assert all("\n" not in line and line.isprintable() for line in lines), "fit for a terminal"
