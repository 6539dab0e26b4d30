"""Which provider metadata counts: the one that a person activated.

From a file: the file. From an address: what was there when the source was first used is kept, and from
then on the kept copy counts, also while the provider is down. A document that has changed since counts
only after a person has seen what changes and activated it: whoever can swap the metadata could sign
people in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from app.errors import ProviderFailed, Refusal, RequestNotPossible
from app.model import SamlProvider, SourceId
from app.signin.places import Places
from app.signin.saml_metadata import Certificate, IdpMetadata, acceptable_address, read_metadata
from app.signin.seam import KnownMetadata

REREAD: Final = timedelta(seconds=60)
"""After so long, what another process activated or withdrew is in force here."""
RETRY: Final = timedelta(seconds=10)
"""So long a failed fetch is not tried again, so that sign-ins do not queue behind a dead provider. Counted from
the request that made it, so it is longer than a fetch may take."""


class Answer(Protocol):
    """What a fetch brings."""

    @property
    def status(self) -> int: ...

    @property
    def body(self) -> bytes: ...


class Fetches(Protocol):
    """The one guarded fetch (`app.outbound`): deadline, size cap, no redirects. Raises ProviderFailed."""

    def get(self, url: str, /) -> Answer: ...


@dataclass(frozen=True, slots=True)
class MetadataChange:
    """What activating a fetched document would change. Activate this value, so that what was seen counts."""

    source: SourceId
    url: str
    document: bytes = field(repr=False)
    before: IdpMetadata | None
    """None if nothing is activated yet, or what is can no longer be read."""
    after: IdpMetadata

    @property
    def differs(self) -> bool:
        """False if activating it would change nothing that matters."""
        return self.before != self.after

    def lines(self) -> tuple[str, ...]:
        """The differences, one a line, for the person who decides."""
        old, new = self.before, self.after
        if old is None:
            return (
                f"entity ID: {new.entity_id}",
                f"sign-in address: {new.sso_url}",
                f"signed requests: {_wanted(new)}",
                *(f"+ {_named(certificate)}" for certificate in new.certificates),
            )
        lines = [
            f"{what}: {was} → {becomes}"
            for what, was, becomes in (
                ("entity ID", old.entity_id, new.entity_id),
                ("sign-in address", old.sso_url, new.sso_url),
                ("signed requests", _wanted(old), _wanted(new)),
            )
            if was != becomes
        ]
        lines += [f"- {_named(c)}" for c in old.certificates if c not in new.certificates]
        lines += [f"+ {_named(c)}" for c in new.certificates if c not in old.certificates]
        return tuple(lines)


def _wanted(metadata: IdpMetadata) -> str:
    return "wanted" if metadata.wants_signed_requests else "not wanted"


def _named(certificate: Certificate) -> str:
    return f"signing certificate SHA-256 {certificate.fingerprint}, until {certificate.ends}"


@dataclass(frozen=True, slots=True)
class _Held:
    document: bytes
    metadata: IdpMetadata
    read_at: datetime | None
    """None: filled at start, not yet dated."""


class Trust:
    """The activated metadata of one source, parsed once and kept in memory.

    Safe to use from many threads: each reads and replaces one immutable value; no lock is held while
    anything is fetched or read.
    """

    def __init__(
        self, provider: SamlProvider, fetch: Fetches, known: KnownMetadata, *, loopback: bool
    ) -> None:
        self._provider = provider
        self._fetch = fetch
        self._known = known
        self._loopback = loopback
        self._held: _Held | None = None
        self._failed: tuple[datetime, type[ProviderFailed], str] | None = None
        self._places = Places()

    def current(self, now: datetime) -> IdpMetadata:
        """The metadata that counts; fetched and kept at the first use. Raises ProviderFailed."""
        held = self._held
        if held is not None and self._fresh(held, now):
            return held.metadata
        if self._provider.metadata_xml is not None:
            document = self._provider.metadata_xml
        else:
            document = self._recall() or self._first(now)
        return self._hold(document, now)

    def held(self) -> IdpMetadata | None:
        """What is known without asking the provider: None if nothing is, or it cannot be read."""
        if self._held is not None:
            return self._held.metadata
        try:
            document = self._provider.metadata_xml or self._recall()
            return self._hold(document, None) if document is not None else None
        except Refusal:
            return None

    def compare(self) -> MetadataChange:
        """Fetch, and say what would change. Raises ProviderFailed; RequestNotPossible without an address."""
        url = self._url()
        document, after = self._fetched(url)
        stored = self._recall()
        try:
            before = read_metadata(stored, loopback=self._loopback) if stored is not None else None
        except ProviderFailed:
            before = None
        return MetadataChange(self._provider.id, url, document, before, after)

    def activate(self, change: MetadataChange, now: datetime) -> None:
        """From now on, this is the metadata that counts. Raises RequestNotPossible if it is another source's."""
        if (change.source, change.url) != (self._provider.id, self._url()):
            raise RequestNotPossible("the change belongs to another source or address")
        read_metadata(change.document, loopback=self._loopback)
        self._known.remember(change.source, change.url, change.document, now)
        self._hold(change.document, now)

    def _fresh(self, held: _Held, now: datetime) -> bool:
        if self._provider.metadata_xml is not None:
            return True
        return held.read_at is not None and abs(now - held.read_at) < REREAD

    def _hold(self, document: bytes, now: datetime | None) -> IdpMetadata:
        held = self._held
        if held is not None and held.document == document:
            metadata = held.metadata
        else:
            metadata = read_metadata(document, loopback=self._loopback)
        self._held = _Held(document, metadata, now)
        return metadata

    def _url(self) -> str:
        if self._provider.metadata_url is None:
            raise RequestNotPossible(
                "the metadata is a file",
                words="This source's metadata is a file. Replace the file and apply the configuration.",
            )
        return self._provider.metadata_url

    def _recall(self) -> bytes | None:
        url = self._provider.metadata_url
        return self._known.recall(self._provider.id, url) if url is not None else None

    def _first(self, now: datetime) -> bytes:
        """Trust on first activation: fetch, check, keep; if another worker was first, its copy counts."""
        failed = self._failed
        if failed is not None and abs(now - failed[0]) < RETRY:
            raise failed[1](failed[2])
        url = self._url()
        try:
            with self._places.one():
                document, _ = self._fetched(url)
        except ProviderFailed as error:
            self._failed = (now, type(error), error.detail)
            raise
        self._failed = None
        if self._recall() is None:
            self._known.remember(self._provider.id, url, document, now)
        return self._recall() or document

    def _fetched(self, url: str) -> tuple[bytes, IdpMetadata]:
        if not acceptable_address(url, loopback=self._loopback):
            raise ProviderFailed("the metadata's address must be https")
        answer = self._fetch.get(url)
        if answer.status != 200:
            raise ProviderFailed(f"the metadata's address answers with status {answer.status}")
        return answer.body, read_metadata(answer.body, loopback=self._loopback)
