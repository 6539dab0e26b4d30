"""python3-saml's own whole check, strict, as a second opinion, at the tests' instant."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from unittest.mock import patch

from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from tests.signin.saml.builders import ACS, ENTITY, NOW, Acme, posted


def second_opinion(acme: Acme, document: bytes | str) -> tuple[str, Mapping[str, list[str]]] | None:
    """NameID and attributes as the library reads them, or None if it refuses."""
    settings = OneLogin_Saml2_Settings(
        {
            "strict": True,
            "sp": {"entityId": ENTITY, "assertionConsumerService": {"url": ACS}},
            "idp": OneLogin_Saml2_IdPMetadataParser.parse(acme.idp.metadata())["idp"],
            "security": {"wantAssertionsSigned": True, "rejectDeprecatedAlgorithm": True},
        }
    )
    request = {"https": "on", "http_host": "daypass.acme.test", "script_name": "/saml/corp/acs"}
    encoded = document if isinstance(document, str) else posted(document)
    try:
        with (
            warnings.catch_warnings(),
            patch.object(OneLogin_Saml2_Utils, "now", lambda: int(NOW.timestamp())),
        ):
            warnings.simplefilter("ignore")
            response = OneLogin_Saml2_Response(settings, encoded)
            response.is_valid(request, acme.request_id, raise_exceptions=True)
            return response.get_nameid(), response.get_attributes()
    except Exception:
        return None
