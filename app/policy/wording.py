"""A condition in words, with both sides: what it needs, and what the request has instead.

One row for each operator, one for each key with a noun of its own. A Deny is told by what would avoid it,
which is the opposite operator, so the same rows serve. Names and values are other people's text: they are
quoted, cut, and stripped of everything that could move the reader's cursor or turn the line around.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from app.policy import patterns, values
from app.policy.conditions import NULL, Condition, Quantifier
from app.policy.patterns import Wild
from app.policy.request import AMBIGUOUS, RequestContext, Value

_LONGEST: Final = 80
_LISTED: Final = 4
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Voice:
    """Who is spoken of: the reader, or somebody else."""

    own: str
    you: str
    your: str

    def say(self, template: str, **parts: str) -> str:
        """Fill a template's `{own}`, `{you}` and `{your}`, and its other parts."""
        return template.format(own=self.own, you=self.you, your=self.your, **parts)


YOU: Final = Voice("yours", "you", "your")
THEM: Final = Voice("theirs", "they", "their")


@dataclass(frozen=True, slots=True)
class _Subject:
    """How a key is spoken of."""

    noun: str
    has: str = "{own} is {value}"
    none: str = "{you} have none"
    secret: bool = False
    """Its values are told to nobody."""


_SUBJECTS: Final[Mapping[str, _Subject]] = {
    "aws:currenttime": _Subject("the time", "it is {value}"),
    "aws:epochtime": _Subject("the time", "it is {value}"),
    "aws:multifactorauthage": _Subject("MFA", "{own} is {value} old", "{you} signed in without"),
    "aws:multifactorauthpresent": _Subject("MFA", "{you} signed in {value}"),
    "aws:securetransport": _Subject("an encrypted connection", "{own} is {value}"),
    "aws:sourceip": _Subject("the network", "{you} ask from {value}", "it is not known where {you} ask from"),
    "aws:tagkeys": _Subject("the session tags", "{you} have {value}"),
    "aws:useragent": _Subject("the program (user agent)"),
    "aws:userid": _Subject("the user id"),
    "aws:username": _Subject("the user name"),
    "daypass:acr": _Subject("the authentication context", none="{your} directory named none"),
    "daypass:amr": _Subject(
        "the sign-in method", "{you} signed in with {value}", "{your} directory named none"
    ),
    "daypass:authenticationage": _Subject("a sign-in", "{own} is {value} old"),
    "daypass:client": _Subject("the client", none="{you} ask from a browser"),
    "daypass:device": _Subject("the device", none="{you} ask from a browser"),
    "daypass:identity-id": _Subject("the identity", none="{you} have none in an app here"),
    "daypass:groups": _Subject("the group", "{you} have {value}"),
    "daypass:phishingresistant": _Subject("a sign-in that cannot be phished", "{own} is {value}"),
    "daypass:rolelevel": _Subject("the role's level", "it is {value}"),
    "daypass:source": _Subject("the source"),
    "sts:externalid": _Subject(
        "the external ID", "the role's own is not told", "the role has none", secret=True
    ),
    "sts:rolesessionname": _Subject("the session name"),
    "sts:sourceidentity": _Subject("the source identity"),
    "sts:transitivetagkeys": _Subject("the tags that outlast a role chain", "{you} have {value}"),
}
_NEGATIVES: Final[Mapping[str, str]] = {
    "aws:multifactorauthpresent": "a sign-in without MFA",
    "aws:securetransport": "a connection that is not encrypted",
    "daypass:phishingresistant": "a sign-in that can be phished",
}
_FAMILIES: Final[Mapping[str, _Subject]] = {
    "aws:principaltag/": _Subject("the tag {name}"),
    "aws:requesttag/": _Subject("the session tag {name}", "it is {value}", "there is none"),
    "aws:resourcetag/": _Subject("the role's tag {name}", "it is {value}", "the role has none"),
    "daypass:claim/": _Subject("the claim {name}"),
    "saml:": _Subject("the SAML attribute {name}"),
}

