"""Security keys and passkeys: honest ceremonies, and every part of one altered."""

from __future__ import annotations

import dataclasses
import json

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from webauthn import verify_registration_response

from app.errors import CodeWrong
from app.mfa import webauthn
from app.mfa.registry import KINDS
from app.people import FactorAnswer

from .authenticator import BE, BS, EDDSA, ES256, ES384, RS256, UP, UV, Authenticator, b64, unb64
from .house import NOW, PARTY, factor, person

KIND = KINDS["webauthn"]
FOREIGN = "https://pass.acme.example.evil.example"


def answer(text: str) -> FactorAnswer:
    return FactorAnswer("webauthn", text)


def enrol(device: Authenticator, of=None, **altered):
    begun = KIND.begin(PARTY, of or person(), ())
    return KIND.finish(PARTY, begun.facts, answer(device.create(begun.webauthn_options, **altered)), NOW)


def enrolled(device: Authenticator, of=None, **given):
    return factor("webauthn", enrol(device, of), of, **given)


def prove(device: Authenticator, have, *, alone: bool = False, **altered):
    """As one of the person's devices, or as a passkey that nobody was named for."""
    asked = KIND.ask(PARTY, () if alone else have)
    return KIND.verify(PARTY, have, asked.facts, answer(device.get(asked.webauthn_options, **altered)), NOW)


# --- honest ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
@pytest.mark.parametrize("alone", [False, True])
def test_a_device_is_enrolled_and_proves_itself_again_and_again(algorithm, alone):
    device = Authenticator(algorithm=algorithm)
    mine = enrolled(device)
    for _ in range(3):
        passed, counter = prove(device, [mine], alone=alone)
        assert counter == device.counter
        assert counter > mine.counter
        assert passed.factor == mine
        assert passed.methods == ("hwk", "user", "mfa")
        assert passed.phishing_resistant
        assert passed.user_verified
        mine = dataclasses.replace(mine, counter=counter)


def test_what_is_kept_of_a_device():
    device = Authenticator(aaguid=bytes(range(16)))
    made = enrol(device)
    assert made.counter == 1
    assert dict(made.facts) == {
        "credential": b64(device.credential),
        "public_key": b64(cbor2.dumps(device.public_key())),
        "user_handle": b64(person().handle),
        "aaguid": "00010203-0405-0607-0809-0a0b0c0d0e0f",
        "transports": "nfc,usb",
        "backed_up": "false",
        "synced": "false",
    }


@pytest.mark.parametrize(
    ("flags", "method", "backed_up"), [(BE, "swk", "false"), (BE | BS, "swk", "true"), (0, "hwk", "false")]
)
def test_a_key_that_is_copied_elsewhere_is_a_software_key(flags, method, backed_up):
    device = Authenticator(flags=UP | UV | flags)
    mine = enrolled(device)
    assert mine.facts["backed_up"] == backed_up
    assert prove(device, [mine])[0].methods == (method, "user", "mfa")


def test_a_device_that_keeps_no_counter():
    device = Authenticator(counter=0)
    mine = enrolled(device)
    assert mine.counter == 0
    assert prove(device, [mine])[1] == 0
    assert prove(device, [mine], alone=True)[1] == 0


def test_a_key_without_pin_is_a_second_factor_that_is_not_called_verified():
    device = Authenticator(flags=UP)
    passed, _ = prove(device, [enrolled(device)])
    assert passed.methods == ("hwk", "mfa")
    assert not passed.phishing_resistant
    assert not passed.user_verified


def test_a_second_factor_may_leave_out_the_user_handle_and_a_passkey_may_not():
    device = Authenticator()
    mine = enrolled(device)
    assert prove(device, [mine], user_handle=None)[0].factor == mine
    with pytest.raises(CodeWrong) as refused:
        prove(device, [mine], alone=True, user_handle=None)
    assert refused.value.detail == "no user handle"


def test_of_several_devices_the_one_that_answers():
    first, second = Authenticator(credential=b"first"), Authenticator(credential=b"second")
    have = [enrolled(first, id="1" * 16), enrolled(second, id="2" * 16)]
    assert prove(second, have)[0].factor == have[1]
    assert prove(first, have)[0].factor == have[0]


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
def test_a_device_may_sign_with_its_own_new_key(algorithm):
    assert enrol(Authenticator(algorithm=algorithm), self_attested=True).counter == 1


