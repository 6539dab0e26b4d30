"""Every attack on the OpenID side, mounted through the addresses where browsers and providers' answers arrive.

Two workers, two providers that lie when told to, and a SAML directory beside them. What the unit tests forge
is brought here as it is; beside it stand the attacks that need HTTP, cookies, two browsers, two providers or
two workers at once.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from statistics import median
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests

from app.signin.places import PATIENCE
from tests.attacks.answers import refused
from tests.attacks.oidc_company import (
    BINDING,
    RIVALS_SECRET,
    SESSION,
    Begun,
    OidcCompany,
    at_once,
    byte_a_second,
    failing,
    hang,
)
from tests.signin.oidc import test_oidc_token as unit
from tests.signin.oidc.builders import (
    CLIENT,
    GONE,
    SECRET,
    Handler,
    b64,
    down,
    flood,
    garbage,
    public,
    redirect,
    rsa,
)

Route = Callable[[Handler], None]

DEADLINE = 5.0
"""Seconds that a provider has for one answer."""
QUICK = 3.0
"""Seconds within which an answer comes where nobody is slow, also on a machine that has other things to do."""
METADATA = "/metadata"
DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcCompany]:
    with OidcCompany(tmp_path_factory.mktemp("acme")) as company:
        yield company
        assert '"defect"' not in company.log()
        nothing_secret_stays(company)


@pytest.fixture(autouse=True)
def _honest_again(acme: OidcCompany) -> Iterator[None]:
    yield
    acme.honest()


def nothing_secret_stays(acme: OidcCompany) -> None:
    """What the module's sign-ins were made of is neither in the log nor, in the clear, in the database."""
    asked = [*acme.partner.asked, *acme.rival.asked]
    secrets = {SECRET, RIVALS_SECRET, "access-token", *(one["state"] for one in asked)}
    secrets |= {one["nonce"] for one in asked}
    for place in (acme.folder / "broker.log", *acme.folder.glob("daypass.db*")):
        content = place.read_bytes().decode("latin-1")
        assert not [secret for secret in secrets if secret in content], place


def gets_in(acme: OidcCompany, browser: requests.Session, answer: requests.Response) -> dict[str, Any]:
    assert answer.status_code == 303, (answer.text, acme.why(answer))
    me: dict[str, Any] = acme.me(browser).json()
    assert me["username"] == "piotr"
    return me


def stays_out(acme: OidcCompany, browser: requests.Session, answer: requests.Response, code: str) -> None:
    """Refused with that code, the reason in the log under the request id, and no session."""
    refused(answer, code)
    assert acme.why(answer)
    no_session(acme, browser, answer)


def no_session(acme: OidcCompany, browser: requests.Session, answer: requests.Response) -> None:
    assert f"{SESSION}=" not in answer.headers.get("Set-Cookie", "").replace(f"{BINDING}=", "")
    refused(acme.me(browser), "session.missing")


def honest_twin(acme: OidcCompany, source: str = "partner") -> dict[str, Any]:
    """Somebody signs in right behind it, at a provider that is honest again."""
    acme.honest()
    return gets_in(acme, *acme.attempt(source))


def again(began: float) -> None:
    assert time.perf_counter() - began < QUICK


# --- the ID token -------------------------------------------------------------------------------------------


def rows_of(test: Callable[..., None]) -> Sequence[Any]:
    """The rows of a unit test's table."""
    [mark] = test.pytestmark  # type: ignore[attr-defined]
    rows: Sequence[Any] = mark.args[1]
    return rows


@pytest.mark.parametrize(
    "forge", rows_of(unit.test_a_forged_token_is_refused_and_the_honest_one_after_it_taken)
)
def test_a_forged_token_is_refused_and_the_next_honest_one_gets_in(
    acme: OidcCompany, forge: unit.Forge
) -> None:
    acme.partner.forge = forge
    began = time.perf_counter()
    browser, answer = acme.attempt()
    again(began)
    stays_out(acme, browser, answer, "oidc.token")
    honest_twin(acme)


Claims = Mapping[str, object] | Callable[[int], Mapping[str, object]]
"""Changes, or what they are at a time."""

