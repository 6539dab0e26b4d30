"""The SAML identity provider against python3-saml, over HTTP."""

import base64
import zlib
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests
from lxml import html

from demo.directory import saml
from tests.demo.directory.builders import Browser, World, hidden_form, key_pair

PASSWORD_CLASS = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
TWO_FACTOR_CLASS = "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract"


def words(page: requests.Response) -> str:
    assert page.status_code == 400, page.text
    return " ".join(html.fromstring(page.text).find_class("wrong")[0].text_content().split())


def resigned(world: World, change, key: str = "broker") -> str:
    """The address of an honest request whose document was changed before it was signed."""
    auth = world.saml()
    query = parse_qs(urlsplit(auth.login(return_to="state")).query)
    document = change(zlib.decompress(base64.b64decode(query["SAMLRequest"][0]), -15).decode())
    data = document if isinstance(document, bytes) else document.encode()
    deflater = zlib.compressobj(wbits=-15)
    request = base64.b64encode(deflater.compress(data) + deflater.flush()).decode()
    return signed(world, request, key)


def signed(world: World, request: str, key: str = "broker", algorithm: str = "rsa-sha256") -> str:
    import xmlsec

    uri = f"http://www.w3.org/2001/04/xmldsig-more#{algorithm}"
    query = f"SAMLRequest={quote(request, safe='')}&RelayState=state&SigAlg={quote(uri, safe='')}"
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(key_pair(key)[0], xmlsec.constants.KeyDataFormatPem)
    signature = context.sign_binary(query.encode(), xmlsec.constants.TransformRsaSha256)
    return f"{world.directory.saml_url}/sso?{query}&Signature={quote(base64.b64encode(signature), safe='')}"


def signed_in(world: World, browser: Browser, username: str, auth=None, **more: str):
    auth = auth or world.saml()
    form = browser.get(auth.login(return_to="state"))
    page = browser.sign_in(form, username, f"demo-{username}", **more)
    return world.read(auth, hidden_form(page)[1])


def test_a_person_signs_in_and_the_site_reads_who_it_is(world: World, browser: Browser):
    auth = world.saml()
    form = browser.get(auth.login(return_to="state"))
    page = browser.sign_in(form, "ana", "demo-ana")
    action, fields = hidden_form(page)
    assert action == f"{world.site.url}/saml/corp/acs"
    assert fields["RelayState"] == "state"
    world.read(auth, fields)
    assert auth.get_errors() == [], auth.get_last_error_reason()
    assert auth.get_nameid() == "9d4c0e52b1f84f0f8a36d1c07be2a615"
    assert auth.get_nameid_format() == saml.PERSISTENT
    assert auth.get_attributes() == {
        "uid": ["ana"],
        "mail": ["ana@acme.test"],
        "displayName": ["Ana Alves"],
        "memberOf": ["CN=Engineering,OU=Groups,DC=acme,DC=test", "sre"],
        "costCenter": ["4100"],
    }


@pytest.mark.parametrize(
    ("username", "more", "context"),
    [
        ("ana", {}, TWO_FACTOR_CLASS),
        ("ana", {"password_only": "1"}, PASSWORD_CLASS),
        ("ben", {}, PASSWORD_CLASS),
        ("chloe", {}, PASSWORD_CLASS),
        ("dan", {}, PASSWORD_CLASS),
    ],
)
def test_the_assertion_says_how_the_person_signed_in(world, browser, username, more, context):
    auth = signed_in(world, browser, username, **more)
    assert auth.get_errors() == []
    assert auth.get_last_authn_contexts() == [context]


def test_names_beyond_ascii_arrive_whole(world: World, browser: Browser):
    assert signed_in(world, browser, "chloe").get_attribute("displayName") == ["Chloé Carpentier"]


def test_a_wrong_password_shows_the_form_again(world: World, browser: Browser):
    form = browser.get(world.saml().login())
    page = browser.sign_in(form, "ana", "demo-ben")
    assert page.status_code == 401
    assert "do not belong together" in page.text
    assert "SAMLResponse" not in page.text


