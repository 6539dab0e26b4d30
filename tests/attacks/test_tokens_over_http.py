"""Every attack on tokens that somebody has: stolen, altered, confused, another client's, out of date, of an old key.

How tokens are come by is attacked in `test_oauth_over_http.py`. Two workers; what one of them refuses, the
other refuses at once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import requests
from joserfc.jwk import ECKey, RSAKey

from app.keyring import load_or_create
from app.sealing import Sealer
from app.store import open_store
from app.tokens import AccessClaims, AccessTokens, SigningKeys
from tests.attacks.answers import refused
from tests.attacks.oauth_company import (
    EVERYWHERE,
    OauthCompany,
    given,
    hidden,
    outcomes,
    ungranted,
)
from tests.attacks.oidc_company import at_once
from tests.signin.oidc.builders import b64
from tests.tokens.builders import signed

READ_ONLY = "arn:aws:iam::111122223333:role/ReadOnly"
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OauthCompany]:
    with OauthCompany(tmp_path_factory.mktemp("acme")) as company:
        yield company
        assert '"defect"' not in company.log()


@pytest.fixture
def ana(acme: OauthCompany) -> requests.Session:
    return acme.person()


@pytest.fixture
def tokens(acme: OauthCompany, ana: requests.Session) -> dict[str, Any]:
    return acme.app().tokens(ana)


def dead(acme: OauthCompany, tokens: dict[str, Any]) -> None:
    """Nothing of it is worth anything anywhere, from here on."""
    acme.bad(tokens["access_token"])
    ungranted(acme.app().refresh(tokens["refresh_token"]), "invalid_grant")


# --- refresh tokens ---------------------------------------------------------------------------------------


def test_twenty_refreshes_at_once_get_the_same_successor(acme: OauthCompany, tokens: dict[str, Any]) -> None:
    """The honest twin of theft: AWS's clients refresh in parallel."""
    cli = acme.app()
    for _ in range(3):
        answers = at_once([partial(cli.refresh, tokens["refresh_token"])] * 20)
        found = [given(answer) for answer in answers]
        assert len({each["refresh_token"] for each in found}) == 1
        assert {acme.session_of(each) for each in found} == {acme.session_of(tokens)}
        for each in found:
            assert acme.bearer(each["access_token"]).status_code == 200
        tokens = found[0]


def test_a_refresh_token_from_before_its_successor_was_used_ends_the_family_everywhere(
    acme: OauthCompany, ana: requests.Session, tokens: dict[str, Any]
) -> None:
    cli = acme.app()
    other = cli.tokens(ana)
    second = given(cli.refresh(tokens["refresh_token"]))
    again = given(cli.refresh(tokens["refresh_token"]))  # the grace, from another address
    assert again["refresh_token"] == second["refresh_token"]
    third = given(cli.refresh(second["refresh_token"]))
    acme.good(third["access_token"])
    ungranted(
        cli.refresh(tokens["refresh_token"]), "invalid_grant"
    )  # the thief, or the owner whom the thief outran
    for each in (tokens, second, again, third):
        acme.bad(each["access_token"])
    for each in (third, second, tokens):
        ungranted(cli.refresh(each["refresh_token"]), "invalid_grant")
    reused = [row for row in acme.trail().splitlines() if '"token.reused"' in row]
    assert any(acme.session_of(tokens) in row for row in reused)
    # The person's browser and other helpers are not concerned.
    assert acme.me(ana).status_code == 200
    acme.good(given(cli.refresh(other["refresh_token"]))["access_token"])


def test_a_refresh_token_is_the_same_once_for_thirty_seconds_and_a_theft_afterwards(
    acme: OauthCompany, tokens: dict[str, Any]
) -> None:
    cli = acme.app()
    second = given(cli.refresh(tokens["refresh_token"]))
    acme.later(timedelta(seconds=25))
    assert given(cli.refresh(tokens["refresh_token"]))["refresh_token"] == second["refresh_token"]
    acme.later(timedelta(seconds=10))
    ungranted(cli.refresh(tokens["refresh_token"]), "invalid_grant")
    dead(acme, second)


