"""`python -m app db`: bring the database's tables up to date, or check that all is well with them."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence

from app.commands.databases import ENVIRONMENT, NoDatabase, database_url, sorry
from app.errors import StoreUnavailable
from app.store import open_database


def parser() -> argparse.ArgumentParser:
    """The command's own words."""
    made = argparse.ArgumentParser(
        prog="python -m app db",
        description="Bring the database's tables up to date, or check them.",
        epilog=f"{ENVIRONMENT} Exit status: 0 right, 1 something is wrong with the database, 2 wrong usage or no "
        "database named.",
    )
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    upgrade = commands.add_parser(
        "upgrade",
        help="make or upgrade the tables",
        description="Make the database if there is none, and bring its tables to what this version needs. The "
        "broker does the same at start; several may try at once, one does it.",
    )
    check = commands.add_parser(
        "check",
        help="check schema and data",
        description="Check that the tables are those of this version and that the data is whole. Changes nothing. "
        "Whether the audit trail is whole is for `python -m app audit verify`.",
    )
    for command in (upgrade, check):
        command.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def main(argv: Sequence[str]) -> int:
    """Run `db upgrade` or `db check`. Returns 0 right, 1 something is wrong, 2 wrong usage or no database named."""
    try:
        asked = parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else 2
    try:
        url = database_url(os.environ)
    except NoDatabase as problem:
        return sorry(problem)
    if asked.command == "upgrade":
        return _upgrade(url, as_json=asked.json)
    return _check(url, as_json=asked.json)


def _upgrade(url: str, *, as_json: bool) -> int:
    try:
        database = open_database(url)
        schema = database.schema()
        database.close()
    except StoreUnavailable as problem:
        return sorry(problem)
    print(
        json.dumps({"ok": True, "schema": schema})
        if as_json
        else f"The tables are up to date (schema {schema})."
    )
    return 0


def _check(url: str, *, as_json: bool) -> int:
    schema, problems = None, []
    try:
        database = open_database(url, migrate=False)
        schema, problems = database.schema(), list(database.damage())
        database.close()
    except StoreUnavailable as problem:
        problems.append(problem.detail)
    if as_json:
        print(json.dumps({"ok": not problems, "schema": schema, "problems": problems}, indent=2))
    elif problems:
        print("\n".join(problems))
    else:
        print(f"The database is right (schema {schema}).")
    return 1 if problems else 0