def test_a_partner_is_not_a_person_of_the_company(world: World, browser: Browser):
    form = browser.get(world.saml().login())
    assert browser.sign_in(form, "piotr", "demo-piotr").status_code == 401


def test_a_second_request_is_answered_without_a_form(world: World, browser: Browser):
    signed_in(world, browser, "ben")
    auth = world.saml()
    _, fields = hidden_form(browser.get(auth.login()))
    assert world.read(auth, fields).get_attribute("uid") == ["ben"]


def test_another_browser_is_not_signed_in(world: World, browser: Browser):
    signed_in(world, browser, "ben")
    assert 'name="password"' in Browser().get(world.saml().login()).text


def test_after_signing_out_of_the_directory_the_form_is_back(world: World, browser: Browser):
    signed_in(world, browser, "ben")
    assert "signed in here as" in browser.get(f"{world.directory.saml_url}/").text
    browser.get(f"{world.directory.saml_url}/sign-out")
    assert 'name="password"' in browser.get(world.saml().login()).text


def test_force_authn_asks_again_and_then_answers(world: World, browser: Browser):
    signed_in(world, browser, "ben")
    auth = world.saml()
    form = browser.get(auth.login(force_authn=True))
    page = browser.sign_in(form, "chloe", "demo-chloe")
    assert world.read(auth, hidden_form(page)[1]).get_attribute("uid") == ["chloe"]


def test_is_passive_without_a_session_is_answered_no_passive(world: World, browser: Browser):
    auth = world.saml(wantAssertionsSigned=False)
    _, fields = hidden_form(browser.get(auth.login(is_passive=True)))
    assert "status:NoPassive" in base64.b64decode(fields["SAMLResponse"]).decode()
    world.read(auth, fields)
    assert auth.get_errors() == ["invalid_response"]
    assert "Nobody is signed in" in auth.get_last_error_reason()


def test_a_second_factor_that_is_asked_for_is_asked_of_those_who_have_one(world: World, browser: Browser):
    signed_in(world, browser, "ana", password_only="1")
    auth = world.saml(requestedAuthnContext=[TWO_FACTOR_CLASS])
    again = signed_in(world, browser, "ana", auth)
    assert again.get_last_authn_contexts() == [TWO_FACTOR_CLASS]


def test_a_second_factor_that_a_person_lacks_is_no_authn_context(world: World, browser: Browser):
    auth = world.saml(requestedAuthnContext=[TWO_FACTOR_CLASS], wantAssertionsSigned=False)
    form = browser.get(auth.login())
    _, fields = hidden_form(browser.sign_in(form, "ben", "demo-ben"))
    assert "status:NoAuthnContext" in base64.b64decode(fields["SAMLResponse"]).decode()
    world.read(auth, fields)
    assert "cannot sign in the way" in auth.get_last_error_reason()


def test_a_password_that_is_asked_for_is_stated_even_with_two_factors(world: World, browser: Browser):
    auth = signed_in(world, browser, "ana", world.saml(requestedAuthnContext=[PASSWORD_CLASS]))
    assert auth.get_last_authn_contexts() == [PASSWORD_CLASS]


# --- requests that are refused, each beside the honest one above ------------------------------------


def test_an_unsigned_request_is_refused(world: World, browser: Browser):
    page = browser.get(world.saml(authnRequestsSigned=False).login())
    assert "not signed" in words(page)


def test_a_request_signed_by_another_key_is_refused(world: World, browser: Browser):
    world.site.signing_key = "stranger"
    assert "does not fit the key" in words(browser.get(world.saml().login()))


def test_the_sites_new_key_is_believed_at_once(world: World, browser: Browser):
    browser.get(world.saml().login())
    world.site.signing_key = world.site.metadata_key = "rolled over"
    assert 'name="password"' in browser.get(world.saml().login()).text


def test_metadata_is_not_read_for_every_request(world: World, browser: Browser):
    browser.get(world.saml().login())
    before = world.site.fetched
    browser.get(world.saml().login())
    assert world.site.fetched == before