_PREDICATES: Final[Mapping[str, tuple[str, str]]] = {
    # operator: (what a value must be, how alternatives are joined)
    "StringEquals": ("to be {values}", "or"),
    "StringNotEquals": ("not to be {values}", "or"),
    "StringEqualsIgnoreCase": ("to be {values}, in any case", "or"),
    "StringNotEqualsIgnoreCase": ("not to be {values}, in any case", "or"),
    "StringLike": ("to match {values}", "or"),
    "StringNotLike": ("not to match {values}", "or"),
    "NumericEquals": ("to be {values}", "or"),
    "NumericNotEquals": ("not to be {values}", "or"),
    "NumericLessThan": ("to be below {values}", "or"),
    "NumericLessThanEquals": ("to be at most {values}", "or"),
    "NumericGreaterThan": ("to be above {values}", "or"),
    "NumericGreaterThanEquals": ("to be at least {values}", "or"),
    "DateEquals": ("to be {values}", "or"),
    "DateNotEquals": ("not to be {values}", "or"),
    "DateLessThan": ("to be before {values}", "or"),
    "DateLessThanEquals": ("to be no later than {values}", "or"),
    "DateGreaterThan": ("to be after {values}", "or"),
    "DateGreaterThanEquals": ("to be no earlier than {values}", "or"),
    "Bool": ("to be {values}", "or"),
    "BinaryEquals": ("to be the bytes {values}", "or"),
    "BinaryNotEquals": ("not to be the bytes {values}", "or"),
    "IpAddress": ("to be {values}", "or"),
    "NotIpAddress": ("to be other than {values}", "and"),
    "ArnEquals": ("to match {values}", "or"),
    "ArnLike": ("to match {values}", "or"),
    "ArnNotEquals": ("not to match {values}", "or"),
    "ArnNotLike": ("not to match {values}", "or"),
}
"""Every operator, and `BinaryNotEquals`, which only a Deny's opposite needs."""

OPPOSITES: Final[Mapping[str, str]] = {
    **{
        one: other
        for pair in (
            ("StringEquals", "StringNotEquals"),
            ("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
            ("StringLike", "StringNotLike"),
            ("NumericEquals", "NumericNotEquals"),
            ("NumericLessThan", "NumericGreaterThanEquals"),
            ("NumericLessThanEquals", "NumericGreaterThan"),
            ("DateEquals", "DateNotEquals"),
            ("DateLessThan", "DateGreaterThanEquals"),
            ("DateLessThanEquals", "DateGreaterThan"),
            ("BinaryEquals", "BinaryNotEquals"),
            ("IpAddress", "NotIpAddress"),
            ("ArnEquals", "ArnNotEquals"),
            ("ArnLike", "ArnNotLike"),
        )
        for one, other in (pair, pair[::-1])
    },
    "Bool": "Bool",
    NULL: NULL,
}
"""What holds where an operator does not (`Bool` and `Null`: with the other value)."""

_QUANTIFIERS: Final = {
    Quantifier.NONE: Quantifier.NONE,
    Quantifier.ALL: Quantifier.ANY,
    Quantifier.ANY: Quantifier.ALL,
}
_OTHER_TRUTH: Final = {"true": "false", "false": "true"}

_KINDS: Final[Sequence[tuple[tuple[str, ...], Callable[[str], object], str]]] = (
    (("Numeric",), values.number, "a number"),
    (("Date",), values.instant, "a date"),
    (("IpAddress", "NotIpAddress"), values.address, "an IP address"),
)


def shown(text: str) -> str:
    """Somebody's text in backticks: cut to 80 characters, what is not printable as `\\uXXXX`."""
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    plain = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in cut)
    return f"`{plain.replace('`', chr(39))}`"


def listed(texts: Iterable[str], joiner: str) -> str:
    """`a`, `b` or `c`; beyond four, how many more there are."""
    parts = list(texts)
    if len(parts) > _LISTED + 1:
        parts = [*parts[:_LISTED], f"{len(parts) - _LISTED} more"]
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {joiner} {parts[-1]}"


def span(length: timedelta) -> str:
    """`40 minutes`, `1 hour 30 minutes`, `2 days`: what is left over is left out after the second part."""
    rest = max(0, int(length.total_seconds()))
    parts = []
    for size, noun in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number} {noun}{'' if number == 1 else 's'}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 seconds"


def moment(at: datetime, now: datetime) -> str:
    """`18:00 UTC`, with the day where it is another one, and with seconds where there are any."""
    at = at.astimezone(UTC)
    text = f"{at:%H:%M:%S} UTC" if at.second else f"{at:%H:%M} UTC"
    today = now.astimezone(UTC)
    if at.date() == today.date():
        return text
    return f"{text} on {at.day} {at:%b}" + (f" {at.year}" if at.year != today.year else "")


