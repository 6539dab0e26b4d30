"""Every attack on a SAML service provider that applies here, mounted beside its honest twin.

A row is an attack: the document it posts, made by a provider with the configured key that lies (edits before
signing) or by a stranger (edits after), the code of the refusal, and words of its detail, so that a row
cannot pass by being refused for something else. To add one, write a function that returns the document.
"""

from __future__ import annotations

import base64
import copy
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
import xmlsec
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import load_pem_x509_certificate
from lxml import etree

from app.errors import Refusal
from app.model import SourceId
from tests.signin.saml.builders import (
    ACS,
    BASE,
    ENTITY,
    IDP,
    NAMES,
    NOW,
    PERSON,
    PROVIDER,
    XPATH_TRANSFORM,
    Acme,
    Edit,
    Idp,
    Signing,
    Tree,
    ec_key,
    edited,
    find,
    pending,
    posted,
    proof,
    rsa_key,
    sign,
    source,
    written,
)

Document = Callable[[Acme], bytes | str]
Row = tuple[str, Document, str, str]
"""What the sentence says, the document, the refusal's code, words of its detail."""


@pytest.fixture
def acme() -> Acme:
    return Acme()


def lies(*edits: Edit) -> Document:
    """The provider itself says so, and signs it (assertion and response)."""
    return lambda acme: acme.response(before=edits, response=True)


def tampers(*edits: Edit) -> Document:
    """A stranger changes it on the way."""
    return lambda acme: acme.response(after=edits)


def grows(change: Tree) -> Document:
    """A stranger changes the signed tree on the way."""
    return lambda acme: acme.response(tree=change)


def signs(**how: object) -> Document:
    """The provider signs in another way."""
    return lambda acme: acme.response(assertion=Signing(acme.idp.key, **how))  # type: ignore[arg-type]


def ds(name: str, **attributes: str) -> etree._Element:
    return etree.Element(f"{{{NAMES['ds']}}}{name}", attributes)


def inside(parent: str, *children: etree._Element, first: bool = False) -> Tree:
    """Put elements into the one at the path."""

    def change(root: etree._Element) -> None:
        for child in children:
            find(root, parent).insert(0 if first else len(find(root, parent)), child)

    return change


def mallory(root: etree._Element, assertion_id: str = "_evil") -> etree._Element:
    """A copy of the assertion for another person, without its signature."""
    evil = copy.deepcopy(find(root, "saml:Assertion"))
    evil.remove(find(evil, "ds:Signature"))
    evil.set("ID", assertion_id)
    find(evil, "saml:Subject/saml:NameID").text = "mallory"
    return evil


# --- wrapping (XSW 1 to 8: Somorovsky et al., "On Breaking SAML", 2012) -----------------------------------


def xsw1(root: etree._Element) -> None:
    """Forged response around, the signed original inside its signature."""
    original = copy.deepcopy(root)
    original.remove(find(original, "ds:Signature"))
    root.set("ID", "_evil")
    find(root, "saml:Assertion/saml:Subject/saml:NameID").text = "mallory"
    find(root, "ds:Signature").append(original)


def xsw2(root: etree._Element) -> None:
    """As 1, the signature detached: it stands before the original, not around."""
    original = copy.deepcopy(root)
    original.remove(find(original, "ds:Signature"))
    root.set("ID", "_evil")
    find(root, "saml:Assertion/saml:Subject/saml:NameID").text = "mallory"
    root.insert(0, original)


def xsw3(root: etree._Element) -> None:
    """Forged assertion before the signed one."""
    root.insert(2, mallory(root))


def xsw4(root: etree._Element) -> None:
    """Forged assertion around the signed one."""
    original = find(root, "saml:Assertion")
    evil = mallory(root)
    root.replace(original, evil)
    evil.append(original)


def xsw5(root: etree._Element) -> None:
    """Forged assertion holds the signature, the original stands behind it without."""
    original = find(root, "saml:Assertion")
    signature = find(original, "ds:Signature")
    evil = mallory(root)
    original.remove(signature)
    evil.insert(1, signature)
    root.insert(2, evil)


def xsw6(root: etree._Element) -> None:
    """As 5, the original inside the signature."""
    original = find(root, "saml:Assertion")
    signature = find(original, "ds:Signature")
    evil = mallory(root)
    original.remove(signature)
    root.replace(original, evil)
    evil.insert(1, signature)
    signature.append(original)


def xsw7(root: etree._Element) -> None:
    """Forged assertion in Extensions."""
    extensions = etree.Element(f"{{{NAMES['samlp']}}}Extensions")
    extensions.append(mallory(root))
    root.insert(1, extensions)


def xsw8(root: etree._Element) -> None:
    """Forged assertion signed by reference, the original in an Object of the signature."""
    original = find(root, "saml:Assertion")
    signature = find(original, "ds:Signature")
    evil = mallory(root)
    original.remove(signature)
    root.replace(original, evil)
    evil.insert(1, signature)
    holder = ds("Object")
    holder.append(original)
    signature.append(holder)


def xsw_same_id(root: etree._Element) -> None:
    """Forged assertion in place, under the same ID; the original in Advice."""
    original = find(root, "saml:Assertion")
    evil = mallory(root, original.get("ID", ""))
    evil.insert(1, copy.deepcopy(find(original, "ds:Signature")))
    advice = etree.Element(f"{{{NAMES['saml']}}}Advice")
    find(evil, "saml:Conditions").addnext(advice)
    root.replace(original, evil)
    advice.append(original)


def xsw_foreign(root: etree._Element) -> None:
    """The original inside an element that nobody knows, the forged one in its place."""
    original = find(root, "saml:Assertion")
    evil = mallory(root)
    root.replace(original, evil)
    holder = etree.SubElement(find(root, "samlp:Status"), f"{{{NAMES['samlp']}}}StatusDetail")
    etree.SubElement(holder, "{urn:nobody}Box").append(original)


def moved_to_response(root: etree._Element) -> None:
    """The assertion's signature hangs on the response."""
    root.insert(1, find(root, "saml:Assertion/ds:Signature"))


def in_status(root: etree._Element) -> None:
    """A second signature where none belongs."""
    detail = etree.SubElement(find(root, "samlp:Status"), f"{{{NAMES['samlp']}}}StatusDetail")
    detail.append(copy.deepcopy(find(root, "saml:Assertion/ds:Signature")))


def two_on_one(root: etree._Element) -> None:
    signature = find(root, "saml:Assertion/ds:Signature")
    signature.addnext(copy.deepcopy(signature))


def alike_id(attribute: str) -> Tree:
    """Another element claims the assertion's ID by another of the attributes that make IDs."""
    return lambda root: find(root, "saml:Assertion/saml:AttributeStatement/saml:Attribute").set(
        attribute, "_assertion"
    )


