"""Every attack on token exchange, mounted over HTTP against two workers, each beside its honest twin.

Three apps, a plain OAuth 2.0 provider, an OpenID provider and a SAML directory, all of which lie when told to. What
is refused must give nothing: no session, no guest, and no call to AWS.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import Any

import botocore.auth
import pytest
from botocore.exceptions import ClientError

from app.limits import GUESTS_PER_DAY, prefix
from app.model import EXCHANGE
from app.store import open_database
from app.store.codec import digest
from app.store.tables import POOL_IDENTITIES
from tests.attacks.answers import refused
from tests.attacks.app_company import (
    AWS,
    BUCKET,
    CORP,
    NOTES_PAGE,
    PAGE,
    READ_ONLY,
    TYPE,
    UPLOADS,
    WEB,
    AppCompany,
    turned_away,
)
from tests.attacks.oidc_company import at_once, byte_a_second, hang
from tests.attacks.outages import assumed, issuances, mend
from tests.attacks.test_oidc_over_http import BROKEN, DEADLINE, QUICK, Route
from tests.signin.oidc import test_oidc_token as unit
from tests.signin.oidc.builders import CLIENT, GONE, SECRET, public, rsa
from tests.signin.saml.builders import Signing, rsa_key

ADMIN = "arn:aws:iam::111122223333:role/Admin"
EVIL = "https://evil.example"
BAD = "invalid_request"


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppCompany]:
    with AppCompany(tmp_path_factory.mktemp("acme")) as company:
        yield company
        assert '"defect"' not in company.log()
        nothing_secret_stays(company)


@pytest.fixture(autouse=True)
def _honest_again(acme: AppCompany) -> Iterator[None]:
    mend(acme)
    yield
    acme.honest()


def nothing_secret_stays(acme: AppCompany) -> None:
    """No token that was brought or given is in the log or, in the clear, in the database."""
    kept = [text for text in acme.shown if len(text) >= 16]
    assert kept
    for place in (acme.folder / "broker.log", *acme.folder.glob("daypass.db*")):
        content = place.read_bytes().decode("latin-1")
        assert not [text for text in kept if text in content], place


def seconds(acme: AppCompany, by: float = 0) -> int:
    return int(acme.now().timestamp() + by)


def as_link(subject: Mapping[str, str]) -> dict[str, str]:
    """The same token as the second proof of a link."""
    return {name.replace("subject_", "link_"): value for name, value in subject.items()}


# --- ID tokens: for whom, when, by which key ------------------------------------------------------------------

Claims = Callable[[AppCompany], Mapping[str, object]]
WHOM, WHEN, REST = "exchange.audience", "exchange.expired", "exchange.token"

CLAIMS: dict[str, tuple[Claims, str]] = {
    "another app's of the same provider": (lambda acme: {"aud": "other-app"}, WHOM),
    "ours at our own sign-in": (lambda acme: {"aud": CLIENT}, WHOM),
    "another app's beside ours": (lambda acme: {"aud": [WEB, "other-app"], "azp": WEB}, WHOM),
    "for ours, given to another": (lambda acme: {"azp": "other-app"}, WHOM),
    "one that begins with ours": (lambda acme: {"aud": f"{WEB}-2"}, WHOM),
    "in another case": (lambda acme: {"aud": WEB.upper()}, WHOM),
    "for nobody": (lambda acme: {"aud": GONE}, WHOM),
    "expired a moment ago": (lambda acme: {"exp": seconds(acme, -1)}, WHEN),
    "expired an hour ago": (lambda acme: {"exp": seconds(acme, -3600), "iat": seconds(acme, -7200)}, WHEN),
    "made more than a day ago": (lambda acme: {"iat": seconds(acme, -86_500), "auth_time": GONE}, WHEN),
    "of the future": (lambda acme: {"iat": seconds(acme, 90)}, WHEN),
    "not yet good": (lambda acme: {"nbf": seconds(acme, 90)}, WHEN),
    "without an end": (lambda acme: {"exp": GONE}, REST),
    "without an end, by a number": (lambda acme: {"exp": 10**30}, REST),
    "of another issuer": (lambda acme: {"iss": EVIL}, REST),
    "of the other provider": (lambda acme: {"iss": acme.rival.issuer}, REST),
    "an access token of the provider": (lambda acme: {"scope": "openid profile"}, REST),
    "a logout token of the provider": (lambda acme: {"events": {"http://x": {}}}, REST),
    "an access token by its claims": (lambda acme: {"token_use": "access"}, REST),
    "of nobody": (lambda acme: {"sub": GONE}, REST),
}


def stays_out(
    acme: AppCompany, subject: Mapping[str, str], code: str, *, client: str = "photo-app", **form: str
) -> None:
    """No token and no keys are given for it, and the operator's log has the reason."""
    with acme.nothing_given():
        for wish in ({}, AWS) if client == "photo-app" else ({},):
            answer = acme.exchange(subject, client=client, **wish, **form)
            turned_away(answer, BAD, code)
            assert acme.why(answer)


@pytest.mark.parametrize(("claims", "code"), CLAIMS.values(), ids=CLAIMS)
def test_an_id_token_that_is(acme: AppCompany, claims: Claims, code: str) -> None:
    stays_out(acme, acme.id_token(**claims(acme)), code)
    acme.gets_in(acme.id_token())


