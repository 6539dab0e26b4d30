"""Local users: every change a new sealed version, compared and set; and what they sign in with."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, func, select, update
from sqlalchemy.exc import IntegrityError

from app.errors import StoreUnavailable, UserTaken
from app.model import PolicyText
from app.people import ROOT_SUBJECT, Account, LocalUser, UserState
from app.sealing import Sealer
from app.store.codec import Document, digest, findable
from app.store.database import Database
from app.store.sealed import Sealed
from app.store.tables import USER_VERSIONS, USERS
from app.store.times import from_micros, to_micros

_VERSION: Final = (
    USER_VERSIONS.c.user,
    USER_VERSIONS.c.version,
    USER_VERSIONS.c.since,
    USER_VERSIONS.c.document,
)
_CURRENT: Final = select(*_VERSION).join_from(
    USERS,
    USER_VERSIONS,
    (USER_VERSIONS.c.user == USERS.c.id) & (USER_VERSIONS.c.version == USERS.c.version),
)
_BY_ID: Final = _CURRENT.where(USERS.c.id == bindparam("wanted"))
_BY_NAME: Final = _CURRENT.where(USERS.c.username == bindparam("wanted"))
_AUTHORITY: Final = _BY_ID.add_columns(USERS.c.epoch)
_BEFORE: Final = (
    select(*_VERSION)
    .where(USER_VERSIONS.c.user == bindparam("wanted"), USER_VERSIONS.c.since <= bindparam("at"))
    .order_by(USER_VERSIONS.c.version.desc())
    .limit(1)
)
_HISTORY: Final = (
    select(*_VERSION).where(USER_VERSIONS.c.user == bindparam("wanted")).order_by(USER_VERSIONS.c.version)
)
# A deleted user has no name in its row, and stays as it is.
_NEXT: Final = (
    update(USERS)
    .where(USERS.c.id == bindparam("wanted"), USERS.c.version == bindparam("after"))
    .where(USERS.c.username.is_not(None))
)
_ACCOUNT: Final = select(USERS.c.epoch, USERS.c.account).where(USERS.c.id == bindparam("wanted"))
_NOBODY: Final = "0" * 16
"""An id that no user has."""
_NEVER: Final = from_micros(0)


class Users:
    """Rows are found by id or by the digest of the name; what a user is, and the password's hash, are sealed.

    A version that cannot be opened is StoreUnavailable, not absent: nobody is taken for somebody else, and no
    list leaves somebody out.
    """

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._versions = Sealed(sealer, "user versions")
        self._accounts = Sealed(sealer, "users")
        self._authority = database.prepare(_AUTHORITY)
        self._insert = database.insert(USERS).on_conflict_do_nothing().returning(USERS.c.id)
        # What is opened in place of a user whom there is not: opening takes time, which must not tell.
        nobody = LocalUser(id=_NOBODY, username="nobody", name="Nobody", groups=("nobody",), by="nobody")
        self._nobody = self._versions.close(_version_name(_NOBODY, 1, _NEVER), _dump(nobody))
        kept = _dump_account(Account(_NOBODY, "x" * 97, _NEVER))
        self._nobodys_account = self._accounts.close(_NOBODY, kept)

    # --- versions ---------------------------------------------------------------------------------

    def create(self, user: LocalUser, *, by: str, at: datetime) -> bool:
        """Remember a new user, as version 1. False, and nothing kept, if the name (or the id) is taken."""
        first = replace(user, version=1, since=at, by=by)
        row = {
            "id": user.id,
            "username": _name_digest(user.username),
            "version": 1,
            "created_at": at,
            "epoch": _new_epoch(),
            "account": self._accounts.close(user.id, _dump_account(Account(user.id))),
        }
        with self._database.write() as connection:
            if connection.execute(self._insert, row).one_or_none() is None:
                return False
            connection.execute(USER_VERSIONS.insert(), self._row(first, at))
        return True

    def get(self, id: str, at: datetime | None = None) -> LocalUser | None:
        """A user as of now, deleted ones too, or as of then. None: there is, or was, no such user."""
        if not findable(id):
            return None
        query, values = (_BY_ID, {"wanted": id}) if at is None else (_BEFORE, {"wanted": id, "at": at})
        with self._database.read() as connection:
            row = connection.execute(query, values).one_or_none()
        return None if row is None else self._user(row)

    def by_username(self, name: str) -> LocalUser | None:
        """The user of that name, unless deleted."""
        with self._database.read() as connection:
            row = connection.execute(_BY_NAME, {"wanted": _name_digest(name)}).one_or_none()
        if row is None:
            self._load(_NOBODY, 1, _NEVER, self._nobody)
            return None
        return self._user(row)

    def all(self, at: datetime | None = None) -> Sequence[LocalUser]:
        """Everybody who is not deleted, as of now or then, by name."""
        if at is None:
            query = _CURRENT.where(USERS.c.username.is_not(None))
        else:
            newest = (
                select(USER_VERSIONS.c.user, func.max(USER_VERSIONS.c.version).label("version"))
                .where(USER_VERSIONS.c.since <= at)
                .group_by(USER_VERSIONS.c.user)
                .subquery()
            )
            query = select(*_VERSION).join_from(
                USER_VERSIONS,
                newest,
                (USER_VERSIONS.c.user == newest.c.user) & (USER_VERSIONS.c.version == newest.c.version),
            )
        with self._database.read() as connection:
            users = [self._user(row) for row in connection.execute(query)]
        there = [user for user in users if user.state is not UserState.DELETED]
        return sorted(there, key=lambda user: (user.username, user.id))

    def change(self, user: LocalUser, after: int, *, by: str, at: datetime) -> LocalUser | None:
        """Write version `after` + 1. None, and nothing changed, if the current one is not `after`, or the user is deleted.

        A user that may not sign in any more gets a new epoch in the same step. Raises UserTaken if another user
        has the name.
        """
        if not findable(user.id):
            return None
        changed = replace(user, version=after + 1, since=at, by=by)
        deleted = changed.state is UserState.DELETED
        values: dict[str, object] = {
            "version": after + 1,
            "username": None if deleted else _name_digest(user.username),
        }
        if changed.state is not UserState.ACTIVE:
            values["epoch"] = _new_epoch()
        with self._database.write() as connection:
            try:
                next_one = _NEXT.values(**values)
                if connection.execute(next_one, {"wanted": user.id, "after": after}).rowcount != 1:
                    return None
            except IntegrityError:
                connection.rollback()
                raise UserTaken(f"user {user.id} was to be called {user.username}") from None
            connection.execute(USER_VERSIONS.insert(), self._row(changed, at))
        return changed

    def history(self, id: str) -> Sequence[LocalUser]:
        """Every version of a user, oldest first."""
        if not findable(id):
            return ()
        with self._database.read() as connection:
            return [self._user(row) for row in connection.execute(_HISTORY, {"wanted": id})]

    def count(self) -> int:
        """How many there are that are not deleted."""
        query = select(func.count()).select_from(USERS).where(USERS.c.username.is_not(None))
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def authority(self, id: str) -> tuple[LocalUser, str] | None:
        """The current version and the epoch, in one small read: for every request of a local user."""
        if not findable(id):
            return None
        with self._database.reading() as line:
            row = self._authority.one(line, {"wanted": id})
        if row is None:
            return None
        user = self._load(row.user, row.version, row.since, row.document)
        return user, str(row.epoch)

    # --- accounts ---------------------------------------------------------------------------------

    def ensure_root(self, now: datetime) -> None:
        """See to it that root has a row, without a name and without versions."""
        row = {
            "id": ROOT_SUBJECT,
            "username": None,
            "version": 0,
            "created_at": now,
            "epoch": _new_epoch(),
            "account": self._accounts.close(ROOT_SUBJECT, _dump_account(Account(ROOT_SUBJECT))),
        }
        with self._database.write() as connection:
            connection.execute(self._insert, row)

    def account(self, id: str) -> Account | None:
        """What a user, or root, signs in with."""
        if not findable(id):
            return None
        with self._database.read() as connection:
            row = connection.execute(_ACCOUNT, {"wanted": id}).one_or_none()
        if row is None:
            self._accounts.open(_NOBODY, self._nobodys_account)
            return None
        return self._account(id, row)

    def set_account(self, account: Account, now: datetime) -> bool:
        """Keep it. Another `password_at` is another password: it comes with a new epoch, which ends all sessions.

        False, and nothing changed, if there is no such user, or if `account` says an epoch that is not the
        present one: the password was changed since it was read, so that what was made of the old one (its hash
        with newer parameters) is out of date. Without an epoch it holds whatever was there.
        """
        if not findable(account.id):
            return False
        sealed = self._accounts.close(account.id, _dump_account(account))
        with self._database.write() as connection:
            # The row is held until the commit.
            held = _ACCOUNT.with_for_update()
            row = connection.execute(held, {"wanted": account.id}).one_or_none()
            if row is None or account.epoch not in ("", row.epoch):
                return False
            same = self._account(account.id, row).password_at == account.password_at
            values = {"account": sealed, "epoch": row.epoch if same else _new_epoch()}
            connection.execute(update(USERS).where(USERS.c.id == account.id).values(**values))
        return True

    def epoch(self, id: str) -> str | None:
        """The present epoch of a user or of root: the sessions of an earlier one are over."""
        if not findable(id):
            return None
        query = select(USERS.c.epoch).where(USERS.c.id == id)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one_or_none()

    def renew_epoch(self, id: str, now: datetime) -> str:
        """End all sessions of a user or of root; the new epoch, also where there is nobody to have it."""
        fresh = _new_epoch()
        if findable(id):
            with self._database.write() as connection:
                connection.execute(update(USERS).where(USERS.c.id == id).values(epoch=fresh))
        return fresh

    # --- rows -------------------------------------------------------------------------------------

    def _row(self, user: LocalUser, at: datetime) -> Mapping[str, object]:
        return {
            "user": user.id,
            "version": user.version,
            "since": at,
            "by": user.by,
            "document": self._versions.close(_version_name(user.id, user.version, at), _dump(user)),
        }

    def _user(self, row: Row[*tuple[Any, ...]]) -> LocalUser:
        return self._load(row.user, row.version, row.since, row.document)

    def _load(self, id: str, version: int, since: datetime, text: str) -> LocalUser:
        document = self._versions.open(_version_name(id, version, since), text)
        if document is None:
            raise StoreUnavailable(f"version {version} of user {id} was altered, or its sealing key is gone")
        return LocalUser(
            id=id,
            username=document["username"],
            name=document["name"],
            email=document["email"],
            groups=tuple(document["groups"]),
            policies=tuple(document["policies"]),
            inline=tuple(PolicyText(**each) for each in document["inline"]),
            boundary=document["boundary"],
            state=UserState(document["state"]),
            version=version,
            since=since,
            by=document["by"],
        )

    def _account(self, id: str, row: Row[*tuple[Any, ...]]) -> Account:
        document = self._accounts.open(id, row.account)
        if document is None:
            raise StoreUnavailable(f"the account of user {id} was altered, or its sealing key is gone")
        password_at = document["password_at"]
        return Account(
            id=id,
            password=document["password"],
            password_at=None if password_at is None else from_micros(password_at),
            epoch=row.epoch,
            must_change=document["must_change"],
        )


def _dump(user: LocalUser) -> Document:
    return {
        "username": user.username,
        "name": user.name,
        "email": user.email,
        "groups": list(user.groups),
        "policies": list(user.policies),
        "inline": [
            {"name": own.name, "text": own.text, "file": own.file, "line": own.line} for own in user.inline
        ],
        "boundary": user.boundary,
        "state": user.state.value,
        "by": user.by,
    }


def _dump_account(account: Account) -> Document:
    password_at = account.password_at
    return {
        "password": account.password,
        "password_at": None if password_at is None else to_micros(password_at),
        "must_change": account.must_change,
    }


def _name_digest(username: str) -> str:
    return digest("username", username)


def _version_name(id: str, version: int, since: datetime) -> str:
    return f"{id}/{version}/{since.isoformat()}"


def _new_epoch() -> str:
    return secrets.token_hex(16)
