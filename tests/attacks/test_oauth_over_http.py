"""Every attack on how helpers and apps are let in: codes, PKCE, redirect addresses, clicks, devices, floods, leaks.

Two workers, each caller at an address of its own. What is done with tokens once somebody has them is in
`test_tokens_over_http.py`.
"""

from __future__ import annotations

import http.client
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from html import unescape
from urllib.parse import urlencode

import pytest
import requests

from app.limits import DEVICE_STARTS_PER_MINUTE, LOOKUPS_PER_SESSION, REFUSALS_PER_MINUTE
from tests.attacks.answers import refused
from tests.attacks.oauth_company import (
    DEVICE_CODE,
    VERIFIER,
    WIKI_REDIRECT,
    WIKI_SECRET,
    OauthCompany,
    challenge,
    hidden,
    outcomes,
    sent_to,
    ungranted,
)
from tests.attacks.oauth_company import given as tokens_of
from tests.attacks.oidc_company import at_once

MALLORY = "203.0.113.66"
EVIL = "https://evil.example"
WORKERS = 2


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OauthCompany]:
    with OauthCompany(tmp_path_factory.mktemp("acme"), workers=WORKERS) as company:
        yield company
        assert '"defect"' not in company.log()


@pytest.fixture
def ana(acme: OauthCompany) -> requests.Session:
    return acme.person()


def honest_twin(acme: OauthCompany, browser: requests.Session | None = None) -> None:
    """Somebody's helper is let in right behind it."""
    tokens = acme.app().tokens(browser or acme.person())
    assert acme.bearer(tokens["access_token"]).status_code == 200


# --- codes ------------------------------------------------------------------------------------------------


def test_a_code_that_comes_twice_ends_what_it_gave_in_every_worker(
    acme: OauthCompany, ana: requests.Session
) -> None:
    cli = acme.app()
    code = cli.code(ana)
    tokens = tokens_of(cli.redeem(code))
    acme.good(tokens["access_token"])
    ungranted(cli.redeem(code), "invalid_grant")
    acme.bad(tokens["access_token"])
    ungranted(cli.refresh(tokens["refresh_token"]), "invalid_grant")
    reused = [row for row in acme.trail().splitlines() if '"token.reused"' in row]
    assert any(acme.session_of(tokens) in row for row in reused)
    assert acme.me(ana).status_code == 200
    honest_twin(acme, ana)


def test_a_code_redeemed_twenty_times_at_once_gives_tokens_once_at_most_and_nobody_keeps_them(
    acme: OauthCompany, ana: requests.Session
) -> None:
    cli = acme.app()
    for _ in range(3):
        code = cli.code(ana)
        answers = at_once([partial(cli.redeem, code)] * 20)
        found = outcomes(answers)
        assert found["in"] <= 1
        assert found["in"] + found["invalid_grant"] == 20
        for answer in answers:
            if answer.status_code == 200:
                acme.bad(answer.json()["access_token"])
                ungranted(cli.refresh(answer.json()["refresh_token"]), "invalid_grant")
    honest_twin(acme, ana)


def test_twenty_codes_at_once_give_twenty_helpers_that_do_not_touch_each_other(
    acme: OauthCompany, ana: requests.Session
) -> None:
    cli = acme.app()
    codes = [cli.code(ana) for _ in range(20)]
    answers = at_once([partial(cli.redeem, code) for code in codes])
    tokens = [tokens_of(answer) for answer in answers]
    assert len({acme.session_of(each) for each in tokens}) == 20
    ungranted(cli.redeem(codes[0]), "invalid_grant")
    acme.bad(tokens[0]["access_token"])
    assert [acme.bearer(each["access_token"]).status_code for each in tokens[1:]] == [200] * 19


def test_a_code_lives_for_a_minute(acme: OauthCompany) -> None:
    cli, ana = acme.app(), acme.person()
    early, late = cli.code(ana), cli.code(ana)
    tokens_of(cli.redeem(early))
    acme.later(timedelta(seconds=61))
    ungranted(cli.redeem(late), "invalid_grant")
    honest_twin(acme, ana)


def test_a_code_is_good_only_as_long_as_whoever_said_yes_is_signed_in(acme: OauthCompany) -> None:
    cli, ana = acme.app(), acme.person()
    code = cli.code(ana)
    form = hidden(ana.get(f"{acme.base_url}/", headers={"Accept": "text/html"}, timeout=30))
    out = ana.post(
        f"{acme.base_url}/sign-out",
        data={"csrf": form["csrf"]},
        headers={"Origin": acme.base_url},
        allow_redirects=False,
        timeout=30,
    )
    assert out.status_code in (200, 303), out.text
    ungranted(cli.redeem(code), "invalid_grant")
    honest_twin(acme)


