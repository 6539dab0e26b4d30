"""The eighteen practices of IAM (User Guide, "Security best practices in IAM") as the doctor checks them. Pure.

Each takes the same facts and gives a finding: right, wrong with the command that mends it, to be confirmed by a
person, or not to be checked yet with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from app.access import Reach
from app.admin.guarding import asks_mfa
from app.admin.rooting import RootState
from app.model import Revision, Role, RoleArn, Session
from app.people import LOCAL, ROOT, Factor, LocalUser, RootUse, UserState
from app.policy import PolicyInvalid, managed, parse, render
from app.store import KnownPerson

UNUSED: Final = timedelta(days=90)
CONFIRMED: Final = {3: timedelta(days=365), 14: timedelta(days=90)}
"""How long a person's confirmation of a practice counts."""
_STATIC_KEY: Final = re.compile(r"\bA(?:KIA|SIA)[A-Z0-9]{16}\b")
_MANY: Final = 3
"""Addresses from which one user is signed in at once before that is named."""
_NAMED: Final = 8
"""Names that one finding lists."""


class State(StrEnum):
    """What came of a check."""

    RIGHT = "right"
    WRONG = "wrong"
    CANNOT = "cannot"
    """It cannot be checked yet."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One practice."""

    number: int
    practice: str
    state: State
    words: str
    mend: str = ""
    """The command, or the line of configuration, that mends it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the doctor looks at."""

    now: datetime
    revision: Revision
    users: Sequence[LocalUser]
    factors: Mapping[str, Sequence[Factor]]
    """Of local users, by id."""
    people: Sequence[KnownPerson]
    admins: Sequence[tuple[Role, Sequence[Reach]]]
    """Roles of level admin, and who reaches them."""
    asked: frozenset[tuple[str, str]]
    """(source, subject) of those who prove a second factor here at every sign-in."""
    open_groups: Mapping[RoleArn, Sequence[str]]
    """By role of level admin: flat groups whose members reach it on no condition."""
    sessions: Mapping[str, Sequence[Session]]
    """Of local users, by id."""
    root: RootState
    uses: Sequence[RootUse]
    signing_since: datetime | None
    """From when the newest key that signs tokens does."""
    own_key: str
    """Access key ID that the broker itself uses, as its environment says; empty: none there."""
    confirmed: Mapping[int, datetime]
    """When somebody last confirmed a practice."""


Check = Callable[[Facts], Finding]


def _right(number: int, practice: str, words: str) -> Finding:
    return Finding(number, practice, State.RIGHT, words)


def _wrong(number: int, practice: str, words: str, mend: str) -> Finding:
    return Finding(number, practice, State.WRONG, words, mend)


def _cannot(number: int, practice: str, words: str) -> Finding:
    return Finding(number, practice, State.CANNOT, words)


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _active(facts: Facts) -> Sequence[LocalUser]:
    return [user for user in facts.users if user.state is UserState.ACTIVE]


def root_mfa(facts: Facts) -> Finding:
    """1."""
    what = "Root signs in with MFA only"
    if not facts.root.ready:
        words = (
            f"Root is not set up: {len(facts.root.factors)} of two devices, "
            f"{'a' if facts.root.password_at else 'no'} password. On the day when every directory is "
            f"down nobody gets in."
        )
        return _wrong(1, what, words, "python -m app root setup")
    return _right(1, what, f"Root has {len(facts.root.factors)} devices, and cannot sign in without one.")


def root_alone(facts: Facts) -> Finding:
    """2."""
    what = "Root's secrets are with one holder, and every use is looked at"
    waiting = [use.id for use in facts.uses if use.signed_off_at is None]
    if waiting:
        words = (
            f"{len(waiting)} use{'' if len(waiting) == 1 else 's'} of root not signed off: {_names(waiting)}."
        )
        return _wrong(2, what, words, f"python -m app root sign-off {waiting[0]} --note …")
    return _right(2, what, "There is one root, its set-up link works once, and every use was signed off.")


def root_hardware(facts: Facts) -> Finding:
    """3."""
    what = "Root's hardware factor is locked away"
    bound = [
        each for each in facts.root.factors if each.kind == "webauthn" and each.facts.get("synced") != "true"
    ]
    if not bound:
        words = "Root has no security key that stays in one piece of hardware."
        return _wrong(3, what, words, "python -m app root setup, with a security key among the devices")
    return _confirmed(facts, 3, what, "it lies in a safe")