def test_a_request_changed_after_signing_is_refused(world: World, browser: Browser):
    url = world.saml().login(return_to="state").replace("RelayState=state", "RelayState=other")
    assert "does not fit the key" in words(browser.get(url))


def test_sha1_is_refused(world: World, browser: Browser):
    url = world.saml(
        signatureAlgorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1", rejectDeprecatedAlgorithm=False
    ).login()
    assert "algorithm" in words(browser.get(url))


def test_a_resigned_honest_request_gets_the_form(world: World, browser: Browser):
    assert 'name="password"' in browser.get(resigned(world, lambda text: text)).text


REFUSED = {
    "an answer to another address": (
        lambda text: text.replace("/saml/corp/acs", "/saml/corp/acs/../../evil"),
        "not the site's own",
    ),
    "an answer to another site": (
        lambda text: text.replace('ServiceURL="http://localhost', 'ServiceURL="http://evil.example'),
        "not the site's own",
    ),
    "an unknown issuer": (
        lambda text: text.replace("/saml/corp/metadata", "/saml/../../metadata"),
        "does not know the site",
    ),
    "a request for another directory": (
        lambda text: text.replace('Destination="http://127.0.0.1', 'Destination="http://127.0.0.2'),
        "another address",
    ),
    "an old request": (
        lambda text: text.replace('IssueInstant="20', 'IssueInstant="19'),
        "out of date",
    ),
    "an instant that is none": (
        lambda text: text.replace('IssueInstant="2', 'IssueInstant="9-2'),
        "when it was made",
    ),
    "another version": (lambda text: text.replace('Version="2.0"', 'Version="1.1"'), "not a SAML 2.0"),
    "another message": (
        lambda text: text.replace("samlp:AuthnRequest", "samlp:LogoutRequest"),
        "not a SAML 2.0",
    ),
    "an ID with a quote": (lambda text: text.replace(' ID="', ' ID="&quot;'), "no proper ID"),
    "another binding": (
        lambda text: text.replace("bindings:HTTP-POST", "bindings:HTTP-Artifact"),
        "does not speak",
    ),
    "a transient NameID": (
        lambda text: text.replace("nameid-format:persistent", "nameid-format:transient"),
        "persistent",
    ),
    "a DOCTYPE": (lambda text: f'<!DOCTYPE r [<!ENTITY e "x">]>{text}', "DOCTYPE"),
    "text that is no XML": (lambda text: "hello", "not proper XML"),
    "nothing": (lambda text: "", "not proper XML"),
    "UTF-16 with a DOCTYPE": (lambda text: f"<!DOCTYPE r>{text}".encode("utf-16"), "DOCTYPE"),
    "a deflate bomb": (lambda text: text + " " * 10_000_000, "more than it may"),
    "nine thousand levels": (lambda text: "<a>" * 9_000, "not proper XML"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_well_signed_request_is_refused_for(name: str, world: World, browser: Browser):
    change, reason = REFUSED[name]
    assert reason in words(browser.get(resigned(world, change)))


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "no sign-in request"),
        ("SAMLRequest=a&SAMLRequest=b&Signature=c&SigAlg=d", "twice"),
        ("SAMLRequest=" + "a" * 20_000, "too long"),
        ("SAMLRequest=%FF%FE&Signature=AAAA&SigAlg=x", "base64"),
        ("SAMLRequest=%2F%2F%2F%2F&Signature=AAAA&SigAlg=x", "not deflated"),
        ("SAMLRequest=AwA%3D&Signature=AAAA&SigAlg=x&RelayState=" + "r" * 81, "RelayState"),
        ("SAMLRequest=AwA%3D&Signature=AAAA&SigAlg=x&SAMLEncoding=zip", "encoding"),
    ],
)
def test_a_malformed_query_is_refused(query: str, reason: str, world: World, browser: Browser):
    assert reason in words(browser.get(f"{world.directory.saml_url}/sso?{query}"))


def test_a_wrong_clock_shows_in_what_is_said(world: World, browser: Browser):
    requests.post(f"{world.directory.saml_url}/_demo/fault", json={"clock": -3600}, timeout=5)
    assert "out of date" in words(browser.get(world.saml().login()))