# --- PKCE -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": None},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": "plain", "code_challenge": VERIFIER},
        {"code_challenge_method": "s256"},
        {"code_challenge_method": "S256 "},
        {"code_challenge": ""},
        {"code_challenge": challenge(VERIFIER) + "="},
        {"code_challenge": challenge(VERIFIER)[:42]},
    ],
    ids=[
        "none",
        "no challenge",
        "no method",
        "plain",
        "plain, honest",
        "case",
        "blank",
        "empty",
        "padded",
        "short",
    ],
)
@pytest.mark.parametrize("client", ["cli", "wiki"])
def test_no_code_is_given_without_a_challenge_by_s256(
    acme: OauthCompany, ana: requests.Session, client: str, changes: dict[str, str | None]
) -> None:
    """For a client with a secret too (RFC 9700, 2.1.1)."""
    app = acme.app(client)
    for answer in (app.open(ana, **changes), app.click(ana, **changes)):
        told = sent_to(answer)
        assert told["error"] == "invalid_request"
        assert "code" not in told
    tokens_of(app.redeem(app.code(ana)))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": ""}, "invalid_request"),
        ({"code_verifier": challenge(VERIFIER)}, "invalid_grant"),
        ({"code_verifier": VERIFIER[:-1] + "x"}, "invalid_grant"),
        ({"code_verifier": VERIFIER[:42]}, "invalid_grant"),
        ({"code_verifier": VERIFIER + " "}, "invalid_grant"),
        ({"code_verifier": "v" * 129}, "invalid_grant"),
    ],
)
def test_a_code_without_its_verifier_gives_nothing(
    acme: OauthCompany, ana: requests.Session, changes: dict[str, str | None], error: str
) -> None:
    cli = acme.app()
    ungranted(cli.redeem(cli.code(ana), **changes), error)
    honest_twin(acme, ana)


def test_a_wrong_verifier_uses_the_code_up(acme: OauthCompany, ana: requests.Session) -> None:
    """A thief has one guess, and the owner hears of it."""
    cli = acme.app()
    code = cli.code(ana)
    ungranted(cli.redeem(code, code_verifier="w" * 64), "invalid_grant")
    ungranted(cli.redeem(code), "invalid_grant")
    honest_twin(acme, ana)


def test_a_stolen_code_in_the_thiefs_own_sign_in_fails_by_pkce(
    acme: OauthCompany, ana: requests.Session
) -> None:
    """Code injection (RFC 9700, 4.5): the thief's app has a verifier of its own."""
    cli = acme.app()
    thiefs = "t" * 64
    stolen = cli.code(ana)
    own = cli.code(acme.named("mallory"), code_challenge=challenge(thiefs))
    ungranted(cli.redeem(stolen, code_verifier=thiefs), "invalid_grant")
    given = tokens_of(cli.redeem(own, code_verifier=thiefs))
    assert acme.bearer(given["access_token"]).json()["username"] == "mallory"


# --- redirect addresses -----------------------------------------------------------------------------------

