"""SAML 2.0, the identity provider's side: an AuthnRequest in, a signed Response out.

Pure: no web, no clock of its own, no network. Section numbers are of SAML 2.0 Core (C), Bindings (B)
and Profiles (P). Signatures are made and checked by xmlsec.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import unquote_plus

import xmlsec
from lxml import etree
from xmlsec import constants

SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
MD: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
NS: Final = {"saml": SAML, "samlp": SAMLP, "md": MD, "ds": DS}

POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
PERSISTENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
UNSPECIFIED: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
BASIC_NAMES: Final = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"
PASSWORD: Final = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
TWO_FACTORS: Final = "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract"

SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
RESPONDER: Final = "urn:oasis:names:tc:SAML:2.0:status:Responder"
NO_PASSIVE: Final = "urn:oasis:names:tc:SAML:2.0:status:NoPassive"
NO_AUTHN_CONTEXT: Final = "urn:oasis:names:tc:SAML:2.0:status:NoAuthnContext"

MESSAGE_LIMIT: Final = 16 * 1024
"""Most characters of `SAMLRequest` that are looked at."""
DOCUMENT_LIMIT: Final = 64 * 1024
"""Most bytes that one inflates to."""
RELAY_STATE_LIMIT: Final = 80
REQUEST_LIFE: Final = timedelta(minutes=5)
ASSERTION_LIFE: Final = timedelta(minutes=5)
SESSION_LIFE: Final = timedelta(hours=8)
SKEW: Final = timedelta(seconds=60)

_DEFLATE: Final = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"
_NCNAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,127}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
_ALGORITHMS: Final = {
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256": constants.TransformRsaSha256,
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384": constants.TransformRsaSha384,
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512": constants.TransformRsaSha512,
}


class RequestRefused(Exception):
    """The request is not one that this directory answers; the text says why, for a person to read."""


@dataclass(frozen=True, slots=True)
class RedirectMessage:
    """What came by the HTTP-Redirect binding (B 3.4), inflated, not yet believed."""

    document: bytes = field(repr=False)
    relay_state: str | None
    signed: bytes = field(repr=False)
    """The octets that the signature is over: the parameters as they were sent."""
    algorithm: str
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthnRequest:
    """An authentication request (C 3.4.1), read and found well formed."""

    id: str
    issuer: str
    acs: str | None
    """Where it wants the answer; None leaves it to the metadata."""
    force: bool = False
    passive: bool = False
    contexts: tuple[str, ...] = ()
    """Authentication context classes that are asked for; empty for any."""
    at_least: bool = False
    """The contexts are a minimum, not exact."""


@dataclass(frozen=True, slots=True)
class Statement:
    """Who signed in here, and how: what an assertion says."""

    subject: str
    attributes: Mapping[str, Sequence[str]]
    authenticated_at: datetime
    context: str
    session: str


@dataclass(frozen=True, slots=True)
class Signer:
    """Who this identity provider is and what it signs with (PEM)."""

    entity_id: str
    key: bytes = field(repr=False)
    certificate: bytes
    sign_response: bool = True
    """Sign the Response as well as the Assertion in it. A Response without one is always signed."""


# --- the request ----------------------------------------------------------------------------------


def read_redirect(query: str) -> RedirectMessage:
    """Take the HTTP-Redirect binding's parameters from a raw query string.

    Raises RequestRefused: a parameter missing or doubled, too long, not base64, not deflated, unsigned.
    """
    raw: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name in ("SAMLRequest", "RelayState", "SigAlg", "Signature", "SAMLEncoding"):
            if name in raw:
                raise RequestRefused(f"The sign-in request holds {name} twice.")
            raw[name] = value
    if "SAMLRequest" not in raw:
        raise RequestRefused("There is no sign-in request here. Start at the site that you want to use.")
    if len(raw["SAMLRequest"]) > MESSAGE_LIMIT:
        raise RequestRefused("The sign-in request is too long.")
    if "Signature" not in raw or "SigAlg" not in raw:
        raise RequestRefused("The sign-in request is not signed. This directory takes signed requests only.")
    if raw.get("SAMLEncoding", _DEFLATE) not in (_DEFLATE, _DEFLATE.replace(":", "%3A")):
        raise RequestRefused("The sign-in request has an unknown encoding.")
    relay_state = unquote_plus(raw["RelayState"]) if "RelayState" in raw else None
    if relay_state is not None and len(relay_state.encode()) > RELAY_STATE_LIMIT:
        raise RequestRefused(f"RelayState is longer than {RELAY_STATE_LIMIT} bytes.")
    signed = "&".join(
        f"{name}={raw[name]}" for name in ("SAMLRequest", "RelayState", "SigAlg") if name in raw
    )
    try:
        signature = base64.b64decode(unquote_plus(raw["Signature"]), validate=True)
        deflated = base64.b64decode(unquote_plus(raw["SAMLRequest"]), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestRefused("The sign-in request is not proper base64.") from error
    return RedirectMessage(
        document=_inflate(deflated),
        relay_state=relay_state,
        signed=signed.encode("utf-8", "surrogatepass"),
        algorithm=unquote_plus(raw["SigAlg"]),
        signature=signature,
    )


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        document = inflater.decompress(data, DOCUMENT_LIMIT)
    except zlib.error as error:
        raise RequestRefused("The sign-in request is not deflated as the binding wants.") from error
    if not inflater.eof:
        raise RequestRefused("The sign-in request is cut, or inflates to more than it may.")
    return document


def parse(document: bytes) -> etree._Element:
    """A document's root, read without DTD, entities or network. Raises RequestRefused."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise RequestRefused("The document is not proper XML.") from error
    if root.getroottree().docinfo.doctype:  # type: ignore[union-attr]  # the stubs lack it
        raise RequestRefused("The document has a DOCTYPE, which SAML does not allow.")
    return root


