"""Local users, as people may manage them: each part of a change asks for the action that it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.admin import UserChange, inline_name
from app.admin.users import check_user, differences, known_groups
from app.delegation.desk import Asking, Desk
from app.delegation.might import might_of, own_might
from app.errors import UserChanged, UserUnknown
from app.model import Caller, Revision, Session
from app.people import LOCAL, LocalUser, UserState
from app.policy import actions, managed
from app.policy.actions import AdminAction

ANYBODY = actions.person_resource(LOCAL, "*")
"""What creating is asked on: there is no id yet."""
_KIND: Final = actions.READ_PEOPLE.kind


@dataclass(frozen=True, slots=True)
class UserChoices:
    """What this person may give local users and take from them."""

    groups: tuple[str, ...]
    policies: tuple[str, ...]
    inline: bool
    """Inline policies of some name, which hold whatever is written into them."""


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """A group, as those see it who look at users."""

    name: str
    description: str
    mfa: bool
    policies: tuple[str, ...]
    """Managed and inline, by name."""
    roles: tuple[str, ...]
    """ACCOUNT-NAME/ROLE of the short form `allow`."""


class Users(Desk):
    """Local users."""

    def user_choices(self, session: Session, username: str = "*", *, caller: Caller) -> UserChoices:
        """Groups and policies to choose from. Nothing is put on record: it is the person's own rights.

        `username`: for whom; inline policies are asked for by a name that begins with it.
        """
        asking = self._asking(session, caller)
        revision = asking.running.revision
        policies = (*revision.policies, *(managed.PREFIX + name for name in managed.NAMES))
        return UserChoices(
            groups=tuple(
                name
                for name in sorted(known_groups(revision))
                if asking.may(actions.CHANGE_MEMBERS, actions.group_resource(name))
            ),
            policies=tuple(
                name
                for name in sorted(policies)
                if asking.may(actions.ATTACH_POLICY, actions.policy_resource(name))
            ),
            inline=asking.may(actions.ATTACH_POLICY, actions.policy_resource(f"user/{username}/*")),
        )

    def new_user(self, session: Session, *, caller: Caller) -> UserChoices:
        """The same, for somebody about to be created. Raises Unknown, AuditUnavailable, StoreUnavailable."""
        self._need(session, actions.CREATE_USER, ANYBODY, caller, {"form": True})
        return self.user_choices(session, caller=caller)

    def rights_over(self, session: Session, id: str, *, caller: Caller) -> frozenset[AdminAction]:
        """The actions that this person may take on that user; nothing is put on record."""
        asking = self._asking(session, caller)
        return frozenset(
            row for row in actions.ACTIONS if row.kind == _KIND and asking.may(row, _resource(id))
        )

    def users(self, session: Session, *, caller: Caller) -> Sequence[LocalUser]:
        """Those whom this person may see, by name. Raises Unknown, AuditUnavailable, StoreUnavailable."""
        asking = self._asking(session, caller)
        self._need_anywhere(asking, actions.READ_PEOPLE)
        return [
            user
            for user in self._administration.users()
            if asking.may(actions.READ_PEOPLE, _resource(user.id))
        ]

    def groups(self, session: Session, *, caller: Caller) -> Sequence[GroupFacts]:
        """Every flat group. Raises Unknown, AuditUnavailable, StoreUnavailable."""
        asking = self._asking(session, caller)
        self._need_anywhere(asking, actions.READ_PEOPLE)
        revision = asking.running.revision
        return [_group(name, revision) for name in sorted(known_groups(revision))]

    def user(self, session: Session, id: str, *, caller: Caller) -> LocalUser:
        """One of them. Raises UserUnknown too."""
        self._need(session, actions.READ_PEOPLE, _resource(id), caller, {})
        return self._found(id)

    def user_history(self, session: Session, id: str, *, caller: Caller) -> Sequence[LocalUser]:
        """Every version, newest first. Raises UserUnknown too."""
        self._need(session, actions.READ_PEOPLE, _resource(id), caller, {"read": "versions"})
        return self._administration.user_history(id)

    def create_user(
        self, session: Session, username: str, change: UserChange, *, send: bool, caller: Caller
    ) -> tuple[LocalUser, str]:
        """A new user, and the link with which they set their first password; empty if it was mailed.

        Raises UserInvalid, PolicyInvalid, UserTaken, SecondPersonNeeded too.
        """
        asking = self._asking(session, caller)
        blank = LocalUser(id="", username=username[:128])
        made = change.of(blank)
        # Whoever may create says who it is: name and address are part of it.
        own = (actions.CHANGE_USER, actions.RESET_PASSWORD)
        parts = [part for part in _asked(ANYBODY, blank, made) if part[0] not in own]
        used = self._decided(asking, [(actions.CREATE_USER, ANYBODY), *parts], {"user": blank.username})
        check_user(made, asking.running.revision)
        if send:
            self._administration.check_mailable(made.email)
        self._need_no_more(asking, ANYBODY, blank, made)
        self._used(asking, used)
        user = self._administration.create_user(username, change, by=asking.by)
        return user, self._administration.password_link(user.id, by=asking.by, send=send)

    def change_user(
        self, session: Session, id: str, after: int, change: UserChange, *, caller: Caller
    ) -> LocalUser:
        """A new version. Raises UserUnknown, UserInvalid, PolicyInvalid, UserChanged, SecondPersonNeeded too."""
        asking = self._asking(session, caller)
        before = self._visible(asking, id, after)
        self._need_parts(asking, before, change.of(before))
        return self._administration.change_user(id, after, change, by=asking.by)

    def restore_user(
        self, session: Session, id: str, version: int, after: int, *, caller: Caller
    ) -> LocalUser:
        """An earlier version again, as a new one. Raises as `change_user`, and AskRefused."""
        asking = self._asking(session, caller)
        before = self._visible(asking, id, after)
        earlier = next(
            (each for each in self._administration.user_history(id) if each.version == version), before
        )
        self._need_parts(asking, before, replace(earlier, username=before.username))
        return self._administration.restore_user(id, version, after, by=asking.by)

    def delete_user(self, session: Session, id: str, after: int, *, caller: Caller) -> None:
        """For good. Raises UserUnknown, UserChanged too."""
        asking = self._need(session, actions.DELETE_USER, _resource(id), caller, {})
        self._administration.delete_user(id, after, by=asking.by)

    def password_link(self, session: Session, id: str, *, send: bool, caller: Caller) -> str:
        """A one-time link, to hand over; or mailed, and then the answer is empty.

        Raises UserUnknown, UserInvalid, SecondPersonNeeded (for oneself, or who may administer more) too.
        """
        asking = self._asking(session, caller)
        used = self._decided(asking, [(actions.RESET_PASSWORD, _resource(id))], {"send": send})
        self._need_not_above(asking, self._found(id), actions.RESET_PASSWORD)
        self._used(asking, used)
        return self._administration.password_link(id, by=asking.by, send=send)

    # --- steps ------------------------------------------------------------------------------------

    def _found(self, id: str) -> LocalUser:
        found = self._store.users.get(id)
        if found is None or found.state is UserState.DELETED:
            raise UserUnknown("no such user")
        return found

    def _visible(self, asking: Asking, id: str, after: int) -> LocalUser:
        """A user whom one may see, in the version `after`.

        Raises Unknown for one whom one may not, as if there were none; UserChanged if the latest is another, so that
        what is asked for is asked about the version that is changed.
        """
        if not asking.may(actions.READ_PEOPLE, _resource(id)):
            detail = {"action": actions.READ_PEOPLE.name, "resource": _resource(id), "why": "may not be seen"}
            raise self._refused(asking, detail)
        found = self._found(id)
        if found.version != after:
            raise UserChanged(f"version {after} is not the latest any more, {found.version} is")
        return found

    def _need_parts(self, asking: Asking, before: LocalUser, after: LocalUser) -> None:
        """Ask for every action that a change amounts to; all of them are on record. Raises Unknown, SecondPersonNeeded."""
        resource = _resource(before.id)
        wanted = dict.fromkeys(_asked(resource, before, after)) or {(actions.CHANGE_USER, resource): None}
        used = self._decided(asking, wanted, {"user": before.id})
        check_user(after, asking.running.revision, was=before)
        if (actions.RESET_PASSWORD, resource) in wanted:
            self._need_not_above(asking, before, actions.CHANGE_USER)
        self._need_no_more(asking, resource, before, after)
        self._used(asking, used)

    def _need_not_above(self, asking: Asking, user: LocalUser, row: AdminAction) -> None:
        """Who could become a user must be as much as that user, and another: one's own password takes a fresh proof."""
        if (asking.by.source, asking.by.subject) == (LOCAL, user.id):
            words = "This cannot be done to oneself. Your own password is changed on your page Security."
            raise self._not_alone(asking, row, _resource(user.id), "oneself", words)
        above = might_of(asking, user) - own_might(asking)
        if above:
            words = f"{user.username} may do in daypass what you may not. Somebody who may must do this."
            raise self._not_alone(asking, row, _resource(user.id), f"above: {_names(above)}", words)

    def _need_no_more(self, asking: Asking, resource: str, before: LocalUser, after: LocalUser) -> None:
        """Nobody gives actions of daypass that they do not have: by a group, a policy, a version, or by enabling."""
        enabled = before.state is not UserState.ACTIVE and after.state is UserState.ACTIVE
        changed = differences(before, after).keys()
        if not enabled and not changed & {"groups", "policies", "inline", "boundary"}:
            return
        had: frozenset[AdminAction] = frozenset()
        if before.id and not enabled:
            had = might_of(asking, before, unsaid=had)
        given = might_of(asking, after) - had - own_might(asking)
        if given:
            words = f"This would let {after.username} do in daypass what you may not do: {_names(given)}."
            raise self._not_alone(asking, actions.CHANGE_USER, resource, f"gives {_names(given)}", words)


