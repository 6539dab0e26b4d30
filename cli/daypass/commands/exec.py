"""`daypass exec ROLE -- CMD`: run a program with a role's credentials; without CMD, a shell."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from daypass import asking, credentials, environment, shells, signin
from daypass.commands.env import chosen_region
from daypass.errors import Fail, Usage

if TYPE_CHECKING:
    from daypass.context import Context

HELP = "run a program with a role's credentials"
TAKES_REST = True
INSIDE = "DAYPASS_ROLE"
"""Set in a shell that this command started: the role's name, for prompts, and so that shells do not pile up."""
NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""As shells have it (POSIX, Shell Command Language, 2.8.2)."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "daypass exec [ROLE] [options] -- CMD [ARGUMENT …]"
    parser.add_argument("role", nargs="?", metavar="ROLE", help="account/role or its beginning, or an ARN")
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--region", metavar="REGION", help="set this AWS region too")
    parser.epilog = (
        "Without CMD: a shell. The exit code is CMD's own; 128 and the signal's number where one ended it."
    )
    signin.add_arguments(parser)
    signin.add_waiting(parser)


def run(context: Context, arguments: argparse.Namespace) -> int:
    output = context.output
    command = list(arguments.rest)
    region = chosen_region(context, arguments.region)
    if arguments.words:
        raise Usage(
            "The program to run stands behind `--`.",
            why="Else its options could be taken for ours.",
            next=f"daypass exec {arguments.role} -- {' '.join(arguments.words)} …",
        )
    refuse_nesting(context, command)
    role = asking.role(context, arguments.role, login=output.interactive)
    given = credentials.get(context, role.arn, login=output.interactive)
    child = {name: value for name, value in context.environ.items() if name not in environment.CLEARED}
    child.update(environment.variables(given, region))
    if not command:
        command = [shells.interactive(context.platform, context.environ)]
        child[INSIDE] = role.label
        output.say(f"A shell with {role.label}; leave it by `exit`.")
    output.stdout.flush()
    output.stderr.flush()
    if context.platform == "windows":
        return wait_for(command, child)
    return become(command, child)


def refuse_nesting(context: Context, command: Sequence[str]) -> None:
    """A shell in a shell, or the helper in the helper, is never what was meant. Raises Usage."""
    if not command:
        if not context.output.interactive:
            raise Usage(
                "Nothing to run.",
                why="A shell makes sense in a terminal only.",
                next="daypass exec ROLE -- CMD",
            )
        inside = context.environ.get(INSIDE)
        if inside:
            raise Usage(
                f"You are in a shell with {inside} already.",
                why="One in the other would leave you guessing which role you have.",
                next="exit",
            )
        return
    name = os.path.basename(command[0]).lower()
    if name in ("daypass", "daypass.exe", "daypass.cmd") or os.path.realpath(command[0]) == os.path.realpath(
        context.program
    ):
        inner = " ".join(command[1:3]) or "--help"
        raise Usage(
            "`daypass exec` would start daypass itself.",
            why="It takes no credentials from its environment, so the outer role would go unused.",
            next=f"daypass {inner}",
        )


def become(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Unix: this process becomes the program. Comes back only by Fail."""
    for name in ("SIGPIPE", "SIGXFSZ"):
        # Python ignores these, and what is ignored stays so across exec.
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execvpe(command[0], list(command), dict(environ))  # noqa: S606 - what it is for
    except OSError as error:
        raise _failure(command[0], error) from None
    except ValueError as error:  # a NUL byte
        raise Usage(f"`{command[0]}` cannot be started.", why=f"{error}.") from None


def wait_for(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Windows: the program runs as a child on the same console, and gets Ctrl-C from it. Its exit code."""
    found = shutil.which(command[0], path=environ.get("PATH")) or command[0]
    # The child has it too, and decides. Raised here, it could come just as the exit code is known, and take that away.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with subprocess.Popen([found, *command[1:]], env=dict(environ)) as child:  # noqa: S603 - what it is for
            code = child.wait()
    except OSError as error:
        raise _failure(command[0], error) from None
    finally:
        signal.signal(signal.SIGINT, before)
    return 128 - code if code < 0 else code


def _failure(program: str, error: OSError) -> Fail:
    if isinstance(error, FileNotFoundError):
        return Fail(
            NOT_FOUND,
            f"`{program}` is not found.",
            why="No such program in PATH.",
            next=f"command -v {program}",
        )
    return Fail(NOT_EXECUTABLE, f"`{program}` cannot be started.", why=f"{error.strerror or error}.")