def read_request(document: bytes, *, destination: str, now: datetime) -> AuthnRequest:
    """Read an AuthnRequest that was sent to `destination`. Raises RequestRefused."""
    root = parse(document)
    if root.tag != f"{{{SAMLP}}}AuthnRequest" or root.get("Version") != "2.0":
        raise RequestRefused("This is not a SAML 2.0 AuthnRequest.")
    identifier = root.get("ID", "")
    if not _NCNAME.fullmatch(identifier):
        raise RequestRefused("The request has no proper ID.")
    if root.get("Destination") != destination:  # B 3.4.5.2: required where the message is signed
        raise RequestRefused("The request was made for another address (Destination).")
    age = now - _instant(root.get("IssueInstant", ""))
    if not -SKEW <= age <= REQUEST_LIFE:
        raise RequestRefused("The request is out of date, or one of our clocks is wrong. Start again.")
    if root.get("ProtocolBinding", POST) != POST:
        raise RequestRefused("The answer is wanted by a binding that this directory does not speak.")
    if root.get("AssertionConsumerServiceIndex") is not None:
        raise RequestRefused("Say AssertionConsumerServiceURL, not an index.")
    policy = root.find("samlp:NameIDPolicy", NS)
    if policy is not None and policy.get("Format", UNSPECIFIED) not in (UNSPECIFIED, PERSISTENT):
        raise RequestRefused("This directory names people by persistent NameIDs only.")
    issuer = root.findall("saml:Issuer", NS)
    if len(issuer) != 1 or len(issuer[0]) or not (issuer[0].text or "").strip():
        raise RequestRefused("The request does not say who sent it (Issuer).")
    contexts, at_least = _contexts(root)
    return AuthnRequest(
        id=identifier,
        issuer=(issuer[0].text or "").strip(),
        acs=root.get("AssertionConsumerServiceURL"),
        force=_boolean(root.get("ForceAuthn")),
        passive=_boolean(root.get("IsPassive")),
        contexts=contexts,
        at_least=at_least,
    )


