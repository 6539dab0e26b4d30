"""YAML text → values with their places; or problems, never an exception.

Only what a settings file needs is taken: mappings, lists, scalars. Refused are tags, anchors, aliases and
merge keys (they run code, blow up, or hide where a value stands), directives, several documents, a key twice
in one mapping (YAML 1.2.2, 3.2.1.3), deep nesting, files over 1 MB, and text that is not UTF-8.

Plain scalars that YAML 1.1 and 1.2 read differently (`on`, `0123`, `12:30`, `1_000`) are taken for nothing:
whoever reads the value says "quote it". The same holds for every key that is not plainly text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from yaml.resolver import Resolver

from app.configuration.places import START, Fields, Items, Mark, Node, Odd, Place, Scalar
from app.configuration.problems import Problems, shown

LARGEST: Final = 1_000_000
"""Bytes of one file."""
_DEEPEST: Final = 20
"""Levels of nesting; the deepest setting lies at six."""

_DECIMAL: Final = re.compile(r"0|-?[1-9][0-9]{0,17}")
_NUMBER_IN_1_2: Final = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_TEXT_TAGS: Final = frozenset({"tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp"})
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Refused(Exception):
    """The text is not one that is read here."""

    def __init__(self, mark: Mark, words: str) -> None:
        super().__init__(words)
        self.mark = mark
        self.words = words


def readable(file: str, text: str, problems: Problems) -> bool:
    """Whether a file's text may be looked at: UTF-8, at most 1 MB. `text` holds undecodable bytes as surrogates."""
    if len(text) > LARGEST or _size(text) > LARGEST:
        problems.put(file, 0, 0, "", "larger than 1 MB; split it, or take out what does not belong here")
        return False
    foreign = _SURROGATE.search(text)
    if foreign:
        before = text[: foreign.start()]
        line, column = before.count("\n") + 1, foreign.start() - before.rfind("\n")
        problems.put(file, line, column, "", "not UTF-8; save the file in that encoding")
        return False
    return True


def parse(file: str, text: str, problems: Problems) -> Place | None:
    """The file's one mapping, or None with the problems added. An empty file is an empty mapping."""
    if not readable(file, text, problems):
        return None
    try:
        node = _Builder(file, problems).build(text)
    except _Refused as refused:
        problems.put(file, refused.mark.line, refused.mark.column, "", refused.words)
        return None
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        line, column = (at.line + 1, at.column + 1) if at else (0, 0)
        said = ", ".join(part for part in (error.context, error.problem) if part)
        problems.put(file, line, column, "", f"not YAML: {shown(said)}{_hint(said, _at(text, line, column))}")
        return None
    except (yaml.YAMLError, ValueError) as error:  # characters that YAML does not know, numbers out of range
        said = getattr(error, "reason", None) or "characters that YAML does not allow"
        problems.put(file, 0, 0, "", f"not YAML: {shown(str(said))}")
        return None
    if not isinstance(node, Fields):
        problems.put(file, node.mark.line, node.mark.column, "", "expected a mapping (`key: value`)")
        return None
    return Place(file, node)


