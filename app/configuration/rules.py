"""Rules that several kinds of files share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.configuration import addresses
from app.configuration.fields import TAGS_MOST
from app.configuration.places import Path, Place
from app.configuration.problems import Problems


def check_unique(values: Sequence[str], place: Place, path: Path, problems: Problems) -> None:
    """Nothing is named twice in a list."""
    seen = set()
    for position, value in enumerate(values):
        if value and value in seen:
            problems.add(place, (*path, position), "is named twice in this list; take one out")
        seen.add(value)


def check_tags(tags: Mapping[str, str], place: Place, path: Path, problems: Problems) -> None:
    """Session tags: at most 50, none that differs from another only in case (STS API Reference, AssumeRole)."""
    if len(tags) > TAGS_MOST:
        problems.add(place, path, f"has {len(tags)} tags; STS takes at most {TAGS_MOST}", on="key")
    seen: dict[str, str] = {}
    for key in tags:
        other = seen.setdefault(key.lower(), key)
        if other != key:
            problems.add(
                place, (*path, key), f"differs from `{other}` only in case; STS refuses both", on="key"
            )


def check_reachable(
    url: str | None, place: Place, path: Path, base_url: str | None, problems: Problems
) -> None:
    """Loopback and http only where the broker itself is http on loopback (`Settings.loopback`)."""
    if not url or not base_url:
        return
    address = addresses.read(url)
    if base_url.startswith("http://"):  # checked: on loopback then
        if address.scheme == "http" and address.where != "loopback":
            words = "`http://` to another machine: anybody on the way can read and change it; use `https://`"
            problems.add(place, path, words, level="warning")
        return
    if address.where == "loopback":
        problems.add(
            place, path, "is on loopback, which is taken only if `base_url` is `http://` on loopback too"
        )
    elif address.scheme == "http":
        problems.add(
            place,
            path,
            "expected `https://`; `http://` is taken only if `base_url` is `http://` on loopback too",
        )
