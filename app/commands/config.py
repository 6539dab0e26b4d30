"""`python -m app config`: check the configuration, print its JSON Schemas."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from app.configuration import ConfigurationUnreadable, Loaded, load, read_folder
from app.configuration.schema import KINDS, text
from app.model import Revision


def parser() -> argparse.ArgumentParser:
    """The command's own words."""
    made = argparse.ArgumentParser(
        prog="python -m app config",
        description="Check the configuration folder, or print the JSON Schemas of its files.",
        epilog="The folder is named by DAYPASS_CONFIG (default config/). Exit status: 0 right, 1 something is "
        "wrong with the configuration, 2 wrong usage or no such folder.",
    )
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    check = commands.add_parser(
        "check",
        help="say everything that is wrong, or what is there",
        description="Check every file and how they fit together. All problems are printed at once, each as "
        "FILE:LINE:COLUMN  KEY  what was expected. Nothing is changed and nothing is called.",
        epilog="Exit status: 0 right (there may be warnings), 1 there are errors, 2 wrong usage or no such folder.",
    )
    check.add_argument("--json", action="store_true", help="print one JSON object")
    check.add_argument(
        "--without-secrets",
        action="store_true",
        help="take references ({env: NAME}, {file: PATH}) that lead nowhere for warnings, as on a build machine",
    )
    schema = commands.add_parser(
        "schema",
        help="print the JSON Schemas for editors",
        description="Print the JSON Schema of one kind of file, or of all as one object.",
    )
    schema.add_argument("kind", nargs="?", choices=tuple(KINDS), metavar="KIND", help=", ".join(KINDS))
    schema.add_argument("--write", type=Path, metavar="DIR", help="write DIR/KIND.json instead of printing")
    return made


def main(argv: Sequence[str]) -> int:
    """Run `config check` or `config schema`. Returns 0 right, 1 errors were found, 2 wrong usage or no folder."""
    try:
        asked = parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else 2
    if asked.command == "schema":
        return _schema([asked.kind] if asked.kind else list(KINDS), asked.write, one=bool(asked.kind))
    folder = Path(os.environ.get("DAYPASS_CONFIG") or "config")
    return _check(folder, os.environ, as_json=asked.json, secrets=not asked.without_secrets)


def _check(folder: Path, environ: Mapping[str, str], *, as_json: bool, secrets: bool) -> int:
    try:
        files = read_folder(folder)
    except ConfigurationUnreadable as unreadable:
        print(unreadable, file=sys.stderr)
        return 2
    loaded = load(files, environ, folder, secrets=secrets)
    print(json.dumps(_object(folder, loaded), indent=2) if as_json else _lines(folder, loaded))
    return 0 if loaded.revision is not None else 1


def _lines(folder: Path, loaded: Loaded) -> str:
    lines = [str(problem) for problem in loaded.problems]
    errors = sum(problem.level == "error" for problem in loaded.problems)
    warnings = len(loaded.problems) - errors
    found = [_count(errors, "error")] if errors else []
    found += [_count(warnings, "warning")] if warnings else []
    if loaded.revision is None:
        return "\n".join([*lines, f"{', '.join(found)}. Nothing was changed."])
    there = ", ".join(_count(number, noun) for noun, number in _counts(loaded.revision).items())
    right = f"The configuration in {folder} is right: {there}."
    return "\n".join([*lines, f"{right} {', '.join(found)}." if found else right])


def _object(folder: Path, loaded: Loaded) -> Mapping[str, object]:
    revision = loaded.revision
    return {
        "ok": revision is not None,
        "folder": str(folder),
        "digest": revision.digest if revision else None,
        "counts": {_plural(noun): number for noun, number in _counts(revision).items()} if revision else None,
        "problems": [asdict(problem) for problem in loaded.problems],
    }


def _counts(revision: Revision) -> Mapping[str, int]:
    return {
        "provider": len(revision.providers),
        "account": len({role.account for role in revision.roles.values()}),
        "role": len(revision.roles),
        "group": len(revision.groups),
        "policy": len(revision.policies),
        "guardrail": sum(len(documents) for _, documents in revision.guardrails),
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun if number == 1 else _plural(noun)}"


def _plural(noun: str) -> str:
    return "policies" if noun == "policy" else f"{noun}s"


def _schema(kinds: Sequence[str], folder: Path | None, *, one: bool) -> int:
    if folder is None:
        schemas = {kind: json.loads(text(kind)) for kind in kinds}
        print(text(kinds[0]) if one else json.dumps(schemas, indent=2, ensure_ascii=False) + "\n", end="")
        return 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kind in kinds:
            (folder / f"{kind}.json").write_text(text(kind), encoding="utf-8")
            print(folder / f"{kind}.json")
    except OSError as error:
        print(f"`{folder}` cannot be written: {error.strerror}.", file=sys.stderr)
        return 2
    return 0