WRAPPING: list[Row] = [
    ("xsw 1", lambda a: a.response(response=True, tree=xsw1), "saml.shape", "same ID"),
    ("xsw 2", lambda a: a.response(response=True, tree=xsw2), "saml.shape", "same ID"),
    ("xsw 3", grows(xsw3), "saml.shape", "2 assertions"),
    ("xsw 4", grows(xsw4), "saml.shape", "2 assertions"),
    ("xsw 5", grows(xsw5), "saml.shape", "2 assertions"),
    ("xsw 6", grows(xsw6), "saml.shape", "2 assertions"),
    ("xsw 7", grows(xsw7), "saml.shape", "Extensions"),
    ("xsw 8", grows(xsw8), "saml.shape", "2 assertions"),
    ("forged assertion under the same ID", grows(xsw_same_id), "saml.shape", "same ID"),
    ("original in a foreign element", grows(xsw_foreign), "saml.shape", "2 assertions"),
    (
        "the only assertion is not the response's child",
        grows(
            lambda root: etree.SubElement(find(root, "samlp:Status"), "x").append(
                find(root, "saml:Assertion")
            )
        ),
        "saml.shape",
        "not a child",
    ),
    ("signature moved to the response", grows(moved_to_response), "saml.shape", "points elsewhere"),
    ("signature elsewhere", grows(in_status), "saml.shape", "stands elsewhere"),
    ("two signatures on one element", grows(two_on_one), "saml.shape", "two signatures"),
    (
        "extensions in the response",
        grows(inside(".", etree.Element(f"{{{NAMES['samlp']}}}Extensions"))),
        "saml.shape",
        "Extensions",
    ),
    ("ID claimed by Id", grows(alike_id("Id")), "saml.shape", "same ID"),
    ("ID claimed by id", grows(alike_id("id")), "saml.shape", "same ID"),
    (
        "ID claimed by xml:id",
        grows(alike_id("{http://www.w3.org/XML/1998/namespace}id")),
        "saml.shape",
        "same ID",
    ),
    (
        "no assertion",
        lambda a: a.response(unsigned=True, tree=lambda r: r.remove(find(r, "saml:Assertion"))),
        "saml.shape",
        "0 assertions",
    ),
    (
        "another message",
        tampers(("samlp:Response", "samlp:ArtifactResponse")),
        "saml.shape",
        "not a Response",
    ),
]


# --- who signed, and how ----------------------------------------------------------------------------------


def foreign_key(**how: object) -> Document:
    return lambda acme: acme.response(assertion=Signing(rsa_key("mallory"), **how))  # type: ignore[arg-type]


def with_own_certificate(signature: etree._Element) -> None:
    """Both certificates in KeyInfo: the configured one first."""
    data = find(signature, "ds:KeyInfo/ds:X509Data")
    certificate = ds("X509Certificate")
    certificate.text = rsa_key("idp").body
    data.insert(0, certificate)


