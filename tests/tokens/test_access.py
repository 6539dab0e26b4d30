"""Access tokens: read as they were minted, and only those (RFC 9068, RFC 8725)."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey

from app.errors import TokenInvalid
from app.tokens import SigningKeys, new_token_id, subject_of, whole
from app.tokens.access import LONGEST
from tests.store.builders import PARTNER, identity
from tests.tokens.builders import AUDIENCE, DAY, HOUR, ISSUER, NOW, SECOND, claims, issuer, payload, signed

SECONDS = int(NOW.timestamp())


@pytest.fixture
def made():
    return issuer()


def read(made, token: str, *, now=NOW, audience: str = AUDIENCE):
    return made.tokens.read(token, ISSUER, audience, now)


def refused(made, token: str, **asked) -> str:
    with pytest.raises(TokenInvalid) as refusal:
        read(made, token, **asked)
    assert refusal.value.__cause__ is None  # whose text may hold the token
    return refusal.value.detail


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(token: str, number: int) -> dict:
    text = token.split(".")[number]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


# --- honest ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes", [{}, {"scope": ("roles",)}, {"client": "ci"}, {"expires_at": NOW + 168 * HOUR}]
)
def test_a_token_is_read_as_it_was_minted(made, changes):
    assert read(made, made.tokens.mint(claims(**changes))) == claims(**changes)


def test_a_token_has_the_form_of_rfc_9068(made):
    token = made.tokens.mint(claims())
    kid, key = made.keys.current()
    assert part(token, 0) == {"typ": "at+jwt", "alg": "ES256", "kid": kid}
    assert part(token, 1) == payload()
    assert signed(key).split(".")[1] == b64(json.dumps(payload()).encode())
    assert read(made, signed(key)) == claims()  # what the tests below change is right as it is


def test_another_worker_reads_it(made):
    token = made.tokens.mint(claims())
    other = type(made.tokens)(SigningKeys(made.kept, made.clock))
    assert other.read(token, ISSUER, AUDIENCE, NOW) == claims()


def test_token_ids_and_subjects_are_opaque_and_distinct():
    assert len({new_token_id() for _ in range(100)}) == 100
    assert len(new_token_id()) == 22
    subjects = {
        subject_of(who)
        for who in (
            identity(),
            identity(username="other", email="other@acme.test", claims={}),
            identity(source=PARTNER),
            identity(subject="ana-8"),
            identity(subject='ana-7", "'),
            identity(subject="\ud800"),
        )
    }
    assert len(subjects) == 5  # the same person under any name
    assert all(len(subject) == 43 and "ana" not in subject for subject in subjects)


def test_whole_seconds_are_never_later():
    assert whole(NOW + timedelta(microseconds=999_999)) == NOW


# --- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("late", "good"),
    [(timedelta(0), True), (HOUR - timedelta(microseconds=1), True), (HOUR, False), (DAY, False)],
)
def test_a_token_is_over_exactly_when_it_says(made, late, good):
    token = made.tokens.mint(claims())
    if good:
        assert read(made, token, now=NOW + late) == claims()
    else:
        assert "out of date" in refused(made, token, now=NOW + late)


@pytest.mark.parametrize(("early", "good"), [(60, True), (61, False)])
def test_a_token_from_the_future_is_taken_only_within_the_skew(made, early, good):
    token = made.tokens.mint(claims())
    if good:
        assert read(made, token, now=NOW - early * SECOND) == claims()
    else:
        assert "future" in refused(made, token, now=NOW - early * SECOND)


def test_a_token_outlives_the_rotation_of_its_key_and_no_more(made):
    made.keys.current()
    made.keys.rotate(NOW + 28 * DAY)
    made.clock.at = NOW + 30 * DAY - SECOND
    last = made.tokens.mint(claims(issued_at=made.clock.at, expires_at=made.clock.at + 168 * HOUR))
    made.clock.at = NOW + 30 * DAY
    new = made.tokens.mint(claims(issued_at=made.clock.at, expires_at=made.clock.at + 168 * HOUR))
    assert part(last, 0)["kid"] != part(new, 0)["kid"]
    made.clock.at = NOW + 37 * DAY - 2 * SECOND
    made.keys.rotate(made.clock.at)
    assert read(made, last, now=made.clock.at)
    made.clock.at = NOW + 38 * DAY
    made.keys.rotate(made.clock.at)
    assert "not one of ours" in refused(made, last, now=NOW + 36 * DAY)


# --- whose, for whom ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"aud": f"{ISSUER}/other"}, "audience"),
        ({"aud": ISSUER}, "audience"),
        ({"aud": f"{AUDIENCE}/"}, "audience"),
        ({"aud": [AUDIENCE]}, "`aud`"),
        ({"aud": [AUDIENCE, "https://other.test"]}, "`aud`"),
        ({"iss": "https://other.test"}, "issuer"),
        ({"iss": f"{ISSUER}/"}, "issuer"),
        ({"exp": SECONDS}, "out of date"),
        ({"exp": 0}, "out of date"),
        ({"exp": SECONDS + 3600.5}, "`exp`"),
        ({"exp": str(SECONDS + 3600)}, "`exp`"),
        ({"exp": True}, "`exp`"),
        ({"exp": None}, "`exp`"),
        ({"exp": 10**40}, "`exp`"),
        ({"exp": -1}, "`exp`"),
        ({"exp": ...}, "claims"),
        ({"iat": SECONDS + 61}, "future"),
        ({"iat": False}, "`iat`"),
        ({"iat": ...}, "claims"),
        ({"sub": ""}, "`sub`"),
        ({"sub": 7}, "`sub`"),
        ({"sub": ...}, "claims"),
        ({"sid": {"a": 1}}, "`sid`"),
        ({"client_id": None}, "`client_id`"),
        ({"jti": []}, "`jti`"),
        ({"scope": ""}, "`scope`"),
        ({"scope": ["roles"]}, "`scope`"),
        ({"scope": "roles admin"}, "scope is unknown"),
        ({"scope": "roles  credentials"}, "scope is unknown"),
        ({"scope": "Roles"}, "scope is unknown"),
        ({"scope": ...}, "claims"),
        ({"nbf": SECONDS}, "claims"),
        ({"act": {"sub": "x"}}, "claims"),
    ],
)
def test_claims_that_ours_do_not_make_are_refused_though_our_key_signed_them(made, changes, word):
    _, key = made.keys.current()
    assert word in refused(made, signed(key, payload(**changes)))


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"7", b"{", b"\xff", b"[" * 1300 + b"]" * 1300, b'{"iss": NaN}', b"9" * 2000],
)
def test_a_payload_that_is_no_object_of_claims_is_refused_though_our_key_signed_it(made, body):
    _, key = made.keys.current()
    assert refused(made, signed(key, body))


def test_a_token_for_one_audience_opens_no_other(made):
    token = made.tokens.mint(claims(audience="https://daypass.test/other"))
    assert "audience" in refused(made, token)
    assert made.tokens.read(token, ISSUER, "https://daypass.test/other", NOW)


# --- header and signature -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "word"),
    [
        ({"typ": "JWT"}, "another type"),
        ({"typ": "AT+JWT"}, "another type"),
        ({"typ": "application/at+jwt"}, "another type"),
        ({"typ": 7}, "type"),
        ({"typ": ...}, "form"),
        ({"kid": ...}, "form"),
        ({"kid": "unknown"}, "not one of ours"),
        ({"kid": ""}, "not one of ours"),
        ({"kid": 7}, "`kid`"),
        ({"kid": ["a"]}, "`kid`"),
        ({"kid": {}}, "`kid`"),
        ({"jku": "https://evil.test/keys"}, "form"),
        ({"x5u": "https://evil.test/cert"}, "form"),
        ({"jwk": {"kty": "EC"}}, "form"),
        ({"x5c": ["AAAA"]}, "form"),
        ({"cty": "JWT"}, "form"),
        ({"zip": "DEF"}, "form"),
    ],
)
def test_a_header_that_ours_do_not_have_is_refused_though_our_key_signed_it(made, header, word):
    _, key = made.keys.current()
    try:
        token = signed(key, **header)
    except Exception:  # the library will not sign it: then by hand
        head = {"alg": "ES256", "kid": key.thumbprint(), "typ": "at+jwt"} | header
        token = ".".join([b64(json.dumps(head).encode()), *signed(key).split(".")[1:]])
    assert word in refused(made, token)


@pytest.mark.parametrize("crit", [["exp"], ["b64"], [], "exp"])
def test_nothing_critical_is_understood(made, crit):
    _, key = made.keys.current()
    head = {"alg": "ES256", "kid": key.thumbprint(), "typ": "at+jwt", "crit": crit, "b64": False, "exp": 1}
    token = ".".join([b64(json.dumps(head).encode()), *signed(key).split(".")[1:]])
    assert refused(made, token)


def test_a_header_that_brings_its_own_key_is_refused(made):
    own = ECKey.generate_key("P-256")
    token = signed(own, jwk=own.as_dict(private=False), kid=made.keys.current()[0])
    assert "form" in refused(made, token)


def test_another_key_under_our_name_signs_nothing(made):
    token = signed(ECKey.generate_key("P-256"), kid=made.keys.current()[0])
    assert "signature does not hold" in refused(made, token)


def test_no_other_algorithm_is_taken(made):
    kid, key = made.keys.current()
    forged = [
        signed(RSAKey.generate_key(2048), algorithm="RS256", kid=kid),
        signed(ECKey.generate_key("P-384"), algorithm="ES384", kid=kid),
    ]
    # The public key as the secret of an HMAC: everybody has it.
    for secret in (key.as_pem(private=False), json.dumps(key.as_dict(private=False)).encode(), b""):
        head = b64(json.dumps({"alg": "HS256", "kid": kid, "typ": "at+jwt"}).encode())
        text = f"{head}.{signed(key).split('.')[1]}"
        forged.append(f"{text}.{b64(hmac.digest(secret, text.encode(), 'sha256'))}")
    for algorithm in ("none", "None", "NONE", "", "es256", None, 7, ["ES256"], {"ES256": 1}):
        head = b64(json.dumps({"alg": algorithm, "kid": kid, "typ": "at+jwt"}).encode())
        forged += [f"{head}.{signed(key).split('.')[1]}.{tail}" for tail in (signed(key).split(".")[2], "AA")]
    for token in forged:
        assert "algorithm" in refused(made, token)


def test_a_token_without_a_signature_is_refused(made):
    head, body, _ = made.tokens.mint(claims()).split(".")
    for token in (f"{head}.{body}.", f"{head}.{body}", f"{head}..{body}", f".{body}.{head}", head):
        assert "no signed token" in refused(made, token)


def test_a_change_anywhere_is_seen(made):
    token = made.tokens.mint(claims())
    for place in range(0, len(token) - 1, 7):
        if token[place] != ".":
            other = "A" if token[place] != "A" else "B"
            assert refused(made, token[:place] + other + token[place + 1 :])


def test_a_payload_of_one_token_under_the_signature_of_another_is_refused(made):
    narrow = made.tokens.mint(claims(scope=("roles",))).split(".")
    wide = made.tokens.mint(claims()).split(".")
    assert "does not hold" in refused(made, ".".join([narrow[0], wide[1], narrow[2]]))


def test_what_is_too_long_is_not_looked_at(made):
    token = made.tokens.mint(claims(session="s" * LONGEST))
    assert "longer" in refused(made, token)
    assert "longer" in refused(made, "A" * 10_000_000)


@pytest.mark.parametrize(
    "token",
    [
        "",
        " ",
        "..",
        "a.b.c",
        "a.b.c.d.e",
        "é.é.é",
        "\x00",
        "\ud800",
        b64(b"[" * 900) + ".AA.AA",
        b64(b"9" * 900) + ".AA.AA",
        b64(b'{"alg":"ES256"}') + ".AA.AA",
        b64(b"null") + ".AA.AA",
        b64(b'"alg"') + ".AA.AA",
        b64(b'["alg"]') + ".AA.AA",
    ],
)
def test_what_is_no_token_is_refused(made, token):
    made.keys.current()
    assert refused(made, token)


def test_a_refusal_never_quotes_the_token(made):
    token = made.tokens.mint(claims())
    for late in (HOUR, -HOUR):
        said = refused(made, token, now=NOW + late)
        assert not any(piece in said for piece in token.split("."))
    assert "secretsecret" not in refused(made, "secretsecret")
    assert "secretsecret" not in refused(made, f"{b64(b'secretsecret')}.AA.AA")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "alg": st.just("ES256") | JSON,
        "kid": st.just("kid") | JSON,
        "typ": st.just("at+jwt") | JSON,
        "crit": JSON,
        "b64": JSON,
        "jwk": JSON,
    },
)
SHARED = issuer()
KID, KEY = SHARED.keys.current()


def unsigned(header: object, body: object, tail: bytes) -> str:
    if isinstance(header, dict) and header.get("kid") == "kid":
        header = header | {"kid": KID}
    return ".".join([b64(json.dumps(header).encode()), b64(json.dumps(body).encode()), b64(tail)])


@settings(deadline=None)
@given(
    st.text()
    | st.text("abcAZ09-_.=", max_size=80)
    | st.binary().map(lambda data: f"{b64(data)}.{b64(data)}.{b64(data)}")
    | st.builds(unsigned, HEADERS | JSON, JSON, st.binary(max_size=80))
)
@example("." * 4096)
def test_a_text_that_we_did_not_sign_is_refused_and_nothing_worse(token):
    with pytest.raises(TokenInvalid):
        read(SHARED, token)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {name: st.just(value) | JSON for name, value in payload().items()}, optional={"extra": JSON}
    )
    | JSON
)
def test_whatever_our_key_signed_is_read_as_ours_or_refused(body):
    try:
        found = read(SHARED, signed(KEY, json.dumps(body).encode()))
    except TokenInvalid:
        return
    assert (found.issuer, found.audience) == (ISSUER, AUDIENCE)
    assert found.issued_at - 60 * SECOND <= NOW < found.expires_at
    assert set(found.scope) <= {"roles", "credentials"}
    texts = (found.subject, found.client, found.session, found.token_id)
    assert all(isinstance(text, str) and text for text in texts)
