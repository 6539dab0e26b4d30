"""Security keys and passkeys: Web Authentication, Level 3. Signatures are the package `webauthn`'s work.

A device that is one factor of two may leave out user verification (a key without PIN or fingerprint); a passkey
that is the whole sign-in must not. Attestation is not asked for: what it would say is not looked at.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    parse_attestation_object,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from app.errors import CodeWrong
from app.mfa.seam import Begun, Made, Person, RelyingParty
from app.people import Factor, FactorAnswer, FactorKind, Passed

COUNTER: Final = "counter"
"""`detail` of the refusal where all fits but the signature counter has not risen: there may be a copy of the device
(6.1.1)."""
UNASKED: Final = "an attestation that was not asked for"
MOST_BYTES: Final = 16 * 1024
"""Of an answer, as text."""
_ALGORITHMS: Final = (
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
)
_FORMATS: Final = frozenset({"none", "packed"})
"""What reaches us when none is asked for: nothing, or a device's signature by its own new key (5.1.3)."""
_CREDENTIAL_BYTES: Final = 1023
"""7.1, "Verify that the credentialId is ≤ 1023 bytes"."""
_RSA_BITS: Final = range(2048, 8193)
_TIMEOUT: Final = 5 * 60 * 1000
"""Milliseconds that the browser waits for the device; a hint."""
_REQUIRED: Final = "required"
_PREFERRED: Final = "preferred"


@dataclass(frozen=True, slots=True)
class WebAuthn:
    """A security key or a passkey."""

    kind: FactorKind = "webauthn"

    def begin(self, party: RelyingParty, person: Person, have: Sequence[Factor]) -> Begun:
        """Options for `navigator.credentials.create` (5.4), not for a device that the person has enrolled already."""
        username = person.username or person.subject
        options = generate_registration_options(
            rp_id=party.id,
            rp_name=party.name,
            user_name=username,
            user_id=person.handle,
            user_display_name=person.name or username,
            timeout=_TIMEOUT,
            attestation=AttestationConveyancePreference.NONE,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED,
                user_verification=UserVerificationRequirement.PREFERRED,
            ),
            exclude_credentials=_descriptors(have),
            supported_pub_key_algs=list(_ALGORITHMS),
        )
        facts = {
            "challenge": bytes_to_base64url(options.challenge),
            "user_handle": bytes_to_base64url(person.handle),
        }
        return Begun(facts=facts, webauthn_options=options_to_json(options))

    def finish(
        self, party: RelyingParty, begun: Mapping[str, str], answer: FactorAnswer, now: datetime
    ) -> Made:
        """The device, from what `create` gave (7.1)."""
        text = _bounded(answer)
        try:
            credential = parse_registration_credential_json(text)
            _own_page(credential.response.client_data_json)
            attested = parse_attestation_object(credential.response.attestation_object)
            if attested.fmt not in _FORMATS or attested.att_stmt.x5c is not None:
                raise CodeWrong(UNASKED)
            made = verify_registration_response(
                credential=credential,
                expected_challenge=base64url_to_bytes(begun["challenge"]),
                expected_rp_id=party.id,
                expected_origin=party.origin,
                supported_pub_key_algs=list(_ALGORITHMS),
            )
            _usable(made.credential_public_key)
        except CodeWrong:
            raise
        except Exception as refused:
            # The library lets out whatever its parsers raise; every one of them means no.
            raise CodeWrong(_why(refused)) from refused
        if len(made.credential_id) > _CREDENTIAL_BYTES:
            raise CodeWrong("credential id too long")
        facts = {
            "credential": bytes_to_base64url(made.credential_id),
            "public_key": bytes_to_base64url(made.credential_public_key),
            "user_handle": begun["user_handle"],
            "aaguid": made.aaguid,
            "transports": ",".join(sorted({each.value for each in credential.response.transports or ()})),
            "backed_up": _flag(made.credential_backed_up),
            "synced": _flag(made.credential_device_type is CredentialDeviceType.MULTI_DEVICE),
        }
        return Made(facts=facts, counter=made.sign_count)

    def ask(self, party: RelyingParty, have: Sequence[Factor]) -> Begun:
        """Options for `navigator.credentials.get` (5.5).

        With devices: one of them, as second factor. Without: any passkey that the person picks, as the whole
        sign-in; then user verification is required.
        """
        wanted = _PREFERRED if have else _REQUIRED
        options = generate_authentication_options(
            rp_id=party.id,
            timeout=_TIMEOUT,
            allow_credentials=_descriptors(have),
            user_verification=UserVerificationRequirement(wanted),
        )
        facts = {"challenge": bytes_to_base64url(options.challenge), "verification": wanted}
        return Begun(facts=facts, webauthn_options=options_to_json(options))

    def verify(
        self,
        party: RelyingParty,
        have: Sequence[Factor],
        asked: Mapping[str, str],
        answer: FactorAnswer,
        now: datetime,
    ) -> tuple[Passed, int]:
        """Which device signed, and its counter (7.2). Unless `asked` was for devices of a known person, the answer
        must name the person by their handle and have verified them."""
        alone = asked.get("verification") != _PREFERRED
        credential = _presented(answer)
        by_id = {factor.facts["credential"]: factor for factor in have}
        factor = by_id.get(bytes_to_base64url(credential.raw_id))
        if factor is None:
            raise CodeWrong("no credential of this person's")
        _same_handle(factor, credential.response.user_handle, needed=alone)
        try:
            _own_page(credential.response.client_data_json)
            seen = verify_authentication_response(
                credential=credential,
                expected_challenge=base64url_to_bytes(asked["challenge"]),
                expected_rp_id=party.id,
                expected_origin=party.origin,
                credential_public_key=base64url_to_bytes(factor.facts["public_key"]),
                credential_current_sign_count=0,  # looked at below, where it says more than "no"
                require_user_verification=alone,
            )
        except CodeWrong:
            raise
        except Exception as refused:
            raise CodeWrong(_why(refused)) from refused
        synced = seen.credential_device_type is CredentialDeviceType.MULTI_DEVICE
        if factor.facts.get("synced", _flag(synced)) != _flag(synced):
            raise CodeWrong("backup eligibility has changed")  # 7.2: it never does
        _counter_rose(factor, seen)
        methods = ("swk" if synced else "hwk", *(("user",) if seen.user_verified else ()), "mfa")
        passed = Passed(
            self.kind,
            factor,
            methods=methods,
            phishing_resistant=seen.user_verified,
            user_verified=seen.user_verified,
        )
        return passed, seen.new_sign_count


