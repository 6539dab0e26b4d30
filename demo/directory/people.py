"""Who is in the demo directory."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

SHIPPED = Path(__file__).with_name("people.yaml")


@dataclass(frozen=True, slots=True)
class Person:
    """One entry of the directory."""

    username: str
    password: str = field(repr=False)
    provider: str
    """Which source of the broker this person comes in by: `corp` (SAML), `partner` (OpenID) or `social` (OAuth 2.0)."""
    subject: str
    name: str
    email: str
    groups: tuple[str, ...]
    cost_center: str = ""
    mfa: bool = False


class People:
    """The people of one provider."""

    def __init__(self, people: Iterable[Person]) -> None:
        self._by_name = {person.username: person for person in people}

    def __iter__(self) -> Iterator[Person]:
        return iter(self._by_name.values())

    def named(self, username: str) -> Person | None:
        """The person of that username, or None."""
        return self._by_name.get(username)

    def with_password(self, username: str, password: str) -> Person | None:
        """The person if username and password are right, else None."""
        person = self._by_name.get(username)
        expected = person.password if person else ""
        right = hmac.compare_digest(expected.encode(), password.encode("utf-8", "surrogatepass"))
        return person if person and right else None


def load(path: Path = SHIPPED) -> Sequence[Person]:
    """Everybody in the file, in its order. Raises ValueError for a file that is not such a list."""
    entries = yaml.safe_load(path.read_text("utf-8"))
    if not isinstance(entries, list):
        raise ValueError(f"{path.name} must be a list of people")
    people = []
    for entry in entries:
        try:
            people.append(Person(**{**entry, "groups": tuple(entry["groups"])}))
        except (TypeError, KeyError) as error:
            raise ValueError(f"{path.name}: {entry!r} is not a person: {error}") from error
    return people


def of(provider: str, everybody: Sequence[Person]) -> People:
    """Those of one provider."""
    return People(person for person in everybody if person.provider == provider)
