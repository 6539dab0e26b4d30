"""`daypass configure`: a profile in the AWS config file for each role that I have."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from daypass import instep, roles, settings, signin
from daypass.errors import DONE, Usage
from daypass.output import clean

if TYPE_CHECKING:
    from daypass.context import Context
    from daypass.instep import Plan

HELP = "write a profile for each of your roles into the AWS config file"


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to do with the block, and how its profiles look."""
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
    way.add_argument("--yes", action="store_true", help="write without asking")
    way.add_argument("--sync", action="store_true", help="put an existing block in step, without a word")
    parser.add_argument("--remove", action="store_true", help="take the block away")
    parser.add_argument("--prefix", metavar="TEXT", help="before each profile's name; remembered")
    parser.add_argument("--region", metavar="REGION", help="in each profile; remembered")
    keep = parser.add_mutually_exclusive_group()
    keep.add_argument("--keep", action="store_true", help="put the block in step at each sign-in from now on")
    keep.add_argument("--no-keep", action="store_true", help="only say so when it is not in step")
    signin.add_arguments(parser)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Plan, show, ask, write."""
    if arguments.sync:
        return _sync(context)
    wanted = _plan(context, arguments)
    if context.output.json:
        _write(context, arguments, wanted, agreed=bool(arguments.yes))
        context.output.document(
            {"file": wanted.path, "differs": wanted.differs, "written": wanted.differs and bool(arguments.yes),
             "profiles": wanted.names, "diff": wanted.diff}
        )  # fmt: skip
        return DONE
    if arguments.dry_run:
        context.output.stdout.write(_shown(wanted))
        context.output.stdout.flush()
        if not wanted.differs:
            _say_done(context, wanted)
        return DONE
    if wanted.differs:
        context.output.say(_shown(wanted))
    if not (arguments.yes or _agreed(context, wanted)):
        context.output.say("Nothing was changed.")
        return DONE
    _write(context, arguments, wanted, agreed=True)
    _say_done(context, wanted)
    return DONE


def _plan(context: Context, arguments: argparse.Namespace) -> Plan:
    if arguments.remove:
        return instep.removal(context)
    mine = roles.mine(context, login=context.output.interactive, fresh=True)
    return instep.plan(context, mine, prefix=arguments.prefix, region=arguments.region)


def _agreed(context: Context, wanted: Plan) -> bool:
    """The person's answer to the diff. Raises Usage where nobody can be asked."""
    if not wanted.differs:
        return True
    if not context.output.interactive:
        raise Usage(
            f"{wanted.path} would change, and nobody can be asked.",
            why="--dry-run shows the change; --yes makes it.",
            next="daypass configure --dry-run",
        )
    return context.output.ask(f"Change {wanted.path} so? [y/N] ").lower() in ("y", "yes")


def _write(context: Context, arguments: argparse.Namespace, wanted: Plan, *, agreed: bool) -> None:
    """The file, then what is to be remembered: also where only a choice changes. Raises Local."""
    if not agreed:
        return
    if wanted.differs:
        instep.write(context, wanted)
    paths = context.paths
    if arguments.remove:
        for name in (instep.SYNC, instep.PREFIX, instep.REGION):
            settings.remember(paths, name, None)
        return
    for name, value in ((instep.PREFIX, arguments.prefix), (instep.REGION, arguments.region)):
        if value is not None:
            settings.remember(paths, name, value or None)
    if arguments.keep or arguments.no_keep:
        settings.remember(paths, instep.SYNC, "sync" if arguments.keep else "tell")
    elif settings.remembered(paths, instep.SYNC) is None and context.output.interactive and not arguments.yes:
        answer = context.output.ask("Keep it in step with your roles at each sign-in? [Y/n] ").lower()
        settings.remember(paths, instep.SYNC, "sync" if answer in ("", "y", "yes") else "tell")


def _sync(context: Context) -> int:
    """Silent: the block as it should be, where there is one."""
    wanted = instep.plan(context, roles.mine(context))
    if wanted.configured and wanted.differs:
        instep.write(context, wanted)
    return DONE


def _shown(wanted: Plan) -> str:
    """The diff, line by line without what moves a cursor."""
    return "".join(clean(line) + "\n" for line in wanted.diff.splitlines())


def _say_done(context: Context, wanted: Plan) -> None:
    say = context.output.say
    if not wanted.differs:
        say(f"{wanted.path} is in step: {len(wanted.names)} profiles.")
    elif wanted.names:
        name = next(iter(wanted.names))
        say(f"{len(wanted.names)} profiles. Try: aws sts get-caller-identity --profile {name}")
