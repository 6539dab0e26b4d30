"""The signatures of a shaped response, checked by python3-saml against the configured certificates.

Of the library, its signature check (`validate_sign`, over xmlsec) and its schema are used; not
`Response.is_valid`, whose time checks read the system's clock with 300 seconds of tolerance and cannot be
given another clock, whose schema is compiled again for each response, and whose address checks compare
by prefix. What `is_valid` checks besides is checked, more strictly, in `saml_shape` and `saml_profile`; a test
holds the two against each other: what the library refuses is refused here.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import onelogin.saml2
from lxml import etree
from onelogin.saml2.utils import OneLogin_Saml2_Utils as Utils

from app.errors import SamlShape, SamlSignature
from app.signin.saml_shape import Shaped

_ALONE: Final = "/saml:Assertion/ds:Signature"
"""Where the signature of an assertion stands that is the whole document."""
_SCHEMA: Final = "saml-schema-protocol-2.0.xsd"
_COMPILING: Final = threading.Lock()


def schema() -> etree.XMLSchema:
    """The SAML protocol schema, compiled once in a process (1.4 ms); safe to use from many threads."""
    # One at a time: libxml2 makes its table of built-in types at the first compilation, without a lock. Two
    # threads at once leave a broken table, and no schema can be compiled in that process ever again.
    with _COMPILING:
        return _compiled()


@cache
def _compiled() -> etree.XMLSchema:
    package = Path(onelogin.saml2.__file__).parent
    return etree.XMLSchema(etree.parse(str(package / "schemas" / _SCHEMA)))


def verified(shape: Shaped, certificates: Sequence[str]) -> None:
    """Hold every signature against the provider's certificates (PEM), any of which may have made it.

    The key inside the message is never used. Raises SamlShape (not of SAML's schema) and SamlSignature.
    """
    _follows_schema(shape.response)
    if shape.response_signed and not _signed(shape.response, Utils.RESPONSE_SIGNATURE_XPATH, certificates):
        raise SamlSignature("the response's signature is not one of the configured certificates'")
    _assertion_signed(shape.response, Utils.ASSERTION_SIGNATURE_XPATH, certificates)


def verified_assertion(assertion: etree._Element, certificates: Sequence[str]) -> None:
    """The same for an assertion that stands alone, of the accepted shape. Raises SamlShape, SamlSignature."""
    _follows_schema(assertion)
    _assertion_signed(assertion, _ALONE, certificates)


def _follows_schema(root: etree._Element) -> None:
    if not schema().validate(root):
        raise SamlShape("the document does not follow SAML's schema")


def _assertion_signed(root: etree._Element, where: str, certificates: Sequence[str]) -> None:
    if not _signed(root, where, certificates):
        raise SamlSignature("the assertion's signature is not one of the configured certificates'")


def _signed(root: etree._Element, where: str, certificates: Sequence[str]) -> bool:
    try:
        return (
            Utils.validate_sign(root, xpath=where, multicerts=list(certificates), raise_exceptions=True)
            is True
        )
    except Exception:  # noqa: BLE001 - xmlsec and the library raise their own and others; all mean no
        return False