def _contexts(root: etree._Element) -> tuple[tuple[str, ...], bool]:
    asked = root.find("samlp:RequestedAuthnContext", NS)
    if asked is None:
        return (), False
    comparison = asked.get("Comparison", "exact")
    if comparison not in ("exact", "minimum"):
        raise RequestRefused("RequestedAuthnContext: this directory compares exact or minimum only.")
    classes = [(node.text or "").strip() for node in asked.findall("saml:AuthnContextClassRef", NS)]
    return tuple(classes), comparison == "minimum"


def _boolean(text: str | None) -> bool:
    if text not in (None, "true", "false", "1", "0"):
        raise RequestRefused("ForceAuthn and IsPassive are true or false.")
    return text in ("true", "1")


def _instant(text: str) -> datetime:
    try:
        if not _INSTANT.fullmatch(text):
            raise ValueError(text)
        return datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)
    except ValueError as error:
        raise RequestRefused("The request does not say when it was made (IssueInstant).") from error


def verify(message: RedirectMessage, certificates: Sequence[bytes]) -> None:
    """Check the signature over a redirect (B 3.4.4.1) by any of the PEM certificates.

    Raises RequestRefused: an algorithm other than RSA with SHA-2, or no certificate fits.
    """
    transform = _ALGORITHMS.get(message.algorithm)
    if transform is None:
        raise RequestRefused("The request is signed by an algorithm that this directory does not take.")
    for certificate in certificates:
        context = xmlsec.SignatureContext()
        try:
            context.key = xmlsec.Key.from_memory(certificate, constants.KeyDataFormatCertPem)
            context.verify_binary(message.signed, transform, message.signature)
        except xmlsec.Error:
            continue
        return
    raise RequestRefused("The signature of the request does not fit the key in the sender's metadata.")


# --- the answer -----------------------------------------------------------------------------------


def choose_context(request: AuthnRequest, *, two_factors: bool) -> str | None:
    """The authentication context to state, or None if what was done is not what was asked for (C 3.3.2.2.1)."""
    done = TWO_FACTORS if two_factors else PASSWORD
    if not request.contexts or done in request.contexts:
        return done
    if two_factors and PASSWORD in request.contexts:
        return done if request.at_least else PASSWORD
    return None


def answer(request: AuthnRequest, acs: str, statement: Statement, signer: Signer, now: datetime) -> bytes:
    """A Response with one signed Assertion, for the Web Browser SSO profile (P 4.1.4.2)."""
    response = _response(request, acs, signer, now)
    _status(response, SUCCESS)
    assertion = etree.SubElement(
        response,
        f"{{{SAML}}}Assertion",
        {"ID": _identifier(), "Version": "2.0", "IssueInstant": _text(now)},
        nsmap={"saml": SAML},
    )
    _saml(assertion, "Issuer", signer.entity_id)
    subject = _saml(assertion, "Subject")
    _saml(
        subject,
        "NameID",
        statement.subject,
        Format=PERSISTENT,
        NameQualifier=signer.entity_id,
        SPNameQualifier=request.issuer,
    )
    confirmation = _saml(subject, "SubjectConfirmation", Method="urn:oasis:names:tc:SAML:2.0:cm:bearer")
    _saml(
        confirmation,
        "SubjectConfirmationData",
        InResponseTo=request.id,
        Recipient=acs,
        NotOnOrAfter=_text(now + ASSERTION_LIFE),
    )
    conditions = _saml(
        assertion, "Conditions", NotBefore=_text(now), NotOnOrAfter=_text(now + ASSERTION_LIFE)
    )
    _saml(_saml(conditions, "AudienceRestriction"), "Audience", request.issuer)
    authn = _saml(
        assertion,
        "AuthnStatement",
        AuthnInstant=_text(statement.authenticated_at),
        SessionIndex=statement.session,
        SessionNotOnOrAfter=_text(statement.authenticated_at + SESSION_LIFE),
    )
    _saml(_saml(authn, "AuthnContext"), "AuthnContextClassRef", statement.context)
    attributes = _saml(assertion, "AttributeStatement")
    for name, values in statement.attributes.items():
        attribute = _saml(attributes, "Attribute", Name=name, NameFormat=BASIC_NAMES)
        for value in values:
            _saml(attribute, "AttributeValue", value)
    _sign(assertion, signer)
    if signer.sign_response:
        _sign(response, signer)
    return etree.tostring(response)


