"""The operator's log: one line a record, whatever strangers send."""

import io
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.logs import JsonFormatter, Lines, TextFormatter, clean, settings, spare


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


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=600))
def test_a_field_is_written_as_cleaned_whichever_way_it_takes(text):
    assert json.loads(JsonFormatter().format(record(path=text)))["path"] == clean(text)
    written = TextFormatter().format(record(path=text)).partition(" path=")[2]
    assert (json.loads(written) if written.startswith('"') else written) == clean(text)


@pytest.mark.parametrize(
    ("value", "word", "as_json"),
    [
        ("a" * 500, "a" * 500, f'"{"a" * 500}"'),
        ("a" * 501, "a" * 500 + "…", f'"{"a" * 500}…"'),
        ("", '""', '""'),
        ("a=b", '"a=b"', '"a=b"'),
        ("a\n", "a\\u000a", '"a\\\\u000a"'),
        ("Ålund", "Ålund", '"Ålund"'),
        (200, "200", "200"),
        (1.5, "1.5", "1.5"),
        (True, "True", "true"),
        (None, "None", "null"),
        (["a b"], "\"['a b']\"", "\"['a b']\""),
    ],
)
def test_values_are_written_like_this(value, word, as_json):
    assert TextFormatter().format(record(field=value)).endswith(f" answered field={word}")
    assert JsonFormatter().format(record(field=value)).endswith(f'"answered", "field": {as_json}}}')


def test_a_field_may_stand_in_the_place_of_the_lines_own_time():
    line = json.loads(JsonFormatter().format(record(at="2026-11-24T12:00:00+00:00")))
    assert list(line) == ["at", "level", "logger", "message"]
    assert line["at"] == "2026-11-24T12:00:00+00:00"


def test_the_time_of_a_line_is_in_utc_and_in_milliseconds():
    made = record()
    made.created = 1763985600.123456
    assert TextFormatter().format(made) == "2025-11-24T12:00:00.123Z INFO daypass.web answered"


@pytest.fixture
def spared():
    names = ("logThreads", "logProcesses", "logMultiprocessing", "_srcfile")
    before, factory = {name: getattr(logging, name) for name in names}, logging.getLogRecordFactory()
    spare()
    yield
    for name, value in before.items():
        setattr(logging, name, value)
    logging.setLogRecordFactory(factory)


class Kept(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        record.created = 1763985600.123456
        self.lines += [TextFormatter().format(record), JsonFormatter().format(record)]


def said():
    kept = Kept()
    logger = logging.Logger("daypass.web", logging.INFO)
    logger.addHandler(kept)
    logger.info("answered", extra={"path": "/", "status": 200})
    logger.warning("%s of %s", 1, 2)
    logger.warning("%(a)s %%", {"a": 1})
    logger.error("100 %", stack_info=True)
    logger.error(KeyError("a b"))
    try:
        raise ValueError("odd")
    except ValueError:
        logger.exception("failed", extra={"why": "x y"})
    return kept.lines


def test_a_process_that_spares_says_the_same(request):
    before = said()
    request.getfixturevalue("spared")
    assert said() == before
    assert before[0] == "2025-11-24T12:00:00.123Z INFO daypass.web answered path=/ status=200"
    assert "ValueError: odd" in before[-1]
    assert len(before) == 12


def test_a_record_of_a_process_that_spares_has_what_others_have(spared):
    record = logging.Logger("x").makeRecord("x", logging.INFO, "", 0, "m", (), None)
    own = {"msecs", "relativeCreated"}  # no format of ours
    missing = {
        name for name in vars(logging.LogRecord("", 0, "", 0, "", None, None)) if not hasattr(record, name)
    }
    assert missing == own


@pytest.mark.parametrize("kind", [logging.StreamHandler, Lines])
def test_a_stream_that_fails_fails_nobody(spared, capsys, kind):
    stream = io.StringIO()
    stream.close()
    logger = logging.Logger("daypass.web")
    handler = kind(stream)
    handler.setFormatter(TextFormatter())
    logger.addHandler(handler)
    logger.info("answered", extra={"path": "/"})
    assert "--- Logging error ---" in capsys.readouterr().err


class Unflushed(io.StringIO):
    arrived = ""

    def flush(self):
        self.arrived = self.getvalue()


def test_each_line_arrives_at_once():
    stream = Unflushed()
    logger = logging.Logger("daypass.web")
    logger.addHandler(Lines(stream))
    for word in ("one", "two"):
        logger.info(word)
        assert stream.arrived.endswith(f"{word}\n")
    assert stream.arrived == "one\ntwo\n"


@pytest.mark.parametrize("style", ["text", "json"])
def test_the_operators_log_is_written_so(style):
    assert settings(style)["handlers"]["stderr"]["class"] == f"{Lines.__module__}.{Lines.__name__}"