def needs(
    condition: Condition,
    context: RequestContext,
    now: datetime,
    voice: Voice,
    *,
    avoid: bool = False,
) -> str:
    """`needs MFA in the last 15 minutes; yours is 40 minutes old`.

    With `avoid` it says what would make the condition not hold, which is how to get past a Deny.
    """
    told = _Told(condition, context, now, voice, avoid=avoid)
    return f"needs {told.wanted()}; {told.has()}"


class _Told:
    """One condition with everything that its sentence needs."""

    def __init__(
        self, condition: Condition, context: RequestContext, now: datetime, voice: Voice, *, avoid: bool
    ) -> None:
        self._condition = condition
        self._context = context
        self._now = now
        self._voice = voice
        self._key = condition.key
        self._subject, name = _subject(condition)
        self._noun = voice.say(self._subject.noun, name=shown(name))
        self._operator = OPPOSITES[condition.operator] if avoid else condition.operator
        self._quantifier = _QUANTIFIERS[condition.quantifier] if avoid else condition.quantifier
        self._texts = condition.values
        if avoid and condition.operator in ("Bool", NULL):
            self._texts = tuple(_OTHER_TRUTH.get(text.lower(), text) for text in condition.values)
        self._value = context.find(condition.key)

    # --- what it needs ----------------------------------------------------------------------------

    def wanted(self) -> str:
        if self._operator == NULL:
            return self._presence()
        special = _SPECIAL.get(self._key)
        said = special(self) if special is not None and self._quantifier is Quantifier.NONE else None
        if said is not None:
            return said
        if self._subject.secret:
            return f"another value of {self._noun}"
        template, joiner = _PREDICATES[self._operator]
        predicate = template.format(values=listed(map(self._wish, self._texts), joiner))
        if self._quantifier is Quantifier.ALL:
            return f"every value of {self._noun} {predicate}"
        if self._operator in ("StringEquals", "IpAddress") and "{name}" not in self._subject.noun:
            return f"{self._noun} {predicate.removeprefix('to be ')}"
        if self._quantifier is Quantifier.ANY:
            return f"a value of {self._noun} {predicate}"
        return f"{self._noun} {predicate}"

    def _presence(self) -> str:
        wishes = {values.truth(text) for text in self._texts}
        if wishes == {True}:
            return f"{self._noun} to be absent"
        if wishes == {False}:
            return f"{self._noun} to be there"
        return f"{self._noun}, but its `Null` is neither true nor false alone"

    def _wish(self, text: str) -> str:
        if self._operator.startswith("Date"):
            return self._at(text)
        if self._operator == "Bool":
            return text.lower() if text.lower() in _OTHER_TRUTH else shown(text)
        if self._operator.startswith("Numeric") and values.number(text) is not None:
            return text
        if self._condition.templated and "${" in text:
            resolved = patterns.resolve(patterns.tokens(text, variables=True), self._context)
            if resolved is None:
                return f"{shown(text)} (which has no value here)"
            plain = "".join(part.value[0] if isinstance(part, Wild) else part for part in resolved[0])
            return f"{shown(plain)} (from {shown(text)})"
        return shown(text)

    def _at(self, text: str) -> str:
        at = _instant(text)
        return shown(text) if at is None else moment(at, self._now)

    def age(self) -> str | None:
        """MFA and sign-in, by their age."""
        if not self._operator.startswith("Numeric") or len(self._texts) != 1:
            return None
        limit = values.number(self._texts[0])
        if limit is None or not 0 <= limit < 10**9:
            return None
        words = span(timedelta(seconds=int(limit)))
        if self._operator.startswith("NumericLess"):
            return f"{self._noun} in the last {_without_one(words)}"
        if self._operator.startswith("NumericGreater"):
            return f"{self._noun} that is at least {words} old"
        return None

    def clock(self) -> str | None:
        """The time, by one bound."""
        if len(self._texts) != 1 or not self._operator.startswith(("Date", "Numeric")):
            return None
        at = _instant(self._texts[0])
        if at is None:
            return None
        bound = self._operator.removeprefix("Date").removeprefix("Numeric")
        if bound.startswith("Less"):
            return f"a time until {moment(at, self._now)}"
        if bound.startswith("Greater"):
            return f"a time from {moment(at, self._now)}"
        return None

    def truth(self) -> str | None:
        """Something that is or is not so."""
        if self._operator != "Bool" or len(self._texts) != 1:
            return None
        wish = values.truth(self._texts[0])
        if wish is None:
            return None
        return self._noun if wish else _NEGATIVES[self._key]

    # --- what it has ------------------------------------------------------------------------------

    def has(self) -> str:
        value, voice = self._value, self._voice
        if value is AMBIGUOUS:
            return "it came twice, in different letter case, so neither counts"
        if value is None or value == ():
            return voice.say(self._subject.none)
        if self._subject.secret:
            return voice.say(self._subject.has, value="")
        if isinstance(value, tuple) and len(value) > 1 and self._condition.quantifier is Quantifier.NONE:
            several = listed(map(shown, value), "and")
            return voice.say("{you} have {value}, and this condition takes one value", value=several)
        if value == "" and self._key == "aws:sourceip":
            return voice.say(self._subject.none)
        odd = self._odd(value)
        if odd is not None:
            return voice.say("{own}, {value}, is not {kind}", value=self._plain(value), kind=odd)
        return voice.say(self._subject.has, value=self._plain(value))

    def _odd(self, value: Value) -> str | None:
        """What a value is not, though the operator compares such."""
        each = (value,) if isinstance(value, str) else value
        for operators, read, kind in _KINDS:
            if self._operator.startswith(operators) and any(read(text) is None for text in each):
                return kind
        return None

    def _plain(self, value: Value) -> str:
        if isinstance(value, str):
            show = _SHOWN.get(self._key)
            return show(self, value) if show is not None else shown(value)
        return listed(map(shown, value), "and")

    def seconds(self, text: str) -> str:
        """An age. Told to the second where it would otherwise read like the limit."""
        number = values.number(text)
        if number is None:
            return shown(text)
        whole = timedelta(seconds=int(number))
        minutes = timedelta(minutes=whole // timedelta(minutes=1))
        limits = [
            span(timedelta(seconds=int(limit)))
            for wish in self._texts
            if (limit := values.number(wish)) is not None and 0 <= limit < 10**9
        ]
        coarse = whole >= timedelta(minutes=2) and span(minutes) not in limits
        return span(minutes if coarse else whole)

    def instant(self, text: str) -> str:
        at = _instant(text)
        return shown(text) if at is None else moment(at, self._now)

    def second_factor(self, text: str) -> str:
        return "with it" if values.truth(text) else "without"

    def yes(self, text: str) -> str:
        truth = values.truth(text)
        return shown(text) if truth is None else ("one" if truth else "not")


_SPECIAL: Final[Mapping[str, Callable[[_Told], str | None]]] = {
    "aws:multifactorauthage": _Told.age,
    "daypass:authenticationage": _Told.age,
    "aws:currenttime": _Told.clock,
    "aws:epochtime": _Told.clock,
    "aws:multifactorauthpresent": _Told.truth,
    "aws:securetransport": _Told.truth,
    "daypass:phishingresistant": _Told.truth,
}
_SHOWN: Final[Mapping[str, Callable[[_Told, str], str]]] = {
    "aws:multifactorauthage": _Told.seconds,
    "daypass:authenticationage": _Told.seconds,
    "aws:currenttime": _Told.instant,
    "aws:epochtime": _Told.instant,
    "aws:multifactorauthpresent": _Told.second_factor,
    "aws:securetransport": _Told.yes,
    "daypass:phishingresistant": _Told.yes,
}


def _subject(condition: Condition) -> tuple[_Subject, str]:
    """How the key is spoken of, and the part of its name that is not fixed."""
    row = _SUBJECTS.get(condition.key)
    if row is not None:
        return row, ""
    for prefix, family in _FAMILIES.items():
        if condition.key.startswith(prefix):
            return family, condition.name[len(prefix) :]
    return _Subject("{name}"), condition.name


def _without_one(words: str) -> str:
    """`hour` for `1 hour`."""
    return words.removeprefix("1 ") if words.count(" ") == 1 else words


def _instant(text: str) -> datetime | None:
    nanoseconds = values.instant(text)
    if nanoseconds is None:
        return None
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return None