def test_what_the_browser_is_asked_at_enrolment():
    device = Authenticator()
    begun = KIND.begin(PARTY, person(), [enrolled(device)])
    asked = json.loads(begun.webauthn_options)
    assert asked["rp"] == {"id": PARTY.id, "name": PARTY.name}
    assert asked["user"] == {"id": b64(person().handle), "name": "ana", "displayName": "Ana Lee"}
    assert [each["alg"] for each in asked["pubKeyCredParams"]] == [ES256, EDDSA, RS256]
    assert asked["attestation"] == "none"
    assert asked["authenticatorSelection"]["residentKey"] == "preferred"
    assert asked["authenticatorSelection"]["userVerification"] == "preferred"
    assert [each["id"] for each in asked["excludeCredentials"]] == [b64(device.credential)]
    assert len(unb64(asked["challenge"])) == 64
    assert begun.facts["challenge"] == asked["challenge"]


def test_what_the_browser_is_asked_at_proof():
    device = Authenticator()
    second = json.loads(KIND.ask(PARTY, [enrolled(device)]).webauthn_options)
    assert (second["rpId"], second["userVerification"]) == (PARTY.id, "preferred")
    assert [(each["id"], each["transports"]) for each in second["allowCredentials"]] == [
        (b64(device.credential), ["nfc", "usb"])
    ]
    alone = json.loads(KIND.ask(PARTY, ()).webauthn_options)
    assert (alone["allowCredentials"], alone["userVerification"]) == ([], "required")
    assert alone["challenge"] != second["challenge"]


def test_whose_credential_an_answer_names():
    device = Authenticator()
    assert webauthn.presented(answer(device.get(KIND.ask(PARTY, ()).webauthn_options))) == b64(
        device.credential
    )


# --- altered --------------------------------------------------------------------------------------

ALTERED_PROOF = {
    "challenge": {"client": {"challenge": b64(b"c" * 64)}},
    "no challenge": {"client": {"challenge": ""}},
    "challenge of another type": {"client": {"challenge": 5}},
    "origin": {"client": {"origin": FOREIGN}},
    "origin without TLS": {"client": {"origin": "http://pass.acme.example"}},
    "origin with a port": {"client": {"origin": "https://pass.acme.example:8443"}},
    "origin of a sibling": {"client": {"origin": "https://acme.example"}},
    "origin as a list": {"client": {"origin": ["https://pass.acme.example"]}},
    "within another site": {"client": {"crossOrigin": True}},
    "under another site": {"client": {"topOrigin": FOREIGN}},
    "an enrolment's type": {"client": {"type": "webauthn.create"}},
    "RP id": {"rp_id": "acme.example"},
    "nobody present": {"flags": UV},
    "signature": {"spoil": True},
    "backup state without eligibility": {"flags": UP | UV | BS},
    "backup eligibility": {"flags": UP | UV | BE},
    "another's user handle": {"user_handle": person("eve").handle},
    "empty user handle": {"user_handle": b""},
    "counter back": {"counter": 6},
    "counter the same": {"counter": 7},
    "counter gone": {"counter": 0},
    "id and rawId differ": {"outer": {"id": b64(b"other")}},
    "type": {"outer": {"type": "password"}},
    "no response": {"outer": {"response": None}},
}


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("altered", ALTERED_PROOF.values(), ids=ALTERED_PROOF)
def test_an_altered_proof_is_refused_and_the_honest_one_is_not(altered, alone):
    device = Authenticator(counter=7)
    mine = enrolled(device)
    with pytest.raises(CodeWrong) as refused:
        prove(device, [mine], alone=alone, **altered)
    assert (refused.value.detail == webauthn.COUNTER) is ("counter" in altered)
    assert prove(device, [mine], alone=alone)[0].factor == mine


def test_a_passkey_as_the_whole_sign_in_has_verified_its_user():
    device = Authenticator()
    mine = enrolled(device)
    with pytest.raises(CodeWrong) as refused:
        prove(device, [mine], alone=True, flags=UP)
    assert "verif" in refused.value.detail
    assert prove(device, [mine], flags=UP)[0].methods == ("hwk", "mfa")


