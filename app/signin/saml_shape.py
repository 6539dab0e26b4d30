"""The one shape of a SAML response that is let through to the library.

python3-saml and xmlsec do much work before they look at a signature: they run XSLT, open `file://`
references, digest thousands of references. So a stranger's document is held against an allow-list first,
on the parsed tree, in one walk and without any cryptography. What is not listed here is refused.

SAML Core 5.4 (signature profile), XML Signature 4; the measurements stand in docs/reference/saml-checks.md.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, cast

from lxml import etree

from app.errors import SamlContent, SamlShape, SamlSignature, SignInDenied
from app.signin.saml_xml import DSIG, SAML, SAMLP, NotAccepted, parse, quoted

MAX_SIZE: Final = 256 * 1024
"""Bytes, before and after base64."""
MAX_DEPTH: Final = 32
MAX_ELEMENTS: Final = 10_000
MAX_ATTRIBUTES: Final = 32
"""On one element: canonicalisation sorts them by insertion."""
MAX_NAMESPACES: Final = 32
"""Different declarations in the whole document: canonicalisation looks through those in scope."""

_EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
_PREFIXES: Final = f"{{{_EXCLUSIVE}}}InclusiveNamespaces"
_ENVELOPED: Final = DSIG + "enveloped-signature"
_MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"
_ENC: Final = "http://www.w3.org/2001/04/xmlenc#"

CANONICALISATIONS: Final = frozenset({_EXCLUSIVE, _EXCLUSIVE + "WithComments"})
"""With or without: there are no comments in what comes here."""
DIGESTS: Final = frozenset({_ENC + "sha256", _MORE + "sha384", _ENC + "sha512"})
SIGNATURES: Final = frozenset(
    f"{_MORE}{key}-sha{bits}" for key in ("rsa", "ecdsa") for bits in (256, 384, 512)
)

_SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
_RESPONSE: Final = f"{{{SAMLP}}}Response"
_STATUS: Final = f"{{{SAMLP}}}Status"
_STATUS_CODE: Final = f"{{{SAMLP}}}StatusCode"
_ISSUER: Final = f"{{{SAML}}}Issuer"
_ASSERTION: Final = f"{{{SAML}}}Assertion"
_SIGNATURE: Final = f"{{{DSIG}}}Signature"
_ENCRYPTED: Final = frozenset(f"{{{SAML}}}Encrypted{what}" for what in ("Assertion", "ID", "Attribute"))
_KEY_HINTS: Final = frozenset(f"{{{DSIG}}}{what}" for what in ("X509Data", "KeyName", "KeyValue"))
_IDS: Final = frozenset({"ID", "Id", "id", "{http://www.w3.org/XML/1998/namespace}id"})
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_NAME: Final = re.compile(r"[^\W\d][\w.-]*")
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")

_NO_ENCRYPTION = (
    "Your directory encrypts its answers, which is not accepted here. "
    "Ask its administrator to turn encryption off for this service; the connection itself is encrypted."
)


@dataclass(frozen=True, slots=True)
class Shaped:
    """A response of the accepted shape. Nothing in it is believed yet."""

    response: etree._Element
    assertion: etree._Element
    """The only one in the document, a child of `response`, signed."""
    response_signed: bool


def shaped(encoded: str) -> Shaped:
    """Read and check `SAMLResponse` as it came in the form (SAML Bindings 3.5.4).

    In: base64, with or without line ends. Raises SamlShape, SamlSignature (none where one must be, or a
    method that is not accepted), SamlContent (no status) and SignInDenied (a status other than success).
    """
    try:
        response = parse(_decoded(encoded), MAX_SIZE)
    except NotAccepted as reason:
        raise SamlShape(f"the document is {reason}") from None
    _walk(response)
    if response.tag != _RESPONSE:
        raise SamlShape(f"the document is a `{quoted(str(response.tag))}`, not a Response")
    _status(response)
    assertion = _the_assertion(response)
    return Shaped(response, assertion, _signatures(response, assertion))


def shaped_assertion(encoded: str) -> etree._Element:
    """Read and check an assertion that stands alone, as an app presents it (RFC 7522 2.1).

    In: base64url, with its padding or without, no line ends. Out: the assertion, the only one in its document,
    signed. Raises SamlShape, and SamlSignature for no signature or a method that is not accepted.
    """
    try:
        assertion = parse(_decoded_url(encoded), MAX_SIZE)
    except NotAccepted as reason:
        raise SamlShape(f"the document is {reason}") from None
    _walk(assertion)
    if assertion.tag != _ASSERTION:
        raise SamlShape(f"the document is a `{quoted(str(assertion.tag))}`, not an Assertion")
    if any(True for _ in assertion.iterdescendants(_ASSERTION)):
        raise SamlShape("there is an assertion in the assertion")
    _signatures(assertion, assertion)
    return assertion


def _decoded_url(encoded: str) -> bytes:
    """RFC 4648 5, strictly: no other character, and no other padding than the right one."""
    if not 0 < len(encoded) <= MAX_SIZE:
        raise SamlShape(f"the assertion is empty or longer than {MAX_SIZE} characters")
    text = encoded.rstrip("=")
    padded = text + "=" * (-len(text) % 4)
    if not _BASE64URL.fullmatch(text) or encoded not in (text, padded):
        raise SamlShape("the assertion is not base64url")
    try:
        return binascii.a2b_base64(padded.replace("-", "+").replace("_", "/"), strict_mode=True)
    except ValueError:
        raise SamlShape("the assertion is not base64url") from None


def _decoded(encoded: str) -> bytes:
    if not encoded:
        raise SamlShape("there is no SAMLResponse")
    if len(encoded) > MAX_SIZE:
        raise SamlShape(f"SAMLResponse is longer than {MAX_SIZE} characters")
    try:
        # Some libraries wrap lines at 76 characters (RFC 2045, 6.8); nothing else is passed over.
        return binascii.a2b_base64(encoded.replace("\r", "").replace("\n", ""), strict_mode=True)
    except ValueError:
        raise SamlShape("SAMLResponse is not base64") from None


# --- the whole document ---------------------------------------------------------------------------


def _walk(root: etree._Element) -> None:
    """One pass over everything: depth, counts, comments, namespaces, identifiers."""
    if root.getprevious() is not None or root.getnext() is not None:
        raise SamlShape("there is a comment or processing instruction beside the document")
    depth = elements = 0
    namespaces: set[tuple[str, str]] = set()
    identifiers: set[str] = set()
    events = etree.iterwalk(root, events=("start", "end", "start-ns", "comment", "pi"))
    for event, what in cast("Iterable[tuple[str, object]]", events):
        if event == "start":
            depth += 1
            elements += 1
            if depth > MAX_DEPTH:
                raise SamlShape(f"elements are nested deeper than {MAX_DEPTH}")
            if elements > MAX_ELEMENTS:
                raise SamlShape(f"there are more than {MAX_ELEMENTS} elements")
            _element(cast("etree._Element", what), identifiers)
        elif event == "end":
            depth -= 1
        elif event == "start-ns":
            namespaces.add(cast("tuple[str, str]", what))
            _namespace(cast("tuple[str, str]", what)[1])
            if len(namespaces) > MAX_NAMESPACES:
                raise SamlShape(f"there are more than {MAX_NAMESPACES} namespace declarations")
        else:
            raise SamlShape("there is a comment or processing instruction in the document")


def _element(element: etree._Element, identifiers: set[str]) -> None:
    names = element.keys()
    if len(names) > MAX_ATTRIBUTES:
        raise SamlShape(f"an element has more than {MAX_ATTRIBUTES} attributes")
    for name in names:
        if name in _IDS:
            identifier = element.get(name, "")
            if identifier in identifiers:
                raise SamlShape("two elements have the same ID")
            identifiers.add(identifier)
    if element.tag in _ENCRYPTED:
        raise SamlShape("an encrypted assertion, name or attribute", words=_NO_ENCRYPTION)


def _namespace(uri: str) -> None:
    # Canonical XML forbids relative ones: libxml2 fails on them, and old verifiers then digest nothing.
    if uri and not _ABSOLUTE.match(uri):
        raise SamlShape("a namespace is a relative address")


# --- the message ----------------------------------------------------------------------------------


def _status(response: etree._Element) -> None:
    """Success, or the provider's own "no" (Core 3.2.2). Read first, since a "no" carries no assertion."""
    statuses = response.findall(_STATUS)
    codes = statuses[0].findall(_STATUS_CODE) if len(statuses) == 1 else []
    if len(codes) != 1:
        raise SamlContent("the response has not exactly one status")
    if codes[0].get("Value") != _SUCCESS:
        given = [code.get("Value", "") for code in statuses[0].iter(_STATUS_CODE)]
        raise SignInDenied(quoted("the provider's status is " + ", ".join(given)))


