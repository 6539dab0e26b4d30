"""What a provider publishes about itself, read once into what we need of it (SAML Metadata 2.4).

A signature on the document is not looked at: it came over https or from a file, and a person activates
it. Certificates are taken as names of keys, so their own dates do not count (SAML V2.0 Metadata
Interoperability Profile 2.6.1).
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from app.errors import ProviderFailed
from app.signin.saml_xml import DSIG, HTTP_REDIRECT, METADATA, SAMLP, NotAccepted, parse, quoted, text

MAX_SIZE: Final = 1_000_000
"""Bytes."""
MAX_CERTIFICATES: Final = 16
"""Each is tried on each signature."""
MAX_ADDRESS: Final = 2_048
MAX_ENTITY_ID: Final = 1_024
"""SAML Core 8.3.6."""

_SHORTEST_RSA: Final = 2_048


@dataclass(frozen=True, slots=True)
class Certificate:
    """A signing certificate; `repr` and comparison by what it is, all of it public."""

    pem: str
    fingerprint: str
    """SHA-256 over the certificate, hex."""
    ends: str
    """Its last day, `YYYY-MM-DD`, for people; not enforced."""


@dataclass(frozen=True, slots=True)
class IdpMetadata:
    """What is believed of a provider, once a person has activated it."""

    entity_id: str
    sso_url: str
    """Where the browser goes, by HTTP-Redirect."""
    certificates: tuple[Certificate, ...]
    """At least one; any may have signed."""
    wants_signed_requests: bool


def read_metadata(document: bytes, *, loopback: bool) -> IdpMetadata:
    """Read a provider's metadata.

    In: the document as fetched or from a file, at most 1 MB; `loopback`: our own base URL is http on this
    machine, so the provider may be too. Raises ProviderFailed, whose detail says what is wrong.
    """
    try:
        root = parse(document, MAX_SIZE, keep_comments=False)
    except NotAccepted as reason:
        raise ProviderFailed(f"the metadata is {reason}") from None
    entity = _entity(root)
    entity_id = entity.get("entityID", "")
    if not 0 < len(entity_id) <= MAX_ENTITY_ID or not entity_id.isprintable() or " " in entity_id:
        raise ProviderFailed("the metadata has no usable entityID")
    role = _role(entity)
    return IdpMetadata(
        entity_id=entity_id,
        sso_url=_sso_url(role, loopback),
        certificates=_certificates(role),
        wants_signed_requests=role.get("WantAuthnRequestsSigned", "").strip() in {"true", "1"},
    )


def _md(name: str) -> str:
    return f"{{{METADATA}}}{name}"


def _entity(root: etree._Element) -> etree._Element:
    if root.tag not in {_md("EntityDescriptor"), _md("EntitiesDescriptor")}:
        raise ProviderFailed(f"this is no SAML metadata: the document is a `{quoted(str(root.tag))}`")
    entities = list(root.iter(_md("EntityDescriptor")))
    if len(entities) != 1:
        raise ProviderFailed(
            f"the metadata describes {len(entities)} parties; give an address or a file "
            "with the one provider of this source"
        )
    return entities[0]


def _role(entity: etree._Element) -> etree._Element:
    roles = [
        role
        for role in entity.findall(_md("IDPSSODescriptor"))
        if SAMLP in role.get("protocolSupportEnumeration", "").split()
    ]
    if len(roles) != 1:
        raise ProviderFailed(
            f"the metadata has {len(roles)} descriptions of a SAML 2.0 identity provider, not one"
        )
    return roles[0]


# --- where the browser goes -----------------------------------------------------------------------


def _sso_url(role: etree._Element, loopback: bool) -> str:
    places = [
        service.get("Location", "")
        for service in role.findall(_md("SingleSignOnService"))
        if service.get("Binding") == HTTP_REDIRECT
    ]
    if not places:
        raise ProviderFailed("the metadata has no sign-in address with the HTTP-Redirect binding")
    place = places[0]
    if not acceptable_address(place, loopback=loopback):
        raise ProviderFailed(f"the metadata's sign-in address is not accepted: `{quoted(place)}`")
    return place


def acceptable_address(url: str, *, loopback: bool) -> bool:
    """May a browser be sent there? https to a named host; http and this machine only if `loopback`."""
    if len(url) > MAX_ADDRESS or not url.isascii() or not url.isprintable() or set(url) & set(' "<>\\^`{|}#'):
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.password is not None:
        return False
    if parts.scheme == "https":
        return loopback or not _on_this_machine(host)
    return parts.scheme == "http" and loopback


def _on_this_machine(host: str) -> bool:
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


# --- who signs ------------------------------------------------------------------------------------


def _certificates(role: etree._Element) -> tuple[Certificate, ...]:
    found: dict[str, Certificate] = {}
    for element in _signing(role):
        certificate = _certificate(element)
        if certificate is not None:
            found[certificate.fingerprint] = certificate
    if not found:
        raise ProviderFailed(
            "the metadata has no signing certificate that can be used "
            f"(RSA of {_SHORTEST_RSA} bits or more, or ECDSA on P-256, P-384 or P-521)"
        )
    if len(found) > MAX_CERTIFICATES:
        raise ProviderFailed(f"the metadata has more than {MAX_CERTIFICATES} signing certificates")
    return tuple(found.values())


def _signing(role: etree._Element) -> Iterator[etree._Element]:
    """A key without `use` serves both uses (Metadata 2.4.1.1)."""
    for descriptor in role.findall(_md("KeyDescriptor")):
        if descriptor.get("use", "signing") == "signing":
            yield from descriptor.iter(f"{{{DSIG}}}X509Certificate")


def _certificate(element: etree._Element) -> Certificate | None:
    """None: a key that is not trusted here, as if it were not listed."""
    try:
        der = binascii.a2b_base64("".join(text(element).split()), strict_mode=True)
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ProviderFailed("the metadata has a signing certificate that cannot be read") from error
    if isinstance(key, rsa.RSAPublicKey):
        usable = key.key_size >= _SHORTEST_RSA
    else:
        usable = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(
            key.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1
        )
    if not usable:
        return None
    return Certificate(
        pem=certificate.public_bytes(Encoding.PEM).decode("ascii"),
        fingerprint=certificate.fingerprint(SHA256()).hex(),
        ends=certificate.not_valid_after_utc.date().isoformat(),
    )
