"""The whole conversation: what goes out, what comes back, and an answer that is not ours."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from app.errors import Refusal
from app.model import Proof, SourceId
from app.signin.places import MOST
from app.signin.seam import Proven
from tests.signin.oidc.builders import (
    BASE,
    GONE,
    NOW,
    SECRET,
    Handler,
    Journey,
    Provider,
    down,
    drip,
    flood,
    garbage,
    journey,
    redirect,
)


def code(attempt: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as caught:
        attempt()
    return caught.value.code


def test_an_honest_sign_in_ends_with_the_person(ours: Journey) -> None:
    proven = ours.sign_in()
    identity = proven.identity
    assert (identity.source, identity.subject, identity.username) == ("partner", "248289761001", "piotr")
    assert (identity.name, identity.email) == ("Piotr Nowak", "piotr@partner.example")
    assert identity.groups == ("contractors",)
    assert identity.claims["groups"] == ("contractors", "other")
    assert identity.claims["email_verified"] == ("true",)
    assert not {"nonce", "at_hash"} & identity.claims.keys()
    assert identity.authentication.at == NOW - timedelta(seconds=30)
    assert identity.authentication.mfa_at is None
    assert proven.once == ()


def test_the_request_carries_state_nonce_and_an_s256_challenge_and_nothing_secret(ours: Journey) -> None:
    started = ours.start()
    url = started.outbound.url
    asked = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
    assert asked == {
        "tenant": "1",
        "response_type": "code",
        "client_id": "daypass",
        "redirect_uri": f"{BASE}/oidc/partner/callback",
        "scope": "openid profile groups",
        "state": started.key,
        "nonce": started.secrets["nonce"],
        "code_challenge": asked["code_challenge"],
        "code_challenge_method": "S256",
    }
    assert len(started.key) == len(started.secrets["nonce"]) == len(started.secrets["code_verifier"]) == 43
    assert started.secrets["code_verifier"] not in url
    assert all(len(values) == 1 for values in parse_qs(urlsplit(url).query).values())


def test_every_sign_in_has_values_of_its_own(ours: Journey) -> None:
    several = [ours.start() for _ in range(5)]
    values = {value for each in several for value in (each.key, *each.secrets.values())}
    assert len(values) == 15


def test_the_scope_always_holds_openid(provider: Provider) -> None:
    started = journey(provider, scopes=("email",)).start()
    assert "scope=openid+email" in started.outbound.url


@pytest.mark.parametrize(
    "methods",
    [["client_secret_post"], ["private_key_jwt", "client_secret_post"]],
)
def test_the_secret_goes_into_the_form_only_where_nothing_else_is_announced(
    provider: Provider, methods: list[str]
) -> None:
    provider.metadata["token_endpoint_auth_methods_supported"] = methods
    assert journey(provider).sign_in().identity.username == "piotr"


def test_a_public_client_sends_no_secret(provider: Provider) -> None:
    provider.client_secret = None
    assert journey(provider, client_secret=None).sign_in().identity.username == "piotr"


def test_a_secret_that_the_provider_does_not_take_is_the_providers_failure(provider: Provider) -> None:
    assert code(journey(provider, client_secret="wrong").sign_in) == "provider.failed"


# --- state, code, browser -------------------------------------------------------------------------


def test_an_answer_to_another_sign_in_is_refused_and_the_code_is_not_sent(ours: Journey) -> None:
    mine, victim = ours.start(), ours.start()
    fields = ours.provider.authorize(victim.outbound.url)
    assert code(lambda: ours.finish(mine, fields)) == "signin.not_started_here"
    assert code(lambda: ours.finish(mine, {**fields, "state": ""})) == "signin.not_started_here"
    assert code(lambda: ours.finish(mine, {"code": fields["code"]})) == "signin.not_started_here"
    assert code(lambda: ours.finish(mine, {**fields, "state": "ü\ud800"})) == "signin.not_started_here"
    assert ours.provider.hits["/token"] == 0
    assert ours.finish(victim, fields).identity.username == "piotr"


def test_an_answer_at_another_sources_address_is_refused(ours: Journey) -> None:
    started = ours.start()
    fields = ours.provider.authorize(started.outbound.url)
    assert code(lambda: ours.finish(started, fields, source=SourceId("corp"))) == "signin.not_started_here"
    proof = Proof(SourceId("corp"), fields)
    assert code(lambda: ours.source.finish(ours.pending(started), proof, NOW)) == "signin.not_started_here"
    assert code(lambda: ours.finish(started, fields, secrets={})) == "signin.not_started_here"


def test_a_stolen_code_in_the_thiefs_own_sign_in_fails_by_pkce(ours: Journey) -> None:
    victim, thief = ours.start(), ours.start()
    stolen = ours.provider.authorize(victim.outbound.url)["code"]
    own = ours.provider.authorize(thief.outbound.url)
    assert code(lambda: ours.finish(thief, {**own, "code": stolen})) == "oidc.refused"


def test_a_stolen_code_fails_by_the_nonce_where_the_provider_ignores_pkce(ours: Journey) -> None:
    victim, thief = ours.start(), ours.start()
    stolen = ours.provider.authorize(victim.outbound.url)["code"]
    own = ours.provider.authorize(thief.outbound.url)
    asked = ours.provider.codes[stolen]
    ours.provider.codes[stolen] = {**ours.provider.codes[own["code"]], "nonce": asked["nonce"]}
    assert code(lambda: ours.finish(thief, {**own, "code": stolen})) == "oidc.nonce"


def test_a_code_is_redeemed_once_also_by_twenty_at_once(ours: Journey) -> None:
    started = ours.start()
    fields = ours.provider.authorize(started.outbound.url)
    ours.source.warm()
    outcomes: list[str] = []

    def redeem() -> None:
        try:
            ours.finish(started, fields)
            outcomes.append("in")
        except Refusal as refused:
            outcomes.append(refused.code)

    threads = [threading.Thread(target=redeem) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["in"] + ["oidc.refused"] * 19


@pytest.mark.parametrize("bad", ["", "x" * 8_193, "a\r\nb", "cödé"])
def test_what_cannot_be_a_code_is_not_sent(ours: Journey, bad: str) -> None:
    ours.provider.callback["code"] = bad
    assert code(ours.sign_in) == "oidc.refused"
    assert ours.provider.hits["/token"] == 0


def test_a_missing_code_is_refused(ours: Journey) -> None:
    ours.provider.callback["code"] = GONE
    assert code(ours.sign_in) == "oidc.refused"


# --- mix-up and errors ----------------------------------------------------------------------------


@pytest.mark.parametrize("issuer", ["https://evil.example", "", GONE, "{}/", "{}/x", "HTTP://127.0.0.1"])
def test_a_foreign_or_missing_iss_is_refused_where_the_provider_announces_it(
    ours: Journey, issuer: object
) -> None:
    ours.provider.callback["iss"] = issuer.format(ours.provider.issuer) if isinstance(issuer, str) else issuer
    assert code(ours.sign_in) == "oidc.issuer"
    assert ours.provider.hits["/token"] == 0
    ours.provider.callback.clear()
    assert ours.sign_in().identity.username == "piotr"


def test_iss_may_be_missing_where_it_is_not_announced_but_never_be_foreign(provider: Provider) -> None:
    provider.metadata["authorization_response_iss_parameter_supported"] = GONE
    provider.callback["iss"] = GONE
    assert journey(provider).sign_in().identity.username == "piotr"
    provider.callback["iss"] = "https://evil.example"
    assert code(journey(provider).sign_in) == "oidc.issuer"


def test_the_providers_no_is_told_apart_and_its_words_stay_in_the_detail(ours: Journey) -> None:
    words = "cancelled\r\n\x1b[31m\u202e by user" + "x" * 1_000
    ours.provider.callback |= {"code": GONE, "error": "access_denied", "error_description": words}
    started = ours.start()
    with pytest.raises(Refusal) as caught:
        ours.finish(started, ours.provider.authorize(started.outbound.url))
    refused = caught.value
    assert refused.code == "signin.denied_by_provider"
    assert "access_denied" in refused.detail
    assert "cancelled" not in refused.words
    assert refused.detail.isascii() and refused.detail.isprintable() and len(refused.detail) < 600


def test_an_error_from_another_provider_is_not_believed_either(ours: Journey) -> None:
    ours.provider.callback |= {"code": GONE, "error": "access_denied", "iss": "https://evil.example"}
    assert code(ours.sign_in) == "oidc.issuer"


def test_an_error_beside_a_code_wins(ours: Journey) -> None:
    ours.provider.callback["error"] = "access_denied"
    assert code(ours.sign_in) == "signin.denied_by_provider"
    assert ours.provider.hits["/token"] == 0


# --- the token endpoint ---------------------------------------------------------------------------


def answers(status: int, body: bytes, content_type: str = "application/json") -> Callable[[Handler], None]:
    return lambda handler: handler.send(status, body, content_type)


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        (drip, "provider.failed"),
        (flood, "provider.failed"),
        (redirect, "provider.failed"),
        (down, "provider.failed"),
        (garbage, "provider.failed"),
        (answers(200, b"[]"), "provider.failed"),
        (answers(200, b'{"id_token": "x", "id_token": "y"}'), "provider.failed"),
        (answers(200, b'{"expires_in": NaN}'), "provider.failed"),
        (answers(200, b'{"a":' * 60_000), "provider.failed"),
        (answers(200, b'{"expires_in": ' + b"9" * 5_000 + b"}"), "provider.failed"),
        (answers(200, b"\xff\xfe{}"), "provider.failed"),
        (answers(200, b"{}", "text/html"), "provider.failed"),
        (answers(400, b"<html>"), "provider.failed"),
        (answers(400, b'{"error": "invalid_request"}'), "provider.failed"),
        (answers(400, b'{"error": 5}'), "provider.failed"),
        (answers(400, b'{"error": "invalid_grant"}'), "oidc.refused"),
        (answers(200, b"{}"), "oidc.token"),
        (answers(200, b'{"id_token": 5}'), "oidc.token"),
        (answers(200, b'{"id_token": {"a": 1}}'), "oidc.token"),
        (answers(200, b'{"id_token": ""}'), "oidc.token"),
    ],
)
def test_a_token_endpoint_that_misbehaves_is_refused(
    provider: Provider, route: Callable[[Handler], None], expected: str
) -> None:
    ours = journey(provider, timeout=0.5)
    honest = provider.routes["/token"]
    provider.routes["/token"] = route
    assert code(ours.sign_in) == expected
    assert provider.hits["/elsewhere"] == 0
    provider.routes["/token"] = honest
    assert ours.sign_in().identity.username == "piotr"


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token"])
def test_who_finds_too_many_waiting_for_a_slow_provider_is_refused_while_they_wait(
    ours: Journey, path: str
) -> None:
    going, arrived, released = (threading.Semaphore(0), threading.Semaphore(0), threading.Event())
    honest = ours.provider.routes[path]

    def slow(handler: Handler) -> None:
        arrived.release()
        released.wait(4)
        honest(handler)

    if path == "/token":
        begun = [ours.start() for _ in range(MOST + 1)]
        fields = [ours.provider.authorize(each.outbound.url) for each in begun]
    ours.provider.routes[path] = slow

    def go(number: int) -> str:
        going.release()
        if path != "/token":
            return ours.start().outbound.url
        return ours.finish(begun[number], fields[number]).identity.username

    with ThreadPoolExecutor(MOST + 1) as pool:
        waiting = [pool.submit(go, number) for number in range(MOST)]
        for _ in range(MOST):
            going.acquire()
        arrived.acquire()
        time.sleep(0.3)  # until each of them has its place
        late = pool.submit(go, MOST)
        try:
            with pytest.raises(Refusal) as refused:
                late.result(timeout=3)
        finally:
            released.set()
        assert all(each.result() for each in waiting)
    assert refused.value.code == "provider.failed"
    assert "wait for the provider already" in refused.value.detail
    assert go(MOST)


@pytest.mark.parametrize("status", [201, 400, 401, 403, 500])
def test_a_good_token_with_a_bad_status_lets_nobody_in(ours: Journey, status: int) -> None:
    provider = ours.provider

    def token(handler: Handler) -> None:
        asked = provider.asked[-1]
        handler.json(provider.token_response(asked), status)

    provider.routes["/token"] = token
    assert code(ours.sign_in) == "provider.failed"


@pytest.mark.parametrize(
    "change",
    [
        {"token_type": "DPoP"},
        {"token_type": GONE},
        {"token_type": 5},
        {"access_token": 5},
        {"access_token": "a\r\nX: y"},
        {"access_token": "a b"},
        {"access_token": ""},
        {"access_token": "x" * 20_000},
    ],
)
def test_an_access_token_that_is_no_bearer_token_is_refused(ours: Journey, change: dict[str, object]) -> None:
    ours.provider.response |= change
    assert code(ours.sign_in) == "provider.failed"


def test_an_access_token_may_be_missing_and_its_type_is_of_any_case(ours: Journey) -> None:
    ours.provider.response |= {"token_type": "bEARER"}
    assert ours.sign_in().identity.username == "piotr"
    ours.provider.response |= {"access_token": GONE, "token_type": GONE}
    assert ours.sign_in().identity.username == "piotr"


# --- the rest of the seam -------------------------------------------------------------------------


def test_there_is_no_metadata_to_show(ours: Journey) -> None:
    assert code(ours.source.metadata) == "unknown"


def test_warming_fetches_what_a_sign_in_needs_and_never_raises(ours: Journey) -> None:
    ours.source.warm()
    ours.sign_in()
    assert ours.provider.hits["/.well-known/openid-configuration"] == ours.provider.hits["/jwks"] == 1


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks"])
@pytest.mark.parametrize("route", [down, garbage, redirect, drip])
def test_warming_a_broken_provider_never_raises(
    provider: Provider, path: str, route: Callable[[Handler], None]
) -> None:
    provider.routes[path] = route
    journey(provider, timeout=0.3).source.warm()


def test_no_secret_of_a_sign_in_gets_into_log_or_refusal(
    ours: Journey, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    seen: list[str] = []

    def attempt(run: Callable[[], Proven]) -> None:
        try:
            seen.append(repr(run()))
        except Refusal as refused:
            cause = refused.__cause__ or (None if refused.__suppress_context__ else refused.__context__)
            seen.append(f"{refused} {refused.detail} {refused.words} {refused!r} {cause!r}")

    provider = ours.provider
    id_tokens: list[str] = []
    honest = provider.id_token

    def remember(nonce: str) -> str:
        id_tokens.append(honest(nonce))
        return id_tokens[-1]

    provider.id_token = remember  # type: ignore[method-assign]
    started = ours.start()
    fields = provider.authorize(started.outbound.url)
    attempt(lambda: ours.finish(started, fields))
    attempt(lambda: ours.finish(started, fields))
    for change in ({"nonce": "other"}, {"exp": 0}, {"sub": ""}, {"at_hash": "x"}):
        provider.claims = dict(change)
        attempt(ours.sign_in)
    provider.claims = {}
    provider.header = {"alg": "none"}
    provider.forge = lambda header, claims: "e30.e30."
    attempt(ours.sign_in)
    text = " ".join([*seen, caplog.text, *capfd.readouterr(), repr(started), repr(ours.pending(started))])
    assert len(seen) == 7
    for secret in (
        SECRET,
        "access-token",
        *id_tokens,
        *started.secrets.values(),
        fields["code"],
        started.key,
    ):
        assert secret not in text.replace(f"key='{started.key}'", "")