FOREIGN: dict[str, tuple[str, str]] = {
    "evil": ("cli", f"{EVIL}/callback"),
    "localhost": ("cli", "http://localhost:49152/callback"),
    "localhost without a port": ("cli", "http://localhost/callback"),
    "six": ("cli", "http://[::1]:49152/callback"),
    "https": ("cli", "https://127.0.0.1:49152/callback"),
    "path as a prefix": ("cli", "http://127.0.0.1:49152/callback/x"),
    "path longer": ("cli", "http://127.0.0.1:49152/callbackx"),
    "path up": ("cli", "http://127.0.0.1:49152/callback/../x"),
    "path in another case": ("cli", "http://127.0.0.1:49152/Callback"),
    "no path": ("cli", "http://127.0.0.1:49152"),
    "query": ("cli", "http://127.0.0.1:49152/callback?next=https://evil.example"),
    "empty query": ("cli", "http://127.0.0.1:49152/callback?"),
    "fragment": ("cli", "http://127.0.0.1:49152/callback#x"),
    "userinfo": ("cli", "http://127.0.0.1:49152@evil.example/callback"),
    "userinfo with a port": ("cli", "http://127.0.0.1:49152:x@evil.example/callback"),
    "userinfo before": ("cli", "http://evil.example@127.0.0.1:49152/callback"),
    "host longer": ("cli", "http://127.0.0.1.evil.example/callback"),
    "host as a port": ("cli", "http://127.0.0.1:49152.evil.example/callback"),
    "backslash": ("cli", "http://127.0.0.1:49152\\@evil.example/callback"),
    "short address": ("cli", "http://127.1:49152/callback"),
    "decimal address": ("cli", "http://2130706433:49152/callback"),
    "port out of range": ("cli", "http://127.0.0.1:99999/callback"),
    "port with a sign": ("cli", "http://127.0.0.1:+80/callback"),
    "scheme in capitals": ("cli", "HTTP://127.0.0.1:49152/callback"),
    "line end": ("cli", "http://127.0.0.1:49152/callback\r\nX-Evil: 1"),
    "blank before": ("cli", " http://127.0.0.1:49152/callback"),
    "script": ("cli", "javascript:alert(document.domain)//127.0.0.1/callback"),
    "data": ("cli", "data:text/html,callback"),
    "no scheme": ("cli", "//127.0.0.1:49152/callback"),
    "another client's": ("cli", WIKI_REDIRECT),
    "another client's path": ("cli", "http://127.0.0.1:49152/pocket"),
    "port": ("wiki", "https://wiki.acme.test:8443/cb"),
    "the usual port": ("wiki", "https://wiki.acme.test:443/cb"),
    "http": ("wiki", "http://wiki.acme.test/cb"),
    "slash": ("wiki", "https://wiki.acme.test/cb/"),
    "query of a site": ("wiki", "https://wiki.acme.test/cb?next=//evil.example"),
    "userinfo of a site": ("wiki", "https://wiki.acme.test@evil.example/cb"),
    "domain longer": ("wiki", "https://wiki.acme.test.evil.example/cb"),
    "domain before": ("wiki", "https://evilwiki.acme.test/cb"),
    "host in capitals": ("wiki", "https://WIKI.acme.test/cb"),
    "escaped": ("wiki", "https://wiki.acme.test/%63b"),
    "trailing dot": ("wiki", "https://wiki.acme.test./cb"),
    "ours in theirs": ("wiki", f"{EVIL}/{WIKI_REDIRECT}"),
    "loopback": ("wiki", "http://127.0.0.1:49152/cb"),
}


@pytest.mark.parametrize(("client", "address"), FOREIGN.values(), ids=FOREIGN)
def test_nothing_is_ever_sent_to_an_address_that_is_not_the_clients(
    acme: OauthCompany, ana: requests.Session, client: str, address: str
) -> None:
    """No code by a click, and no error either, or the endpoint would be an open redirect (RFC 9700, 4.11)."""
    app = acme.app(client)
    for changes in ({}, {"response_type": "token"}, {"scope": "everything"}, {"code_challenge": None}):
        for answer in (
            app.open(ana, redirect_uri=address, **changes),
            app.click(ana, redirect_uri=address, **changes),
            app.click(ana, "refuse", redirect_uri=address, **changes),
        ):
            refused(answer, "oauth.redirect")
            assert "Location" not in answer.headers
    page = app.open_as_page(ana, redirect_uri=address)
    refused(page, "oauth.redirect")
    assert f'href="{address}' not in unescape(page.text)
    assert sent_to(app.click(ana))["code"]


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("cli", "http://127.0.0.1/callback"),
        ("cli", "http://127.0.0.1:1/callback"),
        ("cli", "http://127.0.0.1:65535/callback"),
        ("pocket", "http://[::1]:49152/pocket"),
        ("wiki", WIKI_REDIRECT),
    ],
)
def test_a_clients_own_address_gets_the_answer_at_any_port_of_loopback(
    acme: OauthCompany, ana: requests.Session, client: str, address: str
) -> None:
    app = acme.app(client)
    answer = app.click(ana, redirect_uri=address)
    assert answer.headers["Location"].startswith(f"{address}?")
    assert tokens_of(app.redeem(sent_to(answer)["code"], redirect_uri=address))
    error = app.open(ana, redirect_uri=address, response_type="token")
    assert error.headers["Location"].startswith(f"{address}?")
    assert sent_to(error)["error"] == "unsupported_response_type"


def test_a_code_for_one_port_is_not_redeemed_for_another(acme: OauthCompany, ana: requests.Session) -> None:
    cli = acme.app()
    code = cli.code(ana)
    ungranted(cli.redeem(code, redirect_uri="http://127.0.0.1:49153/callback"), "invalid_grant")
    ungranted(cli.redeem(cli.code(ana), redirect_uri=None), "invalid_request")
    honest_twin(acme, ana)


def test_two_clients_or_addresses_in_one_request_are_none(acme: OauthCompany, ana: requests.Session) -> None:
    """One reader would take the first, another the last."""
    cli = acme.app()
    for name, other in (("client_id", "wiki"), ("redirect_uri", f"{EVIL}/callback")):
        for pairs in ([*cli.ask().items(), (name, other)], [(name, other), *cli.ask().items()]):
            answer = ana.get(
                f"{acme.base_url}/oauth/authorize", params=pairs, allow_redirects=False, timeout=30
            )
            refused(answer, "oauth.redirect")
    assert sent_to(cli.click(ana))["code"]