CLAIMS: dict[str, tuple[Claims, str]] = {
    "iss of another": ({"iss": "https://evil.example"}, "oidc.claims"),
    "iss missing": ({"iss": GONE}, "oidc.claims"),
    "iss a list": ({"iss": ["x"]}, "oidc.claims"),
    "aud another client": ({"aud": "other"}, "oidc.claims"),
    "aud another client, azp ours": ({"aud": "other", "azp": CLIENT}, "oidc.claims"),
    "aud empty": ({"aud": []}, "oidc.claims"),
    "aud ours and another": ({"aud": [CLIENT, "other"]}, "oidc.claims"),
    "aud missing": ({"aud": GONE}, "oidc.claims"),
    "aud in another case": ({"aud": CLIENT.upper()}, "oidc.claims"),
    "aud with ours as a key": ({"aud": {CLIENT: 1}}, "oidc.claims"),
    "azp another client": ({"azp": "other"}, "oidc.claims"),
    "azp a list": ({"azp": [CLIENT]}, "oidc.claims"),
    "nonce missing": ({"nonce": GONE}, "oidc.nonce"),
    "nonce of another": ({"nonce": "other"}, "oidc.nonce"),
    "nonce a number": ({"nonce": 5}, "oidc.nonce"),
    "exp 90 s ago": (lambda now: {"exp": now - 90}, "oidc.claims"),
    "exp missing": ({"exp": GONE}, "oidc.claims"),
    "exp as text": (lambda now: {"exp": str(now + 300)}, "oidc.claims"),
    "exp in milliseconds": (lambda now: {"exp": (now + 300) * 1000}, "oidc.claims"),
    "exp true": ({"exp": True}, "oidc.claims"),
    "exp without end": ({"exp": 10**400}, "oidc.claims"),
    "nbf 90 s ahead": (lambda now: {"nbf": now + 90}, "oidc.claims"),
    "nbf as text": (lambda now: {"nbf": str(now)}, "oidc.claims"),
    "iat 90 s ahead": (lambda now: {"iat": now + 90}, "oidc.claims"),
    "iat an hour ago": (lambda now: {"iat": now - 3_600}, "oidc.claims"),
    "iat missing": ({"iat": GONE}, "oidc.claims"),
    "auth_time 90 s ahead": (lambda now: {"auth_time": now + 90}, "oidc.claims"),
    "sub missing": ({"sub": GONE}, "oidc.claims"),
    "sub empty": ({"sub": ""}, "oidc.claims"),
    "sub a number": ({"sub": 248289761001}, "oidc.claims"),
    "sub a list": ({"sub": ["248289761001"]}, "oidc.claims"),
    "sub too long": ({"sub": "x" * 256}, "oidc.claims"),
    "sub of blanks and more": ({"sub": " 248289761001 "}, "identity.incomplete"),
    "at_hash of another token": ({"at_hash": b64(b"x" * 16)}, "oidc.claims"),
    "amr no list": ({"amr": "mfa"}, "oidc.claims"),
    "acr a list": ({"acr": ["phr"]}, "oidc.claims"),
    "400 claims": ({f"c{number}": 1 for number in range(400)}, "oidc.claims"),
    "two claims that become one": ({"a.b": "1", "a": {"b": "2"}}, "oidc.claims"),
    "username missing": ({"preferred_username": GONE}, "identity.incomplete"),
    "two usernames": ({"preferred_username": ["piotr", "root"]}, "identity.incomplete"),
    "username with a line end": ({"preferred_username": "piotr\r\nroot"}, "identity.incomplete"),
    "groups missing": ({"groups": GONE}, "identity.groups_incomplete"),
    "groups null": ({"groups": None}, "identity.groups_incomplete"),
    "groups elsewhere": ({"_claim_names": {"groups": "src1"}}, "identity.groups_incomplete"),
    "groups too many": ({"hasgroups": True}, "identity.groups_incomplete"),
}


@pytest.mark.parametrize(("claims", "code"), CLAIMS.values(), ids=CLAIMS)
def test_a_claim_of_wrong_value_or_type_is_refused_and_the_next_honest_token_gets_in(
    acme: OidcCompany, claims: Claims, code: str
) -> None:
    now = int(acme.now().timestamp())
    acme.partner.claims = dict(claims(now) if callable(claims) else claims)
    browser, answer = acme.attempt()
    stays_out(acme, browser, answer, code)
    honest_twin(acme)


@pytest.mark.parametrize("seconds", [-50, 50])
def test_a_clock_that_is_less_than_a_minute_off_keeps_nobody_out(acme: OidcCompany, seconds: int) -> None:
    now = int(acme.now().timestamp()) + seconds
    acme.partner.claims = {"iat": now, "nbf": now, "auth_time": now, "exp": now + (2 if seconds < 0 else 300)}
    gets_in(acme, *acme.attempt())


