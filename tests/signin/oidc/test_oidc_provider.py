"""What the provider says about itself: discovery, keys, userinfo; lies, floods and age."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from app.errors import ProviderFailed, Refusal
from app.signin import oidc_discovery, oidc_keys
from app.signin.oidc_json import read_object
from tests.signin.oidc.builders import (
    GONE,
    Handler,
    Journey,
    Provider,
    b64,
    down,
    drip,
    ec,
    flood,
    garbage,
    journey,
    okp,
    public,
    redirect,
    rsa,
)
from tests.signin.oidc.test_oidc_flow import answers, code

DISCOVERY = "/.well-known/openid-configuration"


# --- discovery ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "expected"),
    [(drip, "provider.failed"), (flood, "provider.failed"), (redirect, "provider.failed"), (down, "provider.failed"),
     (garbage, "provider.failed"), (answers(200, b"[]"), "provider.failed"), (answers(200, b""), "provider.failed"),
     (answers(200, b'{"a":' * 60_000), "provider.failed"), (answers(204, b""), "provider.failed"),
     (Handler.missing, "provider.failed")],
)  # fmt: skip
def test_a_provider_that_misbehaves_is_refused_at_the_start(
    provider: Provider, route: Callable[[Handler], None], expected: str
) -> None:
    honest = provider.routes[DISCOVERY]
    provider.routes[DISCOVERY] = route
    assert code(journey(provider, timeout=0.5).start) == expected
    assert provider.hits["/elsewhere"] == 0
    provider.routes[DISCOVERY] = honest
    assert journey(provider).start().outbound.url.startswith(provider.issuer)


@pytest.mark.parametrize(
    "issuer", [GONE, None, "", "https://evil.example", "{}/", "{}x", 5, ["{}"], "HTTP{}"]
)
def test_a_document_for_another_issuer_is_refused(provider: Provider, issuer: object) -> None:
    provider.metadata["issuer"] = issuer.format(provider.issuer) if isinstance(issuer, str) else issuer
    assert code(journey(provider).start) == "provider.failed"


@pytest.mark.parametrize(
    "endpoint", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"]
)
@pytest.mark.parametrize(
    "address",
    ["javascript:alert(document.domain)//", "data:text/html,x", "file:///etc/passwd", "ftp://idp.example/", "", None,
     5, ["https://idp.example/"], "/relative", "//idp.example/x", "http://idp.example/x", "http://10.0.0.1/x",
     "http://169.254.169.254/latest", "http://127.0.0.1.evil.example/", "https://user:pw@idp.example/",
     "https://idp.example/x#fragment", "https://idp.example/\r\nX: y", "https://idp.example/a b",
     "https://idp.example\\@evil.example/", "https://idp.example:0/", "https://[::1/", 'https://idp.example/"><script>',
     "https://" + "x" * 3_000],
)  # fmt: skip
def test_an_endpoint_that_is_not_https_or_loopback_is_refused(
    provider: Provider, endpoint: str, address: object
) -> None:
    provider.metadata[endpoint] = address
    assert code(journey(provider).start) == "provider.failed"


@pytest.mark.parametrize("endpoint", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_a_missing_endpoint_is_refused(provider: Provider, endpoint: str) -> None:
    provider.metadata[endpoint] = GONE
    assert code(journey(provider).start) == "provider.failed"


def document(**changes: object) -> bytes:
    issuer = "https://idp.example"
    return json.dumps(
        {
            "issuer": issuer,
            "authorization_endpoint": issuer + "/authorize",
            "token_endpoint": "https://tokens.idp.example/token",
            "jwks_uri": issuer + "/jwks",
            **changes,
        }
    ).encode()


@pytest.mark.parametrize("address", ["http://127.0.0.1/x", "http://localhost/x", "http://idp.example/x"])
def test_an_https_issuer_has_no_http_endpoint_not_even_on_loopback(address: str) -> None:
    found = oidc_discovery.read(document(), "https://idp.example")
    assert (found.userinfo, found.names_itself, found.secret_in_body) == (None, False, False)
    with pytest.raises(ProviderFailed):
        oidc_discovery.read(document(token_endpoint=address), "https://idp.example")


@pytest.mark.parametrize("value", ["true", 1, [True], {}])
def test_only_a_boolean_announces_iss(value: object) -> None:
    changed = document(authorization_response_iss_parameter_supported=value)
    assert not oidc_discovery.read(changed, "https://idp.example").names_itself


def test_an_endpoint_at_a_closed_address_is_refused_when_it_is_asked(provider: Provider) -> None:
    for endpoint, address in (
        ("token_endpoint", "https://169.254.169.254/latest/meta-data/"),
        ("token_endpoint", "https://[fd00:ec2::254]/"),
        ("jwks_uri", "https://[::ffff:169.254.169.254]/keys"),
        ("jwks_uri", "https://169.254.170.2/v2/credentials"),
    ):
        provider.metadata = {endpoint: address}
        assert code(journey(provider).sign_in) == "provider.address"
    provider.metadata = {}
    assert journey(provider).sign_in().identity.username == "piotr"


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_issuers_last_slash_counts_but_is_not_doubled(provider: Provider, slash: str) -> None:
    provider.metadata["issuer"] = provider.issuer + slash
    assert journey(provider, issuer=provider.issuer + slash).start().key
    other = provider.issuer + ("" if slash else "/")
    assert code(journey(provider, issuer=other).start) == "provider.failed"


def test_discovery_is_used_for_an_hour_and_not_a_second_longer(ours: Journey) -> None:
    for _ in range(3):
        ours.start()
    ours.clock.move(minutes=59, seconds=59)
    ours.start()
    assert ours.provider.hits[DISCOVERY] == 1
    ours.clock.move(seconds=1)
    ours.start()
    assert ours.provider.hits[DISCOVERY] == 2
    ours.clock.move(hours=-2)
    ours.start()
    assert ours.provider.hits[DISCOVERY] == 3


def test_nothing_stale_is_used_when_the_provider_goes_down_or_turns(ours: Journey) -> None:
    ours.start()
    ours.clock.move(hours=1)
    ours.provider.routes[DISCOVERY] = down
    assert code(ours.start) == "provider.failed"
    ours.clock.move(seconds=5)
    ours.provider.routes[DISCOVERY] = lambda handler: handler.json(ours.provider.document())
    ours.provider.metadata["issuer"] = "https://evil.example"
    assert code(ours.start) == "provider.failed"


def test_a_dead_provider_is_asked_once_in_five_seconds_however_many_people_click(provider: Provider) -> None:
    ours = journey(provider, timeout=0.4)
    honest = provider.routes[DISCOVERY]
    provider.routes[DISCOVERY] = drip
    codes: list[str] = []
    threads = [threading.Thread(target=lambda: codes.append(code(ours.start))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == ["provider.failed"] * 20
    assert provider.hits[DISCOVERY] == 1
    provider.routes[DISCOVERY] = honest
    assert code(ours.start) == "provider.failed"
    ours.clock.move(seconds=5)
    assert ours.start().key


# --- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "route",
    [drip, flood, redirect, down, garbage, answers(200, b"[]"), answers(200, b"{}"), answers(200, b'{"keys": {}}'),
     answers(200, b'{"keys": [' + b"{}," * 200 + b"{}]}"), answers(200, b'{"keys": ' + b"[" * 60_000)],
)  # fmt: skip
def test_a_key_address_that_misbehaves_is_refused(
    provider: Provider, route: Callable[[Handler], None]
) -> None:
    provider.routes["/jwks"] = route
    assert code(journey(provider, timeout=0.5).sign_in) == "provider.failed"


@pytest.mark.parametrize("path", [DISCOVERY, "/jwks"])
@pytest.mark.parametrize("status", [201, 404, 500])
def test_a_good_document_with_a_bad_status_is_refused(provider: Provider, path: str, status: int) -> None:
    documents = {DISCOVERY: provider.document(), "/jwks": {"keys": provider.keys}}
    honest = provider.routes[path]
    provider.routes[path] = lambda handler: handler.json(documents[path], status)
    assert code(journey(provider).sign_in) == "provider.failed"
    provider.routes[path] = honest
    assert journey(provider).sign_in().identity.username == "piotr"


def test_a_crowd_that_meets_no_keys_yet_costs_one_fetch(ours: Journey) -> None:
    ours.start()
    honest = ours.provider.routes["/jwks"]

    def slow(handler: Handler) -> None:
        time.sleep(0.3)
        honest(handler)

    ours.provider.routes["/jwks"] = slow
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: ours.sign_in().identity.username, range(6)))
    assert found == ["piotr"] * 6
    assert ours.provider.hits["/jwks"] == 1


def test_thirty_unknown_key_ids_cost_one_fetch_a_minute(ours: Journey) -> None:
    ours.sign_in()
    ours.clock.move(minutes=1)
    for number in range(30):
        ours.provider.header["kid"] = f"unknown-{number}"
        assert code(ours.sign_in) == "oidc.token"
    assert ours.provider.hits["/jwks"] == 2
    ours.clock.move(seconds=60)
    for number in range(30):
        ours.provider.header["kid"] = f"unknown-{number}"
        assert code(ours.sign_in) == "oidc.token"
    assert ours.provider.hits["/jwks"] == 3
    ours.provider.header.clear()
    assert ours.sign_in().identity.username == "piotr"


def test_thirty_unknown_key_ids_at_once_cost_one_fetch(ours: Journey) -> None:
    ours.sign_in()
    ours.clock.move(minutes=1)
    ours.provider.header["kid"] = "unknown"
    codes: list[str] = []
    threads = [threading.Thread(target=lambda: codes.append(code(ours.sign_in))) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == ["oidc.token"] * 30
    assert ours.provider.hits["/jwks"] == 2


def test_unknown_key_ids_do_not_make_a_failing_provider_be_asked_more_often(ours: Journey) -> None:
    ours.sign_in()
    ours.clock.move(minutes=1)
    honest = ours.provider.routes["/jwks"]
    ours.provider.routes["/jwks"] = down
    ours.provider.header["kid"] = "unknown"
    assert code(ours.sign_in) == "provider.failed"
    for _ in range(5):
        ours.clock.move(seconds=9)
        assert code(ours.sign_in) == "oidc.token"
    assert ours.provider.hits["/jwks"] == 2
    ours.provider.routes["/jwks"] = honest
    ours.provider.header.clear()
    assert ours.sign_in().identity.username == "piotr"


def test_a_new_key_is_met_by_its_unknown_id(ours: Journey) -> None:
    ours.sign_in()
    ours.clock.move(minutes=1)
    ours.provider.keys.append(public(rsa("two"), kid="k2"))
    ours.provider.signing_key, ours.provider.header = rsa("two"), {"kid": "k2"}
    assert ours.sign_in().identity.username == "piotr"
    assert ours.provider.hits["/jwks"] == 2


def test_a_withdrawn_key_is_believed_for_an_hour_at_most(ours: Journey) -> None:
    ours.sign_in()
    ours.provider.keys = [public(rsa("two"), kid="k2")]
    ours.clock.move(minutes=59, seconds=59)
    assert ours.sign_in().identity.username == "piotr"
    ours.clock.move(seconds=1)
    assert code(ours.sign_in) == "oidc.token"
    ours.provider.signing_key, ours.provider.header = rsa("two"), {"kid": "k2"}
    assert ours.sign_in().identity.username == "piotr"


def test_old_keys_are_not_used_when_new_ones_cannot_be_had(ours: Journey) -> None:
    ours.sign_in()
    ours.clock.move(hours=1)
    ours.provider.routes["/jwks"] = down
    assert code(ours.sign_in) == "provider.failed"


def test_keys_of_another_address_are_forgotten(ours: Journey) -> None:
    ours.sign_in()
    ours.clock.move(hours=1)
    ours.provider.metadata["jwks_uri"] = ours.provider.issuer + "/moved"
    ours.provider.routes["/moved"] = down
    assert code(ours.sign_in) == "provider.failed"
    ours.clock.move(seconds=10)
    ours.provider.routes["/moved"] = lambda handler: handler.json({"keys": ours.provider.keys})
    assert ours.sign_in().identity.username == "piotr"


def test_without_a_key_id_there_must_be_one_key_that_fits(provider: Provider) -> None:
    provider.header["kid"] = GONE
    provider.keys = [{name: value for name, value in public(rsa()).items() if name != "kid"}]
    assert journey(provider).sign_in().identity.username == "piotr"
    provider.keys = [public(ec(), kid="e1"), public(rsa(), kid="k1"), {"kty": "oct", "k": "eA"}]
    assert journey(provider).sign_in().identity.username == "piotr"
    provider.keys = [public(rsa(), kid="k1"), public(rsa("two"), kid="k2")]
    assert code(journey(provider).sign_in) == "oidc.token"
    provider.keys = []
    assert code(journey(provider).sign_in) == "oidc.token"


def test_two_fitting_keys_of_one_id_are_refused_and_two_of_different_types_are_not(
    provider: Provider,
) -> None:
    provider.keys = [public(rsa("two"), kid="k1"), public(rsa(), kid="k1")]
    assert code(journey(provider).sign_in) == "oidc.token"
    provider.keys = [public(ec(), kid="k1"), public(rsa(), kid="k1")]
    assert journey(provider).sign_in().identity.username == "piotr"


@pytest.mark.parametrize(
    "change",
    [{"use": "enc"}, {"use": 5}, {"key_ops": ["encrypt"]}, {"key_ops": []}, {"key_ops": "verify"}, {"alg": "RS384"},
     {"alg": "HS256"}, {"alg": "none"}, {"alg": 5}, {"kty": "oct"}, {"kty": "EC"}, {"kty": ["RSA"]}, {"kty": GONE},
     {"kid": 5}, {"kid": ["k1"]}, {"n": GONE}, {"n": 5}, {"n": ""}, {"n": "!!!"}, {"n": "AA" * 200}, {"e": "AA"},
     {"e": ""}, {"e": "AQ" * 50}, {"n": "x" * 20_000}, {"d": "AQAB"}, {"d": None}],
)  # fmt: skip
def test_a_key_that_is_not_for_this_is_not_used(provider: Provider, change: dict[str, object]) -> None:
    key = {**public(rsa(), kid="k1"), **change}
    provider.keys = [{name: value for name, value in key.items() if value is not GONE}]
    assert code(journey(provider).sign_in) == "oidc.token"
    provider.keys = ["x", None, 5, *provider.keys, public(rsa(), kid="k1")]  # type: ignore[list-item]
    assert journey(provider).sign_in().identity.username == "piotr"


def test_a_key_is_used_only_with_the_algorithm_that_it_names(provider: Provider) -> None:
    provider.keys = [public(rsa(), kid="k1", alg="RS384")]
    both = ("RS256", "RS384")
    assert code(journey(provider, algorithms=both).sign_in) == "oidc.token"
    provider.header["alg"] = "RS384"
    assert journey(provider, algorithms=both).sign_in().identity.username == "piotr"


@pytest.mark.parametrize(
    "change",
    [{"use": "sig"}, {"key_ops": ["verify"]}, {"alg": "RS256"}, {"x5c": "garbage"}, {"x5u": "file:///dev/zero"},
     {"x5t": 5}, {"unknown": {"a": [1]}}],
)  # fmt: skip
def test_what_else_a_key_says_does_not_matter(provider: Provider, change: dict[str, object]) -> None:
    provider.keys = [public(rsa(), kid="k1", **change)]
    assert journey(provider).sign_in().identity.username == "piotr"


def test_a_weak_or_a_huge_rsa_key_is_not_used(provider: Provider) -> None:
    weak = rsa("weak", 1_024)
    provider.keys, provider.signing_key = [public(weak, kid="k1")], weak
    assert code(journey(provider).sign_in) == "oidc.token"
    provider.keys = [
        public(weak, kid="k1", n=b64(bytes(128) + weak.public_key.public_numbers().n.to_bytes(128)))
    ]
    assert code(journey(provider).sign_in) == "oidc.token"
    large = rsa("large", 3_072)
    provider.keys, provider.signing_key = [public(large, kid="k1")], large
    assert journey(provider).sign_in().identity.username == "piotr"


def test_a_key_of_an_agreement_curve_is_dropped() -> None:
    agreement = {"kty": "OKP", "crv": "X25519", "x": b64(b"x" * 32), "kid": "k1"}
    assert oidc_keys.read(json.dumps({"keys": [agreement]}).encode(), {"EdDSA", "Ed25519"}) == ()
    assert len(oidc_keys.read(json.dumps({"keys": [public(okp(), kid="k1")]}).encode(), {"EdDSA"})) == 1


# --- userinfo -------------------------------------------------------------------------------------


def test_userinfo_adds_what_the_token_does_not_say(provider: Provider) -> None:
    provider.claims = {"groups": GONE, "preferred_username": GONE}
    provider.userinfo = {"groups": ["contractors"], "preferred_username": "piotr", "name": "Somebody Else"}
    identity = journey(provider, userinfo=True).sign_in().identity
    assert (identity.username, identity.groups, identity.name) == ("piotr", ("contractors",), "Piotr Nowak")
    assert code(journey(provider).sign_in) == "identity.incomplete"


def test_userinfo_is_not_asked_unless_configured(ours: Journey) -> None:
    ours.sign_in()
    assert ours.provider.hits["/userinfo"] == 0


@pytest.mark.parametrize("subject", [GONE, "", "248289761002", None, 248289761001, ["248289761001"]])
def test_userinfo_of_another_subject_is_refused(provider: Provider, subject: object) -> None:
    provider.userinfo = {"sub": subject}
    assert code(journey(provider, userinfo=True).sign_in) == "oidc.userinfo"
    provider.userinfo = {}
    assert journey(provider, userinfo=True).sign_in().identity.username == "piotr"


def test_userinfo_says_nothing_about_how_somebody_signed_in(provider: Provider) -> None:
    provider.userinfo = {
        "amr": ["mfa", "hwk"],
        "acr": "phr",
        "auth_time": 1,
        "iss": "x",
        "aud": "y",
        "exp": 0,
    }
    identity = journey(provider, userinfo=True).sign_in().identity
    assert identity.authentication.mfa_at is None
    assert identity.authentication.methods == ()
    assert "amr" not in identity.claims
    assert identity.claims["aud"] == ("daypass",)


def test_an_email_and_its_proof_never_come_half_from_each(provider: Provider) -> None:
    provider.claims = {"email": GONE, "email_verified": True}
    provider.userinfo = {"email": "ceo@partner.example", "email_verified": False}
    assert journey(provider, userinfo=True).sign_in().identity.email is None
    provider.claims = {"email": GONE, "email_verified": GONE}
    provider.userinfo = {"email": "piotr@partner.example", "email_verified": True}
    assert journey(provider, userinfo=True).sign_in().identity.email == "piotr@partner.example"


def test_a_list_that_the_token_calls_cut_is_not_completed_by_userinfo(provider: Provider) -> None:
    provider.claims = {"groups": GONE, "_claim_names": {"groups": "src1"}}
    provider.userinfo = {"groups": ["contractors"]}
    assert code(journey(provider, userinfo=True).sign_in) == "identity.groups_incomplete"


@pytest.mark.parametrize(
    ("route", "expected"),
    [(drip, "provider.failed"), (flood, "provider.failed"), (redirect, "provider.failed"), (down, "provider.failed"),
     (garbage, "provider.failed"), (answers(200, b"{}", "application/jwt"), "provider.failed"),
     (answers(200, b"{}", ""), "provider.failed"), (answers(401, b"{}"), "provider.failed"),
     (answers(200, b"[]"), "provider.failed"), (answers(200, b"{}"), "oidc.userinfo")],
)  # fmt: skip
def test_a_userinfo_endpoint_that_misbehaves_is_refused(
    provider: Provider, route: Callable[[Handler], None], expected: str
) -> None:
    provider.routes["/userinfo"] = route
    assert code(journey(provider, userinfo=True, timeout=0.5).sign_in) == expected


def test_userinfo_that_is_wanted_but_cannot_be_had_is_refused(provider: Provider) -> None:
    provider.metadata["userinfo_endpoint"] = GONE
    assert code(journey(provider, userinfo=True).sign_in) == "provider.failed"
    provider.metadata, provider.response = {}, {"access_token": GONE, "token_type": GONE}
    assert code(journey(provider, userinfo=True).sign_in) == "provider.failed"


# --- properties -----------------------------------------------------------------------------------


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
MEMBERS = st.sampled_from(["kty", "n", "e", "crv", "x", "y", "use", "key_ops", "alg", "kid", "d"])
VALUES = (
    JSON
    | st.sampled_from(["RSA", "EC", "OKP", "P-256", "Ed25519", "X25519", "sig", "RS256"])
    | st.binary(max_size=300).map(b64)
)


@runs(deadline=None)
@given(st.lists(st.dictionaries(MEMBERS, VALUES, max_size=6), max_size=3))
def test_any_key_set_is_read_or_refused(keys: list[dict[str, object]]) -> None:
    try:
        found = oidc_keys.read(json.dumps({"keys": keys}).encode(), oidc_keys.ASYMMETRIC)
    except ProviderFailed:
        return
    assert all(not known.key.is_private for known in found)


@runs(deadline=None)
@given(st.dictionaries(MEMBERS, VALUES, max_size=3))
def test_any_change_to_a_good_key_is_taken_or_dropped(change: dict[str, object]) -> None:
    for good in (public(rsa(), kid="k1"), public(ec(), kid="k1"), public(okp(), kid="k1")):
        with contextlib.suppress(ProviderFailed):
            oidc_keys.read(json.dumps({"keys": [{**good, **change}]}).encode(), oidc_keys.ASYMMETRIC)


@runs(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint",
             "token_endpoint_auth_methods_supported", "authorization_response_iss_parameter_supported"]
        ),
        JSON | st.text(max_size=20).map("https://".__add__),
    )
)  # fmt: skip
def test_any_metadata_is_read_or_refused(changes: dict[str, object]) -> None:
    try:
        found = oidc_discovery.read(document(**changes), "https://idp.example")
    except ProviderFailed:
        return
    assert all(address.startswith("https://") for address in (found.authorization, found.token, found.keys))


def test_a_byte_order_mark_is_told_as_what_it_is() -> None:
    with pytest.raises(ValueError, match="Unexpected UTF-8 BOM"):
        read_object(b"\xef\xbb\xbf{}")


@runs(deadline=None)
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_object_or_a_value_error(document: bytes) -> None:
    try:
        assert isinstance(read_object(document), dict)
    except ValueError:
        return


def test_the_code_helper_asserts_a_refusal() -> None:
    def refuse() -> None:
        raise Refusal

    assert code(refuse) == "refused"
