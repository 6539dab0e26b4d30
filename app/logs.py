"""The operator's log on standard error: constant words plus fields, as text or as JSON (`DAYPASS_LOG`).

What strangers send can stand in a field; no control character, escape sequence or bidirectional override
of theirs reaches a terminal or starts a line of its own.
"""

from __future__ import annotations

import logging
import re
import time
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from app.jsontext import writer

_LONGEST = 500
_as_json = writer(ensure_ascii=False)
_ODD = re.compile('[ "=]')
_is_plain = re.compile("[ -~]{0,500}").fullmatch
"""Whether a text is harmless as it stands, found in one step: most fields are like that."""
_is_word = re.compile("[!#-<>-~]{1,500}").fullmatch
"""The same, and needs no quotes."""
_JSON = (int, float, type(None))
_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {
    "message",
    "asctime",
    "taskName",
}


def clean(value: object) -> str:
    """A field as one harmless line of at most 500 characters."""
    text = str(value)
    if _is_plain(text):
        return text
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "…"
    return "".join(
        char if unicodedata.category(char)[0] != "C" and char not in "\u2028\u2029" else f"\\u{ord(char):04x}"
        for char in text
    )


def fields(record: logging.LogRecord) -> Mapping[str, object]:
    """What `extra` brought."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


class TextFormatter(logging.Formatter):
    """`2026-11-24T12:00:00Z INFO daypass.web answered path=/ status=200`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback follows it where there is one."""
        line = f"{_time(record)} {record.levelname} {record.name} {clean(record.getMessage())}"
        for key, value in fields(record).items():
            word = value if type(value) is str and _is_word(value) else _quoted(clean(value))
            line += f" {key}={word}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, traceback inside."""
        entry: dict[str, object] = {
            "at": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": clean(record.getMessage()),
        }
        for key, value in fields(record).items():
            plain = (type(value) is str and _is_plain(value)) or isinstance(value, _JSON)
            entry[key] = value if plain else clean(value)
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return _as_json(entry)


class Lines(logging.StreamHandler[TextIO]):
    """A line at a time onto a stream, in few steps: who handles a record holds the lock, and takes it once."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write it down. A stream that fails fails nobody."""
        try:
            self.stream.write(self.format(record) + self.terminator)
            self.stream.flush()
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001
            self.handleError(record)


class Brief(logging.LogRecord):
    """A record made in few steps: it does not know which file, thread or process it is from, which no line of ours says."""

    pathname = filename = module = "-"
    lineno = 0
    thread = process = exc_text = None
    funcName = "-"  # noqa: N815 - the library's names
    threadName = processName = taskName = None  # noqa: N815

    def __init__(
        self,
        name: str,
        level: int,
        pathname: str,
        lineno: int,
        msg: object,
        args: Any,
        exc_info: Any,
        func: str | None = None,
        sinfo: str | None = None,
    ) -> None:
        if args:  # a library's; lines of ours have fields
            super().__init__(name, level, pathname, lineno, msg, args, exc_info, func, sinfo)
            return
        self.name = name
        self.levelno = level
        self.levelname = logging.getLevelName(level)
        self.msg = str(msg)
        self.args = ()
        self.exc_info = exc_info
        self.stack_info = sinfo
        self.created = time.time()


def spare() -> None:
    """Let a line cost less: no line of ours says which file, thread or process it is from.

    For a process that only serves (Python's Logging HOWTO, "Optimization").
    """
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # type: ignore[attr-defined, unused-ignore]
    logging.setLogRecordFactory(Brief)


def settings(style: str) -> dict[str, Any]:
    """`logging.config` settings for `DAYPASS_LOG`: `text` (default) or `json`."""
    formatter = "app.logs.JsonFormatter" if style == "json" else "app.logs.TextFormatter"
    # Libraries may put what they were sent into their debug lines (Authlib logs tokens, CVE-2025-65015).
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"daypass": {"()": formatter}},
        "handlers": {"stderr": {"class": "app.logs.Lines", "formatter": "daypass"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "daypass": {"level": "INFO"},
            "uvicorn.error": {"level": "ERROR"},  # strangers can send what it warns of as often as they like
        },
    }


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _quoted(text: str) -> str:
    return _as_json(text) if not text or _ODD.search(text) else text