@pytest.mark.parametrize("verified", [GONE, False, "false", 1, None])
def test_somebody_elses_address_makes_nobody_somebody_else(acme: OidcCompany, verified: object) -> None:
    acme.partner.claims = {"email": "ana@acme.test", "email_verified": verified}
    me = gets_in(acme, *acme.attempt())
    assert (me["source"], me["subject"], me["email"]) == ("partner", "248289761001", None)


# --- algorithms and keys ------------------------------------------------------------------------------------


def unknown_keys(acme: OidcCompany, times: int) -> None:
    """Tokens with a key ID that was never seen, each from a browser of its own, so at both workers."""
    for number in range(times):
        acme.partner.header["kid"] = f"unknown-{number}"
        browser, answer = acme.attempt()
        stays_out(acme, browser, answer, "oidc.token")


def test_thirty_unknown_key_ids_cost_each_worker_one_fetch_a_minute(acme: OidcCompany) -> None:
    acme.later()
    hits = acme.partner.hits
    unknown_keys(acme, 10)  # by then both workers have the keys
    acme.later(timedelta(minutes=1))
    before = hits["/jwks"]
    unknown_keys(acme, 30)
    assert hits["/jwks"] - before <= 2
    honest_twin(acme)


def test_a_withdrawn_key_is_believed_for_an_hour_at_most(acme: OidcCompany) -> None:
    acme.later()
    gets_in(acme, *acme.attempt())
    acme.partner.keys = [public(rsa("two"), kid="k2")]
    acme.later()
    for _ in range(4):
        browser, answer = acme.attempt()
        stays_out(acme, browser, answer, "oidc.token")
    acme.partner.signing_key, acme.partner.header = rsa("two"), {"kid": "k2"}
    gets_in(acme, *acme.attempt())
    acme.later()
    honest_twin(acme)