def test_a_stranger_is_led_to_our_sign_in_and_back_whatever_the_request_says(acme: OauthCompany) -> None:
    stranger = acme.browser()
    stranger.headers["Accept"] = "text/html"
    answer = acme.app().open(stranger, redirect_uri=f"{EVIL}/callback")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/sign-in?next=")


def test_there_is_no_implicit_and_no_password_grant(acme: OauthCompany, ana: requests.Session) -> None:
    cli = acme.app()
    for wanted in ("token", "id_token", "code token", "none", "code id_token token"):
        assert sent_to(cli.open(ana, response_type=wanted))["error"] == "unsupported_response_type"
    for mode in ("fragment", "form_post", "web_message"):
        assert sent_to(cli.click(ana, response_mode=mode))["error"] == "invalid_request"
    for grant in (
        "password",
        "client_credentials",
        "implicit",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
    ):
        answer = cli.token(grant_type=grant, username="ana", password="x", assertion="x")
        ungranted(answer, "unsupported_grant_type")
    honest_twin(acme, ana)


# --- the click --------------------------------------------------------------------------------------------


def test_nothing_is_given_without_a_click_on_our_own_page(acme: OauthCompany, ana: requests.Session) -> None:
    """Any program can listen on loopback and any site can lead there: a bare visit gives nothing."""
    cli = acme.app()
    for changes in ({}, {"decision": "allow"}, {"prompt": "consent"}, {"decision": "allow", "csrf": "x"}):
        answer = cli.open(ana, **changes)
        assert answer.status_code == 200
        assert "Location" not in answer.headers
    assert sent_to(cli.open(ana, prompt="none"))["error"] == "interaction_required"
    form = {"csrf": hidden(cli.open(ana))["csrf"], **cli.ask(), "decision": "allow"}

    def post(fields: dict[str, str], **headers: str) -> requests.Response:
        return ana.post(
            f"{acme.base_url}/oauth/authorize",
            data=fields,
            headers=headers,
            allow_redirects=False,
            timeout=30,
        )

    mallorys = hidden(cli.open(acme.named("mallory")))["csrf"]
    for answer in (
        post(form, Origin=EVIL),
        post(form, Origin="null"),
        post(form, **{"Sec-Fetch-Site": "cross-site"}),
        post(form, **{"Sec-Fetch-Site": "same-site", "Origin": acme.base_url}),
        post({**form, "csrf": ""}, Origin=acme.base_url),
        post({**form, "csrf": mallorys}, Origin=acme.base_url),
        post({name: value for name, value in form.items() if name != "csrf"}, Origin=acme.base_url),
    ):
        refused(answer, "request.cross_site")
        assert "Location" not in answer.headers
    assert sent_to(post(form, Origin=acme.base_url))["code"]


def test_what_a_helper_holds_lets_no_other_helper_in(acme: OauthCompany, ana: requests.Session) -> None:
    """A token in the header opens no page, so a stolen one cannot grow."""
    cli = acme.app()
    tokens = cli.tokens(ana)
    for value in (tokens["access_token"], tokens["refresh_token"]):
        wire = acme.browser()
        wire.headers["Authorization"] = f"Bearer {value}"
        refused(cli.open(wire), "session.missing")
        wire.cookies.set("daypass", value)
        refused(cli.open(wire), "session.missing")
        refused(wire.get(f"{acme.base_url}/device", timeout=30), "session.missing")
    assert cli.open(ana).status_code == 200


# --- devices ----------------------------------------------------------------------------------------------


def test_the_page_shows_who_asks_from_where_and_warns_of_a_stranger(acme: OauthCompany) -> None:
    cli, browser = acme.app(), acme.browser()
    strangers = cli.device(address=MALLORY, device="ana's own laptop <b>")
    own = cli.device(address=str(browser.headers["X-Forwarded-For"]))
    ana = acme.person(browser)
    page = ana.get(strangers["verification_uri_complete"], timeout=30)
    told = (
        strangers["user_code"],
        MALLORY,
        "ana's own laptop <b>",
        "daypass command line",
        "another address",
    )
    for shown in told:
        assert shown in unescape(page.text), shown
    assert "<b>" not in page.text
    assert "another address" not in ana.get(own["verification_uri_complete"], timeout=30).text
    assert cli.decide(ana, own["user_code"]).status_code == 200
    tokens_of(cli.poll(own["device_code"]))


