"""Bytes from a stranger into one XML tree, or a reason why not.

Shared by what a provider sends through a browser (responses) and what it publishes (metadata). The tree
that comes out is the only one: what is checked, verified and read afterwards is this object, so that no
second parser can see another document (CVE-2025-25291, -25292).
"""

from __future__ import annotations

import re
from typing import Any, Final

from lxml import etree

SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
METADATA: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
DSIG: Final = "http://www.w3.org/2000/09/xmldsig#"

HTTP_REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
HTTP_POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"

_DECLARED_ENCODING: Final = re.compile(rb"""\s*<\?xml[^>]*?\sencoding\s*=\s*["']([^"'>]*)["']""")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_QUOTED: Final = 200


class NotAccepted(Exception):
    """Why a document is not read; the caller turns it into a refusal of its own."""


def parse(document: bytes, limit: int, *, keep_comments: bool = True) -> etree._Element:
    """The root of the one tree.

    In: the document, at most `limit` bytes, UTF-8 with or without byte order mark (XML 1.0, 4.3.3).
    `keep_comments`: leave comments and processing instructions in the tree for the caller to refuse;
    else they are dropped, and the text around them is one.

    No DTD, so no entities; no network, no file, no depth or text beyond libxml2's guarded limits.
    Raises NotAccepted.
    """
    if len(document) > limit:
        raise NotAccepted(f"larger than {limit} bytes")
    document = document.removeprefix(_BYTE_ORDER_MARK)
    declared = _DECLARED_ENCODING.match(document)
    if declared and declared[1].lower() not in {b"utf-8", b"us-ascii"}:
        raise NotAccepted("declared in another encoding than UTF-8")
    # UTF-16 and UTF-32 hide a DOCTYPE from the search below; neither survives these two questions.
    if b"\0" in document:
        raise NotAccepted("not in UTF-8 (there are zero bytes)")
    try:
        document.decode("utf-8")
    except UnicodeDecodeError:
        raise NotAccepted("not in UTF-8") from None
    if b"<!DOCTYPE" in document or b"<!ENTITY" in document:
        raise NotAccepted("with a document type declaration")
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=not keep_comments,
        remove_pis=not keep_comments,
    )
    try:
        root = etree.fromstring(document, parser)
    except (etree.LxmlError, ValueError):
        raise NotAccepted("not well-formed XML") from None
    docinfo: Any = root.getroottree().docinfo
    if docinfo.doctype:
        raise NotAccepted("of a document type of its own")
    return root


def text(element: etree._Element) -> str:
    """The whole text of an element that has no children; the shape check has refused those that have."""
    return element.text or ""


def quoted(value: str | None) -> str:
    """What a stranger wrote, for the operator's eyes: at most 200 characters, each printable."""
    return "".join(c if c.isprintable() else "\ufffd" for c in (value or "")[:_QUOTED])
