"""What a proof makes of an authentication, where no conversation shows it by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from app.broker.proofs import proven, recent
from app.model import Authentication
from app.people import Passed
from tests.store.builders import NOW, factor, session


def test_the_last_proof_alone_says_whether_it_could_be_phished() -> None:
    """An old passkey and a fresh code are no fresh proof that cannot be phished; a fresh passkey is."""
    old = NOW - timedelta(hours=3)
    how = Authentication(at=old, methods=("pwd", "hwk", "user", "mfa"), mfa_at=old, phishing_resistant=True)
    by_code = proven(how, Passed("totp", factor(), ("otp", "mfa"), phishing_resistant=False), (), NOW)
    assert (by_code.mfa_at, by_code.phishing_resistant) == (NOW, False)
    key = replace(factor(), kind="webauthn")
    by_key = proven(by_code, Passed("webauthn", key, ("hwk", "mfa"), phishing_resistant=True), (), NOW)
    assert (by_key.mfa_at, by_key.phishing_resistant) == (NOW, True)


def test_a_proof_is_recent_for_ten_minutes_also_where_the_clock_was_moved_back() -> None:
    own = session()
    at = own.began
    for span, expected in ((0, True), (10, True), (11, False), (-9, True), (-11, False)):
        assert recent(own, (), at + timedelta(minutes=span)) is expected
        proof = replace(own.identity.authentication, mfa_at=at)
        proven_then = replace(own, identity=replace(own.identity, authentication=proof))
        assert recent(proven_then, (factor(),), at + timedelta(minutes=span)) is expected
    assert not recent(
        replace(own, identity=replace(own.identity, authentication=Authentication(at))), (factor(),), at
    )