def test_an_older_sign_in_lets_no_device_in_until_the_person_signs_in_again(
    acme: OauthCompany, ana: requests.Session
) -> None:
    """Phishing (RFC 8628, 5.4): whoever is merely signed in is one click too near."""
    cli = acme.app()
    begun = cli.device(address=MALLORY)
    page = ana.get(begun["verification_uri_complete"], timeout=30)
    assert 'value="approve"' not in page.text
    answer = cli.decide(ana, begun["user_code"])
    assert (answer.status_code, 'value="approve"' in answer.text) == (403, False)
    ungranted(cli.poll(begun["device_code"]), "authorization_pending")
    fresh = acme.person(acme.copy_of(ana))
    assert cli.decide(fresh, begun["user_code"]).status_code == 200
    acme.good(tokens_of(cli.poll(begun["device_code"]))["access_token"])


def test_a_device_is_let_in_as_whoever_clicked_and_as_nobody_else(acme: OauthCompany) -> None:
    """The thief who asked gains nobody's access by the clicks of others at other codes, nor they the thief's."""
    cli = acme.app()
    victims, thiefs = cli.device(), cli.device(address=MALLORY)
    ana, mallory = acme.person(), acme.named("mallory")
    assert cli.decide(ana, victims["user_code"]).status_code == 200
    ungranted(cli.poll(thiefs["device_code"]), "authorization_pending")
    assert cli.decide(mallory, thiefs["user_code"]).status_code == 200
    for begun, name in ((victims, "ana"), (thiefs, "mallory")):
        acme.good(tokens_of(cli.poll(begun["device_code"]))["access_token"], name)
    # Decided is decided: nobody changes it behind the person's back.
    for browser in (ana, mallory):
        page = browser.get(victims["verification_uri_complete"], timeout=30)
        assert page.status_code == 404


def test_no_other_site_and_no_link_approves_a_device(acme: OauthCompany) -> None:
    cli = acme.app()
    begun = cli.device(address=MALLORY)
    ana = acme.person()
    address = f"{acme.base_url}/device"
    code = begun["user_code"]
    page = ana.get(address, params={"user_code": code, "decision": "approve", "csrf": "x"}, timeout=30)
    form = {**hidden(page), "decision": "approve"}
    mallorys = hidden(acme.app().open(acme.named("mallory")))["csrf"]
    for fields, headers in (
        (form, {"Origin": EVIL}),
        (form, {"Origin": "null"}),
        (form, {"Sec-Fetch-Site": "cross-site"}),
        ({**form, "csrf": ""}, {"Origin": acme.base_url}),
        ({**form, "csrf": mallorys}, {"Origin": acme.base_url}),
        ({"user_code": code, "decision": "approve"}, {"Origin": acme.base_url}),
    ):
        refused(ana.post(address, data=fields, headers=headers, timeout=30), "request.cross_site")
    refused(acme.browser().post(address, data=form, headers={"Origin": acme.base_url}, timeout=30))
    ungranted(cli.poll(begun["device_code"]), "authorization_pending")
    assert ana.post(address, data=form, headers={"Origin": acme.base_url}, timeout=30).status_code == 200
    tokens_of(cli.poll(begun["device_code"]))


def test_an_approved_device_code_is_redeemed_by_one_of_twenty_at_once(acme: OauthCompany) -> None:
    cli = acme.app()
    for _ in range(3):
        begun = cli.device()
        assert cli.decide(acme.person(), begun["user_code"]).status_code == 200
        answers = at_once([partial(cli.poll, begun["device_code"])] * 20)
        assert outcomes(answers) == {"in": 1, "invalid_grant": 19}
        tokens = next(answer.json() for answer in answers if answer.status_code == 200)
        acme.good(tokens["access_token"])
        ungranted(cli.poll(begun["device_code"]), "invalid_grant")


def test_of_many_who_decide_at_once_one_does(acme: OauthCompany) -> None:
    cli = acme.app()
    begun = cli.device()
    address = f"{acme.base_url}/device"
    posts = []
    for person in [acme.person() for _ in range(8)]:
        form = {**hidden(person.get(begun["verification_uri_complete"], timeout=30)), "decision": "approve"}
        posts.append(partial(person.post, address, data=form, headers={"Origin": acme.base_url}, timeout=60))
    assert Counter(answer.status_code for answer in at_once(posts)) == {200: 1, 404: 7}
    acme.good(tokens_of(cli.poll(begun["device_code"]))["access_token"])


def test_a_refused_or_late_device_hears_it_and_gets_nothing(acme: OauthCompany) -> None:
    cli = acme.app()
    denied, late = cli.device(), cli.device()
    ana = acme.person()
    assert cli.decide(ana, denied["user_code"], "refuse").status_code == 200
    ungranted(cli.poll(denied["device_code"]), "access_denied")
    assert cli.decide(ana, late["user_code"]).status_code == 200
    acme.later(timedelta(minutes=10))
    ungranted(cli.poll(late["device_code"]), "expired_token")
    ana = acme.person()
    page = ana.get(late["verification_uri_complete"], timeout=30)
    refusal_page = ana.get(f"{acme.base_url}/device", params={"user_code": "BCDF-GHJK"}, timeout=30)
    assert (page.status_code, refusal_page.status_code) == (404, 404)


