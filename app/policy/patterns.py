"""Patterns: `*`, `?` and policy variables, compiled to tokens once.

A variable is a token of its own. Its value is put in as literal text, so no value can act as a pattern
or be expanded again. Matching never backtracks over more than one star, so its cost is bounded by the
product of the two lengths. IAM User Guide, "Policy variables", "Resource", "Action".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from app.policy import condition_keys, unverified
from app.policy.request import AMBIGUOUS, RequestContext
from app.policy.text import fold


class Wild(Enum):
    """Wildcards. The last two stay within a field of an ARN."""

    MANY = "*"
    ONE = "?"
    MANY_IN_FIELD = "*:"
    ONE_IN_FIELD = "?:"


@dataclass(frozen=True, slots=True)
class Variable:
    """`${key}` or `${key, 'default'}`."""

    key: str
    """Folded; empty for a key that cannot be resolved (a multivalued one)."""
    default: str | None = None
    text: str = ""
    """As written."""


Token = str | Wild | Variable

_WILD: Final = re.compile(r"[*?]")
_WILD_OR_VARIABLE: Final = re.compile(r"\$\{(?:([*?$])\}|([^{},]+), '([^']*)'\}|([^}]*)\})|([*?])")
_MARKS: Final = {"*": Wild.MANY, "?": Wild.ONE}


def tokens(text: str, *, variables: bool, wildcards: bool = True) -> tuple[Token, ...]:
    """Split a pattern. Adjacent literals are one token; an empty text is no token."""
    found: list[Token] = []
    literal = ""
    at = 0
    for match in (_WILD_OR_VARIABLE if variables else _WILD).finditer(text):
        literal += text[at : match.start()]
        at = match.end()
        whole = match.group()
        if len(whole) == 1:
            if not wildcards:
                literal += whole
                continue
            token: Token = _MARKS[whole]
        elif match.group(1) is not None:
            literal += match.group(1)
            continue
        else:
            token = _variable(match)
        if literal:
            found.append(literal)
            literal = ""
        found.append(token)
    literal += text[at:]
    if literal:
        found.append(literal)
    return tuple(found)


def variables(text: str) -> Iterator[tuple[int, int, Variable]]:
    """The variables of a pattern with where each begins and ends in it, in their order."""
    for match in _WILD_OR_VARIABLE.finditer(text):
        if match.group(1) is None and match.group(5) is None:
            yield match.start(), match.end(), _variable(match)


def _variable(match: re.Match[str]) -> Variable:
    name = match.group(2) if match.group(2) is not None else match.group(4)
    key = "" if condition_keys.multivalued(name) else fold(name)
    return Variable(key, match.group(3), match.group())


def resolve(template: Iterable[Token], context: RequestContext) -> tuple[tuple[str | Wild, ...], bool] | None:
    """Put values in as literal text. None if a variable has neither value nor default.

    The flag is True if a value was the empty string (`unverified.empty_variable`).
    """
    found: list[str | Wild] = []
    empty = False
    for token in template:
        if isinstance(token, Variable):
            value = context.find(token.key) if token.key else None
            if isinstance(value, tuple):
                value = value[0] if len(value) == 1 and value is not AMBIGUOUS else None
            if value is not None:
                empty = empty or not value
            elif token.default is not None and (not token.key or context.find(token.key) is None):
                value = token.default
            else:
                return None
            found.append(value)
        else:
            found.append(token)
    return tuple(found), empty


Segment = tuple[str, ...]
"""Text between two stars: its pieces between question marks."""


def _length(segment: Segment) -> int:
    return sum(map(len, segment)) + len(segment) - 1


def _stands(text: str, segment: Segment, at: int) -> bool:
    for piece in segment:
        if not text.startswith(piece, at):
            return False
        at += len(piece) + 1
    return True


def _seek(text: str, segment: Segment, start: int, end: int) -> int:
    """First position from `start` where the segment stands and ends by `end`; -1 if none."""
    if len(segment) == 1:
        return text.find(segment[0], start, end)
    for at in range(start, end - _length(segment) + 1):
        if _stands(text, segment, at):
            return at
    return -1


class Glob:
    """A pattern of literals, `*` and `?` over a whole string; wildcards match any character."""

    __slots__ = ("_first", "_last", "_least", "_middle", "_whole")

    def __init__(self, parts: Iterable[str | Wild]) -> None:
        segments: list[list[str]] = [[""]]
        for part in parts:
            if isinstance(part, str):
                segments[-1][-1] += part
            elif part is Wild.MANY or part is Wild.MANY_IN_FIELD:
                segments.append([""])
            else:
                segments[-1].append("")
        whole = tuple(tuple(segment) for segment in segments)
        self._first = whole[0]
        self._last = whole[-1] if len(whole) > 1 else None
        self._middle = tuple(segment for segment in whole[1:-1] if segment != ("",))
        self._least = sum(map(_length, whole))
        self._whole = whole[0][0] if len(whole) == 1 and len(whole[0]) == 1 else None

    def matches(self, text: str) -> bool:
        """True if the pattern covers the whole text. Leftmost placing is enough: a star takes the rest."""
        if self._whole is not None:
            return text == self._whole
        size = len(text)
        if size < self._least or not _stands(text, self._first, 0):
            return False
        if self._last is None:
            return size == self._least
        end = size - _length(self._last)
        if not _stands(text, self._last, end):
            return False
        at = _length(self._first)
        for segment in self._middle:
            at = _seek(text, segment, at, end)
            if at < 0:
                return False
            at += _length(segment)
        return True


def fielded(parts: Sequence[str | Wild], text: str) -> bool:
    """Match with wildcards of both reaches, by following all ways at once (no backtracking)."""
    steps: list[str | Wild] = []
    for part in parts:
        if isinstance(part, str):
            steps.extend(part)
        else:
            steps.append(part)
    stars = (Wild.MANY, Wild.MANY_IN_FIELD)

    def settle(places: set[int]) -> set[int]:
        for place in sorted(places):
            here = place
            while here < len(steps) and steps[here] in stars:
                here += 1
                places.add(here)
        return places

    places = settle({0})
    for letter in text:
        reached: set[int] = set()
        for place in places:
            if place == len(steps):
                continue
            step = steps[place]
            if step is Wild.MANY or (step is Wild.MANY_IN_FIELD and letter != ":"):
                reached.add(place)
            elif step == letter or step is Wild.ONE or (step is Wild.ONE_IN_FIELD and letter != ":"):
                reached.add(place + 1)
        places = settle(reached)
        if not places:
            return False
    return len(steps) in places


_FIELDS: Final = 5
"""Colons before the resource part of an ARN."""
_IN_FIELD: Final = re.compile(r"\*(?![*:]|\Z)|\?")


def _split(text: str) -> tuple[str, str]:
    """An ARN's first five fields with their colons, and the rest."""
    at = -1
    for _ in range(_FIELDS):
        at = text.find(":", at + 1)
        if at < 0:
            return text, ""
    return text[: at + 1], text[at + 1 :]


