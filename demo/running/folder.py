"""The state folder of one demo: who runs in it, the copy of the configuration, the demo's secrets."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from demo.running.relocate import MAIN_FILE

MARK: Final = ".daypass-demo"
"""A file in the folder: it is the demo's, and locked while a demo runs in it."""
ALWAYS: Final = ("PARTNER_CLIENT_SECRET", "SANDBOX_EXTERNAL_ID", "SOCIAL_CLIENT_SECRET")


class CannotRun(Exception):
    """The demo cannot start; the text says what is the matter and what to do."""


@contextmanager
def held(state: Path) -> Iterator[None]:
    """Hold the state folder (made if it is not there) for one demo. Raises CannotRun, OSError."""
    state.mkdir(parents=True, exist_ok=True)
    mark = state / MARK
    if (state / "config").exists() and not mark.exists():
        raise CannotRun(
            f"{state} has a config/ that is not the demo's, and it would be replaced. Choose another VAR=."
        )
    with mark.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotRun(
                f"Another demo runs with its state in {state}. Stop it, or choose VAR= and PORT= for this one."
            ) from error
        yield


def read_config(source: Path) -> dict[str, str]:
    """The YAML files of a configuration folder: path in it, text. Raises CannotRun."""
    if not (source / MAIN_FILE).is_file():
        raise CannotRun(f"{source} is not a configuration: it has no {MAIN_FILE}. Look at DAYPASS_CONFIG.")
    try:
        return {
            path.relative_to(source).as_posix(): path.read_text("utf-8")
            for path in sorted(source.rglob("*.yaml"))
        }
    except UnicodeDecodeError as error:
        raise CannotRun(f"A file in {source} is not UTF-8 text: {error}") from error


def copy_config(source: Path, target: Path, moved: Mapping[str, str]) -> None:
    """Put a fresh copy of `source` at `target`, with the `moved` texts in it. Raises CannotRun."""
    if target == source or source in target.parents or target in source.parents:
        raise CannotRun(
            f"{source} and the copy at {target} lie in one another. Choose another VAR= or DAYPASS_CONFIG."
        )
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    for name, text in moved.items():
        (target / name).write_text(text, "utf-8")


def demo_secrets(path: Path, names: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """A value for each name: the environment's, else the one kept in the file, else a new one that is kept.

    The file is JSON, 0600. Raises CannotRun if it holds something else.
    """
    try:
        kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
        if not isinstance(kept, dict) or not all(isinstance(value, str) for value in kept.values()):
            raise ValueError("not names and texts")
    except ValueError as error:
        raise CannotRun(f"{path} is damaged ({error}). Delete it and start again.") from error
    wanted = sorted({*ALWAYS, *names})
    fresh = {name: secrets.token_hex(20) for name in wanted if name not in kept}
    if fresh:
        kept |= fresh
        write_private(path, json.dumps(kept, indent=2) + "\n")
    return {name: environment.get(name) or kept[name] for name in wanted}


def write_private(path: Path, text: str) -> None:
    """Replace a file as a whole, readable by its owner only."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(
        os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    fresh.replace(path)
