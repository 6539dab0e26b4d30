"""What a client's file says of token exchange (RFC 8693; RFC 7522 for SAML assertions), and what it must be to others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from app.configuration.clients_file import ClientFile
from app.configuration.fields import CHECKS
from app.configuration.places import Place, Scalar
from app.configuration.problems import Problems
from app.configuration.provider_file import OAuth2File, ProviderEntry
from app.configuration.rules import check_unique
from app.configuration.typed import Entry

_OWN: Final = ("accepts", "pool", "guests", "subject_tokens")
"""Keys that mean nothing without the grant; `credentials`, `roles` and `origins` do for every client."""


def exchanges(file: ClientFile) -> bool:
    """Whether it has the grant, or may be meant to: one of its grants is a word that is none."""
    return "exchange" in file.grants or "" in file.grants


def check(entry: Entry[ClientFile], problems: Problems) -> None:
    """What the file's values must be to one another."""
    file, place = entry.value, entry.place
    if not exchanges(file):
        for key in _OWN:
            if place.find((key,)) is not None:
                words = "is for the grant `exchange`, which `grants` does not name"
                problems.add(place, (key,), words, on="key")
    elif "exchange" in file.grants:
        _check_needed(file, place, problems)
    for source, audiences in file.accepts.items():
        path = ("accepts", source)
        if not audiences:
            words = "is empty; expected the app's own ids at that provider: a token made for another app is refused"
            problems.add(place, path, words)
        check_unique(audiences, place, path, problems)
    if file.roles == [] and "exchange" not in file.grants:
        problems.add(
            place, ("roles",), "is empty; leave it out for no bound, or name the only roles it is given"
        )


def _check_needed(file: ClientFile, place: Place, problems: Problems) -> None:
    if not file.accepts and not file.guests:
        what = "the sources whose tokens the app may bring, with its ids there: `{SOURCE: [AUDIENCE]}`"
        _say_missing(place, "accepts", what, problems)
    if not file.roles:
        what = "the only roles that the app is ever given, by ARN, first choice first"
        _say_missing(place, "roles", what, problems)


def _say_missing(place: Place, key: str, what: str, problems: Problems) -> None:
    if place.find((key,)) is None:
        problems.add(place, (key,), f"is missing; the grant `exchange` needs {what}", on="key")
    else:
        problems.add(place, (key,), f"is empty; the grant `exchange` needs {what}")


def check_sources(
    entry: Entry[ClientFile],
    places: Mapping[str, Place],
    providers: Mapping[str, ProviderEntry],
    problems: Problems,
) -> None:
    """Every source is there, and can tell for which app a token was made. `places`: files of providers, wrong or not."""
    for source in entry.value.accepts:
        path = ("accepts", source)
        if source not in places:
            words = f"unknown provider{problems.near(source, places)}"
            problems.add(entry.place, path, words, on="key")
        elif (found := providers.get(source)) is not None and _cannot_tell(found):
            words = (
                f"nobody can bring tokens of `{source}`: the provider is not asked for which app one was made; "
                "give its file a `check` that does"
            )
            problems.add(entry.place, path, words, on="key")


def _cannot_tell(provider: ProviderEntry) -> bool:
    """ID tokens and assertions name their audience themselves; of others the provider must be asked (RFC 6819, 4.4.2.6)."""
    file = provider.value
    if not isinstance(file, OAuth2File):
        return False
    written = provider.place.find(("check", "kind"))
    if isinstance(written, Scalar) and written.value not in CHECKS:
        return False  # said already
    return (file.check is None and provider.place.find(("check",)) is None) or (
        file.check is not None and file.check.kind == "none"
    )


def check_roles(entry: Entry[ClientFile], known: Collection[str], problems: Problems) -> None:
    """Every role is one of `accounts.yaml`. `known`: their ARNs."""
    for position, arn in enumerate(entry.value.roles or ()):
        if arn and arn not in known:
            words = f"unknown role; no account of `accounts.yaml` has it{problems.near(arn, known)}"
            problems.add(entry.place, ("roles", position), words)
