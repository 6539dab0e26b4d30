"""Values that may stand elsewhere: `{env: NAME}` and `{file: PATH}`, wherever a string is.

`Referable` makes a pydantic type of a check on text. What a reference leads to is checked like text in the
file, and no message repeats it: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MISSING: Final = "reference_missing"
"""Error type: the reference is well formed, and what it names is not there."""
WRONG: Final = "wrong"
"""Error type: a check said no; `words` in the context says why."""

_LARGEST: Final = 64_000
"""Bytes of a file that a reference names."""
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

REFERENCE_SCHEMA: Final[Mapping[str, object]] = {
    "title": "Reference",
    "description": "A value that stands elsewhere: an environment variable, or a file.",
    "oneOf": [
        {
            "type": "object",
            "properties": {"env": {"type": "string", "pattern": f"^{_VARIABLE.pattern}$"}},
            "required": ["env"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"file": {"type": "string", "minLength": 1}},
            "required": ["file"],
            "additionalProperties": False,
        },
    ],
}
REFERENCE_MARK: Final = "x-daypass-reference"
"""Stands in a schema where `#/$defs/Reference` belongs, until the whole schema is put together."""


class Wrong(Exception):
    """A check's "no", in words for the person who wrote the file; they never repeat the value."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """In place of a reference that leads nowhere, where that is let pass."""


STAND_IN: Final = StandIn()


@dataclass(frozen=True, slots=True)
class Outside:
    """What references are looked up in."""

    environ: Mapping[str, str] = field(repr=False)

    def look_up(self, reference: Mapping[object, object]) -> str:
        """What the reference leads to. Raises PydanticCustomError (`MISSING` or `WRONG`)."""
        kind, name = next(iter(reference.items()))
        if not isinstance(name, str) or not name or not name.isprintable():
            raise wrong(
                f"expected the name of {'a variable' if kind == 'env' else 'a file'}: `{{{kind}: NAME}}`"
            )
        return self._variable(name) if kind == "env" else self._file(name)

    def _variable(self, name: str) -> str:
        if not _VARIABLE.fullmatch(name):
            raise wrong("expected the name of an environment variable: letters, digits, `_`")
        value = self.environ.get(name, "")
        if not value:
            raise _missing(f"the environment variable `{name}` is not set; set it, or name another")
        return value

    def _file(self, name: str) -> str:
        try:
            path = Path(name)
            if not path.is_file():
                raise _missing(f"there is no file `{name}`; a relative path starts at the working folder")
            with path.open("rb") as opened:
                content = opened.read(_LARGEST + 1)
        except OSError as error:
            raise _missing(f"the file `{name}` cannot be read: {error.strerror}") from error
        if len(content) > _LARGEST:
            raise wrong(f"the file `{name}` is larger than {_LARGEST // 1000} kB")
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            # Without the cause: it quotes the bytes.
            raise wrong(f"the file `{name}` is not UTF-8 text") from None
        # The line end that editors and `echo` leave is not part of the value.
        text = text.removesuffix("\n").removesuffix("\r")
        if not text:
            raise _missing(f"the file `{name}` is empty")
        return text


@dataclass(frozen=True, slots=True, eq=False)
class Referable:
    """Metadata of an annotated type: text, or a reference to text, that passes `check`.

    `check` returns the value or raises Wrong. `secret`: only a reference is taken. `literal` looks at text
    that stands in the file itself. `numbers`: whole numbers are taken too. `stand_in` is the value where a
    reference leads nowhere and that is let pass. `key`: for keys of mappings, which are never references.
    """

    check: Callable[[str], object]
    schema: Mapping[str, object]
    secret: bool = False
    literal: Callable[[str], None] | None = None
    numbers: bool = False
    stand_in: object = ""
    key: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """pydantic's hook: the check is the whole validation."""
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, object]:
        """pydantic's hook: text by its schema, or a reference."""
        reference: dict[str, object] = {REFERENCE_MARK: True}
        if self.secret:
            return reference
        return dict(self.schema) if self.key else {"anyOf": [dict(self.schema), reference]}

    def _validate(self, value: object, info: core_schema.ValidationInfo) -> object:
        if isinstance(value, StandIn):
            return self.stand_in
        try:
            outside = info.context
            return self.check(self._text(value, outside if isinstance(outside, Outside) else Outside({})))
        except Wrong as said:
            raise wrong(str(said)) from None

    def _text(self, value: object, outside: Outside) -> str:
        if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in {"env", "file"}:
            return outside.look_up(value)
        if self.secret:
            raise wrong("a secret is never text here; write `{env: NAME}` or `{file: PATH}`")
        if isinstance(value, dict):
            raise wrong("expected text, `{env: NAME}` or `{file: PATH}`")
        if self.numbers and not isinstance(value, list):
            return str(
                value
            )  # a number; anything else the check refuses in better words than "expected text"
        if not isinstance(value, str):
            raise PydanticCustomError("string_type", "expected text")
        if self.literal:
            self.literal(value)
        return value


def wrong(words: str) -> PydanticCustomError:
    """A check's "no" as pydantic takes it."""
    # The words are a parameter, not the template: braces in them stand for themselves.
    return PydanticCustomError(WRONG, "{words}", {"words": words})


def _missing(words: str) -> PydanticCustomError:
    return PydanticCustomError(MISSING, "{words}", {"words": words})
