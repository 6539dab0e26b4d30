"""Apps over the wire, with the real broker and store behind it: exchange, guests, identities, pages of other origins."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.errors import ProviderFailed
from app.model import EXCHANGE
from app.web import make_app
from app.web.oauth.exchange import AWS_CREDENTIALS, GUEST, SAML2_BEARER
from tests.exchanging import NOTES, PHOTO, UPLOADS, Apps, apps_in
from tests.house import BASE, FakeAws, House, opened
from tests.signin.oauth2 import builders as chirp
from tests.signin.saml.test_grant import encoded, signed
from tests.web.browser import Browser
from tests.web.builders import EVIL

TYPE = "urn:ietf:params:oauth:token-type:"
PAGE = "http://127.0.0.1:8004"
AWS = {"requested_token_type": AWS_CREDENTIALS}
ADMIN = "arn:aws:iam::111122223333:role/Admin"


def client_of(house: House) -> Browser:
    parts = house.parts
    return Browser(make_app(parts.broker, parts.delegation, parts.current_settings, house.clock), BASE)


class Page:
    """The app's page, from its own origin."""

    def __init__(self, apps: Apps) -> None:
        self.apps = apps
        self.wire = client_of(apps.house)

    def post(self, path: str, origin: str | None = PAGE, **form: str):
        headers = {} if origin is None else {"Origin": origin}
        return self.wire.post(path, data={"client_id": "photo-app", **form}, headers=headers)

    def subject(self, name: str = "robin", what: str = "subject", **more: object) -> dict[str, str]:
        text = self.apps.token(name, **more).text  # type: ignore[arg-type]
        return {f"{what}_token": text, f"{what}_token_type": f"{TYPE}access_token"}

    def exchange(self, subject: dict[str, str] | None = None, origin: str | None = PAGE, **form: str):
        return self.post(
            "/oauth/token", origin, grant_type=EXCHANGE, **{**(subject or self.subject()), **form}
        )

    def guest(self, **form: str):
        return self.post("/oauth/token", grant_type=GUEST, **form)

    def api(self, token: str, path: str = "/v1/me", origin: str = PAGE, **more: object):
        headers = {"Authorization": f"Bearer {token}", "Origin": origin}
        return self.wire.open(path, method="POST" if more else "GET", headers=headers, **more)

    def keys(self, token: str, origin: str = PAGE):
        return self.api(token, "/v1/credentials", origin, json={"role": UPLOADS})


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    with apps_in(tmp_path, monkeypatch) as apps:
        yield Page(apps)


def refused(answer, error: str, code: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json["error"], answer.json["code"]) == (status, error, code)
    assert FakeAws.asked == []


def test_a_persons_token_becomes_keys_in_two_steps_and_in_one(page: Page) -> None:
    given = page.exchange()
    assert (given.status_code, given.headers["Access-Control-Allow-Origin"]) == (200, PAGE)
    assert page.api(given.json["access_token"]).json["source"] == "social"
    keys = page.keys(given.json["access_token"])
    assert (keys.status_code, keys.headers["Access-Control-Allow-Origin"]) == (200, PAGE)
    at_once = page.exchange(**AWS).json
    assert {name: at_once[name] for name in keys.json} == keys.json
    assert (at_once["role"], at_once["token_type"], at_once["expires_in"]) == (UPLOADS, "N_A", 3600)
    assert at_once["identity_id"] == given.json["identity_id"]
    assert "AppUploads" in at_once["reason"]
    assert [each.role.arn for each in FakeAws.asked] == [UPLOADS, UPLOADS]


def test_a_page_of_another_origin_gets_nothing_even_with_all_that_is_needed(page: Page) -> None:
    token = page.exchange().json["access_token"]
    subject = page.subject()
    for answer in (page.exchange(subject, origin=EVIL, **AWS), page.keys(token, origin=EVIL)):
        assert (answer.status_code, answer.json["code"]) == (403, "oauth.origin")
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert FakeAws.asked == []
    assert page.exchange(subject, origin=None, **AWS).status_code == 200  # a program says no origin


