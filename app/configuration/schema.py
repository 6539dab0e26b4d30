"""JSON Schemas for editors, from the types that the files are checked with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from pydantic import TypeAdapter

from app.configuration.accounts_file import AccountTable
from app.configuration.clients_file import ClientFile
from app.configuration.daypass_file import DaypassFile
from app.configuration.fields import ACCOUNT
from app.configuration.groups_file import GroupTable
from app.configuration.provider_file import KINDS as PROVIDERS
from app.configuration.provider_file import OAuth2File, ProviderFile
from app.configuration.references import REFERENCE_MARK, REFERENCE_SCHEMA

_DIALECT: Final = "http://json-schema.org/draft-07/schema#"
"""Draft 7: the newest that the common YAML language server knows whole."""


def schema(kind: str) -> Mapping[str, object]:
    """The schema of one kind of file; `kind` is one of KINDS."""
    title, make = KINDS[kind]
    body = make()
    definitions = dict(sorted({**_definitions(body), "Reference": dict(REFERENCE_SCHEMA)}.items()))
    plain = _plain({**body, "definitions": definitions})
    return {"$schema": _DIALECT, "title": title, **plain}


def text(kind: str) -> str:
    """The schema as the file in `docs/reference/schema/` holds it."""
    return json.dumps(schema(kind), indent=2, ensure_ascii=False) + "\n"


def _definitions(body: dict[str, object]) -> dict[str, object]:
    found = body.pop("$defs", {})
    return found if isinstance(found, dict) else {}


def _daypass() -> dict[str, object]:
    return TypeAdapter(DaypassFile).json_schema()


def _accounts() -> dict[str, object]:
    body = TypeAdapter(dict[str, AccountTable]).json_schema()
    shape = body.pop("additionalProperties")
    return {**body, "patternProperties": {f"^{ACCOUNT.pattern}$": shape}, "additionalProperties": False}


def _groups() -> dict[str, object]:
    return TypeAdapter(dict[str, GroupTable]).json_schema()


def _provider() -> dict[str, object]:
    body = TypeAdapter(ProviderFile).json_schema()
    definitions = _definitions(body)
    shape = definitions[OAuth2File.__name__]
    # Said below: what a preset fills need not stand in the file.
    needed = shape.pop("required") if isinstance(shape, dict) else []
    # By `type`, so that an editor shows what one kind takes and not what both do not.
    return {
        "type": "object",
        "properties": {"type": {"enum": list(PROVIDERS), "description": "the kind of source"}},
        "required": ["type"],
        "allOf": [
            *(
                {
                    "if": {"properties": {"type": {"const": kind}}},
                    "then": {"$ref": f"#/$defs/{shape.__name__}"},
                }
                for kind, shape in PROVIDERS.items()
            ),
            {
                "if": {"properties": {"type": {"const": "oauth2"}}},
                "then": {
                    "if": {"required": ["preset"]},
                    "then": {"required": ["label", "client_id"]},
                    "else": {"required": needed},
                },
            },
        ],
        "$defs": definitions,
    }


def _client() -> dict[str, object]:
    return TypeAdapter(ClientFile).json_schema()


def _plain(shape: Mapping[str, object]) -> dict[str, object]:
    """The schema as the files are: links in draft 7's form, no `null` (a key is left out), durations as written."""
    if REFERENCE_MARK in shape:
        return {"$ref": "#/definitions/Reference"}
    found = {key: _value(key, value) for key, value in shape.items() if not _left_out(key, value)}
    rows = found.get("anyOf")
    if isinstance(rows, list):
        rows[:] = [row for row in rows if row != {"type": "null"}]
        if len(rows) == 1:
            del found["anyOf"]
            found = {**rows[0], **found}
    return found


def _left_out(key: str, value: object) -> bool:
    return (key == "default" and value is None) or (key == "title" and isinstance(value, str))


def _value(key: str, value: object) -> object:
    if isinstance(value, dict):
        return _plain(value)
    if isinstance(value, list):
        return [_plain(row) if isinstance(row, dict) else row for row in value]
    if key == "$ref" and isinstance(value, str):
        return value.replace("#/$defs/", "#/definitions/", 1)
    if key == "default" and isinstance(value, str) and value.startswith("PT"):
        return value.removeprefix("PT").lower()  # ISO 8601 to ours: whole hours, minutes or seconds
    return value


KINDS: Final[Mapping[str, tuple[str, Callable[[], dict[str, object]]]]] = {
    "daypass": ("config/daypass.yaml", _daypass),
    "accounts": ("config/accounts.yaml", _accounts),
    "groups": ("config/groups.yaml", _groups),
    "provider": ("config/providers/NAME.yaml", _provider),
    "client": ("config/clients/NAME.yaml", _client),
}
"""Kind → title, and what makes the schema."""
