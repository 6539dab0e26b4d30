"""`user create` and everything that changes one."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from app.admin import RESET, Administration, By, UserChange, inline_name
from app.commands.doors import operator
from app.commands.user.showing import as_object
from app.errors import AskRefused
from app.people import LOCAL, LocalUser, UserState


def _by() -> By:
    return By.operator(operator())


def create(door: Administration, asked: argparse.Namespace) -> int:
    """`user create`."""
    if asked.send:
        door.check_mailable(asked.email or "")
    change = UserChange(
        name=asked.name,
        email=asked.email,
        groups=tuple(asked.group) or None,
        policies=tuple(asked.policy) or None,
    )
    user = door.create_user(asked.user, change, by=_by())
    link = door.password_link(user.id, by=_by(), send=asked.send)
    if asked.json:
        print(json.dumps({**as_object(user), "link": link or None}, indent=2))
        return 0
    print(f"Created {user.username}.")
    if not (user.groups or user.policies):
        print("They can do nothing yet: `user join` puts them into a group, `user attach` attaches a policy.")
    _tell_link(link, user, "24 hours")
    return 0


def change(door: Administration, asked: argparse.Namespace) -> int:
    """`user change`."""
    if asked.name is None and asked.email is None:
        raise AskRefused("nothing", words="Say what to change: --name TEXT, --email ADDRESS.")
    return _changed(door, asked, UserChange(name=asked.name, email=asked.email))


def disable(door: Administration, asked: argparse.Namespace) -> int:
    """`user disable`."""
    return _changed(door, asked, UserChange(state=UserState.DISABLED))


def enable(door: Administration, asked: argparse.Namespace) -> int:
    """`user enable`."""
    return _changed(door, asked, UserChange(state=UserState.ACTIVE))


def delete(door: Administration, asked: argparse.Namespace) -> int:
    """`user delete`."""
    user = door.user(asked.user)
    if not asked.yes:
        if not sys.stdin.isatty():
            raise AskRefused("not asked", words="Deleting cannot be undone; say --yes to do it.")
        if input(f"Delete {user.username} for good? Type the name: ").strip() != user.username:
            print("Nothing was changed.")
            return 1
    door.delete_user(user.id, user.version, by=_by())
    print(json.dumps({"deleted": user.id}) if asked.json else f"Deleted {user.username}.")
    return 0


def join(door: Administration, asked: argparse.Namespace) -> int:
    """`user join`."""
    user = door.user(asked.user)
    return _changed(door, asked, UserChange(groups=(*user.groups, *asked.groups)), user)


def leave(door: Administration, asked: argparse.Namespace) -> int:
    """`user leave`."""
    user = door.user(asked.user)
    return _changed(door, asked, UserChange(groups=_without(user.groups, asked.groups, "group")), user)


def attach(door: Administration, asked: argparse.Namespace) -> int:
    """`user attach`."""
    user = door.user(asked.user)
    return _changed(door, asked, UserChange(policies=(*user.policies, *asked.policies)), user)


def detach(door: Administration, asked: argparse.Namespace) -> int:
    """`user detach`."""
    user = door.user(asked.user)
    return _changed(door, asked, UserChange(policies=_without(user.policies, asked.policies, "policy")), user)


def put_policy(door: Administration, asked: argparse.Namespace) -> int:
    """`user put-policy`."""
    user = door.user(asked.user)
    try:
        text = sys.stdin.read() if asked.file == "-" else Path(asked.file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AskRefused("unreadable", words=f"{asked.file} cannot be read as text.") from error
    policies = {inline_name(each): each.text for each in user.inline} | {asked.policy: text}
    return _changed(door, asked, UserChange(inline=policies), user)


def drop_policy(door: Administration, asked: argparse.Namespace) -> int:
    """`user drop-policy`."""
    user = door.user(asked.user)
    policies = {inline_name(each): each.text for each in user.inline}
    if policies.pop(asked.policy, None) is None:
        raise AskRefused("none", words=f"This user has no inline policy `{asked.policy}`.")
    return _changed(door, asked, UserChange(inline=policies), user)


def boundary(door: Administration, asked: argparse.Namespace) -> int:
    """`user boundary`."""
    return _changed(door, asked, UserChange(boundary=asked.policy))


def restore(door: Administration, asked: argparse.Namespace) -> int:
    """`user restore`."""
    user = door.user(asked.user)
    return _told(asked, user, door.restore_user(user.id, asked.version, user.version, by=_by()))


def link(door: Administration, asked: argparse.Namespace) -> int:
    """`user link`."""
    user = door.user(asked.user)
    life = door.link_life(user.id)
    url = door.password_link(user.id, by=_by(), send=asked.send)
    if asked.json:
        print(json.dumps({"user": user.id, "link": url or None}))
    else:
        _tell_link(url, user, "an hour" if life == RESET else "24 hours")
    return 0


def sign_out(door: Administration, asked: argparse.Namespace) -> int:
    """`user sign-out`."""
    user = door.user(asked.user)
    ended = door.end_sessions(LOCAL, user.id, by=_by())
    print(
        json.dumps({"ended": ended}) if asked.json else f"Ended {ended} session{'' if ended == 1 else 's'}."
    )
    return 0


# --- steps ------------------------------------------------------------------------------------------


def _changed(
    door: Administration, asked: argparse.Namespace, wanted: UserChange, user: LocalUser | None = None
) -> int:
    user = user or door.user(asked.user)
    return _told(asked, user, door.change_user(user.id, user.version, wanted, by=_by()))


def _told(asked: argparse.Namespace, before: LocalUser, after: LocalUser) -> int:
    if asked.json:
        print(json.dumps(as_object(after), indent=2))
    elif after.version == before.version:
        print(f"{after.username} is like that already. Nothing was changed.")
    else:
        print(
            f"Changed {after.username}: version {after.version}. "
            f"`user restore {after.username} {before.version}` undoes it."
        )
    return 0


def _tell_link(link: str, user: LocalUser, life: str) -> None:
    if link:
        print(f"Within {life}, once, they set a password here:\n{link}")
    else:
        print(f"A link that is good once within {life} is on its way to {user.email}.")


def _without(had: Iterable[str], gone: Iterable[str], what: str) -> tuple[str, ...]:
    had = tuple(had)
    for each in gone:
        if each not in had:
            raise AskRefused("none", words=f"This user does not have the {what} `{each}`.")
    return tuple(each for each in had if each not in set(gone))