def _confirmed(facts: Facts, number: int, what: str, words: str) -> Finding:
    at = facts.confirmed.get(number)
    mend = f"look, then: python -m app doctor --confirm {number}"
    if at is None:
        return _wrong(number, what, f"Nobody has confirmed yet that {words}.", mend)
    if facts.now - at > CONFIRMED[number]:
        return _wrong(number, what, f"The last confirmation that {words} is of {at:%Y-%m-%d}.", mend)
    return _right(number, what, f"Confirmed on {at:%Y-%m-%d}: {words}.")


def one_each(facts: Facts) -> Finding:
    """4."""
    what = "One identity for each person"
    shared = []
    for user in _active(facts):
        places = {each.last_address for each in facts.sessions.get(user.id, ()) if each.client is None}
        if len(places) > _MANY:
            shared.append(f"{user.username} ({len(places)} addresses)")
    if shared:
        words = f"Signed in from many places at once, as a shared user is: {_names(shared)}."
        return _wrong(4, what, words, "python -m app user create NAME for each person, then user disable")
    return _right(4, what, "No local user is signed in from more than three addresses at once.")


def through_groups(facts: Facts) -> Finding:
    """5."""
    what = "Permissions through groups"
    direct = [user.username for user in _active(facts) if user.policies or user.inline]
    if direct:
        words = f"Policies are attached to users themselves: {_names(direct)}."
        return _wrong(
            5, what, words, f"python -m app user join {direct[0]} GROUP, then user detach {direct[0]} POLICY"
        )
    return _right(5, what, "No policy is attached to a user directly.")


def privileged_mfa(facts: Facts) -> Finding:
    """6."""
    what = "MFA for privileged users"
    open_to: dict[str, None] = {}
    for role, reaches in facts.admins:
        for reach in reaches:
            who = reach.known.identity
            if not asks_mfa(reach) and (who.source, who.subject) not in facts.asked:
                open_to[f"{who.source}/{who.username} ({role.account_name}/{role.name})"] = None
    if open_to:
        words = f"Who reaches a role of level admin without a second factor: {_names(list(open_to))}."
        mend = "in groups.yaml: `mfa: true` for their group, or a Deny unless aws:MultiFactorAuthPresent"
        return _wrong(6, what, words, mend)
    return _right(6, what, "Nobody known so far reaches a role of level admin without a second factor.")


def instance_roles(_: Facts) -> Finding:
    """7."""
    what = "Roles, not keys, for programs on instances"
    return _cannot(
        7, what, "daypass gives no access keys yet, and workloads cannot sign in yet: nothing to look at."
    )


def no_shared_keys(facts: Facts) -> Finding:
    """8."""
    what = "Delegate by roles, share no credentials"
    files = [path for path, text in facts.revision.files.items() if _STATIC_KEY.search(text)]
    if files:
        words = f"What looks like an AWS access key stands in {_names(files)}."
        return _wrong(8, what, words, "take it out, make it worthless at AWS, and use a role")
    if facts.own_key.startswith("AKIA"):
        words = "The broker itself uses a long-lived AWS access key (AWS_ACCESS_KEY_ID begins with AKIA)."
        return _wrong(
            8, what, words, "run it with a role of its own: instance profile, task role or web identity"
        )
    return _right(
        8, what, "No AWS key stands in the configuration, and the broker's environment has no long-lived one."
    )


def rotation(facts: Facts) -> Finding:
    """9."""
    what = "Rotate credentials"
    oldest = timedelta(days=33)
    if facts.signing_since is not None and facts.now - facts.signing_since > oldest:
        words = f"The key that signs tokens does so since {facts.signing_since:%Y-%m-%d}; it should change each 30 days."
        return _wrong(9, what, words, "python -m app serve (its upkeep makes the next one); read its log")
    return _right(
        9, what, "Keys that sign tokens rotate. How old the providers' secrets are, daypass cannot know."
    )


def unused(facts: Facts) -> Finding:
    """10."""
    what = "Remove what nobody needs"
    seen = {each.identity.subject: each.last_seen for each in facts.people if each.identity.source == LOCAL}
    idle = []
    for user in _active(facts):
        times = [at for at in (seen.get(user.id), user.since) if at is not None]
        if times and facts.now - max(times) > UNUSED:
            idle.append(user.username)
    devices = [
        f"{user.username}: {each.name}"
        for user in _active(facts)
        for each in facts.factors.get(user.id, ())
        if facts.now - (each.last_used or each.enrolled_at) > UNUSED
    ]
    if idle:
        words = f"Not signed in for 90 days: {_names(idle)}."
        return _wrong(10, what, words, f"python -m app user disable {idle[0]}")
    if devices:
        words = f"Devices not used for 90 days: {_names(devices)}."
        return _wrong(10, what, words, "their owners remove them on their page Security")
    return _right(
        10, what, "Every local user and device was used in the last 90 days. Clients: not known yet."
    )


