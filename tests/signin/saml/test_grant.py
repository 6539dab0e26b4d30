"""Assertions that an app presents at the token endpoint (RFC 7522): every attack beside its honest twin."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import xmlsec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from app.errors import Refusal
from app.model import ClaimMap
from app.signin.saml import SamlSource
from app.signin.saml_shape import MAX_SIZE, shaped_assertion
from app.signin.seam import Exchangeable, Proven, SubjectToken
from tests.signin.saml.builders import (
    ACS,
    BASE,
    ENTITY,
    IDP,
    NAMES,
    NOW,
    PHONE,
    PROVIDER,
    TRANSIENT,
    Acme,
    Edit,
    Idp,
    Known,
    Signing,
    Web,
    edited,
    find,
    keyring,
    rsa_key,
    sign,
    written,
)

RECIPIENT = f"{BASE}/oauth/token"
AUDIENCE = "urn:acme:app"
OTHER = "urn:other:app"


def document(idp: Idp, **knobs: Any) -> str:
    """An honest assertion for our token endpoint and the app's audience, not yet signed."""
    response = idp.document("_request", acs=RECIPIENT, entity=AUDIENCE, **knobs)
    start, end = response.index("<saml:Assertion "), response.index("</samlp:Response>")
    alone = response[start:end].replace(
        "<saml:Assertion ", f'<saml:Assertion xmlns:saml="{NAMES["saml"]}" ', 1
    )
    return edited(alone, [(' InResponseTo="_request"', "")])


def signed(
    idp: Idp,
    *before: Edit,
    after: Sequence[Edit] = (),
    signing: Signing | None = None,
    tree: Callable[[etree._Element], None] | None = None,
    **knobs: Any,
) -> bytes:
    root = etree.fromstring(edited(document(idp, **knobs), before).encode())
    sign(root, signing or Signing(idp.key))
    if tree is not None:
        tree(root)
    return edited(etree.tostring(root).decode(), after).encode()


def encoded(assertion: bytes) -> str:
    return base64.urlsafe_b64encode(assertion).rstrip(b"=").decode()


def believe(
    acme: Acme, assertion: bytes | str, accepts: Sequence[str] = (AUDIENCE,), now: Any = NOW
) -> Proven:
    text = assertion if isinstance(assertion, str) else encoded(assertion)
    return acme.source.believe(SubjectToken("saml2", text), accepts, now)


def refusal(acme: Acme, assertion: bytes | str, *more: Any) -> Refusal:
    try:
        proven = believe(acme, assertion, *more)
    except Refusal as refused:
        return refused
    raise AssertionError(f"accepted as {proven.identity.subject}")


@pytest.fixture
def acme() -> Acme:
    return Acme()


# --- the honest twin ------------------------------------------------------------------------------


def test_an_assertion_for_our_token_endpoint_is_believed(acme: Acme) -> None:
    proven = believe(acme, signed(acme.idp, context=PHONE), ["another", AUDIENCE])
    person = proven.identity
    assert (person.source, person.subject, person.username) == ("corp", "ana-4f1c", "ana")
    assert person.groups == ("engineering", "sre")
    assert person.authentication.mfa_at == NOW - timedelta(seconds=30)
    assert (proven.audience, proven.expires_at) == (AUDIENCE, NOW + timedelta(minutes=5))
    assert proven.ends_at == NOW + timedelta(hours=8)


def test_it_is_the_person_that_a_sign_in_gives(acme: Acme) -> None:
    assert believe(acme, signed(acme.idp)).identity == acme.finish(acme.response()).identity


def test_it_may_be_accepted_once_and_the_mark_is_that_of_a_sign_in(acme: Acme) -> None:
    first, again = believe(acme, signed(acme.idp)), believe(acme, signed(acme.idp))
    (mark,) = first.once
    assert first.once == again.once
    assert mark.until == NOW + timedelta(minutes=6)
    # The same assertion, had it come to the consumer service, would leave the same mark.
    assert acme.finish(acme.response()).once == first.once
    other = believe(acme, signed(acme.idp, assertion_id="_another"))
    assert other.once != first.once and other.mark != first.mark


