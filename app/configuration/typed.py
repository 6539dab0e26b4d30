"""Values with places → a typed value, or problems with places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Final, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from app.configuration.document import quote
from app.configuration.fields import Strict
from app.configuration.places import Fields, Path, Place, Scalar, plain
from app.configuration.problems import Problems
from app.configuration.references import MISSING, STAND_IN, WRONG, Outside

_MOST_TRIES: Final = 50
"""More than the deepest file needs: three for each level of its nesting."""

Model = TypeVar("Model", bound=Strict)


@dataclass(frozen=True, slots=True)
class Entry(Generic[Model]):
    """A checked part of a file, and where it stands."""

    value: Model
    place: Place


@dataclass(frozen=True, slots=True)
class Reader:
    """Checks parts of files; adds what is wrong to `problems`.

    `secrets` false: a reference that leads nowhere is a warning, and its value a stand-in.
    """

    outside: Outside
    problems: Problems
    secrets: bool = True

    def read(self, model: type[Model], place: Place) -> Entry[Model] | None:
        """The part as `model`.

        What is wrong with it is said; the rest is then tried with stand-ins for what is wrong or missing, so
        that it can still be compared with the other files and everything is said at once. None if nothing
        is left.
        """
        data = plain(place.node)
        if not isinstance(data, dict):
            self.problems.add(place, (), "expected a mapping (`key: value`)")
            return None
        tried: dict[Path, int] = {}
        for _ in range(_MOST_TRIES):
            try:
                return Entry(model.model_validate(data, context=self.outside), place)
            except ValidationError as error:
                found = error.errors(include_url=False, include_input=False)
            wrong = [(one, _where(place, one)) for one in found]
            for one, where in wrong:
                if where[0] not in tried:
                    self._say(model, place, one, where)
            # From the last to the first: what lies within a part goes before the part.
            if not all(_mend(data, one, where, tried) for one, where in reversed(wrong)):
                break
        if not self.problems.has_errors():
            self.problems.add(place, (), "cannot be used as it is")  # never in silence
        return None

    def children(self, place: Place) -> Iterator[tuple[str, Place]]:
        """The parts of a mapping by name; anything else is said."""
        if not isinstance(place.node, Fields):
            self.problems.add(place, (), "expected a mapping (`name: {…}`)")
            return
        for name, (_, node) in place.node.entries.items():
            if not (isinstance(node, Scalar) and node.value is None):
                yield name, Place(place.file, node, name)

    def _say(self, model: type[Strict], place: Place, found: ErrorDetails, where: tuple[Path, bool]) -> None:
        path, of_key = where
        on_key = of_key or found["type"] in {"extra_forbidden", "missing"}
        let_pass = found["type"] == MISSING and not self.secrets
        self.problems.add(
            place,
            path,
            self._words(model, place, path, found),
            on="key" if on_key else "value",
            level="warning" if let_pass else "error",
        )

    def _words(self, model: type[Strict], place: Place, path: Path, found: ErrorDetails) -> str:
        kind = found["type"]
        if kind in {WRONG, MISSING}:
            return found["msg"]
        if kind == "extra_forbidden":
            owner = _model_at(model, path[:-1])
            known = tuple(_fields(owner)) if owner else ()
            return "unknown key" + (self.problems.near(str(path[-1]), known) or _all(known))
        described = _described(model, path)
        if kind == "missing":
            return "is missing" + (f"; expected: {described}" if described else "")
        node = place.find(path)
        if kind == "string_type" and isinstance(node, Scalar) and not isinstance(node.value, str):
            return quote(node.text)
        return _expected(kind, found) + (f": {described}" if described else "")


def _where(place: Place, found: ErrorDetails) -> tuple[Path, bool]:
    """The path to what is wrong, and whether it is the key there and not its value.

    pydantic marks a key by `[key]` behind the path; a key of that very name is none of its marks.
    """
    path = found["loc"]
    if path[-1:] == ("[key]",) and place.find(path) is None:
        return path[:-1], True
    return path, False


def _mend(
    data: dict[str, object], found: ErrorDetails, where: tuple[Path, bool], tried: dict[Path, int]
) -> bool:
    """Put a stand-in in place of what is wrong; where none fits, take the part out. False if that is all of it.

    `tried`: 1 for what has a stand-in, 2 for what was taken out; it only grows, so that this ends.
    """
    path, of_key = where
    if found["type"] == "extra_forbidden" or of_key:
        tried[path] = 2
    elif path and path not in tried:
        tried[path] = 1
        _container(data, path)[path[-1]] = STAND_IN
        return True
    else:
        while path and (isinstance(path[-1], int) or tried.get(path) == 2):
            path = path[:-1]
        tried[path] = 2
    if path:
        _container(data, path).pop(path[-1], None)
    return bool(path)


def _container(data: Any, path: Path) -> Any:
    for part in path[:-1]:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            data = data[part]
    return data if isinstance(data, dict | list) else {}


def _expected(kind: str, found: ErrorDetails) -> str:
    if kind == "literal_error":
        return f"expected {found.get('ctx', {}).get('expected', 'another value')}"
    words = {
        "string_type": "expected text",
        "bool_type": "expected `true` or `false`",
        "list_type": "expected a list (`[a, b]`)",
        "tuple_type": "expected a list (`[a, b]`)",
        "dict_type": "expected a mapping (`key: value`)",
        "model_type": "expected a mapping (`key: value`)",
    }
    return words.get(kind, "expected something else")


def _all(known: tuple[str, ...]) -> str:
    return "; expected one of " + ", ".join(f"`{name}`" for name in known) if known else ""


def _described(model: type[Strict], path: Path) -> str:
    field = _field_at(model, path)
    return (field.description or "").rstrip(".") if field else ""


def _field_at(model: type[Strict], path: Path) -> FieldInfo | None:
    for depth in range(len(path), 0, -1):
        name = path[depth - 1]
        owner = _model_at(model, path[: depth - 1])
        if owner and isinstance(name, str) and name in (fields := _fields(owner)):
            return fields[name]
    return None


def _fields(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """A model's fields by the keys of the file; `from` is no name in Python."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_at(model: type[Strict], path: Path) -> type[BaseModel] | None:
    at: Any = model
    for part in path:
        if isinstance(at, type) and issubclass(at, BaseModel):
            if part not in (fields := _fields(at)):
                return None
            at = fields[str(part)].annotation
        else:
            at = get_args(at)[-1] if get_origin(at) in {dict, Mapping} else next(iter(get_args(at)), None)
        at = _without_none(at)
    return at if isinstance(at, type) and issubclass(at, BaseModel) else None


def _without_none(annotation: Any) -> Any:
    while hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    if get_origin(annotation) in {Union, UnionType}:
        return next(arg for arg in get_args(annotation) if arg is not type(None))
    return annotation
