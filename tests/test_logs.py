"""The operator's log: one line a record, whatever strangers send."""

import json
import logging

from hypothesis import given
from hypothesis import strategies as st

from app.logs import JsonFormatter, TextFormatter


def record(message="answered", **extra):
    made = logging.LogRecord("daypass.web", logging.INFO, "", 0, message, None, None)
    vars(made).update(extra)
    return made


@given(st.text())
def test_no_field_breaks_the_line_or_reaches_the_terminal_as_a_control(text):
    line = TextFormatter().format(record(path=text))
    assert (
        "\n" not in line
        and "\r" not in line
        and "\x1b" not in line
        and "\u202e" not in line
        and "\u2028" not in line
    )


@given(st.text(), st.integers())
def test_json_lines_are_json_and_one_line(text, number):
    line = JsonFormatter().format(record(path=text, status=number))
    assert "\n" not in line
    assert json.loads(line)["status"] == number


def test_text_lines_read_well():
    line = TextFormatter().format(record(path="/v1/me", why="no cookie"))
    assert line.endswith('INFO daypass.web answered path=/v1/me why="no cookie"')