def test_thief_and_owner_at_once_never_make_two_families(acme: OauthCompany, tokens: dict[str, Any]) -> None:
    """However they come, there is one line of successors, or none any more."""
    cli = acme.app()
    second = given(cli.refresh(tokens["refresh_token"]))
    calls = [partial(cli.refresh, each["refresh_token"]) for each in (tokens, second)] * 10
    answers = at_once(calls)
    assert set(outcomes(answers)) <= {"in", "invalid_grant"}
    newest = {answer.json()["refresh_token"] for answer in answers if answer.status_code == 200}
    assert len(newest - {second["refresh_token"]}) <= 1
    ungranted(cli.refresh(tokens["refresh_token"]), "invalid_grant")
    for each in newest:
        ungranted(cli.refresh(each), "invalid_grant")
    acme.bad(tokens["access_token"])


def test_a_refresh_never_widens_and_who_asks_for_too_much_keeps_what_they_have(
    acme: OauthCompany, ana: requests.Session
) -> None:
    cli = acme.app()
    narrow = cli.tokens(ana, scope="roles")
    for scope in ("credentials", "roles credentials", "everything", "Roles"):
        ungranted(cli.refresh(narrow["refresh_token"], scope=scope), "invalid_scope")
    for resource in (f"{acme.base_url}", "https://evil.example", f"{acme.base_url}/v1/"):
        ungranted(cli.refresh(narrow["refresh_token"], resource=resource), "invalid_target")
    next_one = given(cli.refresh(narrow["refresh_token"]))
    assert next_one["scope"] == "roles"
    ask = {"role": READ_ONLY}
    for token in (narrow["access_token"], next_one["access_token"]):
        wire = acme.browser()
        wire.headers["Authorization"] = f"Bearer {token}"
        refused(wire.post(f"{acme.base_url}/v1/credentials", json=ask, timeout=60), "token.scope")
        assert wire.get(f"{acme.base_url}/v1/me", timeout=60).status_code == 200
    wide = cli.tokens(ana)
    wire.headers["Authorization"] = f"Bearer {wide['access_token']}"
    assert wire.post(f"{acme.base_url}/v1/credentials", json=ask, timeout=60).status_code == 200


def test_an_ended_helper_is_dead_at_once_in_every_worker(acme: OauthCompany, ana: requests.Session) -> None:
    """By its person on /security, by itself, and never by anybody else."""
    cli = acme.app()
    mine, its_own, stays = (cli.tokens(ana) for _ in range(3))

    def end(browser: requests.Session) -> requests.Response:
        form = hidden(browser.get(f"{acme.base_url}/security", headers={"Accept": "text/html"}, timeout=60))
        return browser.post(
            f"{acme.base_url}/security/end",
            data={"csrf": form["csrf"], "session": acme.session_of(mine)},
            headers={"Origin": acme.base_url},
            allow_redirects=False,
            timeout=60,
        )

    refused(end(acme.named("mallory")), "session.unknown")
    acme.good(mine["access_token"])
    assert end(ana).status_code == 303
    dead(acme, mine)
    assert acme.call("/oauth/revoke", {**cli.proof, "token": its_own["refresh_token"]}).status_code == 200
    dead(acme, its_own)
    acme.good(stays["access_token"])


# --- what is shown as an access token ---------------------------------------------------------------------


def ours(acme: OauthCompany) -> SigningKeys:
    """The broker's own signing keys, as nobody outside has them: what follows is refused all the same."""
    keyring = load_or_create(acme.folder / "var" / "keys", acme.clock_now())
    store = open_store(f"sqlite:///{acme.database}", Sealer(keyring.sealing_keys), migrate=False)

    class Clock:
        now = staticmethod(acme.clock_now)

    return SigningKeys(store.token_keys, Clock())


def claims_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return found


def header_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    return found


def published(acme: OauthCompany) -> list[dict[str, Any]]:
    keys: list[dict[str, Any]] = requests.get(f"{acme.base_url}/oauth/jwks", timeout=60).json()["keys"]
    return keys