def key_value(root: etree._Element) -> None:
    """The forger's key as a bare value."""
    public = load_pem_x509_certificate(rsa_key("mallory").certificate).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    numbers = public.public_numbers()
    value = ds("KeyValue")
    rsa_value = etree.SubElement(value, f"{{{NAMES['ds']}}}RSAKeyValue")
    for name, number in (("Modulus", numbers.n), ("Exponent", numbers.e)):
        part = etree.SubElement(rsa_value, f"{{{NAMES['ds']}}}{name}")
        part.text = base64.b64encode(number.to_bytes((number.bit_length() + 7) // 8)).decode()
    info = find(root, ".//ds:KeyInfo")
    info[:] = [value]


def retrieval(uri: str) -> Tree:
    def change(root: etree._Element) -> None:
        find(root, ".//ds:KeyInfo").append(ds("RetrievalMethod", URI=uri))

    return change


def leaves_name_out(signature: etree._Element) -> None:
    """The digest has a hole where the NameID is."""
    transform = ds("Transform", Algorithm=XPATH_TRANSFORM)
    path = etree.SubElement(transform, f"{{{NAMES['ds']}}}XPath", nsmap={"saml": NAMES["saml"]})
    path.text = "not(ancestor-or-self::saml:NameID)"
    find(signature, ".//ds:Transforms").insert(1, transform)


def loops(signature: etree._Element) -> None:
    """An XSLT that counts for hours."""
    sheet = etree.fromstring(
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">'
        + '<xsl:for-each select="//@* | //node()">' * 6
        + "x"
        + "</xsl:for-each>" * 6
        + "</xsl:template></xsl:stylesheet>"
    )
    transform = ds("Transform", Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116")
    transform.append(sheet)
    find(signature, ".//ds:Transforms").insert(1, transform)


def unsigned_loops(root: etree._Element) -> None:
    loops(find(root, "saml:Assertion/ds:Signature"))


def bare_references(root: etree._Element) -> None:
    info = find(root, "saml:Assertion/ds:Signature/ds:SignedInfo")
    for _ in range(2_000):
        info.append(ds("Reference", URI="#_assertion"))


def references(count: int, uri: str) -> Tree:
    def change(root: etree._Element) -> None:
        info = find(root, "saml:Assertion/ds:Signature/ds:SignedInfo")
        model = find(info, "ds:Reference")
        for _ in range(count):
            another = copy.deepcopy(model)
            another.set("URI", uri)
            info.append(another)

    return change


def set_uri(uri: str) -> Tree:
    return lambda root: find(root, ".//ds:Reference").set("URI", uri)


def set_algorithm(path: str, algorithm: str) -> Tree:
    return lambda root: find(root, f".//ds:{path}").set("Algorithm", algorithm)


def drop(path: str) -> Tree:
    def change(root: etree._Element) -> None:
        element = find(root, path)
        parent = element.getparent()
        assert parent is not None
        parent.remove(element)

    return change


def doubled(path: str) -> Tree:
    def change(root: etree._Element) -> None:
        element = find(root, path)
        element.addnext(copy.deepcopy(element))

    return change


def forged_digest_in_comment(root: etree._Element) -> None:
    """The true digest behind a comment, a forged one before it."""
    digest = find(root, ".//ds:DigestValue")
    true = digest.text
    digest.text = "AAAA"
    comment = etree.Comment("forged before, true behind")
    comment.tail = true
    digest.append(comment)


TRANSFORM = ".//ds:Transforms/ds:Transform"
SHA1 = "http://www.w3.org/2000/09/xmldsig#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"


def prefixes(inner: str = "") -> etree._Element:
    return etree.fromstring(
        f'<InclusiveNamespaces xmlns="{EXCLUSIVE}" PrefixList="xs">{inner}</InclusiveNamespaces>'
    )


SIGNATURES: list[Row] = [
    ("no signature at all", lambda a: a.response(unsigned=True), "saml.signature", "not signed"),
    (
        "response signed, assertion not",
        lambda a: a.response(unsigned=True, response=True),
        "saml.signature",
        "assertion is not signed",
    ),
    ("signature stripped", grows(drop("saml:Assertion/ds:Signature")), "saml.signature", "not signed"),
    ("another key, its certificate inside", foreign_key(), "saml.signature", "assertion's signature"),
    (
        "another key, both certificates inside",
        foreign_key(template=with_own_certificate),
        "saml.signature",
        "assertion's signature",
    ),
    (
        "another key, as a bare value",
        lambda a: a.response(assertion=Signing(rsa_key("mallory")), tree=key_value),
        "saml.signature",
        "assertion's signature",
    ),
    ("another key, nothing inside", foreign_key(key_info=False), "saml.signature", "assertion's signature"),
    (
        "response signed by another key",
        lambda a: a.response(response=Signing(rsa_key("mallory"))),
        "saml.signature",
        "response's signature",
    ),
    ("key to be fetched from a file", grows(retrieval("file:///dev/zero")), "saml.shape", "RetrievalMethod"),
    ("key to be fetched inside", grows(retrieval("#_assertion")), "saml.shape", "RetrievalMethod"),
    ("two KeyInfo", grows(doubled(".//ds:KeyInfo")), "saml.shape", "two KeyInfo"),
    ("assertion altered", tampers(("ana-4f1c", "mallory")), "saml.signature", "assertion's signature"),
    ("group added", tampers(("sre<", "root<")), "saml.signature", "assertion's signature"),
    (
        "response altered",
        lambda a: a.response(
            response=True,
            after=[('IssueInstant="2026-11-24T12:00:00Z" Dest', 'IssueInstant="2026-11-24T12:00:01Z" Dest')],
        ),
        "saml.signature",
        "response's signature",
    ),
    (
        "signature value of another",
        grows(lambda r: setattr(find(r, ".//ds:SignatureValue"), "text", "AAAA")),
        "saml.signature",
        "assertion's signature",
    ),
    (
        "signature value with parts",
        grows(inside(".//ds:SignatureValue", etree.Element("x"))),
        "saml.shape",
        "parts of its own",
    ),
    ("two SignedInfo", grows(doubled(".//ds:SignedInfo")), "saml.shape", "stands where a SignatureValue"),
    (
        "a SignedInfo behind",
        grows(lambda r: find(r, ".//ds:Signature").append(copy.deepcopy(find(r, ".//ds:SignedInfo")))),
        "saml.shape",
        "where a KeyInfo",
    ),
    ("comment in the digest", grows(forged_digest_in_comment), "saml.shape", "comment"),
    ("two digests", grows(doubled(".//ds:DigestValue")), "saml.shape", "a Reference has 4 parts"),
    (
        "digest with parts",
        grows(inside(".//ds:DigestValue", etree.Element("x"))),
        "saml.shape",
        "parts of its own",
    ),
    (
        "object in the signature",
        grows(inside(".//ds:Signature", ds("Object"))),
        "saml.shape",
        "where a KeyInfo",
    ),
    ("two references", grows(doubled(".//ds:Reference")), "saml.shape", "a SignedInfo has 4 parts"),
    ("no reference", grows(drop(".//ds:Reference")), "saml.shape", "a SignedInfo has 2 parts"),
    ("reference to the whole document", grows(set_uri("")), "saml.shape", "points elsewhere"),
    (
        "reference without address",
        grows(lambda r: find(r, ".//ds:Reference").attrib.pop("URI")),
        "saml.shape",
        "points elsewhere",
    ),
    ("reference to the response", grows(set_uri("#_response")), "saml.shape", "points elsewhere"),
    (
        "reference by xpointer",
        grows(set_uri("#xpointer(id('_assertion'))")),
        "saml.shape",
        "points elsewhere",
    ),
    ("reference to a file", grows(set_uri("file:///etc/passwd")), "saml.shape", "points elsewhere"),
    (
        "reference of a type",
        grows(lambda r: find(r, ".//ds:Reference").set("Type", SHA1 + "Manifest")),
        "saml.shape",
        "other attributes",
    ),
    (
        "an ID that is an xpointer",
        grows(lambda r: (find(r, "saml:Assertion").set("ID", "xpointer(/)"), set_uri("#xpointer(/)")(r))),
        "saml.shape",
        "no usable ID",
    ),
    (
        "signed element without ID",
        grows(lambda r: (find(r, "saml:Assertion").attrib.pop("ID"), set_uri("#")(r))),
        "saml.shape",
        "no usable ID",
    ),
    ("SHA-1 signature", signs(method=xmlsec.Transform.RSA_SHA1), "saml.signature", "not an accepted method"),
    ("SHA-1 digest", signs(digest=xmlsec.Transform.SHA1), "saml.signature", "not an accepted method"),
    (
        "MD5 announced",
        grows(set_algorithm("SignatureMethod", MORE + "rsa-md5")),
        "saml.signature",
        "not an accepted method",
    ),
    (
        "MD5 digest announced",
        grows(set_algorithm("DigestMethod", MORE + "md5")),
        "saml.signature",
        "not an accepted method",
    ),
    (
        "HMAC keyed with the certificate",
        lambda a: a.response(
            assertion=Signing(a.idp.key, method=xmlsec.Transform.HMAC_SHA256, secret=a.idp.key.certificate)
        ),
        "saml.signature",
        "not an accepted method",
    ),
    (
        "HMAC cut to a few bits",
        grows(inside(".//ds:SignatureMethod", ds("HMACOutputLength"))),
        "saml.shape",
        "parts of its own",
    ),
    (
        "digest method with parts",
        grows(inside(".//ds:DigestMethod", etree.Element("x"))),
        "saml.shape",
        "parts of its own",
    ),
    (
        "no algorithm named",
        grows(lambda r: find(r, ".//ds:SignatureMethod").attrib.pop("Algorithm")),
        "saml.signature",
        "not an accepted method",
    ),
    (
        "inclusive canonicalisation",
        signs(c14n=xmlsec.Transform.C14N),
        "saml.signature",
        "not an accepted method",
    ),
    (
        "inclusive transform",
        signs(transforms=(xmlsec.Transform.ENVELOPED, xmlsec.Transform.C14N)),
        "saml.shape",
        "not an accepted transform",
    ),
    (
        "base64 transform",
        grows(lambda r: find(r, TRANSFORM).set("Algorithm", SHA1 + "base64")),
        "saml.shape",
        "not an accepted transform",
    ),
    (
        "NameID left out by an XPath transform, then changed",
        lambda a: a.response(
            assertion=Signing(a.idp.key, template=leaves_name_out), after=[("ana-4f1c", "mallory")]
        ),
        "saml.shape",
        "a Transforms has 3 parts",
    ),
    (
        "XPath instead of exclusive canonicalisation",
        lambda a: a.response(
            assertion=Signing(
                a.idp.key,
                transforms=(xmlsec.Transform.ENVELOPED,),
                template=leaves_name_out,
            ),
            after=[("ana-4f1c", "mallory")],
        ),
        "saml.shape",
        "not an accepted transform",
    ),
    (
        "transform with parameters",
        grows(inside(TRANSFORM, etree.Element("x"))),
        "saml.shape",
        "parts of its own",
    ),
    (
        "canonicalisation with parameters",
        grows(inside(".//ds:CanonicalizationMethod", etree.Element("x"))),
        "saml.shape",
        "parts of its own",
    ),
    (
        "canonicalising transform with parameters",
        grows(inside(TRANSFORM + "[2]", etree.Element("x"))),
        "saml.shape",
        "parameters",
    ),
    (
        "two lists of prefixes",
        grows(inside(TRANSFORM + "[2]", prefixes(), prefixes())),
        "saml.shape",
        "parameters",
    ),
    (
        "a list of prefixes with parts",
        grows(inside(TRANSFORM + "[2]", prefixes("<x/>"))),
        "saml.shape",
        "parts of its own",
    ),
    (
        "transforms in another order",
        grows(lambda r: find(r, ".//ds:Transforms").append(find(r, TRANSFORM))),
        "saml.shape",
        "not an accepted transform",
    ),
    (
        "one transform",
        signs(transforms=(xmlsec.Transform.ENVELOPED,)),
        "saml.shape",
        "a Transforms has 1 parts",
    ),
    ("no transforms", grows(drop(".//ds:Transforms")), "saml.shape", "a Reference has 2 parts"),
    (
        "a signature of nothing",
        grows(lambda r: [find(r, ".//ds:Signature").remove(c) for c in list(find(r, ".//ds:Signature"))]),
        "saml.shape",
        "a Signature has 0 parts",
    ),
    (
        "an unknown element first in SignedInfo",
        grows(
            lambda r: setattr(find(r, ".//ds:CanonicalizationMethod"), "tag", "{urn:x}CanonicalizationMethod")
        ),
        "saml.shape",
        "where a CanonicalizationMethod",
    ),
    (
        "relative namespace, so that canonicalisation fails",
        tampers(("<saml:Conditions ", '<saml:Conditions xmlns:x="1" ')),
        "saml.shape",
        "relative address",
    ),
    (
        "relative default namespace",
        tampers(
            (
                '<saml:AttributeValue xsi:type="xs:string">ana<',
                '<saml:AttributeValue xmlns="a/b" xsi:type="xs:string">ana<',
            )
        ),
        "saml.shape",
        "relative address",
    ),
]


# --- work before the check --------------------------------------------------------------------------------


def entity_bomb(acme: Acme) -> bytes:
    entities = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
    )
    return f"<!DOCTYPE x [{entities}]>".encode() + acme.response(after=[("ana-4f1c", "&j;")])


def encoded(codec: str) -> Document:
    def make(acme: Acme) -> bytes:
        text = f'<?xml version="1.0" encoding="{codec}"?><!DOCTYPE x>' + acme.response().decode()
        return text.encode(codec)

    return make


def declared(name: str) -> Document:
    return lambda acme: f'<?xml version="1.0" encoding="{name}"?>'.encode() + acme.response()


def padded(size: int) -> Document:
    """A valid response, made longer by blanks that the signature does not cover."""
    return lambda acme: acme.response() + b" " * size


def deflated(acme: Acme) -> bytes:
    return zlib.compress(b"0" * 24_000_000)


def nested(depth: int) -> bytes:
    return b"<a>" * depth + b"</a>" * depth


WORK: list[Row] = [
    ("2000 references, bare", grows(bare_references), "saml.shape", "a SignedInfo has 2003 parts"),
    ("XSLT, no valid signature", grows(unsigned_loops), "saml.shape", "a Transforms has 3 parts"),
    (
        "400 references, as many as fit",
        grows(references(400, "#_assertion")),
        "saml.shape",
        "a SignedInfo has 403 parts",
    ),
    (
        "second reference to a device",
        grows(references(1, "file:///dev/zero")),
        "saml.shape",
        "a SignedInfo has 4 parts",
    ),
    ("only reference to a device", grows(set_uri("file:///dev/zero")), "saml.shape", "points elsewhere"),
    (
        "DOCTYPE before a valid document",
        lambda a: b"<!DOCTYPE x>" + a.response(),
        "saml.shape",
        "document type",
    ),
    (
        "external DTD",
        lambda a: b'<!DOCTYPE x SYSTEM "file:///etc/passwd">' + a.response(),
        "saml.shape",
        "document type",
    ),
    (
        "external entity",
        lambda a: (
            b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
            + a.response(after=[("ana-4f1c", "&e;")])
        ),
        "saml.shape",
        "document type",
    ),
    ("entity bomb", entity_bomb, "saml.shape", "document type"),
    ("entity that nobody declared", tampers(("ana-4f1c", "&e;")), "saml.shape", "well-formed"),
    ("DOCTYPE in UTF-16", encoded("utf-16"), "saml.shape", "UTF-8"),
    ("DOCTYPE in UTF-16 without mark", encoded("utf-16-be"), "saml.shape", "UTF-8"),
    ("DOCTYPE in UTF-32", encoded("utf-32"), "saml.shape", "UTF-8"),
    ("DOCTYPE in UTF-7", encoded("utf-7"), "saml.shape", "UTF-8"),
    ("DOCTYPE in EBCDIC", encoded("cp037"), "saml.shape", "UTF-8"),
    ("another encoding declared", declared("ISO-8859-1"), "saml.shape", "UTF-8"),
    (
        "bytes that are no UTF-8",
        lambda a: a.response().replace(b"Ana Ruiz", b"Ana \xff"),
        "saml.shape",
        "UTF-8",
    ),
    (
        "comment before the document",
        lambda a: b"<!-- x -->" + a.response(),
        "saml.shape",
        "beside the document",
    ),
    (
        "instruction behind the document",
        lambda a: a.response() + b"<?x y?>",
        "saml.shape",
        "beside the document",
    ),
    (
        "instruction in the document",
        tampers(("<saml:Conditions", "<?x y?><saml:Conditions")),
        "saml.shape",
        "comment or processing",
    ),
    ("24 MB", padded(24_000_000), "saml.shape", "longer than"),
    ("a little over the limit", padded(200_000), "saml.shape", "longer than"),
    ("deflate bomb", deflated, "saml.shape", "UTF-8"),
    ("100 000 levels", lambda a: base64.b64encode(b"<a>" * 60_000).decode(), "saml.shape", "well-formed"),
    ("200 levels", lambda a: nested(200), "saml.shape", "nested deeper"),
    ("33 levels", lambda a: nested(33), "saml.shape", "nested deeper"),
    ("20 000 elements", lambda a: b"<a>" + b"<a/>" * 20_000 + b"</a>", "saml.shape", "10000 elements"),
    (
        "thousands of attributes",
        lambda a: b"<a " + b" ".join(b'a%d=""' % n for n in range(15_000)) + b"/>",
        "saml.shape",
        "attributes",
    ),
    (
        "thousands of namespaces",
        lambda a: b"<a " + b" ".join(b'xmlns:a%d="x:"' % n for n in range(9_000)) + b"><b/></a>",
        "saml.shape",
        "namespace declarations",
    ),
    ("no answer", lambda a: "", "saml.shape", "no SAMLResponse"),
    ("not base64", lambda a: "<samlp:Response/>", "saml.shape", "not base64"),
    ("base64 with blanks", lambda a: " " + posted(a.response()), "saml.shape", "not base64"),
    (
        "base64 with more behind it",
        lambda a: posted(a.response().ljust(9_000)) + "=PHg+",
        "saml.shape",
        "not base64",
    ),
    ("base64 for addresses", lambda a: posted(a.response()).replace("A", "-"), "saml.shape", "not base64"),
    ("letters of another alphabet", lambda a: "ＰＨ" + posted(a.response()), "saml.shape", "not base64"),
    ("empty document", lambda a: "====", "saml.shape", "not base64"),
    ("blank document", lambda a: b" ", "saml.shape", "well-formed"),
    ("not XML", lambda a: b"SAML", "saml.shape", "well-formed"),
    ("HTML", lambda a: b"<html><body>Sign in", "saml.shape", "well-formed"),
    ("two documents", lambda a: a.response() + a.response(), "saml.shape", "well-formed"),
    (
        "encrypted assertion",
        tampers(("saml:Assertion", "saml:EncryptedAssertion")),
        "saml.shape",
        "encrypted",
    ),
    ("encrypted name", tampers(("saml:NameID", "saml:EncryptedID")), "saml.shape", "encrypted"),
    (
        "not of SAML's schema",
        lies(("<saml:Subject>", "<saml:Subject><saml:Subject/>")),
        "saml.shape",
        "schema",
    ),
]


# --- addresses, request, times, content -------------------------------------------------------------------

DESTINATION = f'Destination="{ACS}"'
RECIPIENT = f'Recipient="{ACS}"'
AUDIENCE = f"<saml:Audience>{ENTITY}</saml:Audience>"
RESTRICTION = f"<saml:AudienceRestriction>{AUDIENCE}</saml:AudienceRestriction>"
ISSUER = f"<saml:Issuer>{IDP}</saml:Issuer>"
CONFIRMATION = '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
LIKE_OURS = {
    "another": "https://evil.test/acs",
    "empty": "",
    "ours as a prefix": "{ours}.evil.test",
    "ours as a part": "https://evil.test/?x={ours}",
    "ours with a query": "{ours}?x=1",
    "ours with a slash": "{ours}/",
    "ours in capitals": "{OURS}",
    "ours with blanks": " {ours} ",
    "another source's": BASE + "/saml/partner/acs",
    "the site alone": BASE,
}


def misaddressed(what: str, old: str, new: str, ours: str, code: str, words: str) -> list[Row]:
    """A row for each way in which an address can be nearly ours; `new` holds `{}`."""
    return [
        (f"{what}: {how}", lies((old, new.format(value.format(ours=ours, OURS=ours.upper())))), code, words)
        for how, value in LIKE_OURS.items()
    ]


ADDRESSES: list[Row] = [
    *misaddressed("Destination", DESTINATION, 'Destination="{}"', ACS, "saml.destination", "Destination"),
    *misaddressed("Recipient", RECIPIENT, 'Recipient="{}"', ACS, "saml.destination", "Recipient"),
    *misaddressed(
        "Audience", AUDIENCE, "<saml:Audience>{}</saml:Audience>", ENTITY, "saml.audience", "audience"
    ),
    *misaddressed("Issuer", ISSUER, "<saml:Issuer>{}</saml:Issuer>", IDP, "saml.issuer", "issuer"),
    ("no Destination", lies((DESTINATION, "")), "saml.destination", "Destination"),
    (
        "no Destination on a response that is not signed",
        lambda a: a.response(before=[(DESTINATION, "")]),
        "saml.destination",
        "Destination",
    ),
    ("no Recipient", lies((RECIPIENT, "")), "saml.destination", "Recipient"),
    ("no audience", lies((RESTRICTION, "")), "saml.audience", "no audience"),
    (
        "no conditions but once only",
        lies((RESTRICTION, "<saml:OneTimeUse/>")),
        "saml.audience",
        "no audience",
    ),
    (
        "a second restriction that leaves us out",
        lies((RESTRICTION, RESTRICTION + RESTRICTION.replace(ENTITY, "https://other.test"))),
        "saml.audience",
        "other.test",
    ),
    (
        "no Issuer in the signed response",
        lies((ISSUER + "<samlp:Status>", "<samlp:Status>")),
        "saml.issuer",
        "0 issuers",
    ),
    (
        "another Issuer in the assertion",
        lies((ISSUER + "<saml:Subject>", ISSUER.replace(IDP, "https://other.test") + "<saml:Subject>")),
        "saml.issuer",
        "other.test",
    ),
    (
        "another Issuer in the response",
        lies((ISSUER + "<samlp:Status>", ISSUER.replace(IDP, "https://other.test") + "<samlp:Status>")),
        "saml.issuer",
        "other.test",
    ),
    (
        "two Issuers in the response",
        lambda a: a.response(
            response=True, before=[(ISSUER + "<samlp:Status>", ISSUER + ISSUER + "<samlp:Status>")]
        ),
        "saml.shape",
        "schema",
    ),
    (
        "an Issuer of another kind",
        lies(
            ("<saml:Issuer>", '<saml:Issuer Format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified">')
        ),
        "saml.issuer",
        "issuer",
    ),
    (
        "an Issuer cut by an element",
        lies((f"{IDP}</saml:Issuer>", f"{IDP}<x/>.evil</saml:Issuer>")),
        "saml.shape",
        "schema",
    ),
]


def answers(where: str, value: str | None) -> Document:
    """InResponseTo of the response, or of the confirmation, is another one."""

    def make(acme: Acme) -> bytes:
        old = f' InResponseTo="{acme.request_id}"'
        new = "" if value is None else f' InResponseTo="{value.format(ours=acme.request_id)}"'
        mark = ">" if where == "response" else "/>"
        return acme.response(response=True, before=[(old + mark, new + mark)])

    return make


OTHER_REQUESTS = {"missing": None, "empty": "_", "another": "_other", "ours and more": "{ours}0"}
REQUESTS: list[Row] = [
    (f"InResponseTo of the {where}: {how}", answers(where, value), "signin.not_started_here", where)
    for where in ("response", "confirmation")
    for how, value in OTHER_REQUESTS.items()
] + [
    (
        "unsolicited",
        lambda a: a.response(response=True, before=[(f' InResponseTo="{a.request_id}"', "")]),
        "signin.not_started_here",
        "InResponseTo",
    ),
]

SOON, AGO = written(NOW + timedelta(minutes=5)), written(NOW - timedelta(seconds=30))
LATER, INSTANT = written(NOW + timedelta(hours=8)), written(NOW)
EARLIER, AHEAD = written(NOW - timedelta(seconds=60)), written(NOW + timedelta(seconds=61))


def conditions(before: str, after: str) -> Document:
    old = f'<saml:Conditions NotBefore="{AGO}" NotOnOrAfter="{SOON}">'
    return lies((old, f"<saml:Conditions {before} {after}>".replace("  ", " ")))


def confirmed(times: str) -> Document:
    return lies((f'SubjectConfirmationData NotOnOrAfter="{SOON}"', f"SubjectConfirmationData {times}"))


def authenticated(old: str, new: str) -> Document:
    return lies((old, new))


TIMES: list[Row] = [
    (
        "conditions out of date by a minute",
        conditions(f'NotBefore="{AGO}"', f'NotOnOrAfter="{EARLIER}"'),
        "saml.time",
        "NotOnOrAfter was",
    ),
    (
        "conditions out of date by an hour",
        conditions("", f'NotOnOrAfter="{written(NOW - timedelta(hours=1))}"'),
        "saml.time",
        "NotOnOrAfter was",
    ),
    (
        "conditions not yet true",
        conditions(f'NotBefore="{AHEAD}"', f'NotOnOrAfter="{SOON}"'),
        "saml.time",
        "NotBefore is",
    ),
    ("conditions without end", conditions(f'NotBefore="{AGO}"', ""), "saml.time", "NotOnOrAfter"),
    ("confirmation out of date", confirmed(f'NotOnOrAfter="{EARLIER}"'), "saml.time", "NotOnOrAfter was"),
    (
        "confirmation not yet true",
        confirmed(f'NotBefore="{AHEAD}" NotOnOrAfter="{SOON}"'),
        "saml.time",
        "NotBefore is",
    ),
    ("confirmation without end", confirmed(""), "saml.time", "NotOnOrAfter"),
    (
        "session over",
        authenticated(f'SessionNotOnOrAfter="{LATER}"', f'SessionNotOnOrAfter="{EARLIER}"'),
        "saml.time",
        "SessionNotOnOrAfter was",
    ),
    (
        "authenticated tomorrow",
        authenticated(f'AuthnInstant="{AGO}"', f'AuthnInstant="{LATER}"'),
        "saml.time",
        "AuthnInstant is",
    ),
    (
        "assertion issued tomorrow",
        lies(
            (
                f'ID="_assertion" Version="2.0" IssueInstant="{INSTANT}"',
                f'ID="_assertion" Version="2.0" IssueInstant="{LATER}"',
            )
        ),
        "saml.time",
        "IssueInstant is",
    ),
    (
        "response issued tomorrow",
        lies(
            (
                f'ID="_response" Version="2.0" IssueInstant="{INSTANT}"',
                f'ID="_response" Version="2.0" IssueInstant="{LATER}"',
            )
        ),
        "saml.time",
        "IssueInstant is",
    ),
    ("a time without zone", conditions("", f'NotOnOrAfter="{SOON[:-1]}"'), "saml.time", "not a time in UTC"),
    (
        "a time in another zone",
        conditions("", f'NotOnOrAfter="{SOON[:-1]}+14:00"'),
        "saml.time",
        "not a time in UTC",
    ),
    ("a year of five digits", conditions("", f'NotOnOrAfter="1{SOON}"'), "saml.time", "not a time in UTC"),
    (
        "a day that does not exist",
        conditions("", 'NotOnOrAfter="2027-02-30T00:00:00Z"'),
        "saml.shape",
        "schema",
    ),
    ("a word for a time", conditions("", 'NotOnOrAfter="tomorrow"'), "saml.shape", "schema"),
]

NAME = '<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">ana-4f1c</saml:NameID>'
UID = '<saml:Attribute Name="uid"><saml:AttributeValue xsi:type="xs:string">ana</saml:AttributeValue></saml:Attribute>'


def says(*more: tuple[str, str | None, list[str]]) -> Document:
    return lambda acme: acme.response({"attributes": [*PERSON, *more]}, response=True)


def statement_cut(acme: Acme) -> bytes:
    text = acme.document()
    start, end = text.index("<saml:AuthnStatement"), text.index("</saml:AuthnStatement>")
    return acme.response(document=text[:start] + text[end + len("</saml:AuthnStatement>") :], response=True)


def part_doubled(name: str) -> Document:
    def make(acme: Acme) -> bytes:
        text = acme.document()
        start, end = text.index(f"<saml:{name}"), text.index(f"</saml:{name}>") + len(f"</saml:{name}>")
        return acme.response(document=text[:end] + text[start:end] + text[end:], response=True)

    return make


def part_cut(name: str) -> Document:
    def make(acme: Acme) -> bytes:
        text = acme.document()
        start, end = text.index(f"<saml:{name}"), text.index(f"</saml:{name}>") + len(f"</saml:{name}>")
        return acme.response(document=text[:start] + text[end:], response=True)

    return make


STATUS = "urn:oasis:names:tc:SAML:2.0:status:"
CONTENT: list[Row] = [
    (
        "the provider says no",
        lies((STATUS + "Success", STATUS + "Responder")),
        "signin.denied_by_provider",
        "Responder",
    ),
    (
        "the provider says no, without an assertion",
        lambda a: a.response(
            unsigned=True,
            before=[
                (
                    f'Value="{STATUS}Success"/>',
                    f'Value="{STATUS}Responder"><samlp:StatusCode Value="{STATUS}AuthnFailed"/></samlp:StatusCode>',
                )
            ],
            tree=lambda r: r.remove(find(r, "saml:Assertion")),
        ),
        "signin.denied_by_provider",
        "AuthnFailed",
    ),
    (
        "success within a failure",
        lies(
            (
                f'Value="{STATUS}Success"/>',
                f'Value="{STATUS}Requester"><samlp:StatusCode Value="{STATUS}Success"/></samlp:StatusCode>',
            )
        ),
        "signin.denied_by_provider",
        "Requester",
    ),
    ("no status", grows(drop("samlp:Status")), "saml.content", "status"),
    ("two statuses", grows(doubled("samlp:Status")), "saml.content", "status"),
    ("status without code", grows(drop("samlp:Status/samlp:StatusCode")), "saml.content", "status"),
    (
        "version 1.1 of the response",
        lies(('ID="_response" Version="2.0"', 'ID="_response" Version="1.1"')),
        "saml.content",
        "version",
    ),
    (
        "version 1.1 of the assertion",
        lies(('ID="_assertion" Version="2.0"', 'ID="_assertion" Version="1.1"')),
        "saml.content",
        "version",
    ),
    ("no subject", part_cut("Subject"), "saml.content", "0 Subject"),
    ("no conditions", part_cut("Conditions"), "saml.content", "0 Conditions"),
    ("no authentication statement", statement_cut, "saml.content", "0 AuthnStatement"),
    ("two authentication statements", part_doubled("AuthnStatement"), "saml.content", "2 AuthnStatement"),
    ("no NameID", lies((NAME, "")), "saml.content", "0 NameID"),
    ("NameID of one blank", lies((NAME, NAME.replace("ana-4f1c", " "))), "saml.content", "blank"),
    ("NameID empty", lies((NAME, NAME.replace("ana-4f1c", ""))), "saml.content", "blank"),
    (
        "NameID of blanks and line ends",
        lies((NAME, NAME.replace("ana-4f1c", " \n\t\u00a0"))),
        "saml.content",
        "blank",
    ),
    (
        "BaseID instead",
        lies((NAME, '<saml:BaseID xsi:type="saml:NameIDType">ana</saml:BaseID>')),
        "saml.shape",
        "schema",
    ),
    ("holder of key", lies(("cm:bearer", "cm:holder-of-key")), "saml.content", "not as bearer"),
    ("sender vouches", lies(("cm:bearer", "cm:sender-vouches")), "saml.content", "not as bearer"),
    ("no confirmation", part_cut("SubjectConfirmation"), "saml.content", "0 SubjectConfirmation"),
    ("two confirmations", part_doubled("SubjectConfirmation"), "saml.content", "2 SubjectConfirmation"),
    (
        "confirmation without data",
        lambda a: a.response(
            response=True,
            before=[
                (
                    f'{CONFIRMATION}<saml:SubjectConfirmationData NotOnOrAfter="{SOON}" '
                    f'{RECIPIENT} InResponseTo="{a.request_id}"/>',
                    CONFIRMATION,
                )
            ],
        ),
        "saml.content",
        "0 SubjectConfirmationData",
    ),
    (
        "a condition that nobody knows",
        lies((RESTRICTION, RESTRICTION + '<saml:Condition xsi:type="saml:OneTimeUseType"/>')),
        "saml.content",
        "not known here",
    ),
    (
        "a condition of a type that nobody knows",
        lies((RESTRICTION, RESTRICTION + '<saml:Condition xsi:type="xs:Strange"/>')),
        "saml.shape",
        "schema",
    ),
    ("an attribute twice", says(("uid", None, ["root"])), "saml.content", "twin"),
    (
        "an attribute twice, in two statements",
        lambda a: a.response(
            response=True,
            before=[
                (
                    "</saml:AttributeStatement>",
                    f"</saml:AttributeStatement><saml:AttributeStatement>{UID}</saml:AttributeStatement>",
                )
            ],
        ),
        "saml.content",
        "twin",
    ),
    ("an attribute twice, by case", says(("UID", None, ["root"])), "saml.content", "twin"),
    (
        "a friendly name that is another's name",
        says(("urn:oid:1.2.3", "uid", ["root"])),
        "saml.content",
        "twin",
    ),
    (
        "a friendly name that is another's, by case",
        says(("urn:a", "login", ["x"]), ("urn:b", "Login", ["y"])),
        "saml.content",
        "twin",
    ),
    ("an attribute that plays the NameID", says(("nameid", None, ["root"])), "saml.content", "twin"),
    (
        "an attribute whose friendly name plays the NameID",
        says(("urn:x", "NameID", ["root"])),
        "saml.content",
        "twin",
    ),
    ("an attribute without a name", says((" ", None, ["root"])), "saml.content", "no name"),
    (
        "an element in a value",
        lies((' xsi:type="xs:string">ana<', ">ana<b/>.evil<")),
        "saml.content",
        "parts of its own",
    ),
    (
        "an element in a group",
        lies((' xsi:type="xs:string">sre<', "><b>sre</b><")),
        "saml.content",
        "parts of its own",
    ),
    ("a comment in a value", lies((">ana<", ">ana<!-- -->.evil<")), "saml.shape", "comment"),
    ("a comment in the NameID", lies(("ana-4f1c", "ana<!---->.evil")), "saml.shape", "comment"),
    (
        "an instruction in the NameID",
        lies(("ana-4f1c", "ana<?x?>.evil")),
        "saml.shape",
        "comment or processing",
    ),
    ("an element in the NameID", lies(("ana-4f1c", "ana<x/>.evil")), "saml.shape", "schema"),
    (
        "two authentication contexts",
        lies(
            (
                "</saml:AuthnContextClassRef>",
                "</saml:AuthnContextClassRef><saml:AuthnContextClassRef>urn:x</saml:AuthnContextClassRef>",
            )
        ),
        "saml.shape",
        "schema",
    ),
    (
        "a missing subject claim",
        lambda a: a.response({"attributes": [row for row in PERSON if row[0] != "uid"]}),
        "identity.incomplete",
        "uid",
    ),
    (
        "a user name given twice",
        lambda a: a.response({"attributes": [("uid", None, ["ana", "root"]), *PERSON[1:]]}),
        "identity.incomplete",
        "uid",
    ),
    (
        "no groups",
        lambda a: a.response({"attributes": [row for row in PERSON if row[0] != "memberOf"]}),
        "identity.groups_incomplete",
        "memberOf",
    ),
    (
        "groups cut by Entra",
        says(("http://schemas.microsoft.com/claims/groups.link", None, ["https://graph.windows.net/x"])),
        "identity.groups_incomplete",
        "groups.link",
    ),
    (
        "a name that is new each time",
        lambda a: a.response({"name_format": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"}),
        "identity.incomplete",
        "transient",
    ),
]

ROWS = [*WRAPPING, *SIGNATURES, *WORK, *ADDRESSES, *REQUESTS, *TIMES, *CONTENT]


@pytest.mark.parametrize(("attack", "code", "words"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_attack_is_refused_and_its_honest_twin_is_not(
    acme: Acme, attack: Document, code: str, words: str
) -> None:
    document = attack(acme)
    encoded = document if isinstance(document, str) else posted(document)
    began = time.thread_time()
    refusal = acme.refusal(encoded)
    assert time.thread_time() - began < 0.5
    assert (refusal.code, words in refusal.detail) == (code, True), refusal.detail
    assert refusal.status < 500
    assert len(refusal.detail) < 400
    assert refusal.detail.isprintable()
    assert refusal.words == type(refusal)().words or "encrypts" in refusal.words
    assert acme.finish(acme.response()).identity.subject == "ana-4f1c"


def test_no_row_is_there_twice() -> None:
    names = [row[0] for row in ROWS]
    assert len(names) == len(set(names))


# --- attacks that are not in the document ----------------------------------------------------------------


def code(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except Refusal as refusal:
        return refusal.code
    return "accepted"


def test_an_answer_with_another_relay_state_is_refused(acme: Acme) -> None:
    honest = proof(acme.started, acme.response())
    for state in ("", "//evil", "/\\evil", "https:evil", "a\r\nb", "x" * 100_000, acme.started.key + "A"):
        crooked = replace(honest, fields={**honest.fields, "RelayState": state})
        refused = code(partial(acme.source.finish, pending(acme.started), crooked, NOW))
        assert refused == "signin.not_started_here"
    without = replace(honest, fields={"SAMLResponse": honest.fields["SAMLResponse"]})
    assert code(lambda: acme.source.finish(pending(acme.started), without, NOW)) == "signin.not_started_here"
    assert code(lambda: acme.source.finish(pending(acme.started), honest, NOW)) == "accepted"


def test_an_answer_without_the_saml_field_is_refused(acme: Acme) -> None:
    honest = proof(acme.started, acme.response())
    without = replace(honest, fields={"RelayState": acme.started.key})
    assert code(lambda: acme.source.finish(pending(acme.started), without, NOW)) == "saml.shape"


def test_an_answer_to_another_persons_request_is_refused(acme: Acme) -> None:
    """Login CSRF: the attacker's own answer, whole and valid, in the victim's browser."""
    victims = Acme(acme.idp)
    document = acme.response()
    assert victims.refusal(document).code == "signin.not_started_here"
    assert acme.finish(document).identity.subject == "ana-4f1c"


def test_an_answer_of_another_provider_is_refused(acme: Acme) -> None:
    partner = Idp(entity_id="https://partner.test", key=rsa_key("partner"))
    theirs = source(partner, replace(PROVIDER, id=SourceId("partner")))
    document = acme.response()
    # Taken to the partner's address, with corp's pending sign-in, or with one of the partner's.
    crossed = proof(acme.started, document, "partner")
    assert code(lambda: theirs.finish(pending(acme.started), crossed, NOW)) == "signin.not_started_here"
    assert code(lambda: acme.source.finish(pending(acme.started), crossed, NOW)) == "signin.not_started_here"
    begun = theirs.start(NOW)
    waiting = pending(begun, provider="partner")
    assert code(lambda: theirs.finish(waiting, proof(begun, document, "partner"), NOW)) == "saml.signature"
    # Their provider speaks for corp: right key for them, but not their name.
    forged = partner.document(begun.secrets["request_id"]).replace(partner.entity_id, IDP)
    assert (
        code(lambda: acme.finish(acme.response(document=forged, assertion=Signing(partner.key))))
        == "saml.signature"
    )


def test_a_pending_sign_in_is_out_of_date_after_its_ten_minutes(acme: Acme) -> None:
    late = NOW + timedelta(minutes=10)
    fresh = acme.response({"now": late})
    assert acme.refusal(fresh, late).code == "signin.not_started_here"
    assert (
        acme.finish(acme.response({"now": late}), late - timedelta(seconds=1)).identity.subject == "ana-4f1c"
    )


def test_the_same_assertion_carries_the_same_mark_however_it_comes(acme: Acme) -> None:
    plain = acme.finish(acme.response()).once
    rewrapped = acme.finish(acme.response({"response_id": "_another"}, response=True)).once
    another = acme.finish(acme.response({"assertion_id": "_second"})).once
    assert plain == rewrapped
    assert plain[0].value != another[0].value
    assert (plain[0].namespace, plain[0].until) == ("saml", NOW + timedelta(minutes=6))


def test_marks_of_different_issuer_and_id_never_meet() -> None:
    marks = set()
    pairs = (("https://a", "_b_c"), ("https://a_b", "_c"), ("https://a_", "b_c"), ("https://z", "_c"))
    for entity, identifier in pairs:
        acme = Acme(Idp(entity_id=entity))
        marks.add(acme.finish(acme.response({"assertion_id": identifier})).once[0].value)
    assert len(marks) == 4


def test_a_mark_that_never_ends_is_still_a_time(acme: Acme) -> None:
    forever = acme.response(before=[(f'NotOnOrAfter="{SOON}"', 'NotOnOrAfter="9999-12-31T23:59:59Z"')])
    assert acme.finish(forever).once[0].until.year == 9999


@pytest.mark.parametrize("seconds", [59, -59])
def test_the_providers_clock_may_be_a_minute_off(acme: Acme, seconds: int) -> None:
    theirs = NOW + timedelta(seconds=seconds)
    document = acme.response(
        before=[
            (f'NotBefore="{AGO}"', f'NotBefore="{written(theirs)}"'),
            (f'AuthnInstant="{AGO}"', f'AuthnInstant="{written(theirs)}"'),
            (f'IssueInstant="{INSTANT}"', f'IssueInstant="{written(theirs)}"'),
        ]
    )
    assert acme.finish(document).identity.subject == "ana-4f1c"


def test_an_assertion_ends_a_minute_after_its_time_and_not_before(acme: Acme) -> None:
    document = acme.response()
    end = NOW + timedelta(minutes=5)
    assert acme.finish(document, end + timedelta(seconds=59)).identity.subject == "ana-4f1c"
    assert acme.refusal(document, end + timedelta(seconds=60)).code == "saml.time"


def test_our_clock_decides_and_not_the_hosts() -> None:
    for year in (2001, 2044):
        then = NOW.replace(year=year)
        acme = Acme()
        document = acme.response({"now": then})
        proven = acme.source.finish(pending(acme.started, then), proof(acme.started, document), then)
        assert proven.identity.authentication.at.year == year


def test_any_of_several_certificates_may_have_signed_and_no_other() -> None:
    old, new = rsa_key("idp"), ec_key("next")
    acme = Acme(Idp(listed=(old, new)))
    assert acme.finish(acme.response(assertion=Signing(old))).identity.subject == "ana-4f1c"
    by_new = Signing(new, method=xmlsec.Transform.ECDSA_SHA256)
    assert acme.finish(acme.response(assertion=by_new, response=by_new)).identity.subject == "ana-4f1c"
    assert acme.refusal(acme.response(assertion=Signing(rsa_key("mallory")))).code == "saml.signature"


def test_an_rsa_signature_does_not_pass_for_an_elliptic_one_nor_the_other_way() -> None:
    acme = Acme(Idp(key=ec_key("next")))
    method = xmlsec.Transform.ECDSA_SHA256
    honest = acme.response(assertion=Signing(ec_key("next"), method=method))
    assert acme.finish(honest).identity.subject == "ana-4f1c"
    crossed = acme.response(assertion=Signing(rsa_key("idp")))
    assert acme.refusal(crossed).code == "saml.signature"
    renamed = edited(honest.decode(), [(MORE + "ecdsa-sha256", MORE + "rsa-sha256")]).encode()
    assert acme.refusal(renamed).code == "saml.signature"


def test_what_a_stranger_writes_is_cut_and_made_printable(acme: Acme) -> None:
    nasty = "\u202eevil\n\t\u2028" + "x" * 5_000
    refusal = acme.refusal(acme.response(before=[(IDP, nasty)]))
    assert refusal.code == "saml.issuer"
    assert len(refusal.detail) < 250
    assert refusal.detail.isprintable()
    assert "evil" not in refusal.words


@pytest.mark.alone
def test_a_schema_named_by_the_stranger_is_not_opened(acme: Acme) -> None:
    where = 'xsi:schemaLocation="urn:x file:///dev/zero" xsi:noNamespaceSchemaLocation="file:///dev/zero"'
    document = acme.response(before=[('ID="_assertion"', f'{where} ID="_assertion"')])
    began = time.perf_counter()
    assert acme.finish(document).identity.subject == "ana-4f1c"
    assert time.perf_counter() - began < 0.5


def test_a_response_signed_as_a_whole_is_read_and_each_signature_counts(acme: Acme) -> None:
    assert acme.finish(acme.response(response=True)).identity.subject == "ana-4f1c"
    other = acme.response(response=Signing(rsa_key("mallory")))
    assert acme.refusal(other).code == "saml.signature"


def test_a_forged_assertion_beside_ours_is_never_read(acme: Acme) -> None:
    """The forged one even carries a valid signature of another provider."""

    def beside(root: etree._Element) -> None:
        evil = mallory(root)
        root.append(evil)
        sign(evil, Signing(rsa_key("partner")))

    assert acme.refusal(acme.response(tree=beside)).code == "saml.shape"


def test_base64_may_be_wrapped_into_lines(acme: Acme) -> None:
    wrapped = base64.encodebytes(acme.response()).decode().replace("\n", "\r\n")
    assert acme.finish(wrapped).identity.subject == "ana-4f1c"


def test_the_source_keeps_its_name_and_label() -> None:
    corp = source()
    assert (corp.id, corp.label) == ("corp", "Acme staff")
