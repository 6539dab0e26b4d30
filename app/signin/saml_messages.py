"""What we say to a SAML provider: who we are, and a request to sign a person in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from lxml import etree
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Constants
from onelogin.saml2.metadata import OneLogin_Saml2_Metadata
from onelogin.saml2.utils import OneLogin_Saml2_Utils as Utils

from app.keyring import Keyring
from app.signin.saml_xml import HTTP_POST, SAML, SAMLP

_PERSISTENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


@dataclass(frozen=True, slots=True)
class ServiceProvider:
    """Us, as one provider knows us."""

    entity_id: str
    acs: str
    """Assertion consumer service, by HTTP-POST."""


def service_provider(base_url: str, source: str) -> ServiceProvider:
    """Our addresses towards one source."""
    return ServiceProvider(f"{base_url}/saml/{source}/metadata", f"{base_url}/saml/{source}/acs")


def describe(us: ServiceProvider, keyring: Keyring, *, signs_requests: bool) -> bytes:
    """Our metadata (SAML Metadata 2.4.4): signed assertions wanted, no encryption key offered.

    Without an end of validity: the provider's operator may keep it for as long as the key lives.
    """
    written = OneLogin_Saml2_Metadata.builder(
        {
            "entityId": _escaped(us.entity_id),
            "assertionConsumerService": {"url": _escaped(us.acs), "binding": HTTP_POST},
            "NameIDFormat": _PERSISTENT,
        },
        authnsign=signs_requests,
        wsign=True,
        valid_until="",
        cache_duration="",
    )
    certificate = keyring.saml_certificate.decode("ascii")
    described = OneLogin_Saml2_Metadata.add_x509_key_descriptors(written, certificate, add_encryption=False)
    return described if isinstance(described, bytes) else str(described).encode()


def _escaped(value: str) -> str:
    return escape(value, {'"': "&quot;"})


def ask(us: ServiceProvider, sso_url: str, request_id: str, now: datetime) -> bytes:
    """An AuthnRequest (Core 3.4.1) that leaves the way of authentication and the name's form to the provider.

    Without Subject and RequestedAuthnContext: Entra ID refuses the one and takes hardly a value of the other.
    """
    request = etree.Element(f"{{{SAMLP}}}AuthnRequest", nsmap={"samlp": SAMLP, "saml": SAML})
    request.set("ID", request_id)
    request.set("Version", "2.0")
    request.set("IssueInstant", now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    request.set("Destination", sso_url)
    request.set("ProtocolBinding", HTTP_POST)
    request.set("AssertionConsumerServiceURL", us.acs)
    etree.SubElement(request, f"{{{SAML}}}Issuer").text = us.entity_id
    etree.SubElement(request, f"{{{SAMLP}}}NameIDPolicy", AllowCreate="true")
    return etree.tostring(request)


def redirect(sso_url: str, request: bytes, relay_state: str, keyring: Keyring | None) -> str:
    """The address that carries the request (Bindings 3.4.4); signed with RSA-SHA256 if a keyring is given.

    The signature is over the very characters that are sent, in this order (3.4.4.1).
    """
    fields = {"SAMLRequest": Utils.deflate_and_base64_encode(request), "RelayState": relay_state}
    if keyring is not None:
        fields["SigAlg"] = Constants.RSA_SHA256
        signature = Utils.sign_binary(urlencode(fields), keyring.saml_key)
        fields["Signature"] = Utils.b64encode(signature)
    return sso_url + ("&" if "?" in sso_url else "?") + urlencode(fields)