def hs256(header: dict[str, Any], body: str, secret: bytes) -> str:
    text = f"{b64({**header, 'alg': 'HS256'})}.{body}"
    return f"{text}.{b64(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def forgeries(acme: OauthCompany, token: str, others: str) -> Iterator[tuple[str, str]]:
    """(what it is, the token) of everything that can be made without our key."""
    head, body, tail = token.split(".")
    header, claims = header_of(token), claims_of(token)
    for name in ("none", "None", "NONE", "nOnE"):
        yield f"alg {name}", f"{b64({**header, 'alg': name})}.{body}."
        yield f"alg {name}, signed", f"{b64({**header, 'alg': name})}.{body}.{tail}"
    key = ECKey.import_key(published(acme)[0])
    for form, secret in (
        ("PEM", key.as_pem(private=False)),
        ("DER", key.as_der(private=False)),
        ("JWK", json.dumps(key.as_dict(private=False)).encode()),
        ("nothing", b""),
    ):
        yield f"HS256 with the public key, {form}", hs256(header, body, secret)
    for name, value in (
        ("scope", "roles credentials"),
        ("sub", "somebody-else"),
        ("exp", claims["exp"] + 3600),
    ):
        if claims[name] != value:
            yield f"{name} changed", f"{head}.{b64({**claims, name: value})}.{tail}"
    yield "another's session", f"{head}.{b64({**claims, 'sid': claims_of(others)['sid']})}.{tail}"
    yield "another's signature", f"{head}.{body}.{others.split('.')[2]}"
    yield "another's claims", f"{head}.{others.split('.')[1]}.{tail}"
    mine = ECKey.generate_key("P-256")
    yield "own key", signed(mine, claims)
    yield "own key under our name", signed(mine, claims, kid=header["kid"])
    yield "own key brought along", signed(mine, claims, kid=header["kid"], jwk=mine.as_dict(private=False))
    yield "own key by address", signed(mine, claims, kid=header["kid"], jku="https://evil.example/jwks")
    yield "RS256", signed(RSAKey.generate_key(2048), claims, algorithm="RS256", kid=header["kid"])
    yield "kid as SQL", signed(mine, claims, kid="' OR 1=1 --")
    yield "kid as a path", signed(mine, claims, kid="../../dev/null")
    yield "no signature", f"{head}.{body}."
    yield "two parts", f"{head}.{body}"
    yield "doubled", f"{token}.{tail}"
    yield "long", token + "A" * 3000


def test_a_token_that_was_altered_or_made_without_our_key_opens_nothing(
    acme: OauthCompany, tokens: dict[str, Any]
) -> None:
    narrow = acme.app().tokens(acme.person(), scope="roles")["access_token"]
    for name, forged in forgeries(acme, narrow, tokens["access_token"]):
        answer = acme.bearer(forged)
        assert (name, refused(answer)) == (name, "token.invalid")
    acme.good(narrow)


def test_a_token_of_ours_for_something_else_opens_nothing(acme: OauthCompany, tokens: dict[str, Any]) -> None:
    """Signed by our very key: audience, issuer, type, client, person and session each count (RFC 9068, 4)."""
    keys = ours(acme)
    kid, key = keys.current()
    now, base = acme.clock_now().replace(microsecond=0), acme.base_url
    told = claims_of(tokens["access_token"])
    honest = AccessClaims(
        issuer=base,
        audience=f"{base}/v1",
        subject=told["sub"],
        client="cli",
        session=told["sid"],
        scope=("roles", "credentials"),
        issued_at=now,
        expires_at=now + timedelta(minutes=5),
        token_id="t" * 22,
    )
    mint = AccessTokens(keys).mint
    acme.good(mint(honest))
    for changes in (
        {"audience": base},
        {"audience": f"{base}/v1/"},
        {"audience": f"{base}/scim/v2"},
        {"audience": "cli"},
        {"audience": "https://another.example/v1"},
        {"issuer": f"{base}/"},
        {"issuer": "https://another.example"},
        {"subject": "somebody-else"},
        {"client": "wiki"},
        {"client": "nobody"},
        {"session": "0" * 16},
        {"expires_at": now},
        {"issued_at": now + timedelta(minutes=3), "expires_at": now + timedelta(minutes=9)},
    ):
        acme_says = acme.bearer(mint(replace(honest, **changes)))  # type: ignore[arg-type]
        assert (changes, refused(acme_says)) == (changes, "token.invalid")
    body = claims_of(mint(honest))
    for header in (
        {"typ": "JWT"},
        {"typ": ...},
        {"typ": "application/at+jwt"},
        {"typ": "id+jwt"},
        {"crit": ["kid"]},
    ):
        forged = signed(key, body, **{"kid": kid, **header})
        assert (header, refused(acme.bearer(forged))) == (header, "token.invalid")
    for listed in ([f"{base}/v1"], [f"{base}/v1", "https://another.example"], {"": f"{base}/v1"}):
        refused(acme.bearer(signed(key, {**body, "aud": listed}, kid=kid)), "token.invalid")
    acme.good(signed(key, body, kid=kid))


