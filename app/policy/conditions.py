"""Condition operators. IAM User Guide, "Condition operators", "Single-valued vs. multivalued context keys".

A condition compares one key of the request with the values of the policy. Every test takes `unsure`, the
answer that is safe for the statement where the language leaves the answer open; negation turns it round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from operator import eq, ge, gt, le, lt
from typing import Final, Protocol

from app.policy import patterns, unverified, values
from app.policy.patterns import Glob, Token, Variable, Wild
from app.policy.request import AMBIGUOUS, RequestContext
from app.policy.text import fold


class Quantifier(Enum):
    """Set operator in front of an operator."""

    NONE = ""
    ALL = "ForAllValues:"
    ANY = "ForAnyValue:"


class Test(Protocol):
    """The positive comparison of an operator with all values of the policy (an OR)."""

    def match(self, value: str, context: RequestContext, unsure: bool) -> bool | None:
        """True if any policy value matches; None if the request's value is not of the operator's type."""
        ...

    @property
    def broken(self) -> bool:
        """True if a value of the policy is not of the operator's type, so that it matches nothing."""
        ...


@dataclass(frozen=True, slots=True)
class _Texts:
    """Texts to compare: those without variables ready, the rest as templates."""

    plain: tuple[str, ...]
    templates: tuple[tuple[Token, ...], ...]


def _texts(written: Sequence[str], variables: bool, *, wildcards: bool) -> _Texts:
    plain: list[str] = []
    templates: list[tuple[Token, ...]] = []
    for text in written:
        parts = patterns.tokens(text, variables=variables, wildcards=wildcards)
        if all(isinstance(part, str) for part in parts):
            plain.append("".join(part for part in parts if isinstance(part, str)))
        else:
            templates.append(parts)
    return _Texts(tuple(plain), tuple(templates))