SYMMETRIC = b"k" * 32
ANNOUNCED: dict[str, tuple[list[str], list[dict[str, object]], unit.Forge]] = {
    "none, and a key without alg": (["none"], [public(rsa(), kid="k1")], unit.unsigned("none")),
    "a symmetric key": (
        ["HS256"],
        [{"kty": "oct", "k": b64(SYMMETRIC), "kid": "k1"}],
        unit.hmac_with(SYMMETRIC),
    ),
    "HS256, keyed with the public key": (["HS256"], [public(rsa(), kid="k1")], unit.hmac_with(unit.PUBLIC_PEM)),
    "HS256, keyed with the client secret": (
        ["HS256", "RS256"],
        [public(rsa(), kid="k1")],
        unit.hmac_with(SECRET.encode()),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("algorithms", "keys", "forge"), ANNOUNCED.values(), ids=ANNOUNCED)
def test_what_the_provider_announces_widens_nothing(
    acme: OidcCompany, algorithms: list[str], keys: list[dict[str, object]], forge: unit.Forge
) -> None:
    acme.partner.metadata["id_token_signing_alg_values_supported"] = algorithms
    acme.partner.keys, acme.partner.forge = keys, forge
    acme.later()
    browser, answer = acme.attempt()
    stays_out(acme, browser, answer, "oidc.token")
    acme.later()
    honest_twin(acme)


# --- the answer that a browser brings -----------------------------------------------------------------------


def redeemed(acme: OidcCompany) -> int:
    """Codes that were sent to a token endpoint so far."""
    return acme.partner.hits["/token"] + acme.rival.hits["/token"]


STATES: dict[str, tuple[object, str]] = {
    "missing": (GONE, "signin.not_started_here"),
    "empty": ("", "signin.not_started_here"),
    "made up": ("A" * 43, "signin.not_started_here"),
    "not our alphabet": ("é" * 43, "signin.not_started_here"),
    "a null": ("\0", "signin.not_started_here"),
    "half a character": (b"\xed\xa0\x80", "signin.not_started_here"),
    "SQL": ("' OR '1'='1", "signin.not_started_here"),
    "a wildcard": ("%", "signin.not_started_here"),
    "129 characters": ("A" * 129, "signin.not_started_here"),
    "8 KB and one": ("A" * 8_193, "request.malformed"),
    "16 KB and one": ("A" * 16_385, "request.too_large"),
}


@pytest.mark.parametrize(("state", "code"), STATES.values(), ids=STATES)
def test_a_foreign_state_is_refused_and_the_code_is_not_sent(
    acme: OidcCompany, state: object, code: str
) -> None:
    begun = acme.start()
    fields = acme.partner.authorize(begun.url)
    before = redeemed(acme)
    crooked = {name: value for name, value in {**fields, "state": state}.items() if value is not GONE}
    stays_out(acme, begun.browser, acme.callback(begun, urlencode(crooked)), code)
    assert redeemed(acme) == before
    gets_in(acme, begun.browser, acme.callback(begun, fields))


def test_nearly_the_right_state_is_refused(acme: OidcCompany) -> None:
    begun = acme.start()
    fields = acme.partner.authorize(begun.url)
    state = fields["state"]
    for crooked in (state + "A", state[:-1], state.swapcase(), state + "\n", " " + state):
        answer = acme.callback(begun, {**fields, "state": crooked})
        stays_out(acme, begun.browser, answer, "signin.not_started_here")
    gets_in(acme, begun.browser, acme.callback(begun, fields))


def test_the_attackers_answer_in_the_victims_browser_is_refused(acme: OidcCompany) -> None:
    """Login CSRF: the victim would work in the attacker's account."""
    attacker, victim, bystander = acme.start(), acme.start(), acme.browser()
    fields = acme.partner.authorize(attacker.url)
    before = redeemed(acme)
    for browser in (victim.browser, bystander):
        answer = acme.callback(Begun(browser, "partner", ""), fields)
        stays_out(acme, browser, answer, "signin.not_started_here")
    assert redeemed(acme) == before
    # None of it used up what the attacker had begun: refused for the browser, not for the answer.
    gets_in(acme, attacker.browser, acme.callback(attacker, fields))
    gets_in(acme, victim.browser, acme.callback(victim))


def test_the_same_answer_twenty_times_at_once_lets_one_in_and_redeems_once(acme: OidcCompany) -> None:
    for _ in range(3):
        begun = acme.start()
        fields = acme.partner.authorize(begun.url)
        browsers = [acme.copy_of(begun.browser) for _ in range(20)]
        before = redeemed(acme)
        answers = at_once([partial(acme.callback, Begun(one, "partner", ""), fields) for one in browsers])
        assert outcomes(answers) == {"in": 1, "signin.not_started_here": 19}
        assert redeemed(acme) - before == 1
        assert sum(acme.me(one).status_code == 200 for one in browsers) == 1


def test_twenty_codes_for_one_state_at_once_are_one_guess(acme: OidcCompany) -> None:
    begun = acme.start()
    fields = acme.partner.authorize(begun.url)
    before = redeemed(acme)
    answers = at_once(
        [
            lambda one=one, code=f"guess-{number}": acme.callback(one, {**fields, "code": code})
            for number, one in enumerate(Begun(acme.copy_of(begun.browser), "partner", "") for _ in range(20))
        ]
    )
    assert outcomes(answers) == {"oidc.refused": 1, "signin.not_started_here": 19}
    assert redeemed(acme) - before == 1
    honest_twin(acme)


def outcomes(answers: Sequence[requests.Response]) -> Counter[str]:
    return Counter("in" if answer.status_code == 303 else refused(answer) for answer in answers)


def test_an_answer_used_before_is_refused_in_every_browser(acme: OidcCompany) -> None:
    begun = acme.start()
    fields = acme.partner.authorize(begun.url)
    kept = acme.copy_of(
        begun.browser
    )  # the binding cookie is gone after a sign-in; a thief would have kept it
    gets_in(acme, begun.browser, acme.callback(begun, fields))
    before = redeemed(acme)
    for browser in (begun.browser, kept, acme.browser(), acme.start().browser):
        answer = acme.callback(Begun(browser, "partner", ""), fields)
        refused(answer, "signin.not_started_here")
        assert SESSION not in answer.cookies
    assert redeemed(acme) == before


def test_an_answer_that_took_more_than_ten_minutes_is_refused(acme: OidcCompany) -> None:
    begun = acme.start()
    fields = acme.partner.authorize(begun.url)
    acme.later(timedelta(minutes=10, seconds=1))
    before = redeemed(acme)
    stays_out(acme, begun.browser, acme.callback(begun, fields), "signin.not_started_here")
    assert redeemed(acme) == before
    honest_twin(acme)


def test_a_stolen_code_in_the_thiefs_own_sign_in_fails_by_pkce(acme: OidcCompany) -> None:
    victim, thief = acme.start(), acme.start()
    stolen = acme.partner.authorize(victim.url)["code"]
    own = acme.partner.authorize(thief.url)
    stays_out(acme, thief.browser, acme.callback(thief, {**own, "code": stolen}), "oidc.refused")
    honest_twin(acme)


def test_a_stolen_code_fails_by_the_nonce_where_the_provider_ignores_pkce(acme: OidcCompany) -> None:
    victim, thief = acme.start(), acme.start()
    stolen = acme.partner.authorize(victim.url)["code"]
    own = acme.partner.authorize(thief.url)
    asked = acme.partner.codes[stolen]
    acme.partner.codes[stolen] = {**acme.partner.codes[own["code"]], "nonce": asked["nonce"]}
    stays_out(acme, thief.browser, acme.callback(thief, {**own, "code": stolen}), "oidc.nonce")
    honest_twin(acme)


CODES: dict[str, tuple[object, str]] = {
    "missing": (GONE, "oidc.refused"),
    "empty": ("", "oidc.refused"),
    "with a line end": ("a\r\nX: y", "oidc.refused"),
    "not ASCII": ("cödé", "oidc.refused"),
    "never given": ("made-up", "oidc.refused"),
    "8 KB and one": ("x" * 8_193, "request.malformed"),
}


@pytest.mark.parametrize(("given", "code"), CODES.values(), ids=CODES)
def test_what_cannot_be_a_code_lets_nobody_in(acme: OidcCompany, given: object, code: str) -> None:
    acme.partner.callback["code"] = given
    browser, answer = acme.attempt()
    stays_out(acme, browser, answer, code)
    honest_twin(acme)


@pytest.mark.parametrize("name", ["state", "code", "iss", "error"])
def test_a_parameter_that_stands_twice_is_refused_before_anything_is_used_up(
    acme: OidcCompany, name: str
) -> None:
    begun = acme.start()
    fields = acme.partner.authorize(begun.url)
    before = redeemed(acme)
    doubled = urlencode([*fields.items(), (name, "x"), (name, fields.get(name, "x"))])
    stays_out(acme, begun.browser, acme.callback(begun, doubled), "request.malformed")
    assert redeemed(acme) == before
    gets_in(acme, begun.browser, acme.callback(begun, fields))


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_at_the_callback_do_nothing(acme: OidcCompany, method: str) -> None:
    begun = acme.start()
    fields = acme.partner.authorize(begun.url)
    answer = begun.browser.request(
        method, f"{acme.base_url}/oidc/partner/callback", params=fields, data=fields, allow_redirects=False
    )
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
    gets_in(acme, begun.browser, acme.callback(begun, fields))


def test_the_person_lands_where_the_sign_in_began_and_not_where_the_answer_says(acme: OidcCompany) -> None:
    for asked, lands in (("/?q=sandbox", "/?q=sandbox"), ("//evil.test", "/"), ("/\\evil.test", "/")):
        begun = acme.start(next_path=asked)
        fields = {**acme.partner.authorize(begun.url), "next": "https://evil.test/"}
        answer = acme.callback(begun, fields)
        assert answer.headers["Location"] == lands
        gets_in(acme, begun.browser, answer)


def test_the_providers_no_is_said_in_our_words_and_its_own_stay_in_the_log(acme: OidcCompany) -> None:
    words = "<script>alert(1)</script>\r\n\x1b[31m\u202e cancelled"
    acme.partner.callback |= {"code": GONE, "error": "access_denied", "error_description": words}
    begun = acme.start()
    page = acme.callback(begun, Accept="text/html")
    stays_out(acme, begun.browser, page, "signin.denied_by_provider")
    assert "alert(1)" not in page.text and "cancelled" not in page.text
    why = acme.why(page)
    assert "access_denied" in why and "cancelled" in why
    assert why.isascii() and why.isprintable()
    honest_twin(acme)


def test_an_error_beside_a_code_wins(acme: OidcCompany) -> None:
    acme.partner.callback["error"] = "access_denied"
    before = redeemed(acme)
    browser, answer = acme.attempt()
    stays_out(acme, browser, answer, "signin.denied_by_provider")
    assert redeemed(acme) == before
    honest_twin(acme)


# --- mix-up: two providers, one of them bad -----------------------------------------------------------------


@pytest.mark.parametrize("iss", ["https://evil.example", "", GONE, "{}/", "{}?", "RIVAL"])
def test_a_foreign_or_missing_iss_is_refused_and_the_code_is_sent_nowhere(
    acme: OidcCompany, iss: object
) -> None:
    named = str(iss).format(acme.partner.issuer).replace("RIVAL", acme.rival.issuer)
    acme.partner.callback["iss"] = GONE if iss is GONE else named
    before = redeemed(acme)
    browser, answer = acme.attempt()
    stays_out(acme, browser, answer, "oidc.issuer")
    assert redeemed(acme) == before
    honest_twin(acme)


def test_a_code_of_one_provider_never_reaches_the_other(acme: OidcCompany) -> None:
    """RFC 9207, 1 and RFC 9700, 4.4.1: the bad one sends the browser on to the good one, with our client ID."""
    begun = acme.start("rival")
    asked = dict(parse_qsl(urlsplit(begun.url).query))
    onward = f"{acme.partner.issuer}/authorize?tenant=1&{urlencode({**asked, 'tenant': '1'})}"
    codes = acme.partner.authorize(onward.replace("tenant=1&tenant=1", "tenant=1"))
    before = redeemed(acme)
    # Its redirect address is the bad one's: a provider that allows that anyway is met by `iss`.
    at_rival = acme.callback(begun, codes)
    stays_out(acme, begun.browser, at_rival, "oidc.issuer")
    # At the good one's address: the state is of a sign-in with the other.
    begun = acme.start("rival")
    fields = {**codes, "state": dict(parse_qsl(urlsplit(begun.url).query))["state"]}
    at_partner = acme.callback(Begun(begun.browser, "partner", ""), fields)
    stays_out(acme, begun.browser, at_partner, "signin.not_started_here")
    assert redeemed(acme) == before
    gets_in(acme, begun.browser, acme.callback(begun))


def test_one_providers_token_is_worth_nothing_at_the_other(acme: OidcCompany) -> None:
    stolen: list[str] = []
    honest = acme.partner.id_token

    def remember(nonce: str) -> str:
        stolen.append(honest(nonce))
        return stolen[-1]

    acme.partner.id_token = remember  # type: ignore[method-assign]
    try:
        gets_in(acme, *acme.attempt("partner"))
    finally:
        del acme.partner.id_token  # type: ignore[method-assign]
    acme.rival.forge = lambda header, claims: stolen[0]
    browser, answer = acme.attempt("rival")
    stays_out(acme, browser, answer, "oidc.claims")
    acme.rival.forge = None
    acme.rival.claims = {"iss": acme.partner.issuer}
    browser, answer = acme.attempt("rival")
    stays_out(acme, browser, answer, "oidc.claims")
    honest_twin(acme, "rival")


def test_the_same_subject_at_two_providers_is_two_people(acme: OidcCompany) -> None:
    one, other = honest_twin(acme, "partner"), honest_twin(acme, "rival")
    assert one["subject"] == other["subject"]
    assert (one["source"], other["source"]) == ("partner", "rival")


def test_each_provider_sees_its_own_secret_and_redirect_address(acme: OidcCompany) -> None:
    """What they are sent is checked by the providers themselves; here, that no address is shared."""
    urls = [acme.start(source).url for source in ("partner", "rival")]
    addresses = [dict(parse_qsl(urlsplit(url).query))["redirect_uri"] for url in urls]
    assert addresses == [f"{acme.base_url}/oidc/{source}/callback" for source in ("partner", "rival")]


# --- userinfo -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", [GONE, "", "248289761002", None, 248289761001, ["248289761001"]])
def test_userinfo_of_another_subject_is_refused(acme: OidcCompany, subject: object) -> None:
    acme.rival.userinfo = {"sub": subject}
    browser, answer = acme.attempt("rival")
    stays_out(acme, browser, answer, "oidc.userinfo")
    honest_twin(acme, "rival")


# --- providers that are down, lie or flood ------------------------------------------------------------------


def says(status: int, body: bytes, content_type: str = "application/json") -> Route:
    return lambda handler: handler.send(status, body, content_type)


BROKEN: dict[str, Route] = {
    "down": down,
    "garbage": garbage,
    "a redirect": redirect,
    "300 MB": flood,
    "a list": says(200, b"[]"),
    "nothing": says(200, b""),
    "60 000 levels": says(200, b'{"a":' * 60_000),
    "NaN": says(200, b'{"expires_in": NaN}'),
    "a number of 5 000 digits": says(200, b'{"expires_in": ' + b"9" * 5_000 + b"}"),
    "a member twice": says(200, b'{"id_token": "x", "id_token": "y"}'),
    "no UTF-8": says(200, b"\xff\xfe{}"),
}
KEYS = {**BROKEN, "no list of keys": says(200, b'{"keys": {}}')}
USERINFO = {**BROKEN, "a signed answer": says(200, b"{}", "application/jwt"), "401": says(401, b"{}")}
TOKEN = {
    **BROKEN,
    "another type": says(200, b"{}", "text/html"),
    "an error of its own": says(400, b'{"error": "invalid_request"}'),
    "an error without words": says(400, b"<html>"),
    "our secret is wrong": says(401, b'{"error": "invalid_client"}'),
}
CASES = [
    *[("start", "partner", DISCOVERY, name, route) for name, route in BROKEN.items()],
    *[("finish", "partner", "/jwks", name, route) for name, route in KEYS.items()],
    *[("finish", "partner", "/token", name, route) for name, route in TOKEN.items()],
    *[("finish", "rival", "/userinfo", name, route) for name, route in USERINFO.items()],
]


@pytest.mark.parametrize(
    ("when", "source", "path", "route"),
    [(when, source, path, route) for when, source, path, _, route in CASES],
    ids=[f"{path}: {name}" for _, _, path, name, _ in CASES],
)
def test_a_provider_that_misbehaves_is_refused_and_in_again_when_it_is_well(
    acme: OidcCompany, when: str, source: str, path: str, route: Route
) -> None:
    acme.later()
    provider = acme.provider(source)
    provider.routes[path] = route
    began = time.perf_counter()
    if when == "start":
        browser = acme.browser()
        answer = acme.ask_to_start(source, browser)
    else:
        browser, answer = acme.attempt(source)
    again(began)
    failing(answer, "provider.failed")
    assert acme.why(answer)
    no_session(acme, browser, answer)
    assert provider.hits["/elsewhere"] == 0
    acme.later()
    honest_twin(acme, source)


LIES: dict[str, tuple[str, object]] = {
    "another issuer": ("issuer", "https://evil.example"),
    "the issuer with a slash": ("issuer", "{}/"),
    "no issuer": ("issuer", GONE),
    "script for an endpoint": ("authorization_endpoint", "javascript:alert(document.domain)//"),
    "data for an endpoint": ("authorization_endpoint", "data:text/html,x"),
    "an endpoint in the clear": ("token_endpoint", "http://idp.example/token"),
    "a file for keys": ("jwks_uri", "file:///etc/passwd"),
    "an endpoint with a line end": ("authorization_endpoint", "https://idp.example/\r\nX: y"),
    "no endpoint": ("token_endpoint", GONE),
    "instance metadata in the clear": ("jwks_uri", "http://169.254.169.254/latest"),
}


@pytest.mark.parametrize(("name", "value"), LIES.values(), ids=LIES)
def test_a_document_that_lies_sends_nobody_anywhere(acme: OidcCompany, name: str, value: object) -> None:
    acme.later()
    acme.partner.metadata[name] = (
        value.format(acme.partner.issuer) if isinstance(value, str) and "{}" in value else value
    )
    browser = acme.browser()
    answer = acme.ask_to_start(browser=browser)
    failing(answer, "provider.failed")
    assert "Location" not in answer.headers
    no_session(acme, browser, answer)
    acme.later()
    honest_twin(acme)


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("token_endpoint", "https://169.254.169.254/latest/meta-data/"),
        ("token_endpoint", "https://[fd00:ec2::254]/"),
        ("jwks_uri", "https://[::ffff:169.254.169.254]/keys"),
        ("jwks_uri", "https://169.254.170.2/v2/credentials"),
    ],
)
def test_an_endpoint_at_a_closed_address_is_not_asked(acme: OidcCompany, endpoint: str, address: str) -> None:
    acme.later()
    acme.partner.metadata[endpoint] = address
    browser, answer = acme.attempt()
    failing(answer, "provider.address")
    assert address not in answer.text
    no_session(acme, browser, answer)
    acme.later()
    honest_twin(acme)