def test_polling_fast_is_slowed_down_more_each_time(acme: OauthCompany) -> None:
    cli = acme.app()
    begun = cli.device()
    ungranted(cli.poll(begun["device_code"]), "authorization_pending")
    for _ in range(3):
        ungranted(cli.poll(begun["device_code"]), "slow_down")
    acme.later(timedelta(seconds=begun["interval"] + 1))
    ungranted(cli.poll(begun["device_code"]), "slow_down")
    acme.later(timedelta(seconds=40))
    ungranted(cli.poll(begun["device_code"]), "authorization_pending")


def until_limited(attempt: Callable[[], requests.Response]) -> Counter[str]:
    """Try again and again, until a whole round is refused: by then each worker has counted enough."""
    found: Counter[str] = Counter()
    for _ in range(80):
        one = outcomes(at_once([attempt] * 24))
        found += one
        if one["temporarily_unavailable"] == 24:
            return found
    raise AssertionError(found)


def look(acme: OauthCompany, browser: requests.Session, code: str) -> int:
    """Try a user code, over a connection of its own: the status."""
    with requests.Session() as wire:
        wire.trust_env = False
        wire.headers.update(browser.headers)
        wire.cookies.update(browser.cookies)
        return wire.get(f"{acme.base_url}/device", params={"user_code": code}, timeout=60).status_code


def test_who_guesses_user_codes_waits_from_wherever_and_nobody_else_does(acme: OauthCompany) -> None:
    """Each worker counts for itself: at most so many misses, whatever addresses the session comes from."""
    begun = acme.app().device()
    mallory, ana = acme.named("mallory"), acme.person()
    acme.new_minute()
    seen: Counter[int] = Counter()
    last: set[int] = set()
    while last != {429}:
        tried = [look(acme, acme.copy_of(mallory), "BCDF-GHJK") for _ in range(20)]
        seen.update(tried)
        last = set(tried)
        assert seen.total() < 200
    assert set(seen) == {404, 429}
    assert seen[404] <= WORKERS * LOOKUPS_PER_SESSION
    # Not even the right code helps now; somebody else's session is not concerned.
    assert {look(acme, acme.copy_of(mallory), begun["user_code"]) for _ in range(12)} == {429}
    assert look(acme, ana, begun["user_code"]) == 200
    acme.new_minute()
    assert look(acme, mallory, "BCDF-GHJK") == 404


def test_guessed_device_codes_and_endless_devices_are_limited(acme: OauthCompany) -> None:
    cli = acme.app()
    acme.new_minute()
    found = until_limited(partial(cli.poll, "g" * 43, address=MALLORY))
    assert found["invalid_grant"] <= WORKERS * (REFUSALS_PER_MINUTE + 24)
    acme.new_minute()
    found = until_limited(partial(acme.call, "/oauth/device_authorization", cli.proof, MALLORY))
    assert found["in"] <= WORKERS * DEVICE_STARTS_PER_MINUTE
    honest = cli.device()
    assert cli.decide(acme.person(), honest["user_code"]).status_code == 200
    tokens_of(cli.poll(honest["device_code"]))


# --- leaks ------------------------------------------------------------------------------------------------


def test_no_answer_can_be_kept_framed_or_read_by_another_site(
    acme: OauthCompany, ana: requests.Session
) -> None:
    cli = acme.app()
    evil = {"Origin": EVIL}
    base = acme.base_url
    code = cli.code(ana)
    answers = [cli.open(ana), cli.click(ana), cli.redeem(code)]
    for path in ("token", "device_authorization", "revoke", "introspect"):
        answers.append(
            requests.post(f"{base}/oauth/{path}", data={"client_id": "cli"}, headers=evil, timeout=30)
        )
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    # Pages of apps may call `token` and `revoke`, from origins that their files declare; this is none.
    for path, status in {
        "authorize": 405,
        "token": 403,
        "device_authorization": 405,
        "revoke": 403,
        "introspect": 405,
        "jwks": 405,
    }.items():
        preflight = requests.options(f"{base}/oauth/{path}", headers={**evil, **asks}, timeout=30)
        assert preflight.status_code == status
        answers.append(preflight)
    answers.append(ana.get(f"{base}/.well-known/oauth-authorization-server", headers=evil, timeout=30))
    for answer in answers:
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_the_answer_to_a_client_is_a_303_so_that_no_form_is_sent_on(
    acme: OauthCompany, ana: requests.Session
) -> None:
    """A 307 would post the page's form, its token included, to the client (RFC 9700, 4.12)."""
    cli = acme.app()
    for answer in (cli.click(ana), cli.click(ana, "refuse"), cli.click(ana, response_type="token")):
        assert answer.status_code == 303
        assert "csrf" not in answer.headers["Location"]
        assert answer.headers["Referrer-Policy"] == "same-origin"
    assert sent_to(cli.click(ana, "refuse"))["error"] == "access_denied"


