"""`python -m app provider`: what is trusted of a SAML provider, and taking its new certificates."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.audit import AuditWriter
from app.clock import Clock, SystemClock
from app.commands.databases import database_url
from app.configuration import ConfigurationUnreadable, load, read_folder
from app.errors import Refusal
from app.keyring import load_or_create
from app.model import AuditEvent, AuditKind, Revision, SamlProvider, SourceId
from app.outbound import Fetcher
from app.sealing import Sealer
from app.signin.saml_trust import MetadataChange, Trust
from app.store import Store, open_store


def parser() -> argparse.ArgumentParser:
    """The command's own words."""
    made = argparse.ArgumentParser(
        prog="python -m app provider",
        description="A SAML provider's metadata that was taken first stays until a person takes a new one.",
        epilog="Exit status: 0 right, 1 the provider's metadata differs and was not taken, or cannot be had, 2 wrong usage.",
    )
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    refresh = commands.add_parser(
        "refresh",
        help="fetch a provider's metadata, show what would change, and take it",
        description="Fetch the metadata, show which certificates and addresses would change, ask, and take it. Compare "
        "the fingerprints with what the provider's administrator tells you by another way.",
    )
    refresh.add_argument("name", metavar="NAME", help="the provider: its file's name in config/providers/")
    refresh.add_argument("--yes", action="store_true", help="take it without asking")
    refresh.add_argument(
        "--dry-run", action="store_true", help="only show; exit status 1 if something differs"
    )
    refresh.add_argument(
        "--json", action="store_true", help="print one JSON object; needs --yes or --dry-run"
    )
    return made


def main(argv: Sequence[str], environ: Mapping[str, str] = os.environ, clock: Clock | None = None) -> int:
    """Run `provider refresh`. Returns 0 right, 1 it differs and was not taken or cannot be had, 2 wrong usage."""
    try:
        asked = parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else 2
    if asked.json and not (asked.yes or asked.dry_run):
        return _wrong("--json cannot ask: add --yes or --dry-run")
    try:
        folder = Path(environ.get("DAYPASS_CONFIG") or "config")
        loaded = load(read_folder(folder), environ, folder)
    except ConfigurationUnreadable as unreadable:
        return _wrong(str(unreadable))
    if loaded.revision is None:
        wrong = [str(problem) for problem in loaded.problems if problem.level == "error"]
        return _wrong("\n".join([*wrong, "The configuration is not right, so nothing was asked."]))
    provider = loaded.revision.providers.get(SourceId(asked.name))
    if not isinstance(provider, SamlProvider) or provider.metadata_url is None:
        known = [
            p.id for p in loaded.revision.providers.values() if isinstance(p, SamlProvider) and p.metadata_url
        ]
        return _wrong(
            f"No SAML provider `{asked.name}` with metadata by address. There is: {', '.join(known) or 'none'}"
        )
    clock = clock or SystemClock()
    try:
        store = _store(loaded.revision, environ, clock)
        try:
            return _refresh(provider, loaded.revision, store, clock, asked)
        finally:
            store.close()
    except Refusal as refusal:
        print(f"Nothing was taken: {refusal.detail or refusal.words}", file=sys.stderr)
        return 1


def _refresh(
    provider: SamlProvider, revision: Revision, store: Store, clock: Clock, asked: argparse.Namespace
) -> int:
    loopback = revision.settings.loopback
    trust = Trust(provider, Fetcher(loopback), store.provider_metadata, loopback=loopback)
    change = trust.compare()
    take = change.differs and not asked.dry_run and (asked.yes or _agreed(provider, change))
    if take:
        now = clock.now()
        detail: dict[str, object] = {
            "provider": provider.id,
            "by": "operator",
            "changes": list(change.lines()),
        }
        event = AuditEvent(AuditKind.PROVIDER_CHANGED, now, "-", "-", source=provider.id, detail=detail)
        AuditWriter(store.audit, clock).record(event)  # on record before it counts
        trust.activate(change, now)
    if asked.json:
        print(json.dumps({"provider": provider.id, "changes": list(change.lines()), "taken": take}))
    elif not change.differs:
        print(f"{provider.id}: nothing has changed.")
    elif asked.dry_run or asked.yes:
        print("\n".join(change.lines()))
    if take and not asked.json:
        print(f"{provider.id}: taken. Workers use it within a minute.")
    return 0 if take or not change.differs else 1


def _agreed(provider: SamlProvider, change: MetadataChange) -> bool:
    print(f"{provider.id} ({change.url}) would change:")
    print("\n".join(f"  {line}" for line in change.lines()))
    if not sys.stdin.isatty():
        print("Not asked, as this is no terminal: run it again with --yes to take it.", file=sys.stderr)
        return False
    return input("Take it? [y/N] ").strip().lower() in {"y", "yes"}


def _store(revision: Revision, environ: Mapping[str, str], clock: Clock) -> Store:
    keyring = load_or_create(Path(revision.settings.keys), clock.now())
    return open_store(database_url(environ), Sealer(keyring.sealing_keys))


def _wrong(words: str) -> int:
    print(words, file=sys.stderr)
    return 2
