"""What a provider file need not say because its `preset` does: data files of `app/signin/presets/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from app.configuration.document import parse
from app.configuration.places import Fields, Mark, Node, Place, Scalar
from app.configuration.problems import Problems

_FOLDER: Final = Path(__file__).parent.parent / "signin" / "presets"
KEY: Final = "preset"


@cache
def names() -> tuple[str, ...]:
    """The presets there are."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def filled(place: Place) -> Place:
    """The file with what its preset says and it does not; what the file says itself wins, whole keys at a time.

    What comes from the preset stands where the preset is named, so that a problem with it is shown there. For one
    that does not exist another stands in, so that nothing is said but that.
    """
    node = place.find((KEY,))
    if not isinstance(place.node, Fields) or node is None:
        return place
    named = node.value if isinstance(node, Scalar) else None
    name = named if isinstance(named, str) and named in names() else names()[0]
    mark = place.of_value((KEY,))
    given = {key: (mark, _moved(value, mark)) for key, (_, value) in _read(name).entries.items()}
    return Place(place.file, Fields(place.node.mark, {**given, **place.node.entries}), place.name)


@cache
def _read(name: str) -> Fields:
    problems = Problems("presets")
    place = parse(f"{name}.yaml", (_FOLDER / f"{name}.yaml").read_text("utf-8"), problems)
    if place is None or not isinstance(place.node, Fields) or problems.has_errors():
        raise ValueError(f"preset {name}: {problems.sorted()}")
    return place.node


def _moved(node: Node, mark: Mark) -> Node:
    """The same value, as if it stood there."""
    if isinstance(node, Scalar):
        return Scalar(mark, node.text, node.value)
    if isinstance(node, Fields):
        return Fields(mark, {key: (mark, _moved(value, mark)) for key, (_, value) in node.entries.items()})
    return type(node)(mark, [_moved(item, mark) for item in node.items])