def test_a_secret_in_the_address_does_not_count(acme: OauthCompany, ana: requests.Session) -> None:
    """What is in an address is in logs and histories."""
    wiki = acme.app("wiki")
    code = wiki.code(ana)
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": wiki.redirect,
        "code_verifier": VERIFIER,
        **wiki.proof,
    }
    answer = requests.post(f"{acme.base_url}/oauth/token?{urlencode(fields)}", timeout=30)
    ungranted(answer, "invalid_request")
    tokens = tokens_of(wiki.redeem(code))
    me = requests.get(f"{acme.base_url}/v1/me?access_token={tokens['access_token']}", timeout=30)
    refused(me, "session.missing")
    acme.good(tokens["access_token"])


def test_no_secret_of_a_helper_is_in_log_database_or_trail(acme: OauthCompany) -> None:
    planted = "PLANTED-7e1d-"
    cli, wiki = acme.app(), acme.app("wiki")
    begun = cli.device()
    ana = acme.person()
    assert cli.decide(ana, begun["user_code"]).status_code == 200
    by_device = tokens_of(cli.poll(begun["device_code"]))
    verifier = f"{planted}verifier-{'v' * 40}"
    used, unused, spoiled = (cli.code(ana, code_challenge=challenge(verifier)) for _ in range(3))
    first = tokens_of(cli.redeem(used, code_verifier=verifier))
    ungranted(cli.redeem(spoiled, code_verifier=f"{planted}wrong-{'w' * 40}"), "invalid_grant")
    second = tokens_of(cli.refresh(first["refresh_token"]))
    third = tokens_of(cli.refresh(second["refresh_token"]))
    assert acme.bearer(third["access_token"]).status_code == 200
    ungranted(cli.refresh(first["refresh_token"]), "invalid_grant")
    of_wiki = wiki.tokens(ana)
    for path in ("introspect", "revoke"):
        acme.call(f"/oauth/{path}", {**wiki.proof, "token": of_wiki["access_token"]})
        acme.call(f"/oauth/{path}", {**wiki.proof, "token": f"{planted}token"})
    acme.call(
        "/oauth/token", {**wiki.proof, "client_secret": f"{planted}secret", "grant_type": "refresh_token"}
    )
    basic = requests.auth._basic_auth_str("wiki", f"{planted}basic")
    requests.post(
        f"{acme.base_url}/oauth/token", data={"grant_type": "x"}, headers={"Authorization": basic}, timeout=30
    )
    cli.refresh(f"{planted}refresh")
    cli.redeem(f"{planted}code")
    cli.poll(f"{planted}device")
    acme.bearer(f"{planted}bearer")
    cli.open(ana, state=f"{planted}state")
    look(acme, ana, f"{planted}user-code")

    secrets = {
        "planted": planted,
        "basic": basic.removeprefix("Basic "),
        "client secret": WIKI_SECRET,
        "device code": begun["device_code"],
        "user code": begun["user_code"],
        "code used": used,
        "code unused": unused,
        "code spoiled": spoiled,
        "state": "the-apps-own-state",
        "browser's cookie": ana.cookies["daypass"],
    }
    for name, tokens in (("first", first), ("second", second), ("third", third), ("device", by_device)):
        secrets[f"access token {name}"] = tokens["access_token"]
        secrets[f"signature {name}"] = tokens["access_token"].rpartition(".")[2]
        secrets[f"refresh token {name}"] = tokens["refresh_token"]
    places = {
        **{path.name: path.read_bytes() for path in acme.folder.glob("daypass.db*")},
        "log": acme.log().encode(),
        "audit search": acme.trail().encode(),
    }
    assert {"daypass.db", "daypass.db-wal"} <= set(places)
    assert acme.session_of(third).encode() in places["audit search"]  # the search itself works
    for place, content in places.items():
        for name, secret in secrets.items():
            assert secret.encode() not in content, (name, place)


# --- floods and odd bodies --------------------------------------------------------------------------------


