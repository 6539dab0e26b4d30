"""What a provider publishes: read as it is meant, or refused with words for the operator."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import ProviderFailed
from app.signin.saml_metadata import MAX_SIZE, acceptable_address, read_metadata
from tests.signin.saml.builders import IDP, Idp, ec_key, edited, make_key, rsa_key

HONEST = Idp().metadata()
TEXT = HONEST.decode()


def read(document: bytes | str, loopback: bool = False) -> object:
    return read_metadata(document if isinstance(document, bytes) else document.encode(), loopback=loopback)


def test_what_matters_is_read() -> None:
    idp = read_metadata(HONEST, loopback=False)
    assert (idp.entity_id, idp.sso_url, idp.wants_signed_requests) == (
        IDP,
        "https://idp.acme.test/sso",
        False,
    )
    (certificate,) = idp.certificates
    assert certificate.pem.encode() == rsa_key("idp").certificate
    assert re.fullmatch(r"[0-9a-f]{64}", certificate.fingerprint)
    assert certificate.ends == "2027-11-24"


@pytest.mark.parametrize("value", ["true", "1", " true "])
def test_a_wish_for_signed_requests_is_read(value: str) -> None:
    wishing = edited(
        TEXT, [("<md:IDPSSODescriptor", f'<md:IDPSSODescriptor WantAuthnRequestsSigned="{value}"')]
    )
    assert read_metadata(wishing.encode(), loopback=False).wants_signed_requests


def test_several_certificates_are_read_and_doubles_are_one() -> None:
    keys = (rsa_key("idp"), ec_key("next"), rsa_key("idp"))
    idp = read_metadata(Idp(listed=keys).metadata(), loopback=False)
    assert [c.pem.encode() for c in idp.certificates] == [keys[0].certificate, keys[1].certificate]


HONEST_FORMS = {
    "with a byte order mark, as Entra sends it": b"\xef\xbb\xbf" + HONEST,
    "with a declaration": b'<?xml version="1.0" encoding="utf-8"?>\n' + HONEST,
    "with a mark and a declaration": b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>' + HONEST,
    "with comments, as Shibboleth writes them": edited(
        TEXT,
        [
            ("<md:IDPSSO", "<!-- by hand --><md:IDPSSO"),
            ("<ds:X509Certificate>", "<ds:X509Certificate><!-- x -->"),
        ],
    ).encode(),
    "with instructions": b'<?xml-stylesheet href="x"?>' + HONEST,
    "as one of one": b'<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">'
    + HONEST
    + b"</md:EntitiesDescriptor>",
    "with a certificate wrapped into lines": re.sub(
        rb"<ds:X509Certificate>(.{64})", rb"<ds:X509Certificate>\n  \1\r\n  ", HONEST
    ),
    "with a key for both uses": HONEST.replace(b' use="signing"', b""),
    "with a role of another protocol": HONEST.replace(
        b"</md:EntityDescriptor>",
        b'<md:RoleDescriptor protocolSupportEnumeration="http://docs.oasis-open.org/wsfed/federation/200706"/>'
        b'<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:1.1:protocol"/>'
        b"</md:EntityDescriptor>",
    ),
    "with a wish that is none": HONEST.replace(
        b"<md:IDPSSODescriptor", b'<md:IDPSSODescriptor WantAuthnRequestsSigned="false"'
    ),
}


@pytest.mark.parametrize("document", HONEST_FORMS.values(), ids=HONEST_FORMS.keys())
def test_honest_metadata_is_read_in_every_form(document: bytes) -> None:
    assert read(document) == read(HONEST)


def without_certificate(*, use: str = "signing", body: str | None = None) -> str:
    text = edited(TEXT, [('use="signing"', f'use="{use}"')])
    return re.sub("(?<=<ds:X509Certificate>)[^<]*", body, text) if body is not None else text


ROLE = re.search("<md:IDPSSODescriptor.*</md:IDPSSODescriptor>", TEXT)
assert ROLE is not None
BAD = {
    "nothing": ("", "well-formed"),
    "garbage": ("502 Bad Gateway", "well-formed"),
    "a web page": ("<html><body>Sign in</body></html>", "no SAML metadata"),
    "a response": ('<Response xmlns="urn:oasis:names:tc:SAML:2.0:protocol"/>', "no SAML metadata"),
    "cut off": (TEXT[:-40], "well-formed"),
    "a DTD": ('<!DOCTYPE x SYSTEM "file:///etc/passwd">' + TEXT, "document type"),
    "an entity": ('<!DOCTYPE x [<!ENTITY e "e">]>' + TEXT, "document type"),
    "another encoding": (TEXT.encode("utf-16"), "UTF-8"),
    "too large": (TEXT + " " * MAX_SIZE, "larger than"),
    "too deep": ("<a>" * 100_000, "well-formed"),
    "several parties": (
        '<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">'
        + TEXT * 2
        + "</md:EntitiesDescriptor>",
        "2 parties",
    ),
    "no party": ('<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"/>', "0 parties"),
    "no name": (edited(TEXT, [(f'entityID="{IDP}"', "")]), "entityID"),
    "an empty name": (edited(TEXT, [(f'entityID="{IDP}"', 'entityID=""')]), "entityID"),
    "a name with blanks": (edited(TEXT, [(f'entityID="{IDP}"', 'entityID="a b"')]), "entityID"),
    "an overlong name": (edited(TEXT, [(f'entityID="{IDP}"', f'entityID="{"x" * 1_025}"')]), "entityID"),
    "a service provider": (TEXT.replace("IDPSSO", "SPSSO"), "0 descriptions"),
    "SAML 1.1 alone": (edited(TEXT, [("SAML:2.0:protocol", "SAML:1.1:protocol")]), "0 descriptions"),
    "two roles": (edited(TEXT, [(ROLE[0], ROLE[0] * 2)]), "2 descriptions"),
    "no redirect": (edited(TEXT, [("HTTP-Redirect", "HTTP-Artifact")]), "no sign-in address"),
    "no certificate": (without_certificate(use="encryption"), "no signing certificate"),
    "a broken certificate": (without_certificate(body="AAAA"), "cannot be read"),
    "an empty certificate": (without_certificate(body=""), "cannot be read"),
    "a certificate that is no base64": (without_certificate(body="-----BEGIN"), "cannot be read"),
    "a weak key": (Idp(key=rsa_key("weak", 1024)).metadata(), "no signing certificate"),
    "a curve that we do not take": (
        Idp(key=make_key(ec.generate_private_key(ec.SECP256K1()))).metadata(),
        "no signing certificate",
    ),
    "seventeen certificates": (
        Idp(listed=tuple(make_key(ec.generate_private_key(ec.SECP256R1())) for _ in range(17))).metadata(),
        "more than 16",
    ),
}


@pytest.mark.parametrize(("document", "words"), BAD.values(), ids=BAD.keys())
def test_bad_metadata_is_refused_with_its_reason(document: bytes | str, words: str) -> None:
    with pytest.raises(ProviderFailed) as refused:
        read(document)
    assert words in refused.value.detail
    assert refused.value.detail.isprintable()
    assert len(refused.value.detail) < 400


def test_a_weak_key_beside_a_good_one_is_not_trusted() -> None:
    idp = read_metadata(Idp(listed=(rsa_key("weak", 1024), rsa_key("idp"))).metadata(), loopback=False)
    assert [c.pem.encode() for c in idp.certificates] == [rsa_key("idp").certificate]


ALWAYS = [
    "https://idp.acme.test/sso",
    "https://idp.acme.test:8443/sso?x=1&y=2",
    "https://192.0.2.1/",
    "https://[2001:db8::1]/",
]
LOOPBACK = [
    "http://127.0.0.1:8001/sso",
    "http://localhost:8001/sso",
    "http://idp.acme.test/sso",
    "https://localhost/sso",
    "https://127.0.0.1/",
    "https://127.1.2.3/",
    "https://[::1]/sso",
    "https://idp.localhost/sso",
    "https://localhost./sso",
]
NEVER = [
    "",
    "idp.acme.test/sso",
    "//idp.acme.test/sso",
    "/sso",
    "https:",
    "https:///sso",
    "https:idp.acme.test",
    "javascript:alert(1)",
    "data:text/html,x",
    "ftp://idp.acme.test/",
    "file:///etc/passwd",
    "https://user:secret@idp.acme.test/",
    "https://user@idp.acme.test/",
    "https://idp.acme.test/a b",
    "https://idp.acme.test/\r\nSet-Cookie: x",
    "https://idp.acme.test/sso#x",
    "https://idp.acme.test\\@evil.test/",
    'https://idp.acme.test/"onload',
    "https://idp.acme.test:port/",
    "https://idp.acme.test:99999/",
    "https://[::1",
    "https://idp.äcme.test/",
    "https://idp.acme.test/" + "x" * 2_048,
]


def test_browsers_are_sent_to_https_and_to_http_only_on_this_machine() -> None:
    for url in ALWAYS:
        assert acceptable_address(url, loopback=False), url
        assert acceptable_address(url, loopback=True), url
    for url in LOOPBACK:
        assert not acceptable_address(url, loopback=False), url
        assert acceptable_address(url, loopback=True), url
    for url in NEVER:
        assert not acceptable_address(url, loopback=False), url
        assert not acceptable_address(url, loopback=True), url


def test_metadata_with_a_closed_address_is_refused() -> None:
    http = replace(Idp(), sso="http://127.0.0.1:8001/sso").metadata()
    with pytest.raises(ProviderFailed, match="not accepted"):
        read(http)
    assert read_metadata(http, loopback=True).sso_url == "http://127.0.0.1:8001/sso"


@settings(max_examples=300, deadline=None)
@given(
    at=st.integers(0, len(HONEST) - 1),
    length=st.integers(0, 40),
    put=st.one_of(
        st.binary(max_size=20), st.sampled_from([b"<", b">", b"&", b"<!--", b"]]>", b"\0", HONEST[:200]])
    ),
)
def test_mutated_metadata_is_read_or_refused_and_nothing_else(at: int, length: int, put: bytes) -> None:
    try:
        read_metadata(HONEST[:at] + put + HONEST[at + length :], loopback=False)
    except ProviderFailed as refused:
        assert refused.detail.isprintable()
