"""A SAML identity provider of the tests' own, honest unless told otherwise.

`Idp.document` writes a response, `sign` signs a part of it with xmlsec, `posted` puts it into a form. An
attack changes the text before it is signed (`before`: a provider that lies) or after (`after`: a stranger
in between); each pair of texts must be found, so that no attack passes for one that it is not.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from xml.sax.saxutils import escape

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from lxml import etree

from app.errors import ProviderFailed, Refusal
from app.keyring import Keyring
from app.model import ClaimMap, GroupMap, MfaTrust, Pending, Proof, SamlProvider, SourceId
from app.signin.saml import SamlSource
from app.signin.seam import Proven, Started

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
BASE = "https://daypass.acme.test"
ENTITY = f"{BASE}/saml/corp/metadata"
ACS = f"{BASE}/saml/corp/acs"
IDP = "https://idp.acme.test/saml"
METADATA_URL = "https://idp.acme.test/metadata"
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
PHONE = "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
NAMES = {
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}
XPATH_TRANSFORM = "http://www.w3.org/TR/1999/REC-xpath-19991116"

Attribute = tuple[str, str | None, Sequence[str]]
"""Name, FriendlyName, values."""
Edit = tuple[str, str]
Tree = Callable[[etree._Element], None]

ENGINEERING = "CN=Engineering,OU=Groups,DC=acme,DC=test"
PERSON: tuple[Attribute, ...] = (
    ("uid", None, ["ana"]),
    ("mail", None, ["ana@acme.test"]),
    ("displayName", None, ["Ana Ruiz"]),
    ("memberOf", None, [ENGINEERING, "sre"]),
    ("costCenter", None, ["4711"]),
)


@dataclass(frozen=True)
class Key:
    """A private key and a certificate of it, PEM."""

    private: bytes
    certificate: bytes

    @property
    def body(self) -> str:
        """The certificate as metadata carries it."""
        return "".join(self.certificate.decode().split("\n")[1:-2])


def make_key(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Key:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp.acme.test")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=365))
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Key(pem, certificate.public_bytes(serialization.Encoding.PEM))


@cache
def rsa_key(name: str, bits: int = 2048) -> Key:
    """One key per name; generating them is slow."""
    return make_key(rsa.generate_private_key(public_exponent=65537, key_size=bits))


@cache
def ec_key(name: str) -> Key:
    return make_key(ec.generate_private_key(ec.SECP256R1()))


@cache
def keyring() -> Keyring:
    ours = rsa_key("daypass")
    return Keyring(ours.private, ours.certificate, (base64.urlsafe_b64encode(b"k" * 32),))


def written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def edited(text: str, edits: Iterable[Edit]) -> str:
    for old, new in edits:
        assert old in text, f"not in the document: {old}"
        text = text.replace(old, new)
    return text


@dataclass(frozen=True)
class Idp:
    """A provider with its keys; `replace(idp, …)` makes another one."""

    entity_id: str = IDP
    key: Key = field(default_factory=lambda: rsa_key("idp"))
    listed: tuple[Key, ...] = ()
    """Keys in the metadata; its own unless said."""
    sso: str = "https://idp.acme.test/sso"
    wants_signed: bool = False

    def metadata(self) -> bytes:
        keys = "".join(
            '<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>'
            f"{key.body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
            for key in (self.listed or (self.key,))
        )
        wants = ' WantAuthnRequestsSigned="true"' if self.wants_signed else ""
        return (
            '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" '
            f'xmlns:ds="{NAMES["ds"]}" entityID="{escape(self.entity_id)}">'
            f'<md:IDPSSODescriptor{wants} protocolSupportEnumeration="{NAMES["samlp"]}">{keys}'
            '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" '
            f'Location="{escape(self.sso)}/post"/>'
            '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" '
            f'Location="{escape(self.sso)}"/>'
            "</md:IDPSSODescriptor></md:EntityDescriptor>"
        ).encode()

    def document(
        self,
        request_id: str,
        *,
        now: datetime = NOW,
        name_id: str = "ana-4f1c",
        name_format: str = PERSISTENT,
        attributes: Sequence[Attribute] = PERSON,
        context: str = PASSWORD,
        entity: str = ENTITY,
        acs: str = ACS,
        response_id: str = "_response",
        assertion_id: str = "_assertion",
    ) -> str:
        """An honest response, not yet signed."""
        soon, ago = written(now + timedelta(minutes=5)), written(now - timedelta(seconds=30))
        later, issued = written(now + timedelta(hours=8)), written(now)
        rows = "".join(
            f'<saml:Attribute Name="{escape(name)}"'
            + (f' FriendlyName="{escape(friendly)}"' if friendly is not None else "")
            + ">"
            + "".join(
                f'<saml:AttributeValue xsi:type="xs:string">{escape(value)}</saml:AttributeValue>'
                for value in values
            )
            + "</saml:Attribute>"
            for name, friendly, values in attributes
        )
        statement = f"<saml:AttributeStatement>{rows}</saml:AttributeStatement>" if rows else ""
        return (
            f'<samlp:Response xmlns:samlp="{NAMES["samlp"]}" xmlns:saml="{NAMES["saml"]}" '
            f'ID="{response_id}" Version="2.0" IssueInstant="{issued}" Destination="{acs}" '
            f'InResponseTo="{request_id}">'
            f"<saml:Issuer>{escape(self.entity_id)}</saml:Issuer>"
            '<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>'
            '<saml:Assertion xmlns:xs="http://www.w3.org/2001/XMLSchema" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            f'ID="{assertion_id}" Version="2.0" IssueInstant="{issued}">'
            f"<saml:Issuer>{escape(self.entity_id)}</saml:Issuer>"
            f'<saml:Subject><saml:NameID Format="{name_format}">{escape(name_id)}</saml:NameID>'
            '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
            f'<saml:SubjectConfirmationData NotOnOrAfter="{soon}" Recipient="{acs}" '
            f'InResponseTo="{request_id}"/></saml:SubjectConfirmation></saml:Subject>'
            f'<saml:Conditions NotBefore="{ago}" NotOnOrAfter="{soon}"><saml:AudienceRestriction>'
            f"<saml:Audience>{entity}</saml:Audience></saml:AudienceRestriction></saml:Conditions>"
            f'<saml:AuthnStatement AuthnInstant="{ago}" SessionIndex="_session" '
            f'SessionNotOnOrAfter="{later}"><saml:AuthnContext><saml:AuthnContextClassRef>{context}'
            "</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
            f"{statement}</saml:Assertion></samlp:Response>"
        )


@dataclass(frozen=True)
class Signing:
    """How to sign; every part can be made wrong."""

    key: Key
    method: object = xmlsec.Transform.RSA_SHA256
    digest: object = xmlsec.Transform.SHA256
    c14n: object = xmlsec.Transform.EXCL_C14N
    transforms: tuple[object, ...] = (xmlsec.Transform.ENVELOPED, xmlsec.Transform.EXCL_C14N)
    template: Tree | None = None
    """Changes the Signature before it is computed."""
    key_info: bool = True
    secret: bytes | None = None
    """HMAC: this is the key."""


def sign(element: etree._Element, signing: Signing) -> etree._Element:
    """Sign an element with an enveloped signature, after its Issuer if it has one. Returns the Signature."""
    signature = xmlsec.template.create(element, signing.c14n, signing.method, ns="ds")
    element.insert(1 if element[0].tag == f"{{{NAMES['saml']}}}Issuer" else 0, signature)
    reference = xmlsec.template.add_reference(signature, signing.digest, uri="#" + element.get("ID", ""))
    for transform in signing.transforms:
        xmlsec.template.add_transform(reference, transform)
    context = xmlsec.SignatureContext()
    if signing.secret is not None:
        context.key = xmlsec.Key.from_binary_data(xmlsec.constants.KeyDataHmac, signing.secret)
    else:
        context.key = xmlsec.Key.from_memory(signing.key.private, xmlsec.constants.KeyDataFormatPem)
        context.key.load_cert_from_memory(signing.key.certificate, xmlsec.constants.KeyDataFormatPem)
        if signing.key_info:
            xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(signature))
    if signing.template is not None:
        signing.template(signature)
    xmlsec.tree.add_ids(element.getroottree().getroot(), ["ID"])
    context.sign(signature)
    return signature


def find(root: etree._Element, path: str) -> etree._Element:
    # By XPath, since lxml's own `find` does not see names that xmlsec has made.
    found = root.xpath(path, namespaces=NAMES)
    assert isinstance(found, list) and found, path
    element = found[0]
    assert isinstance(element, etree._Element)
    return element


def signed(
    document: str,
    key: Key,
    *,
    before: Iterable[Edit] = (),
    after: Iterable[Edit] = (),
    assertion: Signing | None = None,
    response: Signing | bool = False,
    tree: Tree | None = None,
    unsigned: bool = False,
) -> bytes:
    """The document with its signatures: of the assertion, and of the response too if wanted.

    `tree` changes the signed tree, `after` the text that comes of it.
    """
    root = etree.fromstring(edited(document, before).encode())
    if not unsigned:
        sign(find(root, "saml:Assertion"), assertion or Signing(key))
    if response:
        sign(root, Signing(key) if response is True else response)
    if tree is not None:
        tree(root)
    return edited(etree.tostring(root).decode(), after).encode()


def posted(document: bytes) -> str:
    return base64.b64encode(document).decode()


# --- our side -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    body: bytes


class Web:
    """The outside: what stands at an address, or nothing; counts what is fetched."""

    def __init__(self, pages: dict[str, bytes] | None = None) -> None:
        self.pages = pages or {}
        self.status = 200
        self.asked: list[str] = []

    def get(self, url: str, /) -> Answer:
        self.asked.append(url)
        if url not in self.pages:
            raise ProviderFailed("no answer")
        return Answer(self.status, "application/samlmetadata+xml", self.pages[url])


class Known:
    """A store's kept metadata, in memory."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], bytes] = {}

    def recall(self, source: SourceId, url: str) -> bytes | None:
        return self.rows.get((source, url))

    def remember(self, source: SourceId, url: str, document: bytes, at: datetime) -> None:
        self.rows[source, url] = document