@pytest.mark.parametrize(
    ("changes", "form", "error", "code"),
    [
        ({"audience": "other-app"}, {}, "invalid_request", "exchange.audience"),
        ({"life": timedelta(0)}, {}, "invalid_request", "exchange.expired"),
        ({}, {"subject_token": "made-up"}, "invalid_request", "exchange.token"),
        ({}, {"subject_token_type": f"{TYPE}id_token"}, "invalid_request", "oauth.subject_not_accepted"),
        ({}, {"subject_issuer": "corp"}, "invalid_request", "oauth.subject_not_accepted"),
        ({}, {"scope": "roles admin"}, "invalid_scope", "oauth.invalid_scope"),
        ({}, {"resource": "https://other.example"}, "invalid_target", "oauth.invalid_target"),
        ({}, {**AWS, "resource": ADMIN}, "invalid_target", "role.unknown"),
        ({}, {**AWS, "scope": "roles"}, "invalid_scope", "oauth.invalid_scope"),
    ],
)
def test_what_is_not_right_gives_nothing_and_says_why(page: Page, changes, form, error, code) -> None:
    refused(page.exchange(page.subject(**changes), **form), error, code)
    assert page.apps.rows("sessions") == 0


def test_keys_live_no_longer_than_the_apps_file_says(page: Page) -> None:
    page.apps.house.edit(PHOTO, "credentials: 1h", "credentials: 20m")
    page.apps.house.apply()
    answer = page.exchange(**AWS, duration="1201")
    refused(answer, "invalid_request", "duration.invalid")
    assert "1200" in answer.json["error_description"]
    assert page.exchange(**AWS, duration="1200").status_code == 200


def test_a_token_of_ours_is_no_subject_token(page: Page) -> None:
    ours = page.exchange().json["access_token"]
    refused(page.exchange(page.subject() | {"subject_token": ours}), "invalid_request", "exchange.kind")


def test_another_app_cannot_use_what_this_one_brought(page: Page) -> None:
    page.apps.house.write("clients/notes-app.yaml", NOTES)
    page.apps.house.apply()
    subject = page.subject()
    assert page.exchange(subject).status_code == 200
    refused(page.exchange(subject, None, client_id="notes-app"), "invalid_request", "exchange.token")
    assert page.exchange(page.subject(), None, client_id="notes-app").status_code == 200


def test_a_provider_that_fails_is_said_to_and_others_go_on(page: Page) -> None:
    subject = page.subject()
    chirps = page.apps.chirps.values()
    for each in chirps:
        each.raises = ProviderFailed("slow")
    answer = page.exchange(subject)
    refused(answer, "temporarily_unavailable", "provider.failed", 502)
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    for each in chirps:
        each.raises = None
    assert page.exchange(subject).status_code == 200


def test_a_guest_refreshes_and_is_claimed_by_a_sign_in_that_ends_the_guest(page: Page) -> None:
    guest = page.guest().json
    again = page.post("/oauth/token", grant_type="refresh_token", refresh_token=guest["refresh_token"]).json
    assert again["identity_id"] == guest["identity_id"]
    assert page.keys(again["access_token"]).status_code == 200
    robin = page.exchange(guest_token=again["access_token"], **AWS).json
    assert robin["identity_id"] == guest["identity_id"]
    assert page.keys(again["access_token"]).status_code == 401
    over = page.post("/oauth/token", grant_type="refresh_token", refresh_token=again["refresh_token"])
    assert (over.status_code, over.json["error"]) == (400, "invalid_grant")
    other = page.guest().json
    taken = page.exchange(guest_token=other["access_token"])
    assert (taken.status_code, taken.json["code"]) == (409, "identity.login_taken")
    assert page.keys(other["access_token"]).status_code == 200
    assert page.exchange().json["identity_id"] == guest["identity_id"]


