"""AWS credentials for one role: from the cache, or from the broker by one process for all that wait.

What is due for renewal but good is given at once; a detached process renews it, so that no command waits.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import Any

from daypass import cache, files, locks, session
from daypass.cache import Entry, Pass
from daypass.context import Context
from daypass.errors import DENIED, Fail, Unwritable

__all__ = ["Pass", "get", "renew"]

PAUSE = 30.0
"""Seconds between two tries to renew one role in the background."""
_DETACHED = 0x00000008 | 0x00000200 | 0x08000000
"""Windows: DETACHED_PROCESS, CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW."""


def get(context: Context, role_arn: str, *, login: bool = False, duration: int | None = None) -> Pass:
    """Credentials that have at least ten minutes left (short lives: a third).

    Args:
        login: sign in, or prove a second factor, where that is needed; the configuration's `login = yes` says so too.
        duration: seconds, 900 to 3600; None: as the broker gives.

    Raises:
        SignInNeeded (3), Fail: denied (4), unreachable (5), AWS (6), Local (7), ProofNeeded (8).
    """
    login = login or context.settings.login
    # Not under the role's lock: others who want it hear at once what is needed.
    return session.proving(context, lambda: _got(context, role_arn, duration, login=login), login=login)


def _got(context: Context, role_arn: str, duration: int | None, *, login: bool) -> Pass:
    name = cache.name_of(role_arn, duration)
    with contextlib.suppress(Unwritable):  # what is good in a full disk's cache is served all the same
        cache.stamp(context)
    kept = cache.read(context, name)
    if kept is None or not kept.serves(context.now()):
        with locks.held(cache.role_lock_path(context, name), what="another daypass that fetches this role"):
            kept = cache.read(context, name)
            if kept is None or not kept.serves(context.now()):
                kept = _fetched(context, name, role_arn, duration, login=login)
        return kept.given
    if kept.due(context.now()):
        _renew_aside(context, name, role_arn, duration)
    return kept.given


def renew(context: Context, role_arn: str, duration: int | None = None) -> None:
    """Renew what is due, unless another process is at it; never a sign-in.

    Raises:
        Fail.
    """
    name = cache.name_of(role_arn, duration)
    with locks.at_once(cache.role_lock_path(context, name)) as mine:
        kept = cache.read(context, name) if mine else None
        if kept is not None and kept.due(context.now()):
            _fetched(context, name, role_arn, duration, login=False)


def _fetched(context: Context, name: str, role_arn: str, duration: int | None, *, login: bool) -> Entry:
    """New credentials, kept unless somebody else has signed in meanwhile; under the role's lock."""
    ask: dict[str, Any] = {"role": role_arn, **({} if duration is None else {"duration": duration})}
    try:
        said, person = session.answer(context, "POST", "/v1/credentials", json=ask, login=login)
    except Fail as problem:
        if problem.code == DENIED:
            problem.next = f"daypass why {role_arn}"
        raise
    made = cache.made(said.document, context.now(), said.date)
    with cache.hold(context):
        now = session.current(context)
        if now is not None and now.person == person:
            try:
                cache.store(context, name, made)
            except Unwritable as problem:
                context.output.tell(f"daypass: The credentials are not kept: {problem.what} {problem.why}")
    return made


def _renew_aside(context: Context, name: str, role_arn: str, duration: int | None) -> None:
    """Start the renewal in a process of its own that outlives this one and holds none of its streams."""
    lock = cache.role_lock_path(context, name)
    if 0 <= context.now() - files.modified(lock) < PAUSE:
        return
    with locks.at_once(lock) as free:
        if not free:
            return
        # The lock file's own time says when it was last tried: a broker that is down is not asked by every command.
        os.utime(lock, (context.now(), context.now()))
    command = [*context.command(), "--url", context.broker, "__renew", role_arn]
    if duration is not None:
        command += ["--duration", str(duration)]
    apart: dict[str, Any] = {"start_new_session": True}
    if os.name == "nt":
        apart = {"creationflags": _DETACHED}
    null = subprocess.DEVNULL
    with contextlib.suppress(OSError):  # no room for a process: what is there is good for ten minutes yet
        subprocess.Popen(  # noqa: S603 - this helper itself
            command, stdin=null, stdout=null, stderr=null, close_fds=True, cwd=context.paths.home, **apart
        )
