"""The honest way: what a good answer becomes, and what we send to get one."""

from __future__ import annotations

import base64
import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import xmlsec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import load_pem_x509_certificate
from lxml import etree
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from saml2.mdstore import InMemoryMetaData

from app.errors import IdentityIncomplete
from app.model import ClaimMap, MfaTrust
from tests.signin.saml.builders import (
    ACS,
    ENTITY,
    NAMES,
    NOW,
    PASSWORD,
    PERSON,
    PHONE,
    PROVIDER,
    TRANSIENT,
    Acme,
    Idp,
    Signing,
    ec_key,
    keyring,
    rsa_key,
    source,
)

METHODS = "http://schemas.microsoft.com/claims/authnmethodsreferences"
MULTIPLE = "http://schemas.microsoft.com/claims/multipleauthn"


# --- what an answer becomes -------------------------------------------------------------------------------


def test_a_good_answer_becomes_the_person_it_speaks_of() -> None:
    acme = Acme()
    identity = acme.finish(acme.response()).identity
    assert (identity.source, identity.subject, identity.username) == ("corp", "ana-4f1c", "ana")
    assert (identity.name, identity.email) == ("Ana Ruiz", "ana@acme.test")
    assert identity.groups == ("engineering", "sre")
    assert identity.claims["costCenter"] == ("4711",)
    assert identity.claims["NameID"] == ("ana-4f1c",)
    assert identity.authentication.at == NOW - timedelta(seconds=30)
    assert identity.authentication.context == PASSWORD
    assert identity.authentication.mfa_at is None


SIGNED_WELL = {
    "assertion alone": (None, False),
    "assertion and response": (None, True),
    "SHA-384": (Signing(rsa_key("idp"), xmlsec.Transform.RSA_SHA384, xmlsec.Transform.SHA384), False),
    "SHA-512": (Signing(rsa_key("idp"), xmlsec.Transform.RSA_SHA512, xmlsec.Transform.SHA512), False),
    "canonicalised with comments": (
        Signing(
            rsa_key("idp"),
            c14n=xmlsec.Transform.EXCL_C14N_COMMENTS,
            transforms=(xmlsec.Transform.ENVELOPED, xmlsec.Transform.EXCL_C14N_COMMENTS),
        ),
        False,
    ),
    "without the certificate": (Signing(rsa_key("idp"), key_info=False), False),
}


@pytest.mark.parametrize(("assertion", "response"), SIGNED_WELL.values(), ids=SIGNED_WELL.keys())
def test_every_accepted_way_of_signing_is_accepted(assertion: Signing | None, response: bool) -> None:
    acme = Acme()
    document = acme.response(assertion=assertion, response=response)
    assert acme.finish(document).identity.subject == "ana-4f1c"


@pytest.mark.parametrize("bits", [256, 384, 512])
def test_elliptic_keys_sign_with_each_accepted_digest(bits: int) -> None:
    acme = Acme(Idp(key=ec_key("idp")))
    method = getattr(xmlsec.Transform, f"ECDSA_SHA{bits}")
    assert acme.finish(acme.response(assertion=Signing(acme.idp.key, method))).identity.subject == "ana-4f1c"


def test_prefixes_of_inclusive_namespaces_are_accepted_as_okta_sends_them() -> None:
    def inclusive(signature: etree._Element) -> None:
        for transform in signature.iter():
            if transform.tag.endswith("}Transform") and transform.getnext() is None:
                child = etree.SubElement(
                    transform, "{http://www.w3.org/2001/10/xml-exc-c14n#}InclusiveNamespaces"
                )
                child.set("PrefixList", "xs")

    acme = Acme()
    document = acme.response(assertion=Signing(acme.idp.key, template=inclusive))
    assert document.count(b"PrefixList") == 1
    assert acme.finish(document).identity.subject == "ana-4f1c"


HARMLESS = {
    "a second audience": (
        "</saml:Audience>",
        "</saml:Audience><saml:Audience>https://other.test</saml:Audience>",
    ),
    "a second restriction that names us": (
        "</saml:AudienceRestriction>",
        f"</saml:AudienceRestriction><saml:AudienceRestriction><saml:Audience>{ENTITY}</saml:Audience>"
        "</saml:AudienceRestriction>",
    ),
    "once only": ("</saml:AudienceRestriction>", "</saml:AudienceRestriction><saml:OneTimeUse/>"),
    "no further": (
        "</saml:AudienceRestriction>",
        '</saml:AudienceRestriction><saml:ProxyRestriction Count="0"/>',
    ),
    "no end of the session": (' SessionNotOnOrAfter="2026-11-24T20:00:00Z"', ""),
    "fractions of a second": (
        'IssueInstant="2026-11-24T12:00:00Z"',
        'IssueInstant="2026-11-24T12:00:00.1234567Z"',
    ),
    "no start of the conditions": (' NotBefore="2026-11-24T11:59:30Z"', ""),
    "the issuer's kind named": (
        "<saml:Issuer>",
        '<saml:Issuer Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity">',
    ),
    "characters in CDATA, read whole": (">ana@acme.test<", "><![CDATA[ana@]]>acme.test<"),
    "an address of the person": (
        "<saml:AuthnContext>",
        '<saml:SubjectLocality Address="192.0.2.7"/><saml:AuthnContext>',
    ),
    "a namespace taken back": (
        '<saml:AttributeValue xsi:type="xs:string">ana<',
        '<saml:AttributeValue xmlns="" xsi:type="xs:string">ana<',
    ),
}


