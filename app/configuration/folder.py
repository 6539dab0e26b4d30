"""The configuration folder → its files' texts."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from app.configuration.document import LARGEST

_DEEPEST: Final = 5
"""Levels of folders that are looked through; the deepest file that means something is in the third."""
_MOST: Final = 20_000
"""Files in one configuration."""
TESTS: Final = ".test.jsonl"
"""How the name of a file of policy tests ends."""


class ConfigurationUnreadable(Exception):
    """The folder cannot be read; its text says what happened and what to do."""


def read_folder(path: Path) -> Mapping[str, str]:
    """Every file of the folder, by its path in it (`providers/corp.yaml`) with its text.

    Left out are dot-files, README.md and `*.test.jsonl`. Links are followed (mounted secrets and config maps
    are made of them). A file is read up to just over 1 MB and bytes that are no UTF-8 become surrogates, so
    that `load` can say which file is wrong, together with everything else that is.

    Raises:
        ConfigurationUnreadable: no such folder, or no right to read it.
    """
    if not path.is_dir():
        raise ConfigurationUnreadable(
            f"There is no configuration folder `{path}`. Name one with DAYPASS_CONFIG, or copy the shipped `config/`."
        )
    return _read(path, tests=False)


def read_tests(path: Path) -> Mapping[str, str]:
    """Every `*.test.jsonl` of the folder, as `read_folder` reads the others: checked, and part of no revision.

    Raises:
        ConfigurationUnreadable: no right to read it.
    """
    return _read(path, tests=True)


def _read(path: Path, *, tests: bool) -> Mapping[str, str]:
    files: dict[str, str] = {}
    try:
        for file in _files(path, 1):
            if file.name.endswith(TESTS) is not tests:
                continue
            if len(files) >= _MOST:
                raise ConfigurationUnreadable(
                    f"`{path}` holds more than {_MOST} files. Is it the right folder?"
                )
            files[file.relative_to(path).as_posix()] = _text(file)
    except OSError as error:
        where = error.filename or path
        raise ConfigurationUnreadable(
            f"`{where}` cannot be read: {error.strerror}. Give the broker's user the right to read it."
        ) from error
    return files


def digest(files: Mapping[str, str]) -> str:
    """SHA-256 (hex) over paths and bytes, in the order of the paths; each with its length before it."""
    total = hashlib.sha256()
    for path, text in sorted(files.items()):
        for part in (path.encode(), text.encode()):
            total.update(len(part).to_bytes(8, "big"))
            total.update(part)
    return total.hexdigest()


def _files(folder: Path, depth: int) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if depth < _DEEPEST:
                yield from _files(entry, depth + 1)
        elif entry.name.lower() != "readme.md":
            yield entry


def _text(file: Path) -> str:
    # Not blocking: a pipe put here would hold the start for ever.
    handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return ""
        with os.fdopen(handle, "rb", closefd=False) as opened:
            return opened.read(LARGEST + 1).decode("utf-8", "surrogateescape")
    finally:
        os.close(handle)
