"""`daypass serve ROLE`: the endpoint that SDKs ask for credentials, on this machine's loopback."""

from __future__ import annotations

import argparse
import contextlib
import secrets
import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from daypass import asking, cache, credentials, locks, session, shells, signin
from daypass.cache import Pass
from daypass.commands.env import chosen_region
from daypass.errors import DONE, LOCAL, Fail, SignInNeeded, Usage
from daypass.serve import container, control, imds, local
from daypass.serve.holder import Holder, words
from daypass.times import clock, instant, left

if TYPE_CHECKING:
    from daypass.context import Context

HELP = "serve a role's credentials to SDKs on this machine, renewed and switched live"
LOOK = 1.0
"""Seconds between two looks at whether something is due."""
IN_THE_WAY = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
)
"""What SDKs look at first: unset in the lines for the shell, where it is set here."""
WARNING = (
    "The metadata endpoint has no secret: every user and every program of this machine can take these credentials. "
    "Use it only where the machine is yours alone, and stop it when you are done."
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", nargs="?", metavar="ROLE", help="account/role or its beginning, or an ARN")
    one = parser.add_mutually_exclusive_group()
    one.add_argument(
        "--switch", nargs="?", const="", metavar="ROLE", help="give the running endpoint another role"
    )
    one.add_argument("--status", action="store_true", help="say what the running endpoint serves")
    one.add_argument("--env", action="store_true", help="print the running endpoint's lines for your shell")
    one.add_argument("--stop", action="store_true", help="stop the running endpoint")
    parser.add_argument(
        "--port", type=_port, default=0, metavar="PORT", help="listen there; otherwise on a free port"
    )
    parser.add_argument(
        "--shell", choices=shells.CHOICES, help="write for this shell; otherwise it is detected"
    )
    parser.add_argument(
        "--imds", action="store_true", help="also be an EC2 metadata service (v2); no secret protects it"
    )
    parser.add_argument(
        "--imds-port", type=_port, default=0, metavar="PORT", help="its port; otherwise a free one"
    )
    parser.add_argument("--region", metavar="REGION", help="the region that the metadata endpoint tells")
    signin.add_arguments(parser)
    signin.add_waiting(parser)


def run(context: Context, arguments: argparse.Namespace) -> int:
    if arguments.role and (
        arguments.switch is not None or arguments.status or arguments.stop or arguments.env
    ):
        raise Usage(
            "Two things at once.", why="A role starts an endpoint; the option is for the one that runs."
        )
    if arguments.switch is not None:
        return _switch(context, arguments.switch)
    if arguments.status:
        return _status(context)
    if arguments.env:
        return _variables(context, arguments.shell, control.ask(context, "GET", "status"))
    if arguments.stop:
        control.ask(context, "POST", "stop")
        context.output.say("Stopped.")
        return DONE
    return _serve(context, arguments)


def fetcher(context: Context) -> Any:
    """What `Holder` gets its credentials by: the cache's while they are fresh, else the broker's."""

    def fetch(arn: str) -> tuple[Pass, float]:
        credentials.renew(context, arn)
        given = credentials.get(context, arn)
        kept = cache.read(context, cache.name_of(arn))
        if kept is not None and kept.given == given:
            return given, kept.ends  # the cache knows how far this machine's clock is off
        return given, instant(given.expiration)

    return fetch


def _serve(context: Context, arguments: argparse.Namespace) -> int:
    output = context.output
    region = chosen_region(context, arguments.region)
    with locks.at_once(control.lock_path(context)) as mine:
        if not mine:
            raise Usage(
                "A `daypass serve` is running already.",
                why="One role is attached at a time; the running endpoint can take another one.",
                next=f"daypass serve --switch {arguments.role or 'ROLE'}",
            )
        control.withdraw(context)  # of one that was killed
        role = asking.role(context, arguments.role, login=output.interactive)
        if output.interactive:
            credentials.get(context, role.arn, login=True)
        holder = Holder(fetcher(context), context.now)
        holder.attach(role.arn)
        ended = threading.Event()
        with _endpoints(context, holder, arguments, region, ended) as status:
            if arguments.imds:
                output.tell(WARNING)
            output.say(
                f"Serving {role.label}. Ctrl-C ends it; in another terminal: daypass serve --env, --switch, --status."
            )
            _variables(context, arguments.shell, status())
            watch(context, holder, ended)
    output.say("Stopped.")
    return DONE


@contextlib.contextmanager
def _endpoints(
    context: Context, holder: Holder, arguments: argparse.Namespace, region: str, ended: threading.Event
) -> Iterator[Any]:
    """The servers, running while the block does; gives a function that tells their state. Raises Fail."""
    token, own = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    variables: dict[str, str] = {}

    def status() -> dict[str, Any]:
        return told(context, holder, variables)

    def switch(arn: str) -> dict[str, Any]:
        holder.attach(arn)
        context.output.say(f"Now {arn}.")
        return status()

    control_side = control.Control(own, switch, status, ended.set)
    with contextlib.ExitStack() as stack:
        main = stack.enter_context(_running(arguments.port, container.handler(holder, token, control_side)))
        variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = (
            f"http://{local.ADDRESS}:{main.port}{container.PATH}"
        )
        variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = token
        if arguments.imds:
            second = stack.enter_context(
                _running(arguments.imds_port, imds.handler(holder, context.now, region))
            )
            variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = f"http://{local.ADDRESS}:{second.port}"
        control.publish(context, main.port, own)
        stack.callback(control.withdraw, context)
        yield status


@contextlib.contextmanager
def _running(port: int, handler: type[local.Handler]) -> Iterator[local.Server]:
    try:
        server = local.Server(port, handler)
    except OSError as error:
        raise Fail(
            LOCAL,
            f"Port {port} of {local.ADDRESS} cannot be used.",
            why=f"{error.strerror or error}.",
            next="daypass serve ROLE   (without --port: any free one)",
        ) from None
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def watch(context: Context, holder: Holder, ended: threading.Event) -> None:
    """Renews what is due, until the end: by Ctrl-C (raises KeyboardInterrupt), SIGTERM or `--stop`."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: ended.set())
    said = ""
    while not ended.wait(LOOK):
        look(context, holder)
        held, failure = holder.look()
        now = words(failure)
        if now != said and now and held is not None:
            lasting = held.ends - context.now()
            until = (
                f"The credentials here last {left(lasting)} more."
                if lasting > 0
                else "Nothing is given until then."
            )
            context.output.tell(f"Not renewed: {now} {until}")
        elif said and not now:
            context.output.say("Renewed again.")
        said = now


def look(context: Context, holder: Holder) -> None:
    """One look: nothing is given any more to a person who signed out; what is due is renewed."""
    try:
        if session.current(context) is None:
            holder.forget(SignInNeeded("Nobody is signed in any more."))
    except Fail as failure:
        holder.forget(failure)
    holder.renew()


def told(context: Context, holder: Holder, variables: dict[str, str]) -> dict[str, Any]:
    """What `--status` shows; nothing of the credentials themselves."""
    held, failure = holder.look()
    ends = held.ends if held else 0.0
    return {
        "role": held.arn if held else None,
        "expiration": held.given.expiration if held else None,
        "seconds_left": max(0, int(ends - context.now())),
        "trouble": words(failure) or None,
        "variables": dict(variables),
    }


def _switch(context: Context, term: str) -> int:
    output = context.output
    role = asking.role(context, term, login=output.interactive)
    now = session.proving(
        context, lambda: control.ask(context, "POST", "switch", {"role": role.arn}), login=output.interactive
    )
    if output.json:
        output.document(_public(now))
    else:
        output.say(f"Now serving {role.label}.")
    return DONE


def _status(context: Context) -> int:
    output = context.output
    now = control.ask(context, "GET", "status")
    if output.json:
        output.document(_public(now))
        return DONE
    remaining = int(now.get("seconds_left") or 0)
    ends = clock(context.now() + remaining, context.now())
    output.print(f"Role: {now.get('role')}")
    output.print(f"Credentials: {f'until {ends}, {left(remaining)}' if remaining else 'ended'}")
    for name, value in sorted((now.get("variables") or {}).items()):
        if name != "AWS_CONTAINER_AUTHORIZATION_TOKEN":
            output.print(f"{name}: {value}")
    if now.get("trouble"):
        output.print(f"Trouble: {now['trouble']}")
    return DONE


def _public(now: dict[str, Any]) -> dict[str, Any]:
    """Without the token, which only `--env` gives out."""
    variables = {
        name: value
        for name, value in (now.get("variables") or {}).items()
        if name != "AWS_CONTAINER_AUTHORIZATION_TOKEN"
    }
    return {**now, "variables": variables}


def _variables(context: Context, shell: str | None, now: dict[str, Any]) -> int:
    values = {str(name): str(value) for name, value in (now.get("variables") or {}).items()}
    gone = [name for name in IN_THE_WAY if context.environ.get(name)]
    if context.output.json:
        context.output.document({"set": values, "unset": gone})
        return DONE
    chosen = shells.SPELLINGS[shell] if shell else shells.detect(context.platform)
    try:
        context.output.stdout.write(shells.lines(chosen, values, gone))
    except shells.Unquotable as error:  # pragma: no cover - addresses and tokens of our own making
        raise Fail(LOCAL, "This shell cannot take the lines.", why=f"{error}.") from None
    context.output.stdout.flush()
    return DONE


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 <= int(text) < 65536):
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return int(text)