def test_it_is_exchangeable_and_takes_assertions_alone(acme: Acme) -> None:
    assert isinstance(acme.source, Exchangeable)
    assert acme.source.takes == {"saml2"}
    for kind in ("id_token", "access_token"):
        with pytest.raises(Refusal) as refused:
            acme.source.believe(SubjectToken(kind, encoded(signed(acme.idp))), [AUDIENCE], NOW)  # type: ignore[arg-type]
        assert refused.value.code == "exchange.kind"


def test_padding_may_be_there_or_not(acme: Acme) -> None:
    for spaces in range(3):
        assertion = signed(acme.idp) + b" " * spaces
        padded = base64.urlsafe_b64encode(assertion).decode()
        assert believe(acme, padded).identity == believe(acme, padded.rstrip("=")).identity


# --- for whom, where, when ------------------------------------------------------------------------

SOON, AGO = written(NOW + timedelta(minutes=5)), written(NOW - timedelta(seconds=30))
RESTRICTION = (
    f"<saml:AudienceRestriction><saml:Audience>{AUDIENCE}</saml:Audience></saml:AudienceRestriction>"
)
DATA = f'NotOnOrAfter="{SOON}" Recipient="{RECIPIENT}"'


def audiences(*names: str) -> str:
    inner = "".join(f"<saml:Audience>{name}</saml:Audience>" for name in names)
    return f"<saml:AudienceRestriction>{inner}</saml:AudienceRestriction>"


def at(**moved: float) -> str:
    return written(NOW + timedelta(**moved))


WHOM, WHEN, REST = "exchange.audience", "exchange.expired", "exchange.token"
LIES: list[tuple[str, list[Edit], str, str]] = [
    ("another audience", [(AUDIENCE, OTHER)], WHOM, "audience"),
    ("our own entity ID as audience", [(AUDIENCE, ENTITY)], WHOM, "audience"),
    ("another audience beside ours", [(RESTRICTION, audiences(AUDIENCE, OTHER))], WHOM, "audience"),
    ("a second restriction", [(RESTRICTION, RESTRICTION + audiences(OTHER))], WHOM, "audience"),
    ("an audience that begins with ours", [(AUDIENCE, AUDIENCE + ".evil")], WHOM, "audience"),
    ("an audience in other case", [(AUDIENCE, AUDIENCE.upper())], WHOM, "audience"),
    ("no audience", [(RESTRICTION, "")], WHOM, "no audience"),
    ("our consumer service as recipient", [(RECIPIENT, ACS)], WHOM, "Recipient"),
    ("another recipient", [(RECIPIENT, "https://evil.test/oauth/token")], WHOM, "Recipient"),
    ("a recipient with more behind", [(RECIPIENT, RECIPIENT + "/")], WHOM, "Recipient"),
    ("no recipient", [(f' Recipient="{RECIPIENT}"', "")], WHOM, "Recipient"),
    ("an answer to a request", [(DATA, DATA + ' InResponseTo="_r"')], REST, "InResponseTo"),
    ("another issuer", [(IDP, IDP + "/other")], REST, "issuer"),
    ("not as bearer", [("cm:bearer", "cm:holder-of-key")], REST, "bearer"),
    ("no end of the confirmation", [(f'NotOnOrAfter="{SOON}" Recipient', "Recipient")], WHEN, "NotOnOrAfter"),
    ("a confirmation that ended", [(DATA, DATA.replace(SOON, at()))], WHEN, "ended"),
    ("a confirmation that ended long ago", [(DATA, DATA.replace(SOON, at(minutes=-2)))], WHEN, "NotOnOrAfter"),
    ("a confirmation of the future", [(DATA, f'NotBefore="{at(seconds=61)}" {DATA}')], WHEN, "NotBefore"),
    ("conditions that ended", [(f'{AGO}" NotOnOrAfter="{SOON}"', f'{AGO}" NotOnOrAfter="{at()}"')], WHEN, "ended"),
    ("conditions of the future", [(f'NotBefore="{AGO}"', f'NotBefore="{at(seconds=61)}"')], WHEN, "NotBefore"),
    ("a life of more than a day", [(SOON, at(hours=24, seconds=1))], WHEN, "longer than a day"),
    ("issued in the future", [(f'IssueInstant="{written(NOW)}"', f'IssueInstant="{at(seconds=61)}"')], WHEN, "IssueInstant"),
    ("a session that ended", [(at(hours=8), at(minutes=-2))], WHEN, "SessionNotOnOrAfter"),
    ("another version", [('Version="2.0"', 'Version="1.1"')], REST, "version"),
    ("an unknown condition", [(RESTRICTION, RESTRICTION + '<saml:Condition xmlns:x="urn:x" xsi:type="x:y"/>')], REST, ""),
]  # fmt: skip