def _same(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class _Exact:
    """StringEquals and StringEqualsIgnoreCase."""

    plain: frozenset[str]
    templates: tuple[tuple[Token, ...], ...]
    letters: Callable[[str], str]
    broken: bool = False

    def match(self, value: str, context: RequestContext, unsure: bool) -> bool:
        value = self.letters(value)
        if value in self.plain:
            return True
        matched = False
        for template in self.templates:
            resolved = patterns.resolve(template, context)
            if resolved is None:
                continue
            parts, empty = resolved
            if self.letters("".join(part for part in parts if isinstance(part, str))) == value:
                matched = matched or (unverified.empty_variable(unsure) if empty else True)
        return matched


@dataclass(frozen=True, slots=True)
class _Like:
    """StringLike: wildcards over the whole string."""

    plain: frozenset[str]
    globs: tuple[Glob, ...]
    templates: tuple[tuple[Token, ...], ...]
    broken: bool = False

    def match(self, value: str, context: RequestContext, unsure: bool) -> bool:
        if value in self.plain or any(glob.matches(value) for glob in self.globs):
            return True
        matched = False
        for template in self.templates:
            resolved = patterns.resolve(template, context)
            if resolved is not None and Glob(resolved[0]).matches(value):
                matched = matched or (unverified.empty_variable(unsure) if resolved[1] else True)
        return matched


_ARN_COLONS: Final = 5


def _fields(parts: Sequence[str | Wild]) -> tuple[Glob, ...] | None:
    """A pattern split at its first five colons, a glob for each field; None if it is no ARN."""
    fields: list[list[str | Wild]] = [[]]
    for part in parts:
        if isinstance(part, Wild):
            fields[-1].append(part)
            continue
        pieces = part.split(":", _ARN_COLONS + 1 - len(fields))
        fields[-1].append(pieces[0])
        fields.extend([piece] for piece in pieces[1:])
    if len(fields) <= _ARN_COLONS or "".join(map(str, fields[0])) != "arn":
        return None
    return tuple(Glob(field) for field in fields)


def _arn_matches(fields: tuple[Glob, ...], given: Sequence[str]) -> bool:
    return all(glob.matches(text) for glob, text in zip(fields, given, strict=True))


@dataclass(frozen=True, slots=True)
class _Arn:
    """ArnEquals and ArnLike: field by field; the sixth takes the rest with its colons."""

    ready: tuple[tuple[Glob, ...], ...]
    templates: tuple[tuple[Token, ...], ...]
    broken: bool

    def match(self, value: str, context: RequestContext, unsure: bool) -> bool | None:
        given = value.split(":", _ARN_COLONS)
        if len(given) <= _ARN_COLONS or given[0] != "arn":
            return None
        if any(_arn_matches(fields, given) for fields in self.ready):
            return True
        matched = False
        for template in self.templates:
            resolved = patterns.resolve(template, context)
            fields = _fields(resolved[0]) if resolved is not None else None
            if resolved is not None and fields is not None and _arn_matches(fields, given):
                matched = matched or (unverified.empty_variable(unsure) if resolved[1] else True)
        return matched


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The Numeric operators."""

    wanted: tuple[Decimal, ...]
    compare: Callable[[Decimal, Decimal], bool]
    broken: bool

    def match(self, value: str, context: RequestContext, unsure: bool) -> bool | None:
        given = values.number(value)
        return None if given is None else any(self.compare(given, each) for each in self.wanted)


@dataclass(frozen=True, slots=True)
class _Dates:
    """The Date operators."""

    wanted: tuple[int, ...]
    compare: Callable[[int, int], bool]
    broken: bool

    def match(self, value: str, context: RequestContext, unsure: bool) -> bool | None:
        given = values.instant(value)
        return None if given is None else any(self.compare(given, each) for each in self.wanted)


@dataclass(frozen=True, slots=True)
class _Truth:
    """Bool."""

    wanted: frozenset[bool]
    templates: tuple[tuple[Token, ...], ...]
    broken: bool

    def match(self, value: str, context: RequestContext, unsure: bool) -> bool:
        given = values.truth(value)
        if given is None:
            return False
        if given in self.wanted:
            return True
        for template in self.templates:
            resolved = patterns.resolve(template, context)
            if resolved is not None:
                text = "".join(part for part in resolved[0] if isinstance(part, str))
                if values.truth(text) is given and unverified.variable_in_bool(unsure):
                    return True
        return False


@dataclass(frozen=True, slots=True)
class _Bytes:
    """BinaryEquals."""

    wanted: frozenset[bytes]
    broken: bool

    def match(self, value: str, context: RequestContext, unsure: bool) -> bool:
        given = values.octets(value)
        return given is not None and given in self.wanted


@dataclass(frozen=True, slots=True)
class _Networks:
    """IpAddress."""

    wanted: tuple[values.Network, ...]
    broken: bool

    def match(self, value: str, context: RequestContext, unsure: bool) -> bool | None:
        given = values.address(value)
        return None if given is None else any(network.holds(given, unsure) for network in self.wanted)


Build = Callable[[Sequence[str], bool], Test]


def _exact(letters: Callable[[str], str]) -> Build:
    def build(written: Sequence[str], variables: bool) -> Test:
        texts = _texts(written, variables, wildcards=False)
        return _Exact(frozenset(map(letters, texts.plain)), texts.templates, letters)

    return build


def _literal(parts: Sequence[Token]) -> tuple[str | Wild, ...] | None:
    """The parts, if no variable is among them."""
    found = tuple(part for part in parts if not isinstance(part, Variable))
    return found if len(found) == len(parts) else None


def _like(written: Sequence[str], variables: bool) -> Test:
    texts = _texts(written, variables, wildcards=True)
    ready = [literal for template in texts.templates if (literal := _literal(template)) is not None]
    rest = tuple(template for template in texts.templates if _literal(template) is None)
    return _Like(frozenset(texts.plain), tuple(map(Glob, ready)), rest)


def _arn(written: Sequence[str], variables: bool) -> Test:
    texts = _texts(written, variables, wildcards=True)
    ready: list[tuple[str | Wild, ...]] = [(text,) for text in texts.plain]
    ready += [literal for template in texts.templates if (literal := _literal(template)) is not None]
    rest = tuple(template for template in texts.templates if _literal(template) is None)
    fields = [split for each in ready if (split := _fields(each)) is not None]
    return _Arn(tuple(fields), rest, broken=len(fields) < len(ready))


def _numeric(compare: Callable[[Decimal, Decimal], bool]) -> Build:
    def build(written: Sequence[str], _variables: bool) -> Test:
        read = [number for text in written if (number := values.number(text)) is not None]
        return _Numbers(tuple(read), compare, broken=len(read) < len(written))

    return build


def _date(compare: Callable[[int, int], bool]) -> Build:
    def build(written: Sequence[str], _variables: bool) -> Test:
        read = [instant for text in written if (instant := values.instant(text)) is not None]
        return _Dates(tuple(read), compare, broken=len(read) < len(written))

    return build


def _bool(written: Sequence[str], variables: bool) -> Test:
    texts = _texts(written, variables, wildcards=False)
    read = [truth for text in texts.plain if (truth := values.truth(text)) is not None]
    return _Truth(frozenset(read), texts.templates, broken=len(read) < len(texts.plain))


def _binary(written: Sequence[str], _variables: bool) -> Test:
    read = [octets for text in written if (octets := values.octets(text)) is not None]
    return _Bytes(frozenset(read), broken=len(read) < len(written))


def _networks(written: Sequence[str], _variables: bool) -> Test:
    read = [network for text in written if (network := values.network(text)) is not None]
    return _Networks(tuple(read), broken=len(read) < len(written))


@dataclass(frozen=True, slots=True)
class Operator:
    """A row of the table of operators."""

    build: Build
    negated: bool = False
    variables: bool = False
    """Policy variables work in its values (String and Arn; Bool by one page)."""


OPERATORS: Final[dict[str, Operator]] = {
    "StringEquals": Operator(_exact(_same), variables=True),
    "StringNotEquals": Operator(_exact(_same), negated=True, variables=True),
    "StringEqualsIgnoreCase": Operator(_exact(str.casefold), variables=True),
    "StringNotEqualsIgnoreCase": Operator(_exact(str.casefold), negated=True, variables=True),
    "StringLike": Operator(_like, variables=True),
    "StringNotLike": Operator(_like, negated=True, variables=True),
    "NumericEquals": Operator(_numeric(eq)),
    "NumericNotEquals": Operator(_numeric(eq), negated=True),
    "NumericLessThan": Operator(_numeric(lt)),
    "NumericLessThanEquals": Operator(_numeric(le)),
    "NumericGreaterThan": Operator(_numeric(gt)),
    "NumericGreaterThanEquals": Operator(_numeric(ge)),
    "DateEquals": Operator(_date(eq)),
    "DateNotEquals": Operator(_date(eq), negated=True),
    "DateLessThan": Operator(_date(lt)),
    "DateLessThanEquals": Operator(_date(le)),
    "DateGreaterThan": Operator(_date(gt)),
    "DateGreaterThanEquals": Operator(_date(ge)),
    "Bool": Operator(_bool, variables=True),
    "BinaryEquals": Operator(_binary),
    "IpAddress": Operator(_networks),
    "NotIpAddress": Operator(_networks, negated=True),
    "ArnEquals": Operator(_arn, variables=True),
    "ArnLike": Operator(_arn, variables=True),
    "ArnNotEquals": Operator(_arn, negated=True, variables=True),
    "ArnNotLike": Operator(_arn, negated=True, variables=True),
}
NULL: Final = "Null"
IF_EXISTS: Final = "IfExists"


@dataclass(frozen=True, slots=True)
class Name:
    """An operator's name, taken apart."""

    quantifier: Quantifier
    operator: str
    if_exists: bool


def name(written: str) -> Name | None:
    """Take an operator's name apart; None for one that IAM does not know."""
    if written == NULL:
        return Name(Quantifier.NONE, NULL, if_exists=False)
    quantifier = Quantifier.NONE
    rest = written
    for each in (Quantifier.ALL, Quantifier.ANY):
        if written.startswith(each.value):
            quantifier, rest = each, written[len(each.value) :]
    if_exists = rest.endswith(IF_EXISTS)
    operator = rest.removesuffix(IF_EXISTS)
    return Name(quantifier, operator, if_exists) if operator in OPERATORS else None


class Condition:
    """One operator over one key, compiled."""

    __slots__ = ("if_exists", "key", "name", "negated", "operator", "quantifier", "test", "values")

    def __init__(self, written: Name, key: str, texts: tuple[str, ...], *, variables: bool) -> None:
        """`variables` is True for documents of Version 2012-10-17, where they work."""
        self.quantifier = written.quantifier
        self.operator = written.operator
        self.if_exists = written.if_exists
        self.name = key
        self.key = fold(key)
        self.values = texts
        row = OPERATORS.get(written.operator)
        self.negated = row is not None and row.negated
        self.test: Test | None = row.build(texts, variables and row.variables) if row else None

    @property
    def templated(self) -> bool:
        """True if a value holds a policy variable that is resolved with each request."""
        return bool(getattr(self.test, "templates", ()))

    def holds(self, context: RequestContext, unsure: bool) -> bool:
        """True if the request satisfies this condition."""
        value = context.find(self.key)
        if value is AMBIGUOUS:
            return unverified.ambiguous_key(unsure)
        if self.test is None:
            return self._null(present=bool(value) or value == "", unsure=unsure)
        if value is None or value == ():
            return self._missing(unsure)
        if self.quantifier is Quantifier.NONE:
            if isinstance(value, tuple):
                if len(value) > 1:
                    return unverified.several_values_without_set_operator(unsure)
                value = value[0]
            return self._one(self.test, value, context, unsure)
        several = (value,) if isinstance(value, str) else value
        if self.quantifier is Quantifier.ALL:
            # For ForAllValues an empty string counts as no value.
            return all(self._one(self.test, each, context, unsure) for each in several if each)
        return any(self._one(self.test, each, context, unsure) for each in several)

    def _one(self, test: Test, value: str, context: RequestContext, unsure: bool) -> bool:
        if not self.negated:
            return test.match(value, context, unsure) or False
        matched = test.match(value, context, not unsure)
        if matched is None or (test.broken and not matched):
            return unverified.negated_value_not_comparable(unsure)
        return not matched

    def _missing(self, unsure: bool) -> bool:
        if self.quantifier is Quantifier.ALL:
            if self.negated and not self.if_exists:
                return unverified.all_values_negated_missing(unsure)
            return True
        if self.quantifier is Quantifier.ANY:
            return unverified.any_value_if_exists_missing(unsure) if self.if_exists else False
        return self.negated or self.if_exists

    def _null(self, *, present: bool, unsure: bool) -> bool:
        wanted = {values.truth(text) for text in self.values}
        if (not present) in wanted:
            return True
        return unverified.null_without_answer(unsure) if wanted <= {None} else False

    def _identity(self) -> tuple[object, ...]:
        return (self.quantifier, self.operator, self.if_exists, self.key, self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())