@pytest.mark.parametrize("edit", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_the_standard_allows_besides_is_accepted(edit: tuple[str, str]) -> None:
    acme = Acme()
    identity = acme.finish(acme.response(before=[edit], response=True)).identity
    assert (identity.subject, identity.username, identity.email) == ("ana-4f1c", "ana", "ana@acme.test")


def test_a_response_without_issuer_is_accepted_if_only_the_assertion_is_signed() -> None:
    """Profiles 4.1.4.2: it may be left out then."""
    acme = Acme()
    issuer = f"<saml:Issuer>{acme.idp.entity_id}</saml:Issuer><samlp:Status>"
    assert acme.finish(acme.response(before=[(issuer, "<samlp:Status>")])).identity.subject == "ana-4f1c"


def test_friendly_names_are_no_names() -> None:
    acme = Acme()
    named = [(f"urn:oid:{n}", name, values) for n, (name, _, values) in enumerate(PERSON)]
    refusal = acme.refusal(acme.response({"attributes": named}))
    assert refusal.code == "identity.incomplete"
    by_oid = ClaimMap(subject="NameID", username="urn:oid:0", groups="urn:oid:3")
    acme = Acme(provider=replace(PROVIDER, claims=by_oid))
    identity = acme.finish(acme.response({"attributes": named})).identity
    assert (identity.username, identity.groups) == ("ana", ("engineering", "sre"))


def test_empty_friendly_names_are_not_twins() -> None:
    acme = Acme()
    named = [(name, "", values) for name, _, values in PERSON]
    assert acme.finish(acme.response({"attributes": named})).identity.username == "ana"


def test_a_friendly_name_may_repeat_its_own_name() -> None:
    acme = Acme()
    named = [(name, name, values) for name, _, values in PERSON]
    assert acme.finish(acme.response({"attributes": named})).identity.username == "ana"


def test_hundreds_of_groups_are_read_whole() -> None:
    acme = Acme()
    groups = [f"CN=Group {n},OU=Groups,DC=acme,DC=test" for n in range(800)] + ["sre"]
    rows = [row if row[0] != "memberOf" else ("memberOf", None, groups) for row in PERSON]
    identity = acme.finish(acme.response({"attributes": rows})).identity
    assert identity.groups == ("sre",)
    assert len(identity.claims["memberOf"]) == 801


def test_app_roles_of_entra_are_whole_though_its_groups_are_cut() -> None:
    role = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
    acme = Acme(provider=replace(PROVIDER, claims=replace(PROVIDER.claims, groups=role)))
    rows = [
        *PERSON,
        (role, None, ["sre"]),
        ("http://schemas.microsoft.com/claims/groups.link", None, ["https://x"]),
    ]
    assert acme.finish(acme.response({"attributes": rows})).identity.groups == ("sre",)


def test_a_second_factor_is_believed_by_its_context() -> None:
    acme = Acme()
    authentication = acme.finish(acme.response({"context": PHONE})).identity.authentication
    assert authentication.mfa_at == authentication.at == NOW - timedelta(seconds=30)
    assert authentication.context == PHONE


def test_a_second_factor_is_believed_by_its_method_and_only_if_it_is_listed() -> None:
    rows = [
        *PERSON,
        (
            METHODS,
            None,
            ["http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password", MULTIPLE],
        ),
    ]
    trusting = replace(PROVIDER, mfa=MfaTrust(methods=frozenset({MULTIPLE})))
    for provider, believed in ((trusting, True), (PROVIDER, False)):
        acme = Acme(provider=provider)
        authentication = acme.finish(acme.response({"attributes": rows})).identity.authentication
        assert (authentication.mfa_at is not None) is believed
        assert MULTIPLE in authentication.methods


def test_a_listed_context_is_not_believed_as_part_of_another() -> None:
    acme = Acme()
    authentication = acme.finish(acme.response({"context": PHONE + "X"})).identity.authentication
    assert authentication.mfa_at is None


def test_a_transient_name_will_do_where_an_attribute_is_the_key() -> None:
    acme = Acme(provider=replace(PROVIDER, claims=replace(PROVIDER.claims, subject="uid")))
    assert acme.finish(acme.response({"name_format": TRANSIENT})).identity.subject == "ana"
    acme = Acme()
    assert isinstance(acme.refusal(acme.response({"name_format": TRANSIENT})), IdentityIncomplete)


def test_many_threads_share_one_source() -> None:
    acme = Acme()
    good, bad = acme.response(response=True), acme.response(before=[(ENTITY, "https://other.test")])
    broken = acme.response(before=[("<saml:Subject>", "<saml:Subject><saml:Subject/>")])

    def once(turn: int) -> str:
        if turn % 3 == 0:
            return acme.finish(good).identity.subject
        return acme.refusal(bad if turn % 3 == 1 else broken).code

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(once, range(600)))
    assert results == ["ana-4f1c", "saml.audience", "saml.shape"] * 200


