"""The one service provider that this directory knows: the broker, by its own metadata."""

from __future__ import annotations

import base64
import binascii
import re
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Final

from demo.directory.saml import NS, POST, AuthnRequest, RedirectMessage, RequestRefused, parse, verify

DOCUMENT_LIMIT: Final = 256 * 1024
FRESH: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ServiceProvider:
    """What the broker's metadata says of one of its SAML sources."""

    entity_id: str
    acs: str
    certificates: tuple[bytes, ...]
    """PEM, for checking its requests."""
    read_at: datetime


class Broker:
    """The broker as a service provider; its metadata is fetched when a request comes in, and kept a minute."""

    def __init__(
        self, base_url: str, *, certificate: bytes | None = None, fetch: Callable[[str], bytes] | None = None
    ) -> None:
        self._base_url = base_url
        self._certificate = certificate
        self._fetch = fetch or get
        self._known: dict[str, ServiceProvider] = {}
        self._lock = threading.Lock()
        self._entity = re.compile(re.escape(base_url) + r"/saml/([a-z0-9-]{1,32})/metadata")

    def believe(self, request: AuthnRequest, message: RedirectMessage, now: datetime) -> ServiceProvider:
        """The sender of a request, if it is the broker and signed it, and wants the answer at its own address.

        Raises RequestRefused.
        """
        match = self._entity.fullmatch(request.issuer)
        if not match:
            raise RequestRefused("This directory does not know the site that sent you (Issuer).")
        acs = f"{self._base_url}/saml/{match[1]}/acs"
        if request.acs not in (None, acs):
            raise RequestRefused("The answer is wanted at an address that is not the site's own.")
        if self._certificate is not None:
            peer = ServiceProvider(request.issuer, acs, (self._certificate,), now)
            verify(message, peer.certificates)
            return peer
        with self._lock:
            kept = self._known.get(request.issuer)
        if kept is not None and now - kept.read_at < FRESH:
            try:
                verify(message, kept.certificates)
            except RequestRefused:
                pass  # its key may be new: read the metadata again before saying no
            else:
                return kept
        peer = read_metadata(self._fetch(request.issuer), entity_id=request.issuer, acs=acs, now=now)
        verify(message, peer.certificates)
        with self._lock:
            self._known[request.issuer] = peer
        return peer


def read_metadata(document: bytes, *, entity_id: str, acs: str, now: datetime) -> ServiceProvider:
    """A service provider's metadata, held against what we know of it. Raises RequestRefused."""
    root = parse(document)
    if root.get("entityID") != entity_id:
        raise RequestRefused("The site's metadata is about another site.")
    services = root.findall("md:SPSSODescriptor/md:AssertionConsumerService", NS)
    if not any(node.get("Binding") == POST and node.get("Location") == acs for node in services):
        raise RequestRefused("The site's metadata does not name its own address for answers.")
    certificates = tuple(
        _pem("".join((node.text or "").split()))
        for descriptor in root.findall("md:SPSSODescriptor/md:KeyDescriptor", NS)
        if descriptor.get("use") in (None, "signing")
        for node in descriptor.findall("ds:KeyInfo/ds:X509Data/ds:X509Certificate", NS)
    )
    if not certificates:
        raise RequestRefused("The site's metadata has no signing key.")
    return ServiceProvider(entity_id, acs, certificates, now)


def _pem(text: str) -> bytes:
    try:
        return ssl.DER_cert_to_PEM_cert(base64.b64decode(text, validate=True)).encode("ascii")
    except binascii.Error as error:
        raise RequestRefused("The site's metadata has a broken certificate.") from error


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def get(url: str) -> bytes:
    """Fetch the broker's metadata: no proxy, no redirect, five seconds, a size cap. Raises RequestRefused."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
    try:
        with opener.open(url, timeout=5) as response:
            body: bytes = response.read(DOCUMENT_LIMIT + 1)
    except (urllib.error.URLError, OSError, HTTPException) as error:
        raise RequestRefused(f"The site's metadata could not be read from {url}: {error}") from error
    if len(body) > DOCUMENT_LIMIT:
        raise RequestRefused("The site's metadata is too long.")
    return body
