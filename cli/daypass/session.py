"""The sign-in at the broker: an access token whenever one is wanted, refreshed by one process for all.

The refresh token is in `keychain`; the access token (an hour at most) and who it is for stand in an owner-only
file, so that a command reads the keychain once in an hour.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Callable, TypeVar

from daypass import CLIENT_ID, cache, files, keychain, locks, sealed
from daypass.context import Context
from daypass.errors import UNREACHABLE, Fail, Local, ProofNeeded, SignInNeeded
from daypass.http import Answer, Http, refused
from daypass.times import instant

T = TypeVar("T")
MARGIN = 60.0
"""Seconds before its end at which an access token is not used any more."""
_ENDS_BY_ITSELF = "The sign-in there ends by itself; /security ends it at once."


@dataclass(frozen=True)
class Session:
    """A sign-in as it is remembered here."""

    store: str
    """Name of the store that has the refresh token."""
    access_token: str = field(repr=False)
    access_until: float
    """By this machine's clock."""
    ends: str
    """When the person has to sign in again, RFC 3339, as the broker said."""
    ends_at: float
    """The same by this machine's clock."""
    person: str
    """Who it is, for comparing only: source and subject."""
    username: str = ""
    began: float = 0.0
    """By this machine's clock."""


def signed_in(context: Context) -> bool:
    """True where a sign-in is remembered that has not ended: no network, no keychain. Raises Local."""
    kept = current(context)
    return kept is not None and context.now() < kept.ends_at


def current(context: Context) -> Session | None:
    """What is remembered, ended or not. Raises Local."""
    content = files.read(_file(context))
    if content is None:
        return None
    try:
        return Session(**json.loads(sealed.opened(content)))
    except (ValueError, TypeError, Local):
        # Another version's, or damaged: as if nobody had signed in.
        return None


def token(context: Context, *, login: bool = False) -> str:
    """An access token that is good now.

    Args:
        login: sign in where that is needed.

    Raises:
        SignInNeeded, Local, Fail.
    """
    return _usable(context, login=login, not_this="").access_token


def call(
    context: Context, method: str, path: str, *, json: object = None, login: bool = False
) -> dict[str, Any]:
    """Ask the broker as the person; a 401 is answered by one refresh and one more try.

    Raises:
        SignInNeeded, Fail.
    """
    return answer(context, method, path, json=json, login=login)[0].document


def answer(
    context: Context, method: str, path: str, *, json: object = None, login: bool = False
) -> tuple[Answer, str]:
    """As `call`, with the whole answer, and whom (`Session.person`) it is for. Raises SignInNeeded, Fail."""
    http = Http(context)
    kept = _usable(context, login=login, not_this="")
    said = http.ask(method, path, json=json, token=kept.access_token)
    if said.status == 401:
        kept = _usable(context, login=login, not_this=kept.access_token)
        said = http.ask(method, path, json=json, token=kept.access_token)
    if said.status == 401:
        raise SignInNeeded(refused(said).why, request_id=said.request_id)
    if not 200 <= said.status < 300:
        raise refused(said)
    return said, kept.person


def proving(context: Context, ask: Callable[[], T], *, login: bool) -> T:
    """What `ask` gives. Where the broker wants a second factor first, and a sign-in would be opened too (`login`), it
    is proven meanwhile, and asked once more.

    Raises:
        ProofNeeded, Fail.
    """
    try:
        return ask()
    except ProofNeeded as needed:
        if not login or context.options.no_wait:
            raise
        from daypass import stepup

        stepup.settle(context, needed)
    return ask()


def sign_in(context: Context) -> Session:
    """Sign in, whoever is signed in now; several processes at once make one sign-in.

    Raises:
        Fail.
    """
    before = current(context)
    with locks.held(lock_path(context), what="another sign-in") as waited:
        now = current(context)
        if waited and now is not None and now != before and context.now() < now.ends_at:
            return now
        old = _last_token(context, now)
        made = _sign_in(context)
        if old:
            _revoke(context, old)
        return made


def sign_out(context: Context) -> bool:
    """Forget the sign-in, its roles and its credentials here, and end it at the broker.

    Returns:
        False where nobody was signed in.

    Raises:
        Fail: the broker could not be told (5); here all is forgotten.
    """
    with locks.held(lock_path(context), what="another sign-in"):
        kept = current(context)
        token = _last_token(context, kept)
        forget(context)
        if not token:
            if kept is not None and context.now() < kept.ends_at:
                raise Local(
                    "Signed out here, but the broker could not be told.",
                    why=f"The {kept.store} does not give the sign-in out. {_ENDS_BY_ITSELF}",
                )
            return kept is not None
        try:
            said = Http(context).ask("POST", "/oauth/revoke", form={"token": token, "client_id": CLIENT_ID})
        except Fail as problem:
            raise Fail(
                problem.code,
                "Signed out here, but the broker could not be told.",
                why=f"{problem.what} {problem.why} {_ENDS_BY_ITSELF}",
            ) from problem
        if said.status >= 400:
            raise refused(said)
        return True


def forget(context: Context) -> None:
    """Leave nothing of a sign-in on this machine. Raises Local."""
    kept = current(context)
    with cache.hold(context):
        cache.empty(context)
        _drop(context, kept)


def _drop(context: Context, kept: Session | None) -> None:
    """Leave nothing that signs in; credentials that were given are good until they end."""
    files.remove(_file(context))
    if kept is not None and kept.store != keychain.FileStore.name:
        try:
            keychain.named(context, kept.store).clear()
        except Local as problem:
            context.output.say(f"{problem.what} {problem.why} The token there is not good any more.")
    keychain.file_store(context).clear()


