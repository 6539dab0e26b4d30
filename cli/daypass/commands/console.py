"""`daypass console ROLE`: the AWS console as a role, in the browser."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from daypass import asking, browser, consoles, session, signin
from daypass.errors import DONE, UNREACHABLE, Fail, Usage

if TYPE_CHECKING:
    from daypass.context import Context

HELP = "open the AWS console as a role"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", nargs="?", metavar="ROLE", help="account/role or its beginning, or an ARN")
    parser.add_argument(
        "--to", metavar="SERVICE|URL", help="where in the console: s3, ec2, logs, … or an address"
    )
    parser.add_argument("--region", metavar="REGION", help="the region that --to opens")
    parser.add_argument(
        "--print", dest="only_print", action="store_true", help="print the link, open nothing"
    )
    signin.add_arguments(parser)
    signin.add_waiting(parser)


def run(context: Context, arguments: argparse.Namespace) -> int:
    output = context.output
    role = asking.role(context, arguments.role, login=output.interactive)
    ask = {"role": role.arn}
    if arguments.to:
        ask["destination"] = destination(context, arguments.to, role.arn, arguments.region)
    elif arguments.region:
        raise Usage(
            "`--region` goes with `--to`.",
            why="Without it, the console's home opens.",
            next="daypass console --help",
        )
    login = output.interactive
    link = session.proving(
        context,
        lambda: session.call(context, "POST", "/v1/console-link", json=ask, login=login),
        login=login,
    )
    url = str(link.get("url") or "")
    if not url.startswith(
        ("https://", "http://")
    ):  # a browser, or Windows, would open a program for another one
        raise Fail(UNREACHABLE, "The broker's answer is not a console address.", next="daypass doctor")
    if output.json:
        output.document(link)
        return DONE
    if arguments.only_print or context.options.no_browser or browser.by_device(context):
        output.print(url)
        return DONE
    output.say(f"Opening the console as {role.label}. If nothing opens, this link does, for 15 minutes:")
    output.say(url)
    # Windows hands the address over and tells nothing; elsewhere None means that nothing could open it.
    if browser.opened(context, url) is None and context.platform != "windows" and not output.talks:
        output.print(url)
    return DONE


def destination(context: Context, to: str, arn: str, region: str | None) -> str:
    """The console's address for `--to`. Raises Usage."""
    environ = context.environ
    chosen = (
        region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or context.settings.region
    )
    try:
        return consoles.address(to, arn, chosen or None)
    except consoles.Unknown as error:
        raise Usage(
            "That is no place in the console.", why=f"{error}", next="daypass console --help"
        ) from None
