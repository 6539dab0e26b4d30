"""The table of contents: every command, and what happens around each."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Callable, NoReturn, Protocol, TextIO, cast

from daypass import VERSION, context, errors, output, paths, settings
from daypass.context import Context, SignInOptions

TABLE: dict[str, str] = {
    "login": "login",
    "logout": "logout",
    "whoami": "whoami",
    "roles": "roles",
    "why": "why",
    "exec": "exec",
    "env": "env",
    "credentials": "credentials",
    "console": "console",
    "configure": "configure",
    "serve": "serve",
    "doctor": "doctor",
    "completion": "completion",
    "__complete": "complete",
    "__renew": "renew",
}
"""Name on the command line: module in `commands`. Those with `__` are for the helper itself and not in the help."""


_OWN = re.compile(r", '?__\w+'?")
"""Commands that the helper gives itself, in argparse's list of what might have been meant."""


class Parser(argparse.ArgumentParser):
    """argparse with our way of saying what is wrong."""

    def error(self, message: str) -> NoReturn:
        """Raises Usage."""
        shown = _OWN.sub("", message)
        raise errors.Usage(f"{shown[:1].upper()}{shown[1:]}.", next=f"{self.prog} --help")


class Command(Protocol):
    """What each module of `commands` has. With `TAKES_REST = True`, `arguments.rest` has what stands behind `--`."""

    HELP: str
    """One line for the list of commands."""

    @staticmethod
    def arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the command's own options."""

    @staticmethod
    def run(given: Context, arguments: argparse.Namespace) -> int:
        """Do it. Returns the exit code; raises `Fail`."""


def main(
    argv: Sequence[str],
    program: str,
    baked: str = "",
    *,
    environ: Mapping[str, str] = os.environ,
    streams: tuple[TextIO | None, TextIO, TextIO] | None = None,
) -> int:
    """Run one command.

    Args:
        argv: what stood behind the program's name.
        program: absolute path of the helper's one file.
        baked: the address that the broker wrote into it; empty for a copy from pip.

    Returns:
        The exit code.
    """
    stdin, stdout, stderr = streams or (sys.stdin, *map(_open, (sys.stdout, sys.stderr)))
    for stream in (stdout, stderr):
        # A console in another encoding shows an escape rather than ending the command.
        cast(Callable[..., None], getattr(stream, "reconfigure", lambda **_: None))(errors="backslashreplace")
    out = output.Output(stdin, stdout, stderr, environ, json="--json" in _own(argv))
    try:
        return _run(argv, program, baked, environ, out)
    except errors.Fail as fail:
        out.fail(fail)
        return fail.code
    except KeyboardInterrupt:
        return errors.INTERRUPTED
    except BrokenPipeError:
        _let_go()  # whoever read stdout has enough (`daypass roles | head`)
        return errors.DONE
    except OSError as error:
        # Commands name what is in the way of files of theirs: this is stdout, on a full disk or gone.
        _let_go()
        failure = errors.Local(
            "The answer cannot be written.", why=f"{error.strerror or error}.", next="df -h ."
        )
        out.fail(failure)
        return failure.code


def _let_go() -> None:
    """Python must not complain at its end that stdout takes nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _open(stream: TextIO | None) -> TextIO:
    """The stream; one that was closed before we came (`>&-`) takes everything and keeps nothing."""
    return open(os.devnull, "w", encoding="utf-8") if stream is None else stream


def _run(
    argv: Sequence[str], program: str, baked: str, environ: Mapping[str, str], out: output.Output
) -> int:
    own = _own(argv)
    arguments = parser(_named(argv)).parse_args(list(own))
    arguments.rest = list(argv[len(own) + 1 :])
    if not arguments.command:
        parser(None).print_help(out.stderr)
        return errors.USAGE
    if len(own) < len(argv) and not getattr(_module(arguments.command), "TAKES_REST", False):
        raise errors.Usage(
            f"`daypass {arguments.command}` runs no program: there is nothing to stand behind `--`."
        )
    platform = context.detect(sys.platform, environ)
    places = paths.find(platform, environ)
    chosen = settings.read(places)
    url = arguments.url or environ.get("DAYPASS_URL", "") or baked or chosen.url
    given = Context(
        environ=environ,
        platform=platform,
        paths=places,
        settings=chosen,
        output=out,
        program=program,
        url=settings.address(url) if url else "",
        options=replace(
            SignInOptions(),
            device=getattr(arguments, "device", False),
            no_browser=getattr(arguments, "no_browser", False),
            browser=getattr(arguments, "browser", None) or "",
            no_wait=getattr(arguments, "no_wait", False),
        ),
    )
    return _module(arguments.command).run(given, arguments)


def parser(only: str | None) -> Parser:
    """The whole command line; with `only`, that command's own options and no other module is read."""
    top = Parser(
        prog="daypass",
        description="Sign in once; each AWS command gets a pass that expires.",
        epilog="Exit codes: 0 done, 2 usage, 3 sign-in needed, 4 denied, 5 broker unreachable, 6 AWS refused, "
        "7 this machine (files, keychain, lock), 8 waiting for you (a code, a second factor), 130 interrupted.",
        allow_abbrev=False,
        parents=[_common()],
    )
    top.add_argument("--version", action="version", version=f"daypass {VERSION}")
    top.set_defaults(command="", url="", json=False)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name in TABLE if only is None else (only,):
        module = _module(name)
        shown: dict[str, Any] = {} if name.startswith("__") else {"help": module.HELP}
        child = commands.add_parser(
            name, description=module.HELP, allow_abbrev=False, parents=[_common()], **shown
        )
        module.arguments(child)
    return top


def _common() -> Parser:
    """Options that stand before or behind the command. A parser of its own for each place: argparse would share the
    defaults too, and the command's would win over what stood before it."""
    common = Parser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--json", action="store_true", help="answers and errors for programs")
    common.add_argument("--url", metavar="URL", help="the broker's address, for this once")
    return common


def _module(name: str) -> Command:
    return cast(Command, importlib.import_module(f"daypass.commands.{TABLE[name]}"))


def _own(argv: Sequence[str]) -> Sequence[str]:
    """The arguments without those of a program to run (`exec ROLE -- CMD`)."""
    return argv[: argv.index("--")] if "--" in argv else argv


def _named(argv: Sequence[str]) -> str | None:
    """The command on this line, so that only its module has to be read."""
    return next((word for word in _own(argv) if word in TABLE), None)
