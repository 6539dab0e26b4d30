"""Local users: what one may be, made and changed. Every change is a new version, on record before it counts."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Final

from app.admin.desk import By, Desk
from app.errors import AskRefused, UserChanged, UserInvalid, UserTaken, UserUnknown
from app.model import AuditKind, PolicyText, Revision
from app.people import LOCAL, Alert, Link, LocalUser, UserState
from app.policy import Kind, PolicyInvalid, managed, parse, render

INVITED: Final = timedelta(hours=24)
"""How long the link of a new user is good."""
RESET: Final = timedelta(hours=1)
"""And that of one who forgot the password."""
INLINE_MOST: Final = 2048
"""Characters of all inline policies of a user together, without white space (IAM quotas)."""
_USERNAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_POLICY_NAME: Final = re.compile(r"[A-Za-z0-9_+=,.@-]{1,128}", re.ASCII)
_ID: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)
_EMAIL: Final = re.compile(r"[^\s@,;<>\"'()\\]{1,64}@[A-Za-z0-9.-]{1,190}", re.ASCII)


@dataclass(frozen=True, slots=True)
class UserChange:
    """What is to be different; None leaves a part as it is."""

    name: str | None = None
    email: str | None = None
    groups: tuple[str, ...] | None = None
    policies: tuple[str, ...] | None = None
    inline: Mapping[str, str] | None = None
    """All inline policies by name, as IAM JSON."""
    boundary: str | None = None
    """Empty: none."""
    state: UserState | None = None
    """Never DELETED: `delete_user` does that."""

    def of(self, user: LocalUser) -> LocalUser:
        """The user with it."""
        new = {
            name: value for name in ("name", "email", "state") if (value := getattr(self, name)) is not None
        }
        if self.groups is not None:
            new["groups"] = tuple(sorted(set(self.groups)))
        if self.policies is not None:
            new["policies"] = tuple(sorted(set(self.policies)))
        if self.boundary is not None:
            new["boundary"] = self.boundary or None
        if self.inline is not None:
            new["inline"] = inline_of(user.username, self.inline)
        return replace(user, **new)


def inline_of(username: str, texts: Mapping[str, str]) -> tuple[PolicyText, ...]:
    """Inline policies with their places, by name."""
    return tuple(
        PolicyText(name=f"user/{username}/{name}", text=texts[name], file=f"user/{username}/{name}")
        for name in sorted(texts)
    )


def inline_name(policy: PolicyText) -> str:
    """The name that an inline policy has at its user."""
    return policy.name.rpartition("/")[2]


def differences(before: LocalUser, after: LocalUser) -> Mapping[str, object]:
    """What differs, as JSON values, for the record: `{"groups": {"from": […], "to": […]}}`."""
    found: dict[str, object] = {}
    for field in fields(LocalUser):
        if field.name in ("version", "since", "by"):
            continue
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old != new:
            found[field.name] = {"from": _json(old), "to": _json(new)}
    return found


def told_change(change: object) -> str:
    """One of `differences` for people to read: `sre, ops → sre`; of inline policies, which ones are new, gone, other."""
    if not isinstance(change, Mapping):
        return str(change)
    old, new = change.get("from"), change.get("to")
    if (
        isinstance(old, list)
        and isinstance(new, list)
        and any(isinstance(each, Mapping) for each in (*old, *new))
    ):
        before = {each["name"]: each["text"] for each in old}
        after = {each["name"]: each["text"] for each in new}
        parts = [f"{name} added" for name in after if name not in before]
        parts += [f"{name} taken away" for name in before if name not in after]
        parts += [f"{name} changed" for name in after if name in before and after[name] != before[name]]
        return ", ".join(parts)
    return f"{_told(old)} → {_told(new)}"


def _told(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value) if value else "none"


def _json(value: object) -> object:
    if isinstance(value, tuple):
        return [
            {"name": inline_name(each), "text": each.text} if isinstance(each, PolicyText) else each
            for each in value
        ]
    return value


def known_groups(revision: Revision) -> frozenset[str]:
    """The bare names of groups that mean something: in groups.yaml, in a provider's table, in a role's `allow`."""
    mapped = (name for provider in revision.providers.values() for name in provider.groups.names.values())
    allowed = (name for role in revision.roles.values() for name in role.allow)
    return frozenset(name for name in (*revision.groups, *mapped, *allowed) if "/" not in name)


def check_user(user: LocalUser, revision: Revision, *, was: LocalUser | None = None) -> None:
    """Whether a user can be like that under a revision. What `was` so already is not asked again.

    Raises:
        UserInvalid, with words that say which part and what to write instead; PolicyInvalid for an inline document.
    """
    if not _USERNAME.fullmatch(user.username):
        raise _invalid("username", "1 to 64 of `a-z0-9._-`, the first a letter or digit")
    if was is None and _ID.fullmatch(user.username):
        # Else a command that names one user by id would meet the other.
        raise _invalid("username", "anything but 16 hex digits, which is what ids look like")
    for part, value, most in (("name", user.name, 128), ("email", user.email, 254)):
        if len(value) > most or not _printable(value):
            raise _invalid(part, f"at most {most} printable characters")
    if user.email and not _EMAIL.fullmatch(user.email):
        raise _invalid("email", "one address like nina@acme.test, or nothing")
    groups = known_groups(revision)
    for group in _new(user.groups, was.groups if was else ()):
        if "/" in group:
            raise UserInvalid(
                words=f"`{group}` is a group of a directory or app, which alone says who is in it."
            )
        if group not in groups:
            raise UserInvalid(words=f"There is no group `{group}`.{near_word(group, groups)}")
    policies = frozenset({*revision.policies, *(managed.PREFIX + name for name in managed.NAMES)})
    wanted = [*_new(user.policies, was.policies if was else ())]
    if user.boundary is not None and (was is None or user.boundary != was.boundary):
        wanted.append(user.boundary)
    for name in wanted:
        if name not in policies:
            raise UserInvalid(words=f"There is no policy `{name}`.{near_word(name, policies)}")
    if user.boundary is not None and user.boundary.startswith(managed.PREFIX):
        raise UserInvalid(
            words="A boundary caps what a session may do in AWS: name a policy of config/policies/."
        )
    if was is None or user.inline != was.inline:
        _check_inline(user.inline)


def _check_inline(policies: Sequence[PolicyText]) -> None:
    size = 0
    for policy in policies:
        if not _POLICY_NAME.fullmatch(inline_name(policy)):
            raise _invalid("the name of an inline policy", "1 to 128 of `A-Za-z0-9_+=,.@-`")
        size += len(render(parse(policy, Kind.IDENTITY)))
    if size > INLINE_MOST:
        raise UserInvalid(
            words=f"The inline policies have {size} characters together; {INLINE_MOST} are the most. Attach a policy of "
            "config/policies/ instead."
        )


class Users(Desk):
    """Local users."""

    # --- looking ----------------------------------------------------------------------------------

    def users(self, at: datetime | None = None) -> Sequence[LocalUser]:
        """Everybody, by name; as they were at a time, if one is given. Raises StoreUnavailable, Unavailable."""
        return sorted(self._store.users.all(at), key=lambda user: user.username)

    def user(self, who: str, at: datetime | None = None) -> LocalUser:
        """By name, `local/NAME` or id. Raises UserUnknown."""
        name = who.removeprefix(f"{LOCAL}/")
        found = self._store.users.by_username(name)
        if found is None or at is not None:
            id = found.id if found is not None else name
            found = self._store.users.get(id, at)
        if found is None and at is not None:
            found = next((each for each in self._store.users.all(at) if each.username == name), None)
        if found is None:
            names = [each.username for each in self._store.users.all()]
            raise UserUnknown(
                "no such user", words=f"There is no local user `{name[:64]}`.{near_word(name[:64], names)}"
            )
        return found

    def user_history(self, id: str) -> Sequence[LocalUser]:
        """Every version, newest first. Raises UserUnknown."""
        found = self._store.users.history(id)
        if not found:
            raise UserUnknown("no such user")
        return found[::-1]

    # --- changing ---------------------------------------------------------------------------------

    def create_user(self, username: str, change: UserChange, *, by: By) -> LocalUser:
        """A new user, who can do nothing but what is attached; they need a link (`password_link`) to sign in.

        Raises:
            UserInvalid, PolicyInvalid, UserTaken, AuditUnavailable, StoreUnavailable.
        """
        now = self._clock.now()
        blank = LocalUser(id=secrets.token_hex(8), username=unicodedata.normalize("NFC", username).strip())
        made = replace(change.of(blank), since=now, by=by.name)
        check_user(made, self.revision())
        if self._store.users.by_username(made.username) is not None:
            raise UserTaken
        detail = {"username": made.username, "version": 1, "changes": differences(blank, made)}
        self._note(AuditKind.USER_CREATED, by, now, detail, person=(LOCAL, made.id))
        if not self._store.users.create(made, by=by.name, at=now):
            self._note(
                AuditKind.USER_CREATED,
                by,
                now,
                {"username": made.username, "failed": UserTaken.code},
                person=(LOCAL, made.id),
            )
            raise UserTaken
        return made

    def change_user(self, id: str, after: int, change: UserChange, *, by: By) -> LocalUser:
        """A new version of a user, if `after` still is the latest.

        Raises:
            UserUnknown, UserInvalid, PolicyInvalid, UserChanged, AuditUnavailable, StoreUnavailable.
        """
        before = self._latest(id, after)
        if change.state is UserState.DELETED:
            raise UserInvalid("a change is no deletion")
        wanted = change.of(before)
        check_user(wanted, self.revision(), was=before)
        return self._put(before, wanted, by, {})

    def restore_user(self, id: str, version: int, after: int, *, by: By) -> LocalUser:
        """Bring an earlier version back, as a new one: the undo of every change but a deletion.

        Raises as `change_user`; AskRefused if there is no such version.
        """
        before = self._latest(id, after)
        earlier = next((each for each in self._store.users.history(id) if each.version == version), None)
        if earlier is None or earlier.state is UserState.DELETED:
            raise AskRefused(
                f"version {version}", words=f"There is no version {version} of this user to go back to."
            )
        check_user(earlier, self.revision(), was=before)
        return self._put(before, replace(earlier, username=before.username), by, {"restores": version})

    def delete_user(self, id: str, after: int, *, by: By) -> None:
        """For good: factors and sessions go too, the name is free again. Raises as `change_user`."""
        before = self._latest(id, after)
        self._put(before, replace(before, state=UserState.DELETED), by, {}, AuditKind.USER_DELETED)

    def link_life(self, id: str) -> timedelta:
        """How long a link for a user would be good: longer for who has never had a password."""
        account = self._store.users.account(id)
        return RESET if account is not None and account.password else INVITED

    def check_mailable(self, email: str) -> None:
        """Whether a link could be mailed there. Raises UserInvalid."""
        if not email:
            raise UserInvalid(
                words="There is no address to send a link to. Write one, or hand the link over."
            )
        if self.revision().settings.mail is None:
            raise UserInvalid(
                words="No mail is configured (`mail` in daypass.yaml). Hand the link over yourself."
            )

    def password_link(self, id: str, *, by: By, send: bool = False) -> str:
        """A one-time link with which a user sets a password; earlier ones are worth nothing any more.

        It is good for `link_life`. `send`: mail it to the user, instead of handing it over; then the answer is empty.

        Raises:
            UserUnknown, UserInvalid (disabled, or it cannot be mailed), AuditUnavailable, StoreUnavailable.
        """
        now = self._clock.now()
        user = self._store.users.get(id)
        if user is None or user.state is UserState.DELETED:
            raise UserUnknown("no such user")
        if user.state is UserState.DISABLED:
            raise UserInvalid(words="This user is disabled. Enable them first.")
        if send:
            self.check_mailable(user.email)
        life = self.link_life(id)
        token = secrets.token_urlsafe(32)
        detail: dict[str, object] = {
            "purpose": "password",
            "seconds": int(life.total_seconds()),
            "sent": send,
        }
        self._note(AuditKind.LINK_MADE, by, now, detail, person=(LOCAL, id))
        self._store.links.add(token, Link("password", id, now + life, by.name))
        revision = self.revision()
        url = f"{revision.settings.base_url}/link?t={token}"
        if not send:
            return url
        self._tell(
            Alert(
                id=secrets.token_hex(8),
                kind="link.password",
                at=now,
                title=f"{revision.settings.name}: set your password",
                text=f"With this link you set your password at {revision.settings.name}, once, within {_span(life)}:"
                f"\n\n{url}\n\nIf you expected no such mail, tell the people who run {revision.settings.name}.",
                to=user.email,
            )
        )
        return ""

    # --- steps ------------------------------------------------------------------------------------

    def _latest(self, id: str, after: int) -> LocalUser:
        found = self._store.users.get(id)
        if found is None or found.state is UserState.DELETED:
            raise UserUnknown("no such user")
        if found.version != after:
            raise UserChanged(f"version {after} is not the latest any more, {found.version} is")
        return found

    def _put(
        self,
        before: LocalUser,
        wanted: LocalUser,
        by: By,
        detail: Mapping[str, object],
        kind: AuditKind = AuditKind.USER_CHANGED,
    ) -> LocalUser:
        now = self._clock.now()
        changes = differences(before, wanted)
        if not changes:
            return before
        facts = {"username": before.username, "version": before.version + 1, **detail, "changes": changes}
        self._note(kind, by, now, facts, person=(LOCAL, before.id))
        made = self._store.users.change(wanted, before.version, by=by.name, at=now)
        if made is None:
            failed = {"username": before.username, "failed": UserChanged.code}
            self._note(kind, by, now, failed, person=(LOCAL, before.id))
            raise UserChanged
        if made.state is not UserState.ACTIVE:
            self._shut(made, now)
        elif made.email != before.email:
            self._moved(before, made, now)
        elif self._rights(made) != self._rights(before) and self.link_life(made.id) == RESET:
            # Whoever was given a link does not become by it what the user is now. A first one stays good: the rest
            # of making a user comes after it.
            self._store.links.end_all("password", made.id, now)
        return made

    @staticmethod
    def _rights(user: LocalUser) -> object:
        return user.groups, user.policies, user.inline, user.boundary

    def _moved(self, before: LocalUser, made: LocalUser, now: datetime) -> None:
        """Who reads the old address can use no link that went there, and hears that the next one goes elsewhere."""
        self._store.links.end_all("password", made.id, now)
        if not before.email:
            return
        name = self.revision().settings.name
        self._tell(
            Alert(
                id=secrets.token_hex(8),
                kind="user.address",
                at=now,
                title=f"{name}: your address was changed",
                text=f"{made.by} changed the address of {before.username} at {name}. Links and notices go to another "
                f"one from now on. If you did not expect this, tell the people who run {name} at once.",
                to=before.email,
            )
        )

    def _shut(self, user: LocalUser, now: datetime) -> None:
        """Whoever may not sign in any more is signed out, and their links are worth nothing."""
        self._store.users.renew_epoch(user.id, now)
        self._store.sessions.end_all(LOCAL, user.id, now)
        self._store.links.end_all("password", user.id, now)
        if user.state is UserState.DELETED:
            self._store.factors.end_all(LOCAL, user.id, now)
            self._store.known_devices.forget_all(LOCAL, user.id)


def _invalid(part: str, expected: str) -> UserInvalid:
    return UserInvalid(words=f"The {part} is not right: expected {expected}.")


def _new(wanted: Iterable[str], had: Iterable[str]) -> Sequence[str]:
    known = set(had)
    return [each for each in wanted if each not in known]


def near_word(name: str, known: Iterable[str]) -> str:
    """` Did you mean …?`, where something is called nearly that."""
    near = get_close_matches(name, list(known), 1, 0.6)
    return f" Did you mean `{near[0]}`?" if near else ""


def _printable(text: str) -> bool:
    return all(char.isprintable() for char in text)


def _span(life: timedelta) -> str:
    hours = int(life.total_seconds()) // 3600
    return f"{hours} hours" if hours > 1 else "an hour"


__all__ = [
    "INVITED",
    "RESET",
    "PolicyInvalid",
    "UserChange",
    "Users",
    "check_user",
    "differences",
    "known_groups",
    "near_word",
    "told_change",
]
