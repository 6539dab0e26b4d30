"""`python -m app root`: the break-glass user: set it up, see how it stands, sign its uses off."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence

from app.admin import Administration, By
from app.clock import Clock, SystemClock
from app.commands.config.changes import printable
from app.commands.databases import ENVIRONMENT
from app.commands.doors import CANNOT, cannot, operator, whole_administration
from app.commands.times import zulu


def parser() -> argparse.ArgumentParser:
    """The command's own words."""
    made = argparse.ArgumentParser(
        prog="python -m app root",
        description="Root is for the day when nobody else gets in. It may do everything in daypass and assume "
        "the roles marked "
        "`break_glass: true`, whatever policies say; for 15 minutes at a time, with a written "
        "reason, always with a second "
        "factor, and never with an access key. Each use raises an alert and stays open until "
        "somebody else signs it off.",
        epilog=f"{ENVIRONMENT} Sealed rows are opened with the broker's key file. Exit status: 0 right, 1 "
        f"refused, not ready "
        "or something is open, 2 wrong usage or no database named.",
    )
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    setup = commands.add_parser(
        "setup",
        help="print the link that sets root up",
        description="Print a link, good once within 15 minutes, with which root gets a password and two "
        "devices. What root "
        "had before ends when the link is used. The link is written nowhere else: not in a log, "
        "not in the audit record.",
    )
    status = commands.add_parser(
        "status", help="say whether root is ready, and what is open", description="How root stands."
    )
    uses = commands.add_parser(
        "uses", help="list every use of root", description="List every use, newest first."
    )
    sign_off = commands.add_parser(
        "sign-off", help="sign a use off", description="Say that a use was looked at, and what was found."
    )
    sign_off.add_argument("id", metavar="ID", help="as `root uses` shows it")
    sign_off.add_argument("--note", required=True, metavar="TEXT", help="what was found, 8 to 500 characters")
    for command in (setup, status, uses, sign_off):
        command.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def main(argv: Sequence[str], environ: Mapping[str, str] = os.environ, clock: Clock | None = None) -> int:
    """Run one of the commands. Returns 0 right, 1 refused, not ready or open, 2 wrong usage."""
    try:
        asked = parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else 2
    try:
        with whole_administration(environ, clock or SystemClock()) as door:
            return _run(door, asked)
    except CANNOT as problem:
        return cannot(problem)


def _run(door: Administration, asked: argparse.Namespace) -> int:
    by = By.operator(operator())
    if asked.command == "setup":
        link = door.set_up_root(by=by)
        print(
            json.dumps({"link": link})
            if asked.json
            else f"Within 15 minutes, once, set root up here:\n{link}"
        )
        return 0
    if asked.command == "sign-off":
        door.sign_off_root(asked.id, asked.note, by=by)
        print(json.dumps({"signed_off": asked.id}) if asked.json else "Signed off.")
        return 0
    if asked.command == "uses":
        return _uses(door, asked)
    return _status(door, asked)


def _status(door: Administration, asked: argparse.Namespace) -> int:
    state = door.root_state()
    glass = sorted(arn for arn, role in door.revision().roles.items() if role.break_glass)
    if asked.json:
        told = {
            "ready": state.ready,
            "password_at": zulu(state.password_at) if state.password_at else None,
            "factors": [each.kind for each in state.factors],
            "open_uses": state.open_uses,
            "roles": glass,
            "access_keys": 0,
        }
        print(json.dumps(told, indent=2))
    else:
        print("Root is ready." if state.ready else "Root is not ready: run `python -m app root setup`.")
        print(f"  password   {'set ' + zulu(state.password_at) if state.password_at else 'none'}")
        print(f"  devices    {', '.join(each.kind for each in state.factors) or 'none'} (two are needed)")
        print(f"  roles      {', '.join(glass) or 'none is marked `break_glass: true`'}")
        print("  keys       none: root can have no access key")
        print(f"  open uses  {state.open_uses or 'none'}")
    return 0 if state.ready and not state.open_uses else 1


def _uses(door: Administration, asked: argparse.Namespace) -> int:
    uses = door.root_uses()
    if asked.json:
        told = [
            {
                "id": use.id,
                "at": zulu(use.at),
                "reason": use.reason,
                "address": use.address,
                "session": use.session,
                "signed_off_by": use.signed_off_by or None,
                "signed_off_at": zulu(use.signed_off_at) if use.signed_off_at else None,
                "note": use.note,
            }
            for use in uses
        ]
        print(json.dumps({"uses": told}, indent=2))
    else:
        for use in uses:
            end = f"signed off by {printable(use.signed_off_by)}" if use.signed_off_at else "OPEN"
            print(f"{use.id}  {zulu(use.at)}  from {use.address}  {end}")
            print(f"    {printable(use.reason)}")
        if not uses:
            print("Root was never used.")
    return 1 if any(use.signed_off_at is None for use in uses) else 0