OWN = public(rsa("attacker"), kid="k1")
FORGED: dict[str, unit.Forge] = {
    "not signed": unit.unsigned("none"),
    "not signed, in odd letters": unit.unsigned("nOnE"),
    "not signed, as if it were": unit.unsigned("RS256"),
    "keyed with the public key": unit.hmac_with(unit.PUBLIC_PEM),
    "keyed with our secret there": unit.hmac_with(SECRET.encode()),
    "changed after signing": unit.tampered,
    "signed with the attacker's key": unit.signed_by(rsa("attacker")),
    "signed with the right key by another algorithm": unit.signed_by(rsa(), "RS384"),
    "signed by PSS": unit.signed_by(rsa(), "PS256"),
    "with a key of its own": lambda header, claims: unit.signed_by(rsa("attacker"))(
        {**header, "jwk": OWN}, claims
    ),
    "with an address of a key": unit.header_with(jku="https://evil.example/jwks"),
    "with what must be understood": unit.header_with(crit=["exp"]),
    "an access token by its type": unit.header_with(typ="at+jwt"),
    "a logout token by its type": unit.header_with(typ="logout+jwt"),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_an_id_token_is_refused_that_is(acme: AppCompany, forge: unit.Forge) -> None:
    stays_out(acme, acme.id_token(forge), REST)
    acme.gets_in(acme.id_token())


def test_a_withdrawn_key_proves_nobody_once_keys_are_fetched_anew(acme: AppCompany) -> None:
    acme.gets_in(acme.id_token())
    acme.partner.keys = [public(rsa("two"), kid="k2")]
    acme.later()
    for _ in range(3):  # at both workers
        stays_out(acme, acme.id_token(), REST)
    acme.gets_in(acme.id_token(unit.signed_by(rsa("two")), {"kid": "k2"}))
    acme.honest()
    acme.later()
    acme.gets_in(acme.id_token())


def test_a_nonce_that_the_app_gives_is_held_against_the_token(acme: AppCompany) -> None:
    token = acme.id_token(nonce="of-this-browser")
    stays_out(acme, token, REST, subject_nonce="of-another")
    stays_out(acme, acme.id_token(), REST, subject_nonce="of-this-browser")
    for other in (acme.chirp(), acme.assertion()):  # which have none that could be compared
        stays_out(acme, other, "oauth.invalid_request", subject_nonce="of-this-browser")
        acme.gets_in(other)
    acme.gets_in(token, subject_nonce="of-this-browser")


# --- sources and kinds --------------------------------------------------------------------------------------


def test_a_token_of_a_source_that_the_client_does_not_accept_is_refused(acme: AppCompany) -> None:
    rivals = {"iss": acme.rival.issuer}
    stays_out(acme, acme.id_token(**rivals), "oauth.subject_not_accepted", subject_issuer="rival")
    stays_out(acme, acme.id_token(**rivals), REST, subject_issuer="partner")
    stays_out(acme, acme.id_token(), "oauth.subject_not_accepted", subject_issuer="nobody")
    stays_out(acme, acme.chirp(), "oauth.subject_not_accepted", client="notes-app")
    acme.gets_in(acme.id_token(), subject_issuer="partner")
    acme.gets_in(acme.chirp(), subject_issuer="social")


def test_a_kind_that_the_token_is_not_opens_nothing(acme: AppCompany) -> None:
    for kind in ("access_token", "saml2"):
        stays_out(acme, {**acme.id_token(), "subject_token_type": TYPE + kind}, REST)
    stays_out(acme, {**acme.chirp(), "subject_token_type": f"{TYPE}id_token"}, REST)
    stays_out(acme, {**acme.chirp(), "subject_issuer": "partner"}, "exchange.kind")
    for kind in ("jwt", "refresh_token", "saml1"):
        stays_out(acme, {**acme.id_token(), "subject_token_type": TYPE + kind}, "oauth.invalid_request")
    acme.gets_in(acme.id_token())


def test_a_token_of_ours_is_no_subject_token_of_any_kind(acme: AppCompany) -> None:
    ours = acme.gets_in(acme.id_token())["access_token"]
    for kind in ("access_token", "id_token"):
        for source in ({}, {"subject_issuer": "partner"}, {"subject_issuer": "social"}):
            stays_out(acme, acme.subject(ours, kind), "exchange.kind", **source)
    assert ours not in acme.checked  # nor is it any provider's to look at
    assert acme.api(ours).json()["source"] == "partner"


def test_what_apps_bring_opens_nothing_by_itself(acme: AppCompany) -> None:
    for subject in (acme.id_token(), acme.chirp(), acme.assertion()):
        text = subject["subject_token"]
        for path in ("/v1/me", "/v1/roles"):
            refused(acme.api(text, path), "token.invalid")
        with acme.nothing_given():
            refused(acme.api(text, "/v1/credentials", role=UPLOADS), "token.invalid")
        ours = acme.gets_in(subject)["access_token"]
        assert acme.api(ours).status_code == 200


# --- access tokens of a plain OAuth 2.0 provider ------------------------------------------------------------

CHECKS: dict[str, tuple[dict[str, object], str]] = {
    "another app's": ({"app_id": "other-app"}, WHOM),
    "another app's, by a number": ({"app_id": 4711}, WHOM),
    "withdrawn": ({"is_valid": False}, REST),
    "good by a text alone": ({"is_valid": "true"}, REST),
    "good by a number alone": ({"is_valid": 1}, REST),
    "a page's and nobody's": ({"type": "PAGE"}, REST),
    "an app's own": ({"type": "APP"}, REST),
}


@pytest.mark.parametrize(("check", "code"), CHECKS.values(), ids=CHECKS)
def test_an_access_token_is_refused_that_is(acme: AppCompany, check: dict[str, object], code: str) -> None:
    before = acme.social.hits["/me"]
    stays_out(acme, acme.chirp(**check), code)
    assert acme.social.hits["/me"] == before  # whose it is, is none of our business
    assert acme.gets_in(acme.chirp())["identity_id"]


@pytest.mark.parametrize(("expires", "issued"), [(-1, -60), (-3600, -7200), (3600, 90)])
def test_an_access_token_is_refused_that_is_out_of_date_or_of_the_future(
    acme: AppCompany, expires: int, issued: int
) -> None:
    times = {"expires_at": seconds(acme, expires), "issued_at": seconds(acme, issued)}
    stays_out(acme, acme.chirp(**times), WHEN)
    acme.gets_in(acme.chirp())


def test_an_access_token_that_the_provider_never_gave_is_refused(acme: AppCompany) -> None:
    for text in ("made-up", acme.social.secret or "", f"acme-app|{acme.social.secret}", "x" * 4096):
        with acme.nothing_given():
            subject = {"subject_token": text, "subject_token_type": f"{TYPE}access_token"}
            turned_away(acme.exchange(subject, **AWS), BAD, REST)
    acme.gets_in(acme.chirp())


# --- assertions (RFC 7522) ----------------------------------------------------------------------------------


def test_an_assertion_for_another_audience_or_place_is_refused(acme: AppCompany) -> None:
    token_endpoint = f"{acme.base_url}/oauth/token"
    for edits in (
        [(CORP, "urn:other:app")],
        [(CORP, f"{acme.base_url}/saml/corp/metadata")],
        [(token_endpoint, acme.acs)],
        [(token_endpoint, f"{EVIL}/oauth/token")],
        [(CORP, f"{acme.base_url}/saml/corp/metadata"), (token_endpoint, acme.acs)],
    ):
        stays_out(acme, acme.assertion(*edits), WHOM)
    acme.gets_in(acme.assertion())


def test_an_assertion_of_a_sign_in_here_is_no_subject_token_nor_the_other_way_round(acme: AppCompany) -> None:
    started = acme.begin()
    response = acme.response(started)
    start, end = response.index(b"<saml:Assertion"), response.index(b"</samlp:Response>")
    for text in (response, response[start:end]):
        stays_out(acme, acme.subject(base64.urlsafe_b64encode(text).decode().rstrip("="), "saml2"), REST)
    posted = base64.urlsafe_b64decode(acme.assertion()["subject_token"] + "==")
    refused(acme.post(acme.begin(), posted))
    assert acme.post(started, response).status_code == 303
    acme.gets_in(acme.assertion())


def test_an_assertion_signed_by_another_or_out_of_date_is_refused(acme: AppCompany) -> None:
    stays_out(acme, acme.assertion(signing=Signing(rsa_key("evil"))), REST)
    stays_out(acme, acme.assertion(after=[("ana-4f1c", "mallory")]), REST)
    stays_out(acme, acme.assertion(now=acme.now() - timedelta(minutes=10)), WHEN)
    stays_out(acme, acme.assertion(now=acme.now() + timedelta(minutes=10)), WHEN)
    acme.gets_in(acme.assertion())


def test_an_assertion_is_good_once_also_for_twenty_at_once_and_for_another_client(acme: AppCompany) -> None:
    subject = acme.assertion()
    answers = at_once([partial(acme.exchange, subject) for _ in range(20)])
    assert outcomes(answers) == {"in": 1, REST: 19}
    stays_out(acme, subject, REST)
    stays_out(acme, subject, REST, client="notes-app")
    other = acme.assertion()
    acme.gets_in(other, client="notes-app")
    stays_out(acme, other, REST)
    acme.gets_in(acme.assertion())


def outcomes(answers: Any) -> Counter[str]:
    return Counter("in" if answer.status_code == 200 else answer.json()["code"] for answer in answers)


# --- whose token it is, and how often -----------------------------------------------------------------------


def test_a_token_that_one_client_brought_is_worth_nothing_to_another(acme: AppCompany) -> None:
    for make, thief in ((acme.id_token, "notes-app"), (acme.chirp, "album-app")):
        subject = make()
        acme.gets_in(subject)
        with acme.nothing_given():
            turned_away(acme.exchange(subject, client=thief), BAD, REST)
        acme.gets_in(subject)  # its own client may go on
        acme.gets_in(make(), client=thief)


def test_two_clients_at_once_with_one_token_are_one_client(acme: AppCompany) -> None:
    for _ in range(3):
        subject = acme.id_token()
        calls = [partial(acme.exchange, subject, client=each) for each in ("photo-app", "notes-app") * 8]
        answers = at_once(calls)
        got_in = {
            each for each, answer in zip(("photo-app", "notes-app") * 8, answers, strict=True) if answer.ok
        }
        assert len(got_in) == 1
        assert outcomes(answers) == {"in": 8, REST: 8}


def test_a_token_is_good_once_where_the_client_says_so(acme: AppCompany) -> None:
    subject = acme.id_token()
    answers = at_once([partial(acme.exchange, subject, client="album-app") for _ in range(20)])
    assert outcomes(answers) == {"in": 1, REST: 19}
    acme.gets_in(acme.id_token(), client="album-app")


def test_one_person_at_twenty_places_at_once_is_one_identity(acme: AppCompany) -> None:
    name = f"new-{secrets.token_hex(4)}"
    answers = at_once([partial(acme.exchange, acme.chirp(name)) for _ in range(20)])
    assert outcomes(answers) == {"in": 20}
    assert len({answer.json()["identity_id"] for answer in answers}) == 1


# --- more than there is -------------------------------------------------------------------------------------


def test_a_wider_scope_is_refused(acme: AppCompany) -> None:
    subject = acme.id_token()
    with acme.nothing_given():
        for scope in ("roles admin", "openid", "credentials roles *"):
            turned_away(acme.exchange(subject, scope=scope), "invalid_scope", "oauth.invalid_scope")
        turned_away(acme.exchange(subject, **AWS, scope="roles"), "invalid_scope", "oauth.invalid_scope")
        for wish in ({"scope": "credentials"}, {"scope": "roles credentials"}, AWS):
            answer = acme.exchange(acme.id_token(), client="notes-app", **wish)
            turned_away(answer, "invalid_scope", "oauth.invalid_scope")
    narrow = acme.gets_in(subject, scope="roles")
    assert narrow["scope"] == "roles"
    with acme.nothing_given():
        refused(acme.api(narrow["access_token"], "/v1/credentials", role=UPLOADS), "token.scope")
    wide = acme.gets_in(subject)["access_token"]
    assert acme.api(wide, "/v1/credentials", role=UPLOADS).status_code == 200


def test_another_resource_or_audience_is_refused(acme: AppCompany) -> None:
    subject = acme.chirp()
    api = f"{acme.base_url}/v1"
    with acme.nothing_given():
        for wish in (
            {"resource": EVIL},
            {"audience": EVIL},
            {"resource": acme.base_url},
            {"resource": f"{api}/"},
            {"resource": api, "audience": EVIL},
            {"resource": UPLOADS},
            {**AWS, "resource": EVIL},
            {**AWS, "audience": "arn:aws:iam::444455556666:user/x"},
            {**AWS, "resource": UPLOADS, "audience": ADMIN},
        ):
            turned_away(acme.exchange(subject, **wish), "invalid_target", "oauth.invalid_target")
    acme.gets_in(subject, resource=api, audience=api)
    assert acme.gets_in(subject, **AWS, resource=UPLOADS)["role"] == UPLOADS


def test_nothing_lives_longer_than_the_token_that_was_brought(acme: AppCompany) -> None:
    short = {"exp": seconds(acme, 120)}
    subject = acme.id_token(**short)
    given = acme.gets_in(subject, expires_in="86400", requested_lifetime="86400")
    assert given["expires_in"] <= 120
    assert "refresh_token" not in given
    assert acme.api(given["access_token"]).status_code == 200
    acme.later(timedelta(seconds=121))
    refused(acme.api(given["access_token"]), "token.invalid")
    stays_out(acme, subject, WHEN)
    acme.gets_in(acme.id_token())


def test_keys_live_no_longer_than_the_clients_file_says(acme: AppCompany) -> None:
    subject = acme.chirp()
    with acme.nothing_given():
        for duration, code in (
            ("1201", "duration.invalid"),
            ("3600", "duration.invalid"),
            ("899", "oauth.invalid_request"),
            ("-1", "oauth.invalid_request"),
            ("1e3", "oauth.invalid_request"),
            ("9" * 400, "oauth.invalid_request"),
        ):
            turned_away(acme.exchange(subject, **AWS, duration=duration), BAD, code)
        turned_away(acme.exchange(subject, duration="900"), BAD, "oauth.invalid_request")
    acme.gets_in(subject, **AWS)
    token = acme.gets_in(subject)["access_token"]
    acme.api(token, "/v1/credentials", role=UPLOADS, duration_seconds=3600)
    acme.api(token, "/v1/credentials", role=UPLOADS)
    acme.gets_in(subject, **AWS, duration="1200")
    assert {call["duration"] for call in issuances(acme)} == {1200}


def test_roles_beyond_the_clients_are_unknown_also_to_whom_policy_allows_them(acme: AppCompany) -> None:
    browser, _ = acme.attempt("partner")
    assert acme.ask(browser, READ_ONLY).status_code == 200
    before = assumed(acme)
    subject = acme.id_token()
    for role in (READ_ONLY, ADMIN, "arn:aws:iam::111122223333:role/Nope"):
        turned_away(acme.exchange(subject, **AWS, resource=role), "invalid_target", "role.unknown")
    token = acme.gets_in(subject)["access_token"]
    assert [each["arn"] for each in acme.api(token, "/v1/roles").json()["roles"]] == [UPLOADS]
    for path in ("/v1/credentials", "/v1/console-link"):
        refused(acme.api(token, path, role=READ_ONLY), "role.unknown")
    refused(acme.api(token, f"/v1/explain?role={READ_ONLY}"), "role.unknown")
    assert assumed(acme) == before
    assert acme.gets_in(subject, **AWS, resource=UPLOADS)["role"] == UPLOADS


def test_no_provider_names_somebody_into_an_apps_group(acme: AppCompany) -> None:
    named = ["app/photo-app", "app/photo-app/guests", "app/notes-app", "sre", "partner/sre"]
    acme.partner.claims = {"groups": named}
    browser, _ = acme.attempt("partner")
    refused(acme.ask(browser, UPLOADS), "role.unknown")
    token = acme.gets_in(acme.id_token(groups=named), client="notes-app")["access_token"]
    assert acme.api(token).json()["groups"] == ["app/notes-app"]
    token = acme.gets_in(acme.id_token(groups=named))["access_token"]
    assert acme.api(token).json()["groups"] == ["app/photo-app"]


# --- pages of other origins, cookies ------------------------------------------------------------------------

PATHS = ("/oauth/token", "/oauth/revoke", "/oauth/identity/link", "/oauth/identity/unlink")
FOREIGN = (EVIL, "null", f"{PAGE}.evil.example", "http://127.0.0.1:8005", "http://localhost:8004", f"{PAGE}/")


def about_cors(answer: Any) -> set[str]:
    return {name for name in answer.headers if name.lower().startswith("access-control-")}


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_page_of_a_foreign_origin_gets_nothing(acme: AppCompany, origin: str) -> None:
    subject = acme.chirp()
    token = acme.gets_in(subject)["access_token"]
    with acme.nothing_given():
        for path in (*PATHS, "/v1/me", "/v1/credentials"):
            asked = {"Origin": origin, "Access-Control-Request-Method": "GET" if "me" in path else "POST"}
            answer = acme.browser().options(acme.base_url + path, headers=asked, timeout=60)
            assert (answer.status_code, about_cors(answer)) == (403, set())
        form = {"grant_type": EXCHANGE, **subject, **AWS}
        answer = acme.send("/oauth/token", form, Origin=origin)
        turned_away(answer, BAD, "oauth.origin", 403)
        assert about_cors(answer) == set()
        page = acme.browser()
        page.headers["Origin"] = origin
        for answer in (
            acme.api(token, browser=page),
            acme.api(token, "/v1/credentials", browser=page, role=UPLOADS),
        ):
            refused(answer, "oauth.origin")
            assert about_cors(answer) == set()
    assert acme.send("/oauth/token", form, Origin=PAGE).headers["Access-Control-Allow-Origin"] == PAGE


def test_a_page_of_one_client_calls_as_no_other(acme: AppCompany) -> None:
    subject = acme.id_token()
    form = {"grant_type": EXCHANGE, **subject}
    with acme.nothing_given():
        answer = acme.send("/oauth/token", form, Origin=NOTES_PAGE)
        turned_away(answer, BAD, "oauth.origin", 403)
        assert about_cors(answer) == set()
    ours = acme.send("/oauth/token", form, Origin=PAGE)
    assert (ours.status_code, ours.headers["Access-Control-Allow-Origin"]) == (200, PAGE)
    assert "Access-Control-Allow-Credentials" not in ours.headers
    page = acme.browser()
    page.headers["Origin"] = NOTES_PAGE
    refused(acme.api(ours.json()["access_token"], browser=page), "oauth.origin")
    form |= acme.id_token()
    assert acme.send("/oauth/token", form, client="notes-app", Origin=NOTES_PAGE).status_code == 200


def test_cookies_are_not_looked_at(acme: AppCompany) -> None:
    browser, _ = acme.attempt("partner")
    assert acme.me(browser).json()["source"] == "partner"
    with acme.nothing_given():  # a cookie is no proof of anything here
        for form in ({}, {"grant_type": EXCHANGE}):
            turned_away(
                acme.send("/oauth/token", form, browser=browser, Origin=PAGE), BAD, "oauth.invalid_request"
            )
    guest = acme.guest(browser)
    assert guest.status_code == 200 and "Set-Cookie" not in guest.headers
    assert acme.api(guest.json()["access_token"], browser=browser).json()["source"] == "guest"
    robin = acme.gets_in(acme.chirp())["access_token"]
    assert acme.api(robin, browser=browser).json()["source"] == "social"
    refused(acme.api("no-token", browser=browser), "token.invalid")
    assert acme.me(browser).json()["source"] == "partner"


# --- logins and guests --------------------------------------------------------------------------------------


def identity_of(acme: AppCompany, subject: Mapping[str, str], **how: Any) -> str:
    return str(acme.gets_in(subject, **how)["identity_id"])


def fresh(what: str = "person") -> str:
    """A name that nobody had before."""
    return f"{what}-{secrets.token_hex(6)}"


def link(acme: AppCompany, subject: Mapping[str, str], other: Mapping[str, str], **how: Any) -> Any:
    return acme.send("/oauth/identity/link", {**subject, **as_link(other)}, **how)


def test_somebody_elses_login_is_never_linked(acme: AppCompany) -> None:
    thief, victim = fresh("thief"), fresh("victim")
    own, theirs = identity_of(acme, acme.chirp(thief)), identity_of(acme, acme.id_token(sub=victim))
    mail = {"email": f"{victim}@acme.test", "email_verified": True}
    attempts = {
        "a token of theirs for another app": (acme.id_token(sub=victim, aud="other-app"), WHOM),
        "a forged one": (acme.id_token(unit.unsigned("none"), sub=victim), REST),
        "one of old": (acme.id_token(sub=victim, exp=seconds(acme, -1)), WHEN),
    }
    brought = acme.id_token(sub=victim)
    acme.gets_in(brought, client="notes-app")
    attempts["one that another app brought"] = (brought, REST)
    with acme.nothing_given():
        for other, code in attempts.values():
            turned_away(link(acme, acme.chirp(thief), other), BAD, code)
        # The victim's own token, stolen whole: identities are still never merged.
        answer = link(acme, acme.chirp(thief), acme.id_token(sub=victim))
        turned_away(answer, BAD, "identity.login_taken", 409)
        # No address makes two people one.
        answer = link(acme, acme.chirp(thief, profile=mail), acme.id_token(sub=victim, **mail))
        turned_away(answer, BAD, "identity.login_taken", 409)
    assert identity_of(acme, acme.chirp(thief, profile=mail)) == own
    assert identity_of(acme, acme.id_token(sub=victim, **mail)) == theirs != own
    # The honest twin: two logins of one person, each proven, and back again.
    person, sub = fresh(), fresh()
    mine = identity_of(acme, acme.chirp(person))
    answer = link(acme, acme.chirp(person), acme.id_token(sub=sub))
    assert answer.json() == {"identity_id": mine, "logins": ["social", "partner"]}
    assert identity_of(acme, acme.id_token(sub=sub)) == mine


def test_a_person_is_not_linked_by_half_a_proof_nor_parted_by_another(acme: AppCompany) -> None:
    person, sub, thief = fresh(), fresh(), fresh("thief")
    mine = identity_of(acme, acme.chirp(person))
    assert link(acme, acme.chirp(person), acme.id_token(sub=sub)).status_code == 200
    turned_away(acme.send("/oauth/identity/link", acme.chirp(person)), BAD, "oauth.invalid_request")
    identity_of(acme, acme.chirp(thief))
    form = {**acme.chirp(thief), "source": "partner", "identity_id": mine}
    turned_away(acme.send("/oauth/identity/unlink", form), BAD, "identity.login_needed", 409)
    assert identity_of(acme, acme.id_token(sub=sub)) == mine
    answer = acme.send("/oauth/identity/unlink", {**acme.chirp(person), "source": "partner"})
    assert answer.json() == {"identity_id": mine, "logins": ["social"]}
    assert identity_of(acme, acme.id_token(sub=sub)) != mine


def test_one_login_offered_to_two_people_at_once_is_one_persons(acme: AppCompany) -> None:
    people, sub = [fresh() for _ in range(10)], fresh()
    ids = {identity_of(acme, acme.chirp(name)) for name in people}
    answers = at_once([partial(link, acme, acme.chirp(name), acme.id_token(sub=sub)) for name in people])
    assert outcomes(answers) == {"in": 1, "identity.login_taken": 9}
    [winner] = [answer.json()["identity_id"] for answer in answers if answer.ok]
    assert winner in ids and identity_of(acme, acme.id_token(sub=sub)) == winner


def test_a_guest_of_another_client_is_not_taken_over(acme: AppCompany) -> None:
    guest = acme.guest().json()
    acme.shown.add(guest["access_token"])
    for client, subject in (
        ("notes-app", acme.id_token(sub=fresh())),
        ("album-app", acme.chirp(fresh())),  # of the same pool even
    ):
        with acme.nothing_given():
            answer = acme.exchange(subject, client=client, guest_token=guest["access_token"])
            turned_away(answer, "invalid_grant", "oauth.invalid_grant")
    assert acme.api(guest["access_token"]).json()["source"] == "guest"
    assert identity_of(acme, acme.chirp(fresh()), guest_token=guest["access_token"]) == guest["identity_id"]


def test_what_is_no_guests_token_takes_nobody_over(acme: AppCompany) -> None:
    victim = fresh("victim")
    stolen = acme.gets_in(acme.chirp(victim))
    browser, _ = acme.attempt("partner")
    guest = acme.guest().json()
    ended = acme.guest().json()
    revoked = acme.send("/oauth/revoke", {"token": ended["access_token"]})
    assert revoked.status_code == 200
    head, _, signature = guest["access_token"].split(".")
    claims = json.loads(base64.urlsafe_b64decode(guest["access_token"].split(".")[1] + "=="))
    forged = base64.urlsafe_b64encode(json.dumps({**claims, "sid": "0" * 16}).encode()).decode().rstrip("=")
    with acme.nothing_given():
        for token in (
            stolen["access_token"],
            ended["access_token"],
            guest["refresh_token"],
            guest["identity_id"],
            f"{head}.{forged}.{signature}",
            browser.cookies["daypass"],
            acme.id_token()["subject_token"],
            "x",
        ):
            answer = acme.exchange(acme.chirp(fresh("thief")), guest_token=token)
            turned_away(answer, "invalid_grant", "oauth.invalid_grant")
    assert identity_of(acme, acme.chirp(victim)) == stolen["identity_id"]
    assert identity_of(acme, acme.chirp(fresh()), guest_token=guest["access_token"]) == guest["identity_id"]


def test_a_guest_is_taken_over_once_by_one_also_by_twenty_at_once(acme: AppCompany) -> None:
    guest = acme.guest().json()
    names = [fresh() for _ in range(20)]
    claim = {"guest_token": guest["access_token"]}
    answers = at_once([partial(acme.exchange, acme.chirp(name), **claim) for name in names])
    assert outcomes(answers) == {"in": 1, "oauth.invalid_grant": 19}
    [winner] = [name for name, answer in zip(names, answers, strict=True) if answer.ok]
    assert identity_of(acme, acme.chirp(winner)) == guest["identity_id"]
    refused(acme.api(guest["access_token"]), "token.invalid")
    refreshing = {"grant_type": "refresh_token", "refresh_token": guest["refresh_token"]}
    turned_away(acme.send("/oauth/token", refreshing), "invalid_grant", "oauth.invalid_grant")
    with acme.nothing_given():
        for wish in ({}, AWS):
            answer = acme.exchange(acme.chirp(fresh()), **claim, **wish)
            turned_away(answer, "invalid_grant", "oauth.invalid_grant")


def test_ten_thousand_guests_of_one_address_are_two_thousand_and_no_neighbour_is_kept_out(
    acme: AppCompany,
) -> None:
    """All but the last few are put where the broker remembers them; an IPv6 address is as many as somebody likes."""
    flood = [acme.browser() for _ in range(12)]
    for number, browser in enumerate(flood):
        browser.headers["X-Forwarded-For"] = f"2001:db8:bad:1::{number:x}"
    now = acme.now()
    made = {"pool": "photo", "created_at": now, "last_used": now}
    made["guest_address"] = digest("guest address", prefix("2001:db8:bad:1::1"))
    rows = [{**made, "id": f"guest-{number}"} for number in range(GUESTS_PER_DAY - 4)]
    opened = open_database(f"sqlite:///{acme.database}", migrate=False)
    with closing(opened) as database, database.write() as connection:
        connection.execute(POOL_IDENTITIES.insert(), rows)
    assert [acme.guest(browser).status_code for browser in flood] == [200] * 4 + [429] * 8
    with acme.nothing_given():
        for client in ("photo-app", "album-app"):
            answer = acme.guest(flood[0], client=client, **AWS)
            turned_away(answer, "temporarily_unavailable", "rate.limited", 429)
            assert int(answer.headers["Retry-After"]) > 0
    neighbour = acme.browser()
    neighbour.headers["X-Forwarded-For"] = "2001:db8:bad:2::1"
    assert acme.guest(neighbour).status_code == 200
    # Who has signed in gets in from there too.
    form = {"grant_type": EXCHANGE, **acme.chirp()}
    assert acme.send("/oauth/token", form, browser=flood[0]).status_code == 200
    acme.later(timedelta(days=1, seconds=1))
    assert acme.guest(flood[0]).status_code == 200


# --- each their own, whatever the provider says -------------------------------------------------------------

PATTERNS = ("*", "?", "${*}", "${aws:username}", "${daypass:identity-id}", "*/../*", "$", "a*", '","*","')


@pytest.mark.parametrize("pattern", PATTERNS)
def test_nothing_that_a_provider_says_is_a_pattern_in_a_session_policy(
    acme: AppCompany, pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # AWS's double goes by the clock that was moved.
    monkeypatch.setattr(botocore.auth, "get_current_datetime", acme.now)
    robin = acme.gets_in(acme.chirp("robin"), **AWS)
    own = robin["identity_id"]
    acme.bucket(robin).put_object(Bucket=BUCKET, Key=f"{own}/letter", Body=b"dear")
    acme.bucket(robin).put_object(Bucket=BUCKET, Key="by-name/robin/letter", Body=b"dear")
    said = {
        "handle": pattern,
        "identity-id": "*",
        "identity_id": own,
        "daypass:identity-id": own,
        "daypass": {"identity-id": own},
        "pool_identity": own,
    }
    mallory = acme.gets_in(acme.chirp(f"{pattern}-", profile=said), **AWS)
    assert mallory["identity_id"] != own
    [sent] = [call for call in issuances(acme) if call["issued"] == mallory["AccessKeyId"]]
    assert "${daypass:" not in sent["policy"]
    named = json.dumps([sent["session_name"], sent["source_identity"], sent["tags"]])
    assert "robin" not in named and pattern not in named.strip("[]")
    theirs = acme.bucket(mallory)
    for key in (f"{own}/letter", "by-name/robin/letter", "by-name/r/letter"):
        for call in (
            lambda key=key: theirs.get_object(Bucket=BUCKET, Key=key),
            lambda key=key: theirs.put_object(Bucket=BUCKET, Key=key, Body=b"x"),
        ):
            with pytest.raises(ClientError) as denied:
                call()
            assert denied.value.response["Error"]["Code"] == "AccessDenied"
    for start in (f"{own}/", "", "by-name/"):
        with pytest.raises(ClientError):
            theirs.list_objects_v2(Bucket=BUCKET, Prefix=start)
    theirs.put_object(Bucket=BUCKET, Key=f"{mallory['identity_id']}/x", Body=b"mine")
    listed = theirs.list_objects_v2(Bucket=BUCKET, Prefix=f"{mallory['identity_id']}/")
    assert [each["Key"] for each in listed["Contents"]] == [f"{mallory['identity_id']}/x"]
    assert acme.bucket(robin).get_object(Bucket=BUCKET, Key=f"{own}/letter")["Body"].read() == b"dear"


# --- providers that are slow, down or lie -------------------------------------------------------------------

LIES: dict[str, dict[str, object]] = {
    "no app": {"app_id": GONE},
    "an app of another type": {"app_id": ["acme-app"]},
    "nobody": {"user_id": GONE},
    "somebody else than the profile": {"user_id": "neighbour-id"},
    "an end that is no time": {"expires_at": "never"},
    "an end beyond the calendar": {"expires_at": 10**15},
    "no end": {"expires_at": GONE},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_token_check_that_says(acme: AppCompany, lie: dict[str, object]) -> None:
    fails(acme, acme.chirp(**lie))
    acme.gets_in(acme.chirp())


def fails(acme: AppCompany, subject: Mapping[str, str]) -> None:
    """The provider's failure is said to be one, in time, and gives nothing."""
    began = time.perf_counter()
    with acme.nothing_given():
        answer = acme.exchange(subject, **AWS)
    assert time.perf_counter() - began < DEADLINE + QUICK
    turned_away(answer, "temporarily_unavailable", "provider.failed", 502)
    assert acme.why(answer)


@pytest.mark.parametrize("path", ["/debug_token", "/me"])
@pytest.mark.parametrize("route", BROKEN.values(), ids=BROKEN)
def test_a_provider_that_is_broken_gives_nothing_and_other_providers_do(
    acme: AppCompany, route: Route, path: str
) -> None:
    acme.social.routes[path] = route
    fails(acme, acme.chirp())
    acme.gets_in(acme.id_token())
    acme.honest()
    acme.gets_in(acme.chirp())


def test_a_page_may_read_that_the_provider_failed(acme: AppCompany) -> None:
    acme.social.routes["/debug_token"] = BROKEN["down"]
    form = {"grant_type": EXCHANGE, **acme.chirp()}
    answer = acme.send("/oauth/token", form, Origin=PAGE)
    turned_away(answer, "temporarily_unavailable", "provider.failed", 502)
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE


def test_an_openid_provider_without_its_keys_gives_nothing_and_the_social_one_does(acme: AppCompany) -> None:
    for path in ("/.well-known/openid-configuration", "/jwks"):
        acme.later()
        acme.partner.routes[path] = BROKEN["down"]
        fails(acme, acme.id_token())
        acme.gets_in(acme.chirp())
        acme.honest()
        acme.later()
        acme.gets_in(acme.id_token())


@pytest.mark.alone
@pytest.mark.parametrize("path", ["/debug_token", "/me"])
@pytest.mark.parametrize("route", [hang, byte_a_second])
def test_thirty_at_a_provider_that_hangs_get_an_answer_in_time_and_nobody_else_waits(
    acme: AppCompany, route: Route, path: str
) -> None:
    acme.social.routes[path] = route
    before = acme.social.hits[path]
    with acme.nothing_given(), ThreadPoolExecutor(30) as pool:
        asked = [pool.submit(fails_only, acme, acme.chirp()) for _ in range(30)]
        while acme.social.hits[path] < before + 2:
            time.sleep(0.01)
        # Meanwhile, by others: nothing is given for these either, but they are answered.
        turned_away(acme.exchange(acme.id_token(aud="other-app")), BAD, WHOM)
        turned_away(acme.exchange(acme.assertion((CORP, "urn:other:app"))), BAD, WHOM)
        assert acme.browser().get(f"{acme.base_url}/sign-in", timeout=30).status_code == 200
        assert not all(each.done() for each in asked)
        assert max(each.result() for each in asked) < DEADLINE + QUICK
    acme.honest()
    acme.gets_in(acme.chirp())


def fails_only(acme: AppCompany, subject: Mapping[str, str]) -> float:
    """Seconds until the provider's failure was said."""
    began = time.perf_counter()
    turned_away(acme.exchange(subject, **AWS), "temporarily_unavailable", "provider.failed", 502)
    return time.perf_counter() - began


@pytest.mark.alone
def test_others_are_given_theirs_while_a_provider_hangs(acme: AppCompany) -> None:
    acme.social.routes["/debug_token"] = hang
    before = acme.social.hits["/debug_token"]
    with ThreadPoolExecutor(30) as pool:
        asked = [pool.submit(fails_only, acme, acme.chirp()) for _ in range(30)]
        while acme.social.hits["/debug_token"] < before + 2:
            time.sleep(0.01)
        acme.gets_in(acme.id_token())
        acme.gets_in(acme.assertion())
        assert acme.guest().status_code == 200
        assert acme.attempt("partner")[1].status_code == 303
        assert not all(each.done() for each in asked)