def _size(text: str) -> int:
    try:
        return len(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        return len(text.encode("utf-8", "surrogatepass"))


def _at(text: str, line: int, column: int) -> str:
    """The character at a place, counted from 1; empty where there is none."""
    lines = text.split("\n")
    return lines[line - 1][column - 1 : column] if 0 < line <= len(lines) else ""


def _hint(said: str, char: str) -> str:
    if char == "\t":
        return "; indent with spaces"
    if "cannot start any token" in said:
        return "; put the value in quotes"
    if "mapping values are not allowed" in said:
        return "; a text with `: ` in it needs quotes"
    if "did not find expected ',' or" in said:
        return "; a value with `[`, `{` or `,` in it needs quotes here"
    if "alias" in said or "anchor" in said:
        return "; a text that begins with `*` or `&` needs quotes"
    return ""


class _Builder:
    """Events → nodes. By hand and not by `yaml.compose`, which recurses and keeps the last of two equal keys."""

    def __init__(self, file: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._resolver: Any = Resolver()

    def build(self, text: str) -> Node:
        events: Iterator[Event] = yaml.parse(text, Loader=_LOADER)
        root: Node | None = None
        for event in events:
            if isinstance(event, DocumentStartEvent):
                if event.version or event.tags:
                    raise _Refused(_mark(event), "directives (`%YAML`, `%TAG`) are not taken; leave them out")
                if root is not None:
                    raise _Refused(_mark(event), "a second document (`---`); a file holds one")
            elif isinstance(event, NodeEvent):
                root = self._node(event, events, 0)
        if root is None or (isinstance(root, Scalar) and root.value is None):
            return Fields(START, {})
        return root

    def _node(self, event: Event, events: Iterator[Event], depth: int) -> Node:
        mark = _mark(event)
        if isinstance(event, AliasEvent):
            raise _Refused(
                mark, "aliases (`*name`) are not taken; write the value out, or quote a text with `*`"
            )
        if getattr(event, "anchor", None) is not None:
            raise _Refused(
                mark, "anchors (`&name`) are not taken; write the value out, or quote a text with `&`"
            )
        if getattr(event, "tag", None) is not None:
            raise _Refused(
                mark, "tags (`!name`) are not taken; write the value plainly, or quote a text with `!`"
            )
        if isinstance(event, CollectionStartEvent) and depth >= _DEEPEST:
            raise _Refused(mark, f"nested deeper than {_DEEPEST} levels")
        if isinstance(event, SequenceStartEvent):
            items = []
            while not isinstance(inner := next(events), SequenceEndEvent):
                items.append(self._node(inner, events, depth + 1))
            return Items(mark, items)
        if isinstance(event, MappingStartEvent):
            return Fields(mark, self._entries(events, depth + 1))
        if isinstance(event, ScalarEvent):
            return self._scalar(event, mark)
        raise _Refused(mark, "not a value")  # the parser gives no other event here

    def _entries(self, events: Iterator[Event], depth: int) -> dict[str, tuple[Mark, Node]]:
        entries: dict[str, tuple[Mark, Node]] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            key = self._node(event, events, depth)
            value = self._node(next(events), events, depth)
            if not isinstance(key, Scalar):
                self._say(key.mark, "", "a key must be text; a list or a mapping cannot be one")
                continue
            if key.text == "<<" and isinstance(key.value, Odd):
                self._say(key.mark, "<<", "merge keys are not taken; write the values out")
                continue
            if not isinstance(key.value, str):
                self._say(key.mark, key.text, quote(key.text))
            if key.text in entries:
                first = entries[key.text][0]
                self._say(key.mark, key.text, f"a second time; the first is on line {first.line}")
                continue
            if isinstance(value, Scalar) and value.value is None:
                self._say(key.mark, key.text, "has no value; give it one, or leave the key out")
            entries[key.text] = (key.mark, value)
        return entries

    def _scalar(self, event: ScalarEvent, mark: Mark) -> Scalar:
        text: str = event.value
        if not event.implicit[0]:  # quoted, or a block
            return Scalar(mark, text, text)
        tag = self._resolver.resolve(yaml.ScalarNode, text, (True, False))
        if tag == "tag:yaml.org,2002:null":
            return Scalar(mark, text, None)
        if tag == "tag:yaml.org,2002:bool" and text in {"true", "false"}:
            return Scalar(mark, text, text == "true")
        if tag == "tag:yaml.org,2002:int" and _DECIMAL.fullmatch(text):
            return Scalar(mark, text, int(text))
        if tag in _TEXT_TAGS and not _NUMBER_IN_1_2.fullmatch(text):
            return Scalar(mark, text, text)
        return Scalar(mark, text, Odd(text))

    def _say(self, mark: Mark, key: str, words: str) -> None:
        self._problems.put(self._file, mark.line, mark.column, key, words)


def quote(text: str) -> str:
    """Words for a plain scalar that should be text."""
    if not text:
        return 'is empty; write it in quotes: `""`'
    return f'YAML does not read this as text; quote it: `"{shown(text)}"`'


def _mark(event: Event) -> Mark:
    at = event.start_mark
    return Mark(at.line + 1, at.column + 1) if at else START