def test_what_was_asked_of_nobody_in_particular_is_not_settled_by_a_made_up_mark():
    """Only what `ask` kept for known devices lets a proof go without user verification."""
    device = Authenticator()
    mine = enrolled(device)
    asked = KIND.ask(PARTY, [mine])
    text = device.get(asked.webauthn_options, flags=UP)
    for kept in ({"challenge": asked.facts["challenge"]}, {**asked.facts, "verification": "discouraged"}):
        with pytest.raises(CodeWrong):
            KIND.verify(PARTY, [mine], kept, answer(text), NOW)
    assert KIND.verify(PARTY, [mine], asked.facts, answer(text), NOW)


def test_a_copy_of_a_device_is_told_apart_from_a_forgery():
    """Only where all else fits does the counter say something."""
    device = Authenticator(counter=7)
    mine = enrolled(device)
    with pytest.raises(CodeWrong) as refused:
        prove(device, [mine], counter=3, spoil=True)
    assert refused.value.detail != webauthn.COUNTER


def test_another_persons_device_under_my_name():
    eves = Authenticator(credential=b"eves")
    enrolled(eves, person("eve"))
    with pytest.raises(CodeWrong):
        prove(eves, [enrolled(Authenticator())])


def test_another_devices_key_under_my_credential_id():
    mine = enrolled(Authenticator())
    with pytest.raises(CodeWrong):
        prove(Authenticator(user_handle=person().handle), [mine])


def test_an_answer_to_an_earlier_question():
    device = Authenticator()
    mine = enrolled(device)
    before, asked = KIND.ask(PARTY, [mine]), KIND.ask(PARTY, [mine])
    old = answer(device.get(before.webauthn_options))
    with pytest.raises(CodeWrong):
        KIND.verify(PARTY, [mine], asked.facts, old, NOW)
    with pytest.raises(CodeWrong):
        KIND.verify(PARTY, [mine], {}, old, NOW)
    assert KIND.verify(PARTY, [mine], before.facts, old, NOW)