def test_an_id_token_of_a_directory_is_no_access_token(acme: OauthCompany, tokens: dict[str, Any]) -> None:
    """One that a sign-in was just accepted by, for us and in time: of another kind, by another's key."""
    begun = acme.start()
    assert acme.callback(begun).status_code == 303
    assert acme.me(begun.browser).json()["username"] == "piotr"
    id_token = acme.partner.token_response(acme.partner.asked[-1])["id_token"]
    cli = acme.app()
    acme.bad(str(id_token))
    ungranted(cli.refresh(str(id_token)), "invalid_grant")
    # Nor under the type and claims of ours.
    refused(
        acme.bearer(signed(acme.partner.signing_key, claims_of(tokens["access_token"]), "RS256")),
        "token.invalid",
    )
    acme.good(cli.tokens(begun.browser)["access_token"], "piotr")


def test_nothing_that_we_give_out_stands_in_for_anything_else(acme: OauthCompany) -> None:
    """Cookie, form token, state, code, user code, device code, refresh token, access token: each for its own use."""
    cli = acme.app()
    begun = cli.device()
    ana = acme.person()
    assert cli.decide(ana, begun["user_code"]).status_code == 200
    code = cli.code(ana)
    tokens = cli.tokens(ana)
    held = {
        "cookie": ana.cookies["daypass"],
        "csrf": hidden(cli.open(ana))["csrf"],
        "session": acme.session_of(tokens),
        "code": code,
        "device": begun["device_code"],
        "user code": begun["user_code"],
        "refresh": tokens["refresh_token"],
        "access": tokens["access_token"],
    }
    uses: dict[str, Callable[[str], requests.Response]] = {
        "access": acme.bearer,
        "refresh": cli.refresh,
        "code": cli.redeem,
        "device": cli.poll,
    }
    for use, call in uses.items():
        for kind, value in held.items():
            if kind != use:
                answer = call(value)
                assert answer.status_code in (400, 401), (use, kind, answer.text)
    browser = acme.browser()
    for kind, value in held.items():
        if kind != "cookie":
            browser.cookies.set("daypass", value)
            assert acme.me(browser).status_code == 401, kind
    # None of it used anything up.
    given(cli.redeem(code))
    given(cli.poll(begun["device_code"]))
    acme.good(given(cli.refresh(tokens["refresh_token"]))["access_token"])


def test_a_token_counts_in_its_header_only_and_never_falls_back_to_a_cookie(
    acme: OauthCompany, ana: requests.Session, tokens: dict[str, Any]
) -> None:
    good = tokens["access_token"]
    wire = acme.browser()
    for answer in (
        wire.get(f"{acme.base_url}/v1/me", params={"access_token": good}, timeout=60),
        wire.post(
            f"{acme.base_url}/v1/credentials", data={"access_token": good, "role": READ_ONLY}, timeout=60
        ),
        wire.get(f"{acme.base_url}/v1/me", headers={"Cookie": f"access_token={good}"}, timeout=60),
    ):
        assert 400 <= answer.status_code < 500
    for header in (
        f"Basic {good}",
        f"DPoP {good}",
        good,
        "Bearer",
        f"Bearer {good}, Bearer x",
        f"Bearer {good} x",
    ):
        answer = ana.get(f"{acme.base_url}/v1/me", headers={"Authorization": header}, timeout=60)
        assert (header[:12], refused(answer)) == (header[:12], "token.invalid")
    assert acme.me(ana).status_code == 200
    acme.good(good)


# --- another client's -------------------------------------------------------------------------------------


def test_another_clients_code_is_no_code_and_stays_good(acme: OauthCompany, ana: requests.Session) -> None:
    cli, wiki, pocket = (acme.app(name) for name in ("cli", "wiki", "pocket"))
    for owner, thief in ((cli, wiki), (cli, pocket), (wiki, cli), (wiki, pocket), (pocket, cli)):
        code = owner.code(ana)
        for _ in range(2):
            ungranted(thief.redeem(code, redirect_uri=owner.redirect), "invalid_grant")
        tokens = given(owner.redeem(code))
        # Nor does a thief end what the code gave, by showing it again.
        ungranted(thief.redeem(code, redirect_uri=owner.redirect), "invalid_grant")
        acme.good(tokens["access_token"])


