"""`python -m app audit`: search the audit trail, verify that nothing in it was changed."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from app.audit import Receipt, StoredRecord, Verified
from app.clock import Clock, SystemClock
from app.commands.databases import ENVIRONMENT, NoDatabase, database_url, sorry
from app.commands.times import moment
from app.errors import StoreUnavailable
from app.model import AuditKind
from app.store import AuditRecords, Search, open_database

_RECEIPT: Final = re.compile(r"([1-9]\d{0,17}):([0-9a-f]{64})")


def parser(now: datetime) -> argparse.ArgumentParser:
    """The command's own words; times like `24h` are counted back from `now`."""
    made = argparse.ArgumentParser(
        prog="python -m app audit",
        description="Search the audit trail, or verify that nothing in it was changed.",
        epilog=f"{ENVIRONMENT} Exit status: 0 right, 1 nothing found or the trail is broken, 2 wrong usage or no "
        "database named.",
    )
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    search = commands.add_parser(
        "search",
        help="who did what",
        description="Print the newest records that fit everything asked for, newest first.",
        epilog="TIME is `2026-11-24`, `2026-11-24T12:00:00Z` (UTC where no zone is given), or how long ago: "
        "`90s`, `15m`, `24h`, `7d`. Exit status 1 if nothing was found.",
    )
    search.add_argument("--person", metavar="NAME", help="username or subject, or SOURCE/ and either")
    search.add_argument("--role", metavar="ARN", help="the role's whole ARN")
    kinds = [kind.value for kind in AuditKind]
    search.add_argument("--kind", choices=kinds, metavar="KIND", help=", ".join(kinds))
    search.add_argument("--request-id", metavar="ID", help="as shown on error pages and in the log")
    search.add_argument(
        "--access-key-id", metavar="ID", help="as CloudTrail names it (ASIA…): who was given it"
    )
    for bound, words in (("--since", "not before"), ("--until", "before")):
        search.add_argument(bound, type=lambda text: moment(text, now), metavar="TIME", help=words)
    search.add_argument(
        "--limit", type=_limit, default=100, metavar="N", help="at most so many, 1 to 100000 (100)"
    )
    search.add_argument(
        "--before", type=int, metavar="N", help="only records with a lower number: the next page"
    )
    search.add_argument("--json", action="store_true", help="print one JSON object a line")
    verify = commands.add_parser(
        "verify",
        help="is the trail whole",
        description="Walk the hash chain: each record's digest covers it and the record before it. A change, a "
        "removal or an insertion shows; a cut at the end shows with --expect.",
    )
    verify.add_argument(
        "--expect",
        type=_receipt,
        metavar="N:DIGEST",
        help="a record that must be in the trail: sequence and digest, as the log on another machine has them",
    )
    verify.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def main(argv: Sequence[str], clock: Clock | None = None) -> int:
    """Run `audit search` or `audit verify`. Returns 0 right, 1 nothing found or broken, 2 wrong usage."""
    try:
        asked = parser((clock or SystemClock()).now()).parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else 2
    try:
        database = open_database(database_url(os.environ), migrate=False)
    except (NoDatabase, StoreUnavailable) as problem:
        return sorry(problem)
    try:
        rows = AuditRecords(database)
        if asked.command == "verify":
            return _verify(rows, asked.expect, as_json=asked.json)
        wanted = Search(
            person=asked.person,
            role=asked.role,
            kind=asked.kind,
            request_id=asked.request_id,
            access_key_id=asked.access_key_id,
            since=asked.since,
            until=asked.until,
            before=asked.before,
            limit=asked.limit,
        )
        return _search(rows, wanted, as_json=asked.json)
    except StoreUnavailable as problem:
        return sorry(problem)
    finally:
        database.close()


# --- search ---------------------------------------------------------------------------------------


def _search(rows: AuditRecords, wanted: Search, *, as_json: bool) -> int:
    found = rows.search(wanted)
    for stored in found:
        print(json.dumps(_object(stored)) if as_json else _lines(stored))
    if len(found) == wanted.limit:
        print(f"There may be more: add `--before {found[-1].sequence}`.", file=sys.stderr)
    elif not found:
        print(
            "No record fits. (--role takes the whole ARN, --person a username or subject.)", file=sys.stderr
        )
    return 0 if found else 1


def _object(stored: StoredRecord) -> dict[str, object]:
    record = stored.record
    return {
        "sequence": stored.sequence,
        "at": _zulu(record.at),
        "kind": record.kind,
        "request_id": record.request_id,
        "address": record.address,
        "source": record.source,
        "subject": record.subject,
        "username": record.username,
        "session": record.session,
        "role": record.role,
        "revision": record.revision,
        "detail": _detail(record.detail),
        "previous": stored.previous,
        "digest": stored.digest,
    }


def _lines(stored: StoredRecord) -> str:
    record = stored.record
    who = f"{record.source}/{record.username or record.subject}" if record.source else "-"
    first = f"{stored.sequence:>8}  {_zulu(record.at)}  {record.kind:<20} {who}"
    if record.role:
        first += f"  {record.role}"
    facts: dict[str, object] = {
        "from": record.address,
        "request": record.request_id,
        "subject": record.subject,
        "session": record.session,
        "revision": record.revision,
        **_detail(record.detail),
    }
    return "\n".join([first, *(f"{'':>10}{name}: {_plain(fact)}" for name, fact in facts.items() if fact)])


def _detail(text: str) -> dict[str, object]:
    try:
        read = json.loads(text)
    except ValueError:
        read = None
    # A trail that somebody wrote to must still be readable.
    return read if isinstance(read, dict) else {"unreadable": text}


def _plain(value: object) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value)


# --- verify ---------------------------------------------------------------------------------------


def _verify(rows: AuditRecords, expected: Receipt | None, *, as_json: bool) -> int:
    verified = rows.verify()
    there = expected is None or rows.digest_at(expected.sequence) == expected.digest
    ok = verified.first_broken is None and there
    print(json.dumps(_result(verified, there, ok)) if as_json else _words(verified, expected, there))
    return 0 if ok else 1


def _result(verified: Verified, there: bool, ok: bool) -> dict[str, object]:
    head = verified.head
    return {
        "ok": ok,
        "count": verified.count,
        "first_broken": verified.first_broken,
        "expected_found": there,
        "head": {"sequence": head.sequence, "digest": head.digest} if head else None,
    }


def _words(verified: Verified, expected: Receipt | None, there: bool) -> str:
    lines = []
    if verified.first_broken is not None:
        lines.append(
            f"BROKEN at record {verified.first_broken}: it, or what stood before it, was changed, removed or "
            f"added. The records before it are whole ({verified.count} in all)."
        )
    else:
        lines.append(f"Whole: {verified.count} records, none changed, removed or added.")
    if expected is not None and not there:
        lines.append(f"MISSING: record {expected.sequence} with that digest is not in the trail.")
    if verified.head is not None:
        lines.append(f"Last record that fits: {verified.head.sequence}:{verified.head.digest}")
    return "\n".join(lines)


# --- what is typed --------------------------------------------------------------------------------


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:7]) <= 100_000:
        raise argparse.ArgumentTypeError("write a whole number from 1 to 100000")
    return int(text)


def _receipt(text: str) -> Receipt:
    match = _RECEIPT.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(
            "write SEQUENCE:DIGEST, as `sequence` and `digest` of a log line say it"
        )
    return Receipt(int(match[1]), match[2])


def _zulu(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