def lock_path(context: Context) -> str:
    """The lock around sign-in and refresh, one for each broker."""
    return context.paths.join(context.paths.broker(context.key), "signin.lock")


def _usable(context: Context, *, login: bool, not_this: str) -> Session:
    """The session with an access token that is good; `not_this` is one that the broker refused."""

    def good(kept: Session | None) -> bool:
        return (
            kept is not None
            and kept.access_token != not_this
            # Longer than any token lives: the clock was set back.
            and MARGIN < kept.access_until - context.now() < 86_400
        )

    kept = current(context)
    if kept is not None and good(kept):
        return kept
    if kept is None and not login:
        raise SignInNeeded
    with locks.held(lock_path(context), what="another sign-in"):
        kept = current(context)
        if kept is not None and good(kept):
            return kept
        if kept is not None and context.now() < kept.ends_at:
            try:
                return _refreshed(context, kept)
            except SignInNeeded:
                if not login:
                    raise
        elif not login:
            raise SignInNeeded("The sign-in has ended." if kept else "Nobody is signed in here.")
        return _sign_in(context)


def _refreshed(context: Context, kept: Session) -> Session:
    """New tokens for the refresh token (RFC 6749, 6); under the lock.

    The new refresh token is on the disk before the new access token is used, and room for it is taken before it
    is asked for: until its successor is used, the broker gives the same successor again for half a minute.
    """
    store = keychain.named(context, kept.store)
    old = store.read()
    if not old:
        raise SignInNeeded(f"The {kept.store} does not have the sign-in any more.")
    with keychain.file_store(context).reserved() as put:
        said = _ask_refresh(context, old)
        if _text(said, "error") == "invalid_grant":
            _drop(context, kept)
            raise SignInNeeded(refused(said).why, request_id=said.request_id)
        if said.status >= 300:
            raise refused(said)
        fresh, where = _text(said, "refresh_token"), kept.store
        if fresh and fresh != old:
            try:
                if isinstance(store, keychain.FileStore):
                    put(fresh)
                else:
                    store.write(fresh)
            except Local:
                if isinstance(store, keychain.FileStore):
                    raise
                # Locked meanwhile: better in the file than lost.
                put(fresh)
                where = keychain.FileStore.name
    return _keep(context, said, replace(kept, store=where))


def _ask_refresh(context: Context, old: str) -> Answer:
    form = {"grant_type": "refresh_token", "refresh_token": old, "client_id": CLIENT_ID}
    http = Http(context)
    try:
        return http.ask("POST", "/oauth/token", form=form)
    except Fail as problem:
        if problem.code != UNREACHABLE:
            raise
        # The answer may have been lost on its way; asked again at once, the broker gives the same one.
        return http.ask("POST", "/oauth/token", form=form)


def _sign_in(context: Context) -> Session:
    """A new sign-in; under the lock. Another person than before: what was cached goes first."""
    from daypass import signin

    said = signin.tokens(context)
    fresh = _text(said, "refresh_token")
    if not fresh:
        raise Fail(UNREACHABLE, "The broker gave no refresh token.", next="daypass doctor")
    access = _text(said, "access_token")
    person = Http(context).call("GET", "/v1/me", token=access).document
    who = json.dumps([person.get("source"), person.get("subject")])
    before = current(context)
    with cache.hold(context):
        if before is None or before.person != who:
            cache.empty(context)
        # Gone before the token of the new sign-in takes the old one's place.
        files.remove(_file(context))
        made = Session(
            store=keychain.keep(context, fresh),
            access_token=access,
            access_until=0.0,
            ends="",
            ends_at=0.0,
            person=who,
            username=str(person.get("username") or person.get("email") or ""),
            began=context.now(),
        )
        return _keep(context, said, made)


def _keep(context: Context, said: Answer, base: Session) -> Session:
    """Write the session with the tokens of an answer, times moved to this machine's clock."""
    now = context.now()
    ends = _text(said, "session_expires_at")
    offset = now - said.date if said.date is not None else 0.0
    made = replace(
        base,
        access_token=_text(said, "access_token"),
        access_until=now + _number(said, "expires_in"),
        ends=ends,
        ends_at=instant(ends, now - offset + 43_200) + offset,
    )
    files.write(_file(context), sealed.sealed(json.dumps(asdict(made)).encode()))
    return made


def _last_token(context: Context, kept: Session | None) -> str | None:
    """What the broker ends a sign-in by: the refresh token, or where the keychain does not give that the access
    token, if it is good. Signing in or out goes on without."""
    if kept is None:
        return None
    found = None
    with contextlib.suppress(Local):
        found = keychain.named(context, kept.store).read()
    return found or (kept.access_token if context.now() < kept.access_until else None)


def _revoke(context: Context, token: str) -> None:
    """End the session that a new one has replaced; it would end by itself."""
    try:
        Http(context).ask("POST", "/oauth/revoke", form={"token": token, "client_id": CLIENT_ID})
    except Fail as problem:
        context.output.say(f"The earlier sign-in could not be ended: {problem.what}")


def _file(context: Context) -> str:
    return context.paths.join(context.paths.broker(context.key), "session")


def _text(said: Answer, name: str) -> str:
    value = said.document.get(name)
    return value if isinstance(value, str) else ""


def _number(said: Answer, name: str) -> float:
    value = said.document.get(name)
    return float(value) if isinstance(value, (int, float)) else 300.0