PROVIDER = SamlProvider(
    id=SourceId("corp"),
    label="Acme staff",
    claims=ClaimMap(subject="NameID", username="uid", email="mail", name="displayName", groups="memberOf"),
    groups=GroupMap({ENGINEERING: "engineering", "sre": "sre"}),
    metadata_url=METADATA_URL,
    mfa=MfaTrust(contexts=frozenset({PHONE})),
)


def source(idp: Idp | None = None, provider: SamlProvider = PROVIDER, base: str = BASE) -> SamlSource:
    """Our side of a provider, with its metadata given as a file."""
    by_file = replace(provider, metadata_url=None, metadata_xml=(idp or Idp()).metadata())
    return SamlSource(by_file, keyring(), base, Web(), Known())


def pending(started: Started, now: datetime = NOW, provider: str = "corp") -> Pending:
    return Pending(
        key=started.key,
        source=SourceId(provider),
        browser="",
        next="/",
        revision=1,
        address="192.0.2.1",
        created_at=now,
        expires_at=now + timedelta(minutes=10),
        secrets=started.secrets,
    )


def proof(started: Started, document: bytes | str, provider: str = "corp") -> Proof:
    encoded = document if isinstance(document, str) else posted(document)
    return Proof(SourceId(provider), {"SAMLResponse": encoded, "RelayState": started.key})


class Acme:
    """A provider and our side of it, with one sign-in under way."""

    def __init__(self, idp: Idp | None = None, provider: SamlProvider = PROVIDER) -> None:
        self.idp = idp or Idp()
        self.source = source(self.idp, provider)
        self.started = self.source.start(NOW)
        self.request_id = self.started.secrets["request_id"]

    def document(self, **knobs: object) -> str:
        return self.idp.document(self.request_id, **knobs)  # type: ignore[arg-type]

    def response(
        self, knobs: dict[str, object] | None = None, document: str | None = None, **how: object
    ) -> bytes:
        """A response to the sign-in under way, signed."""
        text = document if document is not None else self.document(**(knobs or {}))
        return signed(text, self.idp.key, **how)  # type: ignore[arg-type]

    def finish(self, document: bytes | str, now: datetime = NOW) -> Proven:
        return self.source.finish(pending(self.started), proof(self.started, document), now)

    def refusal(self, document: bytes | str, now: datetime = NOW) -> Refusal:
        """The refusal that the document meets; anything else fails the test."""
        try:
            proven = self.finish(document, now)
        except Refusal as refusal:
            return refusal
        raise AssertionError(f"accepted as {proven.identity.subject}")
