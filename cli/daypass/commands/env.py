"""`daypass env ROLE`: a role's credentials as lines for a shell to evaluate."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from daypass import asking, credentials, environment, shells, signin
from daypass.errors import DONE, Local, Usage
from daypass.profiles import is_region

if TYPE_CHECKING:
    from daypass.context import Context

HELP = "print lines that set a role's credentials in your shell"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", nargs="?", metavar="ROLE", help="account/role or its beginning, or an ARN")
    parser.add_argument(
        "--shell", choices=shells.CHOICES, help="write for this shell; otherwise it is detected"
    )
    parser.add_argument("--unset", action="store_true", help="print lines that take the variables away again")
    parser.add_argument("--region", metavar="REGION", help="set this AWS region too")
    signin.add_arguments(parser)
    signin.add_waiting(parser)


def run(context: Context, arguments: argparse.Namespace) -> int:
    shell = shells.SPELLINGS[arguments.shell] if arguments.shell else shells.detect(context.platform)
    region = chosen_region(context, arguments.region)
    if arguments.unset:
        if arguments.role:
            raise Usage(
                "`--unset` takes no role.",
                why="It takes away whatever `env` set.",
                next="daypass env --unset",
            )
        return _print(
            context, shell, {}, (*environment.KEYS, *(environment.REGIONS if region else ())), "--unset"
        )
    output = context.output
    role = asking.role(context, arguments.role, login=output.interactive)
    given = credentials.get(context, role.arn, login=output.interactive)
    values = environment.variables(given, region)
    return _print(context, shell, values, environment.CLEARED, arguments.role or "ROLE")


def chosen_region(context: Context, asked: str | None) -> str:
    """The region to set: the one asked for, else the configuration's; empty for none. Raises Usage."""
    region = context.settings.region if asked is None else asked
    if region and not is_region(region):
        raise Usage(
            f"`{region}` is not a region.", why="A region looks like eu-west-1.", next="daypass env --help"
        )
    return region


def _print(context: Context, shell: str, values: dict[str, str], gone: tuple[str, ...], words: str) -> int:
    output = context.output
    if output.json:
        output.document({"set": values, "unset": list(gone)})
        return DONE
    try:
        text = shells.lines(shell, values, gone)
    except shells.Unquotable as error:
        raise Local(
            "The credentials cannot be written for this shell.", why=f"A value has {error}."
        ) from None
    output.stdout.write(text)
    output.stdout.flush()
    if output.stdout.isatty():
        output.say(f"# To have your shell obey: {shells.evaluation(shell, f'daypass env {words}')}")
    return DONE
