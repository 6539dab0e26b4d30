"""Which kind of source is made by which class: one visible table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from app.clock import Clock
from app.keyring import Keyring
from app.model import OAuth2Provider, OidcProvider, Provider, SamlProvider, SourceId
from app.outbound import Fetcher
from app.signin.oauth2 import OAuth2Source
from app.signin.oidc import OidcSource
from app.signin.saml import SamlSource
from app.signin.seam import KnownMetadata, Source


@dataclass(frozen=True, slots=True)
class Tools:
    """What sources are given to work with."""

    base_url: str
    keyring: Keyring
    fetch: Fetcher
    known: KnownMetadata
    clock: Clock


def _saml(provider: Provider, tools: Tools) -> Source:
    assert isinstance(provider, SamlProvider)  # noqa: S101  # the table's key says so
    return SamlSource(provider, tools.keyring, tools.base_url, tools.fetch, tools.known)


def _oidc(provider: Provider, tools: Tools) -> Source:
    assert isinstance(provider, OidcProvider)  # noqa: S101  # the table's key says so
    return OidcSource(provider, tools.base_url, tools.fetch, tools.clock)


def _oauth2(provider: Provider, tools: Tools) -> Source:
    assert isinstance(provider, OAuth2Provider)  # noqa: S101  # the table's key says so
    return OAuth2Source(provider, tools.base_url, tools.fetch)


KINDS: Final[Mapping[str, Callable[[Provider, Tools], Source]]] = {
    "saml": _saml,
    "oidc": _oidc,
    "oauth2": _oauth2,
}


def make(providers: Mapping[SourceId, Provider], tools: Tools) -> Mapping[SourceId, Source]:
    """The sources of a revision."""
    return {source: KINDS[provider.type](provider, tools) for source, provider in providers.items()}