@pytest.mark.parametrize(("edits", "code", "words"), [row[1:] for row in LIES], ids=[row[0] for row in LIES])
def test_a_provider_that_says_something_else_is_not_believed(
    acme: Acme, edits: list[Edit], code: str, words: str
) -> None:
    refused = refusal(acme, signed(acme.idp, *edits))
    assert (refused.code, words in refused.detail) == (code, True), refused.detail
    assert refused.status == 401


def test_a_sign_ins_assertion_is_not_one_for_the_token_endpoint_nor_the_other_way_round(acme: Acme) -> None:
    response = etree.fromstring(acme.response())
    alone = etree.tostring(find(response, "saml:Assertion"))
    refused = refusal(acme, alone, [ENTITY, AUDIENCE])
    assert refused.code == "exchange.audience" and ACS in refused.detail
    grant = etree.fromstring(signed(acme.idp))
    root = etree.fromstring(acme.document().encode())
    root.replace(find(root, "saml:Assertion"), grant)
    assert acme.refusal(etree.tostring(root)).code in ("saml.destination", "saml.audience")
    assert acme.finish(acme.response()).identity == believe(acme, signed(acme.idp)).identity


def test_a_transient_name_names_nobody(acme: Acme) -> None:
    assert refusal(acme, signed(acme.idp, name_format=TRANSIENT)).code == "identity.incomplete"


def test_two_confirmations_or_statements_are_refused(acme: Acme) -> None:
    for name in ("SubjectConfirmation", "AuthnStatement"):
        start = document(acme.idp).index(f"<saml:{name} ")
        end = document(acme.idp).index(f"</saml:{name}>") + len(f"</saml:{name}>")
        part = document(acme.idp)[start:end]
        assert refusal(acme, signed(acme.idp, (part, part + part))).code == "exchange.token"
        assert refusal(acme, signed(acme.idp, (part, ""))).code == "exchange.token"


def test_a_clock_a_minute_ahead_is_borne_and_no_end_is(acme: Acme) -> None:
    assertion = signed(acme.idp)
    assert believe(acme, assertion, (AUDIENCE,), NOW - timedelta(seconds=60)).audience == AUDIENCE
    assert refusal(acme, assertion, (AUDIENCE,), NOW - timedelta(seconds=61)).code == "exchange.expired"
    last = NOW + timedelta(minutes=5)
    assert believe(acme, assertion, (AUDIENCE,), last - timedelta(seconds=1)).expires_at == last
    assert refusal(acme, assertion, (AUDIENCE,), last).code == "exchange.expired"


def test_an_app_that_may_bring_nothing_brings_nothing(acme: Acme) -> None:
    assert refusal(acme, signed(acme.idp), []).code == "exchange.audience"


# --- signature and shape --------------------------------------------------------------------------


def unsigned(acme: Acme) -> bytes:
    return document(acme.idp).encode()


def stripped(acme: Acme) -> bytes:
    root = etree.fromstring(signed(acme.idp))
    root.remove(find(root, "ds:Signature"))
    return etree.tostring(root)


def wrapped(acme: Acme) -> bytes:
    """Another assertion around the signed one, as an Advice."""
    inner = etree.fromstring(signed(acme.idp))
    evil = etree.fromstring(document(acme.idp, assertion_id="_evil", name_id="mallory").encode())
    evil.insert(1, copy.deepcopy(find(inner, "ds:Signature")))
    advice = etree.SubElement(evil, f"{{{NAMES['saml']}}}Advice")
    advice.append(inner)
    return etree.tostring(evil)