def _the_assertion(response: etree._Element) -> etree._Element:
    for child in response:
        if child.tag not in {_ISSUER, _SIGNATURE, _STATUS, _ASSERTION}:
            raise SamlShape(f"the response holds a `{quoted(str(child.tag))}`")
    everywhere = list(response.iter(_ASSERTION))
    if len(everywhere) != 1:
        raise SamlShape(f"there are {len(everywhere)} assertions, not one")
    if everywhere[0].getparent() is not response:
        raise SamlShape("the assertion is not a child of the response")
    return everywhere[0]


# --- signatures -----------------------------------------------------------------------------------


def _signatures(root: etree._Element, assertion: etree._Element) -> bool:
    """Check where signatures stand and what each one says. True if the root (the response) is signed too."""
    signed: list[etree._Element] = []
    for signature in root.iter(_SIGNATURE):
        parent = signature.getparent()
        if parent is None or not (parent is root or parent is assertion):
            raise SamlShape("a signature stands elsewhere than in the response or the assertion")
        if parent in signed:
            raise SamlShape("an element has two signatures")
        _signature(signature, parent)
        signed.append(parent)
    if assertion not in signed:
        raise SamlSignature("the assertion is not signed")
    return root in signed


def _signature(signature: etree._Element, parent: etree._Element) -> None:
    """One SignedInfo, its value, perhaps a hint at the key; no Object (XML Signature 4.1)."""
    info, value, *rest = _children(signature, "a Signature", at_least=2)
    _named(info, "SignedInfo")
    _named(value, "SignatureValue")
    _leaf(value)
    for key_info in rest:
        _named(key_info, "KeyInfo")
        if key_info is not rest[0]:
            raise SamlShape("a Signature has two KeyInfo")
        for hint in key_info:
            # A hint only: the configured certificates decide. RetrievalMethod would have to be fetched.
            if hint.tag not in _KEY_HINTS:
                raise SamlShape(f"a KeyInfo holds a `{quoted(str(hint.tag))}`")
    canonicalisation, method, reference = _children(info, "a SignedInfo", exactly=3)
    _named(canonicalisation, "CanonicalizationMethod")
    _method(canonicalisation, CANONICALISATIONS)
    _leaf(canonicalisation)
    _named(method, "SignatureMethod")
    _method(method, SIGNATURES)
    _leaf(method)
    _reference(reference, parent)


