"""Two documents, one session policy that allows exactly what both allow.

STS takes one inline session policy, and several documents would be read as a union, so what must hold
together is computed here. First way: every Allow of one document meets every Allow of the other. Where a
meeting cannot be written as patterns and one document has a single Allow, the second way keeps the other
document's Allows and denies all that lies outside. Else the request is refused: never more than either
allows. STS API Reference, "AssumeRole", parameter Policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from app.errors import RequestNotPossible
from app.model import PolicyText
from app.policy import conditions, values
from app.policy.conditions import IF_EXISTS, NULL, OPERATORS, Condition, Quantifier
from app.policy.document import CURRENT, Document, Kind, Statement
from app.policy.overlap import Inexpressible, Pattern, common, spread, within
from app.policy.patterns import Resource, Variable, Wild, tokens
from app.policy.problems import PolicyInvalid
from app.policy.read import minified, parse
from app.policy.request import EMPTY
from app.policy.text import fold

LIMIT: Final = 2_048
_MOST_PAIRS: Final = 5_000
_MOST_TOGETHER: Final = 256
"""More patterns than that fit into no session policy."""

Conditions = Mapping[tuple[str, str], tuple[str, tuple[str, ...]]]
"""(operator as written, folded key) to (key as written, values)."""


@dataclass(frozen=True, slots=True)
class _Side:
    """A list of patterns, or everything but them."""

    negated: bool
    texts: tuple[str, ...]

    @property
    def everything(self) -> bool:
        return not self.negated and "*" in self.texts


@dataclass(frozen=True, slots=True)
class _Part:
    """A statement without its effect, in the words of Version 2012-10-17."""

    actions: _Side
    resources: _Side
    conditions: Conditions
    cut_actions: frozenset[str] = frozenset()
    """Patterns within `actions` that are left out, and must be denied."""
    cut_resources: frozenset[str] = frozenset()


_ALL: Final = _Side(False, ("*",))


def intersect(a: Document, b: Document, limit: int = LIMIT) -> str:
    """The minified session policy that allows exactly what both documents allow.

    Raises RequestNotPossible, with the reason as detail, if that cannot be written in `limit` characters.
    """
    if a.kind is Kind.TRUST or b.kind is Kind.TRUST:
        raise RequestNotPossible("a trust policy is no cap for a session")
    denies = [_part(each, document) for document in (a, b) for each in document.statements if each.deny]
    left = [_part(each, a) for each in a.statements if not each.deny]
    right = [_part(each, b) for each in b.statements if not each.deny]
    ways = [partial(_meet, left, right, denies)]
    if len(right) == 1:
        ways.append(partial(_outside, left, right[0], denies))
    if len(left) == 1:
        ways.append(partial(_outside, right, left[0], denies))
    reasons: list[str] = []
    for way in ways:
        try:
            text = way()
        except Inexpressible as no:
            reasons.append(str(no) or "their patterns overlap in a way that no pattern describes")
            continue
        if len(text) > limit:
            reasons.append(f"it has {len(text)} characters; STS takes {limit}")
            continue
        try:
            parse(PolicyText(name="session", text=text, file="session"), Kind.SESSION)
        except PolicyInvalid as invalid:
            reasons.append(str(invalid))
            continue
        return text
    told = "; or: ".join(dict.fromkeys(reasons))
    raise RequestNotPossible(f"{a.name} and {b.name} cannot be made one session policy: {told}")


def _meet(left: list[_Part], right: list[_Part], denies: list[_Part]) -> str:
    """Every Allow of one with every Allow of the other, and the denies of both."""
    allows: list[_Part] = []
    for one in left:
        for other in right:
            together = _conditions(one.conditions, other.conditions)
            if together is None:
                continue
            cut_actions: list[str] = []
            cut_resources: list[str] = []
            actions = _actions(one.actions, other.actions, cut_actions)
            resources = _resources(one.resources, other.resources, cut_resources) if actions else None
            if actions is not None and resources is not None:
                allows.append(
                    _Part(actions, resources, together, frozenset(cut_actions), frozenset(cut_resources))
                )
    return _written(allows, [*denies, *_cuts(allows)])


def _cuts(allows: list[_Part]) -> Iterator[_Part]:
    """Denies for what a Not… list takes out of the middle of a pattern.

    A Deny reaches every Allow of the document, so each is given only if no other Allow loses by it.
    """
    for part in allows:
        for text in sorted(part.cut_actions):
            _harmless(
                part, _Side(False, (text,)), part.resources, [q for q in allows if text not in q.cut_actions]
            )
            yield _Part(_Side(False, (text,)), part.resources, {})
        for text in sorted(part.cut_resources):
            _harmless(
                part, part.actions, _Side(False, (text,)), [q for q in allows if text not in q.cut_resources]
            )
            yield _Part(part.actions, _Side(False, (text,)), {})


def _harmless(part: _Part, actions: _Side, resources: _Side, others: list[_Part]) -> None:
    for other in others:
        if (
            other is not part
            and _actions(other.actions, actions, [])
            and _resources(other.resources, resources, [])
        ):
            raise Inexpressible("what one statement leaves out, another allows")


def _outside(kept: list[_Part], single: _Part, denies: list[_Part]) -> str:
    """One document's allows under the conditions of the other's only Allow, less all that it leaves out."""
    allows: list[_Part] = []
    for part in kept:
        together = _conditions(part.conditions, single.conditions)
        if together is not None:
            allows.append(_Part(part.actions, part.resources, together))
    cuts: list[_Part] = []
    if not single.actions.everything:
        cuts.append(_Part(_Side(not single.actions.negated, single.actions.texts), _ALL, {}))
    if not single.resources.everything:
        if single.resources.negated and any("${" in text for text in single.resources.texts):
            raise Inexpressible("NotResource with a policy variable cannot be turned round")
        cuts.append(_Part(_ALL, _Side(not single.resources.negated, single.resources.texts), {}))
    return _written(allows, [*denies, *cuts])


# --- statements as parts --------------------------------------------------------------------------


def _part(statement: Statement, document: Document) -> _Part:
    modern = document.version == CURRENT
    found: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {}
    for condition in statement.conditions:
        written = (
            tuple(map(_literal, condition.values)) if not modern and _varies(condition) else condition.values
        )
        found[_operator(condition), condition.key] = (condition.name, written)
    return _Part(
        _Side(statement.not_action, statement.actions.texts),
        _Side(
            statement.not_resource,
            tuple(entry.text if modern else _literal_tail(entry.text) for entry in statement.resources),
        ),
        found,
    )


def _operator(condition: Condition) -> str:
    return f"{condition.quantifier.value}{condition.operator}{IF_EXISTS if condition.if_exists else ''}"


def _varies(condition: Condition) -> bool:
    row = OPERATORS.get(condition.operator)
    return row is not None and row.variables


def _literal(text: str) -> str:
    """Text of Version 2008-10-17, where nothing is a variable, for 2012-10-17."""
    return text.replace("${", "${$}{")


def _literal_tail(text: str) -> str:
    fields = text.split(":", 5)
    return ":".join((*fields[:5], _literal(fields[5]))) if len(fields) == 6 else text


# --- patterns -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Entry:
    """One pattern of a side."""

    text: str
    pattern: Pattern
    resource: Resource | None

    @property
    def simple(self) -> bool:
        return self.resource is None or self.resource.simple

    @property
    def varies(self) -> bool:
        return any(isinstance(piece, Variable) for piece in self.pattern)


def _action_entry(text: str) -> _Entry:
    return _Entry(text, spread(tokens(fold(text), variables=False)), None)


def _resource_entry(text: str) -> _Entry:
    made = Resource(text, variables=True)
    return _Entry(text, spread(made.parts), made)


def _actions(one: _Side, other: _Side, cut: list[str]) -> _Side | None:
    return _side(one, other, _action_entry, cut)


def _resources(one: _Side, other: _Side, cut: list[str]) -> _Side | None:
    return _side(one, other, _resource_entry, cut)


def _side(one: _Side, other: _Side, entry: Callable[[str], _Entry], cut: list[str]) -> _Side | None:
    """What both sides cover, less what is put into `cut`; None for nothing."""
    if one.everything:
        return other
    if other.everything:
        return one
    if one.negated and other.negated:
        return _Side(True, tuple(dict.fromkeys((*one.texts, *other.texts))))
    if one.negated or other.negated:
        plain, negated = (other, one) if one.negated else (one, other)
        without = [entry(each) for each in negated.texts]
        kept = [text for text in plain.texts if _kept(entry(text), without, cut)]
        return _Side(False, tuple(kept)) if kept else None
    if len(one.texts) * len(other.texts) > _MOST_PAIRS:
        raise Inexpressible(
            f"lists of {len(one.texts)} and {len(other.texts)} patterns are too long to compare"
        )
    found: dict[str, _Entry] = {}
    for left in map(entry, one.texts):
        for right in map(entry, other.texts):
            for both in _both(left, right, entry):
                found[both.text] = both
            if len(found) > _MOST_TOGETHER:
                raise Inexpressible(f"more than {_MOST_TOGETHER} patterns would be needed")
    kept_: list[_Entry] = []
    for each in found.values():
        if not any(_inside(each, known) for known in kept_):
            kept_ = [known for known in kept_ if not _inside(known, each)]
            kept_.append(each)
    return _Side(False, tuple(each.text for each in kept_)) if kept_ else None


def _inside(small: _Entry, large: _Entry) -> bool:
    """True if it is certain that the larger entry covers all of the smaller one."""
    if small.text == large.text or large.text == "*":
        return True
    if large.simple:
        return within(small.pattern, large.pattern)
    exact = small.resource.exact if small.resource is not None else None
    return exact is not None and large.resource is not None and large.resource.matches(exact, EMPTY, False)


def _apart(small: _Entry, large: _Entry) -> bool:
    """True if it is certain that no name is covered by both."""
    if small.simple and large.simple:
        return not common(small.pattern, large.pattern)
    if not common(small.pattern, large.pattern):
        return True
    for one, other in ((small, large), (large, small)):
        if one.resource is not None and other.resource is not None and one.resource.exact is not None:
            return not other.resource.matches(one.resource.exact, EMPTY, True)
    raise Inexpressible(f"`{small.text}` and `{large.text}` have wildcards inside a field of an ARN")


def _kept(entry: _Entry, negated: list[_Entry], cut: list[str]) -> bool:
    """Whether anything of a pattern is outside a Not… list; what is inside goes into `cut`."""
    if any(other.varies for other in negated):
        raise Inexpressible("a NotResource with a policy variable cannot be taken out of a pattern")
    if any(_inside(entry, other) for other in negated):
        return False
    cut.extend(other.text for other in negated if not _apart(entry, other))
    return True


def _both(left: _Entry, right: _Entry, entry: Callable[[str], _Entry]) -> Iterator[_Entry]:
    if _inside(left, right):
        yield left
    elif _inside(right, left):
        yield right
    elif left.simple and right.simple:
        for pattern in common(left.pattern, right.pattern):
            text = _text(pattern, variables=left.resource is not None)
            made = entry(text)
            if made.pattern != pattern or not made.simple:
                raise Inexpressible(
                    f"`{left.text}` and `{right.text}` have no common pattern that can be written"
                )
            yield made
    elif common(left.pattern, right.pattern):
        if any(each.resource is not None and each.resource.exact is not None for each in (left, right)):
            # Not certainly inside, so an Allow does not reach it.
            return
        raise Inexpressible(f"`{left.text}` and `{right.text}` have wildcards inside a field of an ARN")


def _text(pattern: Pattern, *, variables: bool) -> str:
    """A pattern as it is written; letters that would mean more than themselves are escaped."""
    written: list[str] = []
    for index, piece in enumerate(pattern):
        if isinstance(piece, Wild):
            written.append(piece.value)
        elif isinstance(piece, Variable):
            written.append(piece.text)
        elif variables and (piece in "*?" or (piece == "$" and pattern[index + 1 : index + 2] == ("{",))):
            written.append(f"${{{piece}}}")
        else:
            written.append(piece)
    return "".join(written)


# --- conditions -----------------------------------------------------------------------------------


def _conditions(one: Conditions, other: Conditions) -> Conditions | None:
    """Both blocks as one; None if they can never hold together."""
    found = dict(one)
    for (operator, key), (name, texts) in other.items():
        if not _add(found, operator, key, name, texts):
            return None
    return found


def _add(
    found: dict[tuple[str, str], tuple[str, tuple[str, ...]]],
    operator: str,
    key: str,
    name: str,
    texts: tuple[str, ...],
) -> bool:
    """Add one condition to a block; False if the block can never hold any more."""
    known = found.get((operator, key))
    if known is None:
        found[operator, key] = (name, texts)
        return True
    written, there = known
    if set(there) <= set(texts):
        narrower: tuple[str, ...] | None = there
    elif set(texts) <= set(there):
        narrower = texts
    else:
        narrower = None
    parts = conditions.name(operator)
    row = OPERATORS.get(parts.operator) if parts is not None else None
    if parts is not None and row is not None and row.negated and parts.quantifier is not Quantifier.ANY:
        found[operator, key] = (written, tuple(dict.fromkeys((*there, *texts))))
        return True
    if narrower is not None:
        found[operator, key] = (written, narrower)
        return True
    if operator == NULL:
        answers = {values.truth(text) for text in (*there, *texts)}
        if answers == {True, False}:
            return False
    if parts is None or row is None:
        raise Inexpressible(f"{operator} on {name} stands in both with other values")
    plain = parts.operator == "StringEquals" and not any("${" in text for text in (*there, *texts))
    shared = tuple(text for text in there if text in texts)
    if plain and parts.quantifier is not Quantifier.ANY and (shared or not parts.if_exists):
        if shared:
            found[operator, key] = (written, shared)
            return True
        if parts.quantifier is Quantifier.NONE:
            return False
    if parts.quantifier is Quantifier.NONE and not parts.if_exists:
        # The key must be there for the first of the two, so asking the second only if it is there is the same.
        return _add(found, f"{operator}{IF_EXISTS}", key, name, texts)
    raise Inexpressible(f"{operator} on {name} stands in both with other values")


# --- writing --------------------------------------------------------------------------------------


def _written(allows: list[_Part], denies: list[_Part]) -> str:
    statements: list[dict[str, object]] = []
    kept = _merged(allows)
    if not kept:
        denies = [_Part(_ALL, _ALL, {})]
    statements.extend(_statement("Allow", part) for part in kept)
    statements.extend(_statement("Deny", part) for part in _merged(denies))
    return minified({"Version": CURRENT, "Statement": statements})


def _merged(parts: Iterable[_Part]) -> list[_Part]:
    """Without repetitions; parts that differ in their lists of actions, or of resources, are put together."""
    found: list[_Part] = []
    for part in parts:
        for index, known in enumerate(found):
            together = _united(known, part)
            if together is not None:
                found[index] = together
                break
        else:
            found.append(part)
    return found


def _united(one: _Part, other: _Part) -> _Part | None:
    """One part that covers exactly what two cover, if that is plain to see."""
    if one.conditions != other.conditions:
        return None
    if one.resources == other.resources and not one.actions.negated and not other.actions.negated:
        return _Part(_union(one.actions, other.actions), one.resources, one.conditions)
    if one.actions == other.actions and not one.resources.negated and not other.resources.negated:
        return _Part(one.actions, _union(one.resources, other.resources), one.conditions)
    return one if one == other else None


def _union(one: _Side, other: _Side) -> _Side:
    texts = tuple(dict.fromkeys((*one.texts, *other.texts)))
    return _ALL if "*" in texts else _Side(False, texts)


def _statement(effect: str, part: _Part) -> dict[str, object]:
    made: dict[str, object] = {"Effect": effect}
    for element, side in (("Action", part.actions), ("Resource", part.resources)):
        made[f"Not{element}" if side.negated else element] = _one_or_many(side.texts)
    if part.conditions:
        block: dict[str, dict[str, object]] = {}
        for (operator, _), (name, texts) in part.conditions.items():
            block.setdefault(operator, {})[name] = _one_or_many(texts)
        made["Condition"] = block
    return made


def _one_or_many(texts: tuple[str, ...]) -> object:
    return texts[0] if len(texts) == 1 else list(texts)