def test_an_address_that_only_fails_waits_and_nobody_else_does(acme: OauthCompany) -> None:
    cli, ana = acme.app(), acme.person()
    acme.new_minute()
    fail = partial(cli.refresh, "made-up", address=MALLORY)
    found = until_limited(fail)
    assert found["invalid_grant"] <= WORKERS * (REFUSALS_PER_MINUTE + 24)
    limited = fail()
    assert (limited.status_code, ungranted(limited)) == (429, "temporarily_unavailable")
    assert 0 < int(limited.headers["Retry-After"]) <= 60
    # A left-hand entry of X-Forwarded-For is the client's own claim: it buys no new count.
    ungranted(cli.refresh("made-up", address=f"192.0.2.7, {MALLORY}"), "temporarily_unavailable")
    honest_twin(acme, ana)
    # Whoever sits behind the same address still signs in: failed tokens are counted apart.
    neighbour = acme.browser()
    neighbour.headers["X-Forwarded-For"] = MALLORY
    acme.person(neighbour)
    acme.new_minute()
    ungranted(fail(), "invalid_grant")


PARAMETERS = (
    *("grant_type", "grant_type", "client_id", "client_id", "client_secret", "code", "redirect_uri", "scope"),
    *("code_verifier", "refresh_token", "device_code", "resource", "device", "token", "token_type_hint", "a"),
)
VALUES = (
    *("authorization_code", "refresh_token", DEVICE_CODE, "cli", "cli", "wiki", "pocket", WIKI_SECRET),
    *(
        WIKI_REDIRECT,
        "http://127.0.0.1:1/callback",
        VERIFIER,
        "roles",
        "credentials roles",
        "",
        " ",
        "e30.e30.e30",
    ),
    *(
        "\x00",
        "\r\nX: y",
        "\u202e",
        "\ud800",
        "\U0010ffff" * 9,
        "A" * 5_000,
        "%",
        "'--",
        "{{7*7}}",
        "[]",
        "-1",
    ),
)
FORM = "application/x-www-form-urlencoded"
KINDS = (
    *(FORM,) * 8,
    *(
        f"{FORM}; charset=utf-16",
        f"{FORM}; charset=no-such",
        "application/json",
        "multipart/form-data",
        "",
        ";",
    ),
    "multipart/form-data; boundary=x",
)
PROOFS = (
    *(None,) * 6,
    *(
        "Basic d2lraTpzM2NyM3Q=",
        "Basic",
        "Basic ====",
        "Basic Og==",
        "Basic /w==",
        "Basic OjrDvA==",
        "Bearer x",
    ),
    *("Basic " + "A" * 3_000, "basic  d2lraTp4", "\xff\xfe"),
)
BATCH = 50


def odd_body(dice: random.Random) -> bytes:
    """Nearly a form, or nothing like one."""
    if dice.random() < 0.1:
        return dice.randbytes(dice.randrange(200))
    pairs = [(dice.choice(PARAMETERS), dice.choice(VALUES)) for _ in range(dice.randrange(9))]
    body = urlencode(pairs, errors="surrogatepass").encode()
    if body and dice.random() < 0.3:
        place = dice.randrange(len(body))
        body = (
            body[:place] + dice.choice((b"%", b"&", b"=", b"\x00", b"\xff", b";", b"+")) + body[place + 1 :]
        )
    return body


@pytest.mark.parametrize("path", ["token", "device_authorization", "revoke", "introspect"])
def test_two_thousand_odd_bodies_are_refused_in_the_usual_shape(acme: OauthCompany, path: str) -> None:
    """A quarter of them at each address; each batch from an address of its own, so that no limit hides what is behind."""
    dice = random.Random(path)
    statuses: Counter[int] = Counter()
    wire = http.client.HTTPConnection("127.0.0.1", acme.port, timeout=60)
    for number in range(500 // BATCH):
        client = f"198.51.{len(path)}.{number}"
        for _ in range(BATCH):
            body, kind, proof = odd_body(dice), dice.choice(KINDS), dice.choice(PROOFS)
            headers = {"X-Forwarded-For": client, "Content-Type": kind}
            if proof is not None:
                headers["Authorization"] = proof
            wire.request("POST", f"/oauth/{path}", body=body, headers=headers)
            answer = wire.getresponse()
            told = answer.read()
            statuses[answer.status] += 1
            if answer.status != 200:
                assert 400 <= answer.status < 500, (body, kind, proof, told)
                assert answer.headers["Content-Type"] == "application/json", (body, kind, proof, told)
                assert set(json.loads(told)) == {"error", "error_description", "code", "request_id"}
                assert re.fullmatch(r"[ !#-\[\]-~]+", json.loads(told)["error_description"])
    wire.close()
    assert {400, 401} <= set(statuses) <= {200, 400, 401, 429}, statuses
    assert path in ("device_authorization", "revoke") or not statuses[200]
    honest_twin(acme)