def _reference(reference: etree._Element, parent: etree._Element) -> None:
    """Exactly the parent, exactly the two transforms (Core 5.4.2, 5.4.4)."""
    _named(reference, "Reference")
    identifier = parent.get("ID", "")
    # A name and nothing more: no `#xpointer(…)`, which a verifier would evaluate.
    if not _NAME.fullmatch(identifier):
        raise SamlShape("a signed element has no usable ID")
    if reference.get("URI") != f"#{identifier}":
        raise SamlShape("a Reference points elsewhere than at the element that holds the signature")
    if set(reference.attrib) - {"URI", "Id"}:
        raise SamlShape("a Reference has other attributes than URI")
    transforms, method, value = _children(reference, "a Reference", exactly=3)
    _named(transforms, "Transforms")
    enveloped, canonicalisation = _children(transforms, "a Transforms", exactly=2)
    for transform, accepted in ((enveloped, {_ENVELOPED}), (canonicalisation, CANONICALISATIONS)):
        _named(transform, "Transform")
        if transform.get("Algorithm") not in accepted:
            raise SamlShape(f"`{quoted(transform.get('Algorithm'))}` is not an accepted transform")
    _leaf(enveloped)
    for child in canonicalisation:
        # A list of prefixes (Exclusive XML Canonicalization 4), as Okta and Shibboleth send it.
        if child.tag != _PREFIXES or child is not canonicalisation[0]:
            raise SamlShape("a canonicalisation has parameters that are not accepted")
        _leaf(child)
    _named(method, "DigestMethod")
    _method(method, DIGESTS)
    _leaf(method)
    _named(value, "DigestValue")
    _leaf(value)


def _children(
    element: etree._Element, name: str, *, exactly: int = 0, at_least: int = 0
) -> Sequence[etree._Element]:
    count = len(element)
    if (exactly and count != exactly) or count < at_least:
        raise SamlShape(f"{name} has {count} parts, which is not the accepted form")
    return list(element)


def _named(element: etree._Element, name: str) -> None:
    if element.tag != f"{{{DSIG}}}{name}":
        raise SamlShape(f"a `{quoted(str(element.tag))}` stands where a {name} belongs")


def _method(element: etree._Element, accepted: frozenset[str]) -> None:
    algorithm = element.get("Algorithm")
    if algorithm not in accepted:
        raise SamlSignature(f"`{quoted(algorithm)}` is not an accepted method")


def _leaf(element: etree._Element) -> None:
    if len(element):
        raise SamlShape("a value of a signature has parts of its own")
