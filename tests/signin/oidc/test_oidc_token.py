"""The ID token: forged signatures, headers that bring a key, claims of a wrong value or type."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from joserfc.jwk import Key, OctKey

from app.errors import OidcClaims, OidcNonce, OidcToken, Refusal
from app.model import MfaTrust
from app.signin.oidc_claims import Expected, as_text, authentication, check, merged
from app.signin.oidc_keys import PublicKey
from app.signin.oidc_token import IdToken
from tests.signin.oidc.builders import (
    CLIENT,
    GONE,
    NOW,
    SECRET,
    Journey,
    Provider,
    b64,
    ec,
    journey,
    okp,
    public,
    rsa,
    sign,
)
from tests.signin.oidc.test_oidc_flow import code

Forge = Callable[[dict[str, object], dict[str, object]], str]
AT = int(NOW.timestamp())


# --- algorithm and signature ----------------------------------------------------------------------


def unsigned(algorithm: str) -> Forge:
    return lambda header, claims: f"{b64({**header, 'alg': algorithm})}.{b64(claims)}."


def hmac_with(secret: bytes) -> Forge:
    def forge(header: dict[str, object], claims: dict[str, object]) -> str:
        signed = f"{b64({**header, 'alg': 'HS256'})}.{b64(claims)}"
        return f"{signed}.{b64(hmac.digest(secret, signed.encode(), 'sha256'))}"

    return forge


def tampered(header: dict[str, object], claims: dict[str, object]) -> str:
    head, _, signature = sign(header, json.dumps(claims).encode(), rsa()).split(".")
    return f"{head}.{b64({**claims, 'preferred_username': 'root'})}.{signature}"


def signed_by(key: Key, algorithm: str = "RS256") -> Forge:
    return lambda header, claims: sign({**header, "alg": algorithm}, json.dumps(claims).encode(), key)


def header_with(**more: object) -> Forge:
    return lambda header, claims: sign({**header, **more}, json.dumps(claims).encode(), rsa())


PUBLIC_PEM = rsa().public_key.public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
OWN = public(rsa("attacker"), kid="k1")


@pytest.mark.parametrize(
    "forge",
    [
        unsigned("none"),
        unsigned("None"),
        unsigned("NONE"),
        unsigned("nOnE"),
        unsigned(""),
        unsigned("RS256"),
        hmac_with(PUBLIC_PEM),
        hmac_with(json.dumps(public(rsa())).encode()),
        hmac_with(SECRET.encode()),
        hmac_with(b""),
        tampered,
        signed_by(rsa("attacker")),
        signed_by(rsa(), "RS384"),
        signed_by(rsa(), "PS256"),
        signed_by(ec(), "ES256"),
        header_with(jku="https://evil.example/jwks"),
        header_with(x5u="https://evil.example/cert"),
        header_with(jwk=OWN),
        header_with(x5c=["MIIB"]),
        header_with(crit=["exp"], exp=1),
        header_with(crit=[]),
        header_with(crit=["b64"], b64=False),
        header_with(b64=True),
        header_with(typ="at+jwt"),
        header_with(typ="logout+jwt"),
        header_with(typ=5),
        header_with(kid=["k1"]),
        header_with(kid=None),
        header_with(kid=1),
        header_with(kid={"k1": 1}),
        header_with(kid="../../dev/null"),
        header_with(kid="https://evil.example/key"),
        header_with(kid="k1' OR 1=1 --"),
        header_with(kid="K1"),
        header_with(kid=""),
        header_with(long="x" * 600),
        lambda header, claims: "",
        lambda header, claims: "..",
        lambda header, claims: "a.b",
        lambda header, claims: "a.b.c.d.e",
        lambda header, claims: f"{b64('[]')}.{b64(claims)}.x",
        lambda header, claims: f"{b64(chr(34) + 'alg' + chr(34))}.{b64(claims)}.x",
        lambda header, claims: f"{b64('5')}.{b64(claims)}.x",
        lambda header, claims: f"{b64('{}')}.{b64(claims)}.x",
        lambda header, claims: f"{b64('{' + chr(34) + 'alg' + chr(34) + ': [' * 200)}.{b64(claims)}.x",
        lambda header, claims: f"{b64({'alg': ['RS256']})}.{b64(claims)}.x",
        lambda header, claims: f"{b64({'alg': {'a': 1}})}.{b64(claims)}.x",
        lambda header, claims: sign(header, json.dumps(claims).encode(), rsa()) + "=",
        lambda header, claims: sign(header, json.dumps(claims).encode(), rsa()) + "\n",
        lambda header, claims: " " + sign(header, json.dumps(claims).encode(), rsa()),
        lambda header, claims: sign(header, json.dumps(claims).encode(), rsa()).replace(".", "=.", 1),
        lambda header, claims: sign(header, json.dumps({**claims, "x": "y" * 70_000}).encode(), rsa()),
        lambda header, claims: "x" * 900_000,
        lambda header, claims: "e30.ü.x",
        lambda header, claims: sign(header, b"[]", rsa()),
        lambda header, claims: sign(header, b"", rsa()),
        lambda header, claims: sign(header, b"\xff", rsa()),
        lambda header, claims: sign(header, b"null", rsa()),
        lambda header, claims: sign(header, b'{"a":' * 8_000, rsa()),
        lambda header, claims: sign(header, b"[" * 40_000, rsa()),
        lambda header, claims: sign(header, json.dumps(claims).replace('"exp": ', '"exp": NaN, "exp": ').encode(), rsa()),
        lambda header, claims: sign(header, json.dumps(claims | {"x": float("inf")}).encode(), rsa()),
        lambda header, claims: sign(header, (json.dumps(claims)[:-1] + ', "sub": "1"}').encode(), rsa()),
        lambda header, claims: sign(header, (json.dumps(claims)[:-1] + ', "x": ' + "9" * 5_000 + "}").encode(), rsa()),
        lambda header, claims: sign(header, json.dumps(claims | {"x": "\ud800"}).encode(), rsa()),
        lambda header, claims: sign(header, json.dumps(claims | {"x": ["\x00"]}).encode(), rsa()),
    ],
)  # fmt: skip
def test_a_forged_token_is_refused_and_the_honest_one_after_it_taken(ours: Journey, forge: Forge) -> None:
    ours.source.warm()
    ours.provider.forge = forge
    assert code(ours.sign_in) == "oidc.token"
    ours.provider.forge = None
    assert ours.sign_in().identity.username == "piotr"


@pytest.mark.parametrize("algorithms", [["none"], ["HS256"], ["none", "RS256", "HS256"], "none", {}])
def test_what_discovery_announces_widens_nothing(provider: Provider, algorithms: object) -> None:
    provider.metadata["id_token_signing_alg_values_supported"] = algorithms
    assert journey(provider).sign_in().identity.username == "piotr"
    for forge in (unsigned("none"), hmac_with(SECRET.encode()), hmac_with(PUBLIC_PEM)):
        provider.forge = forge
        assert code(journey(provider).sign_in) == "oidc.token"


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (rsa(), "RS384"),
        (rsa(), "RS512"),
        (rsa(), "PS256"),
        (rsa(), "PS512"),
        (ec(), "ES256"),
        (ec("P-384"), "ES384"),
        (ec("P-521"), "ES512"),
        (okp(), "EdDSA"),
        (okp(), "Ed25519"),
    ],
)
def test_each_asymmetric_algorithm_works_where_it_is_configured_and_nowhere_else(
    provider: Provider, key: Key, algorithm: str
) -> None:
    provider.keys, provider.signing_key, provider.header = [public(key, kid="k1")], key, {"alg": algorithm}
    assert journey(provider, algorithms=(algorithm,)).sign_in().identity.username == "piotr"
    assert code(journey(provider).sign_in) == "oidc.token"


@pytest.mark.parametrize("algorithms", [(), ("none",), ("HS256",), ("HS256", "none", "dir")])
def test_no_configuration_makes_a_symmetric_or_empty_algorithm_work(
    provider: Provider, algorithms: tuple[str, ...]
) -> None:
    provider.keys.append({"kty": "oct", "k": b64(b"k" * 32), "kid": "o1"})
    for forge in (unsigned("none"), hmac_with(b"k" * 32), None):
        provider.forge = forge
        assert code(journey(provider, algorithms=algorithms).sign_in) == "oidc.token"


@pytest.mark.parametrize("more", [{}, {"alg": "HS256"}, {"alg": "RS256"}, {"use": "sig"}])
def test_a_symmetric_key_in_the_published_set_proves_nothing(
    provider: Provider, more: dict[str, str]
) -> None:
    secret = b"k" * 32
    provider.keys = [{"kty": "oct", "k": b64(secret), "kid": "k1", **more}]
    provider.metadata["id_token_signing_alg_values_supported"] = ["HS256"]
    provider.forge = hmac_with(secret)
    assert code(journey(provider).sign_in) == "oidc.token"
    provider.forge = None
    provider.keys.append(public(rsa(), kid="k1"))
    assert journey(provider).sign_in().identity.username == "piotr"


@pytest.mark.parametrize(("algorithm", "key"), [("none", rsa()), ("HS256", OctKey.import_key(b"k" * 32))])
def test_the_check_itself_takes_no_algorithm_without_a_key_pair(algorithm: str, key: Key) -> None:
    signed = sign({"alg": algorithm}, b"{}", key)
    with pytest.raises(OidcToken):
        IdToken(signed).payload((algorithm,), lambda alg, kid: key)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(("algorithm", "key"), [("RS256", ec()), ("ES256", rsa()), ("ES256", ec("P-384"))])
def test_a_key_that_the_library_cannot_check_with_means_no(algorithm: str, key: PublicKey) -> None:
    signed = f"{b64({'alg': algorithm})}.{b64('{}')}.{b64(bytes(64))}"
    with pytest.raises(OidcToken):
        IdToken(signed).payload((algorithm,), lambda alg, kid: key)


def test_signatures_of_the_largest_modulus_are_bounded(ours: Journey) -> None:
    header, claims = {"alg": "RS256", "kid": "k1"}, ours.provider.honest_claims("n")
    huge = f"{b64(header)}.{b64(claims)}.{b64(b'x' * 4_000)}"
    ours.provider.forge = lambda header, claims: huge
    assert code(ours.sign_in) == "oidc.token"


# --- claims ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        *[({"iss": value}, "oidc.claims") for value in (GONE, "", "https://evil.example", 5, None, ["x"], {"a": 1})],
        *[
            ({"aud": value}, "oidc.claims")
            for value in (GONE, "", "other", "daypass2", "DAYPASS", 5, None, True, [], ["other"], [CLIENT, "other"],
                          [CLIENT, CLIENT], [[CLIENT]], {CLIENT: 1}, [None], [CLIENT, None])
        ],
        *[({"azp": value}, "oidc.claims") for value in ("other", "", None, 5, [CLIENT])],
        ({"aud": "other", "azp": CLIENT}, "oidc.claims"),
        *[({"nonce": value}, "oidc.nonce") for value in (GONE, "", "other", None, 5, ["x"], "\u00fc", True)],
        *[
            ({name: value}, "oidc.claims")
            for name in ("exp", "iat", "nbf", "auth_time")
            for value in (None, "", str(AT), True, [], [AT], {}, -1, -1e300, 1e308, 10**400, 253402300800,
                          AT * 1000, 10**18)
        ],
        ({"exp": GONE}, "oidc.claims"),
        ({"iat": GONE}, "oidc.claims"),
        ({"exp": AT - 60}, "oidc.claims"),
        ({"exp": AT - 90}, "oidc.claims"),
        ({"exp": AT - 3_600}, "oidc.claims"),
        ({"exp": 0}, "oidc.claims"),
        ({"exp": False}, "oidc.claims"),
        ({"nbf": AT + 61}, "oidc.claims"),
        ({"nbf": AT + 90}, "oidc.claims"),
        ({"iat": AT + 61}, "oidc.claims"),
        ({"iat": AT - 661}, "oidc.claims"),
        ({"iat": 0}, "oidc.claims"),
        ({"auth_time": AT + 61}, "oidc.claims"),
        *[({"sub": value}, "oidc.claims") for value in (GONE, "", None, 5, True, ["x"], {}, "x" * 256, "sübject")],
        *[({"at_hash": value}, "oidc.claims") for value in ("", "x", None, 5, ["x"], b64(b"x" * 16))],
        *[({"amr": value}, "oidc.claims") for value in ("mfa", None, 5, {}, [5], [None], [["mfa"]], ["x" * 300])],
        *[({"acr": value}, "oidc.claims") for value in (5, ["x"], {}, True, "x" * 300)],
        ({f"c{number}": 1 for number in range(400)}, "oidc.claims"),
        ({"x": "y" * 9_000}, "oidc.claims"),
        ({"x": ["y"] * 2_001}, "oidc.claims"),
        ({"n" * 300: "y"}, "oidc.claims"),
        ({"a.b": "1", "a": {"b": "2"}}, "oidc.claims"),
        ({"a": {"b.c": "1", "b": {"c": "2"}}}, "oidc.claims"),
        ({"sub": " x "}, "identity.incomplete"),
        ({"sub": "a\nb"}, "identity.incomplete"),
        *[
            ({"preferred_username": value}, "identity.incomplete")
            for value in (GONE, "", " ", None, ["a", "b"], [], {"a": "b"}, "a\r\nb", "x\u202ey", "x" * 256)
        ],
        *[({"groups": value}, "identity.groups_incomplete") for value in (GONE, None, {"a": 1}, [["contractors"]],
                                                                         ["a", None], ["a", {}], ["a\nb"])],
        ({"_claim_names": {"groups": "src1"}}, "identity.groups_incomplete"),
        ({"_claim_names": {"groups": None}}, "identity.groups_incomplete"),
        ({"_claim_names": "groups"}, "identity.groups_incomplete"),
        ({"_claim_names": ["groups"]}, "identity.groups_incomplete"),
        ({"_claim_names": {"groups": {"a": "b"}}, "groups": GONE}, "identity.groups_incomplete"),
        ({"hasgroups": True}, "identity.groups_incomplete"),
        ({"hasgroups": "true", "groups": []}, "identity.groups_incomplete"),
    ],
)  # fmt: skip
def test_a_claim_of_wrong_value_or_type_is_refused(
    ours: Journey, change: dict[str, object], expected: str
) -> None:
    ours.provider.claims = change
    assert code(ours.sign_in) == expected
    ours.provider.claims = {}
    assert ours.sign_in().identity.username == "piotr"


@pytest.mark.parametrize(
    "change",
    [
        {"aud": [CLIENT]},
        {"azp": CLIENT},
        {"exp": AT - 59},
        {"exp": AT + 0.5},
        {"exp": AT + 86_400},
        {"nbf": AT + 60},
        {"nbf": AT - 3_600},
        {"iat": AT + 60},
        {"iat": AT - 660},
        {"auth_time": GONE},
        {"auth_time": AT - 86_400},
        {"sub": "x" * 255},
        {"sub": "auth0|64b"},
        {"at_hash": b64(hashlib.sha256(b"access-token").digest()[:16])},
        {"amr": []},
        {"acr": None},
        {"x": None, "y": [], "z": {"deep": {"deeper": {"deepest": {"lost": 1}}}}},
        {"_claim_names": {"picture": "src1"}},
        {"_claim_names": None},
        {"hasgroups": False},
        {"groups": []},
        {"groups": "contractors"},
    ],
)
def test_what_the_specification_allows_is_taken(ours: Journey, change: dict[str, object]) -> None:
    ours.provider.claims = change
    assert ours.sign_in().identity.username == "piotr"


@pytest.mark.parametrize(
    ("key", "algorithm", "digest"),
    [
        (rsa(), "RS384", "sha384"),
        (rsa(), "PS512", "sha512"),
        (okp(), "Ed25519", "sha512"),
        (okp(), "EdDSA", "sha512"),
    ],
)
def test_at_hash_is_made_with_the_hash_of_the_algorithm(
    provider: Provider, key: Key, algorithm: str, digest: str
) -> None:
    provider.keys, provider.signing_key, provider.header = [public(key, kid="k1")], key, {"alg": algorithm}
    raw = hashlib.new(digest, b"access-token").digest()
    provider.claims = {"at_hash": b64(raw[: len(raw) // 2])}
    assert journey(provider, algorithms=(algorithm,)).sign_in().identity.username == "piotr"
    provider.claims = {"at_hash": b64(hashlib.sha256(b"access-token").digest()[:16])}
    assert code(journey(provider, algorithms=(algorithm,)).sign_in) == "oidc.claims"


def test_at_hash_without_an_access_token_is_refused(ours: Journey) -> None:
    ours.provider.claims = {"at_hash": b64(hashlib.sha256(b"access-token").digest()[:16])}
    ours.provider.response = {"access_token": GONE}
    assert code(ours.sign_in) == "oidc.claims"


def test_a_token_is_judged_by_our_clock_when_that_is_moved(ours: Journey) -> None:
    started = ours.start()
    fields = ours.provider.authorize(started.outbound.url)
    token = ours.provider.token_response(ours.provider.asked[-1])
    ours.provider.routes["/token"] = lambda handler: handler.json(token)
    ours.clock.move(seconds=359)
    assert ours.finish(started, fields).identity.username == "piotr"
    ours.clock.move(seconds=1)
    assert code(lambda: ours.finish(started, fields)) == "oidc.claims"


@pytest.mark.parametrize("year", [1970, 9999])
def test_a_clock_at_the_end_of_the_calendar_refuses_and_does_not_break(year: int) -> None:
    now = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    with pytest.raises(OidcClaims):
        check(honest(), EXPECTED, now)
    claims = honest() | {name: now.timestamp() - 5 for name in ("iat", "exp", "auth_time")}
    if year == 1970:
        check(claims, EXPECTED, now)


# --- second factor --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "proven", "resistant"),
    [
        ({}, False, False),
        ({"amr": ["pwd"]}, False, False),
        ({"amr": ["pwd", "mfa"]}, True, False),
        ({"amr": ["hwk"]}, True, True),
        ({"amr": ["MFA"]}, False, False),
        ({"amr": ["phr"]}, False, False),
        ({"acr": "urn:two"}, True, False),
        ({"acr": "urn:three"}, False, False),
        ({"acr": "phr"}, True, True),
        ({"acr": "mfa"}, False, False),
        ({"amr": ["urn:two"]}, False, False),
        ({"acrs": ["urn:two"]}, False, False),
    ],
)
def test_a_second_factor_is_believed_only_from_listed_values(
    ours: Journey, claims: dict[str, object], proven: bool, resistant: bool
) -> None:
    ours.provider.claims = claims
    found = ours.sign_in().identity.authentication
    assert found.mfa_at == (NOW - timedelta(seconds=30) if proven else None)
    assert found.phishing_resistant is resistant
    assert found.methods == tuple(claims.get("amr", ()))  # type: ignore[arg-type]
    assert found.context == claims.get("acr")


def test_a_phishing_resistant_value_that_is_not_listed_proves_nothing(provider: Provider) -> None:
    provider.claims = {"amr": ["hwk", "mfa"], "acr": "phr"}
    found = journey(provider, mfa=MfaTrust(methods=frozenset({"mfa"}))).sign_in().identity.authentication
    assert found.mfa_at is not None
    assert not found.phishing_resistant


def test_without_auth_time_the_tokens_own_time_counts(ours: Journey) -> None:
    ours.provider.claims = {"auth_time": GONE, "amr": ["mfa"]}
    found = ours.sign_in().identity.authentication
    assert found.at == found.mfa_at == NOW


# --- e-mail ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verified", "email"),
    [(True, "ceo@x"), ("true", "ceo@x"), (False, None), ("false", None), (GONE, None), (1, None), ("yes", None),
     (None, None), ([True, False], None)],
)  # fmt: skip
def test_an_email_counts_only_when_it_is_verified_and_is_never_the_person(
    ours: Journey, verified: object, email: str | None
) -> None:
    ours.provider.claims = {"email": "ceo@x", "email_verified": verified}
    identity = ours.sign_in().identity
    assert identity.email == email
    assert identity.subject == "248289761001"


# --- properties -----------------------------------------------------------------------------------


EXPECTED = Expected("https://idp.example", CLIENT, "n" * 43, "RS256", "access-token")


def honest() -> dict[str, object]:
    return {
        "iss": "https://idp.example",
        "aud": CLIENT,
        "sub": "1",
        "exp": AT + 300,
        "iat": AT,
        "nonce": "n" * 43,
    }


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "sub", "at_hash", "auth_time", "amr", "acr", "groups",
     "preferred_username", "email", "email_verified", "_claim_names", "hasgroups"]
)  # fmt: skip


@runs(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, JSON, max_size=4))
def test_claims_of_any_type_are_taken_or_refused_and_nothing_else(changes: dict[str, object]) -> None:
    claims = honest() | changes
    try:
        check(claims, EXPECTED, NOW)
        found = authentication(claims, MfaTrust(), NOW)
        texts = as_text(claims)
    except (OidcClaims, OidcNonce):
        return
    assert (claims["iss"], claims["nonce"]) == ("https://idp.example", "n" * 43)
    assert claims["aud"] in (CLIENT, [CLIENT])
    assert found.at.tzinfo is UTC
    assert all(isinstance(value, str) for values in texts.values() for value in values)


@runs(deadline=None, max_examples=100)
@given(
    st.dictionaries(st.text(max_size=10), JSON, max_size=6),
    st.dictionaries(st.text(max_size=10), JSON, max_size=6),
)
def test_userinfo_never_changes_what_the_token_says(
    token: dict[str, object], info: dict[str, object]
) -> None:
    claims = token | {"sub": "1", "amr": ["pwd"]}
    found = merged(claims, info | {"sub": "1", "amr": ["mfa"], "acr": "high"})
    assert {name: found[name] for name in claims} == claims
    assert found.get("acr") == claims.get("acr")


def never(algorithm: str, kid: str | None) -> PublicKey:
    return rsa()


SOME = sign({"alg": "RS256"}, json.dumps(honest()).encode(), rsa())


@runs(deadline=None, max_examples=200)
@given(
    st.one_of(
        st.text(max_size=200),
        st.lists(st.binary(max_size=60).map(b64), min_size=3, max_size=3).map(".".join),
        st.tuples(JSON, JSON).map(lambda pair: f"{b64(json.dumps(pair[0]))}.{b64(json.dumps(pair[1]))}.eA"),
        st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk"]), JSON).map(
            lambda header: f"{b64({'alg': 'RS256', **header})}.e30.eA"
        ),
        st.tuples(st.integers(0, len(SOME) - 1), st.characters(codec="ascii")).map(
            lambda place: SOME[: place[0]] + place[1] + SOME[place[0] + 1 :]
        ),
    )
)
def test_any_text_as_a_token_is_refused_and_nothing_else(token: str) -> None:
    try:
        found = IdToken(token).payload(("RS256",), never)
    except OidcToken:
        return
    # What is taken says what was signed, to the letter.
    assert token.rpartition(".")[0] == SOME.rpartition(".")[0]
    assert found == honest()


@runs(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_under_a_good_signature_are_read_or_refused(payload: bytes) -> None:
    token = sign({"alg": "ES256"}, payload, ec())
    try:
        assert IdToken(token).payload(("ES256",), lambda algorithm, kid: ec()) == json.loads(payload)
    except Refusal as refused:
        assert refused.code == "oidc.token"


def test_expected_hides_its_secrets() -> None:
    shown = repr(replace(EXPECTED, nonce="n0nce", access_token="t0ken"))
    assert "n0nce" not in shown and "t0ken" not in shown
    assert base64.b64encode(b"t0ken").decode() not in shown
