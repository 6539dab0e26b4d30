"""Our block in the AWS config file: what it should say, whether it does, and putting it there."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daypass import awsconfig, files, locks, profiles, settings
from daypass.errors import Fail, Local
from daypass.roles import mine as all_roles

if TYPE_CHECKING:
    from daypass.context import Context
    from daypass.roles import Role

SYNC, PREFIX, REGION = "configure", "configure prefix", "configure region"
"""Remembered choices; `sync` in the first: each sign-in puts the block in step."""
LARGEST = 4 * 1024 * 1024
_COMMAND = "daypass configure --dry-run"


@dataclass(frozen=True)
class Plan:
    """A change of the config file, thought through and not yet made."""

    path: str
    old: bytes
    new: bytes
    names: dict[str, str]
    """Profile → what it runs."""
    configured: bool
    """The block is there already."""

    @property
    def differs(self) -> bool:
        return self.old != self.new

    @property
    def diff(self) -> str:
        """For the person's eyes."""
        return awsconfig.difference(self.old, self.new, self.path)


def config_path(context: Context) -> str:
    """The AWS config file: `AWS_CONFIG_FILE`, or `~/.aws/config`."""
    return _place(context, "AWS_CONFIG_FILE", "config")


def credentials_path(context: Context) -> str:
    """The AWS credentials file, which is only ever read: `AWS_SHARED_CREDENTIALS_FILE`, or `~/.aws/credentials`."""
    return _place(context, "AWS_SHARED_CREDENTIALS_FILE", "credentials")


def plan(
    context: Context, roles: list[Role], *, prefix: str | None = None, region: str | None = None
) -> Plan:
    """What the file would be with a profile for each of these roles.

    Args:
        prefix: of the names; None: as the last time.
        region: of the profiles; None: as the last time, else the configuration's; empty: none.

    Raises:
        Local: the file is unclear or unreadable, a name is taken, the helper's own path cannot be written.
    """
    path = config_path(context)
    old = read(path)
    prefix = (settings.remembered(context.paths, PREFIX) or "") if prefix is None else prefix
    region = (
        (settings.remembered(context.paths, REGION) or context.settings.region) if region is None else region
    )
    ordered = sorted(roles, key=lambda role: (role.account_name.lower(), role.name.lower(), role.arn))
    try:
        parts = awsconfig.take_apart(old)
        wanted = profiles.profiles(
            ordered, context.command(), context.platform, prefix=prefix, region=region or None
        )
    except awsconfig.Unclear as error:
        raise Local(f"{path} is left as it is.", why=f"In it, {error}.", next="daypass doctor") from None
    except profiles.Unsafe as error:
        raise Local(
            "No profiles can be written.",
            why=f"{str(error)[:1].upper()}{str(error)[1:]}.",
            next="daypass configure --help",
        ) from None
    _refuse_taken(context, path, parts, [each.name for each in wanted])
    newline = b"\r\n" if context.platform == "windows" else b"\n"
    new = awsconfig.put_together(parts, wanted, newline)
    names = {each.name: dict(each.settings)["credential_process"] for each in wanted}
    return Plan(path, old, new, names, parts.block is not None)


def removal(context: Context) -> Plan:
    """The file without our block. Raises Local."""
    path = config_path(context)
    old = read(path)
    try:
        parts = awsconfig.take_apart(old)
    except awsconfig.Unclear as error:
        raise Local(f"{path} is left as it is.", why=f"In it, {error}.", next="daypass doctor") from None
    configured = parts.block is not None
    return Plan(path, old, awsconfig.without(parts) if configured else old, {}, configured)


def write(context: Context, wanted: Plan) -> None:
    """Puts it in place, whole or not at all; mode, owner and a link to the file stay.

    Raises:
        Local: another program changed the file since it was read, or it cannot be written.
    """
    with held(context):
        if read(wanted.path) != wanted.old:
            raise Local(
                f"{wanted.path} was changed by another program just now.",
                why="Nothing was written over it.",
                next="daypass configure",
            )
        _replace(wanted.path, wanted.new)


