"""`python -m app config check`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from app.commands.config.words import count, plural
from app.configuration import ConfigurationUnreadable, Loaded, check_folder
from app.model import Revision


def check(asked: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Say everything that is wrong. Returns 0 right, 1 there are errors, 2 no such folder."""
    folder = Path(environ.get("DAYPASS_CONFIG") or "config")
    try:
        loaded = check_folder(folder, environ, secrets=not asked.without_secrets)
    except ConfigurationUnreadable as unreadable:
        print(unreadable, file=sys.stderr)
        return 2
    print(json.dumps(_object(folder, loaded), indent=2) if asked.json else _lines(folder, loaded))
    return 0 if loaded.revision is not None else 1


def _lines(folder: Path, loaded: Loaded) -> str:
    lines = [str(problem) for problem in loaded.problems]
    errors = sum(problem.level == "error" for problem in loaded.problems)
    warnings = len(loaded.problems) - errors
    found = [count(errors, "error")] if errors else []
    found += [count(warnings, "warning")] if warnings else []
    if loaded.revision is None:
        return "\n".join([*lines, f"{', '.join(found)}. Nothing was changed."])
    there = ", ".join(count(number, noun) for noun, number in _counts(loaded.revision).items())
    right = f"The configuration in {folder} is right: {there}."
    return "\n".join([*lines, f"{right} {', '.join(found)}." if found else right])


def _object(folder: Path, loaded: Loaded) -> Mapping[str, object]:
    revision = loaded.revision
    return {
        "ok": revision is not None,
        "folder": str(folder),
        "digest": revision.digest if revision else None,
        "counts": {plural(noun): number for noun, number in _counts(revision).items()} if revision else None,
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
        "client": len(revision.clients),
    }