@pytest.mark.parametrize("status", [201, 400, 401, 500])
def test_a_good_token_with_a_bad_status_lets_nobody_in(acme: OidcCompany, status: int) -> None:
    def token(handler: Handler) -> None:
        handler.json(acme.partner.token_response(acme.partner.asked[-1]), status)

    acme.partner.routes["/token"] = token
    browser, answer = acme.attempt()
    failing(answer, "provider.failed")
    no_session(acme, browser, answer)
    honest_twin(acme)


# --- providers that are slow --------------------------------------------------------------------------------

Slow = Sequence[tuple[str, str, Route]]
"""Source, path and how it is slow."""
SLOW: dict[str, Slow] = {
    "tokens a byte a second, and not a word": (
        ("partner", "/token", byte_a_second),
        ("rival", "/token", hang),
    ),
    "keys a byte a second, userinfo not a word": (
        ("partner", "/jwks", byte_a_second),
        ("rival", "/userinfo", hang),
    ),
    "discovery not a word": (("partner", DISCOVERY, hang), ("rival", DISCOVERY, byte_a_second)),
    "a SAML directory's metadata not a word": (("labs", METADATA, hang),),
}
CROWD = 20
"""People at each slow provider at once; a worker has 16 threads."""


def in_time(acme: OidcCompany, until: Callable[[], bool]) -> list[float]:
    """How long the others wait meanwhile: health, and each step of a sign-in at the SAML directory."""
    waits = []

    def timed(call: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        found = call()
        waits.append(time.perf_counter() - began)
        return found

    while not until():
        health = timed(lambda: acme.browser().get(f"{acme.base_url}/healthz", timeout=20))
        assert health.status_code == 200
        started = timed(lambda: acme.begin(acme.browser()))
        document = acme.response(started)
        assert timed(lambda s=started, d=document: acme.post(s, d)).status_code == 303
    return waits


@pytest.mark.alone
@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW)
def test_a_crowd_at_slow_providers_is_refused_in_time_and_keeps_nobody_else_out(
    acme: OidcCompany, slow: Slow
) -> None:
    acme.later()
    calls: list[Callable[[], requests.Response]] = []
    for source, path, _ in slow:
        for _ in range(CROWD):
            if path in (DISCOVERY, METADATA):
                calls.append(lambda source=source: acme.ask_to_start(source))
            else:
                begun = acme.start(source)
                calls.append(lambda begun=begun: acme.callback(begun))
    for source, path, route in slow:
        acme.provider(source).routes[path] = route
    gate = threading.Barrier(len(calls) + 1)

    def timed(call: Callable[[], requests.Response]) -> tuple[requests.Response, float]:
        gate.wait()
        began = time.perf_counter()
        return call(), time.perf_counter() - began

    with ThreadPoolExecutor(len(calls)) as pool:
        asked = [pool.submit(timed, call) for call in calls]
        gate.wait()
        waits = in_time(acme, lambda: all(one.done() for one in asked))
    for answer, took in (one.result() for one in asked):
        failing(answer, "provider.failed")
        assert took < DEADLINE + QUICK
    # Who waits for a place at a slow provider holds a thread as well, for a moment; nobody holds it for long.
    assert max(waits) < len(slow) * PATIENCE + 1.0, waits
    assert median(waits) < 0.5, waits
    acme.later()
    for source, path, _ in slow:
        if path != METADATA:
            honest_twin(acme, source)