def conditions(facts: Facts) -> Finding:
    """11."""
    what = "Conditions for extra safety"
    bare = []
    for role, reaches in facts.admins:
        # Groups count without members too: the next one has it.
        through = [f"group {name}" for name in facts.open_groups.get(role.arn, ())]
        if not through:
            through = [
                f"{each.known.identity.source}/{each.known.identity.username}"
                for each in reaches
                if each.sure and each.known.identity.source != ROOT
            ]
        if through:
            bare.append(f"{role.account_name}/{role.name} ({_names(through)})")
    if bare:
        words = f"Roles of level admin that somebody reaches on no condition (MFA, address, time): {_names(bare)}."
        mend = "python -m app config new policy (a condition on aws:MultiFactorAuthAge), instead of `allow`"
        return _wrong(11, what, words, mend)
    return _right(11, what, "Every way to a role of level admin has a condition.")


def watched(facts: Facts) -> Finding:
    """12."""
    what = "Watch activity"
    channels = [name for row in facts.revision.settings.alerts for name in row if name != "log"]
    if not channels:
        words = "Alerts go to the log alone, which nobody may read in time."
        return _wrong(
            12,
            what,
            words,
            "in daypass.yaml: `alerts: [log, {webhook: {env: ALERT_WEBHOOK}}]`, or email, sns",
        )
    return _right(12, what, f"Alerts go to {', '.join(dict.fromkeys(channels))}. Metrics: not there yet.")


def root_keys(_: Facts) -> Finding:
    """13."""
    return _right(13, "Root has no access keys", "Root cannot have one: there is nothing that could make it.")


def reviewed(facts: Facts) -> Finding:
    """14."""
    what = "Review permissions by access level"
    levels = {"admin": 0, "power": 0, "read": 0}
    for role in facts.revision.roles.values():
        levels[role.level] += 1
    told = ", ".join(f"{count} {level}" for level, count in levels.items())
    everybody = [each.known.identity for _, reaches in facts.admins for each in reaches]
    people = len({(who.source, who.subject) for who in everybody if who.source != ROOT})
    count = f"{people} {'person' if people == 1 else 'people'}"
    words = f"who holds which level was reviewed ({told} roles; {count} may reach admin)"
    return _confirmed(facts, 14, what, words)


def templates(facts: Facts) -> Finding:
    """15."""
    what = "Managed templates where they fit"
    shipped = {}
    for name in managed.NAMES:
        text = managed.text(managed.PREFIX + name)
        if text is not None:
            shipped[render(parse(text))] = managed.PREFIX + name
    same = []
    for name, policy in facts.revision.policies.items():
        try:
            template = shipped.get(render(parse(policy)))
        except PolicyInvalid:
            continue
        if template is not None:
            same.append(f"{name} ({template})")
    if same:
        return _wrong(
            15,
            what,
            f"Policies that say what a template says: {_names(same)}.",
            "attach the template instead",
        )
    return _right(15, what, "No policy of your own says what a template says.")


def cross_account(facts: Facts) -> Finding:
    """16."""
    what = "Roles for cross-account access"
    accounts = {role.account for role in facts.revision.roles.values()}
    hops = sum(1 for role in facts.revision.roles.values() if role.via is not None)
    words = f"{len(accounts)} accounts are reached by roles, {hops} of those roles through another. "
    return _cannot(
        16, what, words + "Whether people have users or keys at AWS itself, daypass cannot see yet."
    )


def no_files(_: Facts) -> Finding:
    """17."""
    words = "The helper writes no long-lived key anywhere; what it keeps ends with the hour, in a file of the person's own."
    return _right(17, "No credentials on instances", words)


def users_mfa(facts: Facts) -> Finding:
    """18."""
    what = "MFA for users at all"
    without = [
        user.username
        for user in _active(facts)
        if not facts.factors.get(user.id) and (LOCAL, user.id) not in facts.asked
    ]
    if without:
        words = f"Local users without a second factor: {_names(without)}."
        return _wrong(
            18, what, words, "in groups.yaml: `mfa: true` for their group; they enrol at the next sign-in"
        )
    words = "Every local user has a second factor, or adds one at the next sign-in."
    return _right(18, what, words if _active(facts) else "There is no local user.")


CHECKS: Final[Sequence[Check]] = (
    root_mfa,
    root_alone,
    root_hardware,
    one_each,
    through_groups,
    privileged_mfa,
    instance_roles,
    no_shared_keys,
    rotation,
    unused,
    conditions,
    watched,
    root_keys,
    reviewed,
    templates,
    cross_account,
    no_files,
    users_mfa,
)


def examine(facts: Facts) -> Sequence[Finding]:
    """All eighteen, in order."""
    return tuple(check(facts) for check in CHECKS)