def test_another_clients_refresh_token_or_device_code_is_none_and_stays_good(acme: OauthCompany) -> None:
    cli, wiki, pocket = (acme.app(name) for name in ("cli", "wiki", "pocket"))
    devices = {app.client: app.device() for app in (cli, wiki, pocket)}
    ana = acme.person()
    for owner, thief in ((cli, wiki), (wiki, pocket), (pocket, cli)):
        begun = devices[owner.client]
        ungranted(thief.poll(begun["device_code"]), "invalid_grant")
        assert owner.decide(ana, begun["user_code"]).status_code == 200
        ungranted(thief.poll(begun["device_code"]), "invalid_grant")
        tokens = given(owner.poll(begun["device_code"]))
        following = given(owner.refresh(tokens["refresh_token"]))
        for stolen in (tokens, following, tokens):  # a used one too: a stranger's guess ends no family
            ungranted(thief.refresh(stolen["refresh_token"]), "invalid_grant")
        last = given(owner.refresh(following["refresh_token"]))
        ungranted(thief.refresh(tokens["refresh_token"]), "invalid_grant")
        acme.good(last["access_token"])


def test_nobody_revokes_or_looks_into_what_is_another_clients(
    acme: OauthCompany, ana: requests.Session
) -> None:
    cli, wiki, pocket = (acme.app(name) for name in ("cli", "wiki", "pocket"))
    mine, its = cli.tokens(ana), wiki.tokens(ana)
    for thief, stolen in ((wiki, mine), (pocket, mine), (cli, its), (pocket, its)):
        for kind in ("access_token", "refresh_token"):
            for hint in ("access_token", "refresh_token", "anything"):
                fields = {**thief.proof, "token": stolen[kind], "token_type_hint": hint}
                answer = acme.call("/oauth/revoke", fields)
                assert (answer.status_code, answer.content) == (200, b"")
    acme.good(mine["access_token"])
    acme.good(its["access_token"])

    def told(app: str, token: str) -> requests.Response:
        return acme.call("/oauth/introspect", {**acme.app(app).proof, "token": token})

    unknown = told("wiki", "made-up").content
    for kind in ("access_token", "refresh_token"):
        assert told("wiki", mine[kind]).content == unknown == b'{"active": false}'
        assert told("wiki", its[kind]).json()["username"] == "ana"
        for app in ("cli", "pocket"):  # not even about their own: anybody can say that they are these
            ungranted(told(app, mine[kind]), "unauthorized_client")
    for fields in (
        {"client_id": "wiki", "token": its["access_token"]},
        {"client_id": "wiki", "client_secret": "wrong", "token": its["access_token"]},
        {"client_id": "cli", "client_secret": "anything", "token": mine["access_token"]},
        {"client_id": "nobody", "token": mine["access_token"]},
        {"token": mine["access_token"]},
    ):
        for path in ("/oauth/introspect", "/oauth/revoke", "/oauth/token"):
            answer = acme.call(path, {"grant_type": "refresh_token", "refresh_token": "x", **fields})
            ungranted(answer, "invalid_client")
    acme.good(its["access_token"])
    assert acme.call("/oauth/revoke", {**wiki.proof, "token": its["access_token"]}).status_code == 200
    acme.bad(its["access_token"])
    assert told("wiki", its["refresh_token"]).content == unknown
    acme.good(mine["access_token"])


# --- time -------------------------------------------------------------------------------------------------


def test_a_token_lives_its_hour_and_its_session_no_longer_than_the_persons_sign_in(
    acme: OauthCompany, ana: requests.Session
) -> None:
    cli = acme.app()
    tokens = cli.tokens(ana)
    assert 3590 <= tokens["expires_in"] <= 3600
    acme.later(timedelta(seconds=tokens["expires_in"] - 60))
    acme.good(tokens["access_token"])
    acme.later(timedelta(seconds=61))
    acme.bad(tokens["access_token"])
    following = given(cli.refresh(tokens["refresh_token"]))
    acme.good(following["access_token"])
    assert following["session_expires_at"] == tokens["session_expires_at"]
    # The directory said eight hours. Refreshing up to the end moves it by nothing.
    acme.later(timedelta(hours=6, minutes=40))
    last = given(cli.refresh(following["refresh_token"]))
    assert last["session_expires_at"] == tokens["session_expires_at"]
    assert last["expires_in"] <= 20 * 60
    acme.good(last["access_token"])
    acme.later(timedelta(minutes=20))
    dead(acme, last)