@contextlib.contextmanager
def held(context: Context) -> Iterator[None]:
    """The lock around writing the file. Raises Local."""
    with locks.held(
        context.paths.join(context.paths.state, "configure.lock"), what="another `daypass configure`"
    ):
        yield


def after(context: Context, roles: list[Role]) -> None:
    """For `login` and `roles`: puts the block in step where that was wished, else says that it is not. Never fails."""
    try:
        wanted = plan(context, roles)
        if not (wanted.configured and wanted.differs):
            return
        if settings.remembered(context.paths, SYNC) == "sync":
            write(context, wanted)
            context.output.say(f"Profiles in {wanted.path} put in step with your roles.")
        else:
            context.output.say(
                f"The profiles in {wanted.path} are not those of your roles any more: run daypass configure"
            )
    except Fail as failure:
        context.output.say(f"{failure.what} {failure.why} Run: {_COMMAND}")


def after_sign_in(context: Context) -> None:
    """For `login`: the same, asking the broker for the roles only where there is a block. Never fails."""
    try:
        if awsconfig.take_apart(read(config_path(context))).block is not None:
            after(context, all_roles(context, fresh=True))
    except awsconfig.Unclear as error:
        context.output.say(f"The profiles in {config_path(context)} are left alone: {error}.")
    except Fail as failure:
        context.output.say(f"Profiles not checked: {failure.what} {failure.why}")


def read(path: str) -> bytes:
    """The file; empty where there is none. Raises Local."""
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise Local(f"{path} cannot be read.", why=f"{error.strerror or error}.") from None
    if len(content) > LARGEST:
        raise Local(f"{path} is too large to be an AWS config file.", next=f'ls -l "{path}"')
    return content


def _refuse_taken(context: Context, path: str, parts: awsconfig.Parts, names: list[str]) -> None:
    """A name that stands outside our block, or in the credentials file, which would win over it. Raises Local."""
    credentials = credentials_path(context)
    taken = {
        name: f"{credentials}:{line}" for name, line in awsconfig.section_lines(read(credentials)).items()
    }
    taken.update((name, f"{path}:{line}") for name, line in parts.names_outside().items())
    for name in names:
        where = taken.get(name)
        if where:
            raise Local(
                f"The profile `{name}` is there already, at {where}.",
                why="It is not ours, so it is left alone. Rename it, or give ours a prefix.",
                next="daypass configure --prefix daypass-",
            )


def _place(context: Context, variable: str, name: str) -> str:
    given = context.environ.get(variable, "")
    if given == "~" or given.startswith(("~/", "~\\")):
        return context.paths.home + given[1:]
    return given or os.path.join(context.paths.home, ".aws", name)


def _replace(path: str, content: bytes) -> None:
    """Beside, then over it: who reads sees the old file or the new one. Raises Local."""
    real = os.path.realpath(path)
    beside = f"{real}.daypass-{os.getpid()}-{time.monotonic_ns() % 10**9}"
    try:
        os.makedirs(os.path.dirname(real), mode=0o700, exist_ok=True)
        before = os.stat(real) if os.path.exists(real) else None
        flags = (
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        )
        with os.fdopen(os.open(beside, flags, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            if before is not None and os.name != "nt":
                _like(file.fileno(), before)
            os.fsync(file.fileno())
        files.patient(lambda: os.replace(beside, real))
    except OSError as error:
        raise Local(f"{path} cannot be written.", why=f"{error.strerror or error}.") from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(beside)


def _like(handle: int, before: os.stat_result) -> None:
    """Owner first: a change of owner takes mode bits away. Somebody else's file stays theirs only under root."""
    if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):
            os.fchown(handle, before.st_uid, before.st_gid)
    os.fchmod(handle, stat.S_IMODE(before.st_mode))
