"""What a person could do themselves to turn a "no" into a "yes", found by deciding again.

Some condition keys tell how somebody asks, and they can ask otherwise: prove a second factor, sign in anew, come at
another time, from another network, over TLS. Every other key tells who they are or what the role is. Of each such dial a
few settings are tried that the conditions at hand tell apart; what is found here was decided, not guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations, product
from typing import Final

from app.model import GUEST, Principal, Provider, Role
from app.policy import values
from app.policy.conditions import Condition
from app.policy.document import Statement
from app.policy.index import Index
from app.policy.request import RequestContext, Value
from app.policy.wording import moment, shown

_TRIES: Final = 1000
"""Decisions at most; beyond that the answer is that nothing was found."""
_SETTINGS: Final = 10
"""Of one dial."""
_CLOSE: Final = timedelta(hours=25)
_FINE: Final = timedelta(minutes=5)
"""How far ahead, and in which steps, the clock is looked at for patterns over the time."""
_FAR: Final = timedelta(days=8)
_COARSE: Final = timedelta(minutes=30)
"""And from there. All of it costs some milliseconds."""
_FARTHEST: Final = timedelta(days=366)
"""For bounds that a date in a policy names."""
_TIME: Final = frozenset({"aws:currenttime", "aws:epochtime"})
_NETWORK: Final = frozenset({"aws:sourceip"})
_TRANSPORT: Final = frozenset({"aws:securetransport"})
_SIGN_IN: Final = frozenset(
    {
        "aws:multifactorauthage",
        "aws:multifactorauthpresent",
        "daypass:acr",
        "daypass:amr",
        "daypass:authenticationage",
        "daypass:phishingresistant",
    }
)
_PROOF: Final = _SIGN_IN - {"daypass:acr", "daypass:authenticationage"}
_AGES: Final = ("aws:multifactorauthage", "daypass:authenticationage")
DIALS: Final = _SIGN_IN | _TRANSPORT | _NETWORK | _TIME
"""Folded keys that a person can turn."""
_UNPHISHABLE: Final = frozenset({"phr", "phrh", "hwk"})
"""As `app.signin` reads them from an OpenID provider."""
_FACTOR: Final[Mapping[str, Value]] = {"aws:multifactorauthpresent": "true", "aws:multifactorauthage": "0"}
_ELSEWHERE: Final = ("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "100.64.0.1", "10.0.0.1")
"""Addresses that stand for "another network"; one that no condition names is taken."""

_Asked = tuple[Condition, bool]
"""A condition, and whether a Deny asks it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing to do, and what the request would then say."""

    words: str
    keys: Mapping[str, Value]
    methods: tuple[str, ...] = ()
    """`daypass:amr` values that come to those that there are."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What to do, and the context in which the answer is yes."""

    steps: tuple[str, ...]
    context: RequestContext


def reach(
    index: Index,
    principal: Principal,
    role: Role,
    context: RequestContext,
    now: datetime,
    *,
    factors: bool = True,
) -> Reach | None:
    """The fewest things that would open a role that is shut now; None if nothing was found.

    `factors`: second factors can be proven to the broker itself. Guests have none.
    """
    arn = str(role.arn)
    attached = [each for each in index.statements(principal, role) if each.covers_resource(arn, context)]
    levels = [
        [each for each in level if each.covers_resource(arn, context)] for _, level in index.guards(role)
    ]
    if not _plausible(attached, levels, context):
        return None
    asked = [
        (condition, statement.deny)
        for statement in (*attached, *(each for level in levels for each in level))
        for condition in statement.conditions
        if condition.key in DIALS
    ]
    times = _distinct(_times(asked, context, now), _about(asked, _TIME), context)
    own = _own_factors() if factors and principal.identity.source != GUEST else ()
    sign_ins = _sign_ins(index.provider(principal), asked, context)
    dials = [
        each
        for each in (
            # In the order of what they cost the person. Waiting makes ages grow: then a new proof or sign-in may be
            # needed that is not needed now.
            _distinct(own, _about(asked, _PROOF), context, also=bool(times)),
            _distinct(sign_ins, _about(asked, _SIGN_IN), context, also=bool(times)),
            _distinct(_transports(), _about(asked, _TRANSPORT), context),
            _distinct(_networks(asked), _about(asked, _NETWORK), context),
            times,
        )
        if each
    ]
    tries = 0
    for size in range(1, len(dials) + 1):
        for turned in combinations(dials, size):
            for chosen in product(*turned):
                tries += 1
                if tries > _TRIES:
                    return None
                known = _after(chosen, context)
                if index.decide(principal, role, known).allowed:
                    return Reach(tuple(setting.words for setting in chosen), known)
    return None


def _plausible(
    own: Sequence[Statement], levels: Iterable[Sequence[Statement]], context: RequestContext
) -> bool:
    """Whether a search is worth it: most roles that somebody may not use are none of their statements' business."""

    def turnable(statement: Statement) -> bool:
        return all(
            condition.key in DIALS
            for condition in statement.conditions
            if not condition.holds(context, statement.deny)
        )

    def avoidable(statement: Statement) -> bool:
        return not statement.holds(context) or any(each.key in DIALS for each in statement.conditions)

    return all(
        any(not each.deny and turnable(each) for each in statements)
        and all(avoidable(each) for each in statements if each.deny)
        for statements in (own, *levels)
    )


