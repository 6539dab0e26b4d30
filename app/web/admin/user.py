"""One local user: what they are, have and did, and everything that may be changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from app.admin import UserChange, inline_name
from app.admin.users import differences, told_change
from app.errors import AskRefused, Refusal, SecondPersonNeeded, SessionUnknown
from app.model import Session
from app.people import LOCAL, Factor, LocalUser, UserState
from app.policy import PolicyInvalid, actions
from app.policy.actions import AdminAction
from app.web import forms, page, times
from app.web.admin import reading
from app.web.admin.areas import Tab, tabs
from app.web.admin.users import show_link, user_href
from app.web.page import see_other
from app.web.visit import Visit
from app.web.wire import Response

_FIELDS: Final = (
    "id",
    "version",
    "do",
    "name",
    "email",
    "policy",
    "text",
    "boundary",
    "to",
    "sure",
    "session",
    "reason",
    "send",
)
_MOST_PICKED: Final = 128
_KINDS: Final = {"totp": "Authenticator app", "webauthn": "Security key or passkey"}


@dataclass(frozen=True, slots=True)
class Pick:
    """Something that can be ticked."""

    name: str
    had: bool


@dataclass(frozen=True, slots=True)
class FactorView:
    """A device."""

    kind: str
    name: str
    since: str
    since_wire: str
    used: str
    used_wire: str


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session."""

    id: str
    what: str
    address: str
    since: str
    since_wire: str


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version, and what it changed."""

    number: int
    by: str
    at: str
    at_wire: str
    changes: tuple[str, ...]
    latest: bool


@dataclass(frozen=True, slots=True)
class UserPage:
    """All that there is to one."""

    tabs: tuple[Tab, ...]
    wrong: str
    problems: tuple[str, ...]
    """Of a policy document that was sent."""
    sent: tuple[str, str] | None
    """Name and text of an inline policy that was not taken, so that it need not be typed again."""
    id: str
    version: int
    username: str
    name: str
    email: str
    state: str
    powerless: bool
    groups: tuple[Pick, ...]
    fixed_groups: tuple[str, ...]
    """Had, and not this person's to take away."""
    policies: tuple[Pick, ...]
    fixed_policies: tuple[str, ...]
    inline: tuple[tuple[str, str], ...]
    boundary: str
    boundaries: tuple[str, ...]
    fixed_boundary: bool
    """There is one, and it is not this person's to take away."""
    factors: tuple[FactorView, ...] | None
    """None for who may not see them."""
    sessions: tuple[SessionRow, ...] | None
    versions: tuple[VersionView, ...]
    may: frozenset[str]
    """`change`, `delete`, `attach`, `reset`, `recover`, `end`."""
    mails: bool
    """Links can be mailed to them."""
    own: bool
    """It is whoever looks."""
    may_inline: bool
    """Inline policies, which are asked for by a name of their own."""
    audit_href: str | None


def user(visit: Visit) -> Response:
    """`GET /admin/user?id=ID`. Raises Unknown, UserUnknown, Unavailable."""
    id = forms.query(visit.request, ("id",)).get("id", "")[:64]
    found = visit.administration.user(visit.person, id, caller=visit.caller)
    return _show(visit, found, 200)


def change_user(visit: Visit) -> Response:
    """`POST /admin/user`: one of the things that may be done, named by `do`.

    Raises:
        Unknown, UserUnknown, Malformed, Unavailable.
    """
    fields = forms.form(visit.request, _FIELDS)
    id = fields.get("id", "")[:64]
    done = _DO.get(fields.get("do", ""))
    if done is None:
        raise AskRefused(f"do {fields.get('do', '')[:40]!r}")
    try:
        answer = done(visit, id, fields)
    except (AskRefused, SecondPersonNeeded, SessionUnknown) as refusal:
        found = visit.administration.user(visit.person, id, caller=visit.caller)
        sent = (fields.get("policy", "").strip(), fields.get("text", "")) if done is _put else None
        return _show(visit, found, refusal.status, refusal, sent)
    return answer or see_other(user_href(id))


# --- what may be done -------------------------------------------------------------------------------


_Fields = Mapping[str, str]


def _change(visit: Visit, id: str, fields: _Fields, change: UserChange) -> None:
    after = reading.number(fields.get("version", ""), "version")
    visit.administration.change_user(visit.person, id, after, change, caller=visit.caller)