def test_a_token_from_the_future_opens_nothing_until_its_time_has_come(acme: OauthCompany) -> None:
    """A clock that ran ahead and was put right: what was given out meanwhile waits, within a minute it does not."""
    cli = acme.app()
    ahead, right = timedelta(hours=2), timedelta(hours=-2)
    acme.later(ahead)
    early = cli.tokens(acme.person())
    acme.later(right)
    acme.bad(early["access_token"])
    acme.good(cli.tokens(acme.person())["access_token"])
    acme.later(timedelta(seconds=40))
    near = cli.tokens(acme.person())
    acme.later(timedelta(seconds=-40))
    acme.good(near["access_token"])
    acme.later(ahead + timedelta(minutes=1))
    acme.good(early["access_token"])


def test_a_clock_that_was_moved_back_makes_nothing_used_good_again(
    acme: OauthCompany, ana: requests.Session
) -> None:
    cli = acme.app()
    code = cli.code(ana)
    tokens = given(cli.redeem(code))
    second = given(cli.refresh(tokens["refresh_token"]))
    third = given(cli.refresh(second["refresh_token"]))
    acme.later(timedelta(minutes=10))
    acme.later(timedelta(minutes=-10))
    acme.good(third["access_token"])
    ungranted(cli.redeem(code), "invalid_grant")
    dead(acme, third)


# --- keys -------------------------------------------------------------------------------------------------


def kids(acme: OauthCompany) -> set[tuple[str, ...]]:
    """The ids of the published keys, as each worker tells them."""
    answers = at_once([partial(requests.get, f"{acme.base_url}/oauth/jwks", timeout=60)] * EVERYWHERE)
    return {tuple(key["kid"] for key in answer.json()["keys"]) for answer in answers}


def until(acme: OauthCompany, number: int) -> tuple[str, ...]:
    """Wait for upkeep, which every worker has its own of; the keys that all of them publish."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        found = kids(acme)
        if len(found) == 1 and len(next(iter(found))) == number:
            return next(iter(found))
        time.sleep(0.2)
    raise AssertionError(kids(acme))


def test_what_is_published_is_public(acme: OauthCompany) -> None:
    for key in published(acme):
        assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_a_key_that_rotates_meanwhile_ends_no_token_and_is_known_before_it_signs(acme: OauthCompany) -> None:
    """Thirty days on: in both workers the token of before is good to its end, and the next key surprises nobody."""
    cli = acme.app()
    first = header_of(cli.tokens(acme.person())["access_token"])["kid"]
    assert until(acme, 1) == (first,)
    acme.at(acme.began + 29 * DAY)
    _, second = until(acme, 2)
    acme.at(acme.began + 30 * DAY - 10 * MINUTE)
    still = cli.tokens(acme.person())
    assert header_of(still["access_token"])["kid"] == first
    # When exactly the first key was made is the broker's: go on until the next one signs.
    for _ in range(20):
        acme.at(acme.clock_now() + 20 * MINUTE)
        before = still
        still = cli.tokens(acme.person())
        if header_of(still["access_token"])["kid"] != first:
            break
    assert (header_of(before["access_token"])["kid"], header_of(still["access_token"])["kid"]) == (
        first,
        second,
    )
    acme.good(before["access_token"])
    acme.good(still["access_token"])
    following = given(cli.refresh(before["refresh_token"]))
    assert header_of(following["access_token"])["kid"] == second
    # The old key signs nothing any more, but what was forged under its name is still checked by it.
    mine = ECKey.generate_key("P-256")
    acme.bad(signed(mine, claims_of(before["access_token"]), kid=first))
    acme.later(41 * MINUTE)
    acme.bad(before["access_token"])
    acme.good(following["access_token"])
    # Long after its last token it is forgotten, and the one that signs stays.
    acme.at(acme.clock_now() + 9 * DAY)
    assert until(acme, 1) == (second,)
    acme.good(cli.tokens(acme.person())["access_token"])