@pytest.mark.alone
def test_a_crowd_at_a_provider_that_is_well_gets_in(acme: OidcCompany) -> None:
    """The bound for slow providers is not felt where an answer takes a tenth of a second."""
    honest = acme.partner.routes["/token"]

    def unhurried(handler: Handler) -> None:
        time.sleep(0.1)
        honest(handler)

    acme.partner.routes["/token"] = unhurried
    begun = [acme.start() for _ in range(2 * CROWD)]
    answers = at_once([lambda one=one: acme.callback(one) for one in begun])
    assert Counter(answer.status_code for answer in answers) == {303: 2 * CROWD}


@pytest.mark.alone
def test_providers_that_hang_do_not_hold_up_a_start(acme: OidcCompany) -> None:
    assert acme.broker is not None
    acme.broker.stop()
    enough = threading.Event()

    def held(handler: Handler) -> None:
        enough.wait(60)
        handler.close_connection = True

    began = time.perf_counter()
    acme.start_broker()
    usual = time.perf_counter() - began
    acme.broker.stop()
    for provider in (acme.partner, acme.rival):
        provider.routes[DISCOVERY] = held
    began = time.perf_counter()
    acme.start_broker()
    took = time.perf_counter() - began
    acme.sign_in()
    enough.set()
    # One after the other they would take 20 s, 5 s each in parent and workers; the machine's own pace is no matter.
    assert took < usual * 2 + 10
    time.sleep(0.5)
    acme.later()
    honest_twin(acme)
