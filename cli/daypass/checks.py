"""What `doctor` looks at. Each check is one function: the context in, findings out; none of them changes anything."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable
from urllib.parse import urlsplit, urlunsplit

from daypass import VERSION, awsconfig, instep, keychain, roles, session, shells, times
from daypass.errors import LOCAL, UNREACHABLE, Fail
from daypass.http import Answer, Http
from daypass.settings import is_loopback

if TYPE_CHECKING:
    from daypass.context import Context

OK, WARN, FAIL = "ok", "warn", "fail"
SKEW_WARN, SKEW_FAIL = 30.0, 240.0
"""Seconds of difference between the clocks; AWS refuses signatures that are 5 minutes off."""
MOST = 8
"""Files that are named; of more only their number is told."""
_ASKED = "/.well-known/oauth-authorization-server"
_WIN_OVER = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
_CHOOSE = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_TIME = {
    "macos": "sudo sntp -sS time.apple.com",
    "windows": "w32tm /resync",
    "wsl": "sudo hwclock -s",
    "linux": "sudo timedatectl set-ntp true",
}


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, in words, and what to run."""

    name: str
    state: str
    what: str
    next: str = ""
    code: int = LOCAL
    """The exit code that a failure means."""


def program(context: Context) -> Iterator[Finding]:
    """This helper: its version, and whether PATH finds it."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    windows = context.platform == "windows"
    yield Finding("helper", OK, f"{VERSION} at {context.program}, Python {python}")
    found = shutil.which("daypass", path=context.environ.get("PATH"))
    if found is None:
        folder = os.path.dirname(context.program)
        way = f'$Env:Path="{folder};$Env:Path"' if windows else f'export PATH="{folder}:$PATH"'
        yield Finding("PATH", WARN, "no `daypass` in PATH", way)
    elif os.path.realpath(_program_of(found, windows=windows)) == os.path.realpath(context.program):
        yield Finding("PATH", OK, f"finds this one, {found}")
    else:
        yield Finding("PATH", WARN, f"finds another one first, {found}", f'"{found}" --version')


def _program_of(found: str, *, windows: bool) -> str:
    """The one file that a command in PATH starts: on Windows it has a `daypass.cmd` beside it, which PATH finds."""
    stem, ending = os.path.splitext(found)
    return stem if windows and ending.lower() == ".cmd" else found


def folders(context: Context) -> Iterator[Finding]:
    """Owners and modes of what is kept here."""
    paths = context.paths
    code = os.path.join(paths.cache, "code", "")
    wrong = []
    for top in (paths.config, paths.state, paths.cache):
        for path in _below(top):
            # Settings are no secret, nor is the unpacked program: others must not write them, that is all.
            found = _odd(path, public=top == paths.config or path.startswith(code))
            if found:
                wrong.append(found)
    yield from wrong[:MOST]
    if len(wrong) > MOST:
        yield Finding("files", FAIL, f"{len(wrong) - MOST} more like these")
    if not wrong:
        yield Finding("files", OK, f"{paths.state} and {paths.cache} are yours alone")


def _below(top: str) -> Iterator[str]:
    yield top
    for folder, names, files in os.walk(top):
        yield from (os.path.join(folder, name) for name in sorted([*names, *files]))


def _odd(path: str, *, public: bool) -> Finding | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None  # not there (yet), or gone meanwhile
    if os.name == "nt":
        return None
    if status.st_uid != os.geteuid():
        return Finding("files", FAIL, f"{path} belongs to another user", f'ls -ld "{path}"')
    if not stat.S_ISLNK(status.st_mode) and status.st_mode & (0o022 if public else 0o077):
        mode = "700" if stat.S_ISDIR(status.st_mode) else "600"
        return Finding("files", FAIL, f"{path} is open to other users", f'chmod {mode} "{path}"')
    return None


def proxy(context: Context) -> Iterator[Finding]:
    """How the broker is reached."""
    import urllib.request

    parts = urlsplit(context.broker)
    if is_loopback(context.broker):
        yield Finding("proxy", OK, "none, the broker is on this machine")
        return
    used = urllib.request.getproxies().get(parts.scheme, "")
    if not used or urllib.request.proxy_bypass(parts.hostname or ""):
        yield Finding("proxy", OK, "none for this broker")
        return
    yield Finding("proxy", OK, f"by {_without_password(used)}")


def _without_password(address: str) -> str:
    parts = urlsplit(address if "://" in address else f"//{address}")
    return (
        urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else address
    )


def broker(context: Context) -> Iterator[Finding]:
    """Whether it answers, as who, over what, and what time it is there."""
    try:
        answer = Http(context).ask("GET", _ASKED, timeout=10.0)
    except Fail as failure:
        words = f"{failure.what} {failure.why}".strip()
        yield Finding(
            "broker",
            FAIL,
            words,
            f"curl -sS -o /dev/null -w '%{{http_code}}\\n' {context.broker}/healthz",
            UNREACHABLE,
        )
        return
    issuer = answer.document.get("issuer")
    if answer.status != 200 or issuer != context.broker:
        said = f"it calls itself {issuer}" if isinstance(issuer, str) else f"HTTP {answer.status}"
        yield Finding(
            "broker",
            FAIL,
            f"{context.broker} answers, but {said}",
            f"daypass login {issuer or 'URL'}",
            UNREACHABLE,
        )
    else:
        yield Finding("broker", OK, f"{context.broker} answers")
    if context.broker.startswith("https:"):
        yield Finding("TLS", OK, "its certificate is trusted here")
    else:
        yield Finding("TLS", OK, "not needed, the broker is on this machine")
    yield clock(context, answer)


def clock(context: Context, answer: Answer) -> Finding:
    """This machine's clock beside the broker's Date (RFC 9110, 6.6.1), which has whole seconds."""
    if answer.date is None:
        return Finding("clock", WARN, "the broker does not say what time it is there")
    off = context.now() - answer.date
    if abs(off) <= SKEW_WARN:
        return Finding("clock", OK, "as the broker's")
    words = f"{_long(abs(off))} {'ahead of' if off > 0 else 'behind'} the broker's"
    state = FAIL if abs(off) > SKEW_FAIL else WARN
    more = "; AWS refuses what is signed 5 minutes off" if state == FAIL else ""
    return Finding("clock", state, words + more, _TIME.get(context.platform, ""))


def _long(seconds: float) -> str:
    return times.left(seconds) if seconds >= 60 else f"{seconds:.0f} s"


def sign_in(context: Context) -> Iterator[Finding]:
    """Who is signed in, and where that is kept. The keychain is named, not read."""
    kept = session.current(context)
    store = keychain.preferred(context).name
    if kept is None:
        yield Finding("sign-in", WARN, "nobody is signed in", "daypass login")
    elif context.now() >= kept.ends_at:
        yield Finding("sign-in", WARN, f"that of {kept.username} has ended", "daypass login")
    else:
        until = times.clock(kept.ends_at, context.now())
        yield Finding("sign-in", OK, f"{kept.username}, until {until}")
        store = kept.store
    if store == keychain.FileStore.name:
        yield Finding(
            "keychain", OK, "none that can be reached here; the sign-in is in a file that is yours alone"
        )
    else:
        yield Finding("keychain", OK, store)


def profiles(context: Context) -> Iterator[Finding]:
    """The AWS config file: readable for tools, and our block in step with the roles last seen."""
    path = instep.config_path(context)
    try:
        parts = awsconfig.take_apart(instep.read(path))
        known = roles.cached(context)
        if parts.block is None:
            yield Finding("profiles", OK, f"none of ours in {path} (daypass configure writes them)")
            return
        if known is None:
            yield Finding(
                "profiles", OK, f"there, in {path}; whether they are in step shows after: daypass roles"
            )
            return
        wanted = instep.plan(context, known)
    except awsconfig.Unclear as error:
        yield Finding("profiles", FAIL, f"{path}: {error}", f'"${{EDITOR:-vi}}" "{path}"')
        return
    if wanted.differs:
        yield Finding("profiles", WARN, f"{path} is not in step with your roles", "daypass configure")
    else:
        yield Finding("profiles", OK, f"{path} is in step, {len(wanted.names)} profiles")


def variables(context: Context) -> Iterator[Finding]:
    """What stands in the environment and wins over profiles."""
    there = [name for name in _WIN_OVER if context.environ.get(name)]
    shell = shells.POWERSHELL if context.platform == "windows" else shells.SH
    undo = shells.evaluation(shell, "daypass env --unset")
    expired = _expired(context) if there else ""
    if there:
        yield Finding(
            "variables",
            WARN,
            f"{', '.join(there)} {'wins' if len(there) == 1 else 'win'} over every profile{expired}",
            undo,
        )
    name = next((each for each in _CHOOSE if context.environ.get(each)), "")
    chosen = context.environ.get(name, "")
    if chosen and not _profile(context, chosen):
        way = shells.removal(shell, name).rstrip(";")
        yield Finding("variables", WARN, f"{name} names `{chosen}`, which no file has", way)
    elif not there:
        yield Finding("variables", OK, f"{name} is {chosen}" if chosen else "none that win over profiles")


def _expired(context: Context) -> str:
    until = times.instant(context.environ.get("AWS_CREDENTIAL_EXPIRATION", ""), float("inf"))
    return "; they have run out" if until <= context.now() else ""


def _profile(context: Context, name: str) -> bool:
    parts = awsconfig.take_apart(instep.read(instep.config_path(context)))
    whole = awsconfig.Parts(parts.before + (parts.block or b"") + parts.after, None, b"")
    return name in whole.names_outside() or name in awsconfig.section_lines(
        instep.read(instep.credentials_path(context))
    )


def aws_cli(context: Context) -> Iterator[Finding]:
    """The AWS CLI, if there is one, and whether it knows `credential_process`."""
    found = shutil.which("aws", path=context.environ.get("PATH"))
    if found is None:
        yield Finding("aws", OK, "no AWS CLI in PATH; SDKs and `daypass exec` work without")
        return
    try:
        done = subprocess.run(  # noqa: S603 - the person's own program, asked for its version
            [found, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False
        )
        text = (done.stdout or done.stderr).decode("utf-8", "replace").split("\n")[0].strip()
    except (OSError, subprocess.SubprocessError):
        yield Finding("aws", WARN, f"{found} does not start", f'"{found}" --version')
        return
    version = re.match(r"aws-cli/([0-9]+)\.([0-9]+)", text)
    if version is None:
        yield Finding(
            "aws", WARN, f"{found} does not say which version it is: {text[:80]}", f'"{found}" --version'
        )
    elif (int(version[1]), int(version[2])) < (1, 16):
        yield Finding(
            "aws",
            FAIL,
            f"{version[0]} at {found} does not know credential_process",
            "pip install --upgrade awscli",
        )
    else:
        yield Finding("aws", OK, f"{version[0]} at {found}")


ALL: tuple[Callable[[Context], Iterator[Finding]], ...] = (
    program,
    folders,
    proxy,
    broker,
    sign_in,
    profiles,
    variables,
    aws_cli,
)
"""In the order in which they are shown."""


def run(context: Context) -> Iterator[Finding]:
    """All checks. One that cannot be made is a failure with its words, and the others go on."""
    for check in ALL:
        try:
            yield from check(context)
        except Fail as failure:
            words = f"{failure.what} {failure.why}".strip()
            yield Finding(check.__name__.replace("_", "-"), FAIL, words, failure.next, failure.code)
        except awsconfig.Unclear:
            continue  # `profiles` has said so