def _about(visit: Visit, id: str, fields: _Fields) -> None:
    _change(
        visit,
        id,
        fields,
        UserChange(name=fields.get("name", "").strip(), email=fields.get("email", "").strip()),
    )


def _picked(visit: Visit, name: str, offered: tuple[str, ...], had: tuple[str, ...]) -> tuple[str, ...]:
    """What was ticked, and what was had that was not offered."""
    ticked = forms.several(visit.request, name)[:_MOST_PICKED]
    return (*ticked, *(each for each in had if each not in offered))


def _groups(visit: Visit, id: str, fields: _Fields) -> None:
    offered = visit.administration.user_choices(visit.person, caller=visit.caller).groups
    had = visit.administration.user(visit.person, id, caller=visit.caller).groups
    _change(visit, id, fields, UserChange(groups=_picked(visit, "group", offered, had)))


def _policies(visit: Visit, id: str, fields: _Fields) -> None:
    offered = visit.administration.user_choices(visit.person, caller=visit.caller).policies
    had = visit.administration.user(visit.person, id, caller=visit.caller).policies
    _change(visit, id, fields, UserChange(policies=_picked(visit, "attached", offered, had)))


def _inline(visit: Visit, id: str, fields: _Fields, text: str | None) -> None:
    had = visit.administration.user(visit.person, id, caller=visit.caller).inline
    policies = {inline_name(each): each.text for each in had}
    name = fields.get("policy", "").strip()
    if text is None:
        policies.pop(name, None)
    else:
        policies[name] = text
    _change(visit, id, fields, UserChange(inline=policies))


def _put(visit: Visit, id: str, fields: _Fields) -> None:
    _inline(visit, id, fields, fields.get("text", ""))


def _drop(visit: Visit, id: str, fields: _Fields) -> None:
    _inline(visit, id, fields, None)


def _boundary(visit: Visit, id: str, fields: _Fields) -> None:
    _change(visit, id, fields, UserChange(boundary=fields.get("boundary", "")))


def _disable(visit: Visit, id: str, fields: _Fields) -> None:
    _change(visit, id, fields, UserChange(state=UserState.DISABLED))


def _enable(visit: Visit, id: str, fields: _Fields) -> None:
    _change(visit, id, fields, UserChange(state=UserState.ACTIVE))


def _delete(visit: Visit, id: str, fields: _Fields) -> Response:
    if fields.get("sure") != "yes":
        raise AskRefused("not confirmed", words="Tick that you mean it, then send the form again.")
    after = reading.number(fields.get("version", ""), "version")
    visit.administration.delete_user(visit.person, id, after, caller=visit.caller)
    return see_other("/admin/users")


def _restore(visit: Visit, id: str, fields: _Fields) -> None:
    after = reading.number(fields.get("version", ""), "version")
    wanted = reading.number(fields.get("to", ""), "to")
    visit.administration.restore_user(visit.person, id, wanted, after, caller=visit.caller)


def _link(visit: Visit, id: str, fields: _Fields) -> Response:
    found = visit.administration.user(visit.person, id, caller=visit.caller)
    send = fields.get("send") == "yes"
    link = visit.administration.password_link(visit.person, id, send=send, caller=visit.caller)
    return show_link(visit, found, link)


def _end(visit: Visit, id: str, fields: _Fields) -> None:
    one = fields.get("session", "")[:64] or None
    visit.administration.end_sessions(visit.person, LOCAL, id, one, caller=visit.caller)


def _recover(visit: Visit, id: str, fields: _Fields) -> Response:
    visit.administration.ask_recovery(
        visit.person, LOCAL, id, fields.get("reason", "")[:1000], caller=visit.caller
    )
    return see_other("/admin/recoveries")


_DO: Final[Mapping[str, Callable[[Visit, str, _Fields], Response | None]]] = {
    "about": _about,
    "groups": _groups,
    "policies": _policies,
    "put": _put,
    "drop": _drop,
    "boundary": _boundary,
    "disable": _disable,
    "enable": _enable,
    "delete": _delete,
    "restore": _restore,
    "link": _link,
    "end": _end,
    "recover": _recover,
}


# --- the page ---------------------------------------------------------------------------------------