# --- what we send -----------------------------------------------------------------------------------------


def sent(url: str) -> tuple[dict[str, str], etree._Element]:
    fields = {name: values[0] for name, values in parse_qs(urlsplit(url).query, strict_parsing=True).items()}
    return fields, etree.fromstring(zlib.decompress(base64.b64decode(fields["SAMLRequest"]), -15))


def test_the_request_says_who_asks_and_where_to_answer() -> None:
    started = source().start(NOW)
    fields, request = sent(started.outbound.url)
    assert started.outbound.url.startswith("https://idp.acme.test/sso?SAMLRequest=")
    assert fields["RelayState"] == started.key
    assert set(fields) == {"SAMLRequest", "RelayState"}
    assert request.tag == f"{{{NAMES['samlp']}}}AuthnRequest"
    assert request.get("ID") == started.secrets["request_id"]
    assert request.get("Destination") == "https://idp.acme.test/sso"
    assert request.get("AssertionConsumerServiceURL") == ACS
    assert request.get("IssueInstant") == "2026-11-24T12:00:00Z"
    assert request.findtext(f"{{{NAMES['saml']}}}Issuer") == ENTITY
    assert request.find(f"{{{NAMES['saml']}}}Subject") is None
    assert request.find(f"{{{NAMES['samlp']}}}RequestedAuthnContext") is None


def test_each_request_is_new_and_nobody_can_guess_it() -> None:
    corp = source()
    starts = [corp.start(NOW) for _ in range(50)]
    assert len({started.key for started in starts}) == 50
    assert len({started.secrets["request_id"] for started in starts}) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", started.key) for started in starts)
    assert all(re.fullmatch(r"_[0-9a-f]{40}", started.secrets["request_id"]) for started in starts)
    assert starts[0].key not in repr(starts[0])


def test_an_address_with_a_query_of_its_own_keeps_it() -> None:
    url = source(Idp(sso="https://accounts.acme.test/sso?idpid=C01")).start(NOW).outbound.url
    assert url.startswith("https://accounts.acme.test/sso?idpid=C01&SAMLRequest=")


def test_a_request_is_signed_over_the_very_characters_where_the_provider_asks() -> None:
    url = source(Idp(wants_signed=True)).start(NOW).outbound.url
    query = urlsplit(url).query
    covered, _, _ = query.partition("&Signature=")
    fields, _ = sent(url)
    assert fields["SigAlg"] == "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
    public = load_pem_x509_certificate(keyring().saml_certificate).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    signature = base64.b64decode(fields["Signature"])
    public.verify(signature, covered.encode(), padding.PKCS1v15(), hashes.SHA256())


def test_our_metadata_is_read_by_pysaml2_as_we_mean_it() -> None:
    metadata = source().metadata()
    assert metadata.content_type == "application/samlmetadata+xml"
    read = InMemoryMetaData(None, metadata.body.decode())
    read.load()
    assert list(read.keys()) == [ENTITY]
    role = read[ENTITY]["spsso_descriptor"][0]
    assert role["want_assertions_signed"] == "true"
    assert role["authn_requests_signed"] == "false"
    (acs,) = role["assertion_consumer_service"]
    assert (acs["location"], acs["binding"]) == (ACS, "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST")
    (key,) = role["key_descriptor"]
    written = key["key_info"]["x509_data"][0]["x509_certificate"]["text"]
    assert key["use"] == "signing"
    assert "".join(written.split()) == rsa_key("daypass").body


def test_our_metadata_follows_the_schema_as_python3_saml_checks_it() -> None:
    body = source().metadata().body
    settings = OneLogin_Saml2_Settings(
        {
            "strict": True,
            "sp": {"entityId": ENTITY, "assertionConsumerService": {"url": ACS}},
            "idp": OneLogin_Saml2_IdPMetadataParser.parse(Idp().metadata())["idp"],
        }
    )
    assert settings.validate_metadata(body) == []


def test_our_metadata_says_that_we_sign_where_the_provider_asks() -> None:
    assert b'AuthnRequestsSigned="true"' in source(Idp(wants_signed=True)).metadata().body
    assert b'AuthnRequestsSigned="false"' in source().metadata().body
