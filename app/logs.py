"""The operator's log on standard error: constant words plus fields, as text or as JSON (`DAYPASS_LOG`).

What strangers send can stand in a field; no control character, escape sequence or bidirectional override
of theirs reaches a terminal or starts a line of its own.
"""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_LONGEST = 500
_as_json = json.JSONEncoder(ensure_ascii=False).encode
_ODD = re.compile('[ "=]')
_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {
    "message",
    "asctime",
    "taskName",
}


def clean(value: object) -> str:
    """A field as one harmless line of at most 500 characters."""
    text = str(value)
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "…"
    if text.isascii() and text.isprintable():
        return text
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
        words = [_time(record), record.levelname, record.name, clean(record.getMessage())]
        words += [f"{key}={_quoted(clean(value))}" for key, value in fields(record).items()]
        line = " ".join(words)
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
            entry[key] = value if isinstance(value, int | float | bool | None) else clean(value)
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return _as_json(entry)


def spare() -> None:
    """Let a line cost less: no line of ours says which file, thread or process it is from.

    For a process that only serves (Python's Logging HOWTO, "Optimization").
    """
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # type: ignore[attr-defined, unused-ignore]


def settings(style: str) -> dict[str, Any]:
    """`logging.config` settings for `DAYPASS_LOG`: `text` (default) or `json`."""
    formatter = "app.logs.JsonFormatter" if style == "json" else "app.logs.TextFormatter"
    # Libraries may put what they were sent into their debug lines (Authlib logs tokens, CVE-2025-65015).
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"daypass": {"()": formatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "daypass"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "daypass": {"level": "INFO"},
            "_granian": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
            "granian.access": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
        },
    }


def _time(record: logging.LogRecord) -> str:
    return (
        datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if not text or _ODD.search(text) else text