def _group(name: str, revision: Revision) -> GroupFacts:
    found = revision.groups.get(name)
    inline = tuple(each.name.rpartition("/")[2] for each in found.inline) if found else ()
    return GroupFacts(
        name=name,
        description=found.description if found else "",
        mfa=bool(found and found.mfa),
        policies=(*found.policies, *inline) if found else (),
        roles=tuple(
            sorted(
                f"{role.account_name}/{role.name}" for role in revision.roles.values() if name in role.allow
            )
        ),
    )


def _resource(id: str) -> str:
    return actions.person_resource(LOCAL, id)


def _names(rows: Iterable[AdminAction]) -> str:
    return ", ".join(sorted(row.name for row in rows))


def _asked(resource: str, before: LocalUser, after: LocalUser) -> Iterator[tuple[AdminAction, str]]:
    changed = differences(before, after).keys()
    if changed & {"name", "email", "state"}:
        yield actions.CHANGE_USER, resource
    if "email" in changed:
        yield actions.RESET_PASSWORD, resource  # links go there
    for group in sorted({*before.groups} ^ {*after.groups}):
        yield actions.CHANGE_MEMBERS, actions.group_resource(group)
    if changed & {"policies", "inline", "boundary"}:
        yield actions.ATTACH_USER_POLICY, resource
    named = {*before.policies} ^ {*after.policies}
    # Of an inline policy the name says nothing about what it holds: it is asked on a name that no shared one has.
    named |= {f"user/{after.username}/{inline_name(each)}" for each in {*before.inline} ^ {*after.inline}}
    if before.boundary != after.boundary:
        named |= {name for name in (before.boundary, after.boundary) if name}
    for name in sorted(named):
        yield actions.ATTACH_POLICY, actions.policy_resource(name)