_MAY: Final[Mapping[str, AdminAction]] = {
    "change": actions.CHANGE_USER,
    "delete": actions.DELETE_USER,
    "attach": actions.ATTACH_USER_POLICY,
    "reset": actions.RESET_PASSWORD,
    "recover": actions.RECOVER_FACTORS,
    "end": actions.END_SESSIONS,
}


def _show(
    visit: Visit,
    found: LocalUser,
    status: int,
    refusal: Refusal | None = None,
    sent: tuple[str, str] | None = None,
) -> Response:
    door, who = visit.administration, visit.person
    rights = door.rights(who, caller=visit.caller)
    over = door.rights_over(who, found.id, caller=visit.caller)
    choices = door.user_choices(who, found.username, caller=visit.caller)
    factors = (
        door.factors(who, LOCAL, found.id, caller=visit.caller) if actions.READ_FACTORS in over else None
    )
    sessions = (
        door.sessions_of(who, LOCAL, found.id, caller=visit.caller) if actions.READ_SESSIONS in over else None
    )
    versions = door.user_history(who, found.id, caller=visit.caller)
    pairs = zip(versions, [*versions[1:], None], strict=True)
    own = tuple(name for name in choices.policies if not name.startswith("aws:"))
    shown = UserPage(
        tabs=tabs(visit, rights),
        wrong=refusal.words if refusal is not None else "",
        problems=tuple(map(str, refusal.problems)) if isinstance(refusal, PolicyInvalid) else (),
        sent=sent,
        id=found.id,
        version=found.version,
        username=found.username,
        name=found.name,
        email=found.email,
        state=str(found.state),
        powerless=not (found.groups or found.policies or found.inline),
        groups=tuple(Pick(name, name in found.groups) for name in choices.groups),
        fixed_groups=tuple(name for name in found.groups if name not in choices.groups),
        policies=tuple(Pick(name, name in found.policies) for name in choices.policies),
        fixed_policies=tuple(name for name in found.policies if name not in choices.policies),
        inline=tuple((inline_name(each), each.text) for each in found.inline),
        boundary=found.boundary or "",
        boundaries=own,
        fixed_boundary=found.boundary is not None and found.boundary not in own,
        factors=None if factors is None else tuple(_factor(each, visit) for each in factors),
        sessions=None if sessions is None else tuple(_session(each, visit) for each in sessions),
        versions=tuple(_version(each, before, found, visit) for each, before in pairs),
        may=frozenset(name for name, action in _MAY.items() if action in over),
        mails=bool(found.email) and visit.settings.mail is not None,
        own=(who.identity.source, who.identity.subject) == (LOCAL, found.id),
        may_inline=choices.inline and actions.ATTACH_USER_POLICY in over,
        audit_href=f"/admin/audit?person={LOCAL}/{found.id}" if actions.READ_AUDIT in rights else None,
    )
    return page.render("admin/user.html", shown, page.frame_of(visit), status)


def _factor(factor: Factor, visit: Visit) -> FactorView:
    used = factor.last_used
    return FactorView(
        kind=_KINDS.get(factor.kind, factor.kind),
        name=factor.name,
        since=times.clock_time(factor.enrolled_at, visit.now),
        since_wire=times.wire(factor.enrolled_at),
        used="" if used is None else times.clock_time(used, visit.now),
        used_wire="" if used is None else times.wire(used),
    )


def _session(session: Session, visit: Visit) -> SessionRow:
    what = "Browser" if session.client is None else visit.broker.client_name(session.client)
    return SessionRow(
        id=session.id,
        what=f"{what} on {session.device}" if session.device else what,
        address=session.last_address,
        since=times.clock_time(session.created_at, visit.now),
        since_wire=times.wire(session.created_at),
    )


def _version(version: LocalUser, before: LocalUser | None, latest: LocalUser, visit: Visit) -> VersionView:
    changes: tuple[str, ...] = ("created",)
    if before is not None:
        changes = tuple(
            f"{part}: {told_change(change)}" for part, change in differences(before, version).items()
        )
    return VersionView(
        number=version.version,
        by=version.by,
        at=times.clock_time(version.since, visit.now) if version.since else "",
        at_wire=times.wire(version.since) if version.since else "",
        changes=changes,
        latest=version.version == latest.version,
    )
