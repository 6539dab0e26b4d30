"""Held against python3-saml's own whole check.

What we accept, the library accepts too, and reads the same in it: nothing that it checks was left out. It is
not shown what hangs it.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.errors import Refusal
from tests.signin.saml import test_attacks, test_sign_in
from tests.signin.saml.builders import NOW, Acme, Idp, Signing
from tests.signin.saml.library import second_opinion
from tests.signin.saml.test_attacks import Row


def agree(acme: Acme, document: bytes) -> None:
    ours = acme.finish(document).identity
    theirs = second_opinion(acme, document)
    assert theirs is not None, "we accept what the library refuses"
    assert theirs[0] == ours.subject
    assert {name: tuple(values) for name, values in theirs[1].items()} == {
        name: values for name, values in ours.claims.items() if name != "NameID"
    }


@pytest.mark.parametrize(
    ("assertion", "response"), test_sign_in.SIGNED_WELL.values(), ids=test_sign_in.SIGNED_WELL.keys()
)
def test_both_accept_every_good_signature(assertion: Signing | None, response: bool) -> None:
    acme = Acme()
    agree(acme, acme.response(assertion=assertion, response=response))


@pytest.mark.parametrize("edit", test_sign_in.HARMLESS.values(), ids=test_sign_in.HARMLESS.keys())
def test_both_accept_what_the_standard_allows(edit: tuple[str, str]) -> None:
    acme = Acme()
    agree(acme, acme.response(before=[edit], response=True))


def test_both_accept_any_of_several_certificates() -> None:
    acme = Acme(Idp(listed=(test_attacks.ec_key("next"), test_attacks.rsa_key("idp"))))
    agree(acme, acme.response())


SHOWN: list[Row] = [
    *test_attacks.WRAPPING,
    *test_attacks.SIGNATURES,
    *test_attacks.ADDRESSES,
    *test_attacks.REQUESTS,
    *test_attacks.TIMES,
    *test_attacks.CONTENT,
]
LET_IN_BY_THE_LIBRARY = {
    "Audience: empty",
    "Destination: ours as a prefix",
    "InResponseTo of the confirmation: missing",
    "InResponseTo of the response: missing",
    "Issuer: empty",
    "NameID left out by an XPath transform, then changed",
    "NameID of one blank",
    "Recipient: ours as a part",
    "a comment in the NameID",
    "a condition that nobody knows",
    "a second restriction that leaves us out",
    "an attribute twice, by case",
    "an element in a value",
    "conditions out of date by a minute",
    "confirmation without end",
    "key to be fetched from a file",
    "no Destination",
    "no Recipient",
    "no audience",
    "object in the signature",
    "unsolicited",
    "version 1.1 of the assertion",
}
"""The attacks that the reference's section 7 measured, and their kin: what our checks are for."""


def test_we_refuse_every_attack_and_the_library_alone_lets_many_in() -> None:
    let_in = set()
    for name, attack, code, _ in SHOWN:
        acme = Acme()
        document = attack(acme)
        with pytest.raises(Refusal) as refused:
            acme.finish(document)
        assert refused.value.code == code, name
        if second_opinion(acme, document) is not None:
            let_in.add(name)
    assert let_in >= LET_IN_BY_THE_LIBRARY


def test_the_librarys_tolerance_is_not_ours() -> None:
    acme = Acme()
    late = NOW - timedelta(seconds=90)
    document = acme.response(
        before=[
            (
                f'<saml:Conditions NotBefore="{test_attacks.AGO}" NotOnOrAfter="{test_attacks.SOON}"',
                f'<saml:Conditions NotOnOrAfter="{test_attacks.written(late)}"',
            )
        ]
    )
    assert second_opinion(acme, document) is not None
    assert acme.refusal(document).code == "saml.time"
