"""JSON Schemas: those on disk are the generated ones, and an editor agrees with `config check`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import jsonschema_rs
import pytest

from app.configuration.document import parse
from app.configuration.places import plain
from app.configuration.problems import Problems
from app.configuration.schema import KINDS, schema, text
from tests.configuration.builders import FILES
from tests.configuration.test_words import MISTAKES

ROOT = Path(__file__).parents[2]
DISK = ROOT / "docs" / "reference" / "schema"


def kind_of(path: str) -> str:
    folder = path.partition("/")[0]
    return {"providers": "provider", "clients": "client"}.get(folder, Path(path).stem)


def data(written: str) -> object:
    place = parse("f", written, Problems())
    assert place is not None
    return plain(place.node)


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_on_disk_is_the_generated_one(kind: str) -> None:
    assert (DISK / f"{kind}.json").read_text("utf-8") == text(kind), (
        "run `python -m app config schema --write docs/reference/schema`"
    )


def test_there_is_no_other_schema_on_disk() -> None:
    assert {path.stem for path in DISK.glob("*.json")} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_one(kind: str) -> None:
    jsonschema_rs.meta.validate(dict(schema(kind)))


@pytest.mark.parametrize("path", sorted(path for path in FILES if path.endswith(".yaml")))
def test_a_right_file_fits_its_schema(path: str) -> None:
    jsonschema_rs.validate(dict(schema(kind_of(path))), data(FILES[path]))


@pytest.mark.parametrize("path", sorted((ROOT / "config").rglob("*.yaml")), ids=lambda path: path.name)
def test_a_shipped_file_fits_its_schema(path: Path) -> None:
    kind = kind_of(path.relative_to(ROOT / "config").as_posix())
    jsonschema_rs.validate(dict(schema(kind)), data(path.read_text("utf-8")))


SEEN_BY_EDITORS = (
    "an unknown key names the nearest",
    "a missing key says what was expected",
    "another version of the format",
    "text where a mapping belongs",
    "text where a list belongs",
    "an unknown partition",
    "a path in base_url",
    "a channel that is none",
    "two channels in one",
    "a webhook's address as text",
    "an account of eleven digits",
    "an unknown level",
    "a duration in words",
    "an external ID as text",
    "a kind of provider that is none",
    "a provider without a kind",
    "a key of the other kind",
    "no subject",
    "a list for a claim",
    "a symmetric algorithm",
    "a client secret as text",
)


@pytest.mark.parametrize("name", SEEN_BY_EDITORS)
def test_an_editor_marks_what_the_check_refuses(name: str) -> None:
    path, (old, new), _ = MISTAKES[name]
    validator: Mapping[str, object] = schema(kind_of(path))
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(dict(validator), data(FILES[path].replace(old, new, 1)))


def test_every_setting_is_described() -> None:
    def undescribed(shape: object, path: str) -> list[str]:
        found = []
        if isinstance(shape, dict):
            for name, below in (shape.get("properties") or {}).items():
                if path not in {"/definitions/Reference/oneOf"} and "description" not in below:
                    found.append(f"{path}/{name}")
        return found

    for kind in KINDS:
        whole = json.loads(text(kind))
        shapes = {
            "": whole,
            **{name: below for name, below in whole["definitions"].items() if name != "Reference"},
        }
        assert [line for name, shape in shapes.items() for line in undescribed(shape, name)] == []
