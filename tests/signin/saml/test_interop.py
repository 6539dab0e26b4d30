"""A provider that was not written here: pysaml2's, which signs with the xmlsec1 program."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAMEID_FORMAT_PERSISTENT, NameID
from saml2.server import Server
from saml2.xmldsig import SIG_RSA_SHA256, SIG_RSA_SHA512

from app.errors import Refusal
from app.model import ClaimMap
from app.signin.saml import SamlSource
from tests.signin.saml.builders import (
    BASE,
    METADATA_URL,
    PROVIDER,
    Key,
    Known,
    Web,
    keyring,
    pending,
    proof,
    rsa_key,
)

pytestmark = pytest.mark.interop

ENTITY = "https://pysaml2.test/idp"
PERSON = {"uid": ["ana"], "mail": ["ana@acme.test"], "memberOf": ["sre"], "displayName": ["Ana Ruiz"]}


class Directory:
    """pysaml2's identity provider, which knows our metadata as we publish it."""

    def __init__(self, folder: Path, key: Key, *, wants_signed: bool = True) -> None:
        (folder / "key.pem").write_bytes(key.private)
        (folder / "certificate.pem").write_bytes(key.certificate)
        ours = SamlSource(replace(PROVIDER, metadata_xml=b""), keyring(), BASE, Web(), Known()).metadata()
        (folder / "daypass.xml").write_bytes(ours.body)
        config = IdPConfig().load(
            {
                "entityid": ENTITY,
                "key_file": str(folder / "key.pem"),
                "cert_file": str(folder / "certificate.pem"),
                "xmlsec_binary": "/usr/bin/xmlsec1",
                "metadata": {"local": [str(folder / "daypass.xml")]},
                "service": {
                    "idp": {
                        "want_authn_requests_signed": wants_signed,
                        "endpoints": {
                            "single_sign_on_service": [("https://pysaml2.test/sso", BINDING_HTTP_REDIRECT)]
                        },
                        "policy": {
                            "default": {
                                "lifetime": {"minutes": 5},
                                "name_form": "urn:oasis:names:tc:SAML:2.0:attrname-format:uri",
                            }
                        },
                    }
                },
            }
        )
        self.server = Server(config=config)
        self.metadata = str(entity_descriptor(config)).encode()

    def answer(
        self, url: str, *, algorithm: str, sign_response: bool, attributes: Mapping[str, list[str]]
    ) -> str:
        """Read our request as it came, signature and all, and answer it as a form field."""
        fields = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        request = self.server.parse_authn_request(
            fields["SAMLRequest"],
            BINDING_HTTP_REDIRECT,
            relay_state=fields["RelayState"],
            sigalg=fields.get("SigAlg"),
            signature=fields.get("Signature"),
        )
        message = request.message
        where = self.server.response_args(message)
        response = self.server.create_authn_response(
            dict(attributes),
            in_response_to=message.id,
            destination=where["destination"],
            sp_entity_id=where["sp_entity_id"],
            name_id=NameID(format=NAMEID_FORMAT_PERSISTENT, text="ana-4f1c"),
            authn={"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password", "authn_auth": ENTITY},
            sign_assertion=True,
            sign_response=sign_response,
            sign_alg=algorithm,
            digest_alg="http://www.w3.org/2001/04/xmlenc#sha256",
        )
        form = self.server.apply_binding(
            BINDING_HTTP_POST, str(response), where["destination"], fields["RelayState"], response=True
        )
        assert form["method"] == "POST"
        return base64.b64encode(str(response).encode()).decode()


def corp(directory: Directory) -> SamlSource:
    claims = ClaimMap(
        subject="NameID",
        username="urn:oid:0.9.2342.19200300.100.1.1",
        email="urn:oid:0.9.2342.19200300.100.1.3",
        name="urn:oid:2.16.840.1.113730.3.1.241",
    )
    return SamlSource(
        replace(PROVIDER, claims=claims), keyring(), BASE, Web({METADATA_URL: directory.metadata}), Known()
    )


@pytest.mark.parametrize(
    ("key", "algorithm", "sign_response"),
    [
        (rsa_key("idp"), SIG_RSA_SHA256, False),
        (rsa_key("idp"), SIG_RSA_SHA512, True),
    ],
    ids=["RSA, assertion", "RSA with SHA-512, both"],
)
def test_a_sign_in_through_pysaml2_is_accepted_and_its_twins_are_not(
    tmp_path: Path, key: Key, algorithm: str, sign_response: bool
) -> None:
    directory = Directory(tmp_path, key)
    source = corp(directory)
    now = datetime.now(UTC)
    started = source.start(now)
    answer = directory.answer(
        started.outbound.url, algorithm=algorithm, sign_response=sign_response, attributes=PERSON
    )
    identity = source.finish(pending(started, now), proof(started, answer), now).identity
    assert (identity.subject, identity.username, identity.email) == ("ana-4f1c", "ana", "ana@acme.test")
    assert identity.name == "Ana Ruiz"

    altered = base64.b64encode(base64.b64decode(answer).replace(b"ana-4f1c", b"mallory")).decode()
    for document, at, code in (
        (altered, now, "saml.signature"),
        (answer, now + timedelta(minutes=7), "saml.time"),
    ):
        with pytest.raises(Refusal) as refused:
            source.finish(pending(started, at), proof(started, document), at)
        assert refused.value.code == code


def test_pysaml2_refuses_our_request_if_it_is_not_signed_as_it_wants(tmp_path: Path) -> None:
    directory = Directory(tmp_path, rsa_key("idp"))
    lax = Directory(tmp_path, rsa_key("idp"), wants_signed=False)
    unsigned = corp(lax).start(datetime.now(UTC)).outbound.url
    assert "Signature=" not in unsigned
    with pytest.raises(Exception, match=r"(?i)sign"):
        directory.answer(unsigned, algorithm=SIG_RSA_SHA256, sign_response=False, attributes=PERSON)
