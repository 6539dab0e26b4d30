"""Moves the addresses in a copy of `config/`, so that several demos run side by side.

The texts are edited in place, by the position of each value: comments, order and line numbers stay, and
so does whatever is wrong in them, for the broker to report.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import yaml

MAIN_FILE: Final = "daypass.yaml"
SHIPPED_PORT: Final = 8000
_LOOPBACK: Final = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts of one copy listen: the broker's port, and the others from it."""

    broker: int

    def __post_init__(self) -> None:
        """Raises ValueError if not all of them are ports."""
        if not 1 <= self.broker <= 65535 - 90:
            raise ValueError(f"PORT must be 1 to {65535 - 90}, not {self.broker}")

    @property
    def saml(self) -> int:
        return self.broker + 1

    @property
    def oidc(self) -> int:
        return self.broker + 2

    @property
    def social(self) -> int:
        return self.broker + 3

    @property
    def app(self) -> int:
        return self.broker + 4

    @property
    def aws(self) -> int:
        return self.broker + 90

    @property
    def base_url(self) -> str:
        return f"http://localhost:{self.broker}"

    @property
    def saml_url(self) -> str:
        return f"http://127.0.0.1:{self.saml}"

    @property
    def oidc_url(self) -> str:
        return f"http://127.0.0.1:{self.oidc}"

    @property
    def social_url(self) -> str:
        return f"http://127.0.0.1:{self.social}"

    @property
    def app_url(self) -> str:
        return f"http://127.0.0.1:{self.app}"

    @property
    def aws_url(self) -> str:
        return f"http://127.0.0.1:{self.aws}"


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str

    def apply(self, whole: str) -> str:
        return whole[: self.start] + self.text + whole[self.end :]


def relocate(files: Mapping[str, str], ports: Ports, state: Path) -> dict[str, str]:
    """The YAML files (path in the folder: text) with this copy's addresses.

    In `daypass.yaml`: `base_url`, `database`, `keys` and both endpoints of the AWS double, whatever they
    were. Everywhere: values that are addresses of a demo on loopback, by their ports. A file that is not
    YAML stays as it is.
    """
    table = _port_table(files.get(MAIN_FILE, ""), ports)
    moved = {name: _moved(text, table) for name, text in files.items()}
    for path, value in _settings(ports, state).items():
        root = _compose(moved.get(MAIN_FILE, ""))
        if isinstance(root, yaml.MappingNode):
            moved[MAIN_FILE] = _set(root, path, value).apply(moved[MAIN_FILE])
    return moved


def _settings(ports: Ports, state: Path) -> dict[tuple[str, ...], str]:
    return {
        ("base_url",): json.dumps(ports.base_url),
        ("database",): json.dumps(database_url(state)),
        ("keys",): f"{{file: {json.dumps(str(state / 'keys'), ensure_ascii=False)}}}",
        ("aws", "sts_endpoint"): json.dumps(ports.aws_url),
        ("aws", "console_endpoint"): json.dumps(ports.aws_url),
    }


def database_url(state: Path) -> str:
    """The SQLite database of a state folder (absolute)."""
    return f"sqlite:///{state / 'daypass.db'}"


def _port_table(main_text: str, ports: Ports) -> dict[int, int]:
    """Port of the demo as the files were written: port now."""
    table: dict[int, int] = {}
    for written in (_written_port(main_text), SHIPPED_PORT):
        old = Ports(written)
        table |= {old.broker: ports.broker, old.saml: ports.saml, old.oidc: ports.oidc}
        table |= {old.social: ports.social, old.app: ports.app, old.aws: ports.aws}
    return table


def _written_port(main_text: str) -> int:
    try:
        parsed = yaml.safe_load(main_text)
        parts = urlsplit(parsed["base_url"])
        if parts.hostname in _LOOPBACK and parts.port:
            return Ports(parts.port).broker
    except (yaml.YAMLError, TypeError, KeyError, ValueError, AttributeError):
        pass
    return SHIPPED_PORT


def _moved(text: str, table: Mapping[int, int]) -> str:
    """Every value that is an address of the demo, by the table of ports."""
    root = _compose(text)
    edits = []
    for node in _scalars(root, set()):
        there = _address(node.value, table)
        if there is not None:
            replacement = json.dumps(there, ensure_ascii=False)
            edits.append(_Edit(node.start_mark.index, node.end_mark.index, replacement))
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = edit.apply(text)
    return text


def _compose(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None


def _address(value: str, table: Mapping[int, int]) -> str | None:
    """The moved address, or None if the value is not one of the demo's."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme != "http" or parts.hostname not in _LOOPBACK or port is None or port not in table:
        return None
    return parts._replace(netloc=f"{parts.hostname}:{table[port]}").geturl()


def _scalars(node: yaml.Node | None, seen: set[int]) -> Iterator[yaml.ScalarNode]:
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode) and node.style not in ("|", ">"):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item, seen)
    elif isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _scalars(value, seen)


def _set(root: yaml.MappingNode, path: tuple[str, ...], replacement: str) -> _Edit:
    """The edit that gives the key at `path` a value: in place, or as a new line where its mapping begins."""
    *above, last = path
    mapping = root
    for name in above:
        inner = _value(mapping, name)
        if not isinstance(inner, yaml.MappingNode):
            last, replacement = name, f"{{{last}: {replacement}}}"
            break
        mapping = inner
    value = _value(mapping, last)
    if value is not None:
        start, end = value.start_mark.index, _end(value)
        return _Edit(start, end, replacement if end > start else f" {replacement}")
    mark = mapping.start_mark
    if mapping.flow_style:
        comma = ", " if mapping.value else ""
        return _Edit(mark.index + 1, mark.index + 1, f"{last}: {replacement}{comma}")
    return _Edit(mark.index, mark.index, f"{last}: {replacement}\n{' ' * mark.column}")


def _value(mapping: yaml.MappingNode, name: str) -> yaml.Node | None:
    return next((value for key, value in mapping.value if key.value == name), None)


def _end(node: yaml.Node) -> int:
    # A block mapping's own end mark lies behind the comments that follow it.
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _end(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _end(node.value[-1])
    return int(node.end_mark.index)