def test_two_logins_are_linked_by_both_tokens_and_parted_again(page: Page) -> None:
    house = page.apps.house
    house.write(
        "providers/bird.yaml",
        (house.config / "providers/social.yaml").read_text().replace("Acme app", "Bird"),
    )
    house.edit(PHOTO, "accepts: {social: [acme-app]}", "accepts: {social: [acme-app], bird: [acme-app]}")
    house.apply()
    from_social = lambda: {**page.subject(), "subject_issuer": "social"}  # noqa: E731
    mine = page.exchange(from_social()).json["identity_id"]
    page.exchange({**page.subject("wren", source="bird"), "subject_issuer": "bird"})
    both = {**from_social(), **page.subject("wren", "link", source="bird"), "link_issuer": "bird"}
    taken = page.post("/oauth/identity/link", **both)
    assert (taken.status_code, taken.json["code"]) == (409, "identity.login_taken")
    both = {**from_social(), **page.subject("robin", "link", source="bird"), "link_issuer": "bird"}
    linked = page.post("/oauth/identity/link", **both)
    assert linked.json == {"identity_id": mine, "logins": ["social", "bird"]}
    by_bird = {**page.subject("robin", source="bird"), "subject_issuer": "bird"}
    assert page.exchange(by_bird).json["identity_id"] == mine
    parted = page.post("/oauth/identity/unlink", **from_social(), source="bird")
    assert parted.json == {"identity_id": mine, "logins": ["social"]}
    assert page.exchange(by_bird).json["identity_id"] != mine
    last = page.post("/oauth/identity/unlink", **from_social(), source="social")
    assert (last.status_code, last.json["code"]) == (409, "identity.login_needed")


def test_an_assertion_is_a_grant_and_is_taken_once(page: Page) -> None:
    house = page.apps.house
    house.edit(
        PHOTO, "accepts: {social: [acme-app]}", "accepts: {corp: ['urn:acme:app'], social: [acme-app]}"
    )
    house.apply()

    def assertion(id: str, audience: str = "urn:acme:app") -> str:
        edits = [("https://daypass.acme.test/oauth/token", f"{BASE}/oauth/token"), ("urn:acme:app", audience)]
        return encoded(signed(house.idp, *edits, now=house.clock.at, assertion_id=id))

    one = assertion("_one")
    given = page.post("/oauth/token", grant_type=SAML2_BEARER, assertion=one)
    assert page.api(given.json["access_token"]).json["source"] == "corp"
    again = page.post("/oauth/token", grant_type=SAML2_BEARER, assertion=one)
    refused(again, "invalid_grant", "exchange.token")  # RFC 7522, 3.1
    other = page.post("/oauth/token", grant_type=SAML2_BEARER, assertion=assertion("_two", "urn:other:app"))
    refused(other, "invalid_grant", "exchange.audience")
    three = {"subject_token": assertion("_three"), "subject_token_type": f"{TYPE}saml2"}
    assert page.exchange(three).json["identity_id"] == given.json["identity_id"]


# --- the same provider in a browser ---------------------------------------------------------------


def test_somebody_signs_in_by_a_plain_oauth_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with chirp.running() as social, opened(tmp_path, monkeypatch) as house:
        text = (house.config / "providers/social.yaml").read_text()
        text = text.replace("http://127.0.0.1:8003/authorize", f"{social.issuer}/authorize?signup=false")
        house.write("providers/social.yaml", text.replace("http://127.0.0.1:8003", social.issuer))
        social.secret = house.environ["SOCIAL_CLIENT_SECRET"]
        house.apply()
        browser = client_of(house)
        assert "Acme app sign-in" in browser.get("/sign-in").text
        away = browser.get("/sign-in/social?next=/security")
        assert away.status_code == 303
        fields = social.authorize(away.headers["Location"])
        back = browser.get("/oidc/social/callback", query_string=fields)
        assert (back.status_code, back.headers["Location"]) == (303, "/security")
        me = browser.get("/v1/me").json
        assert (me["source"], me["subject"], me["username"]) == ("social", str(chirp.PERSON), "ana")
        again = browser.get("/oidc/social/callback", query_string=fields)
        assert again.status_code == 401
