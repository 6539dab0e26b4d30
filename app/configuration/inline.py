"""Policies that stand in a YAML file: a group's or a role's own.

What is written as YAML becomes the same IAM document as JSON, laid out so that each part stands on the line
where it stands in the file: whatever the policy room says of a line is true there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from app.configuration.document import quote
from app.configuration.fields import POLICY_NAME, pattern
from app.configuration.places import Fields, Items, Mark, Node, Odd, Path, Place, Scalar, plain
from app.configuration.policy_files import valid
from app.configuration.problems import Problems
from app.configuration.references import Referable, StandIn
from app.model import PolicyText
from app.policy import Kind

_ACTION: Final = "sts:AssumeRole"


@dataclass(frozen=True, slots=True)
class _Document:
    """Metadata of the annotated type: a mapping; the policy room reads what is in it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_mapping)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, object]:
        return {"type": "object", "required": ["Statement"]}


def _mapping(value: object) -> object:
    if not isinstance(value, dict | StandIn):
        raise PydanticCustomError("dict_type", "expected a mapping")
    return value


InlineDocument = Annotated[object, _Document()]
InlineName = Annotated[
    str,
    Referable(
        pattern(POLICY_NAME, "a policy's name: 1 to 128 of `A-Za-z0-9_+=,.@-`"),
        {"type": "string", "pattern": f"^{POLICY_NAME.pattern}$"},
        key=True,
    ),
]


def document(
    name: str, place: Place, path: Path, problems: Problems, *, arn: str | None = None
) -> PolicyText | None:
    """The document at `path`; None if it cannot be used, and what is wrong is said.

    `arn`: it speaks of that role alone. Its statements may leave Action and Resource out, and name no other.
    """
    node = place.find(path)
    if not isinstance(node, Fields):
        return None  # said already
    sound = _readable(place, path, node, problems)
    filled: dict[int, Mapping[str, str]] = {}
    if arn is not None:
        for statement in _statements(node):
            sound = _of_role(place.file, statement, arn, problems) and sound
            filled[id(statement)] = _left_out(statement, arn)
    if not sound:
        return None
    writer = _Writer(node.mark.line, filled)
    writer.value(node)
    text = PolicyText(name=name, text=writer.text, file=place.file, line=node.mark.line)
    return text if valid(text, Kind.IDENTITY, problems) else None


def _readable(place: Place, path: Path, node: Node, problems: Problems) -> bool:
    """Whether every scalar says the same in every YAML; those that do not are said."""
    if isinstance(node, Scalar):
        if isinstance(node.value, Odd):
            problems.add(place, path, quote(node.text))
        return not isinstance(node.value, Odd)
    if isinstance(node, Items):
        below = [_readable(place, (*path, index), item, problems) for index, item in enumerate(node.items)]
    else:
        below = [
            _readable(place, (*path, name), value, problems) for name, (_, value) in node.entries.items()
        ]
    return all(below)


def _statements(node: Fields) -> Iterator[Fields]:
    _, listed = node.entries.get("Statement", (node.mark, None))
    for each in listed.items if isinstance(listed, Items) else (listed,):
        if isinstance(each, Fields):
            yield each


def _of_role(file: str, statement: Fields, arn: str, problems: Problems) -> bool:
    for element in ("Resource", "NotResource"):
        if element not in statement.entries:
            continue
        named = plain(statement.entries[element][1])
        if element == "NotResource" or named not in (arn, [arn]):
            words = (
                f"a role's inline policy speaks of that role alone; leave `{element}` out, or write `{arn}`"
            )
            problems.add(Place(file, statement), (element,), words, on="key")
            return False
    return True


def _left_out(statement: Fields, arn: str) -> Mapping[str, str]:
    filled = {}
    if not statement.entries.keys() & {"Action", "NotAction"}:
        filled["Action"] = _ACTION
    if "Resource" not in statement.entries:
        filled["Resource"] = arn
    return filled


class _Writer:
    """Writes JSON with each part on its own line of the file; YAML's lines only grow from part to part."""

    def __init__(self, line: int, filled: Mapping[int, Mapping[str, str]]) -> None:
        self._line = line
        self._filled = filled
        self._written: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._written)

    def value(self, node: Node) -> None:
        self._go_to(node.mark)
        if isinstance(node, Scalar):
            self._written.append(json.dumps(node.value, ensure_ascii=False))
        elif isinstance(node, Items):
            self._written.append("[")
            for index, item in enumerate(node.items):
                self._written.append(", " if index else "")
                self.value(item)
            self._written.append("]")
        else:
            self._members(node)

    def _members(self, node: Fields) -> None:
        filled = self._filled.get(id(node), {})
        members = ", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in filled.items())
        self._written.append("{" + members)
        for index, (name, (mark, value)) in enumerate(node.entries.items()):
            self._written.append(", " if index or filled else "")
            self._go_to(mark)
            self._written.append(f"{json.dumps(name, ensure_ascii=False)}: ")
            self.value(value)
        self._written.append("}")

    def _go_to(self, mark: Mark) -> None:
        if mark.line > self._line:
            self._written.append("\n" * (mark.line - self._line))
            self._line = mark.line