class Resource:
    """An entry of Resource or NotResource."""

    __slots__ = ("_fixed", "_glob", "_strict", "exact", "parts", "text")

    def __init__(self, text: str, *, variables: bool) -> None:
        self.text = text
        self.exact: str | None = None
        self._fixed = True
        self._glob: Glob | None = None
        self._strict: tuple[Token, ...] | None = None
        self.parts: tuple[Token, ...] = (Wild.MANY,)
        if text == "*":
            return
        if text.count(":") < _FIELDS:
            # Fewer than six fields are completed with `*`; one that ends in a star reaches on by itself.
            text = text if text.endswith("*") else text + ":*"
        head, tail = _split(text)
        rest = tokens(tail, variables=variables)
        self._fixed = not any(isinstance(token, Variable) for token in rest)
        self.parts = _joined((*tokens(head, variables=False), *rest))
        if _IN_FIELD.search(head):
            self._strict = (*_head(head), *rest)
        if self._fixed and self._strict is None:
            if all(isinstance(token, str) for token in self.parts):
                self.exact = "".join(part for part in self.parts if isinstance(part, str))
            else:
                self._glob = Glob(part for part in self.parts if not isinstance(part, Variable))

    @property
    def everything(self) -> bool:
        """True for `*` alone."""
        return self.text == "*"

    @property
    def fixed(self) -> bool:
        """True if no variable stands in it."""
        return self._fixed

    @property
    def simple(self) -> bool:
        """True if its wildcards all match any character, so that it is one pattern over the whole string."""
        return self._strict is None

    @property
    def prefix(self) -> str:
        """Literal text that everything it matches begins with."""
        return self.parts[0] if self.parts and isinstance(self.parts[0], str) else ""

    def matches(
        self, resource: str, context: RequestContext, unsure: bool, *, unresolved: bool = False
    ) -> bool:
        """True if this entry covers the resource; `unsure` is returned where the language leaves it open.

        `unresolved` is the answer for an entry with a variable that has no value: it matches nothing.
        """
        if self.exact is not None:
            return resource == self.exact
        if self._glob is not None:
            return self._glob.matches(resource)
        if self.text == "*":
            return True
        resolved = resolve(self.parts, context)
        if resolved is None:
            return unresolved
        parts, empty = resolved
        if not Glob(parts).matches(resource):
            return False
        sure = True
        if self._strict is not None:
            strict = resolve(self._strict, context)
            sure = strict is not None and fielded(strict[0], resource)
        if not sure:
            return unverified.wildcard_crosses_colon(unsure)
        return unverified.empty_variable(unsure) if empty else True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resource) and (self.text, self.parts) == (other.text, other.parts)

    def __hash__(self) -> int:
        return hash(self.text)


def _joined(parts: Iterable[Token]) -> tuple[Token, ...]:
    found: list[Token] = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        else:
            found.append(part)
    return tuple(found)


def _head(head: str) -> tuple[str | Wild, ...]:
    """The first five fields: a star that ends a field may reach beyond it, every other wildcard stays."""
    found: list[str | Wild] = []
    for index, letter in enumerate(head):
        if letter == "?":
            found.append(Wild.ONE_IN_FIELD)
        elif letter == "*":
            ends = head[index + 1 : index + 2] in (":", "")
            found.append(Wild.MANY if ends else Wild.MANY_IN_FIELD)
        else:
            found.append(letter)
    return tuple(found)


class Actions:
    """The list of an Action or NotAction element. Case-insensitive, no variables."""

    __slots__ = ("_exact", "_globs", "everything", "texts")

    def __init__(self, texts: tuple[str, ...]) -> None:
        self.texts = texts
        folded = [fold(text) for text in texts]
        self.everything = "*" in folded
        self._exact = frozenset(text for text in folded if not _WILD.search(text))
        self._globs = tuple(
            Glob(part for part in tokens(text, variables=False) if not isinstance(part, Variable))
            for text in folded
            if _WILD.search(text)
        )

    def match(self, action: str) -> bool:
        """True if the list covers a folded action."""
        if self.everything or action in self._exact:
            return True
        return any(glob.matches(action) for glob in self._globs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Actions) and self.texts == other.texts

    def __hash__(self) -> int:
        return hash(self.texts)