def refuse(
    request: AuthnRequest, acs: str, second_status: str, message: str, signer: Signer, now: datetime
) -> bytes:
    """A signed Response that carries a status instead of an assertion (C 3.2.2)."""
    response = _response(request, acs, signer, now)
    _status(response, RESPONDER, second_status, message)
    _sign(response, signer)
    return etree.tostring(response)


def _response(request: AuthnRequest, acs: str, signer: Signer, now: datetime) -> etree._Element:
    response = etree.Element(
        f"{{{SAMLP}}}Response",
        {
            "ID": _identifier(),
            "Version": "2.0",
            "IssueInstant": _text(now),
            "Destination": acs,
            "InResponseTo": request.id,
        },
        nsmap={"samlp": SAMLP, "saml": SAML},
    )
    _saml(response, "Issuer", signer.entity_id)
    return response


def _status(response: etree._Element, code: str, second: str | None = None, message: str = "") -> None:
    status = etree.SubElement(response, f"{{{SAMLP}}}Status")
    top = etree.SubElement(status, f"{{{SAMLP}}}StatusCode", {"Value": code})
    if second:
        etree.SubElement(top, f"{{{SAMLP}}}StatusCode", {"Value": second})
    if message:
        etree.SubElement(status, f"{{{SAMLP}}}StatusMessage").text = message


def _sign(node: etree._Element, signer: Signer) -> None:
    """Enveloped signature right after the Issuer, exclusive canonicalization, RSA with SHA-256 (C 5.4)."""
    signature = xmlsec.template.create(
        node, c14n_method=constants.TransformExclC14N, sign_method=constants.TransformRsaSha256, ns="ds"
    )
    node[0].addnext(signature)
    reference = xmlsec.template.add_reference(signature, constants.TransformSha256, uri=f"#{node.get('ID')}")
    xmlsec.template.add_transform(reference, constants.TransformEnveloped)
    xmlsec.template.add_transform(reference, constants.TransformExclC14N)
    data = xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(signature))
    xmlsec.template.x509_data_add_certificate(data)
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(signer.key, constants.KeyDataFormatPem)
    context.key.load_cert_from_memory(signer.certificate, constants.KeyDataFormatCertPem)
    context.register_id(node, "ID")
    context.sign(signature)


def metadata(signer: Signer, sso: str) -> bytes:
    """This identity provider's metadata document."""
    root = etree.Element(
        f"{{{MD}}}EntityDescriptor", {"entityID": signer.entity_id}, nsmap={"md": MD, "ds": DS}
    )
    role = etree.SubElement(
        root,
        f"{{{MD}}}IDPSSODescriptor",
        {"WantAuthnRequestsSigned": "true", "protocolSupportEnumeration": SAMLP},
    )
    descriptor = etree.SubElement(role, f"{{{MD}}}KeyDescriptor", {"use": "signing"})
    info = etree.SubElement(descriptor, f"{{{DS}}}KeyInfo")
    data = etree.SubElement(info, f"{{{DS}}}X509Data")
    lines = signer.certificate.decode("ascii").splitlines()
    body = "".join(line for line in lines if not line.startswith("-----"))
    etree.SubElement(data, f"{{{DS}}}X509Certificate").text = body
    etree.SubElement(role, f"{{{MD}}}NameIDFormat").text = PERSISTENT
    etree.SubElement(role, f"{{{MD}}}SingleSignOnService", {"Binding": REDIRECT, "Location": sso})
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _saml(parent: etree._Element, name: str, text: str | None = None, **attributes: str) -> etree._Element:
    node = etree.SubElement(parent, f"{{{SAML}}}{name}", attributes)
    node.text = text
    return node


def _identifier() -> str:
    return f"_{secrets.token_hex(20)}"


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
