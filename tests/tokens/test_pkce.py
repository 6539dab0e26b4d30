"""PKCE: S256 in its exact form, and nothing else (RFC 7636)."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tokens.pkce import problem, proves

# RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


def s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def test_the_example_of_the_rfc_holds():
    assert problem(CHALLENGE, "S256") is None
    assert proves(VERIFIER, CHALLENGE)


@settings(deadline=None)
@given(st.text(UNRESERVED, min_size=43, max_size=128))
def test_every_right_verifier_proves_its_challenge_and_no_other(verifier):
    assert problem(s256(verifier), "S256") is None
    assert proves(verifier, s256(verifier))
    assert not proves(verifier, CHALLENGE) or verifier == VERIFIER


@pytest.mark.parametrize(
    ("challenge", "method", "word"),
    [
        ("", "S256", "required"),
        ("", "", "required"),
        (CHALLENGE, "", "must be `S256`"),  # which would mean `plain`
        (CHALLENGE, "plain", "must be `S256`"),
        (CHALLENGE, "s256", "must be `S256`"),
        (CHALLENGE, "S512", "must be `S256`"),
        (CHALLENGE[:-1], "S256", "43 characters"),
        (CHALLENGE + "=", "S256", "43 characters"),
        (CHALLENGE + "\n", "S256", "43 characters"),
        (CHALLENGE.replace("-", "+"), "S256", "43 characters"),
        ("é" * 43, "S256", "43 characters"),
    ],
)
def test_a_challenge_of_another_form_is_not_taken(challenge, method, word):
    assert word in problem(challenge, method)


@pytest.mark.parametrize(
    "verifier",
    [
        "",
        "a" * 42,
        "a" * 129,
        "a" * 42 + " ",
        "a" * 42 + "\n",
        "a" * 43 + "\n",
        "é" * 43,
        "a" * 42 + "+",
        "\ud800" * 43,
    ],
)
def test_a_verifier_of_another_form_proves_nothing(verifier):
    challenge = s256(verifier.encode("utf-8", "surrogatepass").decode("latin-1"))
    assert not proves(verifier, challenge)
    assert not proves(verifier, s256("") if not verifier else CHALLENGE)


def test_the_challenge_itself_proves_nothing():
    assert not proves(CHALLENGE, CHALLENGE)  # as it would by `plain`


@pytest.mark.parametrize("challenge", ["", "é" * 43, VERIFIER, CHALLENGE[:-1]])
def test_a_verifier_proves_no_challenge_of_another_form(challenge):
    assert not proves(VERIFIER, challenge)


@settings(deadline=None)
@given(st.text(), st.text())
def test_anything_may_be_asked(verifier, challenge):
    assert not proves(verifier, challenge)