def _after(chosen: Sequence[Setting], context: RequestContext) -> RequestContext:
    """The context once these things are done. In front what counts more: a new proof makes ages that waiting let grow."""
    known = RequestContext(*(setting.keys for setting in chosen), context)
    added = [method for setting in chosen for method in setting.methods]
    if not added:
        return known
    had = known.find("daypass:amr") or ()
    methods = dict.fromkeys(((had,) if isinstance(had, str) else had) + tuple(added))
    return RequestContext({"daypass:amr": tuple(methods)}, known)


def _about(asked: Iterable[_Asked], keys: frozenset[str]) -> list[_Asked]:
    return [each for each in asked if each[0].key in keys]


def _distinct(
    settings: Iterable[Setting], asked: Sequence[_Asked], context: RequestContext, *, also: bool = False
) -> list[Setting]:
    """The first setting of each kind that the conditions tell apart from the others.

    One that they do not tell from how the person asks now is left out, unless `also` is set.
    """

    def answers(known: RequestContext) -> tuple[bool, ...]:
        return tuple(condition.holds(known, deny) for condition, deny in asked)

    if not asked:
        return []
    seen = set() if also else {answers(context)}
    kept: list[Setting] = []
    for setting in settings:
        told = answers(_after((setting,), context))
        if told not in seen:
            seen.add(told)
            kept.append(setting)
            if len(kept) == _SETTINGS:
                break
    return kept


# --- a factor of the broker's own, or signing in anew -----------------------------------------------


def _own_factors() -> Iterator[Setting]:
    """As the broker takes them: the rest of the authentication stays as it is."""
    yield Setting("prove a second factor here", _FACTOR, ("otp", "mfa"))
    yield Setting(
        "prove a passkey or a security key here",
        {**_FACTOR, "daypass:phishingresistant": "true"},
        ("hwk", "user", "mfa"),
    )


def _sign_ins(
    provider: Provider | None, asked: Sequence[_Asked], context: RequestContext
) -> Iterator[Setting]:
    again: dict[str, Value] = {"daypass:authenticationage": "0"}
    factor: dict[str, Value] = {**again, **_FACTOR}
    had = context.find("aws:multifactorauthpresent") == "true"
    yield Setting("sign in again", factor if had else again)
    if provider is None:
        return
    methods, contexts = provider.mfa.methods, provider.mfa.contexts
    unphishable = sorted(_UNPHISHABLE & (methods | contexts)) if provider.type == "oidc" else []
    # A source that is believed about no second factor cannot prove one.
    if methods or contexts:
        yield Setting("sign in again with a second factor", factor)
    if unphishable:
        yield Setting(
            "sign in again with a passkey or a security key",
            {**factor, "daypass:phishingresistant": "true"},
        )
    for key, believed, noun in (
        ("daypass:amr", methods, "the method"),
        ("daypass:acr", contexts, "the authentication context"),
    ):
        for value in dict.fromkeys((*_plain(asked, key), *sorted(believed))):
            made = dict(factor if value in believed else again)
            made[key] = (value,) if key == "daypass:amr" else value
            if value in believed and value in unphishable:
                made["daypass:phishingresistant"] = "true"
            yield Setting(f"sign in again with {noun} {shown(value)}", made)


def _plain(asked: Iterable[_Asked], key: str) -> Iterator[str]:
    """Values that conditions name for a key, as far as they are no patterns."""
    for condition, _ in asked:
        if condition.key == key:
            yield from (text for text in condition.values if text and not set(text) & set("*?$"))


# --- the rest -------------------------------------------------------------------------------------


def _transports() -> Iterator[Setting]:
    yield Setting("ask over https", {"aws:securetransport": "true"})


def _networks(asked: Sequence[_Asked]) -> Iterator[Setting]:
    named: list[values.Network] = []
    for condition, _ in asked:
        if condition.key in _NETWORK:
            for text in condition.values:
                network = values.network(text)
                if network is None:
                    continue
                named.append(network)
                first = network.base >> network.shift << network.shift
                address = values.address_of(network.version, first)
                yield Setting(f"ask from the network {shown(text)}", {"aws:sourceip": str(address)})
    for text in _ELSEWHERE:
        other = values.address(text)
        if other is not None and not any(network.holds(other, True) for network in named):
            yield Setting("ask from another network", {"aws:sourceip": text})


def _times(asked: Sequence[_Asked], context: RequestContext, now: datetime) -> Iterator[Setting]:
    about_time = [condition for condition, _ in asked if condition.key in _TIME]
    if not about_time:
        return
    for at in _moments(about_time, now):
        keys: dict[str, Value] = {
            "aws:currenttime": at.isoformat().replace("+00:00", "Z"),
            "aws:epochtime": str(int(at.timestamp())),
        }
        for key in _AGES:
            age = context.find(key)
            if isinstance(age, str) and age.isdigit():
                keys[key] = str(int(age) + int((at - now).total_seconds()))
        yield Setting(f"ask again from {moment(at, now)}", keys)


def _moments(conditions: Iterable[Condition], now: datetime) -> list[datetime]:
    """Instants ahead at which an answer may change, earliest first."""
    found: set[datetime] = set()
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    for start, end, step in ((timedelta(), _CLOSE, _FINE), (_CLOSE, _FAR, _COARSE)):
        found.update(hour + start + step * count for count in range((end - start) // step))
    for condition in conditions:
        for text in condition.values:
            nanoseconds = values.instant(text)
            if nanoseconds is None:
                continue
            seconds = nanoseconds // 10**9
            ahead = seconds - int(now.timestamp())
            if 0 <= ahead <= _FARTHEST.total_seconds():
                bound = datetime.fromtimestamp(seconds, UTC)
                found.update((bound, bound + timedelta(seconds=1)))
    return sorted(each for each in found if each > now)