def _weak_rsa(bits: int) -> dict[int, object]:
    n = rsa.generate_private_key(65537, bits).public_key().public_numbers().n
    return {1: 3, 3: RS256, -1: n.to_bytes(bits // 8, "big"), -2: b"\x01\x00\x01"}


ES = Authenticator()
ALTERED_ENROLMENT = {
    "challenge": {"client": {"challenge": b64(b"c" * 64)}},
    "origin": {"client": {"origin": FOREIGN}},
    "within another site": {"client": {"crossOrigin": True}},
    "a proof's type": {"client": {"type": "webauthn.get"}},
    "RP id": {"rp_id": "evil.example"},
    "nobody present": {"flags": UV},
    "backup state without eligibility": {"flags": UP | UV | BS},
    "an attestation of another maker": {"attestation": ("fido-u2f", {"sig": b"s", "x5c": [b"c"]})},
    "an attestation that is none": {"attestation": ("none", {"sig": b"s"})},
    "an unknown attestation": {"attestation": ("mine", {})},
    "attestation of another type": {"attestation": (7, {})},
    "packed, with a certificate": {"attestation": ("packed", {"alg": ES256, "sig": b"s", "x5c": [b"c"]})},
    "packed, with a wrong signature": {"attestation": ("packed", {"alg": ES256, "sig": b"s"})},
    "credential id of 1024 bytes": {"credential": b"c" * 1024},
    "no credential id": {"credential": b""},
    "no key": {"public_key": {}},
    "a point off the curve": {"public_key": {**ES.public_key(), -2: b"\x01" * 32}},
    "a point under EdDSA": {"public_key": {**ES.public_key(), 3: EDDSA}},
    "another key's algorithm": {"public_key": {**ES.public_key(), 3: RS256}},
    "HMAC": {"public_key": {1: 4, 3: 5, -1: b"k" * 32}},
    "another curve": {"public_key": {**Authenticator(algorithm=ES384).public_key(), 3: ES256}},
    "ES384": {"public_key": Authenticator(algorithm=ES384).public_key()},
    "Ed25519 under ES256": {"public_key": {**Authenticator(algorithm=EDDSA).public_key(), 3: ES256}},
    "RSA of 1024 bits": {"public_key": _weak_rsa(1024)},
    "RSA of 12000 bits": {"public_key": {1: 3, 3: RS256, -1: b"\xff" * 1500, -2: b"\x01\x00\x01"}},
    "id and rawId differ": {"outer": {"id": b64(b"other")}},
    "no response": {"outer": {"response": 1}},
    "nothing but nesting": {"public_key": b"\x81" * 4000},
    "a string of exabytes": {"public_key": b"\x5b" + b"\x7f" * 8},
}


@pytest.mark.parametrize("altered", ALTERED_ENROLMENT.values(), ids=ALTERED_ENROLMENT)
def test_an_altered_enrolment_is_refused_and_the_honest_one_is_not(altered):
    with pytest.raises(CodeWrong):
        enrol(Authenticator(), **altered)
    assert enrol(Authenticator()).counter == 1


@pytest.mark.parametrize("maker", ["packed", "fido-u2f"])
def test_a_makers_certificate_is_not_read(maker):
    """Nobody asked for one: it would tell of the device, and its parser would be open to strangers. It is valid: the
    library takes it."""
    with pytest.raises(CodeWrong) as refused:
        enrol(Authenticator(), maker=maker)
    assert refused.value.detail == webauthn.UNASKED
    begun = KIND.begin(PARTY, person(), ())
    made = verify_registration_response(
        credential=Authenticator().create(begun.webauthn_options, maker=maker),
        expected_challenge=unb64(begun.facts["challenge"]),
        expected_rp_id=PARTY.id,
        expected_origin=PARTY.origin,
    )
    assert made.fmt == maker


@pytest.mark.parametrize("form", ["tpm", "android-key", "android-safetynet", "apple", "fido-u2f", "compound"])
def test_no_other_form_of_attestation_is_looked_into(form):
    with pytest.raises(CodeWrong) as refused:
        enrol(Authenticator(), attestation=(form, {"ver": "1", "response": b"a.b.c", "sig": b"s"}))
    assert refused.value.detail == webauthn.UNASKED


def test_an_enrolment_that_was_not_begun():
    device = Authenticator()
    text = device.create(KIND.begin(PARTY, person(), ()).webauthn_options)
    with pytest.raises(CodeWrong):
        KIND.finish(PARTY, {}, answer(text), NOW)


# --- anything at all ------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def _refused_or(text: str, do) -> None:
    try:
        do(text)
    except CodeWrong as refused:
        assert len(refused.detail) <= 200


MINE = enrolled(Authenticator())
BEGUN = KIND.begin(PARTY, person(), ())
ASKED = KIND.ask(PARTY, [MINE])
DOES = (
    lambda text: KIND.finish(PARTY, BEGUN.facts, answer(text), NOW),
    lambda text: KIND.verify(PARTY, [MINE], ASKED.facts, answer(text), NOW),
    lambda text: webauthn.presented(answer(text)),
)


@given(st.text() | JSON.map(json.dumps), st.sampled_from(DOES))
def test_any_text_is_refused_and_nothing_else(text, do):
    _refused_or(text, do)


@pytest.mark.parametrize("do", DOES)
@pytest.mark.parametrize("text", ["[" * 16_000, "x" * 16_385, '{"a":' * 2_700, "9" * 5_000, "\ud800"])
def test_odd_texts(text, do):
    with pytest.raises(CodeWrong):
        do(text)


def _changed(honest: str, path: list[str], value: object) -> str:
    document = json.loads(honest)
    place = document
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return json.dumps(document)


PATHS = [
    [["id"], ["rawId"], ["type"], ["response"], ["authenticatorAttachment"]],
    [
        ["response", each]
        for each in (
            "clientDataJSON",
            "attestationObject",
            "authenticatorData",
            "signature",
            "userHandle",
            "transports",
        )
    ],
]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PATHS[0] + PATHS[1]), JSON | st.binary(max_size=300).map(b64), st.booleans())
def test_any_value_in_any_place_is_refused_or_harmless(path, value, creating):
    device = Authenticator(user_handle=person().handle)
    if creating:
        _refused_or(_changed(device.create(BEGUN.webauthn_options), path, value), DOES[0])
    else:
        _refused_or(_changed(device.get(ASKED.webauthn_options), path, value), DOES[1])


@given(st.binary(max_size=400) | JSON.map(lambda value: cbor2.dumps(value)), st.booleans())
def test_any_bytes_where_cbor_is_expected(data, whole):
    device = Authenticator()
    honest = device.create(BEGUN.webauthn_options, **({} if whole else {"public_key": data}))
    if whole:
        honest = _changed(honest, ["response", "attestationObject"], b64(data))
    _refused_or(honest, DOES[0])