def comment(root: etree._Element) -> None:
    name = find(root, "saml:Subject/saml:NameID")
    name.text = "ana"
    name.append(etree.Comment("x"))


STRANGERS: dict[str, tuple[Callable[[Acme], bytes | str], str]] = {
    "not signed": (unsigned, "not signed"),
    "its signature taken off": (stripped, "not signed"),
    "signed with another key": (lambda acme: signed(acme.idp, signing=Signing(rsa_key("evil"))), "certificates"),
    "another provider's": (lambda acme: signed(Idp(key=rsa_key("evil"))), "certificates"),
    "changed after signing": (lambda acme: signed(acme.idp, after=[("ana-4f1c", "mallory")]), "certificates"),
    "another audience after signing": (lambda acme: signed(acme.idp, after=[(AUDIENCE, OTHER)]), "certificates"),
    "signed by SHA-1": (
        lambda acme: signed(acme.idp, signing=Signing(acme.idp.key, xmlsec.Transform.RSA_SHA1)),
        "not an accepted method",
    ),
    "keyed by a secret": (
        lambda acme: signed(
            acme.idp,
            signing=Signing(acme.idp.key, xmlsec.Transform.HMAC_SHA256, secret=acme.idp.key.certificate),
        ),
        "not an accepted method",
    ),
    "wrapped": (wrapped, "an assertion in the assertion"),
    "with a comment in a name": (lambda acme: signed(acme.idp, tree=comment), "comment"),
    "with a document type": (lambda acme: b"<!DOCTYPE x>" + signed(acme.idp), "document type"),
    "a response": (lambda acme: acme.response(), "not an Assertion"),
    "in ordinary base64": (
        lambda acme: base64.b64encode(signed(acme.idp) + b"<!--\xc3\xbf\xc3\xbf\xc3\xbf-->").decode(),
        "base64url",
    ),
    "in lines": (lambda acme: "\n".join(encoded(signed(acme.idp)).partition("A")), "base64url"),
    "padded too much": (lambda acme: encoded(signed(acme.idp)).rstrip("=") + "====", "base64url"),
    "nothing": (lambda acme: "", "empty"),
    "too long": (lambda acme: "A" * (MAX_SIZE + 1), "longer than"),
    "no XML": (lambda acme: encoded(b"hello"), "well-formed"),
    "of no schema": (
        lambda acme: signed(acme.idp, ("</saml:Subject>", "</saml:Subject><saml:Oh/>")),
        "schema",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGERS)
def test_an_assertion_that_is(acme: Acme, name: str) -> None:
    make, words = STRANGERS[name]
    refused = refusal(acme, make(acme))
    assert (refused.code, words in refused.detail) == ("exchange.token", True), refused.detail


def test_a_provider_that_is_down_is_said_to_be_one() -> None:
    source = SamlSource(PROVIDER, keyring(), BASE, Web(), Known())
    with pytest.raises(Refusal) as refused:
        source.believe(SubjectToken("saml2", encoded(signed(Idp()))), [AUDIENCE], NOW)
    assert (refused.value.code, refused.value.status) == ("provider.failed", 502)
    assert not source.issued(SubjectToken("saml2", encoded(signed(Idp()))))


def test_an_assertion_says_whose_it_is_without_a_check(acme: Acme) -> None:
    def issued(assertion: bytes | str, kind: Any = "saml2") -> bool:
        text = assertion if isinstance(assertion, str) else encoded(assertion)
        return acme.source.issued(SubjectToken(kind, text))

    assert issued(signed(acme.idp)) and issued(signed(acme.idp, signing=Signing(rsa_key("evil"))))
    assert not issued(signed(acme.idp), "id_token")
    assert not issued(signed(Idp(entity_id="https://other.test", key=acme.idp.key)))
    assert not issued("") and not issued("x.y.z")


def test_an_attribute_may_be_the_person(acme: Acme) -> None:
    by_mail = Acme(provider=replace(PROVIDER, claims=ClaimMap("costCenter", "uid")))
    assert believe(by_mail, signed(by_mail.idp, name_format=TRANSIENT)).identity.subject == "4711"


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=40) | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        shaped_assertion(text)