def presented(answer: FactorAnswer) -> str:
    """The credential id (base64url) that an answer names, to look its device up by. Nothing of it is believed yet.
    Raises CodeWrong."""
    return bytes_to_base64url(_presented(answer).raw_id)


def _presented(answer: FactorAnswer) -> AuthenticationCredential:
    text = _bounded(answer)
    try:
        return parse_authentication_credential_json(text)
    except Exception as refused:
        raise CodeWrong(_why(refused)) from refused


def _bounded(answer: FactorAnswer) -> str:
    if len(answer.text) > MOST_BYTES:
        raise CodeWrong("answer too long")
    return answer.text


def _own_page(client_data: bytes) -> None:
    """It was asked for by our own page and not within another site's (5.8.1, `crossOrigin`; 7.1, 7.2)."""
    if parse_client_data_json(client_data).cross_origin or "topOrigin" in json.loads(client_data):
        raise CodeWrong("asked for within another site's page")


def _usable(public_key: bytes) -> None:
    """A key that can be verified with, and cheaply: nothing signs at enrolment, so nothing else would look."""
    decoded = decode_credential_public_key(public_key)
    key = decoded_public_key_to_cryptography(decoded)
    match decoded.alg:
        case COSEAlgorithmIdentifier.ECDSA_SHA_256:
            fits = isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
        case COSEAlgorithmIdentifier.EDDSA:
            fits = isinstance(key, Ed25519PublicKey)
        case _:
            fits = isinstance(key, RSAPublicKey) and key.key_size in _RSA_BITS
    if not fits:
        raise CodeWrong("key and algorithm do not belong together")


def _same_handle(factor: Factor, handle: bytes | None, *, needed: bool) -> None:
    """The device means the same person as we do (7.2, step 6). Devices may leave it out where we know the person."""
    if handle is None:
        if needed:
            raise CodeWrong("no user handle")
        return
    if not hmac.compare_digest(bytes_to_base64url(handle), factor.facts["user_handle"]):
        raise CodeWrong("another person's user handle")


def _counter_rose(factor: Factor, seen: VerifiedAuthentication) -> None:
    """7.2, "signCount": zero both times is a device that keeps none."""
    before = max(factor.counter, 0)
    if (seen.new_sign_count or before) and seen.new_sign_count <= before:
        raise CodeWrong(COUNTER)


def _descriptors(have: Sequence[Factor]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(factor.facts["credential"]),
            transports=[
                AuthenticatorTransport(each) for each in factor.facts.get("transports", "").split(",") if each
            ]
            or None,
        )
        for factor in have
    ]


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _why(refused: Exception) -> str:
    """For the operator; a bound, because it may quote what was sent."""
    return f"{type(refused).__name__}: {refused}"[:200]
